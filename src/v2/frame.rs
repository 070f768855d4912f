//! Frames: what a data packet is made of (PROTOCOL section 7). Decoding accepts exactly what the page
//! describes; whatever depends on more than the frame itself (sequences, credit, acknowledged numbers)
//! is judged where it is applied.

use crate::bytes::{Malformed, Reader};
use crate::duration::Duration;
use crate::message::Delivery;
use crate::sending::CHANNELS;
use std::ops::RangeInclusive;

pub(super) const PADDING: u8 = 0x00;
pub(super) const PING: u8 = 0x01;
pub(super) const ACK: u8 = 0x02;
pub(super) const ACCEPT: u8 = 0x03;
pub(super) const CLOSE: u8 = 0x04;
pub(super) const PATH_PROBE: u8 = 0x05;
pub(super) const PATH_ECHO: u8 = 0x06;
pub(super) const CREDIT: u8 = 0x07;
pub(super) const LIMIT: u8 = 0x08;
pub(super) const BLOCKED: u8 = 0x09;
pub(super) const UNRELIABLE: u8 = 0x10;
pub(super) const RELIABLE: u8 = 0x20;
pub(super) const UNRELIABLE_FRAGMENT: u8 = 0x30;
pub(super) const RELIABLE_FRAGMENT: u8 = 0x40;
const FUTURE: u8 = 0x80;

const KIND_MASK: u8 = 0xF0;
pub(super) const HAS_LENGTH: u8 = 1;
pub(super) const HAS_CHANNEL: u8 = 2;
pub(super) const HAS_ID: u8 = 4;
pub(super) const UNORDERED_OR_SEQUENCED: u8 = 8;

/// Ranges of one ACK, the first counted.
pub const MAX_ACK_RANGES: usize = 32;
/// Fragments start at multiples of this many bytes, and are multiples of it except at the end.
pub const FRAGMENT_UNIT: usize = 32;
/// The unit of the delay in an ACK.
pub(super) const DELAY_UNIT: Duration = Duration::from_micros(500);

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Asks for an acknowledgement.
    Ping,
    /// Packets that arrived.
    Ack(Ack<'a>),
    /// The server lets the client in.
    Accept(Accept),
    /// The connection ends.
    Close {
        /// Why.
        reason: u8,
        /// The program's own bytes.
        text: &'a [u8],
    },
    /// Asks for an echo over the path it came on.
    PathProbe([u8; 8]),
    /// The echo of a probe.
    PathEcho([u8; 8]),
    /// Total of reliable messages the receiver of this frame may have begun since the start.
    Credit(u64),
    /// The largest datagram the sender of this frame receives.
    Limit(u64),
    /// The total of credit the sender of this frame needs to begin its next message.
    Blocked(u64),
    /// A message, or a fragment of one.
    Message(MessageFrame<'a>),
    /// A frame of a later version, skipped.
    Unknown,
}

/// What the server tells a client it lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept {
    /// What the client writes into every packet.
    pub connection_id: u32,
    /// The client's slot.
    pub client_index: u32,
    /// The client id of its token.
    pub client_id: u64,
    /// How many clients the server serves.
    pub max_clients: u32,
    /// Seconds of silence after which both ends give up; 0 is never.
    pub connection_timeout: u32,
    /// Bytes a second the server takes from the client; 0 is any.
    pub incoming_rate: u32,
}

/// A whole message, or a fragment of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageFrame<'a> {
    /// Wire channel, 0 to 8.
    pub channel: u8,
    /// How it is to be delivered.
    pub delivery: Delivery,
    /// The program's tag: present on channels 1 to 8, on fragments only at offset 0.
    pub id: Option<u32>,
    /// The low 16 bits of the message's sequence; 0 for a whole unreliable message, which has none.
    pub sequence: u16,
    /// Where the bytes belong, for a fragment.
    pub fragment: Option<Fragment>,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Where the bytes of a fragment belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Bytes of the whole message.
    pub total: u32,
    /// Where this fragment starts.
    pub offset: u32,
}

