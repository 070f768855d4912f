//! Reliable messages on their way in: each delivered once, in order, whole. What comes beyond the memory is
//! refused before it is acknowledged, so that the peer sends it again; the message to deliver next always finds
//! the room that later ones may not use, or stands in the way until the server lends more.

use super::payload::{Fragment, MAX_MESSAGE_SIZE};
use super::reassembly::Assembly;
use crate::message::{Delivery, MESSAGE_COST, Message, MessageInfo};
use crate::time::Instant;
use std::collections::BTreeMap;

/// Messages beyond the next one to deliver that may be begun (the original's window).
const WINDOW: u64 = 1024;

/// What became of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It was taken, or is there already: the packet may be acknowledged.
    Taken,
    /// There is no room for it now.
    NoRoom,
    /// It contradicts what came before.
    Contradiction,
}

/// Reliable messages on their way in.
#[derive(Debug)]
pub struct ReliableReceiver {
    /// The number of the next message to deliver.
    next: u64,
    begun: BTreeMap<u64, Assembly>,
    /// Bytes that may be held, and bytes on loan beyond them.
    allowance: usize,
    loan: usize,
    /// Bytes of messages begun, and of those delivered that the program did not take.
    assembling: usize,
    waiting: usize,
    /// Bytes that the next message lacks, if it was refused for want of them.
    short: usize,
    progress_at: Instant,
}

impl ReliableReceiver {
    /// Starts with room for `allowance` bytes.
    pub fn new(allowance: u64) -> ReliableReceiver {
        ReliableReceiver {
            next: 0,
            begun: BTreeMap::new(),
            allowance: usize::try_from(allowance).unwrap_or(usize::MAX),
            loan: 0,
            assembling: 0,
            waiting: 0,
            short: 0,
            progress_at: Instant::ZERO,
        }
    }

    /// Takes in a fragment; messages that can be delivered go to `deliver`, in order.
    pub fn receive(
        &mut self,
        fragment: &Fragment<'_>,
        now: Instant,
        mut deliver: impl FnMut(Message),
    ) -> Received {
        let ahead = fragment.message.wrapping_sub(self.next as u16) as i16;
        let Ok(ahead) = u64::try_from(ahead) else {
            return Received::Taken;
        };
        if ahead >= WINDOW {
            return Received::NoRoom;
        }
        let number = self.next + ahead;
        if let Some(assembly) = self.begun.get(&number) {
            if assembly.count() != fragment.count {
                return Received::Contradiction;
            }
            if !assembly.lacks(fragment) {
                return Received::Taken;
            }
        }
        if !self.has_room(number, fragment) {
            return Received::NoRoom;
        }
        self.progress_at = now;
        if ahead == 0 && fragment.count == 1 {
            let info = MessageInfo { channel: 0, reliable: true, id: 0 };
            self.deliver(Message::new(info, fragment.bytes), &mut deliver);
        } else {
            let assembly = self.begun.entry(number).or_insert_with(|| {
                let assembly = Assembly::new(fragment.count);
                self.assembling += assembly.held();
                assembly
            });
            let before = assembly.held();
            assembly.add(fragment);
            self.assembling = self.assembling + assembly.held() - before;
        }
        self.deliver_whole(&mut deliver);
        Received::Taken
    }

    fn has_room(&mut self, number: u64, fragment: &Fragment<'_>) -> bool {
        let fresh = Assembly::new(fragment.count);
        let known = self.begun.get(&number).unwrap_or(&fresh);
        let begins = match self.begun.contains_key(&number) {
            true => 0,
            false if number == self.next && fragment.count == 1 => MESSAGE_COST,
            false => fresh.held(),
        };
        let more = fragment.bytes.len() + begins;
        let held = self.assembling + self.waiting + more;
        if number != self.next {
            let reserved = MAX_MESSAGE_SIZE + MAX_MESSAGE_SIZE / 16;
            let later = match self.allowance.checked_sub(reserved) {
                Some(later) => later,
                None => self.allowance / 4,
            };
            return held <= later;
        }
        let whole = self.waiting + self.assembling - self.begun.get(&number).map_or(0, Assembly::held)
            + known.most();
        let room = self.allowance + self.loan;
        // What its fragments take in between may be counted a little above what the whole will: who has room for the
        // one has it for the other, and a loan is of what the whole lacks.
        let fits = held <= room || whole <= room;
        self.short = if fits { 0 } else { whole.saturating_sub(room) };
        fits
    }

