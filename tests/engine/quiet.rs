//! What a connection costs when little or nothing is said, and what its statistics tell.

use crate::world::{World, pattern};
use crate::{ms, secs};
use cute_net::client::ClientState::{Connected, ConnectionTimedOut};
use cute_net::message::Delivery::*;
use cute_net::simulator::SimulatorConfig;
use std::time::Duration;

fn datagrams_of_client(world: &World) -> (usize, usize) {
    let client = world.clients[0].address;
    let from =
        world.recording.as_ref().unwrap().iter().filter(|datagram| datagram.from == client).count();
    (from, world.recording.as_ref().unwrap().len() - from)
}

/// Kilobits a second that the recorded datagrams take, up and down, with 28 bytes of IP and UDP headers
/// each.
fn kbps_of_client(world: &World, time: Duration) -> (f64, f64) {
    let client = world.clients[0].address;
    let sum = |up: bool| {
        let recording = world.recording.as_ref().unwrap().iter();
        let datagrams = recording.filter(|datagram| (datagram.from == client) == up);
        let bytes: usize = datagrams.map(|datagram| datagram.bytes.len() + 28).sum();
        bytes as f64 * 8.0 / 1000.0 / time.as_secs_f64()
    };
    (sum(true), sum(false))
}

#[test]
fn an_idle_pair_exchanges_a_ping_and_its_ack_a_second() {
    let network = SimulatorConfig { latency: ms(25), ..Default::default() };
    let mut world = World::connected_over(1, 1, network);
    world.run(secs(5));
    world.recording = Some(Vec::new());
    world.run(secs(30));
    let (up, down) = datagrams_of_client(&world);
    assert!((28..=32).contains(&up) && (28..=32).contains(&down), "{up} up, {down} down");
    let (up, down) = kbps_of_client(&world, secs(30));
    assert!(up <= 0.9 && down <= 0.9, "{up} up, {down} down");
    assert_eq!(world.state(0), Connected);
}

#[test]
fn a_short_timeout_means_more_keepalives() {
    let mut world = World::new(1);
    world.config.connection_timeout = Some(secs(1));
    world.restart_server(0);
    world.connect(1);
    world.run(secs(2));
    world.recording = Some(Vec::new());
    world.run(secs(10));
    // A PING of one end and the acknowledgement of the other, four times a second.
    let (up, down) = datagrams_of_client(&world);
    assert!((36..=56).contains(&up) && (36..=56).contains(&down), "{up} up, {down} down");
    assert_eq!(world.state(0), Connected);
}

#[test]
fn acknowledgements_are_not_acknowledged() {
    let mut world = World::connected(1, 1);
    world.run(secs(1));
    world.recording = Some(Vec::new());
    world.client_sends(0, ReliableOrdered, b"one");
    world.run(ms(500));
    // The message, and one acknowledgement.
    let (up, down) = datagrams_of_client(&world);
    assert!(up <= 2 && down <= 2, "{up} up, {down} down");
}

#[test]
fn unreliable_traffic_earns_an_acknowledgement_every_third_packet_at_most() {
    let mut world = World::connected(1, 1);
    world.run(secs(1));
    world.recording = Some(Vec::new());
    for _ in 0..600 {
        world.client_sends(0, Unreliable, &[7; 32]);
        world.step();
    }
    let (up, down) = datagrams_of_client(&world);
    assert!((600..=615).contains(&up), "{up}");
    // One for every fourth packet at 60 Hz: 50 ms.
    assert!((130..=205).contains(&down), "{down}");
}

