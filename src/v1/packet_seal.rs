//! Sealing and opening the packets of one end: no sequence is used twice under a key, each packet that came
//! counts once.

use super::packet::{Packet, PacketType, SealedPacket, Side};
use super::replay::{ReplayWindow, Tag};
use super::secretbox::Secretbox;
use crate::crypto::Key;
use crate::crypto::random::Generator;
use crate::drop_reason::DropReason;
use crate::token::TokenKeys;
use subtle::ConstantTimeEq;

/// The keys of one end, and where it stands in the sequences of both directions. The keys have a place of their
/// own: a handshake that becomes a connection is moved, and what something is moved out of is not wiped.
pub struct PacketSeal {
    side: Side,
    sending: Box<Secretbox>,
    receiving: Box<Secretbox>,
    next: u64,
    opened: u64,
    replay: ReplayWindow,
    /// The packet that was opened last, if it was a disconnect and nothing says that it was made one on the way.
    disconnect: Option<Tag>,
    /// True if both directions have the same key, as a token's author may choose.
    is_one_key: bool,
}

impl PacketSeal {
    /// Starts with the first packet of both directions.
    pub fn new(side: Side, keys: &TokenKeys) -> PacketSeal {
        let up = Box::new(Secretbox::new(&keys.client_to_server));
        let down = Box::new(Secretbox::new(&keys.server_to_client));
        let (sending, receiving) = match side {
            Side::Client => (up, down),
            Side::Server => (down, up),
        };
        let [one, other] = [&keys.client_to_server, &keys.server_to_client].map(Key::as_bytes);
        PacketSeal {
            side,
            sending,
            receiving,
            next: 0,
            opened: 0,
            replay: ReplayWindow::default(),
            disconnect: None,
            is_one_key: one.ct_eq(other).into(),
        }
    }

    /// Which end this is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Writes the next packet to the front of `buffer` and returns its length.
    pub fn seal(
        &mut self,
        packet: &Packet<'_>,
        generator: &mut Generator,
        buffer: &mut [u8],
    ) -> Option<usize> {
        if self.is_one_key && !self.sending.has_mark() {
            self.sending.set_mark(generator.bytes());
        }
        let size = packet.seal(&self.sending, self.next, &generator.bytes(), buffer)?;
        self.next += 1;
        Some(size)
    }

    /// The sequence of the packet that was opened last.
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// True if the packet that was opened last is a disconnect, and did not come again as something else: then
    /// whoever altered its type was faster, and the peer is there.
    pub fn is_disconnected(&self) -> bool {
        self.disconnect.is_some()
    }

    /// Opens a packet that came for the first time.
    pub fn open<'a>(&mut self, datagram: &'a mut [u8]) -> Result<Packet<'a>, DropReason> {
        self.open_with(datagram, SealedPacket::open)
    }

    /// [`open`](Self::open), of a peer that is known to be connected, and sends no challenges and echoes none.
    pub fn open_connected<'a>(&mut self, datagram: &'a mut [u8]) -> Result<Packet<'a>, DropReason> {
        self.open_with(datagram, SealedPacket::open_payload)
    }

    fn open_with<'a>(
        &mut self,
        datagram: &'a mut [u8],
        open: impl FnOnce(SealedPacket<'a>, &Secretbox) -> Result<Packet<'a>, DropReason>,
    ) -> Result<Packet<'a>, DropReason> {
        let sealed = SealedPacket::read(self.side, datagram)?;
        if self.sending.has_sealed(sealed.sealed()) {
            // It comes back from whoever heard it, and opens where both directions have one key.
            return Err(DropReason::Forged);
        }
        let (kind, sequence, tag) = (sealed.kind, sealed.sequence, sealed.tag());
        if !self.replay.is_fresh(sequence, tag) {
            self.disconnect.take_if(|known| *known == tag && kind != PacketType::Disconnect);
            return Err(DropReason::Replayed);
        }
        let packet = open(sealed, &self.receiving)?;
        self.replay.insert(sequence, tag);
        self.opened = sequence;
        self.disconnect = (kind == PacketType::Disconnect).then_some(tag);
        Ok(packet)
    }
}

impl std::fmt::Debug for PacketSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PacketSeal").field("side", &self.side).field("next", &self.next).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::MAX_SIZE;
    use super::*;

    #[test]
    fn each_packet_opens_once_at_the_other_end_alone() {
        let keys =
            TokenKeys { client_to_server: Key::new([1; 32]), server_to_client: Key::new([2; 32]) };
        let mut client = PacketSeal::new(Side::Client, &keys);
        let mut server = PacketSeal::new(Side::Server, &keys);
        let mut generator = Generator::new([0; 32]);
        for sequence in 0..3u8 {
            let mut buffer = [0; MAX_SIZE];
            let size = client.seal(&Packet::Keepalive, &mut generator, &mut buffer).unwrap();
            assert_eq!(buffer[1], sequence);
            let (mut again, mut returned) = (buffer, buffer);
            assert_eq!(client.open(&mut returned[..size]), Err(DropReason::Forged));
            assert_eq!(server.open(&mut buffer[..size]), Ok(Packet::Keepalive));
            assert_eq!(server.opened(), u64::from(sequence));
            assert_eq!(server.open(&mut again[..size]), Err(DropReason::Replayed));
        }
    }

    /// Under another sequence that the cipher can't tell from its own, a packet that came is known again; one
    /// held back on the way counts, but once.
    #[test]
    fn a_packet_moved_within_its_block_counts_once() {
        let keys =
            TokenKeys { client_to_server: Key::new([1; 32]), server_to_client: Key::new([2; 32]) };
        let mut client = PacketSeal::new(Side::Client, &keys);
        let mut server = PacketSeal::new(Side::Server, &keys);
        let mut generator = Generator::new([0; 32]);
        for payload in [b"one", b"two"] {
            let mut wire = [0; MAX_SIZE];
            let size = client.seal(&Packet::Payload(payload), &mut generator, &mut wire).unwrap();
            // The first comes as it is, the second as one of the sequence 0x7F ^ 1.
            for change in if payload == b"one" { 0..=255 } else { 0x7F..=255u8 } {
                let mut moved = wire;
                moved[1] ^= change;
                moved[56] ^= change;
                let first = change == 0 || (payload == b"two" && change == 0x7F);
                let expected =
                    if first { Ok(Packet::Payload(payload)) } else { Err(DropReason::Replayed) };
                assert_eq!(server.open(&mut moved[..size]), expected, "{change}");
            }
            assert_eq!(server.open(&mut wire[..size]), Err(DropReason::Replayed));
        }
    }
}
