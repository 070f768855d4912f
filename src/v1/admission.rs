//! The server's side of the handshake: which token packets begin one. What is cheap to see is looked at first,
//! signatures last and only so many in an update (D18, D19), and a packet whose signature was bad is known
//! again. Nothing is ever sent that is larger than what asked for it.

use super::packet::{Packet, Side};
use super::packet_seal::PacketSeal;
use super::pending::{Handshake, PendingTable};
use super::token::{TokenId, TokenKey, TokenPacket, TokenSecret};
use crate::bytes::Reader;
use crate::connection::{Arrival, Transmit};
use crate::crypto::key_pair::PublicKey;
use crate::crypto::random::Generator;
use crate::drop_reason::DropReason;
use crate::duration::Duration;
use crate::endpoint;
use crate::keyed_map::KeyedHash;
use crate::time::Instant;
use crate::token::{PACKET_SIZE, Version};
use crate::used_tokens::UsedTokens;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::net::SocketAddr;

/// Signatures that are checked in an update: some milliseconds.
pub const SIGNATURES_PER_UPDATE: u32 = 32;
/// Of these, the most that are checked of tokens that were shown with a bad signature before: whoever heard one can make
/// thousands of it, and must not use up what is there for those who come.
const OF_SUSPECTS: u32 = SIGNATURES_PER_UPDATE / 2;
/// Packets with bad signatures that are known again, and the tokens in them.
const KNOWN_BAD: usize = 256;
/// Denials that wait for the network. Further token packets get none, and are repeated.
const MAX_DENIALS: usize = 1024;

/// What a server knows of tokens and clients before a signature is checked.
pub struct Judge<'a> {
    /// Tokens that have made a connection. CUTE 1.00's have no creation time that can be trusted: there the
    /// expiration stands for it.
    pub used: &'a UsedTokens,
    /// The time in unix seconds.
    pub unix: u64,
    /// True if the server is reached at an address.
    pub is_own: &'a dyn Fn(SocketAddr) -> bool,
    /// Why a client may not connect with a token of this expiration: it is connected with a newer one.
    pub refuses: &'a dyn Fn(u64, u64) -> Option<DropReason>,
    /// True if there is no place for a client.
    pub is_full: &'a dyn Fn(u64) -> bool,
}

impl Judge<'_> {
    fn refusal(&self, client_id: u64, token: &TokenId, expiration: u64) -> Option<DropReason> {
        if self.used.contains(client_id, token, expiration) {
            return Some(DropReason::TokenUsed);
        }
        (self.refuses)(client_id, expiration)
    }
}

/// What a server needs to let clients in.
pub struct Admission {
    application_id: u64,
    keys: Vec<TokenKey>,
    pending: PendingTable,
    signatures_left: u32,
    suspects_left: u32,
    bad: VecDeque<u64>,
    suspects: VecDeque<u64>,
    hash: KeyedHash,
    denials: VecDeque<(Transmit, [u8; DENIED_SIZE])>,
}

/// Bytes of a denial.
const DENIED_SIZE: usize = super::packet::OVERHEAD;

impl Admission {
    /// Starts without handshakes.
    pub fn new(
        application_id: u64,
        keys: Vec<TokenKey>,
        max_clients: usize,
        generator: &mut Generator,
    ) -> Admission {
        Admission {
            application_id,
            keys,
            pending: PendingTable::new(max_clients, generator),
            signatures_left: SIGNATURES_PER_UPDATE,
            suspects_left: OF_SUSPECTS,
            bad: VecDeque::new(),
            suspects: VecDeque::new(),
            hash: KeyedHash::new(generator),
            denials: VecDeque::new(),
        }
    }

    /// Forgets all handshakes, and what was to be sent for them: the server stops, or this is another process
    /// now.
    pub fn restart(&mut self, generator: &mut Generator) {
        self.pending.restart(generator);
        self.hash = KeyedHash::new(generator);
        self.bad.clear();
        self.suspects.clear();
        self.denials.clear();
    }

    /// The handshakes there are.
    pub fn pending(&self) -> &PendingTable {
        &self.pending
    }

    /// Also accepts tokens made with `key`.
    pub fn add_key(&mut self, key: &TokenKey) {
        self.keep_keys(|known| known.public() != key.public(), Some(key));
    }

    /// Accepts tokens of the pair with this public half no more.
    pub fn remove_key(&mut self, public: &PublicKey) {
        self.keep_keys(|known| known.public() != *public, None);
    }

    /// Replaces the keys: what a key is moved out of would not be wiped.
    fn keep_keys(&mut self, keeps: impl Fn(&TokenKey) -> bool, more: Option<&TokenKey>) {
        let mut keys = Vec::with_capacity(self.keys.len() + 1);
        keys.extend(self.keys.iter().filter(|key| keeps(key)).chain(more).cloned());
        self.keys = keys;
    }

