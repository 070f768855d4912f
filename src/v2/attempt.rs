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
/// Responses without an answer after which a cookie is shown no more: it may have become too old.
const PATIENCE: u32 = 10;
/// Challenges that are answered side by side.
const MOST_CANDIDATES: usize = 32;

/// A challenge that opened. Whoever heard the request can show it from an address of its own, and hand on the challenge
/// for that: which cookie is the one for this end's address only the server can tell.
#[derive(Debug)]
struct Candidate {
    cookie: CookieBytes,
    /// What the cookie makes of the token's keys. They have their place: what keys are moved out of is not wiped.
    keys: Box<SessionKeys>,
    /// Responses with it that got no answer.
    unanswered: u32,
}

/// An attempt at one server.
#[derive(Debug)]
pub struct Attempt {
    random: ClientRandom,
    /// In the order in which they came. From the first on the client asks to be accepted.
    candidates: Vec<Candidate>,
    /// When the next packet is due, and the phase over.
    pub timer: AttemptTimer,
}

impl Attempt {
    /// Starts with a fresh random, sending a packet every `interval`.
    pub fn new(random: ClientRandom, interval: Duration) -> Attempt {
        Attempt { random, candidates: Vec::new(), timer: AttemptTimer::new(interval) }
    }

    /// True once the server has given a challenge: from then on the client asks to be accepted.
    pub fn is_challenged(&self) -> bool {
        !self.candidates.is_empty()
    }

    /// The keys of all challenges that are answered, or were: the server accepts under one of them.
    pub fn keys(&self) -> impl Iterator<Item = &SessionKeys> {
        self.candidates.iter().rev().map(|candidate| &*candidate.keys)
    }

    /// Takes in a challenge; returns the session keys if it is one to answer: with another cookie than those known, or
    /// one again that got no answer.
    pub fn handle_challenge(
        &mut self,
        prefix: &AssociatedPrefix,
        token: &TokenKeys,
        bytes: &[u8],
    ) -> Option<&SessionKeys> {
        let (cookie, keys) = handshake::open_challenge(prefix, token, &self.random, bytes)?;
        if let Some(place) = self.candidates.iter().position(|known| known.cookie == cookie) {
            let known = self.candidates.get_mut(place).filter(|known| known.unanswered >= PATIENCE)?;
            // Once more: what only comes again must not be shown before what is new.
            known.unanswered = PATIENCE - 1;
            return Some(&known.keys);
        }
        if self.candidates.is_empty() {
            self.timer.begin_phase();
        }
        if self.candidates.len() >= MOST_CANDIDATES {
            let tried = self.candidates.iter().enumerate().filter(|(_, known)| known.unanswered > 0);
            let (place, _) =
                tried.max_by_key(|(place, known)| (known.unanswered, usize::MAX - place))?;
            self.candidates.remove(place);
        }
        self.timer.send_at_once();
        self.candidates.push(Candidate { cookie, keys: Box::new(keys), unanswered: 0 });
        self.candidates.last().map(|candidate| &*candidate.keys)
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
        let mut writer = Writer::new(buffer);
        let answered = self.candidates.iter_mut().rev().filter(|known| known.unanswered < PATIENCE);
        match answered.min_by_key(|known| known.unanswered) {
            Some(candidate) => {
                candidate.unanswered += 1;
                let Candidate { cookie, keys, .. } = &*candidate;
                handshake::seal_response(prefix, keys, &request, cookie, &mut writer);
                debug_assert_eq!(writer.written(), RESPONSE_SIZE);
            }
            None => {
                request.encode(&mut writer);
                debug_assert_eq!(writer.written(), REQUEST_SIZE);
            }
        }
        if self.candidates.iter().any(|known| known.unanswered == 0) {
            self.timer.send_at_once();
        }
        writer.finish()
    }
}
