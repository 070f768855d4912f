//! Compression of a game's snapshot against one the receiver already has. Both ends get the same bytes
//! on any machine (integers only, byte by byte), the result is never larger than the snapshot, and
//! hostile input costs no more than the snapshot it claims to be. The method is the adaptive binary
//! range coder (Martin 1979, Howard and Vitter 1992; carryless as in Mahoney's lpaq) over a byte
//! delta. The original's names are `cf_snapshot_compress` and `cf_snapshot_decompress`.

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
    for (byte, &base) in out.iter_mut().zip(bases(baseline)) {
        *byte = base.wrapping_add(model.code(&mut decoder, 0));
    }
    if decoder.is_at_end() { Ok(()) } else { Err(Corrupt) }
}

fn encode(baseline: Option<&[u8]>, current: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut model = Model::new();
    let mut encoder = Encoder { interval: Interval::WHOLE, out, length: 0 };
    for (byte, &base) in current.iter().zip(bases(baseline)) {
        // Subtraction, not XOR: a counter that takes equal steps leaves equal bytes.
        model.code(&mut encoder, byte.wrapping_sub(base));
        if encoder.length > encoder.out.len() {
            return None;
        }
    }
    encoder.finish()
}

fn bases(baseline: Option<&[u8]>) -> impl Iterator<Item = &u8> {
    let zeroes = if baseline.is_some() { 0 } else { usize::MAX };
    baseline.unwrap_or(&[]).iter().chain(std::iter::repeat_n(&0, zeroes))
}

/// What codes bits: the encoder takes each, the decoder finds each.
trait Coder {
    /// Codes one bit, which is one with a probability of `ones` / 65536.
    fn code(&mut self, bit: bool, ones: u32) -> bool;
}

/// The numbers, both ends included, that stand for all bits so far.
#[derive(Clone, Copy)]
struct Interval {
    low: u32,
    high: u32,
}

impl Interval {
    const WHOLE: Self = Self { low: 0, high: u32::MAX };

    fn split(&self, ones: u32) -> u32 {
        let width = u64::from(self.high - self.low);
        self.low + ((width * u64::from(65536 - ones)) >> 16) as u32
    }

    fn take(&mut self, bit: bool, split: u32) {
        if bit { self.low = split + 1 } else { self.high = split }
    }

    fn is_settled(&self) -> bool {
        (self.low ^ self.high) >> 24 == 0
    }

    fn shift(&mut self) {
        self.low <<= 8;
        self.high = self.high << 8 | 0xff;
    }

    fn last(&self) -> u32 {
        self.low.div_ceil(1 << 24) << 24
    }
}

struct Encoder<'a> {
    interval: Interval,
    out: &'a mut [u8],
    length: usize,
}

impl Encoder<'_> {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.out.get_mut(self.length) {
            *place = byte;
        }
        self.length += 1;
    }

    fn finish(mut self) -> Option<usize> {
        let last = self.interval.last();
        if last != 0 {
            self.push((last >> 24) as u8);
        }
        (self.length <= self.out.len()).then_some(self.length)
    }
}

impl Coder for Encoder<'_> {
    #[inline(always)]
    fn code(&mut self, bit: bool, ones: u32) -> bool {
        let split = self.interval.split(ones);
        self.interval.take(bit, split);
        while self.interval.is_settled() {
            self.push((self.interval.low >> 24) as u8);
            self.interval.shift();
        }
        bit
    }
}

struct Decoder<'a> {
    interval: Interval,
    number: u32,
    input: std::slice::Iter<'a, u8>,
    invented: u32,
}

impl<'a> Decoder<'a> {
    fn new(input: &'a [u8]) -> Self {
        let mut decoder =
            Self { interval: Interval::WHOLE, number: 0, input: input.iter(), invented: 0 };
        for _ in 0..4 {
            decoder.pull();
        }
        decoder
    }

    fn pull(&mut self) {
        let next = self.input.next();
        self.invented += u32::from(next.is_none());
        self.number = self.number << 8 | u32::from(*next.unwrap_or(&0));
    }

    fn is_at_end(&self) -> bool {
        let last = self.interval.last();
        self.number == last && self.invented == if last == 0 { 4 } else { 3 }
    }
}

