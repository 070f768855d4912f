//! One sequence of reliable messages on its way out: what waits, what was begun, what of it is lost
//! and what arrived. A lost packet's bytes are queued here again and leave with whatever leaves next.

use super::frame::Fragment;
use super::frame_writer::{FrameWriter, MessageHead};
use super::message_rate::Pace;
use super::sent_packets::{SentFrame, SentMessage};
use crate::message::{Delivery, MESSAGE_COST, Payload};
use crate::range_set::RangeSet;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Messages that may lie between the oldest unacknowledged and the newest begun, so that 16 bits
/// name each.
pub const SEQUENCE_WINDOW: u64 = 16_384;
/// New messages that each packet adds to those that may be begun. Together with the window it keeps
/// any 1,024 packets, what a receiver may take in late, below half of what 16 bits tell apart.
const BEGUN_PER_PACKET: u64 = 16;
/// A fragment shorter than this is not worth its header, unless it is the last.
const SMALLEST_FRAGMENT: usize = 256;
/// Messages up to this size wait for the next packet rather than be cut to fill the rest of one.
const LARGEST_UNCUT: usize = 1000;

/// The reliable messages of a channel, ordered or unordered.
#[derive(Debug)]
pub struct SendSpace {
    label: Label,
    /// Not begun yet: no sequence, no credit.
    waiting: VecDeque<OutMessage>,
    /// Begun messages from sequence `oldest` on; `None` where all of it was acknowledged.
    begun: VecDeque<Option<OutMessage>>,
    oldest: u64,
    /// Sequences of messages with something to send again.
    lost: VecDeque<u64>,
    /// How many messages may be begun, as of packet `allowance_at`.
    allowance: u64,
    allowance_at: u64,
}

/// The packet being filled.
pub struct Filling<'p, 'b> {
    /// Where its frames go.
    pub writer: &'p mut FrameWriter<'b>,
    /// Its number.
    pub number: u64,
    /// What was written that matters once the packet is acknowledged or lost.
    pub sent: &'p mut Vec<SentFrame>,
    /// True if what was lost and is written now is to be known as sent again.
    pub again: bool,
    /// True while it holds no message: what does not fit whole is then cut, so that it ever leaves.
    pub first: bool,
}

/// What all frames of a space have in common.
#[derive(Clone, Copy, Debug)]
struct Label {
    channel: u8,
    delivery: Delivery,
}

impl Label {
    fn head(self, id: u32, sequence: u64, fragment: Option<Fragment>) -> MessageHead {
        let Label { channel, delivery } = self;
        MessageHead { channel, delivery, id, sequence: sequence as u16, fragment }
    }

    fn sent(self, sequence: u64, range: Range<u64>, again: bool) -> SentFrame {
        SentFrame::Message(SentMessage {
            sequence,
            offset: range.start as u32,
            length: (range.end - range.start) as u32,
            channel: self.channel,
            delivery: self.delivery,
            again,
        })
    }
}

#[derive(Debug)]
struct OutMessage {
    bytes: Arc<[u8]>,
    id: u32,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// Sent, or to be sent, in one frame.
    Whole { lost: bool },
    /// Sent in fragments.
    Parts(Box<Parts>),
}

#[derive(Debug, Default)]
struct Parts {
    /// The first byte never sent.
    unsent: u64,
    lost: RangeSet,
    acked: RangeSet,
}

impl OutMessage {
    fn cost(&self) -> usize {
        self.bytes.len() + MESSAGE_COST
    }

    fn has_unsent_parts(&self) -> bool {
        matches!(&self.progress, Progress::Parts(parts) if parts.unsent < self.bytes.len() as u64)
    }

    fn fits_whole(&self, label: Label, packet: &Filling<'_, '_>) -> bool {
        packet.writer.fits(&label.head(self.id, 0, None), self.bytes.len())
    }

    /// True if the message should be cut to fill what is left of a packet. One without bytes has no
    /// parts: it waits for a packet that has room.
    fn is_worth_cutting(&self, packet: &Filling<'_, '_>) -> bool {
        let fills =
            self.bytes.len() > LARGEST_UNCUT && packet.writer.remaining() > 2 * SMALLEST_FRAGMENT;
        !self.bytes.is_empty() && (packet.first || fills)
    }

