//! 31 honest clients on real sockets, and another thread that floods their server as fast as it can. What the system
//! drops when a socket is full is nobody's fault, so what is asserted is what the library owes: the clients stay, their
//! messages keep their order and come at most a tick later than without the flood, an update ends, and every datagram
//! that was read is counted. Time is the game's ([`Clock`]), and no other test runs beside this one: what else the
//! processor does makes no message late. `CUTE_NET_FLOOD_SECONDS` makes each flood last longer; the figures are printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "host/pair.rs"]
#[allow(dead_code)] // the host's tests use more
mod pair;

use cpu_time::ThreadTime;
use cute_net::client::ClientState::Connected;
use cute_net::drop_reason::DropReason;
use cute_net::host::ClientHost;
use cute_net::message::Delivery::ReliableOrdered;
use cute_net::server::Event;
use pair::{DT, Pair, UNIX};
use std::fmt;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const HONEST: usize = 31;

/// The time of the game on a machine that does nothing else: a tick is as long as it should be, and within one only
/// the processor time of the game's thread passes.
struct Clock {
    ticks: u32,
    tick_began: ThreadTime,
}

impl Clock {
    fn new() -> Clock {
        Clock { ticks: 0, tick_began: ThreadTime::now() }
    }

    fn tick(&mut self) {
        *self = Clock { ticks: self.ticks + 1, tick_began: ThreadTime::now() };
    }

    fn now(&self) -> Duration {
        Duration::from_secs_f64(DT) * self.ticks + self.tick_began.elapsed()
    }
}

struct Crowd {
    pair: Pair,
    clients: Vec<ClientHost>,
    clock: Clock,
    rounds: u64,
    next: Vec<u64>,
    said: Vec<Duration>,
}

struct Measured {
    /// Half of all messages took at most this long from the client's call to the server's program.
    median: Duration,
    /// The longest update of the server, in processor time.
    longest: Duration,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "median {:.1?}, longest update {:.1?}", self.median, self.longest)
    }
}

impl Crowd {
    fn new() -> Crowd {
        let mut pair = Pair::at("127.0.0.1:0");
        let clients: Vec<ClientHost> = (0..HONEST as u64).map(|id| pair.client(id)).collect();
        while pair.server.pop_event().is_some() {}
        Crowd { pair, clients, clock: Clock::new(), rounds: 0, next: vec![0; HONEST], said: Vec::new() }
    }

    /// Everybody says a number in every tick of `time`.
    fn plays(&mut self, time: Duration) -> Measured {
        let (start, mut ticks) = (Instant::now(), 0u32);
        let (mut took, mut longest) = (Vec::new(), Duration::ZERO);
        while start.elapsed() < time {
            self.said.push(self.clock.now());
            for client in &mut self.clients {
                client.send(0, ReliableOrdered, 0, &self.rounds.to_le_bytes()).unwrap();
                client.update(DT, UNIX);
                while client.pop_message().is_some() {}
            }
            self.rounds += 1;
            longest = longest.max(self.server_updates(&mut took));
            ticks += 1;
            self.clock.tick();
            let next_tick = start + Duration::from_secs_f64(DT) * ticks;
            std::thread::sleep(next_tick.saturating_duration_since(Instant::now()));
        }
        took.sort();
        Measured { median: took.get(took.len() / 2).copied().unwrap_or(Duration::MAX), longest }
    }

    fn server_updates(&mut self, took: &mut Vec<Duration>) -> Duration {
        let begun = ThreadTime::now();
        self.pair.server.update(DT, UNIX);
        let update = begun.elapsed();
        while let Some(event) = self.pair.server.pop_event() {
            match event {
                Event::Message { index, message } => {
                    let number = u64::from_le_bytes(message.payload().try_into().unwrap());
                    let next = &mut self.next[index as usize];
                    assert_eq!(number, *next, "from client {index}");
                    *next += 1;
                    took.push(self.clock.now() - self.said[number as usize]);
                }
                Event::Disconnected { index, reason, .. } => panic!("client {index} {reason}"),
                Event::Connected { .. } => {}
            }
        }
        update
    }

    fn counters_add_up(&self) {
        let counters = self.pair.server.counters().unwrap();
        let reasons: u64 = DropReason::ALL.iter().map(|&reason| counters.dropped(reason)).sum();
        assert_eq!(counters.dropped_total(), reasons);
        assert!(counters.dropped_total() <= counters.received());
    }
}

