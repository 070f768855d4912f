//! Keys and connect tokens (the header's section CONNECT TOKEN).

use super::endpoint::warn_of_no_port;
use super::error::{cn_result_t, failure, failure_with, internal_failure, success};
use super::{guarded, text};
use crate::crypto::Key;
use crate::crypto::key_pair::{PublicKey, SecretKey};
use crate::crypto::random::{self, RandomError};
use crate::endpoint;
use crate::log::{self, Level};
use crate::token::{
    self, MAX_SERVERS, TOKEN_SIZE, TokenError, TokenKeys, TokenRequest, USER_DATA_SIZE, Version,
};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::net::SocketAddr;
use zeroize::Zeroize;

/// A secret that seals the packets of one direction of one connection.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cn_crypto_key_t {
    /// The bytes of the key.
    pub key: [u8; 32],
}

/// The half of a key pair that may be shown.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cn_crypto_sign_public_t {
    /// The bytes of the key.
    pub key: [u8; 32],
}

/// The half of a key pair that only the web service and the game servers know. Whoever has it can mint
/// tokens.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cn_crypto_sign_secret_t {
    /// The bytes of the key.
    pub key: [u8; 64],
}

/// A signature. No function of the library takes or gives one; the type is there for programs that name
/// it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cn_crypto_signature_t {
    /// The bytes of the signature.
    pub bytes: [u8; 64],
}

const _: () = assert!(size_of::<cn_crypto_key_t>() == 32 && size_of::<cn_crypto_sign_public_t>() == 32);
const _: () =
    assert!(size_of::<cn_crypto_sign_secret_t>() == 64 && size_of::<cn_crypto_signature_t>() == 64);

/// Without random bytes nothing secret can be made, and the functions that need them most can't say so:
/// better no process than keys that everybody knows. No system does this once it is up.
fn or_abort<T>(result: Result<T, RandomError>) -> T {
    result.unwrap_or_else(|error| {
        eprintln!("cute_net: {error}");
        std::process::abort();
    })
}

/// Makes a key from the operating system's random bytes. Each connection needs two fresh ones, for
/// `cn_generate_connect_token`. If the system has no random bytes, the process is ended, here and in the next
/// two functions: keys that anybody could guess are worse.
#[unsafe(no_mangle)]
pub extern "C" fn cn_crypto_generate_key() -> cn_crypto_key_t {
    cn_crypto_key_t { key: or_abort(random::bytes()) }
}

/// Fills `data` with `byte_count` random bytes of the operating system's, new ones on every call and in
/// every forked process. Does nothing if `data` is NULL or `byte_count` is not positive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_crypto_random_bytes(data: *mut c_void, byte_count: c_int) {
    let Ok(count) = usize::try_from(byte_count) else { return };
    if data.is_null() {
        return;
    }
    // SAFETY: the caller's buffer has `byte_count` bytes.
    let buffer = unsafe {
        data.cast::<u8>().write_bytes(0, count);
        std::slice::from_raw_parts_mut(data.cast::<u8>(), count)
    };
    or_abort(random::fill(buffer));
}

/// Makes a key pair. The secret half goes to the web service that hands out connect tokens and to the
/// game servers, and nowhere else.
///
/// The pair's kind chooses the protocol: connections of tokens made with it speak CUTE 2.00. Does nothing
/// if a pointer is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_crypto_sign_keygen(
    public_key: *mut cn_crypto_sign_public_t,
    secret_key: *mut cn_crypto_sign_secret_t,
) {
    // SAFETY: the caller passes room for each half, or NULL.
    unsafe { keygen(Version::V2, public_key, secret_key) };
}

/// Writes the halves of a new pair, unless there is no room for one.
///
/// # Safety
/// Each pointer is NULL or has room for a key.
pub(super) unsafe fn keygen(
    version: Version,
    public_key: *mut cn_crypto_sign_public_t,
    secret_key: *mut cn_crypto_sign_secret_t,
) {
    if public_key.is_null() || secret_key.is_null() {
        return;
    }
    let (public, secret) = or_abort(token::generate_pair(version));
    // SAFETY: as this function's.
    unsafe {
        public_key.write(cn_crypto_sign_public_t { key: public.0 });
        secret_key.write(cn_crypto_sign_secret_t { key: secret.0 });
    }
}

