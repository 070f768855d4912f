//! CUTE 2.00: peers that break the protocol, and networks that alter and replay.

use crate::puppet::{Puppet, frames, head};
use crate::watch::{connected, watched, within};
use crate::world::{APPLICATION, Datagram, World, address, pattern};
use crate::{ms, secs};
use cute_net::client::ClientState::Connected;
use cute_net::crypto::random::Generator;
use cute_net::drop_reason::DropReason;
use cute_net::duration::Duration;
use cute_net::message::Delivery::*;
use cute_net::server::MAX_REPLIES;
use cute_net::token::ConnectToken;
use cute_net::v2::attempt::{Attempt, SEND_INTERVAL};
use cute_net::v2::frame::Accept;
use cute_net::v2::keys::AssociatedPrefix;
use std::net::SocketAddr;

#[test]
fn whoever_breaks_the_protocol_is_out_with_a_word_and_nobody_else_suffers() {
    let accept = Accept {
        connection_id: 1,
        client_index: 0,
        client_id: 0,
        max_clients: 1,
        connection_timeout: 1,
        incoming_rate: 0,
    };
    type Attack = (&'static str, Vec<Vec<u8>>);
    let attacks: Vec<Attack> = vec![
        ("a frame without meaning", vec![vec![0x0F]]),
        ("a frame cut short", vec![vec![0x02, 1]]),
        ("ACCEPT from a client", vec![frames(|w| assert!(w.accept(&accept)))]),
        (
            "an ack of what was never sent",
            vec![frames(|w| assert!(w.ack(Duration::ZERO, [0..=60_000].into_iter()).is_some()))],
        ),
        ("an ack below zero", vec![vec![0x02, 0, 0, 0, 5, 0]]),
        ("a datagram limit of nothing", vec![frames(|w| assert!(w.limit(100)))]),
        (
            "more than the credit",
            vec![frames(|w| {
                assert!(w.message(&head(ReliableOrdered, 0, Some((100 << 20, 0))), &[0; 32]))
            })],
        ),
        (
            "fragments that disagree",
            vec![
                frames(|w| assert!(w.message(&head(ReliableOrdered, 0, Some((5000, 0))), &[0; 32]))),
                frames(|w| assert!(w.message(&head(ReliableOrdered, 0, Some((5001, 32))), &[0; 32]))),
            ],
        ),
        (
            "unreliable fragments that disagree",
            vec![
                frames(|w| assert!(w.message(&head(Unreliable, 0, Some((5000, 0))), &[0; 32]))),
                frames(|w| assert!(w.message(&head(Unreliable, 0, Some((5001, 32))), &[0; 32]))),
            ],
        ),
        ("a good message before a bad frame", vec![b"\x21\x00\x00\x02hi\x0F".to_vec()]),
    ];
    let mut world = connected(1, 1);
    for (number, (name, packets)) in attacks.into_iter().enumerate() {
        let mut puppet = Puppet::connect(&mut world, 100 + number as u64);
        let index = puppet.accept.unwrap().client_index;
        let mut closed = None;
        for packet in packets {
            assert_eq!(closed, None, "{name}");
            closed = puppet.send(&mut world, &packet);
        }
        assert_eq!(closed, Some(5), "{name}");
        assert!(!world.servers[0].server.is_connected(index), "{name}");
        world.pop_events(0);
        assert_eq!(
            world.servers[0].events.last().unwrap(),
            &format!("-{index} protocol error"),
            "{name}"
        );
        assert!(world.servers[0].received.is_empty(), "{name}");
        world.check_honest_client();
        world.servers[0].received.clear();
    }
}

#[test]
fn what_is_only_strange_is_borne() {
    let mut world = connected(1, 1);
    let mut puppet = Puppet::connect(&mut world, 9);
    for strange in [
        vec![0; 500],                                  // nothing but padding
        vec![0xFF, 3, 1, 2, 3, 0x80, 0],               // frames of a later version
        frames(|w| assert!(w.path_echo(&[7; 8]))),     // an echo nobody asked for
        frames(|w| assert!(w.credit(u64::MAX >> 2))),  // all the credit there is
        frames(|w| assert!(w.credit(0))),              // and none
        frames(|w| assert!(w.blocked(u64::MAX >> 2))), // waiting for what can't be
        frames(|w| assert!(w.limit(1 << 40))),
        frames(|w| assert!(w.ack(Duration::from_secs(60), [0..=0].into_iter()).is_some())),
        frames(|w| assert!(w.message(&head(ReliableOrdered, 40_000, None), b"an old sequence"))),
        frames(|w| assert!(w.message(&head(Unreliable, 9, Some((1 << 30, 0))), &[1; 32]))), // too large to keep
    ] {
        assert_eq!(puppet.send(&mut world, &strange), None, "{strange:x?}");
    }
    assert_eq!(puppet.send(&mut world, b"\x20\x00\x00fine"), None);
    world.pop_events(0);
    assert_eq!(world.servers[0].received, [(1, true, b"fine".to_vec())]);
    world.check_honest_client();
}

/// An ack that covers a number left out on purpose: whoever acknowledges early is caught.
#[test]
fn acknowledging_ahead_is_caught_by_the_numbers_left_out() {
    let mut world = connected(1, 1);
    let mut puppet = Puppet::connect(&mut world, 9);
    let index = puppet.accept.unwrap().client_index;
    let mut caught = None;
    for round in 0..2000u64 {
        world.servers[0].server.send(index, 0, Unreliable, 0, &[1; 8]).unwrap();
        world.now = world.now + ms(1);
        let (now, unix) = (world.now, world.unix);
        world.servers[0].server.advance(now, unix);
        world.flush_server(0);
        // It claims everything up to the newest it knows of.
        puppet.expected = puppet.expected.max(round);
        let lie = frames(|w| assert!(w.ack(Duration::ZERO, [0..=round].into_iter()).is_some()));
        caught = puppet.send(&mut world, &lie);
        if caught.is_some() {
            assert!(round < 1100, "{round}");
            break;
        }
    }
    assert_eq!(caught, Some(5));
}

#[test]
fn a_client_that_never_acknowledges_costs_a_bounded_amount() {
    let mut world = connected(1, 1);
    let puppet = Puppet::connect(&mut world, 9);
    let index = puppet.accept.unwrap().client_index;
    world.recording = Some(Vec::new());
    for round in 0..400u64 {
        let _ = world.servers[0].server.send(index, 0, ReliableOrdered, 0, &pattern(50_000, round));
        world.step();
    }
    let sent: usize = world
        .recording
        .as_ref()
        .unwrap()
        .iter()
        .filter(|d| d.to == puppet.address)
        .map(|d| d.bytes.len())
        .sum();
    // The first window, and a few packets for each probe timeout.
    assert!(sent < 400_000, "{sent}");
    world.check_honest_client();
}

/// Every datagram of a session, altered in flight: the original arrives after its altered copy, and the
/// session does not notice.
#[test]
fn altered_datagrams_of_every_kind_change_nothing() {
    let mut generator = Generator::new([9; 32]);
    let mut world = watched(World::new(7));
    world.connect(1);
    for step in 0..400u64 {
        if world.state(0) == Connected {
            world.client_sends(0, ReliableOrdered, &pattern(30 + step as usize * 7 % 3000, step));
            if world.servers[0].server.is_connected(0) {
                world.server_sends(0, ReliableOrdered, &pattern(30 + step as usize * 7 % 3000, step));
            }
        }
        let mut altered = Vec::new();
        world.step_losing(|datagram| {
            let mut copy = datagram.clone();
            match generator.below(4) {
                0 => copy.bytes.truncate(generator.below(copy.bytes.len() as u64) as usize),
                1 => copy.bytes.push(0),
                _ => {
                    let bit = generator.below(copy.bytes.len() as u64 * 8) as usize;
                    copy.bytes[bit / 8] ^= 1 << (bit % 8);
                }
            }
            altered.push((copy, datagram.clone()));
            true
        });
        for (copy, genuine) in altered {
            assert!(world.deliver(&copy).is_err(), "{copy:x?}");
            let _ = world.deliver(&genuine);
        }
    }
    world.run(secs(3));
    assert_eq!(world.state(0), Connected);
    assert_eq!(world.events(), ["+0 1"]);
    let came = &world.servers[0].received;
    assert!(came.len() > 380);
    assert!(came.iter().enumerate().all(|(at, (_, _, bytes))| at == 0 || bytes.len() > 29));
    assert_eq!(world.clients[0].received.len(), came.len());
}

/// Every datagram of a session, replayed: at once, at the end, after it, to a restarted server, and from
/// a stranger's address.
#[test]
fn replayed_datagrams_of_every_kind_change_nothing() {
    let mut world = watched(World::new(7));
    world.recording = Some(Vec::new());
    world.connect(1);
    world.run(ms(300));
    for number in 0..50 {
        world.client_sends(0, ReliableOrdered, &pattern(100, number));
        world.server_sends(0, ReliableOrdered, &pattern(100, number));
        world.client_sends(0, Unreliable, &pattern(100, number));
        world.step();
    }
    world.run(ms(300));
    let session = world.recording.take().unwrap();
    assert_eq!(world.servers[0].received.len(), 100);
    let stranger = address("203.0.113.50:9999");

    let replay = |world: &mut World, label: &str| {
        let mut received = 0;
        world.recording = Some(Vec::new());
        for datagram in &session {
            let from_stranger = Datagram { from: stranger, ..datagram.clone() };
            for copy in [datagram, &from_stranger] {
                received += if copy.from == stranger { copy.bytes.len() } else { 0 };
                let _ = world.deliver(copy);
            }
            world.flush_server(0);
        }
        world.run(ms(500));
        let recording = world.recording.take().unwrap();
        let reflected: usize =
            recording.iter().filter(|d| d.to == stranger).map(|d| d.bytes.len()).sum();
        assert!(reflected * 10 <= received, "{label}: {reflected} bytes for {received}");
        assert!(recording.iter().filter(|d| d.to == stranger).all(|d| d.bytes.len() <= 42), "{label}");
    };
    replay(&mut world, "while connected");
    assert_eq!(world.state(0), Connected);
    assert_eq!(world.events(), ["+0 1"]);
    assert_eq!((world.servers[0].received.len(), world.clients[0].received.len()), (100, 50));
    assert!(world.dropped(DropReason::Replayed) > 50);

    world.clients[0].client.disconnect();
    world.flush_client(0);
    world.run(ms(200));
    replay(&mut world, "after the end");
    world.restart_server(0);
    replay(&mut world, "to a restarted server");
    assert_eq!(world.servers[0].server.connected(), 0);
    assert_eq!(world.events(), ["-0 left"]);
    assert_eq!(world.servers[0].received.len(), 100);
}

/// One valid token, shown from very many addresses: nothing is kept for any of them.
#[test]
fn a_token_shown_from_many_addresses_costs_one_small_reply_each() {
    let mut world = connected(1, 1);
    let token = world.token(55);
    let mut request = token[90..].to_vec();
    request.extend([3; 16]);
    let server = world.servers[0].address;
    let mut replies = 0;
    for number in 0..100_000u32 {
        let [a, b, c, d] = (0x0B00_0000 + number).to_be_bytes();
        let from = SocketAddr::from(([a, b, c, d], 1));
        let datagram = Datagram { from, to: server, bytes: request.clone() };
        assert_eq!(world.deliver(&datagram), Ok(()));
        if number % 1000 == 999 {
            world.recording = Some(Vec::new());
            world.step();
            let recording = world.recording.take().unwrap();
            let is_reply = |sent: &&Datagram| sent.to.ip() >= address("11.0.0.0").ip();
            let sizes = recording.iter().filter(is_reply).map(|reply| reply.bytes.len());
            replies += sizes.inspect(|&size| assert_eq!(size, 33)).count();
        }
    }
    assert_eq!(replies, 100_000);
    assert_eq!(world.servers[0].server.connected(), 1);
    world.check_honest_client();
}

/// A token whose two keys are one: legal, and no packet of one direction opens in the other.
#[test]
fn a_token_with_one_key_for_both_directions_is_safe() {
    let mut world = watched(World::new(1));
    let options = world.token_options(1);
    let token = world.token_with_keys(&options, [[5; 32], [5; 32]]);
    let client = world.add_client();
    world.connect_with(client, &token);
    world.recording = Some(Vec::new());
    for number in 0..50 {
        if world.state(client) == Connected {
            world.client_sends(client, ReliableOrdered, &pattern(50, number));
        }
        if world.servers[0].server.is_connected(0) {
            world.server_sends(0, ReliableOrdered, &pattern(50, number));
        }
        world.step();
    }
    let recording = world.recording.take().unwrap();
    world.run(ms(500));
    let received = (world.servers[0].received.len(), world.clients[0].received.len());
    assert!(received.0 > 40 && received.1 > 40);
    for datagram in recording {
        let reflected = Datagram { from: datagram.to, to: datagram.from, bytes: datagram.bytes };
        assert!(world.deliver(&reflected).is_err());
    }
    world.run(ms(500));
    assert_eq!(received, (world.servers[0].received.len(), world.clients[0].received.len()));
    assert_eq!(world.state(client), Connected);
}

#[test]
fn requests_beyond_what_the_network_takes_cost_no_memory() {
    let mut world = connected(31, 1);
    let token = world.token(7);
    let token = ConnectToken::read(&token, APPLICATION, 0).unwrap();
    let mut request = [0; 1200];
    let mut attempt = Attempt::new([7; 16], SEND_INTERVAL);
    let size = attempt
        .poll_transmit(world.now, &AssociatedPrefix::new(APPLICATION), &token.packet, &mut request)
        .unwrap();
    let to = world.servers[0].address;
    for number in 0..2 * MAX_REPLIES {
        let from = SocketAddr::from(([10, 9, (number >> 8) as u8, number as u8], 9));
        let result = world.deliver(&Datagram { from, to, bytes: request[..size].to_vec() });
        let expected = if number < MAX_REPLIES { Ok(()) } else { Err(DropReason::Flood) };
        assert_eq!(result, expected);
    }
    world.recording = Some(Vec::new());
    world.flush_server(0);
    assert_eq!(world.recording.take().unwrap().len(), MAX_REPLIES);
    world.check_honest_client();
}

/// Whoever asks for more than any message needs, or for a loan upon a loan, gets nothing and takes
/// nothing from others.
#[test]
fn a_false_need_for_credit_keeps_no_loan_from_others() {
    for wanted in [1 << 60, 64 << 20] {
        // One message of the honest client's that nobody takes out of the test's hands.
        let mut world = within(10 << 20, World::connected(1, 1));
        let mut puppet = Puppet::connect(&mut world, 9);
        world.client_sends(0, ReliableOrdered, &pattern(8 << 20, 2));
        for _ in 0..60 {
            world.run(ms(500));
            puppet.send(&mut world, &frames(|w| assert!(w.blocked(wanted))));
        }
        assert_eq!(world.servers[0].received.len(), 1, "{wanted}");
    }
}

#[test]
fn loans_that_trickle_are_ended_when_another_waits() {
    let mut world = connected(1, 1);
    let mut puppets: Vec<Puppet> = (9..13).map(|id| Puppet::connect(&mut world, id)).collect();
    for puppet in &mut puppets {
        puppet.send(&mut world, &frames(|w| assert!(w.blocked(20 << 20))));
    }
    world.step();
    world.client_sends(0, ReliableOrdered, &pattern(8 << 20, 2));
    for round in 0..10 {
        world.run(secs(3));
        for (number, puppet) in puppets.iter_mut().enumerate() {
            // Half of them send what came long ago, the others what is new.
            let offset = if number % 2 == 0 { 0 } else { 32 * round };
            let part = head(ReliableOrdered, 0, Some((19 << 20, offset)));
            puppet.send(&mut world, &frames(|w| assert!(w.message(&part, &[7; 32]))));
        }
    }
    assert_eq!(world.servers[0].received.len(), 1);
    world.check_honest_client();
}

/// How long the server's timers take once this many clients have said that they wait for a little credit.
fn time_to_lend_to(clients: u64) -> std::time::Duration {
    let mut world = within(clients as i64 * (8 << 10), World::new(1));
    world.config.max_clients = clients as usize;
    world.restart_server(0);
    let mut puppets: Vec<Puppet> = (0..clients).map(|id| Puppet::connect(&mut world, id)).collect();
    for puppet in &mut puppets {
        // A little more than each may have without.
        let allowance = (world.config.memory * 3 / 8 / clients).max(64 << 10);
        let blocked = frames(|writer| assert!(writer.blocked(allowance + 100)));
        puppet.hands(&mut world, &blocked).unwrap();
    }
    let begun = cpu_time::ThreadTime::now();
    world.servers[0].server.handle_timeout(false);
    begun.elapsed()
}

#[test]
fn a_crowd_that_wants_loans_costs_a_look_at_each_and_not_at_each_by_each() {
    // Eight times as many cost eight times as much; each by each it would be 64 times. The least of several times counts, of
    // more where the machine has much else to do.
    let (mut few, mut many) = (std::time::Duration::MAX, std::time::Duration::MAX);
    let is_a_look_at_each = (1..=16).any(|round| {
        few = few.min(time_to_lend_to(250));
        many = many.min(time_to_lend_to(2000));
        round % 4 == 0 && many < 30 * few
    });
    assert!(is_a_look_at_each, "{few:?} and {many:?}");
}

/// Programs that use no channels never take channel messages; nobody fills the memory with them.
#[test]
fn what_gone_clients_left_is_kept_within_a_budget() {
    let mut world = connected(1, 0);
    for id in 1..=30 {
        let client = world.connect(id);
        world.run_until(secs(5), |world| world.state(client) == Connected);
        world.run(ms(100));
        for number in 0..3 {
            let message = pattern(900_000, number);
            world.clients[client].client.send(1, ReliableOrdered, 7, &message).unwrap();
        }
        world.run(secs(1));
        world.clients[client].client.disconnect();
        world.flush_client(client);
        world.run(ms(100));
    }
    let server = &mut world.servers[0].server;
    assert_eq!(server.connected(), 0);
    let left: Vec<_> = std::iter::from_fn(|| server.poll_channel_message()).collect();
    let bytes: usize = left.iter().map(|(_, message)| message.len()).sum();
    assert!((29 << 20..=32 << 20).contains(&bytes), "{bytes}");
}

#[test]
fn a_client_that_ignores_its_limit_is_held_to_it_and_stays() {
    let rate = 20_000;
    let mut world = watched(World::new(1));
    world.config.max_incoming_rate = Some(rate);
    world.restart_server(0);
    world.connect(1);
    world.run(ms(200));
    let mut puppet = Puppet::connect(&mut world, 66);
    assert_eq!(puppet.accept.unwrap().incoming_rate, rate);
    let index = puppet.accept.unwrap().client_index;
    let message = frames(|writer| assert!(writer.message(&head(Unreliable, 0, None), &[7; 1000])));
    for _ in 0..600 {
        for _ in 0..5 {
            assert_eq!(puppet.send(&mut world, &message), None);
        }
        world.step();
    }
    assert!(world.servers[0].server.is_connected(index));
    let came = world.servers[0].received.iter().filter(|(from, ..)| *from == index).count() as f64;
    // Ten seconds' worth, and what one second saved up.
    let allowed = f64::from(rate) * 11.0 / (message.len() as f64 + 25.0);
    assert!((0.95..1.05).contains(&(came / allowed)), "{came} of {allowed}");
    assert!(world.dropped(DropReason::RateLimit) > 2000);
    world.check_honest_client();
}

#[test]
fn a_stranger_uses_up_nothing_of_what_a_client_may_send() {
    let mut world = watched(World::new(1));
    world.config.max_incoming_rate = Some(20_000);
    world.restart_server(0);
    world.connect(1);
    world.run(secs(1));
    let (from, to) = (world.clients[0].address, world.servers[0].address);
    for number in 0..1000u64 {
        // The client's address and connection id are no secrets.
        let mut bytes = pattern(1200, number);
        bytes[..5].copy_from_slice(&[0x80, 0, 0, 0, 0]);
        let result = world.deliver(&Datagram { from, to, bytes });
        assert!(matches!(result, Err(DropReason::Forged | DropReason::Replayed)), "{result:?}");
    }
    assert_eq!(world.dropped(DropReason::RateLimit), 0);
    world.check_honest_client();
}
