//! The engine in virtual time: clients and servers without sockets, on networks as bad as asked for.
//! Every run follows from a seed, and every failure prints it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod credit;
mod data;
mod defects_1_00_honest;
mod ending;
mod families;
mod filling;
mod handshake;
mod link;
mod mixed;
mod mtu;
#[allow(dead_code)] // the attacks use more
mod puppet_1_00;
mod quiet;
mod rates;
mod roaming;
mod sessions;
#[allow(dead_code)] // the benchmark prints more
mod transfer;
#[allow(dead_code)] // the attacks use more
mod world;

use cute_net::duration::Duration;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
