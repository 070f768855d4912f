//! Compression of a snapshot of game state, in bytes, against a baseline that both ends hold. The same
//! bytes come out on every machine, never more than the snapshot has; hostile input costs no more than
//! honest input. The method: a byte delta, then an adaptive binary range coder (Howard and Vitter,
//! "Practical Implementations of Arithmetic Coding", 1992; without carry as in lpaq, Mahoney 2007).
//! The original's names are `cf_snapshot_compress` and `cf_snapshot_decompress`.

mod range_coder;

use range_coder::{Coder, Decoder, Encoder};
use std::iter;

/// The compressed bytes are none that [`compress`] would write for a snapshot of this size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// Writes the compressed form of `current` to `out` and returns its length in bytes, at most
/// `current.len()`. `baseline` has the length of `current`; `None` stands for zeroes. `None` comes
/// back if `out` is too short or the lengths differ.
pub fn compress(baseline: Option<&[u8]>, current: &[u8], out: &mut [u8]) -> Option<usize> {
    if baseline.is_some_and(|baseline| baseline.len() != current.len()) {
        return None;
    }
    // The length alone tells a stored snapshot from a coded one: coded is always shorter.
    let room = out.len().min(current.len().saturating_sub(1));
    let coded = encode(baseline, current, out.get_mut(..room)?);
    coded.or_else(|| {
        out.get_mut(..current.len())?.copy_from_slice(current);
        Some(current.len())
    })
}

/// Writes the snapshot that [`compress`] was given to `out`, which has exactly its length; `baseline`
/// is the same as there. After an error the content of `out` is unspecified.
pub fn decompress(baseline: Option<&[u8]>, compressed: &[u8], out: &mut [u8]) -> Result<(), Corrupt> {
    if baseline.is_some_and(|baseline| baseline.len() != out.len()) || compressed.len() > out.len() {
        return Err(Corrupt);
    }
    if compressed.len() == out.len() {
        out.copy_from_slice(compressed);
        return Ok(());
    }
    let mut model = Model::new();
    let mut decoder = Decoder::new(compressed);
    for (byte, base) in out.iter_mut().zip(bases(baseline)) {
        *byte = base.wrapping_add(model.code(&mut decoder, 0));
        if decoder.is_past_end() || model.changed_by_nothing() {
            return Err(Corrupt);
        }
    }
    if decoder.is_at_end() { Ok(()) } else { Err(Corrupt) }
}

fn encode(baseline: Option<&[u8]>, current: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut model = Model::new();
    let mut encoder = Encoder::new(out);
    for (byte, base) in current.iter().zip(bases(baseline)) {
        // Subtraction, not XOR: a counter that takes equal steps leaves equal bytes.
        model.code(&mut encoder, byte.wrapping_sub(base));
        if encoder.is_full() {
            return None;
        }
    }
    encoder.finish()
}

fn bases(baseline: Option<&[u8]>) -> impl Iterator<Item = u8> + '_ {
    baseline.unwrap_or_default().iter().copied().chain(iter::repeat(0))
}

/// What was seen at one decision: the share of ones in the upper 24 bits, the count in the lower 8.
#[derive(Clone, Copy)]
struct Odds(u32);

/// The rate of learning for each count, in 1 / 65536: nearly 1 / count, so the first bits teach the most.
static RATES: [u16; 256] = rates();

#[expect(clippy::indexing_slicing, reason = "the compiler runs it")]
const fn rates() -> [u16; 256] {
    let mut rates = [0; 256];
    let mut count = 0;
    while count < rates.len() {
        rates[count] = (655_360 / (10 * count + 16)) as u16;
        count += 1;
    }
    rates
}

impl Odds {
    const EVEN: Self = Self(1 << 31);
    /// Most bytes of a snapshot do not change.
    const UNCHANGED: Self = Self(20_000 << 16);
    /// Neither outcome ever becomes impossible: [`Self::ones`] stays within 1 and 65535.
    const LEAST: i64 = 1 << 8;
    const MOST: i64 = (1 << 24) - Self::LEAST;

    fn ones(self) -> u32 {
        self.0 >> 16
    }

    fn count(self) -> u8 {
        self.0 as u8
    }

