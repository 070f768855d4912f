//! The defects of the original that packets reach, aimed at servers and clients of CUTE 1.00 by peers that hold
//! keys. Each test carries the id of its defect.

use crate::memory::live;
use crate::puppet_1_00::{
    Forge, Puppet, client_hears, client_of_hostile_server, fragment, moved_within_its_block, sized,
};
use crate::watch::{watched, world_with_honest_client};
use crate::world::{Datagram, World, pattern, world_1_00};
use crate::{ms, secs};
use cute_net::client::ClientState::*;
use cute_net::drop_reason::DropReason;
use cute_net::message::Delivery::*;
use cute_net::server::LEAST_MEMORY;
use cute_net::simulator::SimulatorConfig;
use cute_net::v1::packet::{OVERHEAD, PacketType};

/// Sends what `attack` makes to a server and to a client. Each drops it as malformed, gives the program nothing
/// of it, and takes the next honest message.
fn both_ends_refuse(attack: impl Fn(&mut Forge) -> Vec<Vec<u8>>) {
    let mut world = world_with_honest_client(1);
    let mut puppet = Puppet::connect(&mut world, 9);
    let attacks = attack(&mut puppet.forge);
    let number = attacks.len() as u64;
    for bytes in attacks {
        let (result, _) = world.say(puppet.address, &bytes);
        assert_eq!(result, Err(DropReason::Malformed));
    }
    assert_eq!(world.dropped(DropReason::Malformed), number);
    assert!(puppet.received(&mut world).is_empty());
    puppet.sends(&mut world, &fragment(true, 0, (1, 0), b"good")).unwrap();
    assert_eq!(puppet.received(&mut world), [b"good"]);
    world.check_honest_client();

    let (mut world, mut forge) = client_of_hostile_server(1);
    for bytes in attack(&mut forge) {
        assert_eq!(client_hears(&mut world, bytes), Err(DropReason::Malformed));
    }
    let good = forge.payload(&fragment(true, 0, (1, 0), b"good"));
    client_hears(&mut world, good).unwrap();
    world.step();
    assert_eq!(world.clients[0].received, [(true, b"good".to_vec())]);
    assert_eq!(world.clients[0].client.counters().dropped(DropReason::Malformed), number);
}

#[test]
fn d01_a_payload_length_that_lies_copies_nothing() {
    both_ends_refuse(|forge| {
        let payload =
            [&[0, 0, 255, 255, 0, 0, 0, 0][..], &fragment(true, 0, (1, 0), &[7; 900])].concat();
        [0, 1, 916, 918, 1205, 1206, 1214, u16::MAX].map(|length| forge.lie(length, &payload)).to_vec()
    });
}

#[test]
fn d02_a_fragment_size_that_lies_reads_nothing_of_other_players() {
    both_ends_refuse(|forge| {
        let mut all: Vec<_> = [0, 3, 5, 600, 1100, u16::MAX]
            .map(|size| forge.payload(&sized(true, 0, (1, 0), size, b"four")))
            .to_vec();
        // Shorter than the two headers; the original reads on.
        all.extend((0..17).map(|length| forge.lie(length, &[0; 17][..usize::from(length)])));
        all
    });
}

#[test]
fn d03_a_fragment_index_beyond_the_count_writes_nothing() {
    both_ends_refuse(|forge| {
        [(1, 1), (2, 2), (2, 3), (19_065, 19_065), (3, u16::MAX)]
            .into_iter()
            .flat_map(|part| [true, false].map(|reliable| fragment(reliable, 0, part, &[7; 1100])))
            .map(|body| forge.payload(&body))
            .collect()
    });
}

#[test]
fn d04_a_message_of_no_fragments_or_too_many_is_refused() {
    both_ends_refuse(|forge| {
        [0, 19_066, u16::MAX]
            .into_iter()
            .flat_map(|count| {
                [true, false].map(|reliable| fragment(reliable, 0, (count, 0), &[7; 1100]))
            })
            .map(|body| forge.payload(&body))
            .collect()
    });
}

