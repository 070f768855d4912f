//! Loss detection (RFC 9002 section 6): a packet counts as lost once one sent three or more later arrived, or
//! once any later one arrived and 9/8 of a round trip have passed since it left. When nothing is acknowledged
//! at all, a probe asks. Timers allow for the ticks that both ends live on.

use super::congestion::{AckSummary, Congestion};
use super::delivery_rate::Departure;
use super::frame::Ack;
use super::path_mtu::PathMtu;
use super::queue_wait::RoundTrip;
use super::reordering::Reordering;
use super::sent_packets::{PacketState, SentFrame, SentPacket, SentPackets};
use crate::duration::Duration;
use crate::rtt::{LONGEST_DELAY, RttEstimator};
use crate::time::{Instant, Tick, earliest};

/// The probe timeout is doubled up to here and never beyond: for a game, asking once too often is better than
/// waiting.
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);
/// The peer is expected to hold its acknowledgements back for at least this long.
const LEAST_MAX_DELAY: Duration = Duration::from_millis(25);
/// How long the largest delay that a peer reported counts.
const DELAY_MEMORY: Duration = Duration::from_secs(10);
/// Numbers a sender may be ahead of the largest acknowledged, so that 16 bits name it.
pub const MAX_AHEAD: u64 = 32_768;
/// Packets whose frames a probe sends again, and packets it may take for them: what may always be on
/// the way in a round trip. A single packet is lost too easily where a probe is needed at all.
pub const PROBE_PACKETS: usize = 4;

/// The peer acknowledged what it cannot have received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FalseAck;

/// What became of the packet that a frame was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrived.
    Acked,
    /// It is lost, or nobody knows: what can be sent again must be.
    Lost,
}

/// The packets of one connection that are on their way, and when to give each up.
#[derive(Debug)]
pub struct LossDetector {
    /// Records of the packets.
    pub sent: SentPackets,
    /// The round trip.
    pub rtt: RttEstimator,
    /// How much may be on the way.
    pub congestion: Congestion,
    /// How large a datagram may be.
    pub mtu: PathMtu,
    reordering: Reordering,
    largest_acked: Option<u64>,
    /// The first packet that may still be open.
    first_open: u64,
    loss_time: Option<Instant>,
    /// When something that can be sent again last left.
    last_resendable_at: Instant,
    probes: u32,
    /// The largest delay of an acknowledgement the peer reported lately, and when.
    peer_delay: Duration,
    peer_delay_at: Instant,
    /// The program's ceiling for the resend timer (`config.resend_rate`).
    ceiling: Duration,
    arrived: u64,
    lost: u64,
}

impl LossDetector {
    /// Starts without packets. The resend timer stays below `ceiling` where the round trip allows it.
    pub fn new(ceiling: Duration) -> LossDetector {
        LossDetector {
            sent: SentPackets::default(),
            rtt: RttEstimator::default(),
            congestion: Congestion::default(),
            mtu: PathMtu::default(),
            reordering: Reordering::default(),
            largest_acked: None,
            first_open: 0,
            loss_time: None,
            last_resendable_at: Instant::ZERO,
            probes: 0,
            peer_delay: Duration::ZERO,
            peer_delay_at: Instant::ZERO,
            ceiling,
            arrived: 0,
            lost: 0,
        }
    }

    /// How many packets that must be acknowledged arrived, and how many were lost.
    pub fn counts(&self) -> (u64, u64) {
        (self.arrived, self.lost)
    }

    /// The largest number the peer acknowledged.
    pub fn largest_acked(&self) -> Option<u64> {
        self.largest_acked
    }

    /// True if so many probes were not answered that large packets may be why.
    pub fn is_in_the_dark(&self) -> bool {
        self.probes > 1
    }

    /// True if only probes may be sent until the peer acknowledges something.
    pub fn is_too_far_ahead(&self) -> bool {
        self.ahead() >= MAX_AHEAD
    }

    /// True if 16 bits can no longer name a number to acknowledge: the connection has no future.
    pub fn is_out_of_numbers(&self) -> bool {
        self.ahead() >= 2 * MAX_AHEAD - 256
    }

