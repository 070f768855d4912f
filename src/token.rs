//! Connect tokens: the layout that both protocols share. A trusted back end makes a token and hands it to
//! one player over a private channel; the player's client shows it to the servers that it lists. What only
//! servers can read of it, and how that is sealed, is each protocol's own (`v1/token.rs`, `v2/token.rs`).

use crate::bytes::{Malformed, Reader, Writer};
use crate::crypto::Key;
use crate::crypto::key_pair::{self, KeyError, PublicKey, SecretKey, TokenKey};
use crate::crypto::random::{self, RandomError};
use crate::crypto::xchacha::XNONCE_SIZE;
use crate::{v1, v2};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes of a connect token (`CN_CONNECT_TOKEN_SIZE`).
pub const TOKEN_SIZE: usize = REST_SIZE + PACKET_SIZE;
/// Bytes at the front that the client keeps to itself.
pub const REST_SIZE: usize = 90;
/// Bytes of the token packet: what the client shows to servers.
pub const PACKET_SIZE: usize = PUBLIC_SIZE + SECRET_SIZE + SIGNATURE_SIZE;
/// Bytes of the part everybody can read.
pub const PUBLIC_SIZE: usize = 568;
/// Bytes of the part only servers can read.
pub const SECRET_SIZE: usize = 392;
/// Bytes that prove where the token comes from.
pub const SIGNATURE_SIZE: usize = 64;
/// Bytes of the program's own that a token carries (`CN_CONNECT_TOKEN_USER_DATA_SIZE`).
pub const USER_DATA_SIZE: usize = 256;
/// The most servers a token lists.
pub const MAX_SERVERS: usize = 32;
/// The bytes of the public section left for addresses: 7 for each IPv4, 19 for each IPv6 address.
pub const ADDRESSES_SIZE: usize = PUBLIC_SIZE - PUBLIC_HEADER_SIZE;

const PUBLIC_HEADER_SIZE: usize = 35;
const VERSION_SIZE: usize = 10;
const IPV4: u8 = 1;
const IPV6: u8 = 2;
const IPV4_SIZE: usize = 7;
const IPV6_SIZE: usize = 19;

/// A protocol, as tokens and packets name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// CUTE 1.00: the protocol of the original.
    V1,
    /// CUTE 2.00: ChaCha20-Poly1305, authenticated headers, stateless handshake.
    V2,
}

impl Version {
    /// The version string on the wire, with its zero byte.
    pub const fn bytes(self) -> &'static [u8; VERSION_SIZE] {
        match self {
            Version::V1 => b"CUTE 1.00\0",
            Version::V2 => b"CUTE 2.00\0",
        }
    }

    fn from_bytes(bytes: [u8; VERSION_SIZE]) -> Option<Version> {
        [Version::V1, Version::V2].into_iter().find(|version| *version.bytes() == bytes)
    }
}

/// The keys of one connection, one for each direction, as a token carries them.
#[derive(Clone, Debug)]
pub struct TokenKeys {
    /// Seals what the client sends.
    pub client_to_server: Key,
    /// Seals what the server sends.
    pub server_to_client: Key,
}

/// What a back end says about a player to make a token.
#[derive(Clone, Copy, Debug)]
pub struct TokenRequest<'a> {
    /// The game; the same number on client, server and here.
    pub application_id: u64,
    /// Unix seconds now. A newer token of a client id may take over an older one's connection.
    pub creation: u64,
    /// Unix seconds from which on servers refuse the token; later than `creation`.
    pub expiration: u64,
    /// Seconds the client spends on each phase of the handshake with each server.
    pub handshake_timeout: u32,
    /// Fresh keys for this token alone.
    pub keys: &'a TokenKeys,
    /// The servers to try, in this order: 1 to 32.
    pub servers: &'a [SocketAddr],
    /// Names the player.
    pub client_id: u64,
    /// Passed to the server unread.
    pub user_data: &'a [u8; USER_DATA_SIZE],
}

