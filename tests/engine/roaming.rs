//! A client whose address changes: NAT that rebinds, Wi-Fi that becomes 4G, and those who only pretend.

use crate::world::{Datagram, World, address, pattern};
use crate::{ms, secs};
use cute_net::client::ClientState::Connected;
use cute_net::message::Delivery::*;
use cute_net::simulator::SimulatorConfig;
use std::net::SocketAddr;

fn at_server(world: &World) -> SocketAddr {
    world.servers[0].server.connection(0).unwrap().path().remote
}

/// A packet that the client sends with this message, in the hands of whoever is on the way.
fn packet_of_client(world: &mut World, message: &[u8]) -> Datagram {
    world.client_sends(0, Unreliable, message);
    world.recording = Some(Vec::new());
    world.flush_client(0);
    world.recording.take().unwrap().pop().unwrap()
}

/// Bytes that went to an address since the recording began.
fn bytes_to(world: &World, address: SocketAddr) -> usize {
    let recording = world.recording.as_ref().unwrap();
    recording.iter().filter(|datagram| datagram.to == address).map(|datagram| datagram.bytes.len()).sum()
}

#[test]
fn a_client_that_moves_plays_on() {
    for to in ["10.1.0.0:41000", "10.7.7.7:40000", "[2001:db8::7]:40000"] {
        let network = SimulatorConfig { latency: ms(30), loss: 0.05, ..Default::default() };
        let mut world = World::connected_over(1, 2, network);
        world.run(secs(1));
        for number in 0..600u64 {
            if number == 200 {
                world.clients[0].address = address(to);
            }
            world.client_sends(0, ReliableOrdered, &pattern(40, number));
            world.server_sends(0, ReliableOrdered, &pattern(40, number));
            world.step();
        }
        world.run(secs(3));
        assert_eq!(at_server(&world), address(to));
        assert_eq!(world.servers[0].received.len(), 600, "{to}");
        assert_eq!(world.clients[0].received.len(), 600, "{to}");
        assert_eq!(world.events(), ["+0 1", "+1 2"]);
    }
}

#[test]
fn moving_costs_no_more_than_a_round_trip_and_a_tick() {
    let network = SimulatorConfig { latency: ms(50), ..Default::default() };
    let mut world = World::connected_over(1, 1, network);
    world.run(secs(2));
    for _ in 0..60 {
        world.client_sends(0, Unreliable, &[1; 32]);
        world.server_sends(0, Unreliable, &[2; 150]);
        world.step();
    }
    world.clients[0].address = address("10.7.7.7:40000");
    world.clients[0].received.clear();
    let mut silence = 0;
    while world.clients[0].received.is_empty() {
        world.client_sends(0, Unreliable, &[1; 32]);
        world.server_sends(0, Unreliable, &[2; 150]);
        world.step();
        silence += 1;
    }
    // 100 ms of round trip are six ticks; reading happens on ticks at both ends.
    assert!(silence <= 6 + 3, "{silence} ticks of silence");
}

/// An idle client says something once a second, and what the server sends meanwhile goes to nobody.
#[test]
fn an_idle_client_that_lost_only_its_address_plays_on_within_three_seconds() {
    for to in ["10.1.0.0:41000", "10.7.7.7:40000"] {
        for seed in 0..8 {
            let network = SimulatorConfig { latency: ms(50), loss: 0.05, ..Default::default() };
            let mut world = World::connected_over(seed, 1, network);
            world.run(secs(5));
            world.clients[0].address = address(to);
            world.server_sends(0, ReliableOrdered, b"where are you");
            world.run_until(secs(3), |world| !world.clients[0].received.is_empty());
            world.client_sends(0, ReliableOrdered, b"here");
            world.run(secs(20));
            assert_eq!((world.state(0), at_server(&world)), (Connected, address(to)));
            assert_eq!(world.clients[0].received, [(true, b"where are you".to_vec())]);
            assert_eq!(world.servers[0].received.len(), 1);
            assert_eq!(world.events(), ["+0 1"]);
        }
    }
}

/// However long nothing came back from where it was: what waits for it leaves one probe timeout after it is heard.
#[test]
fn a_client_that_returns_to_an_address_gets_at_once_what_waits_for_it() {
    for silence in 0..6 {
        let network = SimulatorConfig { latency: ms(25), ..Default::default() };
        let mut world = World::connected_over(silence, 1, network);
        let home = world.clients[0].address;
        world.run(secs(1));
        world.clients[0].address = address("10.7.7.7:40000");
        let play = |world: &mut World, steps, dead: bool| {
            for _ in 0..steps {
                world.client_sends(0, Unreliable, &[1; 32]);
                world.step_losing(|_| dead);
            }
        };
        play(&mut world, 120, false);
        world.server_sends(0, ReliableOrdered, b"where are you");
        play(&mut world, 240 + 10 * silence, true);
        world.clients[0].address = home;
        play(&mut world, 30, false);
        assert_eq!(world.clients[0].received, [(true, b"where are you".to_vec())], "{silence}");
    }
}

