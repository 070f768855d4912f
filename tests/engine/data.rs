//! Messages: what was accepted arrives, once, in order, on any network.

use crate::world::{UNIX, World, pattern};
use crate::{ms, secs};
use cute_net::client::ClientState::*;
use cute_net::drop_reason::DropReason;
use cute_net::message::Delivery::{self, *};
use cute_net::sending::{MAX_MESSAGE_SIZE, SendError};
use cute_net::simulator::SimulatorConfig;

fn bad(loss: f64) -> SimulatorConfig {
    SimulatorConfig {
        latency: ms(40),
        jitter: ms(30),
        loss,
        duplicate: 0.2,
        reorder: 0.1,
        bottleneck: None,
    }
}

fn up(world: &World, reliable: bool) -> Vec<Vec<u8>> {
    let of_kind = world.servers[0].received.iter().filter(|(_, kind, _)| *kind == reliable);
    of_kind.map(|(_, _, bytes)| bytes.clone()).collect()
}

fn down(world: &World, reliable: bool) -> Vec<Vec<u8>> {
    let of_kind = world.clients[0].received.iter().filter(|(kind, _)| *kind == reliable);
    of_kind.map(|(_, bytes)| bytes.clone()).collect()
}

#[test]
fn reliable_messages_arrive_once_and_in_order_whatever_the_network_does() {
    for loss in [0.0, 0.05, 0.25, 0.5] {
        for seed in 0..4 {
            let mut world = World::connected_over(seed, 1, bad(loss));
            let sizes = [1, 40, 1100, 1176, 1177, 1200, 2200, 5000, 60_000];
            let mut sent = Vec::new();
            for round in 0..60u64 {
                for _ in 0..3 {
                    let message =
                        pattern(sizes[(sent.len() + round as usize) % sizes.len()], sent.len() as u64);
                    world.client_sends(0, ReliableOrdered, &message);
                    world.server_sends(0, ReliableOrdered, &message);
                    sent.push(message);
                }
                world.client_sends(0, Unreliable, &pattern(100, round));
                world.step();
            }
            world.run_until(secs(600), |world| {
                up(world, true).len() >= sent.len() && down(world, true).len() >= sent.len()
            });
            world.run(secs(2));
            assert!(up(&world, true) == sent, "up, loss {loss}, seed {seed}");
            assert!(down(&world, true) == sent, "down, loss {loss}, seed {seed}");
            assert_eq!(world.state(0), Connected);
        }
    }
}

#[test]
fn unreliable_messages_arrive_at_most_once_and_unaltered() {
    let network = SimulatorConfig { latency: ms(30), loss: 0.2, ..Default::default() };
    let mut world = World::connected_over(5, 1, network);
    for number in 0..500 {
        world.client_sends(0, Unreliable, &pattern(60, number));
        world.server_sends(0, Unreliable, &pattern(60, number));
        world.step();
    }
    world.run(secs(1));
    for mut came in [up(&world, false), down(&world, false)] {
        assert!((350..450).contains(&came.len()), "{}", came.len());
        came.sort();
        came.dedup();
        assert!((350..450).contains(&came.len()), "{}", came.len());
        assert!(
            came.iter()
                .all(|bytes| *bytes == pattern(60, u64::from_le_bytes(bytes[..8].try_into().unwrap())))
        );
    }
}

/// D33: the original loses the last 1100 bytes of unreliable messages of exactly k x 1100 bytes.
#[test]
fn d33_unreliable_messages_of_any_size_arrive_whole() {
    let mut world = World::connected(1, 1);
    let mut sizes: Vec<usize> = (1..=10).map(|k| k * 1100).collect();
    sizes.extend(1150..1250);
    sizes.extend([1, 2, 31, 32, 33, 110_000, 1_000_000]);
    for size in sizes {
        let message = pattern(size, size as u64);
        world.client_sends(0, Unreliable, &message);
        world.server_sends(0, Unreliable, &message);
        world.run(ms(50));
        assert!(up(&world, false) == std::slice::from_ref(&message), "{size} up");
        assert!(down(&world, false) == [message], "{size} down");
        world.servers[0].received.clear();
        world.clients[0].received.clear();
    }
}

