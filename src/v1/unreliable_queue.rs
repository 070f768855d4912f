//! Unreliable messages that wait for a packet: each fragment leaves once. Where they can't leave as fast as they
//! come, the newest win.

use super::payload::{FRAGMENT_SIZE, Fragment, fragments};
use crate::message::MESSAGE_COST;
use std::collections::VecDeque;

#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    next: u16,
}

impl Waiting {
    fn cost(&self) -> usize {
        self.bytes.len() + MESSAGE_COST
    }

    /// Bytes that have not left.
    fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(usize::from(self.next) * FRAGMENT_SIZE)
    }
}

/// Unreliable messages that wait for a packet.
#[derive(Debug, Default)]
pub struct UnreliableQueue {
    waiting: VecDeque<Waiting>,
    /// The number of the first message that waits.
    first: u16,
    cost: usize,
    dropped: u64,
}

impl UnreliableQueue {
    /// Queues a message of at least one byte.
    pub fn push(&mut self, bytes: &[u8]) {
        let waiting = Waiting { bytes: bytes.to_vec(), next: 0 };
        self.cost += waiting.cost();
        self.waiting.push_back(waiting);
    }

    /// What the messages cost that wait.
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many messages were given up.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Gives the next fragment to `send`.
    pub fn send_next(&mut self, send: impl FnOnce(&Fragment<'_>)) {
        let Some(waiting) = self.waiting.front_mut() else { return };
        let count = fragments(waiting.bytes.len()) as u16;
        let index = waiting.next;
        let bytes = waiting.bytes.chunks(FRAGMENT_SIZE).nth(usize::from(index)).unwrap_or_default();
        // D33: the last fragment of a multiple of 1100 is a full one.
        let fragment = Fragment { reliable: false, message: self.first, count, index, bytes };
        send(&fragment);
        waiting.next += 1;
        if waiting.next >= count {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some(waiting) = self.waiting.pop_front() {
            self.cost -= waiting.cost();
            self.first = self.first.wrapping_add(1);
        }
    }

    /// Forgets the oldest messages beyond `budget` bytes; the newest stays, and what was begun is finished, unless
    /// more than `stale` bytes of it remain: its receiver would have given up its start when its end arrives.
    pub fn keep_newest(&mut self, budget: usize, stale: usize) {
        if self.waiting.front().is_some_and(|waiting| waiting.next > 0 && waiting.remaining() > stale) {
            self.pop();
            self.dropped += 1;
        }
        while self.cost > budget
            && self.waiting.len() > 1
            && self.waiting.front().is_some_and(|waiting| waiting.next == 0)
        {
            self.pop();
            self.dropped += 1;
        }
    }

    /// Gives room back that is not used.
    pub fn shrink(&mut self) {
        self.waiting.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(queue: &mut UnreliableQueue) -> Vec<(u16, u16, u16, usize)> {
        let mut sent = Vec::new();
        while !queue.is_empty() {
            queue.send_next(|fragment| {
                let Fragment { message, count, index, bytes, .. } = *fragment;
                sent.push((message, count, index, bytes.len()));
            });
        }
        sent
    }

    #[test]
    fn d33_multiples_of_1100_end_in_a_full_fragment() {
        let mut queue = UnreliableQueue::default();
        for size in [1, 1100, 2200, 1101] {
            queue.push(&vec![0; size]);
        }
        let expected = [
            (0, 1, 0, 1),
            (1, 1, 0, 1100),
            (2, 2, 0, 1100),
            (2, 2, 1, 1100),
            (3, 2, 0, 1100),
            (3, 2, 1, 1),
        ];
        assert_eq!(sent(&mut queue), expected);
        assert_eq!(queue.cost(), 0);
    }

    #[test]
    fn the_newest_win_and_what_was_begun_is_finished() {
        let mut queue = UnreliableQueue::default();
        queue.push(&[0; 1101]);
        queue.send_next(|_| ());
        (0..5).for_each(|_| queue.push(&[0; 36]));
        queue.keep_newest(0, 1);
        assert_eq!((queue.waiting.len(), queue.dropped()), (6, 0));
        queue.send_next(|_| ());
        queue.keep_newest(250, 1);
        assert_eq!(sent(&mut queue), [(4, 1, 0, 36), (5, 1, 0, 36)]);
        assert_eq!(queue.dropped(), 3);
    }

    #[test]
    fn what_was_begun_is_given_up_if_too_much_of_it_remains() {
        let mut queue = UnreliableQueue::default();
        queue.push(&[0; 3300]);
        queue.push(&[0; 36]);
        queue.keep_newest(4000, 0);
        assert_eq!((queue.waiting.len(), queue.dropped()), (2, 0));
        queue.send_next(|_| ());
        queue.keep_newest(4000, 2200);
        assert_eq!((queue.waiting.len(), queue.dropped()), (2, 0));
        queue.keep_newest(4000, 2199);
        assert_eq!((sent(&mut queue), queue.dropped(), queue.cost()), (vec![(1, 1, 0, 36)], 1, 0));
    }
}
