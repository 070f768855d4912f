//! What to acknowledge and when (PROTOCOL section 8). Acknowledgements ride on packets that leave
//! anyway, and travel alone where none does, so that one-way traffic completes; they wait as long as
//! the tick allows, and traffic that is only unreliable earns few of them.

use super::frame::MAX_ACK_RANGES;
use super::frame_writer::FrameWriter;
use crate::duration::Duration;
use crate::range_set::RangeSet;
use crate::time::{Instant, Tick, earliest};
use std::ops::RangeInclusive;

/// With update intervals above this, what is owed leaves in the same update: the next is too late, unless
/// it need not travel alone.
const SLOW_TICK: Duration = Duration::from_millis(12);
/// The longest an acknowledgement of reliable data waits on faster ticks.
const STRICT_DELAY: Duration = Duration::from_millis(25);
/// The longest acknowledgements of unreliable data wait, once they may go.
const LAZY_DELAY: Duration = Duration::from_millis(50);
/// So many packets of unreliable messages are acknowledged at once, however little time has passed.
const LAZY_MOST: u32 = 8;
/// Fewer packets of unreliable messages than this are not acknowledged yet.
const LAZY_LEAST: u32 = 3;
/// In a row of packets of acknowledgements alone, each this many asks for one itself: then ranges can be
/// forgotten.
const ALONE_BEFORE_PING: u8 = 32;

/// How urgently a packet wants to be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Not at all: it held acknowledgements alone.
    None,
    /// Some time: it held unreliable messages alone.
    Lazy,
    /// Soon.
    Strict,
}

/// Whether a packet will probably leave before the next update, which an acknowledgement can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// One will.
    Expected,
    /// Nobody knows.
    None,
}

/// The packets received, and what of them the peer has yet to be told.
#[derive(Debug, Default)]
pub struct ReceivedPackets {
    /// Numbers received that the peer may not know we have.
    ranges: RangeSet,
    largest: Option<u64>,
    /// When the largest arrived.
    largest_at: Instant,
    /// The largest number in the newest acknowledgement sent.
    largest_reported: Option<u64>,
    /// The first of our packets whose acknowledgements hold every number that arrived late.
    late_reported_from: u64,
    strict_since: Option<Instant>,
    at_once: bool,
    lazy_since: Instant,
    lazy: u32,
    alone: u8,
}

impl ReceivedPackets {
    /// Asks the processor for what is needed soon.
    pub fn prefetch(&self) {
        self.ranges.prefetch();
    }

    /// Notes a packet that opened and was parsed to its end. `next_number` is the number of our own
    /// next packet.
    pub fn insert(&mut self, number: u64, arrived: Instant, urgency: Urgency, next_number: u64) {
        let in_order = self.largest.is_none_or(|largest| number == largest + 1);
        self.ranges.insert(number..number + 1);
        while self.ranges.len() > MAX_ACK_RANGES {
            self.ranges.pop_first();
        }
        if self.largest_reported.is_some_and(|reported| number < reported) {
            self.late_reported_from = next_number;
        }
        if self.largest.is_none_or(|largest| number > largest) {
            self.largest = Some(number);
            self.largest_at = arrived;
        }
        match urgency {
            Urgency::None => {}
            Urgency::Lazy => {
                if self.lazy == 0 {
                    self.lazy_since = arrived;
                }
                self.lazy += 1;
            }
            Urgency::Strict => {
                self.strict_since.get_or_insert(arrived);
                self.at_once |= !in_order;
            }
        }
    }

    /// The next packet number expected.
    pub fn expected(&self) -> u64 {
        self.largest.map_or(0, |largest| largest + 1)
    }

    /// True if a packet that leaves anyway should carry an acknowledgement.
    pub fn wants_ack(&self) -> bool {
        self.strict_since.is_some() || self.lazy >= LAZY_LEAST
    }