/// An acknowledgement. The numbers need the largest acknowledged so far to be whole.
#[derive(Clone, Copy, Debug)]
pub struct Ack<'a> {
    largest: u16,
    delay: u64,
    first: u64,
    count: u64,
    ranges: Reader<'a>,
}

impl PartialEq for Ack<'_> {
    fn eq(&self, other: &Self) -> bool {
        let key = |ack: &Self| (ack.largest, ack.delay, ack.first, ack.count);
        key(self) == key(other)
    }
}

impl Eq for Ack<'_> {}

impl Ack<'_> {
    /// The largest acknowledged number: the first that is not below `so_far` with these low 16 bits.
    pub fn largest(&self, so_far: u64) -> u64 {
        so_far.saturating_add(u64::from(self.largest.wrapping_sub(so_far as u16)))
    }

    /// How long the peer held the acknowledgement back.
    pub fn delay(&self) -> Duration {
        DELAY_UNIT * u32::try_from(self.delay).unwrap_or(u32::MAX)
    }

    /// The acknowledged ranges, newest first; malformed where one reaches below zero.
    pub fn ranges(&self, largest: u64) -> impl Iterator<Item = Result<RangeInclusive<u64>, Malformed>> {
        let mut reader = self.ranges;
        let mut next = Some((largest, self.first));
        let mut left = self.count;
        std::iter::from_fn(move || {
            let (high, length) = next.take()?;
            let Some(low) = high.checked_sub(length) else { return Some(Err(Malformed)) };
            if left > 0 {
                left -= 1;
                // decode() has read these varints before.
                let (Ok(gap), Ok(length)) = (reader.varint(), reader.varint()) else {
                    return Some(Err(Malformed));
                };
                let Some(high) = low.checked_sub(gap).and_then(|below| below.checked_sub(2)) else {
                    return Some(Err(Malformed));
                };
                next = Some((high, length));
            }
            Some(Ok(low..=high))
        })
    }
}

/// The frames of a packet, in order. Ends after the first malformed one.
pub struct Frames<'a> {
    reader: Reader<'a>,
}

impl<'a> Frames<'a> {
    /// Starts at the first frame of an opened packet.
    pub fn new(bytes: &'a [u8]) -> Frames<'a> {
        Frames { reader: Reader::new(bytes) }
    }

    fn decode(&mut self) -> Result<Option<Frame<'a>>, Malformed> {
        let reader = &mut self.reader;
        let kind = loop {
            if reader.is_empty() {
                return Ok(None);
            }
            match reader.u8()? {
                PADDING => {}
                kind => break kind,
            }
        };
        let frame = match kind {
            PING => Frame::Ping,
            ACK => Frame::Ack(decode_ack(reader)?),
            ACCEPT => Frame::Accept(decode_accept(reader)?),
            CLOSE => {
                let reason = reader.u8()?;
                let length = reader.u8()?;
                Frame::Close { reason, text: reader.take(usize::from(length))? }
            }
            PATH_PROBE => Frame::PathProbe(reader.array()?),
            PATH_ECHO => Frame::PathEcho(reader.array()?),
            CREDIT => Frame::Credit(reader.varint()?),
            LIMIT => Frame::Limit(reader.varint()?),
            BLOCKED => Frame::Blocked(reader.varint()?),
            FUTURE.. => {
                let length = reader.varint()?;
                reader.take(usize::try_from(length).map_err(|_| Malformed)?)?;
                Frame::Unknown
            }
            _ => Frame::Message(decode_message(kind, reader)?),
        };
        Ok(Some(frame))
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = self.decode();
        if result.is_err() {
            self.reader.rest();
        }
        result.transpose()
    }
}

