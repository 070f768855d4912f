//! Handshakes that a server has begun: clients that showed a valid token and owe an echo of a challenge. Their
//! number is bounded (D20), each ends by itself, and nothing is sent but one challenge, a third of its size, for
//! each token packet that comes (D21). The echo proves that the client receives at its address (D22).

use super::hash::Hasher;
use super::packet::{CHALLENGE_DATA_SIZE, Challenge, Packet, RESPONSE_SIZE, Side};
use super::packet_seal::PacketSeal;
use super::secretbox::CONTEXT;
use super::token::{TokenId, TokenSecret};
use crate::connection::Transmit;
use crate::crypto::random::Generator;
use crate::drop_reason::DropReason::{self, Forged, UnknownAddress};
use crate::duration::Duration;
use crate::endpoint::Path;
use crate::keyed_map::{KeyedHash, KeyedMap};
use crate::time::Instant;
use crate::token::USER_DATA_SIZE;
use std::collections::VecDeque;
use std::net::SocketAddr;
use subtle::ConstantTimeEq;

/// The longest a handshake waits for its response.
const LONGEST: Duration = Duration::from_secs(10);
/// Handshakes with one token. A further one takes the place of the newest: whoever learns a token from the packet
/// that shows it comes after the player that it is for, and can't push it out.
const MOST_OF_ONE_TOKEN: usize = 4;
/// Handshakes at one address, each of another player: whoever pretends to be there, with a token of its own, keeps
/// nobody out. A further one takes the place of the newest.
const MOST_AT_ONE_ADDRESS: usize = 4;
/// Handshakes for each client that fits, and besides those.
const PER_CLIENT: usize = 2;
const SPARE: usize = 64;
/// Those that took too long are looked for at most this often.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

/// A handshake that waits for a response.
pub struct Handshake {
    /// Where the client is.
    pub path: Path,
    /// The token that it showed.
    pub token: TokenId,
    /// When that expires, in unix seconds.
    pub expiration: u64,
    /// The player that it names.
    pub client_id: u64,
    /// The program's own bytes in it.
    pub user_data: Box<[u8; USER_DATA_SIZE]>,
    /// The time a client has for each part of the handshake, by its token.
    pub timeout: Duration,
    /// The packets of its keys; a [connection](super::connection::Connection) goes on with it.
    pub seal: PacketSeal,
    until: Instant,
    /// Makes the challenges of this handshake those of no other.
    salt: [u8; 32],
    /// True while it is in the list of those to be challenged.
    is_due: bool,
}

impl Handshake {
    /// Takes in a packet that should be the echo of one of its challenges.
    fn handle_response(&mut self, unix: u64, packet: &mut [u8]) -> Result<(), DropReason> {
        if self.expiration <= unix {
            return Err(DropReason::Expired);
        }
        let Packet::ChallengeResponse(response) = self.seal.open(packet)? else {
            return Err(DropReason::Unexpected);
        };
        let expected = challenge_data(&self.salt, response.nonce);
        if bool::from(expected.ct_eq(response.data)) { Ok(()) } else { Err(DropReason::Cookie) }
    }
}

/// The handshakes of a server, by address.
pub struct PendingTable {
    /// In the order in which they began.
    handshakes: KeyedMap<SocketAddr, Vec<Handshake>>,
    count: usize,
    /// Where each token is shown from, in the order in which it came.
    by_token: KeyedMap<TokenId, Vec<SocketAddr>>,
    /// When the first of them may have taken too long.
    sweep_at: Instant,
    due: VecDeque<(SocketAddr, TokenId)>,
    capacity: usize,
    /// Numbers the challenges.
    nonce: u64,
}

impl PendingTable {
    /// Room for the handshakes of a server of `max_clients`.
    pub fn new(max_clients: usize, generator: &mut Generator) -> PendingTable {
        PendingTable {
            handshakes: KeyedMap::with_hasher(KeyedHash::new(generator)),
            count: 0,
            by_token: KeyedMap::with_hasher(KeyedHash::new(generator)),
            sweep_at: Instant::ZERO,
            due: VecDeque::new(),
            capacity: PER_CLIENT * max_clients + SPARE,
            nonce: 0,
        }
    }

    /// Forgets all handshakes.
    pub fn restart(&mut self, generator: &mut Generator) {
        self.handshakes = KeyedMap::with_hasher(KeyedHash::new(generator));
        self.by_token = KeyedMap::with_hasher(KeyedHash::new(generator));
        self.count = 0;
        self.due.clear();
    }

    /// How many handshakes there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The handshakes at an address.
    pub fn at(&self, remote: SocketAddr) -> &[Handshake] {
        self.handshakes.get(&remote).map_or(&[], Vec::as_slice)
    }

