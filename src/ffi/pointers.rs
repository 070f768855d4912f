//! Pointer forms (`cute_net_pointers.h`): for languages that can't pass or return structs by value. Each does what
//! the function without `_p` does. They are written out because cbindgen expands no macro that makes functions.

use super::addresses::{
    cnx_client_bound_endpoint, cnx_server_add_public_address, cnx_server_bound_endpoint,
    cnx_server_start_dual,
};
use super::capacity::{cnx_server_client_user_data, cnx_server_set_max_clients, cnx_server_set_memory};
use super::channels::{
    cnx_client_send_with, cnx_client_set_channel_priority, cnx_send_options_t, cnx_server_send_with,
    cnx_server_set_channel_priority,
};
use super::client::{cn_client_connect, cn_client_send, cn_client_t};
use super::counters::{cnx_client_counters, cnx_counters_t, cnx_server_counters};
use super::crypto::{
    cn_crypto_generate_key, cn_crypto_key_t, cn_crypto_sign_public_t, cn_crypto_sign_secret_t,
    cn_generate_connect_token,
};
use super::disconnect::{cnx_client_disconnect_with, cnx_server_disconnect_client_with};
use super::endpoint::{cn_endpoint_equals, cn_endpoint_t, cn_endpoint_to_string};
use super::error::{cn_error_failure, cn_error_success, cn_init, cn_is_error, cn_result_t};
use super::keys::{cnx_server_add_key, cnx_server_remove_key};
use super::sending::cnx_server_send_many;
use super::server::{
    cn_server_config_defaults, cn_server_config_t, cn_server_send, cn_server_start, cn_server_t,
    cnx_server_create,
};
use super::simulator::{cnx_client_set_simulator, cnx_server_set_simulator, cnx_simulator_t};
use super::statistics::{cnx_client_statistics, cnx_server_client_statistics, cnx_statistics_t};
use super::wire::{cnx_client_set_wire, cnx_client_wire_t};
use std::ffi::{c_char, c_int, c_void};

/// Calls the function without `_p`, and writes what it returns to the last parameter, unless that is NULL.
macro_rules! write_to {
    ($out:ident, $call:expr) => {
        if !$out.is_null() {
            // SAFETY: the caller passes what the function without `_p` takes, and room for what it returns.
            unsafe { $out.write($call) }
        }
    };
}

/// `cn_endpoint_to_string`. Does nothing if `endpoint` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_endpoint_to_string_p(
    endpoint: *const cn_endpoint_t,
    buffer: *mut c_char,
    buffer_size: c_int,
) {
    if endpoint.is_null() {
        return;
    }
    // SAFETY: the caller passes what `cn_endpoint_to_string` takes, and pointers to structs in place of structs.
    unsafe { cn_endpoint_to_string(endpoint.read(), buffer, buffer_size) };
}

/// `cn_endpoint_equals`. Does nothing but return 0 if `a` or `b` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_endpoint_equals_p(
    a: *const cn_endpoint_t,
    b: *const cn_endpoint_t,
) -> c_int {
    if a.is_null() || b.is_null() {
        return 0;
    }
    // SAFETY: the caller passes what `cn_endpoint_equals` takes, and pointers to structs in place of structs.
    unsafe { cn_endpoint_equals(a.read(), b.read()) }
}

/// `cn_is_error`. Does nothing but return false if `result` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_is_error_p(result: *const cn_result_t) -> bool {
    if result.is_null() {
        return false;
    }
    // SAFETY: the caller passes what `cn_is_error` takes, and pointers to structs in place of structs.
    unsafe { cn_is_error(result.read()) }
}

/// `cn_error_failure`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_error_failure_p(details: *const c_char, out: *mut cn_result_t) {
    write_to!(out, cn_error_failure(details));
}

/// `cn_error_success`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_error_success_p(out: *mut cn_result_t) {
    write_to!(out, cn_error_success());
}

/// `cn_init`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_init_p(out: *mut cn_result_t) {
    write_to!(out, cn_init());
}

/// `cn_crypto_generate_key`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_crypto_generate_key_p(out: *mut cn_crypto_key_t) {
    write_to!(out, cn_crypto_generate_key());
}

/// `cn_generate_connect_token`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_generate_connect_token_p(
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
    out: *mut cn_result_t,
) {
    write_to!(
        out,
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
    );
}

/// `cn_client_connect`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_connect_p(
    client: *mut cn_client_t,
    connect_token: *const u8,
    out: *mut cn_result_t,
) {
    write_to!(out, cn_client_connect(client, connect_token));
}

/// `cn_client_send`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_send_p(
    client: *mut cn_client_t,
    packet: *const c_void,
    size: c_int,
    send_reliably: bool,
    out: *mut cn_result_t,
) {
    write_to!(out, cn_client_send(client, packet, size, send_reliably));
}

/// `cn_server_config_defaults`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_config_defaults_p(out: *mut cn_server_config_t) {
    write_to!(out, cn_server_config_defaults());
}

/// `cnx_server_create`. Does nothing but return NULL if `config` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_create_p(
    config: *const cn_server_config_t,
    max_clients: c_int,
) -> *mut cn_server_t {
    if config.is_null() {
        return std::ptr::null_mut();
    }
    // SAFETY: the caller passes what `cnx_server_create` takes, and pointers to structs in place of structs.
    unsafe { cnx_server_create(config.read(), max_clients) }
}

/// `cn_server_start`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_start_p(
    server: *mut cn_server_t,
    address_and_port: *const c_char,
    out: *mut cn_result_t,
) {
    write_to!(out, cn_server_start(server, address_and_port));
}