impl Coder for Decoder<'_> {
    #[inline(always)]
    fn code(&mut self, _: bool, ones: u32) -> bool {
        let split = self.interval.split(ones);
        let bit = self.number > split;
        self.interval.take(bit, split);
        while self.interval.is_settled() {
            self.pull();
            self.interval.shift();
        }
        bit
    }
}

#[derive(Clone, Copy)]
struct Bit(u32);

const FLAG_LIMIT: u32 = 1000;
const TREE_LIMIT: u32 = 1000;

const fn rates() -> [u32; 1024] {
    let mut rates = [0; 1024];
    let mut n = 0;
    while n < 1024 {
        rates[n] = (65536.0 / (n as f64 + 1.6)) as u32;
        n += 1;
    }
    rates
}
static RATES: [u32; 1024] = rates();

impl Bit {
    const fn new(ones: u32) -> Self {
        Self(ones << 16)
    }
    #[inline(always)]
    fn ones(self) -> u32 {
        self.0 >> 16
    }
    #[inline(always)]
    fn learn(&mut self, bit: bool, limit: u32) {
        let count = self.0 & 1023;
        let rate = i64::from(RATES[count as usize]);
        let p = (self.0 >> 10) as i64;
        let target = if bit { (1 << 22) - 1 } else { 0 };
        let p = p + (((target - p) * rate) >> 16);
        self.0 = (p as u32) << 10 | (count + u32::from(count < limit));
    }
}

const FLAGS_A: usize = 512;
const FLAGS_B: usize = 256;

struct Model {
    fa: [Bit; FLAGS_A],
    fb: [Bit; FLAGS_B],
    ta: [[Bit; 256]; 4],
    tb: [[Bit; 256]; 16],
    wf: i32,
    wt: [i32; 4],
    history: u32,
    position: u32,
    previous: u8,
}

impl Model {
    fn new() -> Box<Self> {
        Box::new(Self {
            fa: [Bit::new(20000); FLAGS_A],
            fb: [Bit::new(20000); FLAGS_B],
            ta: [[Bit::new(32768); 256]; 4],
            tb: [[Bit::new(32768); 256]; 16],
            wf: 32768,
            wt: [32768; 4],
            history: 0,
            position: 0,
            previous: 0,
        })
    }

    #[inline(always)]
    fn code(&mut self, coder: &mut impl Coder, byte: u8) -> u8 {
        let h = self.history;
        let pos = self.position & 3;
        let ca = (h & 255) | u32::from(h >> 8 != 0) << 8;
        let cb = (h >> 3 & 1)
            | (h >> 7 & 1) << 1
            | (h >> 11 & 1) << 2
            | (h >> 15 & 1) << 3
            | (h >> 19 & 1) << 4
            | (h >> 23 & 1) << 5
            | pos << 6;
        let bit = mixed(
            coder,
            byte != 0,
            &mut self.fa[ca as usize],
            &mut self.fb[cb as usize],
            &mut self.wf,
            FLAG_LIMIT,
        );
        self.history = h << 1 | u32::from(bit);
        self.position += 1;
        let mut value = 0;
        if bit {
            let ta = &mut self.ta[pos as usize];
            let tb = &mut self.tb[(self.previous >> 4) as usize];
            let w = &mut self.wt[pos as usize];
            let mut node = 1u32;
            for i in (0..8).rev() {
                let bit = mixed(
                    coder,
                    byte >> i & 1 != 0,
                    &mut ta[(node & 255) as usize],
                    &mut tb[(node & 255) as usize],
                    w,
                    TREE_LIMIT,
                );
                node = node << 1 | u32::from(bit);
            }
            value = node as u8;
        }
        self.previous = value;
        value
    }
}

#[inline(always)]
fn mixed(coder: &mut impl Coder, bit: bool, a: &mut Bit, b: &mut Bit, w: &mut i32, limit: u32) -> bool {
    let (pa, pb) = (a.ones() as i32, b.ones() as i32);
    let p = pa + (((pb - pa) as i64 * *w as i64) >> 16) as i32;
    let p = p.clamp(1, 65535);
    let bit = coder.code(bit, p as u32);
    let err = if bit { 65535 - p } else { -p };
    *w = (*w + ((err as i64 * (pb - pa) as i64) >> 20) as i32).clamp(0, 65535);
    a.learn(bit, limit);
    b.learn(bit, limit);
    bit
}
