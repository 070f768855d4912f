//! How many bytes a second a connection may send, and how many a server takes from one. All datagrams of
//! the connection count, with their UDP payload.

use crate::datagram::BASE_DATAGRAM;
use crate::time::Instant;
use crate::token_bucket::TokenBucket;

/// Bytes a second; a lower rate counts as this one, because keepalives and acknowledgements need as much.
pub const LEAST_RATE: u32 = 1000;
/// One part in this many of a second's worth may leave at once, and as much of unreliable messages wait.
const BURST: u32 = 10;
/// Bytes that may leave at once however low the rate: a whole datagram.
const LEAST_BURST: u32 = BASE_DATAGRAM as u32;
/// Bytes that are taken at once however low the rate: what a network holds back for a moment arrives together.
const LEAST_TAKEN: u32 = 16 * 1024;
/// A client stays below what the server takes by one part in this many: no two clocks agree.
const MARGIN: u32 = 64;

/// The cap on what a connection sends.
#[derive(Clone, Copy, Debug)]
pub struct OutgoingCap {
    bucket: TokenBucket,
}

impl OutgoingCap {
    /// A cap of `rate` bytes a second.
    pub fn new(rate: u32) -> OutgoingCap {
        let rate = rate.max(LEAST_RATE);
        OutgoingCap { bucket: TokenBucket::new(rate, (rate / BURST).max(LEAST_BURST)) }
    }

    /// The cap of a client whose server takes `rate` bytes a second.
    pub fn below(rate: u32) -> OutgoingCap {
        let rate = rate.max(LEAST_RATE);
        OutgoingCap::new(rate - rate / MARGIN)
    }

    /// True if a datagram may leave.
    pub fn ready(&self, now: Instant) -> bool {
        self.bucket.ready(now)
    }

    /// When a datagram may leave.
    pub fn ready_at(&self) -> Instant {
        self.bucket.ready_at()
    }

    /// Counts a datagram that left.
    pub fn on_sent(&mut self, now: Instant, bytes: usize) {
        self.bucket.take(now, bytes);
    }

    /// Bytes of unreliable messages that may wait: what leaves in a tenth of a second.
    pub fn patience(&self) -> usize {
        (self.bucket.rate() / BURST) as usize
    }

    /// Bytes that leave in a second, after which a receiver forgets the start of an unreliable message.
    pub fn a_second(&self) -> usize {
        self.bucket.rate() as usize
    }
}

/// What a server takes from a client that may send `rate` bytes a second.
pub fn incoming(rate: u32) -> TokenBucket {
    let rate = rate.max(LEAST_RATE);
    TokenBucket::new(rate, rate.max(LEAST_TAKEN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_keeps_the_cap_is_never_above_what_is_taken() {
        for rate in [0, 1, 999, 1000, 20_000, 1 << 20, i32::MAX as u32, u32::MAX] {
            let (mut cap, mut taken) = (OutgoingCap::below(rate), incoming(rate));
            let mut now = Instant::ZERO;
            for _ in 0..2000 {
                while cap.ready(now) {
                    assert!(taken.ready(now), "{rate}");
                    cap.on_sent(now, 1200.max(rate as usize / 200));
                    taken.take(now, 1200.max(rate as usize / 200));
                }
                now = cap.ready_at();
            }
        }
    }
}
