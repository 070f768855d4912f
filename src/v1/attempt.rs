//! One attempt of a client at one server (in the original the client's states 1 and 2): the token packet until
//! a challenge comes, then its echo until the server accepts or denies. Every server of the list gets an attempt
//! of its own, with sequences and a replay window of its own (D37, D39).

use super::connection::{Connection, SEND_INTERVAL};
use super::packet::{Accepted, CHALLENGE_DATA_SIZE, Challenge, Packet, Side};
use super::packet_seal::PacketSeal;
use crate::connection::{Context, Setup};
use crate::crypto::random::Generator;
use crate::drop_reason::DropReason;
use crate::endpoint::Path;
use crate::reason::DisconnectReason;
use crate::time::Instant;
use crate::token::{PACKET_SIZE, TokenKeys};
use std::time::Duration;

/// What the client is trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// To get a challenge.
    Request,
    /// To get accepted.
    Response,
}

/// What a packet of the server did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The first challenge: it is answered from now on.
    Challenged,
    /// Nothing that changes anything.
    Nothing,
    /// The server lets the client in.
    Accepted(Accepted),
    /// The server lets the client not in.
    Denied,
}

/// An attempt at one server.
#[derive(Debug)]
pub struct Attempt {
    seal: PacketSeal,
    challenge: Option<(u64, Box<[u8; CHALLENGE_DATA_SIZE]>)>,
    /// When the phase began: at the first update after it did.
    since: Option<Instant>,
    send_at: Option<Instant>,
}

impl Attempt {
    /// Starts with the keys of the token.
    pub fn new(keys: &TokenKeys) -> Attempt {
        let seal = PacketSeal::new(Side::Client, keys);
        Attempt { seal, challenge: None, since: None, send_at: None }
    }

    /// What the client is trying.
    pub fn phase(&self) -> Phase {
        if self.challenge.is_none() { Phase::Request } else { Phase::Response }
    }

    /// Takes in a packet of the server that is tried.
    pub fn handle_packet(&mut self, packet: &mut [u8]) -> Result<Answer, DropReason> {
        let phase = self.phase();
        match self.seal.open(packet)? {
            Packet::ChallengeRequest(challenge) if phase == Phase::Request => {
                self.challenge = Some((challenge.nonce, Box::new(*challenge.data)));
                self.since = None;
                self.send_at = None;
                Ok(Answer::Challenged)
            }
            // The first is answered; what is sent before the client knows that it is in comes again.
            Packet::ChallengeRequest(_) => Ok(Answer::Nothing),
            Packet::Keepalive | Packet::Payload(_) if phase == Phase::Response => Ok(Answer::Nothing),
            Packet::Accepted(accepted) if phase == Phase::Response => Ok(Answer::Accepted(accepted)),
            Packet::Denied => Ok(Answer::Denied),
            _ => Err(DropReason::Unexpected),
        }
    }

    /// Notes an update. True if the phase has taken `timeout` or longer; its clock starts at the first update
    /// after it began, so that what the program did before does not count.
    pub fn is_timed_out(&mut self, now: Instant, timeout: Duration) -> bool {
        let since = *self.since.get_or_insert(now);
        now.since(since) >= timeout
    }

    /// When the next packet is due; `None` before the first update.
    pub fn poll_timeout(&self, timeout: Duration) -> Option<Instant> {
        let times = [self.send_at, self.since.map(|since| since + timeout)];
        times.into_iter().flatten().min()
    }

