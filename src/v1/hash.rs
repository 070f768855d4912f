//! The keyed hash of CUTE 1.00 (libhydrogen's `hydro_hash`): KMAC over the Gimli sponge. Hashes of different
//! contexts, keys or lengths have nothing to do with each other, so none can be taken for another.

use super::gimli::{self, Domain, RATE, State};
use zeroize::Zeroize;

/// What a hash is for; part of its input.
pub type Context = [u8; 8];

const KMAC: [u8; 6] = *b"\x04kmac\x08";
const KEY_SIZE: u8 = 32;

/// A hash being made.
pub struct Hasher {
    state: State,
    block: [u8; RATE],
    filled: usize,
}

impl Hasher {
    /// Starts a hash under `key`, or under none.
    pub fn new(context: &Context, key: Option<&[u8; 32]>) -> Hasher {
        let mut hasher = Hasher { state: State::zero(), block: [0; RATE], filled: 0 };
        hasher.update(&KMAC);
        hasher.update(context);
        hasher.update(&[0; 2]);
        match key {
            Some(key) => {
                hasher.update(&[KEY_SIZE]);
                hasher.update(key);
                hasher.update(&[0; 15]);
            }
            None => hasher.update(&[0; RATE]),
        }
        hasher
    }

    /// Adds to what is hashed.
    // A call is nothing beside what a block takes.
    #[inline(never)]
    pub fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(free) = self.block.get_mut(self.filled) {
                *free = *byte;
                self.filled += 1;
            }
            if self.filled == RATE {
                self.state.absorb(&self.block);
                self.state.permute(0);
                self.filled = 0;
            }
        }
    }

    /// The hash of `N` bytes; its length, 16 to 65535, is part of its input.
    pub fn finish<const N: usize>(self) -> [u8; N] {
        let mut output = [0; N];
        self.finish_into(&mut output);
        output
    }

    /// [`finish`](Self::finish) for a length known at run time.
    pub fn finish_into(mut self, output: &mut [u8]) {
        let [low, high, ..] = output.len().to_le_bytes();
        match high {
            0 => self.update(&[1, low, 0]),
            _ => self.update(&[2, low, high, 0]),
        }
        let rest = self.block.get(..self.filled).unwrap_or_default();
        self.state.absorb(&gimli::pad(rest, Domain::Xof));
        for chunk in output.chunks_mut(RATE) {
            self.state.permute(0);
            for (to, from) in chunk.iter_mut().zip(self.state.rate()) {
                *to = from;
            }
        }
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.block.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hash<const N: usize>(context: &Context, key: Option<&[u8; 32]>, parts: &[&[u8]]) -> [u8; N] {
        let mut hasher = Hasher::new(context, key);
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finish()
    }

    #[test]
    fn context_key_and_length_each_give_another_hash() {
        let plain: [u8; 32] = hash(b"context1", None, &[b"message"]);
        assert_ne!(plain, hash(b"context2", None, &[b"message"]));
        assert_ne!(plain, hash(b"context1", Some(&[0; 32]), &[b"message"]));
        assert_ne!(plain[..16], hash::<16>(b"context1", None, &[b"message"]));
        assert_ne!(plain, hash(b"context1", None, &[b"message\0"]));
    }

    proptest! {
        #[test]
        fn a_hash_does_not_depend_on_how_its_input_is_cut(
            message in prop::collection::vec(any::<u8>(), 0..100),
            cut in any::<prop::sample::Index>(),
        ) {
            let (front, back) = message.split_at(cut.index(message.len() + 1));
            let whole: [u8; 64] = hash(b"CUTE_CTX", None, &[&message]);
            prop_assert_eq!(whole, hash(b"CUTE_CTX", None, &[front, back]));
        }
    }
}
