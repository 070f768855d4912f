//! The server's side of the handshake, as far as it needs no state (PROTOCOL section 5): opening
//! tokens, challenging, denying. Nothing is kept for an address that has not proven itself, and no
//! reply is longer than the request.

use super::cookie::CookieJar;
use super::handshake::{self, CHALLENGE_SIZE, DENIED_SIZE, Request, Response};
use super::keys::{self, AssociatedPrefix, ClientRandom, CookieBytes, SessionKeys};
use super::token::{self, TokenId, TokenPacket, TokenSecret};
use crate::bytes::{Reader, Writer};
use crate::crypto::Key;
use crate::crypto::key_pair::{PublicKey, TokenKey};
use crate::crypto::random::Generator;
use crate::drop_reason::DropReason;
use crate::endpoint;
use crate::reason::DenyReason;
use crate::time::Instant;
use crate::token::Version;
use std::net::SocketAddr;

/// A token that opened.
pub struct OpenToken<'a> {
    /// The packet, its public section readable.
    pub packet: TokenPacket<'a>,
    /// What only servers can read of it.
    pub secret: TokenSecret,
    /// The client's random.
    pub random: ClientRandom,
}

impl OpenToken<'_> {
    /// The token's id.
    pub fn id(&self) -> &TokenId {
        &self.packet.id
    }

    /// True if the token lists one of `addresses`.
    pub fn lists(&self, mut is_own: impl FnMut(SocketAddr) -> bool) -> bool {
        self.packet.public.servers().any(|server| is_own(endpoint::canonical(server)))
    }

    /// The session key of replies under a cookie.
    fn reply_key(&self, cookie: &CookieBytes) -> Key {
        keys::session_key(&self.secret.keys.server_to_client, &self.random, cookie)
    }

    /// The session keys under a cookie.
    pub fn session_keys(&self, cookie: &CookieBytes) -> SessionKeys {
        SessionKeys::derive(&self.secret.keys, &self.random, cookie)
    }
}

/// A reply to an address that has not proven itself.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    bytes: [u8; DENIED_SIZE],
    size: usize,
}

impl Reply {
    fn write(write: impl FnOnce(&mut Writer<'_>)) -> Reply {
        let mut bytes = [0; DENIED_SIZE];
        let mut writer = Writer::new(&mut bytes);
        write(&mut writer);
        let size = writer.finish().unwrap_or(0);
        debug_assert!(size == CHALLENGE_SIZE || size == DENIED_SIZE);
        Reply { bytes, size }
    }

    /// The datagram.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.size).unwrap_or_default()
    }
}

/// What a server needs to answer strangers.
#[derive(Debug)]
pub struct Admission {
    prefix: AssociatedPrefix,
    application_id: u64,
    keys: Vec<TokenKey>,
    cookies: CookieJar,
    /// Never repeats while the cookies' epoch keys live.
    denials: u64,
}

impl Admission {
    /// Starts with fresh epoch keys.
    pub fn new(
        application_id: u64,
        keys: Vec<TokenKey>,
        now: Instant,
        generator: &mut Generator,
    ) -> Admission {
        Admission {
            prefix: AssociatedPrefix::new(application_id),
            application_id,
            keys,
            cookies: CookieJar::new(now, generator),
            denials: 0,
        }
    }

    /// Also accepts tokens made with `key`.
    pub fn add_key(&mut self, key: &TokenKey) {
        self.keep_keys(|known| known.id() != key.id(), Some(key));
    }

    /// Accepts tokens of the pair with this public half no more.
    pub fn remove_key(&mut self, public: &PublicKey) {
        self.keep_keys(|known| !public.0.starts_with(&known.id()), None);
    }

    /// Replaces the keys: what a key is moved out of would not be wiped.
    fn keep_keys(&mut self, keeps: impl Fn(&TokenKey) -> bool, more: Option<&TokenKey>) {
        let mut keys = Vec::with_capacity(self.keys.len() + 1);
        keys.extend(self.keys.iter().filter(|key| keeps(key)).chain(more).cloned());
        self.keys = keys;
    }

    /// Draws all keys anew: nothing given out before is accepted, and no nonce comes again.
    pub fn restart(&mut self, now: Instant, generator: &mut Generator) {
        self.cookies = CookieJar::new(now, generator);
        self.denials = 0;
    }

    /// What every tag of this server covers.
    pub fn prefix(&self) -> AssociatedPrefix {
        self.prefix
    }

    /// Draws new epoch keys when they are due.
    pub fn handle_timeout(&mut self, now: Instant, generator: &mut Generator) {
        self.cookies.handle_timeout(now, generator);
    }

    /// Opens the token of a request, unless `may` says that this network had enough of them opened. The cheap
    /// checks come first: the more is right about a token, the more it costs to refuse it.
    pub fn open<'a>(
        &self,
        request: &Request<'a>,
        may: impl FnOnce() -> bool,
    ) -> Result<OpenToken<'a>, DropReason> {
        let mut reader = Reader::new(request.token);
        reader.zeros(1).map_err(|_| DropReason::Type)?;
        if reader.array() != Ok(*Version::V2.bytes()) {
            return Err(DropReason::Version);
        }
        if reader.u64() != Ok(self.application_id) {
            return Err(DropReason::Application);
        }
        let packet = TokenPacket::read(request.token).map_err(|_| DropReason::Malformed)?;
        let key =
            self.keys.iter().find(|key| key.id() == packet.key_id).ok_or(DropReason::UnknownKey)?;
        if !may() {
            return Err(DropReason::Flood);
        }
        let secret = packet.open(key).ok_or(DropReason::Forged)?;
        Ok(OpenToken { packet, secret, random: request.random })
    }

    /// True if the response's cookie was given to its request at this address, lately.
    pub fn accepts_cookie(&self, response: &Response<'_>, from: SocketAddr) -> bool {
        let id = token::token_id(response.request.token);
        self.cookies.accepts(&response.cookie, from, &response.request.random, &id)
    }

    /// The challenge for a request.
    pub fn challenge(&self, token: &OpenToken<'_>, from: SocketAddr) -> Reply {
        let cookie = self.cookies.bake(from, &token.random, token.id());
        let key = token.reply_key(&cookie);
        Reply::write(|writer| handshake::seal_challenge(&self.prefix, &key, &cookie, writer))
    }

    /// The denial of a request.
    pub fn deny(&mut self, token: &OpenToken<'_>, from: SocketAddr, reason: DenyReason) -> Reply {
        let cookie = self.cookies.bake(from, &token.random, token.id());
        let key = token.reply_key(&cookie);
        let counter = self.denials;
        self.denials += 1;
        Reply::write(|writer| {
            handshake::seal_denied(&self.prefix, &key, &cookie, counter, reason, writer);
        })
    }
}
