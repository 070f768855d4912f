//! One attempt of a client at one server (PROTOCOL section 5): requests until a challenge opens, then
//! responses until a data packet does. Every server of the list gets an attempt of its own, with its
//! own random: nothing of the one before can disturb it.

use super::handshake::{self, DenyReason, REQUEST_SIZE, RESPONSE_SIZE, Request};
use super::keys::{AssociatedPrefix, ClientRandom, CookieBytes, SessionKeys};
use crate::bytes::Writer;
use crate::time::Instant;
use crate::token::{PACKET_SIZE, TokenKeys};
use std::time::Duration;

/// Requests and responses leave at this interval (the original's send rate).
pub const SEND_INTERVAL: Duration = Duration::from_millis(100);
/// Responses without an answer after which requests are sent again: the cookie may have become too old.
const PATIENCE: u32 = 10;

/// What the client is trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// To get a challenge.
    Request,
    /// To get accepted.
    Response,
}

/// An attempt at one server.
#[derive(Debug)]
pub struct Attempt {
    random: ClientRandom,
    interval: Duration,
    phase: Phase,
    /// When the phase began: at the first update after it did.
    since: Option<Instant>,
    send_at: Option<Instant>,
    cookie: Option<(CookieBytes, SessionKeys)>,
    unanswered: u32,
}

impl Attempt {
    /// Starts with a fresh random, sending a packet every `interval`.
    pub fn new(random: ClientRandom, interval: Duration) -> Attempt {
        Attempt {
            random,
            interval,
            phase: Phase::Request,
            since: None,
            send_at: None,
            cookie: None,
            unanswered: 0,
        }
    }

    /// What the client is trying.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// True while a challenge is welcome: none has opened, or its cookie got no answer.
    fn wants_challenge(&self) -> bool {
        self.cookie.is_none()
    }

    /// Takes in a challenge; returns the session keys if it is the one to answer.
    pub fn handle_challenge(
        &mut self,
        prefix: &AssociatedPrefix,
        token: &TokenKeys,
        bytes: &[u8],
    ) -> Option<&SessionKeys> {
        if !self.wants_challenge() {
            return None;
        }
        let (cookie, keys) = handshake::open_challenge(prefix, token, &self.random, bytes)?;
        if self.phase == Phase::Request {
            self.phase = Phase::Response;
            self.since = None;
        }
        self.unanswered = 0;
        self.send_at = None;
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

    /// Notes an update. True if the phase has taken `timeout` or longer; its clock starts at the first
    /// update after it began, so that what the program did before does not count.
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
        prefix: &AssociatedPrefix,
        token: &[u8; PACKET_SIZE],
        buffer: &mut [u8],
    ) -> Option<usize> {
        if self.send_at.is_some_and(|at| at > now) {
            return None;
        }
        // The rhythm keeps its remainder: ten a second at any update rate above that.
        let due = self.send_at.unwrap_or(now);
        let late = Duration::from_nanos((now.since(due).as_nanos() % self.interval.as_nanos()) as u64);
        self.send_at = Some(now - late + self.interval);

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