    /// Numbers used after the largest acknowledged.
    fn ahead(&self) -> u64 {
        self.sent.next_number() - self.largest_acked.map_or(0, |acked| acked + 1)
    }

    /// True if `size` more bytes fit the window.
    pub fn has_window_for(&self, size: usize) -> bool {
        self.congestion.has_window_for(self.sent.bytes_in_flight() + size as u64)
    }

    /// Notes that the packet with the next number left.
    pub fn on_packet_sent(
        &mut self,
        now: Instant,
        size: usize,
        ack_eliciting: bool,
        frames: &[SentFrame],
    ) {
        if frames.iter().any(SentFrame::is_resendable) {
            self.last_resendable_at = now;
        }
        self.forget_settled(now);
        let in_flight = self.sent.bytes_in_flight();
        let departure = if ack_eliciting {
            self.congestion.on_sent(now, size as u64, in_flight)
        } else {
            Departure::default()
        };
        self.sent.push(now, size, ack_eliciting, departure, frames);
    }

    /// Takes in an acknowledgement that arrived at `arrived`. Every frame whose fate it settles is
    /// given to `settle`, with the number of its packet.
    pub fn on_ack(
        &mut self,
        ack: &Ack<'_>,
        arrived: Instant,
        tick: &Tick,
        mut settle: impl FnMut(u64, SentFrame, Fate),
    ) -> Result<(), FalseAck> {
        let largest = ack.largest(self.largest_acked.unwrap_or(0));
        if largest >= self.sent.next_number() {
            return Err(FalseAck);
        }
        let mut any_eliciting = false;
        let mut largest_packet = None;
        for range in ack.ranges(largest) {
            let range = range.map_err(|_| FalseAck)?;
            // Newest first: below the oldest record nothing is left to settle.
            if *range.end() < self.sent.first_number() {
                break;
            }
            let mut next = (*range.start()).max(self.sent.first_number());
            while next <= *range.end()
                && let Some(packet) = self.sent.get(next).copied()
            {
                let number = next;
                next += packet.stride();
                match packet.state {
                    PacketState::Skipped => return Err(FalseAck),
                    PacketState::Acked => {
                        self.sent.settle_acked(number, *range.end());
                        continue;
                    }
                    PacketState::Open => {
                        any_eliciting |= packet.ack_eliciting;
                        if number == largest {
                            largest_packet = Some(packet);
                        }
                    }
                    // It was only late: what was queued again because of it need not be.
                    PacketState::Lost => {
                        if packet.ack_eliciting {
                            let took = arrived.since(packet.sent_at).saturating_sub(ack.delay());
                            self.on_late(&packet, tick.now, took);
                        }
                    }
                }
                self.on_packet_acked(number, &packet, &mut settle);
                self.sent.settle_acked(number, *range.end());
            }
        }
        self.largest_acked = self.largest_acked.max(Some(largest));
        let delay = ack.delay();
        let timely = |packet: &SentPacket| any_eliciting && tick.is_timely(packet.sent_at);
        if let Some(packet) = largest_packet.filter(timely) {
            let time = self.rtt.update(arrived.since(packet.sent_at), delay);
            // An arrival at the very moment of the update is one whose time the system does not tell. Nor will the
            // peer's, mostly: both ends then round up to their updates.
            let rough = if arrived < tick.now { Duration::ZERO } else { tick.interval() * 2 };
            let round_trip = RoundTrip { time, rough, bytes: packet.size.into() };
            self.congestion.on_rtt(tick.now, &round_trip, &packet.departure);
            self.note_peer_delay(arrived, delay);
        }
        if any_eliciting {
            self.probes = 0;
        }
        self.detect_lost(tick.now, &mut settle);
        if any_eliciting {
            self.congestion.on_ack(&AckSummary {
                now: tick.now,
                delivered_at: arrived - delay.min(LONGEST_DELAY),
                largest,
                next_number: self.sent.next_number(),
                in_flight: self.sent.bytes_in_flight(),
                tick: tick.interval(),
                held_back: self.peer_delay,
            });
        }
        Ok(())
    }

