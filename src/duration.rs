//! Lengths of time on the engine's clock. The standard library's [`Duration`](std::time::Duration) counts seconds and
//! nanoseconds apart: 16 bytes, and a carry in every sum. The engine compares and adds dozens for every packet and keeps
//! as many in every connection, so that it counts nanoseconds alone.

use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul};

const MICROSECOND: u64 = 1000;
const MILLISECOND: u64 = 1000 * MICROSECOND;
const SECOND: u64 = 1000 * MILLISECOND;

/// A length of time in nanoseconds, up to 584 years. Arithmetic saturates: no time-out, however large, can overflow.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

impl Duration {
    /// No time.
    pub const ZERO: Duration = Duration(0);
    /// The longest.
    pub const MAX: Duration = Duration(u64::MAX);

    /// So many nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Duration {
        Duration(nanos)
    }

    /// So many microseconds.
    pub const fn from_micros(micros: u64) -> Duration {
        Duration(micros.saturating_mul(MICROSECOND))
    }

    /// So many milliseconds.
    pub const fn from_millis(millis: u64) -> Duration {
        Duration(millis.saturating_mul(MILLISECOND))
    }

    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Duration {
        Duration(seconds.saturating_mul(SECOND))
    }

    /// So many seconds, to the nanosecond below. Negative and not-a-number count as zero.
    pub fn from_secs_f64(seconds: f64) -> Duration {
        // `as` maps NaN and negative values to zero and saturates above.
        Duration((seconds * SECOND as f64) as u64)
    }

    /// Nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole microseconds.
    pub const fn as_micros(self) -> u64 {
        self.0 / MICROSECOND
    }

    /// Whole milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0 / MILLISECOND
    }

    /// Whole seconds.
    pub const fn as_secs(self) -> u64 {
        self.0 / SECOND
    }

    /// Seconds, as exactly as 53 bits can tell.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / SECOND as f64
    }

    /// Seconds, as exactly as 24 bits can tell.
    pub fn as_secs_f32(self) -> f32 {
        self.as_secs_f64() as f32
    }

    /// True if it is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// How much longer it is than the other; zero where it is not.
    pub const fn saturating_sub(self, other: Duration) -> Duration {
        Duration(self.0.saturating_sub(other.0))
    }

    /// How much the two differ.
    pub const fn abs_diff(self, other: Duration) -> Duration {
        Duration(self.0.abs_diff(other.0))
    }
}

impl Add for Duration {
    type Output = Duration;

    fn add(self, other: Duration) -> Duration {
        Duration(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Duration {
    fn add_assign(&mut self, other: Duration) {
        *self = *self + other;
    }
}

impl Mul<u32> for Duration {
    type Output = Duration;

    fn mul(self, factor: u32) -> Duration {
        Duration(self.0.saturating_mul(factor.into()))
    }
}

impl Div<u32> for Duration {
    type Output = Duration;

    fn div(self, divisor: u32) -> Duration {
        Duration(self.0 / u64::from(divisor))
    }
}

/// The sockets' clock is the system's. What is longer than 584 years counts as that.
impl From<std::time::Duration> for Duration {
    fn from(time: std::time::Duration) -> Duration {
        Duration(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Duration> for std::time::Duration {
    fn from(time: Duration) -> std::time::Duration {
        std::time::Duration::from_nanos(time.0)
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::time::Duration::from(*self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_overflows() {
        assert_eq!(Duration::from_secs(u64::MAX), Duration::MAX);
        assert_eq!(Duration::MAX + Duration::from_nanos(1), Duration::MAX);
        assert_eq!(Duration::MAX * 2, Duration::MAX);
        assert_eq!(Duration::from_millis(1).saturating_sub(Duration::from_millis(2)), Duration::ZERO);
        assert_eq!(Duration::from(std::time::Duration::MAX), Duration::MAX);
        assert_eq!(Duration::from_secs_f64(f64::INFINITY), Duration::MAX);
        for nonsense in [f64::NAN, -1.0, f64::NEG_INFINITY] {
            assert_eq!(Duration::from_secs_f64(nonsense), Duration::ZERO);
        }
    }

    #[test]
    fn it_says_the_same_as_the_standard_library() {
        let nanos = 7_012_345_678;
        let (ours, standard) = (Duration::from_nanos(nanos), std::time::Duration::from_nanos(nanos));
        assert_eq!(
            (ours.as_secs(), u128::from(ours.as_millis())),
            (standard.as_secs(), standard.as_millis())
        );
        assert_eq!(u128::from(ours.as_micros()), standard.as_micros());
        assert_eq!(
            (ours.as_secs_f64(), ours.as_secs_f32()),
            (standard.as_secs_f64(), standard.as_secs_f32())
        );
        assert_eq!(format!("{ours:?} {ours:.1?}"), format!("{standard:?} {standard:.1?}"));
        assert_eq!(std::time::Duration::from(ours), standard);
    }
}
