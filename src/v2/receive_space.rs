//! One sequence of reliable messages on its way in: puts fragments together, delivers each message
//! once, and in order where that was asked for.

use super::frame::MessageFrame;
use super::reassembly::{Added, Assembly};
use super::receive_credit::ReceiveCredit;
use super::send_space::SEQUENCE_WINDOW;
use crate::message::{Delivery, Message, MessageInfo};
use std::collections::BTreeMap;

/// The peer broke the protocol: the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation;

/// The reliable messages of a channel, ordered or unordered.
#[derive(Debug)]
pub struct ReceiveSpace {
    delivery: Delivery,
    /// The lowest sequence of which not every byte came.
    next: u64,
    /// Messages from `next` on of which something came, and that were not delivered.
    pending: BTreeMap<u64, Pending>,
    delivered: Delivered,
}

#[derive(Debug)]
enum Pending {
    Partial(Box<Assembly>),
    /// Whole, waiting for an earlier one.
    Waiting(Message),
}

/// Which messages of the window were delivered before an earlier one. No credit limits how many those are: a bit for
/// each, at the sequence modulo the window.
#[derive(Debug, Default)]
struct Delivered {
    bits: Vec<u64>,
}

impl Delivered {
    fn place(sequence: u64) -> (usize, u64) {
        let bit = sequence % SEQUENCE_WINDOW;
        ((bit / 64) as usize, 1 << (bit % 64))
    }

    fn contains(&self, sequence: u64) -> bool {
        let (word, mask) = Self::place(sequence);
        self.bits.get(word).is_some_and(|bits| bits & mask != 0)
    }

    fn insert(&mut self, sequence: u64) {
        let (word, mask) = Self::place(sequence);
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        if let Some(bits) = self.bits.get_mut(word) {
            *bits |= mask;
        }
    }

    /// Takes a message out; false if it was not in.
    fn remove(&mut self, sequence: u64) -> bool {
        let (word, mask) = Self::place(sequence);
        let Some(bits) = self.bits.get_mut(word).filter(|bits| **bits & mask != 0) else { return false };
        *bits &= !mask;
        true
    }
}

impl ReceiveSpace {
    /// Starts at sequence 0. `delivery` is one of the reliable ones.
    pub fn new(delivery: Delivery) -> ReceiveSpace {
        ReceiveSpace { delivery, next: 0, pending: BTreeMap::new(), delivered: Delivered::default() }
    }

    /// Takes in a frame; gives what became deliverable to `deliver`. True if any of it was new.
    pub fn receive(
        &mut self,
        frame: &MessageFrame<'_>,
        credit: &mut ReceiveCredit,
        mut deliver: impl FnMut(Message),
    ) -> Result<bool, Violation> {
        let ahead = frame.sequence.wrapping_sub(self.next as u16);
        // What is not within the window ahead came before: a sender never has more on the way.
        if u64::from(ahead) >= SEQUENCE_WINDOW {
            return Ok(false);
        }
        let sequence = self.next + u64::from(ahead);
        let whole_size = frame.bytes.len() as u32;
        let total = frame.fragment.map_or(whole_size, |fragment| fragment.total);
        let message = match self.pending.get_mut(&sequence) {
            Some(Pending::Waiting(_)) => return Ok(false),
            None if self.delivered.contains(sequence) => return Ok(false),
            Some(Pending::Partial(assembly)) if assembly.total() != total => return Err(Violation),
            Some(Pending::Partial(assembly)) => {
                let offset = frame.fragment.map_or(0, |fragment| fragment.offset);
                match assembly.add(offset, frame.bytes, frame.id) {
                    Added::Complete => {}
                    added => return Ok(added == Added::Part),
                }
                match self.pending.remove(&sequence) {
                    Some(Pending::Partial(assembly)) => assembly.finish(frame.channel, frame.delivery),
                    _ => return Ok(false),
                }
            }
            None => {
                credit.begin(total)?;
                match frame.fragment {
                    Some(fragment) => {
                        let mut assembly = Box::new(Assembly::new(total, frame.delivery));
                        if assembly.add(fragment.offset, frame.bytes, frame.id) != Added::Complete {
                            self.pending.insert(sequence, Pending::Partial(assembly));
                            return Ok(true);
                        }
                        assembly.finish(frame.channel, frame.delivery)
                    }
                    None => {
                        let id = frame.id.unwrap_or(0);
                        let info = MessageInfo { channel: frame.channel, reliable: true, id };
                        Message::new(info, frame.bytes)
                    }
                }
            }
        };
        credit.complete(message.len());
        self.complete(sequence, message, &mut deliver);
        Ok(true)
    }

    /// Gives room back that is not used.
    pub fn shrink(&mut self) {
        if self.delivered.bits.iter().all(|bits| *bits == 0) {
            self.delivered = Delivered::default();
        }
    }