/// Makes a connect token: what a player's client needs to connect, and what it shows to servers. Made by
/// the web service, handed to one player over a private channel such as HTTPS, good for one connection.
///
/// - `application_id`: names the game; the same number as on client and server.
/// - `creation_timestamp`: unix seconds now. A newer token of a client id may take over its connection.
/// - `client_to_server_key`, `server_to_client_key`: two fresh keys of `cn_crypto_generate_key`.
/// - `expiration_timestamp`: unix seconds from which on servers refuse the token; later than
///   `creation_timestamp`. A connection that was made lives on. The log warns of one beyond 100,000,000,000, which most
///   likely is in milliseconds: servers remember a used token until then.
/// - `handshake_timeout`: seconds a client spends asking each server, and again waiting for its answer; with 0
///   it gives up at its first update.
/// - `address_count`, `address_list`: 1 to 32 servers, tried in this order, each as `cn_endpoint_init`
///   reads it, with its port, as players reach it: `0.0.0.0` is the player's own machine. 533 bytes of addresses
///   fit: 7 for each IPv4, 19 for each IPv6 address, so at most 28 IPv6 addresses.
/// - `client_id`: names the player; all 64 bits may be used.
/// - `user_data`: `CN_CONNECT_TOKEN_USER_DATA_SIZE` (256) bytes for the server, sealed; or NULL.
/// - `shared_secret_key`: the secret half of a pair of `cn_crypto_sign_keygen`.
/// - `token_ptr_out`: `CN_CONNECT_TOKEN_SIZE` (1114) bytes. Zeroed if the call fails.
///
/// Fails if a pointer but `user_data` is NULL, an address can't be read, they don't fit, the expiration is not
/// later than the creation, or `shared_secret_key` is no key; `details` says which. Needs no client or server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_generate_connect_token(
    application_id: u64,
    creation_timestamp: u64,
    client_to_server_key: *const cn_crypto_key_t,
    server_to_client_key: *const cn_crypto_key_t,
    expiration_timestamp: u64,
    handshake_timeout: u32,
    address_count: c_int,
    address_list: *mut *const c_char,
    client_id: u64,
    user_data: *const u8,
    shared_secret_key: *const cn_crypto_sign_secret_t,
    token_ptr_out: *mut u8,
) -> cn_result_t {
    if token_ptr_out.is_null() {
        return failure(
            c"`token_ptr_out` is NULL: pass a buffer of CN_CONNECT_TOKEN_SIZE (1114) bytes.",
        );
    }
    let mut data = [0; USER_DATA_SIZE];
    if !user_data.is_null() {
        // SAFETY: the caller's user data has USER_DATA_SIZE bytes; they may lie in the buffer for the token.
        data = unsafe { user_data.cast::<[u8; USER_DATA_SIZE]>().read_unaligned() };
    }
    // SAFETY: the caller passes keys, or NULL; these, too.
    let (client_to_server, server_to_client, secret) = unsafe {
        let key = |key: *const cn_crypto_key_t| key.as_ref().map(|key| Key::new(key.key));
        let secret = shared_secret_key.as_ref().map(secret_key);
        (key(client_to_server_key), key(server_to_client_key), secret)
    };
    // SAFETY: the caller's buffer has TOKEN_SIZE bytes.
    unsafe { token_ptr_out.write_bytes(0, TOKEN_SIZE) };
    let Some(client_to_server) = client_to_server else {
        return failure(c"`client_to_server_key` is NULL: make one with cn_crypto_generate_key.");
    };
    let Some(server_to_client) = server_to_client else {
        return failure(c"`server_to_client_key` is NULL: make one with cn_crypto_generate_key.");
    };
    let Some(secret) = secret else {
        return failure(
            c"`shared_secret_key` is NULL: pass the secret half of a pair of cn_crypto_sign_keygen.",
        );
    };
    let count = usize::try_from(address_count).unwrap_or(0);
    if count == 0 {
        return failure_with(format_args!(
            "{} `address_count` is {address_count}.",
            TokenError::NoServer
        ));
    }
    // Before the list is read: such a number is often one that was never set.
    if count > MAX_SERVERS {
        return failure_with(TokenError::TooManyServers(count));
    }
    if address_list.is_null() {
        return failure(c"`address_list` is NULL.");
    }
    guarded(internal_failure(), || {
        let mut servers = Vec::with_capacity(count);
        for number in 0..count {
            // SAFETY: the caller's list has `address_count` strings, or NULLs.
            match read_server(unsafe { *address_list.add(number) }) {
                Ok(server) => {
                    warn_of_no_port("An address of a connect token", server);
                    servers.push(server);
                }
                Err(error) => {
                    return failure_with(format_args!(
                        "Unable to initialize endpoint. Address {} of {count}{error}",
                        number + 1
                    ));
                }
            }
        }
        let keys = TokenKeys { client_to_server, server_to_client };
        let request = TokenRequest {
            application_id,
            creation: creation_timestamp,
            expiration: expiration_timestamp,
            handshake_timeout,
            keys: &keys,
            servers: &servers,
            client_id,
            user_data: &data,
        };
        match token::generate(&request, &secret) {
            Ok(mut token) => {
                if expiration_timestamp > FAR_FUTURE {
                    log::log(
                        Level::Warning,
                        format_args!(
                            "A connect token expires at {expiration_timestamp}, in three thousand years and \
                             more: times are unix seconds"
                        ),
                    );
                }
                // SAFETY: as above; the token is on this function's stack, apart from the caller's buffer.
                unsafe { token_ptr_out.copy_from_nonoverlapping(token.as_ptr(), TOKEN_SIZE) };
                token.zeroize();
                success()
            }
            Err(error) => failure_with(error),
        }
    })
}

/// Unix seconds in the year 5138; the present in unix milliseconds is later.
const FAR_FUTURE: u64 = 100_000_000_000;

/// Reads one address of a list; the error is the end of a sentence that names which.
fn read_server(address: *const c_char) -> Result<SocketAddr, String> {
    if address.is_null() {
        return Err(" is NULL.".to_owned());
    }
    // SAFETY: the caller's list has strings that end with a zero byte.
    let Some(text) = (unsafe { text(address) }) else {
        // SAFETY: as above.
        let bytes = unsafe { CStr::from_ptr(address) };
        return Err(format!(", {bytes:?}, is not an address."));
    };
    endpoint::parse(text).map_err(|error| format!(", \"{text}\": {error}."))
}

pub(crate) fn public_key(key: &cn_crypto_sign_public_t) -> PublicKey {
    PublicKey(key.key)
}

pub(crate) fn secret_key(key: &cn_crypto_sign_secret_t) -> SecretKey {
    SecretKey(key.key)
}
