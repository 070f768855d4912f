//! Bounded reading and writing of wire bytes: little-endian integers and the variable-length
//! integers of RFC 9000 section 16. The only code that indexes into what came from the network,
//! so that no length a peer sends can reach past the bytes it sent.

/// The bytes end too early, or say what can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Reads values from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    /// True when all bytes were read.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The number of bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or(Malformed)?;
        self.bytes = tail;
        Ok(head)
    }

    /// All bytes that are left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, tail) = self.bytes.split_first_chunk::<N>().ok_or(Malformed)?;
        self.bytes = tail;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Two bytes, little-endian.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// A variable-length integer (RFC 9000 section 16); any of its four lengths is accepted.
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let first = *self.bytes.first().ok_or(Malformed)?;
        match first >> 6 {
            0 => self.u8().map(u64::from),
            1 => self.array().map(|bytes| u64::from(u16::from_be_bytes(bytes) & 0x3FFF)),
            2 => self.array().map(|bytes| u64::from(u32::from_be_bytes(bytes) & 0x3FFF_FFFF)),
            _ => self.array().map(|bytes| u64::from_be_bytes(bytes) & (u64::MAX >> 2)),
        }
    }

    /// Reads `count` bytes that must all be zero.
    pub fn zeros(&mut self, count: usize) -> Result<(), Malformed> {
        let bytes = self.take(count)?;
        // Without an early end, which would keep the compiler from taking many bytes at a time.
        let any = bytes.iter().fold(0, |any, &byte| any | byte);
        if any == 0 { Ok(()) } else { Err(Malformed) }
    }
}

/// The largest value a variable-length integer holds.
pub const VARINT_MAX: u64 = u64::MAX >> 2;

/// Bytes that [`Writer::varint`] takes for `value`.
pub const fn varint_len(value: u64) -> usize {
    match value {
        0..0x40 => 1,
        0x40..0x4000 => 2,
        0x4000..0x4000_0000 => 4,
        _ => 8,
    }
}

/// Writes values to the front of a buffer. Writing past its end writes nothing, and
/// [`finish`](Writer::finish) then returns `None`.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    written: usize,
    overflowed: bool,
}

impl<'a> Writer<'a> {
    /// Starts at the first byte of `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Writer<'a> {
        Writer { buffer, written: 0, overflowed: false }
    }

    /// The number of bytes written so far.
    pub fn written(&self) -> usize {
        self.written
    }

    /// The number of bytes that still fit.
    pub fn remaining(&self) -> usize {
        self.buffer.len() - self.written
    }

    /// The number of bytes written, or `None` if something did not fit.
    pub fn finish(self) -> Option<usize> {
        (!self.overflowed).then_some(self.written)
    }

    /// Copies `bytes`.
    pub fn bytes(&mut self, bytes: &[u8]) {
        match self.buffer.get_mut(self.written..).and_then(|free| free.get_mut(..bytes.len())) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.written += bytes.len();
            }
            None => self.overflowed = true,
        }
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    /// Two bytes, little-endian.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    /// A variable-length integer (RFC 9000 section 16) in its shortest form; values above
    /// [`VARINT_MAX`] do not fit.
    pub fn varint(&mut self, value: u64) {
        match varint_len(value) {
            1 => self.u8(value as u8),
            2 => self.bytes(&(value as u16 | 0x4000).to_be_bytes()),
            4 => self.bytes(&(value as u32 | 0x8000_0000).to_be_bytes()),
            _ if value <= VARINT_MAX => self.bytes(&(value | 0xC000_0000_0000_0000).to_be_bytes()),
            _ => self.overflowed = true,
        }
    }

    /// Writes `count` zero bytes.
    pub fn zeros(&mut self, count: usize) {
        match self.buffer.get_mut(self.written..).and_then(|free| free.get_mut(..count)) {
            Some(room) => {
                room.fill(0);
                self.written += count;
            }
            None => self.overflowed = true,
        }
    }

    /// Removes `count` bytes from the middle, `start` bytes after the first, and moves what follows
    /// them forward. Nothing happens if they were not all written.
    pub fn remove(&mut self, start: usize, count: usize) {
        let Some(end) = start.checked_add(count).filter(|&end| end <= self.written) else { return };
        self.buffer.copy_within(end..self.written, start);
        self.written -= count;
    }

    /// The byte `at` bytes after the first; 0 if it was not written.
    pub fn byte(&self, at: usize) -> u8 {
        self.buffer.get(..self.written).and_then(|bytes| bytes.get(at)).copied().unwrap_or_default()
    }

    /// True if something did not fit.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Overwrites the byte `at` bytes after the first, if it was written.
    pub fn patch(&mut self, at: usize, value: u8) {
        if at < self.written
            && let Some(byte) = self.buffer.get_mut(at)
        {
            *byte = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_of_rfc_9000_appendix_a_1_decode() {
        for (bytes, value) in [
            (&[0xC2, 0x19, 0x7C, 0x5E, 0xFF, 0x14, 0xE8, 0x8C][..], 151_288_809_941_952_652),
            (&[0x9D, 0x7F, 0x3E, 0x7D][..], 494_878_333),
            (&[0x7B, 0xBD][..], 15_293),
            (&[0x25][..], 37),
            (&[0x40, 0x25][..], 37),
        ] {
            let mut reader = Reader::new(bytes);
            assert_eq!(reader.varint(), Ok(value));
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn varints_come_back_from_every_length() {
        for shift in 0..62 {
            for value in [(1u64 << shift) - 1, 1 << shift, (1 << shift) + 1] {
                let mut buffer = [0; 8];
                let mut writer = Writer::new(&mut buffer);
                writer.varint(value);
                assert_eq!(writer.finish(), Some(varint_len(value)));
                assert_eq!(Reader::new(&buffer).varint(), Ok(value));
            }
        }
        let mut buffer = [0; 8];
        let mut writer = Writer::new(&mut buffer);
        writer.varint(VARINT_MAX + 1);
        assert_eq!(writer.finish(), None);
    }

    #[test]
    fn reading_past_the_end_is_malformed_and_takes_nothing() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.u32(), Err(Malformed));
        assert_eq!(reader.take(4), Err(Malformed));
        assert_eq!(reader.remaining(), 3);
        assert_eq!(reader.u16(), Ok(0x0201));
        assert_eq!(reader.take(usize::MAX), Err(Malformed));
        assert_eq!(reader.rest(), [3]);
        assert_eq!(reader.varint(), Err(Malformed));
        assert_eq!(Reader::new(&[0xC0, 0]).varint(), Err(Malformed));
    }

    #[test]
    fn writing_past_the_end_is_reported_and_writes_nothing() {
        let mut buffer = [0; 3];
        let mut writer = Writer::new(&mut buffer);
        writer.u16(0x0201);
        writer.u16(0xFFFF);
        assert_eq!(writer.remaining(), 1);
        assert_eq!(writer.finish(), None);
        assert_eq!(buffer, [1, 2, 0]);
    }

    #[test]
    fn removing_from_the_middle_closes_the_gap() {
        let mut buffer = [0; 6];
        let mut writer = Writer::new(&mut buffer);
        writer.bytes(&[1, 2, 3, 4, 5]);
        writer.remove(1, 2);
        writer.remove(2, 9);
        writer.patch(0, 7);
        writer.patch(5, 7);
        assert_eq!(writer.finish(), Some(3));
        assert_eq!(buffer[..3], [7, 4, 5]);
    }
}
