//! How connections end, and what each end hears of it.

use crate::world::{Datagram, World};
use crate::{ms, secs};
use cute_net::client::ClientState::*;
use cute_net::drop_reason::DropReason;
use cute_net::message::Delivery::*;
use cute_net::reason::DisconnectReason;
use cute_net::simulator::SimulatorConfig;

#[test]
fn leaving_is_heard_at_once_and_by_three_datagrams() {
    let mut world = World::connected(1, 1);
    world.run(ms(200));
    world.recording = Some(Vec::new());
    world.clients[0].client.disconnect();
    world.flush_client(0);
    assert_eq!(world.state(0), Disconnected);
    assert_eq!(world.recording.as_ref().unwrap().len(), 3);
    world.clients[0].client.disconnect();
    world.flush_client(0);
    assert_eq!(world.recording.as_ref().unwrap().len(), 3);
    world.step();
    world.step();
    assert_eq!(world.events(), ["+0 1", "-0 left"]);
    // Nothing answers a CLOSE.
    world.run(secs(3));
    assert_eq!(world.recording.as_ref().unwrap().len(), 3);
}

#[test]
fn a_kick_frees_the_slot_at_once_and_is_told_after_the_next_update() {
    let mut world = World::connected(1, 2);
    world.run(ms(200));
    world.events();
    world.kick(0, true);
    assert!(!world.servers[0].server.is_connected(0));
    world.pop_events(0);
    assert!(world.events().is_empty());
    world.kick(0, true);
    world.step();
    assert_eq!(world.events(), ["-0 kicked"]);
    world.run(ms(100));
    assert_eq!(world.state(0), Disconnected);
    assert_eq!(world.clients[0].client.disconnect_reason(), Some(DisconnectReason::KICKED));
    assert_eq!(world.state(1), Connected);
}

#[test]
fn a_kick_without_a_word_is_noticed_when_the_client_asks() {
    let mut world = World::connected(1, 1);
    world.run(ms(200));
    world.kick(0, false);
    world.recording = Some(Vec::new());
    let took = world.run_until(secs(20), |world| world.state(0) != Connected);
    assert_eq!(world.state(0), ConnectionTimedOut);
    assert!(took < secs(3), "{took:?}");
}

#[test]
fn a_closed_connection_says_so_again_to_whoever_did_not_hear() {
    let mut world = World::connected(1, 1);
    world.run(ms(200));
    let server = world.servers[0].address;
    world.kick(0, true);
    // All three are lost.
    world.step_losing(|datagram| datagram.from == server);
    world.step_losing(|datagram| datagram.from == server);
    assert_eq!(world.state(0), Connected);
    world.client_sends(0, Unreliable, b"hello?");
    world.run(ms(100));
    assert_eq!(world.state(0), Disconnected);
    assert!(world.dropped(DropReason::Ended) >= 1);
    assert!(world.servers[0].received.is_empty());
}

#[test]
fn the_last_words_before_a_kick_arrive() {
    let mut world = World::connected(1, 1);
    world.run(ms(200));
    world.server_sends(0, ReliableOrdered, b"you are kicked because");
    world.server_sends(0, Unreliable, b"unreliable too");
    world.kick(0, true);
    world.run(ms(100));
    assert_eq!(world.state(0), Disconnected);
    assert_eq!(
        world.clients[0].received,
        [(true, b"you are kicked because".to_vec()), (false, b"unreliable too".to_vec())]
    );
}

#[test]
fn silence_ends_a_connection_after_its_timeout_on_both_ends() {
    let mut world = World::connected(1, 2);
    world.run(secs(2));
    world.clients[0].runs = false;
    let took = world.run_until(secs(20), |world| !world.servers[0].server.is_connected(0));
    assert!((secs(9)..secs(11)).contains(&took), "{took:?}");
    assert_eq!(world.events(), ["+0 1", "+1 2", "-0 timed out"]);
    // The client wakes up, asks, and learns it.
    world.clients[0].runs = true;
    world.run(secs(3));
    assert!(world.state(0) < Connected);

    world.servers[0].runs = false;
    let took = world.run_until(secs(20), |world| world.state(1) != Connected);
    assert_eq!(world.state(1), ConnectionTimedOut);
    assert!((secs(9)..secs(11)).contains(&took), "{took:?}");
}

