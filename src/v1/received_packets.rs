//! Which packets came, and when to say so. The acknowledgements of a packet cover 32 packets: none that waits
//! for one may be left behind by newer ones (D35), and where no data goes out they go alone (D34), never in
//! answer to acknowledgements alone.

use crate::duration::Duration;
use crate::replay::ReplayWindow;
use crate::time::{Instant, Tick};
use std::collections::VecDeque;

/// How long an acknowledgement waits for data to ride on.
const DELAY: Duration = Duration::from_millis(20);
/// A packet that waits for an acknowledgement gets it when this many have come from it on: half of what one
/// header covers, so that one may be lost.
const SPAN: u64 = 16;
/// Packets that a header covers.
const COVERED: u64 = 32;
/// Headers that wait for a packet: as many as cover all packets that are remembered.
const MAX_HEADERS: usize = (ReplayWindow::SIZE / SPAN) as usize;

/// What an arrived packet asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// Nothing: it only acknowledges, or is not understood.
    Nothing,
    /// To be acknowledged some time.
    Sometime,
    /// To be acknowledged soon: it is sent again until it is.
    Soon,
}

/// The packets received of the peer, by numbers that do not wrap.
#[derive(Debug, Default)]
pub struct ReceivedPackets {
    window: ReplayWindow,
    /// The oldest packet that waits for an acknowledgement.
    owed: Option<u64>,
    due_at: Option<Instant>,
    /// Headers that must leave, by the packet in their `ack`.
    headers: VecDeque<u64>,
}

impl ReceivedPackets {
    /// The number of a packet that has just come, and was sent after all others that came: it is ahead of
    /// them, however many were lost.
    pub fn newest_number(&self, sequence: u16) -> u64 {
        let expected = self.expected();
        expected + u64::from(sequence.wrapping_sub(expected as u16))
    }

    /// The number of a packet that has just come, and was sent before another that came; `None` if it came
    /// before or is too old to know.
    pub fn overtaken_number(&self, sequence: u16) -> Option<u64> {
        let expected = self.expected();
        let behind = (expected as u16).wrapping_sub(sequence);
        let number = expected.checked_sub(u64::from(behind))?;
        self.window.is_fresh(number).then_some(number)
    }

    /// The number of a packet that has just come, and was sent shortly before or after the newest; `None` if it came
    /// before or is too old to know.
    pub fn nearest_number(&self, sequence: u16) -> Option<u64> {
        let ahead = sequence.wrapping_sub(self.expected() as u16);
        if ahead.cast_signed() >= 0 {
            Some(self.newest_number(sequence))
        } else {
            self.overtaken_number(sequence)
        }
    }

    fn expected(&self) -> u64 {
        self.window.highest().map_or(0, |highest| highest + 1)
    }

    /// Notes a packet that came.
    pub fn insert(&mut self, number: u64, wants: Wants, now: Instant) {
        let jump = self.window.highest().map_or(0, |highest| number.saturating_sub(highest));
        if jump >= SPAN {
            // What the newest packet's header would not cover any more.
            self.settle();
        }
        self.window.insert(number);
        let highest = self.window.highest().unwrap_or(number);
        match wants {
            Wants::Nothing => {}
            _ if highest - number >= COVERED => {
                if highest - number < ReplayWindow::SIZE - COVERED {
                    self.push_header(number);
                }
            }
            wants => {
                self.owed = Some(self.owed.map_or(number, |owed| owed.min(number)));
                if wants == Wants::Soon {
                    self.due_at.get_or_insert(now + DELAY);
                }
            }
        }
        if self.owed.is_some_and(|owed| highest - owed + 1 >= SPAN) {
            self.settle();
        }
    }

    /// Makes a header of what is owed, which must leave.
    fn settle(&mut self) {
        if self.owed.take().is_some()
            && let Some(highest) = self.window.highest()
        {
            self.push_header(highest);
        }
        self.due_at = None;
    }

    fn push_header(&mut self, ack: u64) {
        if self.headers.len() >= MAX_HEADERS {
            self.headers.pop_front();
        }
        self.headers.push_back(ack);
    }

    /// True if acknowledgements must leave now, alone if nothing else does.
    pub fn is_due(&self, tick: &Tick) -> bool {
        let waited = |at| at <= tick.now || tick.stands_still();
        !self.headers.is_empty() || self.due_at.is_some_and(waited)
    }