#[test]
fn d05_a_message_with_gaps_is_not_delivered() {
    both_ends_refuse(|forge| {
        // Fragments before the last that are short, and a reliable last one of nothing.
        [
            (fragment(false, 3, (2, 0), &[7; 1099])),
            fragment(true, 0, (2, 0), b""),
            fragment(true, 0, (1, 0), b""),
        ]
        .map(|body| forge.payload(&body))
        .to_vec()
    });
    let mut world = world_with_honest_client(1);
    let mut puppet = Puppet::connect(&mut world, 9);
    for reliable in [true, false] {
        for index in [2, 0, 0, 2] {
            let size = if index == 2 { 100 } else { 1100 };
            puppet
                .sends(&mut world, &fragment(reliable, 0, (3, index), &[index as u8; 1100][..size]))
                .unwrap();
        }
        assert!(puppet.received(&mut world).is_empty());
        // Another count for the same message is another lie.
        let _ = puppet.sends(&mut world, &fragment(reliable, 0, (2, 1), &[9; 50]));
        assert!(puppet.received(&mut world).is_empty());
        puppet.sends(&mut world, &fragment(reliable, 0, (3, 1), &[1; 1100])).unwrap();
        assert_eq!(
            puppet.received(&mut world),
            [[[0; 1100], [1; 1100]].concat(), vec![2; 100]].concat().chunks(2300).collect::<Vec<_>>()
        );
    }
    world.check_honest_client();
}

#[test]
fn d06_a_queue_that_wrapped_is_given_back_whole_when_its_client_leaves() {
    for reliable in [true, false] {
        let mut world = world_with_honest_client(1);
        let mut puppet = Puppet::connect(&mut world, 9);
        world.pop_events(0);
        for message in 0..1028 {
            let packet =
                puppet.forge.payload(&fragment(reliable, message, (1, 0), &message.to_le_bytes()));
            puppet.hands(&mut world, packet).unwrap();
            if message == 1021 {
                assert_eq!(puppet.received(&mut world).len(), 1022);
            }
        }
        puppet.leaves(&mut world);
        assert_eq!(
            puppet.received(&mut world),
            (1022..1028u16).map(u16::to_le_bytes).collect::<Vec<_>>()
        );
        assert!(world.events().last().unwrap().starts_with(&format!("-{} ", puppet.index)));
        world.check_honest_client();
    }
}

#[test]
fn d07_events_keep_their_order_however_many_wait() {
    let mut world = world_with_honest_client(1);
    let mut puppet = Puppet::connect(&mut world, 9);
    puppet.received(&mut world);
    world.servers[0].pops = false;
    for message in 0..3000u16 {
        let body = fragment(true, message, (1, 0), &message.to_le_bytes());
        let packet = puppet.forge.payload(&body);
        puppet.hands(&mut world, packet).unwrap();
    }
    assert_eq!(puppet.received(&mut world), (0..3000u16).map(u16::to_le_bytes).collect::<Vec<_>>());
    world.servers[0].pops = true;
    world.check_honest_client();
}

#[test]
fn d14_twenty_thousand_packets_in_one_update_are_taken_in() {
    let mut world = world_with_honest_client(1);
    let mut puppet = Puppet::connect(&mut world, 9);
    puppet.received(&mut world);
    for message in 0..20_000u16 {
        let packet = puppet.forge.payload(&fragment(false, message, (1, 0), &message.to_le_bytes()));
        puppet.hands(&mut world, packet).unwrap();
    }
    assert_eq!(puppet.received(&mut world).last().unwrap(), &19_999u16.to_le_bytes());
    world.check_honest_client();
}

