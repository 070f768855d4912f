//! What a server does about a socket to which more comes than an update may read: players' datagrams would wait in
//! it behind the flood, and be lost with it once the socket is full. So the system is asked to let through what
//! comes from where players are, and of everything else a share: a smaller one for as long as it is still too much, a
//! larger one as less comes. Newcomers, and players that move, get in with that share, as they repeat what they say.
//! Where the system can't do that (Linux can, for up to 1,500 players), all wait alike.

use crate::crypto::random;
use crate::duration::Duration;
use crate::socket::{MOST_KNOWN, Socket};
use crate::time::Instant;
use std::collections::HashSet;
use std::net::SocketAddr;

/// Of strangers one in 2^2 is let through at first, and never fewer than one in 2^6.
const FIRST: u32 = 2;
const MOST: u32 = 6;
/// Where strangers' are less than this part of what is read, they are not what is too much.
const STRANGERS_SHARE: usize = 4;
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
    /// Datagrams read since [`act`](Self::act) while strangers' are thinned, and of these the strangers'.
    read: usize,
    strangers: usize,
}

#[derive(Debug)]
struct Thinned {
    thinning: u32,
    key: u32,
    known: HashSet<SocketAddr>,
    changed_at: Instant,
    watched_at: Instant,
    /// What the socket had lost when it was last looked at.
    lost: u32,
    /// The most strangers' datagrams that came between two looks; half as much for each time that they were thinned less
    /// since.
    most: u64,
}

impl Crowding {
    /// Notes a datagram that was read.
    pub(super) fn note(&mut self, from: SocketAddr) {
        if let Some(thinned) = &self.thinned {
            self.read += 1;
            self.strangers += usize::from(!thinned.known.contains(&from));
        }
    }

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
        let (read, strangers) = (std::mem::take(&mut self.read), std::mem::take(&mut self.strangers));
        // What players send passes, however few strangers do.
        let too_much = backlog && strangers >= read / STRANGERS_SHARE;
        // One more than can be told of is as good as all.
        let players: HashSet<SocketAddr> = players.take(MOST_KNOWN + 1).collect();
        let Some(thinned) = &mut self.thinned else {
            // Where the program's clock stands still it would never end.
            if now > Instant::ZERO {
                self.begin(socket, now, players);
            }
            return;
        };
        let mut changed = players != thinned.known;
        if too_much && thinned.thinning < MOST && now.since(thinned.changed_at) >= PATIENCE {
            let dropped = thinned.dropped(socket, now);
            thinned.note(dropped);
            thinned.thinning += 1;
            thinned.changed_at = now;
            changed = true;
        } else if now.since(thinned.watched_at) >= WATCH {
            let dropped = thinned.dropped(socket, now);
            if !backlog {
                changed |= thinned.ease(dropped);
                if dropped < FEW || thinned.thinning == 0 {
                    socket.admit_strangers();
                    self.thinned = None;
                    return;
                }
            }
        }
        if !changed {
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

    fn begin(&mut self, socket: &Socket, now: Instant, known: HashSet<SocketAddr>) {
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
            most: 0,
        };
        if thinned.apply(socket) {
            self.thinned = Some(thinned);
        }
    }
}

impl Thinned {
    /// How many datagrams were dropped since the last look.
    fn dropped(&mut self, socket: &Socket, now: Instant) -> u32 {
        let lost = socket.lost().unwrap_or_default();
        let before = std::mem::replace(&mut self.lost, lost);
        self.watched_at = now;
        lost.wrapping_sub(before)
    }

    /// Notes how many came, of which the system `dropped` these; returns that.
    fn note(&mut self, dropped: u32) -> u64 {
        let all = 1u64 << self.thinning;
        let came = u64::from(dropped) * all / (all - 1).max(1);
        self.most = self.most.max(came);
        came
    }

    /// Lets twice as many through if half as many come as at most; true if it does. Who keeps up a flood of hardly more
    /// than [`FEW`] must not keep out newcomers as if it were a large one.
    fn ease(&mut self, dropped: u32) -> bool {
        let eases = self.note(dropped) <= self.most / 2;
        if eases {
            self.thinning = self.thinning.saturating_sub(1);
            self.most /= 2;
        }
        eases
    }

