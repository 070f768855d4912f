//! How a client gets in: it tries the servers of its token one after another. A server that fell silent later is asked
//! the same way, with a request of its own, whether it still has the connection (PROTOCOL section 5.9).

use super::{Client, ClientState};
use crate::attempt_timer::AttemptTimer;
use crate::connection::{Arrival, Connection, Setup};
use crate::drop_reason::DropReason;
use crate::duration::Duration;
use crate::ready::InboxBudget;
use crate::reason::DenyReason;
use crate::sending::Shaping;
use crate::time::Instant;
use crate::token::{ConnectToken, Version};
use crate::v2::attempt::{Attempt, SEND_INTERVAL};
use crate::v2::keys::SessionKeys;
use crate::v2::packet::{PacketSeal, Side};
use crate::{v1, v2};

/// A server that is silent for this long, or for this many probe timeouts if that is longer, is asked whether it
/// still has the connection.
const SUSPICION: Duration = Duration::from_millis(1500);
const SUSPICION_PROBES: u32 = 3;
/// A server that says that the token does not list it has this long to say otherwise. Its denial may be that of another
/// server of the same keys, which somebody who heard the request has shown it.
pub(super) const UNLISTED: Duration = Duration::from_secs(2);
/// How often it is asked.
const ASKING: Duration = Duration::from_secs(1);

/// An attempt at a server, in the protocol of the token. It holds keys, and stays where it is: what something is
/// moved out of is not wiped.
pub(super) enum AnyAttempt {
    V1(Box<v1::attempt::Attempt>),
    V2(Box<Attempt>),
}

impl AnyAttempt {
    pub(super) fn is_challenged(&self) -> bool {
        match self {
            AnyAttempt::V1(attempt) => attempt.is_challenged(),
            AnyAttempt::V2(attempt) => attempt.is_challenged(),
        }
    }

    pub(super) fn timer(&self) -> &AttemptTimer {
        match self {
            AnyAttempt::V1(attempt) => &attempt.timer,
            AnyAttempt::V2(attempt) => &attempt.timer,
        }
    }

    pub(super) fn timer_mut(&mut self) -> &mut AttemptTimer {
        match self {
            AnyAttempt::V1(attempt) => &mut attempt.timer,
            AnyAttempt::V2(attempt) => &mut attempt.timer,
        }
    }
}

impl Client {
    pub(super) fn try_server(&mut self, server: usize) {
        self.server = server;
        self.unlisted_at = None;
        self.connection = None;
        let remote = self.servers().nth(server);
        self.remote = remote;
        let Client { context, token, .. } = self;
        self.attempt = token.as_ref().map(|token| match token.version {
            Version::V1 => AnyAttempt::V1(Box::new(v1::attempt::Attempt::new(&token.keys))),
            Version::V2 => {
                AnyAttempt::V2(Box::new(Attempt::new(context.generator.bytes(), SEND_INTERVAL)))
            }
        });
        self.state = ClientState::SendingConnectionRequest;
    }

    /// The next server, or the end in `state` if this was the last.
    pub(super) fn try_next_server(&mut self, state: ClientState) {
        let next = self.server + 1;
        if next < self.servers().count() { self.try_server(next) } else { self.end(state, None) }
    }

    /// A server said no, and why.
    pub(super) fn denied_by_server(&mut self, reason: DenyReason) {
        self.denied = Some(reason);
        self.try_next_server(ClientState::ConnectionDenied);
    }

    pub(super) fn handle_challenge(&mut self, bytes: &[u8]) -> Result<(), DropReason> {
        let token = self.token.as_ref().ok_or(DropReason::Unexpected)?;
        if let Some(suspicion) = &mut self.suspicion {
            // The server does not know the token's connection any more.
            suspicion.handle_challenge(&self.prefix, &token.keys, bytes).ok_or(DropReason::Forged)?;
            self.end(ClientState::ConnectionTimedOut, None);
            return Ok(());
        }
        let Some(AnyAttempt::V2(attempt)) = &mut self.attempt else {
            return Err(DropReason::Unexpected);
        };
        attempt.handle_challenge(&self.prefix, &token.keys, bytes).ok_or(DropReason::Unexpected)?;
        self.state = ClientState::SendingChallengeResponse;
        Ok(())
    }

