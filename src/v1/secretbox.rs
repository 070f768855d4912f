//! The AEAD of CUTE 1.00 (libhydrogen's `hydro_secretbox`): texts can't be read or altered without the key,
//! nor moved to another message id, with one exception: the lowest byte of the id and the last of the synthetic IV
//! meet in one byte of the state, so that it still opens where the same bits of both are changed. The wire is the
//! original's, so `v1/replay.rs` makes up for that. The nonce is synthetic, a keyed hash of the text and of a fresh
//! random IV that is not sent, so that an IV that repeats shows no more than that two equal texts are equal.

use super::gimli::{self, Domain, RATE, State};
use super::hash::Context;
use crate::crypto::Key;
use siphasher::sip::SipHasher24;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// The context of everything in CUTE 1.00.
pub const CONTEXT: Context = *b"CUTE_CTX";
/// Bytes of the random IV that a text is sealed with.
pub const IV_SIZE: usize = 20;
/// Bytes of the synthetic IV in front of a sealed text.
pub const SIV_SIZE: usize = 20;
/// Bytes of the authenticator behind the synthetic IV.
pub const MAC_SIZE: usize = 16;
/// Bytes that sealing adds, all in front of the text.
pub const OVERHEAD: usize = SIV_SIZE + MAC_SIZE;

const LABEL: &[u8; 8] = b"\x06sbx256\x08";
const HEADER: u8 = 0x01;
const PAYLOAD: u8 = 0x02;

/// One of the two times a text goes through the sponge.
struct Pass {
    key: u8,
    end: u8,
    padding: Domain,
}

/// Makes the synthetic IV.
const DERIVE: Pass = Pass { key: 0xFE, end: 0xF8, padding: Domain::Xof };
/// Encrypts and authenticates.
const ENCRYPT: Pass = Pass { key: 0xFF, end: 0x08, padding: Domain::Aead };

/// A key ready for use: the states that both passes have when they have taken in context and key, which
/// spares three permutations in each. Wiped when dropped.
#[derive(Clone)]
pub struct Secretbox {
    key: Key,
    deriving: State,
    encrypting: State,
    /// Marks what this box seals, where the peer's has the same key.
    mark: Option<[u8; 16]>,
    #[cfg(debug_assertions)]
    print: crate::crypto::nonce_ledger::KeyPrint,
}

impl Secretbox {
    /// A box of CUTE 1.00.
    pub fn new(key: &Key) -> Secretbox {
        Secretbox::with_context(key, &CONTEXT)
    }

    /// A box of another context: nothing sealed in one context opens in another.
    pub fn with_context(key: &Key, context: &Context) -> Secretbox {
        let mut first = [0; RATE];
        for (to, from) in first.iter_mut().zip(LABEL.iter().chain(context)) {
            *to = *from;
        }
        let mut start = State::zero();
        start.absorb(&first);
        start.permute(HEADER);
        let keyed = |pass: &Pass| {
            let mut state = start.clone();
            for half in gimli::halves(key.as_bytes()) {
                state.absorb(half);
                state.permute(pass.key);
            }
            state
        };
        Secretbox {
            key: key.clone(),
            deriving: keyed(&DERIVE),
            encrypting: keyed(&ENCRYPT),
            mark: None,
            #[cfg(debug_assertions)]
            print: crate::crypto::nonce_ledger::KeyPrint::new(key, context),
        }
    }

    /// Marks what is sealed from now on so that [`has_sealed`](Self::has_sealed) knows it: with a peer that seals with the
    /// same key, nothing else tells what comes back from what it sent. `mark` must be random, and known to nobody else.
    pub fn set_mark(&mut self, mark: [u8; 16]) {
        self.mark = Some(mark);
    }

    /// True once there is a mark.
    pub fn has_mark(&self) -> bool {
        self.mark.is_some()
    }

    /// True if this box sealed what has this synthetic IV in front. The IV is the sealer's to choose: eight bytes of it
    /// are a keyed hash of all others but the last, which can be altered (`v1/replay.rs`).
    pub fn has_sealed(&self, sealed: &[u8]) -> bool {
        let siv = sealed.first_chunk::<SIV_SIZE>();
        self.mark.zip(siv).is_some_and(|(mark, siv)| siv.starts_with(&marking(&mark, siv)))
    }

