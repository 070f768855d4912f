//! Servers (the header's section SERVER).

use super::client::{delivery, no_size, rtt_ms, send_result, simulator_seed};
use super::crypto::{cn_crypto_sign_public_t, cn_crypto_sign_secret_t, public_key, secret_key};
use super::endpoint::{cn_endpoint_t, read_address, warn_of_no_port};
use super::error::{cn_result_t, failure, failure_with, internal_failure, outcome};
use super::{Handle, bytes, destroy, free_block, guarded, into_block, with_host};
use crate::duration::Duration;
use crate::host::{ServerHost, ServerHostConfig, simulator_config};
use crate::log::{self, Level};
use crate::message::Message;
use crate::server::Event;
use crate::statistics::Statistics;
use crate::time::Instant;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::offset_of;

/// A server: lets clients with connect tokens in, receives their packets and sends them packets.
///
/// Made by `cn_server_create`, given back by `cn_server_destroy`. One thread uses a server at a time;
/// different servers may be used by different threads.
pub struct cn_server_t(Handle<ServerHost>);

/// How a server is set up. Start from `cn_server_config_defaults`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cn_server_config_t {
    /// Names the game; the same number as in connect tokens and clients. Default 0.
    pub application_id: u64,
    /// Bytes a second taken from each client, UDP payload. A client of this library keeps to it; what another
    /// sends beyond it is dropped. 0 or less is no limit, below 1000 counts as 1000. Default 0.
    pub max_incoming_bytes_per_second: c_int,
    /// Bytes a second sent to each client, UDP payload. What is reliable waits; of what is not, the newest is
    /// sent. 0 or less is no limit, below 1000 counts as 1000. Default 0.
    pub max_outgoing_bytes_per_second: c_int,
    /// Seconds of silence after which a client counts as gone; 0 or less is never. Default 10.
    pub connection_timeout: c_int,
    /// Seconds a lost reliable packet waits at most to be sent again, where the round trip allows it;
    /// the wait itself follows the round trip. Below 0 counts as 0. Default 0.1.
    pub resend_rate: f64,
    /// The half of the key pair that may be shown. Default zeros: set it.
    pub public_key: cn_crypto_sign_public_t,
    /// The half that is kept: the one that connect tokens are made with. Default zeros: set it.
    pub secret_key: cn_crypto_sign_secret_t,
    /// Passed to the program's allocator (`cnx_set_allocator`); may be NULL. Default NULL.
    pub user_allocator_context: *mut c_void,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<cn_server_config_t>() == 136);
    assert!(offset_of!(cn_server_config_t, max_incoming_bytes_per_second) == 8);
    assert!(offset_of!(cn_server_config_t, max_outgoing_bytes_per_second) == 12);
    assert!(offset_of!(cn_server_config_t, connection_timeout) == 16);
    assert!(offset_of!(cn_server_config_t, resend_rate) == 24);
    assert!(offset_of!(cn_server_config_t, public_key) == 32);
    assert!(offset_of!(cn_server_config_t, secret_key) == 64);
    assert!(offset_of!(cn_server_config_t, user_allocator_context) == 128);
};

/// `cn_server_event_type_t`.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct cn_server_event_type_t(pub c_int);

/// cbindgen:ignore
impl cn_server_event_type_t {
    const NEW_CONNECTION: cn_server_event_type_t = cn_server_event_type_t(0);
    const DISCONNECTED: cn_server_event_type_t = cn_server_event_type_t(1);
    const PAYLOAD_PACKET: cn_server_event_type_t = cn_server_event_type_t(2);
}

/// Something that happened to a client.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cn_server_event_t {
    /// Which member of `u` counts.
    pub r#type: cn_server_event_type_t,
    /// What happened.
    pub u: cn_server_event_union,
}

/// What a [`cn_server_event_t`] says.
#[repr(C)]
#[derive(Clone, Copy)]
pub union cn_server_event_union {
    /// A client connected.
    pub new_connection: cn_new_connection,
    /// A client is gone.
    pub disconnected: cn_disconnected,
    /// A packet came.
    pub payload_packet: cn_payload_packet,
}

