//! Programs that sleep until the engine's timer is due. Whatever a player with a valid token does, the timer is not due
//! again and again while there is nothing that may be done.

use crate::cost::BUDGET;
use crate::puppet::{Puppet, frames, head};
use crate::watch::{connected, within};
use crate::world::{Datagram, World, connect_1_00, world_of_both};
use crate::{ms, secs};
use cute_net::client::ClientState::Connected;
use cute_net::crypto::random::Generator;
use cute_net::duration::Duration;
use cute_net::message::Delivery::*;
use cute_net::simulator::SimulatorConfig;
use cute_net::v2::loss::MAX_AHEAD;
use std::net::SocketAddr;

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
    let mut world = connected(1, 0);
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
    let mut world = within(BUDGET, World::connected(1, 0));
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
    let mut world = connected(1, 0);
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

/// Whatever comes and is sent: once everything has left that may, nothing is due before time passes.
#[test]
fn no_timer_is_due_at_the_moment_at_which_everything_left() {
    for seed in 0..24u64 {
        let mut draw = Generator::new([seed as u8; 32]);
        let world = if seed % 3 == 0 {
            world_of_both(seed, SimulatorConfig::default())
        } else {
            World::new(seed)
        };
        let mut world = within(BUDGET, world);
        if seed % 2 == 0 {
            world.config.max_outgoing_rate = Some(20_000);
            world.config.max_incoming_rate = Some(30_000);
        }
        world.restart_server(0);
        if seed % 4 == 1 {
            world.servers[0].server.set_message_rate(Some(5_000));
        }
        if seed % 3 == 0 {
            connect_1_00(&mut world, 1);
        } else {
            world.connect(1);
        }
        let mut puppet = Puppet::connect(&mut world, 9);
        for step in 0..1500 {
            world.step();
            let server = &mut world.servers[0].server;
            let now = server.now();
            assert!(server.poll_timeout().is_none_or(|at| at > now), "{seed}, step {step}");
            let client = &world.clients[0].client;
            let at = client.poll_timeout();
            assert!(at.is_none_or(|at| at > client.now()), "{seed}, step {step}, client {at:?}");
            let (to, way) = (draw.below(2) as u32, draw.below(40));
            let most = if draw.below(50) == 0 { 60_000 } else { 600 };
            let size = 1 + draw.below(most) as usize;
            let delivery =
                [ReliableOrdered, Unreliable, ReliableUnordered, UnreliableSequenced][way as usize % 4];
            let channel = (way % 3) as u8;
            if way < 20 {
                let _ = server.send(to, channel, delivery, 0, &vec![3; size]);
            } else if way < 30 && world.clients[0].client.state() == Connected {
                let _ = world.clients[0].client.send(channel, delivery, 0, &vec![3; size]);
            }
            let content = frames(|writer| {
                if way % 5 == 0 {
                    writer.ping();
                }
                if way % 7 == 0 {
                    writer.path_probe(&[way as u8; 8]);
                }
                if way % 6 == 0 {
                    writer.blocked(1 << (10 + way % 20));
                }
                if way % 3 == 0 {
                    writer.message(&head(Unreliable, 0, None), &[1; 30]);
                }
            });
            if !content.is_empty() {
                let port = if way > 35 { 1000 + draw.below(500) as u16 } else { puppet.address.port() };
                let from = SocketAddr::from(([10, 66, 6, 9], port));
                let (bytes, to) = (puppet.packet(&content), world.servers[0].address);
                let _ = world.deliver(&Datagram { from, to, bytes });
            }
        }
    }
}

/// A socket that takes nothing more for long, whatever the reason: who is silent is gone all the same.
#[test]
fn a_player_is_gone_after_its_timeout_though_nothing_can_be_sent() {
    let mut world = connected(1, 1);
    let index = Puppet::connect(&mut world, 9).accept.unwrap().client_index;
    for _ in 0..15 * 60 {
        world.now = world.now + ms(17);
        let (now, unix) = (world.now, world.unix);
        let server = &mut world.servers[0].server;
        server.advance(now, unix);
        server.handle_timeout(false);
    }
    assert!(!world.servers[0].server.is_connected(index), "was let in and never heard");
    assert_eq!(world.servers[0].server.connected(), 0);
}
