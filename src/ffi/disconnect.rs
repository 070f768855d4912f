//! Why connections end (the section DISCONNECT of `cute_net_x.h`).

use super::client::{cn_client_t, with_client};
use super::error::{cn_result_t, failure, failure_with, internal_failure, success};
use super::server::{cn_server_t, slot, with_server};
use super::{bytes, client, server, versioned};
use crate::client::ClientState;
use crate::host::ClientHost;
use crate::reason::DenyReason;
use crate::reason::DisconnectReason;
use std::ffi::{c_int, c_void};
use std::mem::offset_of;

/// Bytes a program can say at the end of a connection.
const MOST_DATA: usize = 255;

/// Added to the reason of a denial, whose numbers are others than those of a connection's end.
const DENIED: i32 = 256;

/// How a connection ended, or an attempt at one.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct cnx_disconnection_t {
    /// Set it to `sizeof(cnx_disconnection_t)` before the call: the struct may grow with later versions. The
    /// call sets it to the bytes it filled.
    pub size: u32,
    /// Why: 16 to 255 are a program's own, the others are `CNX_DISCONNECT_` values. What the other end says is
    /// its word: a client may claim any number up to 255.
    pub reason: i32,
    /// How many bytes of `data` the program that ended it passed along, 0 to 255.
    pub data_size: i32,
    /// Those bytes, and zeros behind them: text of up to 255 bytes ends with a zero byte.
    pub data: [u8; 256],
}

const _: () = {
    assert!(size_of::<cnx_disconnection_t>() == 268);
    assert!(offset_of!(cnx_disconnection_t, reason) == 4);
    assert!(offset_of!(cnx_disconnection_t, data_size) == 8);
    assert!(offset_of!(cnx_disconnection_t, data) == 12);
};

/// Room for the size and the reason: less means that the size was not set.
const LEAST: usize = offset_of!(cnx_disconnection_t, data_size);

/// Writes how a connection ended, if that is known and there is room for it; true if it did.
///
/// # Safety
/// `out` is NULL or points to a disconnection whose size is set.
unsafe fn give(ended: Option<(i32, &[u8])>, out: *mut cnx_disconnection_t) -> bool {
    // SAFETY: as this function's.
    let (Some((reason, text)), Some(room)) = (ended, unsafe { versioned::room(out, LEAST) }) else {
        return false;
    };
    let mut data = [0; MOST_DATA + 1];
    let text = text.get(..MOST_DATA).unwrap_or(text);
    for (to, from) in data.iter_mut().zip(text) {
        *to = *from;
    }
    let value = cnx_disconnection_t { size: 0, reason, data_size: text.len() as i32, data };
    // SAFETY: as this function's.
    unsafe { versioned::write(&value, out, room) };
    true
}

/// What a client knows of the end of its last connection, or of its last attempt.
fn end_of(client: &ClientHost) -> Option<(i32, &[u8])> {
    let reason = match client.state() {
        ClientState::Disconnected => client.disconnect_reason()?.0.into(),
        ClientState::ConnectionTimedOut
        | ClientState::ConnectionRequestTimedOut
        | ClientState::ChallengeResponseTimedOut => DisconnectReason::TIMED_OUT.0.into(),
        ClientState::ConnectionDenied => DENIED + i32::from(client.deny_reason()?.0),
        ClientState::ConnectTokenExpired => DENIED + i32::from(DenyReason::EXPIRED.0),
        _ => return None,
    };
    Some((reason, client.disconnect_text()))
}

/// A reason and what is said with it, as a program passes them.
///
/// # Safety
/// `data` is NULL or points to `size` readable bytes.
unsafe fn said<'a>(
    reason: c_int,
    data: *const c_void,
    size: c_int,
) -> Result<(DisconnectReason, &'a [u8]), cn_result_t> {
    let first = DisconnectReason::FIRST_OF_PROGRAM.0;
    let Some(number) = u8::try_from(reason).ok().filter(|&number| number >= first) else {
        return Err(failure_with(format_args!(
            "A program's own reasons are {first} to {}, not {reason}.",
            u8::MAX
        )));
    };
    if !usize::try_from(size).is_ok_and(|size| size <= MOST_DATA) {
        return Err(failure_with(format_args!("`size` is {size}: pass 0 to {MOST_DATA} bytes.")));
    }
    // SAFETY: as this function's.
    let data = match (unsafe { bytes(data, size) }, size) {
        (Some(data), _) => data,
        (None, 0) => &[],
        (None, _) => return Err(failure(c"`data` is NULL, and `size` is not 0.")),
    };
    Ok((DisconnectReason(number), data))
}

