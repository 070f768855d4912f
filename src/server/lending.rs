//! A server's memory for what its clients send, divided: each client has an allowance of credit, and
//! one whose message is larger borrows from a common pool until the message was taken. So every
//! message the protocol allows can be sent, and no number of clients takes more than the whole.

use super::Server;
use crate::reason::DisconnectReason;
use crate::v2::inbox::InboxBudget;
use crate::v2::send_space::SendCredit;
use std::collections::VecDeque;
use std::time::Duration;

/// Memory for what all clients send, unless set.
pub const DEFAULT_MEMORY: u64 = 256 << 20;
/// A loan whose client sends nothing for this long is ended, with its connection, if another waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who borrows and who waits.
#[derive(Debug, Default)]
pub struct Lending {
    /// A quarter of the memory.
    pool: u64,
    /// What each client may send without borrowing.
    allowance: u64,
    borrowers: Vec<u32>,
    waiting: VecDeque<u32>,
}

impl Lending {
    /// Divides `memory` bytes for `max_clients`: half for allowances, a quarter for unreliable
    /// messages, a quarter to lend.
    pub fn new(memory: u64, max_clients: usize) -> (Lending, InboxBudget) {
        let clients = max_clients.max(1) as u64;
        let most = InboxBudget::DEFAULT;
        let reliable = (memory / 2 / clients).clamp(SendCredit::INITIAL, most.reliable);
        let unreliable = (memory / 4 / clients).clamp(SendCredit::INITIAL, most.unreliable as u64);
        let pool = (memory / 4).max(most.reliable);
        let lending = Lending { pool, allowance: reliable, ..Lending::default() };
        (lending, InboxBudget { reliable, unreliable: unreliable as usize })
    }

    /// Forgets a client that is gone.
    pub fn on_disconnected(&mut self, index: u32) {
        self.borrowers.retain(|&borrower| borrower != index);
        self.waiting.retain(|&waiting| waiting != index);
    }
}

impl Server {
    /// Notes that a client may be waiting for credit that only a loan gives.
    pub(super) fn note_loan_wanted(&mut self, index: u32) {
        let wants =
            self.slots.get(index).is_some_and(|client| client.connection.wanted_loan().is_some());
        if wants && !self.lending.waiting.contains(&index) {
            self.lending.waiting.push_back(index);
        }
    }

    /// Lends to those who wait, in turn.
    pub(super) fn grant_loans(&mut self) {
        while let Some(&index) = self.lending.waiting.front() {
            let wanted = self.slots.get(index).and_then(|client| client.connection.wanted_loan());
            let Some(total) = wanted else {
                self.lending.waiting.pop_front();
                continue;
            };
            let allowance = self.lending.allowance;
            let Server { slots, lending, .. } = self;
            let mut lent = 0;
            lending.borrowers.retain(|&borrower| {
                let reserved = slots.get_mut(borrower).map_or(0, |client| {
                    client.connection.inbox().credit.reserved().saturating_sub(allowance)
                });
                lent += reserved;
                reserved > 0
            });
            let Some(client) = slots.get_mut(index) else { continue };
            let credit = &mut client.connection.inbox().credit;
            if lent + credit.shortfall(total) > lending.pool {
                self.end_idle_loans();
                return;
            }
            credit.lend(total);
            lending.waiting.pop_front();
            if !lending.borrowers.contains(&index) {
                lending.borrowers.push(index);
            }
            self.activate(index);
        }
    }

    /// Somebody waits and the pool is empty: whoever borrowed and sends nothing has to go.
    fn end_idle_loans(&mut self) {
        let now = self.context.tick.now;
        let idle = |server: &mut Server, index: u32| {
            let client = server.slots.get_mut(index)?;
            (client.connection.inbox().reliable_at() + PATIENCE <= now).then_some(index)
        };
        let borrowers = self.lending.borrowers.clone();
        for index in borrowers {
            if idle(self, index).is_some() {
                self.depart(index, DisconnectReason::PROTOCOL_ERROR, b"", true, false);
            }
        }
    }
}
