//! CUTE 1.00 connect tokens: the secret section sealed so that only servers can read it, and the whole
//! packet signed. One secret key does both, its first half being scalar and cipher key. No bit of a token can
//! be altered but in one way: a signature holds with its scalar negated too. So tokens are told apart by
//! [`TokenId`], never by their signatures.

use super::secretbox::{IV_SIZE, OVERHEAD, Secretbox};
use super::signature::{RANDOM_SIZE, SigningKey};
use crate::bytes::{Malformed, Reader, Writer};
use crate::crypto::Key;
use crate::crypto::key_pair::{KeyError, PublicKey, SecretKey};
use crate::crypto::random;
use crate::token::{
    self, PACKET_SIZE, PUBLIC_SIZE, PublicSection, SECRET_SIZE, SIGNATURE_SIZE, TOKEN_SIZE, TokenError,
    TokenKeys, TokenRequest, USER_DATA_SIZE, Version,
};
use zeroize::Zeroize;

/// What the signature covers.
const SIGNED_SIZE: usize = PUBLIC_SIZE + SECRET_SIZE;
/// Zero bytes in front of the secrets.
const PADDING: usize = 28;
/// The context of signatures.
const CONTEXT: super::hash::Context = super::secretbox::CONTEXT;

/// Synthetic IV and authenticator of the secret section: no two tokens share them, and they can't be altered.
pub type TokenId = [u8; OVERHEAD];

/// The id of a token packet of which nothing was checked yet.
pub fn token_id(packet: &[u8; PACKET_SIZE]) -> TokenId {
    let mut reader = Reader::new(packet);
    reader.take(PUBLIC_SIZE).and_then(|_| reader.array()).unwrap_or([0; OVERHEAD])
}

/// What the secret half of a pair of CUTE 1.00 is used for: making tokens, and opening them.
#[derive(Clone, Debug)]
pub struct TokenKey {
    signing: SigningKey,
    secretbox: Secretbox,
}

impl TokenKey {
    /// Checks that the halves of `secret` belong together.
    pub fn new(secret: &SecretKey) -> Result<TokenKey, KeyError> {
        let signing = SigningKey::new(secret)?;
        let secretbox = Secretbox::new(signing.as_key());
        Ok(TokenKey { signing, secretbox })
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(*self.signing.verifying_key().as_bytes())
    }
}

/// What a server learns from a token it could open.
pub struct TokenSecret {
    /// Names the player.
    pub client_id: u64,
    /// The keys of the connection.
    pub keys: TokenKeys,
    /// The program's own bytes.
    pub user_data: Box<[u8; USER_DATA_SIZE]>,
}

/// Makes a connect token.
pub fn generate(request: &TokenRequest<'_>, key: &TokenKey) -> Result<[u8; TOKEN_SIZE], TokenError> {
    request.check()?;
    let iv = random::bytes().map_err(TokenError::Random)?;
    let random = random::bytes().map_err(TokenError::Random)?;
    Ok(generate_with(request, key, iv, random))
}

/// The token that these random bytes make; `request` was checked to fit.
pub fn generate_with(
    request: &TokenRequest<'_>,
    key: &TokenKey,
    iv: [u8; IV_SIZE],
    random: [u8; RANDOM_SIZE],
) -> [u8; TOKEN_SIZE] {
    token::assemble(Version::V1, request, &seal(key, request, iv, random))
}

/// Makes a token packet. `iv` and `random` must be random; `request` was checked to fit.
pub fn seal(
    key: &TokenKey,
    request: &TokenRequest<'_>,
    mut iv: [u8; IV_SIZE],
    mut random: [u8; RANDOM_SIZE],
) -> [u8; PACKET_SIZE] {
    let mut secret = [0; SECRET_SIZE - OVERHEAD];
    let mut writer = Writer::new(&mut secret);
    writer.zeros(PADDING);
    writer.u64(request.client_id);
    writer.bytes(request.keys.client_to_server.as_bytes());
    writer.bytes(request.keys.server_to_client.as_bytes());
    writer.bytes(request.user_data);
    let id = key.secretbox.seal(0, &iv, &mut secret);

    let mut signed = [0; SIGNED_SIZE];
    let mut writer = Writer::new(&mut signed);
    token::write_public(&mut writer, Version::V1, request);
    writer.bytes(&id);
    writer.bytes(&secret);
    let signature = key.signing.sign(&CONTEXT, &signed, &random);
    iv.zeroize();
    random.zeroize();

    let mut packet = [0; PACKET_SIZE];
    let mut writer = Writer::new(&mut packet);
    writer.bytes(&signed);
    writer.bytes(&signature);
    packet
}

/// A token packet taken apart, its public section checked to be well formed; nothing is proven yet.
pub struct TokenPacket<'a> {
    /// What everybody can read.
    pub public: PublicSection<'a>,
    /// Names this token once it opened.
    pub id: TokenId,
    signed: &'a [u8; SIGNED_SIZE],
    sealed: &'a [u8],
    signature: &'a [u8; SIGNATURE_SIZE],
}

