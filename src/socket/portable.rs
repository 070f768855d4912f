//! Systems without batched calls: one datagram a call, with the same behaviour but for what only Linux
//! says: to which of several own addresses a datagram was sent, and when it reached the kernel.

use super::{Inbound, InboundInfo, Outbound, RECEIVE_SIZE, Received, for_family};
use crate::duration::Duration;
use crate::endpoint::{self, Path};
use socket2::Socket as RawSocket;
use std::io;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use std::net::SocketAddr;
use std::net::UdpSocket;

/// There is no common way to mark datagrams not to be cut.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) const NEVER_CUTS: bool = false;

/// Signals are nothing that systems have in common.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn without_signals<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) const MOST_KNOWN: usize = 0;

pub(super) struct Socket {
    socket: UdpSocket,
    is_v6: bool,
}

impl Socket {
    pub(super) fn new(raw: RawSocket, _is_wildcard: bool) -> io::Result<Socket> {
        let socket = UdpSocket::from(raw);
        let is_v6 = socket.local_addr()?.is_ipv6();
        Ok(Socket { socket, is_v6 })
    }

    pub(super) fn try_clone(&self) -> io::Result<Socket> {
        Ok(Socket { socket: self.socket.try_clone()?, is_v6: self.is_v6 })
    }

    pub(super) fn receive(&mut self, inbound: &mut Inbound) -> Received {
        let mut drained = false;
        let places = inbound.infos.iter_mut().zip(inbound.bytes.iter_mut());
        for (info, bytes) in places {
            let size = match self.socket.recv_from(bytes) {
                Ok((size, from)) => {
                    info.path = Path { remote: endpoint::canonical(from), local: None };
                    size
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    drained = true;
                    break;
                }
                // An error of one datagram, such as Windows' WSAECONNRESET after an ICMP message or
                // WSAEMSGSIZE: what was read so far is handed over, the rest is read by the next call.
                Err(_) if inbound.count == 0 => return Received::Error,
                Err(_) => break,
            };
            *info = InboundInfo {
                // A datagram that fills the buffer may have been cut: a size no buffer has.
                size: if size >= RECEIVE_SIZE { usize::MAX } else { size },
                age: Duration::ZERO,
                ..*info
            };
            inbound.count += 1;
        }
        if inbound.count == 0 { Received::Empty } else { Received::Datagrams { drained } }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn thin_strangers(&self, _known: &[SocketAddr], _key: u32, _thinning: u32) -> bool {
        false
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn admit_strangers(&self) {}

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn lost(&self) -> Option<u32> {
        None
    }

    pub(super) fn send(&mut self, outbound: &mut Outbound) {
        loop {
            let next = outbound.waiting().next();
            let Some((info, bytes)) = next else { return };
            let bytes = bytes.get(..info.size).unwrap_or_default();
            match self.socket.send_to(bytes, for_family(info.path.remote, self.is_v6)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It left, or can't be sent.
                _ => outbound.advance(1),
            }
        }
    }
}
