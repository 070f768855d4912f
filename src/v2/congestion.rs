//! How much may be on the way and how fast it may leave: a model of the path's rate and its shortest
//! round trip (BBR version 1, draft-cardwell-iccrg-bbr-congestion-control-00), adapted to programs that
//! live on ticks. Players sit on lossy radio: loss is no sign of congestion unless more than a quarter is
//! lost, round after round.

use super::delivery_rate::{DeliveryRate, Departure, RateMemory, bytes_in, micros, rate_of, time_for};
use super::dispersion::Dispersion;
use super::pacer::Pace;
use super::queue_wait::{QueueWait, RoundTrip};
use crate::duration::Duration;
use crate::time::Instant;

/// The size the window is counted in.
const PACKET: u64 = 1200;
/// What may leave before anything is known of the path. quinn's BBR begins with 200 packets.
const INITIAL_WINDOW: u64 = 64 * PACKET;
/// However bad the path, this much may always be on the way in each round trip.
const MIN_WINDOW: u64 = 4 * PACKET;
const MAX_WINDOW: u64 = 64 << 20;
/// Loss above this share of a round is congestion, if it is more than a few packets. Of a path that loses a
/// fifth every second round loses more than that, and few lose more than a quarter.
const LOSS_TOLERANCE_PERCENT: u64 = 25;
/// Startup, which sends several times too much before it knows, takes less for a full queue.
const STARTUP_LOSS_PERCENT: u64 = 20;
const FEW: u64 = 8 * PACKET;
/// What is sent more for what is lost, in percent.
const MOST_ON_TOP: u64 = 6;
/// How long the shortest round trip counts, and how long the path is drained to measure it again.
const RTT_MEMORY: Duration = Duration::from_secs(10);
const RTT_PROBE: Duration = Duration::from_millis(200);
/// How much less is sent for each millisecond of a queue beyond what is allowed, in percent, down to [`DRAIN_GAIN`].
const LESS_PER_MILLISECOND: u64 = 4;
/// A queue as long as this is not probed, while it may be the own.
const TOO_LONG_TO_PROBE: Duration = Duration::from_millis(15);
/// With a queue as long as this, what is lost is not for the air to answer.
const NO_QUEUE: Duration = Duration::from_millis(1);

/// Gains, in percent. The draft starts with 289; ticks make a round longer, and its measurement later.
const STARTUP_GAIN: u64 = 300;
/// What arrived in a burst arrived at least as fast.
const BURST_GAIN: u64 = 160;
/// Startup sends no more than this of the rate at which bursts arrive.
const DISPERSION_GAIN: u64 = 125;
/// What leaves together in startup where the engine is woken by its timer: enough to tell that rate.
const TRAIN: u64 = 21 * PACKET;
const DRAIN_GAIN: u64 = 50;
/// The least that is sent while no more is on the way than the path holds without a queue. What a packet
/// waited for is then another's queue, or none: radio and ticks delay some packets and not the fastest. To send
/// half as much for that would end with a rate of next to nothing, since no more is measured than is sent. Probing
/// makes up for this gain.
const GENTLE_DRAIN_GAIN: u64 = 100 * 100 / PROBING_GAIN;
const WINDOW_GAIN: u64 = 200;
/// The phases in which the rate is probed, each as long as a round trip: more than the rate, then the
/// rate, and in the second phase it is known what that found.
const PHASES: u8 = 7;
const PROBING: u8 = 0;
const FOUND: u8 = 2;
const PROBING_GAIN: u64 = 125;
/// And as many phases where probing again and again found nothing but loss.
const MOST_PHASES: u8 = 4 * PHASES;
/// Rounds without a quarter more after which a path counts as full.
const FULL_ROUNDS: u32 = 3;
/// Round trips for which the queue of the start is drained at most.
const DRAIN_ROUNDS: u32 = 8;

