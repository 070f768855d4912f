//! The replay window of CUTE 1.00: each authenticator opens one packet (in the original
//! `cn_protocol_replay_buffer_t`, which knows sequences alone).
//!
//! Its cipher takes in the lowest byte of a sequence and the last byte of the synthetic IV as their XOR
//! (`v1/secretbox.rs`): whoever changes the same bits of both gets a packet with the same content and the same
//! authenticator under another sequence of the same block of 256. A listener could so make of one recorded
//! packet 255 that open, and have each counted instead of one still to come. Therefore the window consists of whole
//! blocks, and knows packets by tags of their authenticators: a copy is a replay whatever sequence it names, and
//! one that overtakes its original takes no other packet's place.

/// Sequences that differ in their lowest byte alone, and so the most packets that their sender seals for them.
const BLOCK: usize = 256;

/// Part of a packet's authenticator. Two packets of a block have the same by chance once in 16 million: the
/// second is then lost, as if the network had dropped it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(u32);

impl Tag {
    /// What no packet has: room for one.
    const NONE: Tag = Tag(0);

    /// The tag of a packet with this authenticator.
    pub fn new(mac: &[u8]) -> Tag {
        let first = mac.first_chunk().map_or(0, |first| u32::from_le_bytes(*first));
        Tag(first.max(1))
    }
}

/// The packets accepted of the newest block of sequences and the one before; older ones count as seen, so that
/// at least 256 may overtake another. Takes its memory with the first packet.
#[derive(Debug, Default)]
pub struct ReplayWindow {
    /// The block of the highest sequence.
    newest: u64,
    /// The tags of both blocks, those of the even one first.
    seen: Option<Box<[[Tag; BLOCK]; 2]>>,
}

impl ReplayWindow {
    /// True if this packet may still be accepted. Ask before it is opened.
    pub fn is_fresh(&self, sequence: u64, tag: Tag) -> bool {
        let block = block(sequence);
        let Some(seen) = self.seen.as_ref().filter(|_| block <= self.newest) else { return true };
        let Some(tags) = seen.get((block % 2) as usize).filter(|_| self.newest - block < 2) else {
            return false;
        };
        // All of them and without a branch, so that the compiler compares several at once.
        let (known, room) = tags.iter().fold((false, false), |(known, room), &other| {
            (known | (other == tag), room | (other == Tag::NONE))
        });
        room && !known
    }

    /// Notes that this packet was accepted.
    pub fn insert(&mut self, sequence: u64, tag: Tag) {
        let block = block(sequence);
        let seen = self.seen.get_or_insert_with(|| Box::new([[Tag::NONE; BLOCK]; 2]));
        if block > self.newest + 1 {
            **seen = [[Tag::NONE; BLOCK]; 2];
        }
        if let Some(tags) = seen.get_mut((block % 2) as usize) {
            if block > self.newest {
                *tags = [Tag::NONE; BLOCK];
            }
            // Where no copy took it, its own place is free.
            let own = (sequence % BLOCK as u64) as usize;
            let free = |tag: &Tag| *tag == Tag::NONE;
            let place =
                if tags.get(own).is_some_and(free) { Some(own) } else { tags.iter().position(free) };
            if let Some(slot) = place.and_then(|place| tags.get_mut(place)) {
                *slot = tag;
            }
        }
        self.newest = self.newest.max(block);
    }
}

/// The block of a sequence: all of it that the cipher proves.
pub fn block(sequence: u64) -> u64 {
    sequence / BLOCK as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tag that belongs to a sequence alone.
    fn tag(sequence: u64) -> Tag {
        Tag::new(&(sequence as u32).wrapping_add(1).to_le_bytes())
    }

    fn takes(window: &mut ReplayWindow, sequence: u64) -> bool {
        let fresh = window.is_fresh(sequence, tag(sequence));
        if fresh {
            window.insert(sequence, tag(sequence));
        }
        fresh
    }

    #[test]
    fn each_packet_is_accepted_once() {
        let mut window = ReplayWindow::default();
        for sequence in [0, 2, 1, 500, 499, 300, 3] {
            assert!(takes(&mut window, sequence), "{sequence}");
            assert!(!window.is_fresh(sequence, tag(sequence)));
        }
    }

    #[test]
    fn copies_that_overtake_take_no_other_packets_place() {
        let mut window = ReplayWindow::default();
        for sequence in 512..768u64 {
            let moved = sequence ^ (sequence * 7 % 256);
            assert!(window.is_fresh(moved, tag(sequence)), "{sequence}");
            window.insert(moved, tag(sequence));
            assert!(!window.is_fresh(sequence, tag(sequence)));
        }
        // More than its sender can have sealed for a block there is no room for.
        assert!(!window.is_fresh(600, tag(9999)) && window.is_fresh(768, tag(768)));
    }

    #[test]
    fn each_authenticator_opens_one_packet_of_its_block() {
        let mut window = ReplayWindow::default();
        assert!(takes(&mut window, 300));
        for sequence in 256..512 {
            assert!(!window.is_fresh(sequence, tag(300)), "{sequence}");
        }
        // Elsewhere it is another packet's, whose cipher it does not fit.
        assert!(window.is_fresh(255, tag(300)) && window.is_fresh(512, tag(300)));
        // It is known as long as a sequence of its block would be accepted.
        assert!(takes(&mut window, 767));
        assert!(!window.is_fresh(511, tag(300)) && window.is_fresh(511, tag(511)));
        assert!(takes(&mut window, 768));
        assert!(!window.is_fresh(511, tag(511)) && window.is_fresh(512, tag(512)));
    }

    #[test]
    fn at_least_256_may_overtake_another() {
        for highest in [256u64, 300, 511, 512, 10_000, u64::MAX] {
            let mut window = ReplayWindow::default();
            assert!(takes(&mut window, highest));
            assert!(takes(&mut window, highest - 256), "{highest}");
            assert!(highest < 512 || !window.is_fresh(highest - 512, tag(highest - 512)));
        }
    }

    #[test]
    fn a_jump_forgets_exactly_what_left_the_window() {
        let mut window = ReplayWindow::default();
        (0..512).for_each(|sequence| assert!(takes(&mut window, sequence)));
        assert!(takes(&mut window, 513));
        assert!((256..512).all(|sequence| !window.is_fresh(sequence, tag(sequence))));
        assert!(window.is_fresh(512, tag(512)) && !window.is_fresh(255, tag(9999)));
        assert!(takes(&mut window, 1 << 40));
        assert!(window.is_fresh((1 << 40) + 1, tag(1)) && window.is_fresh((1 << 40) - 1, tag(1)));
        assert!(!window.is_fresh(513, tag(9999)));
    }

    #[test]
    fn an_authenticator_of_zeroes_counts_too() {
        let mut window = ReplayWindow::default();
        let zero = Tag::new(&[0; 16]);
        assert!(window.is_fresh(7, zero));
        window.insert(7, zero);
        assert!(!window.is_fresh(7, zero) && !window.is_fresh(8, zero));
    }
}
