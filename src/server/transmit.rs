//! Whose turn it is to send. A client that was heard is looked at while the processor still has it at hand: where it
//! owes nothing that must leave now, it waits for its timer or for a message, and the update need not come back to it.

use super::{SOON, Server};
use crate::connection::{Needed, Scope, Transmit};
use crate::endpoint::Families;

impl Server {
    /// Puts a client into the list of those with something to send.
    pub(super) fn activate(&mut self, index: u32) {
        if let Some(client) = self.slots.get_mut(index)
            && !std::mem::replace(&mut client.active, true)
        {
            self.active.push(index);
        }
    }

    /// Notes that a client was heard: it may have something to send now.
    pub(super) fn note_heard(&mut self, index: u32) {
        if let Some(client) = self.slots.get_mut(index)
            && !client.active
            && !std::mem::replace(&mut client.heard, true)
        {
            self.heard.push(index);
        }
    }

    /// Finds out which of the clients heard lately have something to send. [`handle_timeout`](Self::handle_timeout)
    /// does it too; after every few dozen datagrams it is cheaper, because their clients are in the caches.
    pub fn end_batch(&mut self) {
        while let Some(index) = self.heard.pop() {
            let Some(client) = self.slots.get_mut(index) else { continue };
            client.heard = false;
            if client.active {
                continue;
            }
            if client.connection.is_transmit_due(&self.context) {
                self.activate(index);
            } else {
                self.set_timer(index);
            }
        }
    }

    fn set_timer(&mut self, index: u32) {
        let Some(client) = self.slots.get(index) else { return };
        let mut at = client.connection.poll_timeout(&self.context);
        if !client.connection.is_confirmed() {
            let heard_by = client.heard_by(&self.context);
            at = Some(at.map_or(heard_by, |at| at.min(heard_by)));
        }
        self.timers.set(index, at);
    }

    /// Writes the next datagram that is due to `buffer`; `None` when none is. Call it until then at
    /// the end of every update, and to flush.
    pub fn poll_transmit(&mut self, buffer: &mut [u8]) -> Option<Transmit> {
        self.poll_transmit_to(Families::ALL, buffer)
    }

    /// [`poll_transmit`](Self::poll_transmit) for what goes to addresses of `families`; what clients elsewhere are to be
    /// sent waits. Answers to handshakes don't, nor the odd datagram to where a client was before: who misses one asks again.
    pub fn poll_transmit_to(&mut self, families: Families, buffer: &mut [u8]) -> Option<Transmit> {
        while let Some((path, reply)) = self.replies.pop_front() {
            if let Some(room) = buffer.get_mut(..reply.bytes().len()) {
                room.copy_from_slice(reply.bytes());
                return Some(Transmit { path, size: reply.bytes().len() });
            }
        }
        let generator = &mut self.context.generator;
        if let Some(transmit) = self.admission_1_00.poll_transmit(generator, buffer) {
            return Some(transmit);
        }
        while let Some(id) = self.closed_active.front() {
            if let Some(closed) = self.closed.get_mut(&id) {
                if !families.contain(closed.connection.path().remote) {
                    self.closed_active.pass_over();
                    continue;
                }
                let transmit =
                    closed.connection.poll_transmit(&mut self.context, Scope::Everything, buffer);
                if transmit.is_some() {
                    return transmit;
                }
                closed.active = false;
            }
            self.closed_active.finish();
        }
        while let Some(index) = self.active.front() {
            if let Some(client) = self.slots.get_mut(index) {
                if !families.contain(client.connection.path().remote) {
                    self.active.pass_over();
                    continue;
                }
                let transmit =
                    client.connection.poll_transmit(&mut self.context, Scope::Everything, buffer);
                if transmit.is_some() {
                    return transmit;
                }
                client.active = false;
                self.set_timer(index);
            }
            self.active.finish();
            let ahead = |count: u32| self.active.ahead(count as usize);
            self.slots.prefetch(Needed::Everything, ahead(SOON), ahead(1));
        }
        self.closed_active.restart();
        self.active.restart();
        self.is_drained = self.active.is_empty();
        None
    }

    /// Writes the next datagram for the unreliable messages that wait for one client, if it is at an address of
    /// `families`, and for what fits beside them. Call it until `None` after a send that should leave at once.
    pub fn poll_transmit_unreliable(
        &mut self,
        families: Families,
        index: u32,
        buffer: &mut [u8],
    ) -> Option<Transmit> {
        let client = self.slots.get_mut(index)?;
        if !families.contain(client.connection.path().remote) {
            return None;
        }
        client.connection.poll_transmit(&mut self.context, Scope::Unreliable, buffer)
    }
}
