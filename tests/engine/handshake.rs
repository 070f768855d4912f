//! Connecting: the ways in, and every way in which it fails.

use crate::world::{Datagram, TokenOptions, UNIX, World, address, pattern, world_1_00};
use crate::{ms, secs};
use cute_net::client::ClientState::{self, *};
use cute_net::drop_reason::DropReason;
use cute_net::duration::Duration;
use cute_net::message::Delivery;
use cute_net::reason::DenyReason;
use cute_net::simulator::SimulatorConfig;

/// Runs until the client is neither connecting nor connected; returns how it ended and after how long.
fn outcome(world: &mut World, client: usize) -> (ClientState, Duration) {
    let took = world.run_until(secs(120), |world| {
        matches!(world.state(client), Connected) || world.state(client) <= Disconnected
    });
    (world.state(client), took)
}

fn near(took: Duration, expected: Duration) {
    let difference = took.abs_diff(expected);
    assert!(difference <= ms(100), "{took:?} instead of {expected:?}");
}

#[test]
fn three_updates_of_the_client_connect_it() {
    let mut world = World::new(1);
    world.connect(9);
    // A datagram takes a tick here: request, challenge, response, accept.
    for _ in 0..5 {
        world.step();
    }
    assert_eq!(world.clients[0].states, [SendingConnectionRequest, SendingChallengeResponse, Connected]);
    assert_eq!(world.events(), ["+0 9"]);
    assert_eq!(world.servers[0].server.user_data(0), Some(&[9; 256]));
    assert_eq!(world.servers[0].server.counters().dropped_total(), 0);
}

#[test]
fn a_bad_network_only_takes_longer() {
    for seed in 0..20 {
        let network = SimulatorConfig {
            latency: ms(100),
            jitter: ms(50),
            loss: 0.5,
            duplicate: 0.2,
            reorder: 0.2,
            bottleneck: None,
        };
        let mut world = World::with_network(seed, network);
        let token = world.token_with(&TokenOptions { handshake_timeout: 15, ..world.token_options(1) });
        let client = world.add_client();
        world.connect_with(client, &token);
        assert_eq!(outcome(&mut world, client).0, Connected, "seed {seed}");
        world.run(secs(5));
        assert_eq!(world.events(), ["+0 1"], "seed {seed}");
        assert_eq!(world.state(client), Connected);
    }
}

#[test]
fn a_server_that_does_not_answer_costs_the_handshake_timeout() {
    let mut world = World::new(1);
    world.servers[0].runs = false;
    let client = world.connect(1);
    let (state, took) = outcome(&mut world, client);
    assert_eq!(state, ConnectionRequestTimedOut);
    near(took, secs(5));
    world.recording = Some(Vec::new());
    world.run(secs(1));
    assert!(world.recording.as_ref().unwrap().is_empty());
}

#[test]
fn a_handshake_timeout_of_zero_fails_with_the_first_update() {
    let mut world = World::new(1);
    let token = world.token_with(&TokenOptions { handshake_timeout: 0, ..world.token_options(1) });
    let client = world.add_client();
    world.connect_with(client, &token);
    world.step();
    assert_eq!(world.state(client), ConnectionRequestTimedOut);
}

#[test]
fn a_server_that_stops_answering_half_way_is_told_apart() {
    let mut world = World::new(1);
    let client = world.connect(1);
    world.run_until(secs(1), |world| world.state(0) == SendingChallengeResponse);
    world.servers[0].runs = false;
    let (state, took) = outcome(&mut world, client);
    assert_eq!(state, ChallengeResponseTimedOut);
    near(took, secs(5));
}

#[test]
fn the_list_is_walked_in_order_and_the_last_server_names_the_end() {
    let mut world = World::new(1);
    let dead = [address("10.0.0.8:1"), address("[2001:db8::9]:1")];
    let options = TokenOptions {
        servers: vec![dead[0], dead[1], world.servers[0].address],
        handshake_timeout: 2,
        ..world.token_options(1)
    };
    let token = world.token_with(&options);
    let client = world.add_client();
    world.connect_with(client, &token);
    let (state, took) = outcome(&mut world, client);
    assert_eq!(state, Connected);
    near(took, ms(4080));
}

