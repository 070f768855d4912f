//! What connections of every protocol have in common: the update they work in, how they are set up, what
//! comes and what leaves, how they end.

use crate::crypto::random::Generator;
use crate::drop_reason::DropReason;
use crate::duration::Duration;
use crate::endpoint::Path;
use crate::message::{Delivery, Message, Payload};
use crate::prefetch::prefetch;
use crate::ready::{InboxBudget, Ready, Source};
use crate::reason::DisconnectReason;
use crate::sending::{Priorities, SendError, Shaping};
use crate::statistics::Statistics;
use crate::time::{Instant, Tick};
use crate::token::Version;
use crate::v2::sent_packets::SentFrame;
use crate::{v1, v2};

/// An update longer than this is a pause of the program, and silence during it is nobody's fault.
const PAUSE: Duration = Duration::from_secs(1);
/// A pause excuses silence for at most this long while datagrams wait to be read.
const LONGEST_EXCUSE: Duration = Duration::from_secs(10);

/// What the connections of one engine share while it works on them.
#[derive(Debug)]
pub struct Context {
    /// The current update, and the interval of updates.
    pub tick: Tick,
    /// Random numbers.
    pub generator: Generator,
    /// Nobody counts as silent before this moment: the program was, not the peers.
    pub silence_starts: Instant,
    /// When the program paused, while datagrams from before still wait to be read.
    paused_at: Option<Instant>,
    /// Scratch of CUTE 2.00 for the frames of the packet being made.
    pub sent_frames: Vec<SentFrame>,
}

impl Context {
    /// Starts at time zero with randomness from `seed`.
    pub fn new(seed: [u8; 32]) -> Context {
        Context {
            tick: Tick::default(),
            generator: Generator::new(seed),
            silence_starts: Instant::ZERO,
            paused_at: None,
            sent_frames: Vec::new(),
        }
    }

    /// Begins an update at `now`.
    pub fn advance(&mut self, now: Instant) {
        if now.since(self.tick.now) > PAUSE {
            self.paused_at = Some(now);
        }
        self.tick.advance(now);
    }

    /// Ends an update's reading; `backlog` says that datagrams still wait.
    pub fn end_reading(&mut self, backlog: bool) {
        let now = self.tick.now;
        match self.paused_at {
            Some(since) if backlog && now.since(since) < LONGEST_EXCUSE => self.silence_starts = now,
            _ => self.paused_at = None,
        }
    }

    /// True while the program reads what came during a pause of its own.
    pub fn is_catching_up(&self) -> bool {
        self.paused_at.is_some()
    }
}

/// A datagram that came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Where it came from, and to which of the own addresses.
    pub path: Path,
    /// When it reached this machine: at most an update interval before the update that reads it.
    pub at: Instant,
}

/// A datagram to send, whose bytes were written to the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to, and from which of the own addresses.
    pub path: Path,
    /// Bytes of it.
    pub size: usize,
}

/// How far a connection's `poll_transmit` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Packets for unreliable messages that wait, and what fits beside them.
    Unreliable,
    /// Everything that is due.
    Everything,
}

/// What of a connection is needed soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// All of it: a packet comes or leaves.
    Everything,
    /// What arrived: the program takes messages.
    Inbox,
    /// What waits to leave: the program sends one.
    Outbox,
}

/// How a connection is set up.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Silence after which the peer counts as gone; `None` is never.
    pub timeout: Option<Duration>,
    /// The longest a lost message waits to be sent again, where the round trip allows it.
    pub resend_ceiling: Duration,
    /// Memory for what arrives.
    pub inbox: InboxBudget,
    /// Bytes a second that may leave; `None` is any number. A client learns it from the server.
    pub outgoing_rate: Option<u32>,
    /// Bytes a second that are taken from the peer; `None` is any number.
    pub incoming_rate: Option<u32>,
    /// How the program orders and slows what it sends.
    pub shaping: Shaping,
    /// The largest datagram this end receives.
    pub largest_datagram: usize,
}

/// How a connection ended that this end did not close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer closed it, with a reason and bytes of its program.
    Peer(DisconnectReason, Box<[u8]>),
    /// Nothing was heard for the timeout.
    TimedOut,
    /// The peer broke the protocol.
    Violation,
}

/// What becomes of the messages that are queued when a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// They leave first, as far as the window allows.
    Flushed,
    /// They are forgotten.
    Dropped,
}

