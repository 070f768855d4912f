//! The address a connection is at, and how it moves (PROTOCOL section 6, roaming). A packet that opens
//! moves the connection to where it came from; until that address has echoed a probe it gets at most
//! three times what it sent, so that a spoofed address is worth nothing to whoever spoofed it. Once one did not echo,
//! the next has to before the connection moves: who copies packets holds up nothing for longer than that.

use crate::crypto::random::Generator;
use crate::duration::Duration;
use crate::endpoint::Path;
use crate::time::Instant;

/// Datagrams to an address that has not echoed: this many times the bytes that came from it.
const AMPLIFICATION: u64 = 3;
/// An address that echoed is believed for this long after the connection left it.
const MEMORY: Duration = Duration::from_secs(60);
/// Addresses remembered.
const REMEMBERED: usize = 4;
/// Probe timeouts that a new address has to echo.
const PATIENCE: u32 = 3;

/// The bytes of a probe and of its echo.
pub type ProbeBytes = [u8; 8];

/// Where a connection is.
#[derive(Debug)]
pub struct PathState {
    /// Where the connection was valid last.
    valid: Path,
    moving: Option<Box<Moving>>,
    /// Addresses that echoed before, and until when that counts.
    known: Vec<(Path, Instant)>,
    /// Until then a connection does not move before the new address has echoed: the last one never did, and somebody
    /// may copy the peer's packets.
    wary_until: Instant,
}

/// An address that has not echoed yet.
#[derive(Debug)]
struct Moving {
    to: Path,
    /// True if the connection is there already.
    moved: bool,
    since: Instant,
    probe: ProbeBytes,
    /// Asks the old address too: whoever is still there answers, and so moves the connection back.
    old_probe: ProbeBytes,
    probe_at: Instant,
    old_probe_at: Instant,
    received: u64,
    sent: u64,
}

impl Moving {
    fn allowance(&self) -> u64 {
        (self.received * AMPLIFICATION).saturating_sub(self.sent)
    }
}

/// What a packet or an echo did to the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathChange {
    /// Nothing.
    None,
    /// The connection has a new valid address of another host or network.
    OtherNetwork,
}

impl PathState {
    /// Starts at an address that has proven itself.
    pub fn new(path: Path) -> PathState {
        PathState { valid: path, moving: None, known: Vec::new(), wary_until: Instant::ZERO }
    }

    /// Where datagrams go.
    pub fn current(&self) -> Path {
        self.moved().map_or(self.valid, |moving| moving.to)
    }

    /// Where the connection was valid last.
    pub fn last_valid(&self) -> Path {
        self.valid
    }

    /// True while an address has yet to echo.
    pub fn is_moving(&self) -> bool {
        self.moving.is_some()
    }

    fn moved(&self) -> Option<&Moving> {
        self.moving.as_deref().filter(|moving| moving.moved)
    }

    /// Bytes that may still be sent to the current address; `None` is any number.
    pub fn allowance(&self) -> Option<u64> {
        self.moved().map(Moving::allowance)
    }

    /// Notes a datagram that left for the current address.
    pub fn on_sent(&mut self, bytes: usize) {
        if let Some(moving) = self.moving.as_mut().filter(|moving| moving.moved) {
            moving.sent += bytes as u64;
        }
    }

    /// Notes a packet that opened, was new, and came from `path`; `newest` says that none with a
    /// higher number came before.
    pub fn on_packet(
        &mut self,
        path: Path,
        bytes: usize,
        newest: bool,
        now: Instant,
        generator: &mut Generator,
    ) -> PathChange {
        if let Some(moving) = self.moving.as_mut().filter(|moving| moving.to.remote == path.remote) {
            moving.to.local = path.local;
            moving.received += bytes as u64;
            return PathChange::None;
        }
        if path.remote == self.valid.remote {
            self.valid.local = path.local;
            if newest && self.moved().is_some() {
                self.give_up(now);
            }
            return PathChange::None;
        }
        if !newest {
            return PathChange::None;
        }
        self.known.retain(|(_, until)| *until > now);
        if self.known.iter().any(|(known, _)| known.remote == path.remote) {
            self.moving = None;
            return self.arrive(path, now);
        }
        self.moving = Some(Box::new(Moving {
            to: path,
            moved: now >= self.wary_until,
            since: now,
            probe: generator.bytes(),
            old_probe: generator.bytes(),
            probe_at: now,
            old_probe_at: now,
            received: bytes as u64,
            sent: 0,
        }));
        PathChange::None
    }

