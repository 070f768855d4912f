//! Clients (the header's section CLIENT).

use super::error::{cn_result_t, failure, failure_with, internal_failure, outcome, success};
use super::{Handle, bytes, destroy, free_block, guarded, into_block, with_host};
use crate::client::ClientState;
use crate::crypto::random;
use crate::duration::Duration;
use crate::host::{ClientHost, simulator_config};
use crate::log::{self, Level};
use crate::message::{Delivery, Message};
use crate::sending::SendError;
use crate::token::TOKEN_SIZE;
use std::ffi::{CStr, c_char, c_int, c_void};

/// A client: connects to one server at a time, sends it packets and receives its.
///
/// Made by `cn_client_create`, given back by `cn_client_destroy`. One thread uses a client at a time;
/// different clients may be used by different threads.
pub struct cn_client_t(Handle<ClientHost>);

/// `cn_client_state_t`: any int may come from C.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct cn_client_state_t(pub c_int);

/// Runs `body` on the host of `client`; `otherwise` if that can't be done.
///
/// # Safety
/// `client` is NULL or came from `cn_client_create`, was not destroyed, and no other call uses it now.
pub(crate) unsafe fn with_client<T>(
    client: *mut cn_client_t,
    otherwise: T,
    body: impl FnOnce(&mut ClientHost) -> T,
) -> T {
    // SAFETY: as this function's.
    let client = unsafe { client.as_ref() };
    with_host(client.map(|client| &client.0), otherwise, |client| {
        client.leave_if_forked();
        body(client)
    })
}

/// Hands a message to the program, in memory of the client's allocator.
///
/// # Safety
/// `client` came from `cn_client_create` and was not destroyed.
pub(crate) unsafe fn block_of(client: *mut cn_client_t, message: Message) -> *mut c_void {
    // SAFETY: as this function's.
    into_block(unsafe { &(*client).0 }, message)
}

/// Makes a client that is not connected.
///
/// - `port`: the port to send from; 0 lets the system choose, which is right unless a firewall says
///   otherwise.
/// - `application_id`: names the game; the same number as in connect tokens and on the server.
/// - `use_ipv6`: accepted and not needed: the client opens what each server of its token needs.
/// - `user_allocator_context`: passed to the program's allocator (`cnx_set_allocator`); may be NULL.
///
/// Returns NULL only if the program's allocator gave none. Destroy the client with `cn_client_destroy`.
#[unsafe(no_mangle)]
pub extern "C" fn cn_client_create(
    port: u16,
    application_id: u64,
    use_ipv6: bool,
    user_allocator_context: *mut c_void,
) -> *mut cn_client_t {
    let _ = use_ipv6;
    guarded(std::ptr::null_mut(), || {
        let host = ClientHost::new(port, application_id);
        Handle::create(host, user_allocator_context, cn_client_t)
    })
}

/// Disconnects the client if it is connected, as `cn_client_disconnect` does, and frees it. Packets it
/// gave remain the program's, to be freed with `cn_client_free_packet` of any client, or NULL. NULL is
/// ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_client_destroy(client: *mut cn_client_t) {
    // SAFETY: the caller passes a client, or NULL, and gives it back.
    unsafe { destroy(client, |client| &client.0) };
}

/// Begins to connect to the servers that a connect token lists, one after another. `cn_client_update`
/// then does the connecting; `cn_client_state_get` tells how far it is: `CN_CLIENT_STATE_CONNECTED`, or
/// below 0 when no server let the client in.
///
/// `connect_token` has `CN_CONNECT_TOKEN_SIZE` (1114) bytes and is copied. A client that is connected is
/// disconnected first; whatever happened to it before does not matter.
///
/// Fails if the token is damaged or for another application id, or had expired by the time of the last
/// update of an earlier attempt (the state is then `CN_CLIENT_STATE_INVALID_CONNECT_TOKEN`), or if no
/// socket can be opened. A token that turns out to have expired at the next update ends in
/// `CN_CLIENT_STATE_CONNECT_TOKEN_EXPIRED`. A failure leaves the client disconnected; packets that were
/// not popped are gone. Fails too if a pointer is NULL: then nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_client_connect(
    client: *mut cn_client_t,
    connect_token: *const u8,
) -> cn_result_t {
    if client.is_null() {
        return failure(c"`client` is NULL.");
    }
    if connect_token.is_null() {
        return failure(c"Invalid connect token. It is NULL.");
    }
    // SAFETY: the caller's token has TOKEN_SIZE bytes.
    let token = unsafe { connect_token.cast::<[u8; TOKEN_SIZE]>().read_unaligned() };
    // SAFETY: the caller passes a client.
    unsafe { with_client(client, internal_failure(), |client| outcome(client.connect(&token))) }
}

