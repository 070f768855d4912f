//! The arithmetic of a binary range coder: turns a row of bits, each with its probability, into bytes and back.
//! The bytes are as few as the probabilities allow, or one more. Of all inputs that decode to the same bits, the
//! decoder accepts only what the encoder writes.

use std::slice;

/// What codes bits: the encoder takes each, the decoder finds each.
pub trait Coder {
    /// Codes one bit, which is one with a probability of `ones` / 65536.
    fn code(&mut self, bit: bool, ones: u32) -> bool;
}

/// The numbers, both ends included, that stand for the bits so far. They are fractions of which the
/// first bytes, the same in all of them, are already written.
#[derive(Clone, Copy)]
struct Interval {
    low: u32,
    high: u32,
}

impl Interval {
    const WHOLE: Self = Self { low: 0, high: u32::MAX };

    /// Ends the part for a zero bit. That it is the lower one makes an unchanged snapshot all zeroes.
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

    /// The number that ends the input: its first byte alone says it, or none if it is zero. It is never
    /// above `high`, for that has another first byte than `low`.
    fn last(&self) -> u32 {
        self.low.div_ceil(1 << 24) << 24
    }
}

/// Takes bits, writes bytes.
pub struct Encoder<'a> {
    interval: Interval,
    out: &'a mut [u8],
    /// The bytes pushed so far, those that did not fit included.
    length: usize,
}

impl<'a> Encoder<'a> {
    /// Writes to `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self { interval: Interval::WHOLE, out, length: 0 }
    }

    /// True if the bits so far take more bytes than there are.
    pub fn is_full(&self) -> bool {
        self.length > self.out.len()
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.out.get_mut(self.length) {
            *place = byte;
        }
        self.length += 1;
    }

    /// Ends the bytes and returns how many they are, if they fit.
    pub fn finish(mut self) -> Option<usize> {
        let last = self.interval.last();
        if last != 0 {
            self.push((last >> 24) as u8);
        }
        (!self.is_full()).then_some(self.length)
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

/// The bytes of a number, and so the most that a decoder reads past the end of honest input.
const LOOKAHEAD: u32 = 4;

/// Reads bytes, finds the bits again.
pub struct Decoder<'a> {
    interval: Interval,
    number: u32,
    input: slice::Iter<'a, u8>,
    /// The zeroes read past the end of the input.
    invented: u32,
}

impl<'a> Decoder<'a> {
    /// Reads all of `input`, and zeroes after it.
    pub fn new(input: &'a [u8]) -> Self {
        let mut decoder =
            Self { interval: Interval::WHOLE, number: 0, input: input.iter(), invented: 0 };
        for _ in 0..LOOKAHEAD {
            decoder.pull();
        }
        decoder
    }

    fn pull(&mut self) {
        let next = self.input.next();
        self.invented += u32::from(next.is_none());
        self.number = self.number << 8 | u32::from(*next.unwrap_or(&0));
    }

    /// True if the input was too short for the bits so far.
    pub fn is_past_end(&self) -> bool {
        self.invented > LOOKAHEAD
    }

    /// True if the input is the one that the encoder writes for these bits, to the byte.
    pub fn is_at_end(&self) -> bool {
        let last = self.interval.last();
        self.number == last && self.invented == LOOKAHEAD - u32::from(last != 0)
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