    /// Notes that a packet arrived that was taken for lost; its round trip `took` so long.
    fn on_late(&mut self, packet: &SentPacket, now: Instant, took: Duration) {
        self.lost -= 1;
        let rtt = self.rtt.smoothed();
        self.reordering.on_late(now, took.saturating_sub(rtt), rtt);
        self.congestion.on_late(u64::from(packet.size));
    }

    fn on_packet_acked(
        &mut self,
        number: u64,
        packet: &SentPacket,
        settle: &mut impl FnMut(u64, SentFrame, Fate),
    ) {
        if packet.ack_eliciting {
            self.arrived += 1;
            let size = u64::from(packet.size);
            self.congestion.on_packet_acked(packet.sent_at, &packet.departure, size);
        }
        self.sent.settle(number, PacketState::Acked);
        self.mtu.on_acked(number, usize::from(packet.size));
        for frame in self.sent.frames(packet) {
            if let SentFrame::MtuProbe { size } = frame {
                self.mtu.on_probe_acked(size);
            }
            settle(number, frame, Fate::Acked);
        }
    }

    fn note_peer_delay(&mut self, now: Instant, delay: Duration) {
        let delay = delay.min(LONGEST_DELAY);
        if delay >= self.peer_delay || now.since(self.peer_delay_at) > DELAY_MEMORY {
            self.peer_delay = delay;
            self.peer_delay_at = now;
        }
    }

    /// Takes in that time has passed. True if a probe is to be sent: at least a PING, even where the
    /// window is full, and at most [`PROBE_PACKETS`] packets.
    pub fn handle_timeout(&mut self, tick: &Tick, mut settle: impl FnMut(u64, SentFrame, Fate)) -> bool {
        if self.loss_time.is_some_and(|time| time <= tick.now) {
            self.detect_lost(tick.now, &mut settle);
        }
        let due = self.probe_time(tick).is_some_and(|time| time <= tick.now);
        if due {
            self.probes = self.probes.saturating_add(1);
            self.last_resendable_at = tick.now;
            self.doubt_oldest(&mut settle);
        }
        due
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self, tick: &Tick) -> Option<Instant> {
        earliest([self.loss_time, self.probe_time(tick)])
    }

    /// The probe timeout without back-off (RFC 9002 section 6.2.1), with the own tick on top: an
    /// acknowledgement is read at an update, not when it arrives.
    pub fn probe_timeout(&self, tick: &Tick) -> Duration {
        let held_back = self.peer_delay.clamp(LEAST_MAX_DELAY, LONGEST_DELAY) + tick.interval();
        let timeout = self.rtt.patience() + held_back;
        match self.rtt.measured() {
            // The program's ceiling, but never less than an answer needs.
            Some(smoothed) => timeout.min(self.ceiling.max(smoothed * 9 / 8 + held_back)),
            None => timeout,
        }
    }

    fn probe_time(&self, tick: &Tick) -> Option<Instant> {
        if self.sent.resendable() == 0 {
            return None;
        }
        let timeout = self.probe_timeout(tick);
        let backed_off = (timeout * (1 << self.probes.min(16))).min(LONGEST_BACKOFF.max(timeout));
        Some(self.last_resendable_at + backed_off)
    }

    /// Gives what the oldest open packets hold another chance, without giving the packets up.
    fn doubt_oldest(&self, settle: &mut impl FnMut(u64, SentFrame, Fate)) {
        let from = self.first_open.max(self.sent.first_number());
        (from..self.sent.next_number())
            .filter_map(|number| self.sent.get(number).map(|packet| (number, packet)))
            .filter(|(_, packet)| packet.state == PacketState::Open && packet.resendable)
            .take(PROBE_PACKETS)
            .for_each(|(number, packet)| {
                self.sent.frames(packet).for_each(|frame| settle(number, frame, Fate::Lost));
            });
    }

