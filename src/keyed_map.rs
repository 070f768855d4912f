//! Hash maps whose hash is keyed from the engine's generator: nobody can choose keys that collide, and
//! a seed still reproduces a run.

use crate::crypto::random::Generator;
use siphasher::sip::SipHasher13;
use std::collections::HashMap;
use std::hash::BuildHasher;

/// A map with keyed hashing.
pub type KeyedMap<K, V> = HashMap<K, V, KeyedHash>;

/// SipHash-1-3 under a random key.
#[derive(Clone)]
pub struct KeyedHash {
    key: [u8; 16],
}

impl KeyedHash {
    /// Draws a key.
    pub fn new(generator: &mut Generator) -> KeyedHash {
        KeyedHash { key: generator.bytes() }
    }
}

impl BuildHasher for KeyedHash {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.key)
    }
}

impl std::fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyedHash(..)")
    }
}