    fn get_mut(&mut self, remote: SocketAddr, token: &TokenId) -> Option<&mut Handshake> {
        self.handshakes.get_mut(&remote)?.iter_mut().find(|handshake| handshake.token == *token)
    }

    /// True if no further handshake can begin.
    pub fn is_full(&self) -> bool {
        self.count >= self.capacity
    }

    /// Notes another token packet of a handshake there is: it earns another challenge. False if there is none.
    pub fn repeat(&mut self, remote: SocketAddr, token: &TokenId) -> bool {
        let Some(handshake) = self.get_mut(remote, token) else { return false };
        if !std::mem::replace(&mut handshake.is_due, true) {
            self.note_due(remote, *token);
        }
        true
    }

    /// Puts a handshake into the list of those to be challenged. While nothing can be sent, the list has
    /// handshakes that are over, and some twice: then it begins anew.
    fn note_due(&mut self, remote: SocketAddr, token: TokenId) {
        if self.due.len() < 2 * self.capacity {
            self.due.push_back((remote, token));
        } else {
            let due = self.handshakes.values().flatten().filter(|handshake| handshake.is_due);
            self.due = due.map(|handshake| (handshake.path.remote, handshake.token)).collect();
        }
    }

    /// Begins a handshake, in place of one that the same player has at that address.
    pub fn begin(
        &mut self,
        now: Instant,
        path: Path,
        token: TokenId,
        (expiration, timeout): (u64, Duration),
        secret: TokenSecret,
        generator: &mut Generator,
    ) -> Result<(), DropReason> {
        let shown = self.by_token.get(&token).filter(|shown| shown.len() >= MOST_OF_ONE_TOKEN);
        if let Some(&newest) = shown.and_then(|shown| shown.last()) {
            self.take(newest, &token);
        }
        let there = self.at(path.remote);
        let own = there.iter().find(|handshake| handshake.client_id == secret.client_id);
        let newest = there.last().filter(|_| there.len() >= MOST_AT_ONE_ADDRESS);
        if let Some(replaced) = own.or(newest).map(|handshake| handshake.token) {
            self.take(path.remote, &replaced);
        }
        if self.is_full() {
            return Err(DropReason::Full);
        }
        if self.is_empty() {
            self.sweep_at = now + LONGEST;
        }
        let until = now + timeout.min(LONGEST);
        let seal = PacketSeal::new(Side::Server, &secret.keys);
        let salt = generator.bytes();
        let TokenSecret { client_id, user_data, .. } = secret;
        let handshake = Handshake {
            path,
            token,
            expiration,
            client_id,
            user_data,
            timeout,
            seal,
            until,
            salt,
            is_due: true,
        };
        let there = self.handshakes.entry(path.remote).or_default();
        there.reserve_exact(1); // most addresses have one, and a vector by itself makes room for four
        there.push(handshake);
        self.count += 1;
        self.by_token.entry(token).or_default().push(path.remote);
        self.sweep_at = self.sweep_at.min(until);
        self.note_due(path.remote, token);
        Ok(())
    }

    /// Takes in a challenge response; the handshake it fulfils can be [taken](Self::take).
    pub fn handle_response(
        &mut self,
        remote: SocketAddr,
        unix: u64,
        packet: &mut [u8],
    ) -> Result<&mut Handshake, DropReason> {
        let there = self.handshakes.get_mut(&remote).ok_or(DropReason::UnknownAddress)?;
        let mut reason = UnknownAddress;
        // Which of the handshakes it belongs to only its seal says; a packet that does not open is wiped.
        let mut copy = [0; RESPONSE_SIZE];
        for handshake in there {
            let copy = copy.get_mut(..packet.len()).ok_or(DropReason::Size)?;
            copy.copy_from_slice(packet);
            match handshake.handle_response(unix, copy) {
                Ok(()) => return Ok(handshake),
                // Of several reasons that of the handshake that knows the packet.
                Err(why) if matches!(reason, UnknownAddress | Forged) => reason = why,
                Err(_) => {}
            }
        }
        Err(reason)
    }

    /// Ends a handshake.
    pub fn take(&mut self, remote: SocketAddr, token: &TokenId) -> Option<Handshake> {
        let there = self.handshakes.get_mut(&remote)?;
        let place = there.iter().position(|handshake| handshake.token == *token)?;
        let handshake = there.remove(place);
        if there.is_empty() {
            self.handshakes.remove(&remote);
        }
        self.count -= 1;
        if let Some(shown) = self.by_token.get_mut(token) {
            shown.retain(|&from| from != remote);
            if shown.is_empty() {
                self.by_token.remove(token);
            }
        }
        Some(handshake)
    }

