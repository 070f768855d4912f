//! The sans-IO client: datagrams, time and messages in; datagrams and messages out. It walks the
//! servers of its token until one lets it in, and ends in the state that says why none did.
//! `handshake.rs` has how it gets in.
//!
//! The order of calls in an update is the server's: [`advance`](Client::advance), then
//! [`handle_datagram`](Client::handle_datagram) for each datagram, then
//! [`handle_timeout`](Client::handle_timeout), then [`poll_transmit`](Client::poll_transmit) until it
//! gives `None`.

mod handshake;

use crate::connection::{Arrival, Connection, Context, End, Queued, Scope, Transmit};
use crate::datagram::BASE_DATAGRAM;
use crate::drop_reason::{DropCounters, DropReason};
use crate::duration::Duration;
use crate::endpoint::{self, Path};
use crate::message::{Delivery, Message};
use crate::ready::{Ready, Source};
use crate::reason::{DenyReason, DisconnectReason};
use crate::sending::{SendError, Shaping};
use crate::time::Instant;
use crate::token::{ConnectToken, InvalidToken, TOKEN_SIZE, Version};
use crate::v2::attempt::Attempt;
use crate::v2::handshake::{CHALLENGE_SIZE, DENIED_SIZE};
use crate::v2::keys::AssociatedPrefix;
use crate::v2::packet::PacketType;
use handshake::{AnyAttempt, UNLISTED, setup};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where a client stands; the numbers are `cn_client_state_t`'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
pub enum ClientState {
    /// The token expired before a server let the client in.
    ConnectTokenExpired = -6,
    /// The token can't be used.
    InvalidConnectToken = -5,
    /// Nothing was heard from the server for the connection timeout.
    ConnectionTimedOut = -4,
    /// The last server gave a challenge and did not answer the response.
    ChallengeResponseTimedOut = -3,
    /// The last server did not answer.
    ConnectionRequestTimedOut = -2,
    /// The last server refused the client.
    ConnectionDenied = -1,
    /// Not connected, and nothing went wrong.
    Disconnected = 0,
    /// Asking a server to be let in.
    SendingConnectionRequest = 1,
    /// Answering its challenge.
    SendingChallengeResponse = 2,
    /// Connected.
    Connected = 3,
}

/// A client without a socket.
pub struct Client {
    context: Context,
    unix: u64,
    prefix: AssociatedPrefix,
    application_id: u64,
    state: ClientState,
    token: Option<ConnectToken>,
    /// Which server of the token's list is tried, and its address.
    server: usize,
    remote: Option<SocketAddr>,
    attempt: Option<AnyAttempt>,
    connection: Option<Box<Connection>>,
    /// When somebody first answered the attempt that the token lists another server.
    unlisted_at: Option<Instant>,
    /// Asks a silent server, once a second, whether it still has the connection.
    suspicion: Option<Box<Attempt>>,
    /// A connection that is over and still has CLOSE to say.
    closing: Option<Box<Connection>>,
    /// What a connection that is over had received.
    left: (Ready, Ready),
    reason: Option<DisconnectReason>,
    /// What the program at the end that closed the last connection said with that.
    text: Box<[u8]>,
    /// Why the last server that denied the token did.
    denied: Option<DenyReason>,
    /// How the program orders and slows what it sends, on every connection.
    shaping: Shaping,
    /// The largest datagram this end receives.
    largest_datagram: usize,
    /// True if the program did something since the last update for which a datagram should leave.
    stirred: bool,
    counters: DropCounters,
}

impl Client {
    /// A client that is not connected.
    pub fn new(application_id: u64) -> Client {
        Client {
            context: Context::new([0; 32]),
            unix: 0,
            prefix: AssociatedPrefix::new(application_id),
            application_id,
            state: ClientState::Disconnected,
            token: None,
            server: 0,
            remote: None,
            attempt: None,
            unlisted_at: None,
            connection: None,
            suspicion: None,
            closing: None,
            left: Default::default(),
            reason: None,
            text: Box::default(),
            denied: None,
            shaping: Shaping::default(),
            largest_datagram: BASE_DATAGRAM,
            stirred: false,
            counters: DropCounters::default(),
        }
    }

    /// Begins to connect to the servers of `token`, from a clean state whatever happened before: a
    /// connection there still is must have been [disconnected](Self::disconnect) and its last
    /// datagrams polled. `seed` must be fresh random bytes.
    pub fn connect(&mut self, token: &[u8; TOKEN_SIZE], seed: [u8; 32]) -> Result<(), InvalidToken> {
        let now = self.context.tick.now;
        let Client { unix, shaping, largest_datagram, application_id, .. } = *self;
        *self = Client { unix, shaping, largest_datagram, ..Client::new(application_id) };
        self.context = Context::new(seed);
        self.context.tick.now = now;
        let token = ConnectToken::read(token, self.application_id, self.unix);
        let token = token.inspect_err(|_| self.state = ClientState::InvalidConnectToken)?;
        self.token = Some(token);
        self.try_server(0);
        Ok(())
    }

