//! A client on sockets of its own, one for each family of addresses that its token lists, or on a wire of the
//! program's.

use super::networks::Networks;
use super::ports::{Ports, Receiver};
use super::{ReadBudget, ReliableChannels, SendMode, SystemClock};
use crate::client::{Client, ClientState};
use crate::connection::{Arrival, Connection, Transmit};
use crate::crypto::random::{self, RandomError};
use crate::datagram::{BASE_DATAGRAM, LARGEST_DATAGRAM};
use crate::drop_reason::{DropCounters, DropReason};
use crate::duration::Duration;
use crate::endpoint::Path;
use crate::message::{Delivery, Message};
use crate::reason::{DenyReason, DisconnectReason};
use crate::sending::SendError;
use crate::simulator::SimulatorConfig;
use crate::socket::fork::ForkGuard;
use crate::socket::{RECEIVE_SIZE, SEND_SIZE, SocketOptions};
use crate::time::Clock;
use crate::time::earliest;
use crate::token::{InvalidToken, TOKEN_SIZE};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const OPTIONS: SocketOptions = SocketOptions { receive_buffer: 1 << 20, send_buffer: 1 << 20 };
/// An update of a client reads as much as one of a server with this many.
const READS_LIKE: usize = 32;

/// Why a client can't begin to connect.
#[derive(Debug)]
pub enum ConnectError {
    /// The token can't be used.
    Token(InvalidToken),
    /// No socket could be opened for any server of the token, at this port.
    Socket(u16, io::Error),
    /// No random bytes.
    Random(RandomError),
    /// The program asked for IPv6 and was compiled without.
    Forbidden,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Token(error) => error.fmt(f),
            ConnectError::Socket(0, error) => write!(f, "Unable to open socket. {error}"),
            ConnectError::Socket(port, error) => {
                write!(
                    f,
                    "Unable to open socket. Port {port}: {error}; pass 0 to let the system choose one"
                )
            }
            ConnectError::Random(error) => error.fmt(f),
            // The original's text.
            ConnectError::Forbidden => f.write_str(
                "Unable to open socket. Cute net compiled without IPV6 support but client configured to \
                 use ipv6",
            ),
        }
    }
}

impl std::error::Error for ConnectError {}

/// A transport of the program's own in place of UDP: whole datagrams, which may get lost.
pub trait Wire {
    /// Sends a datagram, or loses it.
    fn send(&mut self, datagram: &[u8]);

    /// Reads the next datagram into `buffer`; its size, or `None` if none waits.
    fn receive(&mut self, buffer: &mut [u8]) -> Option<usize>;
}

/// A client. Dropping it disconnects it.
pub struct ClientHost {
    client: Client,
    clock: Clock,
    system_clock: SystemClock,
    port: u16,
    forbidden: bool,
    wire: Option<Box<dyn Wire>>,
    ports: Ports,
    mode: SendMode,
    reliable: ReliableChannels,
    networks: Networks,
    fork: ForkGuard,
}

impl ClientHost {
    /// A client that will send from `port`; 0 lets the system choose.
    pub fn new(port: u16, application_id: u64) -> ClientHost {
        ClientHost {
            client: Client::new(application_id),
            clock: Clock::default(),
            system_clock: SystemClock::default(),
            port,
            forbidden: false,
            wire: None,
            ports: Ports::default(),
            mode: SendMode::default(),
            reliable: ReliableChannels::default(),
            networks: Networks::default(),
            fork: ForkGuard::new(),
        }
    }

    /// Begins to connect to the servers of `token`, leaving the connection there may be. A socket is
    /// opened for each family of address that the token lists.
    pub fn connect(&mut self, token: &[u8; TOKEN_SIZE]) -> Result<(), ConnectError> {
        self.disconnect();
        if self.forbidden {
            return Err(ConnectError::Forbidden);
        }
        let seed = random::bytes().map_err(ConnectError::Random)?;
        self.fork = ForkGuard::new();
        let largest = if self.wire.is_some() { BASE_DATAGRAM } else { LARGEST_DATAGRAM };
        self.client.set_largest_datagram(largest);
        self.client.connect(token, seed).map_err(ConnectError::Token)?;
        if self.wire.is_some() {
            return Ok(());
        }
        let has = |ipv4| self.client.servers().any(|server| server.is_ipv4() == ipv4);
        let families: [(bool, IpAddr); 2] =
            [(has(true), Ipv4Addr::UNSPECIFIED.into()), (has(false), Ipv6Addr::UNSPECIFIED.into())];
        let mut opened = Err(io::ErrorKind::AddrNotAvailable.into());
        for (_, ip) in families.into_iter().filter(|(needed, _)| *needed) {
            let result = self.ports.open(SocketAddr::new(ip, self.port), OPTIONS);
            if opened.is_err() {
                opened = result;
            }
        }
        opened.map_err(|error| {
            // Nothing was said to any server that it would have to hear the end of.
            self.client.abandon();
            ConnectError::Socket(self.port, error)
        })
    }

