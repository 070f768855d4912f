//! The packets of CUTE 1.00 other than connect tokens: numbered one after another, and sealed. The type is
//! not authenticated: on the way it can be changed into any other of the same size, for example a keepalive
//! into a disconnect. That can't be mended compatibly, so a receiver acts on a packet only when its type is
//! expected (D30).

use super::replay::Tag;
use super::secretbox::{self, IV_SIZE, SIV_SIZE, Secretbox};
use crate::bytes::{Malformed, Reader, Writer};
use crate::drop_reason::DropReason;

/// Bytes of challenge data.
pub const CHALLENGE_DATA_SIZE: usize = 256;
/// The most bytes in a payload.
pub const MAX_PAYLOAD_SIZE: usize = 1205;
/// Bytes of the largest packet.
pub const MAX_SIZE: usize = OVERHEAD + PAYLOAD_LENGTH_SIZE + MAX_PAYLOAD_SIZE;
/// Bytes that a packet takes besides its content.
pub const OVERHEAD: usize = 1 + SEQUENCE_SIZE + UNUSED_SIZE + secretbox::OVERHEAD;

const SEQUENCE_SIZE: usize = 8;
/// Zero bytes of the header, which nothing authenticates.
const UNUSED_SIZE: usize = 28;
const PAYLOAD_LENGTH_SIZE: usize = 2;
const ACCEPTED_SIZE: usize = 16;
const CHALLENGE_SIZE: usize = 8 + CHALLENGE_DATA_SIZE;
/// Where the length of a fragment is in what is sealed of a payload: behind the payload's own length, eight bytes of
/// acknowledgements and seven of the fragment's header.
const FRAGMENT_LENGTH: usize = PAYLOAD_LENGTH_SIZE + 8 + 7;
/// Bytes of a challenge, and of its echo.
pub const RESPONSE_SIZE: usize = OVERHEAD + CHALLENGE_SIZE;

/// What a first byte says a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketType {
    /// The client asks to be let in (`v1/token.rs`).
    ConnectToken = 0,
    /// The server let the client in.
    Accepted = 1,
    /// The server refuses the client.
    Denied = 2,
    /// The sender is still there.
    Keepalive = 3,
    /// The sender ends the connection.
    Disconnect = 4,
    /// The server asks for proof of address and keys.
    ChallengeRequest = 5,
    /// The client proves its address and its keys.
    ChallengeResponse = 6,
    /// A payload of the transport.
    Payload = 7,
}

impl PacketType {
    /// Reads a first byte; `None` if no packet starts with it.
    pub const fn of(first: u8) -> Option<PacketType> {
        Some(match first {
            0 => PacketType::ConnectToken,
            1 => PacketType::Accepted,
            2 => PacketType::Denied,
            3 => PacketType::Keepalive,
            4 => PacketType::Disconnect,
            5 => PacketType::ChallengeRequest,
            6 => PacketType::ChallengeResponse,
            7 => PacketType::Payload,
            _ => return None,
        })
    }

    /// True if `side` takes such packets, sealed as a whole.
    const fn is_received_by(self, side: Side) -> bool {
        match self {
            PacketType::ConnectToken => false,
            PacketType::Accepted | PacketType::Denied | PacketType::ChallengeRequest => {
                matches!(side, Side::Client)
            }
            PacketType::ChallengeResponse => matches!(side, Side::Server),
            PacketType::Keepalive | PacketType::Disconnect | PacketType::Payload => true,
        }
    }

    /// True if a packet of this type can have `size` bytes.
    fn can_have(self, size: usize) -> bool {
        let content = match self {
            PacketType::ConnectToken => return false,
            PacketType::Payload => return (OVERHEAD + PAYLOAD_LENGTH_SIZE..=MAX_SIZE).contains(&size),
            PacketType::Accepted => ACCEPTED_SIZE,
            PacketType::Denied | PacketType::Keepalive | PacketType::Disconnect => 0,
            PacketType::ChallengeRequest | PacketType::ChallengeResponse => CHALLENGE_SIZE,
        };
        size == OVERHEAD + content
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

/// What a server says when it lets a client in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The player the server took the client for. Original servers may name another one in the first packet.
    pub client_id: u64,
    /// The most clients the server takes.
    pub max_clients: u32,
    /// Seconds of silence after which either side gives up.
    pub connection_timeout: u32,
}

/// What a server asks to hear back, and what a client answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// Numbers the requests of one server.
    pub nonce: u64,
    /// Unpredictable bytes.
    pub data: &'a [u8; CHALLENGE_DATA_SIZE],
}

