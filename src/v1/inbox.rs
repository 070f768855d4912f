//! Everything that arrived for the program over one connection: messages it can take, and those of which parts
//! are missing. Bounded whatever the peer does: CUTE 1.00 has no way to tell a sender to wait, so what exceeds
//! the budget is refused unacknowledged if it is reliable, and given up, oldest first, if it is not.

use super::payload::Fragment;
use super::reliable_receiver::{Received, ReliableReceiver};
use super::unreliable_receiver::UnreliableReceiver;
use crate::message::Message;
use crate::ready::{InboxBudget, Ready, Source};
use crate::time::Instant;

/// The messages on their way in.
#[derive(Debug)]
pub struct Inbox {
    /// Reliable messages, and the memory for them.
    pub reliable: ReliableReceiver,
    unreliable: UnreliableReceiver,
    ready: Ready,
    unreliable_budget: usize,
    /// Cost of the unreliable messages that are ready.
    unreliable_ready: usize,
}

impl Inbox {
    /// Starts empty.
    pub fn new(budget: InboxBudget) -> Inbox {
        Inbox {
            reliable: ReliableReceiver::new(budget.reliable),
            unreliable: UnreliableReceiver::default(),
            ready: Ready::default(),
            unreliable_budget: budget.unreliable,
            unreliable_ready: 0,
        }
    }

    /// Takes in a fragment.
    pub fn receive(&mut self, fragment: &Fragment<'_>, now: Instant) -> Received {
        let Inbox { reliable, unreliable, ready, .. } = self;
        if fragment.reliable {
            return reliable.receive(fragment, now, |message| ready.reliable.push_back(message));
        }
        if let Some(message) = unreliable.receive(fragment, now, self.unreliable_budget) {
            self.unreliable_ready += message.cost();
            ready.unreliable.push_back(message);
        }
        while self.unreliable_ready + self.unreliable.held() > self.unreliable_budget {
            match self.ready.unreliable.pop_front() {
                Some(message) => self.unreliable_ready -= message.cost(),
                None if self.unreliable.drop_oldest() => {}
                None => break,
            }
        }
        Received::Taken
    }

    /// The next message of `source`; its room is free again. There are no channels in CUTE 1.00.
    pub fn pop(&mut self, source: Source) -> Option<Message> {
        if source == Source::Channels {
            return None;
        }
        let message = self.ready.pop()?;
        if message.info().reliable {
            self.reliable.on_taken(message.cost());
        } else {
            self.unreliable_ready = self.unreliable_ready.saturating_sub(message.cost());
        }
        Some(message)
    }

    /// True if a message of `source` can be taken.
    pub fn is_ready(&self, source: Source) -> bool {
        source == Source::Packets && !self.ready.is_empty()
    }

    /// What is ready, when the connection is over: it can still be taken.
    pub fn into_ready(self) -> (Ready, Ready) {
        (self.ready, Ready::default())
    }

    /// When new bytes of a reliable message last came.
    pub fn progress_at(&self) -> Instant {
        self.reliable.progress_at()
    }

    /// Bytes of memory held.
    pub fn held(&self) -> usize {
        self.reliable.held() + self.unreliable.held() + self.unreliable_ready
    }

    /// Gives up unreliable messages that will not become whole.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.unreliable.handle_timeout(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.unreliable.poll_timeout()
    }

    /// Gives room back that is not used.
    pub fn shrink(&mut self) {
        self.ready.reliable.shrink_to_fit();
        self.ready.unreliable.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::MESSAGE_COST;

    #[test]
    fn reliable_messages_are_taken_first_and_unreliable_ones_give_way_to_the_newest() {
        let unreliable = 10 * (100 + MESSAGE_COST);
        let mut inbox = Inbox::new(InboxBudget { unreliable, ..InboxBudget::DEFAULT });
        for message in 0..100 {
            for reliable in [false, true] {
                let bytes = &[message as u8; 100];
                let fragment = Fragment { reliable, message, count: 1, index: 0, bytes };
                assert_eq!(inbox.receive(&fragment, Instant::ZERO), Received::Taken);
            }
        }
        assert!(inbox.is_ready(Source::Packets) && !inbox.is_ready(Source::Channels));
        let taken: Vec<(bool, u8)> = std::iter::from_fn(|| inbox.pop(Source::Packets))
            .map(|message| (message.info().reliable, message.payload()[0]))
            .collect();
        let expected = (0..100).map(|at| (true, at)).chain((90..100).map(|at| (false, at)));
        assert_eq!(taken, expected.collect::<Vec<_>>());
        assert_eq!(inbox.held(), 0);
    }
}
