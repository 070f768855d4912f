//! When packets of a rate may leave. A program that lives on ticks sends a tick's worth at each; one that
//! is woken by the engine's timer sends a few packets at a time. Rate that was not used is not saved up:
//! a burst that comes later than its time only fills a queue.

use super::delivery_rate::{bytes_in, time_for};
use crate::duration::Duration;
use crate::time::Instant;

/// The least worth of time that a packet is sent for: the granularity of a program's timer.
const QUANTUM: Duration = Duration::from_millis(1);
/// A program that comes this soon after the timer was due goes by it.
const PROMPTNESS: Duration = Duration::from_millis(3);
/// The least that leaves at a time.
const LEAST_QUANTUM: i64 = 2 * 1200;
/// An update that comes later than this was a pause: its worth of packets would be a flood.
const LONGEST_STEP: Duration = Duration::from_millis(250);
/// The rate is made up for packets that may not be held back, up to this much time.
const LONGEST_DEBT: Duration = Duration::from_millis(250);

/// How packets may leave.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Bytes a second.
    pub rate: u64,
    /// The fewest bytes that the timer is set for, so that they leave together.
    pub train: u64,
}

/// Bytes that may leave now.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    budget: i64,
    /// When the budget was last added to.
    at: Instant,
    /// True if a packet waits for the budget: all the time until then counts.
    waiting: bool,
    /// True if the program came the last time the timer was due, so that no tick's worth need leave at once.
    prompt: bool,
}

impl Default for Pacer {
    fn default() -> Self {
        Pacer { budget: LEAST_QUANTUM, at: Instant::ZERO, waiting: false, prompt: false }
    }
}

impl Pacer {
    /// Adds what the rate earned since the last call: while a packet waited all of it, else that of the
    /// last update, `interval` ago.
    pub fn advance(&mut self, now: Instant, interval: Duration, pace: Pace) {
        let elapsed = now.since(self.at);
        if elapsed.is_zero() {
            return;
        }
        if let Some(due) = self.ready_at(pace) {
            self.prompt = now <= due + PROMPTNESS;
        }
        self.at = now;
        let longest = match (self.waiting, self.prompt) {
            (true, _) => LONGEST_STEP,
            (false, true) => interval.min(QUANTUM),
            (false, false) => interval,
        };
        self.waiting = false;
        self.budget = self.budget.min(LEAST_QUANTUM).max(-worth(pace.rate, LONGEST_DEBT));
        self.budget = self.budget.saturating_add(worth(pace.rate, elapsed.min(longest)));
    }

    /// True if a packet waits for the budget.
    pub fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// True if time has passed since the last [`advance`](Self::advance).
    pub fn is_behind(&self, now: Instant) -> bool {
        self.at < now
    }

    /// True if a packet may leave, whose last bytes may be borrowed; false if it has to wait.
    pub fn ready(&mut self) -> bool {
        self.waiting = self.budget <= 0;
        !self.waiting
    }

    /// Counts a packet that left.
    pub fn on_sent(&mut self, bytes: usize) {
        self.budget = self.budget.saturating_sub(bytes as i64);
    }

    /// When a packet that waits may leave, and enough with it that a timer is worth its wake-up; `None` if
    /// none waits.
    pub fn ready_at(&self, pace: Pace) -> Option<Instant> {
        if !self.waiting {
            return None;
        }
        let train = i64::try_from(pace.train).unwrap_or(i64::MAX);
        let quantum = worth(pace.rate, QUANTUM).max(LEAST_QUANTUM).max(train);
        let missing = (quantum - self.budget).max(1).unsigned_abs();
        Some(self.at + time_for(missing, pace.rate))
    }
}

/// Bytes that `rate` earns in `time`.
fn worth(rate: u64, time: Duration) -> i64 {
    i64::try_from(bytes_in(rate, time)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::ZERO + Duration::from_micros(micros)
    }

    const fn pace(rate: u64) -> Pace {
        Pace { rate, train: 0 }
    }

    /// Bytes sent in a second of updates every `interval` microseconds, 1,200 at a time.
    fn sent(rate: u64, interval: u64) -> u64 {
        let (mut pacer, mut sent) = (Pacer::default(), 0);
        for now in (1..=1_000_000 / interval).map(|update| at(update * interval)) {
            pacer.advance(now, Duration::from_micros(interval), pace(rate));
            while pacer.ready() {
                pacer.on_sent(1200);
                sent += 1200;
            }
        }
        sent
    }

    #[test]
    fn the_rate_is_kept_at_any_rate_of_updates() {
        for rate in [5_000, 100_000, 1_250_000, 125_000_000] {
            for interval in [1000, 4000, 16_667, 100_000] {
                let share = sent(rate, interval) as f64 / rate as f64;
                let slack = 5000.0 / rate as f64 + interval as f64 / 1e6;
                assert!((share - 1.0).abs() < 0.01 + slack, "{rate} {interval}: {share}");
            }
        }
    }

    #[test]
    fn what_was_not_used_is_not_saved_up() {
        let mut pacer = Pacer::default();
        let interval = Duration::from_millis(10);
        (1..1000).for_each(|update| pacer.advance(at(update * 10_000), interval, pace(1_000_000)));
        pacer.advance(at(60_000_000), interval, pace(1_000_000));
        let mut sent = 0;
        while pacer.ready() {
            pacer.on_sent(1200);
            sent += 1200;
        }
        assert!(sent <= 10_000 + LEAST_QUANTUM + 1200, "{sent}");
    }

    #[test]
    fn the_timer_is_due_when_a_millisecond_was_earned_and_at_once_after_no_packet() {
        let mut pacer = Pacer::default();
        pacer.advance(at(1000), QUANTUM, pace(10_000_000));
        while pacer.ready() {
            pacer.on_sent(1000);
        }
        let due = pacer.ready_at(pace(10_000_000)).unwrap();
        assert!((at(2000)..at(2200)).contains(&due), "{due:?}");
        let train = pacer.ready_at(Pace { rate: 10_000_000, train: 50_000 }).unwrap();
        assert!((at(6000)..at(6200)).contains(&train), "{train:?}");
        pacer.advance(due, QUANTUM / 4, pace(10_000_000));
        assert!(pacer.ready());
    }

    #[test]
    fn packets_that_may_not_wait_are_paid_for_later_but_not_for_long() {
        let mut pacer = Pacer::default();
        let interval = Duration::from_millis(10);
        pacer.advance(at(1000), interval, pace(1_000_000));
        pacer.on_sent(50_000);
        pacer.advance(at(11_000), interval, pace(1_000_000));
        assert!(!pacer.ready());
        pacer.on_sent(100_000_000);
        pacer.advance(at(12_000), interval, pace(1_000_000));
        assert!(!pacer.ready());
        pacer.advance(at(240_000), interval, pace(1_000_000));
        assert!(!pacer.ready());
        pacer.advance(at(264_000), interval, pace(1_000_000));
        assert!(pacer.ready());
    }
}
