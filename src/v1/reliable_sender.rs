//! Reliable messages on their way out: cut into fragments, each sent until a packet that carried it is
//! acknowledged. Resends follow the round trip, wait longer each time, and no message runs so far ahead of the
//! oldest unfinished one that an original could not keep it (windows of 1024 messages, queues of as many).

use super::payload::{FRAGMENT_SIZE, Fragment, fragments};
use super::sent_packets::SentFragment;
use super::window::Window;
use crate::duration::Duration;
use crate::message::MESSAGE_COST;
use crate::rtt::RttEstimator;
use crate::time::{Instant, Tick};
use std::collections::VecDeque;

/// Messages that may be begun at a time. The original loses messages 1024 ahead, and hangs when a full queue of
/// 1024 gets another message (D23): a quarter leaves its program three updates to take some.
const MAX_SPAN: u64 = 256;
/// What the peer may take to acknowledge, besides the round trip.
const HELD_BACK: Duration = Duration::from_millis(20);
/// A fragment is sent again after twice the time each time, up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// More doublings than these say nothing.
const MAX_DOUBLINGS: u8 = 6;

#[derive(Debug)]
struct Outgoing {
    bytes: Vec<u8>,
    count: u16,
    /// The next fragment that was never sent.
    next: u16,
    /// Fragments that are not acknowledged.
    missing: u16,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    message: u64,
    index: u16,
    /// The last packet that carried it, and when that left.
    packet: u64,
    sent_at: Instant,
    sent: u8,
    /// True while it waits to be sent again.
    lost: bool,
}

/// Reliable messages on their way out.
#[derive(Debug, Default)]
pub struct ReliableSender {
    /// The messages not yet acknowledged, from the oldest on.
    messages: VecDeque<Outgoing>,
    /// The number of the first of them.
    first: u64,
    /// The first message of which not every fragment was sent.
    fresh: u64,
    /// The fragments in flight, in places that they keep.
    slots: Vec<Option<InFlight>>,
    free: Vec<u16>,
    /// Those to be sent again, oldest loss first.
    lost: VecDeque<u16>,
    window: Window,
    cost: usize,
}

impl ReliableSender {
    /// Queues a message of at least one byte.
    pub fn push(&mut self, bytes: &[u8]) {
        let count = u16::try_from(fragments(bytes.len())).unwrap_or(u16::MAX);
        self.cost += bytes.len() + MESSAGE_COST;
        self.messages.push_back(Outgoing { bytes: bytes.to_vec(), count, next: 0, missing: count });
    }

    /// What the messages cost that are not acknowledged.
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// True if nothing waits and nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Fragments on the way that are not thought to be lost.
    fn on_the_way(&self) -> usize {
        self.in_flight().saturating_sub(self.lost.len())
    }

    fn get_mut(&mut self, message: u64) -> Option<&mut Outgoing> {
        let place = message.checked_sub(self.first)?;
        self.messages.get_mut(usize::try_from(place).ok()?)
    }

    fn has_fresh(&self) -> bool {
        self.fresh - self.first < (self.messages.len() as u64).min(MAX_SPAN)
    }

    /// True if a fragment may leave now.
    pub fn wants_to_send(&self) -> bool {
        self.on_the_way() < self.window.size() && (!self.lost.is_empty() || self.has_fresh())
    }

    /// The next fragment to leave, in packet `number`.
    pub fn next_fragment(&mut self, number: u64, now: Instant) -> Option<(SentFragment, Fragment<'_>)> {
        if !self.wants_to_send() {
            return None;
        }
        let slot = self.next_lost().or_else(|| self.next_fresh())?;
        let fragment = self.slots.get_mut(usize::from(slot))?.as_mut()?;
        fragment.packet = number;
        fragment.sent_at = now;
        fragment.sent = fragment.sent.saturating_add(1);
        fragment.lost = false;
        let InFlight { message, index, .. } = *fragment;
        let outgoing = self.get_mut(message)?;
        let bytes = outgoing.bytes.chunks(FRAGMENT_SIZE).nth(usize::from(index))?;
        let fragment =
            Fragment { reliable: true, message: message as u16, count: outgoing.count, index, bytes };
        Some((SentFragment { slot, message, index }, fragment))
    }

    fn next_lost(&mut self) -> Option<u16> {
        self.lost.pop_front()
    }

    fn next_fresh(&mut self) -> Option<u16> {
        if !self.has_fresh() {
            return None;
        }
        let message = self.fresh;
        let outgoing = self.get_mut(message)?;
        let index = outgoing.next;
        outgoing.next += 1;
        if outgoing.next >= outgoing.count {
            self.fresh += 1;
        }
        let (packet, sent_at) = (0, Instant::ZERO);
        let entry = Some(InFlight { message, index, packet, sent_at, sent: 0, lost: false });
        let slot = self.free.pop().unwrap_or(self.slots.len() as u16);
        match self.slots.get_mut(usize::from(slot)) {
            Some(place) => *place = entry,
            None => self.slots.push(entry),
        }
        Some(slot)
    }