/// A client connected.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cn_new_connection {
    /// Its slot.
    pub client_index: c_int,
    /// The client id of its token.
    pub client_id: u64,
    /// Where it is.
    pub endpoint: cn_endpoint_t,
}

/// A client is gone.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cn_disconnected {
    /// The slot it had.
    pub client_index: c_int,
}

/// A packet came.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cn_payload_packet {
    /// The slot of its client.
    pub client_index: c_int,
    /// Its bytes.
    pub data: *mut c_void,
    /// How many.
    pub size: c_int,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<cn_server_event_t>() == 48 && offset_of!(cn_server_event_t, u) == 8);
    assert!(
        offset_of!(cn_new_connection, client_id) == 8 && offset_of!(cn_new_connection, endpoint) == 16
    );
    assert!(offset_of!(cn_payload_packet, data) == 8 && offset_of!(cn_payload_packet, size) == 16);
};

/// Hands a message to the program, in memory of the server's allocator.
///
/// # Safety
/// `server` came from `cn_server_create` and was not destroyed.
pub(crate) unsafe fn block_of(server: *mut cn_server_t, message: Message) -> *mut c_void {
    // SAFETY: as this function's.
    into_block(unsafe { &(*server).0 }, message)
}

/// Clients a server has room for unless the program says otherwise (`CN_SERVER_MAX_CLIENTS`).
pub(crate) const DEFAULT_MAX_CLIENTS: c_int = 32;

/// Runs `body` on the host of `server`; `otherwise` if that can't be done.
///
/// # Safety
/// `server` is NULL or came from `cn_server_create`, was not destroyed, and no other call uses it now.
pub(crate) unsafe fn with_server<T>(
    server: *mut cn_server_t,
    otherwise: T,
    body: impl FnOnce(&mut ServerHost) -> T,
) -> T {
    // SAFETY: as this function's.
    let server = unsafe { server.as_ref() };
    with_host(server.map(|server| &server.0), otherwise, |server| {
        server.restart_if_forked();
        body(server)
    })
}

/// A slot number from C; one that no server has if it is negative.
pub(crate) fn slot(client_index: c_int) -> u32 {
    u32::try_from(client_index).unwrap_or(u32::MAX)
}

/// The error of a call that needs a client in a slot, beginning with the original's text.
pub(crate) fn not_connected(server: &ServerHost, client_index: c_int) -> cn_result_t {
    failure_with(no_client(server, client_index))
}

/// Why there is no client in a slot, beginning with the original's text.
pub(crate) fn no_client(server: &ServerHost, client_index: c_int) -> String {
    let slots = server.max_clients();
    let why = match usize::try_from(client_index) {
        _ if !server.is_running() => "The server does not run: start it first".to_owned(),
        Ok(index) if index < slots => format!("There is none in slot {index}"),
        _ => format!("There is no slot {client_index}: they are 0 to {}", slots - 1),
    };
    format!("Client is not connected. {why}.")
}

/// The configuration that most servers want; the key pair must still be set.
#[unsafe(no_mangle)]
pub extern "C" fn cn_server_config_defaults() -> cn_server_config_t {
    cn_server_config_t {
        application_id: 0,
        max_incoming_bytes_per_second: 0,
        max_outgoing_bytes_per_second: 0,
        connection_timeout: 10,
        // The original's: a float made a double.
        resend_rate: f64::from(0.1f32),
        public_key: cn_crypto_sign_public_t { key: [0; 32] },
        secret_key: cn_crypto_sign_secret_t { key: [0; 64] },
        user_allocator_context: std::ptr::null_mut(),
    }
}

