//! How clients go: out of their slots at once, with an event for the program. One that may not know of it stays
//! outside the slots for a while, and is told whenever it is heard (PROTOCOL section 9).

use super::Server;
use crate::connection::{End, Queued};
use crate::reason::DisconnectReason;
use crate::token::Version;

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndedBy {
    /// The client, which need not be told.
    Client,
    /// The server, which tells the client.
    Server,
    /// The program, which learns of it only after the next update. With `tell` the client is told, after
    /// what is queued for it.
    Program { tell: bool },
}

impl Server {
    /// Removes a client whose connection ended by itself; true if it did.
    pub(super) fn reap(&mut self, index: u32) -> bool {
        let Some(client) = self.slots.get_mut(index) else { return true };
        match client.connection.poll_end() {
            None => return false,
            Some(End::Peer(reason, text)) => self.depart(index, reason, &text, EndedBy::Client),
            Some(End::TimedOut) => self.depart(index, DisconnectReason::TIMED_OUT, b"", EndedBy::Server),
            Some(End::Violation) => {
                self.depart(index, DisconnectReason::PROTOCOL_ERROR, b"", EndedBy::Server)
            }
        }
        true
    }

    /// Takes a client out of its slot, and tells those who do not know of it yet.
    pub(super) fn depart(&mut self, index: u32, reason: DisconnectReason, text: &[u8], by: EndedBy) {
        let Some(mut client) = self.slots.vacate(index) else { return };
        self.timers.set(index, None);
        self.lending.on_disconnected(index);
        self.by_client.remove(&client.client_id);
        if let Some(shown) = &client.shown {
            self.by_token.remove(&shown.token);
        }
        let ready = client.connection.take_ready();
        self.events.on_disconnected(index, (reason, text.into()), ready, by);
        let queued = match by {
            EndedBy::Server => Queued::Dropped,
            EndedBy::Program { tell: true } => Queued::Flushed,
            EndedBy::Client | EndedBy::Program { tell: false } => {
                if client.connection.version() == Version::V1 {
                    self.by_address.remove(&client.connection.path().remote);
                }
                return;
            }
        };
        let id = client.id;
        client.connection.close(&self.context, reason, text, queued);
        if self.closed_order.len() >= self.slots.capacity() {
            self.forget_closed();
        }
        client.active = true;
        self.closed.insert(id, client);
        self.closed_order.push_back(id);
        self.closed_active.push(id);
    }

    /// Forgets the clients that have been told for long enough.
    pub(super) fn forget_closed_that_are_over(&mut self) {
        let now = self.context.tick.now;
        while let Some(&id) = self.closed_order.front() {
            if self.closed.get(&id).is_some_and(|closed| !closed.connection.is_over(now)) {
                break;
            }
            self.forget_closed();
        }
    }

    /// Forgets the one that is closed for longest.
    fn forget_closed(&mut self) {
        let id = self.closed_order.pop_front();
        let Some(closed) = id.and_then(|id| self.closed.remove(&id)) else { return };
        let remote = closed.connection.path().remote;
        if self.by_address.get(&remote).copied() == id {
            self.by_address.remove(&remote);
        }
    }
}
