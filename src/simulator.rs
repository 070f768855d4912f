//! A bad network: latency, jitter, loss, duplication, reordering and a rate limit, drawn from a seed. It has
//! the shape of the engine, datagrams and time in, datagrams out: tests run it in virtual time, the host
//! between the engine and the socket.

use crate::crypto::random::Generator;
use crate::duration::Duration;
use crate::time::Instant;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// How bad the network is, in one direction. The default is a perfect one.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimulatorConfig {
    /// Every datagram takes at least this long.
    pub latency: Duration,
    /// And up to this much longer, evenly spread, which also reorders.
    pub jitter: Duration,
    /// The chance of a datagram to be lost, 0 to 1.
    pub loss: f64,
    /// The chance of a datagram to come again, 0 to 1.
    pub duplicate: f64,
    /// The chance of a datagram to be overtaken by those of the next 50 ms, 0 to 1.
    pub reorder: f64,
    /// Bytes a second that get through, and bytes that may wait for it; `None` is any number.
    pub bottleneck: Option<(u64, u64)>,
}

/// Datagrams on their way. `T` says where each goes.
#[derive(Debug)]
pub struct Simulator<T> {
    config: SimulatorConfig,
    generator: Generator,
    waiting: BinaryHeap<Waiting<T>>,
    /// What they cost.
    bytes: usize,
    count: u64,
    /// When the bottleneck has sent what it has.
    free_at: Instant,
}

/// What an overtaken datagram waits longer.
const HELD_BACK: Duration = Duration::from_millis(50);
/// Bytes of memory for what is on its way, at most: a program that sets a latency of hours must not run out of memory.
const MAX_BYTES: usize = 64 << 20;

#[derive(Debug)]
struct Waiting<T> {
    due: Instant,
    order: u64,
    to: T,
    bytes: Vec<u8>,
}

impl<T> Waiting<T> {
    /// Bytes of memory that a datagram of `length` bytes takes: a stranger may send those that have none.
    fn cost(length: usize) -> usize {
        size_of::<Self>() + length
    }
}

/// The earliest first, in a heap whose greatest comes first.
impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.order).cmp(&(self.due, self.order))
    }
}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Waiting<T> {}

fn generator(seed: u64) -> Generator {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(seed.to_le_bytes()) {
        *to = from;
    }
    Generator::new(bytes)
}

impl<T: Clone> Simulator<T> {
    /// A network of this kind. The same seed loses and delays the same datagrams.
    pub fn new(config: SimulatorConfig, seed: u64) -> Simulator<T> {
        Simulator {
            config,
            generator: generator(seed),
            waiting: BinaryHeap::new(),
            bytes: 0,
            count: 0,
            free_at: Instant::ZERO,
        }
    }

    /// Makes the network another kind, from the next datagram on.
    pub fn set_config(&mut self, config: SimulatorConfig) {
        self.config = config;
    }

    /// Draws from another seed, from the next datagram on.
    pub fn set_seed(&mut self, seed: u64) {
        self.generator = generator(seed);
    }

