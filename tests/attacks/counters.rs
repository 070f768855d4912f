//! Every datagram that an end is given counts as received once, and is either taken in or dropped for exactly one
//! reason: on servers and clients, of both protocols, whatever the network does to what they send each other.

use crate::ms;
use crate::world::{Datagram, World, address, connect_1_00, pattern, world_of_both};
use cute_net::crypto::random::Generator;
use cute_net::drop_reason::DropCounters;
use cute_net::drop_reason::DropReason::{self, *};
use cute_net::message::Delivery::*;
use cute_net::reason::DisconnectReason;
use cute_net::simulator::SimulatorConfig;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// The counters of whoever is at an address.
fn counters(world: &World, at: SocketAddr) -> Option<DropCounters> {
    let server = world.servers.iter().find(|server| server.address == at);
    let client = world.clients.iter().find(|client| client.address == at);
    let server = server.map(|server| server.server.counters().clone());
    server.or(client.map(|client| client.client.counters().clone()))
}

/// What a run adds up to, for each address.
#[derive(Default)]
struct Ledger {
    accepted: Vec<(SocketAddr, u64)>,
    reasons: BTreeSet<usize>,
}

impl Ledger {
    /// Delivers a datagram, and sees that its end's counters say of it what it came to and no more.
    fn deliver(&mut self, world: &mut World, datagram: &Datagram) {
        // Of what goes to whoever an address was borrowed from, nobody keeps count.
        let Some(before) = counters(world, datagram.to) else { return };
        let result = world.deliver(datagram);
        let after = counters(world, datagram.to).unwrap();
        assert_eq!(after.received(), before.received() + 1);
        for &reason in DropReason::ALL {
            let counted = after.dropped(reason) - before.dropped(reason);
            assert_eq!(counted, u64::from(result == Err(reason)), "{reason:?}, and it was {result:?}");
        }
        match result {
            Err(reason) => {
                self.reasons.insert(reason as usize);
            }
            Ok(()) => match self.accepted.iter_mut().find(|(at, _)| *at == datagram.to) {
                Some((_, count)) => *count += 1,
                None => self.accepted.push((datagram.to, 1)),
            },
        }
    }
}

/// Something that a network, or whoever sits on it, does to a datagram.
fn damaged(draw: &mut Generator, mut datagram: Datagram) -> Datagram {
    let length = datagram.bytes.len() as u64;
    let at = draw.below(length.max(1)) as usize;
    match draw.below(7) {
        0 => datagram.bytes.truncate(at),
        1 => datagram.bytes.extend(draw.bytes::<9>()),
        2 => datagram.from = address("203.0.113.7:9"),
        // Where types, versions, application ids and numbers are.
        3 => datagram.bytes[at % 20] = draw.below(256) as u8,
        4 => datagram.bytes[0] = draw.below(8) as u8,
        _ => datagram.bytes[at] ^= 1 << draw.below(8),
    }
    datagram
}

/// Eight players of both protocols on a server for five that takes little of each, and a network that damages and
/// repeats. Returns the reasons for which something was dropped.
fn run(seed: u64) -> BTreeSet<usize> {
    let network = SimulatorConfig { latency: ms(20), jitter: ms(20), ..Default::default() };
    let mut world = world_of_both(seed, network);
    world.config.max_clients = 5;
    world.config.max_incoming_rate = Some(30_000);
    world.restart_server(0);
    let mut bytes = [3; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut draw = Generator::new(bytes);
    let mut ledger = Ledger::default();
    let mut old: Vec<Datagram> = Vec::new();
    for id in 1..=8 {
        if id % 2 == 0 {
            connect_1_00(&mut world, id);
        } else {
            world.connect(id);
        }
    }
    for step in 0..300u64 {
        let client = draw.below(8) as usize;
        for number in 0..draw.below(4) {
            let size = 1 + draw.below(3000) as usize;
            let delivery = if draw.below(2) == 0 { ReliableOrdered } else { Unreliable };
            let bytes = pattern(size, number);
            let _ = world.clients[client].client.send(0, delivery, 0, &bytes);
            let _ = world.servers[0].server.send(draw.below(5) as u32, 0, delivery, 0, &bytes);
        }
        match draw.below(60) {
            0 => world.clients[client].client.disconnect(),
            1 => world.servers[0].server.disconnect(
                draw.below(5) as u32,
                DisconnectReason::KICKED,
                b"",
                true,
            ),
            2 => {
                let token = world.token(client as u64 + 1);
                world.connect_with(client, &token);
                // A client's counters begin anew.
                let at = world.clients[client].address;
                ledger.accepted.retain(|(of, _)| *of != at);
            }
            _ => {}
        }
        if step == 250 {
            world.servers[0].server.stop();
        }
        let mut arrived = Vec::new();
        world.step_losing(|datagram| {
            arrived.push(datagram.clone());
            true
        });
        for datagram in arrived {
            if draw.below(4) == 0 {
                let copy = damaged(&mut draw, datagram.clone());
                ledger.deliver(&mut world, &copy);
            }
            ledger.deliver(&mut world, &datagram);
            if draw.below(10) == 0 {
                old.push(datagram);
            }
        }
        if let Some(again) = old.get(draw.below(1 + old.len() as u64) as usize).cloned() {
            ledger.deliver(&mut world, &again);
        }
        let garbage = draw.bytes::<32>()[..draw.below(33) as usize].to_vec();
        let to =
            if draw.below(2) == 0 { world.servers[0].address } else { world.clients[client].address };
        ledger.deliver(&mut world, &Datagram { from: address("203.0.113.8:8"), to, bytes: garbage });
    }
    for (at, accepted) in &ledger.accepted {
        let counters = counters(&world, *at).unwrap();
        assert_eq!(counters.received() - counters.dropped_total(), *accepted, "{at}");
    }
    ledger.reasons
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_datagram_counts_once_and_for_one_reason(seed: u64) {
        run(seed);
    }
}

#[test]
fn damage_of_all_kinds_meets_nearly_every_reason() {
    let met: BTreeSet<usize> = (0..8).flat_map(run).collect();
    let all = DropReason::ALL.iter().filter(|reason| !met.contains(&(**reason as usize)));
    let missed: Vec<DropReason> = all.copied().collect();
    // What needs other tokens or more datagrams has tests of its own.
    let rare = [UnknownKey, Expired, NotListed, Flood, Memory, TokenInUse, RateLimit];
    assert!(missed.iter().all(|reason| rare.contains(reason)), "{missed:?}");
}
