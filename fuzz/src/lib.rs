//! What the fuzz targets share: a server, its clients and a peer that holds their keys, all in virtual
//! time and from fixed seeds, so that an input alone decides what happens.

pub mod damage;
pub mod hostile;
pub mod hostile_1_00;
pub mod memory;

use cute_net::client::{Client, ClientState};
use cute_net::connection::Arrival;
use cute_net::crypto::Key;
use cute_net::crypto::key_pair::{self, SecretKey, TokenKey};
use cute_net::datagram::LARGEST_DATAGRAM;
use cute_net::drop_reason::DropReason;
use cute_net::duration::Duration;
use cute_net::endpoint::Path;
use cute_net::message::Delivery;
use cute_net::server::{DEFAULT_MEMORY, Event, Server, ServerConfig};
use cute_net::time::Instant;
use cute_net::token::{self, PairKey, TOKEN_SIZE, TokenKeys, TokenRequest, USER_DATA_SIZE, Version};
use cute_net::v1;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, OnceLock, PoisonError};

pub const APPLICATION: u64 = 77;
/// Unix seconds at the start of every run.
pub const UNIX: u64 = 1_000_000;

pub const DELIVERIES: [Delivery; 4] = [
    Delivery::ReliableOrdered,
    Delivery::ReliableUnordered,
    Delivery::Unreliable,
    Delivery::UnreliableSequenced,
];

/// Addresses: the server is at the first.
pub fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 5000))
}

pub const SERVER: u8 = 1;

pub fn secret() -> SecretKey {
    key_pair::from_seed([1; 32]).1
}

pub fn token_key() -> &'static TokenKey {
    static KEY: OnceLock<TokenKey> = OnceLock::new();
    KEY.get_or_init(|| TokenKey::new(&secret()).unwrap())
}

/// The key that signs and seals tokens of CUTE 1.00.
pub fn token_key_1_00() -> &'static v1::token::TokenKey {
    static KEY: OnceLock<v1::token::TokenKey> = OnceLock::new();
    KEY.get_or_init(|| v1::token::TokenKey::new(&v1::signature::from_seed(&[1; 32]).1).unwrap())
}

/// The keys of the `serial`-th token of a player: what a client sends, and what a server does.
pub fn token_keys(client_id: u8, serial: u8) -> TokenKeys {
    let key = |fill: u8| {
        let mut key = [fill; 32];
        key[0] = serial;
        Key::new(key)
    };
    TokenKeys { client_to_server: key(client_id), server_to_client: key(!client_id) }
}

/// A token for the server, the `serial`-th of this player, and the newer the higher that is. The first of its user
/// data are the client id and the serial number.
pub fn token(version: Version, client_id: u8, serial: u8) -> [u8; TOKEN_SIZE] {
    // Signing one of CUTE 1.00 costs more than most of what is done with it.
    static MADE: Mutex<BTreeMap<(bool, u8, u8), [u8; TOKEN_SIZE]>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    *made
        .entry((version == Version::V1, client_id, serial))
        .or_insert_with(|| make_token(version, client_id, serial))
}

fn make_token(version: Version, client_id: u8, serial: u8) -> [u8; TOKEN_SIZE] {
    let keys = token_keys(client_id, serial);
    let mut user_data = [client_id; USER_DATA_SIZE];
    user_data[1] = serial;
    let request = TokenRequest {
        application_id: APPLICATION,
        creation: UNIX + u64::from(serial),
        // Of CUTE 1.00 this says which is newer.
        expiration: u64::MAX - 1000 + u64::from(serial),
        handshake_timeout: 5,
        keys: &keys,
        servers: &[address(SERVER)],
        client_id: u64::from(client_id),
        user_data: &user_data,
    };
    match version {
        Version::V1 => {
            let mut random = [client_id; 32];
            random[0] = serial;
            v1::token::generate_with(&request, token_key_1_00(), [serial; 20], random)
        }
        Version::V2 => {
            let mut nonce = [client_id; 24];
            nonce[0] = serial;
            token::generate_with(&request, token_key(), nonce)
        }
    }
}

