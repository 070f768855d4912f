//! Limits of bytes a second, and what leaves first where not everything can.

use crate::world::{World, pattern, world_1_00};
use crate::{ms, secs};
use cute_net::client::ClientState::{Connected, Disconnected};
use cute_net::drop_reason::DropReason;
use cute_net::duration::Duration;
use cute_net::message::Delivery::{self, *};
use cute_net::reason::DisconnectReason;
use cute_net::sending::SendError;
use cute_net::server::ServerConfig;
use cute_net::simulator::SimulatorConfig;
use cute_net::time::Instant;

/// One connected client of a server set up by `set`.
fn world_with(seed: u64, network: SimulatorConfig, set: impl FnOnce(&mut ServerConfig)) -> World {
    let mut world = World::with_network(seed, network);
    set(&mut world.config);
    world.restart_server(0);
    let client = world.connect(1);
    world.run_until(secs(5), |world| world.state(client) == Connected);
    world.run(secs(1));
    world
}

fn over(milliseconds: u64) -> SimulatorConfig {
    SimulatorConfig { latency: ms(milliseconds), ..Default::default() }
}

/// Bytes a second that each end's datagrams have while `each_step` is called, up and down.
fn rates(world: &mut World, time: Duration, mut each_step: impl FnMut(&mut World)) -> (f64, f64) {
    world.recording = Some(Vec::new());
    let end = world.now + time;
    while world.now < end {
        each_step(world);
        world.step();
    }
    let client = world.clients[0].address;
    let recording = world.recording.take().unwrap();
    let sum = |up: bool| {
        let datagrams = recording.iter().filter(|datagram| (datagram.from == client) == up);
        datagrams.map(|datagram| datagram.bytes.len()).sum::<usize>() as f64 / time.as_secs_f64()
    };
    (sum(true), sum(false))
}

fn near(rate: f64, expected: u32) {
    let expected = f64::from(expected);
    assert!((0.95..=1.05).contains(&(rate / expected)), "{rate} instead of {expected}");
}

/// What came on channels 1 to 8 of the server: channel, id and length.
fn on_channels(world: &mut World) -> Vec<(u8, u32, usize)> {
    std::iter::from_fn(|| world.servers[0].server.poll_channel_message())
        .map(|(_, message)| (message.info().channel, message.info().id, message.len()))
        .collect()
}

fn send(world: &mut World, channel: u8, delivery: Delivery, bytes: &[u8]) -> Result<(), SendError> {
    world.clients[0].client.send(channel, delivery, 0, bytes)
}

#[test]
fn a_cap_holds_for_all_that_leaves_and_lets_as_much_leave() {
    for rate in [20_000, 400_000] {
        for unreliable in [false, true] {
            let mut world = world_with(1, over(20), |config| {
                config.max_outgoing_rate = Some(rate);
                config.max_incoming_rate = Some(rate);
            });
            world.tick = if rate == 20_000 { ms(50) } else { ms(4) };
            let bulk = pattern(rate as usize * 15, 1);
            if !unreliable {
                world.server_sends(0, ReliableOrdered, &bulk);
                world.client_sends(0, ReliableOrdered, &bulk);
            }
            let flood = pattern(rate as usize / 30, 2);
            let (up, down) = rates(&mut world, secs(10), |world| {
                for _ in 0..if unreliable { 3 } else { 0 } {
                    world.server_sends(0, Unreliable, &flood);
                    world.client_sends(0, Unreliable, &flood);
                }
            });
            near(up, rate);
            near(down, rate);
            if !unreliable {
                world.run_until(secs(10), |world| {
                    world.servers[0].received.len() + world.clients[0].received.len() == 2
                });
                assert!(world.clients[0].received[0].1 == bulk);
            }
            assert_eq!((world.state(0), world.dropped(DropReason::RateLimit)), (Connected, 0));
        }
    }
}

