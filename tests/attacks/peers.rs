//! CUTE 2.00: a player with a valid token and the patience to write its own packets. Its memory has a budget, its
//! packets a bounded price, and the honest client beside it notices nothing.

use crate::cost::{BUDGET, Cost};
use crate::memory::live;
use crate::puppet::{Puppet, frames, head};
use crate::watch::{connected, within};
use crate::world::{World, pattern};
use crate::{ms, secs};
use cute_net::drop_reason::DropReason;
use cute_net::duration::Duration;
use cute_net::message::Delivery::*;
use cute_net::v2::frame_writer::FrameWriter;
use std::ops::RangeInclusive;

struct Attack {
    world: World,
    puppet: Puppet,
    cost: Cost,
}

impl Attack {
    fn new() -> Attack {
        let mut world = within(BUDGET, World::connected(1, 1));
        let puppet = Puppet::connect(&mut world, 9);
        Attack { world, puppet, cost: Cost::from_now() }
    }

    /// The server takes a packet of these frames in; whether it was accepted.
    fn hands(&mut self, write: impl FnOnce(&mut FrameWriter<'_>)) -> Result<(), DropReason> {
        self.cost.packets += 1;
        self.puppet.hands(&mut self.world, &frames(write))
    }

    fn step(&mut self) {
        self.world.step();
        self.world.servers[0].received.clear();
    }

    fn is_connected(&self) -> bool {
        self.world.servers[0].server.is_connected(self.puppet.accept.unwrap().client_index)
    }

    /// The bytes that the attack has cost. It was cheap, and the honest client is well.
    fn finish(mut self, budget: i64) -> i64 {
        let bytes = self.cost.check(budget);
        let counters = self.world.servers[0].server.counters();
        assert!(counters.received() > counters.dropped_total());
        self.world.check_honest_client();
        bytes
    }
}

/// The last of a fragment of each message, of the largest size: whoever believed the total took 20 MiB for each.
#[test]
fn d29_fragment_bombs_cost_what_they_carry() {
    for delivery in [Unreliable, UnreliableSequenced] {
        let mut attack = Attack::new();
        for sequence in 0..20_000u16 {
            let part = head(delivery, sequence, Some((20 << 20, (20 << 20) - 32)));
            let _ = attack.hands(|writer| assert!(writer.message(&part, &[7; 32])));
            if sequence % 200 == 0 {
                attack.step();
            }
        }
        assert!(attack.is_connected(), "an unfinished message is no violation");
        attack.finish(1 << 20);
    }
    // Reliable ones are begun against credit, at their whole size: the second of 20 MiB ends it.
    let mut attack = Attack::new();
    let mut taken = 0;
    for sequence in 0..10u16 {
        let part = head(ReliableOrdered, sequence, Some((20 << 20, (20 << 20) - 32)));
        taken += u32::from(attack.hands(|writer| assert!(writer.message(&part, &[7; 32]))).is_ok());
    }
    assert!(taken <= 1 && !attack.is_connected(), "{taken}");
    attack.finish(1 << 20);
}

/// Every other part of a message, and every other message of a space: what can't be delivered stays, within the budget.
#[test]
fn gap_bombs_cost_no_more_than_their_credit() {
    let mut attack = Attack::new();
    let total = 60_000;
    for offset in (0..total).step_by(64) {
        let part = head(ReliableOrdered, 0, Some((total, offset)));
        attack.hands(|writer| assert!(writer.message(&part, &[7; 32]))).unwrap();
    }
    assert!(attack.is_connected());
    attack.finish(1 << 20);
    for delivery in [ReliableOrdered, ReliableUnordered] {
        let mut attack = Attack::new();
        for sequence in (1..16_000u16).step_by(2) {
            if attack
                .hands(|writer| assert!(writer.message(&head(delivery, sequence, None), b"?")))
                .is_err()
            {
                break;
            }
            if sequence % 201 == 0 {
                attack.step();
            }
        }
        attack.finish(4 << 20);
    }
}

/// Messages and packets far ahead of what was expected, up to the end of 16 bits and around it, and packet numbers that
/// jump by all that four bytes can tell.
#[test]
fn d25_jumps_and_wraps_of_every_number_are_borne() {
    let mut attack = Attack::new();
    for round in 0..3000u32 {
        attack.puppet.next_number += u64::from(round % 2) * ((1 << 31) - 1000);
        let sequence = round.wrapping_mul(21_841) as u16;
        let unreliable = head(Unreliable, sequence, Some((5000, 32)));
        attack.hands(|writer| assert!(writer.message(&unreliable, &[1; 32]))).unwrap();
        attack.hands(|writer| assert!(writer.credit(u64::MAX >> 2))).unwrap();
        if round % 50 == 0 {
            attack.step();
        }
    }
    assert!(attack.is_connected());
    assert!(attack.puppet.next_number > 1 << 40);
    // A server whose peer has such numbers still talks to it.
    let index = attack.puppet.accept.unwrap().client_index;
    attack.world.servers[0].server.send(index, 0, ReliableOrdered, 0, b"hello").unwrap();
    attack.step();
    assert_eq!(attack.hands(|writer| assert!(writer.ping())), Ok(()));
    attack.finish(1 << 20);
    // Of a reliable space only the next 16,384 are new; all others are old, and delivered never.
    let mut attack = Attack::new();
    for sequence in [16_384u16, 32_768, 49_152, 65_535] {
        attack.hands(|w| assert!(w.message(&head(ReliableOrdered, sequence, None), b"far"))).unwrap();
    }
    attack.world.pop_events(0);
    assert!(attack.world.servers[0].received.is_empty());
    attack.finish(1 << 20);
}

/// Acknowledgements of 32 ranges of one packet each, other ones each time, while the server has much in flight.
#[test]
fn storms_of_ack_ranges_cost_a_bounded_amount() {
    let mut attack = Attack::new();
    let index = attack.puppet.accept.unwrap().client_index;
    let address = attack.puppet.address;
    for round in 0..100u64 {
        let _ =
            attack.world.servers[0].server.send(index, 0, ReliableOrdered, 0, &pattern(90_000, round));
        attack.world.recording = Some(Vec::new());
        attack.step();
        let recording = attack.world.recording.take().unwrap();
        let came = recording.into_iter().filter(|datagram| datagram.to == address);
        assert_eq!(attack.puppet.hear(came.map(|datagram| datagram.bytes).collect()), None);
        for offset in 0..50 {
            // The newest, which may not go back, and every other of what came before: what was left out on purpose is not among them.
            let heard = &attack.puppet.heard;
            let mut ranges = Vec::new();
            for &number in heard.iter().rev().take(1).chain(heard.iter().rev().skip(offset)) {
                let apart =
                    ranges.last().is_none_or(|last: &RangeInclusive<u64>| number + 1 < *last.start());
                if apart && ranges.len() < 32 {
                    ranges.push(number..=number);
                }
            }
            attack
                .hands(|writer| assert!(writer.ack(Duration::ZERO, ranges.into_iter()).is_some()))
                .unwrap();
        }
    }
    assert!(attack.is_connected() && attack.puppet.heard.len() > 1000);
    attack.finish(BUDGET);
    // Gaps and lengths as large as 62 bits hold, which would reach below zero.
    let mut attack = Attack::new();
    let huge = [0xFF; 8];
    let storm = [&[0x02, 1, 0, 0, 0, 31][..], &huge.repeat(62)].concat();
    assert_eq!(attack.puppet.send(&mut attack.world, &storm), Some(5));
    attack.finish(1 << 20);
}

/// It says that it may be sent 2^62 bytes, acknowledges nothing and never goes: the queue for it has an end.
#[test]
fn a_player_that_never_reads_costs_one_queue() {
    let mut attack = Attack::new();
    let index = attack.puppet.accept.unwrap().client_index;
    attack.hands(|writer| assert!(writer.credit(u64::MAX >> 2))).unwrap();
    // What the program sends is the work here, and no datagram's; `finish` counts it.
    attack.world.watch = None;
    let mut refused = 0;
    for round in 0..300u64 {
        let server = &mut attack.world.servers[0].server;
        let result = server.send(index, 0, ReliableOrdered, 0, &pattern(200_000, round));
        refused += u32::from(result.is_err());
        let _ = server.send(index, 0, Unreliable, 0, &pattern(30_000, round));
        attack.cost.packets += 250; // what it sends is made of as many
        attack.step();
    }
    assert!(refused > 100, "{refused}");
    attack.finish(BUDGET);
}

/// Messages on all nine channels in every delivery, as large as the credit allows, none of which can be completed.
#[test]
fn all_channels_together_have_one_budget() {
    let mut attack = Attack::new();
    let mut generation = 0u16;
    while attack.is_connected() && generation < 300 {
        for channel in 0..=8u8 {
            for delivery in [ReliableOrdered, ReliableUnordered, Unreliable, UnreliableSequenced] {
                let part = cute_net::v2::frame_writer::MessageHead {
                    channel,
                    ..head(delivery, generation, Some((60_000, 32)))
                };
                let _ = attack.hands(|writer| assert!(writer.message(&part, &[3; 992])));
            }
        }
        generation += 1;
        attack.world.step();
    }
    assert!(!attack.is_connected(), "its credit has an end");
    attack.finish(BUDGET);
}

/// Nobody takes what it sends on channels: its credit ends, and what is unreliable gives way to newer.
#[test]
fn what_no_program_takes_is_kept_within_the_budget() {
    let mut attack = Attack::new();
    let mut sequence = 0u16;
    while attack.is_connected() && attack.cost.packets < 60_000 {
        for delivery in [ReliableOrdered, Unreliable] {
            let part =
                cute_net::v2::frame_writer::MessageHead { channel: 3, ..head(delivery, sequence, None) };
            let _ = attack.hands(|writer| assert!(writer.message(&part, &[3; 1100])));
        }
        sequence = sequence.wrapping_add(1);
        if attack.cost.packets.is_multiple_of(1000) {
            attack.world.step();
        }
    }
    assert!(!attack.is_connected(), "{} packets", attack.cost.packets);
    attack.finish(BUDGET);
}

/// All places but one are taken by players who send what nobody takes and what can't be completed; one of them borrows
/// for the largest message, and leaves its end out.
#[test]
fn a_whole_server_of_hostile_players_has_one_budget() {
    let memory: u64 = 64 << 20;
    let mut world = within(memory as i64 + (4 << 20), World::new(1));
    world.config.memory = memory;
    world.restart_server(0);
    world.connect(1);
    world.server_expects(1);
    world.run(ms(200));
    let mut puppets: Vec<Puppet> = (2..33).map(|id| Puppet::connect(&mut world, id)).collect();
    let before = live();
    let mut most = 0;
    let (mut borrower, total) = (puppets.pop().unwrap(), 20 << 20);
    let blocked = frames(|writer| assert!(writer.blocked(u64::from(total) + 64)));
    borrower.hands(&mut world, &blocked).unwrap();
    world.step();
    for offset in (0..total - 2 * 1088).step_by(1088) {
        let part = head(ReliableOrdered, 0, Some((total, offset)));
        let content = frames(|writer| assert!(writer.message(&part, &[3; 1088])));
        borrower.hands(&mut world, &content).unwrap();
    }
    for sequence in 0..1500u16 {
        for puppet in &mut puppets {
            for (delivery, fragment) in [(ReliableOrdered, None), (Unreliable, Some((3 << 20, 0)))] {
                let part = cute_net::v2::frame_writer::MessageHead {
                    channel: 3,
                    ..head(delivery, sequence, fragment)
                };
                let content = frames(|writer| assert!(writer.message(&part, &[3; 1088])));
                let _ = puppet.hands(&mut world, &content);
            }
        }
        if sequence % 100 == 0 {
            world.step();
        }
        most = most.max(live() - before);
    }
    assert!(most < memory as i64 + (2 << 20), "{most} bytes");
    assert!(most > 36 << 20, "{most} bytes are hardly an attack");
    world.check_honest_client();
}

/// Frames that ask for an answer, as many as fit: it gets no more than it sends.
#[test]
fn questions_in_bulk_earn_no_more_bytes_than_they_have() {
    let mut attack = Attack::new();
    let address = attack.puppet.address;
    attack.world.recording = Some(Vec::new());
    let mut sent = 0;
    for round in 0..200u64 {
        for packet in 0..20u64 {
            let bytes = attack.puppet.packet(&frames(|writer| {
                for probe in 0..100u64 {
                    writer.path_probe(&(round * 2000 + packet * 100 + probe).to_le_bytes());
                }
                writer.ping();
                writer.blocked(1 << 40);
            }));
            sent += bytes.len();
            let to = attack.world.servers[0].address;
            let datagram = crate::world::Datagram { from: address, to, bytes };
            attack.world.deliver(&datagram).unwrap();
            attack.cost.packets += 1;
        }
        attack.world.step();
    }
    let recording = attack.world.recording.take().unwrap();
    let answers = recording.iter().filter(|datagram| datagram.to == address);
    let answered: usize = answers.map(|datagram| datagram.bytes.len()).sum();
    assert!(answered < sent / 10, "{answered} for {sent}");
    drop(recording);
    attack.finish(1 << 20);
}

/// Connects, says nothing more, and comes again with the next token, a thousand times: what is left of each ends.
#[test]
fn coming_and_going_leaves_nothing_behind() {
    let mut world = connected(1, 1);
    let before = live();
    for round in 0..300 {
        let puppet = Puppet::connect(&mut world, 9);
        assert_eq!(world.servers[0].server.connected(), 2, "{round}");
        drop(puppet);
        world.run(ms(20));
    }
    world.run(secs(12));
    assert_eq!(world.servers[0].server.connected(), 1);
    world.servers[0].events = Vec::new();
    // 24 bytes for each used token, until it expires.
    assert!(live() - before < 100 << 10, "{}", live() - before);
    world.check_honest_client();
}

/// On every channel all messages but the first come, and the program takes them: that they came is all that is kept.
#[test]
fn what_was_delivered_before_an_earlier_message_costs_a_bit_each() {
    let mut attack = Attack::new();
    for channel in 0..=8u8 {
        for sequence in 1..16_384u16 {
            let message = cute_net::v2::frame_writer::MessageHead {
                channel,
                ..head(ReliableUnordered, sequence, None)
            };
            attack.hands(|writer| assert!(writer.message(&message, b"?"))).unwrap();
            if sequence % 200 == 0 {
                while attack.world.servers[0].server.poll_channel_message().is_some() {}
                attack.step();
            }
        }
        while attack.world.servers[0].server.poll_channel_message().is_some() {}
        attack.step();
    }
    assert!(attack.is_connected());
    attack.finish(200 << 10);
}
