//! What every attack is held to, besides what its test says of it: each datagram counts once, and for one reason if it
//! is dropped; no address that was not let in gets more bytes than it sent; what is held and what it costs has a
//! bound; the honest client is well.

use crate::cost::Cost;
use crate::memory::live;
use crate::puppet_1_00;
use crate::world::{Datagram, Watch, World};
use cute_net::drop_reason::{DropCounters, DropReason};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

/// What an attack may leave behind where its test knows no better: engine, network and what the test itself took.
const MEMORY: i64 = 2 << 20;

/// Bytes that an address sent to servers and got from them.
#[derive(Default)]
struct Traffic {
    sent: usize,
    got: usize,
    /// True if it sent a packet that opened: a connection may have moved there.
    moved: bool,
}

struct Guard {
    cost: Cost,
    budget: i64,
    traffic: HashMap<SocketAddr, Traffic>,
    /// Who was let in.
    entered: HashSet<SocketAddr>,
    /// The heap that the guard itself takes.
    own: i64,
}

impl Guard {
    fn note(&mut self, address: SocketAddr, write: impl FnOnce(&mut Traffic)) {
        let before = live();
        write(self.traffic.entry(address).or_default());
        self.own += live() - before;
    }
}

impl Watch for Guard {
    fn on_delivered(
        &mut self,
        datagram: &Datagram,
        result: Result<(), DropReason>,
        [before, after]: [&DropCounters; 2],
    ) {
        self.cost.packets += 1;
        assert_eq!(after.received(), before.received() + 1);
        assert_eq!(after.dropped_total(), before.dropped_total() + u64::from(result.is_err()));
        if let Err(reason) = result {
            assert_eq!(after.dropped(reason), before.dropped(reason) + 1);
        }
        let is_data = datagram.bytes.first().is_some_and(|first| first & 0xF0 == 0x80);
        self.note(datagram.from, |traffic| {
            traffic.sent += datagram.bytes.len();
            traffic.moved |= is_data && result.is_ok();
        });
    }

    fn on_sent(&mut self, to: SocketAddr, bytes: usize) {
        self.cost.packets += 1;
        self.note(to, |traffic| traffic.got += bytes);
    }

    fn on_connected(&mut self, address: SocketAddr) {
        let before = live();
        self.entered.insert(address);
        self.own += live() - before;
    }

    fn check(&mut self) {
        for (address, Traffic { sent, got, moved }) in &self.traffic {
            let most = if *moved { 3 * sent } else { *sent };
            assert!(
                *got <= most || self.entered.contains(address),
                "{address} got {got} bytes for {sent}"
            );
        }
        assert!(self.cost.packets > 0);
        self.cost.check(self.budget + self.own);
    }
}

/// Has a world watched from now on. What is held may grow by `budget` bytes.
pub fn within(budget: i64, mut world: World) -> World {
    let entered = world.clients.iter().map(|client| client.address).collect();
    let (traffic, cost) = (HashMap::new(), Cost::from_now());
    world.watch = Some(Box::new(Guard { cost, budget, traffic, entered, own: 0 }));
    world
}

/// Has a world watched from now on.
pub fn watched(world: World) -> World {
    within(MEMORY, world)
}

/// A watched world of connected clients of CUTE 2.00.
pub fn connected(seed: u64, clients: u64) -> World {
    watched(World::connected(seed, clients))
}

/// A watched world of CUTE 1.00 with an honest client, which is well.
pub fn world_with_honest_client(seed: u64) -> World {
    watched(puppet_1_00::world_with_honest_client(seed))
}