fn decode_ack<'a>(reader: &mut Reader<'a>) -> Result<Ack<'a>, Malformed> {
    let largest = reader.u16()?;
    let delay = reader.varint()?;
    let first = reader.varint()?;
    let count = reader.varint()?;
    if count >= MAX_ACK_RANGES as u64 {
        return Err(Malformed);
    }
    let ranges = *reader;
    for _ in 0..count {
        reader.varint()?;
        reader.varint()?;
    }
    Ok(Ack { largest, delay, first, count, ranges })
}

fn decode_accept(reader: &mut Reader<'_>) -> Result<Accept, Malformed> {
    let accept = Accept {
        connection_id: reader.u32()?,
        client_index: reader.u32()?,
        client_id: reader.u64()?,
        max_clients: reader.u32()?,
        connection_timeout: reader.u32()?,
        incoming_rate: reader.u32()?,
    };
    reader.varint()?; // Features: none are known.
    Ok(accept)
}

fn decode_message<'a>(kind: u8, reader: &mut Reader<'a>) -> Result<MessageFrame<'a>, Malformed> {
    let (reliable, fragmented) = match kind & KIND_MASK {
        UNRELIABLE => (false, false),
        RELIABLE => (true, false),
        UNRELIABLE_FRAGMENT => (false, true),
        RELIABLE_FRAGMENT => (true, true),
        _ => return Err(Malformed),
    };
    let length = if kind & HAS_LENGTH != 0 {
        Some(usize::try_from(reader.varint()?).map_err(|_| Malformed)?)
    } else {
        None
    };
    let channel = if kind & HAS_CHANNEL != 0 { reader.u8()? } else { 0 };
    if usize::from(channel) >= CHANNELS {
        return Err(Malformed);
    }
    let id = if kind & HAS_ID != 0 {
        Some(u32::try_from(reader.varint()?).map_err(|_| Malformed)?)
    } else {
        None
    };
    let sequence = if reliable || fragmented { reader.u16()? } else { 0 };
    let fragment = if fragmented { Some(decode_fragment(reader)?) } else { None };
    let bytes = match length {
        Some(length) => reader.take(length)?,
        None => reader.rest(),
    };

    // A tag belongs to the channel messages, and travels once.
    let starts = fragment.is_none_or(|fragment| fragment.offset == 0);
    if id.is_some() != (channel != 0 && starts) {
        return Err(Malformed);
    }
    match fragment {
        Some(fragment) => {
            let end = fragment.offset.checked_add(u32::try_from(bytes.len()).map_err(|_| Malformed)?);
            let end = end.filter(|&end| end <= fragment.total).ok_or(Malformed)?;
            let whole_units = bytes.len().is_multiple_of(FRAGMENT_UNIT) || end == fragment.total;
            if bytes.is_empty() || !whole_units {
                return Err(Malformed);
            }
        }
        // Only channel messages may be empty: the program tells them by their tag.
        None if bytes.is_empty() && channel == 0 => return Err(Malformed),
        None => {}
    }
    let delivery = Delivery::new(reliable, kind & UNORDERED_OR_SEQUENCED != 0);
    Ok(MessageFrame { channel, delivery, id, sequence, fragment, bytes })
}

