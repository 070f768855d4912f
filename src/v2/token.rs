//! The part of a CUTE 2.00 connect token that only servers can read: sealed with XChaCha20-Poly1305
//! under the token key, with the public section as associated data, so that no bit of a token can be
//! altered or moved to another token (PROTOCOL section 3).

use crate::bytes::{Malformed, Reader, Writer};
use crate::crypto::Key;
use crate::crypto::cipher::TAG_SIZE;
use crate::crypto::key_pair::TokenKey;
use crate::crypto::xchacha::{self, XNONCE_SIZE};
use crate::token::{
    self, PACKET_SIZE, PUBLIC_SIZE, PublicSection, SECRET_SIZE, TokenKeys, TokenRequest, USER_DATA_SIZE,
    Version,
};
use zeroize::Zeroize;

const RESERVED_SIZE: usize = 56;
const SIGNATURE_PADDING: usize = 16;

/// Nonce and tag: no two tokens share them, and they can't be altered.
pub type TokenId = [u8; XNONCE_SIZE + TAG_SIZE];

/// The id of a token packet of which nothing was checked yet.
pub fn token_id(packet: &[u8; PACKET_SIZE]) -> TokenId {
    let mut reader = Reader::new(packet);
    let id = reader.take(PUBLIC_SIZE + SECRET_SIZE).and_then(|_| reader.array());
    id.unwrap_or([0; XNONCE_SIZE + TAG_SIZE])
}

/// What a server learns from a token it could open.
pub struct TokenSecret {
    /// Names the player.
    pub client_id: u64,
    /// The keys of the connection.
    pub keys: TokenKeys,
    /// The program's own bytes.
    pub user_data: Box<[u8; USER_DATA_SIZE]>,
    /// Unix seconds at which the token was made.
    pub creation: u64,
}

/// Makes a token packet. `nonce` must be random; `request` was checked to fit.
pub fn seal(key: &TokenKey, request: &TokenRequest<'_>, nonce: [u8; XNONCE_SIZE]) -> [u8; PACKET_SIZE] {
    let mut public = [0; PUBLIC_SIZE];
    token::write_public(&mut Writer::new(&mut public), Version::V2, request);

    let mut secret = [0; SECRET_SIZE];
    let mut writer = Writer::new(&mut secret);
    writer.u64(request.client_id);
    writer.bytes(request.keys.client_to_server.as_bytes());
    writer.bytes(request.keys.server_to_client.as_bytes());
    writer.bytes(request.user_data);
    writer.u64(request.creation);
    writer.zeros(RESERVED_SIZE);
    let tag = xchacha::seal(key.key(), &nonce, &public, &mut secret);

    let mut packet = [0; PACKET_SIZE];
    let mut writer = Writer::new(&mut packet);
    writer.bytes(&public);
    writer.bytes(&secret);
    writer.bytes(&nonce);
    writer.bytes(&tag);
    writer.bytes(&key.id());
    writer.zeros(SIGNATURE_PADDING);
    packet
}

/// A token packet taken apart, its public section checked to be well formed; nothing is proven yet.
pub struct TokenPacket<'a> {
    /// What everybody can read.
    pub public: PublicSection<'a>,
    /// The key pair it says it was made with.
    pub key_id: [u8; TokenKey::ID_SIZE],
    /// Names this token once it opened.
    pub id: TokenId,
    associated: &'a [u8; PUBLIC_SIZE],
    sealed: [u8; SECRET_SIZE],
}

impl<'a> TokenPacket<'a> {
    /// Takes a token packet apart.
    pub fn read(packet: &'a [u8; PACKET_SIZE]) -> Result<TokenPacket<'a>, Malformed> {
        let associated = packet.first_chunk().ok_or(Malformed)?;
        let mut reader = Reader::new(packet);
        reader.take(PUBLIC_SIZE)?;
        let sealed = reader.array()?;
        let id = reader.array()?;
        let key_id = reader.array()?;
        reader.zeros(SIGNATURE_PADDING)?;
        let public = PublicSection::read(associated, Version::V2)?;
        Ok(TokenPacket { public, key_id, id, associated, sealed })
    }

    /// Opens the secret section; `None` if `key` did not seal exactly this packet.
    #[must_use]
    pub fn open(&self, key: &TokenKey) -> Option<TokenSecret> {
        let (nonce, tag) = self.id.split_first_chunk::<XNONCE_SIZE>()?;
        let mut sealed = [0; SECRET_SIZE + TAG_SIZE];
        let mut writer = Writer::new(&mut sealed);
        writer.bytes(&self.sealed);
        writer.bytes(tag);
        let secret = xchacha::open(key.key(), nonce, self.associated, &mut sealed)
            .and_then(|plain| read_secret(&mut Reader::new(plain)).ok());
        sealed.zeroize();
        secret
    }
}

fn read_secret(reader: &mut Reader<'_>) -> Result<TokenSecret, Malformed> {
    let client_id = reader.u64()?;
    let client_to_server = Key::new(reader.array()?);
    let server_to_client = Key::new(reader.array()?);
    let user_data = Box::new(reader.array()?);
    let creation = reader.u64()?;
    reader.zeros(RESERVED_SIZE)?;
    Ok(TokenSecret {
        client_id,
        keys: TokenKeys { client_to_server, server_to_client },
        user_data,
        creation,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::key_pair;
    use crate::endpoint;
    use crate::token::sample;

    fn packet(key: &TokenKey) -> [u8; PACKET_SIZE] {
        let servers = [endpoint::parse("[::1]:5").unwrap()];
        seal(key, &sample::request(&sample::keys(), &servers), [4; XNONCE_SIZE])
    }

    fn token_key() -> TokenKey {
        TokenKey::new(&key_pair::generate().unwrap().1).unwrap()
    }

    /// D51: the original reads the user data 36 bytes too far.
    #[test]
    fn d51_the_server_reads_the_user_data_the_back_end_wrote() {
        let key = token_key();
        let packet = packet(&key);
        let read = TokenPacket::read(&packet).unwrap();
        assert_eq!(read.key_id, key.id());
        let secret = read.open(&key).unwrap();
        assert_eq!(secret.client_id, 0xFFFF_0000_FFFF_0001);
        assert_eq!(secret.creation, 1000);
        assert_eq!(*secret.user_data, sample::USER_DATA);
        assert_eq!(secret.keys.client_to_server.as_bytes(), &[1; 32]);
        assert_eq!(secret.keys.server_to_client.as_bytes(), &[2; 32]);
    }

    #[test]
    fn no_bit_of_a_token_can_be_altered() {
        let key = token_key();
        let packet = packet(&key);
        for bit in 0..PACKET_SIZE * 8 {
            let mut altered = packet;
            altered[bit / 8] ^= 1 << (bit % 8);
            // An altered key id names another pair, which the server does not have.
            let opened = TokenPacket::read(&altered)
                .ok()
                .filter(|read| read.key_id == key.id())
                .and_then(|read| read.open(&key));
            assert!(opened.is_none(), "bit {bit}");
        }
    }

    #[test]
    fn another_pair_does_not_open_a_token() {
        let packet = packet(&token_key());
        assert!(TokenPacket::read(&packet).unwrap().open(&token_key()).is_none());
    }
}
