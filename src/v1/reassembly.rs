//! A message put together from its fragments. Memory follows the bytes that came, never the count a peer
//! claims (D29): what comes in order is appended, what comes ahead of it waits as it is.

use super::payload::{FRAGMENT_SIZE, Fragment};
use crate::message::{Delivery, MESSAGE_COST, Message, MessageInfo};
use std::collections::BTreeMap;

/// A message of which some fragments came.
#[derive(Debug)]
pub struct Assembly {
    count: u16,
    /// Fragments in the buffer: all before this one.
    joined: u16,
    /// [`Message::HEADROOM`] bytes, then the fragments joined.
    buffer: Vec<u8>,
    /// Fragments beyond those, by index: as wide as the offsets of CUTE 2.00, so that one map's code serves both.
    ahead: BTreeMap<u32, Box<[u8]>>,
    ahead_cost: usize,
}

/// What a fragment did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It was there already, or is of another message.
    Nothing,
    /// It is new, and more are missing.
    Part,
    /// The message is whole.
    Complete,
}

impl Assembly {
    /// Starts a message of `count` fragments.
    pub fn new(count: u16) -> Assembly {
        Assembly { count, joined: 0, buffer: Vec::new(), ahead: BTreeMap::new(), ahead_cost: 0 }
    }

    /// How many fragments the message has.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// The most bytes of memory that the message takes until it is whole, the first fragment missing longest.
    pub fn most(&self) -> usize {
        let each = FRAGMENT_SIZE + MESSAGE_COST;
        (usize::from(self.count) + 1) * each + Message::HEADROOM + size_of::<Assembly>()
    }

    /// Bytes of memory held.
    pub fn held(&self) -> usize {
        self.buffer.capacity() + self.ahead_cost + size_of::<Assembly>() + MESSAGE_COST
    }

    /// True if every fragment came.
    pub fn is_whole(&self) -> bool {
        self.joined >= self.count
    }

    /// True if the fragment is new.
    pub fn lacks(&self, fragment: &Fragment<'_>) -> bool {
        fragment.index >= self.joined && !self.ahead.contains_key(&fragment.index.into())
    }

    /// Takes in a fragment that was checked by itself.
    pub fn add(&mut self, fragment: &Fragment<'_>) -> Added {
        if fragment.count != self.count || !self.lacks(fragment) {
            return Added::Nothing;
        }
        if fragment.index == self.joined {
            self.join(fragment.bytes);
            while let Some(bytes) = self.ahead.remove(&self.joined.into()) {
                self.ahead_cost -= bytes.len() + MESSAGE_COST;
                self.join(&bytes);
            }
        } else {
            self.ahead_cost += fragment.bytes.len() + MESSAGE_COST;
            self.ahead.insert(fragment.index.into(), fragment.bytes.into());
        }
        if self.is_whole() { Added::Complete } else { Added::Part }
    }

    fn join(&mut self, bytes: &[u8]) {
        if self.buffer.is_empty() {
            self.buffer.reserve_exact(Message::HEADROOM + bytes.len());
            self.buffer.resize(Message::HEADROOM, 0);
        }
        let needed = self.buffer.len() + bytes.len();
        if needed > self.buffer.capacity() {
            // Steps of an eighth: few copies, and never much more than came.
            let whole = Message::HEADROOM + usize::from(self.count) * FRAGMENT_SIZE;
            let room = (needed + needed / 8).min(whole).max(needed);
            self.buffer.reserve_exact(room - self.buffer.len());
        }
        self.buffer.extend_from_slice(bytes);
        self.joined += 1;
    }

    /// The whole message.
    pub fn finish(self, delivery: Delivery) -> Message {
        let info = MessageInfo { channel: 0, reliable: delivery.is_reliable(), id: 0 };
        Message::from_buffer(info, self.buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fragment(count: u16, index: u16, bytes: &[u8]) -> Fragment<'_> {
        Fragment { reliable: true, message: 0, count, index, bytes }
    }

    #[test]
    fn d29_memory_follows_the_bytes_that_came() {
        let mut assembly = Assembly::new(19_065);
        assert_eq!(assembly.add(&fragment(19_065, 19_064, &[1])), Added::Part);
        assert!(assembly.held() < 500);
        for index in 0..2000 {
            assert_eq!(assembly.add(&fragment(19_065, index, &[1; 1100])), Added::Part);
            let came = (usize::from(index) + 1) * 1100;
            assert!(assembly.held() < came + came / 8 + 3000, "{} of {came}", assembly.held());
        }
        assert_eq!(assembly.add(&fragment(19_065, 5, &[1; 1100])), Added::Nothing);
        assert_eq!(assembly.add(&fragment(19_064, 3000, &[1; 1100])), Added::Nothing);
    }

    #[test]
    fn a_last_fragment_without_bytes_gives_what_the_original_kept() {
        let mut assembly = Assembly::new(2);
        assembly.add(&fragment(2, 1, &[]));
        assert_eq!(assembly.add(&fragment(2, 0, &[3; 1100])), Added::Complete);
        assert_eq!(assembly.finish(Delivery::Unreliable).payload(), [3; 1100]);
        let mut assembly = Assembly::new(1);
        assert_eq!(assembly.add(&fragment(1, 0, &[])), Added::Complete);
        assert!(assembly.finish(Delivery::Unreliable).is_empty());
    }

    proptest! {
        #[test]
        fn any_order_gives_the_message(size in 1usize..30_000, order in any::<u64>()) {
            let message: Vec<u8> = (0..size).map(|at| (at * 7 + at / 256) as u8).collect();
            let count = size.div_ceil(FRAGMENT_SIZE) as u16;
            let mut fragments: Vec<_> = (0u16..).zip(message.chunks(FRAGMENT_SIZE)).collect();
            fragments.sort_by_key(|(index, _)| {
                (u64::from(*index) ^ order).wrapping_mul(0x9E37_79B9_7F4A_7C15)
            });
            let mut assembly = Assembly::new(count);
            for (place, (index, bytes)) in fragments.iter().enumerate() {
                let complete = place + 1 == usize::from(count);
                let expected = if complete { Added::Complete } else { Added::Part };
                prop_assert_eq!(assembly.add(&fragment(count, *index, bytes)), expected);
                prop_assert_eq!(assembly.add(&fragment(count, *index, bytes)), Added::Nothing);
                prop_assert!(assembly.held() <= assembly.most());
            }
            let whole = assembly.finish(Delivery::ReliableOrdered);
            prop_assert_eq!(whole.payload(), &message[..]);
        }
    }
}