    /// When acknowledgements must leave.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.headers.is_empty() { self.due_at } else { Some(Instant::ZERO) }
    }

    /// The acknowledgements of the next packet that leaves: its `ack` and bits.
    pub fn take_header(&mut self) -> (u16, u32) {
        let waiting = self.headers.pop_front();
        if waiting.is_none() {
            self.owed = None;
            self.due_at = None;
        }
        let Some(ack) = waiting.or(self.window.highest()) else { return (u16::MAX, 0) };
        let mut bits = 0;
        for (bit, number) in (0..COVERED).map_while(|bit| Some((bit, ack.checked_sub(bit)?))) {
            bits |= u32::from(!self.window.is_fresh(number)) << bit;
        }
        (ack as u16, bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_nanos(1_000_000_000);

    fn tick(now: Instant) -> Tick {
        let mut tick = Tick::default();
        tick.advance(Instant::ZERO);
        tick.advance(now);
        tick
    }

    fn all_acked(received: &mut ReceivedPackets) -> Vec<u64> {
        let mut acked = std::collections::BTreeSet::new();
        while received.is_due(&tick(NOW)) {
            let (ack, bits) = received.take_header();
            acked.extend((0..32).filter(|bit| bits >> bit & 1 == 1).map(|bit| u64::from(ack) - bit));
        }
        acked.into_iter().collect()
    }

    #[test]
    fn nothing_is_said_before_anything_came() {
        let mut received = ReceivedPackets::default();
        assert!(!received.is_due(&tick(NOW)));
        assert_eq!(received.take_header(), (65_535, 0));
        received.insert(0, Wants::Nothing, NOW);
        assert_eq!(received.take_header(), (0, 1));
    }

    #[test]
    fn d34_what_is_sent_reliably_is_acknowledged_within_20_ms_and_acknowledgements_never() {
        let mut received = ReceivedPackets::default();
        for number in 0..100 {
            received.insert(number, Wants::Nothing, NOW);
        }
        assert_eq!(received.poll_timeout(), None);
        received.insert(100, Wants::Soon, NOW);
        assert!(!received.is_due(&tick(NOW)));
        assert_eq!(received.poll_timeout(), Some(NOW + DELAY));
        assert!(received.is_due(&tick(NOW + DELAY)));
        assert!(received.is_due(&Tick::default()));
        received.take_header();
        assert!(!received.is_due(&tick(NOW + DELAY)));
    }

    #[test]
    fn d35_however_many_come_at_once_every_one_is_acknowledged() {
        let mut received = ReceivedPackets::default();
        for number in 0..200 {
            received.insert(number, Wants::Sometime, NOW);
        }
        assert_eq!(all_acked(&mut received), (0..192).collect::<Vec<_>>());
        // A jump leaves nothing behind, and what comes late gets a header of its own.
        received.insert(300, Wants::Sometime, NOW);
        received.insert(250, Wants::Sometime, NOW);
        let acked = all_acked(&mut received);
        assert!([199, 250].iter().all(|number| acked.contains(number)), "{acked:?}");
        assert!(!acked.contains(&249) && !acked.contains(&240));
    }

    #[test]
    fn numbers_go_on_over_the_wrap_and_each_counts_once() {
        let mut received = ReceivedPackets::default();
        assert_eq!(received.overtaken_number(65_535), None);
        for number in 0..200_000u64 {
            let sequence = number as u16;
            assert_eq!(received.newest_number(sequence), number);
            received.insert(number, Wants::Sometime, NOW);
            assert_eq!(received.overtaken_number(sequence), None);
            assert!(received.headers.len() <= MAX_HEADERS);
        }
        assert_eq!(received.newest_number(200_010_u64 as u16), 200_010);
        received.insert(200_010, Wants::Nothing, NOW);
        assert_eq!(received.overtaken_number(200_009_u64 as u16), Some(200_009));
        assert_eq!(received.overtaken_number((200_010_u64 - 1024) as u16), None);
        assert_eq!(received.overtaken_number((200_010_u64 - 30_000) as u16), None);
    }

    #[test]
    fn what_was_sent_later_is_ahead_however_many_were_lost_in_between() {
        for lost in [1u64, 32_766, 32_767, 32_768, 40_000, 65_534] {
            let mut received = ReceivedPackets::default();
            (0..10).for_each(|number| received.insert(number, Wants::Sometime, NOW));
            let number = 9 + lost + 1;
            assert_eq!(received.newest_number(number as u16), number, "{lost}");
            received.insert(number, Wants::Sometime, NOW);
            assert_eq!(received.overtaken_number(number as u16), None);
            assert_eq!(received.overtaken_number((number - 1) as u16), Some(number - 1));
        }
    }
}
