//! A server on a socket of its own, or on one for each family of addresses; it can be started again, and keeps
//! from one run to the next what the program has set and which tokens were used.

use super::networks::Networks;
use super::ports::{Ports, Receiver};
use super::{ReadBudget, ReliableChannels, SendMode, SystemClock};
use crate::connection::{Arrival, Connection, Transmit};
use crate::crypto::key_pair::{KeyError, MAX_PAIRS, PublicKey, SecretKey};
use crate::crypto::random::{self, RandomError};
use crate::datagram::LARGEST_DATAGRAM;
use crate::drop_reason::{DropCounters, DropReason};
use crate::duration::Duration;
use crate::endpoint::{Families, Printed};
use crate::message::{Delivery, Message, Payload};
use crate::reason::DisconnectReason;
use crate::sending::{MAX_MESSAGE_SIZE, SendError, Shaping, check_size};
use crate::server::{DEFAULT_MEMORY, Event, LEAST_MEMORY, MAX_CLIENTS, Server, ServerConfig};
use crate::simulator::SimulatorConfig;
use crate::socket::fork::ForkGuard;
use crate::socket::{SEND_SIZE, SocketOptions};
use crate::time::Clock;
use crate::time::earliest;
use crate::token::{PairKey, USER_DATA_SIZE};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

const OPTIONS: SocketOptions = SocketOptions { receive_buffer: 4 << 20, send_buffer: 4 << 20 };

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct ServerHostConfig {
    /// The game; the same number in tokens and clients.
    pub application_id: u64,
    /// The half of the key pair that may be shown.
    pub public_key: PublicKey,
    /// The half that is kept.
    pub secret_key: SecretKey,
    /// Silence after which a client counts as gone; `None` is never.
    pub connection_timeout: Option<Duration>,
    /// The longest a lost message waits to be sent again, where the round trip allows it.
    pub resend_ceiling: Duration,
    /// Bytes a second that leave for each client at most; see [`ServerConfig::max_outgoing_rate`].
    pub max_outgoing_rate: Option<u32>,
    /// Bytes a second that are taken from each client at most; see [`ServerConfig::max_incoming_rate`].
    pub max_incoming_rate: Option<u32>,
}

impl ServerHostConfig {
    /// What most servers want, as `cn_server_config_defaults`: a client counts as gone after 10 s of silence, a
    /// lost message is sent again within 100 ms, and there is no limit on rates.
    pub fn new(application_id: u64, public_key: PublicKey, secret_key: SecretKey) -> ServerHostConfig {
        ServerHostConfig {
            application_id,
            public_key,
            secret_key,
            connection_timeout: Some(Duration::from_secs(10)),
            resend_ceiling: Duration::from_millis(100),
            max_outgoing_rate: None,
            max_incoming_rate: None,
        }
    }
}