/// `cn_server_send`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_send_p(
    server: *mut cn_server_t,
    packet: *const c_void,
    size: c_int,
    client_index: c_int,
    send_reliably: bool,
    out: *mut cn_result_t,
) {
    write_to!(out, cn_server_send(server, packet, size, client_index, send_reliably));
}

/// `cnx_server_set_max_clients`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_set_max_clients_p(
    server: *mut cn_server_t,
    max_clients: c_int,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_server_set_max_clients(server, max_clients));
}

/// `cnx_server_set_memory`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_set_memory_p(
    server: *mut cn_server_t,
    bytes: u64,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_server_set_memory(server, bytes));
}

/// `cnx_server_client_user_data`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_client_user_data_p(
    server: *mut cn_server_t,
    client_index: c_int,
    user_data_out: *mut u8,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_server_client_user_data(server, client_index, user_data_out));
}

/// `cnx_server_add_public_address`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_add_public_address_p(
    server: *mut cn_server_t,
    address_and_port: *const c_char,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_server_add_public_address(server, address_and_port));
}

/// `cnx_server_send_many`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_send_many_p(
    server: *mut cn_server_t,
    packet: *const c_void,
    size: c_int,
    client_indices: *const c_int,
    count: c_int,
    send_reliably: bool,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_server_send_many(server, packet, size, client_indices, count, send_reliably));
}

/// `cnx_server_add_key`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_add_key_p(
    server: *mut cn_server_t,
    public_key: *const cn_crypto_sign_public_t,
    secret_key: *const cn_crypto_sign_secret_t,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_server_add_key(server, public_key, secret_key));
}

/// `cnx_server_remove_key`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_remove_key_p(
    server: *mut cn_server_t,
    public_key: *const cn_crypto_sign_public_t,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_server_remove_key(server, public_key));
}

/// `cnx_server_start_dual`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_start_dual_p(
    server: *mut cn_server_t,
    ipv4_address_and_port: *const c_char,
    ipv6_address_and_port: *const c_char,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_server_start_dual(server, ipv4_address_and_port, ipv6_address_and_port));
}

/// `cnx_server_bound_endpoint`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_bound_endpoint_p(
    server: *mut cn_server_t,
    endpoint_out: *mut cn_endpoint_t,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_server_bound_endpoint(server, endpoint_out));
}

/// `cnx_client_bound_endpoint`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_bound_endpoint_p(
    client: *mut cn_client_t,
    endpoint_out: *mut cn_endpoint_t,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_client_bound_endpoint(client, endpoint_out));
}

/// `cnx_server_counters`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_counters_p(
    server: *mut cn_server_t,
    counters_out: *mut cnx_counters_t,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_server_counters(server, counters_out));
}

/// `cnx_client_counters`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_counters_p(
    client: *mut cn_client_t,
    counters_out: *mut cnx_counters_t,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_client_counters(client, counters_out));
}

/// `cnx_client_send_with`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_send_with_p(
    client: *mut cn_client_t,
    data: *const c_void,
    size: c_int,
    options: *const cnx_send_options_t,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_client_send_with(client, data, size, options));
}

/// `cnx_server_send_with`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_send_with_p(
    server: *mut cn_server_t,
    data: *const c_void,
    size: c_int,
    client_index: c_int,
    options: *const cnx_send_options_t,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_server_send_with(server, data, size, client_index, options));
}

/// `cnx_client_set_channel_priority`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_set_channel_priority_p(
    client: *mut cn_client_t,
    channel: c_int,
    priority: c_int,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_client_set_channel_priority(client, channel, priority));
}

/// `cnx_server_set_channel_priority`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_set_channel_priority_p(
    server: *mut cn_server_t,
    channel: c_int,
    priority: c_int,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_server_set_channel_priority(server, channel, priority));
}

/// `cnx_client_statistics`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_statistics_p(
    client: *mut cn_client_t,
    statistics_out: *mut cnx_statistics_t,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_client_statistics(client, statistics_out));
}

/// `cnx_server_client_statistics`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_client_statistics_p(
    server: *mut cn_server_t,
    client_index: c_int,
    statistics_out: *mut cnx_statistics_t,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_server_client_statistics(server, client_index, statistics_out));
}

/// `cnx_client_set_wire`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_set_wire_p(
    client: *mut cn_client_t,
    wire: *const cnx_client_wire_t,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_client_set_wire(client, wire));
}

/// `cnx_client_disconnect_with`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_disconnect_with_p(
    client: *mut cn_client_t,
    reason: c_int,
    data: *const c_void,
    size: c_int,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_client_disconnect_with(client, reason, data, size));
}

/// `cnx_server_disconnect_client_with`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_disconnect_client_with_p(
    server: *mut cn_server_t,
    client_index: c_int,
    reason: c_int,
    data: *const c_void,
    size: c_int,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_server_disconnect_client_with(server, client_index, reason, data, size));
}

/// `cnx_client_set_simulator`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_set_simulator_p(
    client: *mut cn_client_t,
    outgoing: *const cnx_simulator_t,
    incoming: *const cnx_simulator_t,
    seed: u64,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_client_set_simulator(client, outgoing, incoming, seed));
}

/// `cnx_server_set_simulator`, whose result is written to `out`. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_set_simulator_p(
    server: *mut cn_server_t,
    outgoing: *const cnx_simulator_t,
    incoming: *const cnx_simulator_t,
    seed: u64,
    out: *mut cn_result_t,
) {
    write_to!(out, cnx_server_set_simulator(server, outgoing, incoming, seed));
}
