//! How much may be on the way and how fast it may leave: a model of the path's rate and its shortest
//! round trip (BBR version 1, draft-cardwell-iccrg-bbr-congestion-control-00), adapted to programs that
//! live on ticks. Players sit on lossy radio: loss is no sign of congestion unless a round loses more
//! than a fifth.

use super::delivery_rate::{DeliveryRate, Departure};
use crate::time::Instant;
use std::time::Duration;

/// The size the window is counted in.
const PACKET: u64 = 1200;
/// What may leave before anything is known of the path; quinn's BBR begins with 200.
const INITIAL_WINDOW: u64 = 64 * PACKET;
/// However bad the path, this much may always be on the way in each round trip.
const MIN_WINDOW: u64 = 4 * PACKET;
const MAX_WINDOW: u64 = 64 << 20;
/// Loss above this share of a round is congestion.
const LOSS_TOLERANCE_PERCENT: u64 = 20;
/// Rounds for which the largest rate counts.
const RATE_MEMORY: usize = 10;
/// How long the shortest round trip counts, and how long the path is drained to measure it again.
const RTT_MEMORY: Duration = Duration::from_secs(10);
const RTT_PROBE: Duration = Duration::from_millis(200);
/// A round whose fastest packet waited this much longer than ticks explain has built a queue.
const QUEUE_ALLOWANCE: Duration = Duration::from_millis(5);

/// Gains, in percent of the model's rate.
const STARTUP_GAIN: u64 = 300;
const DRAIN_GAIN: u64 = 75;
const WINDOW_GAIN: u64 = 200;
const CYCLE: [u64; 8] = [125, 75, 100, 100, 100, 100, 100, 100];
/// Rounds without a quarter more after which a path counts as full.
const FULL_ROUNDS: u32 = 3;

/// What the sender does to learn the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Looks for the rate, more than doubling each round.
    Startup,
    /// Drains the queue that this built.
    Drain,
    /// Sends at the rate, and a little more and less in turn: the phase of [`CYCLE`] and its start.
    ProbeRate(usize, Instant),
    /// Sends next to nothing, to see the round trip without a queue: until when, once that is known.
    ProbeRtt(Option<Instant>),
}

/// The largest rates measured in the last rounds that measured any.
#[derive(Debug, Default)]
struct RateMemory {
    rounds: [u64; RATE_MEMORY],
    current: usize,
    /// The largest in this round.
    newest: u64,
}

impl RateMemory {
    fn note(&mut self, rate: u64) {
        self.newest = self.newest.max(rate);
        if let Some(slot) = self.rounds.get_mut(self.current) {
            *slot = self.newest;
        }
    }

    fn max(&self) -> u64 {
        self.rounds.iter().copied().max().unwrap_or(0)
    }

    fn end_round(&mut self) {
        if self.newest > 0 {
            self.current = (self.current + 1) % RATE_MEMORY;
            self.newest = 0;
            self.note(0);
        }
    }

    /// Forgets what is above `rate`.
    fn limit(&mut self, rate: u64) {
        self.rounds.iter_mut().for_each(|known| *known = (*known).min(rate));
    }
}

/// The model of a path.
#[derive(Debug)]
pub struct Congestion {
    mode: Mode,
    delivery: DeliveryRate,
    rate: RateMemory,
    min_rtt: Option<Duration>,
    min_rtt_at: Instant,
    latest_rtt: Duration,
    /// What ticks and held-back acknowledgements add to a round trip.
    slack: Duration,
    lossy_rounds: u32,
    is_queueing: bool,
    /// True once the rate no longer grew.
    is_full: bool,
    full_rate: u64,
    probed_from: u64,
    full_rounds: u32,
    /// The most that arrived at a time, as a rate: what startup goes by, long before a round trip
    /// measured as much.
    burst_rate: u64,
    /// Bytes that the current acknowledgement is for, and when the last one's had arrived.
    burst: u64,
    burst_sent: Instant,
    burst_at: Instant,
    /// The next packet number when this round began: a round ends when it is acknowledged.
    round_end: u64,
    acked: u64,
    lost: u64,
    /// The smallest round trip of this round: what varies from packet to packet is not a queue.
    fastest: Option<Duration>,
}