/// Ends a connection as `cn_client_disconnect` does, and tells the server why: `reason` is 16 to 255, what the game
/// makes of them, `data` is 0 to 255 bytes of any kind, which are copied (NULL if `size` is 0). The server's program
/// reads both with `cnx_server_disconnection`. CUTE 1.00 carries neither: a server sees `CNX_DISCONNECT_LEFT` there.
///
/// Fails if `client` is NULL or neither connected nor connecting, or a value is out of range; then nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_disconnect_with(
    client: *mut cn_client_t,
    reason: c_int,
    data: *const c_void,
    size: c_int,
) -> cn_result_t {
    if client.is_null() {
        return failure(c"`client` is NULL.");
    }
    // SAFETY: the caller's data has `size` bytes, or is NULL.
    let (reason, data) = match unsafe { said(reason, data, size) } {
        Ok(said) => said,
        Err(error) => return error,
    };
    // SAFETY: the caller passes a client.
    unsafe {
        with_client(client, internal_failure(), |client| {
            if client.state() <= ClientState::Disconnected {
                return client::not_connected(client);
            }
            client.disconnect_with(reason, data);
            success()
        })
    }
}

/// Sends a client away as `cn_server_disconnect_client` does with `notify_client`, and tells it why: its
/// program reads it with `cnx_client_disconnection`. Reason and bytes are as for `cnx_client_disconnect_with`.
///
/// On CUTE 1.00, which carries neither, a client sees `CNX_DISCONNECT_KICKED`. Fails if `server` is NULL, no
/// such client is connected, or a value is out of range; then nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_disconnect_client_with(
    server: *mut cn_server_t,
    client_index: c_int,
    reason: c_int,
    data: *const c_void,
    size: c_int,
) -> cn_result_t {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    // SAFETY: the caller's data has `size` bytes, or is NULL.
    let (reason, data) = match unsafe { said(reason, data, size) } {
        Ok(said) => said,
        Err(error) => return error,
    };
    let index = slot(client_index);
    // SAFETY: the caller passes a server.
    unsafe {
        with_server(server, internal_failure(), |server| {
            if !server.is_connected(index) {
                return server::not_connected(server, client_index);
            }
            server.disconnect_with(index, reason, data, true);
            success()
        })
    }
}

/// Tells why a client's last connection ended, or its last attempt at one. After a denial, `reason` says why the
/// last server denied it.
///
/// True if that is known. False while the client is connected or connecting, before its first connection, after
/// `cn_client_connect` failed, in a forked copy, for NULL, and without `disconnection_out->size`; nothing is written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_disconnection(
    client: *mut cn_client_t,
    disconnection_out: *mut cnx_disconnection_t,
) -> bool {
    // SAFETY: the caller passes a client, or NULL, and a disconnection whose size is set, or NULL.
    unsafe { with_client(client, false, |client| give(end_of(client), disconnection_out)) }
}

/// Tells why a client is gone. Call it when `cn_server_pop_event` has given the client's
/// `CN_SERVER_EVENT_TYPE_DISCONNECTED`, before that of another client is popped.
///
/// True if the last disconnection that was popped is that of `client_index`. False otherwise, for NULL, and if
/// `disconnection_out->size` is not set; nothing is written then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_disconnection(
    server: *mut cn_server_t,
    client_index: c_int,
    disconnection_out: *mut cnx_disconnection_t,
) -> bool {
    // SAFETY: the caller passes a server, or NULL, and a disconnection whose size is set, or NULL.
    unsafe {
        with_server(server, false, |server| {
            let departure = server.departure().filter(|last| last.index == slot(client_index));
            let ended = departure.map(|last| (i32::from(last.reason.0), &*last.text));
            give(ended, disconnection_out)
        })
    }
}
