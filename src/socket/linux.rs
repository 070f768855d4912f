//! Linux: `recvmmsg` and `sendmmsg`, datagrams to one peer as one message (`UDP_SEGMENT`), the destination of
//! each datagram on sockets bound to a wildcard address (`IP_PKTINFO`), and the time it reached the kernel
//! (`SO_TIMESTAMPNS`).

#![allow(unsafe_code)]

mod name;

use super::{
    BATCH, Inbound, InboundInfo, Outbound, OutboundInfo, RECEIVE_SIZE, Received, SEND_SIZE, for_family,
    stranger_filter,
};
use crate::duration::Duration;
use crate::endpoint::{self, Path};
use name::{NAME_SIZE, Name};
use socket2::Socket as RawSocket;
use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::SystemTime;

/// Datagrams are marked not to be cut on the way.
pub(super) const NEVER_CUTS: bool = true;

pub(super) use stranger_filter::MOST_KNOWN;

/// Datagrams that a call has room for at least, however few came lately.
const LEAST_BATCH: usize = 4;
/// Room for an `in6_pktinfo` and a `timespec` with their headers.
const CONTROL_SIZE: usize = 128;

/// Bytes of all datagrams that are sent as one message: what an IPv4 packet can carry.
const MAX_RUN_SIZE: usize = 65_507;

/// Where no datagram comes from.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Control bytes, aligned as `CMSG_FIRSTHDR` needs them.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_SIZE]);

