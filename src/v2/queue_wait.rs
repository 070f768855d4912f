//! How long packets wait in a queue on their way: what a round trip takes more than the shortest, less all that
//! explains it otherwise, the size of a packet and the ticks of programs among it. A sender that took these for a
//! queue would send less for nothing, then measure less, and so on.

use super::delivery_rate::micros;
use crate::duration::Duration;

/// A packet that took this much longer than is explained waited in a queue.
const ALLOWANCE: Duration = Duration::from_millis(5);

/// A measured round trip.
#[derive(Clone, Copy, Debug)]
pub struct RoundTrip {
    /// Without what the peer held back.
    pub time: Duration,
    /// How much longer than another it may seem because of updates alone: an end whose system tells no times of
    /// arrival knows them to its update.
    pub rough: Duration,
    /// Bytes of the packet.
    pub bytes: u64,
}

/// What the packets waited that were last measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueueWait {
    /// The last two, in microseconds: on the air some take longer than others, so the shorter counts.
    waits: [u32; 2],
    rough: u32,
}

impl QueueWait {
    /// Notes a packet that took `longer` than the shortest round trip, of which the sender's own packets explain
    /// `own` and updates `rough`.
    pub fn note(&mut self, longer: Duration, own: Duration, rough: Duration) {
        let [newest, _] = self.waits;
        self.waits = [micros(longer.saturating_sub(own + rough)), newest];
        self.rough = micros(rough);
    }

    /// How long packets have to wait.
    pub fn time(&self) -> Duration {
        let [newest, before] = self.waits;
        Duration::from_micros(newest.min(before).into())
    }

    /// How much of it is more than any path has at times.
    pub fn excess(&self) -> Duration {
        self.time().saturating_sub(ALLOWANCE)
    }

    /// True if there is a queue.
    pub fn is_seen(&self) -> bool {
        !self.excess().is_zero()
    }

    /// How rough the last round trip was.
    pub fn rough(&self) -> Duration {
        Duration::from_micros(self.rough.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn two_packets_in_a_row_that_nothing_explains_are_a_queue() {
        let mut wait = QueueWait::default();
        wait.note(ms(30), ms(5), ms(0));
        assert!(!wait.is_seen());
        wait.note(ms(20), ms(5), ms(0));
        assert_eq!((wait.time(), wait.excess(), wait.is_seen()), (ms(15), ms(10), true));
        wait.note(ms(10), ms(5), ms(0));
        assert!(!wait.is_seen());
    }

    #[test]
    fn what_a_time_of_arrival_is_rough_by_is_no_queue() {
        let mut wait = QueueWait::default();
        (0..2).for_each(|_| wait.note(ms(40), ms(2), ms(34)));
        assert_eq!((wait.time(), wait.rough(), wait.is_seen()), (ms(4), ms(34), false));
        (0..2).for_each(|_| wait.note(ms(40), ms(2), ms(32)));
        assert!(wait.is_seen());
    }
}
