//! How much the peer may send that it wants delivered (PROTOCOL section 7, credit): the receiver's
//! memory, granted ahead. A message is begun only if it fits whole, so everything begun can finish,
//! and a receiver never has to refuse what it let begin.

use super::receive_space::Violation;
use super::send_space::SendCredit;
use crate::message::MESSAGE_COST;
use crate::ready::InboxBudget;
use crate::sending::MAX_MESSAGE_SIZE;
use std::cmp::Ordering;

/// What one connection may hold with a loan: no more than one that needs none.
const MOST_HELD: u64 = InboxBudget::DEFAULT.reliable;
/// What the largest message takes.
const LARGEST: u64 = (MAX_MESSAGE_SIZE + MESSAGE_COST) as u64;

/// Credit granted to the peer, and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct ReceiveCredit {
    /// Bytes that may be begun and not yet taken by the program.
    allowance: u64,
    /// Total granted since the start: the highest CREDIT sent.
    granted: u64,
    /// A total promised beyond the allowance, for a message that needs it.
    lent: u64,
    /// Total of the messages begun since the start, as far as seen.
    begun: u64,
    /// Total of the messages that came whole since the start.
    completed: u64,
    /// Total of the messages the program took since the start.
    consumed: u64,
    /// The total that the peer waits for.
    wanted: u64,
    /// What a loan is more than that, where other messages take of the credit while one waits: they go on while the
    /// loan is on its way, and take an allowance at most.
    spare: u64,
}

impl ReceiveCredit {
    /// Starts with an allowance of `allowance` bytes, at least [`SendCredit::INITIAL`].
    pub fn new(allowance: u64) -> ReceiveCredit {
        let allowance = allowance.max(SendCredit::INITIAL);
        ReceiveCredit {
            allowance,
            granted: SendCredit::INITIAL,
            lent: 0,
            begun: 0,
            completed: 0,
            consumed: 0,
            wanted: 0,
            spare: 0,
        }
    }

    /// Notes that the peer began a message of `total` bytes.
    pub fn begin(&mut self, total: u32) -> Result<(), Violation> {
        let begun = self.begun + u64::from(total) + MESSAGE_COST as u64;
        if begun > self.granted {
            return Err(Violation);
        }
        if self.begun < self.wanted {
            match begun.cmp(&self.wanted) {
                Ordering::Less => {}
                // That it waited for.
                Ordering::Equal => self.spare = 0,
                // It waits on, and others have taken what was granted for it.
                Ordering::Greater => self.spare = self.allowance,
            }
        }
        self.begun = begun;
        Ok(())
    }

    /// Notes that a message of `length` bytes is whole.
    pub fn complete(&mut self, length: usize) {
        self.completed += (length + MESSAGE_COST) as u64;
    }

    /// Notes that the program took a message of `length` bytes.
    pub fn consume(&mut self, length: usize) {
        self.consumed += (length + MESSAGE_COST) as u64;
    }

    /// Notes that the peer waits for a total of `wanted` to begin its next message.
    pub fn on_blocked(&mut self, wanted: u64) {
        if wanted > self.wanted && self.wanted > self.begun {
            // It still waits, and what it needs has grown by what other messages took.
            self.spare = self.allowance;
        }
        self.wanted = self.wanted.max(wanted);
    }

    /// What could be granted now.
    fn target(&self) -> u64 {
        (self.consumed + self.allowance).max(self.lent)
    }

    /// True if the peer should be told of more: it waits, or has less than half left, or there is a lot.
    pub fn is_grant_due(&self) -> bool {
        let more = self.target().saturating_sub(self.granted);
        let left = self.granted.saturating_sub(self.begun);
        let waits = self.wanted > self.granted;
        more > 0 && (waits || left < self.allowance / 2 || more >= self.allowance / 4)
    }

    /// Grants all there is; returns the total to tell the peer.
    pub fn grant(&mut self) -> u64 {
        self.granted = self.granted.max(self.target());
        self.granted
    }