/// D34: the original acknowledges only on packets the other program sends; one-way traffic stalls after
/// 32 fragments.
#[test]
fn d34_one_way_reliable_traffic_completes() {
    for loss in [0.0, 0.25] {
        let network = SimulatorConfig { latency: ms(20), loss, ..Default::default() };
        let mut world = World::connected_over(2, 1, network);
        for number in 0..2000 {
            world.client_sends(0, ReliableOrdered, &pattern(50, number));
        }
        world.run_until(secs(60), |world| world.servers[0].received.len() == 2000);
        assert!(up(&world, true).iter().zip(0..).all(|(bytes, number)| *bytes == pattern(50, number)));
    }
}

/// D35: in the original a peer that sends more than 32 packets for each it gets back starves its own
/// reliable messages.
#[test]
fn d35_reliable_messages_live_beside_any_amount_of_unreliable_ones() {
    let mut world = World::connected(1, 1);
    for number in 0..300u64 {
        for filler in 0..60 {
            world.server_sends(0, Unreliable, &pattern(1000, filler));
        }
        world.server_sends(0, ReliableOrdered, &pattern(40, number));
        world.step();
    }
    world.run(ms(500));
    assert_eq!(down(&world, true).len(), 300);
    assert_eq!(down(&world, false).len(), 300 * 60);
    let connection = world.servers[0].server.connection(0).unwrap();
    assert_eq!(connection.statistics().packet_loss(world.now), 0.0);
}

/// D40, in the engine: what came before the close is delivered before it.
#[test]
fn d40_messages_of_the_last_tick_come_before_the_disconnect() {
    let mut world = World::connected(1, 2);
    for client in [0, 1] {
        world.client_sends(client, ReliableOrdered, b"r1");
        world.client_sends(client, Unreliable, b"u1");
        world.client_sends(client, ReliableOrdered, b"r2");
        world.flush_client(client);
    }
    world.clients[1].client.disconnect();
    world.flush_client(1);
    world.servers[0].pops = false;
    world.step();
    world.step();
    let mut order = Vec::new();
    while let Some(event) = world.servers[0].server.poll_event() {
        order.push(match event {
            cute_net::server::Event::Connected { index, .. } => format!("+{index}"),
            cute_net::server::Event::Disconnected { index, .. } => format!("-{index}"),
            cute_net::server::Event::Message { index, message } => {
                format!("{index} {}", String::from_utf8_lossy(message.payload()))
            }
        });
    }
    // The gone client's messages, the news of it, then the others' messages.
    assert_eq!(order, ["1 r1", "1 r2", "1 u1", "-1", "0 r1", "0 r2", "0 u1"]);
}

#[test]
fn events_come_in_the_originals_order() {
    let mut world = World::connected(1, 3);
    world.servers[0].pops = false;
    for client in [2, 1, 0] {
        for number in [1, 2] {
            world.client_sends(client, Unreliable, format!("u{number}").as_bytes());
            world.client_sends(client, ReliableOrdered, format!("r{number}").as_bytes());
        }
    }
    world.connect(9);
    world.run(ms(200));
    let mut order = Vec::new();
    while let Some(event) = world.servers[0].server.poll_event() {
        order.push(match event {
            cute_net::server::Event::Connected { index, client_id, .. } => {
                format!("+{index} {client_id}")
            }
            cute_net::server::Event::Disconnected { index, .. } => format!("-{index}"),
            cute_net::server::Event::Message { index, message } => {
                format!("{index} {}", String::from_utf8_lossy(message.payload()))
            }
        });
    }
    let messages = [0, 1, 2].map(|index| ["r1", "r2", "u1", "u2"].map(|text| format!("{index} {text}")));
    let expected: Vec<_> = ["+3 9".to_owned()].into_iter().chain(messages.concat()).collect();
    assert_eq!(order, expected);
}