#[test]
fn under_a_cap_the_newest_unreliable_messages_win_whole() {
    let mut world = world_with(1, over(20), |config| config.max_outgoing_rate = Some(20_000));
    let (mut sent, mut came) = (0u64, 0u64);
    for tick in 0..600u64 {
        for _ in 0..10 {
            // Some are cut, and must still be whole.
            let size = if sent % 7 == 0 { 1500 } else { 200 };
            world.server_sends(0, Unreliable, &pattern(size, sent << 32 | tick));
            sent += 1;
        }
        world.step();
        for (_, bytes) in world.clients[0].received.drain(..) {
            let number = u64::from_le_bytes(bytes[..8].try_into().unwrap());
            assert_eq!(bytes, pattern(bytes.len(), number));
            let age = tick - (number & 0xFFFF_FFFF);
            assert!(age <= 16, "{age} ticks old");
            came += 1;
        }
    }
    world.run(secs(1));
    came += world.clients[0].received.len() as u64;
    let last = world.clients[0].received.pop().unwrap().1;
    assert_eq!(u64::from_le_bytes(last[..8].try_into().unwrap()), (sent - 1) << 32 | 599);
    let dropped = world.servers[0].server.connection(0).unwrap().dropped_unreliable();
    assert_eq!(came + dropped, sent);
    assert!(came > 300, "{came}");
}

/// Its receiver would have forgotten the start of it when its end came.
#[test]
fn under_a_cap_a_message_that_takes_longer_than_a_second_holds_nobody_up() {
    for new in [World::with_network, world_1_00] {
        let mut world = new(1, over(20));
        world.config.max_outgoing_rate = Some(20_000);
        world.restart_server(0);
        let client = world.connect(1);
        world.run_until(secs(5), |world| world.state(client) == Connected);
        world.run(secs(1));
        world.server_sends(0, Unreliable, &pattern(1 << 20, 0));
        let mut latest = 0;
        for number in 1..=120 {
            world.server_sends(0, Unreliable, &pattern(50, number));
            world.step();
            let received = std::mem::take(&mut world.clients[client].received);
            latest = received
                .last()
                .map_or(latest, |(_, bytes)| u64::from_le_bytes(*bytes.first_chunk().unwrap()));
            assert!(latest + 20 > number, "{latest} of {number}");
        }
        let connection = world.servers[0].server.connection(0).unwrap();
        assert!((1..5).contains(&connection.dropped_unreliable()));
    }
}

#[test]
fn under_a_cap_reliable_messages_complete_beside_a_flood() {
    for loss in [0.0, 0.1] {
        let network = SimulatorConfig { loss, ..over(30) };
        let mut world = world_with(3, network, |config| config.max_outgoing_rate = Some(40_000));
        let message = pattern(60_000, 1);
        world.server_sends(0, ReliableOrdered, &message);
        let mut took = 0;
        while !world.clients[0].received.iter().any(|(reliable, _)| *reliable) {
            for _ in 0..10 {
                world.server_sends(0, Unreliable, &[1; 900]);
            }
            world.step();
            took += 1;
            assert!(took < 60 * 20);
        }
    }
}

#[test]
fn the_lowest_cap_still_carries_a_connection() {
    let network = SimulatorConfig { loss: 0.05, ..over(50) };
    let mut world = world_with(2, network, |config| {
        config.max_outgoing_rate = Some(1); // counts as 1,000
        config.max_incoming_rate = Some(1);
    });
    world.server_sends(0, ReliableOrdered, &pattern(8_000, 1));
    world.client_sends(0, ReliableOrdered, &pattern(8_000, 2));
    let (mut up, mut down) = (0, 0);
    while up + down < 2 {
        world.client_sends(0, Unreliable, &[1; 50]);
        world.step();
        up = world.servers[0].received.iter().filter(|(_, reliable, _)| *reliable).count();
        down = world.clients[0].received.iter().filter(|(reliable, _)| *reliable).count();
        assert!(world.now < Instant::ZERO + secs(120));
    }
    assert_eq!((world.state(0), world.dropped(DropReason::RateLimit)), (Connected, 0));
}

