//! Session keys and nonces (PROTOCOL section 5). Both ends put fresh randomness into the keys of a
//! connection, the client its random and the server its cookie, so that a recorded session opens
//! nothing later; domains keep the kinds of packet and the two directions apart under one key.

use crate::bytes::Writer;
use crate::crypto::Key;
use crate::crypto::cipher::NONCE_SIZE;
use crate::token::{TokenKeys, Version};

/// A client's fresh random of one connection attempt.
pub type ClientRandom = [u8; 16];
/// A server's proof that it was reached at an address, and its share of the session keys.
pub type CookieBytes = [u8; 16];

/// The keys of one connection attempt.
#[derive(Debug)]
pub struct SessionKeys {
    /// Seals what the client sends.
    pub client_to_server: Key,
    /// Seals what the server sends.
    pub server_to_client: Key,
}

impl SessionKeys {
    /// The keys of both directions.
    pub fn derive(token: &TokenKeys, random: &ClientRandom, cookie: &CookieBytes) -> SessionKeys {
        SessionKeys {
            client_to_server: session_key(&token.client_to_server, random, cookie),
            server_to_client: session_key(&token.server_to_client, random, cookie),
        }
    }
}

/// `H(H(token key, client random), cookie)`: the session key of the direction of `token`.
pub fn session_key(token: &Key, random: &ClientRandom, cookie: &CookieBytes) -> Key {
    token.derive(random).derive(cookie)
}

/// What a nonce is for. No two domains share a nonce, even if a token gives both directions one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Data packets of the client; the counter is the packet number.
    DataToServer = 0,
    /// Data packets of the server; the counter is the packet number.
    DataToClient = 1,
    /// The challenge; counter 0.
    Challenge = 2,
    /// A denial; its counter never repeats while the epoch keys live.
    Denied = 3,
    /// The response; counter 0.
    Response = 4,
}

/// The AEAD nonce: domain u32, counter u64.
pub fn nonce(domain: Domain, counter: u64) -> [u8; NONCE_SIZE] {
    let [c0, c1, c2, c3, c4, c5, c6, c7] = counter.to_le_bytes();
    [domain as u8, 0, 0, 0, c0, c1, c2, c3, c4, c5, c6, c7]
}

/// What every tag covers besides the bytes in front of it: the version and the application id.
#[derive(Clone, Copy, Debug)]
pub struct AssociatedPrefix([u8; Self::SIZE]);

impl AssociatedPrefix {
    const SIZE: usize = 18;

    /// The prefix for one game.
    pub fn new(application_id: u64) -> AssociatedPrefix {
        let mut bytes = [0; Self::SIZE];
        let parts = Version::V2.bytes().iter().copied().chain(application_id.to_le_bytes());
        for (to, from) in bytes.iter_mut().zip(parts) {
            *to = from;
        }
        AssociatedPrefix(bytes)
    }

    /// The associated data of a packet whose bytes in front of the sealed part are `header`, built
    /// in `buffer`, which must have room for both.
    pub fn with<'b>(&self, header: &[u8], buffer: &'b mut [u8]) -> &'b [u8] {
        let mut writer = Writer::new(buffer);
        writer.bytes(&self.0);
        writer.bytes(header);
        debug_assert!(!writer.overflowed());
        let length = writer.written();
        buffer.get(..length).unwrap_or_default()
    }

    /// Bytes a buffer for [`with`](Self::with) needs for a header of `header` bytes.
    pub const fn size_with(header: usize) -> usize {
        Self::SIZE + header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token_keys(client_to_server: u8, server_to_client: u8) -> TokenKeys {
        TokenKeys {
            client_to_server: Key::new([client_to_server; 32]),
            server_to_client: Key::new([server_to_client; 32]),
        }
    }

    #[test]
    fn session_keys_need_the_random_the_cookie_and_the_token() {
        let keys = |token: &TokenKeys, random, cookie| {
            let keys = SessionKeys::derive(token, &[random; 16], &[cookie; 16]);
            (*keys.client_to_server.as_bytes(), *keys.server_to_client.as_bytes())
        };
        let token = token_keys(1, 2);
        let base = keys(&token, 3, 4);
        assert_ne!(base.0, base.1);
        assert_eq!(base, keys(&token, 3, 4));
        for other in [keys(&token, 9, 4), keys(&token, 3, 9), keys(&token_keys(9, 9), 3, 4)] {
            assert_ne!(base.0, other.0);
            assert_ne!(base.1, other.1);
        }
    }

    #[test]
    fn domain_and_counter_make_the_nonce() {
        assert_eq!(nonce(Domain::Response, 0), [4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            nonce(Domain::DataToServer, 0x0807_0605_0403_0201),
            [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
        );
    }

    #[test]
    fn the_prefix_names_version_and_application() {
        let mut buffer = [0; AssociatedPrefix::size_with(2)];
        let associated = AssociatedPrefix::new(0x0102).with(&[7, 8], &mut buffer);
        assert_eq!(associated, b"CUTE 2.00\0\x02\x01\0\0\0\0\0\0\x07\x08");
    }
}
