//! When a client that tries a server sends its next packet, and when it has waited long enough: the same in
//! both protocols. Each phase of the handshake has the whole timeout, from the first update in it on, so
//! that what the program did before does not count against the server (D37).

use crate::duration::Duration;
use crate::time::{Instant, earliest};

/// The rhythm of an attempt's packets, and the clock of its phase.
#[derive(Clone, Copy, Debug)]
pub struct AttemptTimer {
    interval: Duration,
    /// The first update in the phase.
    since: Option<Instant>,
    send_at: Option<Instant>,
}

impl AttemptTimer {
    /// Starts the first phase, with a packet every `interval`, which is not zero.
    pub fn new(interval: Duration) -> AttemptTimer {
        AttemptTimer { interval, since: None, send_at: None }
    }

    /// Begins the next phase.
    pub fn begin_phase(&mut self) {
        *self = AttemptTimer::new(self.interval);
    }

    /// Lets a packet leave at the next update, whatever the rhythm says.
    pub fn send_at_once(&mut self) {
        self.send_at = None;
    }

    /// Notes an update. True if the phase has taken `timeout` or longer.
    pub fn is_timed_out(&mut self, now: Instant, timeout: Duration) -> bool {
        let since = *self.since.get_or_insert(now);
        now.since(since) >= timeout
    }

    /// When a packet or the end of the phase is due; `None` before the first update.
    pub fn poll_timeout(&self, timeout: Duration) -> Option<Instant> {
        let times = [self.send_at, self.since.map(|since| since + timeout)];
        earliest(times)
    }

    /// True if a packet is to leave now; at most once an update.
    pub fn poll_send(&mut self, now: Instant) -> bool {
        let due = self.send_at.unwrap_or(now);
        if due > now {
            return false;
        }
        // D57: the rhythm keeps its remainder, so that there are as many packets at any rate of updates.
        let late = Duration::from_nanos(now.since(due).as_nanos() % self.interval.as_nanos());
        self.send_at = Some(now - late + self.interval);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(100);

    fn at(milliseconds: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(milliseconds)
    }

    #[test]
    fn d57_ten_packets_leave_a_second_at_any_rate_of_updates() {
        for step in [1, 7, 16, 33, 99, 100] {
            let mut timer = AttemptTimer::new(INTERVAL);
            let sent = (0..10_000 / step).filter(|tick| timer.poll_send(at(tick * step))).count();
            assert!((99..=100).contains(&sent), "{sent} at {step} ms");
        }
    }

    #[test]
    fn d37_a_phase_has_the_whole_timeout_from_its_first_update_on() {
        let (mut timer, timeout) = (AttemptTimer::new(INTERVAL), Duration::from_secs(5));
        assert_eq!(timer.poll_timeout(timeout), None);
        assert!(!timer.is_timed_out(at(100_000), timeout));
        assert!(!timer.is_timed_out(at(104_999), timeout));
        timer.begin_phase();
        assert!(!timer.is_timed_out(at(106_000), timeout));
        assert_eq!(timer.poll_timeout(timeout), Some(at(111_000)));
        assert!(timer.is_timed_out(at(111_000), timeout));
    }

    #[test]
    fn a_pause_costs_no_burst_of_packets() {
        let mut timer = AttemptTimer::new(INTERVAL);
        assert!(timer.poll_send(at(0)));
        assert!(timer.poll_send(at(5050)));
        assert!(!timer.poll_send(at(5099)));
        assert!(timer.poll_send(at(5100)));
        timer.send_at_once();
        assert!(timer.poll_send(at(5101)));
    }
}