#[test]
fn a_timeout_of_zero_never_ends_a_connection() {
    let mut world = World::new(1);
    world.config.connection_timeout = None;
    world.restart_server(0);
    world.connect(1);
    world.run(secs(1));
    assert_eq!(world.state(0), Connected);
    world.recording = Some(Vec::new());
    world.run(secs(10));
    // A keepalive and its acknowledgement a second.
    let count = world.recording.take().unwrap().len();
    assert!((18..=24).contains(&count), "{count}");
    world.clients[0].runs = false;
    world.run(secs(300));
    assert!(world.servers[0].server.is_connected(0));
    world.clients[0].runs = true;
    world.client_sends(0, ReliableOrdered, b"back");
    world.run(secs(3));
    assert_eq!(world.servers[0].received.len(), 1);
}

#[test]
fn stopping_tells_everybody_and_leaves_the_events() {
    let mut world = World::connected(1, 3);
    world.client_sends(1, ReliableOrdered, b"unpopped");
    world.servers[0].pops = false;
    world.run(ms(100));
    world.servers[0].server.stop();
    world.flush_server(0);
    assert_eq!(world.servers[0].server.connected(), 0);
    world.pop_events(0);
    let events = world.events();
    assert_eq!(events[3..], ["-0 server stopped", "-1 server stopped", "-2 server stopped"]);
    assert_eq!(world.servers[0].received, [(1, true, b"unpopped".to_vec())]);
    world.run(ms(100));
    for client in 0..3 {
        assert_eq!(world.state(client), Disconnected);
        let reason = world.clients[client].client.disconnect_reason();
        assert_eq!(reason, Some(DisconnectReason::SERVER_STOPPED));
    }
    // A stopped server hears nothing.
    let (from, to) = (world.clients[0].address, world.servers[0].address);
    let datagram = Datagram { from, to, bytes: vec![0x80; 50] };
    assert_eq!(world.deliver(&datagram), Err(DropReason::Unexpected));
}