    #[inline(always)]
    fn learn(&mut self, bit: bool) {
        let rate = RATES.get(usize::from(self.count())).map_or(0, |&rate| i64::from(rate));
        let ones = i64::from(self.0 >> 8);
        let target = if bit { Self::MOST } else { Self::LEAST };
        let ones = ones + (((target - ones) * rate) >> 16);
        self.0 = (ones as u32) << 8 | u32::from(self.count().saturating_add(1));
    }
}

/// How far to trust the second of two odds, in 1 / 65536, for each of its first counts.
struct Trust([i32; 16]);

impl Trust {
    fn new() -> Self {
        Self(std::array::from_fn(|count| 65_536 * count as i32 / (count as i32 + 3)))
    }

    /// Codes a bit by both odds, and lets all three learn from it.
    #[inline(always)]
    fn code(&mut self, coder: &mut impl Coder, bit: bool, first: &mut Odds, second: &mut Odds) -> bool {
        let mut unused = 0;
        let trust = self.0.get_mut(usize::from(second.count().min(15))).unwrap_or(&mut unused);
        let base = first.ones() as i32;
        let apart = i64::from(second.ones() as i32 - base);
        let ones = base + ((apart * i64::from(*trust)) >> 16) as i32;
        let bit = coder.code(bit, ones as u32);
        let error = i64::from(if bit { 65_535 - ones } else { -ones });
        *trust = (*trust + ((error * apart) >> 20) as i32).clamp(0, 65_536);
        first.learn(bit);
        second.learn(bit);
        bit
    }
}

/// Says how likely each bit of the delta is, from the bytes before it.
struct Model {
    /// Whether a byte changed: by the 8 bytes before it, and whether any of the 24 before those changed.
    changed_by_recent: [Odds; 512],
    /// The same, by the place in a word of 4 bytes and that place in the 6 words before it.
    changed_by_place: [Odds; 256],
    changed_trust: Trust,
    /// The bits of a byte that changed, by those above them.
    bits: [Odds; 256],
    /// The same for its upper half, by the place in a word and the upper half of the byte before it.
    /// The lower half gains too little by this for the time it takes.
    bits_by_place: [[Odds; 16]; 64],
    bits_trust: Trust,
    /// Which of the last 32 bytes changed, the latest in the lowest bit.
    history: u32,
    place: u32,
    previous: u8,
}

impl Model {
    // A call is nothing beside all that is filled.
    #[inline(never)]
    fn new() -> Self {
        Self {
            changed_by_recent: [Odds::UNCHANGED; 512],
            changed_by_place: [Odds::UNCHANGED; 256],
            changed_trust: Trust::new(),
            bits: [Odds::EVEN; 256],
            bits_by_place: [[Odds::EVEN; 16]; 64],
            bits_trust: Trust::new(),
            history: 0,
            place: 0,
            previous: 0,
        }
    }

    /// Codes one byte of the delta; a decoder takes no notice of `byte`.
    #[inline(always)]
    fn code(&mut self, coder: &mut impl Coder, byte: u8) -> u8 {
        let changed = self.code_changed(coder, byte != 0);
        self.history = self.history << 1 | u32::from(changed);
        self.previous = if changed { self.code_bits(coder, byte) } else { 0 };
        self.place = (self.place + 1) % 4;
        self.previous
    }

    /// True if the last byte was coded as changed and then as zero, which no encoder does.
    fn changed_by_nothing(&self) -> bool {
        self.history & 1 != 0 && self.previous == 0
    }

    #[inline(always)]
    fn code_changed(&mut self, coder: &mut impl Coder, changed: bool) -> bool {
        let history = self.history;
        let recent = history & 0xff | u32::from(history >> 8 != 0) << 8;
        let words = (0..6).fold(0, |words, word| words | (history >> (4 * word + 3) & 1) << word);
        let place = words | self.place << 6;
        let (mut unused, mut unused_too) = (Odds::EVEN, Odds::EVEN);
        let by_recent = self.changed_by_recent.get_mut(recent as usize).unwrap_or(&mut unused);
        let by_place = self.changed_by_place.get_mut(place as usize).unwrap_or(&mut unused_too);
        self.changed_trust.code(coder, changed, by_recent, by_place)
    }