/// Why a server can't start.
#[derive(Debug)]
pub enum StartError {
    /// It runs already.
    Running(SocketAddr),
    /// The key pair can't be used.
    Key(KeyError),
    /// The socket could not be opened.
    Bind(SocketAddr, io::Error),
    /// No random bytes.
    Random(RandomError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Running(address) => {
                write!(f, "The server runs already, at {}: stop it first.", Printed(*address))
            }
            StartError::Key(error) => error.fmt(f),
            StartError::Bind(address, error) => {
                write!(f, "Unable to open socket. {}: {error}", Printed(*address))?;
                f.write_str(match error.kind() {
                    _ if address.is_ipv6() && address.port() == 0 => {
                        "; a port behind an IPv6 address is written [2001:db8::7]:5000"
                    }
                    io::ErrorKind::AddrInUse => {
                        "; something else has this port: pass another, or 0 to let the system choose one"
                    }
                    io::ErrorKind::AddrNotAvailable => {
                        "; this machine has no such address: pass 0.0.0.0 or [::] for all that it has"
                    }
                    _ => "",
                })
            }
            StartError::Random(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

/// Not every client takes a message of [`ServerHost::send_many`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAllSent {
    /// The place of the first that doesn't, among those asked for.
    pub place: usize,
    /// Why.
    pub error: SendError,
    /// How many don't.
    pub count: usize,
}

/// How a client left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The slot it had.
    pub index: u32,
    /// Why.
    pub reason: DisconnectReason,
    /// What the program that ended the connection said with that.
    pub text: Box<[u8]>,
}

/// A server. Dropping it stops it.
pub struct ServerHost {
    config: ServerHostConfig,
    max_clients: usize,
    memory: u64,
    /// Key pairs besides that of `config`, and whether that one counts.
    added_keys: Vec<(PublicKey, PairKey)>,
    own_key_retired: bool,
    shaping: Shaping,
    public: Vec<SocketAddr>,
    clock: Clock,
    system_clock: SystemClock,
    /// The engine of this run, or of the last, whose events can still be taken.
    engine: Option<Server>,
    /// How the last client whose disconnection was taken left.
    departure: Option<Departure>,
    ports: Ports,
    mode: SendMode,
    reliable: ReliableChannels,
    networks: Networks,
    fork: ForkGuard,
}

impl ServerHost {
    /// A server that does not run yet, for `max_clients`, 1 to [`MAX_CLIENTS`].
    pub fn new(config: ServerHostConfig, max_clients: usize) -> ServerHost {
        ServerHost {
            config,
            max_clients: max_clients.clamp(1, MAX_CLIENTS),
            memory: DEFAULT_MEMORY,
            added_keys: Vec::new(),
            own_key_retired: false,
            shaping: Shaping::default(),
            public: Vec::new(),
            clock: Clock::default(),
            system_clock: SystemClock::default(),
            engine: None,
            departure: None,
            ports: Ports::default(),
            mode: SendMode::default(),
            reliable: ReliableChannels::default(),
            networks: Networks::default(),
            fork: ForkGuard::new(),
        }
    }

    /// Sets how many clients the server serves from its next start on.
    pub fn set_max_clients(&mut self, max_clients: usize) {
        self.max_clients = max_clients.clamp(1, MAX_CLIENTS);
    }

    /// Sets how many bytes the server keeps of what clients sent, from its next start on; [`LEAST_MEMORY`] at least.
    pub fn set_memory(&mut self, bytes: u64) {
        self.memory = bytes.max(LEAST_MEMORY);
    }

    /// How many clients the server serves.
    pub fn max_clients(&self) -> usize {
        self.engine.as_ref().filter(|_| self.is_running()).map_or(self.max_clients, Server::max_clients)
    }

    /// Starts to listen at `addresses`, at most one of each family; port 0 lets the system choose. Events
    /// of an earlier run that were not taken are gone.
    pub fn start(&mut self, addresses: &[SocketAddr]) -> Result<(), StartError> {
        if let Some(address) = self.bound_addresses().next() {
            return Err(StartError::Running(address));
        }
        let mut keys = Vec::new();
        if !self.own_key_retired {
            let key = PairKey::for_pair(&self.config.public_key, &self.config.secret_key);
            keys.push(key.map_err(StartError::Key)?);
        }
        keys.extend(self.added_keys.iter().map(|(_, key)| key.clone()));
        let seed = random::bytes().map_err(StartError::Random)?;
        let mut ports = Ports::default();
        for &address in addresses {
            ports.open(address, OPTIONS).map_err(|error| StartError::Bind(address, error))?;
        }
        let config = ServerConfig {
            application_id: self.config.application_id,
            keys,
            max_clients: self.max_clients,
            connection_timeout: self.config.connection_timeout,
            resend_ceiling: self.config.resend_ceiling,
            memory: self.memory,
            max_outgoing_rate: self.config.max_outgoing_rate,
            max_incoming_rate: self.config.max_incoming_rate,
            largest_datagram: LARGEST_DATAGRAM,
        };
        let bound: Vec<SocketAddr> = ports.bound().collect();
        let mut engine = Server::new(config, &bound, &self.public, seed);
        engine.set_priorities(self.shaping.priorities);
        engine.set_message_rate(self.shaping.message_rate);
        if let Some(earlier) = self.engine.take() {
            engine.inherit(earlier);
        }
        self.engine = Some(engine);
        self.ports = ports;
        self.ports.set_threaded(self.mode == SendMode::Threaded);
        self.fork = ForkGuard::new();
        Ok(())
    }

