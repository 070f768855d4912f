//! A connection as the model knows it, and which of its ends have a reason.

use super::Session;
use crate::sessions::model::Flow;
use crate::{ms, secs};
use cute_net::client::ClientState;
use cute_net::duration::Duration;
use cute_net::reason::DisconnectReason;
use cute_net::time::Instant;
use std::net::SocketAddr;

/// What one end of a connection last heard, and how it ended.
#[derive(Default)]
pub struct End {
    pub heard: Instant,
    /// Datagrams the other end sent since.
    pub unheard: u32,
    pub ended: Option<Ended>,
}

impl End {
    pub fn hear(&mut self, at: Instant) {
        (self.heard, self.unheard) = (at, 0);
    }

    pub fn end(&mut self, at: Instant, state: ClientState, reason: Option<DisconnectReason>) {
        let silence = at.since(self.heard);
        self.ended = Some(Ended { at, state, reason, silence, unheard: self.unheard });
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Ended {
    pub at: Instant,
    pub state: ClientState,
    pub reason: Option<DisconnectReason>,
    pub silence: Duration,
    pub unheard: u32,
}

/// A connection as the model knows it, from the call of connect on.
pub struct Connection {
    pub client_id: u64,
    pub addresses: Vec<SocketAddr>,
    pub slot: Option<u32>,
    /// The client says so; and the server has heard it since.
    pub connected: bool,
    pub confirmed: bool,
    pub client: End,
    pub server: End,
    pub flows: [Flow; 2],
    /// What programs did to it.
    pub left: bool,
    pub abandoned: bool,
    pub replaced: bool,
    pub kicked: Option<DisconnectReason>,
    /// A program or the network stood still for long.
    pub stood_still: bool,
}

impl Connection {
    pub fn new(client_id: u64, address: SocketAddr, now: Instant) -> Connection {
        Connection {
            client_id,
            addresses: vec![address],
            slot: None,
            connected: false,
            confirmed: false,
            client: End { heard: now, ..End::default() },
            server: End { heard: now, ..End::default() },
            flows: Default::default(),
            left: false,
            abandoned: false,
            replaced: false,
            kicked: None,
            stood_still: false,
        }
    }

    pub fn lives(&self) -> bool {
        self.connected && self.slot.is_some() && !self.client_is_over() && self.server.ended.is_none()
    }

    pub fn client_is_over(&self) -> bool {
        self.abandoned || self.client.ended.is_some()
    }

    /// Nothing more is to be expected of it.
    pub fn is_settled(&self) -> bool {
        let over = self.client_is_over() && (self.slot.is_none() || self.server.ended.is_some());
        over || self.lives() && self.flows.iter().all(|flow| flow.reliable_left == 0)
    }
}

impl Session {
    /// True if an end may have heard nothing for the timeout, although its peer spoke.
    fn was_silent(&self, ended: &Ended, peer: Option<Ended>, excused: bool) -> bool {
        let peer_was_gone = peer.is_some_and(|peer| peer.at < ended.at);
        let spoke = ended.unheard >= 3 || peer_was_gone || excused;
        ended.silence + ms(1) >= self.timeout && spoke
    }

    /// Every end has a reason that the model knows.
    pub fn check_ends(&self, at: usize) {
        let connection = &self.connections[at];
        let (client, server) = (connection.client.ended, connection.server.ended);
        if self.clean && connection.lives() {
            for flow in &connection.flows {
                let missing = flow.missing(false);
                assert_eq!(missing, "", "connection {at} lost messages on a clean network");
            }
        }
        let excused = connection.stood_still || connection.abandoned;
        if let Some(ended) = &server {
            let fine = match ended.reason.unwrap() {
                DisconnectReason::LEFT => connection.left,
                DisconnectReason::SERVER_STOPPED => self.stopped,
                DisconnectReason::REPLACED => connection.replaced,
                DisconnectReason::TIMED_OUT => {
                    !connection.confirmed
                        || client.is_some_and(|client| client.state == ClientState::ConnectionTimedOut)
                        || self.was_silent(ended, client, excused)
                }
                reason => connection.kicked == Some(reason),
            };
            assert!(fine, "connection {at}, the server's end: {ended:?}, the client's: {client:?}");
        }
        if let Some(ended) = &client {
            let fine = match (ended.state, ended.reason) {
                (ClientState::Disconnected, Some(DisconnectReason::LEFT)) => connection.left,
                (ClientState::Disconnected, reason) => {
                    server.is_some_and(|server| server.reason == reason)
                }
                (ClientState::ConnectionTimedOut, _) => {
                    server.is_some() || self.was_silent(ended, None, excused)
                }
                // An attempt needs ten seconds of bad luck.
                _ => {
                    let reached = ended.silence < secs(1) && server.is_none();
                    let lucky = reached && !self.stopped && !connection.stood_still;
                    !connection.connected && !lucky
                }
            };
            assert!(fine, "connection {at}, the client's end: {ended:?}, the server's: {server:?}");
        }
    }
}