    /// The connection is at a valid address.
    fn arrive(&mut self, path: Path, now: Instant) -> PathChange {
        let from = std::mem::replace(&mut self.valid, path);
        self.known.retain(|(known, _)| known.remote != from.remote && known.remote != path.remote);
        if self.known.len() >= REMEMBERED {
            self.known.remove(0);
        }
        self.known.push((from, now + MEMORY));
        if from.remote.ip() == path.remote.ip() { PathChange::None } else { PathChange::OtherNetwork }
    }

    /// An address did not echo.
    fn give_up(&mut self, now: Instant) {
        self.moving = None;
        self.wary_until = now + MEMORY;
    }

    /// Takes in an echo.
    pub fn on_echo(&mut self, echo: &ProbeBytes, now: Instant) -> PathChange {
        let Some(moving) = self.moving.take_if(|moving| moving.probe == *echo) else {
            return PathChange::None;
        };
        self.wary_until = now;
        self.arrive(moving.to, now)
    }

    /// The probe to send to the current address now.
    pub fn due_probe(&self, now: Instant) -> Option<ProbeBytes> {
        self.moved().filter(|moving| moving.probe_at <= now).map(|moving| moving.probe)
    }

    /// The probe to send to another address than the current one, and that address: the one that the connection came
    /// from, or one that it may move to. `bytes` is how large it is.
    pub fn due_other_probe(&self, now: Instant, bytes: usize) -> Option<(ProbeBytes, Path)> {
        let moving = self.moving.as_ref().filter(|moving| moving.old_probe_at <= now)?;
        if moving.moved {
            return Some((moving.old_probe, self.valid));
        }
        (moving.allowance() >= bytes as u64).then_some((moving.probe, moving.to))
    }

    /// Notes that a probe of the current address left; it is repeated after a probe timeout.
    pub fn on_probe_sent(&mut self, now: Instant, probe_timeout: Duration) {
        if let Some(moving) = &mut self.moving {
            moving.probe_at = now + probe_timeout;
        }
    }

    /// Notes that a probe of another address left; it is repeated after a probe timeout.
    pub fn on_other_probe_sent(&mut self, now: Instant, probe_timeout: Duration, bytes: usize) {
        if let Some(moving) = &mut self.moving {
            moving.old_probe_at = now + probe_timeout;
            if !moving.moved {
                moving.sent += bytes as u64;
            }
        }
    }

