//! UDP sockets that never block: many datagrams a system call where the operating system can, one by
//! one elsewhere, behind one interface. The only code that does I/O. No error of one datagram loses
//! another: what can't be sent is skipped, what can't be read is passed over.

pub mod fork;
mod send_thread;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
mod portable;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod stranger_filter;

#[cfg(any(target_os = "linux", target_os = "android"))]
use linux as imp;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use portable as imp;

pub use send_thread::SendThread;

use crate::datagram::{BASE_DATAGRAM, LARGEST_DATAGRAM};
use crate::duration::Duration;
use crate::endpoint::{Path, Printed};
use crate::log::{self, Level};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// Datagrams one call reads or writes.
pub const BATCH: usize = 32;
/// Room for a received datagram: more than any of ours, so that what is longer shows as such.
pub const RECEIVE_SIZE: usize = 1600;
/// Addresses that [`Socket::thin_strangers`] can prefer at most; none where the system can't do that.
pub const MOST_KNOWN: usize = imp::MOST_KNOWN;
/// Room for a datagram to be sent. Where the system can't be told not to cut datagrams, larger ones would
/// arrive in pieces, and tell nothing of the path.
pub const SEND_SIZE: usize = if imp::NEVER_CUTS { LARGEST_DATAGRAM } else { BASE_DATAGRAM };

/// What to ask of a socket.
#[derive(Clone, Copy, Debug)]
pub struct SocketOptions {
    /// Bytes of kernel buffer for what arrives; the system may give less.
    pub receive_buffer: usize,
    /// Bytes of kernel buffer for what leaves; the system may give less.
    pub send_buffer: usize,
}

/// A UDP socket, bound and non-blocking.
pub struct Socket {
    imp: imp::Socket,
    local: SocketAddr,
}

impl Socket {
    /// Binds to `address`; port 0 lets the system choose. An IPv6 socket takes no IPv4 traffic, so
    /// that two servers can share a port number, as with the original.
    pub fn bind(address: SocketAddr, options: SocketOptions) -> io::Result<Socket> {
        let socket = RawSocket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        // The system caps these; a smaller buffer is a reason to lose datagrams, not to fail.
        let _ = socket.set_recv_buffer_size(options.receive_buffer);
        let _ = socket.set_send_buffer_size(options.send_buffer);
        socket.bind(&address.into())?;
        let local = socket.local_addr()?.as_socket().unwrap_or(address);
        report_buffers(&socket, local, options);
        Ok(Socket { imp: imp::Socket::new(socket, local.ip().is_unspecified())?, local })
    }

    /// Where the socket is bound, the port chosen by the system included.
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// The same socket once more, for another thread.
    fn try_clone(&self) -> io::Result<Socket> {
        Ok(Socket { imp: self.imp.try_clone()?, local: self.local })
    }

    /// Reads the datagrams that wait, up to [`BATCH`].
    pub fn receive(&mut self, inbound: &mut Inbound) -> Received {
        inbound.count = 0;
        self.imp.receive(inbound)
    }

    /// Writes the datagrams of `outbound`, and removes those that were taken or can't be sent at all.
    /// What the system has no room for now stays.
    pub fn send(&mut self, outbound: &mut Outbound) {
        self.imp.send(outbound);
    }

    /// Has the system drop all but one in 2^`thinning` of what comes from none of `known`, where it can; `key` is
    /// drawn. False where it can't, or if there are too many.
    pub fn thin_strangers(&self, known: &[SocketAddr], key: u32, thinning: u32) -> bool {
        self.imp.thin_strangers(known, key, thinning)
    }

    /// Takes everything again.
    pub fn admit_strangers(&self) {
        self.imp.admit_strangers();
    }

    /// How many datagrams the system has dropped so far, modulo 2^32, where it says so: for being a stranger's, or
    /// because the socket was full.
    pub fn lost(&self) -> Option<u32> {
        self.imp.lost()
    }
}

/// Says how large the kernel's buffers came to be: what is asked for may be above the system's limit.
fn report_buffers(socket: &RawSocket, local: SocketAddr, options: SocketOptions) {
    let (Ok(receive), Ok(send)) = (socket.recv_buffer_size(), socket.send_buffer_size()) else { return };
    // Linux says twice what it gave: it counts what it needs for itself.
    let said = if cfg!(target_os = "linux") { 2 } else { 1 };
    let (receive, send) = (receive / said, send / said);
    let SocketOptions { receive_buffer, send_buffer } = options;
    let short = receive < receive_buffer || send < send_buffer;
    let advice = if short && cfg!(target_os = "linux") {
        ": raise net.core.rmem_max and wmem_max, or bursts are lost"
    } else {
        ""
    };
    log::log(
        if short { Level::Warning } else { Level::Info },
        format_args!(
            "the socket at {} has kernel buffers of {receive} bytes for what arrives and {send} for what leaves, \
             {receive_buffer} and {send_buffer} were asked for{advice}",
            Printed(local)
        ),
    );
}

