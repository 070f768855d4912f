//! How large datagrams become, and what happens on a path that takes less than it did.

use crate::link::{Link, LinkConfig};
use crate::world::{TICK, pattern};
use crate::{ms, secs};
use cute_net::duration::Duration;
use cute_net::message::Delivery::ReliableOrdered;
use cute_net::time::Instant;

/// 40 Mbit/s at 40 ms, over a path that takes `mtu` bytes.
fn link(mtu: usize) -> Link {
    Link::connected(LinkConfig {
        seed: 1,
        clients: 1,
        round_trip: ms(40),
        loss: 0.0,
        jitter: Duration::ZERO,
        rate: 5_000_000,
        queue: 200_000,
        tick: TICK,
        mtu,
        by_timer: false,
    })
}

/// Runs until the client's program has `count` messages; fails after `longest`.
fn run_until_taken(link: &mut Link, count: usize, longest: Duration) -> Instant {
    let end = link.now() + longest;
    link.run_until(end, |link| link.taken[0].len() >= count);
    assert_eq!(link.taken[0].len(), count, "not within {longest:?}");
    link.now()
}

fn largest(link: &Link) -> usize {
    link.crossed.iter().map(|crossed| crossed.size).max().unwrap()
}

#[test]
fn a_transfer_finds_the_largest_datagrams_that_the_path_takes() {
    for (mtu, found) in [(9000, 1472), (1472, 1472), (1460, 1452), (1400, 1392), (1300, 1200)] {
        let mut link = link(mtu);
        let bytes = pattern(4 << 20, 1);
        link.send(0, 0, ReliableOrdered, &bytes);
        run_until_taken(&mut link, 1, secs(5));
        assert!(link.taken[0][0].bytes == bytes);
        let largest = largest(&link);
        assert!(largest <= found && largest > found - 40, "{mtu}: {largest}");
        // Each size that is too large takes three round trips to be known as such.
        let end = &link.crossed[link.crossed.len() * 3 / 4..];
        let full = end.iter().filter(|crossed| crossed.size > found - 40).count();
        assert!(full > end.len() * 9 / 10, "{mtu}: {full} of {}", end.len());
    }
}

#[test]
fn who_sends_little_does_not_probe() {
    let mut link = link(1472);
    for _ in 0..200 {
        link.send(0, 0, ReliableOrdered, &[1; 300]);
        link.run_until(link.now() + ms(50), |_| false);
    }
    assert!(largest(&link) < 1200, "{}", largest(&link));
}

#[test]
fn a_path_that_comes_to_take_less_costs_a_moment_and_no_message() {
    let mut link = link(1472);
    let bytes = pattern(16 << 20, 2);
    link.send(0, 0, ReliableOrdered, &bytes);
    link.run_until(link.now() + secs(1), |_| false);
    assert_eq!(largest(&link), 1472);
    link.config.mtu = 1250;
    link.run_until(link.now() + ms(80), |_| false); // what was on its way arrives
    link.crossed.clear();
    // 16 MiB take 3.4 s without any of it.
    run_until_taken(&mut link, 1, secs(4));
    assert!(link.taken[0][0].bytes == bytes);
    assert!(largest(&link) <= 1200);
}

#[test]
fn random_loss_does_not_make_datagrams_small() {
    let mut link = link(1472);
    link.send(0, 0, ReliableOrdered, &pattern(2 << 20, 1));
    run_until_taken(&mut link, 1, secs(5));
    let lossy = Link::connected(LinkConfig { loss: 0.1, ..link.config });
    let mut link = lossy;
    link.send(0, 0, ReliableOrdered, &pattern(20 << 20, 1));
    run_until_taken(&mut link, 1, secs(20));
    let large = link.crossed.iter().filter(|crossed| crossed.size > 1200).count();
    assert!(large > link.crossed.len() * 3 / 4, "{large} of {}", link.crossed.len());
}