    fn detect_lost(&mut self, now: Instant, settle: &mut impl FnMut(u64, SentFrame, Fate)) {
        let Some(largest) = self.largest_acked else { return };
        let loss_delay = self.rtt.loss_delay() + self.reordering.tolerance(now);
        let threshold = self.reordering.packet_threshold(now);
        self.loss_time = None;
        let from = self.first_open.max(self.sent.first_number());
        self.first_open = largest + 1;
        let mut next = from;
        while next <= largest
            && let Some(packet) = self.sent.get(next).copied()
        {
            let number = next;
            next += packet.stride();
            if packet.state != PacketState::Open {
                continue;
            }
            let lost_at = packet.sent_at + loss_delay;
            if largest - number >= threshold || lost_at <= now {
                self.on_packet_lost(number, &packet, now, settle);
            } else {
                // Those after it left later and are overtaken by fewer: none of them is lost before it is, and a peer
                // that holds many back does not have them all gone through in each acknowledgement.
                self.first_open = number;
                self.loss_time = Some(lost_at);
                break;
            }
        }
        self.forget_settled(now);
    }

    fn on_packet_lost(
        &mut self,
        number: u64,
        packet: &SentPacket,
        now: Instant,
        settle: &mut impl FnMut(u64, SentFrame, Fate),
    ) {
        self.sent.settle(number, PacketState::Lost);
        if packet.ack_eliciting {
            self.lost += 1;
            self.congestion.on_lost(u64::from(packet.size));
            self.mtu.on_lost(now, number, usize::from(packet.size), packet.sent_at);
        }
        for frame in self.sent.frames(packet) {
            if let SentFrame::MtuProbe { size } = frame {
                self.mtu.on_probe_lost(now, size);
            }
            settle(number, frame, Fate::Lost);
        }
    }

    /// Forgets the oldest records that no longer matter.
    fn forget_settled(&mut self, now: Instant) {
        // What was taken for lost is remembered for two more round trips, in case it was only late; and
        // nobody waits for the acknowledgement of an acknowledgement.
        let rtt = self.rtt;
        let is_late = |packet: &SentPacket| packet.sent_at + rtt.patience() * 2 <= now;
        let largest_acked = self.largest_acked;
        self.sent.forget_while(|number, packet| match packet.state {
            PacketState::Open => !packet.ack_eliciting && is_late(packet),
            PacketState::Acked => true,
            PacketState::Skipped => Some(number) < largest_acked,
            PacketState::Lost => is_late(packet),
        });
    }

    /// Starts over at packet number 0, under other keys: nothing sent so far can arrive any more.
    pub fn restart(&mut self, mut settle: impl FnMut(u64, SentFrame, Fate)) {
        for number in self.sent.first_number()..self.sent.next_number() {
            let open = self.sent.get(number).filter(|packet| packet.state == PacketState::Open);
            for frame in open.into_iter().flat_map(|packet| self.sent.frames(packet)) {
                settle(number, frame, Fate::Lost);
            }
        }
        *self = LossDetector::new(self.ceiling);
    }

    /// The peer is at another address and has proven it. That nothing came back from the old one says nothing
    /// of this one: what went there is sent again after one probe timeout, however many passed.
    pub fn on_moved(&mut self, now: Instant) {
        if self.probes > 0 {
            self.probes = 0;
            self.last_resendable_at = now;
        }
    }

    /// The path leads elsewhere now: what was learned of the old one is no longer true.
    pub fn on_path_changed(&mut self) {
        self.rtt = RttEstimator::default();
        self.congestion.reset();
        self.reordering = Reordering::default();
        self.mtu.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Frame, Frames};
    use super::super::frame_writer::FrameWriter;
    use super::super::sent_packets::SentMessage;
    use super::*;
    use crate::message::Delivery;
    use std::ops::RangeInclusive;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn message(sequence: u64) -> SentFrame {
        SentFrame::Message(SentMessage {
            sequence,
            offset: 0,
            length: 1,
            channel: 0,
            delivery: Delivery::ReliableOrdered,
            again: false,
        })
    }

    struct Fixture {
        detector: LossDetector,
        tick: Tick,
        settled: Vec<(u64, Fate)>,
    }

    impl Fixture {
        fn new() -> Fixture {
            let mut tick = Tick::default();
            tick.advance(Instant::ZERO);
            tick.advance(Instant::ZERO + ms(1));
            Fixture { detector: LossDetector::new(Duration::MAX), tick, settled: Vec::new() }
        }