/// What reading a socket gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Datagrams; `drained` if nothing waited behind them.
    Datagrams {
        /// True if another call is not worth its time.
        drained: bool,
    },
    /// An error that concerns one datagram, such as an ICMP message: read on.
    Error,
    /// Nothing waits.
    Empty,
}

/// Buffers that nothing is in.
#[derive(Default)]
#[allow(
    clippy::vec_box,
    reason = "they go from hand to hand in every update, and are kilobytes themselves"
)]
struct Spare {
    inbound: Vec<Box<Inbound>>,
    outbound: Vec<Box<Outbound>>,
}

/// A server at an IPv4 and an IPv6 address fills two at once.
const MAX_SPARE: usize = 2;

thread_local! {
    /// All handles of a thread share buffers, one after the other. With its own each would need a hundred
    /// kilobytes, and those of a thousand clients would never be in the processor's cache.
    static SPARE: RefCell<Spare> = RefCell::default();
}

/// Does something to the thread's spare buffers; nothing once the thread is ending.
fn with_spare<R: Default>(work: impl FnOnce(&mut Spare) -> R) -> R {
    SPARE.try_with(|spare| work(&mut spare.borrow_mut())).unwrap_or_default()
}

fn keep<T>(spare: &mut Vec<T>, buffers: T) {
    if spare.len() < MAX_SPARE {
        spare.push(buffers);
    }
}

/// Datagrams read.
pub struct Inbound {
    bytes: Box<[[u8; RECEIVE_SIZE]; BATCH]>,
    infos: [InboundInfo; BATCH],
    count: usize,
}

#[derive(Clone, Copy, Debug)]
struct InboundInfo {
    path: Path,
    size: usize,
    /// How long it waited in the kernel, where the kernel says so.
    age: Duration,
}

/// A datagram read.
pub struct InboundDatagram<'a> {
    /// Where it came from, and to which of the own addresses, where the system says so.
    pub path: Path,
    /// How long it waited to be read, as far as known.
    pub age: Duration,
    /// Its bytes; `None` if there were more than any packet has.
    pub bytes: Option<&'a mut [u8]>,
}

impl Default for Inbound {
    fn default() -> Self {
        let nowhere = Path { remote: SocketAddr::from(([0, 0, 0, 0], 0)), local: None };
        let bytes = vec![[0; RECEIVE_SIZE]; BATCH].into_boxed_slice();
        let Ok(bytes) = bytes.try_into() else { unreachable!("the slice has BATCH elements") };
        let info = InboundInfo { path: nowhere, size: 0, age: Duration::ZERO };
        Inbound { bytes, infos: [info; BATCH], count: 0 }
    }
}

impl Inbound {
    /// Lends `work` the buffers of this thread.
    pub fn lend<R>(work: impl FnOnce(&mut Inbound) -> R) -> R {
        let mut inbound = with_spare(|spare| spare.inbound.pop()).unwrap_or_default();
        let result = work(&mut inbound);
        with_spare(|spare| keep(&mut spare.inbound, inbound));
        result
    }

    /// The datagrams of the last call, from number 0 on.
    pub fn datagram(&mut self, number: usize) -> Option<InboundDatagram<'_>> {
        let info = self.infos.get(..self.count)?.get(number)?;
        let bytes = self.bytes.get_mut(number)?.get_mut(..info.size);
        Some(InboundDatagram { path: info.path, age: info.age, bytes })
    }

    /// The bytes of a datagram of the last call, none if there is no such one or it was too long.
    pub fn peek(&self, number: usize) -> &[u8] {
        let info = self.infos.get(..self.count).and_then(|infos| infos.get(number));
        let bytes = self.bytes.get(number).zip(info).and_then(|(bytes, info)| bytes.get(..info.size));
        bytes.unwrap_or_default()
    }
}

/// Datagrams to write.
pub struct Outbound {
    bytes: Box<[[u8; SEND_SIZE]; BATCH]>,
    infos: [OutboundInfo; BATCH],
    /// The first datagram not written yet, and the end.
    next: usize,
    end: usize,
}

