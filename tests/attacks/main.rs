//! Attacks, each as a program: on the engine in virtual time, with peers that write their own packets, and on a
//! server at a real socket. Names begin with the number of the original's defect where there is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod copies;
mod cost;
mod counters;
mod entry_1_00;
mod floods;
mod hostile;
mod memory;
mod packets_1_00;
#[path = "../host/pair.rs"]
#[allow(dead_code)] // the host's tests use more
mod pair;
mod peers;
mod peers_1_00;
mod puppet;
#[path = "../engine/puppet_1_00.rs"]
mod puppet_1_00;
mod timers;
mod tokens;
mod watch;
#[path = "../engine/world.rs"]
#[allow(dead_code)] // the engine's tests use more
mod world;

use cute_net::duration::Duration;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