/// What the sender does to learn the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Looks for the rate, more than doubling each round.
    Startup,
    /// Drains the queue that this built, since then.
    Drain(Instant),
    /// Sends at the rate, and every few rounds more: the phase, since then.
    ProbeRate(u8, Instant),
    /// Sends next to nothing, to see the round trip without a queue, until then.
    ProbeRtt(Instant),
}

/// The model of a path.
#[derive(Debug)]
pub struct Congestion {
    mode: Mode,
    delivery: DeliveryRate,
    /// The largest rate of the last rounds.
    rate: RateMemory,
    /// The largest rate at which a burst arrived: what startup goes by, long before a whole round trip
    /// measured as much.
    burst_rate: u64,
    /// The shortest round trip lately, and when it was seen.
    min_rtt: Option<Duration>,
    min_rtt_at: Instant,
    latest_rtt: Duration,
    /// How fast bursts arrive.
    dispersion: Dispersion,
    /// How long packets wait in queues.
    wait: QueueWait,
    /// What ticks and held-back acknowledgements add to a round trip, and the own tick alone.
    slack: Duration,
    tick: Duration,
    /// True if more is on the way than the path holds without a queue.
    is_overfull: bool,
    /// True once the rate no longer grew.
    is_full: bool,
    full_rate: u64,
    full_rounds: u32,
    /// The rate before it was last probed, and whether more was lost since than the air takes.
    probed_from: u64,
    probe_lost: bool,
    /// The phases until the next probe.
    phases: u8,
    /// The next packet number when this round began: a round ends when it is acknowledged.
    round_end: u64,
    /// Bytes that arrived and were lost in this round, and rounds in a row that lost too much.
    acked: u64,
    lost: u64,
    lossy_rounds: u32,
    /// Since when this round has lost too much.
    lossy_since: Option<Instant>,
    /// The share that is lost, smoothed over rounds.
    loss_percent: u64,
}

/// An acknowledgement, after all its packets were noted.
#[derive(Clone, Copy, Debug)]
pub struct AckSummary {
    /// The current update.
    pub now: Instant,
    /// When the last packet arrived at the peer, a shortest trip later.
    pub delivered_at: Instant,
    /// The largest number acknowledged.
    pub largest: u64,
    /// The next number to be sent.
    pub next_number: u64,
    /// Bytes still on the way.
    pub in_flight: u64,
    /// The own update interval: packets of one update wait for each other.
    pub tick: Duration,
    /// The longest the peer holds acknowledgements back.
    pub held_back: Duration,
}

impl Default for Congestion {
    fn default() -> Self {
        Congestion {
            mode: Mode::Startup,
            delivery: DeliveryRate::default(),
            rate: RateMemory::default(),
            burst_rate: 0,
            min_rtt: None,
            min_rtt_at: Instant::ZERO,
            latest_rtt: Duration::ZERO,
            dispersion: Dispersion::default(),
            wait: QueueWait::default(),
            slack: Duration::ZERO,
            tick: Duration::ZERO,
            is_overfull: false,
            is_full: false,
            full_rate: 0,
            full_rounds: 0,
            probed_from: 0,
            probe_lost: false,
            phases: PHASES,
            round_end: 0,
            acked: 0,
            lost: 0,
            lossy_rounds: 0,
            lossy_since: None,
            loss_percent: 0,
        }
    }
}

impl Congestion {
    /// Bytes that may be on the way.
    pub fn window(&self) -> u64 {
        let span = self.span();
        match self.mode {
            Mode::Startup => {
                share(bytes_in(self.startup_rate(), span), STARTUP_GAIN).max(INITIAL_WINDOW)
            }
            // What startup sent too much of is still on the way.
            Mode::Drain(_) => share(bytes_in(self.startup_rate(), span), STARTUP_GAIN),
            Mode::ProbeRate(..) => share(bytes_in(self.rate.max(), span), WINDOW_GAIN),
            Mode::ProbeRtt(_) => MIN_WINDOW,
        }
        .clamp(MIN_WINDOW, MAX_WINDOW)
    }

