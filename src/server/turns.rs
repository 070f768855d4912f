//! The order in which those who have something to say get their turn. Whoever may not send now, because the
//! socket of its address's family is full, keeps its turn and is passed over: the other family goes on.

use std::collections::VecDeque;

/// Slots or connection ids, in turn.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Those whose turn is to come.
    coming: VecDeque<u32>,
    /// Those passed over since the last time that all had their turn.
    passed_over: Vec<u32>,
}

impl Turns {
    /// Adds one at the end.
    pub fn push(&mut self, id: u32) {
        self.coming.push_back(id);
    }

    /// True if nobody has anything to say.
    pub fn is_empty(&self) -> bool {
        self.coming.is_empty() && self.passed_over.is_empty()
    }

    /// Whose turn it is.
    pub fn front(&self) -> Option<u32> {
        self.coming.front().copied()
    }

    /// Who comes so many turns later.
    pub fn ahead(&self, count: usize) -> Option<u32> {
        self.coming.get(count).copied()
    }

    /// Ends a turn: there is nothing more to say.
    pub fn finish(&mut self) {
        self.coming.pop_front();
    }

    /// Passes over whose turn it is.
    pub fn pass_over(&mut self) {
        self.passed_over.extend(self.coming.pop_front());
    }

    /// Begins anew with those that were passed over.
    pub fn restart(&mut self) {
        for id in self.passed_over.drain(..).rev() {
            self.coming.push_front(id);
        }
    }

    /// All of them, after [`restart`](Self::restart).
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.coming.iter().copied()
    }

    /// Lets the one at `place` begin, and those before it come last.
    pub fn rotate(&mut self, place: usize) {
        self.coming.rotate_left(place.min(self.coming.len()));
    }
}
