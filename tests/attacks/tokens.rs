//! Tokens and handshakes of both protocols: altered, shown again, shown elsewhere, over a stop, a fork and a clock that
//! is turned back.

use crate::puppet::{Puppet, frames};
use crate::watch::{connected, watched, within};
use crate::world::{APPLICATION, Datagram, TokenOptions, UNIX, World, address, pattern, world_1_00};
use crate::{ms, secs};
use cute_net::client::Client;
use cute_net::client::ClientState::{self, *};
use cute_net::drop_reason::DropReason;
use cute_net::message::Delivery::*;
use cute_net::server::Server;
use cute_net::simulator::SimulatorConfig;
use cute_net::token::ConnectToken;
use cute_net::v2::attempt::{Attempt, SEND_INTERVAL};
use cute_net::v2::keys::AssociatedPrefix;
use std::net::SocketAddr;

fn world(of_1_00: bool) -> World {
    watched(if of_1_00 { world_1_00(1, SimulatorConfig::default()) } else { World::new(1) })
}

/// A player that connects, plays and leaves, and all that it sent.
fn recorded_session(world: &mut World) -> Vec<Datagram> {
    world.recording = Some(Vec::new());
    let client = world.connect(1);
    world.run(ms(300));
    assert_eq!(world.state(client), Connected);
    for number in 0..20 {
        world.client_sends(client, ReliableOrdered, &pattern(100, number));
        world.step();
    }
    world.clients[client].client.disconnect();
    world.flush_client(client);
    world.run(ms(300));
    let from = world.clients[client].address;
    world.servers[0].received.clear();
    world.events();
    let recording = world.recording.take().unwrap();
    recording.into_iter().filter(|datagram| datagram.from == from).collect()
}

/// Replays a session in its own order and at its own address; nobody is in then, and nothing came.
fn is_worthless(world: &mut World, session: &[Datagram], label: &str) {
    for datagram in session {
        let _ = world.deliver(datagram);
        world.step();
    }
    assert!(world.servers[0].received.is_empty(), "{label}");
    assert_eq!(world.servers[0].server.connected(), 0, "{label}");
    assert!(!world.events().iter().any(|event| event.starts_with('+')), "{label}");
    let counters = world.servers[0].server.counters();
    assert!(counters.dropped_total() > session.len() as u64 / 2, "{label}");
}

#[test]
fn d28_a_recorded_session_is_worthless_at_the_same_server_after_a_stop_a_fork_and_elsewhere() {
    for of_1_00 in [false, true] {
        let mut world = world(of_1_00);
        let session = recorded_session(&mut world);
        is_worthless(&mut world, &session, "at the same server");

        // Stopped and started: what it knew of tokens is passed on, what it drew is not.
        let seed = world.draw();
        let at = world.servers[0].address;
        let next = Server::new(world.config.clone(), &[at], &[], seed);
        let mut earlier = std::mem::replace(&mut world.servers[0].server, next);
        earlier.stop();
        world.servers[0].server.inherit(earlier);
        let (now, unix) = (world.now, world.unix);
        world.servers[0].server.advance(now, unix);
        is_worthless(&mut world, &session, "after a stop and a start");

        // Forked: the copy knows nothing, and draws everything anew.
        let seed = world.draw();
        world.servers[0].server.restart(seed);
        is_worthless(&mut world, &session, "in a forked copy");

        let mut elsewhere = self::world(of_1_00);
        elsewhere.config = world.config.clone();
        elsewhere.restart_server(0);
        is_worthless(&mut elsewhere, &session, "at another process");
    }
}

