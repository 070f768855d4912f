//! The key pair that web services and game servers share. Its kind chooses the protocol that tokens,
//! clients and servers speak. Pairs of CUTE 2.00 (PROTOCOL section 4) are made here, those of CUTE 1.00 in
//! `v1/signature.rs`; `token::PairKey` tells them apart.

use super::Key;
use super::random::{self, RandomError};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

const PUBLIC_KEY_LABEL: &[u8; 16] = b"CUTE2 public key";
const TOKEN_KEY_LABEL: &[u8; 16] = b"CUTE2 token key\0";

/// The half that may be shown. Its first eight bytes name the pair inside tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// The half that web services and game servers keep: 32 random bytes, then the public key again.
/// Whoever has it can mint tokens. Wiped when dropped.
#[derive(Clone)]
pub struct SecretKey(pub [u8; 64]);

impl Drop for SecretKey {
    // As a key's.
    #[inline(never)]
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// Key pairs a server may have at once: each is tried for a token of CUTE 1.00, which names none.
pub const MAX_PAIRS: usize = 16;

/// Why a secret key can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The secret key is all zeros: the program never set it.
    NotSet,
    /// The second half is not the public key that belongs to the first.
    NotAPair,
    /// The public key beside it belongs to another secret key.
    WrongPublicKey,
    /// A server has as many pairs as it may have.
    TooMany,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyError::NotSet => {
                "The secret key is not set, but all zeros: pass the two halves that one call of \
                 cn_crypto_sign_keygen made."
            }
            KeyError::NotAPair => {
                "The secret key is damaged or of another kind: its second 32 bytes are not the public key that \
                 belongs to the first 32. Make a pair with cn_crypto_sign_keygen, or with the original \
                 cute_net.h for CUTE 1.00."
            }
            KeyError::TooMany => {
                "A server has at most 16 key pairs at once: remove one that is no longer used first."
            }
            KeyError::WrongPublicKey => {
                "The public key does not belong to the secret key: use the two halves that one call of \
                 cn_crypto_sign_keygen made."
            }
        })
    }
}

impl std::error::Error for KeyError {}

/// Makes a pair of CUTE 2.00 from the operating system's random bytes.
pub fn generate() -> Result<(PublicKey, SecretKey), RandomError> {
    Ok(from_seed(*Zeroizing::new(random::bytes()?)))
}

/// The pair that `seed` makes.
pub fn from_seed(seed: [u8; 32]) -> (PublicKey, SecretKey) {
    let seed = Zeroizing::new(seed);
    let public = public_half(&seed);
    let mut secret = [0; 64];
    for (to, from) in secret.iter_mut().zip(seed.iter().chain(&public)) {
        *to = *from;
    }
    let pair = (PublicKey(public), SecretKey(secret));
    secret.zeroize();
    pair
}

fn public_half(seed: &[u8; 32]) -> [u8; 32] {
    *Key::new(*seed).derive(PUBLIC_KEY_LABEL).as_bytes()
}

/// What a secret key is used for: naming the pair in tokens, and sealing and opening them.
#[derive(Clone, Debug)]
pub struct TokenKey {
    id: [u8; TokenKey::ID_SIZE],
    key: Key,
}

impl TokenKey {
    /// Bytes in a key id.
    pub const ID_SIZE: usize = 8;

    /// Checks that the halves of `secret` belong together, and derives the token key.
    pub fn new(secret: &SecretKey) -> Result<TokenKey, KeyError> {
        let (Some(seed), Some(stored)) = (secret.0.first_chunk(), secret.0.last_chunk::<32>()) else {
            return Err(KeyError::NotAPair);
        };
        let public = public_half(seed);
        if !bool::from(public.ct_eq(stored)) {
            return Err(KeyError::NotAPair);
        }
        let Some(id) = public.first_chunk().copied() else { return Err(KeyError::NotAPair) };
        Ok(TokenKey { id, key: Key::new(*seed).derive(TOKEN_KEY_LABEL) })
    }

    /// The first bytes of the public key: how a token names the pair it was sealed with.
    pub fn id(&self) -> [u8; Self::ID_SIZE] {
        self.id
    }

    /// The key tokens are sealed with.
    pub fn key(&self) -> &Key {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_pair_is_accepted_and_unlike_any_other() {
        let (public, secret) = generate().unwrap();
        let key = TokenKey::new(&secret).unwrap();
        assert_eq!(key.id(), public.0[..8]);
        assert_ne!(generate().unwrap().0, public);
        assert_ne!(key.key().as_bytes()[..], secret.0[..32]);
    }

    #[test]
    fn halves_that_do_not_belong_together_are_refused() {
        let (_, secret) = generate().unwrap();
        for byte in [0, 31, 32, 63] {
            let mut damaged = secret.clone();
            damaged.0[byte] ^= 1;
            assert_eq!(TokenKey::new(&damaged).unwrap_err(), KeyError::NotAPair, "byte {byte}");
        }
        assert_eq!(TokenKey::new(&SecretKey([0; 64])).unwrap_err(), KeyError::NotAPair);
    }
}
