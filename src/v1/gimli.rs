//! The Gimli permutation (Bernstein et al., "Gimli: a cross-platform permutation", 2017) and the sponge on
//! top of it: everything CUTE 1.00 hashes, encrypts and authenticates goes through these 48 bytes. No branch
//! and no address depends on their content. The four columns of the state don't wait for each other within a
//! round, so processors work on all of them at once without being told.

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
    bottom: Row,
}

impl State {
    /// Bytes of a state.
    pub const SIZE: usize = 48;

    /// The state every sponge starts from.
    pub fn zero() -> State {
        State { rate: [0; 4], middle: [0; 4], bottom: [0; 4] }
    }

    /// XORs a block into the rate.
    pub fn absorb(&mut self, block: &[u8; RATE]) {
        add(&mut self.rate, row_of(block));
    }

    /// The rate.
    pub fn rate(&self) -> [u8; RATE] {
        bytes_of(self.rate)
    }

    /// Replaces the rate and returns its XOR with the old one: how a block is decrypted.
    pub fn replace(&mut self, block: &[u8; RATE]) -> [u8; RATE] {
        let mut difference = row_of(block);
        add(&mut difference, self.rate);
        self.rate = row_of(block);
        bytes_of(difference)
    }

    /// XORs a key into the 32 bytes behind the rate.
    pub fn absorb_into_capacity(&mut self, key: &[u8; 32]) {
        for (row, half) in [&mut self.middle, &mut self.bottom].into_iter().zip(halves(key)) {
            add(row, row_of(half));
        }
    }

    /// The first `N` bytes behind the rate; at most 32.
    pub fn capacity<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        let capacity = bytes_of(self.middle).into_iter().chain(bytes_of(self.bottom));
        for (to, from) in bytes.iter_mut().zip(capacity) {
            *to = from;
        }
        bytes
    }

    /// XORs `tag` into the last byte and permutes.
    pub fn permute(&mut self, tag: u8) {
        let ([xa, xb, xc, xd], [ya, yb, yc, yd], [za, zb, zc, zd]) =
            (self.rate, self.middle, self.bottom);
        let mut a = Column { x: xa, y: ya, z: za };
        let mut b = Column { x: xb, y: yb, z: zb };
        let mut c = Column { x: xc, y: yc, z: zc };
        let mut d = Column { x: xd, y: yd, z: zd ^ u32::from(tag) << 24 };
        // Rounds count down from 24. Those divisible by four end in the small swap and a constant, those two
        // rounds later in the big swap.
        for round in [24, 20, 16, 12, 8, 4] {
            (a, b, c, d) = (a.mix(), b.mix(), c.mix(), d.mix());
            (a.x, b.x, c.x, d.x) = (b.x ^ 0x9E37_7900 ^ round, a.x, d.x, c.x);
            (a, b, c, d) = (a.mix(), b.mix(), c.mix(), d.mix());
            (a, b, c, d) = (a.mix(), b.mix(), c.mix(), d.mix());
            (a.x, b.x, c.x, d.x) = (c.x, d.x, a.x, b.x);
            (a, b, c, d) = (a.mix(), b.mix(), c.mix(), d.mix());
        }
        self.rate = [a.x, b.x, c.x, d.x];
        self.middle = [a.y, b.y, c.y, d.y];
        self.bottom = [a.z, b.z, c.z, d.z];
    }
}

impl Drop for State {
    // As a key's.
    #[inline(never)]
    fn drop(&mut self) {
        for row in [&mut self.rate, &mut self.middle, &mut self.bottom] {
            row.zeroize();
        }
    }
}

/// The two halves of a key, a block each, where they are: a copy would have to be wiped.
pub fn halves(key: &[u8; 32]) -> &[[u8; RATE]] {
    key.as_chunks().0
}

/// A row: a word of each column.
type Row = [u32; 4];

/// Three words that meet in every round. Written column by column because compilers that see rows begin to
/// vectorise without an instruction for rotations, and lose a quarter of the speed.
#[derive(Clone, Copy)]
struct Column {
    x: u32,
    y: u32,
    z: u32,
}

impl Column {
    /// The non-linear layer of one round.
    #[inline(always)]
    fn mix(self) -> Column {
        let (a, b, c) = (self.x.rotate_left(24), self.y.rotate_left(9), self.z);
        Column { x: c ^ b ^ ((a & b) << 3), y: b ^ a ^ ((a | c) << 1), z: a ^ (c << 1) ^ ((b & c) << 2) }
    }
}

fn row_of(bytes: &[u8; RATE]) -> Row {
    let bytes = u128::from_le_bytes(*bytes);
    [bytes as u32, (bytes >> 32) as u32, (bytes >> 64) as u32, (bytes >> 96) as u32]
}

fn bytes_of([a, b, c, d]: Row) -> [u8; RATE] {
    (u128::from(a) | u128::from(b) << 32 | u128::from(c) << 64 | u128::from(d) << 96).to_le_bytes()
}

fn add(row: &mut Row, other: Row) {
    for (word, other) in row.iter_mut().zip(other) {
        *word ^= other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector of the Gimli paper's reference code.
    #[test]
    fn the_permutation_is_the_published_one() {
        let mut state = State {
            rate: [0x0000_0000, 0x9E37_79BA, 0x3C6E_F37A, 0xDAA6_6D46],
            middle: [0x78DD_E724, 0x1715_611A, 0xB54C_DB2E, 0x5384_5566],
            bottom: [0xF1BB_CFC8, 0x8FF3_4A5A, 0x2E2A_C522, 0xCC62_4026],
        };
        state.permute(0);
        assert_eq!(state.rate, [0xBA11_C85A, 0x91BA_D119, 0x380C_E880, 0xD24C_2C68]);
        assert_eq!(state.middle, [0x3ECE_FFEA, 0x277A_921C, 0x4F73_A0BD, 0xDA5A_9CD8]);
        assert_eq!(state.bottom, [0x84B6_73F0, 0x34E5_2FF7, 0x9E2B_EF49, 0xF41B_B8D6]);
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