impl TokenRequest<'_> {
    /// Checks that a token can hold what it asks for.
    pub fn check(&self) -> Result<(), TokenError> {
        if self.servers.is_empty() {
            return Err(TokenError::NoServer);
        }
        if self.servers.len() > MAX_SERVERS {
            return Err(TokenError::TooManyServers(self.servers.len()));
        }
        let bytes = self.servers.iter().map(address_size).sum();
        if bytes > ADDRESSES_SIZE {
            return Err(TokenError::ServersTooLong(bytes));
        }
        if self.expiration <= self.creation {
            let TokenRequest { creation, expiration, .. } = *self;
            return Err(TokenError::ExpiresAtOnce { creation, expiration });
        }
        Ok(())
    }
}

/// Why no token was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// No server address.
    NoServer,
    /// More than [`MAX_SERVERS`] addresses.
    TooManyServers(usize),
    /// The addresses take more than [`ADDRESSES_SIZE`] bytes.
    ServersTooLong(usize),
    /// The expiration is not after the creation.
    ExpiresAtOnce {
        /// Unix seconds given as creation.
        creation: u64,
        /// Unix seconds given as expiration.
        expiration: u64,
    },
    /// The secret key can't be used.
    Key(KeyError),
    /// No random bytes.
    Random(RandomError),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenError::NoServer => write!(f, "A connect token needs at least one server address."),
            TokenError::TooManyServers(count) => {
                write!(f, "A connect token lists at most {MAX_SERVERS} server addresses, not {count}.")
            }
            TokenError::ServersTooLong(bytes) => write!(
                f,
                "The server addresses take {bytes} bytes of the {ADDRESSES_SIZE} a connect token has for them: \
                 {IPV4_SIZE} for each IPv4 and {IPV6_SIZE} for each IPv6 address, so at most {} IPv6 addresses.",
                ADDRESSES_SIZE / IPV6_SIZE
            ),
            TokenError::ExpiresAtOnce { creation, expiration } => write!(
                f,
                "The token's expiration ({expiration}) must be later than its creation ({creation}); both are \
                 unix seconds."
            ),
            TokenError::Key(error) => error.fmt(f),
            TokenError::Random(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TokenError {}

/// Makes a key pair of this protocol from the operating system's random bytes.
pub fn generate_pair(version: Version) -> Result<(PublicKey, SecretKey), RandomError> {
    match version {
        Version::V1 => v1::signature::generate(),
        Version::V2 => key_pair::generate(),
    }
}

/// Makes a connect token. The kind of `secret` chooses the protocol that the connection will speak.
pub fn generate(request: &TokenRequest<'_>, secret: &SecretKey) -> Result<[u8; TOKEN_SIZE], TokenError> {
    request.check()?;
    match PairKey::new(secret).map_err(TokenError::Key)? {
        PairKey::V1(key) => v1::token::generate(request, &key),
        PairKey::V2(key) => {
            let nonce = random::bytes().map_err(TokenError::Random)?;
            Ok(generate_with(request, &key, nonce))
        }
    }
}

/// What tokens are made and opened with: the secret half of a key pair, whose kind is the protocol.
#[derive(Clone, Debug)]
pub enum PairKey {
    /// A pair of the original, which speaks CUTE 1.00.
    V1(Box<v1::token::TokenKey>),
    /// A pair of CUTE 2.00.
    V2(Box<TokenKey>),
}

impl From<TokenKey> for PairKey {
    fn from(key: TokenKey) -> PairKey {
        PairKey::V2(Box::new(key))
    }
}

impl PairKey {
    /// Finds out which kind of pair `secret` is of, by its public half.
    pub fn new(secret: &SecretKey) -> Result<PairKey, KeyError> {
        match TokenKey::new(secret) {
            Ok(key) => Ok(PairKey::from(key)),
            Err(_) => v1::token::TokenKey::new(secret).map(|key| PairKey::V1(Box::new(key))),
        }
    }

    /// [`new`](Self::new), also checking that `public` is the other half.
    pub fn for_pair(public: &PublicKey, secret: &SecretKey) -> Result<PairKey, KeyError> {
        let key = PairKey::new(secret)?;
        // Either kind keeps its public half at the end of its secret one.
        let belongs = secret.0.last_chunk().is_some_and(|half| public.0 == *half);
        if belongs { Ok(key) } else { Err(KeyError::WrongPublicKey) }
    }
}

/// The CUTE 2.00 token that this nonce makes, which must be random; `request` was checked to fit.
pub fn generate_with(
    request: &TokenRequest<'_>,
    key: &TokenKey,
    nonce: [u8; XNONCE_SIZE],
) -> [u8; TOKEN_SIZE] {
    assemble(Version::V2, request, &v2::token::seal(key, request, nonce))
}

/// Puts the client's own part in front of a token packet.
pub(crate) fn assemble(
    version: Version,
    request: &TokenRequest<'_>,
    packet: &[u8; PACKET_SIZE],
) -> [u8; TOKEN_SIZE] {
    let mut token = [0; TOKEN_SIZE];
    let mut writer = Writer::new(&mut token);
    writer.bytes(version.bytes());
    writer.u64(request.application_id);
    writer.u64(request.creation);
    writer.bytes(request.keys.client_to_server.as_bytes());
    writer.bytes(request.keys.server_to_client.as_bytes());
    writer.bytes(packet);
    debug_assert_eq!(writer.finish(), Some(TOKEN_SIZE));
    token
}

fn address_size(address: &SocketAddr) -> usize {
    match address {
        SocketAddr::V4(_) => IPV4_SIZE,
        SocketAddr::V6(_) => IPV6_SIZE,
    }
}

/// Writes the public section of a token; `request` was checked to fit.
pub(crate) fn write_public(writer: &mut Writer<'_>, version: Version, request: &TokenRequest<'_>) {
    let end = writer.written() + PUBLIC_SIZE;
    writer.u8(0);
    writer.bytes(version.bytes());
    writer.u64(request.application_id);
    writer.u64(request.expiration);
    writer.u32(request.handshake_timeout);
    writer.u32(request.servers.len() as u32);
    for server in request.servers {
        match server.ip() {
            IpAddr::V4(ip) => {
                writer.u8(IPV4);
                writer.bytes(&ip.octets());
            }
            IpAddr::V6(ip) => {
                writer.u8(IPV6);
                ip.segments().into_iter().for_each(|group| writer.u16(group));
            }
        }
        writer.u16(server.port());
    }
    writer.zeros(end.saturating_sub(writer.written()));
}

/// The part of a token that everybody can read, checked to be well formed.
#[derive(Clone, Copy, Debug)]
pub struct PublicSection<'a> {
    /// The game.
    pub application_id: u64,
    /// Unix seconds from which on the token is refused.
    pub expiration: u64,
    /// Seconds for each phase of the handshake.
    pub handshake_timeout: u32,
    servers: Reader<'a>,
    count: u32,
}

