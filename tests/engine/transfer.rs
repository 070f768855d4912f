//! A transfer over a link while small messages go by, and what it costs both. `cargo bench --bench link`
//! prints tables of it.

use crate::link::{Link, LinkConfig};
use crate::world::pattern;
use cute_net::duration::Duration;
use cute_net::message::Delivery::ReliableOrdered;

/// The largest message there is.
pub const SIZE: usize = 20 << 20;

/// What became of a transfer.
pub struct Outcome {
    /// Bytes a second from the send call to the program that has the whole, over those of the link.
    pub share: f64,
    /// What each small message took between the programs, sorted.
    pub delays: Vec<Duration>,
    /// Bytes of datagrams over those of the transfer, less one: headers alone are 0.026.
    pub overhead: f64,
    /// How long datagrams waited for the bottleneck, in the middle.
    pub wait: Duration,
}

impl Outcome {
    /// What no more than this share of the small messages took.
    pub fn delay(&self, share: f64) -> Duration {
        self.delays[((self.delays.len() - 1) as f64 * share) as usize]
    }
}

/// The middle one of runs from the seeds 1 to `seeds`, with the small messages of all of them, and what they
/// sent more on average.
pub fn median_transfer(config: LinkConfig, seeds: u64) -> Outcome {
    let mut outcomes: Vec<_> = (1..=seeds).map(|seed| transfer(LinkConfig { seed, ..config })).collect();
    let mut delays: Vec<_> = outcomes.iter().flat_map(|outcome| outcome.delays.clone()).collect();
    delays.sort();
    let overhead = outcomes.iter().map(|outcome| outcome.overhead).sum::<f64>() / outcomes.len() as f64;
    outcomes.sort_by(|a, b| a.share.total_cmp(&b.share));
    Outcome { delays, overhead, ..outcomes.swap_remove(outcomes.len() / 2) }
}

/// The middle of what messages of 1,000 bytes, `size` together, take in runs from the seeds 1 to `seeds`.
pub fn median_time(config: LinkConfig, size: usize, seeds: u64) -> Duration {
    let time = |seed| {
        let mut link = Link::connected(LinkConfig { seed, ..config });
        let (start, count) = (link.now(), size / 1000);
        (0..count).for_each(|number| link.send(0, 0, ReliableOrdered, &pattern(1000, number as u64)));
        link.run_until(start + Duration::from_secs(120), |link| link.taken[0].len() == count);
        link.now().since(start)
    };
    let mut times: Vec<_> = (1..=seeds).map(time).collect();
    times.sort();
    times[times.len() / 2]
}

/// The server sends a message of [`SIZE`] on channel 0, and 40 bytes every 50 ms on channel 1.
fn transfer(config: LinkConfig) -> Outcome {
    let mut link = Link::connected(config);
    link.world.servers[0].server.set_channel_priority(1, 1);
    let start = link.now();
    link.send(0, 0, ReliableOrdered, &pattern(SIZE, 1));
    let mut sent = Vec::new();
    link.run_until(start + Duration::from_secs(120), |link| {
        if link.now() >= start + Duration::from_millis(50) * sent.len() as u32 {
            link.send(0, 1, ReliableOrdered, &pattern(40, sent.len() as u64));
            sent.push(link.now());
        }
        link.taken[0].iter().any(|taken| taken.channel == 0)
    });
    let time = link.now().since(start);
    let whole = link.taken[0].iter().find(|taken| taken.channel == 0).expect("the transfer ends");
    assert!(whole.bytes == pattern(SIZE, 1));
    let small = link.taken[0].iter().filter(|taken| taken.channel == 1);
    let mut delays: Vec<_> = small.zip(&sent).map(|(taken, &sent)| taken.at.since(sent)).collect();
    delays.sort();
    let mut waits: Vec<_> = link.crossed.iter().map(|crossed| crossed.wait).collect();
    waits.sort();
    Outcome {
        share: SIZE as f64 / time.as_secs_f64() / config.rate as f64,
        delays,
        overhead: link.sent.1 as f64 / SIZE as f64 - 1.0,
        wait: waits[waits.len() / 2],
    }
}

/// Two transfers over one link, the second begun two seconds after the first: the share of the link that
/// each has from the fourth to the sixteenth second, and how long datagrams then waited, sorted.
pub fn two_transfers(config: LinkConfig) -> ([f64; 2], Vec<Duration>) {
    let mut link = Link::connected(LinkConfig { clients: 2, ..config });
    let start = link.now();
    for client in 0..2 {
        link.send(client, 0, ReliableOrdered, &pattern(SIZE, 1));
        link.send(client, 0, ReliableOrdered, &pattern(SIZE / 2 - 1000, 2));
        link.run_until(start + Duration::from_secs(2) * (1 - client as u32), |_| false);
    }
    link.run_until(start + Duration::from_secs(16), |_| false);
    let from = start + Duration::from_secs(4);
    let late = || link.crossed.iter().filter(|crossed| crossed.at > from);
    let shares = [0, 1].map(|client| {
        let bytes = late().filter(|crossed| crossed.client == client).map(|crossed| crossed.size);
        bytes.sum::<usize>() as f64 / 12.0 / config.rate as f64
    });
    let mut waits: Vec<_> = late().map(|crossed| crossed.wait).collect();
    waits.sort();
    (shares, waits)
}
