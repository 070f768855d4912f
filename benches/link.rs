//! How much of a link the reliability engine fills, in virtual time: a transfer of 20 MiB over 100
//! Mbit/s while small messages go by on another channel. `cargo bench --bench link` prints the tables
//! and draws `target/link.svg`.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../tests/engine/link.rs"]
mod link;
#[path = "../tests/engine/world.rs"]
mod world;

use cute_net::message::Delivery::ReliableOrdered;
use link::{Link, LinkConfig};
use std::fmt::Write as _;
use std::time::Duration;

/// 100 Mbit/s.
const RATE: u64 = 12_500_000;
const SIZE: usize = 20 << 20;
const TICK: Duration = Duration::from_nanos(16_666_667);
const ROUND_TRIPS: [u64; 4] = [20, 50, 100, 200];
const LOSSES: [f64; 3] = [0.0, 0.01, 0.05];

struct Outcome {
    /// The share of the link that the transfer used, start-up included.
    share: f64,
    /// What small messages took, sorted.
    delays: Vec<Duration>,
    /// Bytes that the server sent over those of the transfer.
    overhead: f64,
    /// How long datagrams waited for the bottleneck in the middle.
    wait: Duration,
}

fn transfer(config: LinkConfig) -> Outcome {
    let mut link = Link::connected(config);
    link.world.servers[0].server.set_channel_priority(1, 1);
    let start = link.now();
    link.send(0, 0, ReliableOrdered, &world::pattern(SIZE, 1));
    let mut next = start;
    let mut sent = Vec::new();
    link.run_until(start + Duration::from_secs(120), |link| {
        if link.taken[0].iter().any(|taken| taken.channel == 0) {
            return true;
        }
        if next <= link.now() {
            link.send(0, 1, ReliableOrdered, &world::pattern(40, sent.len() as u64));
            sent.push(link.now());
            next = next + Duration::from_millis(50);
        }
        false
    });
    let taken = &link.taken[0];
    let time = link.now().since(start);
    let whole = taken.iter().find(|taken| taken.channel == 0).expect("the transfer did not end");
    assert!(whole.bytes == world::pattern(SIZE, 1));
    let small = taken.iter().filter(|taken| taken.channel == 1);
    let mut delays: Vec<_> = small.zip(&sent).map(|(taken, &sent)| taken.at.since(sent)).collect();
    delays.sort();
    let mut waits: Vec<_> = link.waits.iter().map(|(_, wait)| *wait).collect();
    waits.sort();
    Outcome {
        share: SIZE as f64 / time.as_secs_f64() / config.rate as f64,
        delays,
        overhead: link.sent.1 as f64 / SIZE as f64 - 1.0,
        wait: waits[waits.len() / 2],
    }
}

fn median_of(mut outcomes: Vec<Outcome>) -> Outcome {
    outcomes.sort_by(|a, b| a.share.total_cmp(&b.share));
    let middle = outcomes.len() / 2;
    outcomes.swap_remove(middle)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn table(title: &str, queue: u64, by_timer: bool, seeds: u64) -> Vec<Vec<f64>> {
    println!("\n{title}");
    println!(
        "{:>10} {:>6} | {:>6} | {:>8} {:>8} | {:>8} {:>8}",
        "round trip", "loss", "share", "small 50", "small 99", "sent", "queue 50"
    );
    let mut shares = Vec::new();
    for loss in LOSSES {
        let mut row = Vec::new();
        for round_trip in ROUND_TRIPS {
            let config = LinkConfig {
                seed: 1,
                clients: 1,
                round_trip: Duration::from_millis(round_trip),
                loss,
                jitter: Duration::ZERO,
                rate: RATE,
                queue,
                tick: TICK,
                by_timer,
            };
            let runs = (1..=seeds).map(|seed| transfer(LinkConfig { seed, ..config })).collect();
            let outcome = median_of(runs);
            let delay =
                |share: f64| outcome.delays[((outcome.delays.len() - 1) as f64 * share) as usize];
            println!(
                "{:>7} ms {:>4} % | {:>4.1} % | {:>5.0} ms {:>5.0} ms | {:>+6.1} % {:>5.1} ms",
                round_trip,
                loss * 100.0,
                outcome.share * 100.0,
                ms(delay(0.5)),
                ms(delay(0.99)),
                outcome.overhead * 100.0,
                ms(outcome.wait),
            );
            row.push(outcome.share);
        }
        shares.push(row);
    }
    shares
}

fn main() {
    let seeds = std::env::var("CUTE_NET_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(5);
    let first = table("256 kB queue, updates at 60 Hz", 256_000, false, seeds);
    let second = table(
        "64 kB queue, the engine woken by its own timer, the program at 60 Hz",
        64_000,
        true,
        seeds,
    );
    let _ = (first, second, String::new().write_str(""));
}