/// A copy of a handshake whose second half is withheld until the server was forked or started anew: the cookie and the
/// challenge are nobody's then.
#[test]
fn a_handshake_begun_before_a_fork_is_not_finished_after_it() {
    for of_1_00 in [false, true] {
        let mut world = world(of_1_00);
        let client = world.connect(1);
        let from = world.clients[client].address;
        let mut held = Vec::new();
        for _ in 0..10 {
            world.step_losing(|datagram| {
                let response = datagram.from == from && matches!(datagram.bytes[0], 0xE0 | 6);
                if response {
                    held.push(datagram.clone());
                }
                response
            });
        }
        assert!(!held.is_empty());
        world.clients[client].runs = false;
        let seed = world.draw();
        world.servers[0].server.restart(seed);
        for datagram in &held {
            assert!(world.deliver(datagram).is_err());
        }
        world.run(ms(100));
        assert_eq!(world.servers[0].server.connected(), 0);
        // The player itself begins anew and gets in; by CUTE 1.00 its program has to.
        world.clients[client].runs = true;
        if of_1_00 {
            let token = world.token(1);
            world.connect_with(client, &token);
        }
        world.run_until(secs(5), |world| world.state(client) == Connected);
    }
}

fn shown_again(world: &mut World, client: usize, token: &[u8; 1114]) -> ClientState {
    world.connect_with(client, token);
    world.run_until(secs(12), |world| world.state(client) <= Disconnected);
    world.state(client)
}

#[test]
fn d28_a_clock_turned_back_over_an_expiry_makes_no_used_token_new() {
    for of_1_00 in [false, true] {
        let mut world = world(of_1_00);
        let token = world.token(1); // expires 60 s after UNIX
        let client = world.add_client();
        world.connect_with(client, &token);
        world.run(ms(300));
        assert_eq!(world.state(client), Connected);
        world.clients[client].client.disconnect();
        world.flush_client(client);
        world.run(secs(1));
        let clock = [30, 59, 61, 20, 1000, 5, 0, 50].map(|seconds| UNIX + seconds);
        for (step, unix) in clock.into_iter().enumerate() {
            world.wall_clock = Some(unix);
            // The server's own clock goes on meanwhile, past what it remembers by it; others use their tokens.
            for other in 0..30 {
                world.now = world.now + secs(2);
                let options = TokenOptions {
                    creation: unix,
                    ..world.token_options(1000 + 100 * step as u64 + other)
                };
                let token = world.token_with(&options);
                let guest = world.add_client();
                world.connect_with(guest, &token);
                world.run(ms(200));
                world.clients[guest].client.disconnect();
                world.flush_client(guest);
                world.run(ms(50));
                world.clients[guest].runs = false;
            }
            // Whoever shows it doesn't mind that it has expired.
            let seed = world.draw();
            world.clients[client].client = Client::new(APPLICATION);
            world.clients[client].client.connect(&token, seed).unwrap();
            for _ in 0..60 {
                world.step_with_client_unix(UNIX);
            }
            assert_ne!(world.state(client), Connected, "at {unix}");
            assert_eq!(world.servers[0].server.connected(), 0);
            world.clients[client].client.disconnect();
        }
        let came = world.events().iter().filter(|event| event.starts_with('+')).count();
        assert!(came > 100, "{came}");
    }
}

/// Stated, not prevented: a token counts at each server that it lists, once.
#[test]
fn d28_one_token_connects_once_with_each_server_that_it_lists_and_with_no_other() {
    let mut world = watched(World::new(1));
    world.add_server("10.0.0.2:5000");
    world.add_server("10.0.0.3:5000");
    let servers = vec![world.servers[0].address, world.servers[1].address];
    let options = TokenOptions { servers, ..world.token_options(1) };
    let token = world.token_with(&options);
    let first = world.add_client();
    world.connect_with(first, &token);
    world.run(ms(300));
    assert_eq!(world.state(first), Connected);
    // At the first it is in use; whoever shows it goes on to the second, and the next finds it used at both.
    let (second, third) = (world.add_client(), world.add_client());
    world.connect_with(second, &token);
    world.run(ms(500));
    assert_eq!((world.state(first), world.state(second)), (Connected, Connected));
    assert_eq!(shown_again(&mut world, third, &token), ConnectionDenied);
    assert_eq!(world.servers.iter().map(|s| s.server.connected()).collect::<Vec<_>>(), [1, 1, 0]);
    // Led to a server that it doesn't list, it is refused.
    let request = [&token[90..], &[3; 16]].concat();
    let datagram =
        Datagram { from: address("10.9.9.9:9"), to: world.servers[2].address, bytes: request };
    assert_eq!(world.deliver(&datagram), Err(DropReason::NotListed));
}

