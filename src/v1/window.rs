//! How many reliable fragments may be in flight: it grows while they arrive and shrinks when some are lost, once
//! in a round trip (RFC 5681). Never as few that a slow peer's acknowledgements stop it, never as many that an
//! original's receiver, which reads only in its program's updates, can't take them.

/// The original's number, and the number to begin with.
const INITIAL: usize = 32;
/// However much is lost, this many go on.
const LEAST: usize = 16;
/// Beyond this an original's socket buffer overflows between two updates.
const MOST: usize = 192;

/// The number of fragments that may be in flight.
#[derive(Debug)]
pub struct Window {
    size: usize,
    /// Below this it grows by one for each fragment that arrives, above by one for each window.
    threshold: usize,
    arrived: usize,
    /// Packets below this were sent before the last loss was known.
    recovered_at: u64,
}

impl Default for Window {
    fn default() -> Self {
        Window { size: INITIAL, threshold: MOST, arrived: 0, recovered_at: 0 }
    }
}

impl Window {
    /// The most fragments in flight.
    pub fn size(&self) -> usize {
        self.size
    }

    /// A fragment arrived; `is_full` says that more would have been sent.
    pub fn on_acked(&mut self, is_full: bool) {
        if !is_full {
            return;
        }
        self.arrived += 1;
        if self.size < self.threshold || self.arrived >= self.size {
            self.arrived = 0;
            self.size = (self.size + 1).min(MOST);
        }
    }

    /// A fragment of packet `number` is lost; `next` is the number of the next packet.
    pub fn on_lost(&mut self, number: u64, next: u64) {
        if number >= self.recovered_at {
            self.recovered_at = next;
            self.size = (self.size * 7 / 10).max(LEAST);
            self.threshold = self.size;
            self.arrived = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_while_it_is_used_and_shrinks_once_a_round_trip() {
        let mut window = Window::default();
        (0..100).for_each(|_| window.on_acked(false));
        assert_eq!(window.size(), 32);
        (0..1000).for_each(|_| window.on_acked(true));
        assert_eq!(window.size(), MOST);
        (900..1000).for_each(|number| window.on_lost(number, 1000));
        assert_eq!(window.size(), 134);
        (1000..1200).for_each(|number| window.on_lost(number, number + 1));
        assert_eq!(window.size(), LEAST);
        (0..3 * LEAST).for_each(|_| window.on_acked(true));
        assert_eq!(window.size(), LEAST + 2);
    }
}
