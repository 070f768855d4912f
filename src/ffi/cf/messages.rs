//! Messages (the header's section MESSAGES): an id and bytes on one of eight channels.

use crate::ffi::client::{block_of as client_block, cn_client_t as CF_Client, send_result, with_client};
use crate::ffi::error::{cn_result_t as CF_Result, failure, failure_with, internal_failure};
use crate::ffi::server::{block_of as server_block, cn_server_t as CF_Server, rate, slot, with_server};
use crate::ffi::{bytes, client, free_block, guarded, server};
use std::ffi::{c_int, c_void};

/// Channels, 0 to 7.
const CHANNELS: c_int = 8;
/// Bytes of the largest message (`CF_NET_MAX_MSG_SIZE`).
const MAX_SIZE: c_int = 1 << 20;

/// A channel of the program's as the engine numbers it.
fn wire_channel(channel: c_int) -> Option<u8> {
    (0..CHANNELS).contains(&channel).then(|| channel as u8 + 1)
}

/// The channel and the bytes of a message, if it can be one.
///
/// # Safety
/// `data` is NULL or points to `size` readable bytes.
unsafe fn outgoing<'a>(
    channel: c_int,
    data: *const c_void,
    size: c_int,
) -> Result<(u8, &'a [u8]), CF_Result> {
    let Some(channel) = wire_channel(channel) else {
        return Err(failure_with(format_args!("Channels are 0 to {}, not {channel}.", CHANNELS - 1)));
    };
    if !(0..=MAX_SIZE).contains(&size) {
        return Err(failure_with(format_args!(
            "A message has 0 to {MAX_SIZE} bytes (CF_NET_MAX_MSG_SIZE), not {size}."
        )));
    }
    // SAFETY: as this function's.
    match unsafe { bytes(data, size) } {
        Some(data) => Ok((channel, data)),
        None if size == 0 => Ok((channel, &[])),
        None => Err(failure(c"`data` is NULL, and `size` is not 0.")),
    }
}

/// Writes a message to where the program wants it.
///
/// # Safety
/// Each pointer is NULL or has room for its value.
unsafe fn deliver(
    tag: u32,
    length: c_int,
    block: *mut c_void,
    id: *mut u32,
    data: *mut *mut c_void,
    size: *mut c_int,
) {
    // SAFETY: as this function's.
    unsafe {
        if !id.is_null() {
            id.write(tag);
        }
        data.write(block);
        size.write(length);
    }
}

/// Sets up a channel of a client, 0 to 7, for what it sends from now on.
///
/// - `priority`: messages of a higher one leave first, however long those of a lower one wait. Default 0.
/// - `reliable`: true for messages that all arrive, in order; false, the default, for messages that may be
///   lost and never come after a later one.
///
/// Channels do not wait for each other. Does nothing for other channels. `cn_client_send` has priority 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_channel_options(
    client: *mut CF_Client,
    channel: c_int,
    priority: c_int,
    reliable: bool,
) {
    let Some(channel) = wire_channel(channel) else { return };
    // SAFETY: the caller passes a client, or NULL.
    unsafe { with_client(client, (), |client| client.set_channel(channel, priority, reliable)) };
}

/// Sets how many bytes of messages a client sends in a second at most; 0, the default, or less is no limit.
/// What must wait is queued. `cf_client_send` is not counted. A message larger than what is allowed at once
/// goes whole, and the next ones wait for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_set_send_rate(client: *mut CF_Client, bytes_per_second: c_int) {
    // SAFETY: the caller passes a client, or NULL.
    unsafe { with_client(client, (), |client| client.set_message_rate(rate(bytes_per_second))) };
}

/// Queues a message for the server on a channel; it leaves with the next update or flush. The bytes are
/// copied. A message of 0 bytes, with `data` NULL or not, is one.
///
/// Fails if the client is not connected, `channel` is not 0 to 7, `size` is not 0 to `CF_NET_MAX_MSG_SIZE`,
/// `data` is NULL with a size above 0, or more than 4 MiB would wait on the channel: then nothing was queued. Fails
/// always on a connection of CUTE 1.00, the original's protocol, which has no channels: send packets there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_send_msg(
    client: *mut CF_Client,
    channel: c_int,
    id: u32,
    data: *const c_void,
    size: c_int,
) -> CF_Result {
    if client.is_null() {
        return failure(c"`client` is NULL.");
    }
    // SAFETY: the caller's message has `size` bytes, or is NULL.
    let (channel, data) = match unsafe { outgoing(channel, data, size) } {
        Ok(message) => message,
        Err(error) => return error,
    };
    // SAFETY: the caller passes a client.
    unsafe {
        with_client(client, internal_failure(), |client| {
            let sent = client.send_message(channel, id, data);
            send_result(sent, false, || client::not_connected(client))
        })
    }
}

