//! Credit that the channels of a connection share: none of them waits for ever, and none waits for a later one.

use crate::world::{World, pattern};
use crate::{ms, secs};
use cute_net::message::Delivery::ReliableOrdered;
use cute_net::simulator::SimulatorConfig;

/// A client over 50 ms of round trip whose server has memory for `max_clients` clients.
fn connected(memory: u64, max_clients: usize) -> World {
    connected_over(50, memory, max_clients)
}

/// The same over so many milliseconds.
fn connected_over(round_trip: u64, memory: u64, max_clients: usize) -> World {
    let network = SimulatorConfig { latency: ms(round_trip / 2), ..Default::default() };
    let mut world = World::with_network(1, network);
    world.config.memory = memory;
    world.config.max_clients = max_clients;
    world.restart_server(0);
    world.connect(1);
    world.run(secs(2));
    world
}

fn send(world: &mut World, channel: u8, bytes: &[u8]) {
    world.clients[0].client.send(channel, ReliableOrdered, 0, bytes).unwrap();
}

/// What the server's program takes: channels and lengths.
fn take(world: &mut World) -> Vec<(u8, usize)> {
    let mut taken: Vec<_> =
        world.servers[0].received.drain(..).map(|(_, _, bytes)| (0, bytes.len())).collect();
    while let Some((_, message)) = world.servers[0].server.poll_channel_message() {
        taken.push((message.info().channel, message.payload().len()));
    }
    taken
}

/// A message that takes most of a client's credit or more, while another channel says something in every update: there is
/// always some of that on its way or with the program.
#[test]
fn a_large_message_arrives_while_another_channel_never_rests() {
    // 64 KiB of credit, and 3 MiB.
    for (memory, max_clients, size) in [
        (32 << 20, 512, 64_000),
        (32 << 20, 512, 100_000),
        (32 << 20, 512, 20 << 20),
        (256 << 20, 32, 4 << 20),
    ] {
        for (small, large) in [(0, 1), (1, 0), (1, 2)] {
            let mut world = connected(memory, max_clients);
            send(&mut world, large, &pattern(size, 1));
            let (mut arrived, mut others) = (false, 0);
            for _ in 0..300 {
                send(&mut world, small, &pattern(300, 2));
                world.step();
                for (channel, length) in take(&mut world) {
                    arrived |= (channel, length) == (large, size);
                    others += usize::from(channel == small);
                }
            }
            assert!(arrived, "{size} bytes on channel {large} beside channel {small}");
            assert!(others > 280, "{others} beside {size} bytes on channel {large}");
        }
    }
}

/// Where the path is long, a channel that is far from waiting itself may always have more than half of the credit on its
/// way, so that another's message never finds what it needs, however little that is.
#[test]
fn a_message_arrives_though_another_channel_has_most_of_the_credit_in_use() {
    for (round_trip, every, small, sizes) in [
        (200, 3, 10_000, &[40_000, 60_000, 65_000, 70_000, 200_000, 20 << 20][..]),
        (200, 6, 20_000, &[40_000, 65_000, 200_000]),
        (50, 1, 5000, &[60_000, 65_000, 70_000]),
        (50, 1, 10_000, &[20_000]),
    ] {
        for &size in sizes {
            let mut world = connected_over(round_trip, 32 << 20, 512);
            let (mut arrived, mut sent, mut others) = (false, 0, 0);
            for tick in 0..900 {
                if tick % every == 0 {
                    send(&mut world, 0, &pattern(small, 2));
                    sent += 1;
                }
                if tick == 120 {
                    send(&mut world, 1, &pattern(size, 1));
                }
                world.step();
                for (channel, length) in take(&mut world) {
                    arrived |= (channel, length) == (1, size);
                    others += usize::from(channel == 0);
                }
            }
            assert!(arrived, "{size} bytes beside {small} every {every} ticks over {round_trip} ms");
            assert!(others + 20 > sent, "{others} of {sent} beside {size} bytes over {round_trip} ms");
        }
    }
}

/// A message of a later channel that waits for credit keeps none of an earlier one waiting, whatever comes before both.
#[test]
fn what_fits_into_the_credit_does_not_wait_for_a_later_channel() {
    for hello in [false, true] {
        let mut world = connected(32 << 20, 512);
        if hello {
            send(&mut world, 0, b"hello");
            world.run(secs(1));
        }
        let client = &mut world.clients[0].client;
        client.set_channel_priority(0, 2);
        client.set_channel_priority(1, 1);
        for _ in 0..2 {
            send(&mut world, 2, &pattern(40_000, 1)); // the second waits until the program has taken the first
        }
        world.run(secs(1));
        send(&mut world, 1, b"urgent");
        world.run(secs(1));
        let taken = take(&mut world);
        assert!(taken.ends_with(&[(2, 40_000), (1, 6)]), "{taken:?}");
        world.run(secs(1));
        assert_eq!(take(&mut world), [(2, 40_000)]);
    }
}

/// The word that a message waits for credit is lost, and by then another message has taken of the credit: the next that
/// waits has to say so, though it needs no more than was asked for.
#[test]
fn a_lost_word_of_waiting_is_said_again_for_whichever_message_waits_by_then() {
    let mut world = connected(32 << 20, 512);
    world.config.max_incoming_rate = Some(20_000);
    world.restart_server(0);
    world.connect(2);
    world.run(secs(2));
    let client = &mut world.clients[1].client;
    let server = world.servers[0].address;
    client.send(0, ReliableOrdered, 0, &pattern(1000, 1)).unwrap();
    world.run(secs(1));
    // 64 KiB less 1,064 bytes are left; this would take 65,064 and waits.
    world.clients[1].client.send(2, ReliableOrdered, 0, &pattern(65_000, 2)).unwrap();
    for _ in 0..4 {
        world.step_losing(|datagram| datagram.to == server);
    }
    // This takes more than half a second at 20,000 bytes a second.
    world.clients[1].client.send(0, ReliableOrdered, 0, &pattern(12_000, 3)).unwrap();
    world.run(ms(250));
    world.clients[1].client.send(1, ReliableOrdered, 0, &pattern(52_736, 4)).unwrap();
    let mut taken = Vec::new();
    for _ in 0..15 {
        world.run(secs(1));
        taken.extend(take(&mut world));
    }
    assert_eq!(taken, [(0, 1000), (0, 12_000), (1, 52_736), (2, 65_000)]);
}

/// With all credit in use only what was lost can leave, and all that waits depends on it: it gets its copy though more
/// messages wait.
#[test]
fn what_is_lost_is_sent_twice_while_the_rest_waits_for_credit() {
    let mut world = connected_over(200, 32 << 20, 512);
    let server = world.servers[0].address;
    // 64 KiB hold 61 of these.
    (0..100).for_each(|number| send(&mut world, 0, &pattern(1000, number)));
    // The first message, and then the first packet that brings it again.
    let (mut first, mut again) = (true, 0);
    let mut arrived_at = None;
    for step in 0..60 {
        world.step_losing(|datagram| {
            let is_message = datagram.to == server && datagram.bytes.len() > 1000;
            let is_again = is_message && step > 14;
            again += u32::from(is_again);
            (is_message && std::mem::take(&mut first)) || (is_again && again == 1)
        });
        if again > 0 && arrived_at.is_none() {
            arrived_at = Some(step);
        }
        if !take(&mut world).is_empty() {
            let late = step - arrived_at.expect("nothing comes before what was lost");
            assert!(late <= 3, "{late} updates after the packet that was lost again");
            return;
        }
    }
    panic!("nothing arrived");
}