pub(super) struct Socket {
    raw: RawSocket,
    is_v6: bool,
    /// True if datagrams carry control messages to be read.
    has_control: bool,
    /// Datagrams that the next call has room for: to prepare more costs more than it saves where few come.
    expected: usize,
    /// True if the kernel cuts a message into datagrams (`UDP_SEGMENT`, Linux 4.18).
    segments: bool,
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
        let segments = set_option(&raw, libc::SOL_UDP, libc::UDP_SEGMENT, 0).is_ok();
        Ok(Socket { raw, is_v6, has_control, expected: LEAST_BATCH, segments })
    }

    pub(super) fn try_clone(&self) -> io::Result<Socket> {
        Ok(Socket { raw: self.raw.try_clone()?, ..*self })
    }

    pub(super) fn receive(&mut self, inbound: &mut Inbound) -> Received {
        let batch = self.expected;
        let mut names = [const { MaybeUninit::<Name>::uninit() }; BATCH];
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
            header.msg_namelen = NAME_SIZE;
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
        let clock: Duration =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().into();
        for ((header, name), info) in
            headers.iter().zip(&names).zip(&mut inbound.infos).take(count as usize)
        {
            // SAFETY: `count` is at most `batch`, and as many headers were written.
            let header = unsafe { header.assume_init_ref() };
            // SAFETY: the kernel wrote `msg_namelen` bytes of an address of the socket's family.
            let from = unsafe { Name::read(name, header.msg_hdr.msg_namelen) }.unwrap_or(NOWHERE);
            // SAFETY: the kernel filled the header and the control bytes it points to.
            let (local, stamp) = unsafe { read_control(&header.msg_hdr) };
            let truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
            *info = InboundInfo {
                path: Path { remote: endpoint::canonical(from), local },
                // A size no buffer has: the datagram is dropped and counted.
                size: if truncated { usize::MAX } else { header.msg_len as usize },
                age: stamp.map_or(Duration::ZERO, |stamp| clock.saturating_sub(stamp)),
            };
        }
        inbound.count = count as usize;
        self.expected = (2 * inbound.count).max(batch / 2).clamp(LEAST_BATCH, BATCH);
        if count == 0 { Received::Empty } else { Received::Datagrams { drained: inbound.count < batch } }
    }

    pub(super) fn thin_strangers(&self, known: &[SocketAddr], key: u32, thinning: u32) -> bool {
        known.len() <= MOST_KNOWN && stranger_filter::attach(&self.raw, known, key, thinning).is_ok()
    }

    pub(super) fn admit_strangers(&self) {
        stranger_filter::detach(&self.raw);
    }

    pub(super) fn lost(&self) -> Option<u32> {
        stranger_filter::lost(&self.raw)
    }

    pub(super) fn send(&mut self, outbound: &mut Outbound) {
        let mut segments = self.segments;
        while !outbound.is_empty() {
            match self.send_some(outbound, segments) {
                Ok(sent) => outbound.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Perhaps it was the segments. One of a kind does not fit the link, or the device can't.
                Err(error) if segments && Run::first(outbound) > 1 => {
                    segments = false;
                    self.segments = error.raw_os_error() != Some(libc::EIO);
                }
                // This one can't be sent: no route, too long for the link, forbidden by a firewall.
                Err(_) => outbound.advance(1),
            }
        }
    }

    /// Sends what the kernel takes in one call, and says how many datagrams those are; an error is that of
    /// the first run. With `segments` a run of datagrams to one peer is one message, which the kernel cuts
    /// (`UDP_SEGMENT`): it then walks the way to the device once.
    fn send_some(&self, outbound: &Outbound, segments: bool) -> io::Result<usize> {
        let mut waiting = outbound.waiting();
        if let (Some((info, bytes)), None) = (waiting.next(), waiting.next()) {
            return self.send_one(*info, bytes).map(|()| 1);
        }
        let mut names = [const { MaybeUninit::<Name>::uninit() }; BATCH];
        let mut controls = [const { MaybeUninit::<Control>::uninit() }; BATCH];
        let mut vectors = [const { MaybeUninit::<libc::iovec>::uninit() }; BATCH];
        let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
        let mut runs = [0; BATCH];
        for (vector, (info, bytes)) in vectors.iter_mut().zip(outbound.waiting()) {
            vector.write(vector_of(*info, bytes));
        }
        let mut waiting = outbound.waiting().map(|(info, _)| *info).peekable();
        let (mut count, mut next) = (0u32, 0);
        for (((header, name), control), length) in
            headers.iter_mut().zip(&mut names).zip(&mut controls).zip(&mut runs)
        {
            let Some(run) = Run::take(&mut waiting, segments) else { break };
            let header = &mut header.write(empty_header()).msg_hdr;
            self.write_run(&run, header, name, control);
            header.msg_iov = vectors.get_mut(next..).unwrap_or_default().as_mut_ptr().cast();
            *length = run.count;
            next += run.count;
            count += 1;
        }
        // SAFETY: the first `count` headers were written; they point to names, control buffers and vectors
        // of this frame and to datagrams of `outbound`, which outlive the call; the kernel only reads them.
        let sent =
            unsafe { libc::sendmmsg(self.raw.as_raw_fd(), headers.as_mut_ptr().cast(), count, 0) };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(runs.iter().take(sent as usize).sum())
    }

    /// Sends one datagram: the same with less to prepare, for sends that leave at once.
    fn send_one(&self, info: OutboundInfo, bytes: &[u8; SEND_SIZE]) -> io::Result<()> {
        let sent = if info.path.local.is_none() {
            let (name, length) = Name::new(for_family(info.path.remote, self.is_v6));
            let size = info.size.min(SEND_SIZE);
            // SAFETY: `size` bytes of `bytes` and `length` of `name` are there, and the kernel only reads them.
            unsafe {
                let (bytes, name) = (bytes.as_ptr().cast(), (&raw const name).cast());
                libc::sendto(self.raw.as_raw_fd(), bytes, size, 0, name, length)
            }
        } else {
            let (mut name, mut control) = (MaybeUninit::uninit(), MaybeUninit::uninit());
            let mut vector = vector_of(info, bytes);
            let mut header = empty_header().msg_hdr;
            self.write_run(&Run::of(info), &mut header, &mut name, &mut control);
            header.msg_iov = &raw mut vector;
            // SAFETY: the header points to a name, a control buffer and a vector of this frame and to a
            // datagram, which outlive the call; the kernel only reads them.
            unsafe { libc::sendmsg(self.raw.as_raw_fd(), &raw const header, 0) }
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Writes where a run goes, in how many vectors it lies, and how it is cut.
    fn write_run(
        &self,
        run: &Run,
        header: &mut libc::msghdr,
        name: &mut MaybeUninit<Name>,
        control: &mut MaybeUninit<Control>,
    ) {
        let (to, length) = Name::new(for_family(run.path.remote, self.is_v6));
        header.msg_name = (&raw mut *name.write(to)).cast();
        header.msg_namelen = length;
        header.msg_iovlen = run.count as _;
        if run.path.local.is_some() || run.count > 1 {
            let control = control.write(Control([0; CONTROL_SIZE]));
            write_control(header, control, run, self.is_v6);
        }
    }
}

fn vector_of(info: OutboundInfo, bytes: &[u8; SEND_SIZE]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: info.size }
}

