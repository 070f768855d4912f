//! Round-trip time (RFC 9002 section 5): smoothed, with the time the peer held its acknowledgement
//! back taken out. The RFC takes it out only above the smallest sample; peers that live on ticks hold
//! nearly every one back, so here it's taken out always. A peer that exaggerates gets early resends of
//! what it asked for, later probes, and nothing else.

use crate::duration::Duration;

/// The round trip assumed before one was measured.
const INITIAL: Duration = Duration::from_millis(100);
/// The longest delay of an acknowledgement that is believed.
pub const LONGEST_DELAY: Duration = Duration::from_millis(250);
/// The smallest spread a timer allows for (RFC 9002, `kGranularity`).
pub const GRANULARITY: Duration = Duration::from_millis(1);

/// What is known of a path's round trip.
#[derive(Clone, Copy, Debug, Default)]
pub struct RttEstimator {
    measured: Option<Measured>,
    samples: u32,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    latest: Duration,
    smoothed: Duration,
    variation: Duration,
}

impl RttEstimator {
    /// Takes in one measurement; `delay` is how long the peer says it held the acknowledgement back.
    /// Returns the round trip without it.
    pub fn update(&mut self, sample: Duration, delay: Duration) -> Duration {
        let sample = sample.saturating_sub(delay.min(LONGEST_DELAY));
        self.samples = self.samples.wrapping_add(1);
        let Some(known) = &mut self.measured else {
            self.measured = Some(Measured { latest: sample, smoothed: sample, variation: sample / 2 });
            return sample;
        };
        known.latest = sample;
        known.variation = (known.variation * 3 + known.smoothed.abs_diff(sample)) / 4;
        known.smoothed = (known.smoothed * 7 + sample) / 8;
        sample
    }

    /// The smoothed round trip; 100 ms before the first measurement.
    pub fn smoothed(&self) -> Duration {
        self.measured.map_or(INITIAL, |known| known.smoothed)
    }

    /// The smoothed round trip, once there is one.
    pub fn measured(&self) -> Option<Duration> {
        self.measured.map(|known| known.smoothed)
    }

    /// The last measurement, once there is one.
    pub fn latest(&self) -> Option<Duration> {
        self.measured.map(|known| known.latest)
    }

    /// How many measurements there were, modulo 2^32: it changes with each.
    pub fn samples(&self) -> u32 {
        self.samples
    }

    /// How long to wait for an acknowledgement that the peer does not hold back.
    pub fn patience(&self) -> Duration {
        let variation = self.measured.map_or(INITIAL / 2, |known| known.variation);
        self.smoothed() + (variation * 4).max(GRANULARITY)
    }

    /// How long after a later packet was acknowledged an earlier one counts as lost (RFC 9002
    /// section 6.1.2: 9/8 of the round trip).
    pub fn loss_delay(&self) -> Duration {
        let latest = self.measured.map_or(INITIAL, |known| known.latest);
        (self.smoothed().max(latest) * 9 / 8).max(GRANULARITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_first_measurement_stands_alone() {
        let mut rtt = RttEstimator::default();
        assert_eq!((rtt.smoothed(), rtt.measured()), (ms(100), None));
        rtt.update(ms(60), ms(10));
        assert_eq!(rtt.smoothed(), ms(50));
        assert_eq!(rtt.patience(), ms(50 + 100));
        assert_eq!((rtt.latest(), rtt.samples()), (Some(ms(50)), 1));
    }

    #[test]
    fn a_steady_path_is_known_within_a_few_measurements() {
        let mut rtt = RttEstimator::default();
        rtt.update(ms(200), ms(0));
        for _ in 0..40 {
            rtt.update(ms(60), ms(10));
        }
        assert!(rtt.smoothed() < ms(52), "{:?}", rtt.smoothed());
    }

    #[test]
    fn an_exaggerated_delay_is_believed_up_to_a_quarter_of_a_second() {
        let mut rtt = RttEstimator::default();
        rtt.update(ms(300), ms(10_000));
        assert_eq!(rtt.smoothed(), ms(50));
        assert_eq!(rtt.update(ms(20), ms(10_000)), ms(0));
        assert!(rtt.loss_delay() >= GRANULARITY);
    }
}