/// D39: the first server takes the token and is then mute; the second must not suffer from it.
#[test]
fn d39_every_server_of_the_list_gets_a_clean_start() {
    let mut world = World::new(1);
    world.add_server("10.0.0.2:5000");
    let servers = vec![world.servers[0].address, world.servers[1].address];
    let token =
        world.token_with(&TokenOptions { servers, handshake_timeout: 2, ..world.token_options(1) });
    let client = world.add_client();
    world.connect_with(client, &token);
    world.run_until(secs(1), |world| !world.servers[0].events.is_empty());
    world.servers[0].runs = false; // it has let the client in, and is gone before it says so
    world.network = cute_net::simulator::Simulator::new(SimulatorConfig::default(), 2);
    assert_eq!(outcome(&mut world, client).0, Connected);
    world.client_sends(client, Delivery::ReliableOrdered, b"to the second");
    world.run(ms(100));
    assert_eq!(world.servers[1].received.len(), 1);

    // And if the second is mute from the start, it was the request that got no answer.
    let mut world = World::new(1);
    let servers = vec![world.servers[0].address, address("10.0.0.9:1")];
    let token =
        world.token_with(&TokenOptions { servers, handshake_timeout: 2, ..world.token_options(1) });
    let client = world.add_client();
    world.connect_with(client, &token);
    world.run_until(secs(1), |world| world.state(0) == SendingChallengeResponse);
    world.servers[0].runs = false;
    assert_eq!(outcome(&mut world, client).0, ConnectionRequestTimedOut);
}

#[test]
fn a_full_server_denies_and_lets_in_again_when_somebody_leaves() {
    let mut world = World::new(1);
    world.config.max_clients = 2;
    world.restart_server(0);
    for id in [1, 2] {
        let client = world.connect(id);
        assert_eq!(outcome(&mut world, client).0, Connected);
    }
    let third = world.connect(3);
    let (state, took) = outcome(&mut world, third);
    assert_eq!(state, ConnectionDenied);
    assert!(took < ms(100));
    assert!(world.dropped(DropReason::Full) > 0);
    world.clients[0].client.disconnect();
    world.flush_client(0);
    world.run(ms(100));
    let token = world.token(3);
    world.connect_with(third, &token);
    assert_eq!(outcome(&mut world, third).0, Connected);
    assert_eq!(world.events(), ["+0 1", "+1 2", "-0 left", "+0 3"]);
}

#[test]
fn a_denied_client_goes_on_to_the_next_server() {
    let mut world = World::new(1);
    world.config.max_clients = 1;
    world.restart_server(0);
    world.config.max_clients = 32;
    world.add_server("10.0.0.2:5000");
    world.connect(1);
    world.run(ms(100));
    let servers = vec![world.servers[0].address, world.servers[1].address];
    let token = world.token_with(&TokenOptions { servers, ..world.token_options(2) });
    let client = world.add_client();
    world.connect_with(client, &token);
    assert_eq!(outcome(&mut world, client).0, Connected);
    assert_eq!(world.clients[client].client.server(), Some(world.servers[1].address));
}

#[test]
fn an_expired_token_ends_in_its_own_state_by_the_clock_of_either_end() {
    // The client's clock.
    let mut world = World::new(1);
    world.servers[0].runs = false;
    let token = world.token_with(&TokenOptions { lifetime: 2, ..world.token_options(1) });
    let client = world.add_client();
    world.connect_with(client, &token);
    let (state, took) = outcome(&mut world, client);
    assert_eq!(state, ConnectTokenExpired);
    near(took, secs(2));

    // The server's: the client's stands still.
    let mut world = World::new(1);
    let token =
        world.token_with(&TokenOptions { creation: UNIX - 10, lifetime: 10, ..world.token_options(1) });
    let client = world.add_client();
    world.clients[client].client.connect(&token, [1; 32]).unwrap();
    world.unix = UNIX;
    for _ in 0..4 {
        world.step_with_client_unix(UNIX - 5);
    }
    assert_eq!(world.state(client), ConnectTokenExpired);
    assert!(world.dropped(DropReason::Expired) > 0);
}