    /// Sends all clients away and closes the socket. What they had sent, and the news that they are
    /// gone, can still be taken.
    pub fn stop(&mut self) {
        if !self.is_running() {
            return;
        }
        self.restart_if_forked();
        if let Some(engine) = &mut self.engine {
            engine.stop();
        }
        self.transmit();
        while let Some((path, bytes)) = self.networks.pop_any_sent() {
            self.ports.write(path, &bytes);
        }
        self.networks.clear_received();
        self.ports.close();
    }

    /// True between start and stop.
    pub fn is_running(&self) -> bool {
        self.ports.is_open()
    }

    /// Reads, acts and sends. `dt` is the seconds since the last update, `unix` the time in unix seconds.
    pub fn update(&mut self, dt: f64, unix: u64) {
        let step = self.clock.advance(dt);
        let now = self.clock.now();
        if !self.is_running() {
            return;
        }
        self.restart_if_forked();
        self.release_simulated();
        let ServerHost { engine: Some(engine), ports, networks, .. } = self else { return };
        engine.advance(now, unix);
        let budget = ReadBudget::new(engine.max_clients(), step);
        let backlog = networks.receive(ports, budget, now, step, engine);
        engine.handle_timeout(backlog);
        ports.prefer(now, || engine.addresses());
        self.transmit();
    }

    /// Queues a message for a client on a wire channel, 0 to 8. In the immediate mode an unreliable one
    /// leaves now.
    pub fn send(
        &mut self,
        index: u32,
        channel: u8,
        delivery: Delivery,
        id: u32,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        let engine = self.running_mut().ok_or(SendError::NotConnected)?;
        engine.send(index, channel, delivery, id, bytes)?;
        if self.mode == SendMode::Immediate && !delivery.is_reliable() {
            self.transmit_with(|engine, families, room| {
                engine.poll_transmit_unreliable(families, index, room)
            });
        }
        Ok(())
    }

    /// Queues one message for many clients, on wire channel 0; in the immediate mode an unreliable one leaves
    /// now. Its bytes are kept once for all. Every client that can takes it; the error is that of the first
    /// that can't, with its place in `indices`, and how many can't.
    pub fn send_many(
        &mut self,
        indices: impl Iterator<Item = u32> + Clone,
        delivery: Delivery,
        bytes: &[u8],
    ) -> Result<(), NotAllSent> {
        // Before they are copied: such a size is often one that was never set.
        if let Err(error) = check_size(bytes, MAX_MESSAGE_SIZE) {
            return match indices.count() {
                0 => Ok(()),
                count => Err(NotAllSent { place: 0, error, count }),
            };
        }
        let bytes: Arc<[u8]> = bytes.into();
        let mut failed: Option<NotAllSent> = None;
        for (place, index) in indices.clone().enumerate() {
            let sent = match self.running_mut() {
                Some(engine) => engine.send(index, 0, delivery, 0, Payload::Shared(&bytes)),
                None => Err(SendError::NotConnected),
            };
            if let Err(error) = sent {
                failed.get_or_insert(NotAllSent { place, error, count: 0 }).count += 1;
            }
        }
        if self.mode == SendMode::Immediate && !delivery.is_reliable() {
            let mut waiting = indices.peekable();
            self.transmit_with(|engine, families, room| {
                while let Some(&index) = waiting.peek() {
                    let transmit = engine.poll_transmit_unreliable(families, index, room);
                    if transmit.is_some() {
                        return transmit;
                    }
                    waiting.next();
                }
                None
            });
        }
        failed.map_or(Ok(()), Err)
    }

    /// Sets up a message channel, wire channels 1 to 8, for what is sent from now on.
    pub fn set_channel(&mut self, channel: u8, priority: i32, reliable: bool) {
        self.reliable.set(channel, reliable);
        self.set_channel_priority(channel, priority);
    }

    /// Sets the priority of a wire channel, 0 to 8, now and after every start; see
    /// [`Server::set_channel_priority`].
    pub fn set_channel_priority(&mut self, channel: u8, priority: i32) {
        self.shaping.priorities.set(channel, priority);
        if let Some(engine) = self.running_mut() {
            engine.set_channel_priority(channel, priority);
        }
    }

    /// Sets the rate of messages on wire channels 1 to 8 for each client, now and after every start; see
    /// [`Server::set_message_rate`].
    pub fn set_message_rate(&mut self, rate: Option<u32>) {
        self.shaping.message_rate = rate;
        if let Some(engine) = self.running_mut() {
            engine.set_message_rate(rate);
        }
    }

