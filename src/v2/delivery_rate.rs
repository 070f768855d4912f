//! How fast the path delivers (draft-cheng-iccrg-delivery-rate-estimation-00): the bytes that arrived
//! while one packet was on its way, over the longer of the times in which they were sent and arrived.
//! Bursts of ticks and bunches of acknowledgements even out over a round trip, and a rate is never more
//! than what was sent.

use crate::duration::Duration;
use crate::time::Instant;

/// What was known when a packet left.
#[derive(Clone, Copy, Debug, Default)]
pub struct Departure {
    delivered: u64,
    /// How long ago the last byte had arrived, and its packet had left: microseconds, an hour at most.
    delivered_ago: u32,
    first_sent_ago: u32,
    /// Bytes that left before it in the same update, and so wait before it wherever there is a queue.
    pub ahead: u32,
    /// True if the program had less to send than might have been on the way.
    app_limited: bool,
}

/// A measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateSample {
    /// Bytes a second.
    pub rate: u64,
    /// True if it was no more because no more was sent.
    pub app_limited: bool,
}

/// The sums that measurements are made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeliveryRate {
    /// Bytes that arrived so far.
    delivered: u64,
    /// When the last of them did.
    delivered_at: Instant,
    /// When the newest of them had left.
    first_sent_at: Instant,
    /// What leaves before more than these bytes arrived is no measure of the path; 0 for none.
    app_limited_until: u64,
    /// The newest packet of this acknowledgement: when it left, and what was known then.
    newest: Option<(Instant, Departure)>,
    /// When the oldest packet of this acknowledgement left, and bytes of them all.
    oldest: Instant,
    burst: u64,
    /// Bytes that left in the current update.
    sent_now: u64,
    last_sent_at: Instant,
}

/// A rate is measured over no less than this.
const LEAST_TIME: Duration = Duration::from_millis(1);

impl DeliveryRate {
    /// Notes a packet of `bytes` bytes that leaves while `in_flight` are on the way.
    pub fn on_sent(&mut self, now: Instant, bytes: u64, in_flight: u64) -> Departure {
        if self.last_sent_at != now {
            self.last_sent_at = now;
            self.sent_now = 0;
        }
        let ahead = u32::try_from(self.sent_now).unwrap_or(u32::MAX);
        self.sent_now += bytes;
        if in_flight == 0 {
            self.first_sent_at = now;
            self.delivered_at = now;
        }
        Departure {
            delivered: self.delivered,
            delivered_ago: micros(now.since(self.delivered_at)),
            first_sent_ago: micros(now.since(self.first_sent_at)),
            ahead,
            app_limited: self.app_limited_until > 0 && self.app_limited_until >= self.delivered,
        }
    }

    /// Notes that nothing more is to be sent while `in_flight` bytes are on the way and more might be.
    pub fn on_app_limited(&mut self, in_flight: u64) {
        self.app_limited_until = (self.delivered + in_flight).max(1);
    }

    /// Notes a packet of `bytes` bytes that arrived. Follow with [`sample`](Self::sample).
    pub fn on_acked(&mut self, sent_at: Instant, departure: &Departure, bytes: u64) {
        self.delivered += bytes;
        self.oldest = if self.burst == 0 { sent_at } else { self.oldest.min(sent_at) };
        self.burst += bytes;
        if self.newest.is_none_or(|(newest, _)| sent_at >= newest) {
            self.newest = Some((sent_at, *departure));
        }
    }

    /// How fast what one acknowledgement is for arrived: since the one before, but not before its first
    /// packet could, and over no less than `slack`, what ticks hold together. Ask before
    /// [`sample`](Self::sample).
    pub fn burst_rate(&self, delivered_at: Instant, min_rtt: Duration, slack: Duration) -> u64 {
        let began = self.delivered_at.max(self.oldest + min_rtt);
        rate_of(self.burst, delivered_at.since(began).max(slack).max(LEAST_TIME))
    }

    /// The measurement of an acknowledgement whose last packet arrived at `delivered_at`; `None` over
    /// less time than `min_rtt`, which would measure a bunch and not the path.
    pub fn sample(&mut self, delivered_at: Instant, min_rtt: Duration) -> Option<RateSample> {
        self.burst = 0;
        let (sent_at, departure) = self.newest.take()?;
        self.delivered_at = self.delivered_at.max(delivered_at);
        self.first_sent_at = sent_at;
        let sending = Duration::from_micros(departure.first_sent_ago.into());
        let delivered_before = sent_at - Duration::from_micros(departure.delivered_ago.into());
        let arriving = self.delivered_at.since(delivered_before);
        let time = sending.max(arriving);
        if time < min_rtt || time.is_zero() {
            return None;
        }
        let rate = rate_of(self.delivered - departure.delivered, time);
        Some(RateSample { rate, app_limited: departure.app_limited })
    }
}

/// Microseconds, an hour at most.
pub fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// Bytes a second. Like its neighbours exact up to 18 GB, and too little beyond.
pub fn rate_of(bytes: u64, time: Duration) -> u64 {
    bytes.saturating_mul(1_000_000_000) / time.as_nanos().max(1)
}