#[test]
fn d23_reliable_messages_that_nobody_can_take_yet_end_no_loop() {
    let mut world = world_with_honest_client(1);
    let mut puppet = Puppet::connect(&mut world, 9);
    puppet.received(&mut world);
    for message in 1..1024 {
        puppet.sends(&mut world, &fragment(true, message, (1, 0), &message.to_le_bytes())).unwrap();
    }
    assert!(puppet.received(&mut world).is_empty());
    for message in [0, 1024] {
        puppet.sends(&mut world, &fragment(true, message, (1, 0), &message.to_le_bytes())).unwrap();
    }
    assert_eq!(puppet.received(&mut world), (0..1025u16).map(u16::to_le_bytes).collect::<Vec<_>>());
    // Beyond the window nothing is kept.
    let far = puppet.sends(&mut world, &fragment(true, 1025 + 1024, (1, 0), b"far"));
    assert_eq!(far, Err(DropReason::Memory));
    world.check_honest_client();

    // A client whose program loads a level and pops nothing.
    let (mut world, mut forge) = client_of_hostile_server(1);
    for message in 0..5000u16 {
        let packet = forge.payload(&fragment(true, message, (1, 0), &message.to_le_bytes()));
        client_hears(&mut world, packet).unwrap();
    }
    world.step();
    assert_eq!(world.clients[0].received.len(), 5000);
}

#[test]
fn d25_message_numbers_wrap_while_messages_change_places() {
    let mut world = world_with_honest_client(1);
    let mut puppet = Puppet::connect(&mut world, 9);
    puppet.received(&mut world);
    let mut taken = 0;
    for pair in 0..(u32::from(u16::MAX) + 200) / 2 {
        for message in [2 * pair + 1, 2 * pair] {
            let packet =
                puppet.forge.payload(&fragment(true, message as u16, (1, 0), &message.to_le_bytes()));
            puppet.hands(&mut world, packet).unwrap();
        }
        if pair % 256 == 0 {
            world.step();
        }
        for bytes in puppet.received(&mut world) {
            assert_eq!(bytes, u32::to_le_bytes(taken));
            taken += 1;
        }
    }
    assert_eq!(taken, 65_734);
    world.check_honest_client();
}

#[test]
fn d25_packet_numbers_end_with_64_bits_and_begin_nowhere_again() {
    let mut world = world_with_honest_client(1);
    let mut puppet = Puppet::connect(&mut world, 9);
    puppet.forge.sequence = u64::MAX - 2;
    for _ in 0..2 {
        let keepalive = puppet.forge.packet(PacketType::Keepalive, b"");
        assert_eq!(puppet.hands(&mut world, keepalive), Ok(()));
    }
    for sequence in [0, 1, 255, 256, 1 << 32, 1 << 63, u64::MAX - 100_000] {
        puppet.forge.sequence = sequence;
        let old = puppet.forge.packet(PacketType::Keepalive, b"");
        assert_eq!(puppet.hands(&mut world, old), Err(DropReason::Replayed), "{sequence}");
    }
    world.run(ms(200));
    assert!(world.servers[0].server.is_connected(puppet.index));
    world.check_honest_client();
}

#[test]
fn d29_claims_of_large_messages_cost_no_more_than_the_budget_of_who_makes_them() {
    let mut world = world_with_honest_client(1);
    let mut puppet = Puppet::connect(&mut world, 9);
    let (mut refused, before) = (0, live());
    for message in 1..1024 {
        for (count, index) in [(19_065, 19_064), (19_065, 3), (2, 0)] {
            let bytes = if index == 19_064 { &[1; 1][..] } else { &[1; 1100] };
            let body = fragment(true, message, (count, index), bytes);
            refused += u64::from(puppet.sends(&mut world, &body) == Err(DropReason::Memory));
            let _ = puppet.sends(&mut world, &fragment(false, message, (count, index), bytes));
        }
    }
    // What they claim is 40 GB.
    assert!(live() - before < 6 << 20, "{}", live() - before);
    // No more memory is promised for later messages than 4 MiB, the rest of the budget is the next one's.
    assert!(refused > 0);
    assert_eq!(world.dropped(DropReason::Memory), refused);
    assert!(puppet.received(&mut world).is_empty());
    // A gap in front of all this can still be closed.
    puppet.sends(&mut world, &fragment(true, 0, (1, 0), b"first")).unwrap();
    assert_eq!(puppet.received(&mut world), [b"first"]);
    world.check_honest_client();
}

