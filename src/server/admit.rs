//! Who is let in with a token of CUTE 2.00 (PROTOCOL section 5). Requests are judged without keeping
//! anything; a response that shows the cookie and proves the token's keys gets a slot.

use super::depart::EndedBy;
use super::{Client, LEAST_HANDSHAKE, LONGEST_HANDSHAKE, MAX_REPLIES, Server, Shown, whole_seconds};
use crate::connection::{Arrival, Connection};
use crate::drop_reason::DropReason;
use crate::duration::Duration;
use crate::rate_limit::LEAST_RATE;
use crate::reason::{DenyReason, DisconnectReason};
use crate::token_flood::Sender;
use crate::v2;
use crate::v2::admission::{OpenToken, Reply};
use crate::v2::frame::Accept;
use crate::v2::handshake::{Request, Response};
use crate::v2::keys::{CookieBytes, SessionKeys};

/// Responses under different cookies that one connection may be moved by before its client is heard.
const MAX_COOKIES: usize = 4;

/// What a server thinks of a token that opened.
enum Verdict {
    /// It may make a connection.
    Welcome,
    /// It has one, in this slot.
    Live(u32),
    /// It may make one once the program has heard that an earlier client is gone, which frees a slot.
    NotYet,
    /// It may not.
    Denied(DenyReason, DropReason),
}

impl Server {
    fn judge(&mut self, token: &OpenToken<'_>, arrival: &Arrival) -> Verdict {
        // First of all: a connection outlives its token, and its client may ask whether it is there.
        if let Some(&index) = self.by_token.get(token.id()) {
            return Verdict::Live(index);
        }
        let now = self.context.tick.now;
        let secret = &token.secret;
        if self.used.is_expired(token.packet.public.expiration, self.unix) {
            return Verdict::Denied(DenyReason::EXPIRED, DropReason::Expired);
        }
        if !token.lists(|address| self.addresses.is_own(address, arrival.path.local)) {
            return Verdict::Denied(DenyReason::NOT_LISTED, DropReason::NotListed);
        }
        if self.used.contains(secret.client_id, token.id(), secret.creation) {
            return Verdict::Denied(DenyReason::TOKEN_USED, DropReason::TokenUsed);
        }
        let holder = self.by_client.get(&secret.client_id).and_then(|&index| self.slots.get(index));
        if holder.is_some_and(|client| is_newer(client, token)) {
            return Verdict::Denied(DenyReason::TOKEN_USED, DropReason::TokenUsed);
        }
        let full = holder.is_none() && self.slots.is_full();
        if full || self.used.is_full(now, self.unix) {
            return Verdict::Denied(DenyReason::FULL, DropReason::Full);
        }
        if holder.is_none() && self.slots.vacant().is_none() {
            return Verdict::NotYet;
        }
        Verdict::Welcome
    }

    fn deny(&mut self, token: &OpenToken<'_>, arrival: &Arrival, reason: DenyReason) {
        let reply = self.admission.deny(token, arrival.path.remote, reason);
        self.reply(arrival, reply);
    }

    /// Queues a reply; false if too many wait.
    fn reply(&mut self, arrival: &Arrival, reply: Reply) -> bool {
        let has_room = self.replies.len() < MAX_REPLIES;
        if has_room {
            self.replies.push_back((arrival.path, reply));
        }
        has_room
    }

    pub(super) fn handle_request(&mut self, arrival: &Arrival, bytes: &[u8]) -> Result<(), DropReason> {
        let request = Request::decode(bytes).map_err(|_| DropReason::Size)?;
        let from = arrival.path.remote;
        let token = self.admission.open(&request, || self.token_flood.admits(from, Sender::Unproven))?;
        match self.judge(&token, arrival) {
            Verdict::Welcome => {}
            Verdict::NotYet => return Err(DropReason::Full),
            Verdict::Live(index) => {
                let Some(client) = self.slots.get(index) else { return Err(DropReason::Unexpected) };
                if client.shown.as_ref().is_none_or(|shown| shown.random != token.random) {
                    self.deny(&token, arrival, DenyReason::IN_USE);
                    return Err(DropReason::TokenInUse);
                }
                if client.connection.is_confirmed() {
                    return Err(DropReason::Unexpected);
                }
            }
            Verdict::Denied(reason, counted) => {
                self.deny(&token, arrival, reason);
                return Err(counted);
            }
        }
        let reply = self.admission.challenge(&token, arrival.path.remote);
        if self.reply(arrival, reply) { Ok(()) } else { Err(DropReason::Flood) }
    }

