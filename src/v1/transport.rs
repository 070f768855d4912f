//! The original's transport: what payload packets carry of messages and acknowledgements. Reliable messages
//! arrive once, in order and whole, also where the other way nothing is sent; unreliable ones leave once.
//! Nothing that arrives can panic, loop without bound or take memory beyond the budget.

use super::inbox::Inbox;
use super::payload::{self, AckHeader, Body, Fragment, MAX_MESSAGE_SIZE};
use super::received_packets::{ReceivedPackets, Wants};
use super::reliable_receiver::Received;
use super::reliable_sender::ReliableSender;
use super::replay::block;
use super::sent_packets::{Report, SentPackets};
use super::unreliable_queue::UnreliableQueue;
use crate::bytes::{Malformed, Writer};
use crate::connection::Scope;
use crate::drop_reason::DropReason;
use crate::duration::Duration;
use crate::message::{Delivery, MESSAGE_COST};
use crate::ready::InboxBudget;
use crate::rtt::RttEstimator;
use crate::sending::{QUEUE_BUDGET, RELIABLE_BUDGET, SendError, check_size};
use crate::time::{Instant, Tick, earliest};
use std::cmp::Ordering;

/// Reliable fragments that leave at one moment, besides as many as were acknowledged in it: sockets, an
/// original's among them, hold no more between two updates for sure.
const MAX_BURST: usize = 64;
/// When more of them may leave.
const BURST_INTERVAL: Duration = Duration::from_millis(1);

/// An original acknowledges when it next sends something, whenever that is. After a longer silence than this
/// its acknowledgements say how long it was silent, and nothing of the round trip.
const LONGEST_GAP: Duration = Duration::from_millis(250);

/// One end's transport.
#[derive(Debug)]
pub struct Transport {
    received: ReceivedPackets,
    /// The sequence of the packet that came of the newest block.
    newest: Option<u64>,
    sent: SentPackets,
    reliable: ReliableSender,
    unreliable: UnreliableQueue,
    inbox: Inbox,
    rtt: RttEstimator,
    ceiling: Duration,
    /// When the last payload came.
    heard_at: Option<Instant>,
    /// True if acknowledgements came that losses have not been looked for in.
    unexamined: bool,
    burst: usize,
    burst_at: Instant,
}

impl Transport {
    /// Starts at sequence 0. What is lost is sent again within `ceiling`, where the round trip allows it.
    pub fn new(ceiling: Duration, inbox: InboxBudget) -> Transport {
        Transport {
            received: ReceivedPackets::default(),
            newest: None,
            sent: SentPackets::default(),
            reliable: ReliableSender::default(),
            unreliable: UnreliableQueue::default(),
            inbox: Inbox::new(inbox),
            rtt: RttEstimator::default(),
            ceiling,
            heard_at: None,
            unexamined: false,
            burst: 0,
            burst_at: Instant::ZERO,
        }
    }

    /// Queues a message.
    pub fn send(&mut self, delivery: Delivery, bytes: &[u8]) -> Result<(), SendError> {
        if bytes.is_empty() {
            return Err(SendError::Empty);
        }
        check_size(bytes, MAX_MESSAGE_SIZE)?;
        let cost = bytes.len() + MESSAGE_COST;
        let full = self.reliable.cost() + self.unreliable.cost() + cost > QUEUE_BUDGET;
        if full || (delivery.is_reliable() && self.reliable.cost() + cost > RELIABLE_BUDGET) {
            return Err(SendError::QueueFull);
        }
        if delivery.is_reliable() {
            self.reliable.push(bytes)
        } else {
            self.unreliable.push(bytes)
        }
        Ok(())
    }

