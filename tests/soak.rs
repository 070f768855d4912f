//! 64 players on real sockets who connect, play, lag, crash and leave at random, over 25 % loss, 25 % duplicates and a
//! second of latency each way, while the server is stopped and started. In seasons: after each everybody is gone and
//! every token has expired, and the process holds the memory and the descriptors that it held after the first ones.
//!
//! `CUTE_NET_SOAK_SECONDS` says how long, `CUTE_NET_SOAK_SEED` which one. Time is virtual, so that a second is worth many.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "attacks/memory.rs"]
mod memory;
#[path = "host/pair.rs"]
#[allow(dead_code)] // the host's tests use more
mod pair;

use cute_net::client::ClientState;
use cute_net::crypto::random::Generator;
use cute_net::drop_reason::DropReason;
use cute_net::host::ClientHost;
use cute_net::message::Delivery::*;
use cute_net::server::Event;
use cute_net::simulator::SimulatorConfig;
use memory::live;
use pair::{APPLICATION, Pair, UNIX};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const PLAYERS: usize = 64;
const DT: f64 = 1.0 / 30.0;
/// Ticks of a season's play, and of the silence after it: tokens live for 60 s, connections time out after 10.
const PLAY: u32 = 600;
const SILENCE: u32 = 200;
const SILENT_DT: f64 = 0.5;
const TOKEN_LIFE: u64 = 60;
/// What seasons may differ by: tables that shrink now and then.
const SLACK: i64 = 256 << 10;
/// What 64 players may hold at most meanwhile, with their server and what is on the way.
const PEAK: i64 = 96 << 20;

/// A player; its messages carry its connection's number and their own.
struct Player {
    host: ClientHost,
    connection: u64,
    sent: u64,
    next: u64,
    /// Ticks in which its program stands still.
    lags: u32,
}

struct Soak {
    pair: Pair,
    address: std::net::SocketAddr,
    generator: Generator,
    players: Vec<Player>,
    connections: u64,
    /// The number of the connection in each slot, and the next message of it.
    slots: HashMap<u32, (u64, u64)>,
    time: f64,
    network: SimulatorConfig,
    peak: i64,
    delivered: u64,
    connected: u64,
    crashed: u64,
    left: u64,
}

