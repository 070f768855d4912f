//! What programs and networks do in a session.

use super::{DOWN, HARD_VOLUME, Machine, Session, UP};
use crate::sessions::model::{CHANNELS, DELIVERIES, Flow, Sent};
use crate::{ms, secs};
use cute_net::client::ClientState;
use cute_net::reason::DisconnectReason;
use cute_net::sending::SendError;
use cute_net::simulator::SimulatorConfig;

/// Why a message may be refused.
fn may_refuse(error: SendError, channel: u8, size: usize, flow: &Flow, is_up: bool) -> bool {
    match error {
        SendError::Empty => channel == 0 && size == 0,
        SendError::NotConnected => !is_up,
        SendError::ChannelFull => channel > 0 && flow.bytes + size > 3 << 20,
        SendError::QueueFull => flow.bytes + size > 20 << 20,
        SendError::NoSuchChannel(_)
        | SendError::NoChannels
        | SendError::NoSequence
        | SendError::TooLarge { .. } => false,
    }
}

impl Session {
    fn send(&mut self, machine: usize) {
        let at = self.machines[machine].connection;
        let flow = self.draw.below(2) as usize;
        let slot = self.connections[at].slot;
        let bottleneck =
            self.machines[machine].kinds[flow].bottleneck.map_or(u64::MAX, |(rate, _)| rate);
        let is_hard = |kind: &SimulatorConfig| {
            kind.loss > 0.1 || kind.jitter + kind.latency >= ms(300) || kind.reorder > 0.1
        };
        let hard = self.machines[machine].kinds.iter().any(is_hard);
        let volume = self.volume.min(if hard { HARD_VOLUME } else { usize::MAX });
        let volume = volume.min(bottleneck.min(self.caps[flow]).saturating_mul(3) as usize);
        let channel = self.draw.below(CHANNELS) as u8;
        let kind = self.draw.below(4) as usize;
        for _ in 0..self.draw.pick([1, 1, 1, 2, 3, 10, 30]) {
            let left = volume.saturating_sub(self.connections[at].flows[flow].bytes);
            let size = self.draw.size(left);
            let sent = Sent::new(&mut self.draw, channel, kind, size);
            let (result, is_up) = if flow == UP {
                let client = &mut self.machines[machine].client;
                let is_up = client.state() == ClientState::Connected;
                (client.send(channel, DELIVERIES[kind], sent.id, sent.bytes()), is_up)
            } else {
                let Some(slot) = slot.filter(|slot| self.slots.get(slot) == Some(&at)) else { return };
                let is_up = self.server.is_connected(slot);
                (self.server.send(slot, channel, DELIVERIES[kind], sent.id, sent.bytes()), is_up)
            };
            let flow = &mut self.connections[at].flows[flow];
            match result {
                Ok(()) => flow.on_accepted(channel, sent),
                Err(error) => {
                    assert!(may_refuse(error, channel, size, flow, is_up), "{error:?}, {size} bytes")
                }
            }
        }
        if self.draw.one_in(4) {
            if flow == UP {
                self.flush_client(machine)
            } else {
                self.flush_server()
            };
        }
    }

    pub(super) fn set_networks(&mut self, machine: usize) {
        let Machine { up, down, kinds, dead_until, .. } = &mut self.machines[machine];
        let dead = *dead_until > self.now;
        let kind =
            |kind: SimulatorConfig| if dead { SimulatorConfig { loss: 1.0, ..kind } } else { kind };
        up.set_config(kind(kinds[UP]));
        down.set_config(kind(kinds[DOWN]));
    }