    /// Writes the packet that is due, at most one an update.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        token: &[u8; PACKET_SIZE],
        generator: &mut Generator,
        buffer: &mut [u8],
    ) -> Option<usize> {
        if self.send_at.is_some_and(|at| at > now) {
            return None;
        }
        // D57: the rhythm keeps its remainder: ten a second at any update rate above that.
        let due = self.send_at.unwrap_or(now);
        let late = Duration::from_nanos((now.since(due).as_nanos() % SEND_INTERVAL.as_nanos()) as u64);
        self.send_at = Some(now - late + SEND_INTERVAL);
        match &self.challenge {
            Some((nonce, data)) => {
                let response = Packet::ChallengeResponse(Challenge { nonce: *nonce, data });
                self.seal.seal(&response, generator, buffer)
            }
            None => {
                buffer.get_mut(..PACKET_SIZE)?.copy_from_slice(token);
                Some(PACKET_SIZE)
            }
        }
    }

    /// The connection, when the server has accepted.
    pub fn into_connection(
        self,
        context: &Context,
        path: Path,
        accepted: Accepted,
        setup: Setup,
    ) -> Connection {
        Connection::new_client(context, self.seal, path, accepted, setup)
    }

    /// Gives the attempt up: what this returns has ten disconnects to send, and nothing else.
    pub fn into_closing(self, context: &Context, path: Path, setup: Setup) -> Connection {
        let accepted = Accepted { client_id: 0, max_clients: 0, connection_timeout: 0 };
        let mut connection = self.into_connection(context, path, accepted, setup);
        connection.close(context, DisconnectReason::LEFT, b"", false);
        connection
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::MAX_SIZE;
    use super::*;
    use crate::crypto::Key;

    const ACCEPTED: Accepted = Accepted { client_id: 1, max_clients: 32, connection_timeout: 10 };
    const TOKEN: [u8; PACKET_SIZE] = [0; PACKET_SIZE];

    struct Fixture {
        server: PacketSeal,
        attempt: Attempt,
        generator: Generator,
    }

    fn fixture() -> Fixture {
        let keys =
            TokenKeys { client_to_server: Key::new([1; 32]), server_to_client: Key::new([2; 32]) };
        Fixture {
            server: PacketSeal::new(Side::Server, &keys),
            attempt: Attempt::new(&keys),
            generator: Generator::new([0; 32]),
        }
    }

    impl Fixture {
        fn receives(&mut self, packet: &Packet<'_>) -> Result<Answer, DropReason> {
            let mut buffer = [0; MAX_SIZE];
            let size = self.server.seal(packet, &mut self.generator, &mut buffer).unwrap();
            self.attempt.handle_packet(&mut buffer[..size])
        }

        fn sends(&mut self, milliseconds: u64) -> Option<Vec<u8>> {
            let mut buffer = [0; MAX_SIZE];
            let now = Instant::ZERO + Duration::from_millis(milliseconds);
            let size = self.attempt.poll_transmit(now, &TOKEN, &mut self.generator, &mut buffer)?;
            Some(buffer[..size].to_vec())
        }
    }

    fn challenge(nonce: u64, data: &[u8; CHALLENGE_DATA_SIZE]) -> Packet<'_> {
        Packet::ChallengeRequest(Challenge { nonce, data })
    }

    #[test]
    fn the_token_leaves_ten_times_a_second_until_a_challenge_comes() {
        let mut f = fixture();
        let sent: Vec<u64> = (0..60).map(|tick| tick * 16).filter(|&at| f.sends(at).is_some()).collect();
        assert_eq!(sent.len(), 10, "{sent:?}");
        assert_eq!(f.receives(&challenge(5, &[5; 256])), Ok(Answer::Challenged));
        let mut response = f.sends(960).unwrap();
        let expected = Packet::ChallengeResponse(Challenge { nonce: 5, data: &[5; 256] });
        assert_eq!(f.server.open(&mut response), Ok(expected));
    }

    #[test]
    fn the_first_challenge_is_the_one_that_is_answered() {
        let mut f = fixture();
        f.receives(&challenge(5, &[5; 256])).unwrap();
        assert_eq!(f.receives(&challenge(6, &[6; 256])), Ok(Answer::Nothing));
        let mut response = f.sends(0).unwrap();
        assert!(matches!(
            f.server.open(&mut response),
            Ok(Packet::ChallengeResponse(Challenge { nonce: 5, .. }))
        ));
        assert_eq!(f.receives(&Packet::Payload(b"early")), Ok(Answer::Nothing));
        assert_eq!(f.receives(&Packet::Accepted(ACCEPTED)), Ok(Answer::Accepted(ACCEPTED)));
    }

    #[test]
    fn d30_what_is_not_expected_changes_nothing() {
        let mut f = fixture();
        for packet in [Packet::Accepted(ACCEPTED), Packet::Disconnect, Packet::Payload(b"early")] {
            assert_eq!(f.receives(&packet), Err(DropReason::Unexpected));
        }
        f.receives(&challenge(5, &[5; 256])).unwrap();
        assert_eq!(f.receives(&Packet::Disconnect), Err(DropReason::Unexpected));
        assert_eq!(f.receives(&Packet::Denied), Ok(Answer::Denied));
    }

    #[test]
    fn d37_each_phase_has_the_whole_timeout_from_its_first_update_on() {
        let mut f = fixture();
        let (at, timeout) = (|s| Instant::ZERO + Duration::from_secs(s), Duration::from_secs(5));
        assert!(!f.attempt.is_timed_out(at(100), timeout));
        assert!(!f.attempt.is_timed_out(at(104), timeout));
        f.receives(&challenge(5, &[5; 256])).unwrap();
        assert!(!f.attempt.is_timed_out(at(106), timeout));
        assert_eq!(f.attempt.poll_timeout(timeout), Some(at(111)));
        assert!(f.attempt.is_timed_out(at(111), timeout));
    }
}