/// An acknowledgement, after all its packets were noted.
#[derive(Clone, Copy, Debug)]
pub struct AckSummary {
    /// The current update.
    pub now: Instant,
    /// When the last packet arrived at the peer, as far as this end can tell.
    pub delivered_at: Instant,
    /// The largest number acknowledged so far, and the next to be sent.
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
            min_rtt: None,
            min_rtt_at: Instant::ZERO,
            latest_rtt: Duration::ZERO,
            slack: Duration::ZERO,
            lossy_rounds: 0,
            is_queueing: false,
            is_full: false,
            full_rate: 0,
            probed_from: 0,
            full_rounds: 0,
            burst_rate: 0,
            burst: 0,
            burst_sent: Instant::ZERO,
            burst_at: Instant::ZERO,
            round_end: 0,
            acked: 0,
            lost: 0,
            fastest: None,
        }
    }
}

impl Congestion {
    /// Bytes that may be on the way.
    pub fn window(&self) -> u64 {
        let in_round = self.in_round_trip();
        match self.mode {
            Mode::Startup => {
                let span = self.span().unwrap_or_default();
                share(bytes_of(self.rate.max().max(self.burst_rate), span), STARTUP_GAIN)
                    .max(INITIAL_WINDOW)
            }
            Mode::Drain => share(in_round, STARTUP_GAIN),
            Mode::ProbeRate(..) => share(in_round, WINDOW_GAIN),
            Mode::ProbeRtt(_) => MIN_WINDOW,
        }
        .clamp(MIN_WINDOW, MAX_WINDOW)
    }

    /// Bytes a second that may leave.
    pub fn pacing_rate(&self) -> u64 {
        let rate = self.rate.max();
        let gain = match self.mode {
            Mode::Startup => {
                let span =
                    self.span().unwrap_or(Duration::from_millis(100)).max(Duration::from_millis(1));
                return share(
                    rate.max(rate_of(INITIAL_WINDOW, span)).max(self.burst_rate),
                    STARTUP_GAIN,
                );
            }
            Mode::Drain if self.is_queueing => DRAIN_GAIN,
            Mode::Drain => 100,
            Mode::ProbeRate(phase, _) => CYCLE.get(phase).copied().unwrap_or(100),
            Mode::ProbeRtt(_) => 100,
        };
        share(rate, gain).max(PACKET)
    }

    /// A round trip as ticks see it: the path's own, and what both ends' ticks add.
    fn span(&self) -> Option<Duration> {
        Some(self.min_rtt? + self.slack)
    }

    /// Bytes that are on the way when the rate is used and nothing queues.
    fn in_round_trip(&self) -> u64 {
        bytes_of(self.rate.max(), self.span().unwrap_or_default())
    }

    /// Notes a packet that must be acknowledged and leaves while `in_flight` bytes are on the way.
    pub fn on_sent(&mut self, now: Instant, in_flight: u64) -> Departure {
        self.delivery.on_sent(now, in_flight)
    }

    /// Notes that nothing more is to be sent while `in_flight` bytes are on the way.
    pub fn on_app_limited(&mut self, in_flight: u64) {
        if in_flight < self.window() {
            self.delivery.on_app_limited(in_flight);
        }
    }

