//! When messages leave, and one packet for many clients (the section SENDING of `cute_net_x.h`).

use super::bytes;
use super::client::{cn_client_t, delivery, no_size, with_client};
use super::error::{cn_result_t, failure, failure_with, internal_failure, success};
use super::server::{cn_server_t, no_client, slot, with_server};
use crate::duration::Duration;
use crate::host::{NotAllSent, SendMode};
use crate::sending::SendError;
use std::ffi::{c_int, c_void};

/// `cnx_send_mode_t`: any int may come from C.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct cnx_send_mode_t(pub c_int);

fn send_mode(mode: cnx_send_mode_t) -> SendMode {
    match mode.0 {
        1 => SendMode::Batched,
        2 => SendMode::Threaded,
        _ => SendMode::Immediate,
    }
}

/// Sets when the messages of a server leave: `CNX_SEND_IMMEDIATE`, the default, `CNX_SEND_BATCHED` or
/// `CNX_SEND_THREADED`. A number that is none of them counts as `CNX_SEND_IMMEDIATE`.
///
/// Batched is the better mode for a game that sends a number of messages each tick: send them all, then
/// call `cnx_server_flush` at the end of the tick. They share datagrams, and one system call carries many.
///
/// Threaded is batched with a thread of the library, one for each address the server listens at, that makes these
/// system calls. The calls of the program then take about half the time, those of update and flush together. The
/// server is still used by one thread at a time. The thread handles no signals, calls nothing of the program's,
/// and ends with `cn_server_stop`, which waits until what was to leave has left, or with another mode. Where the
/// system gives no thread, it is as batched, and the log says so.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_set_send_mode(server: *mut cn_server_t, mode: cnx_send_mode_t) {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { with_server(server, (), |server| server.set_send_mode(send_mode(mode))) };
}

/// Sets when the messages of a client leave; see `cnx_server_set_send_mode`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_set_send_mode(client: *mut cn_client_t, mode: cnx_send_mode_t) {
    // SAFETY: the caller passes a client, or NULL.
    unsafe { with_client(client, (), |client| client.set_send_mode(send_mode(mode))) };
}

/// Sends one packet of 1 to 20971520 (20 MiB) bytes to the clients in `count` slots of `client_indices`, as
/// `cn_server_send` does for each, at less cost: the bytes are copied once for all, and in
/// `CNX_SEND_IMMEDIATE` unreliable packets leave with few system calls.
///
/// Every client that can take the packet gets it, whatever becomes of the others. Fails if one can't, and says
/// which and why of the first, and how many; or if a pointer is NULL, or the size or `count` out of range: then
/// nobody gets it. No clients are no error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_send_many(
    server: *mut cn_server_t,
    packet: *const c_void,
    size: c_int,
    client_indices: *const c_int,
    count: c_int,
    send_reliably: bool,
) -> cn_result_t {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    if size <= 0 {
        return no_size("Empty packets are not allowed.", size);
    }
    let Ok(count) = usize::try_from(count) else {
        return failure_with(format_args!("`count` is {count}: pass how many indices there are."));
    };
    if count == 0 {
        return success();
    }
    if client_indices.is_null() {
        return failure(c"`client_indices` is NULL.");
    }
    // SAFETY: the caller's packet has `size` bytes, or is NULL.
    let Some(data) = (unsafe { bytes(packet, size) }) else { return failure(c"`packet` is NULL.") };
    // SAFETY: the caller passes `count` indices.
    let indices = unsafe { std::slice::from_raw_parts(client_indices, count) };
    let slots = indices.iter().copied().map(slot);
    // SAFETY: the caller passes a server.
    unsafe {
        with_server(server, internal_failure(), |server| {
            match server.send_many(slots, delivery(send_reliably), data) {
                Ok(()) => success(),
                Err(NotAllSent { place, error, count: failed }) => {
                    let index = indices.get(place).copied().unwrap_or_default();
                    let why = match error {
                        SendError::NotConnected => no_client(server, index),
                        error => error.to_string(),
                    };
                    failure_with(format_args!(
                        "{failed} of {count} clients don't get it. The first, {index}: {why}"
                    ))
                }
            }
        })
    }
}

/// Sends everything that is queued for all clients, as far as the network takes it; the rest leaves with
/// later updates.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_flush(server: *mut cn_server_t) {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { with_server(server, (), |server| server.flush()) };
}

/// Sends everything that is queued, as far as the network takes it; the rest leaves with later updates.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_flush(client: *mut cn_client_t) {
    // SAFETY: the caller passes a client, or NULL.
    unsafe { with_client(client, (), |client| client.flush()) };
}

/// The longest time that `cnx_client_timeout` and `cnx_server_timeout` tell, in seconds.
const LONGEST_TIMEOUT: f64 = 1.0;

fn seconds(timeout: Option<Duration>) -> f64 {
    timeout.map_or(-1.0, |timeout| timeout.as_secs_f64().min(LONGEST_TIMEOUT))
}

/// When a client next has something to do by itself, for programs that update it besides their ticks, so that
/// a large transfer leaves evenly instead of in a burst at each tick, and a lost packet is sent again in time.
///
/// Returns seconds, counted from the last update, by the `dt` that were passed to it: a program that has
/// waited since then subtracts how long. 0 if an update would do something now, as after a send; never above
/// 1; below 0 if there is nothing to do at all, because the client is neither connected nor connecting, or
/// for NULL.
///
/// Only updates read what arrives, and nobody can tell when that is: update at every tick whatever this says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_timeout(client: *mut cn_client_t) -> f64 {
    // SAFETY: the caller passes a client, or NULL.
    unsafe { with_client(client, -1.0, |client| seconds(client.poll_timeout())) }
}

/// When a server next has something to do by itself; see `cnx_client_timeout`. Below 0 if it does not run, or
/// no client is left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_timeout(server: *mut cn_server_t) -> f64 {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { with_server(server, -1.0, |server| seconds(server.poll_timeout())) }
}