fn message(connection: u64, number: u64, size: u64) -> Vec<u8> {
    let mut bytes = vec![number as u8; 16 + size as usize];
    bytes[..8].copy_from_slice(&connection.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes
}

fn read(bytes: &[u8]) -> (u64, u64) {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    assert!(bytes[16..].iter().all(|&byte| byte == number(8) as u8), "it came altered");
    (number(0), number(8))
}

/// Open descriptors of this process, where the system tells.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

impl Soak {
    fn new(seed: u64) -> Soak {
        let mut pair = Pair::with_clients("127.0.0.1:0", PLAYERS);
        let address = pair.server.bound_addresses().next().unwrap();
        let network = SimulatorConfig {
            latency: Duration::from_secs(1).into(),
            jitter: Duration::from_millis(50).into(),
            loss: 0.25,
            duplicate: 0.25,
            ..SimulatorConfig::default()
        };
        pair.server.set_simulator(network, seed);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Soak {
            pair,
            address,
            generator: Generator::new(bytes),
            players: Vec::new(),
            connections: 0,
            slots: HashMap::new(),
            time: 0.0,
            network,
            peak: 0,
            delivered: 0,
            connected: 0,
            crashed: 0,
            left: 0,
        }
    }

    fn unix(&self) -> u64 {
        UNIX + self.time as u64
    }

    /// True once in `ticks`, on average.
    fn happens(&mut self, ticks: u64) -> bool {
        self.generator.below(ticks) == 0
    }

    fn player(&mut self) -> Player {
        let mut host = ClientHost::new(0, APPLICATION);
        host.set_simulator(self.network, self.generator.below(u64::MAX));
        Player { host, connection: 0, sent: 0, next: 0, lags: 0 }
    }

    /// Its process ends without a word, and another begins.
    fn crash(&mut self, index: usize) {
        let mut next = self.player();
        std::mem::swap(&mut next, &mut self.players[index]);
        next.host.set_simulator(SimulatorConfig { loss: 1.0, ..self.network }, 0);
        self.crashed += 1;
    }

    fn play(&mut self, index: usize) {
        if self.players[index].lags > 0 {
            self.players[index].lags -= 1;
            return;
        }
        if self.happens(300) {
            self.players[index].lags = self.generator.below(120) as u32;
        }
        if self.happens(400) {
            return self.crash(index);
        }
        let state = self.players[index].host.state();
        if state <= ClientState::Disconnected && self.happens(30) {
            self.connections += 1;
            let (address, unix) = (self.address, self.unix());
            let token = self.pair.token_of(index as u64, &[address], unix, unix + TOKEN_LIFE);
            let player = &mut self.players[index];
            (player.connection, player.sent, player.next) = (self.connections, 0, 0);
            player.host.connect(&token).unwrap();
        }
        if state == ClientState::Connected && self.happens(400) {
            self.players[index].host.disconnect();
            self.left += 1;
        }
        let (talks, size) = (self.happens(3), self.generator.below(3000));
        let unix = self.unix();
        let player = &mut self.players[index];
        player.host.update(DT, unix);
        while let Some(message) = player.host.pop_message() {
            if message.info().reliable {
                assert_eq!(read(message.payload()), (player.connection, player.next));
                player.next += 1;
                self.delivered += 1;
            }
        }
        if player.host.state() == ClientState::Connected && talks {
            let bytes = message(player.connection, player.sent, size);
            player.sent += u64::from(player.host.send(0, ReliableOrdered, 0, &bytes).is_ok());
            let _ = player.host.send(0, Unreliable, 0, &bytes);
        }
    }

    fn serve(&mut self, dt: f64) {
        let unix = self.unix();
        self.pair.server.update(dt, unix);
        while let Some(event) = self.pair.server.pop_event() {
            match event {
                Event::Connected { index, .. } => {
                    self.connected += 1;
                    assert_eq!(self.slots.insert(index, (0, 0)), None);
                }
                Event::Disconnected { index, .. } => assert!(self.slots.remove(&index).is_some()),
                Event::Message { index, message } if message.info().reliable => {
                    let (connection, number) = read(message.payload());
                    let (known, next) = self.slots.get_mut(&index).unwrap();
                    assert!(*known == connection || *next == 0, "another connection's message");
                    assert_eq!(number, *next);
                    (*known, *next) = (connection, number + 1);
                    self.delivered += 1;
                    // It hears its own words.
                    let _ = self.pair.server.send(index, 0, ReliableOrdered, 0, message.payload());
                }
                Event::Message { message, .. } => {
                    read(message.payload());
                }
            }
        }
        self.time += dt;
        let counters = self.pair.server.counters().unwrap();
        let reasons: u64 = DropReason::ALL.iter().map(|&reason| counters.dropped(reason)).sum();
        assert!(counters.dropped_total() == reasons && reasons <= counters.received());
    }

    /// Plays, and comes to rest; bytes and descriptors that are held then.
    fn season(&mut self) -> (i64, usize) {
        for _ in 0..PLAYERS {
            let player = self.player();
            self.players.push(player);
        }
        let stops_at = self.generator.below(2 * u64::from(PLAY)) as u32;
        for tick in 0..PLAY {
            if tick == stops_at {
                self.pair.server.stop();
                while self.pair.server.pop_event().is_some() {}
                self.slots.clear();
                self.pair.server.start(&[self.address]).unwrap();
            }
            (0..PLAYERS).for_each(|index| self.play(index));
            self.serve(DT);
            self.peak = self.peak.max(live());
        }
        self.players = Vec::new();
        (0..SILENCE).for_each(|_| self.serve(SILENT_DT));
        assert_eq!((self.pair.server.connected(), self.slots.len()), (0, 0));
        self.slots = HashMap::new();
        (live(), descriptors())
    }
}

#[test]
fn players_that_come_lag_crash_and_leave_on_a_bad_network_leave_nothing_behind() {
    let number = |name: &str, unless: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(unless)
    };
    let (seconds, seed) = (number("CUTE_NET_SOAK_SECONDS", 5), number("CUTE_NET_SOAK_SEED", 1));
    println!("seed {seed}");
    let (mut soak, start) = (Soak::new(seed), Instant::now());
    let mut rests = Vec::new();
    while rests.len() < 4 || start.elapsed() < Duration::from_secs(seconds) {
        rests.push(soak.season());
    }
    let (first, later) = rests.split_at(2);
    let bytes = |rests: &[(i64, usize)]| rests.iter().map(|rest| rest.0).max().unwrap();
    let files = |rests: &[(i64, usize)]| rests.iter().map(|rest| rest.1).max().unwrap();
    println!(
        "{} seasons, {:.1} hours of play in {:.0?}: {} connections, {} crashes, {} leaves, {} reliable messages; \
         at rest {} to {} KiB and {} to {} descriptors, at most {} KiB",
        rests.len(),
        soak.time / 3600.0,
        start.elapsed(),
        soak.connected,
        soak.crashed,
        soak.left,
        soak.delivered,
        rests.iter().map(|rest| rest.0 >> 10).min().unwrap(),
        bytes(&rests) >> 10,
        rests.iter().map(|rest| rest.1).min().unwrap(),
        files(&rests),
        soak.peak >> 10,
    );
    assert!(bytes(later) <= bytes(first) + SLACK, "seed {seed}: {rests:?}");
    assert!(files(later) <= files(first), "seed {seed}: {rests:?}");
    assert!(soak.peak < PEAK, "seed {seed}: {}", soak.peak);
    assert!(soak.connected > 100 && soak.delivered > 1000, "seed {seed}: somebody played");
}
