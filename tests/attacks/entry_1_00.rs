//! The defects of the original that tokens and handshakes reach, aimed at servers of CUTE 1.00. Each test
//! carries the id of its defect.

use crate::puppet_1_00::{Puppet, fragment, packet_of};
use crate::watch::{watched, world_with_honest_client};
use crate::world::world_1_00;
use crate::world::{Datagram, TokenOptions, World};
use crate::{ms, secs};
use cute_net::client::ClientState::*;
use cute_net::drop_reason::DropReason;
use cute_net::message::Delivery::*;
use cute_net::server::Server;
use cute_net::simulator::SimulatorConfig;
use cute_net::token::PACKET_SIZE;
use cute_net::v1::packet::PacketType;
use std::net::SocketAddr;

/// The address of a stranger.
fn stranger(number: u32) -> SocketAddr {
    let [.., a, b, c] = number.to_be_bytes();
    SocketAddr::from(([11, a, b, c], 777))
}

/// No packet made the server send more than it had bytes.
fn none_is_answered_with_more(bytes: usize, replies: &[Vec<u8>]) {
    assert!(replies.iter().map(Vec::len).sum::<usize>() <= bytes);
}

/// A signature in another form: its scalar replaced.
fn with_scalar(packet: &[u8; PACKET_SIZE], scalar: [u8; 32]) -> [u8; PACKET_SIZE] {
    let mut altered = *packet;
    altered[PACKET_SIZE - 32..].copy_from_slice(&scalar);
    altered
}

