//! When each connection next has something to do. A heap that knows where each slot's timer is: moving one
//! costs a few steps, and an update touches only the connections that are due.

use crate::time::Instant;

/// At most one timer for each slot number.
#[derive(Debug, Default)]
pub struct TimerQueue {
    /// A binary heap, the earliest first.
    heap: Vec<(Instant, u32)>,
    /// Where each slot's timer is in the heap.
    places: Vec<Option<u32>>,
}

impl TimerQueue {
    /// Sets, moves or removes the timer of a slot.
    pub fn set(&mut self, slot: u32, at: Option<Instant>) {
        let index = slot as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, None);
        }
        let place = self.places.get(index).copied().flatten();
        match (place, at) {
            (None, None) => {}
            (None, Some(at)) => {
                self.heap.push((at, slot));
                self.sift_up(self.heap.len() - 1);
            }
            (Some(place), None) => self.remove_at(place as usize),
            (Some(place), Some(at)) => {
                if let Some(entry) = self.heap.get_mut(place as usize) {
                    entry.0 = at;
                    let place = self.sift_up(place as usize);
                    self.sift_down(place);
                }
            }
        }
    }

    /// The earliest timer.
    pub fn next(&self) -> Option<Instant> {
        self.heap.first().map(|&(at, _)| at)
    }

    /// Takes the earliest timer if it is due at `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<u32> {
        let &(at, slot) = self.heap.first()?;
        (at <= now).then(|| {
            self.remove_at(0);
            slot
        })
    }

    fn key(&self, place: usize) -> Option<(Instant, u32)> {
        self.heap.get(place).copied()
    }

    fn note_place(&mut self, place: usize) {
        if let Some(&(_, slot)) = self.heap.get(place)
            && let Some(known) = self.places.get_mut(slot as usize)
        {
            *known = Some(place as u32);
        }
    }

    fn remove_at(&mut self, place: usize) {
        if place >= self.heap.len() {
            return;
        }
        let (_, slot) = self.heap.swap_remove(place);
        if let Some(known) = self.places.get_mut(slot as usize) {
            *known = None;
        }
        if place < self.heap.len() {
            let place = self.sift_up(place);
            self.sift_down(place);
        }
    }

    fn sift_up(&mut self, mut place: usize) -> usize {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.key(parent) <= self.key(place) {
                break;
            }
            self.heap.swap(parent, place);
            self.note_place(place);
            place = parent;
        }
        self.note_place(place);
        place
    }

    fn sift_down(&mut self, mut place: usize) {
        loop {
            let children = [2 * place + 1, 2 * place + 2];
            let smallest = children.into_iter().filter(|&child| child < self.heap.len());
            let Some(child) = smallest.min_by_key(|&child| self.key(child)) else { break };
            if self.key(place) <= self.key(child) {
                break;
            }
            self.heap.swap(place, child);
            self.note_place(place);
            place = child;
        }
        self.note_place(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn timers_fire_in_order_whatever_was_moved_or_removed(
            operations in prop::collection::vec((0u32..20, prop::option::of(0u64..100)), 0..200),
        ) {
            let mut queue = TimerQueue::default();
            let mut model = BTreeMap::new();
            for (slot, at) in operations {
                let at = at.map(Instant::from_nanos);
                queue.set(slot, at);
                match at {
                    Some(at) => model.insert(slot, at),
                    None => model.remove(&slot),
                };
                prop_assert_eq!(queue.next(), model.values().copied().min());
            }
            let half = Instant::from_nanos(50);
            while let Some(slot) = queue.pop_due(half) {
                let at = model.remove(&slot).unwrap();
                prop_assert!(at <= half && model.values().all(|&other| other >= at));
            }
            prop_assert!(model.values().all(|&at| at > half));
            prop_assert_eq!(queue.heap.len(), model.len());
        }
    }
}
