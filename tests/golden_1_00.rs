//! CUTE 1.00 as bytes: what the original library did, recorded in `tests/vectors/cute_1_00_*.json`, must be read
//! here, and be made anew from the recorded random bytes without a bit of difference. The files are never
//! written again to make a test pass.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use cute_net::crypto::Key;
use cute_net::crypto::key_pair::{PublicKey, SecretKey};
use cute_net::drop_reason::DropReason;
use cute_net::endpoint;
use cute_net::token::{
    ConnectToken, InvalidToken, PACKET_SIZE, TOKEN_SIZE, TokenKeys, TokenRequest, USER_DATA_SIZE,
};
use cute_net::v1::drbg;
use cute_net::v1::gimli::State;
use cute_net::v1::hash::Hasher;
use cute_net::v1::packet::{Accepted, Challenge, MAX_SIZE, Packet, PacketType, SealedPacket, Side};
use cute_net::v1::replay::{ReplayWindow, Tag};
use cute_net::v1::secretbox::{OVERHEAD, Secretbox};
use cute_net::v1::signature::{self, SigningKey, VerifyingKey};
use cute_net::v1::token::{self, TokenKey, TokenPacket};
use serde_json::Value;
use std::net::SocketAddr;

fn read(file: &str) -> Value {
    let path = format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The cases in a list of the vector file, each with its name; there are at least `least`.
fn cases(list: &str, least: usize) -> Vec<(String, Value)> {
    let vectors = read("cute_1_00_vectors.json");
    let list = vectors.pointer(list).unwrap().as_array().unwrap();
    assert!(list.len() >= least, "{} cases", list.len());
    list.iter().map(|case| (text(case, "name").to_owned(), case.clone())).collect()
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("{field} of {case}"))
}

fn number(case: &Value, field: &str) -> u64 {
    case[field].as_u64().unwrap_or_else(|| panic!("{field} of {case}"))
}

fn truth(case: &Value, field: &str) -> bool {
    case[field].as_bool().unwrap_or_else(|| panic!("{field} of {case}"))
}

