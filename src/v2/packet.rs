//! The first byte that tells packets apart, and the header and sealing of data packets
//! (PROTOCOL sections 5 and 6). The header is associated data: nothing of a packet can be altered on
//! the way. Packet numbers are 64-bit, never reused, and sent truncated (RFC 9000 appendix A).

use super::keys::{AssociatedPrefix, Domain, SessionKeys, nonce};
use crate::bytes::{Reader, Writer};
use crate::crypto::cipher::{Cipher, PacketCipher, TAG_SIZE};

/// Bit 7 of the first byte: every CUTE 2.00 packet but the request has it, no CUTE 1.00 packet has.
const MARK: u8 = 0x80;
const TYPE_MASK: u8 = 0x70;
const RESERVED_MASK: u8 = 0x0C;
const NUMBER_SIZE_MASK: u8 = 0x03;

/// Bytes of the connection id that packets to the server carry.
const CONNECTION_ID_SIZE: usize = 4;
/// The longest header: first byte, connection id, four bytes of packet number.
const MAX_HEADER_SIZE: usize = 1 + CONNECTION_ID_SIZE + 4;

/// What a packet with the mark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketType {
    /// Sealed frames.
    Data = 0,
    /// The server refuses the client.
    Denied = 2,
    /// The server asks for proof of the address.
    Challenge = 5,
    /// The client proves its address and its keys.
    Response = 6,
}

impl PacketType {
    /// Reads a first byte; `None` if no packet starts with it.
    pub fn of(first: u8) -> Option<PacketType> {
        let kind = match first & (MARK | TYPE_MASK | RESERVED_MASK) {
            0x80 => return Some(PacketType::Data),
            0xA0 => PacketType::Denied,
            0xD0 => PacketType::Challenge,
            0xE0 => PacketType::Response,
            _ => return None,
        };
        (first & NUMBER_SIZE_MASK == 0).then_some(kind)
    }

    /// The first byte of such a packet; for data, of one with a single byte of packet number.
    pub const fn first_byte(self) -> u8 {
        MARK | (self as u8) << 4
    }
}

/// Which end of a connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This end is the client.
    Client,
    /// This end is the server.
    Server,
}

impl Side {
    /// Domains of what this side sends and of what it receives.
    fn domains(self) -> (Domain, Domain) {
        match self {
            Side::Client => (Domain::DataToServer, Domain::DataToClient),
            Side::Server => (Domain::DataToClient, Domain::DataToServer),
        }
    }
}

/// The connection id of a data packet that came to a server: which connection to ask, without any cipher.
pub fn connection_id(packet: &[u8]) -> Option<u32> {
    let mut reader = Reader::new(packet);
    reader.u8().ok()?;
    reader.u32().ok()
}

/// How many bytes of `number` to send so that a peer that received at least `largest_acked` can tell
/// which number is meant (RFC 9000 appendix A.2).
fn number_size(number: u64, largest_acked: Option<u64>) -> usize {
    let unacknowledged = match largest_acked {
        Some(acked) => number.saturating_sub(acked),
        None => number.saturating_add(1),
    };
    match unacknowledged {
        0..0x80 => 1,
        0x80..0x8000 => 2,
        0x8000..0x80_0000 => 3,
        _ => 4,
    }
}

/// The number meant by the low `size` bytes `truncated`, given the next number expected (RFC 9000
/// appendix A.3).
fn recover_number(truncated: u64, size: usize, expected: u64) -> u64 {
    let window = 1u64 << (8 * size);
    let candidate = (expected & !(window - 1)) | truncated;
    if candidate.saturating_add(window / 2) <= expected
        && let Some(above) = candidate.checked_add(window)
    {
        return above;
    }
    if candidate > expected.saturating_add(window / 2) && candidate >= window {
        return candidate - window;
    }
    candidate
}

/// The ciphers of one connection and what they are used with.
pub struct PacketSeal {
    side: Side,
    prefix: AssociatedPrefix,
    sealing: Cipher,
    opening: Cipher,
}

/// A data packet whose number is known and whose frames are still sealed.
pub struct SealedPacket<'a> {
    /// Which packet of its direction this is.
    pub number: u64,
    header: [u8; MAX_HEADER_SIZE],
    header_size: usize,
    sealed: &'a mut [u8],
}

