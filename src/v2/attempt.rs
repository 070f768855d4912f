//! One attempt of a client at one server (PROTOCOL section 5): requests until a challenge opens, then
//! responses until a data packet does. Every server of the list gets an attempt of its own, with its
//! own random: nothing of the one before can disturb it.

use super::handshake::{self, REQUEST_SIZE, RESPONSE_SIZE, Request};
use super::keys::{AssociatedPrefix, ClientRandom, CookieBytes, SessionKeys};
use crate::attempt_timer::AttemptTimer;
use crate::bytes::Writer;
use crate::duration::Duration;
use crate::reason::DenyReason;
use crate::time::Instant;
use crate::token::{PACKET_SIZE, TokenKeys};

/// Requests and responses leave at this interval (the original's send rate).
pub const SEND_INTERVAL: Duration = Duration::from_millis(100);
/// Responses without an answer after which requests are sent again: the cookie may have become too old.
const PATIENCE: u32 = 10;

/// An attempt at one server.
#[derive(Debug)]
pub struct Attempt {
    random: ClientRandom,
    /// True once a challenge has opened: from then on the client asks to be accepted.
    challenged: bool,
    /// The cookie to show, and the keys that it makes; none before a challenge, and when it is too old.
    cookie: Option<(CookieBytes, SessionKeys)>,
    /// Responses with this cookie that got no answer.
    unanswered: u32,
    /// When the next packet is due, and the phase over.
    pub timer: AttemptTimer,
}

impl Attempt {
    /// Starts with a fresh random, sending a packet every `interval`.
    pub fn new(random: ClientRandom, interval: Duration) -> Attempt {
        Attempt {
            random,
            challenged: false,
            cookie: None,
            unanswered: 0,
            timer: AttemptTimer::new(interval),
        }
    }

    /// True once the server has given a challenge: from then on the client asks to be accepted.
    pub fn is_challenged(&self) -> bool {
        self.challenged
    }

    /// Takes in a challenge; returns the session keys if it is the one to answer: the first that opens, and
    /// the first after a cookie that got no answer.
    pub fn handle_challenge(
        &mut self,
        prefix: &AssociatedPrefix,
        token: &TokenKeys,
        bytes: &[u8],
    ) -> Option<&SessionKeys> {
        if self.cookie.is_some() {
            return None;
        }
        let (cookie, keys) = handshake::open_challenge(prefix, token, &self.random, bytes)?;
        if !std::mem::replace(&mut self.challenged, true) {
            self.timer.begin_phase();
        }
        self.unanswered = 0;
        self.timer.send_at_once();
        Some(&self.cookie.insert((cookie, keys)).1)
    }

    /// Opens a denial.
    pub fn open_denied(
        &self,
        prefix: &AssociatedPrefix,
        token: &TokenKeys,
        bytes: &[u8],
    ) -> Option<DenyReason> {
        handshake::open_denied(prefix, token, &self.random, bytes)
    }

    /// Writes the packet that is due, at most one an update.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        prefix: &AssociatedPrefix,
        token: &[u8; PACKET_SIZE],
        buffer: &mut [u8],
    ) -> Option<usize> {
        if !self.timer.poll_send(now) {
            return None;
        }
        let request = Request { token, random: self.random };
        if self.unanswered >= PATIENCE {
            self.cookie = None;
        }
        let mut writer = Writer::new(buffer);
        match &self.cookie {
            Some((cookie, keys)) => {
                self.unanswered += 1;
                handshake::seal_response(prefix, keys, &request, cookie, &mut writer);
                debug_assert_eq!(writer.written(), RESPONSE_SIZE);
            }
            None => {
                request.encode(&mut writer);
                debug_assert_eq!(writer.written(), REQUEST_SIZE);
            }
        }
        writer.finish()
    }
}