/// Somebody who hears a request shows it to another server of the same keys, and hands its denial to the client as if
/// the server that it asks had said so.
#[test]
fn d30_what_a_server_says_that_the_token_does_not_list_ends_neither_attempts_nor_connections() {
    let mut world = watched(World::new(1));
    world.add_server("10.0.0.2:5000");
    let [asked, other] = [0, 1].map(|server| world.servers[server].address);
    let client = world.connect(1);
    let (player, listener) = (world.clients[client].address, address("203.0.113.7:9"));
    // In every tick, and before what the server itself sends.
    let relay = |world: &mut World| {
        world.recording = Some(Vec::new());
        world.step();
        let heard = world.recording.replace(Vec::new()).unwrap();
        let requests = heard.iter().filter(|heard| heard.from == player && heard.bytes[0] == 0);
        for request in requests.cloned() {
            let _ = world.deliver(&Datagram { from: listener, to: other, bytes: request.bytes });
        }
        world.flush_server(1);
        let denials = world.recording.take().unwrap();
        for denial in denials.iter().filter(|denial| denial.to == listener) {
            assert_eq!(denial.bytes[0], 0xA0);
            let false_denial = Datagram { from: asked, to: player, bytes: denial.bytes.clone() };
            let _ = world.deliver(&false_denial);
        }
    };
    (0..6).for_each(|_| relay(&mut world));
    assert_eq!(world.state(client), Connected);
    // The server pauses: its client asks whether it is still there, and the listener has it answered.
    world.run(secs(1));
    world.servers[0].runs = false;
    (0..300).for_each(|_| relay(&mut world));
    assert!(world.servers[1].server.counters().dropped(DropReason::NotListed) > 2);
    world.servers[0].runs = true;
    world.run(secs(2));
    world.check_honest_client();
}

/// Somebody who hears requests, and is nearer to the client than the server, shows them from addresses of its own, and
/// hands the client the challenges for these, first and again and again.
#[test]
fn d22_challenges_for_other_addresses_keep_nobody_out() {
    for addresses in [1, 5, 20] {
        let network = SimulatorConfig { latency: ms(20), ..Default::default() };
        let mut world = watched(World::with_network(1, network));
        let client = world.connect(1);
        let (player, server) = (world.clients[client].address, world.servers[0].address);
        let mut challenges = Vec::new();
        let mut ticks = 0;
        while world.state(client) != Connected {
            ticks += 1;
            assert!(ticks < 60, "{addresses}");
            world.recording = Some(Vec::new());
            world.step();
            let heard = world.recording.replace(Vec::new()).unwrap();
            if let Some(request) = heard.iter().find(|heard| heard.from == player && heard.bytes[0] == 0)
            {
                for number in 0..addresses {
                    let from = SocketAddr::from(([203, 0, 113, number], 9));
                    let _ = world.deliver(&Datagram { from, to: server, bytes: request.bytes.clone() });
                }
                world.flush_server(0);
            }
            let answers = world.recording.take().unwrap().into_iter();
            challenges
                .extend(answers.filter(|answer| answer.bytes[0] == 0xD0).map(|answer| answer.bytes));
            for bytes in challenges.clone() {
                let _ = world.deliver(&Datagram { from: server, to: player, bytes });
            }
        }
        world.check_honest_client();
    }
}

