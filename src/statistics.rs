//! What programs are told of a connection's traffic over the last seconds: rates, loss, jitter. Kept as running
//! sums: noting a packet costs one addition, reading a figure a few.

use crate::duration::Duration;
use crate::time::Instant;

const SLOTS: usize = 8;
const SLOT: Duration = Duration::from_millis(500);

/// What was noted in half a second.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Bytes.
    received: u32,
    /// Bytes.
    sent: u32,
    /// Packets whose fate became known.
    settled: u32,
    /// Of these, the lost ones.
    lost: u32,
}

/// What was noted in each half second of the last four seconds.
#[derive(Clone, Debug, Default)]
struct Window {
    slots: [Slot; SLOTS],
    /// Which half second since the start of the clock the newest slot stands for.
    newest: u64,
    /// When something was first noted.
    since: Option<Instant>,
}

impl Window {
    fn slot_of(now: Instant) -> u64 {
        now.as_nanos() / SLOT.as_nanos()
    }

    /// Notes something in the slot of this moment.
    fn note(&mut self, now: Instant, note: impl FnOnce(&mut Slot)) {
        let slot = Self::slot_of(now);
        self.since.get_or_insert(now);
        // Slots that no note fell into since are empty.
        let skipped = slot.saturating_sub(self.newest).min(SLOTS as u64);
        for empty in (self.newest + 1..).take(skipped as usize) {
            if let Some(slot) = self.slots.get_mut((empty % SLOTS as u64) as usize) {
                *slot = Slot::default();
            }
        }
        self.newest = self.newest.max(slot);
        if let Some(slot) = self.slots.get_mut((self.newest % SLOTS as u64) as usize) {
            note(slot);
        }
    }

    /// The sum of the last four seconds.
    fn sum(&self, now: Instant, of: impl Fn(&Slot) -> u32) -> u64 {
        let slot = Self::slot_of(now);
        (0..SLOTS as u64)
            .filter_map(|age| slot.checked_sub(age))
            .filter(|&slot| slot <= self.newest && slot + SLOTS as u64 > self.newest)
            .filter_map(|slot| self.slots.get((slot % SLOTS as u64) as usize))
            .map(|slot| u64::from(of(slot)))
            .sum()
    }

    /// Kilobits (1000 bits) a second of what are bytes.
    fn kbps(&self, now: Instant, bytes: impl Fn(&Slot) -> u32) -> f64 {
        let Some(since) = self.since else { return 0.0 };
        let into_slot = Duration::from_nanos(now.as_nanos() % SLOT.as_nanos());
        let span = now.since(since).min(SLOT * (SLOTS as u32 - 1) + into_slot);
        if span.is_zero() {
            0.0
        } else {
            self.sum(now, bytes) as f64 * 8.0 / 1000.0 / span.as_secs_f64()
        }
    }
}

/// `sum` changed by `change`, within what it can hold.
fn changed(sum: u32, change: i64) -> u32 {
    (i64::from(sum) + change).clamp(0, i64::from(u32::MAX)) as u32
}

/// After so many seconds a measurement of the jitter weighs a third (1/e) of a new one.
const SPREAD_MEMORY: f32 = 3.0;
/// The same of the mean, which follows a path that became longer sooner.
const MEAN_MEMORY: f32 = 0.5;
/// The most that one measurement weighs in the mean: of fewer than eight the mean itself would jitter.
const MEAN_SHARE: f32 = 1.0 / 8.0;

/// How far the round trip strays from its mean. The variation of RFC 6298 follows a handful of samples, as
/// a timer should; a number that people look at must not jump like that.
#[derive(Clone, Copy, Debug, Default)]
struct Spread {
    samples: u32,
    newest: Instant,
    /// Seconds.
    mean: f32,
    /// Seconds.
    deviation: f32,
}

impl Spread {
    fn add(&mut self, at: Instant, sample: Duration) {
        let sample = sample.as_secs_f32();
        let elapsed = at.since(self.newest).as_secs_f32();
        self.newest = self.newest.max(at);
        // By time, not by count: an idle connection has a sample a second, a busy one hundreds. The first
        // ones count alike, or the very first would stand for all the time before it.
        let share = |memory: f32| elapsed / (elapsed + memory);
        if self.samples > 0 {
            let weight = share(SPREAD_MEMORY).max(1.0 / self.samples as f32);
            self.deviation += ((sample - self.mean).abs() - self.deviation) * weight;
        }
        self.samples = self.samples.saturating_add(1);
        let weight = share(MEAN_MEMORY).min(MEAN_SHARE).max(1.0 / self.samples as f32);
        self.mean += (sample - self.mean) * weight;
    }
}

/// What a connection knows of its traffic.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    window: Window,
    round_trips: Spread,
}