    fn complete(&mut self, sequence: u64, message: Message, deliver: &mut impl FnMut(Message)) {
        if sequence != self.next {
            if self.delivery == Delivery::ReliableOrdered {
                self.pending.insert(sequence, Pending::Waiting(message));
            } else {
                deliver(message);
                self.delivered.insert(sequence);
            }
            return;
        }
        deliver(message);
        self.next += 1;
        loop {
            if let Some(entry) = self.pending.first_entry()
                && *entry.key() == self.next
                && matches!(entry.get(), Pending::Waiting(_))
            {
                if let Pending::Waiting(message) = entry.remove() {
                    deliver(message);
                }
            } else if !self.delivered.remove(self.next) {
                return;
            }
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::Fragment;
    use super::*;
    use Delivery::{ReliableOrdered, ReliableUnordered};

    fn whole(sequence: u16, bytes: &[u8]) -> MessageFrame<'_> {
        let delivery = ReliableOrdered;
        MessageFrame { channel: 0, delivery, id: None, sequence, fragment: None, bytes }
    }

    fn part(sequence: u16, total: u32, offset: u32, bytes: &[u8]) -> MessageFrame<'_> {
        MessageFrame { fragment: Some(Fragment { total, offset }), ..whole(sequence, bytes) }
    }

    struct Fixture {
        space: ReceiveSpace,
        credit: ReceiveCredit,
        delivered: Vec<Vec<u8>>,
    }

    impl Fixture {
        fn new(delivery: Delivery) -> Fixture {
            Fixture {
                space: ReceiveSpace::new(delivery),
                credit: ReceiveCredit::new(1 << 20),
                delivered: Vec::new(),
            }
        }

        fn receive(&mut self, frame: MessageFrame<'_>) -> Result<bool, Violation> {
            let delivered = &mut self.delivered;
            self.space
                .receive(&frame, &mut self.credit, |message| delivered.push(message.payload().to_vec()))
        }
    }

    #[test]
    fn ordered_messages_come_once_and_in_order() {
        let mut f = Fixture::new(ReliableOrdered);
        for sequence in [2, 0, 2, 0, 1, 1, 3] {
            f.receive(whole(sequence, &[sequence as u8])).unwrap();
        }
        assert_eq!(f.delivered, [[0], [1], [2], [3]]);
        assert!(f.space.pending.is_empty());
    }

    #[test]
    fn what_is_remembered_of_early_messages_is_given_back_once_none_is_missing() {
        let mut credit = ReceiveCredit::new(1 << 20);
        let mut space = ReceiveSpace::new(ReliableUnordered);
        let mut receive = |space: &mut ReceiveSpace, sequence| {
            let message =
                MessageFrame { delivery: Delivery::ReliableUnordered, ..whole(sequence, b"?") };
            space.receive(&message, &mut credit, |_| ()).unwrap()
        };
        for sequence in [3, 1, 2] {
            assert!(receive(&mut space, sequence));
            assert!(!receive(&mut space, sequence));
        }
        space.shrink();
        assert!(!receive(&mut space, 2) && space.delivered.bits.capacity() > 0);
        assert!(receive(&mut space, 0));
        space.shrink();
        assert_eq!((space.next, space.delivered.bits.capacity()), (4, 0));
        assert!(receive(&mut space, 4));
    }

    #[test]
    fn unordered_messages_come_once_as_they_arrive() {
        let mut f = Fixture::new(ReliableUnordered);
        for sequence in [2, 0, 2, 0, 3, 1, 3] {
            f.receive(whole(sequence, &[sequence as u8])).unwrap();
        }
        assert_eq!(f.delivered, [[2], [0], [3], [1]]);
        assert!(f.space.pending.is_empty());
    }

    #[test]
    fn fragments_and_whole_copies_of_a_message_mix() {
        let mut f = Fixture::new(ReliableOrdered);
        let bytes: Vec<u8> = (0..100).collect();
        f.receive(part(0, 100, 64, &bytes[64..])).unwrap();
        f.receive(whole(0, &bytes)).unwrap();
        f.receive(part(0, 100, 0, &bytes[..64])).unwrap();
        assert_eq!(f.delivered, [bytes]);
    }

    #[test]
    fn fragments_that_disagree_on_the_total_are_a_violation() {
        let mut f = Fixture::new(ReliableOrdered);
        f.receive(part(0, 100, 0, &[0; 32])).unwrap();
        assert_eq!(f.receive(part(0, 101, 32, &[0; 32])), Err(Violation));
        assert_eq!(f.receive(whole(0, &[0; 99])), Err(Violation));
    }

    #[test]
    fn more_than_the_credit_is_a_violation_and_a_copy_costs_nothing() {
        let mut f = Fixture::new(ReliableOrdered);
        f.credit = ReceiveCredit::new(0); // what every receiver takes: 64 KiB
        for _ in 0..9 {
            f.receive(part(1, 60_000, 0, &[0; 32])).unwrap();
        }
        assert_eq!(f.receive(part(2, 6_000, 0, &[0; 32])), Err(Violation));
    }

    #[test]
    fn sequences_go_on_past_16_bits() {
        let mut f = Fixture::new(ReliableOrdered);
        for sequence in 0..70_000u64 {
            // Each pair swapped, and an old copy of each.
            let sequence = sequence ^ 1;
            f.receive(whole(sequence as u16, &sequence.to_le_bytes())).unwrap();
            let old = sequence.saturating_sub(9_000);
            f.receive(whole(old as u16, b"old copy")).unwrap();
            for message in f.delivered.drain(..) {
                f.credit.consume(message.len());
                f.credit.grant();
            }
        }
        assert_eq!(f.space.next, 70_000);
    }
}
