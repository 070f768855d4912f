//! How much may be on the way (RFC 9002 section 7 describes the place of a controller, not this one).
//! Players sit on lossy radio, so loss below a fifth of a round is not taken for congestion; a queue is:
//! a round in which even the fastest packet was slow. This controller is a plain window that a model of
//! the path is to replace.

use super::rtt::RttEstimator;
use std::time::Duration;

/// The size the window is counted in.
const PACKET: u64 = 1200;
const INITIAL_WINDOW: u64 = 16 * PACKET;
/// However bad the path, this much may always be on the way in each round trip.
const MIN_WINDOW: u64 = 4 * PACKET;
const MAX_WINDOW: u64 = 16 << 20;
/// Loss above this share of a round is congestion.
const LOSS_TOLERANCE_PERCENT: u64 = 20;
/// The queue that the window may build, on top of the path's own round trip.
const QUEUE_ALLOWANCE: Duration = Duration::from_millis(15);

/// The window, and what this round says of it.
#[derive(Debug)]
pub struct Congestion {
    window: u64,
    /// True until the round trip first grew, or a round lost too much.
    starting: bool,
    /// The next packet number when this round began: a round ends when it is acknowledged.
    round_end: u64,
    acked: u64,
    lost: u64,
    /// The smallest round trip of this round: what varies from packet to packet is not a queue.
    fastest: Option<Duration>,
    /// True if the window was what kept packets back in this round.
    limited: bool,
}

impl Default for Congestion {
    fn default() -> Self {
        Congestion {
            window: INITIAL_WINDOW,
            starting: true,
            round_end: 0,
            acked: 0,
            lost: 0,
            fastest: None,
            limited: false,
        }
    }
}

impl Congestion {
    /// Bytes that may be on the way.
    pub fn window(&self) -> u64 {
        self.window
    }

    /// Notes that something waits because the window is full.
    pub fn on_limited(&mut self) {
        self.limited = true;
    }

    /// Notes a round trip.
    pub fn on_rtt(&mut self, rtt: Duration) {
        self.fastest = Some(self.fastest.map_or(rtt, |fastest| fastest.min(rtt)));
    }

    /// Notes that packets of `bytes` bytes were found lost.
    pub fn on_lost(&mut self, bytes: u64) {
        self.lost = self.lost.saturating_add(bytes);
    }

    /// Notes that a packet of `bytes` bytes that was taken for lost arrived after all.
    pub fn on_late(&mut self, bytes: u64) {
        self.lost = self.lost.saturating_sub(bytes);
    }

    /// Notes that packets of `bytes` bytes were acknowledged, the newest of them `largest`, while
    /// `next_number` is the next to be sent. `tick` is the time that ticks and held-back
    /// acknowledgements add to a round trip.
    pub fn on_acked(
        &mut self,
        bytes: u64,
        largest: u64,
        next_number: u64,
        rtt: &RttEstimator,
        tick: Duration,
    ) {
        self.acked = self.acked.saturating_add(bytes);
        let lossy = self.lost * 100 > (self.acked + self.lost) * LOSS_TOLERANCE_PERCENT;
        if self.starting && self.limited && !lossy {
            self.window = (self.window + bytes).min(MAX_WINDOW);
        }
        if largest < self.round_end {
            return;
        }
        self.round_end = next_number;
        let path = rtt.min().unwrap_or_default();
        let queue = self.fastest.unwrap_or(path).saturating_sub(path);
        let queueing = queue > QUEUE_ALLOWANCE + tick + path / 4;
        if lossy || queueing {
            self.starting = false;
            let share = if lossy { self.window / 4 } else { self.window / 8 };
            self.window = (self.window - share).max(MIN_WINDOW);
        } else if !self.starting && self.limited {
            self.window = (self.window + self.window / 16 + PACKET).min(MAX_WINDOW);
        }
        self.acked = 0;
        self.lost = 0;
        self.fastest = None;
        self.limited = false;
    }

    /// Starts over, on another path.
    pub fn reset(&mut self) {
        *self = Congestion::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn rtt(samples: &[u64]) -> RttEstimator {
        let mut rtt = RttEstimator::default();
        for &sample in samples {
            rtt.update(ms(sample), ms(0));
        }
        rtt
    }

    /// One round in which the window was full and `lost` of ten packets were lost.
    fn round(congestion: &mut Congestion, number: &mut u64, lost: u64, rtt: &RttEstimator) {
        congestion.on_limited();
        let tenth = congestion.window() / 10;
        congestion.on_lost(tenth * lost);
        *number += 100;
        congestion.on_rtt(rtt.smoothed());
        congestion.on_acked(tenth * (10 - lost), *number - 1, *number, rtt, ms(0));
    }

    #[test]
    fn the_window_doubles_each_round_until_the_round_trip_grows() {
        let (mut congestion, mut number) = (Congestion::default(), 0);
        let steady = rtt(&[50]);
        for _ in 0..5 {
            round(&mut congestion, &mut number, 0, &steady);
        }
        assert!(congestion.window() > 25 * INITIAL_WINDOW, "{}", congestion.window());
        let before = congestion.window();
        let queued = rtt(&[&[50][..], &[120; 40]].concat());
        round(&mut congestion, &mut number, 0, &queued);
        round(&mut congestion, &mut number, 0, &queued);
        assert!(congestion.window() < 2 * before);
    }

    #[test]
    fn a_tenth_lost_is_radio_and_a_third_is_congestion() {
        let (mut congestion, mut number) = (Congestion::default(), 0);
        let steady = rtt(&[50]);
        for _ in 0..4 {
            round(&mut congestion, &mut number, 1, &steady);
        }
        let before = congestion.window();
        assert!(before > 8 * INITIAL_WINDOW);
        round(&mut congestion, &mut number, 3, &steady);
        assert!(congestion.window() < before);
        for _ in 0..40 {
            round(&mut congestion, &mut number, 9, &steady);
        }
        assert_eq!(congestion.window(), MIN_WINDOW);
    }

    #[test]
    fn an_idle_application_does_not_grow_the_window() {
        let mut congestion = Congestion::default();
        for number in 0..1000 {
            congestion.on_acked(1000, number, number + 1, &rtt(&[50]), ms(0));
        }
        assert_eq!(congestion.window(), INITIAL_WINDOW);
    }
}
