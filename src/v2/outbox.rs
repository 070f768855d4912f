//! Everything a program has asked to send and the network has not finished with: the channels, their
//! order, the budget they share and the credit of the peer.

use super::frame::CHANNELS;
use super::send_space::{Fill, Filling, SendCredit, SendSpace};
use super::sent_packets::SentMessage;
use super::unreliable_queue::UnreliableQueue;
use crate::message::{Delivery, MESSAGE_COST};
use std::fmt;

/// The largest message (`CN_TRANSPORT_MAX_SIZE_SINGLE_SEND` of the original).
pub const MAX_MESSAGE_SIZE: usize = 20 << 20;
/// Bytes one connection may have queued, [`MESSAGE_COST`] for each message counted.
pub const QUEUE_BUDGET: usize = 32 << 20;
/// Of these, what reliable messages may take: an unreliable one finds room when they fill the queue.
const RELIABLE_BUDGET: usize = 30 << 20;

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// It has no bytes.
    Empty,
    /// It is larger than [`MAX_MESSAGE_SIZE`].
    TooLarge(usize),
    /// The queue holds all it may.
    QueueFull,
    /// The connection is not up.
    NotConnected,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Empty => f.write_str("A message needs at least one byte."),
            SendError::TooLarge(size) => {
                write!(
                    f,
                    "The message has {size} bytes; one message has at most {MAX_MESSAGE_SIZE} (20 MiB)."
                )
            }
            SendError::QueueFull => {
                let mebibytes = RELIABLE_BUDGET >> 20;
                write!(
                    f,
                    "{mebibytes} MiB wait for the peer already: send less, or wait until it took some."
                )
            }
            SendError::NotConnected => f.write_str("There is no connection."),
        }
    }
}

impl std::error::Error for SendError {}

/// The messages on their way out.
#[derive(Debug)]
pub struct Outbox {
    channels: [Option<Box<SendChannel>>; CHANNELS],
    /// Cost of the reliable messages that are not acknowledged yet.
    reliable: usize,
    /// Cost of the unreliable messages that wait for a packet.
    unreliable: usize,
    credit: SendCredit,
}

#[derive(Debug)]
struct SendChannel {
    ordered: SendSpace,
    unordered: SendSpace,
    unreliable: UnreliableQueue,
}

impl SendChannel {
    fn new(channel: u8) -> SendChannel {
        SendChannel {
            ordered: SendSpace::new(channel, true),
            unordered: SendSpace::new(channel, false),
            unreliable: UnreliableQueue::default(),
        }
    }

    fn space(&mut self, ordered: bool) -> &mut SendSpace {
        if ordered { &mut self.ordered } else { &mut self.unordered }
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Outbox {
            channels: Default::default(),
            reliable: 0,
            unreliable: 0,
            credit: SendCredit { granted: SendCredit::INITIAL, begun: 0, blocked_at: None },
        }
    }
}

impl Outbox {
    /// Queues a message on a wire channel, 0 to 8; only channels above 0 carry empty ones, and `id`.
    pub fn push(
        &mut self,
        channel: u8,
        delivery: Delivery,
        id: u32,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        if bytes.is_empty() && channel == 0 {
            return Err(SendError::Empty);
        }
        if bytes.len() > MAX_MESSAGE_SIZE {
            return Err(SendError::TooLarge(bytes.len()));
        }
        let cost = bytes.len() + MESSAGE_COST;
        let full = self.reliable + self.unreliable + cost > QUEUE_BUDGET;
        if full || (delivery.is_reliable() && self.reliable + cost > RELIABLE_BUDGET) {
            return Err(SendError::QueueFull);
        }
        let Some(slot) = self.channels.get_mut(usize::from(channel)) else {
            return Err(SendError::Empty);
        };
        let channel = slot.get_or_insert_with(|| Box::new(SendChannel::new(channel)));
        *(if delivery.is_reliable() { &mut self.reliable } else { &mut self.unreliable }) += cost;
        match delivery {
            Delivery::ReliableOrdered => channel.ordered.push(id, bytes),
            Delivery::ReliableUnordered => channel.unordered.push(id, bytes),
            Delivery::Unreliable => channel.unreliable.push(id, false, bytes),
            Delivery::UnreliableSequenced => channel.unreliable.push(id, true, bytes),
        }
        Ok(())
    }

    fn channels(&self) -> impl Iterator<Item = &SendChannel> {
        self.channels.iter().flatten().map(|channel| &**channel)
    }

    /// True if an unreliable message waits for a packet.
    pub fn has_unreliable(&self) -> bool {
        self.channels().any(|channel| !channel.unreliable.is_empty())
    }

    /// True if a reliable message waits for a packet, or part of one; credit may hold it back.
    pub fn has_reliable(&self) -> bool {
        self.channels()
            .any(|channel| channel.ordered.wants_to_send() || channel.unordered.wants_to_send())
    }

    /// The total of credit the next message needs, where the peer has granted less.
    pub fn blocked_at(&self) -> Option<u64> {
        self.credit.blocked_at
    }

    /// Takes in a CREDIT frame; true if it grants more than was known.
    pub fn on_credit(&mut self, total: u64) -> bool {
        let more = total > self.credit.granted;
        if more {
            self.credit.granted = total;
            self.credit.blocked_at = self.credit.blocked_at.filter(|&needed| needed > total);
        }
        more
    }

    /// Forgets the unreliable messages that wait for a packet.
    pub fn drop_unreliable(&mut self) {
        for channel in self.channels.iter_mut().flatten() {
            channel.unreliable.clear();
        }
        self.unreliable = 0;
    }

    /// Fills a packet: unreliable messages, which do not wait, then reliable ones if `reliable`,
    /// channel by channel.
    pub fn fill(&mut self, packet: &mut Filling<'_, '_>, reliable: bool) {
        for (number, channel) in (0u8..).zip(&mut self.channels) {
            let Some(channel) = channel else { continue };
            let queued = channel.unreliable.cost();
            let fill = channel.unreliable.fill(number, packet);
            self.unreliable = self.unreliable.saturating_sub(queued - channel.unreliable.cost());
            if fill == Fill::Full {
                return;
            }
        }
        if !reliable {
            return;
        }
        // Later channels must not take the credit an earlier one waits for; what they have begun goes on,
        // or the peer could never finish it and grant more.
        let mut may_begin = true;
        for channel in self.channels.iter_mut().flatten() {
            for space in [&mut channel.ordered, &mut channel.unordered] {
                let credit = may_begin.then_some(&mut self.credit);
                if space.fill(packet, credit) == Fill::Full {
                    return;
                }
                may_begin = self.credit.blocked_at.is_none();
            }
        }
    }

    /// Gives room back that is not used.
    pub fn shrink(&mut self) {
        for channel in self.channels.iter_mut().flatten() {
            channel.ordered.shrink();
            channel.unordered.shrink();
            channel.unreliable.shrink();
        }
    }

    /// Notes that bytes of a message arrived.
    pub fn on_acked(&mut self, sent: &SentMessage) {
        if let Some(Some(channel)) = self.channels.get_mut(usize::from(sent.channel))
            && let Some(cost) = channel.space(sent.ordered).on_acked(sent)
        {
            self.reliable = self.reliable.saturating_sub(cost);
        }
    }

    /// Notes that bytes of a message must be sent again.
    pub fn on_lost(&mut self, sent: &SentMessage) {
        if let Some(Some(channel)) = self.channels.get_mut(usize::from(sent.channel)) {
            channel.space(sent.ordered).on_lost(sent);
        }
    }
}
