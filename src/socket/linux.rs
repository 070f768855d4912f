//! Linux: `recvmmsg` and `sendmmsg`, the destination of each datagram on sockets bound to a wildcard
//! address (`IP_PKTINFO`), and the time it reached the kernel (`SO_TIMESTAMPNS`).

#![allow(unsafe_code)]

use super::{BATCH, Inbound, InboundInfo, LEAST_BATCH, Outbound, RECEIVE_SIZE, Received, for_family};
use crate::endpoint::{self, Path};
use socket2::{SockAddr, SockAddrStorage, Socket as RawSocket};
use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime};

/// Datagrams are marked not to be cut on the way.
pub(super) const NEVER_CUTS: bool = true;

/// Room for an `in6_pktinfo` and a `timespec` with their headers.
const CONTROL_SIZE: usize = 128;

/// Control bytes, aligned as `CMSG_FIRSTHDR` needs them.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_SIZE]);

pub(super) struct Socket {
    raw: RawSocket,
    is_v6: bool,
    /// True if datagrams carry control messages to be read.
    has_control: bool,
}

impl Socket {
    pub(super) fn new(raw: RawSocket, is_wildcard: bool) -> io::Result<Socket> {
        let is_v6 = raw.local_addr()?.is_ipv6();
        // Not to be cut, and what the system believes of the path's size, which strangers can tell it by ICMP,
        // is ignored (RFC 8899 section 4.6.1).
        if is_v6 {
            set_option(&raw, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE)?;
        } else {
            set_option(&raw, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE)?;
        }
        let mut has_control = set_flag(&raw, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS).is_ok();
        if is_wildcard {
            if is_v6 {
                set_flag(&raw, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)?;
            } else {
                set_flag(&raw, libc::IPPROTO_IP, libc::IP_PKTINFO)?;
            }
            has_control = true;
        }
        Ok(Socket { raw, is_v6, has_control })
    }

    pub(super) fn receive(&mut self, inbound: &mut Inbound) -> Received {
        let batch = inbound.expected;
        let mut names = [const { MaybeUninit::<libc::sockaddr_storage>::uninit() }; BATCH];
        let mut controls = [const { MaybeUninit::<Control>::uninit() }; BATCH];
        let mut vectors = [const { MaybeUninit::<libc::iovec>::uninit() }; BATCH];
        let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
        let control_size = if self.has_control { CONTROL_SIZE } else { 0 };
        for ((((header, name), control), vector), bytes) in headers
            .iter_mut()
            .zip(&mut names)
            .zip(&mut controls)
            .zip(&mut vectors)
            .zip(inbound.bytes.iter_mut())
            .take(batch)
        {
            let vector =
                vector.write(libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: RECEIVE_SIZE });
            let header = &mut header.write(empty_header()).msg_hdr;
            header.msg_name = name.as_mut_ptr().cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = control_size as _;
        }
        // SAFETY: each of the first `batch` headers points to a name, a control buffer and a vector of this
        // frame, and to a buffer of `inbound`; all outlive the call, and the lengths given are theirs.
        let count = unsafe {
            libc::recvmmsg(
                self.raw.as_raw_fd(),
                headers.as_mut_ptr().cast(),
                batch as u32,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        if count < 0 {
            return match io::Error::last_os_error().kind() {
                io::ErrorKind::WouldBlock => Received::Empty,
                _ => Received::Error,
            };
        }
        let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        for ((header, name), info) in
            headers.iter().zip(names).zip(&mut inbound.infos).take(count as usize)
        {
            // SAFETY: `count` is at most `batch`, and as many headers were written.
            let header = unsafe { header.assume_init_ref() };
            // SAFETY: the kernel wrote `msg_namelen` bytes of an address of the socket's family.
            let from = unsafe { read_name(name, header.msg_hdr.msg_namelen) };
            // SAFETY: the kernel filled the header and the control bytes it points to.
            let (local, stamp) = unsafe { read_control(&header.msg_hdr) };
            let truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
            *info = InboundInfo {
                path: Path { remote: from, local },
                // A size no buffer has: the datagram is dropped and counted.
                size: if truncated { usize::MAX } else { header.msg_len as usize },
                age: stamp.map_or(Duration::ZERO, |stamp| clock.saturating_sub(stamp)),
            };
        }
        inbound.count = count as usize;
        inbound.expected = (2 * inbound.count).max(batch / 2).clamp(LEAST_BATCH, BATCH);
        if count == 0 { Received::Empty } else { Received::Datagrams { drained: inbound.count < batch } }
    }

    pub(super) fn send(&mut self, outbound: &mut Outbound) {
        while !outbound.is_empty() {
            match self.send_some(outbound) {
                Ok(sent) => outbound.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // This one can't be sent: no route, too long for the link, forbidden by a firewall.
                Err(_) => {
                    outbound.errors += 1;
                    outbound.advance(1);
                }
            }
        }
    }

    /// Sends what the kernel takes in one call; an error is that of the first datagram.
    fn send_some(&self, outbound: &Outbound) -> io::Result<usize> {
        let mut names = [const { MaybeUninit::<SockAddr>::uninit() }; BATCH];
        let mut controls = [const { MaybeUninit::<Control>::uninit() }; BATCH];
        let mut vectors = [const { MaybeUninit::<libc::iovec>::uninit() }; BATCH];
        let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
        let mut count = 0u32;
        for ((((header, name), control), vector), (info, bytes)) in headers
            .iter_mut()
            .zip(&mut names)
            .zip(&mut controls)
            .zip(&mut vectors)
            .zip(outbound.waiting())
        {
            let name = name.write(for_family(info.path.remote, self.is_v6).into());
            let vector = vector
                .write(libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: info.size });
            let header = &mut header.write(empty_header()).msg_hdr;
            header.msg_name = name.as_ptr().cast_mut().cast();
            header.msg_namelen = name.len();
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            if let Some(local) = info.path.local {
                let control = control.write(Control([0; CONTROL_SIZE]));
                write_source(header, control, local, self.is_v6);
            }
            count += 1;
        }
        // SAFETY: the first `count` headers were written; they point to names, control buffers and vectors
        // of this frame and to datagrams of `outbound`, which outlive the call; the kernel only reads them.
        let sent =
            unsafe { libc::sendmmsg(self.raw.as_raw_fd(), headers.as_mut_ptr().cast(), count, 0) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(sent as usize) }
    }
}

