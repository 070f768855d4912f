//! Connect tokens: the layout that both protocols share. A trusted back end makes a token and hands it to
//! one player over a private channel; the player's client shows it to the servers that it lists. What only
//! servers can read of it, and how that is sealed, is each protocol's own (`v1/token.rs`, `v2/token.rs`).

mod pair_key;
mod public_section;

pub use pair_key::{PairKey, generate_pair};
pub(crate) use public_section::write_public;
pub use public_section::{ADDRESSES_SIZE, PublicSection};

use crate::bytes::{Reader, Writer};
use crate::crypto::Key;
use crate::crypto::key_pair::{KeyError, SecretKey, TokenKey};
use crate::crypto::random::{self, RandomError};
use crate::crypto::xchacha::XNONCE_SIZE;
use crate::{v1, v2};
use public_section::{IPV4_SIZE, IPV6_SIZE, address_size};
use std::fmt;
use std::net::SocketAddr;

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

const VERSION_SIZE: usize = 10;

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

/// Why a client refuses a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidToken {
    /// It is of no protocol that this library speaks.
    Version,
    /// It is for another application id.
    Application {
        /// The token's.
        token: u64,
        /// The client's.
        client: u64,
    },
    /// It is damaged.
    Malformed,
    /// It has expired.
    Expired {
        /// Unix seconds from which on servers refuse it.
        expiration: u64,
        /// Unix seconds of the client's last update.
        now: u64,
    },
}

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invalid connect token. ")?;
        match self {
            InvalidToken::Version => write!(
                f,
                "It is neither of CUTE 2.00 nor of CUTE 1.00, the protocols that this library speaks: pass the \
                 {TOKEN_SIZE} bytes that cn_generate_connect_token wrote."
            ),
            InvalidToken::Application { token, client } => {
                write!(f, "It was made for the application id {token}, and the client's is {client}.")
            }
            InvalidToken::Malformed => write!(
                f,
                "Its public section is damaged: pass the {TOKEN_SIZE} bytes that cn_generate_connect_token wrote."
            ),
            InvalidToken::Expired { expiration, now } => write!(
                f,
                "It expired at {expiration}, and the client's last update said that it is {now}, in unix seconds: \
                 ask the web service for a new one."
            ),
        }
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
        for token in [application, public.application_id] {
            if token != application_id {
                return Err(InvalidToken::Application { token, client: application_id });
            }
        }
        let expired = match version {
            Version::V1 => public.expiration < now,
            Version::V2 => public.expiration <= now,
        };
        if expired {
            return Err(InvalidToken::Expired { expiration: public.expiration, now });
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

/// A token to be made by tests, here and of the protocols.
#[cfg(test)]
pub(crate) mod sample {
    use super::*;

    /// Bytes of which none stands for another near it.
    pub(crate) const USER_DATA: [u8; USER_DATA_SIZE] = {
        let mut bytes = [0; USER_DATA_SIZE];
        let mut at = 0;
        while at < USER_DATA_SIZE {
            bytes[at] = at as u8;
            at += 1;
        }
        bytes
    };

    pub(crate) fn keys() -> TokenKeys {
        TokenKeys { client_to_server: Key::new([1; 32]), server_to_client: Key::new([2; 32]) }
    }

    pub(crate) fn request<'a>(keys: &'a TokenKeys, servers: &'a [SocketAddr]) -> TokenRequest<'a> {
        TokenRequest {
            application_id: 77,
            creation: 1000,
            expiration: 1060,
            handshake_timeout: 5,
            keys,
            servers,
            client_id: 0xFFFF_0000_FFFF_0001,
            user_data: &USER_DATA,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sample::{keys, request};
    use super::*;
    use crate::crypto::key_pair;
    use crate::endpoint;

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
        let application = |token, client| Err(InvalidToken::Application { token, client });
        assert_eq!(altered(10, 1), application(1, 77));
        assert_eq!(altered(REST_SIZE, 1), Err(InvalidToken::Malformed));
        assert_eq!(altered(REST_SIZE + 1, b'X'), Err(InvalidToken::Malformed));
        assert_eq!(altered(REST_SIZE + 11, 1), application(1, 77));
        for count in [0, 2, 33, 255] {
            assert_eq!(altered(REST_SIZE + 31, count), Err(InvalidToken::Malformed), "{count} servers");
        }
        for kind in [0, 3, 255] {
            assert_eq!(altered(REST_SIZE + 35, kind), Err(InvalidToken::Malformed), "type {kind}");
        }
        assert_eq!(altered(REST_SIZE + PUBLIC_SIZE - 1, 1), Err(InvalidToken::Malformed));
        assert_eq!(ConnectToken::read(&token, 78, 0).map(|_| ()), application(77, 78));
        let expired = InvalidToken::Expired { expiration: 1060, now: 1061 };
        assert_eq!(ConnectToken::read(&token, 77, 1061).map(|_| ()), Err(expired));
    }
}
