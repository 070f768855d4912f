//! What the original does not have (`cute_net_x.h`).

use super::client::{cn_client_t, delivery, with_client};
use super::crypto::{cn_crypto_sign_public_t, cn_crypto_sign_secret_t, keygen};
use super::endpoint::{cn_endpoint_t, read_address};
use super::error::{cn_result_t, failure, failure_with, internal_failure, success};
use super::server::{cn_server_t, slot, with_server};
use super::{bytes, guarded, versioned};
use crate::crypto::key_pair::{PublicKey, SecretKey};
use crate::drop_reason::{DropCounters, DropReason};
use crate::host::{NotAllSent, SendMode};
use crate::log::{self, Level};
use crate::server::{LEAST_MEMORY, MAX_CLIENTS};
use crate::token::{USER_DATA_SIZE, Version};
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

/// The library's version, such as "1.0.0-alpha.1": of what is linked, whatever header was compiled.
/// Never NULL, never freed.
#[unsafe(no_mangle)]
pub extern "C" fn cnx_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

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
/// in any case. A message of the largest size fits, after others if it must.
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
    if server.is_null() || user_data_out.is_null() {
        return failure(c"`server` or `user_data_out` is NULL.");
    }
    // SAFETY: the caller passes a server, and room for USER_DATA_SIZE bytes.
    unsafe {
        with_server(server, internal_failure(), |server| match server.user_data(slot(client_index)) {
            Some(data) => {
                user_data_out.copy_from_nonoverlapping(data.as_ptr(), USER_DATA_SIZE);
                success()
            }
            None => failure(c"Client is not connected."),
        })
    }
}

/// Also lets clients in whose token lists this address; see `cn_server_set_public_ip`.
///
/// Fails if the address can't be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_add_public_address(
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
    unsafe {
        with_server(server, internal_failure(), |server| {
            server.add_public_address(address);
            success()
        })
    }
}

/// Makes a key pair as the original `cute_net.h` does: connections of tokens made with it speak CUTE 1.00,
/// which clients and servers of the original understand. Use `cn_crypto_sign_keygen` where there are none: CUTE
/// 2.00 is safer and needs fewer bytes. Does nothing if a pointer is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_crypto_sign_keygen_1_00(
    public_key: *mut cn_crypto_sign_public_t,
    secret_key: *mut cn_crypto_sign_secret_t,
) {
    // SAFETY: the caller passes room for each half, or NULL.
    unsafe { keygen(Version::V1, public_key, secret_key) };
}

/// Also lets those clients in whose tokens were made with this key pair, besides the pair the server was
/// created with: at once if the server runs, and after every start. A server can have 16 pairs, of CUTE 2.00
/// and of CUTE 1.00 (`cnx_crypto_sign_keygen_1_00`, or made by the original), and serves clients of both at one
/// port. So keys are replaced without a pause: add the new pair to the servers, make tokens with it, and remove
/// the old pair when its last token has expired.
///
/// Fails if a pointer is NULL, if the halves do not belong together, or if there are 16 pairs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_add_key(
    server: *mut cn_server_t,
    public_key: *const cn_crypto_sign_public_t,
    secret_key: *const cn_crypto_sign_secret_t,
) -> cn_result_t {
    if server.is_null() || public_key.is_null() || secret_key.is_null() {
        return failure(c"`server`, `public_key` or `secret_key` is NULL.");
    }
    // SAFETY: the caller passes the halves of a pair.
    let (public, secret) = unsafe { (PublicKey((*public_key).key), SecretKey((*secret_key).key)) };
    // SAFETY: the caller passes a server.
    unsafe {
        with_server(server, internal_failure(), |server| match server.add_key(&public, &secret) {
            Ok(()) => success(),
            Err(error) => failure_with(error),
        })
    }
}

