//! The sockets of a client or a server: at most one for each family of addresses. A datagram leaves by
//! that of its destination's family.

use super::ReadBudget;
use super::crowding::Crowding;
use crate::connection::{Arrival, Transmit};
use crate::drop_reason::DropReason;
use crate::duration::Duration;
use crate::endpoint::{Families, Path, Printed};
use crate::log::{self, Level};
use crate::socket::{BATCH, Inbound, Outbound, Received, SEND_SIZE, SendThread, Socket, SocketOptions};
use crate::time::Instant;
use std::io;
use std::net::SocketAddr;

/// Who takes in what is read.
pub(super) trait Receiver {
    /// Prepares for a datagram that comes soon, and for the next one.
    fn expect(&self, _soon: &[u8], _next: &[u8]) {}

    /// Takes in a datagram; `None` for one that is too long.
    fn handle(&mut self, arrival: &Arrival, bytes: Option<&mut [u8]>) -> Result<(), DropReason>;

    /// Says that a batch of datagrams was handed over.
    fn end_batch(&mut self) {}
}

/// How many datagrams ahead one comes soon that a receiver is told to [`expect`](Receiver::expect).
const SOON: usize = 3;

/// Where an update reads less than this, it is the machine that is slow, not the network that is full.
const LEAST_FLOOD: usize = 4 * BATCH;

/// The sockets that are open.
#[derive(Default)]
pub(super) struct Ports {
    v4: Option<Port>,
    v6: Option<Port>,
}

impl Ports {
    /// Opens a socket bound to `address`, in place of one of its family.
    pub(super) fn open(&mut self, address: SocketAddr, options: SocketOptions) -> io::Result<()> {
        let port = Port::bind(address, options)?;
        *self.of_family(address.is_ipv4()) = Some(port);
        Ok(())
    }

    /// Lets a thread for each socket send, or none. Where no thread can be had, it is as if none were wanted.
    pub(super) fn set_threaded(&mut self, threaded: bool) {
        for port in [&mut self.v4, &mut self.v6].into_iter().flatten() {
            port.set_threaded(threaded);
        }
    }

    /// Forgets the threads, in a copy of the process that made them, and what still waits to be written: that is
    /// the other process's to say.
    pub(super) fn forget_threads(&mut self) {
        for port in [&mut self.v4, &mut self.v6].into_iter().flatten() {
            port.outbound = None;
            if let Some(thread) = port.thread.take() {
                thread.forget();
            }
        }
    }

    /// Closes all sockets. What a thread was given leaves before, as far as the system takes it.
    pub(super) fn close(&mut self) {
        *self = Ports::default();
    }

    /// True if a socket is open.
    pub(super) fn is_open(&self) -> bool {
        self.v4.is_some() || self.v6.is_some()
    }

    /// Where the sockets are bound, IPv4 first.
    pub(super) fn bound(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        [&self.v4, &self.v6].into_iter().flatten().map(|port| port.socket.local_address())
    }

    fn of_family(&mut self, ipv4: bool) -> &mut Option<Port> {
        if ipv4 { &mut self.v4 } else { &mut self.v6 }
    }

    /// Reads within `budget` for each socket and hands each datagram to `receiver`; true if more may wait.
    pub(super) fn receive(
        &mut self,
        budget: ReadBudget,
        now: Instant,
        step: Duration,
        receiver: &mut impl Receiver,
    ) -> bool {
        Inbound::lend(|inbound| {
            let mut backlog = false;
            for port in [&mut self.v4, &mut self.v6].into_iter().flatten() {
                backlog |= port.receive(inbound, budget, now, step, receiver);
            }
            backlog
        })
    }