    /// Says how large a datagram the client's socket receives, UDP payload; 1,200 unless set. Servers are
    /// told from the next connection on, and may find out whether the path takes as much.
    pub fn set_largest_datagram(&mut self, bytes: usize) {
        self.largest_datagram = bytes;
    }

    /// The servers of the token, in the form in which they are sent to.
    pub fn servers(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.token.iter().flat_map(|token| &token.servers).map(|&server| reachable(server))
    }

    /// The server that is tried or connected to.
    pub fn server(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Where the client stands.
    pub fn state(&self) -> ClientState {
        self.state
    }

    /// Why the last connection ended, if one end closed it or the protocol did.
    pub fn disconnect_reason(&self) -> Option<DisconnectReason> {
        self.reason
    }

    /// What the program at the end that closed the last connection said with that.
    pub fn disconnect_text(&self) -> &[u8] {
        &self.text
    }

    /// Why the last server that denied the token did.
    pub fn deny_reason(&self) -> Option<DenyReason> {
        self.denied
    }

    /// True while the client needs its socket.
    pub fn is_active(&self) -> bool {
        self.state > ClientState::Disconnected || self.closing.is_some()
    }

    /// Ends the connection, or the attempt at one. What is queued leaves as far as the window allows,
    /// and the server is told. Nothing happens to a client that is neither connected nor connecting.
    pub fn disconnect(&mut self) {
        self.disconnect_with(DisconnectReason::LEFT, b"");
    }

    /// [`disconnect`](Self::disconnect) for a reason of the program's, with up to 255 bytes of `text`.
    pub fn disconnect_with(&mut self, reason: DisconnectReason, text: &[u8]) {
        if self.state > ClientState::Disconnected {
            self.end_with(ClientState::Disconnected, Some(reason), text.into(), Queued::Flushed);
        }
    }

    /// Forgets the connection, or the attempt at one, without telling a server: it belongs to another process, or
    /// nothing of it ever left.
    pub fn abandon(&mut self) {
        if self.state > ClientState::Disconnected {
            self.end(ClientState::Disconnected, None);
        }
        self.closing = None;
    }

    /// Begins an update: `now` is the sum of all steps so far, `unix` what the program says the time
    /// is, in unix seconds.
    pub fn advance(&mut self, now: Instant, unix: u64) {
        self.context.advance(now);
        if self.state > ClientState::Disconnected {
            self.unix = unix;
        }
    }

    /// Takes in a datagram, which is overwritten. The error says why it was dropped, and was counted.
    pub fn handle_datagram(&mut self, arrival: &Arrival, bytes: &mut [u8]) -> Result<(), DropReason> {
        let result = self.dispatch(arrival, bytes);
        self.counters.count(result);
        result
    }

    /// Drops and counts a datagram that is longer than any packet.
    pub fn handle_oversized(&mut self) -> Result<(), DropReason> {
        let result = Err(DropReason::Size);
        self.counters.count(result);
        result
    }

    fn dispatch(&mut self, arrival: &Arrival, bytes: &mut [u8]) -> Result<(), DropReason> {
        let &first = bytes.first().ok_or(DropReason::Size)?;
        if self.state <= ClientState::Disconnected {
            return Err(DropReason::Ended);
        }
        if self.remote != Some(arrival.path.remote) {
            return Err(DropReason::UnknownAddress);
        }
        if self.token.as_ref().is_some_and(|token| token.version == Version::V1) {
            return self.handle_1_00(arrival, bytes);
        }
        match PacketType::of(first).ok_or(DropReason::Type)? {
            PacketType::Data if self.attempt.is_some() => self.handle_first_data(arrival, bytes),
            PacketType::Data => self.handle_data(arrival, bytes),
            PacketType::Challenge if bytes.len() == CHALLENGE_SIZE => self.handle_challenge(bytes),
            PacketType::Denied if bytes.len() == DENIED_SIZE => self.handle_denied(bytes),
            PacketType::Challenge | PacketType::Denied => Err(DropReason::Size),
            PacketType::Response => Err(DropReason::Type),
        }
    }

    /// Takes in a packet of a server that has not said ACCEPT yet, or not so that it was heard.
    fn handle_first_data(&mut self, arrival: &Arrival, bytes: &mut [u8]) -> Result<(), DropReason> {
        if self.connection.is_some() {
            let mut copy = bytes.to_vec();
            let result = self.handle_data(arrival, &mut copy);
            if result != Err(DropReason::Forged) {
                return result;
            }
            // The server goes by the last cookie that it took.
        }
        self.begin_connection(arrival, bytes)?;
        self.handle_data(arrival, bytes)
    }

    fn handle_data(&mut self, arrival: &Arrival, bytes: &mut [u8]) -> Result<(), DropReason> {
        let connection = self.connection.as_mut().ok_or(DropReason::Unexpected)?;
        let result = connection.handle_packet(&mut self.context, arrival, bytes);
        if is_accepted(connection) && self.state == ClientState::SendingChallengeResponse {
            self.state = ClientState::Connected;
            self.attempt = None;
        }
        if result.is_ok() {
            self.suspicion = None;
        }
        self.reap();
        result
    }

    /// Ends the update's input: timers that are due. `backlog` says that datagrams still wait to be
    /// read.
    pub fn handle_timeout(&mut self, backlog: bool) {
        self.context.end_reading(backlog);
        let now = self.context.tick.now;
        if let Some((attempt, token)) = self.attempt.as_mut().zip(self.token.as_ref()) {
            let timeout = Duration::from_secs(u64::from(token.handshake_timeout));
            let unlisted_at = self.unlisted_at.filter(|_| !attempt.is_challenged());
            if token.expiration <= self.unix {
                self.end(ClientState::ConnectTokenExpired, None);
            } else if unlisted_at.is_some_and(|at| now.since(at) >= UNLISTED.min(timeout)) {
                self.denied_by_server(DenyReason::NOT_LISTED);
            } else if attempt.timer_mut().is_timed_out(now, timeout) && !self.context.is_catching_up() {
                let state = if attempt.is_challenged() {
                    ClientState::ChallengeResponseTimedOut
                } else {
                    ClientState::ConnectionRequestTimedOut
                };
                self.try_next_server(state);
            }
            return;
        }
        if let Some(connection) = &mut self.connection {
            connection.handle_timeout(&self.context);
            self.reap();
            self.suspect(now);
        }
    }

    /// When the client next has something to do by itself; ask again after every other call.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let now = self.context.tick.now;
        if self.stirred {
            return Some(now);
        }
        let handshake = self.attempt.as_ref().zip(self.token.as_ref()).map(|(attempt, token)| {
            let timeout = Duration::from_secs(u64::from(token.handshake_timeout));
            // An attempt that has seen no update yet waits for one.
            attempt.timer().poll_timeout(timeout).unwrap_or(now)
        });
        let connection = self.connection.as_ref().filter(|_| self.state == ClientState::Connected);
        handshake.or_else(|| connection?.poll_timeout(&self.context))
    }