/// Lets those clients in no more whose tokens were made with the pair of this public key, be it the pair that the
/// server was created with. Who is connected stays so. A server without any pair lets nobody in.
///
/// Fails if a pointer is NULL, or if the server has no such pair.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_remove_key(
    server: *mut cn_server_t,
    public_key: *const cn_crypto_sign_public_t,
) -> cn_result_t {
    if server.is_null() || public_key.is_null() {
        return failure(c"`server` or `public_key` is NULL.");
    }
    // SAFETY: the caller passes a public key.
    let public = unsafe { PublicKey((*public_key).key) };
    // SAFETY: the caller passes a server.
    unsafe {
        with_server(server, internal_failure(), |server| {
            if server.remove_key(&public) {
                success()
            } else {
                failure(c"The server has no key pair with this public key.")
            }
        })
    }
}

/// Where a server listens: after a start at port 0, which port that was. The IPv4 address of a server that
/// listens at two.
///
/// Fails if the server does not run; `endpoint_out` then has the type `CN_ADDRESS_TYPE_NONE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_bound_endpoint(
    server: *mut cn_server_t,
    endpoint_out: *mut cn_endpoint_t,
) -> cn_result_t {
    if server.is_null() || endpoint_out.is_null() {
        return failure(c"`server` or `endpoint_out` is NULL.");
    }
    // SAFETY: the caller passes a server, and room for an endpoint.
    unsafe {
        endpoint_out.write(cn_endpoint_t::NONE);
        with_server(server, internal_failure(), |server| match server.bound_addresses().next() {
            Some(address) => {
                endpoint_out.write(address.into());
                success()
            }
            None => failure(c"The server does not run."),
        })
    }
}

/// Starts to listen at two addresses at once, one IPv4 and one IPv6 (`"0.0.0.0:5000"`, `"[::]:5000"`): one
/// server, whose slots players of both families share. Otherwise as `cn_server_start`.
///
/// Fails as `cn_server_start`, and if an address is not of its family; then the server does not run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_start_dual(
    server: *mut cn_server_t,
    ipv4_address_and_port: *const c_char,
    ipv6_address_and_port: *const c_char,
) -> cn_result_t {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    // SAFETY: the caller passes strings that end with a zero byte, or NULL.
    let addresses = unsafe {
        match (read_address(ipv4_address_and_port), read_address(ipv6_address_and_port)) {
            (Ok(ipv4), Ok(ipv6)) => [ipv4, ipv6],
            (Err(error), _) | (_, Err(error)) => return error,
        }
    };
    if addresses.map(|address| address.is_ipv4()) != [true, false] {
        return failure(c"Pass an IPv4 address, then an IPv6 address.");
    }
    // SAFETY: the caller passes a server.
    unsafe {
        with_server(server, internal_failure(), |server| match server.start(&addresses) {
            Ok(()) => success(),
            Err(error) => failure_with(error),
        })
    }
}

/// Where a server listens, as `cnx_server_bound_endpoint`, for one of `cnx_server_start_dual` too: writes up
/// to `capacity` endpoints, IPv4 first.
///
/// Returns how many there are: 0, 1 or 2.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_bound_endpoints(
    server: *mut cn_server_t,
    endpoints_out: *mut cn_endpoint_t,
    capacity: c_int,
) -> c_int {
    let room = if endpoints_out.is_null() { 0 } else { usize::try_from(capacity).unwrap_or(0) };
    // SAFETY: the caller passes a server, or NULL, and room for `capacity` endpoints, or NULL.
    unsafe {
        with_server(server, 0, |server| {
            for (number, address) in server.bound_addresses().enumerate().take(room) {
                endpoints_out.add(number).write(address.into());
            }
            server.bound_addresses().count() as c_int
        })
    }
}