    /// The total that a loan would promise.
    fn loan(&self) -> u64 {
        self.wanted.saturating_add(self.spare).min(self.consumed + MOST_HELD)
    }

    /// Bytes beyond its allowance that the peer can't do without: however soon the program takes what there is,
    /// it waits for them, and they are no more than one message needs. Other messages may be on their way
    /// meanwhile, or a channel that never rests would keep a large message of another waiting for ever.
    pub fn wanted_loan(&self) -> Option<u64> {
        let shortfall = self.loan().saturating_sub(self.target());
        let is_needed = self.wanted.saturating_add(self.spare) > self.begun + self.allowance;
        let is_enough = self.wanted <= self.loan();
        let is_one_message = self.wanted.saturating_sub(self.begun) <= LARGEST;
        let program_takes = self.completed.saturating_sub(self.consumed) <= self.allowance / 2;
        (shortfall > 0 && is_needed && is_enough && is_one_message && program_takes).then_some(shortfall)
    }

    /// Promises what the peer waits for.
    pub fn lend(&mut self) {
        self.lent = self.lent.max(self.loan());
    }

    /// Bytes promised to the peer and not yet taken by the program.
    pub fn reserved(&self) -> u64 {
        self.granted.max(self.target()).saturating_sub(self.consumed)
    }

