//! Cookies: how the server proves an address without keeping anything for it (PROTOCOL section 5).
//! A cookie is a keyed hash of what the request said and where it came from; whoever shows it again
//! received it there. The keys live for ten seconds, and are drawn anew at every start, so that
//! nothing recorded before can be shown after.

use super::keys::{ClientRandom, CookieBytes};
use super::token::TokenId;
use crate::bytes::Writer;
use crate::crypto::random::Generator;
use crate::duration::Duration;
use crate::endpoint;
use crate::time::Instant;
use siphasher::sip128::SipHasher24;
use std::net::SocketAddr;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// How long an epoch key makes new cookies; it accepts them for as long again.
const EPOCH: Duration = Duration::from_secs(10);

/// Address 16, port 2, client random 16, token id 40.
const HASHED_SIZE: usize = 74;

type EpochKey = [u8; 16];

/// The server's secret for cookies.
#[derive(Debug)]
pub struct CookieJar {
    current: EpochKey,
    previous: Option<EpochKey>,
    since: Instant,
}

impl CookieJar {
    /// Draws a first epoch key.
    pub fn new(now: Instant, generator: &mut Generator) -> CookieJar {
        CookieJar { current: generator.bytes(), previous: None, since: now }
    }

    /// Draws new epoch keys when the old ones are due.
    pub fn handle_timeout(&mut self, now: Instant, generator: &mut Generator) {
        let age = now.since(self.since);
        if age < EPOCH {
            return;
        }
        self.previous = (age < EPOCH * 2).then_some(self.current);
        self.current = generator.bytes();
        self.since = now;
    }

    /// The cookie for a request.
    pub fn bake(&self, from: SocketAddr, random: &ClientRandom, token: &TokenId) -> CookieBytes {
        hash(&self.current, &hashed(from, random, token))
    }

    /// True if this jar made `cookie` for such a request, in this epoch or the one before.
    pub fn accepts(
        &self,
        cookie: &CookieBytes,
        from: SocketAddr,
        random: &ClientRandom,
        token: &TokenId,
    ) -> bool {
        let text = hashed(from, random, token);
        let made_with = |key: &EpochKey| bool::from(hash(key, &text).ct_eq(cookie));
        made_with(&self.current) || self.previous.as_ref().is_some_and(made_with)
    }
}

impl Drop for CookieJar {
    fn drop(&mut self) {
        self.current.zeroize();
        self.previous.zeroize();
    }
}

fn hashed(from: SocketAddr, random: &ClientRandom, token: &TokenId) -> [u8; HASHED_SIZE] {
    let mut text = [0; HASHED_SIZE];
    let mut writer = Writer::new(&mut text);
    writer.bytes(&endpoint::octets(from.ip()));
    writer.u16(from.port());
    writer.bytes(random);
    writer.bytes(token);
    debug_assert_eq!(writer.finish(), Some(HASHED_SIZE));
    text
}

fn hash(key: &EpochKey, text: &[u8]) -> CookieBytes {
    SipHasher24::new_with_key(key).hash(text).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: ClientRandom = [1; 16];
    const TOKEN: TokenId = [2; 40];

    fn address(text: &str) -> SocketAddr {
        endpoint::parse(text).unwrap()
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn a_cookie_is_good_for_its_request_from_its_address_alone() {
        let jar = CookieJar::new(at(0), &mut Generator::new([5; 32]));
        let from = address("10.0.0.1:700");
        let cookie = jar.bake(from, &RANDOM, &TOKEN);
        assert!(jar.accepts(&cookie, from, &RANDOM, &TOKEN));
        assert!(jar.accepts(&cookie, address("[::ffff:10.0.0.1]:700"), &RANDOM, &TOKEN));
        assert!(!jar.accepts(&cookie, address("10.0.0.1:701"), &RANDOM, &TOKEN));
        assert!(!jar.accepts(&cookie, address("10.0.0.2:700"), &RANDOM, &TOKEN));
        assert!(!jar.accepts(&cookie, from, &[9; 16], &TOKEN));
        assert!(!jar.accepts(&cookie, from, &RANDOM, &[9; 40]));
        let mut altered = cookie;
        altered[15] ^= 1;
        assert!(!jar.accepts(&altered, from, &RANDOM, &TOKEN));
    }

    #[test]
    fn a_cookie_lives_into_the_next_epoch_and_no_further() {
        let mut generator = Generator::new([5; 32]);
        let mut jar = CookieJar::new(at(0), &mut generator);
        let from = address("10.0.0.1:700");
        let cookie = jar.bake(from, &RANDOM, &TOKEN);
        jar.handle_timeout(at(9), &mut generator);
        assert_eq!(jar.bake(from, &RANDOM, &TOKEN), cookie);
        jar.handle_timeout(at(10), &mut generator);
        assert_ne!(jar.bake(from, &RANDOM, &TOKEN), cookie);
        assert!(jar.accepts(&cookie, from, &RANDOM, &TOKEN));
        jar.handle_timeout(at(20), &mut generator);
        assert!(!jar.accepts(&cookie, from, &RANDOM, &TOKEN));
    }

    #[test]
    fn a_pause_of_two_epochs_leaves_no_old_cookie_behind() {
        let mut generator = Generator::new([5; 32]);
        let mut jar = CookieJar::new(at(0), &mut generator);
        let cookie = jar.bake(address("10.0.0.1:700"), &RANDOM, &TOKEN);
        jar.handle_timeout(at(25), &mut generator);
        assert!(!jar.accepts(&cookie, address("10.0.0.1:700"), &RANDOM, &TOKEN));
    }
}