    /// True if any token is accepted.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Begins an update: signatures may be checked again.
    pub fn begin_update(&mut self) {
        self.signatures_left = SIGNATURES_PER_UPDATE;
        self.suspects_left = OF_SUSPECTS;
    }

    /// Gives up handshakes that took too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.pending.handle_timeout(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) or [`poll_transmit`](Self::poll_transmit) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.denials.is_empty() { self.pending.poll_timeout() } else { Some(Instant::ZERO) }
    }

    /// Takes in a token packet from an address that has no connection. A client that there is no place for
    /// is denied.
    pub fn handle_token(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        packet: &[u8; PACKET_SIZE],
        judge: &Judge<'_>,
        may_open: impl FnOnce() -> bool,
        generator: &mut Generator,
    ) -> Result<(), DropReason> {
        let token = self.read(packet)?;
        let expiration = token.public.expiration;
        if judge.used.is_expired(expiration, judge.unix) {
            return Err(DropReason::Expired);
        }
        if !token.public.servers().any(|server| (judge.is_own)(endpoint::canonical(server))) {
            return Err(DropReason::NotListed);
        }
        let path = arrival.path;
        if self.pending.repeat(path.remote, &token.id) {
            return Ok(());
        }
        let print = self.hash.hash_one(packet);
        if self.bad.contains(&print) {
            return Err(DropReason::Forged);
        }
        if !may_open() {
            return Err(DropReason::Flood);
        }
        // A client that gave up may come back from its port with another token, but with none that is older.
        let begun: Vec<(u64, u64)> = self
            .pending
            .at(path.remote)
            .iter()
            .map(|begun| (begun.client_id, begun.expiration))
            .collect();
        let is_older =
            |client_id| begun.iter().any(|&(id, newer)| id == client_id && expiration < newer);
        let refusal = |client_id| match is_older(client_id) {
            true => Some(DropReason::Unexpected),
            false => judge.refusal(client_id, &token.id, expiration),
        };
        let secret = self.open(&token, print, refusal)?;
        if (judge.is_full)(secret.client_id) {
            self.deny_with(PacketSeal::new(Side::Server, &secret.keys), path, generator);
            return Err(DropReason::Full);
        }
        let timeout = Duration::from_secs(u64::from(token.public.handshake_timeout));
        self.pending.begin(now, path, token.id, (expiration, timeout), secret, generator)
    }

    fn read<'a>(&self, packet: &'a [u8; PACKET_SIZE]) -> Result<TokenPacket<'a>, DropReason> {
        let mut reader = Reader::new(packet);
        reader.zeros(1).map_err(|_| DropReason::Type)?;
        if reader.array() != Ok(*Version::V1.bytes()) {
            return Err(DropReason::Version);
        }
        if reader.u64() != Ok(self.application_id) {
            return Err(DropReason::Application);
        }
        TokenPacket::read(packet).map_err(|_| DropReason::Malformed)
    }

    fn open(
        &mut self,
        token: &TokenPacket<'_>,
        print: u64,
        refuses: impl FnOnce(u64) -> Option<DropReason>,
    ) -> Result<TokenSecret, DropReason> {
        let opened = self.keys.iter().find_map(|key| Some((key, token.decrypt(key)?)));
        // A token says not which pair made it: another pair, or nobody.
        let (key, secret) = opened.ok_or(DropReason::UnknownKey)?;
        if let Some(reason) = refuses(secret.client_id) {
            return Err(reason);
        }
        let id = self.hash.hash_one(token.id);
        let is_suspect = self.suspects.contains(&id);
        if is_suspect {
            self.suspects_left = self.suspects_left.checked_sub(1).ok_or(DropReason::Flood)?;
        }
        self.signatures_left = self.signatures_left.checked_sub(1).ok_or(DropReason::Flood)?;
        if !token.is_signed(key) {
            note(&mut self.bad, print);
            if !is_suspect {
                note(&mut self.suspects, id);
            }
            return Err(DropReason::Forged);
        }
        Ok(secret)
    }

    /// Takes in a challenge response from an address that has no connection. What it returns is fulfilled: look
    /// again whether its client may connect, then [take](Self::take) or [deny](Self::deny) it.
    pub fn handle_response(
        &mut self,
        remote: SocketAddr,
        unix: u64,
        packet: &mut [u8],
    ) -> Result<&Handshake, DropReason> {
        self.pending.handle_response(remote, unix, packet).map(|handshake| &*handshake)
    }

    /// Ends a handshake that was fulfilled, for a connection.
    pub fn take(&mut self, remote: SocketAddr, token: &TokenId) -> Option<Handshake> {
        self.pending.take(remote, token)
    }

    /// Ends a handshake and tells its client that it is not let in.
    pub fn deny(&mut self, remote: SocketAddr, token: &TokenId, generator: &mut Generator) {
        if let Some(Handshake { seal, path, .. }) = self.pending.take(remote, token) {
            self.deny_with(seal, path, generator);
        }
    }

    fn deny_with(&mut self, mut seal: PacketSeal, path: endpoint::Path, generator: &mut Generator) {
        let mut bytes = [0; DENIED_SIZE];
        if self.denials.len() < MAX_DENIALS
            && let Some(size) = seal.seal(&Packet::Denied, generator, &mut bytes)
        {
            self.denials.push_back((Transmit { path, size }, bytes));
        }
    }

    /// Writes the next challenge or denial that is due.
    pub fn poll_transmit(&mut self, generator: &mut Generator, buffer: &mut [u8]) -> Option<Transmit> {
        let Some((transmit, bytes)) = self.denials.pop_front() else {
            return self.pending.poll_transmit(generator, buffer);
        };
        buffer.get_mut(..DENIED_SIZE)?.copy_from_slice(&bytes);
        Some(transmit)
    }
}

