//! For how many clients a server has room, and who is there (the section CAPACITY of `cute_net_x.h`).

use super::error::{cn_result_t, failure, failure_with, internal_failure, success};
use super::server::{cn_server_t, not_connected, slot, with_server};
use crate::server::{LEAST_MEMORY, MAX_CLIENTS};
use crate::token::USER_DATA_SIZE;
use std::ffi::c_int;

/// Sets for how many clients a server has room, 1 to 65535, from its next start on. Memory is taken as
/// clients come.
///
/// Fails if `max_clients` is out of range, or if the server runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_set_max_clients(
    server: *mut cn_server_t,
    max_clients: c_int,
) -> cn_result_t {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    let Some(count) =
        usize::try_from(max_clients).ok().filter(|count| (1..=MAX_CLIENTS).contains(count))
    else {
        return failure_with(format_args!(
            "A server has room for 1 to {MAX_CLIENTS} clients, not {max_clients}."
        ));
    };
    // SAFETY: the caller passes a server.
    unsafe {
        with_server(server, internal_failure(), |server| {
            if server.is_running() {
                return failure(c"The server runs: set its number of clients before it starts.");
            }
            server.set_max_clients(count);
            success()
        })
    }
}

/// Sets how many bytes a server keeps at most, from its next start on, of what its clients sent and the program has not
/// taken: 256 MiB unless set. Clients share it, but each may send 64 KiB of reliable and 64 KiB of unreliable messages
/// in any case. A message of the largest size fits, after others if it must. A reliable message counts as its length and
/// 64 bytes; many unfinished ones of less than 100 bytes, which no honest client sends, take up to three times that.
///
/// Fails if it is less than 32 MiB, which that takes, or if the server runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_set_memory(server: *mut cn_server_t, bytes: u64) -> cn_result_t {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    if bytes < LEAST_MEMORY {
        return failure_with(format_args!(
            "A server needs {LEAST_MEMORY} bytes for what clients send at least, not {bytes}."
        ));
    }
    // SAFETY: the caller passes a server.
    unsafe {
        with_server(server, internal_failure(), |server| {
            if server.is_running() {
                return failure(c"The server runs: set its memory before it starts.");
            }
            server.set_memory(bytes);
            success()
        })
    }
}

/// For how many clients a server has room; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_max_clients(server: *mut cn_server_t) -> c_int {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { with_server(server, 0, |server| server.max_clients() as c_int) }
}

/// How many clients are connected; 0 for NULL, and while the server does not run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_client_count(server: *mut cn_server_t) -> c_int {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { with_server(server, 0, |server| server.connected() as c_int) }
}

/// Copies what a connected client's token carried for the program: `CN_CONNECT_TOKEN_USER_DATA_SIZE` (256)
/// bytes.
///
/// Fails if no such client is connected; nothing is written then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_client_user_data(
    server: *mut cn_server_t,
    client_index: c_int,
    user_data_out: *mut u8,
) -> cn_result_t {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    if user_data_out.is_null() {
        return failure(c"`user_data_out` is NULL.");
    }
    // SAFETY: the caller passes a server, and room for USER_DATA_SIZE bytes.
    unsafe {
        with_server(server, internal_failure(), |server| match server.user_data(slot(client_index)) {
            Some(data) => {
                user_data_out.copy_from_nonoverlapping(data.as_ptr(), USER_DATA_SIZE);
                success()
            }
            None => not_connected(server, client_index),
        })
    }
}
