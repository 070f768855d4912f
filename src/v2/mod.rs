//! CUTE 2.00, the protocol of this library (docs/PROTOCOL.md), a file for each of its concepts.
//!
//! - Letting in: [`token`], [`keys`], [`cookie`], [`handshake`]; [`attempt`] is the client's side of it,
//!   [`admission`] the server's.
//! - Packets: [`packet`], [`frame`] (reading), [`frame_writer`].
//! - What arrived: [`received`] decides when to say so. What was sent: [`sent_packets`] remembers it, [`loss`]
//!   judges it, more patiently where a path reorders ([`reordering`]); what was lost once goes twice
//!   ([`repeats`]).
//! - How much and how fast: [`congestion`] models the path from its [`delivery_rate`], the [`dispersion`]
//!   of bursts and the [`queue_wait`] of packets, [`pacer`] spreads what it allows, [`path_mtu`] finds how
//!   large a datagram may be.
//! - Messages out: [`outbox`], [`send_space`], [`out_message`], [`unreliable_queue`], [`message_rate`],
//!   [`filling`] a packet. Messages in: [`inbox`], [`receive_space`], [`reassembly`],
//!   [`unreliable_assemblies`], [`receive_credit`].
//! - A client that moves: [`path`]. [`connection`] holds all of this together.

pub mod admission;
pub mod attempt;
pub mod congestion;
pub mod connection;
pub mod cookie;
pub mod delivery_rate;
pub mod dispersion;
pub mod filling;
pub mod frame;
pub mod frame_writer;
pub mod handshake;
pub mod inbox;
pub mod keys;
pub mod loss;
pub mod message_rate;
pub mod out_message;
pub mod outbox;
pub mod pacer;
pub mod packet;
pub mod path;
pub mod path_mtu;
pub mod queue_wait;
pub mod reassembly;
pub mod receive_credit;
pub mod receive_space;
pub mod received;
pub mod reordering;
pub mod repeats;
pub mod send_space;
pub mod sent_packets;
pub mod token;
pub mod unreliable_assemblies;
pub mod unreliable_queue;