    /// Gives a new address up that did not echo in time: back to the last valid one.
    pub fn handle_timeout(&mut self, now: Instant, probe_timeout: Duration) {
        if self.moving.as_ref().is_some_and(|moving| moving.since + probe_timeout * PATIENCE <= now) {
            self.give_up(now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) or a probe is due; that of the address that has not echoed only if
    /// it `leaves`.
    pub fn poll_timeout(
        &self,
        leaves: bool,
        bytes: usize,
        probe_timeout: impl FnOnce() -> Duration,
    ) -> Option<Instant> {
        let moving = self.moving.as_ref()?;
        let given_up = moving.since + probe_timeout() * PATIENCE;
        let probe = if leaves && moving.moved { moving.probe_at } else { given_up };
        let may_leave = moving.moved || moving.allowance() >= bytes as u64;
        let other = if may_leave { moving.old_probe_at } else { given_up };
        Some(given_up.min(probe).min(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint;

    const PTO: Duration = Duration::from_millis(200);

    fn path(text: &str) -> Path {
        Path { remote: endpoint::parse(text).unwrap(), local: None }
    }

    fn at(milliseconds: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(milliseconds)
    }

    struct Fixture {
        state: PathState,
        generator: Generator,
    }

    impl Fixture {
        fn new() -> Fixture {
            Fixture { state: PathState::new(path("10.0.0.1:1")), generator: Generator::new([1; 32]) }
        }

        fn packet(&mut self, from: &str, newest: bool, now: Instant) -> PathChange {
            self.state.on_packet(path(from), 100, newest, now, &mut self.generator)
        }
    }

    #[test]
    fn a_new_address_gets_three_times_its_bytes_until_it_echoes() {
        let mut f = Fixture::new();
        assert_eq!(f.state.allowance(), None);
        f.packet("10.0.0.2:1", true, at(0));
        assert_eq!(f.state.current(), path("10.0.0.2:1"));
        assert_eq!(f.state.allowance(), Some(300));
        f.state.on_sent(250);
        assert_eq!(f.state.allowance(), Some(50));
        f.packet("10.0.0.2:1", true, at(10));
        assert_eq!(f.state.allowance(), Some(350));
        let probe = f.state.due_probe(at(10)).unwrap();
        let (old, old_path) = f.state.due_other_probe(at(10), 39).unwrap();
        assert_eq!(old_path, path("10.0.0.1:1"));
        assert_eq!(f.state.on_echo(&old, at(10)), PathChange::None);
        assert_eq!(f.state.allowance(), Some(350));
        assert_eq!(f.state.on_echo(&probe, at(10)), PathChange::OtherNetwork);
        assert_eq!((f.state.allowance(), f.state.last_valid()), (None, path("10.0.0.2:1")));
    }

    #[test]
    fn a_late_packet_of_the_old_address_moves_nothing() {
        let mut f = Fixture::new();
        f.packet("10.0.0.2:1", false, at(0));
        assert_eq!(f.state.current(), path("10.0.0.1:1"));
    }

    #[test]
    fn an_address_that_never_echoes_is_left_again() {
        let mut f = Fixture::new();
        f.packet("10.0.0.2:1", true, at(0));
        f.state.on_probe_sent(at(0), PTO);
        f.state.on_other_probe_sent(at(0), PTO, 39);
        assert_eq!(f.state.due_probe(at(199)), None);
        assert!(f.state.due_probe(at(200)).is_some());
        assert!(f.state.due_other_probe(at(200), 39).is_some());
        f.state.handle_timeout(at(599), PTO);
        assert_eq!(f.state.current(), path("10.0.0.2:1"));
        assert!(f.state.poll_timeout(true, 39, || PTO) <= Some(at(600)));
        f.state.handle_timeout(at(600), PTO);
        assert_eq!(f.state.current(), path("10.0.0.1:1"));
        assert_eq!(f.state.poll_timeout(true, 39, || PTO), None);
    }

    #[test]
    fn the_way_back_within_a_minute_needs_no_proof() {
        let mut f = Fixture::new();
        f.packet("10.0.0.9:1", true, at(0)); // a spoofed copy
        assert_eq!(f.packet("10.0.0.1:1", true, at(10)), PathChange::None);
        assert_eq!(f.state.allowance(), None);
        f.packet("10.0.0.1:2", true, at(70_000));
        let probe = f.state.due_probe(at(70_000)).unwrap();
        assert_eq!(f.state.on_echo(&probe, at(70_000)), PathChange::None);
        f.packet("10.0.0.1:1", true, at(129_000));
        assert_eq!((f.state.allowance(), f.state.current()), (None, path("10.0.0.1:1")));
        f.packet("10.0.0.1:2", true, at(200_000));
        assert!(f.state.allowance().is_some());
    }

    #[test]
    fn after_an_address_that_did_not_echo_the_next_one_has_to_first() {
        for returns in [false, true] {
            let mut f = Fixture::new();
            f.packet("10.0.0.9:1", true, at(0)); // a spoofed copy
            if returns {
                f.packet("10.0.0.1:1", true, at(600));
            } else {
                f.state.handle_timeout(at(600), PTO);
            }
            f.packet("10.0.0.8:1", true, at(700));
            assert_eq!((f.state.current(), f.state.allowance()), (path("10.0.0.1:1"), None));
            let (probe, to) = f.state.due_other_probe(at(700), 39).unwrap();
            assert_eq!((to, f.state.due_probe(at(700))), (path("10.0.0.8:1"), None));
            // Three times what came from there, and no more.
            (0..7).for_each(|_| f.state.on_other_probe_sent(at(600), PTO, 39));
            assert_eq!(f.state.due_other_probe(at(800), 39), None);
            assert_eq!(f.state.poll_timeout(true, 39, || PTO), Some(at(1300)));
            f.packet("10.0.0.8:1", true, at(800));
            assert!(f.state.due_other_probe(at(800), 39).is_some());
            assert_eq!(f.state.on_echo(&probe, at(810)), PathChange::OtherNetwork);
            assert_eq!(f.state.current(), path("10.0.0.8:1"));
            // An address that echoes makes the next one believed again.
            f.packet("10.0.0.7:1", true, at(820));
            assert_eq!(f.state.current(), path("10.0.0.7:1"));
        }
        let mut f = Fixture::new();
        f.packet("10.0.0.9:1", true, at(0));
        f.state.handle_timeout(at(600), PTO);
        f.packet("10.0.0.8:1", true, at(60_600));
        assert_eq!(f.state.current(), path("10.0.0.8:1"));
    }

    #[test]
    fn another_port_of_the_same_host_is_the_same_network() {
        let mut f = Fixture::new();
        f.packet("10.0.0.1:2", true, at(0));
        let probe = f.state.due_probe(at(0)).unwrap();
        assert_eq!(f.state.on_echo(&probe, at(10)), PathChange::None);
        assert_eq!(f.state.current(), path("10.0.0.1:2"));
    }
}
