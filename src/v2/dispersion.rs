//! How fast a path's bottleneck is, told by packets that left together: they arrive one after another, as
//! far apart as the bottleneck sets them. A round trip after the first burst that is known, long before a
//! rate was measured; start-up goes by it, which would else send several times too much before anything of
//! that came back.

use super::delivery_rate::rate_of;
use crate::duration::Duration;

/// Of fewer bytes the times that ends tell, half milliseconds, say nothing.
const LEAST_AHEAD: u64 = 15 * 1200;
/// What arrives closer together than this may be of any rate.
const LEAST_TIME: Duration = Duration::from_micros(500);
/// The rate of such bursts.
const ANY: u64 = 1 << 50;

/// The fastest that bursts arrived, of this round and of the last that had any: whatever else is on the
/// path sets them further apart, and nothing closer together.
#[derive(Debug, Default)]
pub struct Dispersion {
    current: u64,
    last: u64,
}

impl Dispersion {
    /// Notes a packet that left behind `ahead` bytes of the same update and took `longer` than the shortest
    /// round trip.
    pub fn note(&mut self, ahead: u64, longer: Duration) {
        if ahead >= LEAST_AHEAD {
            let rate = if longer < LEAST_TIME { ANY } else { rate_of(ahead, longer) };
            self.current = self.current.max(rate);
        }
    }

    /// Bytes a second, once there was a burst.
    pub fn rate(&self) -> Option<u64> {
        Some(self.current.max(self.last)).filter(|&rate| rate > 0)
    }

    /// Ends a round.
    pub fn end_round(&mut self) {
        if self.current > 0 {
            self.last = std::mem::take(&mut self.current);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_burst_that_was_least_disturbed_tells_the_rate_for_two_rounds() {
        let mut path = Dispersion::default();
        assert_eq!(path.rate(), None);
        for longer in [ms(9), ms(4), ms(30)] {
            path.note(40_000, longer);
        }
        assert_eq!(path.rate(), Some(10_000_000));
        path.end_round();
        path.note(40_000, ms(8));
        assert_eq!(path.rate(), Some(10_000_000));
        path.end_round();
        assert_eq!(path.rate(), Some(5_000_000));
        path.end_round(); // without any burst
        assert_eq!(path.rate(), Some(5_000_000));
    }

    #[test]
    fn few_packets_and_less_than_half_a_millisecond_tell_nothing() {
        let mut path = Dispersion::default();
        path.note(LEAST_AHEAD - 1, ms(1));
        assert_eq!(path.rate(), None);
        path.note(40_000, Duration::from_micros(400));
        assert_eq!(path.rate(), Some(ANY));
    }
}
