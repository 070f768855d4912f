//! How many token packets are opened for one network in a second. Opening one is the most that a stranger can make a
//! server do, so a network that sends more of them than all players together would is not served for the rest of the
//! second. Networks are counted in a table of fixed size, under a key that changes with each second in which it was
//! used: nobody can fill memory, or choose for long whom to share a count with. (Against D18 and D19 of the original.)

use crate::crypto::random::Generator;
use crate::duration::Duration;
use crate::endpoint;
use crate::keyed_map::KeyedHash;
use crate::time::{Instant, Tick};
use std::hash::BuildHasher;
use std::net::{IpAddr, SocketAddr};

/// Counts start again after this.
const WINDOW: Duration = Duration::from_secs(1);
/// A client sends as many token packets a second while it connects, and all may be behind one address.
const PER_CLIENT: usize = 10;
/// However few clients fit, more may be trying.
const LEAST: usize = 512;
/// Counts, shared by the networks that fall on the same: 16 KiB.
const COUNTS: usize = 4096;
/// Bits of an address, IPv4 as `::ffff:a.b.c.d`, that name its network: those of response rate limiting in DNS
/// servers, /24 and /56.
const BITS_V4: u32 = 96 + 24;
const BITS_V6: u32 = 56;

/// What a token packet has shown of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// Its address may be anybody's.
    Unproven,
    /// A cookie proves its address. Counted apart: who only pretends to be there uses up nothing of it.
    Proven,
}

/// The counts of the current second.
#[derive(Debug)]
pub struct TokenFlood {
    counts: Vec<u32>,
    hash: KeyedHash,
    most: u32,
    since: Instant,
    is_used: bool,
}

impl TokenFlood {
    /// For a server of `max_clients`.
    pub fn new(max_clients: usize, generator: &mut Generator) -> TokenFlood {
        let most = (PER_CLIENT * max_clients).max(LEAST);
        TokenFlood {
            counts: vec![0; COUNTS],
            hash: KeyedHash::new(generator),
            most: u32::try_from(most).unwrap_or(u32::MAX),
            since: Instant::ZERO,
            is_used: false,
        }
    }

    /// Begins an update. Where the program's clock stands still, an update counts as a second: nobody is to be cut off
    /// for ever.
    pub fn advance(&mut self, tick: &Tick, generator: &mut Generator) {
        let now = tick.now;
        if self.is_used && (now.since(self.since) >= WINDOW || tick.stands_still()) {
            self.counts.fill(0);
            self.hash = KeyedHash::new(generator);
            self.is_used = false;
        }
        if !self.is_used {
            self.since = now;
        }
    }

    /// Counts a token packet from `from`; false if it is one too many to be opened.
    pub fn admits(&mut self, from: SocketAddr, sender: Sender) -> bool {
        let hash = self.hash.hash_one((network(from.ip()), sender));
        let Some(count) = self.counts.get_mut(hash as usize % COUNTS) else { return false };
        if *count >= self.most {
            return false;
        }
        *count += 1;
        self.is_used = true;
        true
    }
}

fn network(address: IpAddr) -> u128 {
    let canonical = endpoint::canonical(SocketAddr::new(address, 0)).ip();
    let bits = if canonical.is_ipv4() { BITS_V4 } else { BITS_V6 };
    u128::from_be_bytes(endpoint::octets(canonical)) >> (128 - bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> SocketAddr {
        endpoint::parse(text).unwrap()
    }

    fn flood(max_clients: usize) -> (TokenFlood, Generator) {
        let mut generator = Generator::new([3; 32]);
        (TokenFlood::new(max_clients, &mut generator), generator)
    }

    fn admitted(flood: &mut TokenFlood, address: &str, sender: Sender) -> usize {
        (0..100_000).filter(|_| flood.admits(from(address), sender)).count()
    }

    #[test]
    fn a_network_is_one_count_and_others_have_their_own() {
        let (mut flood, _) = flood(100);
        assert_eq!(admitted(&mut flood, "10.0.0.1:1", Sender::Unproven), 1000);
        for same in ["10.0.0.1:2", "10.0.0.200:1", "[::ffff:10.0.0.9]:1"] {
            assert!(!flood.admits(from(same), Sender::Unproven), "{same}");
        }
        assert_eq!(admitted(&mut flood, "10.0.1.1:1", Sender::Unproven), 1000);
        assert_eq!(admitted(&mut flood, "[2001:db8::1]:1", Sender::Unproven), 1000);
        assert!(!flood.admits(from("[2001:db8:0:ff::2]:1"), Sender::Unproven));
        assert!(flood.admits(from("[2001:db8:0:100::2]:1"), Sender::Unproven));
    }

    #[test]
    fn who_only_pretends_an_address_uses_up_nothing_of_who_has_it() {
        let (mut flood, _) = flood(1);
        assert_eq!(admitted(&mut flood, "10.0.0.1:1", Sender::Unproven), LEAST);
        assert_eq!(admitted(&mut flood, "10.0.0.1:1", Sender::Proven), LEAST);
    }

    #[test]
    fn a_second_later_counts_start_again() {
        let (mut flood, mut generator) = flood(1);
        let (mut tick, start) = (Tick::default(), Instant::ZERO + Duration::from_secs(100));
        tick.advance(Instant::ZERO);
        let mut advance = |flood: &mut TokenFlood, now| {
            tick.advance(now);
            flood.advance(&tick, &mut generator);
        };
        advance(&mut flood, start);
        assert_eq!(admitted(&mut flood, "10.0.0.1:1", Sender::Unproven), LEAST);
        advance(&mut flood, start + WINDOW - Duration::from_millis(1));
        assert!(!flood.admits(from("10.0.0.1:1"), Sender::Unproven));
        advance(&mut flood, start + WINDOW);
        assert_eq!(admitted(&mut flood, "10.0.0.1:1", Sender::Unproven), LEAST);
    }

    #[test]
    fn where_the_clock_stands_still_each_update_starts_again() {
        let (mut flood, mut generator) = flood(1);
        let mut tick = Tick::default();
        for _ in 0..3 {
            tick.advance(Instant::ZERO);
            flood.advance(&tick, &mut generator);
            assert_eq!(admitted(&mut flood, "10.0.0.1:1", Sender::Unproven), LEAST);
        }
    }

    #[test]
    fn it_is_never_less_than_twice_as_many_as_clients_fit() {
        for max_clients in [1, 32, 255, 1000, crate::server::MAX_CLIENTS] {
            let (flood, _) = flood(max_clients);
            assert!(flood.most as usize >= 2 * max_clients, "{max_clients}");
        }
    }
}
