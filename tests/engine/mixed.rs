//! CUTE 1.00 through the same clients and servers, alone and beside CUTE 2.00 on one port.

use crate::world::{APPLICATION, World, connect_1_00, pattern, world_1_00, world_of_both};
use crate::{ms, secs};
use cute_net::client::ClientState::*;
use cute_net::drop_reason::DropReason;
use cute_net::message::Delivery::*;
use cute_net::reason::DisconnectReason;
use cute_net::simulator::SimulatorConfig;
use cute_net::token::Version;

fn version(world: &World, client: usize) -> Option<Version> {
    world.clients[client].client.connection().map(|connection| connection.version())
}

#[test]
fn a_pair_of_the_original_makes_tokens_clients_and_servers_speak_cute_1_00() {
    for loss in [0.0, 0.1, 0.3] {
        let network = SimulatorConfig { latency: ms(20), jitter: ms(10), loss, ..Default::default() };
        let mut world = world_1_00(1, network);
        world.recording = Some(Vec::new());
        for id in 0..3 {
            // One by one, so that client and slot have the same number.
            world.connect(id as u64 + 1);
            world.run_until(secs(10), |world| world.state(id) == Connected);
        }
        world.server_expects(3);
        let mut sent = Vec::new();
        for (number, size) in [1, 100, 1100, 1101, 2200, 50_000].into_iter().cycle().take(30).enumerate()
        {
            let message = pattern(size, number as u64);
            world.client_sends(0, ReliableOrdered, &message);
            world.server_sends(1, ReliableOrdered, &message);
            world.client_sends(2, Unreliable, &pattern(60, number as u64));
            sent.push(message);
            world.run(ms(50));
        }
        world.run_until(secs(60), |world| {
            let up = world.servers[0].received.iter().filter(|(_, reliable, _)| *reliable).count();
            up == 30 && world.clients[1].received.len() == 30
        });
        let up = world.servers[0].received.iter().filter(|(_, reliable, _)| *reliable);
        assert!(up.map(|(_, _, bytes)| bytes).eq(&sent));
        assert!(world.clients[1].received.iter().map(|(_, bytes)| bytes).eq(&sent));
        let unreliable = world.servers[0].received.iter().filter(|(_, reliable, _)| !reliable).count();
        assert!(unreliable >= 15, "{unreliable}");
        assert_eq!(version(&world, 0), Some(Version::V1));
        let recording = world.recording.take().unwrap();
        assert!(recording.iter().all(|datagram| datagram.bytes[0] <= 7));
        assert!(recording.iter().all(|datagram| datagram.bytes.len() <= 1200));
    }
}

#[test]
fn both_protocols_share_a_port() {
    let network = SimulatorConfig { latency: ms(20), loss: 0.02, ..Default::default() };
    let mut world = world_of_both(1, network);
    let clients: Vec<_> = (0..16)
        .map(|id| if id % 2 == 0 { world.connect(id) } else { connect_1_00(&mut world, id) })
        .collect();
    world.run_until(secs(10), |world| clients.iter().all(|&client| world.state(client) == Connected));
    world.server_expects(16);
    for &client in &clients {
        let expected = if client % 2 == 0 { Version::V2 } else { Version::V1 };
        assert_eq!(version(&world, client), Some(expected));
    }
    for number in 0..50u64 {
        for &client in &clients {
            world.client_sends(client, ReliableOrdered, &pattern(40, client as u64 * 1000 + number));
        }
        for index in 0..16 {
            world.server_sends(index, ReliableOrdered, &pattern(40, u64::from(index) * 1000 + number));
        }
        world.step();
    }
    world.run_until(secs(30), |world| {
        world.servers[0].received.len() == 16 * 50
            && world.clients.iter().all(|client| client.received.len() == 50)
    });
}

#[test]
fn a_token_of_the_weaker_protocol_never_replaces_a_connection_of_the_stronger_one() {
    let mut world = world_of_both(1, SimulatorConfig::default());
    let strong = world.connect(5);
    world.run_until(secs(5), |world| world.state(strong) == Connected);
    let weak = connect_1_00(&mut world, 5);
    world.run(secs(3));
    assert_eq!(world.state(strong), Connected);
    assert_ne!(world.state(weak), Connected);
    assert!(world.dropped(DropReason::TokenInUse) > 0);

    // The other way round the newer token wins.
    let weak = connect_1_00(&mut world, 6);
    world.run_until(secs(5), |world| world.state(weak) == Connected);
    world.unix += 5;
    let strong = world.connect(6);
    world.run_until(secs(5), |world| world.state(strong) == Connected);
    world.run(secs(1));
    assert_eq!(world.state(weak), Disconnected);
    assert!(world.events().iter().any(|event| event.starts_with("-1 ")));
}

