//! A server, its clients and the network between them, all in virtual time.

use cute_net::client::{Client, ClientState};
use cute_net::connection::Arrival;
use cute_net::crypto::Key;
use cute_net::crypto::key_pair::{self, SecretKey};
use cute_net::drop_reason::{DropCounters, DropReason};
use cute_net::duration::Duration;
use cute_net::endpoint::{self, Families, Path};
use cute_net::message::Delivery;
use cute_net::reason::DisconnectReason;
use cute_net::server::{DEFAULT_MEMORY, Event, Server, ServerConfig};
use cute_net::simulator::{Simulator, SimulatorConfig};
use cute_net::time::Instant;
use cute_net::token::{self, PairKey, TOKEN_SIZE, TokenKeys, TokenRequest, USER_DATA_SIZE};
use cute_net::v1;
use std::net::SocketAddr;

pub const APPLICATION: u64 = 77;
pub const TICK: Duration = Duration::from_nanos(16_666_667);
/// Unix seconds at the start of every run.
pub const UNIX: u64 = 1_000_000;

pub fn address(text: &str) -> SocketAddr {
    endpoint::parse(text).unwrap()
}

/// A datagram that travelled, for tests that record, alter and replay.
#[derive(Clone, Debug)]
pub struct Datagram {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct TokenOptions {
    pub client_id: u64,
    pub servers: Vec<SocketAddr>,
    pub creation: u64,
    pub lifetime: u64,
    pub handshake_timeout: u32,
}

pub struct WorldClient {
    pub client: Client,
    pub address: SocketAddr,
    /// A client that does not run is a crashed one.
    pub runs: bool,
    pub received: Vec<(bool, Vec<u8>)>,
    pub states: Vec<ClientState>,
}

pub struct WorldServer {
    pub server: Server,
    pub address: SocketAddr,
    pub runs: bool,
    pub events: Vec<String>,
    pub received: Vec<(u32, bool, Vec<u8>)>,
    /// A server that does not pop its events.
    pub pops: bool,
    /// The families of addresses whose socket takes something.
    pub families: Families,
}

/// Looks over the shoulder of a world's servers, and says in the end whether all was as it should be.
pub trait Watch {
    /// A server was given a datagram; its counters before and after.
    fn on_delivered(
        &mut self,
        datagram: &Datagram,
        result: Result<(), DropReason>,
        counters: [&DropCounters; 2],
    );
    /// A server sent something.
    fn on_sent(&mut self, to: SocketAddr, bytes: usize);
    /// A server let somebody in.
    fn on_connected(&mut self, address: SocketAddr);
    /// An attack is over; fails if something is not as it should be.
    fn check(&mut self);
}

/// What a server said to a datagram, and what it sent back to where that came from.
pub type Reply = (Result<(), DropReason>, Vec<Vec<u8>>);

pub struct World {
    pub now: Instant,
    pub unix: u64,
    /// What all wall clocks say, where they don't go on with the time.
    pub wall_clock: Option<u64>,
    pub tick: Duration,
    pub servers: Vec<WorldServer>,
    pub clients: Vec<WorldClient>,
    pub network: Simulator<(SocketAddr, SocketAddr)>,
    /// How far the servers' clocks are ahead of the world's.
    pub server_ahead: Duration,
    /// Datagrams for servers wait, as in a socket that nobody reads, while servers do not run.
    pub hold_for_server: bool,
    held: Vec<Datagram>,
    /// Everything that travelled, if asked for.
    pub recording: Option<Vec<Datagram>>,
    pub secret: SecretKey,
    pub config: ServerConfig,
    /// Who looks on, if anybody does.
    pub watch: Option<Box<dyn Watch>>,
    seed: u64,
    draws: u64,
}

/// Prints the seed if the test fails, and asks who looks on otherwise.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the world's seed was {}", self.seed);
            return;
        }
        if self.watch.is_some() {
            (0..self.servers.len()).for_each(|index| self.pop_events(index));
        }
        if let Some(watch) = &mut self.watch {
            watch.check();
        }
    }
}

impl World {
    /// One server at 10.0.0.1:5000 on a perfect network.
    pub fn new(seed: u64) -> World {
        World::with_network(seed, SimulatorConfig::default())
    }

    pub fn with_network(seed: u64, network: SimulatorConfig) -> World {
        #[cfg(debug_assertions)]
        cute_net::crypto::nonce_ledger::open();
        let (_, secret) = key_pair::generate().unwrap();
        let config = ServerConfig {
            application_id: APPLICATION,
            keys: vec![PairKey::new(&secret).unwrap()],
            max_clients: 32,
            connection_timeout: Some(Duration::from_secs(10)),
            resend_ceiling: Duration::from_millis(100),
            memory: DEFAULT_MEMORY,
            max_outgoing_rate: None,
            max_incoming_rate: None,
            largest_datagram: 1200,
        };
        let mut world = World {
            now: Instant::ZERO,
            unix: UNIX,
            wall_clock: None,
            tick: TICK,
            servers: Vec::new(),
            clients: Vec::new(),
            network: Simulator::new(network, seed),
            server_ahead: Duration::ZERO,
            hold_for_server: false,
            held: Vec::new(),
            recording: None,
            secret,
            config,
            watch: None,
            seed,
            draws: 0,
        };
        world.add_server("10.0.0.1:5000");
        world
    }

