//! Everything a program has asked to send and the network has not finished with: the channels, their
//! order, the budget they share and the credit of the peer.

use super::filling::{Fill, Filling};
use super::message_rate::MessageRate;
use super::send_space::{SendCredit, SendSpace};
use super::sent_packets::SentMessage;
use super::unreliable_queue::UnreliableQueue;
use crate::message::{Delivery, MESSAGE_COST, Payload};
use crate::prefetch::prefetch;
use crate::sending::{
    CHANNEL_BUDGET, CHANNELS, MAX_MESSAGE_SIZE, Priorities, QUEUE_BUDGET, RELIABLE_BUDGET, SendError,
    Shaping, check_size,
};
use crate::time::Instant;

/// What reliable messages may take of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The room that unreliable messages leave.
    Last,
    /// As much as unreliable ones of their priority leave.
    ByPriority,
    /// As much as higher priorities leave.
    BeforeUnreliable,
}

/// The messages on their way out.
#[derive(Debug)]
pub struct Outbox {
    channels: [Option<Box<SendChannel>>; CHANNELS],
    priorities: Priorities,
    rate: MessageRate,
    /// Cost of the reliable messages that are not acknowledged yet.
    reliable: usize,
    /// Cost of the unreliable messages that wait for a packet.
    unreliable: usize,
    /// How many unreliable messages were given up.
    dropped: u64,
    credit: SendCredit,
}

#[derive(Debug)]
struct SendChannel {
    number: u8,
    ordered: SendSpace,
    /// Made by the first such message.
    unordered: Option<Box<SendSpace>>,
    unreliable: UnreliableQueue,
    /// Cost of the reliable messages that are not acknowledged yet.
    reliable: usize,
}

impl SendChannel {
    fn new(channel: u8) -> SendChannel {
        SendChannel {
            number: channel,
            ordered: SendSpace::new(channel, Delivery::ReliableOrdered),
            unordered: None,
            unreliable: UnreliableQueue::default(),
            reliable: 0,
        }
    }

    fn cost(&self) -> usize {
        self.reliable + self.unreliable.cost()
    }

    fn spaces(&self) -> impl Iterator<Item = &SendSpace> {
        std::iter::once(&self.ordered).chain(self.unordered.as_deref())
    }

    fn spaces_mut(&mut self) -> impl Iterator<Item = &mut SendSpace> {
        std::iter::once(&mut self.ordered).chain(self.unordered.as_deref_mut())
    }

    /// The space of a reliable `delivery`.
    fn space(&mut self, delivery: Delivery) -> &mut SendSpace {
        if delivery == Delivery::ReliableOrdered {
            return &mut self.ordered;
        }
        let number = self.number;
        self.unordered.get_or_insert_with(|| Box::new(SendSpace::new(number, delivery)))
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Outbox {
            channels: Default::default(),
            priorities: Priorities::default(),
            rate: MessageRate::default(),
            reliable: 0,
            unreliable: 0,
            dropped: 0,
            credit: SendCredit { granted: SendCredit::INITIAL, begun: 0, blocked_at: None },
        }
    }
}

impl Outbox {
    /// Starts empty, with what the program has set.
    pub fn new(shaping: &Shaping) -> Outbox {
        let mut outbox = Outbox { priorities: shaping.priorities, ..Outbox::default() };
        outbox.set_message_rate(Instant::ZERO, shaping.message_rate);
        outbox
    }

    /// Sets the priorities of the wire channels, for what is queued too. A lower one waits for as long as
    /// there are higher ones.
    pub fn set_priorities(&mut self, priorities: Priorities) {
        self.priorities = priorities;
    }

    /// Sets how many bytes of messages a second may begin on channels 1 to 8 from `now` on.
    pub fn set_message_rate(&mut self, now: Instant, rate: Option<u32>) {
        self.rate.set(now, rate);
    }

    /// Asks the processor for what is needed soon: by messages of channel 0, which all programs use.
    pub fn prefetch(&self) {
        self.channels.iter().take(1).flatten().for_each(|channel| prefetch(&**channel));
    }

