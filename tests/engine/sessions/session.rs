//! One session: a server, up to three machines with a client each, a network apart for each of them, and
//! ticks of their own.

mod acts;
mod connection;

use crate::sessions::draw::Draw;
use crate::world::{APPLICATION, UNIX, address};
use crate::{ms, secs};
use connection::Connection;
use cute_net::client::{Client, ClientState};
use cute_net::connection::Arrival;
use cute_net::crypto::Key;
use cute_net::crypto::key_pair::{self, SecretKey};
use cute_net::duration::Duration;
use cute_net::endpoint::Path;
use cute_net::message::Message;
use cute_net::server::{DEFAULT_MEMORY, Event, LEAST_MEMORY, Server, ServerConfig};
use cute_net::simulator::{Simulator, SimulatorConfig};
use cute_net::time::Instant;
use cute_net::token::{self, PairKey, TokenKeys, TokenRequest, USER_DATA_SIZE};
use cute_net::v2::packet::PacketType;
use std::collections::HashMap;
use std::net::SocketAddr;

const SERVER: &str = "10.0.0.1:5000";
/// The longest a session may take, once nothing new is sent, to deliver what was; and for each byte. Where
/// half of everything is lost, in both directions, little more than a few packets a round trip get through.
const PATIENCE: Duration = secs(100);
const SLOWEST: Duration = Duration::from_nanos(1_000_000_000 / 1500);
/// Bytes of large messages on such a network: sessions are to end.
const HARD_VOLUME: usize = 60_000;
/// Of so many updates in a row at least one has something to do, for a program that sleeps until something is due.
const MOST_VAIN: u32 = 10;
const UP: usize = 0;
const DOWN: usize = 1;

/// When a program updates and takes messages.
struct Rhythm {
    /// `None` is whenever there is something to do.
    tick: Option<Duration>,
    last: Instant,
    paused_until: Instant,
    takes_from: Instant,
    /// How many updates in a row nothing came and nothing left, and yet something was due at once.
    vain: u32,
}

impl Rhythm {
    /// Notes an update in which something `moved` or not, after which the next thing is `due`.
    fn note(&mut self, now: Instant, moved: bool, due: Option<Instant>) {
        let vain = !moved && due.is_some_and(|due| due <= now);
        self.vain = if vain { self.vain + 1 } else { 0 };
        assert!(self.vain < MOST_VAIN, "due again and again at {:?}", now.since(Instant::ZERO));
    }

    fn next(&self, wanted: impl FnOnce() -> Option<Instant>) -> Instant {
        let next = match self.tick {
            Some(tick) => self.last + tick,
            None => {
                wanted().unwrap_or(self.last + secs(1)).max(self.last + ms(1)).min(self.last + secs(1))
            }
        };
        next.max(self.paused_until)
    }
}

struct Machine {
    client: Client,
    address: SocketAddr,
    rhythm: Rhythm,
    /// The connection the client has, tries or had.
    connection: usize,
    /// To the server: of which connection, and from where; and from it.
    up: Simulator<(usize, SocketAddr)>,
    down: Simulator<SocketAddr>,
    kinds: [SimulatorConfig; 2],
    dead_until: Instant,
}

pub struct Session {
    tells: bool,
    draw: Draw,
    now: Instant,
    unix: u64,
    secret: SecretKey,
    timeout: Duration,
    caps: [u64; 2],
    /// Bytes of large messages that a direction of a connection may carry.
    volume: usize,
    server: Server,
    rhythm: Rhythm,
    /// The connection in each slot, as the server's events tell it.
    slots: HashMap<u32, usize>,
    machines: Vec<Machine>,
    connections: Vec<Connection>,
    ports: u16,
    stopped: bool,
    /// The networks only delay and duplicate, and nobody stands still: nothing may be lost at all.
    clean: bool,
}