/// A server of both protocols for a few clients, with the least memory.
pub fn server(seed: u8) -> Server {
    server_with_rates(seed, None, None)
}

/// A server that takes `incoming` bytes a second from each client, and sends it `outgoing`.
pub fn server_with_rates(seed: u8, incoming: Option<u32>, outgoing: Option<u32>) -> Server {
    let config = ServerConfig {
        application_id: APPLICATION,
        keys: vec![token_key().clone().into(), PairKey::V1(Box::new(token_key_1_00().clone()))],
        max_clients: 4,
        connection_timeout: Some(Duration::from_secs(10)),
        resend_ceiling: Duration::from_millis(100),
        memory: DEFAULT_MEMORY / 64,
        max_outgoing_rate: outgoing,
        max_incoming_rate: incoming,
        largest_datagram: LARGEST_DATAGRAM,
    };
    Server::new(config, &[address(SERVER)], &[], [seed; 32])
}

/// A client that begins to connect.
pub fn client(version: Version, client_id: u8) -> Client {
    let mut client = Client::new(APPLICATION);
    client.set_largest_datagram(LARGEST_DATAGRAM);
    client.connect(&token(version, client_id, 0), [client_id; 32]).unwrap();
    client
}

/// The arrival of a datagram from a host.
pub fn arrival(from: u8, at: Instant) -> Arrival {
    Arrival { path: Path { remote: address(from), local: None }, at }
}

/// A datagram under way.
#[derive(Clone)]
pub struct Datagram {
    pub host: u8,
    pub bytes: Vec<u8>,
}

/// More datagrams than a poll loop may yield for what these targets queue.
const ENDLESS: usize = 10_000;

/// Everything that a server sends now; the hosts are those it goes to.
pub fn sent_by_server(server: &mut Server) -> Vec<Datagram> {
    let mut buffer = [0; LARGEST_DATAGRAM];
    let mut sent = Vec::new();
    while let Some(transmit) = server.poll_transmit(&mut buffer) {
        let SocketAddr::V4(to) = transmit.path.remote else { panic!("{:?}", transmit.path) };
        sent.push(Datagram { host: to.ip().octets()[3], bytes: buffer[..transmit.size].to_vec() });
        assert!(sent.len() < ENDLESS, "the server sends without end");
    }
    sent
}

/// Everything that a client sends now, all of it to the server.
pub fn sent_by_client(client: &mut Client) -> Vec<Vec<u8>> {
    let mut buffer = [0; LARGEST_DATAGRAM];
    let mut sent = Vec::new();
    while let Some(transmit) = client.poll_transmit(&mut buffer) {
        assert_eq!(transmit.path.remote, address(SERVER));
        sent.push(buffer[..transmit.size].to_vec());
        assert!(sent.len() < ENDLESS, "the client sends without end");
    }
    sent
}

/// A client at the host that its client id names.
pub struct Player {
    pub host: u8,
    pub client: Client,
    /// What it received on channel 0.
    pub received: Vec<Vec<u8>>,
}

/// A server and clients on a network that delivers at once.
pub struct World {
    pub now: Instant,
    pub server: Server,
    pub players: Vec<Player>,
    /// What the server received on channel 0.
    pub received: Vec<Vec<u8>>,
    /// Bytes that the server may still send to a host that no player is at.
    pub allowance: [u64; 256],
}

impl World {
    pub fn new(version: Version, players: &[u8]) -> World {
        let player = |&host: &u8| Player { host, client: client(version, host), received: Vec::new() };
        World {
            now: Instant::ZERO,
            server: server(7),
            players: players.iter().map(player).collect(),
            received: Vec::new(),
            allowance: [0; 256],
        }
    }