impl PacketSeal {
    /// The ciphers for `side` of a connection.
    pub fn new(side: Side, prefix: AssociatedPrefix, keys: &SessionKeys) -> PacketSeal {
        let (sealing, opening) = match side {
            Side::Client => (&keys.client_to_server, &keys.server_to_client),
            Side::Server => (&keys.server_to_client, &keys.client_to_server),
        };
        PacketSeal { side, prefix, sealing: Cipher::new(sealing), opening: Cipher::new(opening) }
    }

    /// Writes the header of the packet with this number to the front of `buffer`; returns its length.
    pub fn write_header(
        &self,
        number: u64,
        largest_acked: Option<u64>,
        connection_id: u32,
        buffer: &mut [u8],
    ) -> Option<usize> {
        let size = number_size(number, largest_acked);
        let mut writer = Writer::new(buffer);
        writer.u8(PacketType::Data.first_byte() | (size - 1) as u8);
        if self.side == Side::Client {
            writer.u32(connection_id);
        }
        writer.bytes(number.to_le_bytes().get(..size)?);
        writer.finish()
    }

    /// Seals the `frames` bytes of frames that follow a header of `header` bytes, and returns the
    /// length of the packet. A number must never be sealed twice.
    pub fn seal(&self, number: u64, header: usize, frames: usize, buffer: &mut [u8]) -> Option<usize> {
        let (front, rest) = buffer.split_at_mut_checked(header)?;
        let (frames, rest) = rest.split_at_mut_checked(frames)?;
        let room = rest.first_chunk_mut()?;
        let mut associated = [0; AssociatedPrefix::size_with(MAX_HEADER_SIZE)];
        let associated = self.prefix.with(front, &mut associated);
        *room = self.sealing.seal(nonce(self.side.domains().0, number), associated, frames);
        Some(front.len() + frames.len() + TAG_SIZE)
    }

