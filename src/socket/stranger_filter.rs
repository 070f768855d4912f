//! A filter that the kernel asks before it keeps a datagram (classic BPF, `SO_ATTACH_FILTER`): what comes from a
//! known address passes, and of the rest one in so many. A flood is dropped where it arrives, so that players'
//! datagrams need not wait behind it in the socket, or be lost with it when the socket is full.
//!
//! Addresses are compared by a hash under a key that nobody outside can know: who makes addresses up passes as
//! known once in 2^32 datagrams.

#![allow(unsafe_code)]

use socket2::Socket as RawSocket;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

/// Known addresses at most: a program has 4,096 instructions at most, and an address needs two and a half.
pub(super) const MOST_KNOWN: usize = 1500;

/// `BPF_LD | BPF_W | BPF_ABS` and so on, from `linux/filter.h`.
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const SET_X: u16 = 0x01;
const ADD_X: u16 = 0x0C;
const XOR_X: u16 = 0xAC;
const MULTIPLY: u16 = 0x24;
const COPY_TO_X: u16 = 0x07;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
/// Where a filter of a UDP socket finds the source port; the IP header is at `NETWORK`, a random number at `RANDOM`.
const PORT: u32 = 0;
const NETWORK: u32 = 0xFFF0_0000;
const RANDOM: u32 = 0xFFFF_F000 + 56;
/// Bytes of the source address in the headers of IPv4 and of IPv6.
const SOURCE_V4: std::ops::Range<u32> = 12..16;
const SOURCE_V6: std::ops::Range<u32> = 8..24;
/// Addresses of a leaf of the search.
const LEAF: usize = 8;
const EVERYTHING: u32 = u32::MAX;

/// The place of the count of dropped datagrams in what `SO_MEMINFO` gives (Linux 4.12).
const DROPS: usize = 8;

/// Drops all but one in 2^`thinning` of what comes from none of `known`, of which there are at most [`MOST_KNOWN`].
pub(super) fn attach(
    socket: &RawSocket,
    known: &[SocketAddr],
    key: u32,
    thinning: u32,
) -> io::Result<()> {
    let mut program = program(socket.local_addr()?.is_ipv6(), known, key, thinning);
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    set_option(socket, libc::SO_ATTACH_FILTER, &program)
}

/// Lets everything pass again.
pub(super) fn detach(socket: &RawSocket) {
    let _ = set_option(socket, libc::SO_DETACH_FILTER, &0 as &libc::c_int);
}

/// How many datagrams the kernel has dropped so far, modulo 2^32: by the filter, or because the socket was full.
pub(super) fn lost(socket: &RawSocket) -> Option<u32> {
    let mut values = [0u32; 16];
    let mut length = size_of_val(&values) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to the array, whose size that is.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            values.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    let count = length as usize / size_of::<u32>();
    values.get(..count).filter(|_| result == 0)?.get(DROPS).copied()
}

fn set_option<T>(socket: &RawSocket, name: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the value is of the option's type, and its size is given. A program's instructions are those of the
    // vector that the caller holds, as many as it says.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

type Instruction = libc::sock_filter;

const fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

/// A jump over one instruction if the condition does not hold.
const fn condition(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 1, k }
}

fn program(is_v6: bool, known: &[SocketAddr], key: u32, thinning: u32) -> Vec<Instruction> {
    // An odd factor loses no bit.
    let key = key | 1;
    let mut hashes: Vec<u32> = known.iter().map(|address| hash(address, key)).collect();
    hashes.sort_unstable();
    hashes.dedup();
    let mut program = vec![plain(SET_X, 0)];
    for word in if is_v6 { SOURCE_V6 } else { SOURCE_V4 }.step_by(4) {
        program.extend([
            plain(LOAD_WORD, NETWORK + word),
            plain(ADD_X, 0),
            plain(MULTIPLY, key),
            plain(COPY_TO_X, 0),
        ]);
    }
    program.extend([plain(LOAD_HALF, PORT), plain(XOR_X, 0)]);
    search(&hashes, &mut program);
    // Of strangers, those for whom a random number is high enough.
    let threshold = u32::MAX - (u32::MAX >> thinning.min(31));
    program.extend([
        plain(LOAD_WORD, RANDOM),
        condition(JUMP_IF_AT_LEAST, threshold),
        plain(RETURN, EVERYTHING),
        plain(RETURN, 0),
    ]);
    program
}

