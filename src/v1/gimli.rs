//! The Gimli permutation (Bernstein et al., "Gimli: a cross-platform permutation", 2017) and the sponge on
//! top of it: everything CUTE 1.00 hashes, encrypts and authenticates goes through these 48 bytes. No branch
//! and no address depends on their content. The four columns are four lanes of plain `u32`s, which compilers
//! turn into vector instructions.

use std::ops::{BitAnd, BitOr, BitXor};
use zeroize::Zeroize;

/// Bytes that a sponge takes or gives between two permutations.
pub const RATE: usize = 16;

/// What a block is padded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// The text of a secretbox.
    Aead = 0x01,
    /// Everything whose output may have any length.
    Xof = 0x1F,
}

/// `rest`, shorter than a block, padded to a whole one. XORed into the rate it leaves the bytes between the
/// padding's two ends as they are.
pub fn pad(rest: &[u8], domain: Domain) -> [u8; RATE] {
    let mut block = [0; RATE];
    for (to, from) in block.iter_mut().zip(rest.iter().chain(&[domain as u8])) {
        *to = *from;
    }
    let [.., last] = &mut block;
    *last ^= 0x80;
    block
}

/// The 48 bytes between two permutations, as three rows of four little-endian words. Wiped when dropped.
#[derive(Clone)]
pub struct State {
    rate: Row,
    middle: Row,
    last: Row,
}

impl State {
    /// Bytes of a state.
    pub const SIZE: usize = 48;

    /// The state every sponge starts from.
    pub fn zero() -> State {
        State { rate: Row([0; 4]), middle: Row([0; 4]), last: Row([0; 4]) }
    }

    /// XORs a block into the rate.
    pub fn absorb(&mut self, block: &[u8; RATE]) {
        self.rate = self.rate ^ Row::from_bytes(block);
    }

    /// The rate.
    pub fn rate(&self) -> [u8; RATE] {
        self.rate.to_bytes()
    }

    /// Replaces the rate and returns its XOR with the old one: how a block is decrypted.
    pub fn replace(&mut self, block: &[u8; RATE]) -> [u8; RATE] {
        let new = Row::from_bytes(block);
        let difference = self.rate ^ new;
        self.rate = new;
        difference.to_bytes()
    }

    /// XORs a key into the 32 bytes behind the rate.
    pub fn absorb_into_capacity(&mut self, key: &[u8; 32]) {
        let (front, back) = halves(key);
        self.middle = self.middle ^ Row::from_bytes(&front);
        self.last = self.last ^ Row::from_bytes(&back);
    }

    /// The first `N` bytes behind the rate; at most 32.
    pub fn capacity<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        let capacity = self.middle.to_bytes().into_iter().chain(self.last.to_bytes());
        for (to, from) in bytes.iter_mut().zip(capacity) {
            *to = from;
        }
        bytes
    }

    /// XORs `tag` into the last byte and permutes.
    pub fn permute(&mut self, tag: u8) {
        let Row([a, b, c, d]) = self.last;
        let mut rows = (self.rate, self.middle, Row([a, b, c, d ^ u32::from(tag) << 24]));
        // Rounds count down from 24; those divisible by four end in the small swap and the constant.
        for round in [24, 20, 16, 12, 8, 4] {
            rows = mix(rows);
            let Row([a, b, c, d]) = rows.0;
            rows.0 = Row([b ^ 0x9E37_7900 ^ round, a, d, c]);
            rows = mix(mix(rows));
            let Row([a, b, c, d]) = rows.0;
            rows.0 = Row([c, d, a, b]);
            rows = mix(rows);
        }
        (self.rate, self.middle, self.last) = rows;
    }
}

impl Drop for State {
    fn drop(&mut self) {
        for Row(words) in [&mut self.rate, &mut self.middle, &mut self.last] {
            words.zeroize();
        }
    }
}

/// The two halves of a key, a block each.
pub fn halves(key: &[u8; 32]) -> ([u8; RATE], [u8; RATE]) {
    let (mut front, mut back) = ([0; RATE], [0; RATE]);
    for (to, from) in front.iter_mut().chain(&mut back).zip(key) {
        *to = *from;
    }
    (front, back)
}