/// A connection of either protocol.
#[allow(clippy::large_enum_variant, reason = "nearly all connections are the large ones")]
pub enum Connection {
    /// CUTE 1.00.
    V1(Box<v1::connection::Connection>),
    /// CUTE 2.00.
    V2(v2::connection::Connection),
}

/// What either protocol answers.
macro_rules! either {
    ($self:expr, $connection:ident => $answer:expr) => {
        match $self {
            Connection::V1($connection) => $answer,
            Connection::V2($connection) => $answer,
        }
    };
}

impl Connection {
    /// The protocol.
    pub fn version(&self) -> Version {
        match self {
            Connection::V1(_) => Version::V1,
            Connection::V2(_) => Version::V2,
        }
    }

    /// The connection, if it is one of CUTE 2.00.
    pub fn as_v2(&self) -> Option<&v2::connection::Connection> {
        match self {
            Connection::V1(_) => None,
            Connection::V2(connection) => Some(connection),
        }
    }

    /// The connection, if it is one of CUTE 2.00.
    pub fn as_v2_mut(&mut self) -> Option<&mut v2::connection::Connection> {
        match self {
            Connection::V1(_) => None,
            Connection::V2(connection) => Some(connection),
        }
    }

    /// Asks the processor for the connection, of which `what` is needed soon.
    pub fn prefetch(&self, what: Needed) {
        match self {
            Connection::V1(_) => {}
            Connection::V2(connection) => connection.prefetch(what),
        }
    }

    /// Asks the processor for what the connection points to and is needed next. The connection itself should
    /// have been [asked for](Self::prefetch) before.
    pub fn prefetch_parts(&self, what: Needed) {
        match self {
            Connection::V1(connection) => prefetch(&**connection),
            Connection::V2(connection) => connection.prefetch_parts(what),
        }
    }

    /// True once a packet of the peer proved that it is connected too.
    pub fn is_confirmed(&self) -> bool {
        either!(self, connection => connection.is_confirmed())
    }

    /// Where the peer is.
    pub fn path(&self) -> Path {
        either!(self, connection => connection.path())
    }

    /// When the peer was last heard.
    pub fn heard_at(&self) -> Instant {
        either!(self, connection => connection.heard_at())
    }

    /// How long an answer may take.
    pub fn probe_timeout(&self, context: &Context) -> Duration {
        either!(self, connection => connection.probe_timeout(context))
    }

    /// Notes another sign of life than a packet.
    pub fn on_sign_of_life(&mut self, now: Instant) {
        either!(self, connection => connection.on_sign_of_life(now));
    }