    fn deliver_whole(&mut self, deliver: &mut impl FnMut(Message)) {
        while let Some(entry) = self.begun.first_entry()
            && *entry.key() == self.next
            && entry.get().is_whole()
        {
            let assembly = entry.remove();
            self.assembling -= assembly.held();
            self.deliver(assembly.finish(Delivery::ReliableOrdered), deliver);
        }
    }

    fn deliver(&mut self, message: Message, deliver: &mut impl FnMut(Message)) {
        self.next += 1;
        self.waiting += message.cost();
        deliver(message);
    }

    /// Notes that the program took a message that cost this much. A loan ends when nothing is held of it.
    pub fn on_taken(&mut self, cost: usize) {
        self.waiting = self.waiting.saturating_sub(cost);
        if self.assembling + self.waiting <= self.allowance && !self.begun.contains_key(&self.next) {
            self.loan = 0;
        }
    }

    /// Bytes beyond its allowance that the next message can't do without, when nothing waits for the program.
    pub fn wanted_loan(&self) -> Option<u64> {
        (self.short > 0 && self.waiting == 0).then_some(self.short as u64)
    }

    /// Lends what is wanted.
    pub fn lend(&mut self) {
        self.loan += std::mem::take(&mut self.short);
    }

    /// Bytes lent.
    pub fn lent(&self) -> u64 {
        self.loan as u64
    }

    /// Bytes of memory held.
    pub fn held(&self) -> usize {
        self.assembling + self.waiting
    }