/// Lets a hash pass that is one of `hashes`, by a binary search; any other goes on behind it.
fn search(hashes: &[u32], program: &mut Vec<Instruction>) {
    if hashes.len() <= LEAF {
        for &hash in hashes {
            program.extend([condition(JUMP_IF_EQUAL, hash), plain(RETURN, EVERYTHING)]);
        }
        return;
    }
    let (low, high) = hashes.split_at(hashes.len() / 2);
    let (mut below, mut above) = (Vec::new(), Vec::new());
    search(low, &mut below);
    search(high, &mut above);
    below.push(plain(JUMP, above.len() as u32));
    program.push(condition(JUMP_IF_AT_LEAST, high.first().copied().unwrap_or_default()));
    program.push(plain(JUMP, below.len() as u32));
    program.append(&mut below);
    program.append(&mut above);
}

/// What a program computes of a datagram's headers.
fn hash(address: &SocketAddr, key: u32) -> u32 {
    let words: [u32; 4] = match address {
        SocketAddr::V4(v4) => [0, 0, 0, u32::from(*v4.ip())],
        SocketAddr::V6(v6) => {
            let bytes = v6.ip().to_bits();
            [96, 64, 32, 0].map(|shift| (bytes >> shift) as u32)
        }
    };
    let mixed = words.iter().fold(0u32, |hash, word| hash.wrapping_add(*word).wrapping_mul(key));
    mixed ^ u32::from(address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::time::Duration;

    /// Sends 400 datagrams from each of `count` sockets, of which every other is known: how many came from known
    /// ones and from others.
    fn pass(ip: &str, count: usize, made_up: usize, thinning: u32) -> (usize, usize) {
        let bind = || UdpSocket::bind((ip, 0)).unwrap();
        let server = bind();
        let to = server.local_addr().unwrap();
        let senders: Vec<UdpSocket> = (0..count).map(|_| bind()).collect();
        let known = senders.iter().step_by(2).map(|sender| sender.local_addr().unwrap());
        let known: Vec<SocketAddr> = known.collect();
        let others = (0..made_up).map(|number| match to {
            SocketAddr::V4(_) => SocketAddr::from(([10, 0, 0, number as u8], number as u16)),
            SocketAddr::V6(_) => SocketAddr::from(([1, 2, 3, 4, 5, 6, 7, number as u16], 7)),
        });
        let all: Vec<SocketAddr> = known.iter().copied().chain(others).collect();
        let raw = RawSocket::from(server.try_clone().unwrap());
        attach(&raw, &all, 0x9E37_79B9, thinning).unwrap();
        server.set_nonblocking(true).unwrap();
        let before = lost(&raw).unwrap();
        let (mut came, mut sent) = ((0, 0), 0);
        for _ in 0..400 {
            for sender in &senders {
                sender.send_to(b"hello", to).unwrap();
                sent += 1;
            }
            while let Ok((_, from)) = server.recv_from(&mut [0; 9]) {
                *(if known.contains(&from) { &mut came.0 } else { &mut came.1 }) += 1;
            }
        }
        assert_eq!(lost(&raw).unwrap().wrapping_sub(before), (sent - came.0 - came.1) as u32);
        detach(&raw);
        server.set_nonblocking(false).unwrap();
        server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        for sender in &senders {
            sender.send_to(b"hello", to).unwrap();
            server.recv_from(&mut [0; 9]).unwrap();
        }
        came
    }

    #[test]
    fn the_known_pass_and_of_strangers_a_share() {
        for ip in ["127.0.0.1", "::1"] {
            if UdpSocket::bind((ip, 0)).is_err() {
                println!("skipped: no {ip} here");
                continue;
            }
            for (count, made_up) in [(2, 0), (9, 0), (16, 200), (10, MOST_KNOWN - 5)] {
                let (known, others) = pass(ip, count, made_up, 2);
                assert_eq!(known, 400 * count.div_ceil(2), "{ip}, {count}");
                let share = others as f64 / (400 * (count / 2)) as f64;
                assert!((0.15..0.35).contains(&share), "{ip}, {count}: {share}");
            }
        }
        // Nobody is known, everybody passes; and hardly anybody does.
        assert_eq!(pass("127.0.0.1", 1, 0, 0), (400, 0));
        let (_, others) = pass("127.0.0.1", 4, 0, 31);
        assert!(others <= 1, "{others}");
    }

    #[test]
    fn the_longest_program_is_one_that_the_kernel_takes() {
        let known: Vec<SocketAddr> = (0..MOST_KNOWN as u32)
            .map(|number| SocketAddr::from((std::net::Ipv4Addr::from(number * 7), 9)))
            .collect();
        assert!(program(true, &known, 5, 3).len() <= 4096);
    }
}