    /// Of a loan, the bytes that the peer has still to send.
    pub fn owed(&self) -> u64 {
        self.granted.max(self.target()).saturating_sub(self.completed + self.allowance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_takes_is_granted_again() {
        let mut credit = ReceiveCredit::new(1 << 20);
        assert!(credit.is_grant_due());
        assert_eq!(credit.grant(), 1 << 20);
        assert!(!credit.is_grant_due());
        for _ in 0..16 {
            credit.begin(60_000).unwrap();
        }
        assert!(!credit.is_grant_due()); // nothing was taken
        credit.consume(60_000);
        assert!(credit.is_grant_due());
        assert_eq!(credit.grant(), (1 << 20) + 60_064);
        assert_eq!(credit.reserved(), 1 << 20);
    }

    #[test]
    fn small_messages_do_not_earn_a_grant_each() {
        let mut credit = ReceiveCredit::new(1 << 20);
        credit.grant();
        let mut grants = 0;
        for _ in 0..10_000 {
            credit.begin(36).unwrap();
            credit.consume(36);
            if credit.is_grant_due() {
                credit.grant();
                grants += 1;
            }
        }
        assert!(grants <= 4, "{grants}");
    }

    /// A message that is larger than what is left and smaller than the allowance: nobody may wait for ever.
    #[test]
    fn a_peer_that_waits_is_granted_whatever_there_is() {
        let mut credit = ReceiveCredit::new(100_000);
        credit.grant();
        credit.begin(20_000).unwrap();
        credit.consume(20_000);
        assert!(!credit.is_grant_due());
        credit.on_blocked(20_064 + 90_064);
        assert!(credit.is_grant_due());
        assert!(credit.grant() >= 20_064 + 90_064);
        assert!(!credit.is_grant_due());
        assert_eq!(credit.wanted_loan(), None);
    }

    #[test]
    fn nobody_waits_for_more_than_the_largest_message() {
        let mut credit = ReceiveCredit::new(100_000);
        credit.grant();
        let most = (MAX_MESSAGE_SIZE + MESSAGE_COST) as u64;
        credit.on_blocked(most);
        credit.lend();
        assert_eq!(credit.grant(), most);
        // A second loan on top of one that was not used:
        credit.on_blocked(most + 1);
        assert_eq!(credit.wanted_loan(), None);
    }

    /// Of what was granted for a message others take some: the next loan has as much to spare as they may take.
    #[test]
    fn a_loan_that_others_took_of_is_followed_by_one_that_they_may() {
        for needed in [20_064, 90_064, 200_064, LARGEST] {
            let mut credit = ReceiveCredit::new(100_000);
            credit.grant();
            credit.on_blocked(needed);
            credit.lend();
            let granted = credit.grant();
            assert_eq!(granted, needed.max(100_000));
            credit.begin(236).unwrap();
            credit.on_blocked(300 + needed);
            // The program has not taken it yet.
            assert_eq!(credit.wanted_loan(), Some(300 + needed + 100_000 - granted));
            credit.lend();
            assert_eq!(credit.grant(), 300 + needed + 100_000);
            assert!(credit.reserved() <= MOST_HELD);
            (0..300).for_each(|_| credit.begin(236).unwrap());
            credit.begin((needed - 64) as u32).unwrap();
            assert_eq!(credit.wanted_loan(), None);
        }
    }

    #[test]
    fn who_is_overtaken_by_smaller_messages_is_lent_what_is_none_of_theirs() {
        let mut credit = ReceiveCredit::new(100_000);
        credit.grant();
        let pass = |credit: &mut ReceiveCredit| {
            credit.begin(10_000).unwrap();
            credit.complete(10_000);
            credit.consume(10_000);
            credit.grant();
        };
        credit.on_blocked(20_064);
        (0..2).for_each(|_| pass(&mut credit));
        assert_eq!(credit.wanted_loan(), None); // perhaps it has begun
        let begun = credit.begun;
        credit.on_blocked(begun + 20_064);
        assert_eq!(credit.wanted_loan(), Some(20_064));
        // Once it has begun, others may borrow no more for it.
        credit.begin(20_000).unwrap();
        credit.on_blocked(begun + 20_064 + 500);
        assert_eq!(credit.wanted_loan(), None);
    }

    /// Loans on top of loans, for messages that are begun and never finished.
    #[test]
    fn nobody_holds_more_with_loans_than_one_that_needs_none() {
        let mut credit = ReceiveCredit::new(100_000);
        credit.grant();
        for _ in 0..1000 {
            credit.on_blocked(credit.begun + 1_000_000);
            if credit.wanted_loan().is_none() {
                break;
            }
            credit.lend();
            credit.grant();
            credit.begin(999_936).unwrap();
        }
        assert_eq!(credit.wanted_loan(), None);
        assert!((MOST_HELD - 1_100_000..=MOST_HELD).contains(&credit.reserved()), "{credit:?}");
    }

    #[test]
    fn who_has_much_waiting_for_the_program_is_lent_nothing() {
        let mut credit = ReceiveCredit::new(100_000);
        credit.grant();
        credit.begin(50_000).unwrap();
        credit.on_blocked(50_064 + 1_000_064);
        // What is still on its way may be as much.
        assert_eq!(credit.wanted_loan(), Some(50_064 + 900_064));
        credit.complete(50_000);
        assert_eq!(credit.wanted_loan(), None);
        credit.consume(50_000);
        assert_eq!(credit.wanted_loan(), Some(900_064));
    }

    #[test]
    fn a_loan_shrinks_back_as_it_is_used() {
        let mut credit = ReceiveCredit::new(100_000);
        credit.grant();
        let needed = 1_000_064;
        assert_eq!(credit.wanted_loan(), None);
        credit.on_blocked(needed);
        assert_eq!(credit.wanted_loan(), Some(900_064));
        credit.lend();
        assert!(credit.is_grant_due());
        assert_eq!(credit.grant(), needed);
        assert_eq!(credit.reserved(), needed);
        assert_eq!(credit.owed(), 900_064);
        credit.begin(1_000_000).unwrap();
        assert_eq!(credit.begin(0), Err(Violation));
        credit.complete(1_000_000);
        assert_eq!(credit.owed(), 0); // the program's turn
        credit.consume(1_000_000);
        assert_eq!(credit.reserved(), 100_000);
        assert_eq!(credit.grant(), needed + 100_000);
    }
}