    /// Notes that a packet with this fragment arrived.
    pub fn on_acked(&mut self, sent: SentFragment) {
        let Some(place) = self.slots.get_mut(usize::from(sent.slot)) else { return };
        let matches = |entry: &&mut InFlight| (entry.message, entry.index) == (sent.message, sent.index);
        let Some(entry) = place.as_mut().filter(matches).map(|entry| *entry) else { return };
        *place = None;
        self.free.push(sent.slot);
        if entry.lost {
            self.lost.retain(|&lost| lost != sent.slot);
        }
        let is_full = self.on_the_way() + 1 >= self.window.size() || self.has_fresh();
        self.window.on_acked(is_full);
        let Some(outgoing) = self.get_mut(sent.message) else { return };
        outgoing.missing = outgoing.missing.saturating_sub(1);
        if outgoing.missing == 0 {
            let cost = outgoing.bytes.len() + MESSAGE_COST;
            outgoing.bytes = Vec::new();
            self.cost = self.cost.saturating_sub(cost);
        }
        while self.messages.front().is_some_and(|outgoing| outgoing.missing == 0) {
            self.messages.pop_front();
            self.first += 1;
        }
    }

    /// When an entry counts as lost. One that a later packet overtook waits for a round trip, the others until
    /// the timer; the program's ceiling shortens that, never below a round trip.
    fn lost_at(
        &self,
        entry: &InFlight,
        newest: Option<u64>,
        rtt: &RttEstimator,
        tick: &Tick,
        ceiling: Duration,
    ) -> Instant {
        let interval = tick.interval();
        if newest > Some(entry.packet) {
            return entry.sent_at + rtt.loss_delay().max(interval);
        }
        let mut timeout = rtt.patience() + HELD_BACK + interval;
        if let Some(smoothed) = rtt.measured() {
            timeout = timeout.min(ceiling.max(smoothed * 9 / 8 + HELD_BACK + interval));
        }
        let doublings = entry.sent.saturating_sub(1).min(MAX_DOUBLINGS);
        entry.sent_at + (timeout * (1 << doublings)).min(LONGEST_WAIT.max(timeout))
    }

    /// Finds what must be sent again. `newest` is the newest packet that arrived, `next` the next to leave.
    pub fn detect_losses(
        &mut self,
        newest: Option<u64>,
        next: u64,
        rtt: &RttEstimator,
        tick: &Tick,
        ceiling: Duration,
    ) {
        if self.on_the_way() == 0 {
            return;
        }
        for slot in 0..self.slots.len() {
            let Some(Some(entry)) = self.slots.get(slot) else { continue };
            if entry.lost || self.lost_at(entry, newest, rtt, tick, ceiling) > tick.now {
                continue;
            }
            let packet = entry.packet;
            if let Some(Some(entry)) = self.slots.get_mut(slot) {
                entry.lost = true;
            }
            // Before the first round trip is known, what comes late says nothing of the path.
            if rtt.measured().is_some() {
                self.window.on_lost(packet, next);
            }
            self.lost.push_back(slot as u16);
        }
    }

    /// When [`detect_losses`](Self::detect_losses) is due.
    pub fn poll_timeout(
        &self,
        newest: Option<u64>,
        rtt: &RttEstimator,
        tick: &Tick,
        ceiling: Duration,
    ) -> Option<Instant> {
        if self.on_the_way() == 0 {
            return None;
        }
        let entries = self.slots.iter().flatten().filter(|entry| !entry.lost);
        entries.map(|entry| self.lost_at(entry, newest, rtt, tick, ceiling)).min()
    }

    /// Gives room back that is not used.
    pub fn shrink(&mut self) {
        if self.in_flight() == 0 {
            self.slots = Vec::new();
            self.free = Vec::new();
        }
        self.messages.shrink_to_fit();
        self.lost.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(milliseconds)
    }

    fn tick(milliseconds: u64) -> Tick {
        let mut tick = Tick::default();
        tick.advance(at(milliseconds.saturating_sub(1)));
        tick.advance(at(milliseconds));
        tick
    }

    fn rtt(milliseconds: u64) -> RttEstimator {
        let mut rtt = RttEstimator::default();
        (0..50).for_each(|_| {
            rtt.update(Duration::from_millis(milliseconds), Duration::ZERO);
        });
        rtt
    }

    /// Sends what may leave at `now`; the packets count from `number` on.
    fn send(sender: &mut ReliableSender, number: &mut u64, now: Instant) -> Vec<SentFragment> {
        let mut sent = Vec::new();
        while let Some((fragment, _)) = sender.next_fragment(*number, now) {
            sent.push(fragment);
            *number += 1;
        }
        sent
    }

