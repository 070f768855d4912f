//! Addresses, as text and in the form in which the engine compares them. Numeric only: nothing here asks a
//! name server. What the original's `cn_endpoint_init` reads is read; what crashed it, or gave a wrong port, is
//! an error.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Why a string is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointError {
    /// The part before the port is not a numeric IPv4 or IPv6 address.
    Address,
    /// The port is not a number from 0 to 65535.
    Port,
    /// A bracket is not closed, or is not followed by a colon and a port.
    Bracket,
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EndpointError::Address => {
                "this is no address in numbers: write it as 203.0.113.7:5000 or [2001:db8::7]:5000"
            }
            EndpointError::Port => "the port is not a number from 0 to 65535",
            EndpointError::Bracket => "an IPv6 address with a port is written [2001:db8::7]:5000",
        })
    }
}

impl std::error::Error for EndpointError {}

/// Reads `a.b.c.d`, `a.b.c.d:port`, an IPv6 address, or `[IPv6]:port`. A missing or empty port is 0.
pub fn parse(text: &str) -> Result<SocketAddr, EndpointError> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, port) = bracketed.split_once("]:").ok_or(EndpointError::Bracket)?;
        let address: Ipv6Addr = address.parse().map_err(|_| EndpointError::Address)?;
        return Ok(SocketAddr::new(IpAddr::V6(address), parse_port(port)?));
    }
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Ok(SocketAddr::new(IpAddr::V6(address), 0));
    }
    let (address, port) = text.split_once(':').unwrap_or((text, ""));
    let address: Ipv4Addr = address.parse().map_err(|_| EndpointError::Address)?;
    Ok(SocketAddr::new(IpAddr::V4(address), parse_port(port)?))
}

/// An empty port means 0; at most five digits, as in the original.
fn parse_port(text: &str) -> Result<u16, EndpointError> {
    if text.is_empty() {
        return Ok(0);
    }
    if text.len() > 5 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(EndpointError::Port);
    }
    text.parse().map_err(|_| EndpointError::Port)
}

/// Prints an address the way [`parse`] reads it: without a port where it is 0.
#[derive(Clone, Copy, Debug)]
pub struct Printed(pub SocketAddr);

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.ip(), self.0.port()) {
            (ip, 0) => write!(f, "{ip}"),
            (IpAddr::V4(ip), port) => write!(f, "{ip}:{port}"),
            (IpAddr::V6(ip), port) => write!(f, "[{ip}]:{port}"),
        }
    }
}

/// The two ends a datagram travels between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// The peer's address, in [`canonical`] form.
    pub remote: SocketAddr,
    /// The address of this machine that a datagram was sent to, and that replies leave from; `None` where the
    /// system does not say, or the socket is bound to one address.
    pub local: Option<IpAddr>,
}

/// The families of addresses that something can be sent to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families {
    /// IPv4 addresses in [`canonical`] form.
    pub v4: bool,
    /// All others.
    pub v6: bool,
}

impl Families {
    /// Both.
    pub const ALL: Families = Families { v4: true, v6: true };

    /// True if `address` is of one of them.
    pub fn contain(self, address: SocketAddr) -> bool {
        if address.is_ipv4() { self.v4 } else { self.v6 }
    }
}

/// The one form in which addresses are compared: an IPv4 address that a dual-stack socket reports as
/// `::ffff:a.b.c.d` becomes the IPv4 address it is, and an IPv6 flow label is dropped.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(ip) => SocketAddr::V4(SocketAddrV4::new(ip, v6.port())),
            None => SocketAddr::V6(SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id())),
        },
    }
}

/// The 16 bytes under which CUTE 2.00 hashes an address: IPv4 as `::ffff:a.b.c.d`.
pub fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_the_original_reads_rightly_is_read() {
        for (text, printed, port) in [
            ("127.0.0.1", "127.0.0.1", 0),
            ("127.0.0.1:5000", "127.0.0.1:5000", 5000),
            ("127.0.0.1:", "127.0.0.1", 0),
            ("::1", "::1", 0),
            ("[::1]:5000", "[::1]:5000", 5000),
            ("[::1]:", "::1", 0),
            ("[::]:80", "[::]:80", 80),
            ("::1:5000", "::1:5000", 0),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4", 0),
            ("[::ffff:1.2.3.4]:80", "[::ffff:1.2.3.4]:80", 80),
            ("0.0.0.0:65535", "0.0.0.0:65535", 65535),
            ("1.2.3.4:00080", "1.2.3.4:80", 80),
            (
                "[2001:0db8:85a3:0000:0000:8a2e:0370:7334]:65535",
                "[2001:db8:85a3::8a2e:370:7334]:65535",
                65535,
            ),
        ] {
            let address = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(address.port(), port, "{text}");
            assert_eq!(Printed(address).to_string(), printed, "{text}");
            assert_eq!(parse(&Printed(address).to_string()), Ok(address), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_an_error_that_says_why() {
        for (text, error) in [
            ("", EndpointError::Address),
            (" 127.0.0.1", EndpointError::Address),
            ("localhost:5000", EndpointError::Address),
            ("127.1:80", EndpointError::Address),
            ("127.0.0.01:80", EndpointError::Address),
            ("256.0.0.1:80", EndpointError::Address),
            ("[fe80::1%eth0]:80", EndpointError::Address),
            ("fe80::1%eth0", EndpointError::Address),
            ("[1.2.3.4]:80", EndpointError::Address),
            ("[::1]", EndpointError::Bracket),
            ("[", EndpointError::Bracket),
            ("[fe80::1]", EndpointError::Bracket),
            ("[::1]x:80", EndpointError::Bracket),
            ("1.2.3.4:65536", EndpointError::Port),
            ("1.2.3.4:99999", EndpointError::Port),
            ("1.2.3.4:100000", EndpointError::Port),
            ("1.2.3.4:-1", EndpointError::Port),
            ("1.2.3.4:+1", EndpointError::Port),
            ("1.2.3.4:abc", EndpointError::Port),
            ("1.2.3.4:80x", EndpointError::Port),
            ("1.2.3.4: 80", EndpointError::Port),
            ("1.2.3.4:5:6", EndpointError::Port),
        ] {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_mapped_address_equals_the_ipv4_address_it_is() {
        let mapped = parse("[::ffff:10.0.0.1]:99").unwrap();
        let plain = parse("10.0.0.1:99").unwrap();
        assert_eq!(canonical(mapped), plain);
        assert_eq!(octets(mapped.ip()), octets(plain.ip()));
        let v6 = parse("[2001:db8::1]:99").unwrap();
        assert_eq!(canonical(v6), v6);
    }
}