    /// Writes the message in one frame; it must fit.
    fn send_whole(&self, label: Label, sequence: u64, again: bool, packet: &mut Filling<'_, '_>) {
        packet.writer.message(&label.head(self.id, sequence, None), &self.bytes);
        packet.sent.push(label.sent(sequence, 0..self.bytes.len() as u64, again));
        packet.first = false;
    }

    /// Writes as much from the start of `range` as fits and is worth it; returns where that ended.
    fn send_part(
        &self,
        label: Label,
        sequence: u64,
        range: Range<u64>,
        again: bool,
        packet: &mut Filling<'_, '_>,
    ) -> Option<u64> {
        let fragment = Fragment { total: self.bytes.len() as u32, offset: range.start as u32 };
        let head = label.head(self.id, sequence, Some(fragment));
        let wanted = (range.end - range.start) as usize;
        let length = packet.writer.room_for(&head).min(wanted);
        if length == 0 || (length < wanted.min(SMALLEST_FRAGMENT) && !packet.first) {
            return None;
        }
        let start = range.start as usize;
        let end = range.start + length as u64;
        packet.writer.message(&head, self.bytes.get(start..start + length)?);
        packet.sent.push(label.sent(sequence, range.start..end, again));
        packet.first = false;
        Some(end)
    }

    /// Writes bytes that were never sent; true if none are left.
    fn send_unsent(&mut self, label: Label, sequence: u64, packet: &mut Filling<'_, '_>) -> bool {
        let total = self.bytes.len() as u64;
        loop {
            let Progress::Parts(parts) = &self.progress else { return true };
            if parts.unsent >= total {
                return true;
            }
            let Some(end) = self.send_part(label, sequence, parts.unsent..total, false, packet) else {
                return false;
            };
            if let Progress::Parts(parts) = &mut self.progress {
                parts.unsent = end;
            }
        }
    }

    /// Writes again what was lost; true if nothing lost is left.
    fn send_lost(&mut self, label: Label, sequence: u64, packet: &mut Filling<'_, '_>) -> bool {
        if let Progress::Whole { lost } = self.progress {
            let total = self.bytes.len() as u64;
            if !lost {
                return true;
            }
            if self.fits_whole(label, packet) {
                self.progress = Progress::Whole { lost: false };
                self.send_whole(label, sequence, packet.again, packet);
                return true;
            }
            if !packet.first || total == 0 {
                return false;
            }
            let mut parts = Parts { unsent: total, ..Parts::default() };
            parts.lost.insert(0..total);
            self.progress = Progress::Parts(Box::new(parts));
        }
        loop {
            let Progress::Parts(parts) = &self.progress else { return true };
            let Some(range) = parts.lost.first() else { return true };
            let start = range.start;
            let Some(end) = self.send_part(label, sequence, range, packet.again, packet) else {
                return false;
            };
            if let Progress::Parts(parts) = &mut self.progress {
                parts.lost.remove(start..end);
            }
        }
    }

    /// Notes that `range` arrived; true if that was all.
    fn on_acked(&mut self, range: Range<u64>) -> bool {
        let total = self.bytes.len() as u64;
        match &mut self.progress {
            Progress::Whole { .. } => true,
            Progress::Parts(parts) => {
                parts.lost.remove(range.clone());
                parts.acked.insert(range);
                parts.acked.covers(0..total)
            }
        }
    }

    /// Notes that `range` must be sent again, unless it arrived; true if nothing had to be before.
    fn on_lost(&mut self, range: Range<u64>) -> bool {
        match &mut self.progress {
            Progress::Whole { lost } => !std::mem::replace(lost, true),
            Progress::Parts(parts) => {
                let had_none = parts.lost.is_empty();
                parts.lost.insert(range.clone());
                for acked in parts.acked.overlapping(range) {
                    parts.lost.remove(acked);
                }
                had_none && !parts.lost.is_empty()
            }
        }
    }
}

/// The credit the peer granted, and what was taken of it.
#[derive(Clone, Copy, Debug)]
pub struct SendCredit {
    /// Total that may be begun since the start.
    pub granted: u64,
    /// Total begun since the start.
    pub begun: u64,
    /// What `granted` must reach before the next message can begin, where it does not.
    pub blocked_at: Option<u64>,
}

impl SendCredit {
    /// What every receiver takes before it said anything.
    pub const INITIAL: u64 = 64 * 1024;