    fn reap(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        match connection.poll_end() {
            None => {}
            Some(End::Peer(reason, text)) => {
                self.end(ClientState::Disconnected, None);
                self.reason = Some(reason);
                self.text = text;
            }
            Some(End::TimedOut) => {
                self.end(ClientState::ConnectionTimedOut, Some(DisconnectReason::TIMED_OUT));
            }
            Some(End::Violation) => {
                self.end(ClientState::Disconnected, Some(DisconnectReason::PROTOCOL_ERROR));
            }
        }
    }

    /// Ends everything in `state`; `tell` is the reason the server is given.
    fn end(&mut self, state: ClientState, tell: Option<DisconnectReason>) {
        self.end_with(state, tell, Box::default(), Queued::Dropped);
    }

    /// Ends everything in `state`; `tell` and `text` are what the server is given.
    fn end_with(
        &mut self,
        state: ClientState,
        tell: Option<DisconnectReason>,
        text: Box<[u8]>,
        queued: Queued,
    ) {
        self.state = state;
        self.reason = tell;
        self.text = text;
        self.suspicion = None;
        self.stirred = false;
        let gives_up = tell.is_some() || state == ClientState::ConnectTokenExpired;
        if let Some(AnyAttempt::V1(attempt)) = self.attempt.take().filter(|_| gives_up)
            && let Some((token, remote)) = self.token.as_ref().zip(self.remote)
        {
            let setup = setup(token, &self.shaping, self.largest_datagram);
            let path = Path { remote, local: None };
            let closing = attempt.into_closing(&self.context, path, setup);
            self.closing = Some(Box::new(Connection::V1(Box::new(closing))));
        }
        let Some(mut connection) = self.connection.take() else { return };
        self.left = connection.take_ready();
        if let Some(reason) = tell.filter(|_| is_accepted(&connection)) {
            connection.close(&self.context, reason, &self.text, queued);
            self.closing = Some(connection);
        }
    }

