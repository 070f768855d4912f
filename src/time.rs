//! The engine's clock: nanoseconds since a handle was made, advanced only by the `dt` a program
//! passes to update. No part of the engine reads a clock, so a seed and a list of `dt` reproduce
//! any run. Unix seconds are a separate input, used for the expiry of connect tokens alone.

use crate::duration::Duration;
use std::num::NonZeroU64;
use std::ops::{Add, Sub};

/// A point on the engine's clock.
///
/// Arithmetic saturates: no `dt` and no time-out, however large, can overflow. It is kept as its nanoseconds and
/// one, so that a connection's many `Option<Instant>` take no more room than the time alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(NonZeroU64);

impl Instant {
    /// The moment the handle was made.
    pub const ZERO: Instant = Instant(NonZeroU64::MIN);

    /// The moment `nanos` nanoseconds after the handle was made.
    pub const fn from_nanos(nanos: u64) -> Instant {
        Instant(NonZeroU64::MIN.saturating_add(nanos))
    }

    /// Nanoseconds since the handle was made.
    pub const fn as_nanos(self) -> u64 {
        self.0.get() - 1
    }

    /// How long before `self` the moment `earlier` was; zero if it was not before.
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Instant {
    fn default() -> Instant {
        Instant::ZERO
    }
}

impl std::fmt::Debug for Instant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Instant({:?})", self.since(Instant::ZERO))
    }
}

/// The first of some moments, `None` being never.
#[inline]
pub fn earliest<const COUNT: usize>(moments: [Option<Instant>; COUNT]) -> Option<Instant> {
    // Never is kept as 0. One less, it is later than all moments, and there is nothing to branch on: every packet
    // asks for the earliest of ten timers.
    let order = |moment: Option<Instant>| moment.map_or(0, |moment| moment.0.get()).wrapping_sub(1);
    let first = moments.into_iter().map(order).fold(u64::MAX, u64::min);
    NonZeroU64::new(first.wrapping_add(1)).map(Instant)
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_add(duration.as_nanos()))
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;

    fn sub(self, duration: Duration) -> Instant {
        Instant::from_nanos(self.as_nanos().saturating_sub(duration.as_nanos()))
    }
}

/// The longest step one update can take, about three years: what is above it is a mistake of the
/// caller's, and must not use up the clock.
const LONGEST_STEP: Duration = Duration::from_secs(100_000_000);

/// Where the clock stops, after some 292 years: the longest time-out, twice the most seconds a token names, still
/// ends later. Were there no later moment, all that waits for one would be due, again and again, in one update.
const LATEST: Instant = Instant::from_nanos(u64::MAX / 2);

/// Turns the `dt` of a program's updates into [`Instant`]s.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    now: Instant,
}

impl Clock {
    /// The sum of all steps so far.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Advances by `dt` seconds and returns that step, within bounds. Negative and not-a-number count as zero.
    pub fn advance(&mut self, dt: f64) -> Duration {
        let step = Duration::from_secs_f64(dt).min(LONGEST_STEP);
        self.now = (self.now + step).min(LATEST);
        step
    }
}

/// The program's update interval: acknowledgements, probe timeouts and windows allow for it,
/// because nothing is read or sent between two updates.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tick {
    /// The moment of the current update.
    pub now: Instant,
    /// Time between the last two updates that were apart; `None` while the clock has not moved.
    step: Option<Duration>,
    /// When the last pause ended.
    resumed_at: Instant,
    started: bool,
}

/// Above this an update interval is not allowed for.
const LONGEST_INTERVAL: Duration = Duration::from_millis(250);
/// An update that comes later than this, and later than the rhythm of those before lets expect, ends a pause.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

impl Tick {
    /// Notes an update at `now`.
    pub fn advance(&mut self, now: Instant) {
        let step = now.since(self.now);
        if self.started && !step.is_zero() {
            let before = self.step.replace(step).unwrap_or_default();
            if step > LEAST_PAUSE.max(before * 2) {
                self.resumed_at = now;
            }
        }
        self.started = true;
        self.now = self.now.max(now);
    }

    /// The update interval, at most 250 ms; zero while unknown.
    pub fn interval(&self) -> Duration {
        self.step.unwrap_or_default().min(LONGEST_INTERVAL)
    }

    /// True if no pause of the program lies between `sent_at` and now: only then the time from one to the other
    /// says something of the network.
    pub fn is_timely(&self, sent_at: Instant) -> bool {
        sent_at >= self.resumed_at
    }

    /// True while every update so far came at the same moment: a program that passes `dt = 0`.
    /// Nothing that waits for a timer would ever happen then.
    pub fn stands_still(&self) -> bool {
        self.step.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_before_a_pause_is_not_timely_after_it() {
        let at = |milliseconds| Instant::ZERO + Duration::from_millis(milliseconds);
        let mut tick = Tick::default();
        tick.advance(at(100_000));
        for milliseconds in [100_016, 100_032, 101_000] {
            tick.advance(at(milliseconds));
            assert!(tick.is_timely(at(0)), "{milliseconds}");
        }
        tick.advance(at(103_000));
        assert!(!tick.is_timely(at(101_000)) && tick.is_timely(at(103_000)));
        // A program that is so slow always has no pauses.
        tick.advance(at(105_000));
        tick.advance(at(107_000));
        assert!(tick.is_timely(at(103_000)));
    }

    #[test]
    fn nonsense_steps_count_as_nothing_or_the_longest_step() {
        let mut clock = Clock::default();
        for dt in [f64::NAN, -1.0, f64::NEG_INFINITY, -0.0, 0.0] {
            assert_eq!(clock.advance(dt), Duration::ZERO, "{dt}");
        }
        assert_eq!(clock.advance(f64::INFINITY), LONGEST_STEP);
        assert_eq!(clock.advance(1e300), LONGEST_STEP);
        assert_eq!(clock.advance(0.25), Duration::from_millis(250));
        assert_eq!(clock.now(), Instant::ZERO + LONGEST_STEP * 2 + Duration::from_millis(250));
    }

    #[test]
    fn the_clock_stops_while_there_are_later_moments() {
        let mut clock = Clock::default();
        for _ in 0..1000 {
            clock.advance(f64::INFINITY);
        }
        let longest = Duration::from_secs(u32::MAX.into()) * 2;
        assert_eq!((clock.now() + longest).since(clock.now()), longest);
    }

    #[test]
    fn never_is_later_than_the_latest_moment() {
        let at = |nanos| Some(Instant::from_nanos(nanos));
        assert_eq!(earliest([]), None);
        assert_eq!(earliest([None, None]), None);
        assert_eq!(earliest([None, at(7), at(0), at(3)]), at(0));
        assert_eq!(earliest([at(u64::MAX), None]), at(u64::MAX));
    }

    #[test]
    fn a_clock_that_never_moves_is_known_as_such() {
        let mut tick = Tick::default();
        for _ in 0..3 {
            tick.advance(Instant::ZERO);
            assert!(tick.stands_still());
        }
        tick.advance(Instant::ZERO + Duration::from_millis(16));
        assert!(!tick.stands_still());
        assert_eq!(tick.interval(), Duration::from_millis(16));
        tick.advance(Instant::ZERO + Duration::from_secs(9));
        assert_eq!(tick.interval(), LONGEST_INTERVAL);
    }

    #[test]
    fn the_first_update_sets_no_interval_however_late_it_comes() {
        let mut tick = Tick::default();
        tick.advance(Instant::ZERO + Duration::from_secs(1000));
        assert!(tick.stands_still());
    }
}