#[test]
fn a_connection_outlives_its_token() {
    let mut world = World::new(1);
    let token = world.token_with(&TokenOptions { lifetime: 1, ..world.token_options(1) });
    let client = world.add_client();
    world.connect_with(client, &token);
    world.run(secs(30));
    assert_eq!(world.state(client), Connected);
    // Even after a silence that makes the client ask whether it is still known.
    world.servers[0].runs = false;
    world.run(secs(5));
    world.servers[0].runs = true;
    world.run(secs(5));
    assert_eq!(world.state(client), Connected);
    assert_eq!(world.events(), ["+0 1"]);
}

#[test]
fn a_token_for_another_server_is_refused_by_name() {
    let mut world = World::new(1);
    let options = TokenOptions { servers: vec![address("10.0.0.2:5000")], ..world.token_options(1) };
    let token = world.token_with(&options);
    // A redirection on the way: the client's datagrams reach a server that the token does not list.
    let client = world.add_client();
    world.connect_with(client, &token);
    let real = world.servers[0].address;
    // Whether it is the server's word shows when nothing else comes from it.
    let mut ticks = 0;
    while world.state(client) != ConnectionDenied {
        ticks += 1;
        world.redirect(address("10.0.0.2:5000"), real);
    }
    assert!((120..=126).contains(&ticks), "{ticks}");
    assert_eq!(world.clients[client].client.deny_reason(), Some(DenyReason::NOT_LISTED));
    assert!(world.dropped(DropReason::NotListed) > 0);
    world.servers[0].server.add_public_address(address("10.0.0.2:5000"));
    let token = world.token_with(&TokenOptions { creation: UNIX + 1, ..options });
    world.connect_with(client, &token);
    for _ in 0..10 {
        world.redirect(address("10.0.0.2:5000"), real);
    }
    assert_eq!(world.state(client), Connected);
}

#[test]
fn a_token_connects_once() {
    let mut world = World::new(1);
    let token = world.token(1);
    let (first, second) = (world.add_client(), world.add_client());
    world.connect_with(first, &token);
    assert_eq!(outcome(&mut world, first).0, Connected);
    // From elsewhere while it is in use, and from anywhere after.
    world.connect_with(second, &token);
    assert_eq!(outcome(&mut world, second).0, ConnectionDenied);
    assert_eq!(world.state(first), Connected);
    assert!(world.dropped(DropReason::TokenInUse) > 0);
    world.clients[first].client.disconnect();
    world.flush_client(first);
    world.run(ms(100));
    for client in [first, second] {
        world.connect_with(client, &token);
        assert_eq!(outcome(&mut world, client).0, ConnectionDenied);
    }
    assert!(world.dropped(DropReason::TokenUsed) > 0);
    assert_eq!(world.events(), ["+0 1", "-0 left"]);
}

/// D26: two addresses begin with one token; only the one that completes first gets in.
#[test]
fn a_token_begun_from_two_addresses_connects_one() {
    let mut world = World::new(1);
    let token = world.token(1);
    let clients = [world.add_client(), world.add_client()];
    for client in clients {
        world.connect_with(client, &token);
    }
    world.run(secs(1));
    let mut states = clients.map(|client| world.state(client));
    states.sort();
    assert_eq!(states, [ConnectionDenied, Connected]);
    assert_eq!(world.servers[0].server.connected(), 1);
}

#[test]
fn a_newer_token_takes_the_connection_over_and_an_older_one_does_not() {
    let mut world = World::new(1);
    let first = world.connect(7);
    world.run(ms(100));
    world.client_sends(first, Delivery::ReliableOrdered, b"the last words");
    world.clients[first].runs = false; // it crashes
    world.flush_client(first);
    let older = world.token_with(&TokenOptions { creation: UNIX - 1, ..world.token_options(7) });
    let newer = world.token_with(&TokenOptions { creation: UNIX + 5, ..world.token_options(7) });
    let second = world.add_client();
    world.connect_with(second, &older);
    assert_eq!(outcome(&mut world, second).0, ConnectionDenied);
    world.connect_with(second, &newer);
    let (state, took) = outcome(&mut world, second);
    assert_eq!(state, Connected);
    assert!(took < ms(200), "{took:?}");
    assert_eq!(world.events(), ["+0 7", "-0 replaced by a newer connection", "+1 7"]);
    assert_eq!(world.servers[0].received, [(0, true, b"the last words".to_vec())]);
    // The crashed one, if it was only slow, learns why it is out.
    world.clients[first].runs = true;
    world.run(secs(2));
    assert!(world.state(first) <= Disconnected);
    assert_eq!(world.state(second), Connected);
}