    /// Writes the next datagram that is due to `buffer`; `None` when none is. Call it until then at
    /// the end of every update, to flush, and after [`disconnect`](Self::disconnect).
    pub fn poll_transmit(&mut self, buffer: &mut [u8]) -> Option<Transmit> {
        if let Some(closing) = &mut self.closing {
            let transmit = closing.poll_transmit(&mut self.context, Scope::Everything, buffer);
            if transmit.is_some() {
                return transmit;
            }
            self.closing = None;
        }
        let now = self.context.tick.now;
        let path = Path { remote: self.remote?, local: None };
        if let Some(token) = &self.token {
            let (generator, prefix) = (&mut self.context.generator, &self.prefix);
            let size = match (&mut self.attempt, &mut self.suspicion) {
                (Some(AnyAttempt::V1(attempt)), _) => {
                    attempt.poll_transmit(now, &token.packet, generator, buffer)
                }
                (Some(AnyAttempt::V2(attempt)), _) | (None, Some(attempt)) => {
                    attempt.poll_transmit(now, prefix, &token.packet, buffer)
                }
                (None, None) => None,
            };
            if let Some(size) = size {
                return Some(Transmit { path, size });
            }
        }
        let connection = self.connection.as_mut()?;
        let transmit = connection.poll_transmit(&mut self.context, Scope::Everything, buffer);
        self.stirred &= transmit.is_some();
        transmit
    }

    /// Writes the next datagram for the unreliable messages that wait, and for what fits beside them.
    /// Call it until `None` after a send that should leave at once.
    pub fn poll_transmit_unreliable(&mut self, buffer: &mut [u8]) -> Option<Transmit> {
        self.connection.as_mut()?.poll_transmit(&mut self.context, Scope::Unreliable, buffer)
    }

    /// The next message the server sent on wire channel 0. What came before a connection ended can be
    /// taken until the next one begins.
    pub fn poll_message(&mut self) -> Option<Message> {
        self.poll(Source::Packets)
    }

    /// The next message the server sent on wire channels 1 to 8.
    pub fn poll_channel_message(&mut self) -> Option<Message> {
        self.poll(Source::Channels)
    }

    fn poll(&mut self, source: Source) -> Option<Message> {
        match (&mut self.connection, source) {
            (Some(connection), _) => {
                let message = connection.pop(source)?;
                // The server is told that it may send more.
                self.stirred |= connection.is_grant_due();
                Some(message)
            }
            (None, Source::Packets) => self.left.0.pop(),
            (None, Source::Channels) => self.left.1.pop(),
        }
    }

    /// Queues a message for the server, on wire channel 0 to 8.
    pub fn send(
        &mut self,
        channel: u8,
        delivery: Delivery,
        id: u32,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        match &mut self.connection {
            Some(connection) if self.state == ClientState::Connected => {
                connection.send(channel, delivery, id, bytes)?;
                self.stirred = true;
                Ok(())
            }
            _ => Err(SendError::NotConnected),
        }
    }

    /// Sets the priority of a wire channel, 0 to 8, for what is queued and for every later connection. Of
    /// what waits the higher leaves first, of equal ones the lower channel; unless set it is 0. It is
    /// strict: a lower one waits for as long as there is something of a higher one.
    pub fn set_channel_priority(&mut self, channel: u8, priority: i32) {
        self.shaping.priorities.set(channel, priority);
        if let Some(connection) = &mut self.connection {
            connection.set_priorities(self.shaping.priorities);
        }
    }

    /// Sets how many bytes of messages a second may begin on wire channels 1 to 8, now and on every later
    /// connection; `None` is any number. The others wait, up to 4 MiB a channel.
    pub fn set_message_rate(&mut self, rate: Option<u32>) {
        self.shaping.message_rate = rate;
        if let Some(connection) = &mut self.connection {
            connection.set_message_rate(self.context.tick.now, rate);
            // What waited may be due at another time now.
            self.stirred = true;
        }
    }

    /// The connection, for its round trip and rates.
    pub fn connection(&self) -> Option<&Connection> {
        self.connection.as_deref().filter(|_| self.state == ClientState::Connected)
    }

    /// The current update's time.
    pub fn now(&self) -> Instant {
        self.context.tick.now
    }

    /// Datagrams received and dropped.
    pub fn counters(&self) -> &DropCounters {
        &self.counters
    }
}

/// True if the server has let the client in.
fn is_accepted(connection: &Connection) -> bool {
    connection.as_v2().is_none_or(|connection| connection.accept().is_some())
}

/// The address to send to for a server that a token lists: one bound to a wildcard address of this
/// machine is reached over loopback, and answers from there.
fn reachable(server: SocketAddr) -> SocketAddr {
    let mut server = endpoint::canonical(server);
    match server.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => server.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        IpAddr::V6(ip) if ip.is_unspecified() => server.set_ip(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        _ => {}
    }
    server
}