    /// After reading: where more comes than is read, has the system prefer what comes from `players`.
    pub(super) fn prefer<P: Iterator<Item = SocketAddr>>(
        &mut self,
        now: Instant,
        players: impl Fn() -> P,
    ) {
        for port in [&mut self.v4, &mut self.v6].into_iter().flatten() {
            if port.crowding.is_concerned(port.is_flooded) {
                let ipv4 = port.socket.local_address().is_ipv4();
                let players = players().filter(|address| address.is_ipv4() == ipv4);
                port.crowding.act(&port.socket, now, port.is_flooded, players);
            }
        }
    }

    /// Writes what `poll` makes until it makes nothing, or the system takes no more. `poll` is told for which families
    /// there is room; what it makes for another is lost.
    pub(super) fn transmit(&mut self, mut poll: impl FnMut(Families, &mut [u8]) -> Option<Transmit>) {
        match (&mut self.v4, &mut self.v6) {
            (Some(port), None) | (None, Some(port)) => port.transmit(|room| poll(Families::ALL, room)),
            (Some(v4), Some(v6)) => {
                let mut buffer = [0; SEND_SIZE];
                // A socket that is found full is asked no more: the other's datagrams need not wait for its answers.
                let mut families = Families::ALL;
                loop {
                    families.v4 = families.v4 && v4.has_room();
                    families.v6 = families.v6 && v6.has_room();
                    if !families.v4 && !families.v6 {
                        break;
                    }
                    let Some(Transmit { path, size }) = poll(families, &mut buffer) else { break };
                    let port = if path.remote.is_ipv4() { &mut *v4 } else { &mut *v6 };
                    port.push(path, buffer.get(..size).unwrap_or_default());
                }
                v4.flush();
                v6.flush();
            }
            (None, None) => {}
        }
    }

    /// Writes one datagram.
    pub(super) fn write(&mut self, path: Path, bytes: &[u8]) {
        if let Some(port) = self.of_family(path.remote.is_ipv4())
            && port.has_room()
        {
            port.push(path, bytes);
            port.flush();
        }
    }
}

/// A socket and the datagrams that wait to be written to it, if any.
struct Port {
    socket: Socket,
    outbound: Option<Box<Outbound>>,
    thread: Option<SendThread>,
    /// True if the last update read much, and yet left something to be read.
    is_flooded: bool,
    crowding: Crowding,
}

impl Port {
    fn bind(address: SocketAddr, options: SocketOptions) -> io::Result<Port> {
        Ok(Port {
            socket: Socket::bind(address, options)?,
            outbound: None,
            thread: None,
            is_flooded: false,
            crowding: Crowding::default(),
        })
    }

    fn set_threaded(&mut self, threaded: bool) {
        if !threaded {
            self.thread = None;
        } else if self.thread.is_none() {
            let thread = SendThread::start(&self.socket);
            if let Err(error) = &thread {
                log::log(Level::Warning, format_args!("no thread to send by: {error}"));
            }
            self.thread = thread.ok();
        }
    }

    /// Reads within `budget` and hands each datagram to `receiver`; true if more may wait.
    fn receive(
        &mut self,
        inbound: &mut Inbound,
        budget: ReadBudget,
        now: Instant,
        step: Duration,
        receiver: &mut impl Receiver,
    ) -> bool {
        self.is_flooded = false;
        let start = std::time::Instant::now();
        let mut seen = 0;
        loop {
            match self.socket.receive(inbound) {
                Received::Empty => return false,
                Received::Error => seen += 1,
                Received::Datagrams { drained } => {
                    for number in 0.. {
                        receiver.expect(inbound.peek(number + SOON), inbound.peek(number + 1));
                        let Some(datagram) = inbound.datagram(number) else { break };
                        seen += 1;
                        self.crowding.note(datagram.path.remote);
                        // It came since the last update, whatever the clocks of kernel and program say.
                        let arrival = Arrival { path: datagram.path, at: now - datagram.age.min(step) };
                        let size = datagram.bytes.as_ref().map_or(0, |bytes| bytes.len());
                        if let Err(reason) = receiver.handle(&arrival, datagram.bytes) {
                            let from = Printed(datagram.path.remote);
                            log::log(
                                Level::Debug,
                                format_args!("dropped {size} bytes from {from}: {reason}"),
                            );
                        }
                    }
                    receiver.end_batch();
                    if drained {
                        return false;
                    }
                }
            }
            // However slow the machine is at this moment, a batch is read.
            let over_time = seen >= BATCH && Duration::from(start.elapsed()) >= budget.time;
            if seen >= budget.datagrams || over_time {
                self.is_flooded = seen >= LEAST_FLOOD;
                return true;
            }
        }
    }

