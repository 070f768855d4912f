//! Sending and receiving on channels (the section CHANNELS of `cute_net_x.h`).

use super::client::{block_of as client_block, cn_client_t, send_result, with_client};
use super::error::{cn_result_t, failure, failure_with, internal_failure, success};
use super::server::{block_of as server_block, cn_server_t, slot, with_server};
use super::{bytes, client, server, versioned};
use crate::log::{self, Level};
use crate::message::{Delivery, Message};
use std::ffi::{c_int, c_void};
use std::mem::offset_of;

/// The highest channel.
const LAST_CHANNEL: c_int = 8;

/// `cnx_delivery_t`: any int may come from C.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct cnx_delivery_t(pub c_int);

impl cnx_delivery_t {
    fn read(self) -> Option<Delivery> {
        Some(match self.0 {
            0 => Delivery::ReliableOrdered,
            1 => Delivery::ReliableUnordered,
            2 => Delivery::Unreliable,
            3 => Delivery::UnreliableSequenced,
            _ => return None,
        })
    }
}

/// How a message travels. Set all to zero, then `size`, then what matters: zero is what `cn_client_send`
/// does with a reliable packet.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct cnx_send_options_t {
    /// Set it to `sizeof(cnx_send_options_t)`: the struct may grow with later versions.
    pub size: u32,
    /// Whether it must arrive, and in which order; a `CNX_DELIVERY_` value.
    pub delivery: cnx_delivery_t,
    /// 0 to 8. Channels do not wait for each other. 0 is the channel of `cn_client_send` and
    /// `cn_server_send`; 1 to 8 are the channels 0 to 7 of `cf_client_send_msg` and `cf_server_send_msg`, on
    /// which messages of 0 bytes are messages too.
    pub channel: i32,
    /// A number for the receiver's program on the channels 1 to 8. 0 on channel 0, which carries none.
    pub id: u32,
}

/// A message of the channels 1 to 8.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct cnx_message_t {
    /// Set it to `sizeof(cnx_message_t)` before the call: the struct may grow with later versions. The call
    /// sets it to the bytes it filled.
    pub size: u32,
    /// The channel it was sent on, 1 to 8.
    pub channel: i32,
    /// The number its sender gave it.
    pub id: u32,
    /// The slot of the client that sent it; -1 for a message of the server.
    pub client_index: i32,
    /// Its bytes. Never NULL, also where there are none; the program's until it frees them.
    pub data: *mut c_void,
    /// How many, 0 or more.
    pub data_size: i32,
    /// True if it was sent reliably.
    pub reliable: bool,
}

const _: () = {
    assert!(size_of::<cnx_send_options_t>() == 16);
    assert!(offset_of!(cnx_send_options_t, delivery) == 4);
    assert!(offset_of!(cnx_send_options_t, channel) == 8);
    assert!(offset_of!(cnx_send_options_t, id) == 12);
    assert!(offset_of!(cnx_message_t, channel) == 4);
    assert!(offset_of!(cnx_message_t, id) == 8);
    assert!(offset_of!(cnx_message_t, client_index) == 12);
    assert!(offset_of!(cnx_message_t, data) == 16);
    assert!(offset_of!(cnx_message_t, data_size) == 16 + size_of::<*mut c_void>());
    assert!(offset_of!(cnx_message_t, reliable) == 20 + size_of::<*mut c_void>());
};

/// Every version of [`cnx_message_t`] has room for this much: nobody could free a message that was not told
/// of in full.
const LEAST_MESSAGE: usize = size_of::<cnx_message_t>();

/// A message of the program's, checked as far as no connection is needed for it.
struct Outgoing<'a> {
    channel: u8,
    delivery: Delivery,
    id: u32,
    data: &'a [u8],
}