impl<'a> PublicSection<'a> {
    /// Reads a public section of `version`: an unknown address type or too many addresses is malformed.
    /// In CUTE 2.00 every byte has exactly one meaning, so a padding byte that isn't zero is too; CUTE 1.00
    /// lets them pass.
    pub fn read(bytes: &'a [u8; PUBLIC_SIZE], version: Version) -> Result<PublicSection<'a>, Malformed> {
        let mut reader = Reader::new(bytes);
        reader.zeros(1)?;
        if reader.array()? != *version.bytes() {
            return Err(Malformed);
        }
        let application_id = reader.u64()?;
        let expiration = reader.u64()?;
        let handshake_timeout = reader.u32()?;
        let count = reader.u32()?;
        if !(1..=MAX_SERVERS as u32).contains(&count) {
            return Err(Malformed);
        }
        let servers = reader;
        for _ in 0..count {
            read_address(&mut reader)?;
        }
        if version != Version::V1 {
            reader.zeros(reader.remaining())?;
        }
        Ok(PublicSection { application_id, expiration, handshake_timeout, servers, count })
    }

    /// The servers to try, in the token's order.
    pub fn servers(&self) -> impl Iterator<Item = SocketAddr> + 'a {
        let mut reader = self.servers;
        (0..self.count).map_while(move |_| read_address(&mut reader).ok())
    }
}

fn read_address(reader: &mut Reader<'_>) -> Result<SocketAddr, Malformed> {
    let ip = match reader.u8()? {
        IPV4 => IpAddr::V4(Ipv4Addr::from(reader.array::<4>()?)),
        IPV6 => {
            let mut groups = [0; 8];
            for group in &mut groups {
                *group = reader.u16()?;
            }
            IpAddr::V6(Ipv6Addr::from(groups))
        }
        _ => return Err(Malformed),
    };
    Ok(SocketAddr::new(ip, reader.u16()?))
}