    /// Encrypts `text` in place and returns what goes in front of it: synthetic IV and authenticator.
    /// `iv` must be random, and known to nobody else.
    pub fn seal(&self, message_id: u64, iv: &[u8; IV_SIZE], text: &mut [u8]) -> [u8; OVERHEAD] {
        #[cfg(debug_assertions)]
        self.print.record(&[&message_id.to_le_bytes()[..], iv].concat(), b"", text);
        let mut state = begin(&self.deriving, iv, message_id);
        let (blocks, rest) = text.as_chunks();
        for block in blocks {
            state.absorb(block);
            state.permute(PAYLOAD);
        }
        let mut siv: [u8; SIV_SIZE] = self.finish(&mut state, rest, &DERIVE);
        if let Some(mark) = &self.mark {
            let marking = marking(mark, &siv);
            copy(&mut siv, &marking);
        }

        let mut state = begin(&self.encrypting, &siv, message_id);
        let (blocks, rest) = text.as_chunks_mut();
        for block in blocks {
            state.absorb(block);
            *block = state.rate();
            state.permute(PAYLOAD);
        }
        let mut last = [0; RATE];
        copy(&mut last, rest);
        for (byte, stream) in rest.iter_mut().zip(state.rate()) {
            *byte ^= stream;
        }
        let plain = last.get(..rest.len()).unwrap_or_default();
        let mac: [u8; MAC_SIZE] = self.finish(&mut state, plain, &ENCRYPT);
        last.zeroize();

        let mut head = [0; OVERHEAD];
        for (to, from) in head.iter_mut().zip(siv.iter().chain(&mac)) {
            *to = *from;
        }
        head
    }

    /// Opens `sealed`, which begins with what [`seal`](Self::seal) returned, in place. `None`, and the text
    /// wiped, if a bit of it isn't what was sealed under this message id.
    #[must_use]
    pub fn open<'a>(&self, message_id: u64, sealed: &'a mut [u8]) -> Option<&'a mut [u8]> {
        let (siv, sealed) = sealed.split_first_chunk_mut::<SIV_SIZE>()?;
        let (mac, text) = sealed.split_first_chunk_mut::<MAC_SIZE>()?;

        let mut state = begin(&self.encrypting, siv, message_id);
        let (blocks, rest) = text.as_chunks_mut();
        for block in blocks {
            *block = state.replace(block);
            state.permute(PAYLOAD);
        }
        for (byte, stream) in rest.iter_mut().zip(state.rate()) {
            *byte ^= stream;
        }
        let expected: [u8; MAC_SIZE] = self.finish(&mut state, rest, &ENCRYPT);
        if bool::from(expected.ct_eq(mac)) {
            Some(text)
        } else {
            text.zeroize();
            None
        }
    }

    /// Takes in the `plain` bytes after the last whole block and then the key, twice; the result is the
    /// beginning of what the capacity then holds.
    fn finish<const N: usize>(&self, state: &mut State, plain: &[u8], pass: &Pass) -> [u8; N] {
        let mut block = gimli::pad(plain, pass.padding);
        state.absorb(&block);
        state.permute(PAYLOAD);
        block.zeroize();
        for _ in 0..2 {
            state.absorb_into_capacity(self.key.as_bytes());
            state.permute(pass.end);
        }
        state.capacity()
    }
}

impl std::fmt::Debug for Secretbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secretbox(..)")
    }
}

/// What a marked synthetic IV begins with.
fn marking(mark: &[u8; 16], siv: &[u8; SIV_SIZE]) -> [u8; 8] {
    let rest = siv.get(8..SIV_SIZE - 1).unwrap_or_default();
    SipHasher24::new_with_key(mark).hash(rest).to_le_bytes()
}

/// Takes in the IV and the message id.
fn begin(keyed: &State, iv: &[u8; IV_SIZE], message_id: u64) -> State {
    let mut state = keyed.clone();
    let (front, back) = iv.split_at(RATE - 1);
    let mut block = [0; RATE];
    copy(&mut block, &[IV_SIZE as u8]);
    copy(block.get_mut(1..).unwrap_or_default(), front);
    state.absorb(&block);
    state.permute(HEADER);
    // The last byte of the IV and the first of the message id share a place, as in the original.
    block = [0; RATE];
    copy(block.get_mut(RATE / 4..).unwrap_or_default(), &message_id.to_le_bytes());
    for (to, from) in block.iter_mut().zip(back) {
        *to ^= *from;
    }
    state.absorb(&block);
    state.permute(HEADER);
    state
}

fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seal(secretbox: &Secretbox, message_id: u64, iv: u8, plain: &[u8]) -> Vec<u8> {
        let mut text = plain.to_vec();
        let mut sealed = secretbox.seal(message_id, &[iv; IV_SIZE], &mut text).to_vec();
        sealed.extend_from_slice(&text);
        sealed
    }

    fn secretbox(key: u8) -> Secretbox {
        Secretbox::new(&Key::new([key; 32]))
    }

    #[test]
    fn every_flipped_bit_is_noticed_and_the_text_wiped() {
        for length in [0, 1, 15, 16, 17, 40] {
            let sealed = seal(&secretbox(1), 7, 3, &vec![0x61; length]);
            for bit in 0..sealed.len() * 8 {
                let mut altered = sealed.clone();
                altered[bit / 8] ^= 1 << (bit % 8);
                assert!(secretbox(1).open(7, &mut altered).is_none(), "length {length}, bit {bit}");
                assert!(altered[OVERHEAD..].iter().all(|&byte| byte == 0));
            }
        }
    }

    #[test]
    fn another_key_message_id_context_or_length_does_not_open() {
        let sealed = seal(&secretbox(1), 7, 3, b"text of more than sixteen bytes");
        let open = |secretbox: Secretbox, message_id, length: usize| {
            secretbox.open(message_id, &mut sealed.clone()[..length]).is_some()
        };
        let whole = sealed.len();
        assert!(open(secretbox(1), 7, whole));
        assert!(!open(secretbox(2), 7, whole));
        for bit in 0..64 {
            assert!(!open(secretbox(1), 7 ^ 1 << bit, whole), "message id bit {bit}");
        }
        assert!(!open(Secretbox::with_context(&Key::new([1; 32]), b"cute_ctx"), 7, whole));
        for length in 0..whole {
            assert!(!open(secretbox(1), 7, length), "length {length}");
        }
        let mut longer = sealed.clone();
        longer.push(0);
        assert!(secretbox(1).open(7, &mut longer).is_none());
    }

    /// The replay window counts on both: a moved text opens within 256 message ids at most, and its MAC stays.
    #[test]
    fn the_lowest_byte_of_the_message_id_and_the_last_of_the_siv_are_one_to_the_cipher() {
        let sealed = seal(&secretbox(1), 0x107, 3, b"text");
        for change in 0..=255u8 {
            for siv_change in [0, 1, 0x80, change] {
                let mut moved = sealed.clone();
                moved[SIV_SIZE - 1] ^= siv_change;
                let opened = secretbox(1).open(0x107 ^ u64::from(change), &mut moved);
                let expected = (siv_change == change).then_some(&b"text"[..]);
                assert_eq!(opened.as_deref(), expected, "{change:#x}, {siv_change:#x}");
            }
        }
        for bit in 8..64 {
            let mut moved = sealed.clone();
            moved[SIV_SIZE - 1] ^= 1;
            assert!(secretbox(1).open(0x107 ^ 1 ^ 1 << bit, &mut moved).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn an_iv_that_repeats_shows_only_that_equal_texts_are_equal() {
        let one = seal(&secretbox(1), 7, 3, b"the same text");
        assert_eq!(one, seal(&secretbox(1), 7, 3, b"the same text"));
        for other in [
            seal(&secretbox(1), 7, 4, b"the same text"),
            seal(&secretbox(1), 8, 3, b"the same text"),
            seal(&secretbox(1), 7, 3, b"the same tex!"),
        ] {
            assert_ne!(one[..SIV_SIZE], other[..SIV_SIZE]);
            assert_ne!(one[OVERHEAD..], other[OVERHEAD..]);
        }
    }

    #[test]
    fn an_empty_text_is_authenticated() {
        let mut sealed = seal(&secretbox(1), 7, 3, b"");
        assert_eq!(sealed.len(), OVERHEAD);
        assert_eq!(secretbox(1).open(7, &mut sealed).as_deref(), Some(&[][..]));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(
            key: [u8; 32],
            iv: [u8; IV_SIZE],
            message_id: u64,
            plain in prop::collection::vec(any::<u8>(), 0..1300),
        ) {
            let secretbox = Secretbox::new(&Key::new(key));
            let mut text = plain.clone();
            let mut sealed = secretbox.seal(message_id, &iv, &mut text).to_vec();
            sealed.extend_from_slice(&text);
            let opened = secretbox.open(message_id, &mut sealed);
            prop_assert_eq!(opened.as_deref(), Some(&plain[..]));
        }
    }
}
