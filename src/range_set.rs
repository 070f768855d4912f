//! A set of numbers kept as sorted, disjoint ranges: packet numbers received, bytes of a message
//! acknowledged or lost. Cost follows the number of gaps, never the numbers in between.

use crate::prefetch::prefetch;
use std::ops::Range;

/// Sorted half-open ranges that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet {
    ranges: Vec<Range<u64>>,
}

impl RangeSet {
    /// Asks the processor for the highest range.
    pub fn prefetch(&self) {
        self.ranges.last().into_iter().for_each(prefetch);
    }

    /// True if the set holds nothing.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The number of separate ranges.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The lowest range.
    pub fn first(&self) -> Option<Range<u64>> {
        self.ranges.first().cloned()
    }

    /// The ranges from the lowest to the highest; reversible.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + '_ {
        self.ranges.iter().cloned()
    }

    /// True if every number of `range` is in the set.
    pub fn covers(&self, range: Range<u64>) -> bool {
        let at = self.ranges.partition_point(|known| known.end < range.end);
        range.is_empty() || self.ranges.get(at).is_some_and(|known| known.start <= range.start)
    }

    /// The ranges that have numbers in common with `range`.
    pub fn overlapping(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let from = self.ranges.partition_point(|known| known.end <= range.start);
        self.ranges.iter().skip(from).take_while(move |known| known.start < range.end).cloned()
    }

    /// Adds the numbers of `range`; true if at least one of them was new.
    pub fn insert(&mut self, range: Range<u64>) -> bool {
        if self.covers(range.clone()) {
            return false;
        }
        // Everything that overlaps or touches the new range becomes one with it.
        let from = self.ranges.partition_point(|known| known.end < range.start);
        let to = self.ranges.partition_point(|known| known.start <= range.end);
        let merged = match (self.ranges.get(from), self.ranges.get(to.wrapping_sub(1))) {
            (Some(first), Some(last)) if from < to => {
                first.start.min(range.start)..last.end.max(range.end)
            }
            _ => range,
        };
        self.ranges.splice(from..to, [merged]);
        true
    }

    /// Takes the numbers of `range` out of the set.
    pub fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let from = self.ranges.partition_point(|known| known.end <= range.start);
        let to = self.ranges.partition_point(|known| known.start < range.end);
        if from >= to {
            return;
        }
        let left = self.ranges.get(from).map(|first| first.start..range.start);
        let right = self.ranges.get(to - 1).map(|last| range.end..last.end);
        let kept = [left, right].into_iter().flatten().filter(|part| !part.is_empty());
        self.ranges.splice(from..to, kept);
    }

    /// Takes the lowest range out of the set.
    pub fn pop_first(&mut self) -> Option<Range<u64>> {
        (!self.ranges.is_empty()).then(|| self.ranges.remove(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn assert_sorted_and_apart(set: &RangeSet) {
        for pair in set.ranges.windows(2) {
            assert!(pair[0].end < pair[1].start, "{set:?}");
        }
        assert!(set.ranges.iter().all(|range| !range.is_empty()), "{set:?}");
    }

    proptest! {
        #[test]
        fn behaves_as_a_set_of_numbers(
            operations in prop::collection::vec((any::<bool>(), 0u64..60, 0u64..12), 0..80),
        ) {
            let mut set = RangeSet::default();
            let mut model = BTreeSet::new();
            for (insert, start, length) in operations {
                let range = start..start + length;
                if insert {
                    let mut grew = false;
                    for number in range.clone() {
                        grew |= model.insert(number);
                    }
                    prop_assert_eq!(set.insert(range.clone()), grew);
                    prop_assert!(set.covers(range));
                } else {
                    model.retain(|number| !range.contains(number));
                    set.remove(range);
                }
                assert_sorted_and_apart(&set);
                prop_assert_eq!(set.iter().flatten().collect::<BTreeSet<_>>(), model.clone());
            }
            for number in 0..80 {
                prop_assert_eq!(set.covers(number..number + 1), model.contains(&number));
                let found = set.overlapping(number..number + 7).flatten().any(|held| held >= number && held < number + 7);
                prop_assert_eq!(found, model.range(number..number + 7).next().is_some());
            }
        }
    }

    #[test]
    fn the_lowest_range_is_taken_first() {
        let mut set = RangeSet::default();
        for range in [4..6, 0..2, 9..10] {
            assert!(set.insert(range));
        }
        assert_eq!((set.first(), set.len()), (Some(0..2), 3));
        set.remove(0..5);
        assert_eq!(set.pop_first(), Some(5..6));
        assert_eq!(set.pop_first(), Some(9..10));
        assert_eq!(set.pop_first(), None);
        assert!(set.is_empty());
    }
}