    #[test]
    fn a_message_is_cut_into_fragments_and_gone_when_all_have_arrived() {
        let mut sender = ReliableSender::default();
        sender.push(&[1; 2200]);
        sender.push(&[2; 1]);
        let mut sent = Vec::new();
        for (number, (message, count, index, size)) in
            [(0, 2, 0, 1100), (0, 2, 1, 1100), (1, 1, 0, 1)].into_iter().enumerate()
        {
            let (record, fragment) = sender.next_fragment(number as u64, at(0)).unwrap();
            let Fragment { reliable, bytes, .. } = fragment;
            assert!(reliable && bytes.iter().all(|&byte| byte == message as u8 + 1));
            assert_eq!((fragment.message, fragment.count, fragment.index), (message, count, index));
            assert_eq!(bytes.len(), size);
            sent.push(record);
        }
        assert!(sender.next_fragment(3, at(0)).is_none());
        sender.on_acked(sent[2]);
        assert_eq!(sender.cost(), 2200 + MESSAGE_COST);
        sender.on_acked(sent[1]);
        sender.on_acked(sent[1]);
        assert!(!sender.is_empty());
        sender.on_acked(sent[0]);
        assert!(sender.is_empty() && sender.cost() == 0 && sender.in_flight() == 0);
    }

    #[test]
    fn d47_resends_follow_the_round_trip_and_wait_longer_each_time() {
        for (round_trip, first) in [(10, 20 + 1 + 10 + 1), (400, 400 + 20 + 1 + 1)] {
            let (mut sender, rtt, mut number) = (ReliableSender::default(), rtt(round_trip), 0);
            sender.push(&[1]);
            let mut now = 1;
            let mut waits = Vec::new();
            send(&mut sender, &mut number, at(now));
            for _ in 0..3 {
                let due = sender.poll_timeout(None, &rtt, &tick(now), Duration::MAX).unwrap();
                waits.push(due.since(at(now)).as_millis());
                let later = due.since(Instant::ZERO).as_millis() + 1;
                sender.detect_losses(
                    None,
                    number,
                    &rtt,
                    &tick(due.since(at(0)).as_millis() - 1),
                    Duration::MAX,
                );
                assert!(!sender.wants_to_send());
                sender.detect_losses(None, number, &rtt, &tick(later), Duration::MAX);
                assert_eq!(send(&mut sender, &mut number, at(later)).len(), 1);
                now = later;
            }
            assert!(waits[0].abs_diff(first) <= 1, "{waits:?}");
            assert!(waits[1] >= 2 * waits[0] - 2 && waits[2] >= waits[1], "{waits:?}");
        }
    }

    #[test]
    fn d50_the_ceiling_shortens_the_timer_but_never_below_a_round_trip() {
        let mut sender = ReliableSender::default();
        let mut rtt = RttEstimator::default();
        rtt.update(Duration::from_millis(200), Duration::ZERO);
        sender.push(&[1]);
        send(&mut sender, &mut 0, at(1));
        let wait = |ceiling| {
            let due = sender.poll_timeout(None, &rtt, &tick(1), Duration::from_millis(ceiling)).unwrap();
            due.since(at(1)).as_millis()
        };
        assert_eq!((wait(100_000), wait(300), wait(0)), (621, 300, 225 + 21));
    }

    #[test]
    fn what_a_later_packet_overtook_is_sent_again_after_a_round_trip() {
        let (mut sender, rtt, mut number) = (ReliableSender::default(), rtt(80), 0);
        (0..3).for_each(|_| sender.push(&[1]));
        let sent = send(&mut sender, &mut number, at(10));
        sender.on_acked(sent[2]);
        sender.detect_losses(Some(2), number, &rtt, &tick(10 + 89), Duration::MAX);
        assert!(!sender.wants_to_send());
        sender.detect_losses(Some(2), number, &rtt, &tick(10 + 90), Duration::MAX);
        let again = send(&mut sender, &mut number, at(100));
        assert_eq!(again.iter().map(|sent| sent.message).collect::<Vec<_>>(), [0, 1]);
        // The first packet was only late.
        sender.on_acked(sent[0]);
        sender.on_acked(again[0]);
        sender.on_acked(sent[1]);
        assert!(sender.is_empty());
    }

    #[test]
    fn d23_no_more_messages_are_begun_than_an_original_can_keep() {
        let (mut sender, mut number) = (ReliableSender::default(), 0);
        (0..2000).for_each(|_| sender.push(&[1]));
        let first = send(&mut sender, &mut number, at(0));
        assert_eq!(first.len(), 32);
        // Everything but the first message arrives, for ever.
        let mut newest = 0;
        for _ in 0..200 {
            for fragment in send(&mut sender, &mut number, at(0)).into_iter().chain(first.clone()) {
                newest = newest.max(fragment.message);
                if fragment.message != 0 {
                    sender.on_acked(fragment);
                }
            }
        }
        assert_eq!(newest, MAX_SPAN - 1);
        sender.on_acked(first[0]);
        assert_eq!(sender.first, MAX_SPAN);
        assert!(!send(&mut sender, &mut number, at(0)).is_empty());
    }
}