fn bytes(case: &Value, field: &str) -> Vec<u8> {
    let digits = text(case, field).as_bytes();
    assert_eq!(digits.len() % 2, 0);
    let digit = |digit: u8| (digit as char).to_digit(16).unwrap() as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn array<const N: usize>(case: &Value, field: &str) -> [u8; N] {
    bytes(case, field).try_into().unwrap_or_else(|_| panic!("{field} of {case}"))
}

fn key(case: &Value, field: &str) -> Key {
    Key::new(array(case, field))
}

fn state_of(bytes: &[u8; State::SIZE]) -> State {
    let mut state = State::zero();
    state.absorb(bytes[..16].try_into().unwrap());
    state.absorb_into_capacity(bytes[16..].try_into().unwrap());
    state
}

fn bytes_of(state: &State) -> [u8; State::SIZE] {
    let mut bytes = [0; State::SIZE];
    bytes[..16].copy_from_slice(&state.rate());
    bytes[16..].copy_from_slice(&state.capacity::<32>());
    bytes
}

#[test]
fn the_permutation_is_the_originals() {
    for (list, least) in [("permutation", 14), ("iterated", 1), ("tagged", 7)] {
        for (name, case) in cases(&format!("/gimli/{list}"), least) {
            let mut state = state_of(&array(&case, "input"));
            for _ in 0..case["iterations"].as_u64().unwrap_or(1) {
                state.permute(case["tag"].as_u64().unwrap_or(0) as u8);
            }
            assert_eq!(bytes_of(&state), array(&case, "output"), "{list} {name}");
        }
    }
}

#[test]
fn hashes_are_the_originals() {
    for (name, case) in cases("/hash", 97) {
        let key = (!case["key"].is_null()).then(|| array(&case, "key"));
        let mut hasher = Hasher::new(&array(&case, "ctx"), key.as_ref());
        hasher.update(&bytes(&case, "message"));
        let mut output = vec![0; number(&case, "out_len") as usize];
        hasher.finish_into(&mut output);
        assert_eq!(output, bytes(&case, "output"), "{name}");
    }
}

#[test]
fn seeds_give_the_originals_bytes() {
    for (name, case) in cases("/drbg", 5) {
        let mut output = vec![0; number(&case, "out_len") as usize];
        drbg::fill(&array(&case, "seed"), &mut output);
        assert_eq!(output, bytes(&case, "output"), "{name}");
    }
}

#[test]
fn secretboxes_are_the_originals_and_open() {
    for (name, case) in cases("/secretbox/encrypt", 49) {
        let secretbox = Secretbox::with_context(&key(&case, "key"), &array(&case, "ctx"));
        let (message_id, plain) = (number(&case, "msg_id"), bytes(&case, "plaintext"));
        let mut text = plain.clone();
        let mut sealed = secretbox.seal(message_id, &array(&case, "iv"), &mut text).to_vec();
        sealed.extend_from_slice(&text);
        assert_eq!(sealed, bytes(&case, "ciphertext"), "{name}");
        assert_eq!(secretbox.open(message_id, &mut sealed).as_deref(), Some(&plain[..]), "{name}");
    }
}

#[test]
fn altered_secretboxes_stay_shut() {
    for (name, case) in cases("/secretbox/negative", 50) {
        let secretbox = Secretbox::with_context(&key(&case, "key"), &array(&case, "ctx"));
        let mut sealed = bytes(&case, "ciphertext");
        let opened = secretbox.open(number(&case, "msg_id"), &mut sealed).is_some();
        assert_eq!(opened, truth(&case, "opens"), "{name}");
        assert!(opened || sealed.iter().skip(OVERHEAD).all(|&byte| byte == 0), "{name}");
    }
}

#[test]
fn key_pairs_are_the_originals() {
    for (name, case) in cases("/sign/keygen", 8) {
        let (public, secret) = signature::from_seed(&array(&case, "seed"));
        assert_eq!(public.0, array(&case, "pk"), "{name}");
        assert_eq!(secret.0, array(&case, "sk"), "{name}");
        assert_eq!(TokenKey::new(&secret).unwrap().public(), public, "{name}");
        assert_eq!(VerifyingKey::new(&public).unwrap().as_bytes(), &public.0, "{name}");
    }
}

#[test]
fn signatures_are_the_originals_and_verify() {
    for (name, case) in cases("/sign/create", 35) {
        let signing = SigningKey::new(&SecretKey(array(&case, "sk"))).unwrap();
        let (context, message) = (array(&case, "ctx"), bytes(&case, "message"));
        let signature = signing.sign(&context, &message, &array(&case, "random"));
        assert_eq!(signature, array(&case, "signature"), "{name}");
        let verifying = VerifyingKey::new(&PublicKey(array(&case, "pk"))).unwrap();
        assert!(verifying.verify(&context, &message, &signature), "{name}");
        assert!(signing.verifying_key().verify(&context, &message, &signature), "{name}");
    }
}

#[test]
fn only_signatures_in_their_one_form_verify() {
    for (name, case) in cases("/sign/verify", 29) {
        let (context, message) = (array(&case, "ctx"), bytes(&case, "message"));
        let verified = VerifyingKey::new(&PublicKey(array(&case, "pk")))
            .is_some_and(|key| key.verify(&context, &message, &array(&case, "signature")));
        assert_eq!(verified, truth(&case, "implementation_should_accept"), "{name}");
    }
}

fn endpoints(list: &Value) -> Vec<SocketAddr> {
    let port = |endpoint: &Value| number(endpoint, "port") as u16;
    let parts = |endpoint: &Value, field: &str| -> Vec<u64> {
        endpoint[field].as_array().unwrap().iter().map(|part| part.as_u64().unwrap()).collect()
    };
    let endpoint = |endpoint: &Value| match number(endpoint, "type") {
        1 => {
            let octets: Vec<u8> = parts(endpoint, "ipv4").iter().map(|&part| part as u8).collect();
            SocketAddr::from((<[u8; 4]>::try_from(octets).unwrap(), port(endpoint)))
        }
        2 => {
            let field = if endpoint["ipv6"].is_array() { "ipv6" } else { "ipv6_groups" };
            let groups: Vec<u16> = parts(endpoint, field).iter().map(|&part| part as u16).collect();
            SocketAddr::from((<[u16; 8]>::try_from(groups).unwrap(), port(endpoint)))
        }
        other => panic!("type {other}"),
    };
    list.as_array().unwrap().iter().map(endpoint).collect()
}

fn packet_of(token: &[u8; TOKEN_SIZE]) -> &[u8; PACKET_SIZE] {
    token.last_chunk().unwrap()
}

#[test]
fn tokens_are_the_originals_and_open() {
    for (name, case) in cases("/connect_tokens/generate", 12) {
        let (inputs, decrypted, client) =
            (&case["inputs"], &case["server_decrypted"], &case["client_read"]);
        let key = TokenKey::new(&SecretKey(array(inputs, "sk"))).unwrap();
        assert_eq!(key.public(), PublicKey(array(inputs, "pk")));
        let keys = TokenKeys {
            client_to_server: self::key(inputs, "client_to_server_key"),
            server_to_client: self::key(inputs, "server_to_client_key"),
        };
        let user_data = match &inputs["user_data"] {
            Value::Null => [0; USER_DATA_SIZE],
            _ => array(inputs, "user_data"),
        };
        let strings = inputs["endpoint_strings"].as_array().unwrap();
        let servers: Vec<SocketAddr> =
            strings.iter().map(|text| endpoint::parse(text.as_str().unwrap()).unwrap()).collect();
        let request = TokenRequest {
            application_id: number(inputs, "application_id"),
            creation: number(inputs, "creation_timestamp"),
            expiration: number(inputs, "expiration_timestamp"),
            handshake_timeout: number(inputs, "handshake_timeout") as u32,
            keys: &keys,
            servers: &servers,
            client_id: number(inputs, "client_id"),
            user_data: &user_data,
        };
        let (iv, random) = (array(inputs, "iv"), array(inputs, "sign_random"));
        let token = token::generate_with(&request, &key, iv, random);
        assert_eq!(token, array(&case, "token"), "{name}");

        let read = ConnectToken::read(&token, request.application_id, request.expiration - 1).unwrap();
        assert_eq!(read.expiration, number(client, "expiration_timestamp"), "{name}");
        assert_eq!(u64::from(read.handshake_timeout), number(client, "handshake_timeout"), "{name}");
        assert_eq!(read.servers.len() as u64, number(client, "endpoint_count"), "{name}");
        assert_eq!(read.servers, servers, "{name}");
        let (up, down) = (&read.keys.client_to_server, &read.keys.server_to_client);
        assert_eq!(up.as_bytes(), &array::<32>(client, "client_to_server_key"), "{name}");
        assert_eq!(down.as_bytes(), &array::<32>(client, "server_to_client_key"), "{name}");

        let packet = TokenPacket::read(packet_of(&token)).unwrap();
        assert_eq!(packet.public.application_id, request.application_id, "{name}");
        assert_eq!(packet.public.expiration, number(decrypted, "expiration_timestamp"), "{name}");
        assert_eq!(packet.public.servers().collect::<Vec<_>>(), servers, "{name}");
        assert_eq!(endpoints(&decrypted["endpoints"]), servers, "{name}");
        let secret = packet.open(&key).unwrap();
        assert_eq!(secret.client_id, number(decrypted, "client_id"), "{name}");
        let (up, down) = (&secret.keys.client_to_server, &secret.keys.server_to_client);
        assert_eq!(up.as_bytes(), &array::<32>(decrypted, "client_to_server_key"), "{name}");
        assert_eq!(down.as_bytes(), &array::<32>(decrypted, "server_to_client_key"), "{name}");
        assert_eq!(*secret.user_data, array(decrypted, "user_data"), "{name}");
    }
}

#[test]
fn servers_refuse_the_token_packets_they_must() {
    for (name, case) in cases("/connect_tokens/server_negative", 50) {
        let (public, secret) = (PublicKey(array(&case, "pk")), SecretKey(array(&case, "sk")));
        let packet = <[u8; PACKET_SIZE]>::try_from(bytes(&case, "packet"));
        let key = TokenKey::new(&secret).ok().filter(|key| key.public() == public);
        let opened = match (key, &packet) {
            (Some(key), Ok(packet)) => TokenPacket::read(packet).is_ok_and(|packet| {
                packet.public.application_id == number(&case, "application_id")
                    && packet.public.expiration > number(&case, "current_time")
                    && packet.open(&key).is_some()
            }),
            _ => false,
        };
        assert_eq!(opened, !truth(&case, "must_reject"), "{name}");
    }
}

/// The original's signatures can be altered; what names a token can't.
#[test]
fn d27_a_token_keeps_its_id_when_its_signature_is_put_in_another_form() {
    let id = |wanted: &str| {
        let cases = cases("/connect_tokens/server_negative", 50);
        let (_, case) = cases.iter().find(|(name, _)| name == wanted).unwrap();
        let packet: [u8; PACKET_SIZE] = array(case, "packet");
        (token::token_id(&packet), packet)
    };
    let (one, packet) = id("control_unmodified");
    let (two, altered) = id("signature_s_negated");
    assert_eq!(one, two);
    assert_ne!(packet, altered);
}

#[test]
fn clients_take_and_refuse_the_tokens_the_original_does() {
    for (name, case) in cases("/connect_tokens/client_negative", 17) {
        let token: [u8; TOKEN_SIZE] = array(&case, "token");
        let (application_id, now) = (number(&case, "application_id"), number(&case, "current_time"));
        let read = ConnectToken::read(&token, application_id, now);
        assert_eq!(read.is_ok(), truth(&case, "accepted"), "{name}");
        if name.starts_with("expired") && !truth(&case, "accepted") {
            let error = read.unwrap_err();
            assert!(
                matches!(error, InvalidToken::Expired { expiration, now: at } if expiration < at && at == now),
                "{name}: {error}"
            );
        }
    }
}

/// The packet that `fields` describe; `data` is room for what it borrows.
fn packet_from<'a>(kind: u64, fields: &Value, data: &'a mut Vec<u8>) -> Packet<'a> {
    match PacketType::of(kind as u8).unwrap() {
        PacketType::ConnectToken => panic!("sealed in its own way"),
        PacketType::Accepted => Packet::Accepted(Accepted {
            client_id: number(fields, "client_id"),
            max_clients: number(fields, "max_clients") as u32,
            connection_timeout: number(fields, "connection_timeout") as u32,
        }),
        PacketType::Denied => Packet::Denied,
        PacketType::Keepalive => Packet::Keepalive,
        PacketType::Disconnect => Packet::Disconnect,
        kind @ (PacketType::ChallengeRequest | PacketType::ChallengeResponse) => {
            *data = bytes(fields, "challenge_data");
            let nonce = number(fields, "challenge_nonce");
            let challenge = Challenge { nonce, data: data[..].try_into().unwrap() };
            match kind {
                PacketType::ChallengeRequest => Packet::ChallengeRequest(challenge),
                _ => Packet::ChallengeResponse(challenge),
            }
        }
        PacketType::Payload => {
            *data = bytes(fields, "payload");
            assert_eq!(data.len() as u64, number(fields, "payload_size"));
            Packet::Payload(data)
        }
    }
}