#[test]
fn a_message_of_20_mib_arrives_and_one_byte_more_is_refused() {
    for loss in [0.0, 0.05] {
        let network = SimulatorConfig { latency: ms(20), loss, ..Default::default() };
        let mut world = World::connected_over(1, 1, network);
        let message = pattern(MAX_MESSAGE_SIZE, 5);
        world.client_sends(0, ReliableOrdered, &message);
        world.server_sends(0, ReliableOrdered, &message);
        world.client_sends(0, ReliableOrdered, b"after it");
        world.run_until(secs(300), |world| {
            world.servers[0].received.len() == 2 && world.clients[0].received.len() == 1
        });
        assert!(up(&world, true)[0] == message && down(&world, true)[0] == message);
        assert_eq!(up(&world, true)[1], b"after it");
        let refused =
            world.clients[0].client.send(0, ReliableOrdered, 0, &vec![0; MAX_MESSAGE_SIZE + 1]);
        let most = MAX_MESSAGE_SIZE;
        assert_eq!(refused, Err(SendError::TooLarge { bytes: most + 1, most }));
    }
}

#[test]
fn message_sequences_go_on_past_16_bits() {
    let network = SimulatorConfig { latency: ms(5), jitter: ms(5), loss: 0.02, ..Default::default() };
    let mut world = World::connected_over(1, 1, network);
    let (mut sent, mut got) = (0u64, 0u64);
    while got < 70_000 {
        while sent < 70_000 && sent - got < 3000 {
            world.client_sends(0, ReliableOrdered, &sent.to_le_bytes());
            sent += 1;
        }
        world.step();
        for (_, _, bytes) in world.servers[0].received.drain(..) {
            assert_eq!(bytes, got.to_le_bytes());
            got += 1;
        }
        assert!(world.now < cute_net::time::Instant::ZERO + secs(600));
    }
}

#[test]
fn packet_numbers_go_on_past_16_bits() {
    let mut world = World::connected(1, 1);
    world.tick = ms(4);
    for round in 0..70_000u64 {
        world.client_sends(0, Unreliable, &round.to_le_bytes());
        world.step();
        let came = &mut world.servers[0].received;
        if round > 2 {
            assert_eq!(came.len(), 1, "{round}");
        }
        came.clear();
        world.clients[0].received.clear();
    }
    world.client_sends(0, ReliableOrdered, b"end");
    world.run(ms(100));
    assert_eq!(up(&world, true), [b"end"]);
    assert_eq!(world.servers[0].server.counters().dropped_total(), 0);
}

/// A sender that fills every packet with tiny messages, on a network that holds some packets back for a
/// long time: no old copy may be taken for a new message.
#[test]
fn tiny_messages_in_bulk_survive_late_copies() {
    let network =
        SimulatorConfig { latency: ms(2), jitter: ms(200), duplicate: 0.3, ..Default::default() };
    let mut world = World::connected_over(3, 1, network);
    let (mut sent, mut got) = (0u64, 0u64);
    while got < 100_000 {
        while sent < 100_000 && sent - got < 20_000 {
            world.client_sends(0, ReliableOrdered, &(sent as u32).to_le_bytes()[..3]);
            sent += 1;
        }
        world.step();
        for (_, _, bytes) in world.servers[0].received.drain(..) {
            assert_eq!(bytes, (got as u32).to_le_bytes()[..3]);
            got += 1;
        }
        assert!(world.now < cute_net::time::Instant::ZERO + secs(1200));
    }
}