    /// Queues a message on a wire channel, 0 to 8; CUTE 1.00 has channel 0 alone.
    pub fn send<'a>(
        &mut self,
        channel: u8,
        delivery: Delivery,
        id: u32,
        bytes: impl Into<Payload<'a>>,
    ) -> Result<(), SendError> {
        either!(self, connection => connection.send(channel, delivery, id, bytes))
    }

    /// Sets the priorities of the wire channels.
    pub fn set_priorities(&mut self, priorities: Priorities) {
        either!(self, connection => connection.set_priorities(priorities));
    }

    /// Sets how many bytes of messages a second may begin on channels 1 to 8; `None` is any number.
    pub fn set_message_rate(&mut self, now: Instant, rate: Option<u32>) {
        either!(self, connection => connection.set_message_rate(now, rate));
    }

    /// How many unreliable messages were given up before they left whole.
    pub fn dropped_unreliable(&self) -> u64 {
        either!(self, connection => connection.dropped_unreliable())
    }

    /// Bytes of the reliable messages that are not acknowledged yet,
    /// [`MESSAGE_COST`](crate::message::MESSAGE_COST) for each counted.
    pub fn reliable_queued(&self) -> usize {
        either!(self, connection => connection.reliable_queued())
    }

    /// The largest datagram that leaves, UDP payload.
    pub fn largest_datagram(&self) -> usize {
        either!(self, connection => connection.largest_datagram())
    }

    /// The next message that arrived.
    pub fn pop(&mut self, source: Source) -> Option<Message> {
        either!(self, connection => connection.inbox().pop(source))
    }

    /// True if there is a message to [`pop`](Self::pop).
    pub fn is_ready(&mut self, source: Source) -> bool {
        either!(self, connection => connection.inbox().is_ready(source))
    }

    /// Takes what arrived out of a connection that is over: packets, and channel messages.
    pub fn take_ready(&mut self) -> (Ready, Ready) {
        either!(self, connection => connection.take_inbox().into_ready())
    }

    /// Bytes beyond its allowance that the peer can't do without.
    pub fn wanted_loan(&mut self) -> Option<u64> {
        match self {
            Connection::V1(connection) => connection.inbox().reliable.wanted_loan(),
            Connection::V2(connection) => connection.inbox().credit.wanted_loan(),
        }
    }

    /// Lends what is wanted.
    pub fn lend(&mut self) {
        match self {
            Connection::V1(connection) => connection.inbox().reliable.lend(),
            Connection::V2(connection) => connection.inbox().credit.lend(),
        }
    }

    /// Bytes lent beyond an `allowance`, until the program has taken what came for them.
    pub fn borrowed(&mut self, allowance: u64) -> u64 {
        match self {
            Connection::V1(connection) => connection.inbox().reliable.lent(),
            Connection::V2(connection) => connection.inbox().credit.reserved().saturating_sub(allowance),
        }
    }

    /// True if the peer has not sent all that it borrowed for.
    pub fn owes(&mut self) -> bool {
        match self {
            Connection::V1(connection) => connection.inbox().reliable.lent() > 0,
            Connection::V2(connection) => connection.inbox().credit.owed() > 0,
        }
    }

    /// When new bytes of a reliable message last came.
    pub fn progress_at(&mut self) -> Instant {
        either!(self, connection => connection.inbox().progress_at())
    }

    /// True if the peer is to be told that it may send more.
    pub fn is_grant_due(&mut self) -> bool {
        self.as_v2_mut().is_some_and(|connection| connection.inbox().credit.is_grant_due())
    }

    /// The round trip, once measured.
    pub fn rtt(&self) -> Option<Duration> {
        either!(self, connection => connection.rtt())
    }

    /// Rates, loss and jitter.
    pub fn statistics(&self) -> &Statistics {
        either!(self, connection => connection.statistics())
    }

    /// How the connection ended, once it did without this end's doing.
    pub fn poll_end(&mut self) -> Option<End> {
        either!(self, connection => connection.poll_end())
    }

    /// Closes the connection. CUTE 1.00 carries neither reason nor text.
    pub fn close(&mut self, context: &Context, reason: DisconnectReason, text: &[u8], queued: Queued) {
        either!(self, connection => connection.close(context, reason, text, queued));
    }

    /// True once a closed connection has nothing more to say.
    pub fn is_over(&self, now: Instant) -> bool {
        either!(self, connection => connection.is_over(now))
    }

    /// Takes in a packet. Follow with [`poll_end`](Self::poll_end) and
    /// [`poll_transmit`](Self::poll_transmit).
    pub fn handle_packet(
        &mut self,
        context: &mut Context,
        arrival: &Arrival,
        packet: &mut [u8],
    ) -> Result<(), DropReason> {
        either!(self, connection => connection.handle_packet(context, arrival, packet))
    }

    /// Takes in that time has passed. Follow with [`poll_end`](Self::poll_end) and
    /// [`poll_transmit`](Self::poll_transmit).
    pub fn handle_timeout(&mut self, context: &Context) {
        either!(self, connection => connection.handle_timeout(context));
    }

    /// When [`handle_timeout`](Self::handle_timeout) or [`poll_transmit`](Self::poll_transmit) is due; ask
    /// again after every other call.
    pub fn poll_timeout(&self, context: &Context) -> Option<Instant> {
        either!(self, connection => connection.poll_timeout(context))
    }

    /// True if [`poll_transmit`](Self::poll_transmit) may make a packet now.
    pub fn is_transmit_due(&mut self, context: &Context) -> bool {
        match self {
            // What it owes, it owes at once.
            Connection::V1(_) => true,
            Connection::V2(connection) => connection.is_transmit_due(context),
        }
    }

    /// Makes the next packet that is due, in `buffer`; `None` when none is. Call it until then after every
    /// update, and after a send that should leave at once.
    pub fn poll_transmit(
        &mut self,
        context: &mut Context,
        scope: Scope,
        buffer: &mut [u8],
    ) -> Option<Transmit> {
        either!(self, connection => connection.poll_transmit(context, scope, buffer))
    }
}
