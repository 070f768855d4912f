//! How much a path reorders, learned from packets that were taken for lost and then arrived. Wi-Fi and 4G
//! do so by dozens of packets and of milliseconds; by RFC 9002's thresholds alone each of them would be
//! sent twice. As in RFC 8985 a path that reorders is no longer judged by how many packets overtook one,
//! which grows with the rate, but by how late they come.

use crate::duration::Duration;
use crate::time::Instant;

/// Packets acknowledged above one that make it lost (RFC 9002, `kPacketThreshold`).
const PACKET_THRESHOLD: u64 = 3;
/// What was learned is forgotten after this long without another such packet.
const MEMORY: Duration = Duration::from_secs(10);

/// What late packets taught.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reordering {
    late: Duration,
    until: Option<Instant>,
}

impl Reordering {
    /// Notes that a packet arrived that was taken for lost, `late` later than a round trip of `rtt`.
    pub fn on_late(&mut self, now: Instant, late: Duration, rtt: Duration) {
        // Nobody is waited for longer than a round trip: sending again costs no more.
        self.late = self.tolerance(now).max(late.min(rtt));
        self.until = Some(now + MEMORY);
    }

    fn is_known(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Packets acknowledged above one that make it lost.
    pub fn packet_threshold(&self, now: Instant) -> u64 {
        if self.is_known(now) { u64::MAX } else { PACKET_THRESHOLD }
    }

    /// How much later than others a packet may come that is not lost, beyond what RFC 9002 grants.
    pub fn tolerance(&self, now: Instant) -> Duration {
        if self.is_known(now) { self.late } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    #[test]
    fn a_late_packet_makes_time_the_judge_for_a_while() {
        let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
        let mut path = Reordering::default();
        assert_eq!((path.packet_threshold(at(0)), path.tolerance(at(0))), (3, Duration::ZERO));
        path.on_late(at(1), Duration::from_millis(8), RTT);
        path.on_late(at(2), Duration::from_millis(5), RTT);
        let known = (u64::MAX, Duration::from_millis(8));
        assert_eq!((path.packet_threshold(at(11)), path.tolerance(at(11))), known);
        assert_eq!((path.packet_threshold(at(12)), path.tolerance(at(12))), (3, Duration::ZERO));
        path.on_late(at(20), Duration::from_millis(2), RTT);
        assert_eq!(path.tolerance(at(20)), Duration::from_millis(2));
    }

    #[test]
    fn no_packet_makes_a_sender_wait_longer_than_a_round_trip() {
        let mut path = Reordering::default();
        path.on_late(Instant::ZERO, Duration::MAX, RTT);
        assert_eq!(path.tolerance(Instant::ZERO), RTT);
    }
}