    /// Writes what `poll` makes until it makes nothing, or the system takes no more.
    fn transmit(&mut self, mut poll: impl FnMut(&mut [u8]) -> Option<Transmit>) {
        while self.has_room() {
            let outbound = self.outbound();
            let Some(transmit) = outbound.room().and_then(|room| poll(room)) else { break };
            outbound.commit(transmit.path, transmit.size);
        }
        self.flush();
    }

    /// True if there is room for another datagram; what waits is sent first if it must.
    fn has_room(&mut self) -> bool {
        if self.is_full() {
            self.flush();
        }
        !self.is_full()
    }

    fn is_full(&mut self) -> bool {
        self.outbound.as_mut().is_some_and(|outbound| outbound.room().is_none())
    }

    /// Queues a copy of a datagram, if there is [room](Self::has_room).
    fn push(&mut self, path: Path, bytes: &[u8]) {
        let outbound = self.outbound();
        if let Some(room) = outbound.room().and_then(|room| room.get_mut(..bytes.len())) {
            room.copy_from_slice(bytes);
            outbound.commit(path, bytes.len());
        }
    }

    /// The batch that is being filled.
    fn outbound(&mut self) -> &mut Outbound {
        let thread = self.thread.as_ref();
        let empty = || thread.and_then(SendThread::take_spare).unwrap_or_else(Outbound::take);
        self.outbound.get_or_insert_with(empty)
    }

