//! Records of the packets on their way: when each left, how large it was, which frames it held. A
//! packet number is looked up in constant time; packets are never sent again, their frames are.

use super::delivery_rate::Departure;
use crate::message::Delivery;
use crate::prefetch::prefetch;
use crate::time::Instant;
use std::collections::VecDeque;
use std::ops::Range;

/// A frame that something is owed for once its packet is acknowledged or lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentFrame {
    /// Acknowledgements.
    Ack {
        /// The smallest number in it.
        smallest: u64,
        /// The largest number in it.
        largest: u64,
    },
    /// ACCEPT.
    Accept,
    /// CREDIT.
    Credit,
    /// BLOCKED.
    Blocked,
    /// LIMIT.
    Limit,
    /// Padding up to a size that the path may or may not take.
    MtuProbe {
        /// Bytes of the datagram.
        size: u16,
    },
    /// Bytes of a reliable message.
    Message(SentMessage),
}

impl SentFrame {
    /// True if the frame is sent again when its packet is lost.
    pub fn is_resendable(&self) -> bool {
        !matches!(self, SentFrame::Ack { .. } | SentFrame::MtuProbe { .. })
    }
}

/// Which bytes of which reliable message a packet held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentMessage {
    /// The message's sequence.
    pub sequence: u64,
    /// The first byte.
    pub offset: u32,
    /// How many bytes.
    pub length: u32,
    /// Wire channel.
    pub channel: u8,
    /// Which of the channel's reliable messages it is one of.
    pub delivery: Delivery,
    /// True if these bytes were lost before.
    pub again: bool,
}

impl SentMessage {
    /// The bytes.
    pub fn range(&self) -> Range<u64> {
        u64::from(self.offset)..u64::from(self.offset) + u64::from(self.length)
    }
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketState {
    /// Nobody knows yet.
    Open,
    /// The peer has it.
    Acked,
    /// Taken for lost; kept a while, in case it was only late.
    Lost,
    /// Its number was left out on purpose: nobody can have it.
    Skipped,
}

/// One packet.
#[derive(Clone, Copy, Debug)]
pub struct SentPacket {
    /// When it left.
    pub sent_at: Instant,
    /// Bytes of the datagram.
    pub size: u16,
    /// What became of it.
    pub state: PacketState,
    /// True if the peer must acknowledge it; such packets count as in flight.
    pub ack_eliciting: bool,
    /// True if it holds something that is sent again when it is lost.
    pub resendable: bool,
    /// What was known of the path's rate when it left.
    pub departure: Departure,
    frames: u16,
    /// Its place in the list of frames, the lower half of the count.
    first_frame: u32,
    /// Of an acknowledged packet: how many after it are known to be acknowledged too.
    acked_after: u32,
}

/// The packets sent, from the oldest whose fate still matters.
#[derive(Debug, Default)]
pub struct SentPackets {
    packets: VecDeque<SentPacket>,
    /// The number of the first record.
    first: u64,
    frames: VecDeque<SentFrame>,
    /// How many frames were dropped from the front of `frames` so far.
    frames_dropped: u64,
    in_flight: u64,
    resendable: usize,
}

impl SentPacket {
    /// How far on the next packet is that is not known to be acknowledged: acknowledgements name the same
    /// packets again and again, and no record is gone through for it each time.
    pub fn stride(&self) -> u64 {
        let after = if self.state == PacketState::Acked { self.acked_after } else { 0 };
        1 + u64::from(after)
    }
}

impl SentPackets {
    /// Asks the processor for the oldest record and the newest, which are needed soon.
    pub fn prefetch(&self) {
        self.packets.front().into_iter().chain(self.packets.back()).for_each(prefetch);
        self.frames.back().into_iter().for_each(prefetch);
    }

    /// The number the next packet will have.
    pub fn next_number(&self) -> u64 {
        self.first + self.packets.len() as u64
    }

    /// The number of the oldest record.
    pub fn first_number(&self) -> u64 {
        self.first
    }

    /// Bytes of packets that are on the way and must be acknowledged.
    pub fn bytes_in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Packets on the way that hold something that can be sent again.
    pub fn resendable(&self) -> usize {
        self.resendable
    }

    /// Adds the packet with the next number.
    pub fn push(
        &mut self,
        sent_at: Instant,
        size: usize,
        ack_eliciting: bool,
        departure: Departure,
        frames: &[SentFrame],
    ) {
        let resendable = frames.iter().any(SentFrame::is_resendable);
        let size = size.min(usize::from(u16::MAX)) as u16;
        if ack_eliciting {
            self.in_flight += u64::from(size);
        }
        self.resendable += usize::from(resendable);
        self.packets.push_back(SentPacket {
            sent_at,
            size,
            state: PacketState::Open,
            ack_eliciting,
            resendable,
            departure,
            frames: frames.len() as u16,
            first_frame: (self.frames_dropped + self.frames.len() as u64) as u32,
            acked_after: 0,
        });
        self.frames.extend(frames);
    }

    /// Leaves the next number out.
    pub fn skip(&mut self, now: Instant) {
        self.push(now, 0, false, Departure::default(), &[]);
        if let Some(packet) = self.packets.back_mut() {
            packet.state = PacketState::Skipped;
        }
    }

