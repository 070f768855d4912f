//! A server with a socket for each family of addresses, of which one takes nothing for a while.

use crate::world::{World, address, pattern};
use crate::{ms, secs};
use cute_net::client::ClientState::{Connected, Disconnected};
use cute_net::endpoint::Families;
use cute_net::message::Delivery::*;
use std::net::SocketAddr;

const V4: Families = Families { v4: true, v6: false };
const V6: Families = Families { v4: false, v6: true };

/// A client at an address of each family, the first IPv4; the server has both in its slots of the same number.
fn world() -> World {
    let mut world = World::new(1);
    world.connect(1);
    world.server_expects(1);
    let client = world.connect(2);
    world.clients[client].address = address("[2001:db8::7]:40000");
    world.run(ms(500));
    assert_eq!((world.state(0), world.state(1)), (Connected, Connected));
    world
}

/// Where the server's datagrams go that leave now; they get lost.
fn leave(world: &mut World, families: Families) -> Vec<SocketAddr> {
    let (mut buffer, server) = ([0; 1200], &mut world.servers[0].server);
    std::iter::from_fn(|| server.poll_transmit_to(families, &mut buffer))
        .map(|transmit| transmit.path.remote)
        .collect()
}

#[test]
fn what_one_family_takes_leaves_and_what_the_other_does_not_waits_for_its_turn() {
    let mut world = world();
    let (v4, v6) = (world.clients[0].address, world.clients[1].address);
    for (families, taken, kept) in [(V6, v6, v4), (V4, v4, v6)] {
        (0..2).for_each(|index| world.server_sends(index, Unreliable, b"news"));
        assert_eq!(leave(&mut world, families), [taken]);
        let server = &world.servers[0].server;
        assert_eq!(server.poll_timeout(), Some(server.now()));
        assert_eq!(leave(&mut world, families), []);
        assert_eq!(leave(&mut world, Families::ALL), [kept]);
        let server = &world.servers[0].server;
        assert!(server.poll_timeout() > Some(server.now()));
        assert_eq!(leave(&mut world, Families::ALL), []);
    }
}

#[test]
fn a_full_socket_holds_up_nobody_of_the_other_family() {
    let mut world = world();
    world.servers[0].families = V6;
    for tick in 0..240 {
        (0..2).for_each(|index| world.server_sends(index, ReliableOrdered, &pattern(100, tick)));
        world.step();
        let behind = tick as usize - world.clients[1].received.len().min(tick as usize);
        assert!(behind <= 2, "{behind} in tick {tick}");
    }
    assert_eq!(world.clients[0].received, []);
    world.servers[0].families = Families::ALL;
    world.run(secs(2));
    for client in &world.clients {
        assert_eq!(client.received.len(), 240);
        assert_eq!(client.client.state(), Connected);
    }
}

#[test]
fn who_is_sent_away_hears_so_when_its_family_takes_something_again() {
    let mut world = world();
    (0..2).for_each(|index| world.kick(index, true));
    // These get lost.
    let v4 = world.clients[0].address;
    assert_eq!(leave(&mut world, V4), [v4; 3]);
    world.run(ms(100));
    assert_eq!((world.state(0), world.state(1)), (Connected, Disconnected));
}
