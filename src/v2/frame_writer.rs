//! Writes the frames of a packet (PROTOCOL section 7): acknowledgements first, then what controls the
//! connection, then messages, as many as share the datagram. The last message of a packet needs no
//! length, and gets none.

use super::frame::{
    ACCEPT, ACK, Accept, BLOCKED, CLOSE, CREDIT, DELAY_UNIT, FRAGMENT_UNIT, Fragment, HAS_CHANNEL,
    HAS_ID, HAS_LENGTH, LIMIT, MAX_ACK_RANGES, PADDING, PATH_ECHO, PATH_PROBE, PING, RELIABLE,
    RELIABLE_FRAGMENT, UNORDERED_OR_SEQUENCED, UNRELIABLE, UNRELIABLE_FRAGMENT,
};
use crate::bytes::{Writer, varint_len};
use crate::duration::Duration;
use crate::message::Delivery;
use std::ops::RangeInclusive;

/// Everything of a message frame but its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageHead {
    /// Wire channel, 0 to 8.
    pub channel: u8,
    /// How it is to be delivered.
    pub delivery: Delivery,
    /// The program's tag, sent on channels 1 to 8.
    pub id: u32,
    /// The message's sequence; not sent for a whole unreliable message.
    pub sequence: u16,
    /// Where the bytes belong, for a fragment.
    pub fragment: Option<Fragment>,
}

impl MessageHead {
    fn has_id(&self) -> bool {
        self.channel != 0 && self.fragment.is_none_or(|fragment| fragment.offset == 0)
    }

    /// The type without the flag of the length.
    fn kind(&self) -> u8 {
        let (reliable, flag) = (self.delivery.is_reliable(), self.delivery.is_flagged());
        let mut kind = match (reliable, self.fragment.is_some()) {
            (false, false) => UNRELIABLE,
            (true, false) => RELIABLE,
            (false, true) => UNRELIABLE_FRAGMENT,
            (true, true) => RELIABLE_FRAGMENT,
        };
        if self.channel != 0 {
            kind |= HAS_CHANNEL;
        }
        if self.has_id() {
            kind |= HAS_ID;
        }
        if flag {
            kind |= UNORDERED_OR_SEQUENCED;
        }
        kind
    }

    /// Bytes of the frame besides the message's own and their length.
    fn size(&self) -> usize {
        let channel = usize::from(self.channel != 0);
        let id = if self.has_id() { varint_len(u64::from(self.id)) } else { 0 };
        let sequence = if self.delivery.is_reliable() || self.fragment.is_some() { 2 } else { 0 };
        let fragment = self.fragment.map_or(0, |fragment| {
            varint_len(u64::from(fragment.total)) + varint_len(u64::from(fragment.offset))
        });
        1 + channel + id + sequence + fragment
    }
}

/// Writes the frames of one packet. What does not fit is not written.
pub struct FrameWriter<'a> {
    writer: Writer<'a>,
    /// The length of the last message frame, which [`finish`](Self::finish) can leave out.
    droppable: Option<DroppableLength>,
    ended: bool,
}

struct DroppableLength {
    kind_at: usize,
    length_at: usize,
    length_size: usize,
}

