//! What a session draws from its seed.

use crate::ms;
use cute_net::crypto::random::Generator;
use cute_net::duration::Duration;
use cute_net::simulator::SimulatorConfig;

pub struct Draw(Generator);

impl Draw {
    pub fn new(seed: u64) -> Draw {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Draw(Generator::new(bytes))
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub fn pick<T: Copy, const N: usize>(&mut self, of: [T; N]) -> T {
        of[self.below(N as u64) as usize]
    }

    pub fn seed(&mut self) -> [u8; 32] {
        self.0.bytes()
    }

    /// One direction of a network; a clean one only delays and duplicates.
    pub fn network(&mut self, clean: bool) -> SimulatorConfig {
        let rate = self.pick([20_000, 60_000, 200_000, 1_000_000]);
        let queue = (rate / self.pick([2, 5, 20])).max(4000);
        let latency = ms(self.pick([0, 0, 5, 20, 40, 80, 200, 500]));
        let duplicate = self.pick([0.0, 0.0, 0.05, 0.4]);
        if clean {
            return SimulatorConfig { latency, duplicate, ..SimulatorConfig::default() };
        }
        SimulatorConfig {
            latency,
            jitter: ms(self.pick([0, 0, 0, 5, 30, 100, 300])),
            loss: self.pick([0.0, 0.0, 0.0, 0.01, 0.05, 0.1, 0.25, 0.5]),
            duplicate,
            reorder: self.pick([0.0, 0.0, 0.05, 0.4]),
            bottleneck: self.one_in(3).then_some((rate, queue)),
        }
    }

    /// How often a program updates: a tick, or whenever the engine has something to do.
    pub fn tick(&mut self) -> Option<Duration> {
        let rate = self.pick([10, 20, 30, 60, 60, 60, 100, 144, 240, 1000]);
        (!self.one_in(8)).then(|| Duration::from_secs(1) / rate)
    }

    /// The size of a message of which at most `left` bytes may be large.
    pub fn size(&mut self, left: usize) -> usize {
        let size = match self.below(100) {
            0..4 => 0,
            4..10 => 1,
            10..60 => 1 + self.below(100),
            60..80 => 1000 + self.below(400),
            80..90 => 1100 * (1 + self.below(10)),
            90..97 => 1 + self.below(30_000),
            97..99 => 100_000 + self.below(200_000),
            _ => 2 << 20,
        };
        let small = self.below(40);
        if size as usize <= left || size < 100 { size as usize } else { small as usize }
    }

    /// A limit of bytes a second, or none.
    pub fn rate(&mut self) -> Option<u32> {
        let rate = self.pick([5_000, 20_000, 100_000, 1_000_000]);
        self.one_in(6).then_some(rate)
    }
}
