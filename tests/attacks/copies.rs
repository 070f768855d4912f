//! Both protocols: somebody who has a copy of every datagram, and sends them again: cut, lengthened, out of order, to
//! those who sent them, to other players, and from addresses of others. Nobody notices.

use crate::puppet_1_00::moved_within_its_block;
use crate::watch::watched;
use crate::world::{Datagram, World, address, connect_1_00, pattern, world_1_00, world_of_both};
use crate::{ms, secs};
use cute_net::client::ClientState::Connected;
use cute_net::crypto::random::Generator;
use cute_net::drop_reason::DropReason;
use cute_net::message::Delivery::*;
use cute_net::simulator::SimulatorConfig;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Two players of one protocol and a third of the other, and all that they and the server sent.
fn played(of_1_00: bool) -> (World, Vec<Datagram>) {
    let mut world = watched(world_of_both(1, SimulatorConfig::default()));
    world.recording = Some(Vec::new());
    for (number, id) in (1..=3).enumerate() {
        if of_1_00 == (id < 3) {
            connect_1_00(&mut world, id);
        } else {
            world.connect(id);
        }
        world.server_expects(number + 1);
    }
    world.run(ms(200));
    for number in 0..20u64 {
        for client in 0..3 {
            for delivery in [ReliableOrdered, Unreliable] {
                world.client_sends(client, delivery, &pattern(40 + 300 * number as usize, number));
                world.server_sends(client as u32, delivery, &pattern(40, number));
            }
        }
        world.step();
    }
    world.run(secs(2));
    let recording = world.recording.take().unwrap();
    forget(&mut world);
    (world, recording)
}

fn forget(world: &mut World) {
    world.servers[0].received.clear();
    world.clients.iter_mut().for_each(|client| client.received.clear());
}

/// Nothing came to a program, and everybody is there.
fn nobody_noticed(mut world: World) {
    world.run(secs(1));
    assert!(world.servers[0].received.is_empty());
    assert!(world.clients.iter().all(|client| client.received.is_empty()));
    assert!((0..3).all(|client| world.state(client) == Connected));
    assert_eq!(world.events(), ["+0 1", "+1 2", "+2 3"]);
    world.check_honest_client();
}

/// One datagram of each type, size and direction.
fn kinds(world: &World, recording: &[Datagram]) -> Vec<Datagram> {
    let server = world.servers[0].address;
    let kind = |datagram: &Datagram| {
        let size = datagram.bytes.len().min(400); // large packets are all alike
        (datagram.to == server, datagram.bytes[0], size)
    };
    let all: BTreeMap<_, _> =
        recording.iter().map(|datagram| (kind(datagram), datagram.clone())).collect();
    all.into_values().collect()
}

#[test]
fn every_datagram_cut_or_lengthened_is_dropped() {
    for of_1_00 in [false, true] {
        let (mut world, recording) = played(of_1_00);
        let kinds = kinds(&world, &recording);
        assert!(kinds.len() >= 10, "{}", kinds.len());
        for datagram in kinds {
            for size in (0..datagram.bytes.len()).chain([datagram.bytes.len() + 1, 1500, 9000]) {
                let mut copy = datagram.clone();
                copy.bytes.resize(size, 0);
                let result = world.deliver(&copy);
                assert!(result.is_err(), "{size} bytes of {datagram:x?}");
            }
        }
        nobody_noticed(world);
    }
}

#[test]
fn what_is_sent_back_to_its_sender_or_to_another_player_is_dropped() {
    for of_1_00 in [false, true] {
        let (mut world, recording) = played(of_1_00);
        let server = world.servers[0].address;
        let players: Vec<SocketAddr> = world.clients.iter().map(|client| client.address).collect();
        let before = world.servers[0].server.counters().dropped_total();
        let mut count = 0;
        for Datagram { from, to, bytes } in recording {
            let returned = Datagram { from: to, to: from, bytes: bytes.clone() };
            let shown = players.iter().flat_map(|&player| {
                let to_server = Datagram { from: player, to: server, bytes: bytes.clone() };
                [to_server, Datagram { from: server, to: player, bytes: bytes.clone() }]
            });
            for copy in shown.chain([returned]) {
                // A request is answered for as long as its connection has heard nothing of its client, which is over.
                assert!(world.deliver(&copy).is_err(), "{copy:x?}");
                count += u64::from(copy.to == server);
            }
        }
        assert_eq!(world.servers[0].server.counters().dropped_total() - before, count);
        nobody_noticed(world);
    }
}

/// From the first request on, datagrams wait for up to a third of a second, each for another time, and come twice.
#[test]
fn datagrams_of_every_kind_out_of_order_and_twice_change_nothing() {
    for of_1_00 in [false, true] {
        let mut generator = Generator::new([8; 32]);
        let mut world = watched(world_of_both(3, SimulatorConfig::default()));
        if of_1_00 {
            connect_1_00(&mut world, 1)
        } else {
            world.connect(1)
        };
        let mut waiting: Vec<(u64, Datagram)> = Vec::new();
        let mut sent = 0u64;
        for step in 0..900u64 {
            if world.state(0) == Connected && world.servers[0].server.is_connected(0) && step < 600 {
                world.client_sends(0, ReliableOrdered, &pattern(60, sent));
                world.server_sends(0, ReliableOrdered, &pattern(60, sent));
                sent += 1;
            }
            world.step_losing(|datagram| {
                for _ in 0..2 {
                    waiting.push((step + generator.below(20), datagram.clone()));
                }
                true
            });
            let (due, later) = waiting.drain(..).partition(|(at, _)| *at <= step);
            waiting = later;
            for (_, datagram) in due {
                let _ = world.deliver(&datagram);
            }
            world.finish_step();
        }
        let numbers: Vec<Vec<u8>> = (0..sent).map(|number| pattern(60, number)).collect();
        assert!(sent > 400, "{sent}");
        let came = world.servers[0].received.drain(..).map(|(.., bytes)| bytes);
        assert!(came.eq(numbers.iter().cloned()));
        let came = world.clients[0].received.drain(..).map(|(_, bytes)| bytes);
        assert!(came.eq(numbers));
        assert!(world.dropped(DropReason::Replayed) > 100);
        assert_eq!(world.events(), ["+0 1"]);
        world.run(secs(1));
        world.check_honest_client();
    }
}