    /// Makes datagrams travel over `wire` from the next connection on, or over UDP again; leaves the
    /// connection there may be. Whatever servers a token lists, they are reached by the wire.
    pub fn set_wire(&mut self, wire: Option<Box<dyn Wire>>) {
        self.disconnect();
        self.wire = wire;
    }

    /// Makes every attempt to connect fail: the program was compiled without IPv6 and asked for it.
    pub fn forbid_connecting(&mut self) {
        self.forbidden = true;
    }

    /// Ends the connection: what is queued leaves, and the server is told. What was received can still
    /// be taken.
    pub fn disconnect(&mut self) {
        self.disconnect_with(DisconnectReason::LEFT, b"");
    }

    /// [`disconnect`](Self::disconnect) for a reason of the program's, with up to 255 bytes of `text`.
    pub fn disconnect_with(&mut self, reason: DisconnectReason, text: &[u8]) {
        self.client.disconnect_with(reason, text);
        self.transmit();
        self.close_sockets();
    }

    /// Reads, acts and sends. `dt` is the seconds since the last update, `unix` the time in unix seconds.
    pub fn update(&mut self, dt: f64, unix: u64) {
        let step = self.clock.advance(dt);
        let now = self.clock.now();
        self.leave_if_forked();
        if !self.client.is_active() {
            return;
        }
        self.client.advance(now, unix);
        self.release_simulated();
        let budget = ReadBudget::new(READS_LIKE, step);
        let mut backlog = self.receive_by_wire(budget);
        backlog |= self.networks.receive(&mut self.ports, budget, now, step, &mut self.client);
        self.client.handle_timeout(backlog);
        self.transmit();
        if !self.client.is_active() {
            self.close_sockets();
        }
    }

    /// Queues a message on a wire channel, 0 to 8. In the immediate mode an unreliable one leaves now.
    pub fn send(
        &mut self,
        channel: u8,
        delivery: Delivery,
        id: u32,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        self.client.send(channel, delivery, id, bytes)?;
        if self.mode == SendMode::Immediate && !delivery.is_reliable() {
            self.transmit_with(|client, room| client.poll_transmit_unreliable(room));
        }
        Ok(())
    }

    /// Queues a message on a message channel, wire channels 1 to 8; it leaves with the next flush or update.
    pub fn send_message(&mut self, channel: u8, id: u32, bytes: &[u8]) -> Result<(), SendError> {
        self.client.send(channel, self.reliable.delivery(channel), id, bytes)
    }

    /// Sets up a message channel, wire channels 1 to 8, for what is sent from now on.
    pub fn set_channel(&mut self, channel: u8, priority: i32, reliable: bool) {
        self.reliable.set(channel, reliable);
        self.set_channel_priority(channel, priority);
    }

    /// Sets the priority of a wire channel, 0 to 8, now and on every later connection; see
    /// [`Client::set_channel_priority`].
    pub fn set_channel_priority(&mut self, channel: u8, priority: i32) {
        self.client.set_channel_priority(channel, priority);
    }

    /// Sets the rate of messages on wire channels 1 to 8, now and on every later connection; see
    /// [`Client::set_message_rate`].
    pub fn set_message_rate(&mut self, rate: Option<u32>) {
        self.client.set_message_rate(rate);
    }

    /// Sends everything that is queued, as far as the network takes it.
    pub fn flush(&mut self) {
        self.transmit();
    }