/// A small budget, for packets of this protocol take long to seal: what holds of it holds of a large one.
#[test]
fn d29_what_no_program_takes_is_kept_within_the_share_of_whoever_sent_it() {
    let mut world = watched(world_1_00(1, SimulatorConfig::default()));
    world.config.memory = LEAST_MEMORY;
    world.restart_server(0);
    world.connect(1);
    world.server_expects(1);
    world.run(ms(200));
    let mut puppet = Puppet::connect(&mut world, 9);
    let (mut refused, mut message, before) = (0, 0u16, live());
    while refused < 200 {
        for reliable in [true, false] {
            let body = fragment(reliable, message, (1, 0), &[7; 1100]);
            let packet = puppet.forge.payload(&body);
            refused += u32::from(puppet.hands(&mut world, packet) == Err(DropReason::Memory));
        }
        message += 1;
    }
    // Of 8 MiB that 32 clients share half is for reliable messages and a third for unreliable ones.
    let share = (8 << 20) / 32 * 5 / 6;
    let held = live() - before;
    assert!((share / 2..share + (64 << 10)).contains(&held), "{held} bytes after {message} messages");
    world.check_honest_client();
}

/// A world in which the next `count` keepalives that the client, or else the server, sends are another type's.
fn with_keepalives_turned_into(kind: u8, count: usize, of_client: bool) -> World {
    let mut world = world_with_honest_client(1);
    let client = world.clients[0].address;
    for _ in 0..count {
        let mut turned = None;
        while turned.is_none() {
            world.step_losing(|datagram| {
                let takes = datagram.bytes[0] == 3 && (datagram.from == client) == of_client;
                if takes && turned.is_none() {
                    turned = Some(datagram.clone());
                    return true;
                }
                false
            });
        }
        let mut turned = turned.unwrap();
        turned.bytes[0] = kind;
        let _ = world.deliver(&turned);
    }
    world
}

#[test]
fn d30_a_type_changed_on_the_way_counts_only_where_it_is_expected() {
    for of_client in [true, false] {
        for kind in [0, 1, 2, 5, 6, 7] {
            let mut world = with_keepalives_turned_into(kind, 1, of_client);
            let dropped = if of_client {
                world.servers[0].server.counters().dropped_total()
            } else {
                world.clients[0].client.counters().dropped_total()
            };
            assert!(dropped > 0, "{kind}");
            world.run(secs(1));
            world.check_honest_client();
        }
    }
}

/// Somebody who listens and is nearer than the sender: of each packet a copy of another type arrives first, and then
/// the packet itself. Nobody is disconnected, or believes that nothing came.
#[test]
fn d30_copies_of_other_types_that_overtake_their_originals_end_and_silence_no_connection() {
    for kind in [PacketType::Disconnect, PacketType::Denied] {
        let mut world = world_with_honest_client(1);
        let talk = pattern(245, 1); // a packet of as many bytes as challenges have
        for step in 0..30 * 60 {
            if step % 30 == 0 {
                world.client_sends(0, ReliableOrdered, &talk);
                world.server_sends(0, ReliableOrdered, &talk);
            }
            for datagram in world.step_taking() {
                let mut copy = datagram.clone();
                copy.bytes[0] = match datagram.bytes.len() {
                    OVERHEAD => kind as u8,
                    337 if datagram.to == world.servers[0].address => 6,
                    337 => 5,
                    _ => datagram.bytes[0],
                };
                let _ = world.deliver(&copy);
                let _ = world.deliver(&datagram);
            }
        }
        world.run(secs(1));
        assert_eq!((world.servers[0].received.len(), world.clients[0].received.len()), (61, 60));
        world.clients[0].received.clear();
        world.check_honest_client();
    }
}

