//! CUTE 1.00, the protocol of the original `cute_net.h` v1.03, a file for each of its concepts.
//!
//! - The primitives: [`gimli`] below everything; [`hash`], [`drbg`], [`secretbox`], [`signature`].
//! - [`token`]: what a back end gives a player. [`packet`]: everything else on the wire.

pub mod drbg;
pub mod gimli;
pub mod hash;
pub mod packet;
pub mod secretbox;
pub mod signature;
pub mod token;
