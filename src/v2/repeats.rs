//! What was lost once is sent twice: again at once, and a copy a little later where nothing else wants to
//! leave. A message that is lost twice costs two round trips; this makes that as rare as losing three
//! packets, for the price of what was lost. In a bulk transfer it is the end alone that gets copies.

use super::sent_packets::SentMessage;
use crate::duration::Duration;
use crate::time::Instant;
use std::collections::VecDeque;

/// Copies that may wait: what is lost beyond that goes without one.
const LONGEST: usize = 1024;

/// What was sent again, and may be once more.
#[derive(Debug, Default)]
pub struct Repeats {
    waiting: VecDeque<Waiting>,
    /// When copies were last queued: what leaves again in the same update is one.
    queued_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    due: Instant,
    /// A copy that had to wait until then comes too late to be of use.
    late: Instant,
    sent: SentMessage,
}

impl Repeats {
    /// Notes what leaves [again](SentMessage::again): it gets a copy, `delay` later.
    pub fn on_sent_again(&mut self, now: Instant, delay: Duration, sent: &SentMessage) {
        self.forget_late(now);
        if self.waiting.len() < LONGEST {
            self.waiting.push_back(Waiting { due: now + delay, late: now + delay * 3, sent: *sent });
        }
    }

    fn forget_late(&mut self, now: Instant) {
        while self.waiting.front().is_some_and(|waiting| waiting.late < now) {
            self.waiting.pop_front();
        }
    }

    /// The next to queue for its copy.
    pub fn poll(&mut self, now: Instant) -> Option<SentMessage> {
        self.forget_late(now);
        self.waiting.front().filter(|waiting| waiting.due <= now)?;
        let Waiting { sent, .. } = self.waiting.pop_front()?;
        self.queued_at = Some(now);
        Some(sent)
    }

    /// When [`poll`](Self::poll) has something, unless it waits for something else by then.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.waiting.front().map(|waiting| waiting.due).filter(|&due| due > now)
    }

    /// True if what is lost and leaves now is a copy already.
    pub fn is_copying(&self, now: Instant) -> bool {
        self.queued_at == Some(now)
    }

    /// Gives room back that is not used.
    pub fn shrink(&mut self) {
        self.waiting.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Delivery;

    const DELAY: Duration = Duration::from_millis(10);

    fn at(milliseconds: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(milliseconds)
    }

    fn sent(sequence: u64) -> SentMessage {
        SentMessage {
            sequence,
            offset: 0,
            length: 1,
            channel: 0,
            delivery: Delivery::ReliableOrdered,
            again: true,
        }
    }

    #[test]
    fn what_goes_again_gets_one_copy_unless_that_would_be_late() {
        let mut repeats = Repeats::default();
        repeats.on_sent_again(at(0), DELAY, &sent(2));
        repeats.on_sent_again(at(5), DELAY, &sent(3));
        assert_eq!((repeats.poll(at(9)), repeats.poll_timeout(at(9))), (None, Some(at(10))));
        assert_eq!(repeats.poll(at(10)), Some(sent(2)));
        assert!(repeats.is_copying(at(10)) && !repeats.is_copying(at(11)));
        assert_eq!((repeats.poll(at(40)), repeats.poll_timeout(at(40))), (None, None));
    }

    #[test]
    fn copies_take_little_memory_however_much_was_lost() {
        let mut repeats = Repeats::default();
        (0..5000).for_each(|sequence| repeats.on_sent_again(at(0), DELAY, &sent(sequence)));
        let copies = std::iter::from_fn(|| repeats.poll(at(10))).count();
        repeats.shrink();
        assert_eq!((copies, repeats.waiting.capacity()), (LONGEST, 0));
    }
}
