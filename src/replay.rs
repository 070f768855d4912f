//! The replay window: of all packets with the same number, one is accepted. It is asked before a packet is
//! opened, which spares the cipher, and told only after the packet opened, so that a forged one can't use a
//! number up. RFC 4303 section 3.4.3 describes the method; the original's name is
//! `cn_protocol_replay_buffer_t`.

const WORDS: usize = 16;

/// Which of the newest 1024 packet numbers were seen; older ones count as seen.
#[derive(Clone, Debug, Default)]
pub struct ReplayWindow {
    /// The highest number seen plus one.
    next: u64,
    /// One bit for each number of the window, at the number modulo [`Self::SIZE`].
    seen: [u64; WORDS],
}

impl ReplayWindow {
    /// How many numbers the window holds.
    pub const SIZE: u64 = WORDS as u64 * 64;

    /// True if a packet of this number may still be accepted.
    pub fn is_fresh(&self, number: u64) -> bool {
        if number >= self.next {
            // The last number of all has no next: whether it was seen is told by its bit.
            return number < u64::MAX || !self.bit(number);
        }
        number.saturating_add(Self::SIZE) >= self.next && !self.bit(number)
    }

    /// Notes that a packet of this number was accepted.
    pub fn insert(&mut self, number: u64) {
        if number >= self.next {
            let skipped = number - self.next;
            if skipped >= Self::SIZE {
                self.seen = [0; WORDS];
            } else {
                for skipped in self.next..number {
                    self.set(skipped, false);
                }
            }
            self.next = number.saturating_add(1);
        }
        self.set(number, true);
    }

    /// The highest number accepted so far.
    pub fn highest(&self) -> Option<u64> {
        self.next.checked_sub(1)
    }

    fn bit(&self, number: u64) -> bool {
        let (word, mask) = Self::position(number);
        self.seen.get(word).is_some_and(|bits| bits & mask != 0)
    }

    fn set(&mut self, number: u64, seen: bool) {
        let (word, mask) = Self::position(number);
        if let Some(bits) = self.seen.get_mut(word) {
            if seen { *bits |= mask } else { *bits &= !mask }
        }
    }

    fn position(number: u64) -> (usize, u64) {
        let bit = number % Self::SIZE;
        ((bit / 64) as usize, 1 << (bit % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_accepted_once() {
        let mut window = ReplayWindow::default();
        assert_eq!(window.highest(), None);
        for number in [0, 2, 1, 500, 499] {
            assert!(window.is_fresh(number));
            window.insert(number);
            assert!(!window.is_fresh(number));
        }
        assert_eq!(window.highest(), Some(500));
        assert!(window.is_fresh(3));
    }

    #[test]
    fn numbers_older_than_the_window_count_as_seen() {
        let mut window = ReplayWindow::default();
        window.insert(5000);
        assert!(window.is_fresh(5001 - ReplayWindow::SIZE));
        assert!(!window.is_fresh(5000 - ReplayWindow::SIZE));
        window.insert(5001 - ReplayWindow::SIZE);
        window.insert(5001);
        assert!(window.is_fresh(5002 - ReplayWindow::SIZE));
    }

    #[test]
    fn a_jump_forgets_exactly_what_left_the_window() {
        let mut window = ReplayWindow::default();
        for number in 0..ReplayWindow::SIZE {
            window.insert(number);
        }
        window.insert(ReplayWindow::SIZE + 9);
        for number in ReplayWindow::SIZE..ReplayWindow::SIZE + 9 {
            assert!(window.is_fresh(number), "{number}");
        }
        assert!(!window.is_fresh(10));
        window.insert(1 << 40);
        assert!(window.is_fresh((1 << 40) - 1));
    }

    #[test]
    fn the_last_number_there_is_is_handled() {
        let mut window = ReplayWindow::default();
        assert!(window.is_fresh(u64::MAX));
        window.insert(u64::MAX);
        assert!(!window.is_fresh(u64::MAX));
        assert!(window.is_fresh(u64::MAX - 1));
        window.insert(u64::MAX - 1);
        assert!(!window.is_fresh(u64::MAX - 1));
    }
}