    /// The record of a packet, if it is still kept.
    pub fn get(&self, number: u64) -> Option<&SentPacket> {
        self.packets.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The frames of a packet whose record is still kept.
    pub fn frames(&self, packet: &SentPacket) -> impl Iterator<Item = SentFrame> + '_ {
        let start = packet.first_frame.wrapping_sub(self.frames_dropped as u32) as usize;
        self.frames.iter().skip(start).take(usize::from(packet.frames)).copied()
    }

    /// Changes what is known of a packet.
    pub fn settle(&mut self, number: u64, state: PacketState) {
        let Some(at) = number.checked_sub(self.first) else { return };
        let Some(packet) = self.packets.get_mut(at as usize) else { return };
        if packet.state == PacketState::Open {
            if packet.ack_eliciting {
                self.in_flight = self.in_flight.saturating_sub(u64::from(packet.size));
            }
            self.resendable = self.resendable.saturating_sub(usize::from(packet.resendable));
        }
        packet.state = state;
    }

    /// Changes what is known of a packet: it is acknowledged, and so are all after it up to `end`.
    pub fn settle_acked(&mut self, number: u64, end: u64) {
        self.settle(number, PacketState::Acked);
        let Some(at) = number.checked_sub(self.first) else { return };
        if let Some(packet) = self.packets.get_mut(at as usize) {
            let after = u32::try_from(end.saturating_sub(number)).unwrap_or(u32::MAX);
            packet.acked_after = packet.acked_after.max(after);
        }
    }

    /// Forgets the oldest records while `done` says that they no longer matter.
    pub fn forget_while(&mut self, done: impl Fn(u64, &SentPacket) -> bool) {
        while let Some(packet) = self.packets.front()
            && done(self.first, packet)
        {
            let frames = usize::from(packet.frames).min(self.frames.len());
            self.frames.drain(..frames);
            self.frames_dropped += frames as u64;
            self.packets.pop_front();
            self.first += 1;
        }
    }

    /// Gives room back that is not used.
    pub fn shrink(&mut self) {
        self.packets.shrink_to_fit();
        self.frames.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: SentFrame = SentFrame::Message(SentMessage {
        sequence: 4,
        offset: 0,
        length: 9,
        channel: 0,
        delivery: Delivery::ReliableOrdered,
        again: false,
    });

    #[test]
    fn only_packets_that_must_be_acknowledged_are_in_flight() {
        let mut sent = SentPackets::default();
        sent.push(Instant::ZERO, 100, true, Departure::default(), &[MESSAGE]);
        sent.push(
            Instant::ZERO,
            40,
            false,
            Departure::default(),
            &[SentFrame::Ack { smallest: 1, largest: 3 }],
        );
        sent.skip(Instant::ZERO);
        sent.push(Instant::ZERO, 60, true, Departure::default(), &[]);
        assert_eq!((sent.next_number(), sent.bytes_in_flight()), (4, 160));
        assert_eq!(sent.resendable(), 1);
        sent.settle(0, PacketState::Lost);
        assert_eq!((sent.bytes_in_flight(), sent.resendable()), (60, 0));
        sent.settle(0, PacketState::Acked);
        sent.settle(3, PacketState::Acked);
        sent.settle(9, PacketState::Acked);
        assert_eq!(sent.bytes_in_flight(), 0);
    }

    #[test]
    fn frames_are_found_by_their_packet_after_others_were_forgotten() {
        let mut sent = SentPackets::default();
        sent.push(Instant::ZERO, 1, true, Departure::default(), &[SentFrame::Credit, MESSAGE]);
        sent.push(Instant::ZERO, 1, true, Departure::default(), &[]);
        sent.push(Instant::ZERO, 1, true, Departure::default(), &[SentFrame::Accept, SentFrame::Credit]);
        let frames = |sent: &SentPackets, number| {
            sent.get(number).map(|packet| sent.frames(packet).collect::<Vec<_>>())
        };
        assert_eq!(frames(&sent, 0), Some(vec![SentFrame::Credit, MESSAGE]));
        sent.forget_while(|number, _| number < 2);
        assert_eq!(frames(&sent, 0), None);
        assert_eq!(frames(&sent, 2), Some(vec![SentFrame::Accept, SentFrame::Credit]));
        sent.push(Instant::ZERO, 1, true, Departure::default(), &[MESSAGE]);
        assert_eq!(frames(&sent, 3), Some(vec![MESSAGE]));
        assert_eq!((sent.first_number(), sent.next_number()), (2, 4));
    }

    #[test]
    fn an_idle_connection_gives_its_records_back() {
        let mut sent = SentPackets::default();
        for _ in 0..5000 {
            sent.push(Instant::ZERO, 1000, true, Departure::default(), &[MESSAGE]);
        }
        for number in 0..5000 {
            sent.settle(number, PacketState::Acked);
        }
        sent.forget_while(|_, packet| packet.state == PacketState::Acked);
        sent.shrink();
        assert_eq!((sent.packets.capacity(), sent.frames.capacity()), (0, 0));
        assert_eq!(sent.next_number(), 5000);
    }
}
