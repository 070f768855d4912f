//! Servers (the header's section SERVER).

use super::client::unix_time;
use super::token::{CF_CryptoSignPublic, CF_CryptoSignSecret};
use crate::crypto::key_pair::{PublicKey, SecretKey};
use crate::duration::Duration;
use crate::ffi::crypto::{cn_crypto_sign_public_t, cn_crypto_sign_secret_t};
use crate::ffi::error::cn_result_t as CF_Result;
use crate::ffi::server::{
    cn_server_config_defaults, cn_server_config_t, cn_server_create, cn_server_destroy,
    cn_server_disconnect_client, cn_server_enable_network_simulator,
    cn_server_event_t as CF_ServerEvent, cn_server_event_type_t as CF_ServerEventType,
    cn_server_free_packet, cn_server_get_incoming_kbps_estimate, cn_server_get_outgoing_kbps_estimate,
    cn_server_get_packet_loss_estimate, cn_server_get_rtt_estimate, cn_server_is_client_connected,
    cn_server_pop_event, cn_server_send, cn_server_set_public_ip, cn_server_start, cn_server_stop,
    cn_server_t as CF_Server, cn_server_update, with_server,
};
use std::ffi::{c_char, c_int, c_void};

/// How a server is set up. Start from `cf_server_config_defaults`. Without the allocator context of
/// `cn_server_config_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CF_ServerConfig {
    /// Names the game; the same number as in connect tokens and clients. Default 0.
    pub application_id: u64,
    /// Bytes a second taken from each client; 0, the default, is no limit. See `cn_server_config_t`.
    pub max_incoming_bytes_per_second: c_int,
    /// Bytes a second sent to each client; 0, the default, is no limit. See `cn_server_config_t`.
    pub max_outgoing_bytes_per_second: c_int,
    /// Seconds of silence after which a client counts as gone; 0 or less is never. Default 10.
    pub connection_timeout: c_int,
    /// Seconds a lost reliable packet waits at most to be sent again. Default 0.1.
    pub resend_rate: f64,
    /// The half of the key pair that may be shown. Default zeros: set it.
    pub public_key: CF_CryptoSignPublic,
    /// The half that is kept: the one that connect tokens are made with. Default zeros: set it.
    pub secret_key: CF_CryptoSignSecret,
}

/// `cn_server_config_defaults`.
#[unsafe(no_mangle)]
pub extern "C" fn cf_server_config_defaults() -> CF_ServerConfig {
    let defaults = cn_server_config_defaults();
    CF_ServerConfig {
        application_id: defaults.application_id,
        max_incoming_bytes_per_second: defaults.max_incoming_bytes_per_second,
        max_outgoing_bytes_per_second: defaults.max_outgoing_bytes_per_second,
        connection_timeout: defaults.connection_timeout,
        resend_rate: defaults.resend_rate,
        public_key: CF_CryptoSignPublic { key: defaults.public_key.key },
        secret_key: CF_CryptoSignSecret { key: defaults.secret_key.key },
    }
}

/// `cn_server_create`.
#[unsafe(no_mangle)]
pub extern "C" fn cf_make_server(config: CF_ServerConfig) -> *mut CF_Server {
    // SAFETY: both members of a key are the same bytes, all of them initialised in a config that C made.
    let (public_key, secret_key) = unsafe { (config.public_key.key, config.secret_key.key) };
    cn_server_create(cn_server_config_t {
        application_id: config.application_id,
        max_incoming_bytes_per_second: config.max_incoming_bytes_per_second,
        max_outgoing_bytes_per_second: config.max_outgoing_bytes_per_second,
        connection_timeout: config.connection_timeout,
        resend_rate: config.resend_rate,
        public_key: cn_crypto_sign_public_t { key: public_key },
        secret_key: cn_crypto_sign_secret_t { key: secret_key },
        user_allocator_context: std::ptr::null_mut(),
    })
}

/// Makes, for development, a server that clients of `cf_client_connect_insecure` can connect to, with a key
/// pair that everybody has: anybody can mint tokens for it and read what travels. Never ship it.
#[unsafe(no_mangle)]
pub extern "C" fn cf_make_server_insecure(application_id: u64) -> *mut CF_Server {
    let (public, secret) = insecure_key_pair();
    cf_make_server(CF_ServerConfig {
        application_id,
        public_key: CF_CryptoSignPublic { key: public.0 },
        secret_key: CF_CryptoSignSecret { key: secret.0 },
        ..cf_server_config_defaults()
    })
}

/// The pair that everybody has: made of the seed `INSECURE_SEED`.
pub(super) fn insecure_key_pair() -> (PublicKey, SecretKey) {
    crate::crypto::key_pair::from_seed(INSECURE_SEED)
}

const INSECURE_SEED: [u8; 32] = *b"anybody can read and forge this!";

/// `cn_server_destroy`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_destroy_server(server: *mut CF_Server) {
    // SAFETY: the caller passes what `cn_server_destroy` takes.
    unsafe { cn_server_destroy(server) };
}

/// `cn_server_start`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_start(
    server: *mut CF_Server,
    address_and_port: *const c_char,
) -> CF_Result {
    // SAFETY: the caller passes what `cn_server_start` takes.
    unsafe { cn_server_start(server, address_and_port) }
}

