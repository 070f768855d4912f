//! Connect tokens of both protocols: made-up ones, and those of the real writer, whole and damaged. Servers
//! read what the back end wrote, and open nothing else.
#![no_main]

use arbitrary::Arbitrary;
use cute_net::crypto::Key;
use cute_net::token::{
    ConnectToken, InvalidToken, PACKET_SIZE, REST_SIZE, SIGNATURE_SIZE, TOKEN_SIZE, TokenKeys,
    TokenRequest, USER_DATA_SIZE,
};
use cute_net::{token, v1, v2};
use cute_net_fuzz::damage::{Edit, damage};
use cute_net_fuzz::{APPLICATION, token_key};
use libfuzzer_sys::fuzz_target;
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;

#[derive(Arbitrary, Debug)]
enum Input {
    MadeUp { bytes: Vec<u8>, now: u64 },
    Written(Box<Written>),
}

#[derive(Arbitrary, Debug)]
struct Written {
    old: bool,
    creation: u64,
    expiration: u64,
    now: u64,
    handshake_timeout: u32,
    client_id: u64,
    servers: Vec<(IpAddr, u16)>,
    user_data: Vec<u8>,
    nonce: [u8; 24],
    edits: Vec<Edit>,
}

fn v1_key() -> &'static v1::token::TokenKey {
    static KEY: OnceLock<v1::token::TokenKey> = OnceLock::new();
    KEY.get_or_init(|| v1::token::TokenKey::new(&v1::signature::from_seed(&[1; 32]).1).unwrap())
}

/// What the server of a protocol learns of a token packet.
fn open(old: bool, packet: &[u8; PACKET_SIZE]) -> Option<(u64, TokenKeys, Box<[u8; USER_DATA_SIZE]>)> {
    if old {
        let secret = v1::token::TokenPacket::read(packet).ok()?.open(v1_key())?;
        Some((secret.client_id, secret.keys, secret.user_data))
    } else {
        // A server looks for the key by its id.
        let packet = v2::token::TokenPacket::read(packet).ok()?;
        let secret = packet.open(token_key()).filter(|_| packet.key_id == token_key().id())?;
        Some((secret.client_id, secret.keys, secret.user_data))
    }
}

fn fitted<const SIZE: usize>(bytes: &[u8]) -> [u8; SIZE] {
    let mut array = [0; SIZE];
    array.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    array
}

fuzz_target!(|input: Input| match input {
    Input::MadeUp { bytes, now } => {
        if let Ok(token) = ConnectToken::read(&fitted(&bytes), APPLICATION, now) {
            assert!(!token.servers.is_empty());
        }
        for old in [false, true] {
            assert!(open(old, &fitted(&bytes)).is_none(), "a made-up token opened");
        }
    }
    Input::Written(written) => {
        let Written { old, creation, expiration, now, handshake_timeout, client_id, .. } = *written;
        let (to_server, to_client) = (Key::new([1; 32]), Key::new([2; 32]));
        let keys = TokenKeys { client_to_server: to_server, server_to_client: to_client };
        let servers: Vec<_> =
            written.servers.iter().map(|&(ip, port)| SocketAddr::new(ip, port)).collect();
        let user_data = fitted(&written.user_data);
        let request = TokenRequest {
            application_id: APPLICATION,
            creation,
            expiration,
            handshake_timeout,
            keys: &keys,
            servers: &servers,
            client_id,
            user_data: &user_data,
        };
        if request.check().is_err() {
            return;
        }
        let token = if old {
            v1::token::generate_with(&request, v1_key(), fitted(&written.nonce), fitted(&written.nonce))
        } else {
            token::generate_with(&request, token_key(), written.nonce)
        };
        match ConnectToken::read(&token, APPLICATION, now) {
            Ok(read) => {
                assert_eq!((read.expiration, read.handshake_timeout), (expiration, handshake_timeout));
                assert_eq!(read.servers, servers);
                assert_eq!(read.keys.client_to_server.as_bytes(), keys.client_to_server.as_bytes());
            }
            Err(error) => assert!(
                error == InvalidToken::Expired { expiration, now } && expiration <= now,
                "{error}"
            ),
        }
        let (id, secret, data) = open(old, token.last_chunk().unwrap()).expect("the writer's own token");
        assert_eq!((id, *data), (client_id, user_data));
        assert_eq!(secret.server_to_client.as_bytes(), keys.server_to_client.as_bytes());

        let mut altered = token.to_vec();
        damage(&mut altered, &written.edits);
        let altered: [u8; TOKEN_SIZE] = fitted(&altered);
        let _ = ConnectToken::read(&altered, APPLICATION, now);
        // CUTE 1.00 signs with Schnorr's scheme, in which a signature has another form.
        let covered = TOKEN_SIZE - if old { SIGNATURE_SIZE } else { 0 };
        if altered[REST_SIZE..covered] != token[REST_SIZE..covered] {
            assert!(open(old, altered.last_chunk().unwrap()).is_none(), "an altered token opened");
        }
    }
});