    /// True if `in_flight` bytes may be on the way.
    pub fn has_window_for(&self, in_flight: u64) -> bool {
        // A game that sends a little each tick needs no window computed.
        in_flight <= MIN_WINDOW || in_flight <= self.window()
    }

    /// How packets may leave.
    pub fn pace(&self) -> Pace {
        let train = if self.mode == Mode::Startup { TRAIN } else { 0 };
        Pace { rate: self.pacing_rate(), train }
    }

    /// Bytes a second that may leave.
    fn pacing_rate(&self) -> u64 {
        let gain = match self.mode {
            Mode::Startup => {
                // At first the window leaves within a quarter of a round trip.
                let initial = rate_of(4 * INITIAL_WINDOW, self.span());
                let most = self.dispersion.rate().map_or(u64::MAX, |rate| share(rate, DISPERSION_GAIN));
                let rate = share(self.startup_rate(), STARTUP_GAIN).max(initial);
                return rate.min(most.max(self.rate.max()));
            }
            Mode::ProbeRate(PROBING, _) if self.wait.time() < TOO_LONG_TO_PROBE || !self.is_overfull => {
                PROBING_GAIN
            }
            Mode::Drain(_) if self.wait.is_seen() => DRAIN_GAIN,
            // A queue that others fill too is drained whenever it's seen, not once a cycle.
            Mode::ProbeRate(..) if self.wait.is_seen() => {
                let less = u64::from(micros(self.wait.excess())) * LESS_PER_MILLISECOND / 1000;
                let least = if self.is_overfull { DRAIN_GAIN } else { GENTLE_DRAIN_GAIN };
                100u64.saturating_sub(less).max(least)
            }
            // What the air takes is sent on top. What a queue was too short for is not: more would be lost
            // because of what is sent for it.
            Mode::ProbeRate(..) if self.wait.time() < NO_QUEUE => {
                100 + self.loss_percent.min(MOST_ON_TOP)
            }
            Mode::ProbeRate(..) | Mode::Drain(_) | Mode::ProbeRtt(_) => 100,
        };
        share(self.rate.max(), gain).max(rate_of(MIN_WINDOW, self.span()))
    }

    fn startup_rate(&self) -> u64 {
        self.rate.max().max(share(self.burst_rate, BURST_GAIN))
    }

    /// A round trip as ticks see it: the path's own, and what both ends' ticks add.
    fn span(&self) -> Duration {
        let path = self.min_rtt.unwrap_or(Duration::from_millis(100));
        (path + self.slack).max(Duration::from_millis(1))
    }

    /// Notes a packet of `bytes` bytes that must be acknowledged and leaves while `in_flight` are on the
    /// way.
    pub fn on_sent(&mut self, now: Instant, bytes: u64, in_flight: u64) -> Departure {
        self.delivery.on_sent(now, bytes, in_flight)
    }

    /// Notes that nothing more is to be sent while `in_flight` bytes are on the way.
    pub fn on_app_limited(&mut self, in_flight: u64) {
        if self.has_window_for(in_flight + 1) {
            self.delivery.on_app_limited(in_flight);
        }
    }

    /// Notes that a packet of `bytes` bytes arrived. Follow with [`on_ack`](Self::on_ack).
    pub fn on_packet_acked(&mut self, sent_at: Instant, departure: &Departure, bytes: u64) {
        self.acked = self.acked.saturating_add(bytes);
        self.delivery.on_acked(sent_at, departure, bytes);
    }

    /// Notes that packets of `bytes` bytes were found lost.
    pub fn on_lost(&mut self, bytes: u64) {
        self.lost = self.lost.saturating_add(bytes);
    }

    /// Notes that a packet of `bytes` bytes that was taken for lost arrived after all.
    pub fn on_late(&mut self, bytes: u64) {
        self.lost = self.lost.saturating_sub(bytes);
    }