    /// Gives up what took too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.is_empty() || self.sweep_at > now {
            return;
        }
        // However their times differ, looking at all of them is paid for.
        let over = self.handshakes.values().flatten().filter(|handshake| handshake.until <= now);
        let over = over.map(|handshake| (handshake.path.remote, handshake.token));
        for (remote, token) in over.collect::<Vec<_>>() {
            self.take(remote, &token);
        }
        let next = self.handshakes.values().flatten().map(|handshake| handshake.until).min();
        self.sweep_at = next.unwrap_or(now).max(now + SWEEP_INTERVAL);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!self.is_empty()).then_some(self.sweep_at)
    }

    /// Writes the next challenge that is due.
    pub fn poll_transmit(&mut self, generator: &mut Generator, buffer: &mut [u8]) -> Option<Transmit> {
        while let Some((remote, token)) = self.due.pop_front() {
            let nonce = self.nonce;
            let Some(handshake) = self.get_mut(remote, &token) else { continue };
            if !std::mem::replace(&mut handshake.is_due, false) {
                continue;
            }
            let data = challenge_data(&handshake.salt, nonce);
            let request = Packet::ChallengeRequest(Challenge { nonce, data: &data });
            let size = handshake.seal.seal(&request, generator, buffer)?;
            let path = handshake.path;
            self.nonce += 1;
            return Some(Transmit { path, size });
        }
        None
    }
}