    /// Begins the connection that a data packet belongs to: that of the challenge whose keys open it.
    pub(super) fn begin_connection(
        &mut self,
        arrival: &Arrival,
        bytes: &[u8],
    ) -> Result<(), DropReason> {
        let Some((AnyAttempt::V2(attempt), token)) = self.attempt.as_ref().zip(self.token.as_ref())
        else {
            return Err(DropReason::Unexpected);
        };
        if !attempt.is_challenged() {
            return Err(DropReason::Unexpected);
        }
        let opens = |keys: &&SessionKeys| {
            let mut copy = bytes.to_vec();
            let seal = PacketSeal::new(Side::Client, self.prefix, keys);
            seal.read_header(&mut copy, 0).is_some_and(|sealed| seal.open(sealed).is_some())
        };
        let keys = attempt.keys().find(opens).ok_or(DropReason::Forged)?;
        let setup = setup(token, &self.shaping, self.largest_datagram);
        let connection = v2::connection::Connection::new_client(
            &mut self.context,
            self.prefix,
            keys,
            arrival.path,
            setup,
        );
        self.connection = Some(Box::new(Connection::V2(connection)));
        Ok(())
    }

    pub(super) fn handle_denied(&mut self, bytes: &[u8]) -> Result<(), DropReason> {
        let token = self.token.as_ref().ok_or(DropReason::Unexpected)?;
        if let Some(suspicion) = &self.suspicion {
            let reason =
                suspicion.open_denied(&self.prefix, &token.keys, bytes).ok_or(DropReason::Forged)?;
            match reason {
                DenyReason::IN_USE => {
                    if let Some(connection) = &mut self.connection {
                        connection.on_sign_of_life(self.context.tick.now);
                    }
                    self.suspicion = None;
                }
                // Another server's word for it that this one does not know the connection is none.
                DenyReason::SHUTTING_DOWN | DenyReason::NOT_LISTED => {}
                _ => self.end(ClientState::ConnectionTimedOut, None),
            }
            return Ok(());
        }
        let Some(AnyAttempt::V2(attempt)) = &self.attempt else { return Err(DropReason::Unexpected) };
        let reason = attempt.open_denied(&self.prefix, &token.keys, bytes).ok_or(DropReason::Forged)?;
        match reason {
            DenyReason::EXPIRED => self.end(ClientState::ConnectTokenExpired, None),
            DenyReason::NOT_LISTED => {
                self.unlisted_at.get_or_insert(self.context.tick.now);
            }
            _ => self.denied_by_server(reason),
        }
        Ok(())
    }

    /// Takes in a packet of CUTE 1.00.
    pub(super) fn handle_1_00(&mut self, arrival: &Arrival, bytes: &mut [u8]) -> Result<(), DropReason> {
        if self.connection.is_some() {
            return self.handle_data(arrival, bytes);
        }
        let Some(AnyAttempt::V1(attempt)) = &mut self.attempt else {
            return Err(DropReason::Unexpected);
        };
        match attempt.handle_packet(bytes)? {
            v1::attempt::Answer::Nothing => {}
            v1::attempt::Answer::Challenged => self.state = ClientState::SendingChallengeResponse,
            v1::attempt::Answer::Denied => self.denied_by_server(DenyReason::FULL),
            v1::attempt::Answer::Accepted(accepted) => {
                let Some((AnyAttempt::V1(attempt), token)) =
                    self.attempt.take().zip(self.token.as_ref())
                else {
                    return Err(DropReason::Unexpected);
                };
                let setup = setup(token, &self.shaping, self.largest_datagram);
                let connection = attempt.into_connection(&self.context, arrival.path, accepted, setup);
                self.connection = Some(Box::new(Connection::V1(Box::new(connection))));
                self.state = ClientState::Connected;
            }
        }
        Ok(())
    }

    /// A server that is silent may have forgotten the connection: ask it.
    pub(super) fn suspect(&mut self, now: Instant) {
        let Some(connection) = &self.connection else { return };
        if connection.version() == Version::V1 {
            // There a server is not told apart from one that restarted, and nothing is asked.
            return;
        }
        let heard_at = connection.heard_at().max(self.context.silence_starts);
        let patience = SUSPICION.max(connection.probe_timeout(&self.context) * SUSPICION_PROBES);
        if now.since(heard_at) < patience {
            self.suspicion = None;
        } else if self.suspicion.is_none() {
            self.suspicion = Some(Box::new(Attempt::new(self.context.generator.bytes(), ASKING)));
        }
    }
}

/// How a client's connection is set up, until the server has said more.
pub(super) fn setup(token: &ConnectToken, shaping: &Shaping, largest_datagram: usize) -> Setup {
    Setup {
        timeout: Some(Duration::from_secs(u64::from(token.handshake_timeout)) * 2),
        resend_ceiling: Duration::MAX,
        inbox: InboxBudget::DEFAULT,
        outgoing_rate: None,
        incoming_rate: None,
        shaping: *shaping,
        largest_datagram,
    }
}