impl Outgoing<'_> {
    /// # Safety
    /// `data` is NULL or points to `size` readable bytes; `options` is NULL or points to options whose size
    /// is set.
    unsafe fn read<'a>(
        data: *const c_void,
        size: c_int,
        options: *const cnx_send_options_t,
    ) -> Result<Outgoing<'a>, cn_result_t> {
        if options.is_null() {
            return Err(failure(c"`options` is NULL."));
        }
        // SAFETY: the size of the options is set.
        let options = unsafe { versioned::take(options, "options", "cnx_send_options_t") }?;
        let Some(delivery) = options.delivery.read() else {
            return Err(failure_with(format_args!(
                "`options->delivery` is {}, which is no CNX_DELIVERY_ value.",
                options.delivery.0
            )));
        };
        let channel = channel_of(options.channel)?;
        if channel == 0 && options.id != 0 {
            return Err(failure(c"Channel 0 carries no ids: leave `options->id` 0 there."));
        }
        // SAFETY: as this function's.
        let data = match (unsafe { bytes(data, size) }, size) {
            (_, ..0) => {
                let text = format_args!("`size` is {size}: pass how many bytes `data` has.");
                return Err(failure_with(text));
            }
            (Some(data), _) => data,
            (None, 0) => &[],
            (None, _) => return Err(failure(c"`data` is NULL, and `size` is not 0.")),
        };
        Ok(Outgoing { channel, delivery, id: options.id, data })
    }
}

/// A channel of the program's, if it is one.
fn channel_of(channel: c_int) -> Result<u8, cn_result_t> {
    u8::try_from(channel)
        .ok()
        .filter(|_| channel <= LAST_CHANNEL)
        .ok_or_else(|| failure_with(format_args!("Channels are 0 to {LAST_CHANNEL}, not {channel}.")))
}

/// Sends a message to the server as `options` say; the bytes are copied. An unreliable one leaves at once, a
/// reliable one with the next update or flush; see `cnx_client_set_send_mode`.
///
/// A message has at most 20971520 bytes (20 MiB), and on channel 0 at least 1. On each of the others 4 MiB may
/// wait, 64 bytes for each message counted; one on which nothing waits takes any message. The server's
/// program takes it with `cn_server_pop_event` on channel 0, and with `cnx_server_pop_message` (or
/// `cf_server_pop_msg`) on the others.
///
/// CUTE 1.00 has channel 0 alone, and there no `CNX_DELIVERY_UNRELIABLE_SEQUENCED`; what may come in any order
/// comes in order.
///
/// Fails if the client is not connected, `options` is NULL or holds what is out of range or the connection does
/// not have, the size is out of range, `data` is NULL with a size above 0, or too much waits already: then
/// nothing was queued.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_send_with(
    client: *mut cn_client_t,
    data: *const c_void,
    size: c_int,
    options: *const cnx_send_options_t,
) -> cn_result_t {
    if client.is_null() {
        return failure(c"`client` is NULL.");
    }
    // SAFETY: the caller's message has `size` bytes, or is NULL; the size of the options is set.
    let Outgoing { channel, delivery, id, data } = match unsafe { Outgoing::read(data, size, options) } {
        Ok(message) => message,
        Err(error) => return error,
    };
    // SAFETY: the caller passes a client.
    unsafe {
        with_client(client, internal_failure(), |client| {
            let sent = client.send(channel, delivery, id, data);
            send_result(sent, delivery.is_reliable(), || client::not_connected(client))
        })
    }
}

/// Sends a message to a client as `options` say. See `cnx_client_send_with`.
///
/// Fails as that, and if no such client is connected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_send_with(
    server: *mut cn_server_t,
    data: *const c_void,
    size: c_int,
    client_index: c_int,
    options: *const cnx_send_options_t,
) -> cn_result_t {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    // SAFETY: the caller's message has `size` bytes, or is NULL; the size of the options is set.
    let Outgoing { channel, delivery, id, data } = match unsafe { Outgoing::read(data, size, options) } {
        Ok(message) => message,
        Err(error) => return error,
    };
    // SAFETY: the caller passes a server.
    unsafe {
        with_server(server, internal_failure(), |server| {
            let result = server.send(slot(client_index), channel, delivery, id, data);
            send_result(result, delivery.is_reliable(), || server::not_connected(server, client_index))
        })
    }
}

/// Sets the priority of a channel of a client, 0 to 8, for what it sends: any number, 0 unless set. Of what
/// waits the higher leaves first, of equal ones the lower channel; a lower one waits for as long as there is
/// something of a higher one. It counts for what is queued already, and for every later connection.
///
/// Fails if `client` is NULL or there is no such channel.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_set_channel_priority(
    client: *mut cn_client_t,
    channel: c_int,
    priority: c_int,
) -> cn_result_t {
    if client.is_null() {
        return failure(c"`client` is NULL.");
    }
    let channel = match channel_of(channel) {
        Ok(channel) => channel,
        Err(error) => return error,
    };
    // SAFETY: the caller passes a client.
    unsafe {
        with_client(client, internal_failure(), |client| {
            client.set_channel_priority(channel, priority);
            success()
        })
    }
}

