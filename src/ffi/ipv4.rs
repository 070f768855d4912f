//! What the functions that take addresses become where a program defines `CUTE_NET_NO_IPV6` (the header's
//! section IPV4): they refuse IPv6 addresses.

use super::client::{cn_client_create, cn_client_t, with_client};
use super::crypto::{cn_crypto_key_t, cn_crypto_sign_secret_t, cn_generate_connect_token};
use super::endpoint::{cn_endpoint_init, cn_endpoint_t, read_address};
use super::error::{cn_result_t, failure_with};
use super::server::{cn_server_set_public_ip, cn_server_start, cn_server_t};
use crate::log::{self, Level};
use crate::token::TOKEN_SIZE;
use std::ffi::{CStr, c_char, c_int, c_void};

/// True if `text` reads as an IPv6 address.
///
/// # Safety
/// `text` is NULL or a string that ends with a zero byte.
unsafe fn is_ipv6(text: *const c_char) -> bool {
    // SAFETY: as this function's.
    unsafe { read_address(text) }.is_ok_and(|address| address.is_ipv6())
}

/// # Safety
/// `text` is a string that ends with a zero byte.
unsafe fn refused(text: *const c_char) -> cn_result_t {
    // SAFETY: as this function's.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    failure_with(format_args!(
        "Unable to initialize endpoint. \"{text}\" is an IPv6 address, and CUTE_NET_NO_IPV6 is defined."
    ))
}

/// `cn_endpoint_init` where `CUTE_NET_NO_IPV6` is defined.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_ipv4_endpoint_init(
    endpoint: *mut cn_endpoint_t,
    address_and_port_string: *const c_char,
) -> c_int {
    // SAFETY: the caller passes what `cn_endpoint_init` takes.
    unsafe {
        let text = if is_ipv6(address_and_port_string) { c"".as_ptr() } else { address_and_port_string };
        cn_endpoint_init(endpoint, text)
    }
}

/// `cn_generate_connect_token` where `CUTE_NET_NO_IPV6` is defined.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_ipv4_generate_connect_token(
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
    let count = if address_list.is_null() { 0 } else { usize::try_from(address_count).unwrap_or(0) };
    for number in 0..count {
        // SAFETY: the caller's list has `address_count` strings, or NULLs, and its buffer TOKEN_SIZE bytes.
        unsafe {
            let address = *address_list.add(number);
            if is_ipv6(address) {
                if !token_ptr_out.is_null() {
                    token_ptr_out.write_bytes(0, TOKEN_SIZE);
                }
                return refused(address);
            }
        }
    }
    // SAFETY: the caller passes what `cn_generate_connect_token` takes.
    unsafe {
        cn_generate_connect_token(
            application_id,
            creation_timestamp,
            client_to_server_key,
            server_to_client_key,
            expiration_timestamp,
            handshake_timeout,
            address_count,
            address_list,
            client_id,
            user_data,
            shared_secret_key,
            token_ptr_out,
        )
    }
}

/// `cn_client_create` where `CUTE_NET_NO_IPV6` is defined: a client made with `use_ipv6` can't connect.
#[unsafe(no_mangle)]
pub extern "C" fn cnx_ipv4_client_create(
    port: u16,
    application_id: u64,
    use_ipv6: bool,
    user_allocator_context: *mut c_void,
) -> *mut cn_client_t {
    let client = cn_client_create(port, application_id, use_ipv6, user_allocator_context);
    if use_ipv6 {
        // SAFETY: the client was just made.
        unsafe { with_client(client, (), |client| client.forbid_connecting()) };
    }
    client
}

/// `cn_server_start` where `CUTE_NET_NO_IPV6` is defined.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_ipv4_server_start(
    server: *mut cn_server_t,
    address_and_port: *const c_char,
) -> cn_result_t {
    // SAFETY: the caller passes what `cn_server_start` takes.
    unsafe {
        if is_ipv6(address_and_port) {
            return refused(address_and_port);
        }
        cn_server_start(server, address_and_port)
    }
}

/// `cn_server_set_public_ip` where `CUTE_NET_NO_IPV6` is defined.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_ipv4_server_set_public_ip(
    server: *mut cn_server_t,
    address_and_port: *const c_char,
) {
    // SAFETY: the caller passes what `cn_server_set_public_ip` takes.
    unsafe {
        if is_ipv6(address_and_port) {
            let error = CStr::from_ptr(refused(address_and_port).details).to_string_lossy();
            log::log(Level::Warning, format_args!("cn_server_set_public_ip was ignored. {error}"));
            return;
        }
        cn_server_set_public_ip(server, address_and_port);
    }
}