/// Asks for a challenge from an address, which comes, and returns the response that is due.
fn response(world: &mut World, token: &[u8; 1114], random: u8, from: SocketAddr) -> Vec<u8> {
    let token = ConnectToken::read(token, APPLICATION, 0).unwrap();
    let (prefix, mut buffer) = (AssociatedPrefix::new(APPLICATION), [0; 1200]);
    let mut attempt = Attempt::new([random; 16], SEND_INTERVAL);
    let size = attempt.poll_transmit(world.now, &prefix, &token.packet, &mut buffer).unwrap();
    let (result, replies) = world.say(from, &buffer[..size]);
    assert_eq!(result, Ok(()));
    attempt.handle_challenge(&prefix, &token.keys, &replies[0]).unwrap();
    let size = attempt.poll_transmit(world.now, &prefix, &token.packet, &mut buffer).unwrap();
    buffer[..size].to_vec()
}

#[test]
fn d26_of_several_addresses_that_begin_with_one_token_one_gets_in_and_no_other_ever() {
    for leaves in [false, true] {
        let mut world = connected(1, 1);
        let token = world.token(50);
        let from = |number: u8| SocketAddr::from(([10, 66, 0, number], 1));
        let all: Vec<_> =
            (0..5u8).map(|number| response(&mut world, &token, number, from(number))).collect();
        assert_eq!(world.say(from(2), &all[2]).0, Ok(()));
        assert_eq!(world.servers[0].server.connected(), 2);
        let expected = if leaves {
            world.kick(1, false);
            world.step();
            DropReason::TokenUsed
        } else {
            DropReason::TokenInUse
        };
        for number in [0, 1, 3, 4] {
            let (result, replies) = world.say(from(number), &all[usize::from(number)]);
            assert_eq!((result, replies.len(), replies[0].len()), (Err(expected), 1, 42));
        }
        assert_eq!(world.dropped(expected), 4);
        assert_eq!(world.servers[0].server.connected(), 2 - usize::from(leaves));
        world.check_honest_client();
    }
}

/// A response that has everything but the cookie that the server gave this address for this attempt with this token.
#[test]
fn d22_who_did_not_get_the_challenge_does_not_get_in() {
    let mut world = connected(1, 1);
    let [here, there] = ["10.66.0.1:1", "10.66.0.2:1"].map(address);
    let tokens = [world.token(50), world.token(51)];
    let good = response(&mut world, &tokens[0], 1, here);
    let cookie = 1 + 1024 + 16..1 + 1024 + 16 + 16;
    let others = [(0, 2, here), (1, 1, here), (0, 1, there)];
    let mut bad: Vec<Vec<u8>> = others
        .into_iter()
        .map(|(token, random, from)| {
            let other = response(&mut world, &tokens[token], random, from);
            let mut response = good.clone();
            response[cookie.clone()].copy_from_slice(&other[cookie.clone()]);
            response
        })
        .collect();
    bad.extend([[0; 16], [0xFF; 16]].map(|made_up| {
        let mut response = good.clone();
        response[cookie.clone()].copy_from_slice(&made_up);
        response
    }));
    for response in &bad {
        assert_eq!(world.say(here, response), (Err(DropReason::Cookie), Vec::new()));
    }
    for (from, response) in [(there, &good), (world.clients[0].address, &good)] {
        assert_eq!(world.say(from, response), (Err(DropReason::Cookie), Vec::new()));
    }
    assert_eq!(world.servers[0].server.connected(), 1);
    // Twenty seconds later it is nobody's either.
    world.run(secs(21));
    assert_eq!(world.say(here, &good).0, Err(DropReason::Cookie));
    let good = response(&mut world, &tokens[0], 1, here);
    assert_eq!(world.say(here, &good).0, Ok(()));
    assert_eq!(world.servers[0].server.connected(), 2);
    world.check_honest_client();
}

