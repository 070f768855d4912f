//! How a server divides its memory for what clients send. Each client has an allowance of credit; one whose
//! message is larger borrows from a common pool until the program has taken the message. So every message
//! that the protocol allows can be sent, and no number of clients takes more than the whole.

use super::Server;
use super::depart::EndedBy;
use crate::duration::Duration;
use crate::keyed_map::{KeyedHash, KeyedMap};
use crate::ready::InboxBudget;
use crate::reason::DisconnectReason;
use crate::time::Instant;
use crate::v2::send_space::SendCredit;
use std::collections::VecDeque;

/// Memory for what all clients send, unless set.
pub const DEFAULT_MEMORY: u64 = 256 << 20;
/// The least of it that a program can set: one message of the largest size fits, and there is something for others.
pub const LEAST_MEMORY: u64 = 32 << 20;
/// A client that borrowed and sends nothing new for this long is sent away if another waits.
const PATIENCE: Duration = Duration::from_secs(10);
/// So is one that uses what it borrowed more slowly than this many bytes a second.
const SLOWEST: u64 = 64 << 10;

/// Who borrows and who waits.
#[derive(Debug)]
pub struct Lending {
    /// Bytes that can be lent.
    pool: u64,
    /// Bytes that each client may send without borrowing.
    allowance: u64,
    /// By slot.
    borrowers: KeyedMap<u32, Loan>,
    /// Connection ids, in turn; some may be of clients that are gone.
    waiting: VecDeque<u32>,
}

/// Entries of clients that are gone are cleared away above this, and twice the number of clients.
const FEW_WAITING: usize = 64;

/// What a client borrows.
#[derive(Clone, Copy, Debug)]
struct Loan {
    since: Instant,
    /// When all of it must have been used.
    due: Instant,
}

impl Lending {
    /// Divides `memory` bytes for `max_clients`: a quarter to lend, but enough for a message of the largest size; half of
    /// the rest for allowances, a third for unreliable messages, a sixth for what
    /// [clients leave behind](Lending::left_behind).
    pub fn new(memory: u64, max_clients: usize, hash: KeyedHash) -> (Lending, InboxBudget) {
        let clients = max_clients.max(1) as u64;
        let most = InboxBudget::DEFAULT;
        let pool = Lending::pool(memory);
        let rest = Lending::rest(memory);
        let reliable = (rest / 2 / clients).clamp(SendCredit::INITIAL, most.reliable);
        let unreliable = (rest / 3 / clients).clamp(SendCredit::INITIAL, most.unreliable as u64);
        let borrowers = KeyedMap::with_hasher(hash);
        let lending = Lending { pool, allowance: reliable, borrowers, waiting: VecDeque::new() };
        (lending, InboxBudget { reliable, unreliable: unreliable as usize })
    }

    /// Bytes of `memory` to lend.
    fn pool(memory: u64) -> u64 {
        (memory / 4).max(InboxBudget::DEFAULT.reliable)
    }

    /// Bytes of `memory` that are not lent. Of less than a program can set, that is where no message is large.
    fn rest(memory: u64) -> u64 {
        if memory < LEAST_MEMORY { memory / 4 * 3 } else { memory - Lending::pool(memory) }
    }

    /// Bytes of `memory` for what clients that are gone had sent.
    pub fn left_behind(memory: u64) -> usize {
        usize::try_from(Lending::rest(memory) / 6).unwrap_or(usize::MAX)
    }

    /// Forgets a client that is gone.
    pub fn on_disconnected(&mut self, index: u32) {
        self.borrowers.remove(&index);
    }
}

impl Server {
    /// Notes that a client may be waiting for credit that only a loan gives.
    pub(super) fn note_loan_wanted(&mut self, index: u32) {
        let Some(client) = self.slots.get_mut(index) else { return };
        if !client.waits_for_loan && client.connection.wanted_loan().is_some() {
            client.waits_for_loan = true;
            let id = client.id;
            let Server { slots, lending, .. } = self;
            if lending.waiting.len() > FEW_WAITING + 2 * slots.connected() {
                lending.waiting.retain(|&id| slots.find(id).is_some());
            }
            lending.waiting.push_back(id);
        }
    }

    /// Lends to those who wait, in turn.
    pub(super) fn grant_loans(&mut self) {
        if self.lending.waiting.is_empty() {
            return;
        }
        // Counted once: however many wait, an update costs no more than a look at each.
        let mut lent = self.lent();
        let Lending { pool, allowance, .. } = self.lending;
        while let Some(&id) = self.lending.waiting.front() {
            let index = self.slots.find(id);
            let client = index.and_then(|index| self.slots.get_mut(index));
            let Some((index, client)) = index.zip(client) else {
                self.lending.waiting.pop_front();
                continue;
            };
            let wanted = client.connection.wanted_loan();
            if wanted.is_some_and(|wanted| lent + wanted > pool) {
                self.end_overdue_loans();
                return;
            }
            self.lending.waiting.pop_front();
            client.waits_for_loan = false;
            let Some(wanted) = wanted else { continue };
            let before = client.connection.borrowed(allowance);
            client.connection.lend();
            lent += client.connection.borrowed(allowance).saturating_sub(before);
            let since = self.context.tick.now;
            let due = since + PATIENCE + Duration::from_secs(wanted / SLOWEST);
            self.lending.borrowers.insert(index, Loan { since, due });
            self.activate(index);
        }
    }

    /// Bytes lent now; who has given everything back is no borrower any more.
    fn lent(&mut self) -> u64 {
        let Server { slots, lending, .. } = self;
        let allowance = lending.allowance;
        let mut lent = 0;
        lending.borrowers.retain(|&index, _| {
            let client = slots.get_mut(index);
            let borrowed = client.map_or(0, |client| client.connection.borrowed(allowance));
            lent += borrowed;
            borrowed > 0
        });
        lent
    }

    /// Somebody waits and the pool is empty: whoever borrowed and does not send it has to go. What waits
    /// for the program is not the client's fault.
    fn end_overdue_loans(&mut self) {
        let now = self.context.tick.now;
        for (index, Loan { since, due }) in self.lending.borrowers.clone() {
            let Some(client) = self.slots.get_mut(index) else { continue };
            let idle = client.connection.progress_at().max(since) + PATIENCE <= now;
            if client.connection.owes() && (idle || due <= now) {
                self.depart(index, DisconnectReason::PROTOCOL_ERROR, b"", EndedBy::Server);
            }
        }
    }
}