    /// The next 32 bytes that follow from the world's seed.
    pub fn draw(&mut self) -> [u8; 32] {
        self.draws += 1;
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.draws.to_le_bytes());
        bytes
    }

    pub fn add_server(&mut self, at: &str) -> usize {
        let seed = self.draw();
        let server = Server::new(self.config.clone(), &[address(at)], &[], seed);
        self.servers.push(WorldServer {
            server,
            address: address(at),
            runs: true,
            events: Vec::new(),
            received: Vec::new(),
            pops: true,
            families: Families::ALL,
        });
        self.servers.len() - 1
    }

    /// Replaces a server by one that knows nothing, with `config`.
    pub fn restart_server(&mut self, index: usize) {
        let seed = self.draw();
        let (config, at) = (self.config.clone(), self.servers[index].address);
        self.servers[index].server = Server::new(config, &[at], &[], seed);
        self.servers[index].server.advance(self.now, self.unix);
    }

    pub fn token_options(&self, client_id: u64) -> TokenOptions {
        TokenOptions {
            client_id,
            servers: vec![self.servers[0].address],
            creation: self.unix,
            lifetime: 60,
            handshake_timeout: 5,
        }
    }

    pub fn token_with(&mut self, options: &TokenOptions) -> [u8; TOKEN_SIZE] {
        let keys = [self.draw(), self.draw()];
        self.token_with_keys(options, keys)
    }

    pub fn token_with_keys(&mut self, options: &TokenOptions, keys: [[u8; 32]; 2]) -> [u8; TOKEN_SIZE] {
        let [client_to_server, server_to_client] = keys.map(Key::new);
        let keys = TokenKeys { client_to_server, server_to_client };
        let request = TokenRequest {
            application_id: APPLICATION,
            creation: options.creation,
            expiration: options.creation + options.lifetime,
            handshake_timeout: options.handshake_timeout,
            keys: &keys,
            servers: &options.servers,
            client_id: options.client_id,
            user_data: &[options.client_id as u8; USER_DATA_SIZE],
        };
        token::generate(&request, &self.secret).unwrap()
    }

    pub fn token(&mut self, client_id: u64) -> [u8; TOKEN_SIZE] {
        let options = self.token_options(client_id);
        self.token_with(&options)
    }

    /// Adds a client that is not connected.
    pub fn add_client(&mut self) -> usize {
        let [high, low] = (self.clients.len() as u16).to_be_bytes();
        self.clients.push(WorldClient {
            client: Client::new(APPLICATION),
            address: SocketAddr::from(([10, 1, high, low], 40_000)),
            runs: true,
            received: Vec::new(),
            states: Vec::new(),
        });
        self.clients.len() - 1
    }

    pub fn connect_with(&mut self, client: usize, token: &[u8; TOKEN_SIZE]) {
        let seed = self.draw();
        self.clients[client].client.disconnect();
        self.flush_client(client);
        self.clients[client].client.connect(token, seed).unwrap();
    }

    /// Adds a client and begins to connect it.
    pub fn connect(&mut self, client_id: u64) -> usize {
        let client = self.add_client();
        let token = self.token(client_id);
        self.connect_with(client, &token);
        client
    }

    /// Adds clients with the ids from 1 on and waits until all are connected.
    pub fn connected(seed: u64, clients: u64) -> World {
        World::connected_over(seed, clients, SimulatorConfig::default())
    }

    pub fn connected_over(seed: u64, clients: u64, network: SimulatorConfig) -> World {
        let mut world = World::with_network(seed, network);
        for id in 1..=clients {
            world.connect(id);
        }
        world.run_until(Duration::from_secs(10), |world| {
            world.clients.iter().all(|client| client.client.state() == ClientState::Connected)
        });
        world
    }

    pub fn state(&self, client: usize) -> ClientState {
        self.clients[client].client.state()
    }

    fn travel(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if let Some(recording) = &mut self.recording {
            recording.push(Datagram { from, to, bytes: bytes.to_vec() });
        }
        self.network.push(self.now, (from, to), bytes);
    }

    pub fn flush_client(&mut self, index: usize) {
        let mut buffer = [0; 1200];
        let from = self.clients[index].address;
        while let Some(transmit) = self.clients[index].client.poll_transmit(&mut buffer) {
            self.travel(from, transmit.path.remote, &buffer[..transmit.size]);
        }
    }

    pub fn flush_server(&mut self, index: usize) {
        let mut buffer = [0; 1200];
        let WorldServer { address: from, families, .. } = self.servers[index];
        while let Some(transmit) = self.servers[index].server.poll_transmit_to(families, &mut buffer) {
            if !families.contain(transmit.path.remote) {
                continue;
            }
            if let Some(watch) = &mut self.watch {
                watch.on_sent(transmit.path.remote, transmit.size);
            }
            self.travel(from, transmit.path.remote, &buffer[..transmit.size]);
        }
    }

    /// Hands a datagram to whoever is at its address.
    pub fn deliver(&mut self, datagram: &Datagram) -> Result<(), DropReason> {
        let Datagram { from, to, bytes } = datagram;
        let mut arrival = Arrival { path: Path { remote: *from, local: None }, at: self.now };
        let mut bytes = bytes.clone();
        for server in &mut self.servers {
            if server.address == *to && server.runs {
                arrival.at = self.now + self.server_ahead;
                let before = self.watch.is_some().then(|| server.server.counters().clone());
                let result = server.server.handle_datagram(&arrival, &mut bytes);
                if let Some((watch, before)) = self.watch.as_mut().zip(before) {
                    watch.on_delivered(datagram, result, [&before, server.server.counters()]);
                }
                return result;
            }
        }
        for client in &mut self.clients {
            if client.address == *to && client.runs {
                return client.client.handle_datagram(&arrival, &mut bytes);
            }
        }
        Err(DropReason::UnknownAddress)
    }

    /// One tick: time passes, everybody reads, acts and sends.
    pub fn step(&mut self) {
        self.step_losing(|_| false);
    }

    /// One tick in which somebody takes all datagrams: none arrives.
    pub fn step_taking(&mut self) -> Vec<Datagram> {
        let mut taken = Vec::new();
        self.step_losing(|datagram| {
            taken.push(datagram.clone());
            true
        });
        taken
    }

    /// One tick in which the datagrams that `lost` names do not arrive.
    pub fn step_losing(&mut self, mut lost: impl FnMut(&Datagram) -> bool) {
        self.begin_step(None);
        if !self.hold_for_server {
            for datagram in std::mem::take(&mut self.held) {
                let _ = self.deliver(&datagram);
            }
        }
        while let Some(((from, to), bytes)) = self.network.pop(self.now) {
            let datagram = Datagram { from, to, bytes };
            if lost(&datagram) {
                continue;
            }
            let for_server = self.servers.iter().any(|server| server.address == to);
            if self.hold_for_server && for_server {
                self.held.push(datagram);
            } else {
                let _ = self.deliver(&datagram);
            }
        }
        self.finish_step();
    }

    /// One tick in which the clients believe it is another time.
    pub fn step_with_client_unix(&mut self, unix: u64) {
        self.begin_step(Some(unix));
        while let Some(((from, to), bytes)) = self.network.pop(self.now) {
            let _ = self.deliver(&Datagram { from, to, bytes });
        }
        self.finish_step();
    }

    /// One tick in which what is sent to `listed` arrives at `real`, and the other way round.
    pub fn redirect(&mut self, listed: SocketAddr, real: SocketAddr) {
        self.begin_step(None);
        while let Some(((mut from, mut to), bytes)) = self.network.pop(self.now) {
            if to == listed {
                to = real;
            } else if from == real {
                from = listed;
            }
            let _ = self.deliver(&Datagram { from, to, bytes });
        }
        self.finish_step();
    }

    fn begin_step(&mut self, client_unix: Option<u64>) {
        self.now = self.now + self.tick;
        let whole_seconds = self.now.since(Instant::ZERO).as_secs();
        self.unix = self.wall_clock.unwrap_or(self.unix.max(UNIX + whole_seconds));
        for server in self.servers.iter_mut().filter(|server| server.runs) {
            server.server.advance(self.now + self.server_ahead, self.unix);
        }
        for client in self.clients.iter_mut().filter(|client| client.runs) {
            client.client.advance(self.now, client_unix.unwrap_or(self.unix));
        }
    }

    /// The part of a tick after reading.
    pub fn finish_step(&mut self) {
        for index in 0..self.clients.len() {
            if !self.clients[index].runs {
                continue;
            }
            self.clients[index].client.handle_timeout(false);
            self.flush_client(index);
            let client = &mut self.clients[index];
            while let Some(message) = client.client.poll_message() {
                client.received.push((message.info().reliable, message.payload().to_vec()));
            }
            let state = client.client.state();
            if client.states.last() != Some(&state) {
                client.states.push(state);
            }
        }
        for index in 0..self.servers.len() {
            if !self.servers[index].runs {
                continue;
            }
            self.servers[index].server.handle_timeout(false);
            self.flush_server(index);
            if self.servers[index].pops {
                self.pop_events(index);
            }
        }
    }

    pub fn pop_events(&mut self, index: usize) {
        let server = &mut self.servers[index];
        while let Some(event) = server.server.poll_event() {
            match event {
                Event::Connected { index, client_id, address } => {
                    if let Some(watch) = &mut self.watch {
                        watch.on_connected(address);
                    }
                    server.events.push(format!("+{index} {client_id}"));
                }
                Event::Disconnected { index, reason, .. } => {
                    server.events.push(format!("-{index} {reason}"))
                }
                Event::Message { index, message } => {
                    let reliable = message.info().reliable;
                    server.received.push((index, reliable, message.payload().to_vec()));
                }
            }
        }
    }

    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    /// Runs until `done`; fails after `longest`.
    pub fn run_until(&mut self, longest: Duration, done: impl Fn(&World) -> bool) -> Duration {
        let start = self.now;
        while !done(self) {
            assert!(self.now.since(start) < longest, "not within {longest:?}");
            self.step();
        }
        self.now.since(start)
    }

    /// Runs until the first server has let `count` clients in.
    pub fn server_expects(&mut self, count: usize) {
        self.run_until(Duration::from_secs(5), |world| world.servers[0].server.connected() == count);
    }

    pub fn client_sends(&mut self, client: usize, delivery: Delivery, bytes: &[u8]) {
        self.clients[client].client.send(0, delivery, 0, bytes).unwrap();
    }

    pub fn server_sends(&mut self, index: u32, delivery: Delivery, bytes: &[u8]) {
        self.servers[0].server.send(index, 0, delivery, 0, bytes).unwrap();
    }

    /// The events of the first server so far, taken.
    pub fn events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.servers[0].events)
    }

    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.servers[0].server.counters().dropped(reason)
    }

    /// Delivers a datagram to the first server, which then updates.
    pub fn say(&mut self, from: SocketAddr, bytes: &[u8]) -> Reply {
        let before = self.recording.replace(Vec::new());
        let to = self.servers[0].address;
        let result = self.deliver(&Datagram { from, to, bytes: bytes.to_vec() });
        self.servers[0].server.handle_timeout(false);
        self.flush_server(0);
        let sent = std::mem::replace(&mut self.recording, before).unwrap();
        let sent = sent.into_iter().filter(|datagram| datagram.to == from);
        (result, sent.map(|datagram| datagram.bytes).collect())
    }

    /// The first client is well: it exchanges reliable messages with the server, and nothing else arrives.
    pub fn check_honest_client(&mut self) {
        self.pop_events(0);
        self.servers[0].received.clear();
        self.client_sends(0, Delivery::ReliableOrdered, b"am I well?");
        self.server_sends(0, Delivery::ReliableOrdered, b"you are");
        self.run(Duration::from_millis(200));
        assert_eq!(self.state(0), ClientState::Connected);
        assert!(self.servers[0].received.contains(&(0, true, b"am I well?".to_vec())));
        assert_eq!(std::mem::take(&mut self.clients[0].received), [(true, b"you are".to_vec())]);
        if let Some(watch) = &mut self.watch {
            watch.check();
        }
    }

    pub fn kick(&mut self, index: u32, tell: bool) {
        self.servers[0].server.disconnect(index, DisconnectReason::KICKED, b"", tell);
    }
}

