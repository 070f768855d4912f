//! The networks that a program asked to be simulated between the engine and the sockets: one for what is sent, one for
//! what comes.

use super::ReadBudget;
use super::ports::{Ports, Receiver};
use crate::connection::{Arrival, Transmit};
use crate::drop_reason::DropReason;
use crate::duration::Duration;
use crate::endpoint::Path;
use crate::simulator::{Simulator, SimulatorConfig};
use crate::socket::SEND_SIZE;
use crate::time::Instant;

/// Simulated networks, each only if asked for.
#[derive(Default)]
pub(super) struct Networks {
    sent: Option<Simulator<Path>>,
    received: Option<Simulator<Path>>,
}

impl Networks {
    /// Has what is sent from now on pass a network of this kind; `seed` is for the first one set.
    pub(super) fn set_sent(&mut self, config: SimulatorConfig, seed: u64) {
        match &mut self.sent {
            Some(network) => network.set_config(config),
            None => self.sent = Some(Simulator::new(config, seed)),
        }
    }

    /// Has what is sent and received from now on pass networks of these kinds, which draw from `seed`.
    pub(super) fn set(&mut self, sent: SimulatorConfig, received: SimulatorConfig, seed: u64) {
        let kinds = [(&mut self.sent, sent, seed), (&mut self.received, received, seed.wrapping_add(1))];
        for (network, config, seed) in kinds {
            match network {
                Some(network) => {
                    network.set_config(config);
                    network.set_seed(seed);
                }
                None => *network = Some(Simulator::new(config, seed)),
            }
        }
    }

    /// When the next datagram on its way arrives.
    pub(super) fn next_arrival(&self) -> Option<Instant> {
        [&self.sent, &self.received].into_iter().flatten().filter_map(Simulator::next_arrival).min()
    }

    /// True if what is sent passes a network.
    pub(super) fn delays_what_is_sent(&self) -> bool {
        self.sent.is_some()
    }

    /// Puts what `poll` makes, up to `largest` bytes each, into the network for what is sent.
    pub(super) fn send(
        &mut self,
        now: Instant,
        largest: usize,
        mut poll: impl FnMut(&mut [u8]) -> Option<Transmit>,
    ) {
        let Some(network) = &mut self.sent else { return };
        let mut buffer = [0; SEND_SIZE];
        let room = buffer.get_mut(..largest).unwrap_or_default();
        while let Some(transmit) = poll(room) {
            network.push(now, transmit.path, room.get(..transmit.size).unwrap_or_default());
        }
    }

    /// The next datagram that was sent and has passed its network.
    pub(super) fn pop_sent(&mut self, now: Instant) -> Option<(Path, Vec<u8>)> {
        self.sent.as_mut()?.pop(now)
    }

    /// The next datagram that was sent, whether it has passed or not: for when the socket closes.
    pub(super) fn pop_any_sent(&mut self) -> Option<(Path, Vec<u8>)> {
        self.sent.as_mut()?.pop_any()
    }

    /// Reads from `ports` within `budget` and hands `receiver` what has passed; true if more may wait in the sockets.
    pub(super) fn receive(
        &mut self,
        ports: &mut Ports,
        budget: ReadBudget,
        now: Instant,
        step: Duration,
        receiver: &mut impl Receiver,
    ) -> bool {
        let Some(network) = &mut self.received else {
            return ports.receive(budget, now, step, receiver);
        };
        let backlog = ports.receive(budget, now, step, &mut IntoNetwork { network, receiver });
        while let Some((path, mut bytes)) = network.pop(now) {
            // What was dropped is counted by its reason.
            let _ = receiver.handle(&Arrival { path, at: now }, Some(&mut bytes));
        }
        backlog
    }

    /// Hands `receiver` a datagram, or the network that it has to pass; [`receive`](Self::receive) then hands it over.
    pub(super) fn hand(
        &mut self,
        arrival: &Arrival,
        bytes: Option<&mut [u8]>,
        receiver: &mut impl Receiver,
    ) {
        // What was dropped is counted by its reason.
        let _ = match &mut self.received {
            None => receiver.handle(arrival, bytes),
            Some(network) => IntoNetwork { network, receiver }.handle(arrival, bytes),
        };
    }

    /// Loses what is on its way here.
    pub(super) fn clear_received(&mut self) {
        if let Some(network) = &mut self.received {
            network.clear();
        }
    }
}

/// Puts what was read into a simulated network; what is too long for any packet goes past it.
struct IntoNetwork<'a, R> {
    network: &'a mut Simulator<Path>,
    receiver: &'a mut R,
}

impl<R: Receiver> Receiver for IntoNetwork<'_, R> {
    fn handle(&mut self, arrival: &Arrival, bytes: Option<&mut [u8]>) -> Result<(), DropReason> {
        match bytes {
            Some(bytes) => {
                self.network.push(arrival.at, arrival.path, bytes);
                Ok(())
            }
            None => self.receiver.handle(arrival, None),
        }
    }
}

/// A kind of network as the C functions set it: seconds and chances, whatever they are.
pub fn simulator_config(latency: f64, jitter: f64, loss: f64, duplicate: f64) -> SimulatorConfig {
    let number = |value: f64| if value.is_nan() { 0.0 } else { value };
    let seconds = |value| Duration::from_secs_f64(number(value).min(3600.0));
    let chance = |value| number(value).clamp(0.0, 1.0);
    SimulatorConfig {
        latency: seconds(latency),
        jitter: seconds(jitter),
        loss: chance(loss),
        duplicate: chance(duplicate),
        ..SimulatorConfig::default()
    }
}
