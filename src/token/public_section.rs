//! The part of a token that everybody can read: for which game it is, until when, and which servers it lists.
//! Reading it lets no count and no address through that a token can't have, and nothing is written past its end
//! (D08).

use super::{MAX_SERVERS, PUBLIC_SIZE, TokenRequest, Version};
use crate::bytes::{Malformed, Reader, Writer};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The bytes of the public section left for addresses: 7 for each IPv4, 19 for each IPv6 address.
pub const ADDRESSES_SIZE: usize = PUBLIC_SIZE - PUBLIC_HEADER_SIZE;

/// Type, version, application id, expiration, handshake timeout, number of addresses.
const PUBLIC_HEADER_SIZE: usize = 35;
/// The types of addresses.
const IPV4: u8 = 1;
const IPV6: u8 = 2;
/// Bytes of an address with its type and port.
pub(super) const IPV4_SIZE: usize = 7;
pub(super) const IPV6_SIZE: usize = 19;

/// The part of a token that everybody can read, checked to be well formed.
#[derive(Clone, Copy, Debug)]
pub struct PublicSection<'a> {
    /// The game.
    pub application_id: u64,
    /// Unix seconds from which on the token is refused.
    pub expiration: u64,
    /// Seconds for each phase of the handshake.
    pub handshake_timeout: u32,
    servers: Reader<'a>,
    count: u32,
}

impl<'a> PublicSection<'a> {
    /// Reads a public section of `version`: an unknown address type or too many addresses is malformed.
    /// In CUTE 2.00 every byte has exactly one meaning, so a padding byte that isn't zero is too; CUTE 1.00
    /// lets them pass.
    pub fn read(bytes: &'a [u8; PUBLIC_SIZE], version: Version) -> Result<PublicSection<'a>, Malformed> {
        let mut reader = Reader::new(bytes);
        reader.zeros(1)?;
        if reader.array()? != *version.bytes() {
            return Err(Malformed);
        }
        let application_id = reader.u64()?;
        let expiration = reader.u64()?;
        let handshake_timeout = reader.u32()?;
        let count = reader.u32()?;
        if !(1..=MAX_SERVERS as u32).contains(&count) {
            return Err(Malformed);
        }
        let servers = reader;
        for _ in 0..count {
            read_address(&mut reader)?;
        }
        if version != Version::V1 {
            reader.zeros(reader.remaining())?;
        }
        Ok(PublicSection { application_id, expiration, handshake_timeout, servers, count })
    }

    /// The servers to try, in the token's order.
    pub fn servers(&self) -> impl Iterator<Item = SocketAddr> + 'a {
        let mut reader = self.servers;
        (0..self.count).map_while(move |_| read_address(&mut reader).ok())
    }
}

fn read_address(reader: &mut Reader<'_>) -> Result<SocketAddr, Malformed> {
    let ip = match reader.u8()? {
        IPV4 => IpAddr::V4(Ipv4Addr::from(reader.array::<4>()?)),
        IPV6 => {
            let mut groups = [0; 8];
            for group in &mut groups {
                *group = reader.u16()?;
            }
            IpAddr::V6(Ipv6Addr::from(groups))
        }
        _ => return Err(Malformed),
    };
    Ok(SocketAddr::new(ip, reader.u16()?))
}

/// Bytes that an address takes of a token.
pub(super) fn address_size(address: &SocketAddr) -> usize {
    match address {
        SocketAddr::V4(_) => IPV4_SIZE,
        SocketAddr::V6(_) => IPV6_SIZE,
    }
}

/// Writes the public section of a token; `request` was checked to fit.
pub(crate) fn write_public(writer: &mut Writer<'_>, version: Version, request: &TokenRequest<'_>) {
    let end = writer.written() + PUBLIC_SIZE;
    writer.u8(0);
    writer.bytes(version.bytes());
    writer.u64(request.application_id);
    writer.u64(request.expiration);
    writer.u32(request.handshake_timeout);
    writer.u32(request.servers.len() as u32);
    for server in request.servers {
        match server.ip() {
            IpAddr::V4(ip) => {
                writer.u8(IPV4);
                writer.bytes(&ip.octets());
            }
            IpAddr::V6(ip) => {
                writer.u8(IPV6);
                ip.segments().into_iter().for_each(|group| writer.u16(group));
            }
        }
        writer.u16(server.port());
    }
    writer.zeros(end.saturating_sub(writer.written()));
}