    #[inline(always)]
    fn code_bits(&mut self, coder: &mut impl Coder, byte: u8) -> u8 {
        let mut unused = [Odds::EVEN; 16];
        let context = (self.place & 3) << 4 | u32::from(self.previous >> 4);
        let upper = self.bits_by_place.get_mut(context as usize).unwrap_or(&mut unused);
        let (mut unused_odds, mut unused_second) = (Odds::EVEN, Odds::EVEN);
        // A one and the bits so far: the odds of the next bit lie at this index.
        let mut node = 1_u8;
        for shift in (4..8).rev() {
            let first = self.bits.get_mut(usize::from(node)).unwrap_or(&mut unused_odds);
            let second = upper.get_mut(usize::from(node & 15)).unwrap_or(&mut unused_second);
            let bit = self.bits_trust.code(coder, byte >> shift & 1 != 0, first, second);
            node = node << 1 | u8::from(bit);
        }
        for shift in (0..4).rev() {
            let odds = self.bits.get_mut(usize::from(node)).unwrap_or(&mut unused_odds);
            let bit = coder.code(byte >> shift & 1 != 0, odds.ones());
            odds.learn(bit);
            node = node << 1 | u8::from(bit);
        }
        node
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u32) -> u32 {
            self.0 =
                self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as u32 % bound
        }

        fn within(&mut self, limit: f32) -> f32 {
            (self.below(1 << 20) as f32 / (1 << 19) as f32 - 1.0) * limit
        }

