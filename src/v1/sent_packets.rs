//! The packets sent lately: which fragment each carried, when it left, and what the peer says of it.
//! A peer reports on 32 packets at a time; what it never reported on counts neither as arrived nor as lost.

use super::payload::AckHeader;
use crate::duration::Duration;
use crate::time::Instant;
use std::collections::VecDeque;

/// Packets that are remembered (the original's window), whatever they carried,
const REMEMBERED: usize = 1024;
/// and as many from the first on that carried a reliable fragment of which nothing is known yet: beside many
/// unreliable messages on a long path, its acknowledgement comes thousands of packets later (D35). No more than
/// 16 bits tell apart both ways.
const MOST: usize = 16_384;
/// After so long nothing is heard of a packet any more.
const LIFETIME: Duration = Duration::from_secs(3);
/// Packets that a header covers.
const COVERED: u64 = 32;

/// What a packet carried of the reliable messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentFragment {
    /// Its place among the fragments in flight.
    pub slot: u16,
    /// The message, by a number that does not wrap.
    pub message: u64,
    /// Which of its fragments.
    pub index: u16,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    sent_at: Instant,
    fragment: Option<SentFragment>,
    acked: bool,
    /// True once a header covered the packet and did not name it.
    missing: bool,
}

/// What a header made known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The round trip, if the header is the first to name the newest packet its sender received.
    pub round_trip: Option<Duration>,
    /// Packets that arrived.
    pub arrived: i64,
    /// Packets that did not, as far as the peer can know.
    pub lost: i64,
}

/// The packets sent lately.
#[derive(Debug, Default)]
pub struct SentPackets {
    /// The number of the first record.
    first: u64,
    records: VecDeque<Record>,
    /// The newest packet that the peer has named.
    largest_acked: Option<u64>,
    /// Packets below this have been counted as lost or not.
    settled: u64,
}

