//! What a payload packet carries: acknowledgements, then one fragment of a message. Reading it lets no
//! count, index or size through that a message can't have, whatever the peer says (in the original
//! `s_transport_recv_fragments` and `cn_ack_system_receive_packet`).

use crate::bytes::{Malformed, Reader, Writer};

/// Bytes of every fragment but the last of a message.
pub const FRAGMENT_SIZE: usize = 1100;
/// Bytes in front of a fragment.
pub const HEADER_SIZE: usize = 17;
/// The largest payload that is read.
pub const MAX_PAYLOAD: usize = 1180;
/// The most fragments of a message: as many as fit into 20 MiB whole.
pub const MAX_FRAGMENTS: u16 = ((20 << 20) / FRAGMENT_SIZE) as u16;
/// The largest message. D46: the original takes 20 bytes more, and never delivers them.
pub const MAX_MESSAGE_SIZE: usize = MAX_FRAGMENTS as usize * FRAGMENT_SIZE;
/// The count of a fragment that no receiver takes: the original reads the acknowledgements before it
/// refuses the fragment, so such a packet acknowledges and does nothing else.
const ACKS_ALONE: u16 = u16::MAX;

/// What a packet says of itself and of the packets its sender received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckHeader {
    /// The packet's own number.
    pub sequence: u16,
    /// The newest packet received; 65535 and no bits before any.
    pub ack: u16,
    /// Bit i says that the packet i before `ack` was received; bit 0 is `ack` itself.
    pub bits: u32,
}

/// A piece of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// True if the message is sent until it is acknowledged.
    pub reliable: bool,
    /// Which message, of those sent in the same way.
    pub message: u16,
    /// How many fragments the message has.
    pub count: u16,
    /// Which of them this is.
    pub index: u16,
    /// Its bytes. The last of an unreliable message may have none: originals lose the last of a multiple
    /// of [`FRAGMENT_SIZE`] (D33).
    pub bytes: &'a [u8],
}

impl Fragment<'_> {
    /// True for the last fragment of its message.
    pub fn is_last(&self) -> bool {
        self.index + 1 == self.count
    }
}

/// What follows the acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// A piece of a message.
    Fragment(Fragment<'a>),
    /// Nothing: the packet acknowledges.
    Nothing,
}

/// How many fragments a message of `size` bytes has.
pub fn fragments(size: usize) -> usize {
    size.div_ceil(FRAGMENT_SIZE)
}

/// Reads a payload. What follows the acknowledgements may be malformed by itself: they count all the same.
pub fn decode(payload: &[u8]) -> Result<(AckHeader, Result<Body<'_>, Malformed>), Malformed> {
    if !(HEADER_SIZE..=MAX_PAYLOAD).contains(&payload.len()) {
        return Err(Malformed);
    }
    let mut reader = Reader::new(payload);
    let header = AckHeader { sequence: reader.u16()?, ack: reader.u16()?, bits: reader.u32()? };
    Ok((header, decode_body(reader)))
}