    /// Queues a message for a client on a message channel, wire channels 1 to 8; it leaves with the next
    /// flush or update.
    pub fn send_message(
        &mut self,
        index: u32,
        channel: u8,
        id: u32,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        let delivery = self.reliable.delivery(channel);
        let engine = self.running_mut().ok_or(SendError::NotConnected)?;
        engine.send(index, channel, delivery, id, bytes)
    }

    /// Sends everything that is queued, as far as the network takes it.
    pub fn flush(&mut self) {
        self.transmit();
    }

    /// How long after the last update the server has something to do by itself, zero if it has already;
    /// `None` if it never will. What arrives is not foreseen.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let engine = self.running()?.poll_timeout();
        let due = earliest([self.networks.next_arrival(), engine])?;
        Some(due.since(self.clock.now()))
    }

    /// Sends a client away; its event comes with the next update. With `tell` what is queued for it
    /// leaves first, and it learns that it was kicked; without, it learns nothing.
    pub fn disconnect(&mut self, index: u32, tell: bool) {
        self.disconnect_with(index, DisconnectReason::KICKED, b"", tell);
    }

    /// [`disconnect`](Self::disconnect) for a reason of the program's, with up to 255 bytes of `text`.
    pub fn disconnect_with(&mut self, index: u32, reason: DisconnectReason, text: &[u8], tell: bool) {
        if let Some(engine) = self.running_mut() {
            engine.disconnect(index, reason, text, tell);
            self.transmit();
        }
    }

    /// The next event.
    pub fn pop_event(&mut self) -> Option<Event> {
        let event = self.engine.as_mut()?.poll_event();
        if let Some(Event::Disconnected { index, reason, text }) = &event {
            self.departure = Some(Departure { index: *index, reason: *reason, text: text.clone() });
        }
        event
    }

    /// How the client left whose disconnection was the last that [`pop_event`](Self::pop_event) took.
    pub fn departure(&self) -> Option<&Departure> {
        self.departure.as_ref()
    }

    /// The next message that a client sent on wire channels 1 to 8, and the client's index.
    pub fn pop_channel_message(&mut self) -> Option<(u32, Message)> {
        self.engine.as_mut()?.poll_channel_message()
    }

    /// Also accepts tokens that list `address`, now and after every start.
    pub fn add_public_address(&mut self, address: SocketAddr) {
        if !self.public.contains(&address) {
            self.public.push(address);
        }
        if let Some(engine) = &mut self.engine {
            engine.add_public_address(address);
        }
    }

    /// Also accepts tokens made with a key pair, of either kind, now and after every start.
    pub fn add_key(&mut self, public: &PublicKey, secret: &SecretKey) -> Result<(), KeyError> {
        let key = PairKey::for_pair(public, secret)?;
        let is_own = *public == self.config.public_key;
        let known = if is_own {
            !self.own_key_retired
        } else {
            self.added_keys.iter().any(|(known, _)| known == public)
        };
        let pairs = self.added_keys.len() + usize::from(!self.own_key_retired);
        if !known && pairs >= MAX_PAIRS {
            return Err(KeyError::TooMany);
        }
        if is_own {
            self.own_key_retired = false;
        } else if !known {
            self.added_keys.push((*public, key.clone()));
        }
        if let Some(engine) = &mut self.engine {
            engine.add_key(&key);
        }
        Ok(())
    }

    /// Accepts tokens of a key pair no more, now and after every start; the pair that the server was created
    /// with can be retired too. Connections made with them live on. False if there is no such pair.
    pub fn remove_key(&mut self, public: &PublicKey) -> bool {
        let before = self.added_keys.len();
        self.added_keys.retain(|(known, _)| known != public);
        let own = *public == self.config.public_key && !self.own_key_retired;
        self.own_key_retired |= own;
        if let Some(engine) = &mut self.engine {
            engine.remove_key(public);
        }
        own || self.added_keys.len() < before
    }

    /// Sets when messages leave.
    pub fn set_send_mode(&mut self, mode: SendMode) {
        self.restart_if_forked();
        self.mode = mode;
        self.ports.set_threaded(mode == SendMode::Threaded);
    }