#[test]
fn on_cute_1_00_a_newer_token_takes_the_place_of_its_client() {
    let mut world = world_1_00(1, SimulatorConfig::default());
    let first = world.connect(9);
    world.run_until(secs(5), |world| world.state(first) == Connected);
    world.unix += 10;
    let second = world.connect(9);
    world.run_until(secs(5), |world| world.state(second) == Connected);
    world.run(secs(1));
    assert_eq!((world.state(first), world.servers[0].server.connected()), (Disconnected, 1));
    world.client_sends(second, ReliableOrdered, b"here");
    world.run(secs(1));
    assert_eq!(world.servers[0].received.last().unwrap().2, b"here");
}

#[test]
fn on_cute_1_00_the_33rd_client_is_denied_and_comes_in_when_one_leaves() {
    let mut world = world_1_00(1, SimulatorConfig::default());
    for id in 0..32 {
        world.connect(id);
    }
    world.server_expects(32);
    let late = world.connect(99);
    world.run_until(secs(5), |world| world.state(late) == ConnectionDenied);
    world.clients[3].client.disconnect();
    world.flush_client(3);
    world.server_expects(31);
    let token = world.token(99);
    world.connect_with(late, &token);
    world.run_until(secs(5), |world| world.state(late) == Connected);
}

#[test]
fn on_cute_1_00_kicks_leaving_stopping_and_silence_end_connections() {
    let mut world = world_1_00(1, SimulatorConfig::default());
    for id in 0..4 {
        world.connect(id);
    }
    world.server_expects(4);
    world.run(ms(300));
    world.events();
    world.kick(0, true);
    world.clients[1].client.disconnect();
    world.flush_client(1);
    world.clients[2].runs = false;
    world.run(secs(1));
    assert_eq!(world.state(0), Disconnected);
    let kicked = format!("-0 {}", DisconnectReason::KICKED);
    let left = format!("-1 {}", DisconnectReason::LEFT);
    let events = world.events();
    assert!(events.contains(&kicked) && events.contains(&left), "{events:?}");
    world.run(secs(10));
    assert_eq!(world.events(), [format!("-2 {}", DisconnectReason::TIMED_OUT)]);
    world.servers[0].server.stop();
    world.flush_server(0);
    world.run(secs(1));
    assert_eq!(world.state(3), Disconnected);
    assert_eq!(APPLICATION, 77);
}

#[test]
fn on_cute_1_00_a_client_reconnects_after_every_end() {
    let network = SimulatorConfig { latency: ms(10), ..Default::default() };
    let mut world = world_1_00(1, network);
    let client = world.connect(1);
    for round in 0..10u64 {
        world.run_until(secs(10), |world| world.state(client) == Connected);
        world.server_expects(1);
        let index = world.servers[0].server.clients().next().unwrap();
        world.client_sends(client, ReliableOrdered, &pattern(30, round));
        world.server_sends(index, ReliableOrdered, &pattern(30, round));
        world.run(ms(200));
        assert_eq!(world.clients[client].received.len() as u64, round + 1);
        if round % 2 == 0 {
            world.kick(index, true);
            world.run(ms(300));
        }
        world.unix += 1;
        let token = world.token(1);
        world.connect_with(client, &token);
    }
    assert_eq!(world.servers[0].received.len(), 10);
}

#[cfg(debug_assertions)]
#[test]
fn the_nonce_ledger_sees_every_packet_of_both_protocols() {
    let mut world = world_of_both(1, SimulatorConfig::default());
    world.recording = Some(Vec::new());
    world.connect(1);
    connect_1_00(&mut world, 2);
    world.run(secs(2));
    // Requests of CUTE 2.00 and token packets of 1.00 seal nothing of their own; each of the two tokens was sealed.
    let sealed = |datagram: &&crate::world::Datagram| datagram.bytes[0] != 0;
    let packets = world.recording.take().unwrap().iter().filter(sealed).count() as u64;
    assert!(packets > 40, "{packets}");
    let seals = cute_net::crypto::nonce_ledger::seals();
    assert!((packets..=packets + 2).contains(&seals), "{seals} for {packets}");
}