#[derive(Clone, Copy, Debug)]
struct OutboundInfo {
    path: Path,
    size: usize,
}

impl Default for Outbound {
    fn default() -> Self {
        let nowhere = Path { remote: SocketAddr::from(([0, 0, 0, 0], 0)), local: None };
        let bytes = vec![[0; SEND_SIZE]; BATCH].into_boxed_slice();
        let Ok(bytes) = bytes.try_into() else { unreachable!("the slice has BATCH elements") };
        Outbound { bytes, infos: [OutboundInfo { path: nowhere, size: 0 }; BATCH], next: 0, end: 0 }
    }
}

impl Outbound {
    /// The buffers of this thread, empty.
    pub fn take() -> Box<Outbound> {
        with_spare(|spare| spare.outbound.pop()).unwrap_or_default()
    }

    /// Gives empty buffers back to the thread; those that something waits in are returned.
    pub fn give_back(self: Box<Self>) -> Option<Box<Outbound>> {
        if !self.is_empty() {
            return Some(self);
        }
        with_spare(|spare| keep(&mut spare.outbound, self));
        None
    }

    /// Room for the next datagram; `None` if it must be sent first what there is.
    pub fn room(&mut self) -> Option<&mut [u8; SEND_SIZE]> {
        self.bytes.get_mut(self.end)
    }

    /// Takes the datagram of `size` bytes that was written to [`room`](Self::room).
    pub fn commit(&mut self, path: Path, size: usize) {
        if let Some(info) = self.infos.get_mut(self.end) {
            *info = OutboundInfo { path, size: size.min(SEND_SIZE) };
            self.end += 1;
        }
    }

    /// True if nothing waits to be written.
    pub fn is_empty(&self) -> bool {
        self.next == self.end
    }

    /// Removes `count` datagrams from the front.
    fn advance(&mut self, count: usize) {
        self.next = (self.next + count).min(self.end);
        if self.is_empty() {
            self.next = 0;
            self.end = 0;
        }
    }

    fn waiting(&self) -> impl Iterator<Item = (&OutboundInfo, &[u8; SEND_SIZE])> {
        self.infos.iter().zip(self.bytes.iter()).take(self.end).skip(self.next)
    }
}