pub fn secret_1_00(seed: u8) -> SecretKey {
    v1::signature::from_seed(&[seed; 32]).1
}

/// A world whose key pair the original could have made.
pub fn world_1_00(seed: u64, network: SimulatorConfig) -> World {
    let mut world = World::with_network(seed, network);
    world.secret = secret_1_00(7);
    world.config.keys = vec![PairKey::new(&world.secret).unwrap()];
    world.restart_server(0);
    world
}

/// A server with a pair of each kind; tokens are made with that of CUTE 2.00 first.
pub fn world_of_both(seed: u64, network: SimulatorConfig) -> World {
    let mut world = World::with_network(seed, network);
    world.config.keys.push(PairKey::new(&secret_1_00(7)).unwrap());
    world.restart_server(0);
    world
}

/// Begins to connect a client with a token of CUTE 1.00.
pub fn connect_1_00(world: &mut World, client_id: u64) -> usize {
    let other = std::mem::replace(&mut world.secret, secret_1_00(7));
    let client = world.connect(client_id);
    world.secret = other;
    client
}

/// Bytes that tell one message from another.
pub fn pattern(length: usize, number: u64) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        (0..length).map(|at| (at as u64 * 31 + at as u64 / 251 + number) as u8).collect();
    for (to, from) in bytes.iter_mut().zip(number.to_le_bytes()) {
        *to = from;
    }
    bytes
}