/// The data of a handshake's challenge: any it was ever given can be recognised, and none be guessed.
fn challenge_data(salt: &[u8; 32], nonce: u64) -> [u8; CHALLENGE_DATA_SIZE] {
    let mut hasher = Hasher::new(&CONTEXT, Some(salt));
    hasher.update(&nonce.to_le_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Key;
    use crate::token::TokenKeys;
    use crate::v1::packet::MAX_SIZE;

    const FOREVER: (u64, Duration) = (u64::MAX, Duration::MAX);

    struct Fixture {
        table: PendingTable,
        generator: Generator,
    }

    fn fixture(max_clients: usize) -> Fixture {
        let mut generator = Generator::new([0; 32]);
        Fixture { table: PendingTable::new(max_clients, &mut generator), generator }
    }

    fn path(number: u16) -> Path {
        Path { remote: SocketAddr::from(([10, 0, 0, 1], number)), local: None }
    }

    fn keys() -> TokenKeys {
        TokenKeys { client_to_server: Key::new([1; 32]), server_to_client: Key::new([2; 32]) }
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    impl Fixture {
        fn begin(
            &mut self,
            now: Instant,
            from: u16,
            token: u8,
            times: (u64, Duration),
        ) -> Result<(), DropReason> {
            let user_data = Box::new([0; USER_DATA_SIZE]);
            let secret = TokenSecret { client_id: token.into(), keys: keys(), user_data };
            self.table.begin(now, path(from), [token; 36], times, secret, &mut self.generator)
        }

        fn challenge(&mut self) -> Option<(u16, Vec<u8>)> {
            let mut buffer = [0; MAX_SIZE];
            let Transmit { path, size } = self.table.poll_transmit(&mut self.generator, &mut buffer)?;
            Some((path.remote.port(), buffer[..size].to_vec()))
        }
    }

    /// What a client answers to a challenge; `alter` changes a byte of the echo.
    fn answer(client: &mut PacketSeal, challenge: &[u8], alter: u8) -> Vec<u8> {
        let mut challenge = challenge.to_vec();
        let Ok(Packet::ChallengeRequest(Challenge { nonce, data })) = client.open(&mut challenge) else {
            panic!("no challenge");
        };
        let mut data = *data;
        data[100] ^= alter;
        let mut buffer = [0; MAX_SIZE];
        let response = Packet::ChallengeResponse(Challenge { nonce, data: &data });
        let size = client.seal(&response, &mut Generator::new([3; 32]), &mut buffer).unwrap();
        buffer[..size].to_vec()
    }

    #[test]
    fn d21_one_challenge_leaves_for_each_token_packet_and_is_smaller() {
        let mut f = fixture(1);
        f.begin(at(0), 1, 1, FOREVER).unwrap();
        assert_eq!(f.challenge().map(|(port, bytes)| (port, bytes.len())), Some((1, 337)));
        assert_eq!(f.challenge(), None);
        for _ in 0..3 {
            assert!(f.table.repeat(path(1).remote, &[1; 36]));
        }
        assert!(f.challenge().is_some() && f.challenge().is_none());
        let other = f.table.repeat(path(1).remote, &[2; 36]);
        assert_eq!((other, f.challenge()), (false, None));
        assert!(!f.table.repeat(path(2).remote, &[1; 36]));
    }

    #[test]
    fn while_nothing_can_be_sent_the_list_of_challenges_does_not_grow() {
        let mut f = fixture(1);
        for number in 0..2000 {
            f.begin(at(0), number, 1, FOREVER).unwrap();
            assert!(f.table.due.len() <= 2 * 66);
        }
        let challenged: Vec<u16> = std::iter::from_fn(|| f.challenge()).map(|(port, _)| port).collect();
        assert_eq!(challenged.len(), MOST_OF_ONE_TOKEN);
        assert!([0, 1, 2, 1999].iter().all(|port| challenged.contains(port)), "{challenged:?}");
    }

    #[test]
    fn d22_only_an_echo_of_a_challenge_of_this_handshake_is_a_response() {
        let mut f = fixture(1);
        f.begin(at(0), 1, 1, FOREVER).unwrap();
        f.begin(at(0), 2, 2, FOREVER).unwrap();
        let first = f.challenge().unwrap().1;
        let foreign = f.challenge().unwrap().1;
        assert!(f.table.repeat(path(1).remote, &[1; 36]));
        let second = f.challenge().unwrap().1;
        let mut client = PacketSeal::new(Side::Client, &keys());
        let altered = answer(&mut client, &first, 1);
        let second = answer(&mut client, &second, 0);
        let mut other = PacketSeal::new(Side::Client, &keys());
        (0..9).for_each(|_| {
            other.seal(&Packet::Keepalive, &mut f.generator, &mut [0; 100]).unwrap();
        });
        let foreign = answer(&mut other, &foreign, 0);
        let mut respond = |from: u16, mut packet: Vec<u8>| {
            f.table.handle_response(path(from).remote, 0, &mut packet).map(|handshake| handshake.token)
        };
        assert_eq!(respond(1, altered), Err(DropReason::Cookie));
        assert_eq!(respond(1, foreign), Err(DropReason::Cookie));
        assert_eq!(respond(3, second.clone()), Err(DropReason::UnknownAddress));
        assert_eq!(respond(1, second.clone()), Ok([1; 36]));
        assert_eq!(respond(1, second), Err(DropReason::Replayed));
        assert!(f.table.take(path(1).remote, &[1; 36]).is_some() && f.table.len() == 1);
    }

    #[test]
    fn d20_an_address_has_a_few_handshakes_and_the_first_stay() {
        let mut f = fixture(1);
        (1..=9).for_each(|token| f.begin(at(0), 1, token, FOREVER).unwrap());
        let kept: Vec<u64> = f.table.at(path(1).remote).iter().map(|h| h.client_id).collect();
        assert_eq!((kept, f.table.len()), (vec![1, 2, 3, 9], 4));
        let answers: Vec<_> = std::iter::from_fn(|| f.challenge())
            .map(|(_, challenge)| answer(&mut PacketSeal::new(Side::Client, &keys()), &challenge, 0))
            .collect();
        assert_eq!(answers.len(), 4);
        for (mut packet, token) in answers.into_iter().zip([1, 2, 3, 9]) {
            let shown = f.table.handle_response(path(1).remote, 0, &mut packet).map(|h| h.token);
            // All have the same keys here; elsewhere another's would not even open.
            assert!(shown == Ok([token; 36]) || token > 1, "{shown:?}");
            assert!(f.table.take(path(1).remote, &[token; 36]).is_some());
        }
        assert!(f.table.is_empty() && f.table.by_token.is_empty());
    }

    #[test]
    fn d20_handshakes_are_bounded_and_end_by_themselves() {
        let mut f = fixture(3);
        for port in 0..10 {
            f.begin(at(0), port, 1, FOREVER).unwrap();
        }
        let kept = (0..10).filter(|&port| !f.table.at(path(port).remote).is_empty());
        assert_eq!(kept.collect::<Vec<_>>(), [0, 1, 2, 9]);
        for token in 2..=67 {
            f.begin(at(1), 100 + u16::from(token), token, FOREVER).unwrap();
        }
        assert_eq!(f.begin(at(1), 200, 200, FOREVER), Err(DropReason::Full));
        assert_eq!(f.table.len(), 3 * 2 + 64);
        f.table.handle_timeout(at(9));
        assert_eq!(f.table.len(), 70);
        assert_eq!(f.table.poll_timeout(), Some(at(10)));
        f.table.handle_timeout(at(10));
        assert_eq!(f.table.len(), 66);
        f.begin(at(10), 1, 1, (500, Duration::from_millis(500))).unwrap();
        f.table.handle_timeout(at(11));
        assert_eq!(f.table.poll_timeout(), None);
        assert!(f.table.is_empty() && f.table.by_token.is_empty());
        assert_eq!(f.challenge(), None);
    }
}