    /// Something that programs or networks do.
    pub(super) fn act(&mut self) {
        let machine = self.draw.below(self.machines.len() as u64) as usize;
        let at = self.machines[machine].connection;
        let long = if self.draw.one_in(50) { secs(20) } else { ms(self.draw.below(2500)) };
        let until = self.now + long;
        match self.draw.below(200) {
            2..4 | 6..10 | 14 if self.clean => self.send(machine),
            0 => self.rhythm.tick = self.draw.tick(),
            1 => self.machines[machine].rhythm.tick = self.draw.tick(),
            2..4 => {
                let of_server = self.draw.one_in(2);
                let rhythm =
                    if of_server { &mut self.rhythm } else { &mut self.machines[machine].rhythm };
                rhythm.paused_until = until;
                for connection in &mut self.connections {
                    connection.stood_still |= long > secs(3);
                }
                self.tell(|_| format!("pause of {long:?}, server: {of_server}, machine {machine}"));
            }
            4 => self.rhythm.takes_from = until,
            5 => self.machines[machine].rhythm.takes_from = until,
            6..8 => {
                let host = 1 + self.draw.below(3);
                let fresh = self.fresh_address(machine, host);
                self.machines[machine].address = fresh;
                self.connections[at].addresses.push(fresh);
                self.tell(|_| format!("machine {machine} moves to {fresh}"));
            }
            8..10 => {
                self.machines[machine].dead_until = until;
                self.set_networks(machine);
                self.connections[at].stood_still |= long > secs(3);
                self.tell(|_| format!("no network for machine {machine}, {long:?}"));
            }
            10 if self.draw.one_in(2) => {
                let slot = self.connections[at].slot;
                if let Some(slot) = slot.filter(|slot| self.slots.get(slot) == Some(&at))
                    && self.server.is_connected(slot)
                {
                    let reason = self.draw.pick([DisconnectReason::KICKED, DisconnectReason(16)]);
                    let told = !self.draw.one_in(3);
                    self.server.disconnect(slot, reason, b"text", told);
                    self.connections[at].kicked = Some(reason);
                    self.tell(|_| format!("slot {slot} is kicked, told: {told}"));
                }
            }
            11 if self.draw.one_in(2) => {
                let politely = self.draw.one_in(2);
                self.reconnect(machine, politely);
            }
            12 => {
                let (channel, priority) = (self.draw.below(9) as u8, self.draw.below(3) as i32 - 1);
                self.server.set_channel_priority(channel, priority);
                self.machines[machine].client.set_channel_priority(channel, priority);
            }
            13 => {
                let rate = self.draw.rate();
                self.server.set_message_rate(rate);
                self.machines[machine].client.set_message_rate(rate);
            }
            14 => {
                let direction = self.draw.below(2) as usize;
                let kind = self.draw.network(false);
                let latency = self.machines[machine].kinds[direction].bottleneck;
                self.machines[machine].kinds[direction] =
                    SimulatorConfig { bottleneck: latency, ..kind };
                self.set_networks(machine);
                self.tell(|session| format!("machine {machine}: {:?}", session.machines[machine].kinds));
            }
            15 if self.draw.one_in(10) => {
                self.stopped = true;
                self.server.stop();
                self.tell(|_| "the server stops".to_owned());
            }
            _ => self.send(machine),
        }
    }

    /// Ends what a client has, politely or not, and connects it again.
    fn reconnect(&mut self, machine: usize, politely: bool) {
        self.tell(|_| format!("machine {machine} leaves, politely: {politely}"));
        let at = self.machines[machine].connection;
        let over = self.connections[at].client_is_over();
        if !over && politely {
            self.connections[at].left = true;
            self.machines[machine].client.disconnect();
            self.flush_client(machine);
            self.note_client_end(machine);
        } else if !over {
            self.connections[at].abandoned = true;
            self.machines[machine].client.abandon();
        }
        self.take_client_messages(machine);
        let mut client_id = self.connections[at].client_id + 1;
        if !politely {
            // The server may still have the old connection, which the new one replaces.
            client_id -= 1;
            self.connections[at].replaced = true;
        }
        if !politely || self.draw.one_in(2) {
            self.machines[machine].address = self.fresh_address(machine, 1);
        }
        self.connect(machine, client_id);
    }
}