impl Session {
    pub fn new(seed: u64, tells: bool) -> Session {
        #[cfg(debug_assertions)]
        cute_net::crypto::nonce_ledger::open();
        let mut draw = Draw::new(seed);
        let (_, secret) = key_pair::from_seed([1; 32]);
        let timeout = secs(draw.pick([5, 10, 15]));
        let clean = draw.one_in(6);
        let cap = |draw: &mut Draw| draw.rate().filter(|_| !clean);
        // As little memory for each client as there may be, or plenty.
        let (memory, max_clients) =
            if !clean && draw.one_in(3) { (LEAST_MEMORY, 512) } else { (DEFAULT_MEMORY, 16) };
        let config = ServerConfig {
            application_id: APPLICATION,
            keys: vec![PairKey::new(&secret).unwrap()],
            max_clients,
            connection_timeout: Some(timeout),
            resend_ceiling: draw.pick([ms(100), Duration::MAX]),
            memory,
            max_outgoing_rate: cap(&mut draw),
            max_incoming_rate: cap(&mut draw),
            largest_datagram: 1200,
        };
        let most = |rate: Option<u32>| rate.map_or(u64::MAX, u64::from);
        let mut session = Session {
            tells,
            now: Instant::ZERO,
            unix: UNIX,
            secret,
            timeout,
            caps: [most(config.max_incoming_rate), most(config.max_outgoing_rate)],
            volume: match draw.below(50) {
                0 => 3_000_000,
                1..6 => 400_000,
                _ => draw.pick([2_000, 20_000, 100_000]),
            },
            server: Server::new(config, &[address(SERVER)], &[], draw.seed()),
            rhythm: Session::rhythm(&mut draw),
            draw,
            slots: HashMap::new(),
            machines: Vec::new(),
            connections: Vec::new(),
            ports: 40_000,
            stopped: false,
            clean,
        };
        session.tell(|session| format!("timeout {timeout:?}, caps {:?}", session.caps));
        for machine in 0..=session.draw.below(3) as usize {
            session.add_machine(machine);
        }
        session
    }

    fn rhythm(draw: &mut Draw) -> Rhythm {
        let zero = Instant::ZERO;
        Rhythm { tick: draw.tick(), last: zero, paused_until: zero, takes_from: zero, vain: 0 }
    }

    fn tell(&self, what: impl FnOnce(&Session) -> String) {
        if self.tells {
            eprintln!("{:?} {}", self.now.since(Instant::ZERO), what(self));
        }
    }

    fn add_machine(&mut self, machine: usize) {
        let kinds = [self.draw.network(self.clean), self.draw.network(self.clean)];
        let address = self.fresh_address(machine, 1);
        self.machines.push(Machine {
            client: Client::new(APPLICATION),
            address,
            rhythm: Session::rhythm(&mut self.draw),
            connection: 0,
            up: Simulator::new(kinds[UP], self.draw.below(u64::MAX)),
            down: Simulator::new(kinds[DOWN], self.draw.below(u64::MAX)),
            kinds,
            dead_until: Instant::ZERO,
        });
        self.tell(|session| format!("machine {machine}: {:?}", session.machines[machine].kinds));
        self.connect(machine, 100 * (machine as u64 + 1));
    }

    fn fresh_address(&mut self, machine: usize, host: u64) -> SocketAddr {
        self.ports += 1;
        SocketAddr::from(([10, 1, machine as u8, host as u8], self.ports))
    }

    fn connect(&mut self, machine: usize, client_id: u64) {
        let keys = [self.draw.seed(), self.draw.seed()].map(Key::new);
        let [client_to_server, server_to_client] = keys;
        self.unix += 1;
        let request = TokenRequest {
            application_id: APPLICATION,
            creation: self.unix,
            expiration: self.unix + 10_000,
            handshake_timeout: 10,
            keys: &TokenKeys { client_to_server, server_to_client },
            servers: &[address(SERVER)],
            client_id,
            user_data: &[0; USER_DATA_SIZE],
        };
        let token = token::generate(&request, &self.secret).unwrap();
        let seed = self.draw.seed();
        let address = self.machines[machine].address;
        let mut connection = Connection::new(client_id, address, self.now);
        let standing = [self.rhythm.paused_until, self.machines[machine].dead_until];
        connection.stood_still = standing.iter().any(|&until| until > self.now + secs(3));
        self.connections.push(connection);
        self.machines[machine].connection = self.connections.len() - 1;
        self.machines[machine].client.connect(&token, seed).unwrap();
        self.tell(|_| format!("machine {machine} connects as {client_id}"));
    }

