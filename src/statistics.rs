//! Rates and shares over the last seconds, kept as running sums: reading one costs a few additions,
//! noting a packet one.

use crate::time::Instant;
use std::time::Duration;

const SLOTS: usize = 8;
const SLOT: Duration = Duration::from_millis(500);

/// The sum of what was noted in each of the last four seconds' halves.
#[derive(Clone, Debug, Default)]
struct Window {
    slots: [u32; SLOTS],
    /// Which half second since the start of the clock the newest slot stands for.
    newest: u64,
    /// When the first was noted.
    since: Option<Instant>,
}

impl Window {
    fn slot_of(now: Instant) -> u64 {
        now.as_nanos() / SLOT.as_nanos() as u64
    }

    fn add(&mut self, now: Instant, amount: i64) {
        let slot = Self::slot_of(now);
        self.since.get_or_insert(now);
        // Slots that no note fell into since are empty.
        let skipped = slot.saturating_sub(self.newest).min(SLOTS as u64);
        for empty in (self.newest + 1..).take(skipped as usize) {
            if let Some(sum) = self.slots.get_mut((empty % SLOTS as u64) as usize) {
                *sum = 0;
            }
        }
        if skipped == SLOTS as u64 {
            self.slots = [0; SLOTS];
        }
        self.newest = self.newest.max(slot);
        if let Some(sum) = self.slots.get_mut((self.newest % SLOTS as u64) as usize) {
            *sum = (i64::from(*sum) + amount).clamp(0, i64::from(u32::MAX)) as u32;
        }
    }

    /// The sum of the last four seconds.
    fn sum(&self, now: Instant) -> u64 {
        let slot = Self::slot_of(now);
        (0..SLOTS as u64)
            .filter_map(|age| slot.checked_sub(age))
            .filter(|&slot| slot <= self.newest && slot + SLOTS as u64 > self.newest)
            .filter_map(|slot| self.slots.get((slot % SLOTS as u64) as usize))
            .map(|&sum| u64::from(sum))
            .sum()
    }

    /// The time that [`sum`](Self::sum) covers.
    fn span(&self, now: Instant) -> Duration {
        let Some(since) = self.since else { return Duration::ZERO };
        let into_slot = Duration::from_nanos(now.as_nanos() % SLOT.as_nanos() as u64);
        now.since(since).min(SLOT * (SLOTS as u32 - 1) + into_slot)
    }
}

/// What a connection knows of its traffic.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    incoming: Window,
    outgoing: Window,
    settled: Window,
    lost: Window,
}

impl Statistics {
    /// Notes a datagram of `bytes` bytes that came and opened.
    pub fn on_received(&mut self, now: Instant, bytes: usize) {
        self.incoming.add(now, bytes as i64);
    }

    /// Notes a datagram of `bytes` bytes that left.
    pub fn on_sent(&mut self, now: Instant, bytes: usize) {
        self.outgoing.add(now, bytes as i64);
    }

    /// Notes packets whose fate became known. One that was taken for lost and arrived after all is
    /// one arrived more and one lost less.
    pub fn on_settled(&mut self, now: Instant, arrived: i64, lost: i64) {
        self.settled.add(now, arrived + lost);
        self.lost.add(now, lost);
    }

    /// Kilobits (1000 bits) a second that came lately, UDP payload.
    pub fn incoming_kbps(&self, now: Instant) -> f64 {
        kbps(&self.incoming, now)
    }

    /// Kilobits (1000 bits) a second that left lately, UDP payload.
    pub fn outgoing_kbps(&self, now: Instant) -> f64 {
        kbps(&self.outgoing, now)
    }

    /// The share of packets sent lately that did not arrive, 0 to 1.
    pub fn packet_loss(&self, now: Instant) -> f64 {
        match self.settled.sum(now) {
            0 => 0.0,
            settled => self.lost.sum(now) as f64 / settled as f64,
        }
    }
}

fn kbps(window: &Window, now: Instant) -> f64 {
    let span = window.span(now);
    if span.is_zero() { 0.0 } else { window.sum(now) as f64 * 8.0 / 1000.0 / span.as_secs_f64() }
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
        assert_eq!(statistics.outgoing.sum(later), 500);
    }

    #[test]
    fn without_time_there_is_no_rate() {
        let mut statistics = Statistics::default();
        statistics.on_sent(Instant::ZERO, 1000);
        assert_eq!(statistics.outgoing_kbps(Instant::ZERO), 0.0);
        assert_eq!(statistics.packet_loss(Instant::ZERO), 0.0);
    }
}
