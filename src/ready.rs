//! Messages that arrived and wait for the program, in the order in which it takes them, and the memory they
//! may use.

use crate::message::Message;
use std::collections::VecDeque;

/// Bytes of memory for what arrives over one connection.
#[derive(Clone, Copy, Debug)]
pub struct InboxBudget {
    /// Bytes of reliable messages begun and not taken by the program.
    pub reliable: u64,
    /// Bytes of unreliable messages, whole or not, that the program has not taken.
    pub unreliable: usize,
}

impl InboxBudget {
    /// Three quarters and one quarter of 32 MiB: the largest message, 20 MiB, fits into the first.
    pub const DEFAULT: InboxBudget = InboxBudget { reliable: 24 << 20, unreliable: 8 << 20 };
}

/// Which messages to take: programs pop packets and channel messages by different calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Wire channel 0: what `cn_*_send` sent.
    Packets,
    /// Wire channels 1 to 8.
    Channels,
}

/// Messages that wait for the program.
#[derive(Debug, Default)]
pub struct Ready {
    /// Those sent reliably.
    pub reliable: VecDeque<Message>,
    /// The others.
    pub unreliable: VecDeque<Message>,
}

impl Ready {
    /// The next message, reliable ones first.
    pub fn pop(&mut self) -> Option<Message> {
        self.reliable.pop_front().or_else(|| self.unreliable.pop_front())
    }

    /// What the messages cost together.
    pub fn cost(&self) -> usize {
        self.reliable.iter().chain(&self.unreliable).map(Message::cost).sum()
    }

    /// True if nothing is ready.
    pub fn is_empty(&self) -> bool {
        self.reliable.is_empty() && self.unreliable.is_empty()
    }
}
