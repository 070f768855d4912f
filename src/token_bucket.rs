//! A rate with a burst: bytes a second, saved up to a capacity. An item may be larger than what is left, and
//! its debt is paid before the next one goes. Counted in whole billionths of a byte, so that no rate drifts.

use crate::time::Instant;

/// The unit of the level in a byte: what one byte a second earns in a second of nanoseconds.
const BYTE: i64 = 1_000_000_000;

/// Bytes that may go now, and how fast more may.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    /// Bytes a second.
    rate: u32,
    /// What may be saved up, in billionths of a byte.
    capacity: i64,
    /// What was left at `at`; a debt below zero.
    level: i64,
    at: Instant,
}

impl TokenBucket {
    /// A full bucket of `capacity` bytes that earns `rate` bytes a second; a rate of 0 counts as 1.
    pub fn new(rate: u32, capacity: u32) -> TokenBucket {
        let capacity = i64::from(capacity) * BYTE;
        TokenBucket { rate: rate.max(1), capacity, level: capacity, at: Instant::ZERO }
    }

    /// Bytes a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Earns `rate` from `now` on and saves `capacity` bytes at most. A debt stays.
    pub fn set_rate(&mut self, now: Instant, rate: u32, capacity: u32) {
        self.refill(now);
        self.rate = rate.max(1);
        self.capacity = i64::from(capacity) * BYTE;
        self.level = self.level.min(self.capacity);
    }

    /// True if the next item may go: there is no debt.
    pub fn ready(&self, now: Instant) -> bool {
        // Without a debt no clock is asked: `now` may be before what was taken last.
        self.level >= 0 || self.ready_at() <= now
    }

    /// When the next item may go, if nothing is taken until then.
    pub fn ready_at(&self) -> Instant {
        let debt = self.level.min(0).unsigned_abs();
        let wait = debt.div_ceil(u64::from(self.rate));
        Instant::from_nanos(self.at.as_nanos().saturating_add(wait))
    }

    /// Takes an item, even where it is more than what is left.
    pub fn take(&mut self, now: Instant, bytes: usize) {
        self.refill(now);
        let bytes = i64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.level = self.level.saturating_sub(bytes * BYTE);
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.as_nanos().saturating_sub(self.at.as_nanos());
        // Saturating is exact enough: capacity and the debt of one item are less than an i64 together.
        let earned = elapsed.saturating_mul(u64::from(self.rate));
        let earned = i64::try_from(earned).unwrap_or(i64::MAX);
        self.level = self.level.saturating_add(earned).min(self.capacity);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duration::Duration;
    use proptest::prelude::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn a_full_bucket_gives_its_capacity_and_one_item_of_debt() {
        let mut bucket = TokenBucket::new(1000, 500);
        let now = Instant::ZERO + Duration::from_secs(7);
        assert!(bucket.ready(now));
        bucket.take(now, 500);
        assert!(bucket.ready(now));
        bucket.take(now, 100);
        assert!(!bucket.ready(now));
        assert_eq!(bucket.ready_at(), now + Duration::from_millis(100));
        assert!(bucket.ready(now + Duration::from_millis(100)));
        // Half a second of nothing saves up half a second's worth, and a year no more than that.
        let later = now + Duration::from_secs(365 * 86_400);
        bucket.take(later, 501);
        assert_eq!(bucket.ready_at(), later + Duration::from_millis(1));
    }

    #[test]
    fn a_new_rate_counts_from_when_it_is_set_and_forgives_no_debt() {
        let mut bucket = TokenBucket::new(1000, 100);
        bucket.take(Instant::ZERO, 1100);
        let half = Instant::ZERO + Duration::from_millis(500);
        bucket.set_rate(half, 500, 50);
        assert_eq!(bucket.ready_at(), half + Duration::from_secs(1));
        assert_eq!(bucket.rate(), 500);
    }

    #[test]
    fn a_clock_that_stands_or_steps_back_earns_nothing_and_costs_nothing() {
        let mut bucket = TokenBucket::new(1_000_000, 10);
        bucket.take(at(5_000), 10);
        assert!(bucket.ready(at(1_000)));
        bucket.take(at(1_000), 10);
        assert!(!bucket.ready(at(14_999)) && bucket.ready(at(15_000)));
        bucket.take(at(1_000), 0);
        assert_eq!(bucket.ready_at(), at(5_000 + 10_000));
    }

    #[test]
    fn no_number_overflows() {
        for rate in [0, 1, i32::MAX as u32, u32::MAX] {
            for capacity in [0, 1, u32::MAX] {
                let mut bucket = TokenBucket::new(rate, capacity);
                for _ in 0..3 {
                    bucket.take(at(u64::MAX), usize::MAX);
                }
                assert!(bucket.ready_at() == at(u64::MAX));
                bucket.set_rate(at(u64::MAX), rate, capacity);
            }
        }
    }

    proptest! {
        /// However the time is cut, what goes is the rate: neither more nor, while there is demand, less.
        #[test]
        fn a_rate_does_not_drift(
            rate in prop_oneof![1..1000u32, 1000..1_000_000u32, 1_000_000..=i32::MAX as u32],
            steps in prop::collection::vec(1..50_000_000u64, 1..300),
            item in 1..2000usize,
        ) {
            let capacity = rate / 10;
            let mut bucket = TokenBucket::new(rate, capacity);
            let (mut now, mut taken) = (0, 0u128);
            for step in steps {
                now += step;
                // Whoever is woken when the bucket says takes at once.
                while bucket.ready(at(now)) {
                    let size = item.max(rate as usize / 100);
                    bucket.take(at(now), size);
                    taken += size as u128;
                }
                let earned = u128::from(now) * u128::from(rate) / u128::from(BYTE as u64);
                let most = earned + u128::from(capacity) + item.max(rate as usize / 100) as u128;
                prop_assert!(taken <= most + 1, "{} of {}", taken, most);
                prop_assert!(taken >= earned, "{} of {}", taken, earned);
            }
        }
    }
}