/// D36, D37: whatever ended the connection before, the next one is whole.
#[test]
fn d36_d37_a_client_object_starts_clean_after_every_end() {
    let mut world = World::new(1);
    let client = world.add_client();
    let mut creation = world.unix;
    let mut connect = |world: &mut World, timeout: u32| {
        creation += 1;
        let options = crate::world::TokenOptions {
            creation,
            handshake_timeout: timeout,
            ..world.token_options(1)
        };
        let token = world.token_with(&options);
        world.connect_with(client, &token);
    };
    /// A client that took its own place over has another slot: the program had not heard of it yet.
    fn only_slot(world: &World) -> u32 {
        let taken = |index: &u32| world.servers[0].server.is_connected(*index);
        (0..32).find(taken).unwrap()
    }
    type Ending = (&'static str, fn(&mut World));
    let endings: [Ending; 7] = [
        ("left", |world| world.clients[0].client.disconnect()),
        ("kicked", |world| world.kick(only_slot(world), true)),
        ("kicked without a word", |world| {
            world.kick(only_slot(world), false);
            world.run(secs(5));
        }),
        ("server silent", |world| {
            world.servers[0].runs = false;
            world.run(secs(12));
            world.servers[0].runs = true;
            world.run(secs(12));
        }),
        ("server restarted", |world| {
            world.restart_server(0);
            world.run(secs(3));
        }),
        ("abandoned", |world| world.clients[0].client.abandon()),
        ("nothing", |_| {}),
    ];
    for (name, end) in endings {
        connect(&mut world, 5);
        world.run_until(secs(6), |world| world.state(0) == Connected);
        let slot = only_slot(&world);
        for number in 0..1200u16 {
            world.client_sends(0, ReliableOrdered, &number.to_le_bytes());
            world.server_sends(slot, ReliableOrdered, &number.to_le_bytes());
            world.server_sends(slot, Unreliable, &number.to_le_bytes());
        }
        world.run(secs(2));
        assert_eq!(world.servers[0].received.len(), 1200, "before {name}");
        assert_eq!(world.clients[0].received.len(), 2400, "before {name}");
        world.servers[0].received.clear();
        world.clients[0].received.clear();
        end(&mut world);
        world.flush_client(0);
        world.run(ms(100));
    }
    // After a handshake that failed, too.
    world.servers[0].runs = false;
    connect(&mut world, 1);
    world.run(secs(2));
    assert_eq!(world.state(0), ConnectionRequestTimedOut);
    world.servers[0].runs = true;
    connect(&mut world, 5);
    world.run_until(secs(6), |world| world.state(0) == Connected);
}

/// D38, in the engine: connecting while connected ends the old connection first.
#[test]
fn d38_connecting_while_connected_leaves_the_old_connection() {
    let mut world = World::connected(1, 1);
    world.run(ms(100));
    for round in 0..10 {
        let creation = world.unix + round + 1;
        let options = crate::world::TokenOptions { creation, ..world.token_options(1) };
        let token = world.token_with(&options);
        world.connect_with(0, &token);
        world.run(ms(200));
        assert_eq!(world.state(0), Connected);
    }
    assert_eq!(world.servers[0].server.connected(), 1);
    assert_eq!(world.events().len(), 21);
}

#[test]
fn messages_that_were_received_outlive_the_connection_on_both_ends() {
    let mut world = World::connected(1, 1);
    world.servers[0].pops = false;
    world.client_sends(0, ReliableOrdered, b"for the server");
    world.server_sends(0, ReliableOrdered, b"for the client");
    // Received, not yet popped by the client: step by hand.
    for _ in 0..3 {
        world.step();
    }
    world.clients[0].received.clear();
    world.server_sends(0, ReliableOrdered, b"later");
    world.flush_server(0);
    world.kick(0, true);
    world.flush_server(0);
    world.step();
    assert_eq!(world.state(0), Disconnected);
    assert_eq!(world.clients[0].received, [(true, b"later".to_vec())]);
    world.pop_events(0);
    assert_eq!(world.servers[0].received, [(0, true, b"for the server".to_vec())]);
}

#[test]
fn a_bad_network_loses_no_disconnect_for_long() {
    for seed in 0..10 {
        let network = SimulatorConfig { latency: ms(50), loss: 0.5, ..Default::default() };
        let mut world = World::connected_over(seed, 2, network);
        world.run(secs(2));
        world.events();
        let slot = world.clients[1]
            .client
            .connection()
            .unwrap()
            .as_v2()
            .unwrap()
            .accept()
            .unwrap()
            .client_index;
        world.clients[0].client.disconnect();
        world.flush_client(0);
        world.kick(slot, true);
        world.run_until(secs(12), |world| {
            world.servers[0].events.len() == 2 && world.state(1) != Connected
        });
    }
}

/// Until the program has popped that a client is gone, the client's slot names nobody else: a reply to what
/// it had sent goes nowhere, and never to another player.
#[test]
fn a_slot_is_nobody_elses_before_its_disconnection_is_popped() {
    let mut world = World::new(1);
    world.config.max_clients = 2;
    world.restart_server(0);
    let [first, second] = [1, 2].map(|id| world.connect(id));
    world.run(ms(200));
    world.events();
    world.servers[0].pops = false;
    world.client_sends(first, ReliableOrdered, b"secret question");
    world.flush_client(first);
    world.clients[first].client.disconnect();
    world.flush_client(first);
    let third = world.connect(3);
    world.run(secs(2));
    // There is no free slot that means nobody, and the server is not full: the third waits.
    assert_eq!(world.state(third), SendingConnectionRequest);
    assert!(!world.servers[0].server.is_connected(0));
    assert!(world.servers[0].server.send(0, 0, ReliableOrdered, 0, b"secret answer").is_err());
    world.kick(0, true);
    assert_eq!(world.state(second), Connected);
    world.servers[0].pops = true;
    world.run(secs(1));
    assert_eq!(world.events(), ["-0 left", "+0 3"]);
    assert_eq!(world.servers[0].received, [(0, true, b"secret question".to_vec())]);
    assert_eq!([second, third].map(|client| world.state(client)), [Connected; 2]);
}
