//! The seeded generator of CUTE 1.00 (libhydrogen's `hydro_random_buf_deterministic`): the bytes that a seed
//! gives are the same on every machine, and tell nothing of the seed. It makes key pairs from seeds; it is no
//! source of randomness.

use super::gimli::{self, RATE, State};

const LABEL: &[u8; 8] = b"\x07drbg256";
const SEED: u8 = 0x02;
const START: u8 = 0x01;

/// Fills `output` from `seed`. The length is part of the input: a longer output does not begin with a shorter one.
pub fn fill(seed: &[u8; 32], output: &mut [u8]) {
    let mut first = [0; RATE];
    let length = (output.len() as u64).to_le_bytes();
    for (to, from) in first.iter_mut().zip(LABEL.iter().chain(&length)) {
        *to = *from;
    }
    let mut state = State::zero();
    state.absorb(&first);
    state.permute(START);
    for half in gimli::halves(seed) {
        state.absorb(half);
        state.permute(SEED);
    }
    for chunk in output.chunks_mut(RATE) {
        state.permute(0);
        for (to, from) in chunk.iter_mut().zip(state.rate()) {
            *to = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_and_length_each_give_other_bytes() {
        let draw = |seed: u8, length| {
            let mut bytes = vec![0; length];
            fill(&[seed; 32], &mut bytes);
            bytes
        };
        assert_eq!(draw(1, 40), draw(1, 40));
        assert_ne!(draw(1, 40), draw(2, 40));
        assert_ne!(draw(1, 40)[..32], draw(1, 32));
        assert_eq!(draw(1, 0), []);
    }
}
