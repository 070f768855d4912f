//! The surface of Cute Framework (`cute_networking.h`): the functions of `cute_net.h` under CF's names, and
//! what CF's header has since 2026-08-26. In the library unless the cargo feature `cf` is off, for programs
//! that bring `cf_` functions of their own.
//!
//! One file for each section of the header, in its order. A function without a comment of its own does what
//! its `cn_` twin does.

pub mod address;
pub mod client;
pub mod messages;
pub mod result;
pub mod server;
pub mod snapshot;
pub mod token;