#[test]
fn a_capped_client_is_woken_when_it_may_be_sent_more_and_not_before() {
    let mut world = world_with(1, over(0), |config| config.max_outgoing_rate = Some(20_000));
    world.server_sends(0, ReliableOrdered, &pattern(100_000, 1));
    world.step();
    let due = world.servers[0].server.poll_timeout().unwrap();
    assert!(due > world.now && due <= world.now + ms(65), "{:?}", due.since(world.now));
}

#[test]
fn a_close_leaves_however_empty_the_cap_is() {
    let mut world = world_with(1, over(10), |config| config.max_outgoing_rate = Some(1000));
    world.server_sends(0, ReliableOrdered, &pattern(50_000, 1));
    world.run(ms(100));
    world.kick(0, true);
    world.run(ms(100));
    assert_eq!(world.state(0), Disconnected);
    assert_eq!(world.clients[0].client.disconnect_reason(), Some(DisconnectReason::KICKED));
}

#[test]
fn a_client_that_keeps_to_its_limit_loses_nothing_to_it() {
    for rate in [5_000, 100_000] {
        let network = SimulatorConfig { jitter: ms(200), duplicate: 0.1, ..over(50) };
        let mut world = world_with(2, network, |config| config.max_incoming_rate = Some(rate));
        world.server_ahead = ms(7);
        world.client_sends(0, ReliableOrdered, &pattern(rate as usize * 40, 1));
        let (up, _) = rates(&mut world, secs(30), |world| {
            world.client_sends(0, Unreliable, &[1; 100]);
        });
        // Such a network alone slows what waits for the window.
        assert!(up > 0.6 * f64::from(rate) && up < 1.01 * f64::from(rate), "{up}");
        assert_eq!(world.dropped(DropReason::RateLimit), 0);
    }
}

#[test]
fn a_small_message_of_a_high_channel_overtakes_a_bulk_of_a_low_one() {
    let network = SimulatorConfig { bottleneck: Some((4_000_000, 80_000)), ..over(40) };
    let mut world = world_with(1, network, |_| {});
    world.clients[0].client.set_channel_priority(5, 10);
    send(&mut world, 1, ReliableOrdered, &pattern(2 << 20, 1)).unwrap();
    world.run(ms(300));
    send(&mut world, 5, ReliableOrdered, b"small").unwrap();
    // A round trip, with the ticks it is made of.
    world.run(ms(80 + 50));
    assert_eq!(on_channels(&mut world), [(5, 0, 5)]);
    let mut came = Vec::new();
    for _ in 0..600 {
        world.step();
        came.extend(on_channels(&mut world));
    }
    assert_eq!(came, [(1, 0, 2 << 20)]);
}

#[test]
fn a_priority_holds_for_what_is_queued_and_channel_0_has_none_unless_set() {
    let mut world = world_with(1, over(40), |config| config.max_incoming_rate = Some(100_000));
    for channel in [1, 2] {
        for _ in 0..3 {
            send(&mut world, channel, ReliableOrdered, &pattern(50_000, 1)).unwrap();
        }
    }
    world.client_sends(0, ReliableOrdered, &pattern(50_000, 1));
    world.run(ms(200));
    world.clients[0].client.set_channel_priority(2, 1);
    world.clients[0].client.set_channel_priority(1, -1);
    world.clients[0].client.set_channel_priority(9, 100); // no such channel
    let mut came = Vec::new();
    while came.len() < 7 {
        world.step();
        came.extend(on_channels(&mut world).iter().map(|(channel, ..)| *channel));
        came.extend(world.servers[0].received.drain(..).map(|_| 0));
        assert!(world.now < Instant::ZERO + secs(30));
    }
    assert_eq!(came, [2, 2, 2, 0, 1, 1, 1]);
}

