//! Clients (the header's section CLIENT).

use crate::crypto::Key;
use crate::crypto::random;
use crate::duration::Duration;
use crate::endpoint;
use crate::ffi::client::{
    cn_client_connect, cn_client_create, cn_client_destroy, cn_client_disconnect,
    cn_client_enable_network_simulator, cn_client_free_packet, cn_client_get_incoming_kbps_estimate,
    cn_client_get_outgoing_kbps_estimate, cn_client_get_packet_loss_estimate,
    cn_client_get_rtt_estimate, cn_client_pop_packet, cn_client_send, cn_client_state_get,
    cn_client_state_t as CF_ClientState, cn_client_t as CF_Client, cn_client_update, with_client,
};
use crate::ffi::endpoint::{read_address, warn_of_no_port};
use crate::ffi::error::{cn_result_t as CF_Result, failure, failure_with, internal_failure};
use crate::ffi::guarded;
use crate::ffi::wire::{cnx_client_set_wire, cnx_client_wire_t};
use crate::token::{self, TokenKeys, TokenRequest, USER_DATA_SIZE};
use std::ffi::{c_char, c_int, c_void};
use std::time::SystemTime;

/// Seconds a token of `cf_client_connect_insecure` is good for: more than any two clocks of development
/// machines differ, in whatever time zone a program believes unix time to be.
const INSECURE_LIFETIME: u64 = 2 * 24 * 3600;
/// Seconds it gives a server to answer.
const INSECURE_HANDSHAKE: u32 = 5;

/// `cn_client_create` without an allocator context.
#[unsafe(no_mangle)]
pub extern "C" fn cf_make_client(port: u16, application_id: u64, use_ipv6: bool) -> *mut CF_Client {
    cn_client_create(port, application_id, use_ipv6, std::ptr::null_mut())
}

/// `cn_client_destroy`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_destroy_client(client: *mut CF_Client) {
    // SAFETY: the caller passes what `cn_client_destroy` takes.
    unsafe { cn_client_destroy(client) };
}

/// `cn_client_connect`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_connect(
    client: *mut CF_Client,
    connect_token: *const u8,
) -> CF_Result {
    // SAFETY: the caller passes what `cn_client_connect` takes.
    unsafe { cn_client_connect(client, connect_token) }
}

/// Connects, for development, to a server of `cf_make_server_insecure` at `address_and_port`, without a web
/// service: the token is made here, with keys that everybody has, for a random client id. The application
/// id is the server's.
///
/// Fails as `cn_client_connect`, and if the address can't be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_connect_insecure(
    client: *mut CF_Client,
    address_and_port: *const c_char,
    application_id: u64,
) -> CF_Result {
    if client.is_null() {
        return failure(c"`client` is NULL.");
    }
    // SAFETY: the caller passes a string that ends with a zero byte, or NULL.
    let server = match unsafe { read_address(address_and_port) } {
        Ok(address) => endpoint::canonical(address),
        Err(error) => return error,
    };
    warn_of_no_port("The server's address", server);
    let made = guarded(Err(None), || {
        let random: [u8; 72] = random::bytes().map_err(|error| Some(error.to_string()))?;
        let (keys, client_id) = random.split_at(64);
        let (up, down) = keys.split_at(32);
        let key = |bytes: &[u8]| Key::new(bytes.try_into().unwrap_or([0; 32]));
        let creation = unix_time();
        let request = TokenRequest {
            application_id,
            creation,
            expiration: creation + INSECURE_LIFETIME,
            handshake_timeout: INSECURE_HANDSHAKE,
            keys: &TokenKeys { client_to_server: key(up), server_to_client: key(down) },
            servers: &[server],
            client_id: u64::from_le_bytes(client_id.try_into().unwrap_or_default()),
            user_data: &[0; USER_DATA_SIZE],
        };
        let (_, secret) = super::server::insecure_key_pair();
        token::generate(&request, &secret).map_err(|error| Some(error.to_string()))
    });
    match made {
        // SAFETY: the caller passes a client; the token is a whole one.
        Ok(token) => unsafe { cn_client_connect(client, token.as_ptr()) },
        Err(Some(error)) => failure_with(error),
        Err(None) => internal_failure(),
    }
}

/// The system's time, in unix seconds.
pub(super) fn unix_time() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// `cn_client_disconnect`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_disconnect(client: *mut CF_Client) {
    // SAFETY: the caller passes what `cn_client_disconnect` takes.
    unsafe { cn_client_disconnect(client) };
}

/// `cn_client_update`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_update(client: *mut CF_Client, dt: f64, current_time: u64) {
    // SAFETY: the caller passes what `cn_client_update` takes.
    unsafe { cn_client_update(client, dt, current_time) };
}

/// `cf_client_update` by the system's clocks: with the time that has passed since the last `cf_client_tick`, 0 at
/// the first, and the unix time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_tick(client: *mut CF_Client) {
    // SAFETY: the caller passes a client, or NULL.
    let dt = unsafe { with_client(client, Duration::ZERO, |client| client.since_last_tick()) };
    // SAFETY: as above.
    unsafe { cn_client_update(client, dt.as_secs_f64(), unix_time()) };
}

/// `cn_client_pop_packet`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_pop_packet(
    client: *mut CF_Client,
    packet: *mut *mut c_void,
    size: *mut c_int,
    was_sent_reliably: *mut bool,
) -> bool {
    // SAFETY: the caller passes what `cn_client_pop_packet` takes.
    unsafe { cn_client_pop_packet(client, packet, size, was_sent_reliably) }
}