impl<'a> FrameWriter<'a> {
    /// Starts an empty packet whose frames go to `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> FrameWriter<'a> {
        FrameWriter { writer: Writer::new(buffer), droppable: None, ended: false }
    }

    /// Bytes written so far.
    pub fn written(&self) -> usize {
        self.writer.written()
    }

    /// Bytes that still fit.
    pub fn remaining(&self) -> usize {
        if self.ended { 0 } else { self.writer.remaining() }
    }

    fn simple(&mut self, size: usize, write: impl FnOnce(&mut Writer<'a>)) -> bool {
        if self.remaining() < size {
            return false;
        }
        write(&mut self.writer);
        self.droppable = None;
        true
    }

    /// PING.
    pub fn ping(&mut self) -> bool {
        self.simple(1, |writer| writer.u8(PING))
    }

    /// PADDING, up to the end of the room.
    pub fn pad(&mut self) {
        while self.remaining() > 0 {
            self.simple(1, |writer| writer.u8(PADDING));
        }
    }

    /// ACCEPT.
    pub fn accept(&mut self, accept: &Accept) -> bool {
        self.simple(30, |writer| {
            writer.u8(ACCEPT);
            writer.u32(accept.connection_id);
            writer.u32(accept.client_index);
            writer.u64(accept.client_id);
            writer.u32(accept.max_clients);
            writer.u32(accept.connection_timeout);
            writer.u32(accept.incoming_rate);
            writer.varint(0);
        })
    }

    /// CLOSE, with at most 255 bytes of `text`.
    pub fn close(&mut self, reason: u8, text: &[u8]) -> bool {
        let text = text.get(..text.len().min(255)).unwrap_or_default();
        self.simple(3 + text.len(), |writer| {
            writer.u8(CLOSE);
            writer.u8(reason);
            writer.u8(text.len() as u8);
            writer.bytes(text);
        })
    }

    /// PATH probe.
    pub fn path_probe(&mut self, data: &[u8; 8]) -> bool {
        self.simple(9, |writer| {
            writer.u8(PATH_PROBE);
            writer.bytes(data);
        })
    }

    /// PATH echo.
    pub fn path_echo(&mut self, data: &[u8; 8]) -> bool {
        self.simple(9, |writer| {
            writer.u8(PATH_ECHO);
            writer.bytes(data);
        })
    }

    /// CREDIT.
    pub fn credit(&mut self, total: u64) -> bool {
        self.number(CREDIT, total)
    }

    /// LIMIT.
    pub fn limit(&mut self, bytes: u64) -> bool {
        self.number(LIMIT, bytes)
    }

    /// BLOCKED.
    pub fn blocked(&mut self, total: u64) -> bool {
        self.number(BLOCKED, total)
    }

    fn number(&mut self, kind: u8, value: u64) -> bool {
        self.simple(1 + varint_len(value), |writer| {
            writer.u8(kind);
            writer.varint(value);
        })
    }

    /// ACK of `ranges`, which come newest first and do not touch; as many as fit. Returns the smallest
    /// number in it; `None`, and nothing written, if not even the first range fits.
    pub fn ack(
        &mut self,
        delay: Duration,
        ranges: impl Iterator<Item = RangeInclusive<u64>>,
    ) -> Option<u64> {
        let delay = (delay.as_micros() / DELAY_UNIT.as_micros()).min(u32::MAX.into());
        let mut ranges = ranges.take(MAX_ACK_RANGES).peekable();
        let newest = ranges.next()?;
        let first = newest.end() - newest.start();
        let head = 3 + varint_len(delay) + varint_len(first) + 1;
        if self.remaining() < head {
            return None;
        }
        self.writer.u8(ACK);
        self.writer.u16(*newest.end() as u16);
        self.writer.varint(delay);
        self.writer.varint(first);
        let count_at = self.writer.written();
        self.writer.varint(0);
        let mut count = 0;
        let mut above = *newest.start();
        for range in ranges {
            let Some(gap) = above.checked_sub(range.end() + 2) else { break };
            let length = range.end() - range.start();
            if self.remaining() < varint_len(gap) + varint_len(length) {
                break;
            }
            self.writer.varint(gap);
            self.writer.varint(length);
            above = *range.start();
            count += 1;
        }
        self.writer.patch(count_at, count);
        self.droppable = None;
        Some(above)
    }

    /// True if a message of `length` bytes with this head still fits.
    pub fn fits(&self, head: &MessageHead, length: usize) -> bool {
        self.remaining() >= head.size() + length
    }

    /// Bytes of a message with this head that still fit; for a fragment, rounded down to what a
    /// fragment may be.
    pub fn room_for(&self, head: &MessageHead) -> usize {
        let room = self.remaining().saturating_sub(head.size());
        match head.fragment {
            Some(fragment) => {
                let left = fragment.total.saturating_sub(fragment.offset) as usize;
                if room >= left { left } else { room - room % FRAGMENT_UNIT }
            }
            None => room,
        }
    }

    /// A message or a fragment; false if it does not fit. The length is left out where the frame
    /// ends the packet.
    pub fn message(&mut self, head: &MessageHead, bytes: &[u8]) -> bool {
        if !self.fits(head, bytes.len()) {
            return false;
        }
        let length_size = varint_len(bytes.len() as u64);
        let with_length = self.remaining() >= head.size() + bytes.len() + length_size;
        let writer = &mut self.writer;
        let kind_at = writer.written();
        writer.u8(head.kind() | if with_length { HAS_LENGTH } else { 0 });
        let length_at = writer.written();
        if with_length {
            writer.varint(bytes.len() as u64);
        }
        if head.channel != 0 {
            writer.u8(head.channel);
        }
        if head.has_id() {
            writer.varint(u64::from(head.id));
        }
        if head.delivery.is_reliable() || head.fragment.is_some() {
            writer.u16(head.sequence);
        }
        if let Some(fragment) = head.fragment {
            writer.varint(u64::from(fragment.total));
            writer.varint(u64::from(fragment.offset));
        }
        writer.bytes(bytes);
        self.ended = !with_length;
        self.droppable = with_length.then_some(DroppableLength { kind_at, length_at, length_size });
        true
    }

    /// Ends the packet; returns the bytes written.
    pub fn finish(mut self) -> usize {
        if let Some(DroppableLength { kind_at, length_at, length_size }) = self.droppable.take() {
            let kind = self.writer.byte(kind_at) & !HAS_LENGTH;
            self.writer.patch(kind_at, kind);
            self.writer.remove(length_at, length_size);
        }
        debug_assert!(!self.writer.overflowed());
        self.writer.written()
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Frame, Frames, MessageFrame};
    use super::*;
    use proptest::prelude::*;

    fn written(size: usize, write: impl FnOnce(&mut FrameWriter<'_>)) -> Vec<u8> {
        let mut buffer = vec![0xFF; size];
        let mut writer = FrameWriter::new(&mut buffer);
        write(&mut writer);
        let length = writer.finish();
        buffer.truncate(length);
        buffer
    }

    fn decoded(bytes: &[u8]) -> Vec<Frame<'_>> {
        Frames::new(bytes).map(|frame| frame.unwrap()).collect()
    }

    fn head(channel: u8, delivery: Delivery) -> MessageHead {
        MessageHead { channel, delivery, id: 7, sequence: 0x0102, fragment: None }
    }

    #[test]
    fn bytes_are_as_the_protocol_page_says() {
        let reliable = head(0, Delivery::ReliableOrdered);
        assert_eq!(written(100, |w| assert!(w.message(&reliable, b"hi"))), b"\x20\x02\x01hi");
        let unreliable = head(0, Delivery::Unreliable);
        let two = written(100, |w| {
            assert!(w.message(&unreliable, b"a"));
            assert!(w.message(&unreliable, b"bc"));
        });
        assert_eq!(two, b"\x11\x01a\x10bc");
        let tagged = head(3, Delivery::UnreliableSequenced);
        assert_eq!(written(100, |w| assert!(w.message(&tagged, b""))), b"\x1E\x03\x07");
        let fragment = MessageHead {
            fragment: Some(Fragment { total: 100, offset: 64 }),
            ..head(1, Delivery::ReliableUnordered)
        };
        assert_eq!(
            written(100, |w| assert!(w.message(&fragment, &[9; 32]))),
            [&[0x4A, 1, 2, 1, 0x40, 100, 0x40, 64][..], &[9; 32]].concat()
        );
        let ack = [0x1_0010..=0x1_0012, 0x1_0008..=0x1_000C, 0..=5];
        assert_eq!(
            written(100, |w| assert!(w.ack(Duration::from_micros(1700), ack.into_iter()).is_some())),
            b"\x02\x12\x00\x03\x02\x02\x02\x04\x80\x01\x00\x01\x05"
        );
    }

    #[test]
    fn a_message_that_fills_the_packet_goes_without_a_length() {
        let unreliable = head(0, Delivery::Unreliable);
        for spare in 0..3 {
            let bytes = written(101 + spare, |w| {
                assert!(!w.message(&unreliable, &[1; 200]));
                assert_eq!(w.room_for(&unreliable), 100 + spare);
                assert!(w.message(&unreliable, &[1; 100]));
                // Two bytes of length for a message of 100: with less to spare the packet has ended.
                assert_eq!(w.remaining(), 0, "{spare}");
                assert!(!w.ping());
            });
            assert_eq!(bytes.len(), 101);
        }
    }

    #[test]
    fn fragments_fill_what_is_left_in_whole_units() {
        let fragment = |offset| MessageHead {
            fragment: Some(Fragment { total: 1000, offset }),
            ..head(0, Delivery::ReliableOrdered)
        };
        let mut buffer = [0; 200];
        let writer = FrameWriter::new(&mut buffer);
        // Type 1, sequence 2, total 2, offset 1 or 2: 194 or 193 bytes are left.
        assert_eq!(writer.room_for(&fragment(0)), 192);
        assert_eq!(writer.room_for(&fragment(64)), 192);
        assert_eq!(writer.room_for(&fragment(832)), 168);
        assert_eq!(FrameWriter::new(&mut [0; 30]).room_for(&fragment(0)), 0);
    }

    #[test]
    fn an_ack_writes_as_many_ranges_as_fit_and_never_more_than_32() {
        let ranges = || (0..100u64).rev().map(|n| n * 10..=n * 10 + 3);
        for (size, count) in [(500, 32), (20, 8), (6, 1)] {
            let bytes = written(size, |w| assert!(w.ack(Duration::ZERO, ranges()).is_some()));
            let frames = decoded(&bytes);
            let [Frame::Ack(ack)] = &frames[..] else { panic!("{frames:?}") };
            let largest = ack.largest(990 & !0xFFFF);
            let back: Vec<_> = ack.ranges(largest).map(|range| range.unwrap()).collect();
            assert_eq!(back, ranges().take(count).collect::<Vec<_>>());
        }
        assert!(written(5, |w| assert!(w.ack(Duration::ZERO, ranges()).is_none())).is_empty());
        assert!(written(50, |w| assert!(w.ack(Duration::ZERO, [].into_iter()).is_none())).is_empty());
    }

    prop_compose! {
        fn any_head()(
            channel in 0u8..9,
            reliable: bool,
            flagged: bool,
            id: u32,
            sequence: u16,
            fragmented: bool,
            offset in 0u32..20,
        ) -> MessageHead {
            let fragment = fragmented.then_some(Fragment { total: 2000, offset: offset * 32 });
            MessageHead { channel, delivery: Delivery::new(reliable, flagged), id, sequence, fragment }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            messages in prop::collection::vec((any_head(), prop::collection::vec(any::<u8>(), 1..90)), 0..12),
            size in 0usize..1200,
            controls: (bool, bool, bool),
        ) {
            let accept = Accept {
                connection_id: 1, client_index: 2, client_id: u64::MAX,
                max_clients: 4, connection_timeout: 5, incoming_rate: 6,
            };
            let mut expected = Vec::new();
            let messages: Vec<_> = messages.into_iter().map(|(head, mut bytes)| {
                if head.fragment.is_some() {
                    bytes.resize(64, 0);
                }
                (head, bytes)
            }).collect();
            let bytes = written(size, |w| {
                if controls.0 && w.accept(&accept) {
                    expected.push(Frame::Accept(accept));
                }
                if controls.1 && w.credit(1 << 40) {
                    expected.push(Frame::Credit(1 << 40));
                }
                for (head, bytes) in &messages {
                    if w.message(head, bytes) {
                        let numbered = head.delivery.is_reliable() || head.fragment.is_some();
                        expected.push(Frame::Message(MessageFrame {
                            channel: head.channel,
                            delivery: head.delivery,
                            id: head.has_id().then_some(head.id),
                            sequence: if numbered { head.sequence } else { 0 },
                            fragment: head.fragment,
                            bytes,
                        }));
                    }
                }
                if controls.2 && w.close(3, b"bye") {
                    expected.push(Frame::Close { reason: 3, text: b"bye" });
                }
            });
            prop_assert!(bytes.len() <= size);
            prop_assert_eq!(decoded(&bytes), expected);
        }
    }
}