/// D52: the original tells clients that connect at the same moment each other's ids.
#[test]
fn d52_clients_that_connect_together_are_told_their_own_ids() {
    let world = World::connected(3, 8);
    for (number, client) in world.clients.iter().enumerate() {
        let accept = client.client.connection().unwrap().as_v2().unwrap().accept().unwrap();
        assert_eq!(accept.client_id, number as u64 + 1);
        assert_eq!(accept.max_clients, 32);
        assert_eq!(accept.connection_timeout, 10);
    }
}

/// D57: ten requests a second at every update rate that allows it.
#[test]
fn d57_the_send_rate_keeps_its_remainder() {
    for (tick_us, expected) in [
        (4_167, 100),
        (10_000, 100),
        (16_667, 100),
        (33_333, 100),
        (50_000, 100),
        (100_000, 100),
        (110_000, 91),
        (250_000, 40),
    ] {
        let mut world = World::new(1);
        world.tick = Duration::from_micros(tick_us);
        world.servers[0].runs = false;
        world.recording = Some(Vec::new());
        let token = world.token_with(&TokenOptions { handshake_timeout: 60, ..world.token_options(1) });
        let client = world.add_client();
        world.connect_with(client, &token);
        world.run(secs(10));
        let sent = world.recording.as_ref().unwrap().len();
        assert!(sent.abs_diff(expected) <= 1, "{tick_us} us: {sent} requests instead of {expected}");
    }
}

#[test]
fn a_first_update_that_comes_late_costs_nothing() {
    let mut world = World::new(1);
    let client = world.connect(1);
    let token_tick = world.tick;
    world.tick = secs(37);
    world.step();
    world.tick = token_tick;
    assert_eq!(world.state(client), SendingConnectionRequest);
    assert_eq!(outcome(&mut world, client).0, Connected);
}

#[test]
fn a_lost_accept_is_said_again() {
    for lost in 1..8 {
        let mut world = World::new(lost);
        let client = world.connect(1);
        world.run_until(secs(1), |world| world.state(0) == SendingChallengeResponse);
        // The first answers to the response are lost.
        let server = world.servers[0].address;
        let until = world.now + ms(100 * lost);
        while world.now < until {
            world.step_losing(|datagram| datagram.from == server && datagram.bytes[0] & 0xF0 == 0x80);
        }
        assert_eq!(outcome(&mut world, client).0, Connected, "{lost}");
        assert_eq!(world.events(), ["+0 1"]);
        world.client_sends(client, Delivery::ReliableOrdered, b"up");
        world.server_sends(0, Delivery::ReliableOrdered, b"down");
        world.run(secs(1));
        assert_eq!(world.servers[0].received.len(), 1);
        assert_eq!(world.clients[0].received.len(), 1);
    }
}

/// The client gives the cookie up after ten responses and gets another; the server moves the connection
/// it has already made to the new keys, with what the program sent meanwhile.
#[test]
fn a_handshake_that_outlives_its_cookie_moves_to_a_new_one() {
    let mut world = World::new(1);
    let token = world.token_with(&TokenOptions { handshake_timeout: 60, ..world.token_options(1) });
    let client = world.add_client();
    world.connect_with(client, &token);
    world.run_until(secs(1), |world| world.state(0) == SendingChallengeResponse);
    world.server_expects(1);
    world.server_sends(0, Delivery::ReliableOrdered, b"welcome");
    let server = world.servers[0].address;
    let until = world.now + secs(25);
    while world.now < until && world.state(client) == SendingChallengeResponse {
        world.step_losing(|datagram| datagram.from == server && datagram.bytes[0] & 0xF0 == 0x80);
    }
    // The slot's client was never heard within its handshake timeout... which is a minute here.
    assert_eq!(outcome(&mut world, client).0, Connected);
    world.run(secs(1));
    assert_eq!(world.clients[0].received, [(true, b"welcome".to_vec())]);
    assert_eq!(world.events(), ["+0 1"]);
}