/// Where a client's datagrams leave from.
///
/// Fails if the client is neither connected nor connecting; `endpoint_out` then has the type
/// `CN_ADDRESS_TYPE_NONE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_bound_endpoint(
    client: *mut cn_client_t,
    endpoint_out: *mut cn_endpoint_t,
) -> cn_result_t {
    if client.is_null() || endpoint_out.is_null() {
        return failure(c"`client` or `endpoint_out` is NULL.");
    }
    // SAFETY: the caller passes a client, and room for an endpoint.
    unsafe {
        endpoint_out.write(cn_endpoint_t::NONE);
        with_client(client, internal_failure(), |client| match client.bound_address() {
            Some(address) => {
                endpoint_out.write(address.into());
                success()
            }
            None => failure(c"Client is not connected."),
        })
    }
}

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
        return failure(c"Empty packets are not allowed.");
    }
    let Ok(count) = usize::try_from(count) else { return failure(c"`count` is negative.") };
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
                    failure_with(format_args!(
                        "{failed} of {count} clients don't get it. The first, {index}: {error}"
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

/// Datagrams received since the last start (of a server) or connect (of a client), and why some were
/// dropped. Each datagram counts once; what the system drops before, because a socket is full or of a flood, does not.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct cnx_counters_t {
    /// Set it to `sizeof(cnx_counters_t)` before the call: the struct may grow with later versions. The call
    /// sets it to the bytes it filled.
    pub size: u32,
    /// All datagrams.
    pub received: u64,
    /// Dropped for any reason: the sum of the fields below.
    pub dropped: u64,
    /// No bytes, too few, or more than any datagram of the protocol has.
    pub size_wrong: u64,
    /// The first byte of no packet that this end receives.
    pub type_unknown: u64,
    /// Another protocol version.
    pub version_unknown: u64,
    /// For another application id.
    pub application_unknown: u64,
    /// A token made with another key pair.
    pub key_unknown: u64,
    /// Altered on the way, or made by somebody without the keys.
    pub forged: u64,
    /// The token has expired.
    pub token_expired: u64,
    /// The token lists none of the server's addresses.
    pub address_not_listed: u64,
    /// The token was used before, or an older one than its client's newest.
    pub token_used: u64,
    /// The token belongs to a live connection.
    pub token_in_use: u64,
    /// The server is full.
    pub server_full: u64,
    /// The cookie is too old, or was given to another address.
    pub cookie_wrong: u64,
    /// Came before, or too old to know.
    pub replayed: u64,
    /// Opened, and its content breaks the protocol.
    pub malformed: u64,
    /// No connection has its connection id.
    pub connection_unknown: u64,
    /// From an address that nothing is expected from.
    pub address_unknown: u64,
    /// Nothing of its kind is expected now.
    pub unexpected: u64,
    /// Its connection has ended.
    pub connection_ended: u64,
    /// Its client sends more than `max_incoming_bytes_per_second`.
    pub rate_exceeded: u64,
    /// More token packets come than are answered: from one network (IPv4 /24, IPv6 /56) ten a second for each
    /// client that fits, 512 at least; or at all.
    pub token_flood: u64,
    /// Its connection has used up its memory; CUTE 1.00 alone, where a sender can't know.
    pub memory_exceeded: u64,
}

// A field for each reason, besides the size and the sums: what is added to the one is added to the other.
const _: () = assert!(size_of::<cnx_counters_t>() == 8 * (3 + DropReason::ALL.len()));

impl cnx_counters_t {
    fn new(counters: &DropCounters) -> cnx_counters_t {
        let dropped = |reason| counters.dropped(reason);
        cnx_counters_t {
            size: size_of::<cnx_counters_t>() as u32,
            received: counters.received(),
            dropped: counters.dropped_total(),
            size_wrong: dropped(DropReason::Size),
            type_unknown: dropped(DropReason::Type),
            version_unknown: dropped(DropReason::Version),
            application_unknown: dropped(DropReason::Application),
            key_unknown: dropped(DropReason::UnknownKey),
            forged: dropped(DropReason::Forged),
            token_expired: dropped(DropReason::Expired),
            address_not_listed: dropped(DropReason::NotListed),
            token_used: dropped(DropReason::TokenUsed),
            token_in_use: dropped(DropReason::TokenInUse),
            server_full: dropped(DropReason::Full),
            cookie_wrong: dropped(DropReason::Cookie),
            replayed: dropped(DropReason::Replayed),
            malformed: dropped(DropReason::Malformed),
            connection_unknown: dropped(DropReason::UnknownConnection),
            address_unknown: dropped(DropReason::UnknownAddress),
            unexpected: dropped(DropReason::Unexpected),
            connection_ended: dropped(DropReason::Ended),
            rate_exceeded: dropped(DropReason::RateLimit),
            token_flood: dropped(DropReason::Flood),
            memory_exceeded: dropped(DropReason::Memory),
        }
    }

    /// Writes as much of `self` as the caller has room for, and says how much that is.
    ///
    /// # Safety
    /// `out` points to a `cnx_counters_t` of any version whose `size` is set, or is NULL.
    unsafe fn write_to(&self, out: *mut cnx_counters_t) -> cn_result_t {
        let least = size_of::<u32>() + size_of::<u64>();
        // SAFETY: as this function's.
        unsafe { versioned::give(self, out, least, "counters_out", "cnx_counters_t") }
    }
}

/// Reads the counters of a server; all zero if it never started.
///
/// Fails if a pointer is NULL or `counters_out->size` is not set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_counters(
    server: *mut cn_server_t,
    counters_out: *mut cnx_counters_t,
) -> cn_result_t {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    // SAFETY: the caller passes a server, and a struct whose size is set.
    unsafe {
        with_server(server, internal_failure(), |server| {
            let counters = server.counters().map(cnx_counters_t::new).unwrap_or_default();
            counters.write_to(counters_out)
        })
    }
}