/// Takes the next message that the server sent: reliable ones first, each channel's in order. What was received
/// before a connection ended can be taken until the next one begins.
///
/// True if there was one: `*id`, `*data` (never NULL) and `*size` (bytes, 0 or more) then describe it, and it is
/// the program's until `cf_client_free_msg`. `id` may be NULL. False if there was none, or `data` or `size` is
/// NULL; nothing is written then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_pop_msg(
    client: *mut CF_Client,
    id: *mut u32,
    data: *mut *mut c_void,
    size: *mut c_int,
) -> bool {
    if data.is_null() || size.is_null() {
        return false;
    }
    // SAFETY: the caller passes a client, or NULL.
    let message = unsafe { with_client(client, None, |client| client.pop_channel_message()) };
    let Some(message) = message else { return false };
    // SAFETY: a client that has a message is one; the caller passes room for each value.
    unsafe {
        let (length, tag) = (message.len() as c_int, message.info().id);
        let block = client_block(client, message);
        deliver(tag, length, block, id, data, size);
    }
    true
}

/// Frees a message of `cf_client_pop_msg`, at any time. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_free_msg(client: *mut CF_Client, data: *mut c_void) {
    let _ = client;
    // SAFETY: the caller passes a message of this library that was not freed, or NULL.
    guarded((), || unsafe { free_block(data) });
}

/// Sets up a channel of a server, for what it sends to every client from now on. See
/// `cf_client_channel_options`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_channel_options(
    server: *mut CF_Server,
    channel: c_int,
    priority: c_int,
    reliable: bool,
) {
    let Some(channel) = wire_channel(channel) else { return };
    // SAFETY: the caller passes a server, or NULL.
    unsafe { with_server(server, (), |server| server.set_channel(channel, priority, reliable)) };
}

/// Sets how many bytes of messages a server sends to each client in a second at most. See
/// `cf_client_set_send_rate`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_set_send_rate(server: *mut CF_Server, bytes_per_second: c_int) {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { with_server(server, (), |server| server.set_message_rate(rate(bytes_per_second))) };
}

/// Queues a message for a client on a channel. See `cf_client_send_msg`.
///
/// Fails as that, and if no such client is connected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_send_msg(
    server: *mut CF_Server,
    client_index: c_int,
    channel: c_int,
    id: u32,
    data: *const c_void,
    size: c_int,
) -> CF_Result {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    // SAFETY: the caller's message has `size` bytes, or is NULL.
    let (channel, data) = match unsafe { outgoing(channel, data, size) } {
        Ok(message) => message,
        Err(error) => return error,
    };
    // SAFETY: the caller passes a server.
    unsafe {
        with_server(server, internal_failure(), |server| {
            let sent = server.send_message(slot(client_index), channel, id, data);
            send_result(sent, false, || server::not_connected(server, client_index))
        })
    }
}

/// Takes the next message that a client sent, as `cf_client_pop_msg`; `*client_index` is its slot (the pointer
/// may be NULL). Those of a client that is gone can still be taken, before those of a later client with its slot.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_pop_msg(
    server: *mut CF_Server,
    client_index: *mut c_int,
    id: *mut u32,
    data: *mut *mut c_void,
    size: *mut c_int,
) -> bool {
    if data.is_null() || size.is_null() {
        return false;
    }
    // SAFETY: the caller passes a server, or NULL.
    let popped = unsafe { with_server(server, None, |server| server.pop_channel_message()) };
    let Some((index, message)) = popped else { return false };
    // SAFETY: a server that has a message is one; the caller passes room for each value.
    unsafe {
        if !client_index.is_null() {
            client_index.write(index as c_int);
        }
        let (length, tag) = (message.len() as c_int, message.info().id);
        let block = server_block(server, message);
        deliver(tag, length, block, id, data, size);
    }
    true
}

/// Frees a message of `cf_server_pop_msg`, at any time. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_free_msg(server: *mut CF_Server, data: *mut c_void) {
    let _ = server;
    // SAFETY: the caller passes a message of this library that was not freed, or NULL.
    guarded((), || unsafe { free_block(data) });
}