fn decode_body(mut reader: Reader<'_>) -> Result<Body<'_>, Malformed> {
    let reliable = reader.u8()? != 0;
    let message = reader.u16()?;
    let count = reader.u16()?;
    let index = reader.u16()?;
    let size = reader.u16()?;
    let bytes = reader.rest();
    if usize::from(size) != bytes.len() {
        return Err(Malformed);
    }
    if count == ACKS_ALONE && index == 0 && bytes.is_empty() {
        return Ok(Body::Nothing);
    }
    // D03, D04: the original lets through an index equal to the count, and a count of 0.
    if count > MAX_FRAGMENTS || index >= count || bytes.len() > FRAGMENT_SIZE {
        return Err(Malformed);
    }
    let fragment = Fragment { reliable, message, count, index, bytes };
    let whole =
        if fragment.is_last() { !(reliable && bytes.is_empty()) } else { bytes.len() == FRAGMENT_SIZE };
    if whole { Ok(Body::Fragment(fragment)) } else { Err(Malformed) }
}

/// Writes a payload.
pub fn encode(header: &AckHeader, body: &Body<'_>, writer: &mut Writer<'_>) {
    writer.u16(header.sequence);
    writer.u16(header.ack);
    writer.u32(header.bits);
    let (reliable, message, count, index, bytes) = match body {
        Body::Fragment(fragment) => {
            (fragment.reliable, fragment.message, fragment.count, fragment.index, fragment.bytes)
        }
        Body::Nothing => (false, 0, ACKS_ALONE, 0, &[][..]),
    };
    writer.u8(u8::from(reliable));
    writer.u16(message);
    writer.u16(count);
    writer.u16(index);
    writer.u16(bytes.len() as u16);
    writer.bytes(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: AckHeader = AckHeader { sequence: 0x0102, ack: 0x0304, bits: 0x0506_0708 };

    fn encoded(body: &Body<'_>) -> Vec<u8> {
        let mut buffer = [0; 2 * MAX_PAYLOAD];
        let mut writer = Writer::new(&mut buffer);
        encode(&HEADER, body, &mut writer);
        let length = writer.finish().unwrap();
        buffer[..length].to_vec()
    }

    fn fragment(count: u16, index: u16, size: usize) -> Vec<u8> {
        let bytes = vec![7; size];
        encoded(&Body::Fragment(Fragment { reliable: true, message: 9, count, index, bytes: &bytes }))
    }

    fn body(payload: &[u8]) -> Result<Body<'_>, Malformed> {
        let (header, body) = decode(payload).unwrap();
        assert_eq!(header, HEADER);
        body
    }

    #[test]
    fn acknowledgements_alone_are_17_bytes_that_the_original_refuses_after_reading_them() {
        let payload = encoded(&Body::Nothing);
        assert_eq!(payload[..8], [2, 1, 4, 3, 8, 7, 6, 5]);
        assert_eq!(payload[8..], [0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0]);
        assert_eq!(body(&payload), Ok(Body::Nothing));
        assert!(usize::from(ACKS_ALONE) * FRAGMENT_SIZE > 20 << 20);
    }

    #[test]
    fn d03_d04_d05_counts_indices_and_sizes_that_no_message_has_are_refused() {
        for (count, index, size) in
            [(1, 0, 1), (1, 0, 1100), (2, 0, 1100), (2, 1, 3), (MAX_FRAGMENTS, MAX_FRAGMENTS - 1, 5)]
        {
            assert!(body(&fragment(count, index, size)).is_ok(), "{count} {index} {size}");
        }
        for (count, index, size) in [
            (0, 0, 1),
            (1, 1, 1),
            (2, 2, 1),
            (2, 0, 1099),
            (2, 0, 0),
            (1, 0, 0),
            (1, 0, 1101),
            (MAX_FRAGMENTS + 1, 0, 1100),
            (u16::MAX, 0, 1),
            (u16::MAX, 1, 0),
            (u16::MAX, u16::MAX, 0),
        ] {
            assert_eq!(body(&fragment(count, index, size)), Err(Malformed), "{count} {index} {size}");
        }
        let empty = Fragment { reliable: false, message: 0, count: 2, index: 1, bytes: &[] };
        assert_eq!(body(&encoded(&Body::Fragment(empty))), Ok(Body::Fragment(empty)));
    }

    #[test]
    fn d02_a_size_that_the_packet_does_not_have_is_refused() {
        let mut payload = fragment(1, 0, 10);
        payload[15] = 11;
        assert_eq!(body(&payload), Err(Malformed));
        payload[15] = 9;
        assert_eq!(body(&payload), Err(Malformed));
        assert!(decode(&payload[..16]).is_err() && decode(&[0; MAX_PAYLOAD + 1]).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_the_same(payload in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok((header, Ok(body))) = decode(&payload) {
                let mut buffer = [0; 100];
                let mut writer = Writer::new(&mut buffer);
                encode(&header, &body, &mut writer);
                let length = writer.finish().unwrap();
                prop_assert_eq!(length, payload.len());
                prop_assert_eq!(decode(&buffer[..length]).unwrap(), (header, Ok(body)));
            }
        }
    }
}