impl Statistics {
    /// Notes a datagram of `bytes` bytes that came and opened.
    pub fn on_received(&mut self, now: Instant, bytes: usize) {
        self.window.note(now, |slot| slot.received = changed(slot.received, bytes as i64));
    }

    /// Notes a datagram of `bytes` bytes that left.
    pub fn on_sent(&mut self, now: Instant, bytes: usize) {
        self.window.note(now, |slot| slot.sent = changed(slot.sent, bytes as i64));
    }

    /// Notes packets whose fate became known. One that was taken for lost and arrived after all is
    /// one arrived more and one lost less.
    pub fn on_settled(&mut self, now: Instant, arrived: i64, lost: i64) {
        self.window.note(now, |slot| {
            slot.settled = changed(slot.settled, arrived + lost);
            slot.lost = changed(slot.lost, lost);
        });
    }

    /// Notes a round trip that was measured by an acknowledgement that arrived at `at`.
    pub fn on_round_trip(&mut self, at: Instant, sample: Duration) {
        self.round_trips.add(at, sample);
    }

    /// Forgets the round trips: the path leads elsewhere now.
    pub fn on_path_changed(&mut self) {
        self.round_trips = Spread::default();
    }

    /// The jitter: how far measured round trips were from the mean of those just before, on average. Old ones
    /// weigh less, a third after three seconds. Zero before the second measurement.
    pub fn jitter(&self) -> Duration {
        Duration::from_secs_f64(self.round_trips.deviation.into())
    }

    /// Kilobits (1000 bits) a second that came lately, UDP payload.
    pub fn incoming_kbps(&self, now: Instant) -> f64 {
        self.window.kbps(now, |slot| slot.received)
    }

    /// Kilobits (1000 bits) a second that left lately, UDP payload.
    pub fn outgoing_kbps(&self, now: Instant) -> f64 {
        self.window.kbps(now, |slot| slot.sent)
    }

    /// The share of packets sent lately that did not arrive, 0 to 1.
    pub fn packet_loss(&self, now: Instant) -> f64 {
        match self.window.sum(now, |slot| slot.settled) {
            0 => 0.0,
            settled => self.window.sum(now, |slot| slot.lost) as f64 / settled as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_flow_is_known_within_a_few_percent() {
        let mut statistics = Statistics::default();
        let mut now = Instant::ZERO + Duration::from_secs(100);
        for tick in 0..300u64 {
            statistics.on_received(now, 100);
            statistics.on_sent(now, 250);
            statistics.on_settled(now, 9, i64::from(tick % 2 == 0) * 2);
            now = now + Duration::from_micros(16_667);
        }
        let near =
            |value: f64, truth: f64| assert!((value / truth - 1.0).abs() < 0.03, "{value} {truth}");
        near(statistics.incoming_kbps(now), 48.0);
        near(statistics.outgoing_kbps(now), 120.0);
        near(statistics.packet_loss(now), 0.1);
    }

    #[test]
    fn what_is_long_ago_no_longer_counts() {
        let mut statistics = Statistics::default();
        statistics.on_sent(Instant::ZERO, 1000);
        let later = Instant::ZERO + Duration::from_secs(5);
        assert_eq!(statistics.outgoing_kbps(later), 0.0);
        statistics.on_sent(later, 500);
        assert_eq!(statistics.window.sum(later, |slot| slot.sent), 500);
    }

    #[test]
    fn jitter_is_the_mean_deviation_at_any_rate_of_samples() {
        for interval in [5, 50, 250] {
            let mut statistics = Statistics::default();
            let mut now = Instant::ZERO;
            for round in 0..10_000 / interval {
                // Four values, 10 ms from their mean on average.
                let sample = [85, 95, 105, 115].get(round as usize * 3 % 4).copied().unwrap_or(0);
                statistics.on_round_trip(now, Duration::from_millis(sample));
                now = now + Duration::from_millis(interval);
            }
            let jitter = statistics.jitter().as_secs_f64() * 1000.0;
            assert!((9.0..=11.0).contains(&jitter), "{jitter} at {interval}");
            // A path of another length is no jitter for long.
            for _ in 0..15_000 / interval {
                statistics.on_round_trip(now, Duration::from_millis(300));
                now = now + Duration::from_millis(interval);
            }
            assert!(statistics.jitter() < Duration::from_millis(5), "{:?}", statistics.jitter());
            statistics.on_path_changed();
            statistics.on_round_trip(now, Duration::from_millis(50));
            assert_eq!(statistics.jitter(), Duration::ZERO);
        }
    }

    #[test]
    fn without_time_there_is_no_rate() {
        let mut statistics = Statistics::default();
        statistics.on_sent(Instant::ZERO, 1000);
        assert_eq!(statistics.outgoing_kbps(Instant::ZERO), 0.0);
        assert_eq!(statistics.packet_loss(Instant::ZERO), 0.0);
    }
}