/// At 60 Hz and a round trip of 40 ms: a snapshot of 200 bytes and an input of 32 bytes each tick, and two
/// reliable events of 40 bytes a second each way.
#[test]
fn the_shooter_load_stays_small() {
    let network = SimulatorConfig { latency: ms(20), ..Default::default() };
    let mut world = World::connected_over(1, 1, network);
    world.run(secs(1));
    world.recording = Some(Vec::new());
    let begun = world.now;
    for tick in 0..1800u64 {
        if tick % 30 == 0 {
            world.server_sends(0, ReliableOrdered, &pattern(40, tick));
            world.client_sends(0, ReliableOrdered, &pattern(40, tick));
        }
        world.server_sends(0, Unreliable, &pattern(200, tick));
        world.client_sends(0, Unreliable, &pattern(32, tick));
        world.step();
    }
    let (up, down) = kbps_of_client(&world, world.now.since(begun));
    assert!(up + down <= 163.0, "{up} up, {down} down");
    world.run(secs(1));
    assert_eq!((world.servers[0].received.len(), world.clients[0].received.len()), (1860, 1860));
}

#[test]
fn statistics_tell_the_truth() {
    for (latency, loss) in [(0, 0.0), (50, 0.0), (50, 0.1), (100, 0.25)] {
        let network = SimulatorConfig { latency: ms(latency), loss, ..Default::default() };
        let mut world = World::connected_over(3, 1, network);
        world.recording = Some(Vec::new());
        for tick in 0..600u64 {
            world.server_sends(0, Unreliable, &pattern(180, tick));
            world.client_sends(0, Unreliable, &pattern(60, tick));
            if tick % 10 == 0 {
                world.client_sends(0, ReliableOrdered, &pattern(60, tick));
                world.server_sends(0, ReliableOrdered, &pattern(60, tick));
            }
            world.step();
        }
        let client = world.clients[0].address;
        let sent = |from_client: bool| {
            let recording = world.recording.as_ref().unwrap();
            let bytes: usize = recording
                .iter()
                .filter(|d| (d.from == client) == from_client)
                .map(|d| d.bytes.len())
                .sum();
            bytes as f64 * 8.0 / 1000.0 / 10.0
        };
        let near = |name: &str, value: f64, truth: f64, slack: f64| {
            assert!(
                (value - truth).abs() <= truth * 0.1 + slack,
                "{name}: {value} instead of {truth}, loss {loss}"
            );
        };
        let up = world.clients[0].client.connection().unwrap();
        let down = world.servers[0].server.connection(0).unwrap();
        for (connection, out, incoming) in [(up, true, false), (down, false, true)] {
            let statistics = connection.statistics();
            // A datagram takes at least a tick here, each way.
            let truth = 2.0 * (latency as f64).max(16.7) + if latency > 0 { 16.7 } else { 0.0 };
            near("rtt", connection.rtt().unwrap().as_secs_f64() * 1000.0, truth, 10.0);
            near("out", statistics.outgoing_kbps(world.now), sent(out), 0.0);
            near("in", statistics.incoming_kbps(world.now), sent(incoming) * (1.0 - loss), 3.0);
            // Four seconds of 60 packets: the sample's own spread is four per cent.
            near("loss", statistics.packet_loss(world.now), loss, 0.045);
        }
    }
}

/// What an idle client of a server may cost is held by a counting allocator elsewhere; here, that an
/// update of a server with idle clients touches only those that have something to do.
#[test]
fn a_thousand_idle_clients_send_only_keepalives() {
    let mut world = World::new(1);
    world.config.max_clients = 1000;
    world.restart_server(0);
    world.tick = ms(50);
    for id in 0..1000 {
        world.connect(id);
    }
    world.run(secs(3));
    assert_eq!(world.servers[0].server.connected(), 1000);
    world.recording = Some(Vec::new());
    world.run(secs(2));
    let count = world.recording.as_ref().unwrap().len();
    assert!((3500..=4500).contains(&count), "{count}");
}

#[test]
fn a_timeout_of_less_than_a_second_is_no_timeout_of_never() {
    let mut world = World::new(1);
    world.config.connection_timeout = Some(ms(500));
    world.restart_server(0);
    let client = world.connect(1);
    world.run_until(secs(5), |world| world.state(client) == Connected);
    world.servers[0].runs = false;
    world.run(secs(2));
    assert_eq!(world.state(client), ConnectionTimedOut);
}
