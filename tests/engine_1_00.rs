//! CUTE 1.00 as an engine, in virtual time: a client and a server of this library over networks good and bad,
//! and both against what the original library sent, recorded in `tests/vectors/cute_1_00_*.json`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "engine_1_00/pair.rs"]
mod pair;
#[path = "engine_1_00/recorded.rs"]
mod recorded;

use cute_net::connection::End;
use cute_net::duration::Duration;
use cute_net::message::Delivery::{ReliableOrdered, Unreliable};
use cute_net::reason::DisconnectReason;
use cute_net::simulator::SimulatorConfig;
use pair::{CLIENT, Pair, SERVER, pattern};

const SECOND: Duration = Duration::from_secs(1);

fn lossy(percent: u32) -> SimulatorConfig {
    let share = f64::from(percent) / 100.0;
    SimulatorConfig {
        latency: Duration::from_millis(20),
        jitter: Duration::from_millis(if percent > 0 { 15 } else { 0 }),
        loss: share,
        duplicate: share / 2.0,
        reorder: share / 2.0,
        bottleneck: None,
    }
}

/// Both ends send these reliably; each must arrive once, in order, whole.
fn both_ways(percent: u32, seed: u64, messages: &[Vec<u8>], longest: Duration) {
    let mut pair = Pair::connected(lossy(percent), seed);
    for message in messages {
        pair.send(CLIENT, ReliableOrdered, message);
        pair.send(SERVER, ReliableOrdered, message);
    }
    pair.run_until(longest, |pair| pair.received.iter().all(|got| got.len() >= messages.len()));
    pair.run(SECOND);
    for got in &pair.received {
        assert_eq!(got.len(), messages.len(), "{percent} %, seed {seed}");
        for (place, ((reliable, bytes), sent)) in got.iter().zip(messages).enumerate() {
            assert!(*reliable && bytes == sent, "{percent} %, seed {seed}, message {place}");
        }
    }
    // Nothing is left to send but keepalives, ten a second.
    let before = pair.sent;
    pair.run(SECOND);
    for end in [CLIENT, SERVER] {
        assert!((8..=11).contains(&(pair.sent[end] - before[end])), "{percent} %, seed {seed}");
    }
}

#[test]
fn reliable_messages_arrive_once_in_order_and_whole_whatever_the_network_loses() {
    let sizes = [1, 17, 1099, 1100, 1101, 2200, 3300, 11_000, 300_000, 5, 1100];
    let messages: Vec<_> = (0u64..).zip(sizes).map(|(number, size)| pattern(size, number)).collect();
    for (percent, seed, longest) in
        [(0, 1, 4), (5, 1, 8), (5, 2, 8), (25, 1, 20), (25, 2, 20), (50, 1, 60), (50, 2, 60)]
    {
        both_ways(percent, seed, &messages, SECOND * longest);
    }
}

#[test]
fn two_thousand_reliable_messages_in_one_go_arrive() {
    let messages: Vec<_> = (0..2000).map(|number| pattern(40, number)).collect();
    for (percent, longest) in [(0, 8), (5, 20), (25, 60)] {
        both_ways(percent, 7, &messages, SECOND * longest);
    }
}

#[test]
fn d34_one_way_reliable_messages_arrive_without_a_word_the_other_way() {
    for (percent, longest) in [(0, 5), (25, 60)] {
        for (from, to) in [(CLIENT, SERVER), (SERVER, CLIENT)] {
            let mut pair = Pair::connected(lossy(percent), 3);
            (0..1000).for_each(|number| pair.send(from, ReliableOrdered, &pattern(100, number)));
            pair.run_until(SECOND * longest, |pair| pair.received[to].len() == 1000);
            // What was acknowledged is not sent for ever.
            pair.run(SECOND * 5);
            let before = pair.sent;
            pair.run(SECOND);
            assert!(pair.sent[from] - before[from] <= 11);
        }
    }
}

#[test]
fn d25_seventy_thousand_reliable_messages_arrive_over_the_wrap() {
    let mut pair = Pair::connected(SimulatorConfig { loss: 0.02, reorder: 0.02, ..lossy(0) }, 5);
    let (mut sent, mut taken) = (0u64, 0u64);
    while taken < 70_000 {
        while sent < 70_000 && sent < taken + 1000 {
            pair.send(CLIENT, ReliableOrdered, &sent.to_le_bytes());
            sent += 1;
        }
        pair.step();
        for (reliable, bytes) in std::mem::take(&mut pair.received[SERVER]) {
            assert!(reliable && bytes == taken.to_le_bytes(), "message {taken}");
            taken += 1;
        }
        assert!(pair.since_start() < SECOND * 900, "message {taken}");
    }
}