#[test]
fn d30_one_keepalive_made_a_disconnect_on_the_way_ends_nothing() {
    for of_client in [true, false] {
        let mut world = with_keepalives_turned_into(4, 1, of_client);
        world.run(secs(12));
        world.check_honest_client();
    }
}

/// What CUTE 1.00 can't prevent: somebody on the way who alters packets and lets nothing else pass ends a connection,
/// as somebody who drops them could. The end that is wronged hears of nothing else, and the player comes back.
#[test]
fn d30_all_keepalives_made_disconnects_on_the_way_end_the_connection_and_nothing_more() {
    for of_client in [true, false] {
        let mut world = with_keepalives_turned_into(4, 2, of_client);
        world.run(secs(12));
        assert_eq!(world.servers[0].server.connected(), 0);
        assert_eq!(world.state(0), if of_client { ConnectionTimedOut } else { Disconnected });
        let token = world.token(1);
        world.connect_with(0, &token);
        world.server_expects(1);
        world.run(ms(200));
        let index = world.servers[0].server.clients().next().unwrap();
        world.client_sends(0, ReliableOrdered, b"back");
        world.run(ms(200));
        assert_eq!(world.servers[0].received.last().unwrap(), &(index, true, b"back".to_vec()));
    }
}

/// The cipher does not tell the lowest byte of a sequence from the last byte of the synthetic IV. Whoever has a copy of
/// what passes, and only that, makes copies of every packet under all sequences of its block, before and after those
/// that come, as they are and as disconnects: each packet counts once, and none is lost.
#[test]
fn d30_copies_moved_to_other_sequences_are_replays() {
    let mut world = world_with_honest_client(5);
    let before = world.dropped(DropReason::Replayed);
    for number in 0..200u64 {
        for delivery in [Unreliable, ReliableOrdered] {
            world.client_sends(0, delivery, &pattern(30, number));
            world.server_sends(0, delivery, &pattern(30, number));
        }
        for datagram in world.step_taking() {
            let _ = world.deliver(&datagram);
            for change in 1..=255 {
                let mut moved = moved_within_its_block(&datagram, change);
                if number % 2 == 1 && moved.bytes.len() == OVERHEAD {
                    moved.bytes[0] = PacketType::Disconnect as u8;
                }
                assert_eq!(world.deliver(&moved), Err(DropReason::Replayed), "{change}");
            }
        }
    }
    world.run(secs(1));
    assert_eq!((world.servers[0].received.len(), world.clients[0].received.len()), (401, 400));
    let replayed = world.dropped(DropReason::Replayed) - before;
    assert!(replayed > 300 * 255, "{replayed}");
    world.clients[0].received.clear();
    world.check_honest_client();
}

/// The same copies by somebody who is nearer: each arrives before its original, under another sequence of its block.
/// The copy counts as what it is, the original is the replay, and nothing else is lost.
#[test]
fn d30_copies_that_overtake_their_originals_take_nothing_from_other_packets() {
    let mut world = world_with_honest_client(6);
    let mut change = 0u8;
    for number in 0..400u64 {
        for delivery in [Unreliable, ReliableOrdered] {
            world.client_sends(0, delivery, &pattern(30, number));
            world.server_sends(0, delivery, &pattern(30, number));
        }
        for datagram in world.step_taking() {
            change = change.wrapping_mul(5).wrapping_add(77);
            let moved = moved_within_its_block(&datagram, change);
            assert_eq!(world.deliver(&moved), Ok(()), "{number}");
            assert_eq!(world.deliver(&datagram), Err(DropReason::Replayed));
        }
        world.finish_step();
    }
    world.run(secs(1));
    assert_eq!((world.servers[0].received.len(), world.clients[0].received.len()), (801, 800));
    world.clients[0].received.clear();
    world.check_honest_client();
}

