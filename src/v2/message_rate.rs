//! How fast messages of channels 1 to 8 may begin, if the program set a rate. Channel 0 never waits for
//! it, and what was begun is finished whatever the rate says.

use crate::time::Instant;
use crate::token_bucket::TokenBucket;

/// A tenth of a second's worth may be saved up.
const SAVED: u32 = 10;

/// The rate that all message channels of a connection share.
#[derive(Debug, Default)]
pub struct MessageRate {
    bucket: Option<TokenBucket>,
}

impl MessageRate {
    /// Sets how many bytes of messages a second may begin from `now` on; `None` is any number.
    pub fn set(&mut self, now: Instant, rate: Option<u32>) {
        match (rate, &mut self.bucket) {
            (None, bucket) => *bucket = None,
            (Some(rate), Some(bucket)) => bucket.set_rate(now, rate, rate / SAVED),
            (Some(rate), bucket) => *bucket = Some(TokenBucket::new(rate, rate / SAVED)),
        }
    }

    /// True if messages of this channel may have to wait.
    pub fn holds(&self, channel: u8) -> bool {
        channel > 0 && self.bucket.is_some()
    }

    /// True if a message of this channel may begin.
    pub fn lets_begin(&self, channel: u8, now: Instant) -> bool {
        channel == 0 || self.bucket.is_none_or(|bucket| bucket.ready(now))
    }

    /// When messages may begin that may not at `now`.
    pub fn held_until(&self, now: Instant) -> Option<Instant> {
        self.bucket.map(|bucket| bucket.ready_at()).filter(|&at| at > now)
    }

    /// What decides for the messages of one channel.
    pub fn pace(&mut self, channel: u8, now: Instant) -> Pace<'_> {
        Pace { bucket: self.bucket.as_mut().filter(|_| channel > 0), now }
    }
}

/// Whether messages of a channel may begin.
pub struct Pace<'a> {
    bucket: Option<&'a mut TokenBucket>,
    now: Instant,
}

impl Pace<'_> {
    /// Lets every message begin.
    #[cfg(test)]
    pub fn free() -> Pace<'static> {
        Pace { bucket: None, now: Instant::ZERO }
    }

    /// True if the next message may begin.
    pub fn lets_begin(&self) -> bool {
        self.bucket.as_ref().is_none_or(|bucket| bucket.ready(self.now))
    }

    /// Counts a message that begins.
    pub fn on_begun(&mut self, bytes: usize) {
        if let Some(bucket) = &mut self.bucket {
            bucket.take(self.now, bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duration::Duration;

    #[test]
    fn an_oversized_message_is_paid_for_before_the_next_but_not_by_channel_0() {
        let mut rate = MessageRate::default();
        let now = Instant::ZERO + Duration::from_secs(1);
        assert!(rate.lets_begin(1, now) && !rate.holds(1));
        rate.set(now, Some(10_000));
        rate.pace(1, now).on_begun(11_000);
        assert!(!rate.pace(8, now).lets_begin() && rate.pace(0, now).lets_begin());
        assert!(rate.lets_begin(0, now) && rate.holds(8) && !rate.holds(0));
        assert_eq!(rate.held_until(now), Some(now + Duration::from_secs(1)));
        rate.pace(0, now).on_begun(1_000_000);
        // Setting it anew does not forgive the debt; lifting it does.
        rate.set(now, Some(20_000));
        assert_eq!(rate.held_until(now), Some(now + Duration::from_millis(500)));
        rate.set(now, None);
        assert!(rate.lets_begin(1, now));
    }
}
