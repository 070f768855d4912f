//! How much of a link the reliability engine fills, in virtual time: a transfer of 20 MiB over 100
//! Mbit/s while small messages go by on another channel, and two transfers that share 20 Mbit/s.
//! `cargo bench --bench link` prints the tables and draws `target/link.svg`; `CUTE_NET_SEEDS` is how many
//! runs each figure is the median of, and the worst of for two transfers.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../tests/engine/link.rs"]
mod link;
#[path = "../tests/engine/transfer.rs"]
mod transfer;
#[path = "../tests/engine/world.rs"]
mod world;

use cute_net::duration::Duration;
use link::LinkConfig;
use std::fmt::Write as _;
use transfer::{median_transfer, two_transfers};

const ROUND_TRIPS: [u64; 4] = [20, 50, 100, 200];
const LOSSES: [f64; 3] = [0.0, 0.01, 0.05];

/// The tables' links: their titles, and what differs.
const TABLES: [(&str, u64, bool); 2] = [
    ("256 kB queue, everything at 60 Hz", 256_000, false),
    ("64 kB queue, the engine woken by its own timer, the programs at 60 Hz", 64_000, true),
];

/// 100 Mbit/s.
fn link(round_trip: u64, loss: f64, queue: u64, by_timer: bool) -> LinkConfig {
    LinkConfig {
        seed: 1,
        clients: 1,
        round_trip: Duration::from_millis(round_trip),
        loss,
        jitter: Duration::ZERO,
        rate: 12_500_000,
        queue,
        tick: world::TICK,
        mtu: 1200,
        by_timer,
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Prints a table; returns the shares of the link, by loss and round trip.
fn table(title: &str, queue: u64, by_timer: bool, seeds: u64) -> Vec<Vec<f64>> {
    println!("\n20 MiB over 100 Mbit/s, {title}; 40 bytes every 50 ms beside it");
    println!("round trip   loss | goodput | 40 bytes: median    99 % |  sent more | queue, median");
    let row = |loss| {
        let share = |round_trip| {
            let outcome = median_transfer(link(round_trip, loss, queue, by_timer), seeds);
            println!(
                "{round_trip:>7} ms {:>4} % | {:>5.1} % | {:>13.0} ms {:>5.0} ms | {:>+8.1} % | {:>8.1} ms",
                loss * 100.0,
                outcome.share * 100.0,
                ms(outcome.delay(0.5)),
                ms(outcome.delay(0.99)),
                outcome.overhead * 100.0,
                ms(outcome.wait),
            );
            outcome.share
        };
        ROUND_TRIPS.map(share).to_vec()
    };
    LOSSES.map(row).to_vec()
}

fn two_flows(seeds: u64) {
    println!("\nTwo transfers over 20 Mbit/s at 40 ms, 250 ms queue, {seeds} runs");
    println!("driven by  | worst shares    | least used | longest queue: median    90 %");
    for (driven_by, by_timer) in [("60 Hz", false), ("own timer", true)] {
        let config = LinkConfig { rate: 2_500_000, queue: 625_000, ..link(40, 0.0, 0, by_timer) };
        let runs: Vec<_> =
            (1..=seeds).map(|seed| two_transfers(LinkConfig { seed, ..config })).collect();
        let unfair = |&[one, other]: &[f64; 2]| (one / other).max(other / one);
        let shares = runs.iter().map(|(shares, _)| shares);
        let [one, other] = shares.clone().max_by(|a, b| unfair(a).total_cmp(&unfair(b))).unwrap();
        let used = shares.map(|[one, other]| one + other).fold(f64::MAX, f64::min);
        let wait =
            |tenths| runs.iter().map(|(_, waits)| waits[waits.len() * tenths / 10]).max().unwrap();
        println!(
            "{driven_by:<10} | {:>4.1} % {:>6.1} % | {:>8.1} % | {:>18.1} ms {:>5.1} ms",
            one * 100.0,
            other * 100.0,
            used * 100.0,
            ms(wait(5)),
            ms(wait(9))
        );
    }
}

/// Lines of goodput over the round trip, one for each loss, a panel for each table.
fn svg(panels: &[Vec<Vec<f64>>]) -> Result<String, std::fmt::Error> {
    const COLOURS: [&str; 3] = ["#1b6ca8", "#2e8b57", "#b8550f"];
    const WIDTH: f64 = 420.0;
    const PLOT: (f64, f64) = (330.0, 220.0);
    let mut out = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{}' height='320' font-family='sans-serif' \
         font-size='12'>\n<rect width='100%' height='100%' fill='white'/>\n",
        WIDTH * panels.len() as f64
    );
    for (number, (panel, (title, ..))) in panels.iter().zip(TABLES).enumerate() {
        writeln!(out, "<g transform='translate({},40)'>", WIDTH * number as f64 + 55.0)?;
        writeln!(out, "<text x='0' y='-18' font-size='11'>{title}</text>")?;
        for percent in [0, 25, 50, 75, 100] {
            let y = PLOT.1 * (1.0 - f64::from(percent) / 100.0);
            writeln!(out, "<line x2='{}' y1='{y}' y2='{y}' stroke='#ddd'/>", PLOT.0)?;
            writeln!(out, "<text x='-8' y='{}' text-anchor='end'>{percent} %</text>", y + 4.0)?;
        }
        let x = |place: usize| PLOT.0 * place as f64 / (ROUND_TRIPS.len() - 1) as f64;
        for (place, round_trip) in ROUND_TRIPS.iter().enumerate() {
            let (x, y) = (x(place), PLOT.1 + 18.0);
            writeln!(out, "<text x='{x}' y='{y}' text-anchor='middle'>{round_trip} ms</text>")?;
        }
        for ((row, loss), colour) in panel.iter().zip(LOSSES).zip(COLOURS) {
            let points: Vec<_> = row
                .iter()
                .enumerate()
                .map(|(place, share)| format!("{:.1},{:.1}", x(place), PLOT.1 * (1.0 - share)))
                .collect();
            let points = points.join(" ");
            writeln!(
                out,
                "<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='2'/>"
            )?;
            let y = 130.0 + 18.0 * loss.sqrt() * 10.0;
            writeln!(out, "<text x='8' y='{y:.0}' fill='{colour}'>{} % loss</text>", loss * 100.0)?;
        }
        out.push_str("</g>\n");
    }
    out.push_str("</svg>\n");
    Ok(out)
}

fn main() {
    let seeds = std::env::var("CUTE_NET_SEEDS").map_or(5, |seeds| seeds.parse().unwrap());
    let panels = TABLES.map(|(title, queue, by_timer)| table(title, queue, by_timer, seeds));
    two_flows(seeds);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/target/link.svg");
    std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/target")).unwrap();
    std::fs::write(path, svg(&panels).unwrap()).unwrap();
    println!("\ntarget/link.svg shows the goodput");
}