/// The non-linear layer of one round, on all four columns at once.
#[inline(always)]
fn mix((x, y, z): (Row, Row, Row)) -> (Row, Row, Row) {
    let (x, y) = (x.rotate_left(24), y.rotate_left(9));
    (
        (z ^ y) ^ (x & y).shift_left(3),
        (y ^ x) ^ (x | z).shift_left(1),
        (x ^ z.shift_left(1)) ^ (y & z).shift_left(2),
    )
}

/// Four lanes.
#[derive(Clone, Copy)]
struct Row([u32; 4]);

impl Row {
    #[inline(always)]
    fn from_bytes(bytes: &[u8; RATE]) -> Row {
        let value = u128::from_le_bytes(*bytes);
        Row([value as u32, (value >> 32) as u32, (value >> 64) as u32, (value >> 96) as u32])
    }

    #[inline(always)]
    fn to_bytes(self) -> [u8; RATE] {
        let Row([a, b, c, d]) = self;
        (u128::from(a) | u128::from(b) << 32 | u128::from(c) << 64 | u128::from(d) << 96).to_le_bytes()
    }

    #[inline(always)]
    fn rotate_left(self, bits: u32) -> Row {
        Row(self.0.map(|lane| lane.rotate_left(bits)))
    }

    #[inline(always)]
    fn shift_left(self, bits: u32) -> Row {
        Row(self.0.map(|lane| lane << bits))
    }

    #[inline(always)]
    fn zip(self, other: Row, combine: impl Fn(u32, u32) -> u32) -> Row {
        let (Row([a, b, c, d]), Row([e, f, g, h])) = (self, other);
        Row([combine(a, e), combine(b, f), combine(c, g), combine(d, h)])
    }
}

impl BitXor for Row {
    type Output = Row;
    #[inline(always)]
    fn bitxor(self, other: Row) -> Row {
        self.zip(other, |a, b| a ^ b)
    }
}

impl BitAnd for Row {
    type Output = Row;
    #[inline(always)]
    fn bitand(self, other: Row) -> Row {
        self.zip(other, |a, b| a & b)
    }
}

impl BitOr for Row {
    type Output = Row;
    #[inline(always)]
    fn bitor(self, other: Row) -> Row {
        self.zip(other, |a, b| a | b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector of the Gimli paper's reference code.
    #[test]
    fn the_permutation_is_the_published_one() {
        let mut state = State {
            rate: Row([0x0000_0000, 0x9E37_79BA, 0x3C6E_F37A, 0xDAA6_6D46]),
            middle: Row([0x78DD_E724, 0x1715_611A, 0xB54C_DB2E, 0x5384_5566]),
            last: Row([0xF1BB_CFC8, 0x8FF3_4A5A, 0x2E2A_C522, 0xCC62_4026]),
        };
        state.permute(0);
        assert_eq!(state.rate.0, [0xBA11_C85A, 0x91BA_D119, 0x380C_E880, 0xD24C_2C68]);
        assert_eq!(state.middle.0, [0x3ECE_FFEA, 0x277A_921C, 0x4F73_A0BD, 0xDA5A_9CD8]);
        assert_eq!(state.last.0, [0x84B6_73F0, 0x34E5_2FF7, 0x9E2B_EF49, 0xF41B_B8D6]);
    }

    #[test]
    fn padding_meets_itself_in_a_block_that_lacks_one_byte() {
        assert_eq!(pad(&[], Domain::Aead), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80]);
        assert_eq!(pad(&[9; 15], Domain::Xof)[14..], [9, 0x1F ^ 0x80]);
    }

    #[test]
    fn a_block_replaced_is_a_block_absorbed_the_other_way() {
        let mut one = State::zero();
        one.absorb(&[0x5A; RATE]);
        one.permute(3);
        let mut two = one.clone();
        one.absorb(&[7; RATE]);
        assert_eq!(two.replace(&one.rate()), [7; RATE]);
        assert_eq!(one.rate(), two.rate());
        one.absorb_into_capacity(&[1; 32]);
        assert_ne!(one.capacity::<32>(), two.capacity::<32>());
    }
}