/// Ends the connection, or the attempt at one: the server is told, and the socket is closed. The state becomes
/// `CN_CLIENT_STATE_DISCONNECTED`. What was received can still be popped. Does nothing to a client that is
/// neither connected nor connecting.
///
/// What is queued leaves before, as far as it fits on the way at once (some 64 KiB, on CUTE 1.00 less), and is
/// not sent again if it gets lost. If all of it must arrive, update until `reliable_queued_bytes` of
/// `cnx_client_statistics` is 0, then disconnect.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_client_disconnect(client: *mut cn_client_t) {
    // SAFETY: the caller passes a client, or NULL.
    unsafe { with_client(client, (), ClientHost::disconnect) };
}

/// Receives, connects, resends and sends. Call it once a tick, whatever the state: ten times a second at
/// least. It never waits, and reads for a quarter of `dt` at most, or 2 ms if that is more: the rest waits.
///
/// - `dt`: seconds since the last call, 0 or more. The library has no other clock.
/// - `current_time`: unix seconds, used while connecting, to see whether the token has expired.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_client_update(client: *mut cn_client_t, dt: f64, current_time: u64) {
    // SAFETY: the caller passes a client, or NULL.
    unsafe { with_client(client, (), |client| client.update(dt, current_time)) };
}

/// Takes the next packet that the server sent: reliable ones first and in order, then unreliable ones as
/// they came. What was received before a connection ended can be taken until the next one begins.
///
/// True if there was one: `*packet` and `*size` (bytes, at least 1) then describe it, `*was_sent_reliably`
/// says how it was sent, and the packet is the program's until `cn_client_free_packet`; it may be written to.
/// `was_sent_reliably` may be NULL. False if there was none: a connected client then writes NULL, 0 and false,
/// one that is not writes nothing. Nothing is popped if `packet` or `size` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_client_pop_packet(
    client: *mut cn_client_t,
    packet: *mut *mut c_void,
    size: *mut c_int,
    was_sent_reliably: *mut bool,
) -> bool {
    if packet.is_null() || size.is_null() {
        return false;
    }
    // SAFETY: the caller passes a client, or NULL.
    let popped = unsafe {
        with_client(client, None, |client| match client.pop_message() {
            Some(message) => Some(Some(message)),
            None => (client.state() == ClientState::Connected).then_some(None),
        })
    };
    // Not connected, and nothing left: as in the original, nothing is written.
    let Some(message) = popped else { return false };
    let got = message.is_some();
    let reliable = message.as_ref().is_some_and(|message| message.info().reliable);
    let length = message.as_ref().map_or(0, |message| message.len() as c_int);
    // SAFETY: a client that has a packet is one; the caller passes room for each value, or NULL for the
    // last.
    unsafe {
        let block = message.map_or(std::ptr::null_mut(), |message| block_of(client, message));
        packet.write(block);
        size.write(length);
        if !was_sent_reliably.is_null() {
            was_sent_reliably.write(reliable);
        }
    }
    got
}

/// Frees a packet of `cn_client_pop_packet`, on any thread at any time: after the connection ended, after the
/// client was destroyed (`client` is not looked at). NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_client_free_packet(client: *mut cn_client_t, packet: *mut c_void) {
    let _ = client;
    // SAFETY: the caller passes a packet of this library that was not freed, or NULL.
    guarded((), || unsafe { free_block(packet) });
}

