//! How much the peer may send that it wants delivered (PROTOCOL section 7, credit): the receiver's
//! memory, granted ahead. A message is begun only if it fits whole, so everything begun can finish,
//! and a receiver never has to refuse what it let begin.

use super::receive_space::Violation;
use super::send_space::{MESSAGE_COST, SendCredit};

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
    /// Total of the messages the program took since the start.
    consumed: u64,
}

impl ReceiveCredit {
    /// Starts with an allowance of `allowance` bytes, at least [`SendCredit::INITIAL`].
    pub fn new(allowance: u64) -> ReceiveCredit {
        let allowance = allowance.max(SendCredit::INITIAL);
        ReceiveCredit { allowance, granted: SendCredit::INITIAL, lent: 0, begun: 0, consumed: 0 }
    }

    /// Notes that the peer began a message of `total` bytes.
    pub fn begin(&mut self, total: u32) -> Result<(), Violation> {
        let begun = self.begun + u64::from(total) + MESSAGE_COST as u64;
        if begun > self.granted {
            return Err(Violation);
        }
        self.begun = begun;
        Ok(())
    }

    /// Notes that the program took a message of `length` bytes.
    pub fn consume(&mut self, length: usize) {
        self.consumed += (length + MESSAGE_COST) as u64;
    }

    /// True if the program has taken everything that came.
    pub fn is_all_taken(&self) -> bool {
        self.consumed == self.begun
    }

    /// What could be granted now.
    fn target(&self) -> u64 {
        (self.consumed + self.allowance).max(self.lent)
    }

    /// True if the peer should be told of more: what it has left is less than half, or it is blocked.
    pub fn is_grant_due(&self) -> bool {
        let more = self.target().saturating_sub(self.granted);
        let left = self.granted.saturating_sub(self.begun);
        more > 0 && (more >= self.allowance / 4 || left < self.allowance / 2)
    }

    /// Grants all there is; returns the total to tell the peer.
    pub fn grant(&mut self) -> u64 {
        self.granted = self.granted.max(self.target());
        self.granted
    }

    /// Bytes that a peer waiting for a total of `needed` lacks beyond its allowance.
    pub fn shortfall(&self, needed: u64) -> u64 {
        // What was begun and not taken keeps its room; a message can need no more than that and itself.
        needed.saturating_sub(self.target())
    }

    /// Promises a total beyond the allowance.
    pub fn lend(&mut self, total: u64) {
        self.lent = self.lent.max(total);
    }

    /// Bytes promised to the peer and not yet taken by the program.
    pub fn reserved(&self) -> u64 {
        self.granted.max(self.target()).saturating_sub(self.consumed)
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

    #[test]
    fn a_loan_shrinks_back_as_it_is_used() {
        let mut credit = ReceiveCredit::new(100_000);
        credit.grant();
        let needed = 1_000_064;
        assert_eq!(credit.shortfall(needed), 900_064);
        credit.lend(needed);
        assert!(credit.is_grant_due());
        assert_eq!(credit.grant(), needed);
        assert_eq!(credit.reserved(), needed);
        credit.begin(1_000_000).unwrap();
        assert_eq!(credit.begin(0), Err(Violation));
        credit.consume(1_000_000);
        assert_eq!(credit.reserved(), 100_000);
        assert_eq!(credit.grant(), needed + 100_000);
    }
}