/// Who receives packets of a type; both sides do of some.
fn receiver(kind: u64) -> Side {
    if matches!(kind, 1 | 2 | 5) { Side::Client } else { Side::Server }
}

#[test]
fn packets_are_the_originals_and_open() {
    for (name, case) in cases("/packets/write", 38) {
        let secretbox = Secretbox::new(&key(&case, "key"));
        let (kind, sequence) = (number(&case, "type"), number(&case, "sequence"));
        let mut data = Vec::new();
        let packet = packet_from(kind, &case["fields"], &mut data);
        let mut buffer = [0xFF; MAX_SIZE];
        let size = packet.seal(&secretbox, sequence, &array(&case, "iv"), &mut buffer).unwrap();
        assert_eq!(buffer[..size], bytes(&case, "wire"), "{name}");
        let sealed = SealedPacket::read(receiver(kind), &mut buffer[..size]).unwrap();
        assert_eq!((sealed.kind as u64, sealed.sequence), (kind, sequence), "{name}");
        assert_eq!(sealed.open(&secretbox), Ok(packet), "{name}");
    }
}

#[test]
fn altered_packets_are_dropped() {
    for (name, case) in cases("/packets/negative", 91) {
        let secretbox = Secretbox::new(&key(&case, "key"));
        let mut wire = bytes(&case, "wire");
        let kind = wire.first().map_or(0, |&first| u64::from(first));
        let opened = SealedPacket::read(receiver(kind), &mut wire).and_then(|sealed| {
            let sequence = sealed.sequence;
            sealed.open(&secretbox).map(|packet| (packet.kind(), sequence))
        });
        assert_eq!(opened.is_err(), truth(&case, "must_reject"), "{name}: {opened:?}");
        if let Ok((kind, sequence)) = opened {
            let result = text(&case, "upstream_result");
            assert!(result.ends_with(&format!("sequence {sequence}")), "{name}: {result}");
            assert_eq!(result.contains("payload"), kind == PacketType::Payload, "{name}: {result}");
        }
    }
}