    /// When new bytes last came.
    pub fn progress_at(&self) -> Instant {
        self.progress_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::payload::FRAGMENT_SIZE;

    const NOW: Instant = Instant::ZERO;

    fn receive(
        receiver: &mut ReliableReceiver,
        message: u64,
        (count, index): (u16, u16),
        delivered: &mut Vec<Vec<u8>>,
    ) -> Received {
        let size = if index + 1 == count { 8 } else { FRAGMENT_SIZE };
        let mut bytes = vec![0; size];
        bytes[..8].copy_from_slice(&message.to_le_bytes());
        let fragment = Fragment { reliable: true, message: message as u16, count, index, bytes: &bytes };
        receiver.receive(&fragment, NOW, |message| delivered.push(message.payload().to_vec()))
    }

    #[test]
    fn messages_are_delivered_in_order_each_once() {
        let mut receiver = ReliableReceiver::new(1 << 20);
        let mut out = Vec::new();
        for (message, part) in [(1, (1, 0)), (2, (2, 1)), (1, (1, 0)), (0, (1, 0)), (0, (1, 0))] {
            assert_eq!(receive(&mut receiver, message, part, &mut out), Received::Taken);
        }
        assert_eq!(out, [vec![0; 8], [&[1][..], &[0; 7]].concat()]);
        assert_eq!(receive(&mut receiver, 2, (3, 0), &mut out), Received::Contradiction);
        assert_eq!(receive(&mut receiver, 2, (2, 0), &mut out), Received::Taken);
        assert_eq!(out[2].len(), 1108);
        assert_eq!((receiver.begun.len(), receiver.assembling), (0, 0));
    }

    /// However its fragments come: what a message needs beyond the allowance is asked for, and then enough.
    #[test]
    fn a_message_a_little_above_the_allowance_gets_its_loan_and_comes_whole() {
        use crate::crypto::random::Generator;
        for seed in 0..400u16 {
            let mut draw = Generator::new([seed as u8; 32]);
            let count = 50 + seed % 16;
            let mut order: Vec<u16> = (0..count).collect();
            for at in 1..count {
                // Mostly in order, with a few that come late.
                if draw.below(4) == 0 {
                    order.swap(usize::from(at), draw.below(u64::from(at) + 1) as usize);
                }
            }
            let mut receiver = ReliableReceiver::new(64 << 10);
            let mut out = Vec::new();
            for _ in 0..4 {
                for &index in &order {
                    let received = receive(&mut receiver, 0, (count, index), &mut out);
                    if received == Received::NoRoom && receiver.wanted_loan().is_some() {
                        receiver.lend();
                    }
                }
            }
            assert_eq!(out.len(), 1, "{seed}: {} held, {} lent", receiver.held(), receiver.lent());
        }
    }

    #[test]
    fn d25_numbers_wrap_while_messages_change_places() {
        let mut receiver = ReliableReceiver::new(1 << 20);
        let mut out = Vec::new();
        for pair in 0..70_000u64 / 2 {
            for message in [2 * pair + 1, 2 * pair] {
                receive(&mut receiver, message, (1, 0), &mut out);
            }
            for message in out.drain(..) {
                receiver.on_taken(message.len() + 64);
            }
            assert_eq!(receiver.next, 2 * pair + 2);
        }
        assert_eq!(receiver.held(), 0);
    }

    #[test]
    fn d23_d29_what_has_no_room_is_refused_and_the_next_message_has_it() {
        let mut receiver = ReliableReceiver::new(100_000);
        let mut out = Vec::new();
        assert_eq!(receive(&mut receiver, 1024, (1, 0), &mut out), Received::NoRoom);
        let mut refused = 0;
        for message in 1..1024 {
            for index in 0..3 {
                refused += u32::from(
                    receive(&mut receiver, message, (60, index), &mut out) == Received::NoRoom,
                );
            }
            assert!(receiver.held() <= 25_000);
        }
        assert!(refused > 3000);
        for index in 0..60 {
            assert_eq!(receive(&mut receiver, 0, (60, index), &mut out), Received::Taken);
        }
        assert_eq!(out.len(), 1);
        assert!(receiver.held() <= 100_000);
        assert_eq!(receiver.wanted_loan(), None);
    }

    #[test]
    fn a_message_larger_than_the_allowance_waits_for_a_loan() {
        let mut receiver = ReliableReceiver::new(100_000);
        let mut out = Vec::new();
        let mut index = 0;
        while receive(&mut receiver, 0, (200, index), &mut out) == Received::Taken {
            index += 1;
        }
        assert!((70..100).contains(&index), "{index}");
        let wanted = receiver.wanted_loan().unwrap();
        assert!((115_000..150_000).contains(&wanted), "{wanted}");
        receiver.lend();
        assert_eq!((receiver.wanted_loan(), receiver.lent()), (None, wanted));
        for index in index..200 {
            assert_eq!(receive(&mut receiver, 0, (200, index), &mut out), Received::Taken);
        }
        assert_eq!(out.len(), 1);
        receiver.on_taken(out[0].len() + 64);
        assert_eq!((receiver.lent(), receiver.held()), (0, 0));
    }

    #[test]
    fn the_largest_message_fits_the_default_budget() {
        let mut receiver = ReliableReceiver::new(24 << 20);
        let mut out = Vec::new();
        for message in 1..1000 {
            receive(&mut receiver, message, (8, 0), &mut out);
        }
        for index in 0..19_065 {
            assert_eq!(receive(&mut receiver, 0, (19_065, index), &mut out), Received::Taken);
        }
        assert_eq!(out[0].len(), 19_064 * 1100 + 8);
        assert!(receiver.held() <= 24 << 20);
    }
}
