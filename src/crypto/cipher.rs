//! ChaCha20-Poly1305 (RFC 8439) for the packet path, behind one small trait: `ring`'s assembly
//! where it exists, `chacha20poly1305` elsewhere. On a 32-byte packet the portable crate costs nine
//! times what `ring` does, because its vector code isn't inlined without the user's compiler flags;
//! so it is the fallback, and the reference that tests hold the fast one against.

use super::Key;
#[cfg(debug_assertions)]
use super::nonce_ledger::KeyPrint;

/// Bytes in a nonce.
pub const NONCE_SIZE: usize = 12;
/// Bytes in an authentication tag.
pub const TAG_SIZE: usize = 16;

/// An AEAD with its key.
pub trait PacketCipher {
    /// A cipher under `key`.
    fn new(key: &Key) -> Self;

    /// Encrypts `text` in place and returns the tag over it and `associated`.
    /// A nonce must never be used for two different messages under one key.
    fn seal(&self, nonce: [u8; NONCE_SIZE], associated: &[u8], text: &mut [u8]) -> [u8; TAG_SIZE];

    /// Checks the tag at the end of `sealed` and decrypts in place. `None`, and `sealed` of no use
    /// any more, if a bit of it or of `associated` isn't what was sealed.
    #[must_use]
    fn open<'a>(
        &self,
        nonce: [u8; NONCE_SIZE],
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Option<&'a mut [u8]>;
}

#[cfg(ring_cipher)]
pub use fast::RingCipher as Cipher;
#[cfg(not(ring_cipher))]
pub use portable::PortableCipher as Cipher;

#[cfg(ring_cipher)]
mod fast {
    use super::{Key, NONCE_SIZE, PacketCipher, TAG_SIZE};
    use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

    /// `ring`'s ChaCha20-Poly1305.
    ///
    /// `ring` does not wipe its keys, and each takes 544 bytes, most of them unused copies of whatever
    /// lay on the stack. So a connection keeps its plain key, which is wiped, and `ring`'s is made for
    /// each packet: ChaCha20 has nothing to expand, and link-time optimisation leaves nothing of it.
    pub struct RingCipher {
        key: Key,
        #[cfg(debug_assertions)]
        print: super::KeyPrint,
    }

    impl RingCipher {
        fn ring_key(&self) -> LessSafeKey {
            match UnboundKey::new(&CHACHA20_POLY1305, self.key.as_bytes()) {
                Ok(key) => LessSafeKey::new(key),
                Err(_) => unreachable!("ring refuses a key only for its length"),
            }
        }
    }

    impl PacketCipher for RingCipher {
        fn new(key: &Key) -> RingCipher {
            RingCipher {
                key: key.clone(),
                #[cfg(debug_assertions)]
                print: super::KeyPrint::new(key, b""),
            }
        }

        fn seal(&self, nonce: [u8; NONCE_SIZE], associated: &[u8], text: &mut [u8]) -> [u8; TAG_SIZE] {
            #[cfg(debug_assertions)]
            self.print.record(&nonce, associated, text);
            let nonce = Nonce::assume_unique_for_key(nonce);
            let mut bytes = [0; TAG_SIZE];
            match self.ring_key().seal_in_place_separate_tag(nonce, Aad::from(associated), text) {
                Ok(tag) => bytes.copy_from_slice(tag.as_ref()),
                // ring refuses texts of 256 GiB. A zero tag over a text left in the clear must never
                // leave this function.
                Err(_) => text.fill(0),
            }
            bytes
        }

        fn open<'a>(
            &self,
            nonce: [u8; NONCE_SIZE],
            associated: &[u8],
            sealed: &'a mut [u8],
        ) -> Option<&'a mut [u8]> {
            let nonce = Nonce::assume_unique_for_key(nonce);
            self.ring_key().open_in_place(nonce, Aad::from(associated), sealed).ok()
        }
    }
}