        fn send(&mut self, count: u64) {
            for _ in 0..count {
                let number = self.detector.sent.next_number();
                self.detector.on_packet_sent(self.tick.now, 1000, true, &[message(number)]);
            }
        }

        fn wait(&mut self, milliseconds: u64) -> bool {
            for _ in 0..milliseconds {
                self.tick.advance(self.tick.now + ms(1));
                let settled = &mut self.settled;
                let settle = |number, _, fate| settled.push((number, fate));
                if self.detector.handle_timeout(&self.tick, settle) {
                    return true;
                }
            }
            false
        }

        /// `ranges` newest first.
        fn ack(&mut self, ranges: &[RangeInclusive<u64>]) -> Result<(), FalseAck> {
            let mut buffer = [0; 200];
            let mut writer = FrameWriter::new(&mut buffer);
            assert!(writer.ack(ms(0), ranges.iter().cloned()).is_some());
            let length = writer.finish();
            let Some(Ok(Frame::Ack(ack))) = Frames::new(&buffer[..length]).next() else { panic!() };
            let settled = &mut self.settled;
            let settle = |number, _, fate| settled.push((number, fate));
            self.detector.on_ack(&ack, self.tick.now, &self.tick, settle)
        }

        fn settled(&mut self) -> Vec<(u64, Fate)> {
            std::mem::take(&mut self.settled)
        }
    }

    #[test]
    fn three_later_arrivals_make_a_packet_lost() {
        let mut f = Fixture::new();
        f.send(6);
        f.wait(50);
        assert_eq!(f.ack(&[2..=2]), Ok(()));
        assert_eq!(f.settled(), [(2, Fate::Acked)]);
        assert_eq!(f.ack(&[2..=4]), Ok(()));
        assert_eq!(f.settled(), [(3, Fate::Acked), (4, Fate::Acked), (0, Fate::Lost), (1, Fate::Lost)]);
        assert_eq!(f.detector.sent.bytes_in_flight(), 1000);
    }

    #[test]
    fn nine_eighths_of_a_round_trip_make_a_packet_lost() {
        let mut f = Fixture::new();
        f.send(2);
        f.wait(40);
        assert_eq!(f.ack(&[1..=1]), Ok(()));
        f.settled();
        assert!(!f.wait(4));
        assert_eq!(f.settled(), []);
        assert!(!f.wait(1));
        assert_eq!(f.settled(), [(0, Fate::Lost)]);
    }

    #[test]
    fn a_packet_that_was_only_late_is_acknowledged_after_all() {
        let mut f = Fixture::new();
        f.send(5);
        f.wait(40);
        assert_eq!(f.ack(&[1..=4]), Ok(()));
        assert!(f.settled().contains(&(0, Fate::Lost)));
        assert_eq!(f.ack(&[0..=4]), Ok(()));
        assert_eq!(f.settled(), [(0, Fate::Acked)]);
        assert_eq!(f.ack(&[0..=4]), Ok(()));
        assert_eq!(f.settled(), []);
    }

    #[test]
    fn silence_is_answered_by_probes_that_back_off_to_a_second() {
        let mut f = Fixture::new();
        f.send(1);
        f.wait(20);
        f.ack(&[0..=0]).unwrap();
        f.settled();
        f.send(3);
        let mut gaps = Vec::new();
        let mut last = f.tick.now;
        for _ in 0..9 {
            assert!(f.wait(5000));
            assert_eq!(f.settled(), [(1, Fate::Lost), (2, Fate::Lost), (3, Fate::Lost)]);
            gaps.push(f.tick.now.since(last).as_millis());
            last = f.tick.now;
        }
        // 20 + 4 * 10 + 25 + 1 of own tick, doubled each time.
        assert_eq!(gaps, [86, 172, 344, 688, 1000, 1000, 1000, 1000, 1000]);
        assert_eq!(f.detector.sent.bytes_in_flight(), 3000);
    }

