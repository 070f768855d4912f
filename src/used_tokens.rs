//! Tokens that have made a connection: until it expires none makes another, wherever it is shown from and
//! however often its player left. When the memory is full, new tokens are refused; a used one is never
//! forgotten before its time.

use crate::crypto::random::Generator;
use crate::duration::Duration;
use crate::keyed_map::{KeyedHash, KeyedMap};
use crate::time::Instant;
use std::hash::BuildHasher;

/// However short a token's life, it is remembered for this long of the server's own clock.
const LEAST_MEMORY: Duration = Duration::from_secs(30);
/// Tokens of one client id kept one by one once half of the memory is in use.
const KEPT_OF_ONE_CLIENT: usize = 16;

/// The memory of used tokens.
#[derive(Debug)]
pub struct UsedTokens {
    clients: KeyedMap<u64, ClientTokens>,
    hash: KeyedHash,
    entries: usize,
    capacity: usize,
    /// The entries that will have come since the last sweep when the next one is worth its time.
    sweep_at: usize,
    swept: Instant,
    /// The latest expiration of a token that was forgotten: with a clock that steps back, what expires
    /// until then could be one of those.
    forgotten_until: u64,
}

/// The used tokens of one client id.
#[derive(Debug, Default)]
struct ClientTokens {
    /// In the order of their hashes: a player with thousands must not make each of its packets a search through all.
    used: Vec<Used>,
    newest_creation: u64,
    /// Stands for older tokens, once there are too many to keep.
    watermark: Option<Box<Watermark>>,
}

/// Everything created at this time or before counts as used, for as long as the longest-lived of it would have.
#[derive(Clone, Copy, Debug)]
struct Watermark {
    creation: u64,
    used: Used,
}

impl ClientTokens {
    fn entries(&self) -> usize {
        self.used.len() + usize::from(self.watermark.is_some())
    }

    fn push(&mut self, used: Used, creation: u64) {
        // Most have one: a vector by itself makes room for four.
        if self.used.len() == self.used.capacity() {
            self.used.reserve_exact(self.used.len().max(1));
        }
        let place = self.used.partition_point(|other| other.token < used.token);
        self.used.insert(place, used);
        self.newest_creation = self.newest_creation.max(creation);
    }

    /// Puts a watermark in the place of all tokens, of which `newest` came last.
    fn condense(&mut self, newest: Used) {
        let used = std::mem::take(&mut self.used);
        let all = used.into_iter().chain(self.watermark.take().map(|watermark| watermark.used));
        let expiration = all.map(|used| used.expiration).max().unwrap_or(newest.expiration);
        let used = Used { expiration, ..newest };
        self.watermark = Some(Box::new(Watermark { creation: self.newest_creation, used }));
    }
}

#[derive(Clone, Copy, Debug)]
struct Used {
    token: u64,
    expiration: u64,
    since: Instant,
}

impl Used {
    fn is_live(&self, now: Instant, unix: u64) -> bool {
        unix < self.expiration || now.since(self.since) <= LEAST_MEMORY
    }
}

impl UsedTokens {
    /// Starts empty, for a server of `max_clients`.
    pub fn new(max_clients: usize, generator: &mut Generator) -> UsedTokens {
        UsedTokens {
            clients: KeyedMap::with_hasher(KeyedHash::new(generator)),
            hash: KeyedHash::new(generator),
            entries: 0,
            capacity: 64 * max_clients + 16_384,
            sweep_at: 64,
            swept: Instant::ZERO,
            forgotten_until: 0,
        }
    }

    /// Takes over what an earlier run of the same server remembers: stopping a server makes no token new.
    pub fn inherit(&mut self, earlier: UsedTokens) {
        *self = UsedTokens { capacity: self.capacity, ..earlier };
    }

    /// True if a token with this expiration must count as expired.
    pub fn is_expired(&self, expiration: u64, unix: u64) -> bool {
        expiration <= unix || expiration <= self.forgotten_until
    }

    /// True if this token of `client_id`, made at `creation`, has made a connection.
    pub fn contains(&self, client_id: u64, token: &[u8], creation: u64) -> bool {
        let Some(client) = self.clients.get(&client_id) else { return false };
        let token = self.hash.hash_one(token);
        client.watermark.as_ref().is_some_and(|watermark| creation <= watermark.creation)
            || client.used.binary_search_by_key(&token, |used| used.token).is_ok()
    }

    /// True if no further token can be remembered now.
    pub fn is_full(&mut self, now: Instant, unix: u64) -> bool {
        if self.entries >= self.capacity && now.since(self.swept) >= Duration::from_secs(1) {
            self.sweep(now, unix);
        }
        self.entries >= self.capacity
    }

    /// Remembers a token that made a connection.
    pub fn insert(
        &mut self,
        client_id: u64,
        token: &[u8],
        creation: u64,
        expiration: u64,
        now: Instant,
        unix: u64,
    ) {
        let used = Used { token: self.hash.hash_one(token), expiration, since: now };
        let crowded = self.entries >= self.capacity / 2;
        let client = self.clients.entry(client_id).or_default();
        client.push(used, creation);
        self.entries += 1;
        if crowded && client.used.len() > KEPT_OF_ONE_CLIENT {
            self.entries -= client.entries();
            client.condense(used);
            self.entries += client.entries();
        }
        if self.entries >= self.sweep_at {
            self.sweep(now, unix);
        }
    }

