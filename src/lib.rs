//! Secure client and server networking for games over UDP: connect tokens, encryption, reliable and
//! unreliable messages of up to 20 MiB. A memory-safe core behind the C API of `cute_net.h`.
//!
//! It connects one game server with its players. It is no peer-to-peer library, it gives game state no
//! meaning, and it is not the web service that hands out the tokens.
//!
//! # The layers
//!
//! ```text
//!   C programs: cute_net.h, cute_networking.h        Rust programs
//!                    |                                    |
//!   ffi      pointers in, one call, a value out           |
//!                    +-----------------+------------------+
//!                                      |
//!   host     sockets, the program's clock, a budget of work for each update, simulated loss
//!                                      |
//!   client, server      who is connected; events; one engine for each handle
//!                                      |
//!   v1       CUTE 1.00: handshake, packets and transport of the original
//!   v2       CUTE 2.00: handshake, packets, frames, loss recovery, messages
//!                                      |
//!   token, replay, crypto, endpoint, bytes       what both protocols need
//! ```
//!
//! # The invariant
//!
//! **The engine (everything below `host`) never touches a socket, a clock or a random source.** Time comes
//! in as [`Instant`](time::Instant), randomness as a seed, datagrams as bytes with the address they came
//! from; datagrams and events go out when they are polled. So a seed and a list of inputs reproduce any
//! run, and every protocol test runs in virtual time.
//!
//! From it follow the rules that keep a hostile network harmless. Nothing that arrives can panic, loop
//! without bound or take memory beyond a budget. Wire bytes are indexed in [`bytes`] alone. `unsafe` is
//! found in [`ffi`] and [`socket`] alone, and for one hint to the processor in [`prefetch`].
//!
//! # The way of a message
//!
//! A program's message waits in [`v2::outbox`] until [`v2::connection`] fills a packet with frames
//! ([`v2::frame_writer`]), as soon as [`v2::congestion`] and [`v2::pacer`] let one leave. The packet is
//! sealed ([`v2::packet`]), and what it held is remembered ([`v2::sent_packets`]) until an acknowledgement or
//! [`v2::loss`] says what became of it. [`host`] writes it to a [`socket`].
//!
//! At the other end `host` reads a batch of datagrams and hands each to [`server`] or [`client`], which finds
//! the connection. That opens the packet, asks [`replay`] whether it came before, reads its frames
//! ([`v2::frame`]) and puts messages together ([`v2::inbox`]), and the program takes them as events.
//!
//! # The modules, from the bottom up
//!
//! The ground:
//! - [`duration`], [`time`]: the engine's clock, and the rhythm of the program's updates.
//! - [`bytes`]: reading and writing wire bytes.
//! - [`endpoint`]: addresses, as text and as what is compared. [`datagram`]: how large one may be.
//! - [`range_set`], [`slot_set`], [`keyed_map`], [`timer_queue`]: containers whose cost an attacker can't
//!   choose. [`token_bucket`]: a rate with a burst. [`prefetch`]: memory that is needed soon.
//!
//! Keys and tokens:
//! - [`crypto`]: keys, key pairs, ciphers, random bytes; and for tests a ledger of nonces.
//! - [`token`]: connect tokens. [`used_tokens`]: each makes one connection. [`token_flood`]: no network makes
//!   a server open too many.
//! - [`replay`]: each packet counts once.
//!
//! What programs get to see:
//! - [`message`]: a message received. [`ready`]: those that can be taken. [`sending`]: what may be sent.
//! - [`reason`]: why a connection ended, or none began. [`drop_reason`]: why a datagram was dropped. [`statistics`]: rates,
//!   loss and jitter. [`log`]: what the operator is told.
//!
//! The engine:
//! - [`connection`], [`rtt`], [`rate_limit`], [`attempt_timer`]: what the connections of both protocols, and
//!   the attempts at one, have in common.
//! - [`v1`], [`v2`]: the protocols, a file for each concept; neither knows the other.
//! - [`client`], [`server`]: who is connected, and what the program hears of it.
//! - [`simulator`]: a bad network, between an engine and a socket or between two engines.
//! - [`snapshot`]: game state, compressed against what the receiver has. It stands by itself.
//!
//! The outside world:
//! - [`socket`]: the only code that does I/O. [`host`]: engines on sockets; where Rust programs begin.
//! - [`ffi`]: the C functions.
//!
//! CUTE 2.00 is described byte for byte in `docs/PROTOCOL.md`. A `D` with a number, in comments and in the
//! names of tests, is a defect of the original library: `docs/COMPATIBILITY.md` lists them.

pub mod attempt_timer;
pub mod bytes;
pub mod client;
pub mod connection;
pub mod crypto;
pub mod datagram;
pub mod drop_reason;
pub mod duration;
pub mod endpoint;
pub mod ffi;
pub mod host;
pub mod keyed_map;
pub mod log;
pub mod message;
pub mod prefetch;
pub mod range_set;
pub mod rate_limit;
pub mod ready;
pub mod reason;
pub mod replay;
pub mod rtt;
pub mod sending;
pub mod server;
pub mod simulator;
pub mod slot_set;
pub mod snapshot;
pub mod socket;
pub mod statistics;
pub mod time;
pub mod timer_queue;
pub mod token;
pub mod token_bucket;
pub mod token_flood;
pub mod used_tokens;
pub mod v1;
pub mod v2;
