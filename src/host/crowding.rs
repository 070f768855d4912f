//! What a server does about a socket to which more comes than an update may read: players' datagrams would wait in
//! it behind the flood, and be lost with it once the socket is full. So the system is asked to let through what
//! comes from where players are, and of everything else a share, which is made smaller for as long as it is still
//! too much, until little is dropped. Newcomers, and players that move, get in with that share, as they repeat
//! what they say. Where the system can't do that (Linux can, for up to 1,500 players), all wait alike.

use crate::crypto::random;
use crate::socket::{MOST_KNOWN, Socket};
use crate::time::Instant;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

/// Of strangers one in 2^2 is let through at first, and never fewer than one in 2^6.
const FIRST: u32 = 2;
const MOST: u32 = 6;
/// What waited in the socket before is read meanwhile.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often the number of datagrams that were dropped is looked at,
const WATCH: Duration = Duration::from_secs(1);
/// and how few of them are no flood.
const FEW: u32 = 1000;

/// Whether strangers' datagrams are thinned at a socket.
#[derive(Debug, Default)]
pub(super) struct Crowding {
    thinned: Option<Thinned>,
    /// The system can't.
    unavailable: bool,
}

#[derive(Debug)]
struct Thinned {
    thinning: u32,
    key: u32,
    known: BTreeSet<SocketAddr>,
    changed_at: Instant,
    watched_at: Instant,
    /// What the socket had lost when it was last looked at.
    lost: u32,
}

impl Crowding {
    /// True if [`act`](Self::act) has something to decide.
    pub(super) fn is_concerned(&self, backlog: bool) -> bool {
        MOST_KNOWN > 0 && !self.unavailable && (backlog || self.thinned.is_some())
    }

    /// After an update has read; `backlog` says that it left something, `players` where those of the socket's family
    /// are.
    pub(super) fn act(
        &mut self,
        socket: &Socket,
        now: Instant,
        backlog: bool,
        players: impl Iterator<Item = SocketAddr>,
    ) {
        // One more than can be told of is as good as all.
        let players: BTreeSet<SocketAddr> = players.take(MOST_KNOWN + 1).collect();
        let Some(thinned) = &mut self.thinned else {
            self.begin(socket, now, players);
            return;
        };
        if backlog && thinned.thinning < MOST && now.since(thinned.changed_at) >= PATIENCE {
            thinned.thinning += 1;
            thinned.changed_at = now;
        } else if now.since(thinned.watched_at) >= WATCH {
            let lost = socket.lost().unwrap_or_default();
            let few = lost.wrapping_sub(thinned.lost) < FEW;
            (thinned.lost, thinned.watched_at) = (lost, now);
            if few && !backlog {
                socket.admit_strangers();
                self.thinned = None;
                return;
            }
            if players == thinned.known {
                return;
            }
        } else if players == thinned.known {
            return;
        }
        thinned.known = players;
        if !thinned.apply(socket) {
            // Too many, or the system has not the memory for two programs at once: no player is to be held for a
            // stranger.
            socket.admit_strangers();
            if !thinned.apply(socket) {
                self.thinned = None;
            }
        }
    }

    fn begin(&mut self, socket: &Socket, now: Instant, known: BTreeSet<SocketAddr>) {
        let (Some(lost), Ok(key)) = (socket.lost(), random::bytes::<4>()) else {
            self.unavailable = true;
            return;
        };
        let thinned = Thinned {
            thinning: FIRST,
            key: u32::from_le_bytes(key),
            known,
            changed_at: now,
            watched_at: now,
            lost,
        };
        if thinned.apply(socket) {
            self.thinned = Some(thinned);
        }
    }
}

impl Thinned {
    fn apply(&self, socket: &Socket) -> bool {
        let known: Vec<SocketAddr> = self.known.iter().copied().collect();
        socket.thin_strangers(&known, self.key, self.thinning)
    }
}