#[test]
fn d33_unreliable_multiples_of_1100_arrive_whole() {
    let mut pair = Pair::connected(lossy(0), 1);
    let sizes = [1, 1099, 1100, 1101, 2200, 5500, 110_000];
    for (number, size) in (0u64..).zip(sizes) {
        pair.send(CLIENT, Unreliable, &pattern(size, number));
    }
    pair.run(SECOND);
    let expected: Vec<_> =
        (0u64..).zip(sizes).map(|(number, size)| (false, pattern(size, number))).collect();
    assert_eq!(pair.received[SERVER], expected);
}

#[test]
fn d35_many_unreliable_messages_do_not_starve_reliable_ones() {
    let mut pair = Pair::connected(lossy(0), 1);
    for tick in 0..120u64 {
        (0..50).for_each(|_| pair.send(CLIENT, Unreliable, &[1; 20]));
        pair.send(CLIENT, ReliableOrdered, &tick.to_le_bytes());
        pair.step();
    }
    pair.run(SECOND / 5);
    let reliable = pair.received[SERVER].iter().filter(|(reliable, _)| *reliable).count();
    assert_eq!(reliable, 120);
    assert!(pair.statistics(CLIENT).packet_loss(pair.now) < 0.01);
}

#[test]
fn loss_and_round_trip_are_measured() {
    let network = SimulatorConfig { loss: 0.1, latency: SECOND / 20, ..Default::default() };
    let mut losses = Vec::new();
    for seed in 1..=10 {
        let mut pair = Pair::connected(network, seed);
        for _ in 0..300 {
            pair.send(CLIENT, Unreliable, &[1; 50]);
            pair.send(SERVER, Unreliable, &[1; 50]);
            pair.step();
        }
        for end in [CLIENT, SERVER] {
            losses.push(pair.statistics(end).packet_loss(pair.now));
            let rtt = pair.rtt(end).unwrap().as_millis();
            assert!((100..150).contains(&rtt), "{rtt}, seed {seed}");
        }
    }
    let mean = losses.iter().sum::<f64>() / losses.len() as f64;
    assert!((0.09..0.11).contains(&mean), "{mean}: {losses:?}");
}

#[test]
fn handshakes_succeed_however_much_is_lost() {
    for seed in 1..=20 {
        for percent in [0, 5, 25, 50] {
            Pair::connected(lossy(percent), seed);
        }
    }
}

#[test]
fn either_end_can_leave_and_the_other_hears_of_it() {
    for seed in 1..=10 {
        for (from, to, reason) in
            [(CLIENT, SERVER, DisconnectReason::LEFT), (SERVER, CLIENT, DisconnectReason::KICKED)]
        {
            let mut pair = Pair::connected(lossy(25), seed);
            pair.run(SECOND);
            let before = pair.sent[from];
            pair.close(from);
            pair.step();
            assert_eq!(pair.sent[from] - before, 10);
            pair.run(SECOND);
            assert_eq!(pair.ends[to], Some(End::Peer(reason, Box::default())), "seed {seed}");
        }
    }
}

#[test]
fn a_client_that_gives_up_says_so_ten_times() {
    let mut pair = Pair::new(lossy(0), 1);
    pair.run(SECOND / 20);
    let before = pair.sent[CLIENT];
    pair.give_up();
    pair.run(SECOND);
    assert_eq!(pair.sent[CLIENT] - before, 10);
    assert!(!pair.is_connected(SERVER));
}

#[test]
fn d40_what_is_queued_leaves_before_the_disconnect() {
    let mut pair = Pair::connected(lossy(0), 1);
    (0..20).for_each(|number| pair.send(CLIENT, ReliableOrdered, &[number]));
    pair.close(CLIENT);
    pair.run(SECOND);
    assert_eq!(pair.received[SERVER].len(), 20);
    assert!(pair.ends[SERVER].is_some());
}

#[test]
fn silence_ends_a_connection_after_the_timeout_and_not_before() {
    let mut pair = Pair::connected(lossy(0), 1);
    pair.run(SECOND * 30);
    assert_eq!(pair.ends, [None, None]);
    pair.set_network(SimulatorConfig { loss: 1.0, ..Default::default() });
    pair.run(SECOND * 9);
    assert_eq!(pair.ends, [None, None]);
    pair.run(SECOND * 2);
    assert_eq!(pair.ends, [Some(End::TimedOut), Some(End::TimedOut)]);
}