    /// Lets time pass, and takes in nothing yet.
    pub fn advance(&mut self, step: Duration) {
        self.now = self.now + step;
        let unix = UNIX + self.now.since(Instant::ZERO).as_secs();
        self.server.advance(self.now, unix);
        for player in &mut self.players {
            player.client.advance(self.now, unix);
        }
    }

    pub fn deliver_to_server(&mut self, from: u8, bytes: &[u8]) -> Result<(), DropReason> {
        self.server.handle_datagram(&arrival(from, self.now), &mut bytes.to_vec())
    }

    pub fn deliver_to_player(
        &mut self,
        player: usize,
        from: u8,
        bytes: &[u8],
    ) -> Result<(), DropReason> {
        let client = &mut self.players[player].client;
        client.handle_datagram(&arrival(from, self.now), &mut bytes.to_vec())
    }

    /// Timers and sends of the server: what it sends, after a check of the allowance.
    pub fn server_sends(&mut self) -> Vec<Datagram> {
        self.server.handle_timeout(false);
        let sent = sent_by_server(&mut self.server);
        for datagram in &sent {
            if self.players.iter().all(|player| player.host != datagram.host) {
                let allowance = &mut self.allowance[usize::from(datagram.host)];
                let left = allowance.checked_sub(datagram.bytes.len() as u64);
                *allowance = left.expect("the server sends a stranger more than it may");
            }
        }
        sent
    }

    /// Timers and sends of one player.
    pub fn player_sends(&mut self, player: usize) -> Vec<Vec<u8>> {
        let player = &mut self.players[player];
        player.client.handle_timeout(false);
        sent_by_client(&mut player.client)
    }

    /// Programs take what came.
    pub fn take(&mut self) {
        while let Some(event) = self.server.poll_event() {
            if let Event::Message { message, .. } = event {
                self.received.push(message.payload().to_vec());
            }
        }
        while self.server.poll_channel_message().is_some() {}
        for player in &mut self.players {
            while let Some(message) = player.client.poll_message() {
                player.received.push(message.payload().to_vec());
            }
            while player.client.poll_channel_message().is_some() {}
        }
    }

    /// An update of everybody, in which everything arrives.
    pub fn step(&mut self, step: Duration) {
        self.exchange(step);
        self.take();
    }

    /// An update after which programs take nothing.
    pub fn exchange(&mut self, step: Duration) {
        self.advance(step);
        for player in 0..self.players.len() {
            for bytes in self.player_sends(player) {
                let _ = self.deliver_to_server(self.players[player].host, &bytes);
            }
        }
        for Datagram { host, bytes } in self.server_sends() {
            if let Some(player) = self.players.iter().position(|player| player.host == host) {
                let _ = self.deliver_to_player(player, SERVER, &bytes);
            }
        }
    }

    /// Updates until `done`, which fails after 20 seconds.
    pub fn run_until(&mut self, what: &str, mut done: impl FnMut(&World) -> bool) {
        for _ in 0..400 {
            if done(self) {
                return;
            }
            self.step(Duration::from_millis(50));
        }
        panic!("{what}: not within 20 s");
    }

    pub fn is_connected(&self, player: usize) -> bool {
        self.players[player].client.state() == ClientState::Connected
    }

    /// A reliable message each way arrives.
    pub fn check_player(&mut self, player: usize) {
        self.run_until("connected", |world| world.is_connected(player));
        let client = &mut self.players[player].client;
        client.send(0, Delivery::ReliableOrdered, 0, b"am I well?").unwrap();
        let host = self.players[player].host;
        let is_it = |&slot: &u32| self.server.user_data(slot).is_some_and(|data| data[0] == host);
        let slot = self.server.clients().find(is_it).expect("the server has the client");
        let sent = self.server.send(slot, 0, Delivery::ReliableOrdered, 0, b"you are");
        sent.expect("the server has the client");
        self.run_until("messages each way", |world| {
            world.received.iter().any(|bytes| bytes == b"am I well?")
                && world.players[player].received.iter().any(|bytes| bytes == b"you are")
        });
    }
}