/// `cn_client_free_packet`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_free_packet(client: *mut CF_Client, packet: *mut c_void) {
    // SAFETY: the caller passes what `cn_client_free_packet` takes.
    unsafe { cn_client_free_packet(client, packet) };
}

/// `cn_client_send`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_send(
    client: *mut CF_Client,
    packet: *const c_void,
    size: c_int,
    send_reliably: bool,
) -> CF_Result {
    // SAFETY: the caller passes what `cn_client_send` takes.
    unsafe { cn_client_send(client, packet, size, send_reliably) }
}

/// `cn_client_state_get`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_state_get(client: *const CF_Client) -> CF_ClientState {
    // SAFETY: the caller passes what `cn_client_state_get` takes.
    unsafe { cn_client_state_get(client) }
}

/// `cn_client_state_get`, by its newer name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_state(client: *const CF_Client) -> CF_ClientState {
    // SAFETY: the caller passes what `cn_client_state_get` takes.
    unsafe { cn_client_state_get(client) }
}

/// cbindgen:ignore
#[unsafe(no_mangle)]
pub extern "C" fn cf_client_state_to_string(state: CF_ClientState) -> *const c_char {
    let name = match state.0 {
        -6 => c"CF_CLIENT_STATE_CONNECT_TOKEN_EXPIRED",
        -5 => c"CF_CLIENT_STATE_INVALID_CONNECT_TOKEN",
        -4 => c"CF_CLIENT_STATE_CONNECTION_TIMED_OUT",
        -3 => c"CF_CLIENT_STATE_CHALLENGE_RESPONSE_TIMED_OUT",
        -2 => c"CF_CLIENT_STATE_CONNECTION_REQUEST_TIMED_OUT",
        -1 => c"CF_CLIENT_STATE_CONNECTION_DENIED",
        1 => c"CF_CLIENT_STATE_SENDING_CONNECTION_REQUEST",
        2 => c"CF_CLIENT_STATE_SENDING_CHALLENGE_RESPONSE",
        0 => c"CF_CLIENT_STATE_DISCONNECTED",
        3 => c"CF_CLIENT_STATE_CONNECTED",
        _ => return std::ptr::null(),
    };
    name.as_ptr()
}

/// `cn_client_enable_network_simulator`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_enable_network_simulator(
    client: *mut CF_Client,
    latency: f64,
    jitter: f64,
    drop_chance: f64,
    duplicate_chance: f64,
) {
    // SAFETY: the caller passes what `cn_client_enable_network_simulator` takes.
    unsafe {
        cn_client_enable_network_simulator(client, latency, jitter, drop_chance, duplicate_chance);
    }
}

/// `cn_client_get_rtt_estimate`: milliseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_rtt(client: *mut CF_Client) -> f32 {
    // SAFETY: the caller passes a client, or NULL.
    unsafe { cn_client_get_rtt_estimate(client) }
}

/// `cn_client_get_packet_loss_estimate`: 0 to 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_packet_loss(client: *mut CF_Client) -> f32 {
    // SAFETY: the caller passes a client, or NULL.
    unsafe { cn_client_get_packet_loss_estimate(client) }
}

/// `cn_client_get_incoming_kbps_estimate`: kilobits a second.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_incoming_kbps(client: *mut CF_Client) -> f32 {
    // SAFETY: the caller passes a client, or NULL.
    unsafe { cn_client_get_incoming_kbps_estimate(client) }
}

/// `cn_client_get_outgoing_kbps_estimate`: kilobits a second.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_outgoing_kbps(client: *mut CF_Client) -> f32 {
    // SAFETY: the caller passes a client, or NULL.
    unsafe { cn_client_get_outgoing_kbps_estimate(client) }
}

/// A transport of the program's: datagrams of up to 1200 bytes, each of which may get lost, come twice or
/// out of order.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CF_ClientWire {
    /// The program's own, passed to both functions.
    pub udata: *mut c_void,
    /// Sends a datagram of `size` bytes, or loses it. What it returns is not looked at.
    pub send:
        Option<unsafe extern "C" fn(udata: *mut c_void, data: *const c_void, size: c_int) -> c_int>,
    /// Reads the next whole datagram into `data`, which has room for `size` bytes. Returns how many it has, 0
    /// if none waits, less than 0 on a failure.
    pub recv: Option<unsafe extern "C" fn(udata: *mut c_void, data: *mut c_void, size: c_int) -> c_int>,
}

/// Makes the client's datagrams travel over functions of the program instead of UDP, from the next
/// connection on; a connection there is ends. Both functions NULL is UDP again. The struct is copied. The
/// functions are called during calls with this client alone, and must not use it. Does nothing if `client`
/// is NULL, or one of the functions alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_set_wire(client: *mut CF_Client, wire: CF_ClientWire) {
    let CF_ClientWire { udata, send, recv } = wire;
    let wire = cnx_client_wire_t { udata, send, recv };
    let udp = send.is_none() && recv.is_none();
    // SAFETY: the caller passes a client, or NULL, and functions that may be called.
    let _ = unsafe { cnx_client_set_wire(client, if udp { std::ptr::null() } else { &raw const wire }) };
}

/// A wire for browsers: on this platform it always fails, and says so. UDP needs no wire.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_client_web_wire(client: *mut CF_Client, url: *const c_char) -> CF_Result {
    let _ = (client, url);
    failure(c"cf_client_web_wire is for browsers: a native program uses UDP, or cf_client_set_wire.")
}