/// Every byte of a request and of a response, altered: none gets in, and none is answered by more than a denial.
#[test]
fn d27_no_altered_byte_of_a_handshake_opens_anything() {
    let mut world = connected(1, 1);
    let client = world.add_client();
    let token = world.token(50);
    world.connect_with(client, &token);
    let from = world.clients[client].address;
    let (mut request, mut response) = (None, None);
    for _ in 0..6 {
        world.step_losing(|datagram| {
            match (datagram.from == from, datagram.bytes[0]) {
                (true, 0) => request = Some(datagram.clone()),
                (true, 0xE0) => {
                    response = Some(datagram.clone());
                    return true;
                }
                _ => {}
            }
            false
        });
    }
    for (genuine, random) in [(request.unwrap(), 1024..1040), (response.unwrap(), 0..0)] {
        for at in 0..genuine.bytes.len() {
            let mut copy = genuine.clone();
            copy.bytes[at] ^= 1 << (at % 8);
            let result = world.deliver(&copy);
            if random.contains(&at) {
                assert_eq!(result, Ok(()), "another random is another attempt, and changes nothing");
            } else {
                assert!(result.is_err(), "byte {at}");
            }
        }
    }
    assert_eq!(world.servers[0].server.connected(), 1);
    world.check_honest_client();
}

/// The first byte of every packet that two ends exchange, made every other one.
#[test]
fn d30_no_packet_of_2_00_passes_as_one_of_another_type() {
    let mut world = watched(World::new(1));
    world.recording = Some(Vec::new());
    world.connect(1);
    world.run(ms(500));
    world.client_sends(0, ReliableOrdered, b"hello");
    world.server_sends(0, ReliableOrdered, b"hello");
    let captured = world.recording.take().unwrap();
    assert!(captured.len() >= 5);
    for datagram in &captured {
        for first in (0..=255).filter(|first| *first != datagram.bytes[0]) {
            let mut copy = datagram.clone();
            copy.bytes[0] = first;
            assert!(world.deliver(&copy).is_err(), "{:#x} as {first:#x}", datagram.bytes[0]);
        }
    }
    world.run(ms(500));
    assert_eq!((world.state(0), world.events().len()), (Connected, 1));
    assert_eq!((world.servers[0].received.len(), world.clients[0].received.len()), (1, 1));
}

/// Somebody who collected thousands of valid tokens comes and leaves with each, until the server can remember no more.
/// Then nobody new gets in before those expire, nothing that was used counts as unused, and who plays notices nothing.
#[test]
fn a_server_that_can_remember_no_more_tokens_admits_nobody_and_forgets_none() {
    const MEMORY: u64 = 64 * 2 + 16_384;
    const LIFETIME: u64 = 400;
    let mut world = within(6 << 20, World::new(1));
    world.config.max_clients = 2;
    world.restart_server(0);
    let options =
        |world: &World, client_id| TokenOptions { lifetime: LIFETIME, ..world.token_options(client_id) };
    let mut first = None;
    let victim = options(&world, 0);
    let token = world.token_with(&victim);
    let client = world.add_client();
    world.connect_with(client, &token);
    world.run(ms(200));
    assert_eq!(world.state(client), Connected);

    let made = world.unix;
    let leave = frames(|writer| assert!(writer.close(0, b"")));
    for client_id in 1..MEMORY {
        let options = options(&world, client_id);
        let token = world.token_with(&options);
        let mut puppet = Puppet::connect_with(&mut world, client_id, &token);
        puppet.send(&mut world, &leave);
        world.step();
        first.get_or_insert(token);
    }
    assert_eq!(world.servers[0].server.connected(), 1);
    world.check_honest_client();

    let full = world.dropped(DropReason::Full);
    let options = options(&world, MEMORY);
    let token = world.token_with(&options);
    let newcomer = world.add_client();
    assert_eq!(shown_again(&mut world, newcomer, &token), ConnectionDenied);
    assert!(world.dropped(DropReason::Full) > full);
    let thief = world.add_client();
    let first = first.expect("tokens were used");
    assert_ne!(shown_again(&mut world, thief, &first), Connected);
    assert!(world.dropped(DropReason::TokenUsed) > 0);
    world.check_honest_client();

    world.run_until(secs(LIFETIME), |world| world.unix > made + LIFETIME);
    let newcomer = world.connect(MEMORY + 1);
    world.run(ms(500));
    assert_eq!(world.state(newcomer), Connected);
    world.check_honest_client();
}