    /// The next program to update does.
    fn step(&mut self) {
        let next = self.machines.iter().map(|machine| {
            let wanted = || {
                let due = [machine.client.poll_timeout(), machine.down.next_arrival()];
                due.into_iter().flatten().min()
            };
            machine.rhythm.next(wanted)
        });
        let (client_at, client) = next.zip(0..).min().unwrap();
        let server_at = self.rhythm.next(|| {
            let arrivals = self.machines.iter().filter_map(|machine| machine.up.next_arrival());
            arrivals.chain(self.server.poll_timeout()).min()
        });
        self.now = self.now.max(client_at.min(server_at));
        self.unix = self.unix.max(UNIX + self.now.since(Instant::ZERO).as_secs());
        // Now and then an update of no time follows.
        for _ in 0..1 + u32::from(self.draw.one_in(10)) {
            if server_at <= client_at { self.update_server() } else { self.update_client(client) }
        }
    }

    fn update_client(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        let end = &mut self.connections[machine.connection].client;
        let earliest = std::mem::replace(&mut machine.rhythm.last, self.now);
        machine.client.advance(self.now, self.unix);
        let mut moved = false;
        while let Some(due) = machine.down.next_arrival()
            && let Some((to, mut bytes)) = machine.down.pop(self.now)
        {
            let path = Path { remote: address(SERVER), local: None };
            let arrival = Arrival { path, at: due.max(earliest) };
            moved = true;
            if to == machine.address && machine.client.handle_datagram(&arrival, &mut bytes).is_ok() {
                end.hear(arrival.at);
            }
        }
        machine.client.handle_timeout(self.draw.one_in(5));
        moved |= self.flush_client(index);
        let Machine { client, rhythm, .. } = &mut self.machines[index];
        rhythm.note(self.now, moved, client.poll_timeout());
        self.note_client_end(index);
        if self.machines[index].rhythm.takes_from <= self.now {
            self.take_client_messages(index);
        }
    }

    fn update_server(&mut self) {
        let earliest = std::mem::replace(&mut self.rhythm.last, self.now);
        self.server.advance(self.now, self.unix);
        let mut moved = false;
        for machine in &mut self.machines {
            while let Some(due) = machine.up.next_arrival()
                && let Some(((connection, from), mut bytes)) = machine.up.pop(self.now)
            {
                moved = true;
                let path = Path { remote: from, local: None };
                let arrival = Arrival { path, at: due.max(earliest) };
                let is_data = PacketType::of(bytes[0]) == Some(PacketType::Data);
                if self.server.handle_datagram(&arrival, &mut bytes).is_ok() {
                    self.connections[connection].confirmed |= is_data;
                    self.connections[connection].server.hear(arrival.at);
                }
            }
        }
        self.server.handle_timeout(self.draw.one_in(5));
        moved |= self.flush_server();
        self.rhythm.note(self.now, moved, self.server.poll_timeout());
        if self.rhythm.takes_from <= self.now {
            self.take_server_messages();
        }
    }

    /// Sends what is due; true if anything was.
    fn flush_client(&mut self, index: usize) -> bool {
        let mut buffer = [0; 1500];
        let mut sent = false;
        let machine = &mut self.machines[index];
        while let Some(transmit) = machine.client.poll_transmit(&mut buffer) {
            let to = (machine.connection, machine.address);
            machine.up.push(self.now, to, &buffer[..transmit.size]);
            self.connections[machine.connection].server.unheard += 1;
            sent = true;
        }
        sent
    }

    fn flush_server(&mut self) -> bool {
        let mut buffer = [0; 1500];
        let mut sent = false;
        while let Some(transmit) = self.server.poll_transmit(&mut buffer) {
            let to = transmit.path.remote;
            let SocketAddr::V4(v4) = to else { panic!("{to}") };
            let machine = &mut self.machines[usize::from(v4.ip().octets()[2])];
            machine.down.push(self.now, to, &buffer[..transmit.size]);
            self.connections[machine.connection].client.unheard += 1;
            sent = true;
        }
        sent
    }

    /// Notes that a client's connection, or its attempt at one, is over.
    fn note_client_end(&mut self, index: usize) {
        let machine = &self.machines[index];
        let state = machine.client.state();
        let connection = &mut self.connections[machine.connection];
        connection.connected |= state == ClientState::Connected;
        if state <= ClientState::Disconnected && !connection.client_is_over() {
            let reason = machine.client.disconnect_reason();
            connection.client.end(self.now, state, reason);
            self.tell(|_| format!("machine {index} is {state:?}, {reason:?}"));
        }
    }

    fn take_client_messages(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        let flow = &mut self.connections[machine.connection].flows[DOWN];
        while let Some(message) =
            machine.client.poll_message().or_else(|| machine.client.poll_channel_message())
        {
            flow.on_delivered(&message).unwrap_or_else(|error| panic!("down, {error}"));
        }
    }