#[test]
fn under_a_cap_the_higher_channel_leaves_reliable_or_not() {
    let mut world = world_with(1, over(20), |config| config.max_incoming_rate = Some(30_000));
    world.clients[0].client.set_channel_priority(3, 1);
    world.clients[0].client.set_channel_priority(4, 2);
    let mut came = Vec::new();
    send(&mut world, 4, ReliableOrdered, &pattern(30_000, 1)).unwrap();
    for _ in 0..180 {
        send(&mut world, 2, Unreliable, &[2; 1000]).unwrap();
        send(&mut world, 3, Unreliable, &[3; 1000]).unwrap();
        world.step();
        came.extend(on_channels(&mut world).iter().map(|(channel, ..)| *channel));
    }
    let at = came.iter().position(|&channel| channel == 4).unwrap();
    assert!(at <= 8, "the reliable message came after {at} others");
    let of = |number| came.iter().filter(|&&channel| channel == number).count();
    assert!(of(3) > 40 && of(2) <= 3, "{} and {}", of(3), of(2));
    let dropped = world.clients[0].client.connection().unwrap().dropped_unreliable();
    assert!(dropped > 250, "{dropped}");
}

#[test]
fn a_message_rate_holds_for_channels_and_not_for_channel_0() {
    let rate = 50_000;
    for delivery in [ReliableOrdered, ReliableUnordered, Unreliable, UnreliableSequenced] {
        let mut world = world_with(1, over(20), |_| {});
        world.clients[0].client.set_message_rate(Some(rate));
        let (mut sent, mut bytes) = (0, 0);
        for tick in 0..600u64 {
            for size in [100, 3000] {
                sent += size;
                send(&mut world, 1 + (tick % 8) as u8, delivery, &pattern(size, 1)).unwrap();
            }
            world.client_sends(0, delivery, &pattern(2000, 1));
            world.step();
            bytes += on_channels(&mut world).iter().map(|(_, _, length)| length).sum::<usize>();
        }
        near(bytes as f64 / 10.0, rate);
        world.run(ms(200));
        assert_eq!(world.servers[0].received.len(), 600);
        // Nothing is dropped: what was held back leaves in the end.
        for _ in 0..60 {
            world.run(ms(500));
            bytes += on_channels(&mut world).iter().map(|(_, _, length)| length).sum::<usize>();
        }
        assert_eq!(bytes, sent, "{delivery:?}");
    }
}

/// A program that sleeps until the engine's timer is woken at once when there is no rate any more.
#[test]
fn what_a_rate_held_back_is_due_once_the_rate_is_gone() {
    let mut world = world_with(1, over(20), |_| {});
    world.clients[0].client.set_message_rate(Some(1000));
    for _ in 0..5 {
        send(&mut world, 1, ReliableOrdered, &pattern(5000, 1)).unwrap();
    }
    world.run(ms(500));
    assert_eq!(on_channels(&mut world).len(), 1);
    assert!(world.clients[0].client.poll_timeout().unwrap() > world.now);
    world.clients[0].client.set_message_rate(None);
    assert!(world.clients[0].client.poll_timeout().unwrap() <= world.now);
    world.run(ms(100));
    assert_eq!(on_channels(&mut world).len(), 4);
}

#[test]
fn an_oversized_message_is_paid_for_in_silence() {
    let mut world = world_with(1, over(20), |_| {});
    world.clients[0].client.set_message_rate(Some(10_000));
    world.run(secs(1));
    send(&mut world, 1, Unreliable, &pattern(200_000, 1)).unwrap();
    send(&mut world, 1, Unreliable, b"u").unwrap();
    send(&mut world, 2, ReliableOrdered, b"r").unwrap();
    world.run(secs(1));
    assert_eq!(on_channels(&mut world), [(1, 0, 200_000)]);
    // Held back, the others cause no datagram.
    let (mut up, mut down) = (0, 0);
    world.recording = Some(Vec::new());
    world.run(secs(18));
    for datagram in world.recording.take().unwrap() {
        *(if datagram.from == world.clients[0].address { &mut up } else { &mut down }) += 1;
    }
    assert!(up <= 20 && down <= 20, "{up} up, {down} down");
    assert_eq!(on_channels(&mut world), []);
    world.run(secs(2));
    assert_eq!(on_channels(&mut world).len(), 2);
}

