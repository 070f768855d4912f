//! Programs that sleep until the engine's timer is due. Whatever a player with a valid token does, the timer is not due
//! again and again while there is nothing that may be done.

use crate::puppet::{Puppet, frames, head};
use crate::world::{Datagram, World};
use crate::{ms, secs};
use cute_net::message::Delivery::*;
use cute_net::v2::loss::MAX_AHEAD;
use std::net::SocketAddr;
use std::time::Duration;

/// How often the server is woken by its timer within `time`, if nothing comes.
fn wakes(world: &mut World, time: Duration) -> u32 {
    let (end, mut wakes) = (world.now + time, 0);
    while let Some(at) = world.servers[0].server.poll_timeout()
        && at <= end
        && wakes < 10_000
    {
        wakes += 1;
        world.now = world.now.max(at);
        let (now, unix) = (world.now, world.unix);
        world.servers[0].server.advance(now, unix);
        world.servers[0].server.handle_timeout(false);
        world.flush_server(0);
    }
    world.now = end;
    wakes
}

/// The puppet says something from `from`, and the server does what is due.
fn says(world: &mut World, puppet: &mut Puppet, from: SocketAddr, content: &[u8]) {
    let bytes = puppet.packet(content);
    let to = world.servers[0].address;
    let (now, unix) = (world.now, world.unix);
    world.servers[0].server.advance(now, unix);
    world.deliver(&Datagram { from, to, bytes }).unwrap();
    world.servers[0].server.handle_timeout(false);
    world.flush_server(0);
}

#[test]
fn an_address_that_may_be_sent_nothing_more_wakes_nobody_for_what_it_is_owed() {
    let mut world = World::connected(1, 0);
    let mut puppet = Puppet::connect(&mut world, 9);
    wakes(&mut world, secs(1));
    let ping = frames(|writer| assert!(writer.ping()));
    let mut sum = 0;
    for port in 0..20 {
        says(&mut world, &mut puppet, SocketAddr::from(([10, 7, 7, 7], 1000 + port)), &ping);
        sum += wakes(&mut world, ms(100));
    }
    assert!(sum < 20 * 6, "{sum}");
}

#[test]
fn a_player_that_acknowledges_nothing_wakes_nobody_for_what_it_is_owed() {
    let mut world = World::connected(1, 0);
    let mut puppet = Puppet::connect(&mut world, 9);
    let index = puppet.accept.unwrap().client_index;
    let address = puppet.address;
    for _ in 0..MAX_AHEAD {
        world.servers[0].server.send(index, 0, Unreliable, 0, &[1; 8]).unwrap();
        world.flush_server(0);
    }
    let ping = frames(|writer| assert!(writer.ping()));
    says(&mut world, &mut puppet, address, &ping);
    wakes(&mut world, secs(1));
    let mut sum = 0;
    for _ in 0..10 {
        says(&mut world, &mut puppet, address, &ping);
        sum += wakes(&mut world, ms(100));
    }
    // And one that moves then.
    for port in 0..10 {
        let part = frames(|w| assert!(w.message(&head(Unreliable, 0, None), &[1; 1000])));
        says(&mut world, &mut puppet, SocketAddr::from(([10, 7, 7, 7], 1000 + port)), &part);
        sum += wakes(&mut world, ms(100));
    }
    assert!(sum < 20 * 6, "{sum}");
}

#[test]
fn a_player_that_was_let_in_before_a_pause_wakes_nobody_until_its_time_is_over() {
    let mut world = World::connected(1, 0);
    let index = Puppet::connect(&mut world, 9).accept.unwrap().client_index;
    // The program pauses for longer than the player had, and then has much to read.
    world.now = world.now + secs(20);
    let (now, unix) = (world.now, world.unix);
    world.servers[0].server.advance(now, unix);
    world.servers[0].server.handle_timeout(true);
    world.flush_server(0);
    let woken = wakes(&mut world, ms(900));
    assert!(woken < 20 && world.servers[0].server.is_connected(index), "{woken}");
    wakes(&mut world, ms(200));
    assert!(!world.servers[0].server.is_connected(index));
}
