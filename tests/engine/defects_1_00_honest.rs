//! The defects of the original that honest peers run into, on CUTE 1.00. Each test carries the id of its defect.

use crate::puppet_1_00::{Puppet, fragment, world_with_honest_client};
use crate::world::world_1_00;
use crate::world::{TokenOptions, World, address, pattern};
use crate::{ms, secs};
use cute_net::client::ClientState::*;
use cute_net::drop_reason::DropReason;
use cute_net::duration::Duration;
use cute_net::message::Delivery::*;
use cute_net::sending::SendError;
use cute_net::server::Server;
use cute_net::simulator::{Simulator, SimulatorConfig};
use cute_net::v1::packet::{Packet, PacketType};
use cute_net::v1::payload::MAX_MESSAGE_SIZE;

fn latency(milliseconds: u64) -> SimulatorConfig {
    SimulatorConfig { latency: ms(milliseconds), ..Default::default() }
}

fn connected_over(seed: u64, network: SimulatorConfig) -> World {
    let mut world = world_1_00(seed, network);
    world.connect(1);
    world.run_until(secs(5), |world| world.state(0) == Connected);
    world.run(secs(1));
    world
}

#[test]
fn d33_unreliable_messages_of_multiples_of_1100_bytes_arrive_whole() {
    let mut world = world_with_honest_client(1);
    let sizes = [1, 1099, 1100, 1101, 2199, 2200, 2201, 110_000];
    for (number, &size) in sizes.iter().enumerate() {
        world.client_sends(0, Unreliable, &pattern(size, number as u64));
        world.server_sends(0, Unreliable, &pattern(size, number as u64));
        world.run(ms(200));
    }
    let up = world.servers[0].received.iter().skip(1).map(|(.., bytes)| bytes.len());
    assert!(up.eq(sizes));
    let down = world.clients[0].received.iter().enumerate();
    assert!(
        down.map(|(number, (_, bytes))| *bytes == pattern(sizes[number], number as u64)).eq([true; 8])
    );

    // From an original the last fragment comes empty.
    let mut puppet = Puppet::connect(&mut world, 9);
    puppet.sends(&mut world, &fragment(false, 0, (2, 0), &[7; 1100])).unwrap();
    puppet.sends(&mut world, &fragment(false, 0, (2, 1), b"")).unwrap();
    assert_eq!(puppet.received(&mut world), [[7; 1100]]);
    // And where it is the only one, nothing is left to deliver.
    puppet.sends(&mut world, &fragment(false, 1, (1, 0), b"")).unwrap();
    assert!(puppet.received(&mut world).is_empty());
}

#[test]
fn d34_one_way_reliable_messages_arrive_and_are_not_repeated() {
    let mut world = connected_over(1, latency(30));
    world.recording = Some(Vec::new());
    for number in 0..100 {
        world.client_sends(0, ReliableOrdered, &pattern(900, number));
    }
    world.run(secs(2));
    assert_eq!(world.servers[0].received.len(), 100);
    let client = world.clients[0].address;
    let recording = world.recording.take().unwrap();
    let large =
        recording.iter().filter(|datagram| datagram.from == client && datagram.bytes.len() > 900);
    assert_eq!(large.count(), 100);
}

#[test]
fn d35_reliable_messages_live_beside_sixty_unreliable_ones_a_tick() {
    // On the longer way 2,200 packets leave before the first is acknowledged.
    for one_way in [20, 300] {
        let mut world = connected_over(1, latency(one_way));
        for number in 0..300 {
            for _ in 0..60 {
                world.client_sends(0, Unreliable, &[1; 20]);
            }
            world.client_sends(0, ReliableOrdered, &pattern(20, number));
            world.step();
        }
        world.run(secs(2));
        let reliable = world.servers[0].received.iter().filter(|(_, reliable, _)| *reliable).count();
        assert_eq!(reliable, 300, "{one_way} ms");
        let connection = world.clients[0].client.connection().unwrap();
        assert_eq!(connection.reliable_queued(), 0, "{one_way} ms");
        let loss = connection.statistics().packet_loss(world.now);
        assert!(loss < 0.01, "{loss}, {one_way} ms");
    }
}

/// Numbers have 16 bits: after more than half of them were lost, the next one could be an old one.
#[test]
fn a_connection_outlives_the_loss_of_any_number_of_packets() {
    let mut world = world_1_00(1, SimulatorConfig::default());
    world.config.connection_timeout = None;
    world.restart_server(0);
    world.connect(1);
    world.server_expects(1);
    world.run(ms(300));
    for number in 0..80 {
        (0..500).for_each(|_| world.client_sends(0, Unreliable, b"into nothing"));
        world.client_sends(0, ReliableOrdered, &pattern(20, number));
        let client = world.clients[0].address;
        world.step_losing(|datagram| datagram.from == client);
    }
    assert!(world.servers[0].received.is_empty());
    world.run(secs(4));
    let reliable = world.servers[0].received.iter().filter(|(_, reliable, _)| *reliable);
    assert_eq!(reliable.count(), 80);
}