/// Makes a server with room for `CN_SERVER_MAX_CLIENTS` (32) clients, which `cnx_server_set_max_clients`
/// changes. It does not run before `cn_server_start`, which also tells whether the keys are good. `config` is copied.
///
/// Returns NULL only if the program's allocator gave none. Destroy the server with `cn_server_destroy`.
#[unsafe(no_mangle)]
pub extern "C" fn cn_server_create(config: cn_server_config_t) -> *mut cn_server_t {
    create(&config, DEFAULT_MAX_CLIENTS)
}

/// `cn_server_create` with room for `max_clients` clients, brought into the range from 1 to 65535.
/// `cn_server_create` itself becomes this where a program defines `CN_SERVER_MAX_CLIENTS` before it includes
/// the header.
#[unsafe(no_mangle)]
pub extern "C" fn cnx_server_create(config: cn_server_config_t, max_clients: c_int) -> *mut cn_server_t {
    create(&config, max_clients)
}

/// A rate of the program's, in bytes a second: 0 or less is no limit.
pub(crate) fn rate(bytes_per_second: c_int) -> Option<u32> {
    u32::try_from(bytes_per_second).ok().filter(|&rate| rate > 0)
}

/// Makes a server with room for `max_clients` clients, brought into the range from 1 to 65535.
fn create(config: &cn_server_config_t, max_clients: c_int) -> *mut cn_server_t {
    let timeout = u64::try_from(config.connection_timeout).ok().filter(|&seconds| seconds > 0);
    let ctx = config.user_allocator_context;
    let config = ServerHostConfig {
        application_id: config.application_id,
        public_key: public_key(&config.public_key),
        secret_key: secret_key(&config.secret_key),
        connection_timeout: timeout.map(Duration::from_secs),
        resend_ceiling: Duration::from_secs_f64(config.resend_rate.min(3600.0)),
        max_outgoing_rate: rate(config.max_outgoing_bytes_per_second),
        max_incoming_rate: rate(config.max_incoming_bytes_per_second),
    };
    guarded(std::ptr::null_mut(), || {
        let max_clients = usize::try_from(max_clients).unwrap_or(1);
        Handle::create(ServerHost::new(config, max_clients), ctx, cn_server_t)
    })
}

/// Stops the server if it runs, as `cn_server_stop` does, and frees it. Packets it gave remain the
/// program's, to be freed with `cn_server_free_packet` of any server, or NULL. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_server_destroy(server: *mut cn_server_t) {
    // SAFETY: the caller passes a server, or NULL, and gives it back.
    unsafe { destroy(server, |server| &server.0) };
}

/// Starts to listen at an address, as `cn_endpoint_init` reads it. Clients get in whose token lists this
/// address; a server at a wildcard address (`0.0.0.0:5000`, `[::]:5000`) takes tokens that list the
/// address their datagrams were sent to, and `cn_server_set_public_ip` adds others. Port 0 lets the
/// system choose: `cnx_server_bound_endpoint` tells what it chose. `[::]` takes IPv6 alone;
/// `cnx_server_start_dual` listens at both. Events of an earlier run are gone.
///
/// Fails if the server runs already, the address can't be read or used, or the key pair isn't one: a server
/// that ran runs on, and one that did not can be started again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_server_start(
    server: *mut cn_server_t,
    address_and_port: *const c_char,
) -> cn_result_t {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    // SAFETY: the caller passes a string that ends with a zero byte, or NULL.
    let address = match unsafe { read_address(address_and_port) } {
        Ok(address) => address,
        Err(error) => return error,
    };
    // SAFETY: the caller passes a server.
    unsafe { with_server(server, internal_failure(), |server| outcome(server.start(&[address]))) }
}

/// Sends all clients away as `cn_server_disconnect_client` with `notify_client`, and closes the socket. What they
/// had sent, and a disconnection for each, can still be popped, until the next start. Does nothing to a server
/// that does not run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_server_stop(server: *mut cn_server_t) {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { with_server(server, (), ServerHost::stop) };
}

