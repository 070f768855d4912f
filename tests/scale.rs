//! Many clients on one server, in virtual time, with every allocation counted: what they cost in memory, that
//! packets are taken in and made without allocating, and that idle clients cost next to nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "attacks/memory.rs"]
mod memory;

use cute_net::client::{Client, ClientState};
use cute_net::connection::Arrival;
use cute_net::crypto::Key;
use cute_net::crypto::key_pair;
use cute_net::duration::Duration;
use cute_net::endpoint::Path;
use cute_net::message::Delivery;
use cute_net::server::{DEFAULT_MEMORY, Event, Server, ServerConfig};
use cute_net::time::Instant;
use cute_net::token::{self, PairKey, TokenKeys, TokenRequest, USER_DATA_SIZE};
use std::collections::HashMap;
use std::net::SocketAddr;

const SERVER: ([u8; 4], u16) = ([10, 0, 0, 1], 5000);

/// What a tick of the server came to.
#[derive(Default)]
struct Tick {
    received: usize,
    dropped: usize,
    sent: usize,
    messages: usize,
    /// Blocks that its calls took from the allocator.
    blocks: u64,
}

/// A server and its clients, on a network that takes half a tick and loses nothing.
struct Crowd {
    server: Server,
    clients: Vec<Client>,
    by_address: HashMap<SocketAddr, usize>,
    for_server: Vec<(SocketAddr, Vec<u8>)>,
    for_clients: Vec<(usize, Vec<u8>)>,
    now: Instant,
    tick: Duration,
}

fn address(client: usize) -> SocketAddr {
    let [_, high, middle, low] = (client as u32).to_be_bytes();
    SocketAddr::from(([10, 1 + high, middle, low], 40_000))
}

impl Crowd {
    fn connected(clients: usize, tick: Duration) -> Crowd {
        #[cfg(debug_assertions)]
        cute_net::crypto::nonce_ledger::open();
        let (_, secret) = key_pair::generate().unwrap();
        let config = ServerConfig {
            application_id: 7,
            keys: vec![PairKey::new(&secret).unwrap()],
            max_clients: clients.max(1),
            connection_timeout: Some(Duration::from_secs(10)),
            resend_ceiling: Duration::from_millis(100),
            memory: DEFAULT_MEMORY,
            max_outgoing_rate: None,
            max_incoming_rate: None,
            largest_datagram: 1472,
        };
        let mut crowd = Crowd {
            server: Server::new(config, &[SERVER.into()], &[], [1; 32]),
            clients: Vec::with_capacity(clients),
            by_address: HashMap::with_capacity(clients),
            for_server: Vec::new(),
            for_clients: Vec::new(),
            now: Instant::ZERO,
            tick,
        };
        for number in 0..clients {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&(number as u64 + 1).to_le_bytes());
            let keys =
                TokenKeys { client_to_server: Key::new(bytes), server_to_client: Key::new(bytes) };
            let request = TokenRequest {
                application_id: 7,
                creation: 1000,
                expiration: 2000,
                handshake_timeout: 5,
                keys: &keys,
                servers: &[SERVER.into()],
                client_id: number as u64,
                user_data: &[0; USER_DATA_SIZE],
            };
            let mut client = Client::new(7);
            client.connect(&token::generate(&request, &secret).unwrap(), bytes).unwrap();
            crowd.by_address.insert(address(number), number);
            crowd.clients.push(client);
        }
        // A server answers 4,096 requests in an update; the others are repeated.
        for _ in 0..40 {
            crowd.step(|_| {});
        }
        assert!(crowd.clients.iter().all(|client| client.state() == ClientState::Connected));
        assert_eq!(crowd.server.connected(), clients);
        crowd
    }

    /// One tick of everybody; `act` is what the server's program does in it.
    fn step(&mut self, act: impl FnOnce(&mut Server)) -> Tick {
        self.now = self.now + self.tick;
        let Crowd { server, clients, by_address, for_server, for_clients, now, .. } = self;
        let mut buffer = [0; 1472];
        for client in clients.iter_mut() {
            client.advance(*now, 1000);
        }
        let to_client = Arrival { path: Path { remote: SERVER.into(), local: None }, at: *now };
        for (client, mut bytes) in for_clients.drain(..) {
            clients[client].handle_datagram(&to_client, &mut bytes).unwrap();
        }
        for (number, client) in clients.iter_mut().enumerate() {
            while client.poll_message().is_some() {}
            client.handle_timeout(false);
            while let Some(transmit) = client.poll_transmit(&mut buffer) {
                for_server.push((address(number), buffer[..transmit.size].to_vec()));
            }
        }

        let mut tick = Tick { received: for_server.len(), ..Tick::default() };
        let before = memory::taken();
        server.advance(*now, 1000);
        for (from, bytes) in for_server.iter_mut() {
            let arrival = Arrival { path: Path { remote: *from, local: None }, at: *now };
            tick.dropped += usize::from(server.handle_datagram(&arrival, bytes).is_err());
        }
        server.handle_timeout(false);
        while let Some(event) = server.poll_event() {
            tick.messages += usize::from(matches!(event, Event::Message { .. }));
        }
        act(server);
        tick.blocks = memory::taken() - before;
        for_server.clear();
        loop {
            let before = memory::taken();
            let transmit = server.poll_transmit(&mut buffer);
            tick.blocks += memory::taken() - before;
            let Some(transmit) = transmit else { break };
            tick.sent += 1;
            let client = by_address[&transmit.path.remote];
            for_clients.push((client, buffer[..transmit.size].to_vec()));
        }
        tick
    }

    fn everybody_sends(&mut self, bytes: &[u8]) {
        for client in &mut self.clients {
            client.send(0, Delivery::Unreliable, 0, bytes).unwrap();
        }
    }

    /// Bytes that the server holds.
    fn server_side(self) -> i64 {
        let Crowd { server, .. } = self;
        let with_server = memory::live();
        drop(server);
        with_server - memory::live()
    }
}

