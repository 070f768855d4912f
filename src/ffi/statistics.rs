//! What a connection is like (the section STATISTICS of `cute_net_x.h`).

use super::client::{cn_client_t, with_client};
use super::error::{cn_result_t, failure, internal_failure};
use super::server::{cn_server_t, slot, with_server};
use super::{client, server, versioned};
use crate::connection::Connection;
use crate::time::Instant;
use std::ffi::c_int;
use std::mem::offset_of;

/// What a connection is like. "Lately" is the last four seconds, or since the connection began.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct cnx_statistics_t {
    /// Set it to `sizeof(cnx_statistics_t)` before the call: the struct may grow with later versions. The call
    /// sets it to the bytes it filled.
    pub size: u32,
    /// Bytes of the largest datagram that is sent, UDP payload: 1200, or more where the path takes more; always
    /// 1280 on CUTE 1.00.
    pub datagram_bytes: u32,
    /// Seconds of a round trip, without the time the other end held its answer back; smoothed over the last
    /// measurements, each of which counts an eighth. 0 before the first.
    pub round_trip_seconds: f64,
    /// Seconds by which measured round trips were longer or shorter than the mean of those just before, on
    /// average (the mean absolute deviation); one of three seconds ago weighs about a third of a new one. 0
    /// before the second measurement.
    pub jitter_seconds: f64,
    /// The share of the packets sent lately that did not arrive, 0 to 1. Those that carry acknowledgements
    /// alone do not count.
    pub packet_loss: f64,
    /// Kilobits (1000 bits) a second received lately, UDP payload.
    pub incoming_kbps: f64,
    /// Kilobits (1000 bits) a second sent lately, UDP payload.
    pub outgoing_kbps: f64,
    /// Bytes of the reliable messages that were sent and not acknowledged yet, 64 for each message counted.
    /// At 30 MiB no more are taken.
    pub reliable_queued_bytes: u64,
    /// Unreliable messages given up on this end since the connection began, because newer ones took the room
    /// that a rate left. What the network lost is not among them.
    pub unreliable_dropped: u64,
}

const _: () = {
    assert!(size_of::<cnx_statistics_t>() == 64);
    assert!(offset_of!(cnx_statistics_t, datagram_bytes) == 4);
    assert!(offset_of!(cnx_statistics_t, round_trip_seconds) == 8);
    assert!(offset_of!(cnx_statistics_t, jitter_seconds) == 16);
    assert!(offset_of!(cnx_statistics_t, packet_loss) == 24);
    assert!(offset_of!(cnx_statistics_t, incoming_kbps) == 32);
    assert!(offset_of!(cnx_statistics_t, outgoing_kbps) == 40);
    assert!(offset_of!(cnx_statistics_t, reliable_queued_bytes) == 48);
    assert!(offset_of!(cnx_statistics_t, unreliable_dropped) == 56);
};

/// Room for the size and one value: less means that the size was not set.
const LEAST: usize = offset_of!(cnx_statistics_t, jitter_seconds);

/// Writes what is known of `connection`, or returns why there is none.
///
/// # Safety
/// `out` is NULL or points to statistics whose size is set.
unsafe fn give(
    connection: Result<&Connection, cn_result_t>,
    now: Instant,
    out: *mut cnx_statistics_t,
) -> cn_result_t {
    if out.is_null() {
        return failure(c"`statistics_out` is NULL.");
    }
    let connection = match connection {
        Ok(connection) => connection,
        Err(error) => return error,
    };
    let statistics = connection.statistics();
    let value = cnx_statistics_t {
        size: 0,
        datagram_bytes: connection.largest_datagram() as u32,
        round_trip_seconds: connection.rtt().unwrap_or_default().as_secs_f64(),
        jitter_seconds: statistics.jitter().as_secs_f64(),
        packet_loss: statistics.packet_loss(now),
        incoming_kbps: statistics.incoming_kbps(now),
        outgoing_kbps: statistics.outgoing_kbps(now),
        reliable_queued_bytes: connection.reliable_queued() as u64,
        unreliable_dropped: connection.dropped_unreliable(),
    };
    // SAFETY: as this function's.
    unsafe { versioned::give(&value, out, LEAST, "statistics_out", "cnx_statistics_t") }
}

/// Reads what a client's connection is like.
///
/// Fails if the client is not connected, a pointer is NULL or `statistics_out->size` is not set; nothing is
/// written then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_statistics(
    client: *mut cn_client_t,
    statistics_out: *mut cnx_statistics_t,
) -> cn_result_t {
    if client.is_null() {
        return failure(c"`client` is NULL.");
    }
    // SAFETY: the caller passes a client, and statistics whose size is set.
    unsafe {
        with_client(client, internal_failure(), |client| {
            let connection = client.connection().ok_or_else(|| client::not_connected(client));
            give(connection, client.clock().now(), statistics_out)
        })
    }
}

/// Reads what a server's connection to a client is like.
///
/// Fails if no such client is connected, a pointer is NULL or `statistics_out->size` is not set; nothing is
/// written then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_client_statistics(
    server: *mut cn_server_t,
    client_index: c_int,
    statistics_out: *mut cnx_statistics_t,
) -> cn_result_t {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    // SAFETY: the caller passes a server, and statistics whose size is set.
    unsafe {
        with_server(server, internal_failure(), |server| {
            let connection = server.connection(slot(client_index));
            let connection = connection.ok_or_else(|| server::not_connected(server, client_index));
            give(connection, server.clock().now(), statistics_out)
        })
    }
}