    /// Forgets what has expired. Its cost is paid by as many insertions.
    fn sweep(&mut self, now: Instant, unix: u64) {
        let (mut left, mut forgotten_until) = (0, self.forgotten_until);
        let mut forget = |used: &Used| {
            if used.is_live(now, unix) {
                return false;
            }
            forgotten_until = forgotten_until.max(used.expiration);
            true
        };
        self.clients.retain(|_, client| {
            client.used.retain(|used| !forget(used));
            client.watermark.take_if(|watermark| forget(&watermark.used));
            left += client.entries();
            client.entries() > 0
        });
        self.clients.shrink_to(2 * self.clients.len());
        self.entries = left;
        self.forgotten_until = forgotten_until;
        self.sweep_at = (2 * left).max(64);
        self.swept = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(max_clients: usize) -> UsedTokens {
        UsedTokens::new(max_clients, &mut Generator::new([7; 32]))
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    /// A program that says milliseconds where seconds are asked for has such a clock after seven weeks.
    #[test]
    fn however_late_the_clock_is_what_has_expired_is_forgotten() {
        assert!(size_of::<Used>() <= 24);
        for start in [0, 4_000_000_000, 5_000_000_000] {
            let mut tokens = used(1);
            tokens.insert(1, b"token", 100, 101, at(start), 100);
            tokens.sweep(at(start + 20), 120);
            assert!(tokens.contains(1, b"token", 100), "{start}");
            tokens.sweep(at(start + 40), 140);
            assert!(!tokens.contains(1, b"token", 100), "{start}");
        }
    }

    #[test]
    fn a_token_counts_as_used_until_it_expires_and_for_half_a_minute() {
        let mut tokens = used(1);
        tokens.insert(1, b"long", 100, 500, at(0), 100);
        tokens.insert(1, b"short", 100, 101, at(0), 100);
        tokens.sweep(at(20), 120);
        assert!(tokens.contains(1, b"long", 100) && tokens.contains(1, b"short", 100));
        assert!(!tokens.contains(1, b"other", 100) && !tokens.contains(2, b"long", 100));
        tokens.sweep(at(40), 140);
        assert!(tokens.contains(1, b"long", 100) && !tokens.contains(1, b"short", 100));
        tokens.sweep(at(400), 500);
        assert!(!tokens.contains(1, b"long", 100));
        assert!(tokens.clients.is_empty());
    }

    #[test]
    fn a_clock_that_steps_back_brings_no_forgotten_token_back() {
        let mut tokens = used(1);
        tokens.insert(1, b"token", 100, 200, at(0), 100);
        tokens.sweep(at(100), 200);
        assert!(!tokens.contains(1, b"token", 100));
        assert!(tokens.is_expired(200, 150));
        assert!(!tokens.is_expired(201, 150));
    }

    #[test]
    fn a_clock_that_stands_still_forgets_nothing() {
        let mut tokens = used(1);
        for number in 0u64..1000 {
            tokens.insert(number, b"token", 0, 1, Instant::ZERO, 0);
        }
        assert!((0..1000).all(|number| tokens.contains(number, b"token", 0)));
    }

    #[test]
    fn one_client_with_many_tokens_leaves_room_for_others() {
        let mut tokens = used(1);
        let half = tokens.capacity as u64 / 2;
        for number in 0..half + 1000 {
            tokens.insert(5, &number.to_le_bytes(), number, u64::MAX, at(0), 0);
        }
        assert!(tokens.entries as u64 <= half, "{}", tokens.entries);
        assert!((0..half + 1000).all(|number| tokens.contains(5, &number.to_le_bytes(), number)));
        assert!(!tokens.contains(5, b"new", half + 1000));
    }

    #[test]
    fn a_client_with_thousands_of_tokens_is_asked_about_as_fast_as_one_with_a_few() {
        let mut tokens = used(1);
        let many = tokens.capacity as u64 / 2;
        for number in 0..many {
            tokens.insert(5, &number.to_le_bytes(), 0, u64::MAX, at(0), 0);
        }
        tokens.insert(6, b"one", 0, u64::MAX, at(0), 0);
        let time = |client_id| {
            let begun = cpu_time::ThreadTime::now();
            (0..2000u64)
                .for_each(|n| assert!(!tokens.contains(client_id, &(many + n).to_le_bytes(), 1)));
            begun.elapsed()
        };
        let fastest = |client_id| (0..5).map(|_| time(client_id)).min().unwrap();
        let (many, few) = (fastest(5), fastest(6));
        assert!(many < few * 20, "{many:?}, {few:?}");
        assert!((0..8000u64).all(|number| tokens.contains(5, &number.to_le_bytes(), 0)));
    }

    #[test]
    fn a_full_memory_stays_full_until_something_expires() {
        let mut tokens = used(1);
        let capacity = tokens.capacity as u64;
        for number in 0..capacity {
            assert!(!tokens.is_full(at(1), 0));
            tokens.insert(number, b"token", 0, 1000, at(1), 0);
        }
        assert!(tokens.is_full(at(2), 999));
        assert!(tokens.is_full(at(40), 999));
        assert!(!tokens.is_full(at(41), 1000));
    }
}
