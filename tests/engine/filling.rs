//! How much of a link a transfer fills, what small messages notice of it, and how two share.

use crate::link::LinkConfig;
use crate::transfer::{median_time, median_transfer, two_transfers};
use crate::world::{TICK, World, pattern};
use crate::{ms, secs};
use cute_net::duration::Duration;
use cute_net::message::Delivery::ReliableOrdered;
use cute_net::simulator::SimulatorConfig;

/// 100 Mbit/s at 50 ms, with a queue of 20 ms.
const LINK: LinkConfig = LinkConfig {
    seed: 1,
    clients: 1,
    round_trip: ms(50),
    loss: 0.0,
    jitter: Duration::ZERO,
    rate: 12_500_000,
    queue: 256_000,
    tick: TICK,
    mtu: 1200,
    by_timer: false,
};

#[test]
fn a_transfer_fills_a_link_whatever_radio_loses_and_small_messages_overtake_it() {
    for (loss, least) in [(0.0, 0.90), (0.01, 0.87), (0.05, 0.83)] {
        let outcome = median_transfer(LinkConfig { loss, ..LINK }, 5);
        assert!(outcome.share >= least, "{loss}: {}", outcome.share);
        let middle = outcome.delay(0.5);
        assert!(middle <= LINK.round_trip * 13 / 10 + TICK, "{loss}: {middle:?}");
        if loss <= 0.01 {
            assert!(outcome.delay(0.99) <= LINK.round_trip * 3, "{loss}: {:?}", outcome.delay(0.99));
        }
    }
}

#[test]
fn an_engine_woken_by_its_own_timer_fills_a_link_with_a_small_queue() {
    let link = LinkConfig { queue: 64_000, by_timer: true, ..LINK };
    for (loss, least) in [(0.0, 0.90), (0.01, 0.87), (0.05, 0.83)] {
        let outcome = median_transfer(LinkConfig { loss, ..link }, 5);
        assert!(outcome.share >= least, "{loss}: {}", outcome.share);
    }
}

/// What is sent more than the transfer is its headers, what the link loses, and little of a queue's overflow.
#[test]
fn a_transfer_sends_little_twice() {
    for (queue, by_timer) in [(256_000, false), (64_000, true)] {
        for (loss, most) in [(0.0, 0.08), (0.05, 0.14)] {
            let outcome = median_transfer(LinkConfig { loss, queue, by_timer, ..LINK }, 3);
            assert!(outcome.overhead < most, "{loss}, by timer {by_timer}: {}", outcome.overhead);
        }
    }
}

#[test]
fn two_transfers_share_a_bottleneck_and_keep_its_queue_short() {
    for by_timer in [false, true] {
        for seed in 1..=6 {
            // 20 Mbit/s, and a queue of 250 ms.
            let link = LinkConfig { round_trip: ms(40), rate: 2_500_000, queue: 625_000, ..LINK };
            let ([one, other], waits) = two_transfers(LinkConfig { seed, by_timer, ..link });
            assert!((0.5..=2.0).contains(&(one / other)), "{seed}: {one} {other}");
            assert!(one + other > 0.88, "{seed}: {one} {other}");
            assert!(waits[waits.len() / 2] < ms(30), "{seed}: {:?}", waits[waits.len() / 2]);
            assert!(waits.last().unwrap() < &secs(1));
        }
    }
}

/// A server's ticks send to all clients at once, and what comes last finds the queue full.
#[test]
fn two_transfers_of_one_server_share_a_short_queue_too() {
    for seed in 1..=4 {
        let link = LinkConfig { seed, round_trip: ms(40), rate: 2_500_000, queue: 100_000, ..LINK };
        let ([one, other], _) = two_transfers(link);
        assert!((0.5..=2.0).contains(&(one / other)), "{seed}: {one} {other}");
    }
}

#[test]
fn packets_that_overtake_each_other_are_not_taken_for_lost() {
    let link = LinkConfig { queue: 1_000_000, ..LINK };
    let steady = median_transfer(link, 3);
    let shaky = median_transfer(LinkConfig { jitter: ms(5), ..link }, 3);
    assert!(shaky.share > 0.9 * steady.share, "{} {}", shaky.share, steady.share);
    assert!(shaky.overhead < steady.overhead + 0.05, "{} {}", shaky.overhead, steady.overhead);
}

#[test]
fn a_transfer_is_paced_at_any_rate_of_updates() {
    for tick in [1, 4, 33, 100].map(ms) {
        // A tick's worth leaves at once, and must find room.
        let queue = 256_000 + 12_500 * 3 / 2 * tick.as_millis();
        let outcome = median_transfer(LinkConfig { tick, queue, ..LINK }, 1);
        let least = if tick > TICK { 0.7 } else { 0.83 };
        assert!(outcome.share > least, "{tick:?}: {}", outcome.share);
    }
}

/// Where a packet takes as long as a tick, one of full size takes that much longer than the small ones before the
/// transfer: a queue would look the same.
#[test]
fn a_slow_link_over_a_long_round_trip_is_filled_too() {
    for (loss, most) in [(0.0, 7.4), (0.05, 8.0), (0.2, 9.4)] {
        // 500 kbit/s, which 400 kB and their headers take 6.6 s of where nothing is lost.
        let link = LinkConfig { round_trip: ms(200), rate: 62_500, loss, ..LINK };
        let time = median_time(link, 400_000, 5);
        assert!(time.as_secs_f64() < most, "{loss}: {time:?}");
    }
}

/// What ticks and a shared medium add to a round trip is no queue of the transfer's: to send less for it, and to
/// measure less then, would go on until next to nothing is sent.
#[test]
fn arrivals_that_are_known_to_a_tick_do_not_starve_a_transfer() {
    for (loss, rate, most) in
        [(0.0, 125_000, 5.5), (0.2, 125_000, 8.5), (0.0, 250_000, 3.5), (0.2, 250_000, 5.0)]
    {
        let mut times: Vec<_> = (1..=5)
            .map(|seed| {
                let network = SimulatorConfig { latency: ms(100), ..Default::default() };
                let mut world = World::connected_over(seed, 1, network);
                world.run(secs(2));
                let bottleneck = Some((rate, 256_000));
                world.network.set_config(SimulatorConfig { loss, bottleneck, ..network });
                (0..400)
                    .for_each(|number| world.server_sends(0, ReliableOrdered, &pattern(1000, number)));
                world.run_until(secs(60), |world| world.clients[0].received.len() == 400)
            })
            .collect();
        times.sort();
        assert!(times[2].as_secs_f64() < most, "{loss} {rate}: {times:?}");
    }
}

/// Of rounds on a path that loses a fifth every second loses more: they must not count as congestion.
#[test]
fn a_fifth_that_radio_loses_leaves_a_transfer_four_fifths() {
    let link = LinkConfig { rate: 1_250_000, loss: 0.2, ..LINK };
    let time = median_time(link, 4_000_000, 5);
    // 4 MB and their headers take 3.3 s of 10 Mbit/s, and a quarter more for what is lost.
    assert!(time < ms(5200), "{time:?}");
}