    fn apply(&self, socket: &Socket) -> bool {
        let known: Vec<SocketAddr> = self.known.iter().copied().collect();
        socket.thin_strangers(&known, self.key, self.thinning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{Inbound, SocketOptions};
    use std::net::UdpSocket;

    /// A server's socket and a stranger that sends to it.
    struct Fixture {
        crowding: Crowding,
        socket: Socket,
        stranger: UdpSocket,
        now: Instant,
    }

    impl Fixture {
        fn new() -> Fixture {
            let options = SocketOptions { receive_buffer: 1 << 20, send_buffer: 1 << 20 };
            Fixture {
                crowding: Crowding::default(),
                socket: Socket::bind("127.0.0.1:0".parse().unwrap(), options).unwrap(),
                stranger: UdpSocket::bind("127.0.0.1:0").unwrap(),
                now: Instant::ZERO + Duration::from_secs(1),
            }
        }

        /// A second in which so many datagrams come; `backlog` says that not all were read.
        fn second(&mut self, datagrams: usize, backlog: bool) {
            self.second_beside(datagrams, backlog, None);
        }

        /// The same beside as many of a player.
        fn second_beside(&mut self, datagrams: usize, backlog: bool, player: Option<SocketAddr>) {
            let mut inbound = Inbound::default();
            let from = self.stranger.local_addr().unwrap();
            player
                .into_iter()
                .for_each(|player| (0..datagrams).for_each(|_| self.crowding.note(player)));
            (0..datagrams >> self.thinning()).for_each(|_| self.crowding.note(from));
            for number in 0..datagrams {
                self.stranger.send_to(b"hello", self.socket.local_address()).unwrap();
                if number % 16 == 0 {
                    let _ = self.socket.receive(&mut inbound);
                }
            }
            self.now = self.now + WATCH;
            if self.crowding.is_concerned(backlog) {
                self.crowding.act(&self.socket, self.now, backlog, player.into_iter());
            }
        }

        fn thinning(&self) -> u32 {
            self.crowding.thinned.as_ref().map_or(0, |thinned| thinned.thinning)
        }
    }

    /// Else a short flood, and a trickle of a thousand small datagrams a second after it, would keep out newcomers for
    /// ever.
    #[test]
    fn strangers_are_let_through_again_as_a_flood_gives_way() {
        let mut f = Fixture::new();
        let now = std::mem::take(&mut f.now);
        f.crowding.act(&f.socket, f.now, true, std::iter::empty());
        assert!(f.crowding.thinned.is_none());
        f.now = now;
        f.second(100, true);
        if f.crowding.thinned.is_none() {
            println!("skipped: the system can't");
            return;
        }
        (0..4).for_each(|_| f.second(100, true));
        assert_eq!(f.thinning(), MOST);
        // What is still as much is kept out.
        (0..2).for_each(|_| f.second(20_000, false));
        assert_eq!(f.thinning(), MOST);
        (0..3).for_each(|_| f.second(9_000, false));
        assert_eq!(f.thinning(), MOST - 1);
        (0..6).for_each(|_| f.second(1_400, false));
        assert_eq!(f.thinning(), 3);
        f.second(0, false);
        assert!(f.crowding.thinned.is_none());
        f.second(100, true);
        (0..2).for_each(|_| f.second(20_000, false));
        (0..3).for_each(|_| f.second(1_400, false));
        assert!(f.crowding.thinned.is_none());
        // One that ends at the moment at which it is thinned most.
        (0..4).for_each(|_| f.second(100, true));
        f.second(16_000, true);
        assert_eq!(f.thinning(), MOST);
        (0..6).for_each(|_| f.second(1_400, false));
        assert_eq!(f.thinning(), 3);
    }

    /// A player that floods passes the filter: to keep out strangers for it would help nobody.
    #[test]
    fn strangers_are_not_thinned_more_for_what_a_player_sends() {
        let mut f = Fixture::new();
        let player = SocketAddr::from(([10, 0, 0, 1], 1));
        f.second_beside(100, true, Some(player));
        if f.crowding.thinned.is_none() {
            println!("skipped: the system can't");
            return;
        }
        (0..4).for_each(|_| f.second_beside(100, true, Some(player)));
        assert_eq!(f.thinning(), FIRST);
        (0..4).for_each(|_| f.second(100, true));
        assert_eq!(f.thinning(), MOST);
    }
}