fn ten_thousand_clients_play_and_cost_four_kibibytes_each() {
    let empty = Crowd::connected(0, Duration::from_millis(50)).server_side();
    let mut crowd = Crowd::connected(10_000, Duration::from_millis(50));
    let mut messages = 0;
    for _ in 0..20 {
        crowd.everybody_sends(&[7; 20]);
        let tick = crowd.step(|server| {
            for index in 0..10_000 {
                server.send(index, 0, Delivery::Unreliable, 0, &[9; 20]).unwrap();
            }
        });
        assert!(tick.sent >= 10_000 && tick.dropped == 0);
        messages += tick.messages;
    }
    assert_eq!(messages, 20 * 10_000);
    let busy = Duration::from_secs(4);
    for _ in 0..busy.as_millis() / 50 {
        crowd.step(|_| {});
    }
    // A keepalive a second, in either direction: the other clients are not touched.
    let ticks: Vec<Tick> = (0..20).map(|_| crowd.step(|_| {})).collect();
    let (received, sent) =
        ticks.iter().fold((0, 0), |(received, sent), tick| (received + tick.received, sent + tick.sent));
    println!("idle: {received} datagrams in and {sent} out a second for 10,000 clients");
    assert!((5_000..=21_000).contains(&received), "{received}");
    assert!((5_000..=21_000).contains(&sent), "{sent}");
    let each = (crowd.server_side() - empty) / 10_000;
    println!("an idle client costs {each} bytes");
    assert!(each <= 4096, "an idle client costs {each} bytes");
}

fn packets_are_taken_in_and_made_without_allocating() {
    let mut crowd = Crowd::connected(31, Duration::from_nanos(16_666_667));
    let mut counted = Tick::default();
    for number in 0..900 {
        crowd.everybody_sends(&[7; 32]);
        let tick = crowd.step(|server| {
            for index in 0..31 {
                server.send(index, 0, Delivery::Unreliable, 0, &[9; 200]).unwrap();
            }
        });
        // The first seconds fill queues to the size that they keep.
        if number >= 300 {
            counted.messages += tick.messages;
            counted.sent += tick.sent;
            counted.blocks += tick.blocks;
        }
    }
    assert_eq!(counted.messages, 600 * 31);
    assert!(counted.sent >= 600 * 31);
    println!("{} blocks for {} messages to the program", counted.blocks, counted.messages);
    // A block for each message that the program is handed; of the rest, one in ten thousand packets.
    assert!(counted.blocks - counted.messages as u64 <= 4, "{} blocks", counted.blocks);
}

/// One test, because the counters are the process's.
#[test]
fn many_clients_cost_little() {
    packets_are_taken_in_and_made_without_allocating();
    ten_thousand_clients_play_and_cost_four_kibibytes_each();
}