/// The form of `remote` that a socket of the family of `local` sends to.
fn for_family(remote: SocketAddr, local_is_v6: bool) -> SocketAddr {
    match (remote, local_is_v6) {
        (SocketAddr::V4(v4), true) => SocketAddr::new(IpAddr::V6(v4.ip().to_ipv6_mapped()), v4.port()),
        _ => remote,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Inbound {
        fn datagrams(&mut self) -> impl Iterator<Item = InboundDatagram<'_>> {
            let (infos, bytes) = (self.infos.iter(), self.bytes.iter_mut());
            infos.zip(bytes).take(self.count).map(|(info, bytes)| InboundDatagram {
                path: info.path,
                age: info.age,
                bytes: bytes.get_mut(..info.size),
            })
        }
    }

    const OPTIONS: SocketOptions = SocketOptions { receive_buffer: 1 << 18, send_buffer: 1 << 18 };

    /// What both ways of using a socket must do: send any number of datagrams, of any size, past those
    /// that can't be sent, and read them all.
    macro_rules! datagrams_travel {
        ($name:ident, $imp:ident, $address:literal) => {
            #[test]
            fn $name() {
                let bind = || {
                    let raw = RawSocket::new(
                        Domain::for_address($address.parse().unwrap()),
                        Type::DGRAM,
                        Some(Protocol::UDP),
                    )
                    .unwrap();
                    raw.set_nonblocking(true).unwrap();
                    raw.bind(&$address.parse::<SocketAddr>().unwrap().into()).unwrap();
                    let local = raw.local_addr().unwrap().as_socket().unwrap();
                    ($imp::Socket::new(raw, local.ip().is_unspecified()).unwrap(), local)
                };
                let ((one, from), (mut other, to)) = (bind(), bind());
                // As the thread that sends has it.
                let mut one = one.try_clone().unwrap();
                let mut inbound = Inbound::default();
                assert_eq!(other.receive(&mut inbound), Received::Empty);

                let mut outbound = Outbound::default();
                let sizes = [1, 0, 1200, 33, 1];
                for (number, size) in sizes.into_iter().enumerate() {
                    outbound.room().unwrap().fill(number as u8);
                    let remote = if number == 3 { SocketAddr::new(to.ip(), 0) } else { to };
                    outbound.commit(Path { remote, local: None }, size);
                }
                one.send(&mut outbound);
                assert!(outbound.is_empty());

                let mut read = Vec::new();
                for _ in 0..100 {
                    inbound.count = 0;
                    if other.receive(&mut inbound) == Received::Empty && read.len() >= 4 {
                        break;
                    }
                    for datagram in inbound.datagrams() {
                        assert_eq!(datagram.path.remote.port(), from.port());
                        read.push(datagram.bytes.unwrap().to_vec());
                    }
                }
                let expected: Vec<_> =
                    [(0, 1), (1, 0), (2, 1200), (4, 1)].iter().map(|&(n, size)| vec![n; size]).collect();
                assert_eq!(read, expected);
            }
        };
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    datagrams_travel!(batched_over_ipv4, linux, "127.0.0.1:0");
    #[cfg(any(target_os = "linux", target_os = "android"))]
    datagrams_travel!(batched_over_ipv6, linux, "[::1]:0");
    datagrams_travel!(portable_over_ipv4, portable, "127.0.0.1:0");
    datagrams_travel!(portable_over_ipv6, portable, "[::1]:0");

    #[test]
    fn datagrams_to_one_peer_arrive_one_by_one_past_those_that_cannot_be_sent() {
        let mut one = Socket::bind("127.0.0.1:0".parse().unwrap(), OPTIONS).unwrap();
        let mut other = Socket::bind("127.0.0.1:0".parse().unwrap(), OPTIONS).unwrap();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let sizes = [1200, 1200, 1200, 300, 1200, 0, 500, 500, 500, 500];
        let mut outbound = Outbound::default();
        for (number, size) in sizes.into_iter().enumerate() {
            outbound.room().unwrap().fill(number as u8);
            let remote = if matches!(number, 6 | 7) { nowhere } else { other.local_address() };
            outbound.commit(Path { remote, local: None }, size);
        }
        one.send(&mut outbound);
        assert!(outbound.is_empty());
        outbound.commit(Path { remote: other.local_address(), local: None }, 0);
        one.send(&mut outbound);
        assert!(outbound.is_empty());

        let mut inbound = Inbound::default();
        let mut read = Vec::new();
        while let Received::Datagrams { .. } = other.receive(&mut inbound) {
            read.extend(inbound.datagrams().map(|datagram| datagram.bytes.unwrap().to_vec()));
        }
        let sent = sizes.iter().enumerate().filter(|(number, _)| !matches!(number, 6 | 7));
        let mut expected: Vec<_> = sent.map(|(number, &size)| vec![number as u8; size]).collect();
        expected.push(Vec::new());
        assert_eq!(read, expected);
    }

    #[test]
    fn more_than_a_batch_is_read_in_several_calls_and_too_long_is_told_apart() {
        let mut one = Socket::bind("127.0.0.1:0".parse().unwrap(), OPTIONS).unwrap();
        let plain = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for number in 0..BATCH + 5 {
            plain.send_to(&vec![7; if number == 2 { 3000 } else { 10 }], one.local_address()).unwrap();
        }
        let mut inbound = Inbound::default();
        let mut sizes = Vec::new();
        while let Received::Datagrams { .. } = one.receive(&mut inbound) {
            sizes.extend(inbound.datagrams().map(|datagram| datagram.bytes.map(|bytes| bytes.len())));
        }
        assert_eq!(sizes.len(), BATCH + 5);
        assert_eq!(sizes.iter().filter(|size| **size == Some(10)).count(), BATCH + 4);
        assert_eq!(sizes[2], None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_bound_to_a_wildcard_says_where_a_datagram_was_sent_and_answers_from_there() {
        for (wildcard, host) in [("0.0.0.0:0", "127.0.0.2"), ("[::]:0", "::1")] {
            let mut server = Socket::bind(wildcard.parse().unwrap(), OPTIONS).unwrap();
            let reached = SocketAddr::new(host.parse().unwrap(), server.local_address().port());
            let client = std::net::UdpSocket::bind(SocketAddr::new(reached.ip(), 0)).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(2).into())).unwrap();
            client.send_to(b"hello", reached).unwrap();
            let mut inbound = Inbound::default();
            while server.receive(&mut inbound) == Received::Empty {}
            let path = inbound.datagrams().next().unwrap().path;
            assert_eq!(path, Path { remote: client.local_addr().unwrap(), local: Some(reached.ip()) });

            let mut outbound = Outbound::default();
            outbound.commit(path, 4);
            server.send(&mut outbound);
            let (size, from) = client.recv_from(&mut [0; 10]).unwrap();
            assert_eq!((size, from), (4, reached));
        }
    }
}