    pub(super) fn handle_response(&mut self, arrival: &Arrival, bytes: &[u8]) -> Result<(), DropReason> {
        let response = Response::decode(bytes).map_err(|_| DropReason::Size)?;
        if !self.admission.accepts_cookie(&response, arrival.path.remote) {
            return Err(DropReason::Cookie);
        }
        let from = arrival.path.remote;
        let token =
            self.admission.open(&response.request, || self.token_flood.admits(from, Sender::Proven))?;
        let verdict = self.judge(&token, arrival);
        let keys = token.session_keys(&response.cookie);
        if !response.is_authentic(&self.admission.prefix(), &keys) {
            return Err(DropReason::Forged);
        }
        match verdict {
            Verdict::Denied(reason, counted) => {
                self.deny(&token, arrival, reason);
                Err(counted)
            }
            Verdict::NotYet => Err(DropReason::Full),
            Verdict::Live(index) => self.answer_again(index, arrival, &token, response.cookie, &keys),
            Verdict::Welcome => self.admit(arrival, token, response.cookie, &keys),
        }
    }

    /// Takes in a response whose connection is there already: its client has not heard that it was let in.
    fn answer_again(
        &mut self,
        index: u32,
        arrival: &Arrival,
        token: &OpenToken<'_>,
        cookie: CookieBytes,
        keys: &SessionKeys,
    ) -> Result<(), DropReason> {
        let Some(Client { connection, shown, .. }) = self.slots.get_mut(index) else {
            return Err(DropReason::Unexpected);
        };
        let Some((connection, shown)) = connection.as_v2_mut().zip(shown.as_mut()) else {
            return Err(DropReason::Unexpected);
        };
        if shown.random != token.random {
            self.deny(token, arrival, DenyReason::IN_USE);
            return Err(DropReason::TokenInUse);
        }
        if connection.is_confirmed() {
            return Err(DropReason::Unexpected);
        }
        connection.on_sign_of_life(self.context.tick.now);
        if shown.cookies.last() == Some(&cookie) {
            connection.repeat_accept();
        } else if shown.cookies.len() < MAX_COOKIES && !shown.cookies.contains(&cookie) {
            shown.cookies.push(cookie);
            connection.restart(&mut self.context, self.admission.prefix(), keys, arrival.path);
        } else {
            return Err(DropReason::Replayed);
        }
        self.activate(index);
        Ok(())
    }

    /// Gives the client of a token a slot and a connection, in place of those that it has.
    fn admit(
        &mut self,
        arrival: &Arrival,
        token: OpenToken<'_>,
        cookie: CookieBytes,
        keys: &SessionKeys,
    ) -> Result<(), DropReason> {
        if let Some(&index) = self.by_client.get(&token.secret.client_id) {
            self.depart(index, DisconnectReason::REPLACED, b"", EndedBy::Server);
        }
        let Some((index, connection_id)) = self.slots.vacant() else { return Err(DropReason::Full) };
        let accept = Accept {
            connection_id,
            client_index: index,
            client_id: token.secret.client_id,
            max_clients: self.slots.capacity() as u32,
            connection_timeout: self.setup.timeout.map_or(0, whole_seconds),
            incoming_rate: self.setup.incoming_rate.map_or(0, |rate| rate.max(LEAST_RATE)),
        };
        let connection = v2::connection::Connection::new_server(
            &mut self.context,
            self.admission.prefix(),
            keys,
            arrival.path,
            accept,
            self.setup,
        );
        let now = self.context.tick.now;
        let id = *token.id();
        let expiration = token.packet.public.expiration;
        let OpenToken { secret, random, packet } = token;
        self.used.insert(secret.client_id, &id, secret.creation, expiration, now, self.unix);
        self.by_client.insert(secret.client_id, index);
        self.by_token.insert(id, index);
        let handshake = Duration::from_secs(u64::from(packet.public.handshake_timeout));
        self.events.on_connected(index, secret.client_id, arrival.path.remote);
        let client = Client {
            connection: Connection::V2(connection),
            id: connection_id,
            client_id: secret.client_id,
            expiration,
            shown: Some(Shown { token: id, creation: secret.creation, random, cookies: vec![cookie] }),
            user_data: secret.user_data,
            heard_by: now + handshake.clamp(LEAST_HANDSHAKE, LONGEST_HANDSHAKE),
            active: false,
            heard: false,
            waits_for_loan: false,
        };
        self.slots.occupy(index, Box::new(client));
        self.activate(index);
        Ok(())
    }
}

/// True if a client's connection is newer than a token; between the protocols expirations are compared.
fn is_newer(client: &Client, token: &OpenToken<'_>) -> bool {
    match &client.shown {
        Some(shown) => shown.creation > token.secret.creation,
        None => client.expiration > token.packet.public.expiration,
    }
}
