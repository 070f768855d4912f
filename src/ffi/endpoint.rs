//! Addresses (the header's section ENDPOINT).

use super::error::{cn_result_t, failure, failure_with};
use super::{guarded, text};
use crate::endpoint::{self, Printed};
use crate::log::{self, Level};
use std::ffi::{CStr, c_char, c_int};
use std::mem::offset_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `cn_address_type_t`: any int may come from C.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct cn_address_type_t(pub c_int);

/// cbindgen:ignore
impl cn_address_type_t {
    const NONE: cn_address_type_t = cn_address_type_t(0);
    const IPV4: cn_address_type_t = cn_address_type_t(1);
    const IPV6: cn_address_type_t = cn_address_type_t(2);
}

/// An address and a port, both in host order; IPv4 bytes are as written.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cn_endpoint_t {
    /// Which member of `u` counts.
    pub r#type: cn_address_type_t,
    /// The port.
    pub port: u16,
    /// The address.
    pub u: cn_endpoint_union,
}

/// The address of a [`cn_endpoint_t`].
#[repr(C)]
#[derive(Clone, Copy)]
pub union cn_endpoint_union {
    /// Four bytes as written.
    pub ipv4: [u8; 4],
    /// Eight groups as written.
    pub ipv6: [u16; 8],
}

const _: () = assert!(size_of::<cn_endpoint_t>() == 24 && align_of::<cn_endpoint_t>() == 4);
const _: () = assert!(offset_of!(cn_endpoint_t, port) == 4 && offset_of!(cn_endpoint_t, u) == 6);

impl cn_endpoint_t {
    /// The endpoint that names nothing.
    pub(crate) const NONE: cn_endpoint_t = cn_endpoint_t {
        r#type: cn_address_type_t::NONE,
        port: 0,
        u: cn_endpoint_union { ipv6: [0; 8] },
    };

    /// The address, if the endpoint names one.
    pub(crate) fn to_address(self) -> Option<SocketAddr> {
        // SAFETY: every byte of the union is initialised in an endpoint that C made, and both members
        // take any bytes.
        let ip = unsafe {
            match self.r#type {
                cn_address_type_t::IPV4 => IpAddr::V4(Ipv4Addr::from(self.u.ipv4)),
                cn_address_type_t::IPV6 => IpAddr::V6(Ipv6Addr::from(self.u.ipv6)),
                _ => return None,
            }
        };
        Some(SocketAddr::new(ip, self.port))
    }
}

impl From<SocketAddr> for cn_endpoint_t {
    fn from(address: SocketAddr) -> cn_endpoint_t {
        let mut endpoint = cn_endpoint_t { port: address.port(), ..cn_endpoint_t::NONE };
        match address.ip() {
            IpAddr::V4(ip) => {
                endpoint.r#type = cn_address_type_t::IPV4;
                endpoint.u.ipv4 = ip.octets();
            }
            IpAddr::V6(ip) => {
                endpoint.r#type = cn_address_type_t::IPV6;
                endpoint.u.ipv6 = ip.segments();
            }
        }
        endpoint
    }
}

/// The address in a C string.
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn read_address(address: *const c_char) -> Result<SocketAddr, cn_result_t> {
    if address.is_null() {
        return Err(failure(c"Unable to initialize endpoint. The address is NULL."));
    }
    // SAFETY: as this function's.
    let Some(text) = (unsafe { text(address) }) else {
        // SAFETY: as this function's.
        let bytes = unsafe { CStr::from_ptr(address) };
        return Err(failure_with(format_args!("Unable to initialize endpoint. {bytes:?} is no text.")));
    };
    endpoint::parse(text).map_err(|error| {
        failure_with(format_args!("Unable to initialize endpoint. \"{text}\": {error}."))
    })
}

/// Warns of an address without a port, which a program most likely left out.
pub(crate) fn warn_of_no_port(what: &str, address: SocketAddr) {
    if address.port() == 0 {
        let address = Printed(address);
        log::log(
            Level::Warning,
            format_args!("{what}, {address}, has no port: nobody can be reached there over UDP"),
        );
    }
}

/// Reads a numeric address: `203.0.113.7`, `203.0.113.7:5000`, `2001:db8::7` or `[2001:db8::7]:5000`.
/// A missing port is 0; without brackets the end of an IPv6 address is never one. Names such as "localhost" are
/// not resolved.
///
/// Returns 0, or -1 if the text is not an address or a pointer is NULL; `endpoint` then has the type
/// `CN_ADDRESS_TYPE_NONE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_endpoint_init(
    endpoint: *mut cn_endpoint_t,
    address_and_port_string: *const c_char,
) -> c_int {
    if endpoint.is_null() {
        return -1;
    }
    // SAFETY: the caller passes a string that ends with a zero byte, or NULL.
    let address = unsafe { text(address_and_port_string) }.and_then(|text| endpoint::parse(text).ok());
    let value = address.map_or(cn_endpoint_t::NONE, cn_endpoint_t::from);
    // SAFETY: the caller passes room for an endpoint.
    unsafe { endpoint.write(value) };
    if address.is_some() { 0 } else { -1 }
}

/// Writes an endpoint as text, the way `cn_endpoint_init` reads it: without the port where it is 0.
/// "INVALID ADDRESS" for an endpoint without an address. At most `buffer_size` bytes are written, the
/// last of them a zero; 48 always suffice. Does nothing if `buffer` is NULL or has no room.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cn_endpoint_to_string(
    endpoint: cn_endpoint_t,
    buffer: *mut c_char,
    buffer_size: c_int,
) {
    let Some(room) = usize::try_from(buffer_size).ok().and_then(|size| size.checked_sub(1)) else {
        return;
    };
    if buffer.is_null() {
        return;
    }
    guarded((), || {
        let text = match endpoint.to_address() {
            Some(address) => Printed(address).to_string(),
            None => "INVALID ADDRESS".to_owned(),
        };
        let length = text.len().min(room);
        // SAFETY: the caller's buffer has `buffer_size` bytes, one more than `room`.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr().cast(), buffer, length);
            buffer.add(length).write(0);
        }
    });
}

/// 1 if both endpoints name the same address and port, else 0. An endpoint without an address equals
/// none, not even another such.
#[unsafe(no_mangle)]
pub extern "C" fn cn_endpoint_equals(a: cn_endpoint_t, b: cn_endpoint_t) -> c_int {
    let (a, b) = (a.to_address(), b.to_address());
    c_int::from(a.is_some() && a == b)
}
