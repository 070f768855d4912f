//! Datagrams received, and why some were dropped (the section COUNTERS of `cute_net_x.h`).

use super::client::{cn_client_t, with_client};
use super::error::{cn_result_t, failure, internal_failure};
use super::server::{cn_server_t, with_server};
use super::versioned;
use crate::drop_reason::{DropCounters, DropReason};

/// Datagrams received since the last start (of a server) or connect (of a client), and why some were
/// dropped. Each datagram counts once; what the system drops before, because of a full socket or a flood, does not.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct cnx_counters_t {
    /// Set it to `sizeof(cnx_counters_t)` before the call: the struct may grow with later versions. The call
    /// sets it to the bytes it filled.
    pub size: u32,
    /// All datagrams.
    pub received: u64,
    /// Dropped for any reason: the sum of the fields below.
    pub dropped: u64,
    /// No bytes, too few, or more than any datagram of the protocol has.
    pub size_wrong: u64,
    /// The first byte of no packet that this end receives.
    pub type_unknown: u64,
    /// Another protocol version.
    pub version_unknown: u64,
    /// For another application id.
    pub application_unknown: u64,
    /// A token made with another key pair.
    pub key_unknown: u64,
    /// Altered on the way, or made by somebody without the keys.
    pub forged: u64,
    /// The token has expired.
    pub token_expired: u64,
    /// The token lists none of the server's addresses.
    pub address_not_listed: u64,
    /// The token was used before, or an older one than its client's newest.
    pub token_used: u64,
    /// The token belongs to a live connection.
    pub token_in_use: u64,
    /// The server is full.
    pub server_full: u64,
    /// The cookie is too old, or was given to another address.
    pub cookie_wrong: u64,
    /// Came before, or too old to know.
    pub replayed: u64,
    /// Opened, and its content breaks the protocol.
    pub malformed: u64,
    /// No connection has its connection id.
    pub connection_unknown: u64,
    /// From an address that nothing is expected from.
    pub address_unknown: u64,
    /// Nothing of its kind is expected now.
    pub unexpected: u64,
    /// Its connection has ended.
    pub connection_ended: u64,
    /// Its client sends more than `max_incoming_bytes_per_second`.
    pub rate_exceeded: u64,
    /// More token packets come than are answered: from one network (IPv4 /24, IPv6 /56) ten a second for each
    /// client that fits, 512 at least; or at all.
    pub token_flood: u64,
    /// Its connection has used up its memory; CUTE 1.00 alone, where a sender can't know.
    pub memory_exceeded: u64,
}

// A field for each reason, besides the size and the sums: what is added to the one is added to the other.
const _: () = assert!(size_of::<cnx_counters_t>() == 8 * (3 + DropReason::ALL.len()));

impl cnx_counters_t {
    fn new(counters: &DropCounters) -> cnx_counters_t {
        let dropped = |reason| counters.dropped(reason);
        cnx_counters_t {
            size: size_of::<cnx_counters_t>() as u32,
            received: counters.received(),
            dropped: counters.dropped_total(),
            size_wrong: dropped(DropReason::Size),
            type_unknown: dropped(DropReason::Type),
            version_unknown: dropped(DropReason::Version),
            application_unknown: dropped(DropReason::Application),
            key_unknown: dropped(DropReason::UnknownKey),
            forged: dropped(DropReason::Forged),
            token_expired: dropped(DropReason::Expired),
            address_not_listed: dropped(DropReason::NotListed),
            token_used: dropped(DropReason::TokenUsed),
            token_in_use: dropped(DropReason::TokenInUse),
            server_full: dropped(DropReason::Full),
            cookie_wrong: dropped(DropReason::Cookie),
            replayed: dropped(DropReason::Replayed),
            malformed: dropped(DropReason::Malformed),
            connection_unknown: dropped(DropReason::UnknownConnection),
            address_unknown: dropped(DropReason::UnknownAddress),
            unexpected: dropped(DropReason::Unexpected),
            connection_ended: dropped(DropReason::Ended),
            rate_exceeded: dropped(DropReason::RateLimit),
            token_flood: dropped(DropReason::Flood),
            memory_exceeded: dropped(DropReason::Memory),
        }
    }

    /// Writes as much of `self` as the caller has room for, and says how much that is.
    ///
    /// # Safety
    /// `out` points to a `cnx_counters_t` of any version whose `size` is set, or is NULL.
    unsafe fn write_to(&self, out: *mut cnx_counters_t) -> cn_result_t {
        let least = size_of::<u32>() + size_of::<u64>();
        // SAFETY: as this function's.
        unsafe { versioned::give(self, out, least, "counters_out", "cnx_counters_t") }
    }
}

/// Reads the counters of a server; all zero if it never started.
///
/// Fails if a pointer is NULL or `counters_out->size` is not set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_counters(
    server: *mut cn_server_t,
    counters_out: *mut cnx_counters_t,
) -> cn_result_t {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    // SAFETY: the caller passes a server, and a struct whose size is set.
    unsafe {
        with_server(server, internal_failure(), |server| {
            let counters = server.counters().map(cnx_counters_t::new).unwrap_or_default();
            counters.write_to(counters_out)
        })
    }
}

/// Reads the counters of a client.
///
/// Fails if a pointer is NULL or `counters_out->size` is not set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_counters(
    client: *mut cn_client_t,
    counters_out: *mut cnx_counters_t,
) -> cn_result_t {
    if client.is_null() {
        return failure(c"`client` is NULL.");
    }
    // SAFETY: the caller passes a client, and a struct whose size is set.
    unsafe {
        with_client(client, internal_failure(), |client| {
            cnx_counters_t::new(client.counters()).write_to(counters_out)
        })
    }
}
