//! A message put together from its fragments. Memory follows the bytes that came, never the total a
//! peer claims; one bit for each 32 bytes says which did, and bytes already held win.
//!
//! The total of a reliable message was paid for with credit, so its fragments go where they belong. That
//! of an unreliable one was not: a fragment far ahead of what came waits until more did, or one small
//! fragment at the end of a large message after another would have all the memory before it cleared.

use super::frame::FRAGMENT_UNIT;
use crate::message::{Delivery, MESSAGE_COST, Message, MessageInfo};
use std::collections::BTreeMap;

/// A fragment of an unreliable message waits if it ends further than this and twice the bytes that came.
const LEAD: usize = 4096;

/// A message of which some fragments came.
#[derive(Debug)]
pub struct Assembly {
    total: u32,
    id: u32,
    /// [`Message::HEADROOM`] bytes, then the message as far as fragments reached.
    buffer: Vec<u8>,
    /// One bit for each unit of [`FRAGMENT_UNIT`] bytes.
    came: Vec<u64>,
    units_missing: u32,
    /// How far fragments may reach now.
    reach: usize,
    /// Fragments beyond that, by their offsets.
    ahead: BTreeMap<u32, Box<[u8]>>,
    ahead_cost: usize,
}

/// What a fragment did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// Every byte of it was held already.
    Nothing,
    /// Some bytes were new, and more are missing.
    Part,
    /// The message is whole.
    Complete,
}

impl Assembly {
    /// Starts a message of `total` bytes.
    pub fn new(total: u32, delivery: Delivery) -> Assembly {
        let units_missing = total.div_ceil(FRAGMENT_UNIT as u32);
        Assembly {
            total,
            id: 0,
            buffer: Vec::new(),
            came: Vec::new(),
            units_missing,
            reach: if delivery.is_reliable() { total as usize } else { LEAD },
            ahead: BTreeMap::new(),
            ahead_cost: 0,
        }
    }

    /// Bytes of the whole message.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// Bytes of memory held.
    pub fn held(&self) -> usize {
        self.buffer.capacity() + self.came.capacity() * 8 + self.ahead_cost + size_of::<Assembly>()
    }

    /// Takes in a fragment. `decode` has checked that it lies within the total and has whole units;
    /// what it could not have passed changes nothing.
    pub fn add(&mut self, offset: u32, bytes: &[u8], id: Option<u32>) -> Added {
        let offset = offset as usize;
        let Some(end) = offset.checked_add(bytes.len()).filter(|&end| end <= self.total as usize) else {
            return Added::Nothing;
        };
        let missing = (self.units_missing, self.ahead_cost);
        if let Some(id) = id {
            self.id = id;
        }
        self.reach = self.reach.saturating_add(2 * bytes.len());
        if end > self.reach {
            // Of two fragments at one place the longer is kept, or a peer could take back what it sent.
            let held = self.ahead.get(&(offset as u32)).map_or(0, |held| held.len() + MESSAGE_COST);
            let cost = bytes.len() + MESSAGE_COST;
            if cost > held {
                self.ahead.insert(offset as u32, bytes.into());
                self.ahead_cost += cost - held;
            }
        } else {
            self.place(offset, end, bytes);
        }
        while let Some(entry) = self.ahead.first_entry()
            && *entry.key() as usize + entry.get().len() <= self.reach
        {
            let (offset, bytes) = entry.remove_entry();
            self.ahead_cost -= bytes.len() + MESSAGE_COST;
            self.place(offset as usize, offset as usize + bytes.len(), &bytes);
        }
        match self.units_missing {
            0 => Added::Complete,
            _ if missing == (self.units_missing, self.ahead_cost) => Added::Nothing,
            _ => Added::Part,
        }
    }

    /// Puts bytes where they belong.
    fn place(&mut self, offset: usize, end: usize, bytes: &[u8]) {
        self.reserve(end);
        for (at, unit) in (offset..).step_by(FRAGMENT_UNIT).zip(bytes.chunks(FRAGMENT_UNIT)) {
            let (word, bit) = (at / FRAGMENT_UNIT / 64, at / FRAGMENT_UNIT % 64);
            let Some(word) = self.came.get_mut(word) else { continue };
            if *word >> bit & 1 == 1 {
                continue;
            }
            let start = Message::HEADROOM + at;
            if let Some(room) = self.buffer.get_mut(start..start + unit.len()) {
                room.copy_from_slice(unit);
                *word |= 1 << bit;
                self.units_missing -= 1;
            }
        }
    }