/// Sets the priority of a channel of a server, for what it sends to each of its clients, now and after every
/// start. See `cnx_client_set_channel_priority`.
///
/// Fails if `server` is NULL or there is no such channel.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_set_channel_priority(
    server: *mut cn_server_t,
    channel: c_int,
    priority: c_int,
) -> cn_result_t {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    let channel = match channel_of(channel) {
        Ok(channel) => channel,
        Err(error) => return error,
    };
    // SAFETY: the caller passes a server.
    unsafe {
        with_server(server, internal_failure(), |server| {
            server.set_channel_priority(channel, priority);
            success()
        })
    }
}

/// True if a message can be handed over in `out`.
///
/// # Safety
/// `out` is NULL or points to a message whose size is set.
unsafe fn takes_message(out: *const cnx_message_t) -> bool {
    // SAFETY: as this function's.
    let takes = unsafe { versioned::room(out, LEAST_MESSAGE) }.is_some();
    if !takes {
        log::log(
            Level::Error,
            format_args!("`message_out` is NULL, or its size is not set; no message was popped"),
        );
    }
    takes
}

/// Hands a message over, whose bytes `block` makes the program's.
///
/// # Safety
/// `out` takes messages, as [`takes_message`] says.
unsafe fn deliver(
    message: Message,
    client_index: i32,
    out: *mut cnx_message_t,
    block: impl FnOnce(Message) -> *mut c_void,
) {
    let (info, length) = (message.info(), message.len());
    let value = cnx_message_t {
        size: 0,
        channel: info.channel.into(),
        id: info.id,
        client_index,
        data: block(message),
        data_size: length as i32,
        reliable: info.reliable,
    };
    // SAFETY: as this function's.
    unsafe { versioned::write(&value, out, LEAST_MESSAGE) };
}

/// Takes the next message that the server sent on the channels 1 to 8: reliable ones first, then unreliable
/// ones as they came. What came on channel 0 is taken with `cn_client_pop_packet`. What was received before a
/// connection ended can be taken until the next one begins. `cf_client_pop_msg` takes the same messages.
///
/// True if there was one: `message_out`, whose size was set, then describes it, and its bytes are the
/// program's until `cn_client_free_packet`. False if there was none; nothing is written then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_pop_message(
    client: *mut cn_client_t,
    message_out: *mut cnx_message_t,
) -> bool {
    // SAFETY: the caller passes a message whose size is set, or NULL.
    if !unsafe { takes_message(message_out) } {
        return false;
    }
    // SAFETY: the caller passes a client, or NULL.
    let message = unsafe { with_client(client, None, |client| client.pop_channel_message()) };
    let Some(message) = message else { return false };
    // SAFETY: a client that has a message is one; `message_out` takes it.
    unsafe { deliver(message, -1, message_out, |message| client_block(client, message)) };
    true
}

/// Takes the next message that a client sent on the channels 1 to 8; see `cnx_client_pop_message`. What came
/// on channel 0 is taken with `cn_server_pop_event`. Messages of a client that is gone can still be taken,
/// before those of a later client with its slot. `cf_server_pop_msg` takes the same messages.
///
/// True if there was one: `message_out`, whose size was set, then describes it, and its bytes are the
/// program's until `cn_server_free_packet`. False if there was none; nothing is written then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_pop_message(
    server: *mut cn_server_t,
    message_out: *mut cnx_message_t,
) -> bool {
    // SAFETY: the caller passes a message whose size is set, or NULL.
    if !unsafe { takes_message(message_out) } {
        return false;
    }
    // SAFETY: the caller passes a server, or NULL.
    let popped = unsafe { with_server(server, None, |server| server.pop_channel_message()) };
    let Some((index, message)) = popped else { return false };
    // SAFETY: a server that has a message is one; `message_out` takes it.
    unsafe { deliver(message, index as i32, message_out, |message| server_block(server, message)) };
    true
}
