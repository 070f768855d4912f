//! The four packets of the handshake (PROTOCOL section 5): request, challenge, response, denied.
//! Session keys exist as soon as the server has chosen a cookie, so challenge and denied are
//! authenticated although the server keeps nothing; a reply is never longer than what asked for it.

use super::keys::{
    AssociatedPrefix, ClientRandom, CookieBytes, Domain, SessionKeys, nonce, session_key,
};
use super::packet::PacketType;
use crate::bytes::{Malformed, Reader, Writer};
use crate::crypto::Key;
use crate::crypto::cipher::{Cipher, PacketCipher, TAG_SIZE};
use crate::reason::DenyReason;
use crate::token::{PACKET_SIZE, TokenKeys};

/// Bytes of a request: token packet 1024, client random 16.
pub const REQUEST_SIZE: usize = PACKET_SIZE + 16;
/// Bytes of a challenge: type 1, cookie 16, tag 16.
pub const CHALLENGE_SIZE: usize = 1 + 16 + TAG_SIZE;
/// Bytes of a response: type 1, token packet 1024, client random 16, cookie 16, tag 16.
pub const RESPONSE_SIZE: usize = 1 + PACKET_SIZE + 16 + 16 + TAG_SIZE;
/// Bytes of a denial: type 1, cookie 16, counter 8, sealed reason 1, tag 16.
pub const DENIED_SIZE: usize = 1 + 16 + 8 + 1 + TAG_SIZE;

/// A client asks to be let in.
pub struct Request<'a> {
    /// The token, as the client was given it.
    pub token: &'a [u8; PACKET_SIZE],
    /// Fresh for this attempt and this server.
    pub random: ClientRandom,
}

impl<'a> Request<'a> {
    /// Takes a request apart. Nothing in it is proven.
    pub fn decode(bytes: &'a [u8]) -> Result<Request<'a>, Malformed> {
        let (token, random) = bytes.split_first_chunk().ok_or(Malformed)?;
        Ok(Request { token, random: random.try_into().map_err(|_| Malformed)? })
    }

    /// Writes the request.
    pub fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(self.token);
        writer.bytes(&self.random);
    }
}

/// Writes a challenge: proof for the client that the server opened its token, and the cookie. `key` is the
/// session key of what the server sends.
pub fn seal_challenge(
    prefix: &AssociatedPrefix,
    key: &Key,
    cookie: &CookieBytes,
    writer: &mut Writer<'_>,
) {
    let mut header = [0; 1 + 16];
    let mut front = Writer::new(&mut header);
    front.u8(PacketType::Challenge.first_byte());
    front.bytes(cookie);
    let mut associated = [0; AssociatedPrefix::size_with(1 + 16)];
    let tag = Cipher::new(key).seal(
        nonce(Domain::Challenge, 0),
        prefix.with(&header, &mut associated),
        &mut [],
    );
    writer.bytes(&header);
    writer.bytes(&tag);
}

/// Opens a challenge sent to the attempt with this random; returns its cookie and the session keys.
pub fn open_challenge(
    prefix: &AssociatedPrefix,
    token: &TokenKeys,
    random: &ClientRandom,
    bytes: &[u8],
) -> Option<(CookieBytes, SessionKeys)> {
    let mut reader = Reader::new(bytes);
    let header = reader.take(1 + 16).ok()?;
    let cookie = *header.last_chunk()?;
    let mut tag: [u8; TAG_SIZE] = reader.rest().try_into().ok()?;
    let keys = SessionKeys::derive(token, random, &cookie);
    let mut associated = [0; AssociatedPrefix::size_with(1 + 16)];
    Cipher::new(&keys.server_to_client).open(
        nonce(Domain::Challenge, 0),
        prefix.with(header, &mut associated),
        &mut tag,
    )?;
    Some((cookie, keys))
}

/// A client shows that it received the challenge and holds the token's keys.
pub struct Response<'a> {
    /// The request again, because the server kept nothing of it.
    pub request: Request<'a>,
    /// The challenge's cookie.
    pub cookie: CookieBytes,
    header: &'a [u8],
    tag: [u8; TAG_SIZE],
}