/// Datagrams to one peer that the kernel takes as one message: all of one size, but a shorter one at the end.
struct Run {
    path: Path,
    /// Bytes of the first datagram, and of all.
    size: usize,
    total: usize,
    count: usize,
}

impl Run {
    fn of(OutboundInfo { path, size }: OutboundInfo) -> Run {
        Run { path, size, total: size, count: 1 }
    }

    /// The run at the front of what waits; of one datagram without `segments`.
    fn take(
        waiting: &mut std::iter::Peekable<impl Iterator<Item = OutboundInfo>>,
        segments: bool,
    ) -> Option<Run> {
        let mut run = Run::of(waiting.next()?);
        let mut last = run.size;
        let fits = |run: &Run, last: usize, next: &OutboundInfo| {
            next.path == run.path
                && last == run.size
                && (1..=run.size).contains(&next.size)
                && run.total + next.size <= MAX_RUN_SIZE
        };
        while segments && let Some(next) = waiting.next_if(|next| fits(&run, last, next)) {
            last = next.size;
            run.total += last;
            run.count += 1;
        }
        Some(run)
    }

    /// Datagrams in the first run of what waits.
    fn first(outbound: &Outbound) -> usize {
        let mut waiting = outbound.waiting().map(|(info, _)| *info).peekable();
        Run::take(&mut waiting, true).map_or(0, |run| run.count)
    }
}

/// Does something with this thread's signals held back: a thread begun by it never runs a signal handler of the
/// program's.
pub(super) fn without_signals<R>(work: impl FnOnce() -> R) -> R {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigfillset` fills the set that `pthread_sigmask` reads; that fills the set of before.
    let masked = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) == 0
    };
    let result = work();
    if masked {
        // SAFETY: the set of before was filled.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    }
    result
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
                    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
                    stamp = Some(Duration::from_secs(seconds) + Duration::from_nanos(nanos));
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

/// Makes a run leave from its local address, and cut into its datagrams.
fn write_control(header: &mut libc::msghdr, control: &mut Control, run: &Run, is_v6: bool) {
    header.msg_control = control.0.as_mut_ptr().cast();
    let used = match run.path.local {
        Some(IpAddr::V4(ip)) if !is_v6 => {
            // SAFETY: all zeros is a valid `in_pktinfo`.
            let mut info: libc::in_pktinfo = unsafe { mem::zeroed() };
            info.ipi_spec_dst.s_addr = u32::from(ip).to_be();
            push_control(control, 0, libc::IPPROTO_IP, libc::IP_PKTINFO, info)
        }
        Some(ip) => {
            // SAFETY: all zeros is a valid `in6_pktinfo`.
            let mut info: libc::in6_pktinfo = unsafe { mem::zeroed() };
            info.ipi6_addr.s6_addr = endpoint::octets(ip);
            push_control(control, 0, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info)
        }
        None => 0,
    };
    let used = match run.count {
        1 => used,
        _ => push_control(control, used, libc::SOL_UDP, libc::UDP_SEGMENT, run.size as u16),
    };
    header.msg_controllen = used as _;
}

/// Writes a control message behind the `used` bytes of `control`, and returns how many are used then.
fn push_control<T: Copy>(
    control: &mut Control,
    used: usize,
    level: libc::c_int,
    kind: libc::c_int,
    value: T,
) -> usize {
    let size = size_of::<T>() as u32;
    // SAFETY: these compute sizes alone.
    let (length, space) = unsafe { (libc::CMSG_LEN(size), libc::CMSG_SPACE(size) as usize) };
    let Some(room) = control.0.get_mut(used..).and_then(|room| room.get_mut(..space)) else {
        return used;
    };
    let message: *mut libc::cmsghdr = room.as_mut_ptr().cast();
    // SAFETY: `room` holds a header with the value, all zeros so far; it is aligned for the header because
    // `Control` is, and every `CMSG_SPACE` is a multiple of that. The value is written unaligned.
    unsafe {
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = length as _;
        libc::CMSG_DATA(message).cast::<T>().write_unaligned(value);
    }
    used + space
}
