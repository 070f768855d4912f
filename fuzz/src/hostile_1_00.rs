//! A peer of CUTE 1.00 that holds a key of a live connection and writes its own packets.

use crate::token_keys;
use cute_net::crypto::Key;
use cute_net::v1::packet::PacketType;
use cute_net::v1::secretbox::Secretbox;

/// Where a hostile client is, which is also its client id.
pub const HOST: u8 = 66;

pub struct Hostile {
    secretbox: Secretbox,
    /// The next sequence number, above those of the end in whose place it speaks.
    pub sequence: u64,
    /// The number of the next payload.
    pub number: u16,
}

impl Hostile {
    /// Speaks as the client at [`HOST`], or as its server.
    pub fn new(is_client: bool) -> Hostile {
        let keys = token_keys(HOST, 0);
        let key: &Key = if is_client { &keys.client_to_server } else { &keys.server_to_client };
        Hostile { secretbox: Secretbox::new(key), sequence: 10_000, number: 0 }
    }

    /// The next packet, of any type and with any content.
    pub fn packet(&mut self, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut sealed = content.to_vec();
        let mut iv = [0; 20];
        iv[..8].copy_from_slice(&self.sequence.to_le_bytes());
        let front = self.secretbox.seal(self.sequence, &iv, &mut sealed);
        let sequence = self.sequence.to_le_bytes();
        self.sequence += 1;
        [&[kind][..], &sequence, &[0; 28], &front, &sealed].concat()
    }

    /// A payload packet, whose payload this is behind its length.
    pub fn payload(&mut self, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u16).to_le_bytes();
        self.packet(PacketType::Payload as u8, &[&length[..], payload].concat())
    }
}
