//! CUTE 2.00, the protocol of this library (docs/PROTOCOL.md), a file for each of its concepts.

pub mod admission;
pub mod attempt;
pub mod congestion;
pub mod connection;
pub mod cookie;
pub mod frame;
pub mod frame_writer;
pub mod handshake;
pub mod inbox;
pub mod keys;
pub mod loss;
pub mod outbox;
pub mod packet;
pub mod path;
pub mod reassembly;
pub mod receive_credit;
pub mod receive_space;
pub mod received;
pub mod rtt;
pub mod send_space;
pub mod sent_packets;
pub mod token;
pub mod unreliable_assemblies;
pub mod unreliable_queue;