/// `cn_server_stop`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_stop(server: *mut CF_Server) {
    // SAFETY: the caller passes what `cn_server_stop` takes.
    unsafe { cn_server_stop(server) };
}

/// `cn_server_pop_event`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_pop_event(
    server: *mut CF_Server,
    event: *mut CF_ServerEvent,
) -> bool {
    // SAFETY: the caller passes what `cn_server_pop_event` takes; the two events have one layout.
    unsafe { cn_server_pop_event(server, event) }
}

/// `cn_server_free_packet`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_free_packet(
    server: *mut CF_Server,
    client_index: c_int,
    data: *mut c_void,
) {
    // SAFETY: the caller passes what `cn_server_free_packet` takes.
    unsafe { cn_server_free_packet(server, client_index, data) };
}

/// cbindgen:ignore
#[unsafe(no_mangle)]
pub extern "C" fn cf_server_event_type_to_string(kind: CF_ServerEventType) -> *const c_char {
    match kind.0 {
        0 => c"CF_SERVER_EVENT_TYPE_NEW_CONNECTION".as_ptr(),
        1 => c"CF_SERVER_EVENT_TYPE_DISCONNECTED".as_ptr(),
        2 => c"CF_SERVER_EVENT_TYPE_PAYLOAD_PACKET".as_ptr(),
        _ => std::ptr::null(),
    }
}

/// `cn_server_update`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_update(server: *mut CF_Server, dt: f64, current_time: u64) {
    // SAFETY: the caller passes what `cn_server_update` takes.
    unsafe { cn_server_update(server, dt, current_time) };
}

/// `cf_server_update` by the system's clocks; see `cf_client_tick`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_tick(server: *mut CF_Server) {
    // SAFETY: the caller passes a server, or NULL.
    let dt = unsafe { with_server(server, Duration::ZERO, |server| server.since_last_tick()) };
    // SAFETY: as above.
    unsafe { cn_server_update(server, dt.as_secs_f64(), unix_time()) };
}

/// `cn_server_disconnect_client`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_disconnect_client(
    server: *mut CF_Server,
    client_index: c_int,
    notify_client: bool,
) {
    // SAFETY: the caller passes what `cn_server_disconnect_client` takes.
    unsafe { cn_server_disconnect_client(server, client_index, notify_client) };
}

/// `cn_server_send`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_send(
    server: *mut CF_Server,
    packet: *const c_void,
    size: c_int,
    client_index: c_int,
    send_reliably: bool,
) -> CF_Result {
    // SAFETY: the caller passes what `cn_server_send` takes.
    unsafe { cn_server_send(server, packet, size, client_index, send_reliably) }
}

/// `cf_server_send` to every connected client. A client whose queue is full does not get it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_send_to_all(
    server: *mut CF_Server,
    packet: *const c_void,
    size: c_int,
    send_reliably: bool,
) {
    // SAFETY: the caller passes a server, or NULL.
    let clients = unsafe { with_server(server, Vec::new(), |server| server.clients()) };
    for client in clients {
        // SAFETY: the caller passes what `cn_server_send` takes.
        unsafe { cn_server_send(server, packet, size, client as c_int, send_reliably) };
    }
}

/// `cn_server_is_client_connected`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_is_client_connected(
    server: *mut CF_Server,
    client_index: c_int,
) -> bool {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { cn_server_is_client_connected(server, client_index) }
}

/// `cn_server_set_public_ip`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_set_public_ip(
    server: *mut CF_Server,
    address_and_port: *const c_char,
) {
    // SAFETY: the caller passes what `cn_server_set_public_ip` takes.
    unsafe { cn_server_set_public_ip(server, address_and_port) };
}

/// `cn_server_enable_network_simulator`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_enable_network_simulator(
    server: *mut CF_Server,
    latency: f64,
    jitter: f64,
    drop_chance: f64,
    duplicate_chance: f64,
) {
    // SAFETY: the caller passes a server, or NULL.
    unsafe {
        cn_server_enable_network_simulator(server, latency, jitter, drop_chance, duplicate_chance);
    }
}

/// `cn_server_get_rtt_estimate`: milliseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_rtt(server: *mut CF_Server, client_index: c_int) -> f32 {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { cn_server_get_rtt_estimate(server, client_index) }
}

/// `cn_server_get_packet_loss_estimate`: 0 to 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_packet_loss(server: *mut CF_Server, client_index: c_int) -> f32 {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { cn_server_get_packet_loss_estimate(server, client_index) }
}

/// `cn_server_get_incoming_kbps_estimate`: kilobits a second.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_incoming_kbps(server: *mut CF_Server, client_index: c_int) -> f32 {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { cn_server_get_incoming_kbps_estimate(server, client_index) }
}

/// `cn_server_get_outgoing_kbps_estimate`: kilobits a second.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_server_outgoing_kbps(server: *mut CF_Server, client_index: c_int) -> f32 {
    // SAFETY: the caller passes a server, or NULL.
    unsafe { cn_server_get_outgoing_kbps_estimate(server, client_index) }
}