    fn take_server_messages(&mut self) {
        let mut gone: HashMap<u32, usize> = HashMap::new();
        while let Some(event) = self.server.poll_event() {
            match event {
                Event::Connected { index, client_id, address } => {
                    let known = self.connections.iter_mut().enumerate().rev();
                    let (at, connection) = known
                        .into_iter()
                        .find(|(_, known)| {
                            known.client_id == client_id && known.addresses.contains(&address)
                        })
                        .unwrap();
                    assert_eq!(connection.slot.replace(index), None, "connected twice");
                    assert_eq!(self.slots.insert(index, at), None, "slot {index} is not free");
                    self.tell(|_| format!("the server has {client_id} in slot {index}"));
                }
                Event::Disconnected { index, reason, .. } => {
                    let at = self.slots.remove(&index).unwrap();
                    gone.insert(index, at);
                    let server = &mut self.connections[at].server;
                    server.end(self.now, ClientState::Disconnected, Some(reason));
                    self.tell(|_| format!("the server lost slot {index}, {reason}"));
                }
                Event::Message { index, message } => self.on_server_message(index, &message, &gone),
            }
        }
        while let Some((index, message)) = self.server.poll_channel_message() {
            self.on_server_message(index, &message, &gone);
        }
    }

    fn on_server_message(&mut self, index: u32, message: &Message, gone: &HashMap<u32, usize>) {
        let at = self.slots.get(&index).or_else(|| gone.get(&index)).unwrap();
        let delivered = self.connections[*at].flows[UP].on_delivered(message);
        delivered.unwrap_or_else(|error| panic!("up, connection {at}, {error}"));
    }

    pub fn run(mut self) {
        let acts = self.draw.pick([30, 100, 100, 300]);
        let pause = self.draw.pick([2, 20, 60]);
        if !self.draw.one_in(4) {
            let patient = self.now + secs(3);
            while self.now < patient && !self.connections.iter().all(Connection::lives) {
                self.step();
            }
        }
        for _ in 0..acts {
            let until = self.now + ms(self.draw.below(pause));
            while self.now < until {
                self.revive();
                self.step();
            }
            self.act();
        }
        self.settle();
        for at in 0..self.connections.len() {
            self.check_ends(at);
        }
    }

    fn revive(&mut self) {
        for machine in 0..self.machines.len() {
            let dead_until = self.machines[machine].dead_until;
            if dead_until != Instant::ZERO && dead_until <= self.now {
                self.machines[machine].dead_until = Instant::ZERO;
                self.set_networks(machine);
            }
        }
    }

    /// Runs until every connection has delivered all that is reliable, or is over at both ends.
    fn settle(&mut self) {
        self.tell(|_| "nothing new is sent".to_owned());
        self.rhythm.tick = self.draw.pick([None, Some(ms(16)), Some(ms(50))]);
        self.server.set_message_rate(None);
        for machine in &mut self.machines {
            machine.rhythm.tick = self.draw.pick([None, Some(ms(16)), Some(ms(100))]);
            machine.client.set_message_rate(None);
        }
        let begun = self.now;
        let flows = self.connections.iter().flat_map(|connection| &connection.flows);
        let patience = PATIENCE + SLOWEST * flows.map(|flow| flow.bytes as u32).max().unwrap();
        while !self.connections.iter().all(Connection::is_settled) {
            self.revive();
            self.step();
            if self.now.since(begun) > patience {
                let unsettled = self.connections.iter().enumerate().filter(|(_, c)| !c.is_settled());
                let text = unsettled.map(|(at, connection)| {
                    let [up, down] = connection.flows.each_ref().map(|flow| flow.missing(true));
                    let lives = connection.lives();
                    format!("connection {at}, lives: {lives}\n up: {up}\n down: {down}\n")
                });
                panic!("not settled:\n{}", text.collect::<String>());
            }
        }
        // What came twice, and the news of the last ends.
        let end = self.now + ms(1500);
        let rhythms = self.machines.iter_mut().map(|machine| &mut machine.rhythm);
        for rhythm in rhythms.chain([&mut self.rhythm]) {
            (rhythm.paused_until, rhythm.takes_from) = (self.now, self.now);
        }
        while self.now < end {
            self.step();
        }
    }
}