    fn flush(&mut self) {
        let Some(mut outbound) = self.outbound.take() else { return };
        self.outbound = match &self.thread {
            Some(thread) if !outbound.is_empty() => thread.send(outbound).err(),
            _ => {
                self.socket.send(&mut outbound);
                outbound.give_back()
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_process_writes_nothing_that_its_parent_had_to_say() {
        let options = SocketOptions { receive_buffer: 1 << 16, send_buffer: 1 << 16 };
        let mut ports = Ports::default();
        ports.open("127.0.0.1:0".parse().unwrap(), options).unwrap();
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_nonblocking(true).unwrap();
        let path = Path { remote: peer.local_addr().unwrap(), local: None };
        // As if the system had taken no more.
        ports.v4.as_mut().unwrap().push(path, b"the parent's");
        ports.forget_threads();
        ports.write(path, b"the copy's");
        let mut buffer = [0; 20];
        let came = std::iter::from_fn(|| peer.recv(&mut buffer).ok()).collect::<Vec<_>>();
        assert_eq!(came, [b"the copy's".len()]);
    }

    /// Runs in a network namespace of its own, whose only neighbour says nothing: what is sent to it waits in the
    /// kernel, and so fills the socket. Says that it was skipped where the system lets nobody make one.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_that_is_full_holds_up_its_own_family_alone_and_loses_nothing() {
        use std::process::Command;
        const INSIDE: &str = "CUTE_NET_INSIDE_NAMESPACE";
        const NAME: &str =
            "host::ports::tests::a_socket_that_is_full_holds_up_its_own_family_alone_and_loses_nothing";
        const SETUP: &str = "ip link set lo up && ip link add name here type veth peer name there \
            && ip link set here up && ip link set there up && ip address add 10.9.0.1/24 dev here \
            && ip -6 address show dev lo | grep -q ::1 \
            && echo ready && exec \"$0\" --exact \"$1\" --nocapture";
        if std::env::var_os(INSIDE).is_some() {
            full_socket(false, "10.9.0.9");
            full_socket(true, "10.9.0.10");
            return closed_while_full("10.9.0.11");
        }
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net", "sh", "-c", SETUP]);
        command.arg(std::env::current_exe().unwrap()).arg(NAME).env(INSIDE, "1");
        let output = command.output().ok();
        let text = output
            .as_ref()
            .map_or_else(String::new, |output| format!("{output:?}").replace("\\n", "\n"));
        if text.contains("ready") {
            assert!(text.contains("1 passed"), "{text}");
        } else {
            eprintln!("skipped: no namespace for a network. {text}");
        }
    }

    #[cfg(target_os = "linux")]
    fn full_socket(threaded: bool, neighbour: &str) {
        use std::time::Instant;
        let options = SocketOptions { receive_buffer: 1 << 18, send_buffer: 4096 };
        let mut ports = Ports::default();
        ports.open("10.9.0.1:0".parse().unwrap(), options).unwrap();
        ports.open("[::1]:0".parse().unwrap(), options).unwrap();
        ports.set_threaded(threaded);
        let peer = std::net::UdpSocket::bind("[::1]:0").unwrap();
        peer.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let silent = Path { remote: format!("{neighbour}:9").parse().unwrap(), local: None };
        let heard = Path { remote: peer.local_addr().unwrap(), local: None };

        // Who has something to say, as a server: more for the one family than socket and thread hold, a hundred
        // datagrams for the other.
        let mut left = [4000u32, 100];
        let mut transmit = |ports: &mut Ports, more: u32| {
            left[1] += more;
            let mut was_full = false;
            ports.transmit(|families, buffer| {
                was_full |= !families.v4;
                let v4 = families.v4 && left[0] > 0;
                if !v4 && (!families.v6 || left[1] == 0) {
                    return None;
                }
                left[usize::from(!v4)] -= 1;
                buffer[..500].fill(left[usize::from(!v4)] as u8);
                Some(Transmit { path: if v4 { silent } else { heard }, size: 500 })
            });
            (left, was_full)
        };
        let all_arrive = || {
            let mut buffer = [0; 600];
            for number in (0..100).rev() {
                assert_eq!(peer.recv(&mut buffer).unwrap(), 500);
                assert_eq!(buffer[0], number);
            }
        };

        let ([v4, v6], was_full) = transmit(&mut ports, 0);
        assert!(was_full && v4 > 0 && v6 == 0, "{v4} and {v6} left");
        all_arrive();
        let (still, was_full) = transmit(&mut ports, 100);
        assert_eq!((still, was_full), ([v4, 0], true));
        all_arrive();

        // The neighbour is there after all.
        let found = format!("ip neighbour replace {neighbour} lladdr 02:00:00:00:00:09 dev here");
        assert!(std::process::Command::new("sh").args(["-c", &found]).status().unwrap().success());
        let start = Instant::now();
        while transmit(&mut ports, 0) != ([0, 0], false) {
            assert!(start.elapsed().as_secs() < 10, "the rest leaves");
        }
    }

    /// A thread that the system takes nothing from does not hold up its end.
    #[cfg(target_os = "linux")]
    fn closed_while_full(neighbour: &str) {
        let options = SocketOptions { receive_buffer: 1 << 16, send_buffer: 4096 };
        let mut ports = Ports::default();
        ports.open("10.9.0.1:0".parse().unwrap(), options).unwrap();
        ports.set_threaded(true);
        let path = Path { remote: format!("{neighbour}:9").parse().unwrap(), local: None };
        let mut left = 4000;
        ports.transmit(|_, _| {
            left -= 1;
            (left > 0).then_some(Transmit { path, size: 500 })
        });
        assert!(left > 0);
        let start = std::time::Instant::now();
        ports.close();
        assert!(start.elapsed().as_secs() < 1);
    }
}