const RESPONSE_HEADER_SIZE: usize = RESPONSE_SIZE - TAG_SIZE;

impl<'a> Response<'a> {
    /// Takes a response apart. Nothing in it is proven.
    pub fn decode(bytes: &'a [u8]) -> Result<Response<'a>, Malformed> {
        let mut reader = Reader::new(bytes);
        let header = reader.take(RESPONSE_HEADER_SIZE)?;
        let tag = reader.rest().try_into().map_err(|_| Malformed)?;
        let mut reader = Reader::new(header);
        reader.u8()?;
        let request = Request::decode(reader.take(REQUEST_SIZE)?)?;
        Ok(Response { request, cookie: reader.array()?, header, tag })
    }

    /// True if whoever wrote the response holds the keys.
    #[must_use]
    pub fn is_authentic(&self, prefix: &AssociatedPrefix, keys: &SessionKeys) -> bool {
        let mut associated = [0; AssociatedPrefix::size_with(RESPONSE_HEADER_SIZE)];
        let mut tag = self.tag;
        let associated = prefix.with(self.header, &mut associated);
        let cipher = Cipher::new(&keys.client_to_server);
        cipher.open(nonce(Domain::Response, 0), associated, &mut tag).is_some()
    }
}

/// Writes a response.
pub fn seal_response(
    prefix: &AssociatedPrefix,
    keys: &SessionKeys,
    request: &Request<'_>,
    cookie: &CookieBytes,
    writer: &mut Writer<'_>,
) {
    let mut header = [0; RESPONSE_HEADER_SIZE];
    let mut front = Writer::new(&mut header);
    front.u8(PacketType::Response.first_byte());
    request.encode(&mut front);
    front.bytes(cookie);
    let mut associated = [0; AssociatedPrefix::size_with(RESPONSE_HEADER_SIZE)];
    let tag = Cipher::new(&keys.client_to_server).seal(
        nonce(Domain::Response, 0),
        prefix.with(&header, &mut associated),
        &mut [],
    );
    writer.bytes(&header);
    writer.bytes(&tag);
}

/// Writes a denial. `key` is the session key of what the server sends; `counter` must never repeat while the
/// cookie's epoch keys live.
pub fn seal_denied(
    prefix: &AssociatedPrefix,
    key: &Key,
    cookie: &CookieBytes,
    counter: u64,
    reason: DenyReason,
    writer: &mut Writer<'_>,
) {
    let mut header = [0; 1 + 16 + 8];
    let mut front = Writer::new(&mut header);
    front.u8(PacketType::Denied.first_byte());
    front.bytes(cookie);
    front.u64(counter);
    let mut associated = [0; AssociatedPrefix::size_with(1 + 16 + 8)];
    let mut sealed = [reason.0];
    let tag = Cipher::new(key).seal(
        nonce(Domain::Denied, counter),
        prefix.with(&header, &mut associated),
        &mut sealed,
    );
    writer.bytes(&header);
    writer.bytes(&sealed);
    writer.bytes(&tag);
}

/// Opens a denial sent to the attempt with this random.
pub fn open_denied(
    prefix: &AssociatedPrefix,
    token: &TokenKeys,
    random: &ClientRandom,
    bytes: &[u8],
) -> Option<DenyReason> {
    let mut reader = Reader::new(bytes);
    let header = reader.take(1 + 16 + 8).ok()?;
    let mut sealed: [u8; 1 + TAG_SIZE] = reader.rest().try_into().ok()?;
    let mut reader = Reader::new(header);
    reader.u8().ok()?;
    let cookie = reader.array().ok()?;
    let counter = reader.u64().ok()?;
    let key = session_key(&token.server_to_client, random, &cookie);
    let mut associated = [0; AssociatedPrefix::size_with(1 + 16 + 8)];
    let reason = Cipher::new(&key).open(
        nonce(Domain::Denied, counter),
        prefix.with(header, &mut associated),
        &mut sealed,
    )?;
    reason.first().copied().map(DenyReason)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: ClientRandom = [3; 16];
    const COOKIE: CookieBytes = [4; 16];

    fn token_keys() -> TokenKeys {
        TokenKeys { client_to_server: Key::new([1; 32]), server_to_client: Key::new([2; 32]) }
    }

    fn session() -> (AssociatedPrefix, SessionKeys) {
        (AssociatedPrefix::new(7), SessionKeys::derive(&token_keys(), &RANDOM, &COOKIE))
    }

    fn written(size: usize, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut buffer = vec![0; size];
        let mut writer = Writer::new(&mut buffer);
        write(&mut writer);
        assert_eq!(writer.finish(), Some(size));
        buffer
    }

    fn every_bit_matters(packet: &[u8], accepts: impl Fn(&[u8]) -> bool) {
        assert!(accepts(packet));
        for bit in 0..packet.len() * 8 {
            let mut altered = packet.to_vec();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!accepts(&altered), "bit {bit}");
        }
        for length in 0..packet.len() {
            assert!(!accepts(&packet[..length]), "length {length}");
        }
        assert!(!accepts(&[packet, &[0]].concat()));
    }