    /// Notes the round trip of the newest packet that an acknowledgement is for.
    pub fn on_rtt(&mut self, now: Instant, round_trip: &RoundTrip, departure: &Departure) {
        let rtt = round_trip.time;
        self.latest_rtt = rtt;
        let longer = rtt.saturating_sub(self.min_rtt.unwrap_or(rtt));
        if self.min_rtt.is_some() {
            self.dispersion.note(departure.ahead.into(), longer);
        }
        // It waited for those of its own update too, and took longer than the smallest by what its bytes take.
        let bottleneck = self.rate.max().max(self.dispersion.rate().unwrap_or(0));
        let others = time_for(departure.ahead.into(), bottleneck).min(self.tick);
        let own = time_for(round_trip.bytes, bottleneck);
        self.wait.note(longer, others + own, round_trip.rough);
        if self.min_rtt.is_none_or(|min| rtt <= min) {
            self.min_rtt = Some(rtt);
            self.min_rtt_at = now;
        }
    }

    /// Takes in the end of an acknowledgement.
    pub fn on_ack(&mut self, ack: &AckSummary) {
        self.tick = ack.tick;
        self.slack = ack.tick + ack.held_back;
        let min_rtt = self.min_rtt.unwrap_or_default();
        let burst = self.delivery.burst_rate(ack.delivered_at, min_rtt, self.slack);
        self.burst_rate = self.burst_rate.max(burst);
        let sample = self.delivery.sample(ack.delivered_at, min_rtt);
        if let Some(sample) = sample
            && (!sample.app_limited || sample.rate >= self.rate.max())
        {
            self.rate.note(sample.rate);
        }
        let app_limited = sample.is_some_and(|sample| sample.app_limited);
        let empty = min_rtt + self.wait.rough();
        self.is_overfull = ack.in_flight > bytes_in(self.rate.max(), empty) + MIN_WINDOW;
        // The first burst can overflow a queue whose path is far from full, and what is only late is known
        // as that after the next ticks.
        if self.acked + self.lost > 2 * INITIAL_WINDOW && self.is_lossy() {
            let since = *self.lossy_since.get_or_insert(ack.now);
            self.is_full |= ack.now.since(since) >= self.slack;
        } else {
            self.lossy_since = None;
        }
        if ack.largest >= self.round_end {
            self.round_end = ack.next_number;
            self.end_round(app_limited);
        }
        self.change_mode(ack, app_limited);
    }

    fn is_lossy(&self) -> bool {
        let percent = if self.is_full { LOSS_TOLERANCE_PERCENT } else { STARTUP_LOSS_PERCENT };
        self.lost > FEW && self.lost * 100 > (self.acked + self.lost) * percent
    }

    fn end_round(&mut self, app_limited: bool) {
        let lossy = self.is_lossy();
        let percent = self.lost * 100 / (self.acked + self.lost).max(1);
        match self.mode {
            Mode::ProbeRate(phase, _) if phase > FOUND => {
                self.loss_percent = (self.loss_percent * 3 + percent) / 4;
            }
            Mode::ProbeRate(..) => {
                let usual = (self.acked + self.lost) * (self.loss_percent + 2) / 100;
                self.probe_lost |= self.lost > usual + FEW;
            }
            Mode::Startup | Mode::Drain(_) | Mode::ProbeRtt(_) => {}
        }
        self.lossy_rounds = if lossy { self.lossy_rounds + 1 } else { 0 };
        if self.is_full {
            // What startup sent too much of is lost in one round.
            if self.lossy_rounds > 1 {
                self.rate.limit(self.rate.newest().max(share(self.rate.max(), 70)));
            }
        } else if !app_limited {
            let rate = self.rate.max();
            if rate >= share(self.full_rate, 125) {
                self.full_rate = rate;
                self.full_rounds = 0;
            } else {
                self.full_rounds += 1;
            }
            let evident = lossy || self.wait.is_seen();
            self.is_full = self.full_rounds >= FULL_ROUNDS || (self.full_rounds > 0 && evident);
        }
        self.dispersion.end_round();
        self.rate.end_round();
        self.acked = 0;
        self.lost = 0;
    }

