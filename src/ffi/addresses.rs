//! Where a server listens and a client sends from (the section ADDRESSES of `cute_net_x.h`).

use super::client::{cn_client_t, not_connected, with_client};
use super::endpoint::{cn_endpoint_t, read_address, warn_of_no_port};
use super::error::{cn_result_t, failure, failure_with, internal_failure, outcome, success};
use super::server::{cn_server_t, with_server};
use crate::endpoint::Printed;
use std::ffi::{c_char, c_int};

/// Also lets clients in whose token lists this address, with its port; see `cn_server_set_public_ip`.
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
    warn_of_no_port("A public address", address);
    // SAFETY: the caller passes a server.
    unsafe {
        with_server(server, internal_failure(), |server| {
            server.add_public_address(address);
            success()
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
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    if endpoint_out.is_null() {
        return failure(c"`endpoint_out` is NULL.");
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
        let [first, second] = addresses.map(Printed);
        return failure_with(format_args!(
            "Pass an IPv4 address, then an IPv6 address, not {first} and {second}."
        ));
    }
    // SAFETY: the caller passes a server.
    unsafe { with_server(server, internal_failure(), |server| outcome(server.start(&addresses))) }
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
    if client.is_null() {
        return failure(c"`client` is NULL.");
    }
    if endpoint_out.is_null() {
        return failure(c"`endpoint_out` is NULL.");
    }
    // SAFETY: the caller passes a client, and room for an endpoint.
    unsafe {
        endpoint_out.write(cn_endpoint_t::NONE);
        with_client(client, internal_failure(), |client| match client.bound_address() {
            Some(address) => {
                endpoint_out.write(address.into());
                success()
            }
            None => not_connected(client),
        })
    }
}