        fn bytes(&mut self, size: usize) -> Vec<u8> {
            (0..size).map(|_| self.below(256) as u8).collect()
        }
    }

    const KINDS: [&str; 8] =
        ["unchanged", "1 % new", "10 % new", "random", "text", "bodies", "i16 counters", "i32 counters"];

    /// A baseline and what became of it.
    fn corpus(kind: &str, size: usize) -> (Vec<u8>, Vec<u8>) {
        let mut random = Random(7);
        let (mut old, mut new) = (random.bytes(size), Vec::new());
        let words = ["the ", "server ", "sends ", "a ", "snapshot, ", "client ", "has ", "none\n"];
        match kind {
            "random" => new = random.bytes(size),
            "text" => old.fill(0),
            "bodies" | "i16 counters" | "i32 counters" => old.clear(),
            _ => new.clone_from(&old),
        }
        let percent = [0, 1, 10][KINDS.iter().position(|&other| other == kind).unwrap().min(2)];
        if kind.ends_with("% new") {
            for byte in &mut new {
                *byte = if random.below(100) < percent { random.below(256) as u8 } else { *byte };
            }
        }
        while old.len().min(new.len()) < size {
            match kind {
                "text" => new.extend(words[random.below(8) as usize].bytes()),
                "bodies" => {
                    let moves = random.below(8) != 0;
                    for _ in 0..3 {
                        let (position, velocity) = (random.within(500.0), random.within(8.0));
                        let moved = position + velocity * 0.05 + random.within(0.01);
                        let faster = velocity + random.within(0.1);
                        old.extend([position, velocity].map(f32::to_le_bytes).concat());
                        let then = if moves { [moved, faster] } else { [position, velocity] };
                        new.extend(then.map(f32::to_le_bytes).concat());
                    }
                }
                "i16 counters" => {
                    let value = random.below(60_000) as i16;
                    old.extend(value.to_le_bytes());
                    new.extend(value.wrapping_add(random.below(40) as i16 - 20).to_le_bytes());
                }
                _ => {
                    let (value, step) = (random.below(1 << 24), 1 + 99 * (random.below(8) / 7));
                    old.extend(value.to_le_bytes());
                    new.extend((value + step).to_le_bytes());
                }
            }
        }
        old.truncate(size);
        new.truncate(size);
        (old, new)
    }

    /// The bytes that an adaptive order-0 range coder needs, at the best of three speeds of learning.
    fn order_0_bytes(old: &[u8], new: &[u8]) -> usize {
        let bytes = [1, 8, 32].map(|step| {
            let (mut counts, mut bits) = ([1_u32; 256], 0.0);
            for (old, new) in old.iter().zip(new) {
                let total: u32 = counts.iter().sum();
                let count = &mut counts[usize::from(new.wrapping_sub(*old))];
                bits -= (f64::from(*count) / f64::from(total)).log2();
                *count += step;
                if total + step > 1 << 16 {
                    counts = counts.map(|count| count.div_ceil(2));
                }
            }
            (bits / 8.0).ceil() as usize
        });
        *bytes.iter().min().unwrap()
    }

    fn round_trip(old: Option<&[u8]>, new: &[u8]) -> Vec<u8> {
        let mut compressed = vec![0; new.len()];
        let length = compress(old, new, &mut compressed).expect("it is never larger");
        compressed.truncate(length);
        let mut back = vec![0xaa; new.len()];
        assert_eq!(decompress(old, &compressed, &mut back), Ok(()));
        assert_eq!(back, new);
        compressed
    }

    #[test]
    fn is_as_small_as_an_order_0_coder() {
        for size in [1, 4, 16, 64, 1200, 65_536] {
            for kind in KINDS {
                let (old, new) = corpus(kind, size);
                let (ours, theirs) = (round_trip(Some(&old), &new).len(), order_0_bytes(&old, &new));
                println!("{kind:13} {size:5} bytes: {ours:5}, order 0: {theirs:5}");
                assert!(ours <= theirs, "{kind}, {size} bytes: {ours}, order 0: {theirs}");
            }
        }
    }

    #[test]
    fn an_unchanged_snapshot_takes_next_to_nothing() {
        for size in 0..2000 {
            assert_eq!(round_trip(None, &vec![0; size]), []);
        }
        for size in [65_535, 65_536, 1 << 20] {
            assert!(round_trip(None, &vec![0; size]).len() <= 4);
        }
    }

    #[test]
    fn a_buffer_one_byte_too_small_is_refused() {
        for kind in KINDS {
            let (old, new) = corpus(kind, 600);
            let needed = round_trip(Some(&old), &new).len();
            if let Some(less) = needed.checked_sub(1) {
                assert_eq!(compress(Some(&old), &new, &mut vec![0; less]), None, "{kind}");
                assert_eq!(compress(Some(&old), &new, &mut vec![0; needed]), Some(needed), "{kind}");
            }
        }
    }

    #[test]
    fn a_baseline_of_another_length_is_refused() {
        assert_eq!(compress(Some(&[0; 3]), &[0; 4], &mut [0; 9]), None);
        assert_eq!(decompress(Some(&[0; 3]), &[], &mut [0; 4]), Err(Corrupt));
    }

    #[test]
    fn the_format_is_that_of_the_golden_vector() {
        let old: Vec<u8> = (0..96).map(|at: u8| at.wrapping_mul(37)).collect();
        let change = |(at, old): (usize, &u8)| old.wrapping_add([0, 0, 3, at as u8, 0, 0xff, 0][at % 7]);
        let new: Vec<u8> = old.iter().enumerate().map(change).collect();
        let hex: String =
            round_trip(Some(&old), &new).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "92965bd9777b5d0a58d5ea5d36b4211c09c087e66a9ca45d7a623a61d644");
    }

    fn snapshots() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
        let byte = (any::<u8>(), prop_oneof![3 => Just(0), 1 => any::<u8>()]);
        prop::collection::vec(byte, 0..300).prop_map(|bytes| {
            bytes.into_iter().map(|(old, delta)| (old, old.wrapping_add(delta))).unzip()
        })
    }

    proptest! {
        #[test]
        fn what_was_compressed_comes_back((old, new) in snapshots()) {
            round_trip(Some(&old), &new);
            round_trip(None, &new);
        }

        #[test]
        fn input_cut_short_or_made_longer_is_never_taken_for_the_same_snapshot(
            (old, new) in snapshots(),
            more in any::<u8>(),
        ) {
            let mut compressed = round_trip(Some(&old), &new);
            prop_assume!(compressed.len() + 1 < new.len());
            let length = compressed.len();
            compressed.push(more);
            let mut out = vec![0; new.len()];
            for length in (0..length).chain([length + 1]) {
                // By chance it may be the input of another snapshot.
                let result = decompress(Some(&old), &compressed[..length], &mut out);
                prop_assert!(result.is_err() || out != new);
            }
        }

        #[test]
        fn hostile_input_is_corrupt_or_what_the_encoder_writes(
            input in prop::collection::vec(prop_oneof![any::<u8>(), Just(0), Just(0xff)], 0..40),
            size in 0_usize..2000,
        ) {
            let mut out = vec![0; size];
            if decompress(None, &input, &mut out).is_ok() && input.len() < size {
                prop_assert_eq!(round_trip(None, &out), input);
            }
        }
    }
}