/// Reads the counters of a client.
///
/// Fails if a pointer is NULL or `counters_out->size` is not set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_counters(
    client: *mut cn_client_t,
    counters_out: *mut cnx_counters_t,
) -> cn_result_t {
    if client.is_null() {
        return failure(c"`client` is NULL.");
    }
    // SAFETY: the caller passes a client, and a struct whose size is set.
    unsafe {
        with_client(client, internal_failure(), |client| {
            cnx_counters_t::new(client.counters()).write_to(counters_out)
        })
    }
}

/// `cnx_log_level_t`: any int may come from C.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct cnx_log_level_t(pub c_int);

/// Receives a message of the library: `text` ends with a zero byte and is valid during the call. It may
/// come from any thread that uses a client or a server, during a call of the library.
pub type cnx_log_callback_t =
    Option<unsafe extern "C" fn(user: *mut c_void, level: cnx_log_level_t, text: *const c_char)>;

/// The program's pointer, which the library never looks at.
struct User(*mut c_void);

// SAFETY: the pointer is only handed back; that the callback may be called from any thread is in its
// contract.
unsafe impl Send for User {}
// SAFETY: as above.
unsafe impl Sync for User {}

/// Sends the library's messages up to a level (0 or less counts as `CNX_LOG_ERROR`) to a function of the program's,
/// for all clients and servers, with `user`; NULL, the default, sends them nowhere. It must return (no exception, no
/// longjmp) and must not use the handle that it is called for; what happens inside it is not logged. Another thread
/// may still be in the old function when this returns. What an attacker can cause is said at `CNX_LOG_DEBUG` only,
/// among it every datagram dropped and why.
#[unsafe(no_mangle)]
pub extern "C" fn cnx_set_log_callback(
    callback: cnx_log_callback_t,
    max_level: cnx_log_level_t,
    user: *mut c_void,
) {
    let most = match max_level.0 {
        ..=1 => Level::Error,
        2 => Level::Warning,
        3 => Level::Info,
        4.. => Level::Debug,
    };
    let user = User(user);
    guarded((), || {
        let callback = callback.map(|callback| {
            let forward = move |level: Level, text: &str| {
                let user = &user;
                let text = CString::new(text.replace('\0', " ")).unwrap_or_default();
                // SAFETY: the program promises that its function may be called with its pointer.
                unsafe { callback(user.0, cnx_log_level_t(level as c_int), text.as_ptr()) };
            };
            Arc::new(forward) as log::Callback
        });
        log::set_callback(callback, most);
    });
}