/// Takes the next event: first connections and disconnections as they happened, then packets by client
/// index, for each client reliable ones first and in order, then unreliable ones as they came. The packets
/// of a client that is gone come before its disconnection.
///
/// True if there was one. The packet of a `CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET` is the program's until
/// `cn_server_free_packet`; it may be written to. False if there was none or a pointer is NULL; nothing is
/// written then. Pop until then in every tick: a slot is not free before its disconnection was popped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_server_pop_event(
    server: *mut cn_server_t,
    event: *mut cn_server_event_t,
) -> bool {
    if event.is_null() {
        return false;
    }
    // SAFETY: the caller passes a server, or NULL.
    let Some(popped) = (unsafe { with_server(server, None, ServerHost::pop_event) }) else {
        return false;
    };
    let value = match popped {
        Event::Connected { index, client_id, address } => cn_server_event_t {
            r#type: cn_server_event_type_t::NEW_CONNECTION,
            u: cn_server_event_union {
                new_connection: cn_new_connection {
                    client_index: index as c_int,
                    client_id,
                    endpoint: address.into(),
                },
            },
        },
        Event::Disconnected { index, .. } => cn_server_event_t {
            r#type: cn_server_event_type_t::DISCONNECTED,
            u: cn_server_event_union { disconnected: cn_disconnected { client_index: index as c_int } },
        },
        Event::Message { index, message } => {
            let (client_index, size) = (index as c_int, message.len() as c_int);
            // SAFETY: a server that has an event is one.
            let data = unsafe { block_of(server, message) };
            cn_server_event_t {
                r#type: cn_server_event_type_t::PAYLOAD_PACKET,
                u: cn_server_event_union {
                    payload_packet: cn_payload_packet { client_index, data, size },
                },
            }
        }
    };
    // SAFETY: the caller passes room for an event.
    unsafe { event.write(value) };
    true
}

/// Frees a packet of an event, on any thread at any time: after its client left, after its slot was reused,
/// after the server was stopped or destroyed (`server` and `client_index` are not looked at). NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_server_free_packet(
    server: *mut cn_server_t,
    client_index: c_int,
    data: *mut c_void,
) {
    let _ = (server, client_index);
    // SAFETY: the caller passes a packet of this library that was not freed, or NULL.
    guarded((), || unsafe { free_block(data) });
}

/// Receives, lets clients in, resends and sends. Call it once a tick, ten times a second at least. Does
/// nothing while the server does not run. It never waits, and reads for a quarter of `dt` at most, or 2 ms if
/// that is more: what else arrived waits for the next call.
///
/// - `dt`: seconds since the last call, 0 or more. The library has no other clock.
/// - `current_time`: unix seconds, used when a client connects, to see whether its token has expired.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_server_update(server: *mut cn_server_t, dt: f64, current_time: u64) {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { with_server(server, (), |server| server.update(dt, current_time)) };
}

/// Sends a client away at once; its disconnection is popped after the next update, and what it had sent
/// before that. With `notify_client` what was queued for it leaves first, as far as it fits on the way at once
/// (see `cn_client_disconnect`), and then the news; without, it finds out by itself, after its timeout at the
/// latest. Does nothing if no such client is connected. May be called while events are popped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_server_disconnect_client(
    server: *mut cn_server_t,
    client_index: c_int,
    notify_client: bool,
) {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { with_server(server, (), |server| server.disconnect(slot(client_index), notify_client)) };
}

/// Sends a packet of 1 to 20971520 (20 MiB) bytes to a client; the bytes are copied. See `cn_client_send`.
///
/// Fails if no such client is connected, the size is out of range, `packet` is NULL, or more than 30 MiB of
/// reliable packets or 32 MiB of all would wait for the client: then nothing was queued.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_server_send(
    server: *mut cn_server_t,
    packet: *const c_void,
    size: c_int,
    client_index: c_int,
    send_reliably: bool,
) -> cn_result_t {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    if size <= 0 {
        return no_size("Empty packets are not allowed.", size);
    }
    // SAFETY: the caller's packet has `size` bytes, or is NULL.
    let Some(data) = (unsafe { bytes(packet, size) }) else { return failure(c"`packet` is NULL.") };
    let delivery = delivery(send_reliably);
    // SAFETY: the caller passes a server.
    unsafe {
        with_server(server, internal_failure(), |server| {
            let sent = server.send(slot(client_index), 0, delivery, 0, data);
            send_result(sent, send_reliably, || not_connected(server, client_index))
        })
    }
}

