//! What connections of every protocol have in common: the update they work in, how they are set up, what
//! comes and what leaves, how they end.

use crate::crypto::random::Generator;
use crate::endpoint::Path;
use crate::ready::InboxBudget;
use crate::reason::DisconnectReason;
use crate::sending::Shaping;
use crate::time::{Instant, Tick};
use crate::v2::sent_packets::SentFrame;
use std::time::Duration;

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