#[cfg(any(test, not(ring_cipher)))]
mod portable {
    use super::{Key, NONCE_SIZE, PacketCipher, TAG_SIZE};
    use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};

    /// RustCrypto's ChaCha20-Poly1305, which wipes its key itself.
    #[cfg_attr(ring_cipher, allow(unreachable_pub))] // there only tests use it
    pub struct PortableCipher {
        key: ChaCha20Poly1305,
        #[cfg(debug_assertions)]
        print: super::KeyPrint,
    }

    impl PacketCipher for PortableCipher {
        fn new(key: &Key) -> PortableCipher {
            PortableCipher {
                key: ChaCha20Poly1305::new(key.as_bytes().into()),
                #[cfg(debug_assertions)]
                print: super::KeyPrint::new(key, b""),
            }
        }

        fn seal(&self, nonce: [u8; NONCE_SIZE], associated: &[u8], text: &mut [u8]) -> [u8; TAG_SIZE] {
            #[cfg(debug_assertions)]
            self.print.record(&nonce, associated, text);
            match self.key.encrypt_inout_detached(&nonce.into(), associated, (&mut *text).into()) {
                Ok(tag) => tag.into(),
                Err(_) => {
                    text.fill(0);
                    [0; TAG_SIZE]
                }
            }
        }

        fn open<'a>(
            &self,
            nonce: [u8; NONCE_SIZE],
            associated: &[u8],
            sealed: &'a mut [u8],
        ) -> Option<&'a mut [u8]> {
            let (text, tag) = sealed.split_last_chunk_mut::<TAG_SIZE>()?;
            let tag = (*tag).into();
            self.key
                .decrypt_inout_detached(&nonce.into(), associated, (&mut *text).into(), &tag)
                .ok()?;
            Some(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::portable::PortableCipher;
    use super::*;
    use proptest::prelude::*;

    /// RFC 8439 section 2.8.2.
    #[test]
    fn both_ciphers_give_the_text_of_the_rfc() {
        fn check<C: PacketCipher>() {
            let mut key = [0; 32];
            for (byte, value) in key.iter_mut().zip(0x80..) {
                *byte = value;
            }
            let nonce = [7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
            let associated = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
            let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you \
                only one tip for the future, sunscreen would be it.";
            let cipher = C::new(&Key::new(key));
            let mut text = plain.to_vec();
            let tag = cipher.seal(nonce, &associated, &mut text);
            assert_eq!(text[..4], [0xd3, 0x1a, 0x8d, 0x34]);
            assert_eq!(text[text.len() - 4..], [0xc6, 0x4b, 0x61, 0x16]);
            assert_eq!(
                tag,
                [
                    0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a, 0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60,
                    0x06, 0x91
                ]
            );
            text.extend_from_slice(&tag);
            assert_eq!(cipher.open(nonce, &associated, &mut text).as_deref(), Some(&plain[..]));
        }
        check::<Cipher>();
        check::<PortableCipher>();
    }

    proptest! {
        #[test]
        fn the_two_ciphers_agree_and_refuse_every_flipped_bit(
            key: [u8; 32],
            nonce: [u8; 12],
            associated in prop::collection::vec(any::<u8>(), 0..40),
            plain in prop::collection::vec(any::<u8>(), 0..400),
            flip in any::<prop::sample::Index>(),
        ) {
            let fast = Cipher::new(&Key::new(key));
            let portable = PortableCipher::new(&Key::new(key));
            let mut sealed = plain.clone();
            let tag = fast.seal(nonce, &associated, &mut sealed);
            let mut other = plain.clone();
            prop_assert_eq!(portable.seal(nonce, &associated, &mut other), tag);
            prop_assert_eq!(&other, &sealed);
            sealed.extend_from_slice(&tag);

            let mut damaged = sealed.clone();
            let bit = flip.index(damaged.len() * 8);
            damaged[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(fast.open(nonce, &associated, &mut damaged.clone()).is_none());
            prop_assert!(portable.open(nonce, &associated, &mut damaged).is_none());
            let mut longer = associated.clone();
            longer.push(0);
            prop_assert!(fast.open(nonce, &longer, &mut sealed.clone()).is_none());

            let mut copy = sealed.clone();
            let opened = fast.open(nonce, &associated, &mut copy);
            prop_assert_eq!(opened.as_deref(), Some(&plain[..]));
            let opened = portable.open(nonce, &associated, &mut sealed);
            prop_assert_eq!(opened.as_deref(), Some(&plain[..]));
        }
    }

    #[test]
    fn what_is_shorter_than_a_tag_does_not_open() {
        let cipher = Cipher::new(&Key::new([1; 32]));
        for length in 0..TAG_SIZE {
            assert!(cipher.open([0; 12], &[], &mut vec![0; length]).is_none());
        }
    }
}