#[test]
fn d36_a_second_connection_of_a_client_starts_from_nothing() {
    let mut world = connected_over(1, latency(5));
    for round in 1..=2 {
        for number in 0..1200 {
            world.client_sends(0, ReliableOrdered, &pattern(10, number));
            let index = world.servers[0].server.clients().next().unwrap();
            world.server_sends(index, ReliableOrdered, &pattern(10, number));
            if number % 20 == 0 {
                world.step();
            }
        }
        world.run(secs(1));
        let received = (world.servers[0].received.len(), world.clients[0].received.len());
        assert_eq!(received, (1200 * round, 1200 * round));
        let token = world.token(1);
        world.connect_with(0, &token);
        world.run(secs(1));
        assert_eq!(world.state(0), Connected);
    }
}

#[test]
fn d37_a_client_that_timed_out_or_was_denied_connects_again() {
    let mut world = connected_over(1, latency(5));
    // Denied.
    world.config.max_clients = 1;
    world.restart_server(0);
    let other = world.connect(2);
    world.run_until(secs(1), |world| world.state(other) == Connected);
    let again = |world: &mut World| {
        world.unix += 1;
        let token = world.token(1);
        world.connect_with(0, &token);
    };
    again(&mut world);
    world.run_until(secs(5), |world| world.state(0) == ConnectionDenied);
    // Not answered.
    world.clients[other].client.disconnect();
    world.flush_client(other);
    world.run(ms(100));
    world.servers[0].runs = false;
    again(&mut world);
    world.run_until(secs(6), |world| world.state(0) == ConnectionRequestTimedOut);
    // Timed out.
    world.servers[0].runs = true;
    again(&mut world);
    world.run_until(secs(1), |world| world.state(0) == Connected);
    world.servers[0].runs = false;
    world.run_until(secs(11), |world| world.state(0) == ConnectionTimedOut);
    world.servers[0].runs = true;
    again(&mut world);
    world.run_until(secs(5), |world| world.state(0) == Connected);
}

#[test]
fn d38_connecting_while_connected_ends_the_old_connection() {
    let mut world = connected_over(1, latency(5));
    world.events();
    for _ in 0..10 {
        world.unix += 1;
        let token = world.token(1);
        world.connect_with(0, &token);
        world.run(ms(300));
        assert_eq!((world.state(0), world.servers[0].server.connected()), (Connected, 1));
    }
    assert_eq!(world.events().len(), 20);
}

#[test]
fn d39_every_server_of_the_list_gets_a_clean_start() {
    let mut world = world_1_00(1, SimulatorConfig::default());
    let second = world.add_server("10.0.0.2:5000");
    let servers = vec![world.servers[0].address, world.servers[second].address];
    let options = TokenOptions { servers, handshake_timeout: 2, ..world.token_options(1) };
    let token = world.token_with(&options);
    let client = world.add_client();
    world.connect_with(client, &token);
    // The first lets the client in, and is gone before it says so.
    world.run_until(secs(1), |world| !world.servers[0].events.is_empty());
    world.servers[0].runs = false;
    world.network = Simulator::new(SimulatorConfig::default(), 2);
    world.run_until(secs(5), |world| world.state(client) == Connected);
    world.client_sends(client, ReliableOrdered, b"to the second");
    world.run(ms(200));
    assert_eq!(world.servers[second].received.len(), 1);
}

#[test]
fn d40_messages_that_came_with_the_disconnect_come_before_it() {
    let mut world = connected_over(1, latency(5));
    for number in 0..3 {
        world.client_sends(0, ReliableOrdered, &pattern(10, number));
    }
    world.client_sends(0, Unreliable, b"last");
    world.clients[0].client.disconnect();
    world.flush_client(0);
    world.run(ms(100));
    assert_eq!(world.servers[0].received.len(), 4);
    assert_eq!(world.servers[0].server.connected(), 0);

    let mut world = connected_over(1, latency(5));
    for number in 0..3 {
        world.server_sends(0, ReliableOrdered, &pattern(10, number));
    }
    world.kick(0, true);
    world.run(ms(100));
    assert_eq!((world.state(0), world.clients[0].received.len()), (Disconnected, 3));
}