/// Ours is larger than the original's, whose peers never notice.
#[test]
fn the_replay_window_takes_all_the_original_takes_and_nothing_twice() {
    for (name, case) in cases("/packets/replay_window", 7) {
        let (mut window, mut seen) = (ReplayWindow::default(), Vec::new());
        for step in case["steps"].as_array().unwrap() {
            let sequence = number(step, "sequence");
            // A packet that comes again has the authenticator that it had.
            let tag = Tag::new(&(sequence as u32).wrapping_add(1).to_le_bytes());
            let fresh = window.is_fresh(sequence, tag);
            assert!(fresh || !truth(step, "accepted"), "{name}: {sequence} refused");
            assert!(!fresh || !seen.contains(&sequence), "{name}: {sequence} taken twice");
            if fresh {
                window.insert(sequence, tag);
                seen.push(sequence);
            }
        }
    }
}

#[test]
fn every_datagram_of_the_recorded_sessions_is_read() {
    let recorded = read("cute_1_00_session.json");
    for session in recorded["sessions"].as_array().unwrap() {
        let (name, setup) = (text(session, "name"), &session["setup"]);
        let token_key = TokenKey::new(&SecretKey(array(setup, "sk"))).unwrap();
        assert_eq!(token_key.public(), PublicKey(array(setup, "pk")));
        let keys = TokenKeys {
            client_to_server: key(setup, "client_to_server_key"),
            server_to_client: key(setup, "server_to_client_key"),
        };
        let request = TokenRequest {
            application_id: number(setup, "application_id"),
            creation: number(setup, "creation_timestamp"),
            expiration: number(setup, "expiration_timestamp"),
            handshake_timeout: number(setup, "handshake_timeout") as u32,
            keys: &keys,
            servers: &[endpoint::parse(text(setup, "server_address")).unwrap()],
            client_id: number(setup, "client_id"),
            user_data: &array(setup, "user_data"),
        };
        let (iv, random) = (array(setup, "token_iv"), array(setup, "token_sign_random"));
        let token = token::generate_with(&request, &token_key, iv, random);
        assert_eq!(token, array(setup, "token"), "{name}");

        let datagrams =
            session["log"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "datagram");
        let mut opened = 0;
        for entry in datagrams {
            let index = number(entry, "index");
            let (mut wire, decoded) = (bytes(entry, "bytes"), &entry["decoded"]);
            assert_eq!(wire.len() as u64, number(entry, "size"), "{name} {index}");
            if number(decoded, "type") == 0 {
                assert_eq!(wire, packet_of(&token), "{name} {index}");
                let wire = wire.try_into().unwrap();
                let secret = TokenPacket::read(&wire).unwrap().open(&token_key).unwrap();
                assert_eq!(secret.client_id, request.client_id, "{name} {index}");
                continue;
            }
            let (side, key) = match text(entry, "direction") {
                "c2s" => (Side::Server, &keys.client_to_server),
                _ => (Side::Client, &keys.server_to_client),
            };
            let sealed = SealedPacket::read(side, &mut wire).unwrap();
            assert_eq!(sealed.sequence, number(decoded, "sequence"), "{name} {index}");
            assert_eq!(sealed.kind as u64, number(decoded, "type"), "{name} {index}");
            let packet = sealed.open(&Secretbox::new(key)).unwrap();
            // Sealed again, it opens again, to the recorded plaintext.
            let mut buffer = [0; MAX_SIZE];
            let size = packet.seal(&Secretbox::new(key), 0, &[0; 20], &mut buffer).unwrap();
            let plain = Secretbox::new(key).open(0, &mut buffer[37..size]).map(|plain| plain.to_vec());
            assert_eq!(plain, Some(bytes(decoded, "plaintext")), "{name} {index}");
            opened += 1;
        }
        assert!(opened > 30, "{name}: {opened}");
    }
}

#[test]
fn a_datagram_of_cute_2_00_is_none_of_cute_1_00() {
    for first in 0x80..=0xFF {
        let mut datagram = [first; 73];
        assert_eq!(SealedPacket::read(Side::Server, &mut datagram).unwrap_err(), DropReason::Type);
    }
}
