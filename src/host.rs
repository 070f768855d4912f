//! Client and server on real sockets: what the C facade and Rust programs use. The engine decides,
//! the host reads and writes, with the program's clock and within a budget of work for each update.

mod client;
mod crowding;
mod ports;
mod server;

pub use client::{ClientHost, ConnectError, Wire};
pub use server::{NotAllSent, ServerHost, ServerHostConfig, StartError};

use crate::endpoint::Path;
use crate::message::Delivery;
use crate::simulator::{Simulator, SimulatorConfig};
use crate::socket::SEND_SIZE;
use crate::time::Instant;
use crate::v2::connection::Transmit;
use std::time::Duration;

/// When messages leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SendMode {
    /// An unreliable message inside the call, a reliable one at the next update: as in the original.
    #[default]
    Immediate,
    /// At the next flush or update: messages share datagrams, and one system call carries many.
    Batched,
    /// The same, and a thread of the library makes the system calls of a server; on a client as `Batched`.
    Threaded,
}

/// An update reads for a quarter of the time since the last, but at least for this long.
const LEAST_READING: Duration = Duration::from_millis(2);
const READING_SHARE: u32 = 4;

/// How much an update may read. What is left waits in the socket.
#[derive(Clone, Copy, Debug)]
struct ReadBudget {
    datagrams: usize,
    time: Duration,
}

impl ReadBudget {
    /// For `clients` clients, `step` after the last update.
    fn new(clients: usize, step: Duration) -> ReadBudget {
        ReadBudget { datagrams: 64 + 64 * clients, time: (step / READING_SHARE).max(LEAST_READING) }
    }
}

/// The network that a program asked to be simulated, between the engine and the socket.
type SendSimulator = Simulator<Path>;

/// Sends what `poll` makes through the simulator.
fn transmit_simulated(
    simulator: &mut SendSimulator,
    now: Instant,
    largest: usize,
    mut poll: impl FnMut(&mut [u8]) -> Option<Transmit>,
) {
    let mut buffer = [0; SEND_SIZE];
    let room = buffer.get_mut(..largest).unwrap_or_default();
    while let Some(transmit) = poll(room) {
        simulator.push(now, transmit.path, room.get(..transmit.size).unwrap_or_default());
    }
}

/// Which message channels are reliable: a bit for each wire channel.
#[derive(Clone, Copy, Debug, Default)]
struct ReliableChannels(u16);

impl ReliableChannels {
    fn set(&mut self, channel: u8, reliable: bool) {
        let bit = 1u16.checked_shl(channel.into()).unwrap_or(0);
        if reliable { self.0 |= bit } else { self.0 &= !bit }
    }

    fn delivery(self, channel: u8) -> Delivery {
        let reliable = self.0.checked_shr(channel.into()).is_some_and(|bits| bits & 1 == 1);
        if reliable { Delivery::ReliableOrdered } else { Delivery::UnreliableSequenced }
    }
}

/// What the system's clock says has passed since the last call, for programs that leave time to the library;
/// nothing at the first.
#[derive(Debug, Default)]
struct SystemClock {
    last: Option<std::time::Instant>,
}

impl SystemClock {
    fn since_last(&mut self) -> Duration {
        let now = std::time::Instant::now();
        self.last.replace(now).map_or(Duration::ZERO, |last| now - last)
    }
}

/// The simulator as the C functions set it: seconds and chances, whatever they are.
pub fn simulator_config(latency: f64, jitter: f64, loss: f64, duplicate: f64) -> SimulatorConfig {
    let number = |value: f64| if value.is_nan() { 0.0 } else { value };
    let seconds = |value| Duration::try_from_secs_f64(number(value).min(3600.0)).unwrap_or_default();
    let chance = |value| number(value).clamp(0.0, 1.0);
    SimulatorConfig {
        latency: seconds(latency),
        jitter: seconds(jitter),
        loss: chance(loss),
        duplicate: chance(duplicate),
        ..SimulatorConfig::default()
    }
}