/// A packet in the open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The server let the client in.
    Accepted(Accepted),
    /// The server refuses the client.
    Denied,
    /// The sender is still there.
    Keepalive,
    /// The sender ends the connection.
    Disconnect,
    /// The server asks for proof of address and keys.
    ChallengeRequest(Challenge<'a>),
    /// The client proves its address and its keys.
    ChallengeResponse(Challenge<'a>),
    /// At most [`MAX_PAYLOAD_SIZE`] bytes of the transport.
    Payload(&'a [u8]),
}

impl<'a> Packet<'a> {
    /// The type of the packet.
    pub const fn kind(&self) -> PacketType {
        match self {
            Packet::Accepted(_) => PacketType::Accepted,
            Packet::Denied => PacketType::Denied,
            Packet::Keepalive => PacketType::Keepalive,
            Packet::Disconnect => PacketType::Disconnect,
            Packet::ChallengeRequest(_) => PacketType::ChallengeRequest,
            Packet::ChallengeResponse(_) => PacketType::ChallengeResponse,
            Packet::Payload(_) => PacketType::Payload,
        }
    }

    /// Writes the packet to the front of `buffer`, sealed, and returns its length; `None` if it does not fit
    /// or no packet is that large. A sequence must never be used twice under one key; `iv` must be random.
    pub fn seal(
        &self,
        secretbox: &Secretbox,
        sequence: u64,
        iv: &[u8; IV_SIZE],
        buffer: &mut [u8],
    ) -> Option<usize> {
        let (head, content) = buffer.split_at_mut_checked(OVERHEAD)?;
        let mut writer = Writer::new(content);
        self.encode(&mut writer);
        let size = writer.finish()?;
        if !self.kind().can_have(OVERHEAD + size) {
            return None;
        }
        let front = secretbox.seal(sequence, iv, content.get_mut(..size)?);
        let mut writer = Writer::new(head);
        writer.u8(self.kind() as u8);
        writer.u64(sequence);
        writer.zeros(UNUSED_SIZE);
        writer.bytes(&front);
        Some(OVERHEAD + size)
    }

    fn encode(&self, writer: &mut Writer<'_>) {
        match self {
            Packet::Denied | Packet::Keepalive | Packet::Disconnect => {}
            Packet::Accepted(accepted) => {
                writer.u64(accepted.client_id);
                writer.u32(accepted.max_clients);
                writer.u32(accepted.connection_timeout);
            }
            Packet::ChallengeRequest(challenge) | Packet::ChallengeResponse(challenge) => {
                writer.u64(challenge.nonce);
                writer.bytes(challenge.data);
            }
            Packet::Payload(payload) => {
                writer.u16(payload.len() as u16);
                writer.bytes(payload);
            }
        }
    }

    fn decode(kind: PacketType, content: &'a [u8]) -> Result<Packet<'a>, Malformed> {
        let mut reader = Reader::new(content);
        let packet = match kind {
            PacketType::ConnectToken => return Err(Malformed),
            PacketType::Denied => Packet::Denied,
            PacketType::Keepalive => Packet::Keepalive,
            PacketType::Disconnect => Packet::Disconnect,
            PacketType::Accepted => Packet::Accepted(Accepted {
                client_id: reader.u64()?,
                max_clients: reader.u32()?,
                connection_timeout: reader.u32()?,
            }),
            PacketType::ChallengeRequest => Packet::ChallengeRequest(Challenge::decode(&mut reader)?),
            PacketType::ChallengeResponse => Packet::ChallengeResponse(Challenge::decode(&mut reader)?),
            PacketType::Payload => {
                let length = reader.u16()?;
                Packet::Payload(reader.take(usize::from(length))?)
            }
        };
        // D01, D02: the original trusts the length in a payload, which is the sender's to choose.
        if reader.is_empty() { Ok(packet) } else { Err(Malformed) }
    }
}

impl<'a> Challenge<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Challenge<'a>, Malformed> {
        let nonce = reader.u64()?;
        let data = reader.take(CHALLENGE_DATA_SIZE)?.first_chunk().ok_or(Malformed)?;
        Ok(Challenge { nonce, data })
    }
}

/// A packet of which only the header was read. Ask a replay window about its sequence before opening it, and
/// tell the window only after it opened.
#[derive(Debug)]
pub struct SealedPacket<'a> {
    /// What its first byte says it is, which nothing proves.
    pub kind: PacketType,
    /// Which packet of its direction this is; proven when it opens, but for what [`replay`](super::replay) names.
    pub sequence: u64,
    sealed: &'a mut [u8],
}

impl<'a> SealedPacket<'a> {
    /// Reads the header of a packet that came to `side`.
    pub fn read(side: Side, datagram: &'a mut [u8]) -> Result<SealedPacket<'a>, DropReason> {
        let size = datagram.len();
        let (header, sealed) =
            datagram.split_at_mut_checked(OVERHEAD - secretbox::OVERHEAD).ok_or(DropReason::Size)?;
        let mut reader = Reader::new(header);
        let first = reader.u8().map_err(|Malformed| DropReason::Size)?;
        let sequence = reader.u64().map_err(|Malformed| DropReason::Size)?;
        let kind = PacketType::of(first).filter(|kind| kind.is_received_by(side));
        let kind = kind.ok_or(DropReason::Type)?;
        if !kind.can_have(size) {
            return Err(DropReason::Size);
        }
        Ok(SealedPacket { kind, sequence, sealed })
    }

    /// [`open`](Self::open), where neither challenges nor their echoes are expected: what claims to be one and has the
    /// lengths of a payload and of a fragment in it is a payload, whatever was made of its type on the way. A late
    /// challenge has both in one of four thousand million.
    pub fn open_payload(self, secretbox: &Secretbox) -> Result<Packet<'a>, DropReason> {
        let content = secretbox.open(self.sequence, self.sealed).ok_or(DropReason::Forged)?;
        let says = |at: usize| {
            let length = content.get(at..).and_then(|rest| rest.first_chunk());
            length.map(|length| usize::from(u16::from_le_bytes(*length)))
        };
        let is_payload = says(0) == Some(CHALLENGE_SIZE - PAYLOAD_LENGTH_SIZE)
            && says(FRAGMENT_LENGTH) == Some(CHALLENGE_SIZE - FRAGMENT_LENGTH - 2);
        let kind = match self.kind {
            PacketType::ChallengeRequest | PacketType::ChallengeResponse if is_payload => {
                PacketType::Payload
            }
            kind => kind,
        };
        Packet::decode(kind, content).map_err(|Malformed| DropReason::Malformed)
    }

    /// What was sealed, behind the header.
    pub fn sealed(&self) -> &[u8] {
        self.sealed
    }

    /// What the replay window remembers of the packet.
    pub fn tag(&self) -> Tag {
        Tag::new(self.sealed.get(SIV_SIZE..).unwrap_or_default())
    }

    /// Opens the packet in place with the box of its sender's direction.
    pub fn open(self, secretbox: &Secretbox) -> Result<Packet<'a>, DropReason> {
        let content = secretbox.open(self.sequence, self.sealed).ok_or(DropReason::Forged)?;
        Packet::decode(self.kind, content).map_err(|Malformed| DropReason::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Key;
    use proptest::prelude::*;

    const DATA: [u8; CHALLENGE_DATA_SIZE] = [0x5A; CHALLENGE_DATA_SIZE];
    const CHALLENGE: Challenge<'_> = Challenge { nonce: 7, data: &DATA };
    const PACKETS: [Packet<'_>; 7] = [
        Packet::Accepted(Accepted { client_id: 1, max_clients: 2, connection_timeout: 3 }),
        Packet::Denied,
        Packet::Keepalive,
        Packet::Disconnect,
        Packet::ChallengeRequest(CHALLENGE),
        Packet::ChallengeResponse(CHALLENGE),
        Packet::Payload(b"payload"),
    ];

    fn secretbox(key: u8) -> Secretbox {
        Secretbox::new(&Key::new([key; 32]))
    }

    fn seal(packet: &Packet<'_>, sequence: u64) -> Vec<u8> {
        let mut buffer = vec![0xFF; MAX_SIZE];
        let size = packet.seal(&secretbox(1), sequence, &[9; IV_SIZE], &mut buffer).unwrap();
        buffer.truncate(size);
        buffer
    }

    fn receiver(packet: &Packet<'_>) -> Side {
        if packet.kind().is_received_by(Side::Client) { Side::Client } else { Side::Server }
    }

    #[test]
    fn every_type_comes_back_at_the_size_the_protocol_names() {
        for (packet, size) in PACKETS.iter().zip([89, 73, 73, 73, 337, 337, 75 + 7]) {
            let mut wire = seal(packet, 1 << 40);
            assert_eq!(wire.len(), size);
            assert_eq!(wire[0], packet.kind() as u8);
            assert_eq!(PacketType::of(wire[0]), Some(packet.kind()));
            let sealed = SealedPacket::read(receiver(packet), &mut wire).unwrap();
            assert_eq!((sealed.kind, sealed.sequence), (packet.kind(), 1 << 40));
            assert_eq!(sealed.open(&secretbox(1)), Ok(*packet));
        }
        assert_eq!(PacketType::of(8), None);
    }

    /// A challenge that comes late, of a server that has given so many before.
    #[test]
    fn a_late_challenge_with_the_length_of_a_payload_is_no_payload() {
        for nonce in [262, 65_536 + 262] {
            let challenge = Packet::ChallengeRequest(Challenge { nonce, data: &DATA });
            let mut wire = seal(&challenge, 0);
            let sealed = SealedPacket::read(Side::Client, &mut wire).unwrap();
            assert_eq!(sealed.open_payload(&secretbox(1)), Ok(challenge));
        }
        let mut payload = [0; 262];
        payload[15..17].copy_from_slice(&245u16.to_le_bytes());
        let mut wire = seal(&Packet::Payload(&payload), 0);
        wire[0] = PacketType::ChallengeRequest as u8;
        let sealed = SealedPacket::read(Side::Client, &mut wire).unwrap();
        assert_eq!(sealed.open_payload(&secretbox(1)), Ok(Packet::Payload(&payload)));
    }

    #[test]
    fn each_side_takes_what_the_other_sends() {
        for packet in PACKETS {
            let taken = [Side::Client, Side::Server]
                .map(|side| SealedPacket::read(side, &mut seal(&packet, 0)).map(|_| ()));
            let expected = match packet.kind() as u8 {
                1 | 2 | 5 => [Ok(()), Err(DropReason::Type)],
                6 => [Err(DropReason::Type), Ok(())],
                _ => [Ok(()), Ok(())],
            };
            assert_eq!(taken, expected, "{packet:?}");
        }
        for first in [0, 8, 0x80, 255] {
            let mut wire = seal(&Packet::Keepalive, 0);
            wire[0] = first;
            assert_eq!(SealedPacket::read(Side::Server, &mut wire).unwrap_err(), DropReason::Type);
        }
    }

    #[test]
    fn no_bit_can_be_altered_but_those_the_protocol_leaves_open() {
        for packet in PACKETS {
            let wire = seal(&packet, 3);
            for bit in (8..wire.len() * 8).filter(|bit| !(9 * 8..37 * 8).contains(bit)) {
                let mut altered = wire.clone();
                altered[bit / 8] ^= 1 << (bit % 8);
                let sealed = SealedPacket::read(receiver(&packet), &mut altered).unwrap();
                assert_eq!(sealed.open(&secretbox(1)), Err(DropReason::Forged), "{packet:?}, bit {bit}");
            }
            let mut altered = wire.clone();
            altered[9..37].fill(0xFF);
            let sealed = SealedPacket::read(receiver(&packet), &mut altered).unwrap();
            assert_eq!(sealed.open(&secretbox(1)), Ok(packet));
        }
    }

    #[test]
    fn every_other_size_is_dropped_before_any_cipher() {
        for packet in PACKETS {
            let wire = seal(&packet, 3);
            for length in 0..=MAX_SIZE + 1 {
                let mut other = wire.clone();
                other.resize(length, 0);
                let read = SealedPacket::read(receiver(&packet), &mut other).map(|_| ());
                let payload = packet.kind() == PacketType::Payload && (75..=1280).contains(&length);
                let expected =
                    if payload || length == wire.len() { Ok(()) } else { Err(DropReason::Size) };
                assert_eq!(read, expected, "{packet:?}, length {length}");
            }
        }
    }

    #[test]
    fn another_key_opens_nothing() {
        for packet in PACKETS {
            let mut wire = seal(&packet, 3);
            let sealed = SealedPacket::read(receiver(&packet), &mut wire).unwrap();
            assert_eq!(sealed.open(&secretbox(2)), Err(DropReason::Forged));
        }
    }

    #[test]
    fn d01_d02_a_payload_whose_length_is_a_lie_is_dropped() {
        for length in [0u16, 1, 13, 15, 1205, u16::MAX] {
            let mut wire = seal(&Packet::Payload(&[0; 14]), 3);
            let mut content = [0; 16];
            content[..2].copy_from_slice(&length.to_le_bytes());
            let front = secretbox(1).seal(3, &[9; IV_SIZE], &mut content);
            wire[37..73].copy_from_slice(&front);
            wire[73..].copy_from_slice(&content);
            let sealed = SealedPacket::read(Side::Server, &mut wire).unwrap();
            assert_eq!(sealed.open(&secretbox(1)), Err(DropReason::Malformed), "length {length}");
        }
    }

    #[test]
    fn what_does_not_fit_is_not_sealed() {
        let seal = |payload: usize, buffer: usize| {
            let payload = vec![1; payload];
            Packet::Payload(&payload).seal(&secretbox(1), 0, &[9; IV_SIZE], &mut vec![0; buffer])
        };
        assert_eq!(seal(MAX_PAYLOAD_SIZE, MAX_SIZE), Some(MAX_SIZE));
        assert_eq!(seal(MAX_PAYLOAD_SIZE + 1, 3000), None);
        assert_eq!(seal(1 << 16, 1 << 17), None);
        assert_eq!(seal(0, 75), Some(75));
        for buffer in 0..75 {
            assert_eq!(seal(0, buffer), None);
        }
    }

    proptest! {
        #[test]
        fn payloads_come_back(
            key: [u8; 32],
            iv: [u8; IV_SIZE],
            sequence: u64,
            payload in prop::collection::vec(any::<u8>(), 0..=MAX_PAYLOAD_SIZE),
        ) {
            let secretbox = Secretbox::new(&Key::new(key));
            let mut buffer = [0; MAX_SIZE];
            let size = Packet::Payload(&payload).seal(&secretbox, sequence, &iv, &mut buffer).unwrap();
            let sealed = SealedPacket::read(Side::Server, &mut buffer[..size]).unwrap();
            prop_assert_eq!(sealed.sequence, sequence);
            prop_assert_eq!(sealed.open(&secretbox), Ok(Packet::Payload(&payload)));
        }

        #[test]
        fn no_datagram_panics(mut datagram in prop::collection::vec(any::<u8>(), 0..400), first in 0u8..9) {
            if let Some(byte) = datagram.first_mut() {
                *byte = first;
            }
            for side in [Side::Client, Side::Server] {
                if let Ok(sealed) = SealedPacket::read(side, &mut datagram) {
                    prop_assert!(sealed.open(&secretbox(1)).is_err());
                }
            }
        }
    }
}