/// Remembers one more, and no more than are worth it.
fn note(known: &mut VecDeque<u64>, hash: u64) {
    known.truncate(KNOWN_BAD - 1);
    known.push_front(hash);
}

#[cfg(test)]
mod tests {
    use super::super::packet::MAX_SIZE;
    use super::super::signature;
    use super::super::token;
    use super::*;
    use crate::crypto::Key;
    use crate::endpoint::Path;
    use crate::token::{TokenKeys, TokenRequest, USER_DATA_SIZE};

    const SERVER: &str = "10.0.0.1:5000";
    const UNIX: u64 = 1000;

    struct Fixture {
        admission: Admission,
        generator: Generator,
        used: UsedTokens,
        is_full: bool,
        may_open: bool,
    }

    fn token_key(seed: u8) -> TokenKey {
        TokenKey::new(&signature::from_seed(&[seed; 32]).1).unwrap()
    }

    fn fixture() -> Fixture {
        let mut generator = Generator::new([0; 32]);
        let keys = vec![token_key(9), token_key(1)];
        let admission = Admission::new(7, keys, 8, &mut generator);
        let used = UsedTokens::new(8, &mut generator);
        Fixture { admission, generator, used, is_full: false, may_open: true }
    }

    fn keys() -> TokenKeys {
        TokenKeys { client_to_server: Key::new([1; 32]), server_to_client: Key::new([2; 32]) }
    }

    fn packet(iv: u8, application_id: u64, expiration: u64, server: &str) -> [u8; PACKET_SIZE] {
        let request = TokenRequest {
            application_id,
            creation: UNIX,
            expiration,
            handshake_timeout: 5,
            keys: &keys(),
            servers: &[server.parse().unwrap()],
            client_id: 77,
            user_data: &[0; USER_DATA_SIZE],
        };
        token::seal(&token_key(1), &request, [iv; 20], [5; 32])
    }

    fn good(iv: u8) -> [u8; PACKET_SIZE] {
        packet(iv, 7, UNIX + 60, SERVER)
    }

    impl Fixture {
        fn shows(&mut self, port: u16, packet: &[u8; PACKET_SIZE]) -> Result<(), DropReason> {
            let path = Path { remote: SocketAddr::from(([10, 0, 0, 2], port)), local: None };
            let arrival = Arrival { path, at: Instant::ZERO };
            let judge = Judge {
                used: &self.used,
                unix: UNIX,
                is_own: &|address| address == SERVER.parse().unwrap(),
                refuses: &|client_id, _| (client_id > 78).then_some(DropReason::TokenInUse),
                is_full: &|_| self.is_full,
            };
            let generator = &mut self.generator;
            let may_open = || self.may_open;
            self.admission.handle_token(Instant::ZERO, &arrival, packet, &judge, may_open, generator)
        }

        fn sends(&mut self) -> Vec<usize> {
            let mut buffer = [0; MAX_SIZE];
            std::iter::from_fn(|| {
                let sent = self.admission.poll_transmit(&mut self.generator, &mut buffer)?;
                Some(sent.size)
            })
            .collect()
        }
    }

