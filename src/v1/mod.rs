//! CUTE 1.00, the protocol of the original `cute_net.h` v1.03, a file for each of its concepts.
//!
//! - The primitives: [`gimli`] below everything; [`hash`], [`drbg`], [`secretbox`], [`signature`].
//! - [`token`]: what a back end gives a player. [`packet`]: everything else on the wire. [`packet_seal`]: no
//!   sequence is used twice, and each packet counts once, by its [`replay`] window.
//! - Letting in: [`attempt`] is the client's side of it, [`admission`] and [`pending`] the server's.
//! - Payloads: [`payload`]. What arrived: [`received_packets`]. What was sent: [`sent_packets`].
//! - Messages out: [`reliable_sender`], [`window`], [`unreliable_queue`]. Messages in: [`inbox`],
//!   [`reliable_receiver`], [`unreliable_receiver`], [`reassembly`].
//! - [`transport`] and [`connection`] hold all of this together.

pub mod admission;
pub mod attempt;
pub mod connection;
pub mod drbg;
pub mod gimli;
pub mod hash;
pub mod inbox;
pub mod packet;
pub mod packet_seal;
pub mod payload;
pub mod pending;
pub mod reassembly;
pub mod received_packets;
pub mod reliable_receiver;
pub mod reliable_sender;
pub mod replay;
pub mod secretbox;
pub mod sent_packets;
pub mod signature;
pub mod token;
pub mod transport;
pub mod unreliable_queue;
pub mod unreliable_receiver;
pub mod window;