    /// Makes room up to byte `end` of the message: at most twice what fragments reached, so that
    /// growing costs little and claiming costs nothing.
    fn reserve(&mut self, end: usize) {
        let length = Message::HEADROOM + end;
        if self.buffer.len() < length {
            let most = Message::HEADROOM + self.total as usize;
            if self.buffer.capacity() < length {
                let wanted = (2 * length).min(most);
                self.buffer.reserve_exact(wanted - self.buffer.len());
            }
            self.buffer.resize(length, 0);
        }
        let words = end.div_ceil(FRAGMENT_UNIT * 64);
        if self.came.len() < words {
            self.came.resize(words, 0);
        }
    }

    /// The message; call it once it is complete.
    pub fn finish(self, channel: u8, delivery: Delivery) -> Message {
        let info = MessageInfo { channel, reliable: delivery.is_reliable(), id: self.id };
        Message::from_buffer(info, self.buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Delivery::{ReliableOrdered, Unreliable};
    use proptest::prelude::*;

    #[test]
    fn of_two_fragments_ahead_at_one_place_the_longer_is_kept() {
        let (short, long) = ([1; 32], [1; 64]);
        for (first, second) in [(&short[..], &long[..]), (&long, &short), (&long, &long)] {
            let mut message = Assembly::new(100_000, Unreliable);
            let empty = message.held();
            assert_eq!(message.add(64_000, first, None), Added::Part);
            message.add(64_000, second, None);
            assert_eq!(message.held() - empty, long.len() + MESSAGE_COST);
        }
    }

    #[test]
    fn memory_follows_what_came_and_not_what_is_claimed() {
        let last = (20 << 20) - 1152;
        for (offset, delivery) in [(0, ReliableOrdered), (0, Unreliable), (last, Unreliable)] {
            let mut assembly = Assembly::new(20 << 20, delivery);
            assembly.add(offset, &[1; 1152], None);
            assert!(assembly.held() < 4096, "{}", assembly.held());
        }
    }

    #[test]
    fn bytes_already_held_win() {
        let mut assembly = Assembly::new(100, ReliableOrdered);
        assert_eq!(assembly.add(0, &[1; 64], Some(5)), Added::Part);
        assert_eq!(assembly.add(32, &[2; 32], None), Added::Nothing);
        assert_eq!(assembly.add(32, &[2; 64], None), Added::Part);
        assert_eq!(assembly.add(96, &[3; 4], None), Added::Complete);
        let message = assembly.finish(2, ReliableOrdered);
        assert_eq!(message.info(), MessageInfo { channel: 2, reliable: true, id: 5 });
        assert_eq!(
            message.payload(),
            [[1; 32], [1; 32], [2; 32]].concat().into_iter().chain([3; 4]).collect::<Vec<_>>()
        );
    }

    #[test]
    fn what_lies_outside_changes_nothing() {
        let mut assembly = Assembly::new(64, ReliableOrdered);
        assert_eq!(assembly.add(64, &[1; 32], None), Added::Nothing);
        assert_eq!(assembly.add(u32::MAX - 31, &[1; 32], None), Added::Nothing);
        assert_eq!(assembly.units_missing, 2);
    }

    proptest! {
        #[test]
        fn any_cut_in_any_order_gives_the_message(
            total in 1usize..30_000,
            cuts in prop::collection::vec(1usize..36, 1..40),
            order in any::<u64>(),
        ) {
            let message: Vec<u8> = (0..total).map(|at| (at * 7 + at / 256) as u8).collect();
            let mut fragments = Vec::new();
            let mut at = 0;
            for cut in cuts.into_iter().cycle() {
                let end = (at + cut * FRAGMENT_UNIT).min(total);
                fragments.push((at, end));
                at = end;
                if at == total {
                    break;
                }
            }
            // A cheap shuffle, then everything twice.
            let key = |at: &(usize, usize)| (at.0 as u64 ^ order).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            fragments.sort_by_key(key);
            let delivery = if order % 2 == 0 { ReliableOrdered } else { Unreliable };
            let mut assembly = Assembly::new(total as u32, delivery);
            let mut result = Added::Nothing;
            for (start, end) in fragments.iter().chain(&fragments) {
                result = assembly.add(*start as u32, &message[*start..*end], None);
            }
            prop_assert_eq!(result, Added::Complete);
            let message_back = assembly.finish(0, delivery);
            prop_assert_eq!(message_back.payload(), &message[..]);
        }
    }
}