fn decode_fragment(reader: &mut Reader<'_>) -> Result<Fragment, Malformed> {
    let total = u32::try_from(reader.varint()?).map_err(|_| Malformed)?;
    let offset = u32::try_from(reader.varint()?).map_err(|_| Malformed)?;
    if !(offset as usize).is_multiple_of(FRAGMENT_UNIT) {
        return Err(Malformed);
    }
    Ok(Fragment { total, offset })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(bytes: &[u8]) -> Result<Vec<Frame<'_>>, Malformed> {
        Frames::new(bytes).collect()
    }

    #[test]
    fn what_the_page_does_not_describe_is_malformed() {
        for bytes in [
            &[0x0A][..], // a type without meaning
            &[0x0F],
            &[0x50],
            &[0x7F],
            &[0x02, 1, 0, 0, 0],                      // ACK cut short
            &[0x02, 1, 0, 0, 0, 32],                  // ACK of 33 ranges
            &[0x03, 1, 2, 3],                         // ACCEPT cut short
            &[0x04, 1, 5, b'a'],                      // CLOSE with less text than it says
            &[0x05, 1, 2, 3, 4, 5, 6, 7],             // probe cut short
            &[0x07],                                  // CREDIT without a number
            &[0x80, 5, 1],                            // a future frame longer than the packet
            &[0x10],                                  // an empty message on channel 0
            &[0x11, 9, 1],                            // a message longer than the packet
            &[0x12, 9, 1],                            // channel 9
            &[0x12, 1, 1],                            // a channel message without a tag
            &[0x14, 1, 1],                            // a tag on channel 0
            &[0x20, 1],                               // a sequence cut short
            &[0x16, 1, 0xC0, 0, 0, 1, 0, 0, 0, 0, 1], // a tag of more than 32 bits
            &[0x40, 0, 0, 0x40, 64, 1],               // an offset that isn't a multiple of 32
            &[0x40, 0, 0, 0x40, 64, 0],               // an empty fragment
            &[0x40, 0, 0, 1, 0, 7, 7],                // a fragment past the total
            &[0x40, 0, 0, 9, 0, 7, 7],                // a short fragment before the end
            &[0x46, 1, 5, 0, 0, 0x40, 33, 32, 7],     // a tag on a later fragment
        ] {
            assert_eq!(decode(bytes), Err(Malformed), "{bytes:x?}");
        }
    }

    #[test]
    fn padding_and_frames_of_the_future_are_skipped() {
        assert_eq!(decode(&[0, 0, 1, 0]), Ok(vec![Frame::Ping]));
        assert_eq!(
            decode(&[0x80, 2, 9, 9, 0xFF, 0, 1]),
            Ok(vec![Frame::Unknown, Frame::Unknown, Frame::Ping])
        );
        assert_eq!(decode(&[]), Ok(vec![]));
    }

    #[test]
    fn decoding_ends_at_the_first_malformed_frame() {
        let mut frames = Frames::new(&[1, 0x0A, 1, 1]);
        assert_eq!(frames.next(), Some(Ok(Frame::Ping)));
        assert_eq!(frames.next(), Some(Err(Malformed)));
        assert_eq!(frames.next(), None);
    }

    #[test]
    fn the_largest_acknowledged_is_the_first_not_below_the_largest_so_far() {
        let bytes = [0x02, 0x05, 0x00, 0, 0, 0];
        let frames = decode(&bytes).unwrap();
        let [Frame::Ack(ack)] = &frames[..] else { panic!("{frames:?}") };
        for (so_far, largest) in
            [(0, 5), (5, 5), (6, 0x1_0005), (0xFFFF, 0x1_0005), (0x1_0005, 0x1_0005)]
        {
            assert_eq!(ack.largest(so_far), largest);
        }
    }

    #[test]
    fn ranges_below_zero_are_malformed() {
        // 5..=9, then 0..=2, then one that would end at -2.
        let bytes = [0x02, 9, 0, 0, 4, 2, 1, 2, 0, 0];
        let frames = decode(&bytes).unwrap();
        let [Frame::Ack(ack)] = &frames[..] else { panic!("{frames:?}") };
        assert_eq!(ack.ranges(9).collect::<Vec<_>>(), [Ok(5..=9), Err(Malformed)]);
        assert_eq!(ack.ranges(3).collect::<Vec<_>>(), [Err(Malformed)]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_decoding_fail_to_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for frame in Frames::new(&bytes) {
                if let Ok(Frame::Ack(ack)) = frame {
                    prop_assert!(ack.ranges(ack.largest(1 << 30)).count() <= MAX_ACK_RANGES + 1);
                }
            }
        }
    }
}