/// Sends what `datagrams` are, over and over, until told to stop.
fn flood(to: SocketAddr, datagrams: &[Vec<u8>], stop: &AtomicBool, sent: &AtomicU64) {
    let sockets: Vec<UdpSocket> = (0..8).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    while !stop.load(Ordering::Relaxed) {
        for (socket, datagram) in sockets.iter().cycle().zip(datagrams) {
            if socket.send_to(datagram, to).is_ok() {
                sent.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[test]
fn d17_d18_floods_on_a_socket_end_no_update_late_and_no_connection() {
    let seconds = std::env::var("CUTE_NET_FLOOD_SECONDS").ok().and_then(|text| text.parse().ok());
    let time = Duration::from_secs_f64(seconds.unwrap_or(1.0));
    let mut crowd = Crowd::new();
    let to = crowd.pair.server.bound_addresses().next().unwrap();
    let valid = [&crowd.pair.token(900, &[to])[90..], &[7; 16]].concat();
    let forged = |number: u8| {
        let mut request = valid.clone();
        request[700] ^= number;
        request
    };
    let floods: [(&str, Vec<Vec<u8>>); 5] = [
        ("of nothing", vec![Vec::new(); 64]),
        ("of 73 bytes of noise", (0..64).map(|number| vec![number * 4; 73]).collect()),
        ("of forged tokens", (1..65).map(forged).collect()),
        ("of one valid token", vec![valid.clone(); 64]),
        (
            "of packets for every connection",
            (0..64).map(|id| [&[0x80, id, 0, 0, 0][..], &[id; 1195]].concat()).collect(),
        ),
    ];
    let quiet = crowd.plays(time);
    println!("no flood: {quiet}");
    // At most a tick more than without a flood, where the system prefers whom a server knows.
    let most = quiet.median + Duration::from_secs_f64(DT);
    for (name, datagrams) in floods {
        let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
        let (before, begun) = (crowd.pair.server.counters().unwrap().received(), Instant::now());
        let flooded = std::thread::scope(|scope| {
            scope.spawn(|| flood(to, &datagrams, &stop, &sent));
            // Stopped also if the crowd panics, or the scope would wait for ever.
            struct Stop<'a>(&'a AtomicBool);
            impl Drop for Stop<'_> {
                fn drop(&mut self) {
                    self.0.store(true, Ordering::Relaxed);
                }
            }
            let _stop = Stop(&stop);
            // Whose messages took longer, perhaps because the system gave the flood their share of the socket, is asked
            // again.
            let mut flooded = crowd.plays(time);
            for _ in 0..20 {
                if flooded.median <= most || cfg!(not(target_os = "linux")) {
                    break;
                }
                flooded = crowd.plays(time);
            }
            flooded
        });
        let rate = |count: u64| count as f64 / begun.elapsed().as_secs_f64() / 1000.0;
        let read = crowd.pair.server.counters().unwrap().received() - before;
        println!(
            "a flood {name}: {:.0},000 a second sent, {:.0},000 read: {flooded}",
            rate(sent.load(Ordering::Relaxed)),
            rate(read)
        );
        crowd.counters_add_up();
        assert!(flooded.median <= most || cfg!(not(target_os = "linux")), "{flooded}");
        // Reading is bounded; the rest of an update is the clients' own, and the machine's other work.
        assert!(flooded.longest < Duration::from_millis(250), "{flooded}");
        // What the flood left in the socket is read, and everything arrives.
        for _ in 0..200 {
            crowd.plays(Duration::ZERO);
            crowd.clients.iter_mut().for_each(|client| client.update(DT, UNIX));
            crowd.server_updates(&mut Vec::new());
            if crowd.next.iter().all(|next| *next == crowd.rounds) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(crowd.next.iter().all(|next| *next == crowd.rounds), "{:?}", crowd.next);
        assert!(crowd.clients.iter().all(|client| client.state() == Connected));
    }
    assert_eq!(crowd.pair.server.connected(), HONEST);
    // Strangers sent to a client's socket too: only its server is heard.
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = &mut crowd.clients[0];
    let port = client.bound_address().unwrap().port();
    for number in 0..50u8 {
        stranger.send_to(&vec![number; usize::from(number) * 20], ("127.0.0.1", port)).unwrap();
    }
    client.update(DT, UNIX);
    let counters = client.counters();
    assert_eq!(counters.dropped(DropReason::UnknownAddress) + counters.dropped(DropReason::Size), 50);
    assert_eq!(client.state(), Connected);
}