    #[test]
    fn a_challenge_opens_only_unaltered_and_only_for_its_random() {
        let (prefix, keys) = session();
        let packet = written(CHALLENGE_SIZE, |writer| {
            seal_challenge(&prefix, &keys.server_to_client, &COOKIE, writer)
        });
        assert_eq!(packet[0], 0xD0);
        every_bit_matters(&packet, |bytes| {
            open_challenge(&prefix, &token_keys(), &RANDOM, bytes)
                .is_some_and(|(cookie, _)| cookie == COOKIE)
        });
        assert!(open_challenge(&prefix, &token_keys(), &[9; 16], &packet).is_none());
        assert!(open_challenge(&AssociatedPrefix::new(8), &token_keys(), &RANDOM, &packet).is_none());
    }

    #[test]
    fn a_denial_opens_only_unaltered_and_only_for_its_random() {
        let (prefix, keys) = session();
        let reason = DenyReason::NOT_LISTED;
        let packet = written(DENIED_SIZE, |writer| {
            seal_denied(&prefix, &keys.server_to_client, &COOKIE, 99, reason, writer)
        });
        assert_eq!(packet[0], 0xA0);
        every_bit_matters(&packet, |bytes| {
            open_denied(&prefix, &token_keys(), &RANDOM, bytes) == Some(reason)
        });
        assert!(open_denied(&prefix, &token_keys(), &[9; 16], &packet).is_none());
    }

    #[test]
    fn a_response_is_authentic_only_unaltered() {
        let (prefix, keys) = session();
        let token = [5; PACKET_SIZE];
        let request = Request { token: &token, random: RANDOM };
        let packet = written(RESPONSE_SIZE, |writer| {
            seal_response(&prefix, &keys, &request, &COOKIE, writer);
        });
        assert_eq!(packet[0], 0xE0);
        let response = Response::decode(&packet).unwrap();
        assert_eq!((response.request.token, response.request.random), (&token, RANDOM));
        assert_eq!(response.cookie, COOKIE);
        every_bit_matters(&packet, |bytes| {
            Response::decode(bytes).is_ok_and(|response| response.is_authentic(&prefix, &keys))
        });
        assert!(!response.is_authentic(&AssociatedPrefix::new(8), &keys));
    }

    #[test]
    fn requests_are_told_apart_by_their_size() {
        let packet = [0; REQUEST_SIZE];
        assert!(Request::decode(&packet).is_ok());
        assert!(Request::decode(&packet[1..]).is_err());
        assert!(Request::decode(&packet[..PACKET_SIZE]).is_err());
        assert_eq!((REQUEST_SIZE, CHALLENGE_SIZE, RESPONSE_SIZE, DENIED_SIZE), (1040, 33, 1073, 42));
    }
}