    /// How long after the last update the client has something to do by itself, zero if it has already;
    /// `None` if it never will. What arrives is not foreseen.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let due = earliest([self.networks.next_arrival(), self.client.poll_timeout()])?;
        Some(due.since(self.clock.now()))
    }

    /// The next message the server sent.
    pub fn pop_message(&mut self) -> Option<Message> {
        self.client.poll_message()
    }

    /// Sets when messages leave.
    pub fn set_send_mode(&mut self, mode: SendMode) {
        self.mode = mode;
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

    /// Where the client stands.
    pub fn state(&self) -> ClientState {
        self.client.state()
    }

    /// Why the last connection ended, if one end closed it or the protocol did.
    pub fn disconnect_reason(&self) -> Option<DisconnectReason> {
        self.client.disconnect_reason()
    }

    /// What the program at the end that closed the last connection said with that.
    pub fn disconnect_text(&self) -> &[u8] {
        self.client.disconnect_text()
    }

    /// Why the last server that denied the token did.
    pub fn deny_reason(&self) -> Option<DenyReason> {
        self.client.deny_reason()
    }

    /// The connection, for its round trip and rates.
    pub fn connection(&self) -> Option<&Connection> {
        self.client.connection()
    }

    /// The sum of all `dt`.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// What the system's clock says has passed since the last call of this function.
    pub fn since_last_tick(&mut self) -> Duration {
        self.system_clock.since_last()
    }

    /// The next message the server sent on a message channel.
    pub fn pop_channel_message(&mut self) -> Option<Message> {
        self.client.poll_channel_message()
    }

    /// Datagrams received and dropped.
    pub fn counters(&self) -> &DropCounters {
        self.client.counters()
    }

    /// Where the client's datagrams leave from, while it is connected or connecting.
    pub fn bound_address(&self) -> Option<SocketAddr> {
        let server = self.client.server()?;
        self.ports.bound().find(|bound| bound.is_ipv4() == server.is_ipv4())
    }

    fn transmit(&mut self) {
        self.transmit_with(|client, room| client.poll_transmit(room));
    }

    fn transmit_with(&mut self, mut poll: impl FnMut(&mut Client, &mut [u8]) -> Option<Transmit>) {
        self.leave_if_forked();
        let ClientHost { client, networks, clock, wire, ports, .. } = self;
        if networks.delays_what_is_sent() {
            let largest = if wire.is_some() { BASE_DATAGRAM } else { SEND_SIZE };
            networks.send(clock.now(), largest, |room| poll(client, room));
            self.release_simulated();
            return;
        }
        match wire {
            None if ports.is_open() => ports.transmit(|families, room| {
                // Only one server is talked to at a time.
                client.server().filter(|&server| families.contain(server))?;
                poll(client, room)
            }),
            // No socket for this server's family: it is as if it did not answer.
            None => while poll(client, &mut [0; SEND_SIZE]).is_some() {},
            Some(wire) => {
                let mut buffer = [0; BASE_DATAGRAM];
                while let Some(transmit) = poll(client, &mut buffer) {
                    wire.send(buffer.get(..transmit.size).unwrap_or_default());
                }
            }
        }
    }

    /// Reads what the wire has, within `budget`; true if more may wait.
    fn receive_by_wire(&mut self, budget: ReadBudget) -> bool {
        let ClientHost { wire: Some(wire), client, clock, networks, .. } = self else { return false };
        let start = std::time::Instant::now();
        let mut buffer = [0; RECEIVE_SIZE];
        for _ in 0..budget.datagrams {
            let Some(size) = wire.receive(&mut buffer) else { return false };
            let Some(remote) = client.server() else { return false };
            let arrival = Arrival { path: Path { remote, local: None }, at: clock.now() };
            networks.hand(&arrival, buffer.get_mut(..size), client);
            if Duration::from(start.elapsed()) >= budget.time {
                break;
            }
        }
        true
    }

    /// Writes a datagram that the simulated network let through.
    fn write(&mut self, path: Path, bytes: &[u8]) {
        match &mut self.wire {
            Some(wire) => wire.send(bytes),
            None => self.ports.write(path, bytes),
        }
    }

    /// Writes the simulated network's datagrams that have arrived.
    fn release_simulated(&mut self) {
        let now = self.clock.now();
        while let Some((path, bytes)) = self.networks.pop_sent(now) {
            self.write(path, &bytes);
        }
    }

    /// Closes the sockets; what the simulated network still holds leaves first, and what was to come is lost.
    fn close_sockets(&mut self) {
        while let Some((path, bytes)) = self.networks.pop_any_sent() {
            self.write(path, &bytes);
        }
        self.networks.clear_received();
        self.ports.close();
    }

    /// In a forked copy the connection belongs to the parent: the copy forgets it without a word.
    pub fn leave_if_forked(&mut self) {
        if self.fork.is_in_child() {
            self.client.abandon();
            self.fork = ForkGuard::new();
            self.networks = Networks::default();
            self.ports.close();
        }
    }
}

impl Receiver for Client {
    fn handle(&mut self, arrival: &Arrival, bytes: Option<&mut [u8]>) -> Result<(), DropReason> {
        match bytes {
            Some(bytes) => self.handle_datagram(arrival, bytes),
            None => self.handle_oversized(),
        }
    }
}

impl Drop for ClientHost {
    fn drop(&mut self) {
        self.disconnect();
    }
}
