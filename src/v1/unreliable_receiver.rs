//! Unreliable messages of which fragments are missing. Nobody sends those again, so the message is given up
//! soon: after a second, when many others have begun since, or when its memory is needed. By then its number,
//! which wraps, is nobody else's.

use super::payload::{FRAGMENT_SIZE, Fragment};
use super::reassembly::{Added, Assembly};
use crate::duration::Duration;
use crate::message::{Delivery, Message, MessageInfo};
use crate::time::Instant;
use std::collections::VecDeque;

/// How long an unfinished message is kept,
const LIFETIME: Duration = Duration::from_secs(1);
/// and how many of them there may be.
const MOST: usize = 64;

/// Unreliable messages on their way in.
#[derive(Debug, Default)]
pub struct UnreliableReceiver {
    /// Unfinished ones, those begun first in front.
    partial: VecDeque<Partial>,
    held: usize,
}

#[derive(Debug)]
struct Partial {
    message: u16,
    since: Instant,
    assembly: Assembly,
}

impl UnreliableReceiver {
    /// Takes in a fragment; returns the message once it is whole. What could never fit `budget` is dropped.
    pub fn receive(&mut self, fragment: &Fragment<'_>, now: Instant, budget: usize) -> Option<Message> {
        if fragment.count == 1 {
            let info = MessageInfo { channel: 0, reliable: false, id: 0 };
            // D33: an original loses the whole of a message of 1100 bytes.
            return (!fragment.bytes.is_empty()).then(|| Message::new(info, fragment.bytes));
        }
        if usize::from(fragment.count) * FRAGMENT_SIZE > budget - budget / 16 {
            return None;
        }
        let known = self.partial.iter().position(|partial| partial.message == fragment.message);
        let place = known.unwrap_or_else(|| {
            if self.partial.len() >= MOST {
                self.drop_oldest();
            }
            let assembly = Assembly::new(fragment.count);
            self.held += assembly.held();
            self.partial.push_back(Partial { message: fragment.message, since: now, assembly });
            self.partial.len() - 1
        });
        let partial = self.partial.get_mut(place)?;
        let before = partial.assembly.held();
        let added = partial.assembly.add(fragment);
        self.held = self.held + partial.assembly.held() - before;
        if added != Added::Complete {
            return None;
        }
        let whole = self.partial.remove(place)?;
        self.held -= whole.assembly.held();
        Some(whole.assembly.finish(Delivery::Unreliable))
    }

    /// Bytes of memory held.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Gives the oldest message up; false if there is none.
    pub fn drop_oldest(&mut self) -> bool {
        let dropped = self.partial.pop_front();
        self.held -= dropped.as_ref().map_or(0, |partial| partial.assembly.held());
        dropped.is_some()
    }

    /// Gives up what has become too old.
    pub fn handle_timeout(&mut self, now: Instant) {
        while self.poll_timeout().is_some_and(|time| time <= now) {
            self.drop_oldest();
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.partial.front().map(|partial| partial.since + LIFETIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: usize = 1 << 20;

    fn receive(receiver: &mut UnreliableReceiver, message: u16, index: u16) -> Option<Message> {
        let fragment =
            Fragment { reliable: false, message, count: 2, index, bytes: &[message as u8; 1100] };
        receiver.receive(&fragment, Instant::ZERO, BUDGET)
    }

    #[test]
    fn fragments_of_several_messages_mix() {
        let mut receiver = UnreliableReceiver::default();
        for message in 0..5 {
            assert!(receive(&mut receiver, message, 1).is_none());
        }
        for message in [3, 0, 4, 1, 2] {
            let whole = receive(&mut receiver, message, 0).unwrap();
            assert_eq!(whole.payload(), [message as u8; 2200]);
        }
        assert_eq!(receiver.held(), 0);
    }

    #[test]
    fn an_unfinished_message_is_given_up_after_a_second() {
        let mut receiver = UnreliableReceiver::default();
        receive(&mut receiver, 7, 0);
        receiver.handle_timeout(Instant::ZERO + LIFETIME - Duration::from_nanos(1));
        assert_eq!(receiver.poll_timeout(), Some(Instant::ZERO + LIFETIME));
        receiver.handle_timeout(Instant::ZERO + LIFETIME);
        assert_eq!((receiver.held(), receiver.poll_timeout()), (0, None));
        assert!(receive(&mut receiver, 7, 1).is_none());
    }

    /// The numbers of messages of one fragment pass by unseen.
    #[test]
    fn a_message_is_taken_however_far_numbers_went_since_the_last_one_of_several_fragments() {
        for distance in [1, 255, 256, 32_767, 32_768, 40_000, 65_535u16] {
            let mut receiver = UnreliableReceiver::default();
            for message in [u16::MAX, u16::MAX.wrapping_add(distance)] {
                assert!(receive(&mut receiver, message, 0).is_none());
                assert!(receive(&mut receiver, message, 1).is_some(), "{distance}");
            }
        }
    }

    #[test]
    fn d29_a_bomb_of_unfinished_messages_stays_small() {
        let mut receiver = UnreliableReceiver::default();
        for message in 0..2000 {
            let bytes = &[1][..];
            let bomb = Fragment { reliable: false, message, count: 900, index: 899, bytes };
            assert!(receiver.receive(&bomb, Instant::ZERO, BUDGET).is_none());
            assert!(receiver.held() < 64 * 400 && receiver.partial.len() <= MOST);
        }
        let huge = Fragment { reliable: false, message: 5000, count: 1000, index: 999, bytes: &[1] };
        let held = receiver.held();
        receiver.receive(&huge, Instant::ZERO, BUDGET);
        assert_eq!(receiver.held(), held);
    }
}