    /// Notes that a packet of `bytes` bytes arrived. Follow with [`on_ack`](Self::on_ack).
    pub fn on_packet_acked(&mut self, sent_at: Instant, departure: &Departure, bytes: u64) {
        self.acked = self.acked.saturating_add(bytes);
        self.burst_sent = if self.burst == 0 { sent_at } else { self.burst_sent.min(sent_at) };
        self.burst = self.burst.saturating_add(bytes);
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

    /// Notes a round trip, without what the peer held back.
    pub fn on_rtt(&mut self, now: Instant, rtt: Duration) {
        self.latest_rtt = rtt;
        self.fastest = Some(self.fastest.map_or(rtt, |fastest| fastest.min(rtt)));
        if self.min_rtt.is_none_or(|min| rtt <= min) {
            self.min_rtt = Some(rtt);
            self.min_rtt_at = now;
        }
    }

    /// Takes in the end of an acknowledgement.
    pub fn on_ack(&mut self, ack: &AckSummary) {
        self.slack = ack.tick + ack.held_back;
        let began = self.burst_at.max(self.burst_sent + self.min_rtt.unwrap_or_default());
        let gap = ack
            .delivered_at
            .since(began)
            .clamp(self.slack, Duration::from_secs(1))
            .max(Duration::from_millis(1));
        self.burst_rate = self.burst_rate.max(rate_of(self.burst, gap));
        self.burst = 0;
        self.burst_at = ack.delivered_at;
        let sample = self.delivery.sample(ack.delivered_at, self.min_rtt.unwrap_or_default());
        let mut app_limited = false;
        if let Some(sample) = sample {
            app_limited = sample.app_limited;
            if !app_limited || sample.rate >= self.rate.max() {
                self.rate.note(sample.rate);
            }
        }
        if !self.is_full && self.is_lossy() && self.acked + self.lost > 2 * INITIAL_WINDOW {
            self.is_full = true;
        }
        if ack.largest >= self.round_end {
            self.round_end = ack.next_number;
            self.end_round(app_limited, ack.tick);
        }
        self.change_mode(ack, app_limited);
    }

    fn is_lossy(&self) -> bool {
        let lossy = self.lost * 100 > (self.acked + self.lost) * LOSS_TOLERANCE_PERCENT;
        lossy && self.lost > 8 * PACKET
    }

    fn end_round(&mut self, app_limited: bool, tick: Duration) {
        let lossy = self.is_lossy();
        let queue = self.fastest.unwrap_or_default().saturating_sub(self.min_rtt.unwrap_or_default());
        let queueing = queue > tick + QUEUE_ALLOWANCE;
        self.lossy_rounds = if lossy { self.lossy_rounds + 1 } else { 0 };
        if !self.is_full && !app_limited {
            let rate = self.rate.max();
            if rate >= share(self.full_rate, 125) {
                self.full_rate = rate;
                self.full_rounds = 0;
            } else {
                self.full_rounds += 1;
            }
            self.is_full =
                self.full_rounds >= FULL_ROUNDS || (self.full_rounds > 0 && (lossy || queueing));
        } else if self.lossy_rounds > 1 {
            self.rate.limit(self.rate.newest.max(share(self.rate.max(), 70)));
        }
        self.rate.end_round();
        self.acked = 0;
        self.lost = 0;
        self.fastest = None;
    }

    fn change_mode(&mut self, ack: &AckSummary, app_limited: bool) {
        let now = ack.now;
        let queue = self.latest_rtt.saturating_sub(self.min_rtt.unwrap_or_default());
        let drained = queue <= ack.tick + QUEUE_ALLOWANCE;
        self.is_queueing = !drained;
        let span = self.span().unwrap_or_default();
        match self.mode {
            Mode::Startup if self.is_full => self.mode = Mode::Drain,
            Mode::Drain if drained && ack.in_flight <= share(self.in_round_trip(), WINDOW_GAIN) => {
                self.probed_from = self.rate.max();
                self.mode = Mode::ProbeRate(2, now);
            }
            Mode::ProbeRate(phase, since) => {
                let early = CYCLE.get(phase) == Some(&75) && drained;
                if now.since(since) > span || early {
                    let found_more = phase == 2 && self.rate.max() >= share(self.probed_from, 115);
                    let mut phase = if found_more { 0 } else { (phase + 1) % CYCLE.len() };
                    if phase == 0 {
                        self.probed_from = self.rate.max();
                    }
                    if drained && CYCLE.get(phase) == Some(&75) {
                        phase += 1;
                    }
                    self.mode = Mode::ProbeRate(phase, now);
                }
            }
            Mode::ProbeRtt(None) if ack.in_flight <= MIN_WINDOW => {
                self.mode = Mode::ProbeRtt(Some(now + RTT_PROBE.max(span)));
            }
            Mode::ProbeRtt(Some(until)) if until <= now => {
                self.min_rtt_at = now;
                self.mode = if self.is_full { Mode::ProbeRate(0, now) } else { Mode::Startup };
            }
            _ => {}
        }
        if matches!(self.mode, Mode::ProbeRtt(_)) {
            self.delivery.on_app_limited(ack.in_flight);
        } else if now.since(self.min_rtt_at) > RTT_MEMORY {
            // What was measured since is what the path is like now.
            self.min_rtt = self.fastest.or(self.min_rtt);
            self.min_rtt_at = now;
            if !app_limited {
                self.mode = Mode::ProbeRtt(None);
            }
        }
    }

    /// Starts over, on another path.
    pub fn reset(&mut self) {
        *self =
            Congestion { delivery: self.delivery, round_end: self.round_end, ..Congestion::default() };
    }
}

fn share(value: u64, percent: u64) -> u64 {
    u64::try_from(u128::from(value) * u128::from(percent) / 100).unwrap_or(u64::MAX)
}

fn rate_of(bytes: u64, time: Duration) -> u64 {
    u64::try_from(u128::from(bytes) * 1_000_000_000 / time.as_nanos().max(1)).unwrap_or(u64::MAX)
}

fn bytes_of(rate: u64, time: Duration) -> u64 {
    u64::try_from(u128::from(rate) * time.as_nanos() / 1_000_000_000).unwrap_or(u64::MAX)
}