    /// Loses what is on its way.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
    }

    fn chance(&mut self, probability: f64) -> bool {
        // Draw in any case: a run with another loss rate then stays comparable.
        let draw = self.generator.below(1 << 53) as f64 / (1u64 << 53) as f64;
        draw < probability
    }

    fn up_to(&mut self, longest: Duration) -> Duration {
        Duration::from_nanos(self.generator.below(longest.as_nanos().saturating_add(1)))
    }

    /// Takes in a datagram that leaves at `now`.
    pub fn push(&mut self, now: Instant, to: T, bytes: &[u8]) {
        if self.chance(self.config.loss) {
            return;
        }
        let mut leaves = now;
        if let Some((rate, queue)) = self.config.bottleneck {
            let backlog = self.free_at.since(now);
            let waits = backlog.as_secs_f64() * rate as f64 + bytes.len() as f64;
            if !backlog.is_zero() && waits > queue as f64 {
                return;
            }
            let time = Duration::from_secs_f64(bytes.len() as f64 / rate.max(1) as f64);
            self.free_at = self.free_at.max(now) + time;
            leaves = self.free_at;
        }
        loop {
            let mut delay = self.config.latency + self.up_to(self.config.jitter);
            if self.chance(self.config.reorder) {
                delay += HELD_BACK;
            }
            let cost = Waiting::<T>::cost(bytes.len());
            if self.bytes + cost > MAX_BYTES {
                return;
            }
            self.bytes += cost;
            self.count += 1;
            let (due, order) = (leaves + delay, self.count);
            self.waiting.push(Waiting { due, order, to: to.clone(), bytes: bytes.to_vec() });
            // As in the original, a copy may be copied again, and never without end.
            if !self.chance(self.config.duplicate.min(0.9)) {
                return;
            }
        }
    }

    /// The next datagram that has arrived at `now`.
    pub fn pop(&mut self, now: Instant) -> Option<(T, Vec<u8>)> {
        if self.waiting.peek()?.due > now {
            return None;
        }
        self.pop_any()
    }

    /// The next datagram, whether it has arrived or not: for when time ends.
    pub fn pop_any(&mut self) -> Option<(T, Vec<u8>)> {
        let Waiting { to, bytes, .. } = self.waiting.pop()?;
        self.bytes -= Waiting::<T>::cost(bytes.len());
        Some((to, bytes))
    }

    /// When the next datagram arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.waiting.peek().map(|waiting| waiting.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(config: SimulatorConfig, seed: u64, count: u64) -> Vec<(u64, u64)> {
        let mut simulator = Simulator::new(config, seed);
        let mut arrived = Vec::new();
        for step in 0..count + 1000 {
            let now = Instant::ZERO + Duration::from_millis(step);
            if step < count {
                simulator.push(now, step, &[0; 100]);
            }
            while let Some((sent, _)) = simulator.pop(now) {
                arrived.push((sent, step));
            }
        }
        arrived
    }

    #[test]
    fn a_good_network_delivers_everything_in_order_after_the_latency() {
        let config = SimulatorConfig { latency: Duration::from_millis(20), ..Default::default() };
        assert_eq!(run(config, 1, 50), (0..50).map(|sent| (sent, sent + 20)).collect::<Vec<_>>());
    }

    #[test]
    fn a_seed_reproduces_a_run_and_the_rates_are_as_asked() {
        let config = SimulatorConfig {
            latency: Duration::from_millis(10),
            jitter: Duration::from_millis(5),
            loss: 0.2,
            duplicate: 0.1,
            reorder: 0.05,
            bottleneck: None,
        };
        let arrived = run(config, 7, 10_000);
        assert_eq!(arrived, run(config, 7, 10_000));
        assert_ne!(arrived, run(config, 8, 10_000));
        let expected = 10_000.0 * 0.8 / 0.9;
        assert!((arrived.len() as f64 / expected - 1.0).abs() < 0.03, "{}", arrived.len());
        assert!(arrived.windows(2).any(|pair| pair[0].0 > pair[1].0));
        assert!(arrived.iter().all(|(sent, at)| (10..=66).contains(&(at - sent))));
    }

    #[test]
    fn what_is_on_its_way_has_a_budget_however_small_it_is() {
        let config = SimulatorConfig { latency: Duration::from_secs(3600), ..Default::default() };
        let mut simulator = Simulator::new(config, 1);
        (0..2_000_000u64).for_each(|number| simulator.push(Instant::ZERO, number, &[]));
        assert!(simulator.waiting.len() * size_of::<Waiting<u64>>() <= MAX_BYTES);
        let arrived = std::iter::from_fn(|| simulator.pop_any()).count();
        assert!(arrived > 500_000 && simulator.bytes == 0, "{arrived}");
    }

    #[test]
    fn a_bottleneck_without_a_queue_takes_what_comes_while_it_has_nothing_to_do() {
        let config = SimulatorConfig { bottleneck: Some((50_000, 0)), ..Default::default() };
        let arrived = run(config, 1, 1000);
        // One of 2 ms in each 2 ms.
        assert!((480..=520).contains(&arrived.len()), "{}", arrived.len());
    }

    #[test]
    fn a_bottleneck_delays_and_then_drops() {
        let config = SimulatorConfig { bottleneck: Some((50_000, 1000)), ..Default::default() };
        let arrived = run(config, 1, 1000);
        // 100 bytes a millisecond into 50: half gets through, after a queue of 20 ms.
        assert!((480..=520).contains(&arrived.len()), "{}", arrived.len());
        assert!(arrived.iter().all(|(sent, at)| at - sent <= 21));
    }
}