#[test]
fn d44_a_server_that_stops_tells_its_clients_at_once() {
    let mut world = world_1_00(1, latency(5));
    (0..4).for_each(|id| {
        world.connect(id);
    });
    world.server_expects(4);
    world.run(ms(200));
    world.events();
    world.servers[0].server.stop();
    world.flush_server(0);
    world.run(ms(100));
    assert!((0..4).all(|client| world.state(client) == Disconnected));
    assert_eq!(world.events().len(), 4);
}

#[test]
fn d45_a_server_at_a_wildcard_address_is_reached() {
    let mut world = world_1_00(1, SimulatorConfig::default());
    let bound = [address("0.0.0.0:5000")];
    world.servers[0].server = Server::new(world.config.clone(), &bound, &[], [3; 32]);
    let client = world.connect(1);
    world.run_until(secs(1), |world| world.state(client) == Connected);
    // Another port is another server.
    let servers = vec![address("10.0.0.1:5001")];
    let other = world.token_with(&TokenOptions { servers, ..world.token_options(2) });
    let (result, _) = world.say(address("10.9.9.9:9"), &other[90..]);
    assert_eq!(result, Err(DropReason::NotListed));
}

#[test]
fn d46_what_could_not_be_delivered_is_refused_when_it_is_sent() {
    let mut world = connected_over(1, latency(1));
    let bytes = vec![7; MAX_MESSAGE_SIZE + 1];
    let refused = world.clients[0].client.send(0, ReliableOrdered, 0, &bytes);
    let most = MAX_MESSAGE_SIZE;
    assert_eq!(refused, Err(SendError::TooLarge { bytes: most + 1, most }));
    world.client_sends(0, ReliableOrdered, b"after it");
    world.run(secs(1));
    assert_eq!(world.servers[0].received.len(), 1);
}

#[test]
fn d47_repeats_follow_the_round_trip() {
    let mut world = connected_over(1, latency(200));
    // Once the round trip is known.
    world.client_sends(0, ReliableOrdered, b"ping");
    world.run(secs(1));
    world.recording = Some(Vec::new());
    world.client_sends(0, ReliableOrdered, &pattern(1_100_000, 1));
    let took = world.run_until(secs(20), |world| world.servers[0].received.len() == 2);
    let client = world.clients[0].address;
    let recording = world.recording.take().unwrap();
    let sent = recording.iter().filter(|d| d.from == client && d.bytes.len() > 1000).count();
    assert!(sent < 1100, "{sent}");
    // 1000 fragments; the original's window makes 32 round trips of them, of 0.4 s and more.
    assert!(took < secs(9), "{took:?}");
}

#[test]
fn d48_d49_rates_loss_and_round_trip_are_those_of_the_wire() {
    let mut world =
        connected_over(1, SimulatorConfig { latency: ms(40), loss: 0.1, ..Default::default() });
    for _ in 0..600 {
        world.client_sends(0, Unreliable, &[1; 200]);
        world.server_sends(0, Unreliable, &[1; 20]);
        world.server_sends(0, ReliableOrdered, &[1; 5]);
        world.step();
    }
    let client = world.clients[0].client.connection().unwrap();
    let server = world.servers[0].server.connection(0).unwrap();
    // 292 bytes up, about 112 and 97 down, at 60 a second.
    let [up, out, down] = [
        client.statistics().outgoing_kbps(world.now),
        server.statistics().incoming_kbps(world.now),
        client.statistics().incoming_kbps(world.now),
    ];
    assert!((130.0..170.0).contains(&up) && out < up && out > up * 0.8, "{up} {out}");
    assert!((60.0..125.0).contains(&down), "{down}");
    for connection in [client, server] {
        let loss = connection.statistics().packet_loss(world.now);
        assert!((0.04..0.2).contains(&loss), "{loss}");
        let rtt = connection.rtt().unwrap();
        assert!((ms(80)..ms(150)).contains(&rtt), "{rtt:?}");
    }
}

#[test]
fn d50_the_ceiling_of_resends_counts_for_the_first_client_of_a_slot() {
    let resent_after = |ceiling| {
        let mut world = world_1_00(1, SimulatorConfig::default());
        world.config.resend_ceiling = ceiling;
        world.restart_server(0);
        world.connect(1);
        world.server_expects(1);
        world.run(ms(300));
        world.network = Simulator::new(latency(20), 1);
        for _ in 0..30 {
            world.server_sends(0, ReliableOrdered, b"what is the round trip?");
            world.run(ms(100));
        }
        world.server_sends(0, ReliableOrdered, b"lost at first");
        let start = world.now;
        let mut lost = 0;
        while lost < 2 {
            world.step_losing(|datagram| {
                let is_it = datagram.bytes[0] == 7 && lost < 2;
                lost += u32::from(is_it);
                is_it
            });
            assert!(world.now.since(start) < secs(10));
        }
        world.now.since(start)
    };
    let (low, high) = (resent_after(ms(10)), resent_after(secs(5)));
    assert!(low <= ms(150) && low <= high, "{low:?} {high:?}");
}