/// Altered, cut, lengthened and swapped on the way: the session takes no harm, whatever the type says.
#[test]
fn d30_altered_datagrams_of_every_kind_change_nothing() {
    let mut world = world_with_honest_client(5);
    let mut step = 0usize;
    for number in 0..200 {
        world.client_sends(0, ReliableOrdered, &pattern(30 + number * 7 % 3000, number as u64));
        world.server_sends(0, ReliableOrdered, &pattern(30 + number * 7 % 3000, number as u64));
        let mut copies = Vec::new();
        world.step_losing(|datagram| {
            let mut altered = datagram.clone();
            step += 1;
            match step / 3 % 4 {
                0 => altered.bytes.truncate(step * 37 % altered.bytes.len()),
                1 => altered.bytes.push(0),
                2 => altered.bytes[1 + step % 8] ^= 0x80,
                _ => {
                    let at = 37 + step * 91 % (altered.bytes.len() - 37);
                    altered.bytes[at] ^= 1 << (step / 4 % 8);
                }
            }
            copies.push((altered, datagram.clone()));
            true
        });
        for (altered, genuine) in copies {
            assert!(world.deliver(&altered).is_err());
            assert_ne!(world.deliver(&genuine), Err(DropReason::Forged));
            assert_eq!(world.deliver(&genuine), Err(DropReason::Replayed));
        }
    }
    world.run(secs(3));
    assert_eq!((world.servers[0].received.len(), world.clients[0].received.len()), (201, 200));
    let [forged, size] = [DropReason::Forged, DropReason::Size].map(|reason| world.dropped(reason));
    assert!(forged > 100 && size > 5, "{forged} forged, {size} of no size");
    world.clients[0].received.clear();
    world.check_honest_client();
}

#[test]
fn d35_acknowledgements_of_what_was_never_sent_confirm_nothing() {
    let mut world = world_with_honest_client(1);
    let mut puppet = Puppet::connect(&mut world, 9);
    world.server_sends(puppet.index, ReliableOrdered, b"wait for it");
    for ack in [100, 1000, 30_000, u16::MAX] {
        let packet = puppet.forge.payload_with((ack, u32::MAX), &fragment(false, 0, (1, 0), b"x"));
        world.say(puppet.address, &packet).0.unwrap();
    }
    let queued = |world: &World| {
        world.servers[0].server.connection(puppet.index).map(|connection| connection.reliable_queued())
    };
    assert!(queued(&world).unwrap() > 0);
    world.run(secs(1));
    // Only what names it does.
    for ack in 0..20 {
        let packet = puppet.forge.payload_with((ack, 1), &fragment(false, 1, (1, 0), b"x"));
        world.say(puppet.address, &packet).0.unwrap();
    }
    assert_eq!(queued(&world), Some(0));
    world.check_honest_client();
}

#[test]
fn d17_empty_datagrams_are_dropped_one_by_one_on_both_ends() {
    let mut world = world_with_honest_client(1);
    let (client, server) = (world.clients[0].address, world.servers[0].address);
    let stranger = crate::world::address("203.0.113.9:9");
    let before = world.dropped(DropReason::Size);
    for _ in 0..100 {
        for (from, to) in [(stranger, server), (client, server), (server, client), (stranger, client)] {
            let empty = Datagram { from, to, bytes: Vec::new() };
            assert_eq!(world.deliver(&empty), Err(DropReason::Size));
        }
    }
    assert_eq!(world.dropped(DropReason::Size), before + 200);
    assert_eq!(world.clients[0].client.counters().dropped(DropReason::Size), 200);
    world.check_honest_client();
}

#[test]
fn large_messages_fit_the_least_allowance_one_after_the_other() {
    for rate in [None, Some(20_000)] {
        let mut world = watched(world_1_00(1, SimulatorConfig::default()));
        // So many that each has no more than the least.
        world.config.max_clients = 5000;
        world.config.max_incoming_rate = rate;
        world.restart_server(0);
        world.connect(1);
        world.server_expects(1);
        world.run(ms(200));
        for number in 0..3 {
            world.client_sends(0, ReliableOrdered, &pattern(63_736, number));
        }
        world.run_until(secs(120), |world| world.servers[0].received.len() == 3);
    }
}
