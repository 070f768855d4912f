//! Addresses (the header's section ADDRESS).

use crate::ffi::endpoint::{
    cn_address_type_t as CF_AddressType, cn_endpoint_equals, cn_endpoint_init,
    cn_endpoint_t as CF_Address, cn_endpoint_to_string,
};
use std::ffi::{c_char, c_int};

/// `cn_endpoint_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_address_init(
    endpoint: *mut CF_Address,
    address_and_port_string: *const c_char,
) -> c_int {
    // SAFETY: the caller passes what `cn_endpoint_init` takes.
    unsafe { cn_endpoint_init(endpoint, address_and_port_string) }
}

/// `cn_endpoint_to_string`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_address_to_string(
    endpoint: CF_Address,
    buffer: *mut c_char,
    buffer_size: c_int,
) {
    // SAFETY: the caller passes what `cn_endpoint_to_string` takes.
    unsafe { cn_endpoint_to_string(endpoint, buffer, buffer_size) };
}

/// `cn_endpoint_equals`.
#[unsafe(no_mangle)]
pub extern "C" fn cf_address_equals(a: CF_Address, b: CF_Address) -> c_int {
    cn_endpoint_equals(a, b)
}

/// cbindgen:ignore
#[unsafe(no_mangle)]
pub extern "C" fn cf_address_type_to_string(kind: CF_AddressType) -> *const c_char {
    match kind.0 {
        0 => c"CF_ADDRESS_TYPE_NONE".as_ptr(),
        1 => c"CF_ADDRESS_TYPE_IPV4".as_ptr(),
        2 => c"CF_ADDRESS_TYPE_IPV6".as_ptr(),
        _ => std::ptr::null(),
    }
}