    /// True if an acknowledgement must leave in this update, alone if need be.
    pub fn is_ack_due(&self, tick: &Tick, company: Company) -> bool {
        let next_is_late = tick.interval() > SLOW_TICK && company == Company::None;
        if self.strict_since.is_some() && (self.at_once || tick.stands_still() || next_is_late) {
            return true;
        }
        // What would be late at the next update is due at this one.
        self.lazy >= LAZY_MOST
            || self.deadline().is_some_and(|deadline| deadline <= tick.now + tick.interval() / 2)
    }

    /// When an acknowledgement will be due by itself.
    pub fn deadline(&self) -> Option<Instant> {
        let strict = self.strict_since.map(|since| since + STRICT_DELAY);
        let lazy = (self.lazy >= LAZY_LEAST).then(|| self.lazy_since + LAZY_DELAY);
        earliest([strict, lazy])
    }

    /// Writes an acknowledgement of what is known, newest first; returns the span of numbers in it.
    pub fn write_ack(
        &mut self,
        now: Instant,
        writer: &mut FrameWriter<'_>,
    ) -> Option<RangeInclusive<u64>> {
        let largest = self.largest?;
        let newest_first = self.ranges.iter().rev().map(|range| range.start..=range.end - 1);
        let smallest = writer.ack(now.since(self.largest_at), newest_first)?;
        self.largest_reported = Some(largest);
        self.strict_since = None;
        self.at_once = false;
        self.lazy = 0;
        Some(smallest..=largest)
    }

    /// Notes that a packet of acknowledgements alone is about to leave; true if it should carry a
    /// PING, so that the peer acknowledges one of a long row and ranges can be forgotten.
    pub fn on_acks_alone(&mut self) -> bool {
        // Where the acknowledgements leave no room for a PING, the row goes on.
        self.alone = self.alone.saturating_add(1);
        self.alone >= ALONE_BEFORE_PING
    }

    /// Notes that a packet is about to leave that the peer must acknowledge.
    pub fn on_ack_eliciting(&mut self) {
        self.alone = 0;
    }