fn empty_header() -> libc::mmsghdr {
    // SAFETY: an all-zero `mmsghdr` is a valid one that points nowhere.
    unsafe { mem::zeroed() }
}

fn set_flag(socket: &RawSocket, level: libc::c_int, name: libc::c_int) -> io::Result<()> {
    set_option(socket, level, name, 1)
}

fn set_option(
    socket: &RawSocket,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the option's value is an int, and its size is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// # Safety
/// The first `length` bytes of `name` must have been written.
unsafe fn read_name(name: MaybeUninit<libc::sockaddr_storage>, length: libc::socklen_t) -> SocketAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `SockAddrStorage` is a `sockaddr_storage`, zeroed, so every byte of it is initialised; the
    // bytes beyond `length` stay zero.
    let address = unsafe {
        let length = (length as usize).min(size_of::<libc::sockaddr_storage>());
        let to: *mut u8 = (&raw mut storage).cast();
        std::ptr::copy_nonoverlapping(name.as_ptr().cast::<u8>(), to, length);
        SockAddr::new(storage, length as libc::socklen_t)
    };
    let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    endpoint::canonical(address.as_socket().unwrap_or(nowhere))
}

/// The own address a datagram was sent to, and when it reached the kernel (unix time).
///
/// # Safety
/// `header` must have been filled by the kernel, and its control buffer must still be there.
unsafe fn read_control(header: &libc::msghdr) -> (Option<IpAddr>, Option<Duration>) {
    let (mut local, mut stamp) = (None, None);
    // SAFETY: `CMSG_FIRSTHDR` and `CMSG_NXTHDR` stay within the control bytes that the kernel says it
    // wrote, and the data of a control message of each kind has the type read here.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(head) = message.as_ref() {
            let data = libc::CMSG_DATA(message);
            match (head.cmsg_level, head.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info: libc::in_pktinfo = data.cast::<libc::in_pktinfo>().read_unaligned();
                    local = known(IpAddr::V4(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr))));
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info: libc::in6_pktinfo = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    local = known(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr)));
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let time: libc::timespec = data.cast::<libc::timespec>().read_unaligned();
                    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
                    stamp =
                        Some(Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default()));
                }
                _ => {}
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    (local, stamp)
}

/// The local address a reply should leave from, if the socket has several.
fn known(local: IpAddr) -> Option<IpAddr> {
    let local = endpoint::canonical(SocketAddr::new(local, 0)).ip();
    (local != IpAddr::V4(Ipv4Addr::UNSPECIFIED)).then_some(local)
}

/// Makes a datagram leave from `local`.
fn write_source(header: &mut libc::msghdr, control: &mut Control, local: IpAddr, is_v6: bool) {
    // SAFETY: the control buffer is aligned, zeroed and larger than a header with either structure;
    // the pointers that `CMSG_FIRSTHDR` and `CMSG_DATA` give lie within it.
    unsafe {
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = CONTROL_SIZE as _;
        let message = libc::CMSG_FIRSTHDR(header);
        let used = match local {
            IpAddr::V4(ip) if !is_v6 => {
                let mut info: libc::in_pktinfo = mem::zeroed();
                info.ipi_spec_dst.s_addr = u32::from(ip).to_be();
                (*message).cmsg_level = libc::IPPROTO_IP;
                (*message).cmsg_type = libc::IP_PKTINFO;
                (*message).cmsg_len = libc::CMSG_LEN(size_of::<libc::in_pktinfo>() as u32) as _;
                libc::CMSG_DATA(message).cast::<libc::in_pktinfo>().write_unaligned(info);
                libc::CMSG_SPACE(size_of::<libc::in_pktinfo>() as u32)
            }
            _ => {
                let ip = match local {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                    IpAddr::V6(ip) => ip,
                };
                let mut info: libc::in6_pktinfo = mem::zeroed();
                info.ipi6_addr.s6_addr = ip.octets();
                (*message).cmsg_level = libc::IPPROTO_IPV6;
                (*message).cmsg_type = libc::IPV6_PKTINFO;
                (*message).cmsg_len = libc::CMSG_LEN(size_of::<libc::in6_pktinfo>() as u32) as _;
                libc::CMSG_DATA(message).cast::<libc::in6_pktinfo>().write_unaligned(info);
                libc::CMSG_SPACE(size_of::<libc::in6_pktinfo>() as u32)
            }
        };
        header.msg_controllen = used as _;
    }
}