    #[test]
    fn d19_what_is_cheap_to_see_costs_no_signature() {
        let mut f = fixture();
        f.used.insert(77, &token::token_id(&good(1)), 0, UNIX + 60, Instant::ZERO, UNIX);
        let mut version = good(2);
        version[5] ^= 1;
        let mut forged = good(2);
        forged[700] ^= 1;
        for (packet, reason) in [
            (version, DropReason::Version),
            (packet(2, 8, UNIX + 60, SERVER), DropReason::Application),
            (packet(2, 7, UNIX, SERVER), DropReason::Expired),
            (packet(2, 7, UNIX + 60, "10.0.0.1:5001"), DropReason::NotListed),
            (good(1), DropReason::TokenUsed),
            (forged, DropReason::UnknownKey),
        ] {
            assert_eq!(f.shows(1, &packet), Err(reason));
        }
        assert_eq!(f.admission.signatures_left, SIGNATURES_PER_UPDATE);
        assert_eq!(f.shows(1, &good(2)), Ok(()));
        assert_eq!(f.admission.signatures_left, SIGNATURES_PER_UPDATE - 1);
        // Repeated, a token packet earns challenges and costs nothing.
        (0..100).for_each(|_| f.shows(1, &good(2)).unwrap());
        assert_eq!(f.admission.signatures_left, SIGNATURES_PER_UPDATE - 1);
        assert_eq!(f.sends(), [337]);
    }

    #[test]
    fn d19_a_bad_signature_is_checked_once_and_only_so_many_in_an_update() {
        let mut f = fixture();
        let mut bad = good(1);
        bad[PACKET_SIZE - 40] ^= 1;
        (0..50).for_each(|_| assert_eq!(f.shows(1, &bad), Err(DropReason::Forged)));
        assert_eq!(f.admission.signatures_left, SIGNATURES_PER_UPDATE - 1);
        for byte in 1..=255 {
            bad[PACKET_SIZE - 41] = byte;
            let result = f.shows(1, &bad);
            let expected =
                if u32::from(byte) <= OF_SUSPECTS { DropReason::Forged } else { DropReason::Flood };
            assert!(result == Err(expected) || bad[PACKET_SIZE - 41] == good(1)[PACKET_SIZE - 41]);
        }
        assert_eq!(f.shows(1, &good(1)), Err(DropReason::Flood));
        // Of other tokens the rest is checked.
        let left = SIGNATURES_PER_UPDATE - 1 - OF_SUSPECTS;
        assert_eq!(f.admission.signatures_left, left);
        assert_eq!(f.shows(3, &packet(2, 7, UNIX + 60, SERVER)), Ok(()));
        assert_eq!(f.admission.signatures_left, left - 1);
        f.admission.begin_update();
        assert_eq!(f.shows(1, &good(1)), Ok(()));
        assert!(f.admission.bad.len() <= KNOWN_BAD);
        f.may_open = false;
        assert_eq!(f.shows(2, &good(2)), Err(DropReason::Flood));
        assert_eq!(f.shows(1, &good(1)), Ok(()), "a handshake that has begun goes on");
    }

    #[test]
    fn another_token_of_the_same_client_and_no_older_begins_anew_at_its_address() {
        let mut f = fixture();
        f.shows(1, &good(1)).unwrap();
        assert_eq!(f.sends(), [337]);
        let newer = packet(2, 7, UNIX + 61, SERVER);
        f.shows(1, &newer).unwrap();
        assert_eq!((f.sends(), f.admission.pending().len()), (vec![337], 1));
        assert_eq!(f.shows(1, &good(1)), Err(DropReason::Unexpected));
        assert_eq!(f.shows(1, &packet(3, 7, UNIX + 60, SERVER)), Err(DropReason::Unexpected));
        let foreign = TokenRequest {
            application_id: 7,
            creation: UNIX,
            expiration: UNIX + 70,
            handshake_timeout: 5,
            keys: &keys(),
            servers: &[SERVER.parse().unwrap()],
            client_id: 78,
            user_data: &[0; USER_DATA_SIZE],
        };
        let foreign = token::seal(&token_key(1), &foreign, [4; 20], [5; 32]);
        let left = f.admission.signatures_left;
        let mut forged = packet(5, 7, UNIX + 80, SERVER);
        forged[PACKET_SIZE - 40] ^= 1;
        assert_eq!(f.shows(1, &forged), Err(DropReason::Forged));
        assert_eq!((f.sends(), f.admission.signatures_left), (vec![], left - 1));
        // Another player's begins beside it.
        assert_eq!(f.shows(1, &foreign), Ok(()));
        f.shows(1, &newer).unwrap();
        assert_eq!((f.sends(), f.admission.pending().len()), (vec![337, 337], 2));
    }

    #[test]
    fn a_full_server_denies_and_a_denial_is_smaller_than_a_token_packet() {
        let mut f = fixture();
        f.is_full = true;
        assert_eq!(f.shows(1, &good(1)), Err(DropReason::Full));
        assert_eq!(f.sends(), [73]);
        f.is_full = false;
        f.shows(1, &good(1)).unwrap();
        assert_eq!(f.sends(), [337]);
        let remote = SocketAddr::from(([10, 0, 0, 2], 1));
        let token = f.admission.pending().at(remote)[0].token;
        f.admission.deny(remote, &token, &mut f.generator);
        assert!(f.admission.pending().is_empty());
        assert_eq!(f.sends(), [73]);
    }
}