    #[test]
    fn the_ceiling_shortens_the_timer_but_not_below_a_round_trip() {
        let mut f = Fixture::new();
        f.detector.ceiling = ms(100);
        f.send(1);
        f.wait(200);
        f.ack(&[0..=0]).unwrap();
        assert_eq!(f.detector.probe_timeout(&f.tick), ms(225 + 25 + 1));
        f.detector.ceiling = ms(400);
        assert_eq!(f.detector.probe_timeout(&f.tick), ms(400));
    }

    /// A peer could hold the oldest back and say the rest again in every packet.
    #[test]
    fn what_is_acknowledged_again_costs_a_step_and_not_one_for_each_packet() {
        let mut f = Fixture::new();
        f.send(30_000);
        f.wait(50);
        let acked =
            |f: &mut Fixture| f.settled().iter().filter(|(_, fate)| *fate == Fate::Acked).count();
        for (range, new) in [(1..=9_999, 9_999), (5_000..=19_999, 10_000), (1..=24_999, 5_000)] {
            f.ack(&[range]).unwrap();
            assert_eq!(acked(&mut f), new);
        }
        let strides = |f: &Fixture, number| f.detector.sent.get(number).unwrap().stride();
        assert_eq!([0, 1, 5_000].map(|number| strides(&f, number)), [1, 24_999, 15_000]);
        f.detector.sent.skip(f.tick.now);
        assert_eq!(f.ack(&[1..=30_000]), Err(FalseAck));
    }

    /// How long 400 acknowledgements take, each of one packet, while every other one of `count` is held back.
    fn time_to_acknowledge_beside(count: u64) -> std::time::Duration {
        let mut f = Fixture::new();
        f.send(6);
        f.wait(2000);
        f.ack(&[3..=5]).unwrap();
        f.ack(&[2..=5]).unwrap(); // it was only late: packets are judged by time from now on
        f.send(count);
        f.wait(100);
        let odd = (3..count / 2).map(|number| 2 * number + 1);
        let (before, asked) = odd.clone().partition::<Vec<_>, _>(|&number| number < count - 800);
        before.into_iter().for_each(|number| f.ack(&[number..=number]).unwrap());
        let begun = cpu_time::ThreadTime::now();
        asked.into_iter().for_each(|number| f.ack(&[number..=number]).unwrap());
        let took = begun.elapsed();
        assert!(f.detector.lost < 3 && f.detector.sent.bytes_in_flight() > 400 * count);
        took
    }

    #[test]
    fn what_is_held_back_costs_nothing_in_each_acknowledgement() {
        let fastest = |count| (0..4).map(|_| time_to_acknowledge_beside(count)).min().unwrap();
        let (few, many) = (fastest(2_000), fastest(32_000));
        let ratio = many.as_secs_f64() / few.as_secs_f64();
        assert!(ratio < 5.0, "{few:?} and {many:?}");
    }

    #[test]
    fn acknowledging_what_was_not_sent_is_noticed() {
        let mut f = Fixture::new();
        f.send(3);
        assert_eq!(f.ack(&[3..=3]), Err(FalseAck));
        f.detector.sent.skip(f.tick.now);
        f.send(2);
        assert_eq!(f.ack(&[0..=5]), Err(FalseAck)); // 3 was left out
    }

    #[test]
    fn a_sender_stops_where_16_bits_could_no_longer_name_the_number() {
        let mut f = Fixture::new();
        f.send(MAX_AHEAD - 1);
        assert!(!f.detector.is_too_far_ahead());
        f.send(1);
        assert!(f.detector.is_too_far_ahead());
        f.ack(&[0..=0]).unwrap();
        assert!(!f.detector.is_too_far_ahead());
    }

    #[test]
    fn packet_numbers_go_on_past_16_bits() {
        let mut f = Fixture::new();
        for round in 0..70 {
            f.send(1000);
            f.wait(5);
            f.ack(&[0..=(round + 1) * 1000 - 1]).unwrap();
            let settled = f.settled();
            assert_eq!(settled.len(), 1000);
            assert!(settled.iter().all(|(_, fate)| *fate == Fate::Acked));
        }
        assert_eq!(f.detector.largest_acked(), Some(69_999));
        assert_eq!(f.detector.sent.first_number(), 70_000);
    }
}