    fn take(&mut self, cost: usize) -> bool {
        let total = self.begun.saturating_add(cost as u64);
        if total > self.granted {
            self.blocked_at = Some(total);
            return false;
        }
        self.begun = total;
        self.blocked_at = None;
        true
    }
}

/// What a packet can take of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// All there is to send was written.
    Everything,
    /// The packet is full.
    Full,
    /// The rest may not be begun yet.
    Held,
}

impl SendSpace {
    /// Starts without messages, at sequence 0. `delivery` is one of the reliable ones.
    pub fn new(channel: u8, delivery: Delivery) -> SendSpace {
        SendSpace {
            label: Label { channel, delivery },
            waiting: VecDeque::new(),
            begun: VecDeque::new(),
            oldest: 0,
            lost: VecDeque::new(),
            allowance: SEQUENCE_WINDOW,
            allowance_at: 0,
        }
    }

    /// Queues a message.
    pub fn push<'a>(&mut self, id: u32, bytes: impl Into<Payload<'a>>) {
        let progress = Progress::Whole { lost: false };
        self.waiting.push_back(OutMessage { bytes: bytes.into().share(), id, progress });
    }

    /// True if something could be written, credit permitting; messages begin only if `may_begin`.
    pub fn wants_to_send(&self, may_begin: bool) -> bool {
        !self.lost.is_empty() || self.unsent().is_some() || (may_begin && self.has_waiting())
    }

    /// True if a message was not begun yet.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The newest message begun, if it has bytes that were never sent; all others have none.
    fn unsent(&self) -> Option<&OutMessage> {
        self.begun.back()?.as_ref().filter(|message| message.has_unsent_parts())
    }

    /// Writes what fits, what was lost first. Without `credit` no message is begun, nor where `pace`
    /// holds it back.
    pub fn fill(
        &mut self,
        packet: &mut Filling<'_, '_>,
        mut credit: Option<&mut SendCredit>,
        pace: &mut Pace<'_>,
    ) -> Fill {
        let label = self.label;
        let packets = packet.number.saturating_sub(self.allowance_at);
        let earned = packets.saturating_mul(BEGUN_PER_PACKET);
        self.allowance = self.allowance.saturating_add(earned).min(SEQUENCE_WINDOW);
        self.allowance_at = packet.number;
        while let Some(&sequence) = self.lost.front() {
            if let Some(message) = self.message_mut(sequence)
                && !message.send_lost(label, sequence, packet)
            {
                return Fill::Full;
            }
            self.lost.pop_front();
        }
        loop {
            let newest = self.next_sequence().wrapping_sub(1);
            if let Some(Some(message)) = self.begun.back_mut()
                && !message.send_unsent(label, newest, packet)
            {
                return Fill::Full;
            }
            let Some(next) = self.waiting.front() else { return Fill::Everything };
            if self.begun.len() as u64 >= SEQUENCE_WINDOW || self.allowance == 0 || !pace.lets_begin() {
                return Fill::Held;
            }
            let whole = next.fits_whole(label, packet);
            if !whole && !next.is_worth_cutting(packet) {
                return Fill::Full;
            }
            if !credit.as_mut().is_some_and(|credit| credit.take(next.cost())) {
                return Fill::Held;
            }
            let sequence = self.next_sequence();
            let Some(mut message) = self.waiting.pop_front() else { return Fill::Everything };
            pace.on_begun(message.bytes.len());
            if whole {
                message.send_whole(label, sequence, false, packet);
            } else {
                message.progress = Progress::Parts(Box::default());
            }
            self.begun.push_back(Some(message));
            self.allowance -= 1;
        }
    }

    fn next_sequence(&self) -> u64 {
        self.oldest + self.begun.len() as u64
    }

    fn slot_mut(&mut self, sequence: u64) -> Option<&mut Option<OutMessage>> {
        let at = usize::try_from(sequence.checked_sub(self.oldest)?).ok()?;
        self.begun.get_mut(at)
    }

    fn message_mut(&mut self, sequence: u64) -> Option<&mut OutMessage> {
        self.slot_mut(sequence)?.as_mut()
    }

    /// Notes that bytes of a message arrived; returns the cost of the message if that was all of it.
    pub fn on_acked(&mut self, sent: &SentMessage) -> Option<usize> {
        let slot = self.slot_mut(sent.sequence)?;
        let message = slot.as_mut()?;
        if !message.on_acked(sent.range()) {
            return None;
        }
        let cost = message.cost();
        *slot = None;
        while let Some(None) = self.begun.front() {
            self.begun.pop_front();
            self.oldest += 1;
        }
        Some(cost)
    }

    /// Gives room back that is not used.
    pub fn shrink(&mut self) {
        self.begun.shrink_to_fit();
        self.waiting.shrink_to_fit();
        self.lost.shrink_to_fit();
    }

    /// Notes that bytes of a message must be sent again, unless they arrived after all.
    pub fn on_lost(&mut self, sent: &SentMessage) {
        if let Some(message) = self.message_mut(sent.sequence)
            && message.on_lost(sent.range())
        {
            self.lost.push_back(sent.sequence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Frame, Frames, MessageFrame};
    use super::*;

    struct Fixture {
        space: SendSpace,
        credit: SendCredit,
        number: u64,
    }

    /// A packet that was filled: what it holds, and what to say when it arrived or is lost.
    struct Packet {
        bytes: Vec<u8>,
        sent: Vec<SentMessage>,
        fill: Fill,
    }

    impl Packet {
        fn messages(&self) -> Vec<MessageFrame<'_>> {
            Frames::new(&self.bytes)
                .map(|frame| match frame.unwrap() {
                    Frame::Message(message) => message,
                    other => panic!("{other:?}"),
                })
                .collect()
        }

        /// Sequence, offset and length of each frame.
        fn outline(&self) -> Vec<(u16, u32, usize)> {
            let offset =
                |message: &MessageFrame<'_>| message.fragment.map_or(0, |fragment| fragment.offset);
            self.messages()
                .iter()
                .map(|message| (message.sequence, offset(message), message.bytes.len()))
                .collect()
        }
    }

    impl Fixture {
        fn new(granted: u64) -> Fixture {
            let credit = SendCredit { granted, begun: 0, blocked_at: None };
            Fixture { space: SendSpace::new(0, Delivery::ReliableOrdered), credit, number: 0 }
        }

        fn packet(&mut self, size: usize) -> Packet {
            let mut bytes = vec![0; size];
            let mut writer = FrameWriter::new(&mut bytes);
            let mut sent = Vec::new();
            let mut filling = Filling {
                writer: &mut writer,
                number: self.number,
                sent: &mut sent,
                first: true,
                again: true,
            };
            let fill = self.space.fill(&mut filling, Some(&mut self.credit), &mut Pace::free());
            self.number += 1;
            let length = writer.finish();
            bytes.truncate(length);
            let sent = sent.into_iter().filter_map(|frame| match frame {
                SentFrame::Message(message) => Some(message),
                _ => None,
            });
            Packet { bytes, sent: sent.collect(), fill }
        }

        fn acked(&mut self, packet: &Packet) -> usize {
            packet.sent.iter().filter_map(|sent| self.space.on_acked(sent)).sum()
        }

        fn lost(&mut self, packet: &Packet) {
            packet.sent.iter().for_each(|sent| self.space.on_lost(sent));
        }
    }

    #[test]
    fn what_is_lost_is_sent_again_with_what_is_new() {
        let mut f = Fixture::new(1 << 20);
        for length in [10, 20, 30] {
            f.space.push(0, &vec![length as u8; length]);
        }
        let first = f.packet(100);
        assert_eq!(first.outline(), [(0, 0, 10), (1, 0, 20), (2, 0, 30)]);
        assert_eq!(first.fill, Fill::Everything);
        f.lost(&first);
        f.lost(&first); // said twice, sent once
        f.space.push(0, &[40; 40]);
        let second = f.packet(200);
        assert_eq!(second.outline(), [(0, 0, 10), (1, 0, 20), (2, 0, 30), (3, 0, 40)]);
        assert_eq!(f.acked(&second), 100 + 4 * MESSAGE_COST);
        assert_eq!(f.acked(&first), 0);
        assert!(!f.space.wants_to_send(true));
    }

    #[test]
    fn what_arrived_late_is_not_sent_again() {
        let mut f = Fixture::new(1 << 20);
        f.space.push(0, &[1; 10]);
        f.space.push(0, &[2; 3000]);
        let packets: Vec<_> = (0..3).map(|_| f.packet(1100)).collect();
        packets.iter().for_each(|packet| f.lost(packet));
        packets.iter().for_each(|packet| {
            f.acked(packet);
        });
        assert_eq!(f.packet(1100).outline(), []);
        assert!(!f.space.wants_to_send(true));
    }

    #[test]
    fn a_large_message_fills_packets_and_only_its_lost_parts_go_again() {
        let mut f = Fixture::new(1 << 20);
        f.space.push(0, &[1; 3000]);
        let packets: Vec<_> = (0..3).map(|_| f.packet(1100)).collect();
        let outline: Vec<_> = packets.iter().flat_map(Packet::outline).collect();
        assert_eq!(outline, [(0, 0, 1088), (0, 1088, 1088), (0, 2176, 824)]);
        f.acked(&packets[0]);
        f.lost(&packets[1]);
        assert_eq!(f.packet(600).outline(), [(0, 1088, 576)]);
        let rest = f.packet(600);
        assert_eq!(rest.outline(), [(0, 1664, 512)]);
        f.lost(&packets[1]);
        f.acked(&rest);
        assert_eq!(f.packet(1100).outline(), [(0, 1088, 576)]);
        f.acked(&packets[2]);
        assert_eq!(f.acked(&packets[1]), 3000 + MESSAGE_COST);
    }

    #[test]
    fn a_message_that_no_longer_fits_whole_is_cut() {
        let mut f = Fixture::new(1 << 20);
        f.space.push(0, &[1; 900]);
        let whole = f.packet(1000);
        assert_eq!(whole.outline(), [(0, 0, 900)]);
        f.lost(&whole); // and now the path takes less
        let parts: Vec<_> = (0..2).map(|_| f.packet(500)).collect();
        assert_eq!(
            parts.iter().flat_map(Packet::outline).collect::<Vec<_>>(),
            [(0, 0, 480), (0, 480, 420)]
        );
        assert_eq!(f.acked(&whole), 900 + MESSAGE_COST);
        assert!(!f.space.wants_to_send(true));
    }

    #[test]
    fn a_message_without_bytes_waits_for_room_and_is_never_cut() {
        let mut f = Fixture::new(1 << 20);
        f.space = SendSpace::new(1, Delivery::ReliableOrdered);
        f.space.push(1000, &[]);
        let no_room = f.packet(4);
        assert_eq!((no_room.outline(), no_room.fill), (vec![], Fill::Full));
        let first = f.packet(100);
        assert_eq!(first.outline(), [(0, 0, 0)]);
        f.lost(&first);
        let no_room = f.packet(4);
        assert_eq!((no_room.outline(), no_room.fill), (vec![], Fill::Full));
        assert!(f.space.wants_to_send(true));
        let again = f.packet(100);
        assert_eq!((again.outline(), again.fill), (vec![(0, 0, 0)], Fill::Everything));
        assert_eq!(f.acked(&again), MESSAGE_COST);
    }

    #[test]
    fn a_message_is_begun_only_if_credit_takes_it_whole() {
        let mut f = Fixture::new(1000);
        f.space.push(0, &[1; 500]);
        f.space.push(0, &[2; 400]);
        f.space.push(0, &[3; 10]);
        let packet = f.packet(1100);
        assert_eq!((packet.outline(), packet.fill), (vec![(0, 0, 500)], Fill::Held));
        assert_eq!(f.credit.blocked_at, Some(500 + 400 + 2 * MESSAGE_COST as u64));
        f.credit.granted = 2000;
        assert_eq!(f.packet(1100).outline(), [(1, 0, 400), (2, 0, 10)]);
        assert_eq!(f.credit.blocked_at, None);
    }

    /// Sequences have 16 bits, and a receiver may take in a packet that was held back for 1,024 others.
    #[test]
    fn no_1024_packets_begin_more_messages_than_16_bits_tell_apart() {
        let mut f = Fixture::new(u64::MAX);
        let mut begun = Vec::new();
        for _ in 0..4000 {
            // A program that always has more to say, and a peer that acknowledges at once.
            while f.space.waiting.len() < 300 {
                f.space.push(0, b"x");
            }
            // Asking without sending earns nothing.
            let number = f.number;
            let _ = f.packet(0);
            f.number = number;
            let packet = f.packet(1200);
            f.acked(&packet);
            begun.push(packet.sent.len() as u64);
        }
        let most = begun.windows(1024).map(|packets| packets.iter().sum::<u64>()).max().unwrap();
        assert!(most <= 2 * SEQUENCE_WINDOW, "{most}");
        assert!(begun[..60].iter().sum::<u64>() > 10_000);
    }
}