/// Why a client refuses a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidToken {
    /// It is of no protocol that this library speaks.
    Version,
    /// It is for another application id.
    Application,
    /// It is damaged.
    Malformed,
    /// It has expired.
    Expired,
}

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invalid connect token. ")?;
        f.write_str(match self {
            InvalidToken::Version => {
                "It is neither of CUTE 2.00 nor of CUTE 1.00, the protocols that this library speaks."
            }
            InvalidToken::Application => "It was made for another application id than the client's.",
            InvalidToken::Malformed => "Its public section is damaged.",
            InvalidToken::Expired => "It has expired: ask the back end for a new one.",
        })
    }
}

impl std::error::Error for InvalidToken {}

/// A token as the client that was given it reads it.
#[derive(Debug)]
pub struct ConnectToken {
    /// The protocol to speak.
    pub version: Version,
    /// Unix seconds from which on servers refuse the token.
    pub expiration: u64,
    /// Seconds for each phase of the handshake with each server.
    pub handshake_timeout: u32,
    /// The keys of the connection.
    pub keys: TokenKeys,
    /// The servers to try, in this order; at least one.
    pub servers: Vec<SocketAddr>,
    /// What is shown to servers.
    pub packet: Box<[u8; PACKET_SIZE]>,
}

impl ConnectToken {
    /// Reads a token and checks what the client can check of it, at unix time `now`. As in the original, a
    /// CUTE 1.00 token is still read in the second in which it expires, though no server accepts it then.
    pub fn read(
        token: &[u8; TOKEN_SIZE],
        application_id: u64,
        now: u64,
    ) -> Result<ConnectToken, InvalidToken> {
        let malformed = |_| InvalidToken::Malformed;
        let mut reader = Reader::new(token);
        let version = reader.array().ok().and_then(Version::from_bytes).ok_or(InvalidToken::Version)?;
        let application = reader.u64().map_err(malformed)?;
        let _creation = reader.u64().map_err(malformed)?;
        let client_to_server = Key::new(reader.array().map_err(malformed)?);
        let server_to_client = Key::new(reader.array().map_err(malformed)?);
        let packet: [u8; PACKET_SIZE] = reader.array().map_err(malformed)?;

        let section = packet.first_chunk().ok_or(InvalidToken::Malformed)?;
        let public = PublicSection::read(section, version).map_err(malformed)?;
        if application != application_id || public.application_id != application_id {
            return Err(InvalidToken::Application);
        }
        let expired = match version {
            Version::V1 => public.expiration < now,
            Version::V2 => public.expiration <= now,
        };
        if expired {
            return Err(InvalidToken::Expired);
        }
        Ok(ConnectToken {
            version,
            expiration: public.expiration,
            handshake_timeout: public.handshake_timeout,
            keys: TokenKeys { client_to_server, server_to_client },
            servers: public.servers().collect(),
            packet: Box::new(packet),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint;

    const USER_DATA: [u8; USER_DATA_SIZE] = [9; USER_DATA_SIZE];

    fn keys() -> TokenKeys {
        TokenKeys { client_to_server: Key::new([1; 32]), server_to_client: Key::new([2; 32]) }
    }

    fn request<'a>(keys: &'a TokenKeys, servers: &'a [SocketAddr]) -> TokenRequest<'a> {
        TokenRequest {
            application_id: 77,
            creation: 1000,
            expiration: 1060,
            handshake_timeout: 5,
            keys,
            servers,
            client_id: u64::MAX - 3,
            user_data: &USER_DATA,
        }
    }

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| endpoint::parse(text).unwrap()).collect()
    }

    #[test]
    fn a_client_reads_what_the_back_end_wrote() {
        let (_, secret) = key_pair::generate().unwrap();
        let servers = addresses(&["10.0.0.1:5000", "[2001:db8::1:2]:65535", "0.0.0.0:0"]);
        let token = generate(&request(&keys(), &servers), &secret).unwrap();
        let read = ConnectToken::read(&token, 77, 1059).unwrap();
        assert_eq!(read.version, Version::V2);
        assert_eq!((read.expiration, read.handshake_timeout), (1060, 5));
        assert_eq!(read.servers, servers);
        assert_eq!(read.keys.client_to_server.as_bytes(), &[1; 32]);
        assert_eq!(read.keys.server_to_client.as_bytes(), &[2; 32]);
        assert_eq!(read.packet[..], token[REST_SIZE..]);
    }

    #[test]
    fn two_tokens_of_one_request_differ() {
        let (_, secret) = key_pair::generate().unwrap();
        let servers = addresses(&["10.0.0.1:5000"]);
        let keys = keys();
        let [one, two] = [(), ()].map(|()| generate(&request(&keys, &servers), &secret).unwrap());
        assert_ne!(one[REST_SIZE + PUBLIC_SIZE..], two[REST_SIZE + PUBLIC_SIZE..]);
    }

    #[test]
    fn every_wrong_request_is_a_named_error() {
        let (_, secret) = key_pair::generate().unwrap();
        let keys = keys();
        let v4 = addresses(&["10.0.0.1:5000"]);
        let v6 = addresses(&["[2001:db8::1]:5000"]);
        let error = |servers: &[SocketAddr]| generate(&request(&keys, servers), &secret).unwrap_err();
        assert_eq!(error(&[]), TokenError::NoServer);
        assert_eq!(error(&vec![v4[0]; 33]), TokenError::TooManyServers(33));
        assert_eq!(error(&vec![v6[0]; 29]), TokenError::ServersTooLong(29 * 19));
        for fits in [vec![v4[0]; 32], vec![v6[0]; 28]] {
            assert!(generate(&request(&keys, &fits), &secret).is_ok());
        }
        for expiration in [0, 999, 1000] {
            let late = TokenRequest { expiration, ..request(&keys, &v4) };
            let error = generate(&late, &secret).unwrap_err();
            assert_eq!(error, TokenError::ExpiresAtOnce { creation: 1000, expiration });
        }
        let error = generate(&request(&keys, &v4), &SecretKey([3; 64])).unwrap_err();
        assert_eq!(error, TokenError::Key(KeyError::NotAPair));
    }

    #[test]
    fn halves_of_two_pairs_are_refused_in_both_protocols() {
        let pairs = [key_pair::from_seed([1; 32]), v1::signature::from_seed(&[1; 32])];
        let others = [key_pair::from_seed([2; 32]), v1::signature::from_seed(&[2; 32])];
        for ((public, secret), (other, _)) in pairs.into_iter().zip(others) {
            assert!(PairKey::for_pair(&public, &secret).is_ok());
            assert_eq!(PairKey::for_pair(&other, &secret).unwrap_err(), KeyError::WrongPublicKey);
        }
    }

    #[test]
    fn a_damaged_token_is_refused_by_the_client() {
        let (_, secret) = key_pair::generate().unwrap();
        let servers = addresses(&["10.0.0.1:5000"]);
        let token = generate(&request(&keys(), &servers), &secret).unwrap();
        let read = |token: &[u8; TOKEN_SIZE]| ConnectToken::read(token, 77, 1000).map(|_| ());
        assert_eq!(read(&token), Ok(()));
        let altered = |at: usize, value: u8| {
            let mut token = token;
            token[at] = value;
            read(&token)
        };
        assert_eq!(altered(0, b'X'), Err(InvalidToken::Version));
        assert_eq!(altered(10, 1), Err(InvalidToken::Application));
        assert_eq!(altered(REST_SIZE, 1), Err(InvalidToken::Malformed));
        assert_eq!(altered(REST_SIZE + 1, b'X'), Err(InvalidToken::Malformed));
        assert_eq!(altered(REST_SIZE + 11, 1), Err(InvalidToken::Application));
        for count in [0, 2, 33, 255] {
            assert_eq!(altered(REST_SIZE + 31, count), Err(InvalidToken::Malformed), "{count} servers");
        }
        for kind in [0, 3, 255] {
            assert_eq!(altered(REST_SIZE + 35, kind), Err(InvalidToken::Malformed), "type {kind}");
        }
        assert_eq!(altered(REST_SIZE + PUBLIC_SIZE - 1, 1), Err(InvalidToken::Malformed));
        assert_eq!(ConnectToken::read(&token, 78, 0).map(|_| ()), Err(InvalidToken::Application));
        assert_eq!(ConnectToken::read(&token, 77, 1061).map(|_| ()), Err(InvalidToken::Expired));
    }
}