/// True if a client is connected in this slot: from the update that made its event until it is sent away
/// or gone. False for slots there are none of.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_server_is_client_connected(
    server: *mut cn_server_t,
    client_index: c_int,
) -> bool {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { with_server(server, false, |server| server.is_connected(slot(client_index))) }
}

/// Also lets clients in whose token lists this address, with its port: where players reach the server from
/// outside, when it stands behind a router. May be called before and after the start, and for several addresses. An
/// address that can't be read is reported to the log callback; `cnx_server_add_public_address` returns the
/// error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_server_set_public_ip(
    server: *mut cn_server_t,
    address_and_port: *const c_char,
) {
    // SAFETY: the caller passes a string that ends with a zero byte, or NULL.
    match unsafe { read_address(address_and_port) } {
        Ok(address) => {
            warn_of_no_port("A public address", address);
            // SAFETY: the caller passes a server, or NULL.
            unsafe { with_server(server, (), |server| server.add_public_address(address)) };
        }
        Err(error) => {
            // SAFETY: the details of a failure are a string.
            let text = unsafe { CStr::from_ptr(error.details) }.to_string_lossy();
            log::log(Level::Warning, format_args!("cn_server_set_public_ip was ignored. {text}"));
        }
    }
}

/// Makes everything the server sends from now on travel over a bad network, for tests. See
/// `cn_client_enable_network_simulator`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_server_enable_network_simulator(
    server: *mut cn_server_t,
    latency: f64,
    jitter: f64,
    drop_chance: f64,
    duplicate_chance: f64,
) {
    let config = simulator_config(latency, jitter, drop_chance, duplicate_chance);
    // SAFETY: the caller passes a server, or NULL.
    unsafe { with_server(server, (), |server| server.set_simulator(config, simulator_seed())) };
}

/// The share of packets sent to a client lately that did not arrive, 0 to 1. This and the next three: 0 if
/// no such client is connected; lately is the last four seconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_server_get_packet_loss_estimate(
    server: *mut cn_server_t,
    client_index: c_int,
) -> f32 {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { with_statistics(server, client_index, |statistics, now| statistics.packet_loss(now)) }
}

/// The smoothed round trip to a client, in milliseconds; 0 before the first measurement.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_server_get_rtt_estimate(
    server: *mut cn_server_t,
    client_index: c_int,
) -> f32 {
    // SAFETY: the caller passes a server, or NULL.
    unsafe {
        with_server(server, 0.0, |server| {
            rtt_ms(server.connection(slot(client_index)).and_then(|connection| connection.rtt()))
        })
    }
}

/// Kilobits (1000 bits) a second received from a client lately, UDP payload.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_server_get_incoming_kbps_estimate(
    server: *mut cn_server_t,
    client_index: c_int,
) -> f32 {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { with_statistics(server, client_index, |statistics, now| statistics.incoming_kbps(now)) }
}

/// Kilobits (1000 bits) a second sent to a client lately, UDP payload.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_server_get_outgoing_kbps_estimate(
    server: *mut cn_server_t,
    client_index: c_int,
) -> f32 {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { with_statistics(server, client_index, |statistics, now| statistics.outgoing_kbps(now)) }
}

/// # Safety
/// As [`with_server`].
unsafe fn with_statistics(
    server: *mut cn_server_t,
    client_index: c_int,
    read: impl FnOnce(&Statistics, Instant) -> f64,
) -> f32 {
    // SAFETY: as this function's.
    unsafe {
        with_server(server, 0.0, |server| {
            let now = server.clock().now();
            let connection = server.connection(slot(client_index));
            connection.map_or(0.0, |connection| read(connection.statistics(), now) as f32)
        })
    }
}
