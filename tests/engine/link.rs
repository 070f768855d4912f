//! A link with a bottleneck between a server and its clients, in virtual time. Unlike the world's steps
//! every end has ticks of its own, datagrams arrive when they arrive and are read at the next tick, as
//! between real programs; and an end can be woken by its engine's own timer between its ticks.

use crate::world::{World, WorldClient};
use cute_net::client::ClientState;
use cute_net::connection::Arrival;
use cute_net::datagram::LARGEST_DATAGRAM;
use cute_net::duration::Duration;
use cute_net::endpoint::Path;
use cute_net::message::Delivery;
use cute_net::server::Event;
use cute_net::simulator::{Simulator, SimulatorConfig};
use cute_net::time::Instant;

/// What the link is like in both directions, and who is at it.
#[derive(Clone, Copy, Debug)]
pub struct LinkConfig {
    pub seed: u64,
    pub clients: u64,
    pub round_trip: Duration,
    /// The chance of a datagram to be lost.
    pub loss: f64,
    pub jitter: Duration,
    /// Bytes a second, UDP payload.
    pub rate: u64,
    /// Bytes that may wait for the bottleneck; more are dropped.
    pub queue: u64,
    /// The programs' update interval.
    pub tick: Duration,
    /// Bytes of the largest datagram that the link takes; larger ones vanish.
    pub mtu: usize,
    /// True if between its program's updates an engine is woken when its own timer is due.
    pub by_timer: bool,
}

/// A message that arrived: when its receiver's program took it, and what it held.
pub struct Taken {
    pub at: Instant,
    pub channel: u8,
    pub bytes: Vec<u8>,
}

/// A datagram that arrived: when, at which client, and how long it waited for the bottleneck.
pub struct Crossed {
    pub at: Instant,
    pub client: usize,
    pub size: usize,
    pub wait: Duration,
}

/// On its way: which client's it is and when it was sent.
type Label = (usize, Instant);

pub struct Link {
    pub world: World,
    pub config: LinkConfig,
    up: Simulator<Label>,
    down: Simulator<Label>,
    /// What arrived for each client and waits for its next update.
    arrived: Vec<Vec<(Instant, Vec<u8>)>>,
    /// When the server and then each client updates next.
    ticks: Vec<Instant>,
    /// What each client's program took.
    pub taken: Vec<Vec<Taken>>,
    /// The datagrams that reached clients.
    pub crossed: Vec<Crossed>,
    /// Datagrams and bytes of them that the server sent.
    pub sent: (u64, u64),
    /// The same of the first client, and the datagrams of it that reached the server.
    pub sent_up: (u64, u64),
    pub crossed_up: Vec<Crossed>,
}

impl Link {
    /// A server and clients that are connected, and have been for two seconds.
    pub fn connected(config: LinkConfig) -> Link {
        let mut world = World::new(config.seed);
        world.config.largest_datagram = LARGEST_DATAGRAM;
        world.restart_server(0);
        for id in 1..=config.clients {
            let client = world.add_client();
            world.clients[client].client.set_largest_datagram(LARGEST_DATAGRAM);
            let token = world.token(id);
            world.connect_with(client, &token);
        }
        world.run_until(Duration::from_secs(10), |world| {
            world.clients.iter().all(|client| client.client.state() == ClientState::Connected)
        });
        world.servers[0].pops = false;
        let network = SimulatorConfig {
            latency: config.round_trip / 2,
            jitter: config.jitter,
            loss: config.loss,
            bottleneck: Some((config.rate, config.queue)),
            ..Default::default()
        };
        let start = world.now;
        // No two programs tick at the same moment; which is first, and by how much, depends on the seed.
        let phase = |end: u64| ((end * (config.seed + 1)) as f64 * 0.618).fract();
        let ticks = (0..=config.clients)
            .map(|end| start + Duration::from_secs_f64(config.tick.as_secs_f64() * (1.0 + phase(end))))
            .collect();
        let mut link = Link {
            world,
            config,
            up: Simulator::new(network, config.seed),
            down: Simulator::new(network, config.seed + 1),
            arrived: (0..config.clients).map(|_| Vec::new()).collect(),
            ticks,
            taken: (0..config.clients).map(|_| Vec::new()).collect(),
            crossed: Vec::new(),
            sent: (0, 0),
            sent_up: (0, 0),
            crossed_up: Vec::new(),
        };
        link.run_until(start + Duration::from_secs(2), |_| false);
        link.crossed.clear();
        link.sent = (0, 0);
        link.crossed_up.clear();
        link.sent_up = (0, 0);
        link
    }

