//! Secure client and server networking for games over UDP: connect tokens, encryption, reliable and
//! unreliable messages, fragmentation. A memory-safe core behind the C API of `cute_net.h`.
//!
//! It is a library for one game server and its players. It is no web service (something else hands out
//! the tokens), no peer-to-peer library, and it gives game state no meaning.
//!
//! # The layers
//!
//! ```text
//!   C programs: cute_net.h, cute_networking.h        Rust programs
//!                    |                                    |
//!   ffi      pointers in, one call, a value out           |
//!                    +-----------------+------------------+
//!                                      |
//!   host     a socket, the program's clock, a budget of work for each update, simulated loss
//!                                      |
//!   client, server      who is connected; events; one engine for each handle
//!                                      |
//!   v1       CUTE 1.00: handshake, packets and transport of the original
//!   v2       CUTE 2.00: handshake, packets, frames, loss recovery, messages
//!                                      |
//!   token, replay, crypto, endpoint, bytes       what any protocol needs
//! ```
//!
//! # The invariant
//!
//! **The engine (everything below `host`) never touches a socket, a clock or a random source.** Time comes
//! in as [`Instant`](time::Instant), randomness as a seed, datagrams as bytes with the address they came
//! from; datagrams and events go out when they are polled. So a seed and a list of inputs reproduce any
//! run, and every protocol test runs in virtual time.
//!
//! From it follow the rules that keep a hostile network harmless: nothing that arrives can panic, loop
//! without bound or take memory beyond a budget; wire bytes are indexed in [`bytes`] alone; `unsafe` is
//! found in [`ffi`] and [`socket`] alone.
//!
//! # The modules, from the bottom up
//!
//! - [`time`]: the engine's clock and its ticks. [`bytes`]: reading and writing wire bytes.
//!   [`endpoint`]: addresses. [`datagram`]: sizes. [`range_set`], [`slot_set`], [`keyed_map`], [`timer_queue`]: containers.
//!   [`token_bucket`]: rates.
//! - [`crypto`]: keys, key pairs, ciphers, random bytes; a ledger of nonces, for tests. [`token`]: connect tokens. [`used_tokens`]: that
//!   each connects once. [`token_flood`]: that no network makes the
//!   server open too many. [`replay`]: that each packet counts once.
//! - [`message`], [`ready`], [`sending`], [`reason`], [`drop_reason`], [`statistics`]: what programs get
//!   to see.
//! - [`connection`], [`rtt`], [`rate_limit`]: what connections of both protocols have in common.
//! - [`snapshot`]: game state, compressed against what the receiver has.
//! - [`v1`], [`v2`]: the protocols, a file for each concept; neither knows the other.
//! - [`client`], [`server`]: the engines. [`simulator`]: a bad network in front of them.
//! - [`socket`], [`log`], [`host`]: the outside world. [`ffi`]: the C facade.
//!
//! The protocol is described byte for byte in `docs/PROTOCOL.md`.

pub mod bytes;
pub mod client;
pub mod connection;
pub mod crypto;
pub mod datagram;
pub mod drop_reason;
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