impl SentPackets {
    /// The number of the next packet.
    pub fn next_number(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    /// The newest packet that the peer has named.
    pub fn largest_acked(&self) -> Option<u64> {
        self.largest_acked
    }

    /// Notes a packet that leaves.
    pub fn push(&mut self, now: Instant, fragment: Option<SentFragment>) {
        while let Some(oldest) = self.records.front()
            && self.records.len() >= REMEMBERED
        {
            let waits =
                oldest.fragment.is_some() && !oldest.acked && now.since(oldest.sent_at) < LIFETIME;
            if waits && self.records.len() < MOST {
                break;
            }
            self.records.pop_front();
            self.first += 1;
        }
        self.records.push_back(Record { sent_at: now, fragment, acked: false, missing: false });
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut Record> {
        let place = number.checked_sub(self.first)?;
        self.records.get_mut(usize::try_from(place).ok()?)
    }

    /// Takes in what the peer says; `on_acked` hears of each fragment that arrived, once for each packet.
    pub fn on_header(
        &mut self,
        header: &AckHeader,
        at: Instant,
        mut on_acked: impl FnMut(SentFragment),
    ) -> Report {
        let mut report = Report::default();
        let Some(newest) = self.next_number().checked_sub(1).filter(|_| header.bits != 0) else {
            return report;
        };
        // The packet meant is the last one of this number that left.
        let Some(ack) = newest.checked_sub(u64::from((newest as u16).wrapping_sub(header.ack))) else {
            return report;
        };
        let settled = self.settled;
        for (bit, number) in (0..COVERED).filter_map(|bit| Some((bit, ack.checked_sub(bit)?))) {
            let Some(record) = self.get_mut(number) else { break };
            if header.bits >> bit & 1 == 0 {
                record.missing |= number >= settled;
                continue;
            }
            if std::mem::replace(&mut record.acked, true) {
                continue;
            }
            let Record { sent_at, fragment, missing, .. } = *record;
            fragment.into_iter().for_each(&mut on_acked);
            report.arrived += 1;
            if bit == 0 {
                report.round_trip = Some(at.since(sent_at));
            }
            // It was counted as lost, unless nothing was known of it.
            report.lost -= i64::from(missing && number < settled);
            self.largest_acked = self.largest_acked.max(Some(number));
        }
        // Where a header ends nothing more is heard of most packets.
        let end = self.largest_acked.map_or(0, |largest| (largest + 1).saturating_sub(COVERED));
        for number in self.settled.max(self.first)..end {
            report.lost +=
                i64::from(self.get_mut(number).is_some_and(|record| record.missing && !record.acked));
        }
        self.settled = self.settled.max(end);
        report
    }

    /// Forgets all packets: nothing of them is in flight.
    pub fn forget(&mut self) {
        self.first = self.next_number();
        self.records = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(milliseconds)
    }

    fn header(ack: u64, bits: u32) -> AckHeader {
        AckHeader { sequence: 0, ack: ack as u16, bits }
    }

    fn sent(count: u64) -> SentPackets {
        let mut sent = SentPackets::default();
        for number in 0..count {
            sent.push(at(number), Some(SentFragment { slot: 0, message: number, index: 0 }));
        }
        sent
    }

    fn acked(sent: &mut SentPackets, header: AckHeader) -> (Vec<u64>, Report) {
        let mut acked = Vec::new();
        let report = sent.on_header(&header, at(100_000), |fragment| acked.push(fragment.message));
        (acked, report)
    }

    #[test]
    fn each_packet_is_acknowledged_once_and_the_newest_gives_the_round_trip() {
        let mut sent = sent(10);
        let (fragments, report) = acked(&mut sent, header(8, 0b101));
        assert_eq!(fragments, [8, 6]);
        assert_eq!(report.round_trip, Some(at(100_000).since(at(8))));
        let (fragments, report) = acked(&mut sent, header(8, 0b111));
        assert_eq!(fragments, [7]);
        assert_eq!((report.round_trip, report.arrived), (None, 1));
        assert_eq!(sent.largest_acked(), Some(8));
    }

    #[test]
    fn what_was_never_sent_can_not_be_acknowledged() {
        let mut nothing = SentPackets::default();
        assert_eq!(acked(&mut nothing, header(65_535, u32::MAX)).0, []);
        let mut sent = sent(10);
        assert_eq!(acked(&mut sent, header(10, u32::MAX)).0, []);
        assert_eq!(acked(&mut sent, header(65_535, u32::MAX)).0, []);
        assert_eq!(acked(&mut sent, header(9, 0)).0, []);
        assert_eq!(acked(&mut sent, header(9, u32::MAX)).0.len(), 10);
    }

    #[test]
    fn d35_a_reliable_fragment_is_remembered_while_it_waits_and_others_are_not() {
        let mut sent = SentPackets::default();
        let fragment = SentFragment { slot: 0, message: 7, index: 0 };
        sent.push(at(0), Some(fragment));
        (1..10_000).for_each(|_| sent.push(at(1), None));
        assert_eq!(acked(&mut sent, header(0, 1)).0, [7]);
        sent.push(at(1), None);
        assert_eq!(sent.records.len(), REMEMBERED);
        // Not for ever, and not without bound.
        for (until, milliseconds) in [(MOST, 0), (REMEMBERED, 3000)] {
            sent.push(at(0), Some(fragment));
            (0..40_000).for_each(|_| sent.push(at(milliseconds), None));
            assert!(sent.records.len() <= until, "{}", sent.records.len());
        }
    }

    #[test]
    fn over_the_wrap_the_last_packet_of_a_number_is_meant() {
        let mut sent = SentPackets::default();
        for message in 0..70_000 {
            sent.push(at(0), Some(SentFragment { slot: 0, message, index: 0 }));
        }
        assert_eq!(sent.records.len(), MOST);
        assert_eq!(acked(&mut sent, header(69_999, 1)).0, [69_999]);
        assert_eq!(acked(&mut sent, header(69_999 - 3000, 3)).0, [69_999 - 3000, 69_999 - 3001]);
        assert_eq!(acked(&mut sent, header(69_999 - 16_383, 3)).0, [69_999 - 16_383]);
        assert_eq!(acked(&mut sent, header(69_999 - 16_384, 1)).0, []);
        sent.forget();
        assert_eq!(sent.next_number(), 70_000);
        assert_eq!(acked(&mut sent, header(69_999, 1)).0, []);
    }

    #[test]
    fn lost_is_what_the_peer_could_have_named_and_did_not() {
        let mut sent = sent(100);
        // 0 to 31 but for 5 and 6; 32 to 67 are never spoken of; 68 to 99 arrived.
        let bits = (0..32).filter(|bit| ![5, 6].contains(&(31 - bit))).map(|bit| 1u32 << bit).sum();
        let report = acked(&mut sent, header(31, bits)).1;
        assert_eq!((report.arrived, report.lost), (30, 0));
        let report = acked(&mut sent, header(99, u32::MAX)).1;
        assert_eq!((report.arrived, report.lost), (32, 2));
        // One of them arrives late.
        let report = acked(&mut sent, header(5, 1)).1;
        assert_eq!((report.arrived, report.lost), (1, -1));
    }
}