/// A copy of every packet of a player comes first, and from an address that is nobody's. On CUTE 1.00 a connection stays
/// where it is.
#[test]
fn copies_from_an_address_of_somebody_else_get_nothing_of_a_connection_of_1_00() {
    let (mut world, _) = played(true);
    let (player, server) = (world.clients[0].address, world.servers[0].address);
    let victim = address("203.0.113.99:53");
    for number in 0..300u64 {
        world.client_sends(0, Unreliable, &pattern(40, number));
        world.server_sends(0, Unreliable, &pattern(40, number));
        for datagram in world.step_taking() {
            if datagram.from == player {
                let copy = Datagram { from: victim, ..datagram.clone() };
                assert_eq!(world.deliver(&copy), Err(DropReason::UnknownAddress));
            }
            let result = world.deliver(&datagram);
            assert!(result.is_ok() || datagram.from != server, "{result:?}");
        }
    }
    world.run(ms(100));
    assert_eq!((world.servers[0].received.len(), world.clients[0].received.len()), (300, 300));
    forget(&mut world);
    nobody_noticed(world);
}

/// The same on CUTE 2.00, where a connection moves with its packets. The address that never answers is left, and then
/// believed no more before it does.
#[test]
fn copies_from_an_address_of_somebody_else_hold_a_connection_up_for_a_moment_at_most() {
    let network = SimulatorConfig { latency: ms(20), ..Default::default() };
    let mut world = watched(World::connected_over(1, 3, network));
    world.run(secs(1));
    forget(&mut world);
    let (player, server) = (world.clients[0].address, world.servers[0].address);
    let mut late = 0;
    for number in 0..1200u64 {
        world.client_sends(0, ReliableOrdered, &pattern(40, number));
        world.server_sends(0, ReliableOrdered, &pattern(40, number));
        world.server_sends(0, Unreliable, &pattern(60, number));
        for datagram in world.step_taking() {
            if datagram.from == player {
                // Another of its addresses each second.
                let victim = SocketAddr::from(([203, 0, 113, (number / 60) as u8], 53));
                let _ =
                    world.deliver(&Datagram { from: victim, to: server, bytes: datagram.bytes.clone() });
            }
            let _ = world.deliver(&datagram);
        }
        world.finish_step();
        let reliable = world.clients[0].received.iter().filter(|(reliable, _)| *reliable).count() as u64;
        late = late.max(number + 1 - reliable);
    }
    world.run(secs(1));
    assert_eq!(world.servers[0].received.len(), 1200);
    let reliable = world.clients[0].received.iter().filter(|(reliable, _)| *reliable).count();
    assert!(reliable == 1200 && late < 60, "{reliable} came, up to {late} ticks late");
    let unreliable = world.clients[0].received.len() - reliable;
    assert!(unreliable > 1000, "{unreliable}");
    forget(&mut world);
    nobody_noticed(world);
}

/// A token with one key for both directions is legal. What comes back to whoever sent it, while it plays, before and after
/// what was meant for it, is nobody's.
#[test]
fn with_one_key_for_both_directions_what_comes_back_is_dropped_too() {
    for of_1_00 in [false, true] {
        let network = SimulatorConfig::default();
        let mut world =
            watched(if of_1_00 { world_1_00(1, network) } else { World::with_network(1, network) });
        let token = world.token_with_keys(&world.token_options(1), [[5; 32]; 2]);
        let client = world.add_client();
        world.connect_with(client, &token);
        world.server_expects(1);
        world.run(ms(200));
        let mut all = Vec::new();
        for number in 0..600u64 {
            world.client_sends(client, ReliableOrdered, &pattern(50, number));
            for delivery in [ReliableOrdered, Unreliable].iter().take(1 + number as usize % 2) {
                world.server_sends(0, *delivery, &pattern(50, number));
            }
            for Datagram { from, to, bytes } in world.step_taking() {
                let mut returned = Datagram { from: to, to: from, bytes: bytes.clone() };
                assert!(world.deliver(&returned).is_err(), "{number}");
                assert_eq!(world.deliver(&Datagram { from, to, bytes }), Ok(()));
                if of_1_00 {
                    // Under another sequence too, which the cipher does not tell from its own.
                    returned = moved_within_its_block(&returned, 7);
                    assert!(world.deliver(&returned).is_err(), "{number}");
                }
                all.push(returned);
            }
        }
        for returned in all {
            assert!(world.deliver(&returned).is_err());
        }
        world.run(secs(1));
        assert_eq!((world.servers[0].received.len(), world.clients[0].received.len()), (600, 900));
        forget(&mut world);
        world.check_honest_client();
    }
}