#[test]
fn a_full_channel_is_an_error_of_the_call_and_no_other_channel_suffers() {
    for delivery in [ReliableOrdered, Unreliable] {
        let mut world = world_with(1, over(20), |_| {});
        if delivery == Unreliable {
            world.clients[0].client.set_message_rate(Some(1 << 20));
        }
        let fill = |world: &mut World| {
            let mut accepted = 0;
            while send(world, 1, delivery, &pattern(64 << 10, 1)).is_ok() {
                accepted += 1;
            }
            accepted
        };
        assert_eq!(fill(&mut world), 63);
        let refused = send(&mut world, 1, delivery, &pattern(64 << 10, 1));
        assert_eq!(refused, Err(SendError::ChannelFull));
        assert!(SendError::ChannelFull.to_string().contains("4 MiB"));
        send(&mut world, 2, delivery, &pattern(64 << 10, 1)).unwrap();
        (0..5).for_each(|_| world.client_sends(0, ReliableOrdered, &pattern(1 << 20, 1)));
        let mut came = 0;
        for _ in 0..100 {
            world.run(ms(100));
            came += on_channels(&mut world).len();
        }
        assert_eq!((came, world.servers[0].received.len()), (64, 5));
        assert_eq!(fill(&mut world), 63);
        // An empty channel takes one message of any size.
        send(&mut world, 3, delivery, &pattern(5 << 20, 1)).unwrap();
        assert_eq!(send(&mut world, 3, delivery, &[1]), Err(SendError::ChannelFull));
    }
}

#[test]
fn an_idle_pair_under_every_limit_exchanges_only_keepalives() {
    let mut world = world_with(1, over(25), |config| {
        config.max_outgoing_rate = Some(1000);
        config.max_incoming_rate = Some(1000);
    });
    world.servers[0].server.set_message_rate(Some(1000));
    world.clients[0].client.set_message_rate(Some(1000));
    world.servers[0].server.set_channel_priority(3, 7);
    world.run(secs(5));
    world.recording = Some(Vec::new());
    world.run(secs(30));
    let count = world.recording.take().unwrap().len();
    assert!((56..=64).contains(&count), "{count}");
}

#[test]
fn what_a_program_sets_holds_for_every_connection_there_is_and_will_be() {
    let took = |world: &mut World, down: bool| {
        for _ in 0..4 {
            if down {
                world.servers[0].server.send(0, 1, ReliableOrdered, 0, &[1; 10_000]).unwrap();
            } else {
                send(world, 1, ReliableOrdered, &[1; 10_000]).unwrap();
            }
        }
        let (start, mut came) = (world.now, 0);
        while came < 4 {
            world.step();
            came += on_channels(world).len();
            came += usize::from(world.clients[0].client.poll_channel_message().is_some());
        }
        world.now.since(start)
    };
    let mut world = World::new(1);
    world.servers[0].server.set_message_rate(Some(10_000));
    let client = world.add_client();
    world.clients[client].client.set_message_rate(Some(10_000));
    for _ in 0..2 {
        let token = world.token(1);
        world.connect_with(client, &token);
        world.run_until(secs(5), |world| world.state(client) == Connected);
        assert!(took(&mut world, false) > ms(2500) && took(&mut world, true) > ms(2500));
        world.unix += 1;
    }
    world.clients[client].client.set_message_rate(None);
    world.servers[0].server.set_message_rate(None);
    assert!(took(&mut world, false) < ms(500) && took(&mut world, true) < ms(500));
}