    fn change_mode(&mut self, ack: &AckSummary, app_limited: bool) {
        let now = ack.now;
        let span = self.span();
        let in_round_trip = bytes_in(self.rate.max(), span);
        let queueing = self.wait.is_seen();
        match self.mode {
            Mode::Startup if self.is_full => self.mode = Mode::Drain(now),
            Mode::Drain(since) => {
                let drained = !queueing && ack.in_flight <= share(in_round_trip, WINDOW_GAIN);
                if drained || ack.in_flight <= in_round_trip || now.since(since) > span * DRAIN_ROUNDS {
                    self.probed_from = self.rate.max();
                    self.mode = Mode::ProbeRate(FOUND, now);
                }
            }
            Mode::ProbeRate(phase, since) if now.since(since) > span => {
                self.mode = Mode::ProbeRate(self.phase_after(phase), now);
            }
            Mode::ProbeRtt(until) if until <= now => {
                self.min_rtt_at = now;
                self.mode = if self.is_full { Mode::ProbeRate(FOUND, now) } else { Mode::Startup };
            }
            Mode::Startup | Mode::ProbeRate(..) | Mode::ProbeRtt(_) => {}
        }
        if matches!(self.mode, Mode::ProbeRtt(_)) {
            self.delivery.on_app_limited(ack.in_flight);
        } else if now.since(self.min_rtt_at) > RTT_MEMORY {
            // What is measured now is what the path is like now.
            self.min_rtt = Some(self.latest_rtt);
            self.min_rtt_at = now;
            if !app_limited {
                // What is on the way arrives first. How much stays on the way is not asked: what is
                // unreliable goes on.
                self.mode = Mode::ProbeRtt(now + span + RTT_PROBE.max(span));
            }
        }
    }

    /// The phase that follows. A path that turned out to be faster is probed again at once, one that is full
    /// less and less often.
    fn phase_after(&mut self, phase: u8) -> u8 {
        let found_more = phase == FOUND && self.rate.max() >= share(self.probed_from, 115);
        if phase == FOUND {
            let in_vain = self.probe_lost && !found_more;
            self.phases = if in_vain { (2 * self.phases).min(MOST_PHASES) } else { PHASES };
        }
        if (found_more && !self.probe_lost) || phase + 1 >= self.phases {
            self.probed_from = self.rate.max();
            self.probe_lost = false;
            return PROBING;
        }
        phase + 1
    }

    /// Starts over, on another path.
    pub fn reset(&mut self) {
        *self =
            Congestion { delivery: self.delivery, round_end: self.round_end, ..Congestion::default() };
    }
}