    /// Takes in a payload that came at `at`, and what became known of the packets sent. The acknowledgements
    /// in it count also where the rest is dropped. `packet` is the sequence that it was sealed under, of which the
    /// block does not wrap, is proven, and says what was sent after what.
    pub fn handle_payload(
        &mut self,
        packet: u64,
        payload: &[u8],
        at: Instant,
        tick: &Tick,
    ) -> (Report, Result<(), DropReason>) {
        let now = tick.now;
        let Ok((header, body)) = payload::decode(payload) else {
            return (Report::default(), Err(DropReason::Malformed));
        };
        let number = match self.newest.map(|newest| block(packet).cmp(&block(newest))) {
            None | Some(Ordering::Greater) => Some(self.received.newest_number(header.sequence)),
            Some(Ordering::Equal) => self.received.nearest_number(header.sequence),
            Some(Ordering::Less) => self.received.overtaken_number(header.sequence),
        };
        let Some(number) = number else {
            return (Report::default(), Err(DropReason::Replayed));
        };
        let Transport { sent, reliable, .. } = self;
        let report = sent.on_header(&header, at, |fragment| reliable.on_acked(fragment));
        let gap = self.heard_at.map_or(Duration::MAX, |heard_at| at.since(heard_at));
        self.heard_at = Some(at);
        if let Some(sample) = report.round_trip
            && tick.is_timely(at - sample)
            && (body == Ok(Body::Nothing) || gap <= LONGEST_GAP || sample <= self.rtt.patience())
        {
            self.rtt.update(sample, Duration::ZERO);
        }
        self.unexamined |= report.arrived > 0;
        self.burst = self.burst.saturating_sub(usize::try_from(report.arrived).unwrap_or(0));
        let (wants, result) = self.take_in(body, now);
        if let Some(wants) = wants {
            self.received.insert(number, wants, now);
            self.newest = self.newest.max(Some(packet));
        }
        (report, result)
    }

    /// Takes in what follows the acknowledgements; what is refused for want of room is not acknowledged.
    fn take_in(
        &mut self,
        body: Result<Body<'_>, Malformed>,
        now: Instant,
    ) -> (Option<Wants>, Result<(), DropReason>) {
        match body {
            Err(Malformed) => (Some(Wants::Nothing), Err(DropReason::Malformed)),
            Ok(Body::Nothing) => (Some(Wants::Nothing), Ok(())),
            Ok(Body::Fragment(fragment)) => match self.inbox.receive(&fragment, now) {
                Received::Taken if fragment.reliable => (Some(Wants::Soon), Ok(())),
                Received::Taken => (Some(Wants::Sometime), Ok(())),
                Received::NoRoom => (None, Err(DropReason::Memory)),
                Received::Contradiction => (Some(Wants::Nothing), Err(DropReason::Malformed)),
            },
        }
    }

    /// Takes in that time has passed.
    pub fn handle_timeout(&mut self, tick: &Tick) {
        self.inbox.handle_timeout(tick.now);
        self.detect_losses(tick);
    }

    fn detect_losses(&mut self, tick: &Tick) {
        let (newest, next) = (self.sent.largest_acked(), self.sent.next_number());
        self.reliable.detect_losses(newest, next, &self.rtt, tick, self.ceiling);
        self.unexamined = false;
    }

    /// True if [`poll_payload`](Self::poll_payload) has something to send.
    pub fn wants_to_send(&mut self, tick: &Tick, scope: Scope) -> bool {
        if !self.unreliable.is_empty() {
            return true;
        }
        if scope == Scope::Unreliable {
            return false;
        }
        if self.unexamined {
            self.detect_losses(tick);
        }
        self.may_send_reliable(tick) || self.received.is_due(tick)
    }

    fn may_send_reliable(&mut self, tick: &Tick) -> bool {
        if self.burst_at != tick.now {
            self.burst_at = tick.now;
            self.burst = 0;
        }
        (self.burst < MAX_BURST || tick.stands_still()) && self.reliable.wants_to_send()
    }