#[test]
fn d51_the_user_data_is_that_of_the_token() {
    let mut world = world_1_00(1, SimulatorConfig::default());
    for id in [1, 2, 200] {
        world.connect(id);
        world.run(ms(200));
    }
    for (index, id) in [1u8, 2, 200].into_iter().enumerate() {
        assert_eq!(world.servers[0].server.user_data(index as u32), Some(&[id; 256]));
    }
}

#[test]
fn d52_clients_that_connect_together_are_told_their_own_ids() {
    let mut world = world_1_00(1, SimulatorConfig::default());
    let mut puppets: Vec<Puppet> = (100..108).map(|id| Puppet::new(&mut world, id)).collect();
    let challenges: Vec<_> = puppets.iter_mut().map(|puppet| puppet.challenge(&mut world)).collect();
    for (number, (puppet, challenge)) in puppets.iter_mut().zip(&challenges).enumerate().rev() {
        let mut replies = puppet.echo(&mut world, challenge).1;
        let Ok(Packet::Accepted(accepted)) = puppet.seal.open(&mut replies[0]) else { panic!() };
        let told = (accepted.client_id, accepted.max_clients, accepted.connection_timeout);
        assert_eq!(told, (100 + number as u64, 32, 10));
    }
}

#[test]
fn d53_a_player_that_crashed_comes_back_from_another_port_or_the_same() {
    for same_port in [false, true] {
        let mut world = world_with_honest_client(1);
        let crashed = world.connect(5);
        world.run_until(secs(1), |world| world.state(crashed) == Connected);
        world.clients[crashed].runs = false;
        world.run(secs(1));
        world.unix += 1;
        let back = world.connect(5);
        if same_port {
            let lost = world.clients[crashed].address;
            world.clients[crashed].address = address("10.99.99.99:1");
            world.clients[back].address = lost;
        }
        world.run_until(secs(2), |world| world.state(back) == Connected);
        world.run(ms(300));
        assert_eq!((world.state(back), world.servers[0].server.connected()), (Connected, 2));
        world.client_sends(back, ReliableOrdered, b"back");
        world.run(ms(200));
        assert_eq!(world.servers[0].received.last().unwrap().2, b"back");
        world.check_honest_client();
    }
}

/// Only the player itself: the holder of another token does not take an address over, nor does an older token.
#[test]
fn d53_nobody_else_takes_the_place_of_who_is_connected() {
    let mut world = world_with_honest_client(1);
    world.unix += 5;
    let mut puppet = Puppet::connect(&mut world, 5);
    let other = world.token(6);
    let older = TokenOptions { lifetime: 30, ..world.token_options(5) };
    let older = world.token_with(&older);
    for token in [other, older] {
        let (result, replies) = world.say(puppet.address, &token[90..]);
        assert!(result.is_err() && replies.is_empty());
    }
    puppet.sends(&mut world, &fragment(true, 0, (1, 0), b"still here")).unwrap();
    assert_eq!(puppet.received(&mut world), [b"still here"]);
    let repeated = puppet.forge.packet(PacketType::ChallengeResponse, &[0; 264]);
    assert_eq!(world.say(puppet.address, &repeated).0, Err(DropReason::Unexpected));
    world.check_honest_client();
}

#[test]
fn d57_keepalives_and_tokens_leave_ten_times_a_second() {
    for microseconds in [10_000, 16_667, 50_000, 100_000] {
        let mut world = world_1_00(1, SimulatorConfig::default());
        world.tick = Duration::from_micros(microseconds);
        world.servers[0].runs = false;
        world.recording = Some(Vec::new());
        let options = TokenOptions { handshake_timeout: 60, ..world.token_options(1) };
        let token = world.token_with(&options);
        let client = world.add_client();
        world.connect_with(client, &token);
        world.run(secs(10));
        let sent = world.recording.take().unwrap().len();
        assert!((99..=101).contains(&sent), "{sent} tokens at {microseconds} us");
        world.servers[0].runs = true;
        world.run_until(secs(1), |world| world.state(client) == Connected);
        world.run(secs(1));
        world.recording = Some(Vec::new());
        world.run(secs(10));
        let from = world.clients[client].address;
        let recording = world.recording.take().unwrap();
        let sent = recording.iter().filter(|datagram| datagram.from == from).count();
        assert!((99..=101).contains(&sent), "{sent} keepalives at {microseconds} us");
        let to = recording.iter().filter(|datagram| datagram.to == from).count();
        assert!((99..=101).contains(&to), "{to} keepalives of the server at {microseconds} us");
    }
}