/// The order of the group, little-endian.
const ORDER: [u8; 32] = [
    0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// a + k b, for k = 1 or -1, modulo 2^256.
fn add(a: [u8; 32], b: [u8; 32], k: i32) -> [u8; 32] {
    let mut carry = 0;
    std::array::from_fn(|at| {
        let sum = i32::from(a[at]) + k * i32::from(b[at]) + carry;
        carry = sum >> 8;
        sum as u8
    })
}

#[test]
fn d16_token_packets_that_make_no_sense_are_dropped_before_their_signature() {
    let mut world = world_with_honest_client(1);
    let good = packet_of(&world.token(5));
    let mut bad = Vec::new();
    for kind in [0u8, 3, 255] {
        let mut packet = good;
        packet[35] = kind;
        bad.push(packet);
    }
    for count in [0u32, 33, u32::MAX] {
        let mut packet = good;
        packet[31..35].copy_from_slice(&count.to_le_bytes());
        bad.push(packet);
    }
    // 32 addresses of IPv6 do not fit.
    let mut packet = good;
    packet[31] = 32;
    (35..568).step_by(19).for_each(|at| packet[at] = 2);
    bad.push(packet);
    for (number, packet) in bad.iter().enumerate() {
        let (result, replies) = world.say(stranger(number as u32), packet);
        assert_eq!((result, replies.len()), (Err(DropReason::Malformed), 0));
    }
    assert_eq!(world.dropped(DropReason::Malformed), bad.len() as u64);
    let mut garbage = good;
    garbage[568..].fill(7);
    let (result, replies) = world.say(stranger(99), &garbage);
    assert_eq!((result, replies.len()), (Err(DropReason::UnknownKey), 0));
    for size in [1, 37, 73, 1023, 1025, 1200] {
        let mut packet = good.to_vec();
        packet.resize(size, 0);
        assert!(world.say(stranger(99), &packet).0.is_err());
    }
    world.check_honest_client();
}

#[test]
fn d16_a_client_refuses_a_damaged_token() {
    let mut world = watched(world_1_00(1, SimulatorConfig::default()));
    let good = world.token(5);
    let client = world.add_client();
    for (at, byte) in [(90 + 35, 0), (90 + 35, 3), (90 + 31, 0), (90 + 31, 33), (90 + 10, 9)] {
        let mut token = good;
        token[at] = byte;
        assert!(world.clients[client].client.connect(&token, [0; 32]).is_err());
        assert_eq!(world.state(client), InvalidConnectToken);
    }
    world.connect_with(client, &good);
    world.server_expects(1);
}

#[test]
fn d18_d19_a_flood_of_tokens_costs_few_signatures_an_update() {
    let mut world = world_with_honest_client(1);
    let good = packet_of(&world.token(5));
    let before = world.dropped(DropReason::Flood);
    let late = world.connect(6);
    for number in 0..2000u32 {
        let mut bad = good;
        bad[PACKET_SIZE - 50..PACKET_SIZE - 46].copy_from_slice(&number.to_le_bytes());
        let (result, replies) = world.say(stranger(number), &bad);
        assert!(matches!(result, Err(DropReason::Forged | DropReason::Flood)), "{result:?}");
        assert!(replies.is_empty());
    }
    // The first is one of 32; after it is known what is done with this token, half of these are for it.
    assert_eq!(world.dropped(DropReason::Forged), 17);
    assert_eq!(world.dropped(DropReason::Flood), before + 1983);
    // Who comes while it goes on gets in with the next update.
    world.run_until(secs(1), |world| world.state(late) == Connected);
    world.check_honest_client();
}

/// Whoever heard a token shows it with other signatures, more in each update than are checked, before anybody else is
/// read: those who come meanwhile get in.
#[test]
fn d18_d19_a_flood_of_altered_copies_of_a_token_keeps_nobody_out() {
    let mut world = world_with_honest_client(1);
    let heard = packet_of(&world.token(5));
    let mut number = 0u32;
    let mut flood = |world: &mut World| {
        for _ in 0..100 {
            number += 1;
            let mut altered = heard;
            altered[PACKET_SIZE - 50..PACKET_SIZE - 46].copy_from_slice(&number.to_le_bytes());
            let (from, to) = (stranger(number), world.servers[0].address);
            let shown = Datagram { from, to, bytes: altered.to_vec() };
            assert!(matches!(world.deliver(&shown), Err(DropReason::Forged | DropReason::Flood)));
        }
    };
    let mut newcomers = Vec::new();
    for tick in 0..90 {
        if tick % 10 == 5 {
            newcomers.push(world.connect(100 + tick));
        }
        // The flood is what the server reads first in its update.
        let passed = world.step_taking();
        flood(&mut world);
        for datagram in passed {
            let _ = world.deliver(&datagram);
        }
        world.finish_step();
    }
    assert!(newcomers.iter().all(|&client| world.state(client) == Connected));
    world.check_honest_client();
}

#[test]
fn d19_a_token_that_comes_again_costs_no_signature() {
    let mut world = world_with_honest_client(1);
    let mut bad = packet_of(&world.token(5));
    bad[PACKET_SIZE - 50] ^= 1;
    let mut pending = Puppet::new(&mut world, 6);
    pending.challenge(&mut world);
    let connected = Puppet::connect(&mut world, 7);
    for number in 0..500 {
        assert_eq!(world.say(stranger(number), &bad).0, Err(DropReason::Forged));
        let (result, replies) = world.say(pending.address, &pending.token);
        assert_eq!(result, Ok(()));
        none_is_answered_with_more(PACKET_SIZE, &replies);
        for from in [connected.address, stranger(number)] {
            assert!(world.say(from, &connected.token).0.is_err());
        }
    }
    assert_eq!(world.dropped(DropReason::Flood), 0);
    world.connect(8);
    world.server_expects(3);
    world.check_honest_client();
}

#[test]
fn d20_one_token_shown_from_100_000_addresses_occupies_few_handshakes() {
    let mut world = world_with_honest_client(1);
    let options = TokenOptions { lifetime: 1000, ..world.token_options(5) };
    let token = packet_of(&world.token_with(&options));
    for number in 0..100_000 {
        let (result, replies) = world.say(stranger(number), &token);
        assert!(matches!(result, Ok(()) | Err(DropReason::Flood)), "{result:?}");
        none_is_answered_with_more(PACKET_SIZE, &replies);
        if number % 100 == 0 {
            world.step();
        }
    }
    world.step();
    // There is room for everybody else, and for the token's own player once the noise is over.
    let others: Vec<usize> = (10..40).map(|id| world.connect(id)).collect();
    world.run_until(secs(5), |world| others.iter().all(|&client| world.state(client) == Connected));
    world.check_honest_client();
}

#[test]
fn d20_a_player_gets_in_whoever_shows_its_token_after_it() {
    let mut world = world_with_honest_client(1);
    let mut player = Puppet::new(&mut world, 5);
    let challenge = player.challenge(&mut world);
    for number in 0..30 {
        assert_eq!(world.say(stranger(number), &player.token).0, Ok(()));
    }
    world.run(ms(100));
    assert_eq!(player.echo(&mut world, &challenge).0, Ok(()));
    world.step();
    assert_eq!(world.servers[0].server.connected(), 2);
    world.check_honest_client();
}

/// A player's address is no secret, and whoever has a token of its own shows that from there: before the player comes,
/// and again and again.
#[test]
fn d20_whoever_shows_its_own_token_from_a_players_address_keeps_nobody_out() {
    let mut world = world_with_honest_client(1);
    let own: Vec<_> = (100..103).map(|id| packet_of(&world.token(id))).collect();
    for id in 2..6 {
        let late = world.add_client();
        let from = world.clients[late].address;
        for token in &own {
            assert_eq!(world.say(from, token).0, Ok(()));
        }
        let token = world.token(id);
        world.connect_with(late, &token);
        let mut ticks = 0;
        while world.state(late) != Connected {
            world.step();
            for token in &own {
                let _ = world.say(from, token);
            }
            ticks += 1;
            assert!(ticks < 12, "{id}");
        }
        world.step();
        // Now the address is the player's.
        let another = packet_of(&world.token(104));
        assert_eq!(world.say(from, &another).0, Err(DropReason::TokenInUse));
    }
    world.check_honest_client();
}

#[test]
fn d20_handshakes_that_nobody_finishes_are_bounded_and_end() {
    let mut world = world_with_honest_client(1);
    let mut full = 0;
    for number in 0..300 {
        let token = packet_of(&world.token(1000 + number));
        let (result, replies) = world.say(stranger(number as u32), &token);
        none_is_answered_with_more(PACKET_SIZE, &replies);
        match result {
            Err(DropReason::Full) => full += 1,
            other => assert_eq!(other, Ok(())),
        }
        if number % 20 == 19 {
            world.step();
        }
    }
    assert_eq!((full, world.dropped(DropReason::Full)), (300 - 128, 300 - 128));
    world.check_honest_client();
    // A handshake takes 5 s by its token, and then its room is free.
    let late = world.connect(2);
    world.run(secs(6));
    let token = world.token(2);
    world.connect_with(late, &token);
    world.run_until(secs(1), |world| world.state(late) == Connected);
    world.check_honest_client();
}

#[test]
fn d20_a_full_server_keeps_nothing_of_those_it_refuses() {
    let mut world = watched(world_1_00(1, SimulatorConfig::default()));
    world.config.max_clients = 1;
    world.restart_server(0);
    world.connect(1);
    world.server_expects(1);
    for number in 0..200 {
        let token = packet_of(&world.token(1000 + number));
        let (result, replies) = world.say(stranger(number as u32), &token);
        assert_eq!((result, replies.len(), replies[0].len()), (Err(DropReason::Full), 1, 73));
        if number % 20 == 19 {
            world.step();
        }
    }
    world.check_honest_client();
    world.clients[0].client.disconnect();
    world.flush_client(0);
    let late = world.connect(2);
    world.run_until(secs(1), |world| world.state(late) == Connected);
}

#[test]
fn d21_an_address_gets_one_challenge_for_each_token_packet_and_then_silence() {
    let mut world = world_with_honest_client(1);
    let token = packet_of(&world.token(5));
    let victim = stranger(1);
    let (result, replies) = world.say(victim, &token);
    assert_eq!((result, replies.len(), replies[0].len()), (Ok(()), 1, 337));
    world.recording = Some(Vec::new());
    world.run(secs(70));
    assert!(world.recording.take().unwrap().iter().all(|datagram| datagram.to != victim));
    // The token has expired.
    let (result, replies) = world.say(victim, &token);
    assert_eq!((result, replies.len()), (Err(DropReason::Expired), 0));
    world.check_honest_client();
}

#[test]
fn d22_who_did_not_receive_the_challenge_does_not_get_in() {
    let mut world = world_with_honest_client(1);
    let mut blind = Puppet::new(&mut world, 9);
    // The token, a made-up answer and data, in one update.
    assert_eq!(blind.hands(&mut world, blind.token.to_vec()), Ok(()));
    let made_up = blind.forge.packet(PacketType::ChallengeResponse, &[0; 264]);
    assert_eq!(blind.hands(&mut world, made_up), Err(DropReason::Cookie));
    let payload = blind.forge.payload(&fragment(true, 0, (1, 0), b"blind"));
    assert!(blind.hands(&mut world, payload).is_err());
    world.step();
    assert_eq!(world.servers[0].server.connected(), 1);

    // A challenge that another address got with the same token, one altered, one renumbered.
    let token = world.token(10);
    let (mut here, mut there) = (Puppet::with_token(&token, 10), Puppet::with_token(&token, 11));
    let (mine, foreign) = (here.challenge(&mut world), there.challenge(&mut world));
    let [mut altered, mut renumbered] = [mine.clone(), mine.clone()];
    altered[100] ^= 1;
    renumbered[0] ^= 1;
    for wrong in [foreign, altered, renumbered] {
        let (result, replies) = here.echo(&mut world, &wrong);
        assert_eq!((result, replies.len()), (Err(DropReason::Cookie), 0));
    }
    assert_eq!(world.dropped(DropReason::Cookie), 4);
    assert_eq!(here.echo(&mut world, &mine).0, Ok(()));
    world.check_honest_client();
}

#[test]
fn d24_the_32nd_client_comes_in_and_every_one_of_them_is_served() {
    let mut world = world_with_honest_client(1);
    let mut puppets: Vec<Puppet> = (2..=32)
        .map(|id| {
            world.step();
            Puppet::connect(&mut world, id)
        })
        .collect();
    assert_eq!(world.servers[0].server.connected(), 32);
    for puppet in &mut puppets {
        puppet.sends(&mut world, &fragment(true, 0, (1, 0), b"here")).unwrap();
        assert_eq!(puppet.received(&mut world), [b"here"]);
    }
    let late = packet_of(&world.token(99));
    let (result, replies) = world.say(stranger(1), &late);
    assert_eq!((result, replies.len(), replies[0].len()), (Err(DropReason::Full), 1, 73));
    world.check_honest_client();
}

#[test]
fn d11_a_server_of_four_holds_four() {
    let mut world = watched(world_1_00(1, SimulatorConfig::default()));
    world.config.max_clients = 4;
    world.restart_server(0);
    let clients: Vec<usize> = (1..=6).map(|id| world.connect(id)).collect();
    world.run(secs(2));
    let count = |wanted| clients.iter().filter(|&&client| world.state(client) == wanted).count();
    assert_eq!((count(Connected), count(ConnectionDenied)), (4, 2));
    assert!((0..40).filter(|&index| world.servers[0].server.is_connected(index)).eq(0..4));
}

#[test]
fn d26_of_two_addresses_that_begin_with_one_token_one_gets_in_and_no_other_ever() {
    for leaves in [false, true] {
        let mut world = world_with_honest_client(1);
        let token = world.token(5);
        let mut all: Vec<Puppet> = (0..4).map(|number| Puppet::with_token(&token, number)).collect();
        let challenges: Vec<_> = all.iter_mut().map(|puppet| puppet.challenge(&mut world)).collect();
        assert_eq!(all[2].echo(&mut world, &challenges[2]).0, Ok(()));
        if leaves {
            all[2].leaves(&mut world);
            world.step();
        }
        for number in [0, 1, 3] {
            let (result, replies) = all[number].echo(&mut world, &challenges[number]);
            assert_eq!((result, replies.len()), (Err(DropReason::TokenUsed), 0));
        }
        assert_eq!(world.dropped(DropReason::TokenUsed), 3);
        for number in 0..100 {
            let (result, replies) = world.say(stranger(number), &packet_of(&token));
            assert_eq!((result, replies.len()), (Err(DropReason::TokenUsed), 0));
        }
        assert_eq!(world.servers[0].server.connected(), 1 + usize::from(!leaves));
        world.check_honest_client();
    }
}

#[test]
fn d27_a_used_token_is_used_whatever_form_its_signature_takes() {
    let mut world = world_with_honest_client(1);
    let token = world.token(5);
    let packet = packet_of(&token);
    let scalar: [u8; 32] = *packet.last_chunk().unwrap();
    let negated = with_scalar(&packet, add(ORDER, scalar, -1));
    let mut forms = vec![negated];
    let (mut plus, mut minus) = (scalar, *negated.last_chunk().unwrap());
    for _ in 0..7 {
        (plus, minus) = (add(plus, ORDER, 1), add(minus, ORDER, 1));
        forms.extend([with_scalar(&packet, plus), with_scalar(&packet, minus)]);
    }
    // The negated form is a signature too, the others are none. It makes the same connection, once.
    for (number, form) in forms.iter().enumerate() {
        let (result, replies) = world.say(stranger(number as u32), form);
        let expected = if number == 0 { Ok(()) } else { Err(DropReason::Forged) };
        assert_eq!((result, replies.len()), (expected, usize::from(number == 0)));
    }
    world.step();
    let mut player = Puppet::with_token(&token, 5);
    let challenge = player.challenge(&mut world);
    assert_eq!(player.echo(&mut world, &challenge).0, Ok(()));
    for gone in [false, true] {
        for (number, form) in forms.iter().chain([&packet]).enumerate() {
            let (result, replies) = world.say(stranger(100 + number as u32), form);
            let is_signature = number == 0 || number == forms.len();
            let expected = if is_signature { DropReason::TokenUsed } else { DropReason::Forged };
            assert_eq!((result, replies.len()), (Err(expected), 0));
        }
        if !gone {
            player.leaves(&mut world);
            world.step();
        }
    }
    world.check_honest_client();
}

#[test]
fn d28_a_used_token_is_remembered_after_hundreds_more_and_after_a_stop() {
    let mut world = world_with_honest_client(1);
    let token = packet_of(&world.token(5));
    let mut puppet = Puppet::with_token(&world.token(6), 6);
    let first = puppet.token;
    assert_ne!(first, token);
    let challenge = puppet.challenge(&mut world);
    puppet.echo(&mut world, &challenge).0.unwrap();
    puppet.leaves(&mut world);
    for id in 100..400 {
        Puppet::connect(&mut world, id).leaves(&mut world);
        if id % 10 == 0 {
            world.step();
        }
    }
    assert_eq!(world.say(stranger(1), &first).0, Err(DropReason::TokenUsed));
    world.check_honest_client();

    // A server that is stopped and started is another one, that inherits.
    let mut earlier = Server::new(world.config.clone(), &[world.servers[0].address], &[], [1; 32]);
    std::mem::swap(&mut earlier, &mut world.servers[0].server);
    earlier.stop();
    world.servers[0].server.inherit(earlier);
    world.step();
    assert_eq!(world.say(stranger(1), &first).0, Err(DropReason::TokenUsed));
    assert_eq!(world.say(stranger(2), &token).0, Ok(()));
}

/// Several servers that share a key pair each let a token in once: they know nothing of each other. A token that
/// lists one of them is no use at the others.
#[test]
fn d28_a_token_counts_at_the_servers_it_lists() {
    let mut world = world_with_honest_client(1);
    let second = world.add_server("10.0.0.2:5000");
    let token = packet_of(&world.token(5));
    let [first, second] = [world.servers[0].address, world.servers[second].address];
    world.step();
    for (to, expected) in [(second, Err(DropReason::NotListed)), (first, Ok(()))] {
        let shown = Datagram { from: stranger(1), to, bytes: token.to_vec() };
        assert_eq!(world.deliver(&shown), expected);
    }
    world.check_honest_client();
}

#[test]
fn d28_a_recorded_session_does_nothing_at_the_same_server_or_another() {
    let mut world = world_with_honest_client(1);
    world.recording = Some(Vec::new());
    let client = world.connect(5);
    world.run_until(secs(1), |world| world.state(client) == Connected);
    for number in 0..20 {
        world.client_sends(client, ReliableOrdered, &[number; 100]);
        world.step();
    }
    world.run(ms(100));
    let session = world.recording.take().unwrap();
    let address = world.clients[client].address;
    let replay = |world: &mut World| {
        for datagram in session.iter().filter(|datagram| datagram.from == address) {
            for from in [address, stranger(1)] {
                let (_, replies) = world.say(from, &datagram.bytes);
                if from == stranger(1) {
                    none_is_answered_with_more(datagram.bytes.len(), &replies);
                }
            }
        }
        world.step();
    };
    world.servers[0].received.clear();
    replay(&mut world);
    assert_eq!((world.servers[0].received.len(), world.servers[0].server.connected()), (0, 2));
    assert!(world.dropped(DropReason::Replayed) >= 20);
    world.clients[client].client.disconnect();
    world.flush_client(client);
    world.run(secs(2));
    replay(&mut world);
    assert_eq!((world.servers[0].received.len(), world.servers[0].server.connected()), (0, 1));
    world.check_honest_client();
    world.servers[0].received.clear();
    world.restart_server(0);
    replay(&mut world);
    assert_eq!((world.servers[0].received.len(), world.servers[0].server.connected()), (0, 0));
    assert!(world.dropped(DropReason::Cookie) > 0);
}

#[test]
fn d31_what_came_during_a_step_longer_than_the_timeout_counts_first() {
    let mut world = world_with_honest_client(1);
    world.connect(2);
    world.server_expects(2);
    world.run(ms(300));
    for client in 0..2 {
        world.client_sends(client, ReliableOrdered, b"am I late?");
    }
    world.servers[0].received.clear();
    world.hold_for_server = true;
    world.step();
    world.hold_for_server = false;
    // The server's clock makes the step, and not those of the clients.
    world.server_ahead = ms(10_100);
    world.run(secs(1));
    assert_eq!(world.servers[0].server.connected(), 2);
    assert_eq!(world.servers[0].received.len(), 2);
    world.check_honest_client();
}

#[test]
fn d32_a_stopped_server_takes_in_nothing_and_says_nothing_more() {
    let mut world = world_with_honest_client(1);
    let mut puppet = Puppet::connect(&mut world, 9);
    // One has just asked to be let in.
    let mut late = Puppet::new(&mut world, 10);
    late.hands(&mut world, late.token.to_vec()).unwrap();
    world.recording = Some(Vec::new());
    world.servers[0].server.stop();
    world.flush_server(0);
    let said = world.recording.take().unwrap();
    assert!(said.iter().all(|datagram| datagram.bytes[0] == PacketType::Disconnect as u8), "{said:?}");
    world.run(ms(100));
    assert_eq!(world.state(0), Disconnected);
    let payload = puppet.forge.payload(&fragment(true, 0, (1, 0), b"late"));
    let token = packet_of(&world.token(5));
    for bytes in [&token[..], &payload, b""] {
        let (result, replies) = world.say(puppet.address, bytes);
        let expected = if bytes.is_empty() { DropReason::Size } else { DropReason::Unexpected };
        assert_eq!((result, replies.len()), (Err(expected), 0));
    }
    world.run(secs(20));
    assert!(puppet.received(&mut world).is_empty());
}
