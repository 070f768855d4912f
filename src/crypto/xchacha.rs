//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) for connect tokens, whose nonces are random and
//! therefore long: HChaCha20 of the first 16 nonce bytes gives a key, the last 8 are the nonce under it.

use super::Key;
use super::cipher::{Cipher, NONCE_SIZE, PacketCipher, TAG_SIZE};

/// Bytes in a nonce.
pub const XNONCE_SIZE: usize = 24;

fn split(key: &Key, nonce: &[u8; XNONCE_SIZE]) -> (Cipher, [u8; NONCE_SIZE]) {
    let [input @ .., a, b, c, d, e, f, g, h] = *nonce;
    (Cipher::new(&key.derive(&input)), [0, 0, 0, 0, a, b, c, d, e, f, g, h])
}

/// Encrypts `text` in place and returns the tag over it and `associated`.
pub fn seal(key: &Key, nonce: &[u8; XNONCE_SIZE], associated: &[u8], text: &mut [u8]) -> [u8; TAG_SIZE] {
    let (cipher, inner) = split(key, nonce);
    cipher.seal(inner, associated, text)
}

/// Checks the tag at the end of `sealed` and decrypts in place; `None` if anything was altered.
#[must_use]
pub fn open<'a>(
    key: &Key,
    nonce: &[u8; XNONCE_SIZE],
    associated: &[u8],
    sealed: &'a mut [u8],
) -> Option<&'a mut [u8]> {
    let (cipher, inner) = split(key, nonce);
    cipher.open(inner, associated, sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_xchacha20poly1305_of_the_crate(
            key: [u8; 32],
            nonce: [u8; 24],
            associated in prop::collection::vec(any::<u8>(), 0..600),
            plain in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let mut sealed = plain.clone();
            let tag = seal(&Key::new(key), &nonce, &associated, &mut sealed);
            let mut other = plain.clone();
            let other_tag = XChaCha20Poly1305::new(&key.into())
                .encrypt_inout_detached(&nonce.into(), &associated, other.as_mut_slice().into())
                .unwrap();
            prop_assert_eq!(&sealed, &other);
            prop_assert_eq!(&tag[..], &other_tag[..]);
            sealed.extend_from_slice(&tag);
            let opened = open(&Key::new(key), &nonce, &associated, &mut sealed);
            prop_assert_eq!(opened.as_deref(), Some(&plain[..]));
        }
    }
}