    /// Makes everything sent from now on go over a bad network.
    pub fn set_simulator(&mut self, config: SimulatorConfig, seed: u64) {
        self.networks.set_sent(config, seed);
    }

    /// Makes everything sent and received from now on go over networks of these kinds, which draw from
    /// `seed`.
    pub fn set_simulators(&mut self, sent: SimulatorConfig, received: SimulatorConfig, seed: u64) {
        self.networks.set(sent, received, seed);
    }

    /// Where the server listens, ports the system chose included, IPv4 first; nowhere when it does not run.
    pub fn bound_addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.ports.bound()
    }

    /// True if a client is in this slot.
    pub fn is_connected(&self, index: u32) -> bool {
        self.running().is_some_and(|engine| engine.is_connected(index))
    }

    /// The slots of all clients.
    pub fn clients(&self) -> Vec<u32> {
        self.running().map_or_else(Vec::new, |engine| engine.clients().collect())
    }

    /// What the system's clock says has passed since the last call of this function.
    pub fn since_last_tick(&mut self) -> Duration {
        self.system_clock.since_last()
    }

    /// How many clients there are.
    pub fn connected(&self) -> usize {
        self.running().map_or(0, Server::connected)
    }

    /// What a client's token carried for the program.
    pub fn user_data(&self, index: u32) -> Option<&[u8; USER_DATA_SIZE]> {
        self.running()?.user_data(index)
    }

    /// The connection in a slot, for its round trip and rates.
    pub fn connection(&self, index: u32) -> Option<&Connection> {
        self.running()?.connection(index)
    }

    /// The sum of all `dt`.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Datagrams received and dropped since the last start.
    pub fn counters(&self) -> Option<&DropCounters> {
        self.engine.as_ref().map(Server::counters)
    }

    fn running(&self) -> Option<&Server> {
        self.engine.as_ref().filter(|_| self.is_running())
    }

    fn running_mut(&mut self) -> Option<&mut Server> {
        let running = self.is_running();
        self.engine.as_mut().filter(|_| running)
    }

    fn transmit(&mut self) {
        self.transmit_with(Server::poll_transmit_to);
    }

    fn transmit_with(
        &mut self,
        mut poll: impl FnMut(&mut Server, Families, &mut [u8]) -> Option<Transmit>,
    ) {
        self.restart_if_forked();
        let ServerHost { engine: Some(engine), ports, networks, clock, .. } = self else { return };
        if networks.delays_what_is_sent() {
            networks.send(clock.now(), SEND_SIZE, |room| poll(engine, Families::ALL, room));
            self.release_simulated();
        } else {
            ports.transmit(|families, room| poll(engine, families, room));
        }
    }

    /// Writes the simulated network's datagrams that have arrived.
    fn release_simulated(&mut self) {
        while let Some((path, bytes)) = self.networks.pop_sent(self.clock.now()) {
            self.ports.write(path, &bytes);
        }
    }

    /// In a forked copy the connections belong to the parent: the copy forgets them without a word,
    /// and serves new ones under keys of its own, as a server that became a daemon must. The socket is
    /// still the parent's too: while both update, each gets some of the datagrams.
    pub fn restart_if_forked(&mut self) {
        if !self.fork.is_in_child() {
            return;
        }
        self.fork = ForkGuard::new();
        self.networks = Networks::default();
        self.ports.forget_threads();
        self.ports.set_threaded(self.mode == SendMode::Threaded);
        match (&mut self.engine, random::bytes()) {
            (Some(engine), Ok(seed)) => engine.restart(seed),
            // Without random bytes there is nothing it could do safely.
            _ => {
                self.engine = None;
                self.ports.close();
            }
        }
    }
}

impl Receiver for Server {
    fn expect(&self, soon: &[u8], next: &[u8]) {
        self.expect_datagrams(soon, next);
    }

    fn handle(&mut self, arrival: &Arrival, bytes: Option<&mut [u8]>) -> Result<(), DropReason> {
        match bytes {
            Some(bytes) => self.handle_datagram(arrival, bytes),
            None => self.handle_oversized(),
        }
    }

    fn end_batch(&mut self) {
        self.end_batch();
    }
}

impl Drop for ServerHost {
    fn drop(&mut self) {
        self.stop();
    }
}