#[test]
fn a_full_queue_is_an_error_of_the_call_and_loses_nothing() {
    let mut world = World::connected(1, 1);
    world.servers[0].pops = false;
    let message = pattern(1 << 20, 1);
    let mut accepted = 0;
    let refused = loop {
        match world.clients[0].client.send(0, ReliableOrdered, 0, &message) {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, SendError::QueueFull);
    assert_eq!(accepted, 29);
    // An unreliable message still finds room.
    world.client_sends(0, Unreliable, b"still");
    world.run(secs(5));
    world.servers[0].pops = true;
    world.run(secs(20));
    assert_eq!(up(&world, true).len(), accepted);
    assert_eq!(up(&world, false), [b"still"]);
}

#[test]
fn a_program_that_does_not_pop_for_a_minute_loses_nothing_reliable() {
    for seed in 0..3 {
        let network = SimulatorConfig { latency: ms(30), loss: 0.02, ..Default::default() };
        let mut world = World::connected_over(seed, 1, network);
        world.servers[0].pops = false;
        let mut sent = Vec::new();
        for round in 0..3600u64 {
            if round % 2 == 0 {
                let message = pattern(5000, round);
                if world.clients[0].client.send(0, ReliableOrdered, 0, &message).is_ok() {
                    sent.push(message);
                }
            }
            world.client_sends(0, Unreliable, &pattern(50, round));
            world.server_sends(0, ReliableOrdered, &pattern(50, round));
            world.step();
        }
        assert_eq!(world.state(0), Connected);
        // The other direction did not suffer.
        assert!(world.clients[0].received.len() > 3590);
        world.servers[0].pops = true;
        world.run(secs(20));
        assert!(up(&world, true) == sent, "seed {seed}");
        assert!(up(&world, false).len() > 3000);
    }
}

/// A server of many clients grants each little; a larger message borrows.
#[test]
fn large_messages_find_room_on_a_server_with_many_places() {
    let mut world = World::new(1);
    world.config.max_clients = 2000;
    world.restart_server(0);
    for id in 1..=6 {
        world.connect(id);
    }
    world.run(ms(200));
    for client in 0..6 {
        let message = pattern(15 << 20, client as u64);
        world.client_sends(client, ReliableOrdered, &message);
        world.client_sends(client, ReliableOrdered, b"and after it");
    }
    world.run_until(secs(60), |world| world.servers[0].received.len() == 12);
    for client in 0..6u32 {
        let came: Vec<_> =
            world.servers[0].received.iter().filter(|(index, _, _)| *index == client).collect();
        assert!(came[0].2 == pattern(15 << 20, u64::from(client)));
        assert_eq!(came[1].2, b"and after it");
    }
}

/// Whoever borrows room for a large message and then sends nothing does not keep it from others.
#[test]
fn a_loan_that_is_not_used_is_ended_when_another_waits() {
    let mut world = World::new(1);
    world.config.max_clients = 2000;
    world.restart_server(0);
    for id in 1..=5 {
        world.connect(id);
    }
    world.run(ms(200));
    // Three large messages are begun, and nothing more of them is ever heard; the clients live on.
    for client in 0..3 {
        world.client_sends(client, ReliableOrdered, &pattern(19 << 20, 0));
    }
    let held: Vec<_> = world.clients[..3].iter().map(|client| client.address).collect();
    for tick in 0..1500 {
        if tick == 20 {
            world.client_sends(4, ReliableOrdered, &pattern(19 << 20, 9));
        }
        world.step_losing(|datagram| {
            tick > 3 && held.contains(&datagram.from) && datagram.bytes.len() > 200
        });
    }
    assert!(up(&world, true).contains(&pattern(19 << 20, 9)));
    assert_eq!(world.state(4), Connected);
}

#[test]
fn every_delivery_on_every_channel_keeps_its_promise() {
    let network = SimulatorConfig {
        latency: ms(30),
        jitter: ms(40),
        loss: 0.1,
        duplicate: 0.1,
        ..Default::default()
    };
    let mut world = World::connected_over(4, 1, network);
    let deliveries = [ReliableOrdered, ReliableUnordered, Unreliable, UnreliableSequenced];
    let mut got: Vec<(u8, Delivery, u32, Vec<u8>)> = Vec::new();
    for number in 0..200u32 {
        for channel in 1..=8u8 {
            let delivery = deliveries[usize::from(channel) % 4];
            let size = if number % 20 == 0 { 3000 } else { (number % 7) as usize * 10 };
            let bytes = if size < 8 { Vec::new() } else { pattern(size, u64::from(number)) };
            world.clients[0].client.send(channel, delivery, number, &bytes).unwrap();
        }
        world.step();
        while let Some((index, message)) = world.servers[0].server.poll_channel_message() {
            assert_eq!(index, 0);
            let info = message.info();
            let delivery = deliveries[usize::from(info.channel) % 4];
            assert_eq!(info.reliable, delivery.is_reliable());
            got.push((info.channel, delivery, info.id, message.payload().to_vec()));
        }
    }
    for _ in 0..300 {
        world.step();
        while let Some((_, message)) = world.servers[0].server.poll_channel_message() {
            let info = message.info();
            let delivery = deliveries[usize::from(info.channel) % 4];
            got.push((info.channel, delivery, info.id, message.payload().to_vec()));
        }
    }
    for channel in 1..=8u8 {
        let delivery = deliveries[usize::from(channel) % 4];
        let mut ids: Vec<_> =
            got.iter().filter(|(c, ..)| *c == channel).map(|(_, _, id, _)| *id).collect();
        match delivery {
            ReliableOrdered => assert_eq!(ids, (0..200).collect::<Vec<_>>()),
            ReliableUnordered => {
                assert_ne!(ids, (0..200).collect::<Vec<_>>());
                ids.sort_unstable();
                assert_eq!(ids, (0..200).collect::<Vec<_>>());
            }
            UnreliableSequenced => {
                assert!(ids.is_sorted() && ids.len() > 80, "{}", ids.len());
                ids.dedup();
                assert!(ids.len() > 80);
            }
            Unreliable => assert!(ids.len() > 130 && !ids.is_sorted(), "{}", ids.len()),
        }
    }
    assert!(
        got.iter()
            .all(|(_, _, id, bytes)| bytes.is_empty() || *bytes == pattern(bytes.len(), u64::from(*id)))
    );
}

#[test]
fn nothing_is_sent_twice_on_a_good_network() {
    let network = SimulatorConfig { latency: ms(60), ..Default::default() };
    let mut world = World::connected_over(1, 1, network);
    world.run(secs(2));
    world.recording = Some(Vec::new());
    let size = 400_000;
    world.client_sends(0, ReliableOrdered, &pattern(size, 1));
    world.run(secs(4));
    assert_eq!(up(&world, true).len(), 1);
    let client = world.clients[0].address;
    let bytes: usize = world
        .recording
        .as_ref()
        .unwrap()
        .iter()
        .filter(|d| d.from == client)
        .map(|d| d.bytes.len())
        .sum();
    let overhead = bytes as f64 / size as f64;
    assert!(overhead < 1.06, "{overhead}");
    assert_eq!(world.dropped(DropReason::Replayed), 0);
    assert!(world.unix >= UNIX);
}

/// A later channel goes on with what it began while an earlier one waits for credit: only so can the peer
/// ever take it and grant more.
#[test]
fn channels_that_wait_for_credit_do_not_stop_each_other() {
    let mut world = World::connected(1, 1);
    let taken = |world: &mut World, size: usize| {
        let mut bytes = 0;
        for _ in 0..200 {
            world.run(ms(100));
            while let Some((_, message)) = world.servers[0].server.poll_channel_message() {
                bytes += message.len();
            }
            if bytes >= size {
                break;
            }
        }
        assert_eq!(bytes, size);
    };
    world.clients[0].client.send(1, ReliableOrdered, 7, &pattern(5 << 19, 1)).unwrap();
    (0..3).for_each(|_| world.step());
    world.client_sends(0, ReliableOrdered, &pattern(2 << 20, 2));
    taken(&mut world, 5 << 19);
    world.run_until(secs(20), |world| !world.servers[0].received.is_empty());
    assert_eq!(up(&world, true), [pattern(2 << 20, 2)]);

    // One lost packet of the later channel, and the earlier one takes all the credit there is.
    world.clients[0].client.send(2, ReliableOrdered, 7, &pattern(4000, 1)).unwrap();
    let from = world.clients[0].address;
    let mut lost = 0;
    for _ in 0..2 {
        world.step_losing(|datagram| {
            lost += u32::from(datagram.from == from && datagram.bytes.len() > 1000);
            datagram.from == from && datagram.bytes.len() > 1000 && lost == 1
        });
    }
    assert!(lost > 0);
    world.clients[0].client.send(1, ReliableOrdered, 7, &pattern((3 << 20) - 2000, 1)).unwrap();
    taken(&mut world, 4000 + (3 << 20) - 2000);
}

/// Eight channels, each with a message larger than a share of the room, and more behind them.
#[test]
fn messages_that_together_exceed_the_room_all_finish() {
    let network = SimulatorConfig { latency: ms(20), loss: 0.02, ..Default::default() };
    let mut world = World::connected_over(1, 1, network);
    let mut waiting: Vec<(u8, Vec<u8>)> =
        (1..=8).map(|channel| (channel, pattern(5 << 20, channel.into()))).collect();
    waiting.extend([1, 2].map(|number| (0, pattern(20 << 20, number))));
    let mut came = Vec::new();
    let end = world.now + secs(120);
    while came.len() < 10 {
        assert!(world.now < end, "{} of 10", came.len());
        let client = &mut world.clients[0].client;
        waiting.retain(|(channel, bytes)| client.send(*channel, ReliableOrdered, 0, bytes).is_err());
        world.step();
        let server = &mut world.servers[0];
        let channels = std::iter::from_fn(|| server.server.poll_channel_message());
        came.extend(channels.map(|(_, message)| (message.info().channel, message.payload().to_vec())));
        came.extend(server.received.drain(..).map(|(_, _, bytes)| (0, bytes)));
    }
    came.sort();
    let expected = |channel: u8, bytes: Vec<u8>| (channel, bytes);
    let mut all: Vec<_> =
        (1..=8).map(|channel| expected(channel, pattern(5 << 20, channel.into()))).collect();
    all.extend([1, 2].map(|number| expected(0, pattern(20 << 20, number))));
    all.sort();
    assert!(came == all);
}

/// The first fragment carries what the others lack, and the room for what comes behind is taken meanwhile.
#[test]
fn a_lost_first_fragment_with_more_behind_it_finishes() {
    let mut world = World::connected(1, 1);
    world.run(secs(1));
    let messages = [pattern(3 << 20, 1), pattern(40, 2), pattern(20 << 20, 3), pattern(2000, 4)];
    for bytes in &messages {
        world.client_sends(0, ReliableOrdered, bytes);
    }
    let mut lost = 0;
    for _ in 0..30 {
        // The first datagram of each tick, which is what was lost before.
        let mut first = true;
        world.step_losing(|datagram| {
            let for_server = datagram.to.port() == 5000 && datagram.bytes.len() > 1000;
            let loses = for_server && std::mem::take(&mut first);
            lost += u32::from(loses);
            loses
        });
    }
    assert!(lost > 5);
    world.run_until(secs(60), |world| world.servers[0].received.len() == 4);
    assert!(up(&world, true) == messages);
}

#[test]
fn a_program_that_does_not_pop_costs_its_peer_no_resends() {
    let mut world = World::connected(1, 1);
    world.servers[0].pops = false;
    // More than the room there is.
    for number in 0..28 {
        world.client_sends(0, ReliableOrdered, &pattern(1 << 20, number));
    }
    world.run(secs(10));
    world.recording = Some(Vec::new());
    for _ in 0..60 {
        world.client_sends(0, Unreliable, &[7; 20]);
        world.run(secs(1));
    }
    let recording = world.recording.take().unwrap();
    let from_client = recording.iter().filter(|datagram| datagram.to.port() == 5000);
    let bytes: usize = from_client.map(|datagram| datagram.bytes.len()).sum();
    // Keepalives, acknowledgements and the unreliable messages: nothing of the megabytes that wait.
    assert!(bytes < 60 * 200, "{bytes}");
    world.servers[0].pops = true;
    world.run_until(secs(20), |world| up(world, true).len() == 28);
    assert_eq!(up(&world, false).len(), 60);
}