#[test]
fn a_client_that_was_let_in_and_never_heard_gives_its_slot_back() {
    let mut world = World::new(1);
    let client = world.connect(1);
    world.run_until(secs(1), |world| world.servers[0].server.connected() == 1);
    world.clients[client].runs = false;
    let took = world.run_until(secs(20), |world| world.servers[0].server.connected() == 0);
    near(took, secs(5));
    assert_eq!(world.events(), ["+0 1", "-0 timed out"]);
}

#[test]
fn a_client_notices_a_restarted_server_within_three_seconds() {
    let mut world = World::connected(1, 3);
    world.run(secs(1));
    world.restart_server(0);
    let took = world
        .run_until(secs(10), |world| (0..3).all(|client| world.state(client) == ConnectionTimedOut));
    assert!(took < secs(3), "{took:?}");
    // And the same when the token has expired meanwhile.
    let mut world = World::new(1);
    let token = world.token_with(&TokenOptions { lifetime: 2, ..world.token_options(1) });
    let client = world.add_client();
    world.connect_with(client, &token);
    world.run(secs(5));
    world.restart_server(0);
    let took = world.run_until(secs(10), |world| world.state(0) == ConnectionTimedOut);
    assert!(took < secs(3), "{took:?}");
}

#[test]
fn a_pause_of_either_program_ends_no_connection() {
    let mut world = World::connected(1, 2);
    // The server loads a level: the clients ask, get no answer, and wait.
    world.servers[0].runs = false;
    world.hold_for_server = true;
    world.run(secs(8));
    world.servers[0].runs = true;
    world.hold_for_server = false;
    world.run(secs(3));
    assert_eq!(world.events(), ["+0 1", "+1 2"]);
    assert_eq!([world.state(0), world.state(1)], [Connected; 2]);
    // A client does.
    world.clients[0].runs = false;
    world.run(secs(8));
    world.clients[0].runs = true;
    world.run(secs(3));
    assert_eq!([world.state(0), world.state(1)], [Connected; 2]);
    assert!(world.events().is_empty());
}

/// What is under way while the clock jumps says nothing of the round trip, over both protocols, and holds nothing up.
#[test]
fn a_jump_of_the_clock_in_a_transfer_makes_no_path_longer() {
    for make in [World::with_network, world_1_00] {
        let network = SimulatorConfig { latency: ms(100), ..SimulatorConfig::default() };
        let mut world = make(1, network);
        world.connect(1);
        world.server_expects(1);
        let message = pattern(6_000_000, 1);
        world.server_sends(0, Delivery::ReliableOrdered, &message);
        world.run(ms(250));
        for _ in 0..3 {
            world.server_ahead += secs(3);
            world.run(ms(40));
        }
        assert!(world.clients[0].received.is_empty());
        let took = world.run_until(secs(100), |world| !world.clients[0].received.is_empty());
        assert!(took < secs(20), "{took:?}");
        assert_eq!(world.clients[0].received[0].1, message);
        let rtt = world.servers[0].server.connection(0).unwrap().rtt().unwrap();
        assert!((ms(200)..ms(300)).contains(&rtt), "{rtt:?}");
    }
}

/// D31: one long update after packets were read drops nobody.
#[test]
fn one_update_longer_than_the_timeout_drops_no_client_that_had_sent() {
    let mut world = World::connected(1, 3);
    for ahead in 1..=5 {
        for client in 0..3 {
            world.client_sends(client, Delivery::Unreliable, b"I am here");
            world.flush_client(client);
        }
        world.server_ahead = secs(11) * ahead;
        world.step();
    }
    world.run(secs(2));
    assert_eq!(world.events(), ["+0 1", "+1 2", "+2 3"]);
}

#[test]
fn reconnecting_twenty_times_with_one_client_object_works() {
    let mut world = World::new(1);
    let client = world.add_client();
    for round in 0..20u64 {
        let token = world.token_with(&TokenOptions {
            creation: UNIX + round,
            lifetime: 600,
            ..world.token_options(1)
        });
        world.connect_with(client, &token);
        assert_eq!(outcome(&mut world, client).0, Connected, "round {round}");
        world.clients[client].received.clear();
        world.servers[0].received.clear();
        for number in 0..20u8 {
            world.client_sends(client, Delivery::ReliableOrdered, &[number]);
            world.server_sends(0, Delivery::ReliableOrdered, &[number]);
            world.client_sends(client, Delivery::Unreliable, &[number]);
        }
        world.run(ms(200));
        assert_eq!(world.servers[0].received.len(), 40, "round {round}");
        assert_eq!(world.clients[client].received.len(), 20, "round {round}");
        match round % 4 {
            0 => {
                world.clients[client].client.disconnect();
                world.flush_client(client);
            }
            1 => world.kick(0, true),
            2 => world.kick(0, false),
            _ => {} // still connected
        }
        world.run(if round % 4 == 2 { secs(12) } else { ms(100) });
    }
    assert_eq!(world.events().len(), 39);
}

