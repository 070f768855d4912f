//! One attempt of a client at one server (in the original the client's states 1 and 2): the token packet until
//! a challenge comes, then its echo until the server accepts or denies. Every server of the list gets an attempt
//! of its own, with sequences and a replay window of its own (D37, D39).

use super::connection::{Connection, SEND_INTERVAL};
use super::packet::{Accepted, CHALLENGE_DATA_SIZE, Challenge, Packet, Side};
use super::packet_seal::PacketSeal;
use crate::attempt_timer::AttemptTimer;
use crate::connection::{Context, Queued, Setup};
use crate::crypto::random::Generator;
use crate::drop_reason::DropReason;
use crate::endpoint::Path;
use crate::reason::DisconnectReason;
use crate::time::Instant;
use crate::token::{PACKET_SIZE, TokenKeys};

/// What a packet of the server did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The first challenge: it is answered from now on.
    Challenged,
    /// Nothing that changes anything.
    Nothing,
    /// The server lets the client in.
    Accepted(Accepted),
    /// The server refuses the client.
    Denied,
}

/// An attempt at one server.
#[derive(Debug)]
pub struct Attempt {
    seal: PacketSeal,
    /// Nonce and data of the challenge to answer.
    challenge: Option<(u64, Box<[u8; CHALLENGE_DATA_SIZE]>)>,
    /// When the next packet is due, and the phase over.
    pub timer: AttemptTimer,
}

impl Attempt {
    /// Starts with the keys of the token.
    pub fn new(keys: &TokenKeys) -> Attempt {
        let seal = PacketSeal::new(Side::Client, keys);
        Attempt { seal, challenge: None, timer: AttemptTimer::new(SEND_INTERVAL) }
    }

    /// True once the server has given a challenge: from then on the client asks to be accepted.
    pub fn is_challenged(&self) -> bool {
        self.challenge.is_some()
    }

    /// Takes in a packet of the server that is tried.
    pub fn handle_packet(&mut self, packet: &mut [u8]) -> Result<Answer, DropReason> {
        let is_challenged = self.is_challenged();
        match self.seal.open(packet)? {
            Packet::ChallengeRequest(challenge) if !is_challenged => {
                self.challenge = Some((challenge.nonce, Box::new(*challenge.data)));
                self.timer.begin_phase();
                Ok(Answer::Challenged)
            }
            // The first is answered; what is sent before the client knows that it is in comes again.
            Packet::ChallengeRequest(_) => Ok(Answer::Nothing),
            Packet::Keepalive | Packet::Payload(_) if is_challenged => Ok(Answer::Nothing),
            Packet::Accepted(accepted) if is_challenged => Ok(Answer::Accepted(accepted)),
            Packet::Denied => Ok(Answer::Denied),
            Packet::Keepalive
            | Packet::Payload(_)
            | Packet::Accepted(_)
            | Packet::Disconnect
            | Packet::ChallengeResponse(_) => Err(DropReason::Unexpected),
        }
    }

    /// Writes the packet that is due, at most one an update.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        token: &[u8; PACKET_SIZE],
        generator: &mut Generator,
        buffer: &mut [u8],
    ) -> Option<usize> {
        if !self.timer.poll_send(now) {
            return None;
        }
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
        connection.close(context, DisconnectReason::LEFT, b"", Queued::Dropped);
        connection
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::MAX_SIZE;
    use super::*;
    use crate::crypto::Key;
    use crate::duration::Duration;

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
    fn d37_a_challenge_begins_a_phase_with_the_whole_timeout() {
        let mut f = fixture();
        let (at, timeout) = (|s| Instant::ZERO + Duration::from_secs(s), Duration::from_secs(5));
        assert!(!f.attempt.timer.is_timed_out(at(100), timeout));
        assert!(!f.attempt.timer.is_timed_out(at(104), timeout));
        f.receives(&challenge(5, &[5; 256])).unwrap();
        assert!(!f.attempt.timer.is_timed_out(at(106), timeout));
        assert_eq!(f.attempt.timer.poll_timeout(timeout), Some(at(111)));
        assert!(f.attempt.timer.is_timed_out(at(111), timeout));
    }
}