/// Bytes that `rate` bytes a second are in `time`.
pub fn bytes_in(rate: u64, time: Duration) -> u64 {
    // Microseconds: a second of any rate fits.
    rate.saturating_mul(time.as_micros()) / 1_000_000
}

/// The time that `bytes` take at `rate` bytes a second.
pub fn time_for(bytes: u64, rate: u64) -> Duration {
    Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / rate.max(1))
}

/// Rounds for which the largest rate counts.
const MEMORY: usize = 10;

/// Bytes a second that rates are remembered in.
const UNIT: u64 = 16;

fn units(rate: u64) -> u32 {
    u32::try_from(rate / UNIT).unwrap_or(u32::MAX)
}

/// The largest rates of the last rounds in which any was measured: a program that has nothing to say
/// forgets nothing.
#[derive(Debug, Default)]
pub struct RateMemory {
    /// In [`UNIT`]s: an idle connection has them too.
    rounds: [u32; MEMORY],
    current: usize,
}

impl RateMemory {
    /// Notes a rate of this round.
    pub fn note(&mut self, rate: u64) {
        if let Some(newest) = self.rounds.get_mut(self.current) {
            *newest = units(rate).max(*newest);
        }
    }

    /// The largest rate of this round.
    pub fn newest(&self) -> u64 {
        self.rounds.get(self.current).map_or(0, |&rate| u64::from(rate) * UNIT)
    }

    /// The largest rate.
    pub fn max(&self) -> u64 {
        self.rounds.iter().max().map_or(0, |&rate| u64::from(rate) * UNIT)
    }

    /// Ends a round.
    pub fn end_round(&mut self) {
        if self.newest() > 0 {
            self.current = (self.current + 1) % MEMORY;
            if let Some(newest) = self.rounds.get_mut(self.current) {
                *newest = 0;
            }
        }
    }

    /// Forgets what is above `rate`.
    pub fn limit(&mut self, rate: u64) {
        self.rounds.iter_mut().for_each(|known| *known = units(rate).min(*known));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(40);

    fn at(milliseconds: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(milliseconds)
    }

    /// Packets sent at these times, 1,000 bytes each; those of each time are acknowledged `RTT` later.
    fn rates(sent: impl IntoIterator<Item = (u64, usize)>) -> Vec<u64> {
        let sent: Vec<_> = sent.into_iter().collect();
        let (mut rate, mut flying, mut rates) = (DeliveryRate::default(), Vec::new(), Vec::new());
        let last = sent.last().unwrap().0 + 100;
        for now in 0..last {
            let arrived: Vec<_> = flying.extract_if(.., |&mut (at_ms, _)| at_ms + 40 == now).collect();
            arrived.iter().for_each(|(sent, departure)| rate.on_acked(at(*sent), departure, 1000));
            rates.extend(rate.sample(at(now), RTT).map(|sample| sample.rate));
            for &(_, count) in sent.iter().filter(|(time, _)| *time == now) {
                for _ in 0..count {
                    let departure = rate.on_sent(at(now), 1000, flying.len() as u64 * 1000);
                    flying.push((now, departure));
                }
            }
        }
        rates
    }

    #[test]
    fn bursts_of_ticks_give_the_rate_that_they_average_to() {
        let rates = rates((0..40).map(|tick| (tick * 10, 5)));
        assert_eq!(rates.last(), Some(&500_000));
        assert!(rates.iter().all(|&rate| rate <= 500_000), "{rates:?}");
    }

    #[test]
    fn a_bunch_of_acknowledgements_is_no_rate() {
        let mut rate = DeliveryRate::default();
        let departures: Vec<_> = (0..20).map(|n| rate.on_sent(at(n * 5), 1000, n * 1000)).collect();
        // Nothing for long, then everything at once.
        for (sent, departure) in (0u64..).zip(&departures) {
            rate.on_acked(at(sent * 5), departure, 1000);
        }
        assert_eq!(rate.sample(at(200), RTT).map(|sample| sample.rate), Some(100_000));
        // And over hardly any time there is none.
        let departure = rate.on_sent(at(300), 1000, 0);
        rate.on_acked(at(300), &departure, 1000);
        assert_eq!(rate.sample(at(301), RTT), None);
    }

    #[test]
    fn a_program_with_little_to_say_does_not_measure_the_path() {
        let mut rate = DeliveryRate::default();
        rate.on_app_limited(0);
        let departure = rate.on_sent(at(0), 1000, 0);
        rate.on_acked(at(0), &departure, 1000);
        assert!(rate.sample(at(50), RTT).unwrap().app_limited);
        let departure = rate.on_sent(at(50), 1000, 0);
        rate.on_acked(at(50), &departure, 1000);
        assert!(!rate.sample(at(100), RTT).unwrap().app_limited);
        rate.on_app_limited(0);
        let departure = rate.on_sent(at(100), 1000, 0);
        rate.on_acked(at(100), &departure, 1000);
        assert!(rate.sample(at(150), RTT).unwrap().app_limited);
    }
}