    /// Reads the header of a data packet, whose first byte was checked; `expected` is the next
    /// packet number expected. `None` if it is too short to hold a frame, or its number is none.
    pub fn read_header<'a>(&self, packet: &'a mut [u8], expected: u64) -> Option<SealedPacket<'a>> {
        let size = usize::from(packet.first()? & NUMBER_SIZE_MASK) + 1;
        let id = if self.side == Side::Server { CONNECTION_ID_SIZE } else { 0 };
        let header_size = 1 + id + size;
        let (front, sealed) = packet.split_at_mut_checked(header_size)?;
        if sealed.len() <= TAG_SIZE {
            return None;
        }
        let mut truncated = 0;
        for byte in front.iter().skip(1 + id).rev() {
            truncated = truncated << 8 | u64::from(*byte);
        }
        let mut header = [0; MAX_HEADER_SIZE];
        header.get_mut(..header_size)?.copy_from_slice(front);
        let number = recover_number(truncated, size, expected);
        // The last number of all is never used: there is none to expect after it.
        (number < u64::MAX).then_some(SealedPacket { number, header, header_size, sealed })
    }

    /// Opens a packet in place; `None` if it isn't what the peer sealed under this number.
    #[must_use]
    pub fn open<'a>(&self, packet: SealedPacket<'a>) -> Option<&'a [u8]> {
        let mut associated = [0; AssociatedPrefix::size_with(MAX_HEADER_SIZE)];
        let associated = self.prefix.with(packet.header.get(..packet.header_size)?, &mut associated);
        let nonce = nonce(self.side.domains().1, packet.number);
        self.opening.open(nonce, associated, packet.sealed).map(|frames| &*frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Key;
    use proptest::prelude::*;

    fn pair(key: [u8; 32]) -> (PacketSeal, PacketSeal) {
        let keys = SessionKeys { client_to_server: Key::new(key), server_to_client: Key::new([2; 32]) };
        let prefix = AssociatedPrefix::new(7);
        (PacketSeal::new(Side::Client, prefix, &keys), PacketSeal::new(Side::Server, prefix, &keys))
    }

    fn seal(by: &PacketSeal, number: u64, acked: Option<u64>, frames: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; 1200];
        let header = by.write_header(number, acked, 0xABCD_EF01, &mut buffer).unwrap();
        buffer[header..header + frames.len()].copy_from_slice(frames);
        let length = by.seal(number, header, frames.len(), &mut buffer);
        buffer.truncate(length.unwrap());
        buffer
    }

    fn open(by: &PacketSeal, packet: &mut [u8], expected: u64) -> Option<(u64, Vec<u8>)> {
        let sealed = by.read_header(packet, expected)?;
        let number = sealed.number;
        by.open(sealed).map(|frames| (number, frames.to_vec()))
    }

    #[test]
    fn first_bytes_are_as_the_protocol_page_says() {
        for (first, kind) in [
            (0x80, PacketType::Data),
            (0x83, PacketType::Data),
            (0xA0, PacketType::Denied),
            (0xD0, PacketType::Challenge),
            (0xE0, PacketType::Response),
        ] {
            assert_eq!(PacketType::of(first), Some(kind));
        }
        let known = (0..=255).filter(|&first| PacketType::of(first).is_some()).count();
        assert_eq!(known, 4 + 3);
    }

    #[test]
    fn the_examples_of_rfc_9000_appendix_a_hold() {
        assert_eq!(number_size(0xAC5C02, Some(0xABE8B3)), 2);
        assert_eq!(number_size(0xACE8FE, Some(0xABE8B3)), 3);
        assert_eq!(recover_number(0x9B32, 2, 0xA82F30EA + 1), 0xA82F9B32);
    }

    #[test]
    fn the_last_number_of_all_is_that_of_no_packet() {
        let (client, server) = pair([3; 32]);
        for (number, is_one) in [(u64::MAX - 1, true), (u64::MAX, false)] {
            let mut packet = seal(&client, number, None, b"frames");
            assert_eq!(open(&server, &mut packet, u64::MAX - 9).is_some(), is_one, "{number}");
        }
    }

    #[test]
    fn header_and_tag_leave_four_of_26_bytes_for_the_frame_of_a_small_message() {
        let (client, server) = pair([1; 32]);
        let overhead = |by| seal(by, 1000, Some(900), &[7; 32]).len() - 32;
        assert_eq!((overhead(&client), overhead(&server)), (1 + 4 + 1 + 16, 1 + 1 + 16));
    }

    #[test]
    fn both_directions_open_and_neither_opens_its_own() {
        let (client, server) = pair([2; 32]); // both directions share a key: domains keep them apart
        let up = seal(&client, 5, None, b"frames");
        assert_eq!(connection_id(&up), Some(0xABCD_EF01));
        assert_eq!(open(&server, &mut up.clone(), 0), Some((5, b"frames".to_vec())));
        let down = seal(&server, 5, None, b"frames");
        assert_eq!(open(&client, &mut down.clone(), 0), Some((5, b"frames".to_vec())));
        assert_eq!(open(&client, &mut up.clone(), 0), None);
        assert_eq!(open(&server, &mut down.clone(), 0), None);
    }

    #[test]
    fn no_bit_of_a_packet_can_be_altered() {
        let (client, server) = pair([1; 32]);
        let packet = seal(&client, 300, None, b"frames");
        for bit in 0..packet.len() * 8 {
            let mut altered = packet.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            if PacketType::of(altered[0]) == Some(PacketType::Data) {
                assert_eq!(open(&server, &mut altered, 300), None, "bit {bit}");
            }
        }
        for length in 1..packet.len() {
            assert_eq!(open(&server, &mut packet[..length].to_vec(), 300), None, "length {length}");
        }
    }

    #[test]
    fn a_small_buffer_is_not_overrun() {
        let (client, _) = pair([1; 32]);
        assert_eq!(client.write_header(0, None, 0, &mut [0; 5]), None);
        assert_eq!(client.seal(0, 6, 1, &mut [0; 22]), None);
        assert_eq!(client.seal(0, 6, 1, &mut [0; 23]), Some(23));
    }

    proptest! {
        #[test]
        fn numbers_are_recovered_within_the_window(acked in 0u64..1 << 62, ahead in 1u64..40_000, lag in 0u64..1000) {
            let number = acked + ahead;
            let size = number_size(number, Some(acked));
            let truncated = number & ((1 << (8 * size)) - 1);
            // The receiver has seen at least what it acknowledged, at most what was sent just before.
            let expected = (number - lag.min(ahead - 1)).max(acked + 1);
            prop_assert_eq!(recover_number(truncated, size, expected), number);
        }
    }
}