/// Sends a packet of 1 to 20971520 (20 MiB) bytes to the server, 20 bytes less on a connection of CUTE 1.00;
/// the bytes are copied.
///
/// An unreliable packet leaves at once, arrives perhaps, perhaps after a later one; several datagrams
/// carry a large one, and losing one of them loses it. A reliable packet leaves with the next update and
/// arrives once, complete and in order; the server need not send anything for that. See also
/// `cnx_client_set_send_mode`.
///
/// Fails if the client is not connected, the size is out of range, `packet` is NULL, or more than 30 MiB of
/// reliable packets or 32 MiB of all would wait for the server: then nothing was queued. Everything that was
/// accepted reliably arrives, or the connection ends. What is sent while it connects is refused, not kept: wait
/// for `CN_CLIENT_STATE_CONNECTED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_client_send(
    client: *mut cn_client_t,
    packet: *const c_void,
    size: c_int,
    send_reliably: bool,
) -> cn_result_t {
    if client.is_null() {
        return failure(c"`client` is NULL.");
    }
    if size <= 0 {
        // The original's text, with its mistake: programs compare it.
        return no_size("Empty packets are now allowed.", size);
    }
    // SAFETY: the caller's packet has `size` bytes, or is NULL.
    let Some(data) = (unsafe { bytes(packet, size) }) else { return failure(c"`packet` is NULL.") };
    let delivery = delivery(send_reliably);
    // SAFETY: the caller passes a client.
    unsafe {
        with_client(client, internal_failure(), |client| {
            let sent = client.send(0, delivery, 0, data);
            send_result(sent, send_reliably, || not_connected(client))
        })
    }
}

/// The error of a packet without a byte, which is the original's text; one of fewer bytes than none is said to be so.
pub(crate) fn no_size(original: &str, size: c_int) -> cn_result_t {
    match size {
        0 => failure_with(original),
        _ => failure_with(format_args!(
            "{original} `size` is {size}: pass how many bytes the packet has."
        )),
    }
}

/// How the original's two kinds of packet travel.
pub(crate) fn delivery(reliably: bool) -> Delivery {
    if reliably { Delivery::ReliableOrdered } else { Delivery::Unreliable }
}

/// The error of a call that needs a connection, beginning with the original's text.
pub(crate) fn not_connected(client: &ClientHost) -> cn_result_t {
    // SAFETY: the names are strings.
    let state = unsafe { CStr::from_ptr(cn_client_state_string(state_of(client))) }.to_string_lossy();
    let remedy = match client.state() {
        ClientState::SendingConnectionRequest | ClientState::SendingChallengeResponse => {
            "update it until it is in CN_CLIENT_STATE_CONNECTED"
        }
        _ => "connect it first",
    };
    failure_with(format_args!("Client is not connected. It is in {state}: {remedy}."))
}

/// The result of a send, beginning with the original's text where it has one; `not_connected` makes that of a
/// send without a connection.
pub(crate) fn send_result(
    result: Result<(), SendError>,
    reliably: bool,
    not_connected: impl FnOnce() -> cn_result_t,
) -> cn_result_t {
    match result {
        Ok(()) => success(),
        Err(SendError::NotConnected) => not_connected(),
        Err(error) => {
            let original = match (error, reliably) {
                (SendError::QueueFull, true) => "Send queue for reliable packets is full. ",
                (SendError::TooLarge { .. }, true) => {
                    "`size` exceeded `max_size_single_send` from `transport->config`. "
                }
                (SendError::TooLarge { .. }, false) => {
                    "`size` exceeded `max_size_single_send` config param. "
                }
                _ => "",
            };
            failure_with(format_args!("{original}{error}"))
        }
    }
}

/// Where the client stands: `CN_CLIENT_STATE_CONNECTED` (3), above 0 while it is connecting, 0 when it is
/// not connected, below 0 when something went wrong. `CN_CLIENT_STATE_DISCONNECTED` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_client_state_get(client: *const cn_client_t) -> cn_client_state_t {
    let disconnected = cn_client_state_t(ClientState::Disconnected as c_int);
    // SAFETY: the caller passes a client that no other call uses now, or NULL.
    unsafe { with_client(client.cast_mut(), disconnected, |client| state_of(client)) }
}

fn state_of(client: &ClientHost) -> cn_client_state_t {
    cn_client_state_t(client.state() as c_int)
}

