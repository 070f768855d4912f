//! Random bytes: straight from the operating system on every call for keys and tokens, so that
//! forked processes differ, and from a seeded ChaCha20 generator inside the engine, so that a seed
//! reproduces a run.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use std::fmt;

/// The operating system gave no random bytes. No system the library runs on does this once it is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomError;

impl fmt::Display for RandomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "The operating system's random generator failed; nothing secret can be made without it.",
        )
    }
}

impl std::error::Error for RandomError {}

/// Fills `buffer` from the operating system's generator.
// A call is nothing beside a system call.
#[inline(never)]
pub fn fill(buffer: &mut [u8]) -> Result<(), RandomError> {
    getrandom::fill(buffer).map_err(|_| RandomError)
}

/// `N` bytes from the operating system's generator.
pub fn bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// The engine's own generator: unpredictable if its seed is, the same run for the same seed.
pub struct Generator(ChaCha20Rng);

impl Generator {
    /// Starts from 32 secret bytes of the operating system, or from a test's seed.
    pub fn new(seed: [u8; 32]) -> Generator {
        Generator(ChaCha20Rng::from_seed(seed))
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// One copy of what draws anew, for all `N`.
    #[inline(never)]
    fn fill(&mut self, buffer: &mut [u8]) {
        self.0.fill_bytes(buffer);
    }

    /// A number below `bound`, or 0 if `bound` is 0. The bias of the remainder is below 2^-32 for
    /// the small bounds the engine asks for.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64().checked_rem(bound).unwrap_or(0)
    }
}

impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Generator(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_its_own_bytes_every_time() {
        let draw = |seed| {
            let mut generator = Generator::new([seed; 32]);
            (generator.bytes::<20>(), generator.below(1000), generator.below(0))
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(1).1 < 1000);
    }

    #[test]
    fn the_system_gives_other_bytes_on_every_call() {
        assert_ne!(bytes::<32>().unwrap(), bytes::<32>().unwrap());
    }
}