    /// Notes that our packet `number` arrived with its acknowledgement of `told`: the peer need not be
    /// told again. What arrived late since stays until it was told, and so does what it had no room for.
    pub fn on_ack_acked(&mut self, number: u64, told: RangeInclusive<u64>) {
        if number >= self.late_reported_from {
            // The largest stays: an acknowledgement always names one.
            self.ranges.remove(*told.start()..(*told.end()).min(self.largest.unwrap_or(0)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Frame, Frames};
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn tick(interval: u64) -> Tick {
        let mut tick = Tick::default();
        tick.advance(Instant::ZERO);
        tick.advance(Instant::ZERO + ms(interval));
        tick
    }

    /// The ranges an acknowledgement would name, oldest first.
    fn acknowledged(received: &mut ReceivedPackets) -> Vec<std::ops::RangeInclusive<u64>> {
        let mut buffer = [0; 300];
        let mut writer = FrameWriter::new(&mut buffer);
        received.write_ack(Instant::ZERO, &mut writer).unwrap();
        let length = writer.finish();
        let mut frames = Frames::new(&buffer[..length]);
        let Some(Ok(Frame::Ack(ack))) = frames.next() else { panic!() };
        let mut ranges: Vec<_> = ack.ranges(ack.largest(0)).map(|range| range.unwrap()).collect();
        ranges.reverse();
        ranges
    }

    fn received(numbers: impl IntoIterator<Item = u64>, urgency: Urgency) -> ReceivedPackets {
        let mut received = ReceivedPackets::default();
        for number in numbers {
            received.insert(number, Instant::ZERO, urgency, 0);
        }
        received
    }

    #[test]
    fn reliable_data_is_acknowledged_in_the_same_update_at_60_hz() {
        let received = received([0], Urgency::Strict);
        assert!(received.is_ack_due(&tick(16), Company::None));
        assert!(received.wants_ack());
    }

    #[test]
    fn reliable_data_waits_a_little_on_fast_ticks_unless_out_of_order() {
        let in_order = received([0, 1], Urgency::Strict);
        assert!(!in_order.is_ack_due(&tick(4), Company::None));
        assert!(
            in_order.is_ack_due(&tick(12), Company::None)
                || in_order.deadline() == Some(Instant::ZERO + ms(25))
        );
        let gap = received([0, 2], Urgency::Strict);
        assert!(gap.is_ack_due(&tick(4), Company::None));
    }

    #[test]
    fn what_is_owed_waits_for_messages_that_will_follow_unless_out_of_order() {
        assert!(!received([0], Urgency::Strict).is_ack_due(&tick(16), Company::Expected));
        assert!(received([0, 2], Urgency::Strict).is_ack_due(&tick(16), Company::Expected));
    }

    #[test]
    fn a_program_whose_clock_stands_still_acknowledges_at_once() {
        let mut tick = Tick::default();
        tick.advance(Instant::ZERO);
        assert!(received([0], Urgency::Strict).is_ack_due(&tick, Company::None));
        assert!(!received([0], Urgency::None).is_ack_due(&tick, Company::None));
    }

    #[test]
    fn unreliable_data_earns_few_acknowledgements() {
        assert!(!received([0, 1], Urgency::Lazy).wants_ack());
        assert!(!received([0, 1], Urgency::Lazy).is_ack_due(&tick(200), Company::None));
        let three = received([0, 1, 2], Urgency::Lazy);
        assert!(three.wants_ack());
        assert!(!three.is_ack_due(&tick(16), Company::None));
        assert!(three.is_ack_due(&tick(60), Company::None));
        assert!(received(0..8, Urgency::Lazy).is_ack_due(&tick(1), Company::None));
    }

    #[test]
    fn every_32nd_packet_of_acks_alone_asks_for_an_ack() {
        let mut received = received([0], Urgency::Strict);
        let asked = |received: &mut ReceivedPackets, count| {
            (0..count).filter(|_| received.on_acks_alone()).count()
        };
        assert_eq!(asked(&mut received, 31), 0);
        assert_eq!(asked(&mut received, 1), 1);
        received.on_ack_eliciting();
        assert_eq!(asked(&mut received, 31), 0);
        assert_eq!(asked(&mut received, 1000), 1000);
    }

    #[test]
    fn what_the_peer_knows_is_not_told_again() {
        let mut received = received([0, 1, 2, 5, 6], Urgency::Strict);
        assert_eq!(acknowledged(&mut received), [0..=2, 5..=6]);
        received.on_ack_acked(0, 0..=6);
        received.insert(7, Instant::ZERO, Urgency::Strict, 1);
        assert_eq!(acknowledged(&mut received), [6..=7]);
    }

    #[test]
    fn what_arrived_late_is_told_until_the_peer_knows() {
        let mut received = received([0, 1, 5], Urgency::Strict);
        assert_eq!(acknowledged(&mut received), [0..=1, 5..=5]); // in our packet 0
        received.insert(3, Instant::ZERO, Urgency::Strict, 1);
        received.on_ack_acked(0, 0..=5); // packet 0 did not hold number 3
        assert_eq!(acknowledged(&mut received), [0..=1, 3..=3, 5..=5]); // in our packet 1
        received.on_ack_acked(1, 0..=5);
        assert_eq!(acknowledged(&mut received), [5..=5]);
    }

    #[test]
    fn a_peer_that_leaves_gaps_costs_32_ranges_and_no_more() {
        let mut received = received((0..1000).map(|n| n * 2), Urgency::Strict);
        assert_eq!(received.ranges.len(), MAX_ACK_RANGES);
        let ranges = acknowledged(&mut received);
        assert_eq!((ranges.len(), ranges.last()), (32, Some(&(1998..=1998))));
    }

    #[test]
    fn what_one_acknowledgement_had_no_room_for_is_told_by_the_next() {
        let mut received = received((0..30).map(|n| n * 2), Urgency::Strict);
        let mut writer = [0; 50];
        let mut writer = FrameWriter::new(&mut writer);
        assert_eq!(received.write_ack(Instant::ZERO, &mut writer), Some(14..=58));
        received.on_ack_acked(0, 14..=58);
        let second = acknowledged(&mut received);
        assert_eq!((second.len(), second[0].clone(), second[7].clone()), (8, 0..=0, 58..=58));
    }
}
