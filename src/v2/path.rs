//! The address a connection is at, and how it moves (PROTOCOL section 6, roaming). A packet that opens
//! moves the connection to where it came from; until that address has echoed a probe it gets at most
//! three times what it sent, so that a spoofed address is worth nothing to whoever spoofed it.

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
    current: Path,
    moving: Option<Box<Moving>>,
    /// Addresses that echoed, and until when that counts.
    valid: Vec<(Path, Instant)>,
}

/// The current address has not echoed yet.
#[derive(Debug)]
struct Moving {
    /// Where the connection was valid last.
    from: Path,
    since: Instant,
    probe: ProbeBytes,
    /// Asks the old address too: whoever is still there answers, and so moves the connection back.
    old_probe: ProbeBytes,
    probe_at: Instant,
    old_probe_at: Instant,
    received: u64,
    sent: u64,
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
        PathState { current: path, moving: None, valid: Vec::new() }
    }

    /// Where datagrams go.
    pub fn current(&self) -> Path {
        self.current
    }

    /// Where the connection was valid last.
    pub fn last_valid(&self) -> Path {
        self.moving.as_ref().map_or(self.current, |moving| moving.from)
    }

    /// Bytes that may still be sent to the current address; `None` is any number.
    pub fn allowance(&self) -> Option<u64> {
        let moving = self.moving.as_ref()?;
        Some((moving.received * AMPLIFICATION).saturating_sub(moving.sent))
    }

    /// Notes a datagram that left for the current address.
    pub fn on_sent(&mut self, bytes: usize) {
        if let Some(moving) = &mut self.moving {
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
        if path.remote == self.current.remote {
            self.current.local = path.local;
            if let Some(moving) = &mut self.moving {
                moving.received += bytes as u64;
            }
            return PathChange::None;
        }
        if !newest {
            return PathChange::None;
        }
        let from = self.last_valid();
        if self.moving.take().is_none() {
            self.remember(from, now);
        }
        let was = from.remote.ip();
        self.current = path;
        self.valid.retain(|(_, until)| *until > now);
        if self.valid.iter().any(|(valid, _)| valid.remote == path.remote) {
            return if was == path.remote.ip() { PathChange::None } else { PathChange::OtherNetwork };
        }
        self.moving = Some(Box::new(Moving {
            from,
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

    fn remember(&mut self, path: Path, now: Instant) {
        self.valid.retain(|(valid, _)| valid.remote != path.remote);
        if self.valid.len() >= REMEMBERED {
            self.valid.remove(0);
        }
        self.valid.push((path, now + MEMORY));
    }

    /// Takes in an echo.
    pub fn on_echo(&mut self, echo: &ProbeBytes) -> PathChange {
        let Some(moving) = self.moving.take_if(|moving| moving.probe == *echo) else {
            return PathChange::None;
        };
        if moving.from.remote.ip() == self.current.remote.ip() {
            PathChange::None
        } else {
            PathChange::OtherNetwork
        }
    }

    /// The probe to send to the current address now.
    pub fn due_probe(&self, now: Instant) -> Option<ProbeBytes> {
        self.moving.as_ref().filter(|moving| moving.probe_at <= now).map(|moving| moving.probe)
    }

    /// The probe to send to the address the connection came from, and that address.
    pub fn due_old_probe(&self, now: Instant) -> Option<(ProbeBytes, Path)> {
        let moving = self.moving.as_ref().filter(|moving| moving.old_probe_at <= now)?;
        Some((moving.old_probe, moving.from))
    }

    /// Notes that a probe of the current address left; it is repeated after a probe timeout.
    pub fn on_probe_sent(&mut self, now: Instant, probe_timeout: Duration) {
        if let Some(moving) = &mut self.moving {
            moving.probe_at = now + probe_timeout;
        }
    }

    /// Notes that a probe of the address the connection came from left; it is repeated after a probe timeout.
    pub fn on_old_probe_sent(&mut self, now: Instant, probe_timeout: Duration) {
        if let Some(moving) = &mut self.moving {
            moving.old_probe_at = now + probe_timeout;
        }
    }

    /// Gives a new address up that did not echo in time: back to the last valid one.
    pub fn handle_timeout(&mut self, now: Instant, probe_timeout: Duration) {
        let late = |moving: &mut Box<Moving>| moving.since + probe_timeout * PATIENCE <= now;
        if let Some(moving) = self.moving.take_if(late) {
            self.current = moving.from;
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) or a probe is due; that of the current address only if it
    /// `leaves`.
    pub fn poll_timeout(
        &self,
        leaves: bool,
        probe_timeout: impl FnOnce() -> Duration,
    ) -> Option<Instant> {
        let moving = self.moving.as_ref()?;
        let given_up = moving.since + probe_timeout() * PATIENCE;
        let probe = if leaves { moving.probe_at } else { given_up };
        Some(given_up.min(probe).min(moving.old_probe_at))
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
        let (old, old_path) = f.state.due_old_probe(at(10)).unwrap();
        assert_eq!(old_path, path("10.0.0.1:1"));
        assert_eq!(f.state.on_echo(&old), PathChange::None);
        assert_eq!(f.state.allowance(), Some(350));
        assert_eq!(f.state.on_echo(&probe), PathChange::OtherNetwork);
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
        f.state.on_old_probe_sent(at(0), PTO);
        assert_eq!(f.state.due_probe(at(199)), None);
        assert!(f.state.due_probe(at(200)).is_some());
        assert!(f.state.due_old_probe(at(200)).is_some());
        f.state.handle_timeout(at(599), PTO);
        assert_eq!(f.state.current(), path("10.0.0.2:1"));
        assert!(f.state.poll_timeout(true, || PTO) <= Some(at(600)));
        f.state.handle_timeout(at(600), PTO);
        assert_eq!(f.state.current(), path("10.0.0.1:1"));
        assert_eq!(f.state.poll_timeout(true, || PTO), None);
    }

    #[test]
    fn the_way_back_within_a_minute_needs_no_proof() {
        let mut f = Fixture::new();
        f.packet("10.0.0.9:1", true, at(0)); // a spoofed copy
        assert_eq!(f.packet("10.0.0.1:1", true, at(10)), PathChange::None);
        assert_eq!(f.state.allowance(), None);
        f.packet("10.0.0.9:1", true, at(20));
        f.packet("10.0.0.9:1", true, at(59_000));
        assert_eq!(f.state.last_valid(), path("10.0.0.1:1"));
        f.packet("10.0.0.1:1", true, at(70_000));
        assert!(f.state.allowance().is_some());
    }

    #[test]
    fn another_port_of_the_same_host_is_the_same_network() {
        let mut f = Fixture::new();
        f.packet("10.0.0.1:2", true, at(0));
        let probe = f.state.due_probe(at(0)).unwrap();
        assert_eq!(f.state.on_echo(&probe), PathChange::None);
        assert_eq!(f.state.current(), path("10.0.0.1:2"));
    }
}
