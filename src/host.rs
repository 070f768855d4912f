//! Client and server on real sockets: what the C facade and Rust programs use. The engine decides,
//! the host reads and writes, with the program's clock and within a budget of work for each update.

mod client;
mod server;

pub use client::{ClientHost, ConnectError};
pub use server::{ServerHost, ServerHostConfig, StartError};

use crate::endpoint::{Path, Printed};
use crate::log::{self, Level};
use crate::simulator::{Simulator, SimulatorConfig};
use crate::socket::{Inbound, Outbound, Received, SEND_SIZE, Socket, SocketOptions};
use crate::time::Instant;
use crate::v2::connection::{Arrival, Transmit};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::drop_reason::DropReason;

/// When messages leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SendMode {
    /// An unreliable message inside the call, a reliable one at the next update: as in the original.
    #[default]
    Immediate,
    /// At the next flush or update: messages share datagrams, and one system call carries many.
    Batched,
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

/// A socket and the datagrams that wait to be written to it.
struct Port {
    socket: Socket,
    outbound: Outbound,
}

impl Port {
    fn bind(address: SocketAddr, options: SocketOptions) -> io::Result<Port> {
        Ok(Port { socket: Socket::bind(address, options)?, outbound: Outbound::default() })
    }

    /// Reads within `budget` and hands each datagram to `handle`; true if more may wait.
    fn receive(
        &mut self,
        inbound: &mut Inbound,
        budget: ReadBudget,
        now: Instant,
        step: Duration,
        mut handle: impl FnMut(&Arrival, Option<&mut [u8]>) -> Result<(), DropReason>,
    ) -> bool {
        let start = std::time::Instant::now();
        let mut seen = 0;
        loop {
            match self.socket.receive(inbound) {
                Received::Empty => return false,
                Received::Error => seen += 1,
                Received::Datagrams { drained } => {
                    for datagram in inbound.datagrams() {
                        seen += 1;
                        // It came since the last update, whatever the clocks of kernel and program say.
                        let arrival = Arrival { path: datagram.path, at: now - datagram.age.min(step) };
                        let size = datagram.bytes.as_ref().map_or(0, |bytes| bytes.len());
                        if let Err(reason) = handle(&arrival, datagram.bytes) {
                            let from = Printed(datagram.path.remote);
                            log::log(
                                Level::Debug,
                                format_args!("dropped {size} bytes from {from}: {reason}"),
                            );
                        }
                    }
                    if drained {
                        return false;
                    }
                }
            }
            if seen >= budget.datagrams || start.elapsed() >= budget.time {
                return true;
            }
        }
    }

    /// Writes what `poll` makes until it makes nothing, or the system takes no more.
    fn transmit(&mut self, mut poll: impl FnMut(&mut [u8]) -> Option<Transmit>) {
        loop {
            if self.outbound.room().is_none() {
                self.socket.send(&mut self.outbound);
            }
            let Some(room) = self.outbound.room() else { return };
            let Some(transmit) = poll(room) else { break };
            self.outbound.commit(transmit.path, transmit.size);
        }
        self.socket.send(&mut self.outbound);
    }

    /// Writes one datagram.
    fn write(&mut self, path: Path, bytes: &[u8]) {
        let mut bytes = Some(bytes);
        self.transmit(|room| {
            let bytes = bytes.take()?;
            room.get_mut(..bytes.len())?.copy_from_slice(bytes);
            Some(Transmit { path, size: bytes.len() })
        });
    }
}

/// The network that a program asked to be simulated, between the engine and the socket.
type SendSimulator = Simulator<Path>;

/// Sends what `poll` makes through the simulator.
fn transmit_simulated(
    simulator: &mut SendSimulator,
    now: Instant,
    mut poll: impl FnMut(&mut [u8]) -> Option<Transmit>,
) {
    let mut buffer = [0; SEND_SIZE];
    while let Some(transmit) = poll(&mut buffer) {
        simulator.push(now, transmit.path, buffer.get(..transmit.size).unwrap_or_default());
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
