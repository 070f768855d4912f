//! Sessions drawn from a seed: programs that do anything the interface allows, on networks of every kind.
//! What a send call accepted arrives as its delivery promises, and no connection ends without a reason.
//!
//! `CUTE_NET_SESSIONS` is how many are run, `CUTE_NET_SESSION_SEED` the seed of the first. One session
//! alone tells what happens in it.

mod bulk;
mod draw;
mod model;
mod session;

use session::Session;
use std::sync::atomic::{AtomicU64, Ordering};

/// Without optimization about 40 s of one core.
const SESSIONS: u64 = 2000;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn whatever_programs_and_networks_do_every_message_is_delivered_as_promised() {
    let first = variable("CUTE_NET_SESSION_SEED").unwrap_or(0);
    let count = variable("CUTE_NET_SESSIONS").unwrap_or(SESSIONS);
    let next = AtomicU64::new(first);
    let failed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2.min(count) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let run = std::panic::catch_unwind(|| Session::new(seed, count == 1).run());
                    if run.is_err() {
                        failed.fetch_add(1, Ordering::Relaxed);
                        eprintln!(
                            "session {seed} failed; CUTE_NET_SESSION_SEED={seed} CUTE_NET_SESSIONS=1 repeats \
                             it"
                        );
                    }
                }
            });
        }
    });
    assert_eq!(failed.into_inner(), 0, "sessions failed");
}