#[test]
fn thirty_two_clients_connect_and_the_thirty_third_is_denied() {
    let mut world = World::connected(1, 32);
    let last = world.connect(33);
    assert_eq!(outcome(&mut world, last).0, ConnectionDenied);
    assert_eq!(world.servers[0].server.connected(), 32);
    world.run(secs(12));
    assert!((0..32).all(|client| world.state(client) == Connected));
}

#[test]
fn new_clients_take_the_lowest_free_index() {
    let mut world = World::connected(1, 4);
    for index in [2, 0] {
        world.kick(index, true);
    }
    world.run(ms(100));
    world.events();
    world.connect(11);
    world.run(ms(200));
    world.connect(12);
    world.run(ms(200));
    assert_eq!(world.events(), ["+0 11", "+2 12"]);
}

#[test]
fn what_a_stranger_sends_is_dropped_for_the_right_reason() {
    let mut world = World::new(1);
    let token = world.token(1);
    let request = |token: &[u8], random: u8| {
        let mut bytes = token[90..].to_vec();
        bytes.extend([random; 16]);
        bytes
    };
    let good = request(&token, 1);
    let from = address("10.9.9.9:9");
    let to = world.servers[0].address;
    let mut drop = |bytes: Vec<u8>| world.deliver(&Datagram { from, to, bytes });
    let altered = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    assert_eq!(drop(good.clone()), Ok(()));
    assert_eq!(drop(Vec::new()), Err(DropReason::Size));
    assert_eq!(drop(vec![0; 100]), Err(DropReason::Size));
    assert_eq!(drop(good[..1039].to_vec()), Err(DropReason::Size));
    assert_eq!(drop(good[..1024].to_vec()), Err(DropReason::Version)); // a token packet of CUTE 1.00
    assert_eq!(drop(altered(5, b'3')), Err(DropReason::Version));
    assert_eq!(drop(altered(11, 0)), Err(DropReason::Application));
    assert_eq!(drop(altered(35, 3)), Err(DropReason::Malformed));
    assert_eq!(drop(altered(1000, good[1000] ^ 1)), Err(DropReason::UnknownKey));
    assert_eq!(drop(altered(600, good[600] ^ 1)), Err(DropReason::Forged));
    assert_eq!(drop(vec![5; 337]), Err(DropReason::Type));
    assert_eq!(drop(vec![0xD0; 33]), Err(DropReason::Type));
    assert_eq!(drop(vec![0xE0; 50]), Err(DropReason::Size));
    assert_eq!(drop(vec![0xE0; 1073]), Err(DropReason::Cookie));
    assert_eq!(drop(vec![0x80; 4]), Err(DropReason::Size));
    assert_eq!(drop(vec![0x80; 60]), Err(DropReason::UnknownConnection));
    let counters = world.servers[0].server.counters();
    assert_eq!(counters.received(), 16);
    assert_eq!(counters.dropped_total(), 15);
}

/// The slot of the connection that is taken over is free once the program has heard of its end, which is
/// before the newcomer asks again.
#[test]
fn a_full_server_lets_a_newer_token_take_over_too() {
    let mut world = World::new(1);
    world.config.max_clients = 1;
    world.restart_server(0);
    let first = world.connect(7);
    world.run(ms(100));
    world.clients[first].runs = false; // it crashes
    let newer = world.token_with(&TokenOptions { creation: UNIX + 5, ..world.token_options(7) });
    let second = world.add_client();
    world.connect_with(second, &newer);
    let (state, took) = outcome(&mut world, second);
    assert_eq!(state, Connected);
    assert!(took < ms(400), "{took:?}");
    assert_eq!(world.events(), ["+0 7", "-0 replaced by a newer connection", "+0 7"]);
}
