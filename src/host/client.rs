//! A client on its own sockets.

use super::{Port, ReadBudget, SendMode, SendSimulator, transmit_simulated};
use crate::client::{Client, ClientState};
use crate::crypto::random::{self, RandomError};
use crate::drop_reason::{DropCounters, DropReason};
use crate::message::{Delivery, Message};
use crate::reason::DisconnectReason;
use crate::simulator::{Simulator, SimulatorConfig};
use crate::socket::fork::ForkGuard;
use crate::socket::{Inbound, SocketOptions};
use crate::time::Clock;
use crate::token::{InvalidToken, TOKEN_SIZE};
use crate::v2::connection::Connection;
use crate::v2::outbox::SendError;
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
    /// No socket could be opened for any server of the token.
    Socket(io::Error),
    /// No random bytes.
    Random(RandomError),
    /// The program asked for IPv6 and was compiled without.
    Forbidden,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Token(error) => error.fmt(f),
            ConnectError::Socket(error) => write!(f, "Unable to open socket. {error}"),
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

/// A client. Dropping it disconnects it.
pub struct ClientHost {
    client: Client,
    clock: Clock,
    port: u16,
    forbidden: bool,
    v4: Option<Port>,
    v6: Option<Port>,
    inbound: Inbound,
    mode: SendMode,
    simulator: Option<SendSimulator>,
    fork: ForkGuard,
}

impl ClientHost {
    /// A client that will send from `port`; 0 lets the system choose.
    pub fn new(port: u16, application_id: u64) -> ClientHost {
        ClientHost {
            client: Client::new(application_id),
            clock: Clock::default(),
            port,
            forbidden: false,
            v4: None,
            v6: None,
            inbound: Inbound::default(),
            mode: SendMode::default(),
            simulator: None,
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
        self.client.connect(token, seed).map_err(ConnectError::Token)?;
        let has = |ipv4| self.client.servers().any(|server| server.is_ipv4() == ipv4);
        let (needs_v4, needs_v6) = (has(true), has(false));
        let mut opened = Err(io::ErrorKind::AddrNotAvailable.into());
        let mut open = |needed: bool, ip: IpAddr| {
            if !needed {
                return None;
            }
            match Port::bind(SocketAddr::new(ip, self.port), OPTIONS) {
                Ok(port) => {
                    opened = Ok(());
                    Some(port)
                }
                Err(error) => {
                    if opened.is_err() {
                        opened = Err(error);
                    }
                    None
                }
            }
        };
        self.v4 = open(needs_v4, Ipv4Addr::UNSPECIFIED.into());
        self.v6 = open(needs_v6, Ipv6Addr::UNSPECIFIED.into());
        opened.map_err(|error| {
            self.client.disconnect();
            ConnectError::Socket(error)
        })
    }

    /// Makes every attempt to connect fail: the program was compiled without IPv6 and asked for it.
    pub fn forbid_connecting(&mut self) {
        self.forbidden = true;
    }

    /// Ends the connection: what is queued leaves, and the server is told. What was received can still
    /// be taken.
    pub fn disconnect(&mut self) {
        self.client.disconnect();
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
        let ClientHost { client, inbound, v4, v6, .. } = self;
        let budget = ReadBudget::new(READS_LIKE, step);
        let mut backlog = false;
        for port in [v4, v6].into_iter().flatten() {
            backlog |= port.receive(inbound, budget, now, step, |arrival, bytes| match bytes {
                Some(bytes) => client.handle_datagram(arrival, bytes),
                None => {
                    client.count_drop(DropReason::Size);
                    Err(DropReason::Size)
                }
            });
        }
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

    /// Sets the priority of a wire channel, now and on every later connection; see
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
        match &mut self.simulator {
            Some(simulator) => simulator.set_config(config),
            None => self.simulator = Some(Simulator::new(config, seed)),
        }
    }

    /// Where the client stands.
    pub fn state(&self) -> ClientState {
        self.client.state()
    }

    /// Why the last connection ended, if the server or the protocol ended it.
    pub fn disconnect_reason(&self) -> Option<DisconnectReason> {
        self.client.disconnect_reason()
    }

    /// The connection, for its round trip and rates.
    pub fn connection(&self) -> Option<&Connection> {
        self.client.connection()
    }

    /// The sum of all `dt`.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Datagrams received and dropped.
    pub fn counters(&self) -> &DropCounters {
        self.client.counters()
    }

    /// Where the client's datagrams leave from, while it is connected or connecting.
    pub fn bound_address(&self) -> Option<SocketAddr> {
        let v4 = self.client.server()?.is_ipv4();
        let port = if v4 { &self.v4 } else { &self.v6 };
        port.as_ref().map(|port| port.socket.local_address())
    }

    fn transmit(&mut self) {
        self.transmit_with(|client, room| client.poll_transmit(room));
    }

    fn transmit_with(
        &mut self,
        mut poll: impl FnMut(&mut Client, &mut [u8]) -> Option<crate::v2::connection::Transmit>,
    ) {
        self.leave_if_forked();
        let v4 = self.client.server().is_some_and(|server| server.is_ipv4());
        let ClientHost { client, simulator, clock, .. } = self;
        if let Some(simulator) = simulator {
            transmit_simulated(simulator, clock.now(), |room| poll(client, room));
            self.release_simulated();
            return;
        }
        let port = if v4 { &mut self.v4 } else { &mut self.v6 };
        match port {
            Some(port) => port.transmit(|room| poll(client, room)),
            // No socket for this server's family: it is as if it did not answer.
            None => while poll(client, &mut [0; crate::socket::SEND_SIZE]).is_some() {},
        }
    }

    fn port_for(&mut self, remote: SocketAddr) -> Option<&mut Port> {
        if remote.is_ipv4() { self.v4.as_mut() } else { self.v6.as_mut() }
    }

    /// Writes the simulated network's datagrams that have arrived.
    fn release_simulated(&mut self) {
        let now = self.clock.now();
        while let Some((path, bytes)) = self.simulator.as_mut().and_then(|simulator| simulator.pop(now))
        {
            if let Some(port) = self.port_for(path.remote) {
                port.write(path, &bytes);
            }
        }
    }

    /// Closes the sockets; what the simulated network still holds leaves first.
    fn close_sockets(&mut self) {
        while let Some((path, bytes)) = self.simulator.as_mut().and_then(Simulator::pop_any) {
            if let Some(port) = self.port_for(path.remote) {
                port.write(path, &bytes);
            }
        }
        self.v4 = None;
        self.v6 = None;
    }

    /// In a forked copy the connection belongs to the parent: the copy forgets it without a word.
    pub fn leave_if_forked(&mut self) {
        if self.fork.is_in_child() {
            self.client.abandon();
            self.fork = ForkGuard::new();
            self.simulator = None;
            self.v4 = None;
            self.v6 = None;
        }
    }
}

impl Drop for ClientHost {
    fn drop(&mut self) {
        self.disconnect();
    }
}
