//! One sequence of reliable messages on its way out: what waits, what was begun, what of it is lost
//! and what arrived. A lost packet's bytes are queued here again and leave with whatever leaves next.

use super::filling::{Fill, Filling};
use super::message_rate::Pace;
use super::out_message::{Label, OutMessage};
use super::sent_packets::SentMessage;
use crate::message::{Delivery, Payload};
use std::collections::VecDeque;

/// Messages that may lie between the oldest unacknowledged and the newest begun, so that 16 bits
/// name each.
pub const SEQUENCE_WINDOW: u64 = 16_384;
/// New messages that each packet adds to those that may be begun. Together with the window it keeps
/// any 1,024 packets, what a receiver may take in late, below half of what 16 bits tell apart.
const BEGUN_PER_PACKET: u64 = 16;
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
        self.waiting.push_back(OutMessage::new(id, bytes.into().share()));
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
                return Fill::Blocked;
            }
            let sequence = self.next_sequence();
            let Some(mut message) = self.waiting.pop_front() else { return Fill::Everything };
            pace.on_begun(message.size());
            if whole {
                message.begin_whole(label, sequence, packet);
            } else {
                message.begin_parts();
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
    use super::super::frame_writer::FrameWriter;
    use super::super::sent_packets::SentFrame;
    use super::*;
    use crate::message::MESSAGE_COST;

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
        assert_eq!((packet.outline(), packet.fill), (vec![(0, 0, 500)], Fill::Blocked));
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
