//! Keys, key pairs, ciphers and random bytes. Every primitive comes from a well-kept crate; this
//! module says which is used where, and wipes what it held.

pub mod cipher;
pub mod key_pair;
#[cfg(debug_assertions)]
pub mod nonce_ledger;
pub mod random;
pub mod xchacha;

use chacha20::R20;
use zeroize::Zeroize;

/// A 32-byte secret, wiped when dropped. It can't be printed, and is copied only by `clone`.
#[derive(Clone)]
pub struct Key([u8; Key::SIZE]);

impl Key {
    /// Bytes in a key.
    pub const SIZE: usize = 32;

    /// Takes over key bytes; the caller's copy is the caller's to wipe.
    pub const fn new(bytes: [u8; Key::SIZE]) -> Key {
        Key(bytes)
    }

    /// The bytes of the key.
    pub const fn as_bytes(&self) -> &[u8; Key::SIZE] {
        &self.0
    }

    /// The key `H(self, input)`: HChaCha20 (draft-irtf-cfrg-xchacha section 2.2) as a key derivation.
    /// Knowing a derived key tells nothing of the key or of any other derived from it.
    pub fn derive(&self, input: &[u8; 16]) -> Key {
        let mut derived = chacha20::hchacha::<R20>((&self.0).into(), input.into());
        let key = Key(derived.into());
        derived.as_mut_slice().zeroize();
        key
    }
}

impl Drop for Key {
    // A volatile store for each byte, and keys end in a hundred places.
    #[inline(never)]
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// draft-irtf-cfrg-xchacha-03 section 2.2.1.
    #[test]
    fn derive_is_hchacha20() {
        let mut key = [0; 32];
        for (byte, value) in key.iter_mut().zip(0..) {
            *byte = value;
        }
        let input = [0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0, 0x31, 0x41, 0x59, 0x27];
        let expected = [
            0x82, 0x41, 0x3b, 0x42, 0x27, 0xb2, 0x7b, 0xfe, 0xd3, 0x0e, 0x42, 0x50, 0x8a, 0x87, 0x7d,
            0x73, 0xa0, 0xf9, 0xe4, 0xd5, 0x8a, 0x74, 0xa8, 0x53, 0xc1, 0x2e, 0xc4, 0x13, 0x26, 0xd3,
            0xec, 0xdc,
        ];
        assert_eq!(Key::new(key).derive(&input).as_bytes(), &expected);
    }
}
