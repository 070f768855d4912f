//! Addresses as the kernel reads and writes them: no more bytes of them are touched than the socket's
//! family has, because one is converted for every datagram.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// An address of the socket's family, after its length.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) union Name {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

/// Bytes of the longest.
pub(super) const NAME_SIZE: libc::socklen_t = size_of::<Name>() as libc::socklen_t;
const V4_SIZE: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;
const V6_SIZE: libc::socklen_t = size_of::<libc::sockaddr_in6>() as libc::socklen_t;

impl Name {
    /// The kernel's form of an address, and how many bytes of it count.
    pub(super) fn new(address: SocketAddr) -> (Name, libc::socklen_t) {
        match address {
            SocketAddr::V4(address) => {
                let v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: address.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
                    sin_zero: [0; 8],
                };
                (Name { v4 }, V4_SIZE)
            }
            SocketAddr::V6(address) => {
                let v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: address.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                    sin6_scope_id: address.scope_id(),
                };
                (Name { v6 }, V6_SIZE)
            }
        }
    }

    /// The address that the kernel wrote; `None` if it is of no known family.
    ///
    /// # Safety
    /// The kernel must have written `length` bytes of an address to `name`.
    pub(super) unsafe fn read(name: &MaybeUninit<Name>, length: libc::socklen_t) -> Option<SocketAddr> {
        if length < V4_SIZE {
            return None;
        }
        // SAFETY: the bytes of a whole `sockaddr_in` were written, and both forms begin with the family.
        let v4 = unsafe { &*name.as_ptr().cast::<libc::sockaddr_in>() };
        match libc::c_int::from(v4.sin_family) {
            libc::AF_INET => {
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 if length >= V6_SIZE => {
                // SAFETY: the bytes of a whole `sockaddr_in6` were written.
                let v6 = unsafe { &*name.as_ptr().cast::<libc::sockaddr_in6>() };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Some(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_was_written() {
        for address in ["1.2.3.4:5", "[1:2:3:4:5:6:7:8]:9"] {
            let address: SocketAddr = address.parse().unwrap();
            let (name, length) = Name::new(address);
            // SAFETY: `name` was written whole.
            assert_eq!(unsafe { Name::read(&MaybeUninit::new(name), length) }, Some(address));
            // SAFETY: the same, of which less counts.
            assert_eq!(unsafe { Name::read(&MaybeUninit::new(name), length - 1) }, None);
        }
    }
}
