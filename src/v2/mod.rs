//! CUTE 2.00, the protocol of this library (docs/PROTOCOL.md), a file for each of its concepts.

pub mod cookie;
pub mod frame;
pub mod frame_writer;
pub mod handshake;
pub mod keys;
pub mod packet;
pub mod token;