/// An attacker who copies a genuine packet and sends it first, from somebody else's address.
#[test]
fn a_spoofed_address_gets_at_most_three_times_what_it_sent_and_loses_the_connection_again() {
    let mut world = World::connected(1, 1);
    world.run(secs(1));
    let victim = address("203.0.113.99:53");
    let server = world.servers[0].address;
    for round in 0..5u64 {
        let genuine = packet_of_client(&mut world, &pattern(60, round));
        let copy = Datagram { from: victim, ..genuine };
        let spoofed = copy.bytes.len();
        assert_eq!(world.deliver(&copy), Ok(()));
        // Once is believed.
        let expected = if round == 0 { victim } else { world.clients[0].address };
        assert_eq!(at_server(&world), expected);

        // The server has much to say meanwhile, and the client is silent.
        world.recording = Some(Vec::new());
        for _ in 0..4 {
            world.server_sends(0, ReliableOrdered, &pattern(5000, round));
            world.flush_server(0);
        }
        let reflected = bytes_to(&world, victim);
        assert!(reflected <= 3 * spoofed, "{reflected} bytes for {spoofed}");
        // The client is asked as well, answers, and has its connection back.
        world.run(secs(2));
        assert_eq!(at_server(&world), world.clients[0].address);
        let total = bytes_to(&world, victim);
        assert!(total <= 3 * spoofed, "{total} bytes for {spoofed}");
        assert!(world.recording.take().unwrap().iter().all(|d| d.to == server || d.from == server));
    }
    world.run(secs(5));
    assert_eq!(world.clients[0].received.len(), 20);
    assert_eq!(world.state(0), Connected);
    assert_eq!(world.events(), ["+0 1"]);
}

#[test]
fn an_old_packet_from_elsewhere_moves_nothing() {
    let mut world = World::connected(1, 1);
    world.run(secs(1));
    let old = packet_of_client(&mut world, b"held back");
    // The attacker holds this one back, and lets a newer one through.
    let client = world.clients[0].address;
    world.step_losing(|datagram| datagram.from == client);
    world.client_sends(0, Unreliable, b"newer");
    world.run(ms(100));
    let copy = Datagram { from: address("203.0.113.99:53"), ..old };
    assert_eq!(world.deliver(&copy), Ok(()));
    assert_eq!(at_server(&world), client);
}

#[test]
fn an_address_that_nobody_answers_from_is_left_after_three_probe_timeouts() {
    let mut world = World::connected(1, 1);
    world.run(secs(1));
    let genuine = packet_of_client(&mut world, b"copied");
    let client = world.clients[0].address;
    world.clients[0].runs = false; // and so it can't answer the probe at its own address either
    let copy = Datagram { from: address("203.0.113.99:53"), ..genuine };
    assert_eq!(world.deliver(&copy), Ok(()));
    assert_ne!(at_server(&world), client);
    world.run(secs(1));
    assert_eq!(at_server(&world), client);
    world.clients[0].runs = true;
    world.server_sends(0, ReliableOrdered, b"still yours");
    world.run(secs(1));
    assert_eq!(world.clients[0].received, [(true, b"still yours".to_vec())]);
}

/// While a new address has not proven itself, messages that may be lost are, rather than come late; and the
/// probe is repeated if it is lost.
#[test]
fn a_new_address_is_not_flooded_with_what_waited_for_it() {
    let mut world = World::connected(1, 1);
    world.run(secs(1));
    world.clients[0].address = address("10.9.9.9:1");
    world.client_sends(0, Unreliable, b"hello");
    let (server, client) = (world.servers[0].address, world.clients[0].address);
    let mut to_client = 0;
    for tick in 0..60 {
        for _ in 0..20 {
            world.server_sends(0, Unreliable, &[tick; 1000]);
        }
        world.recording = Some(Vec::new());
        world.step_losing(|datagram| (2..20).contains(&tick) && datagram.from == client);
        let sent = world.recording.take().unwrap();
        let count = sent.iter().filter(|datagram| datagram.from == server).count();
        assert!(count <= 24, "{count} datagrams in tick {tick}");
        if tick < 20 {
            to_client += sent.iter().filter(|datagram| datagram.to == client).count();
        }
    }
    assert!(to_client >= 2, "{to_client}");
    assert_eq!(world.state(0), Connected);
}