    /// Queues a message on a wire channel, 0 to 8; only channels above 0 carry empty ones, and `id`.
    pub fn push<'a>(
        &mut self,
        channel: u8,
        delivery: Delivery,
        id: u32,
        bytes: impl Into<Payload<'a>>,
    ) -> Result<(), SendError> {
        let bytes = bytes.into();
        if bytes.is_empty() && channel == 0 {
            return Err(SendError::Empty);
        }
        check_size(&bytes, MAX_MESSAGE_SIZE)?;
        let cost = bytes.len() + MESSAGE_COST;
        let full = self.reliable + self.unreliable + cost > QUEUE_BUDGET;
        if full || (delivery.is_reliable() && self.reliable + cost > RELIABLE_BUDGET) {
            return Err(SendError::QueueFull);
        }
        let Some(slot) = self.channels.get_mut(usize::from(channel)) else {
            return Err(SendError::NoSuchChannel(channel));
        };
        let queued = slot.as_ref().map_or(0, |channel| channel.cost());
        if channel > 0 && queued > 0 && queued + cost > CHANNEL_BUDGET {
            return Err(SendError::ChannelFull);
        }
        let channel = slot.get_or_insert_with(|| Box::new(SendChannel::new(channel)));
        if delivery.is_reliable() {
            channel.reliable += cost;
            self.reliable += cost;
            channel.space(delivery).push(id, bytes);
        } else {
            self.unreliable += cost;
            channel.unreliable.push(id, delivery, bytes);
        }
        Ok(())
    }

    fn channels(&self) -> impl Iterator<Item = (u8, &SendChannel)> {
        (0u8..).zip(&self.channels).filter_map(|(number, channel)| Some((number, &**channel.as_ref()?)))
    }

    /// True if an unreliable message waits for a packet; one that the message rate holds back does not.
    pub fn has_unreliable(&self, now: Instant) -> bool {
        // Asked for every packet, and mostly in vain.
        self.unreliable > 0
            && self.channels().any(|(number, channel)| {
                channel.unreliable.wants_to_send(self.rate.lets_begin(number, now))
            })
    }

    /// True if a reliable message waits for a packet, or part of one; credit may hold it back.
    pub fn has_reliable(&self, now: Instant) -> bool {
        self.reliable > 0
            && self.channels().any(|(number, channel)| {
                let may_begin = self.rate.lets_begin(number, now);
                channel.spaces().any(|space| space.wants_to_send(may_begin))
            })
    }

    /// True if a reliable message waits for a packet and credit does not hold it back, as far as known: no
    /// message can begin before one that has found too little.
    pub fn has_sendable_reliable(&self, now: Instant) -> bool {
        self.has_reliable(now)
            && (self.credit.blocked_at.is_none()
                || self
                    .channels()
                    .any(|(_, channel)| channel.spaces().any(|space| space.wants_to_send(false))))
    }

    /// When messages may begin that the message rate holds back.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let at = self.rate.held_until(now)?;
        let mut held = self.channels().filter(|(number, _)| !self.rate.lets_begin(*number, now));
        let is_held = held.any(|(_, channel)| {
            !channel.unreliable.is_empty() || channel.spaces().any(SendSpace::has_waiting)
        });
        is_held.then_some(at)
    }

    /// Bytes of the reliable messages that are not acknowledged yet, [`MESSAGE_COST`] for each counted.
    pub fn reliable_cost(&self) -> usize {
        self.reliable
    }

    /// How many unreliable messages were given up before they left whole.
    pub fn dropped_unreliable(&self) -> u64 {
        self.dropped
    }

    /// The total of credit the next message needs, where the peer has granted less.
    pub fn blocked_at(&self) -> Option<u64> {
        self.credit.blocked_at
    }

    /// Takes in a CREDIT frame. One that came late grants less than is known already.
    pub fn on_credit(&mut self, total: u64) {
        if total > self.credit.granted {
            self.credit.granted = total;
            self.credit.blocked_at = self.credit.blocked_at.filter(|&needed| needed > total);
        }
    }

    /// Forgets the unreliable messages that wait for a packet.
    pub fn drop_unreliable(&mut self) {
        for channel in self.channels.iter_mut().flatten() {
            self.dropped += channel.unreliable.len() as u64;
            channel.unreliable.clear();
        }
        self.unreliable = 0;
    }

    /// Forgets the oldest unreliable messages beyond `budget` bytes, which the channels use up in the order
    /// in which they leave. The newest message of each stays; one that was begun is finished, unless more
    /// than `stale` bytes of it remain; and what waits for the message rate alone is left alone.
    pub fn keep_newest(&mut self, mut budget: usize, stale: usize) {
        for &number in self.priorities.order() {
            if self.rate.holds(number) {
                continue;
            }
            let Some(Some(channel)) = self.channels.get_mut(usize::from(number)) else { continue };
            let queued = channel.unreliable.cost();
            self.dropped += channel.unreliable.keep_newest(&mut budget, stale) as u64;
            self.unreliable = self.unreliable.saturating_sub(queued - channel.unreliable.cost());
        }
    }

    /// Fills a packet by priority, of equal ones channel by channel: unreliable messages, and reliable
    /// ones as `turn` says.
    pub fn fill(&mut self, packet: &mut Filling<'_, '_>, now: Instant, turn: Turn) {
        let priorities = self.priorities;
        // Later channels must not take the credit an earlier one waits for; what they have begun goes on,
        // or the peer could never finish it and grant more.
        let mut may_begin = true;
        if turn == Turn::Last {
            if self.fill_unreliable(priorities.order(), packet, now) != Fill::Full {
                self.fill_reliable(priorities.order(), packet, now, &mut may_begin);
            }
            return;
        }
        for equals in priorities.equals() {
            for reliable in [turn == Turn::BeforeUnreliable, turn != Turn::BeforeUnreliable] {
                let fill = if reliable {
                    self.fill_reliable(equals, packet, now, &mut may_begin)
                } else {
                    self.fill_unreliable(equals, packet, now)
                };
                if fill == Fill::Full {
                    return;
                }
            }
        }
    }

    fn fill_unreliable(&mut self, channels: &[u8], packet: &mut Filling<'_, '_>, now: Instant) -> Fill {
        if self.unreliable == 0 {
            return Fill::Everything;
        }
        for &number in channels {
            let Some(Some(channel)) = self.channels.get_mut(usize::from(number)) else { continue };
            let queued = channel.unreliable.cost();
            let fill = channel.unreliable.fill(number, packet, &mut self.rate.pace(number, now));
            self.unreliable = self.unreliable.saturating_sub(queued - channel.unreliable.cost());
            if fill == Fill::Full {
                return fill;
            }
        }
        Fill::Everything
    }

    fn fill_reliable(
        &mut self,
        channels: &[u8],
        packet: &mut Filling<'_, '_>,
        now: Instant,
        may_begin: &mut bool,
    ) -> Fill {
        if self.reliable == 0 {
            return Fill::Everything;
        }
        for &number in channels {
            let Some(Some(channel)) = self.channels.get_mut(usize::from(number)) else { continue };
            for space in channel.spaces_mut() {
                let credit = may_begin.then_some(&mut self.credit);
                match space.fill(packet, credit, &mut self.rate.pace(number, now)) {
                    Fill::Full => return Fill::Full,
                    Fill::Blocked => *may_begin = false,
                    Fill::Everything | Fill::Held => {}
                }
            }
        }
        Fill::Everything
    }

    /// Gives room back that is not used.
    pub fn shrink(&mut self) {
        for channel in self.channels.iter_mut().flatten() {
            channel.spaces_mut().for_each(SendSpace::shrink);
            channel.unreliable.shrink();
        }
    }

    /// Notes that bytes of a message arrived.
    pub fn on_acked(&mut self, sent: &SentMessage) {
        if let Some(Some(channel)) = self.channels.get_mut(usize::from(sent.channel))
            && let Some(cost) = channel.space(sent.delivery).on_acked(sent)
        {
            self.reliable = self.reliable.saturating_sub(cost);
            channel.reliable = channel.reliable.saturating_sub(cost);
        }
    }

    /// Notes that bytes of a message must be sent again.
    pub fn on_lost(&mut self, sent: &SentMessage) {
        if let Some(Some(channel)) = self.channels.get_mut(usize::from(sent.channel)) {
            channel.space(sent.delivery).on_lost(sent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Frame, Frames};
    use super::super::frame_writer::FrameWriter;
    use super::super::sent_packets::SentFrame;
    use super::*;
    use crate::duration::Duration;
    use Delivery::*;

    const NOW: Instant = Instant::from_nanos(1_000_000_000);

    /// Fills a packet; returns the channel of each message in it, and what was sent reliably.
    fn packet(outbox: &mut Outbox, turn: Turn) -> (Vec<u8>, Vec<SentMessage>) {
        let mut bytes = vec![0; 1200];
        let mut writer = FrameWriter::new(&mut bytes);
        let mut sent = Vec::new();
        let mut filling =
            Filling { writer: &mut writer, number: 0, sent: &mut sent, first: true, again: true };
        outbox.fill(&mut filling, NOW, turn);
        let length = writer.finish();
        let channels = Frames::new(&bytes[..length]).map(|frame| match frame.unwrap() {
            Frame::Message(message) => message.channel,
            other => panic!("{other:?}"),
        });
        let sent = sent.into_iter().map(|frame| match frame {
            SentFrame::Message(message) => message,
            other => panic!("{other:?}"),
        });
        (channels.collect(), sent.collect())
    }

    fn priorities(of_channels: &[(u8, i32)]) -> Priorities {
        let mut priorities = Priorities::default();
        of_channels.iter().for_each(|&(channel, priority)| priorities.set(channel, priority));
        priorities
    }

    /// One message of each kind on three channels.
    fn full() -> Outbox {
        let mut outbox = Outbox::default();
        for channel in [0, 1, 2] {
            outbox.push(channel, ReliableOrdered, 0, &[1; 200]).unwrap();
            outbox.push(channel, Unreliable, 0, &[1; 150]).unwrap();
        }
        outbox
    }

    #[test]
    fn the_higher_priority_leaves_first_and_unreliable_first_of_equal_ones() {
        assert_eq!(packet(&mut full(), Turn::ByPriority).0, [0, 1, 2, 0, 1, 2]);
        let mut outbox = full();
        outbox.set_priorities(priorities(&[(2, 7), (0, -7)]));
        assert_eq!(packet(&mut outbox, Turn::ByPriority).0, [2, 2, 1, 1, 0, 0]);
        // A share for reliable messages, where unreliable ones alone could fill every packet.
        let mut outbox = full();
        outbox.set_priorities(priorities(&[(1, 1)]));
        let (channels, sent) = packet(&mut outbox, Turn::BeforeUnreliable);
        assert_eq!(channels, [1, 1, 0, 2, 0, 2]);
        assert_eq!(sent.iter().map(|sent| sent.channel).collect::<Vec<_>>(), [1, 0, 2]);
        let mut outbox = full();
        outbox.set_priorities(priorities(&[(1, i32::MAX), (0, i32::MIN)]));
        assert_eq!(packet(&mut outbox, Turn::Last).0, [1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn a_channel_has_room_again_for_what_was_acknowledged() {
        let mut outbox = Outbox::default();
        outbox.push(1, ReliableOrdered, 0, &[1; 1000]).unwrap();
        let room = CHANNEL_BUDGET - 1000 - 2 * MESSAGE_COST;
        assert_eq!(outbox.push(1, Unreliable, 0, &vec![0; room + 1]), Err(SendError::ChannelFull));
        outbox.push(1, ReliableUnordered, 0, &vec![0; room]).unwrap();
        assert_eq!(outbox.push(1, ReliableOrdered, 0, &[]), Err(SendError::ChannelFull));
        let (_, sent) = packet(&mut outbox, Turn::ByPriority);
        outbox.on_acked(&sent[0]);
        outbox.push(1, ReliableOrdered, 0, &[0; 1000]).unwrap();
        assert_eq!(outbox.push(1, ReliableOrdered, 0, &[]), Err(SendError::ChannelFull));
        outbox.push(0, ReliableOrdered, 0, &vec![0; CHANNEL_BUDGET + 1]).unwrap();
    }

    #[test]
    fn higher_channels_share_out_what_may_wait_first() {
        let mut outbox = Outbox::default();
        outbox.set_priorities(priorities(&[(2, 1)]));
        for channel in [1, 2, 3] {
            (0..10).for_each(|_| outbox.push(channel, Unreliable, 0, &[1; 96]).unwrap());
        }
        outbox.keep_newest(500, 0);
        let left = |outbox: &Outbox, channel| {
            outbox.channels().find(|(number, _)| *number == channel).unwrap().1.unreliable.len()
        };
        assert_eq!([2, 1, 3].map(|channel| left(&outbox, channel)), [5, 1, 1]);
        assert_eq!(outbox.dropped_unreliable(), 23);
        // What the message rate holds back is not given up for the cap's sake.
        outbox.set_message_rate(NOW, Some(1000));
        outbox.keep_newest(0, 0);
        assert_eq!(outbox.dropped_unreliable(), 23);
        outbox.drop_unreliable();
        assert_eq!((outbox.dropped_unreliable(), outbox.unreliable), (30, 0));
    }

    #[test]
    fn what_the_rate_holds_back_wants_no_packet_until_the_rate_says() {
        let mut outbox = Outbox::default();
        outbox.set_message_rate(NOW, Some(1000));
        for _ in 0..2 {
            outbox.push(1, ReliableOrdered, 0, &[1; 600]).unwrap();
            outbox.push(1, Unreliable, 0, &[1; 400]).unwrap();
        }
        assert!(outbox.has_unreliable(NOW) && outbox.has_reliable(NOW));
        assert_eq!(packet(&mut outbox, Turn::ByPriority).0, [1]);
        assert!(!outbox.has_unreliable(NOW) && !outbox.has_reliable(NOW));
        let due = NOW + Duration::from_millis(300);
        assert_eq!(outbox.poll_timeout(NOW), Some(due));
        assert!(outbox.has_unreliable(due) && outbox.has_reliable(due));
        assert_eq!(outbox.poll_timeout(due), None);
        outbox.push(0, Unreliable, 0, &[1; 10]).unwrap();
        assert!(outbox.has_unreliable(NOW));
        assert_eq!(packet(&mut outbox, Turn::ByPriority).0, [0]);
    }
}