    /// Writes the next payload to leave to `buffer`: unreliable messages first, unless `reliable_first`.
    pub fn poll_payload(
        &mut self,
        tick: &Tick,
        scope: Scope,
        reliable_first: bool,
        buffer: &mut [u8],
    ) -> Option<usize> {
        if !self.wants_to_send(tick, scope) {
            return None;
        }
        let reliable = scope == Scope::Everything && self.may_send_reliable(tick);
        let waits = reliable && reliable_first;
        let unreliable = !waits && !self.unreliable.is_empty();
        let (ack, bits) = self.received.take_header();
        let number = self.sent.next_number();
        let header = AckHeader { sequence: number as u16, ack, bits };
        let mut writer = Writer::new(buffer);
        let mut write = |fragment: &Fragment<'_>| {
            payload::encode(&header, &Body::Fragment(*fragment), &mut writer);
        };
        let mut sent = None;
        if unreliable {
            self.unreliable.send_next(write);
        } else if reliable
            && let Some((fragment, content)) = self.reliable.next_fragment(number, tick.now)
        {
            write(&content);
            sent = Some(fragment);
            self.burst += 1;
        } else {
            payload::encode(&header, &Body::Nothing, &mut writer);
        }
        self.sent.push(tick.now, sent);
        writer.finish()
    }

    /// When [`handle_timeout`](Self::handle_timeout) or [`poll_payload`](Self::poll_payload) is due.
    pub fn poll_timeout(&self, tick: &Tick) -> Option<Instant> {
        let newest = self.sent.largest_acked();
        let burst = (self.burst >= MAX_BURST && self.reliable.wants_to_send())
            .then_some(self.burst_at + BURST_INTERVAL);
        let losses = self.reliable.poll_timeout(newest, &self.rtt, tick, self.ceiling);
        let times = [self.received.poll_timeout(), losses, burst, self.inbox.poll_timeout()];
        earliest(times)
    }

    /// What arrived.
    pub fn inbox(&mut self) -> &mut Inbox {
        &mut self.inbox
    }

    /// Takes what arrived out of a connection that is over.
    pub fn take_inbox(&mut self) -> Inbox {
        let nothing = InboxBudget { reliable: 0, unreliable: 0 };
        std::mem::replace(&mut self.inbox, Inbox::new(nothing))
    }

    /// True if a message waits that may still leave.
    pub fn is_flushed(&mut self, tick: &Tick) -> bool {
        self.unreliable.is_empty() && !self.may_send_reliable(tick)
    }

    /// Forgets the oldest unreliable messages beyond `budget` bytes, and one of which more than `stale` bytes remain.
    pub fn keep_newest(&mut self, budget: usize, stale: usize) {
        self.unreliable.keep_newest(budget, stale);
    }

    /// What the reliable messages cost that are not acknowledged.
    pub fn reliable_queued(&self) -> usize {
        self.reliable.cost()
    }

    /// How many unreliable messages were given up.
    pub fn dropped_unreliable(&self) -> u64 {
        self.unreliable.dropped()
    }

    /// The number of the next packet.
    pub fn next_number(&self) -> u64 {
        self.sent.next_number()
    }

    /// The round trip.
    pub fn rtt(&self) -> &RttEstimator {
        &self.rtt
    }

    /// Gives room back that is not used.
    pub fn shrink(&mut self) {
        if self.reliable.is_empty() {
            self.sent.forget();
        }
        self.reliable.shrink();
        self.unreliable.shrink();
        self.inbox.shrink();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ready::Source;
    use Delivery::{ReliableOrdered, Unreliable};
    use proptest::prelude::*;

    fn transport() -> Transport {
        Transport::new(Duration::MAX, InboxBudget { reliable: 1 << 20, unreliable: 1 << 20 })
    }

    fn tick(milliseconds: u64) -> Tick {
        let mut tick = Tick::default();
        tick.advance(Instant::ZERO + Duration::from_millis(milliseconds.saturating_sub(15)));
        tick.advance(Instant::ZERO + Duration::from_millis(milliseconds + 1));
        tick
    }

    /// Takes in a payload that comes at once, sealed as the packet of its own number.
    fn take(
        transport: &mut Transport,
        payload: &[u8],
        now: Instant,
    ) -> (Report, Result<(), DropReason>) {
        let packet = payload::decode(payload).map_or(0, |(header, _)| u64::from(header.sequence));
        let mut tick = Tick::default();
        tick.advance(now);
        transport.handle_payload(packet, payload, now, &tick)
    }

    fn payloads(transport: &mut Transport, tick: &Tick) -> Vec<Vec<u8>> {
        let mut buffer = [0; 1200];
        std::iter::from_fn(|| {
            let size = transport.poll_payload(tick, Scope::Everything, false, &mut buffer)?;
            Some(buffer[..size].to_vec())
        })
        .collect()
    }

    #[test]
    fn d34_one_way_reliable_messages_are_acknowledged_without_data_and_acknowledgements_are_not() {
        let (mut one, mut two) = (transport(), transport());
        (0..40).for_each(|_| one.send(ReliableOrdered, &[7; 10]).unwrap());
        let mut millisecond = 0;
        let mut alone = 0;
        while !one.reliable.is_empty() {
            millisecond += 5;
            assert!(millisecond < 500);
            for payload in payloads(&mut one, &tick(millisecond)) {
                take(&mut two, &payload, tick(millisecond).now).1.unwrap();
            }
            for payload in payloads(&mut two, &tick(millisecond)) {
                assert_eq!(payload.len(), payload::HEADER_SIZE);
                alone += 1;
                take(&mut one, &payload, tick(millisecond).now).1.unwrap();
            }
        }
        assert!((3..=6).contains(&alone), "{alone}");
        assert!(payloads(&mut one, &tick(60_000)).is_empty());
        assert!(payloads(&mut two, &tick(60_000)).is_empty());
        assert_eq!(std::iter::from_fn(|| two.inbox().pop(Source::Packets)).count(), 40);
    }

    #[test]
    fn what_is_refused_for_want_of_room_is_not_acknowledged() {
        let mut one = transport();
        let mut two = Transport::new(Duration::MAX, InboxBudget { reliable: 1000, unreliable: 1000 });
        for number in 0..20 {
            one.send(ReliableOrdered, &[number; 100]).unwrap();
        }
        let now = tick(0).now;
        let results: Vec<_> =
            payloads(&mut one, &tick(0)).iter().map(|payload| take(&mut two, payload, now).1).collect();
        assert_eq!(results[..6], [Ok(()); 6]);
        assert!(results[6..].iter().all(|result| *result == Err(DropReason::Memory)));
        let acks = payloads(&mut two, &tick(30));
        let report = take(&mut one, &acks[0], tick(30).now).0;
        assert_eq!(report.arrived, 6);
    }

    #[test]
    fn acknowledgements_count_in_a_packet_whose_fragment_is_refused() {
        let (mut one, mut two) = (transport(), transport());
        one.send(ReliableOrdered, b"message").unwrap();
        let sent = payloads(&mut one, &tick(0));
        let now = tick(0).now;
        take(&mut two, &sent[0], now).1.unwrap();
        let mut ack = payloads(&mut two, &tick(30)).remove(0);
        ack[13] = 1;
        let (report, result) = take(&mut one, &ack, now);
        assert_eq!((report.arrived, result), (1, Err(DropReason::Malformed)));
        assert!(one.reliable.is_empty());
        assert_eq!(take(&mut one, &ack, now).1, Err(DropReason::Replayed));
    }

    #[test]
    fn d49_an_original_that_was_silent_says_nothing_of_the_round_trip() {
        let (mut one, mut two) = (transport(), transport());
        let mut exchange = |sent: u64, answered: u64| {
            one.send(ReliableOrdered, b"message").unwrap();
            for payload in payloads(&mut one, &tick(sent)) {
                take(&mut two, &payload, tick(sent).now).1.unwrap();
            }
            two.send(Unreliable, b"answer").unwrap();
            let answer = payloads(&mut two, &tick(answered)).remove(0);
            take(&mut one, &answer, tick(answered).now).1.unwrap();
            one.rtt.measured().map(|measured| measured.as_millis())
        };
        assert_eq!(exchange(0, 5000), None);
        assert_eq!(exchange(6000, 6050), Some(50));
        assert_eq!(exchange(7000, 12_000), Some(50));
        assert!((50..=60).contains(&exchange(12_100, 12_200).unwrap()));
    }

    #[test]
    fn what_a_pause_held_up_says_nothing_of_the_round_trip() {
        let (mut one, mut two) = (transport(), transport());
        one.send(ReliableOrdered, b"message").unwrap();
        for payload in payloads(&mut one, &tick(0)) {
            take(&mut two, &payload, tick(0).now).1.unwrap();
        }
        let acknowledgement = payloads(&mut two, &tick(50)).remove(0);
        let mut clock = tick(16);
        clock.advance(tick(5000).now);
        one.handle_payload(0, &acknowledgement, clock.now, &clock).1.unwrap();
        assert_eq!((one.rtt.measured(), one.reliable_queued()), (None, 0));
    }

    #[test]
    fn the_largest_message_arrives_whatever_else_is_on_its_way() {
        let budget = InboxBudget::DEFAULT;
        let (mut one, mut two) = (transport(), Transport::new(Duration::MAX, budget));
        let message: Vec<u8> = (0..MAX_MESSAGE_SIZE).map(|at| (at / 7) as u8).collect();
        one.send(ReliableOrdered, &message).unwrap();
        one.send(ReliableOrdered, &message[..9_000_000]).unwrap();
        let (mut arrived, mut sent) = (Vec::new(), 0);
        for step in 0.. {
            assert!(step < 2000);
            let tick = tick(step * 16);
            one.handle_timeout(&tick);
            for payload in payloads(&mut one, &tick) {
                // One in two hundred is lost.
                sent += 1;
                if sent % 200 != 7 {
                    take(&mut two, &payload, tick.now).1.unwrap();
                    assert!(two.inbox.held() < 26 << 20);
                }
            }
            for payload in payloads(&mut two, &tick) {
                take(&mut one, &payload, tick.now).1.unwrap();
            }
            arrived.extend(std::iter::from_fn(|| two.inbox().pop(Source::Packets)));
            if arrived.len() == 2 {
                break;
            }
        }
        assert!(arrived[0].payload() == message && arrived[1].payload() == &message[..9_000_000]);
    }

    /// An original's acknowledgements ride on what it sends, and name 32 packets.
    #[test]
    fn d47_bulk_to_an_original_is_as_fast_as_its_acknowledgements_allow() {
        let mut one = transport();
        one.send(ReliableOrdered, &vec![1; 2000 * 1100]).unwrap();
        let mut original = ReceivedPackets::default();
        let (mut fragments, mut step) = (0, 0);
        while !one.reliable.is_empty() {
            step += 1;
            let tick = tick(step * 16);
            one.handle_timeout(&tick);
            for payload in payloads(&mut one, &tick) {
                let number = original.newest_number(payload::decode(&payload).unwrap().0.sequence);
                original.insert(number, Wants::Nothing, tick.now);
                fragments += 1;
            }
            let (ack, bits) = original.take_header();
            let fragment =
                Fragment { reliable: false, message: step as u16, count: 1, index: 0, bytes: b"state" };
            let mut buffer = [0; 100];
            let mut writer = Writer::new(&mut buffer);
            let header = AckHeader { sequence: step as u16, ack, bits };
            payload::encode(&header, &Body::Fragment(fragment), &mut writer);
            let size = writer.finish().unwrap();
            let at = tick.now + Duration::from_millis(15);
            take(&mut one, &buffer[..size], at).1.unwrap();
        }
        assert!(step < 130, "{step}");
        assert!(fragments < 2000 * 3 / 2, "{fragments}");
    }

    #[test]
    fn d46_messages_are_no_larger_than_can_be_delivered() {
        let mut transport = transport();
        let largest = vec![0; MAX_MESSAGE_SIZE + 1];
        let refused = Err(SendError::TooLarge { bytes: 20_971_501, most: 20_971_500 });
        assert_eq!(transport.send(ReliableOrdered, &largest), refused);
        assert_eq!(transport.send(ReliableOrdered, &largest[1..]), Ok(()));
        assert_eq!(transport.send(ReliableOrdered, &largest[1..]), Err(SendError::QueueFull));
        assert_eq!(transport.send(Unreliable, b""), Err(SendError::Empty));
    }

    proptest! {
        /// Whatever an authenticated peer sends, memory keeps to the budget.
        #[test]
        fn no_payload_breaks_the_transport(
            packets in prop::collection::vec(
                (any::<(u16, u16, u32)>(), 0u8..2, 0u16..40, 0u16..5, 0u16..5, 0usize..1110), 0..200),
        ) {
            let mut transport = Transport::new(
                Duration::MAX, InboxBudget { reliable: 20_000, unreliable: 20_000 });
            transport.send(ReliableOrdered, &[1; 50_000]).unwrap();
            for (step, ((sequence, ack, bits), prefix, message, count, index, size)) in
                packets.into_iter().enumerate()
            {
                let tick = tick(step as u64 * 10);
                let mut bytes = vec![0; payload::HEADER_SIZE + size];
                let mut writer = Writer::new(&mut bytes);
                writer.u16(if step % 3 == 0 { sequence } else { step as u16 });
                writer.u16(if step % 2 == 0 { ack } else { ack % 64 });
                writer.u32(bits);
                writer.u8(prefix);
                writer.u16(message);
                writer.u16(count);
                writer.u16(index);
                writer.u16(size as u16);
                let _ = take(&mut transport, &bytes, tick.now);
                transport.handle_timeout(&tick);
                payloads(&mut transport, &tick);
                prop_assert!(transport.inbox.held() <= 40_000 + 3000);
            }
        }
    }
}