    pub fn now(&self) -> Instant {
        self.world.now
    }

    /// Queues a message to a client; it leaves at the server's next update.
    pub fn send(&mut self, client: usize, channel: u8, delivery: Delivery, bytes: &[u8]) {
        let server = &mut self.world.servers[0].server;
        server.send(client as u32, channel, delivery, 0, bytes).unwrap();
    }

    /// Runs until `end`, or until `done` says so after an update.
    pub fn run_until(&mut self, end: Instant, mut done: impl FnMut(&mut Link) -> bool) {
        loop {
            let (at, who) = self.next_update();
            if at >= end {
                self.world.now = end;
                return;
            }
            self.world.now = at;
            self.update(who);
            if done(self) {
                return;
            }
        }
    }

    /// Whose update is next, and when: 0 is the server, 1 the first client.
    fn next_update(&self) -> (Instant, usize) {
        let times = self.ticks.iter().enumerate().map(|(who, &tick)| {
            let timer = match who {
                0 => self.world.servers[0].server.poll_timeout(),
                client => self.world.clients[client - 1].client.poll_timeout(),
            };
            let timer = timer.filter(|_| self.config.by_timer);
            let at =
                timer.map_or(tick, |at| tick.min(at.max(self.world.now + Duration::from_micros(50))));
            (at, who)
        });
        times.min().unwrap()
    }

    fn update(&mut self, who: usize) {
        let now = self.world.now;
        let is_tick = self.ticks[who] <= now;
        if is_tick {
            self.ticks[who] = self.ticks[who] + self.config.tick;
        }
        if who == 0 { self.update_server(is_tick) } else { self.update_client(who - 1, is_tick) }
    }

    fn update_server(&mut self, is_tick: bool) {
        let now = self.world.now;
        let World { servers, clients, unix, .. } = &mut self.world;
        let server = &mut servers[0].server;
        server.advance(now, *unix);
        while let Some(at) = self.up.next_arrival().filter(|&at| at <= now) {
            let Some(((client, sent), mut bytes)) = self.up.pop(now) else { break };
            if client == 0 {
                let wait = at.since(sent).saturating_sub(self.config.round_trip / 2);
                self.crossed_up.push(Crossed { at, client, size: bytes.len(), wait });
            }
            let arrival = Arrival { path: Path { remote: clients[client].address, local: None }, at };
            let _ = server.handle_datagram(&arrival, &mut bytes);
        }
        server.handle_timeout(false);
        let mut buffer = [0; LARGEST_DATAGRAM];
        while let Some(transmit) = server.poll_transmit(&mut buffer) {
            let to = clients.iter().position(|client| client.address == transmit.path.remote).unwrap();
            self.sent.0 += 1;
            self.sent.1 += transmit.size as u64;
            if transmit.size <= self.config.mtu {
                self.down.push(now, (to, now), &buffer[..transmit.size]);
            }
        }
        if is_tick {
            while let Some(event) = server.poll_event() {
                assert!(!matches!(event, Event::Disconnected { .. }), "{event:?}");
            }
        }
    }

    fn update_client(&mut self, index: usize, is_tick: bool) {
        let now = self.world.now;
        while let Some(at) = self.down.next_arrival().filter(|&at| at <= now) {
            let Some(((client, sent), bytes)) = self.down.pop(now) else { break };
            let wait = at.since(sent).saturating_sub(self.config.round_trip / 2);
            self.crossed.push(Crossed { at, client, size: bytes.len(), wait });
            self.arrived[client].push((at, bytes));
        }
        let WorldClient { client, .. } = &mut self.world.clients[index];
        client.advance(now, self.world.unix);
        for (at, mut bytes) in self.arrived[index].drain(..) {
            let arrival =
                Arrival { path: Path { remote: self.world.servers[0].address, local: None }, at };
            let _ = client.handle_datagram(&arrival, &mut bytes);
        }
        client.handle_timeout(false);
        let mut buffer = [0; LARGEST_DATAGRAM];
        while let Some(transmit) = client.poll_transmit(&mut buffer) {
            if index == 0 {
                self.sent_up.0 += 1;
                self.sent_up.1 += transmit.size as u64;
            }
            if transmit.size <= self.config.mtu {
                self.up.push(now, (index, now), &buffer[..transmit.size]);
            }
        }
        if !is_tick {
            return;
        }
        while let Some(message) = client.poll_message().or_else(|| client.poll_channel_message()) {
            let channel = message.info().channel;
            self.taken[index].push(Taken { at: now, channel, bytes: message.payload().to_vec() });
        }
    }
}