/// The name of a state, as it is written in the header; "CN_CLIENT_STATE_UNKNOWN" for a number that is
/// none. Never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn cn_client_state_string(state: cn_client_state_t) -> *const c_char {
    let name = match state.0 {
        -6 => c"CN_CLIENT_STATE_CONNECT_TOKEN_EXPIRED",
        -5 => c"CN_CLIENT_STATE_INVALID_CONNECT_TOKEN",
        -4 => c"CN_CLIENT_STATE_CONNECTION_TIMED_OUT",
        -3 => c"CN_CLIENT_STATE_CHALLENGE_RESPONSE_TIMED_OUT",
        -2 => c"CN_CLIENT_STATE_CONNECTION_REQUEST_TIMED_OUT",
        -1 => c"CN_CLIENT_STATE_CONNECTION_DENIED",
        0 => c"CN_CLIENT_STATE_DISCONNECTED",
        1 => c"CN_CLIENT_STATE_SENDING_CONNECTION_REQUEST",
        2 => c"CN_CLIENT_STATE_SENDING_CHALLENGE_RESPONSE",
        3 => c"CN_CLIENT_STATE_CONNECTED",
        _ => c"CN_CLIENT_STATE_UNKNOWN",
    };
    name.as_ptr()
}

/// Makes everything the client sends from now on travel over a bad network, for tests.
///
/// - `latency`, `jitter`: seconds each datagram takes at least, and at most longer; 0 to 3600.
/// - `drop_chance`, `duplicate_chance`: 0 to 1.
///
/// All zeros make the network good again. Numbers out of range count as the nearest in range. What is
/// received, a seed and more: `cnx_client_set_simulator`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_client_enable_network_simulator(
    client: *mut cn_client_t,
    latency: f64,
    jitter: f64,
    drop_chance: f64,
    duplicate_chance: f64,
) {
    let config = simulator_config(latency, jitter, drop_chance, duplicate_chance);
    // SAFETY: the caller passes a client, or NULL.
    unsafe { with_client(client, (), |client| client.set_simulator(config, simulator_seed())) };
}

/// A seed for a simulator that nobody asked to be reproducible.
pub(crate) fn simulator_seed() -> u64 {
    random::bytes().map(u64::from_le_bytes).unwrap_or_else(|error| {
        log::log(Level::Warning, format_args!("{error}"));
        0
    })
}

/// The share of packets sent to the server lately that did not arrive, 0 to 1. This and the next three: 0
/// while not connected; lately is the last four seconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_client_get_packet_loss_estimate(client: *mut cn_client_t) -> f32 {
    // SAFETY: the caller passes a client, or NULL.
    unsafe { with_statistics(client, |statistics, now| statistics.packet_loss(now)) }
}

/// The smoothed round trip to the server, in milliseconds; 0 before the first measurement.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_client_get_rtt_estimate(client: *mut cn_client_t) -> f32 {
    // SAFETY: the caller passes a client, or NULL.
    unsafe {
        with_client(client, 0.0, |client| {
            rtt_ms(client.connection().and_then(|connection| connection.rtt()))
        })
    }
}

/// Kilobits (1000 bits) a second received from the server lately, UDP payload.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_client_get_incoming_kbps_estimate(client: *mut cn_client_t) -> f32 {
    // SAFETY: the caller passes a client, or NULL.
    unsafe { with_statistics(client, |statistics, now| statistics.incoming_kbps(now)) }
}

/// Kilobits (1000 bits) a second sent to the server lately, UDP payload.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_client_get_outgoing_kbps_estimate(client: *mut cn_client_t) -> f32 {
    // SAFETY: the caller passes a client, or NULL.
    unsafe { with_statistics(client, |statistics, now| statistics.outgoing_kbps(now)) }
}

pub(crate) fn rtt_ms(rtt: Option<Duration>) -> f32 {
    rtt.map_or(0.0, |rtt| (rtt.as_secs_f64() * 1000.0) as f32)
}

/// # Safety
/// As [`with_client`].
unsafe fn with_statistics(
    client: *mut cn_client_t,
    read: impl FnOnce(&crate::statistics::Statistics, crate::time::Instant) -> f64,
) -> f32 {
    // SAFETY: as this function's.
    unsafe {
        with_client(client, 0.0, |client| {
            let now = client.clock().now();
            client.connection().map_or(0.0, |connection| read(connection.statistics(), now) as f32)
        })
    }
}