impl<'a> TokenPacket<'a> {
    /// Takes a token packet apart.
    pub fn read(packet: &'a [u8; PACKET_SIZE]) -> Result<TokenPacket<'a>, Malformed> {
        let public = packet.first_chunk().ok_or(Malformed)?;
        let signed = packet.first_chunk().ok_or(Malformed)?;
        let signature = packet.last_chunk().ok_or(Malformed)?;
        let mut reader = Reader::new(signed);
        reader.take(PUBLIC_SIZE)?;
        let sealed = reader.rest();
        let public = PublicSection::read(public, Version::V1)?;
        Ok(TokenPacket { public, id: token_id(packet), signed, sealed, signature })
    }

    /// Opens the secret section; `None` if `key` did not make exactly this packet.
    ///
    /// The signature, which is dear, is looked at last: what doesn't open was not made with the key anyway,
    /// so whoever sends made-up tokens gets little work done here. Only the signature covers the public
    /// section.
    #[must_use]
    pub fn open(&self, key: &TokenKey) -> Option<TokenSecret> {
        self.decrypt(key).filter(|_| self.is_signed(key))
    }

    /// Opens the secret section alone: `key` made it, and perhaps not the rest of the packet.
    #[must_use]
    pub fn decrypt(&self, key: &TokenKey) -> Option<TokenSecret> {
        let mut sealed = [0; SECRET_SIZE];
        Writer::new(&mut sealed).bytes(self.sealed);
        let secret = key
            .secretbox
            .open(0, &mut sealed)
            .and_then(|plain| read_secret(&mut Reader::new(plain)).ok());
        sealed.zeroize();
        secret
    }

    /// True if `key` signed the packet.
    #[must_use]
    pub fn is_signed(&self, key: &TokenKey) -> bool {
        key.signing.verifying_key().verify(&CONTEXT, self.signed, self.signature)
    }
}

/// The padding may be anything.
fn read_secret(reader: &mut Reader<'_>) -> Result<TokenSecret, Malformed> {
    reader.take(PADDING)?;
    let client_id = reader.u64()?;
    let client_to_server = Key::new(reader.array()?);
    let server_to_client = Key::new(reader.array()?);
    let user_data = Box::new(reader.array()?);
    Ok(TokenSecret { client_id, keys: TokenKeys { client_to_server, server_to_client }, user_data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint;
    use crate::token::{ConnectToken, InvalidToken, sample};
    use crate::v1::signature;

    fn token_key(seed: u8) -> TokenKey {
        TokenKey::new(&signature::from_seed(&[seed; 32]).1).unwrap()
    }

    fn token(key: &TokenKey) -> [u8; TOKEN_SIZE] {
        let servers = [endpoint::parse("[::1]:5").unwrap()];
        generate(&sample::request(&sample::keys(), &servers), key).unwrap()
    }

    fn packet(key: &TokenKey) -> [u8; PACKET_SIZE] {
        *token(key).last_chunk().unwrap()
    }

    /// D51: the original reads the user data 36 bytes too far.
    #[test]
    fn d51_the_server_reads_the_user_data_the_back_end_wrote() {
        let key = token_key(1);
        let packet = packet(&key);
        let read = TokenPacket::read(&packet).unwrap();
        assert_eq!(read.public.servers().next(), endpoint::parse("[::1]:5").ok());
        let secret = read.open(&key).unwrap();
        assert_eq!(secret.client_id, 0xFFFF_0000_FFFF_0001);
        assert_eq!(*secret.user_data, sample::USER_DATA);
        assert_eq!(secret.keys.client_to_server.as_bytes(), &[1; 32]);
        assert_eq!(secret.keys.server_to_client.as_bytes(), &[2; 32]);
    }

    #[test]
    fn no_bit_of_a_token_can_be_altered() {
        let key = token_key(1);
        let packet = packet(&key);
        for bit in 0..PACKET_SIZE * 8 {
            let mut altered = packet;
            altered[bit / 8] ^= 1 << (bit % 8);
            let opened = TokenPacket::read(&altered).ok().and_then(|read| read.open(&key));
            assert!(opened.is_none(), "bit {bit}");
        }
    }

    #[test]
    fn no_part_of_a_token_can_be_moved_to_another() {
        let key = token_key(1);
        let (one, two) = (packet(&key), packet(&key));
        let open = |packet: &[u8; PACKET_SIZE]| TokenPacket::read(packet).unwrap().open(&key).is_some();
        for range in [PUBLIC_SIZE..SIGNED_SIZE, SIGNED_SIZE..PACKET_SIZE] {
            let mut mixed = one;
            mixed[range.clone()].copy_from_slice(&two[range]);
            assert!(open(&one) && open(&two) && !open(&mixed));
        }
    }

    #[test]
    fn two_tokens_of_one_player_have_two_ids() {
        let key = token_key(1);
        assert_ne!(token_id(&packet(&key)), token_id(&packet(&key)));
    }

    #[test]
    fn another_pair_does_not_open_a_token() {
        let packet = packet(&token_key(1));
        assert!(TokenPacket::read(&packet).unwrap().open(&token_key(2)).is_none());
    }

    #[test]
    fn the_client_reads_what_the_back_end_wrote() {
        let token = token(&token_key(1));
        let read = ConnectToken::read(&token, 77, 1060).unwrap();
        assert_eq!((read.version, read.expiration, read.handshake_timeout), (Version::V1, 1060, 5));
        assert_eq!(read.keys.client_to_server.as_bytes(), &[1; 32]);
        let expired = InvalidToken::Expired { expiration: 1060, now: 1061 };
        assert_eq!(ConnectToken::read(&token, 77, 1061).unwrap_err(), expired);
        let other = InvalidToken::Application { token: 77, client: 78 };
        assert_eq!(ConnectToken::read(&token, 78, 1060).unwrap_err(), other);
    }
}
