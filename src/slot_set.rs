//! A set of slot numbers, walked in order: one bit for each slot, so that neither adding nor walking searches.

/// One bit for each slot.
#[derive(Clone, Debug, Default)]
pub struct SlotSet {
    words: Vec<u64>,
}

impl SlotSet {
    /// Adds a slot.
    pub fn insert(&mut self, slot: u32) {
        let word = slot as usize / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        if let Some(word) = self.words.get_mut(word) {
            *word |= 1 << (slot % 64);
        }
    }

    /// Takes a slot out.
    pub fn remove(&mut self, slot: u32) {
        if let Some(word) = self.words.get_mut(slot as usize / 64) {
            *word &= !(1 << (slot % 64));
        }
    }

    /// The lowest slot that is not below `from`.
    pub fn next_from(&self, from: u32) -> Option<u32> {
        let start = from as usize / 64;
        let mut mask = u64::MAX << (from % 64);
        for (number, word) in self.words.iter().enumerate().skip(start) {
            let found = word & mask;
            if found != 0 {
                return Some(number as u32 * 64 + found.trailing_zeros());
            }
            mask = u64::MAX;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_found_in_order() {
        let mut set = SlotSet::default();
        assert_eq!(set.next_from(0), None);
        for slot in [200, 3, 64, 63] {
            set.insert(slot);
        }
        let walk = |set: &SlotSet, from| {
            std::iter::successors(set.next_from(from), |&last| set.next_from(last + 1))
                .collect::<Vec<_>>()
        };
        assert_eq!(walk(&set, 0), [3, 63, 64, 200]);
        assert_eq!(walk(&set, 64), [64, 200]);
        set.remove(64);
        set.remove(9999);
        assert_eq!(walk(&set, 4), [63, 200]);
        assert_eq!(set.next_from(100_000), None);
    }
}