fn share(value: u64, percent: u64) -> u64 {
    value.saturating_mul(percent) / 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    const fn round_trip(time: Duration, bytes: u64) -> RoundTrip {
        RoundTrip { time, rough: Duration::ZERO, bytes }
    }

    /// A path with a rate, a round trip of 50 ms and a queue; a sender on ticks that always has more.
    struct PathModel {
        congestion: Congestion,
        rate: u64,
        queue: u64,
        tick: Duration,
        /// Every how manieth packet is lost on the air; 0 for none.
        lose_one_in: u64,
        now: Instant,
        free_at: Instant,
        flying: VecDeque<(Instant, Instant, Departure, bool)>,
        number: u64,
        in_flight: u64,
        budget: i64,
    }

    impl PathModel {
        fn new(rate: u64, queue: u64) -> PathModel {
            PathModel {
                congestion: Congestion::default(),
                rate,
                queue,
                tick: ms(10),
                lose_one_in: 0,
                now: Instant::ZERO + ms(1000),
                free_at: Instant::ZERO,
                flying: VecDeque::new(),
                number: 0,
                in_flight: 0,
                budget: 0,
            }
        }

        /// One tick: what arrived is acknowledged, and what may leave leaves. Returns bytes that arrived.
        fn step(&mut self) -> u64 {
            self.now = self.now + self.tick;
            let mut arrived = 0;
            let mut newest = None;
            while let Some((at, sent, departure, lost)) = self.flying.pop_front_before(self.now) {
                self.in_flight -= 1200;
                if lost {
                    self.congestion.on_lost(1200);
                } else {
                    self.congestion.on_packet_acked(sent, &departure, 1200);
                    arrived += 1200;
                    newest = Some((at, sent, departure));
                }
            }
            if let Some((at, sent, departure)) = newest {
                self.congestion.on_rtt(self.now, &round_trip(at.since(sent), 1200), &departure);
                self.congestion.on_ack(&AckSummary {
                    now: self.now,
                    delivered_at: at,
                    largest: self.number - self.in_flight / 1200 - 1,
                    next_number: self.number,
                    in_flight: self.in_flight,
                    tick: self.tick,
                    held_back: ms(0),
                });
            }
            let earned = bytes_in(self.congestion.pacing_rate(), self.tick) as i64;
            self.budget = self.budget.min(0) + earned;
            while self.budget > 0 && self.in_flight + 1200 <= self.congestion.window() {
                self.budget -= 1200;
                let departure = self.congestion.on_sent(self.now, 1200, self.in_flight);
                let backlog = bytes_in(self.rate, self.free_at.since(self.now));
                let dropped = backlog + 1200 > self.queue;
                if !dropped {
                    self.free_at = self.free_at.max(self.now) + time_for(1200, self.rate);
                }
                let on_air = self.lose_one_in > 0 && self.number.is_multiple_of(self.lose_one_in);
                let at = self.free_at.max(self.now) + ms(50);
                self.flying.push_back((at, self.now, departure, dropped || on_air));
                self.in_flight += 1200;
                self.number += 1;
            }
            arrived
        }

        /// The share of the path's rate that is used while this time passes.
        fn share(&mut self, time: Duration) -> f64 {
            let end = self.now + time;
            let mut bytes = 0;
            while self.now < end {
                bytes += self.step();
            }
            bytes as f64 / bytes_in(self.rate, time) as f64
        }
    }

    trait PopBefore<T> {
        fn pop_front_before(&mut self, now: Instant) -> Option<T>;
    }

    impl PopBefore<(Instant, Instant, Departure, bool)> for VecDeque<(Instant, Instant, Departure, bool)> {
        fn pop_front_before(&mut self, now: Instant) -> Option<(Instant, Instant, Departure, bool)> {
            self.front().filter(|(at, ..)| *at <= now)?;
            self.pop_front()
        }
    }

    #[test]
    fn a_path_is_filled_within_a_few_round_trips_and_stays_so() {
        for rate in [300_000, 1_000_000, 10_000_000, 100_000_000] {
            let mut path = PathModel::new(rate, rate / 10);
            path.share(ms(600));
            let used = path.share(ms(5000));
            assert!(used > 0.9, "{rate}: {used}");
        }
    }

    #[test]
    fn a_tenth_lost_on_the_air_is_no_congestion() {
        let mut path = PathModel::new(5_000_000, 500_000);
        path.lose_one_in = 10;
        path.share(ms(1000));
        let used = path.share(ms(5000));
        assert!(used > 0.8, "{used}");
    }

    #[test]
    fn what_a_packet_itself_takes_on_a_slow_path_is_no_queue() {
        let mut path = PathModel::new(62_500, 60_000);
        // Small packets came before, and a large one takes 19 ms more.
        path.congestion.on_rtt(path.now, &round_trip(ms(50), 26), &Departure::default());
        path.share(ms(2000));
        let used = path.share(ms(6000));
        assert!(used > 0.9, "{used}");
    }

    #[test]
    fn a_delay_that_is_no_queue_of_its_own_leaves_a_sender_its_rate() {
        let mut path = PathModel::new(62_500, 60_000);
        // A packet was lucky once: all others seem to wait for 20 ms.
        path.congestion.on_rtt(path.now, &round_trip(ms(30), 26), &Departure::default());
        path.share(ms(2000));
        let used = path.share(ms(6000));
        assert!(used > 0.75, "{used}");
    }

    #[test]
    fn a_deep_queue_is_drained_after_the_start_and_not_kept() {
        let mut path = PathModel::new(2_000_000, 2_000_000);
        path.share(ms(2000));
        let mut waits: Vec<_> = (0..500)
            .map(|_| {
                path.step();
                path.free_at.since(path.now)
            })
            .collect();
        waits.sort();
        // What a tick sends at once takes a tick to leave.
        assert!(waits[250] < path.tick + ms(10), "{:?}", waits[250]);
    }

    #[test]
    fn more_rate_is_found_and_less_is_kept_to() {
        let mut path = PathModel::new(2_000_000, 200_000);
        path.share(ms(2000));
        path.rate = 8_000_000;
        path.queue = 800_000;
        path.share(ms(4000));
        let used = path.share(ms(1000));
        assert!(used > 0.85, "{used}");
        path.rate = 500_000;
        path.queue = 100_000;
        path.share(ms(3000));
        let sent = path.number;
        let arrived = path.share(ms(2000)) * 1_000_000.0;
        let sent = (path.number - sent) as f64 * 1200.0;
        assert!(sent < 1.2 * arrived, "{sent} sent, {arrived} arrived");
    }

    #[test]
    fn a_third_lost_round_after_round_is_congestion_and_something_always_leaves() {
        let mut path = PathModel::new(50_000_000, 5_000_000);
        path.lose_one_in = 3;
        path.share(ms(10_000));
        let sent = path.number;
        path.share(ms(1000));
        let sent = (path.number - sent) * 1200;
        assert!(sent < 25_000_000, "{sent}");
        assert!(path.congestion.window() >= MIN_WINDOW);
        path.lose_one_in = 1;
        path.share(ms(5000));
        let before = path.number;
        path.share(ms(1000));
        assert!(path.number - before >= 40, "{}", path.number - before);
    }

    #[test]
    fn the_round_trip_is_measured_anew_while_something_else_fills_the_path() {
        let mut path = PathModel::new(2_000_000, 200_000);
        path.share(ms(3000));
        let used = path.share(ms(25_000));
        assert!(used > 0.9, "{used}");
        // Unreliable packets leave whatever the window says: more than it is while the path is drained.
        let (mut probed, mut after) = (0, 0);
        for _ in 0..3000 {
            for _ in 0..10 {
                let departure = path.congestion.on_sent(path.now, 1200, path.in_flight);
                path.free_at = path.free_at.max(path.now) + time_for(1200, path.rate);
                path.flying.push_back((path.free_at + ms(50), path.now, departure, false));
                path.in_flight += 1200;
                path.number += 1;
            }
            path.step();
            let probing = matches!(path.congestion.mode, Mode::ProbeRtt(_));
            probed += u32::from(probing);
            after += u32::from(!probing && probed > 0);
        }
        assert!(probed > 0 && after > 2 * probed, "{probed} {after}");
    }

    #[test]
    fn a_program_with_little_to_say_neither_fills_nor_slows_the_model() {
        let mut congestion = Congestion::default();
        let mut now = Instant::ZERO;
        for number in 0..1000 {
            congestion.on_app_limited(0);
            let departure = congestion.on_sent(now, 100, 0);
            let sent = now;
            now = now + ms(100);
            congestion.on_packet_acked(sent, &departure, 100);
            congestion.on_rtt(now, &round_trip(ms(50), 100), &departure);
            congestion.on_ack(&AckSummary {
                now,
                delivered_at: sent + ms(50),
                largest: number,
                next_number: number + 1,
                in_flight: 0,
                tick: ms(16),
                held_back: ms(0),
            });
        }
        assert_eq!(congestion.mode, Mode::Startup);
        assert!(congestion.window() >= INITIAL_WINDOW);
        assert!(congestion.pacing_rate() >= INITIAL_WINDOW * 10, "{}", congestion.pacing_rate());
    }
}
