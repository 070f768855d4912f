//! CUTE 2.00 as bytes: everything that has exactly one right form, from fixed inputs, against the committed
//! `tests/vectors/cute_2_00.json`. A change here is a change of the protocol. The file also serves whoever
//! writes a second implementation from docs/PROTOCOL.md.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use cute_net::bytes::Writer;
use cute_net::crypto::Key;
use cute_net::crypto::key_pair::{SecretKey, TokenKey};
use cute_net::duration::Duration;
use cute_net::endpoint;
use cute_net::message::Delivery;
use cute_net::reason::DenyReason;
use cute_net::token::{TokenKeys, TokenRequest, USER_DATA_SIZE};
use cute_net::v2::frame::{Accept, Fragment};
use cute_net::v2::frame_writer::{FrameWriter, MessageHead};
use cute_net::v2::handshake::{self, Request};
use cute_net::v2::keys::{AssociatedPrefix, SessionKeys};
use cute_net::v2::packet::{PacketSeal, Side};
use cute_net::v2::token::{self, TokenPacket};
use std::fmt::Write as _;

/// `N` bytes counting up from `first`.
fn counting<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|at| first.wrapping_add(at as u8))
}

struct Vectors(String);

impl Vectors {
    fn add(&mut self, name: &str, bytes: &[u8]) {
        let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        let comma = if self.0.is_empty() { "" } else { ",\n" };
        write!(self.0, "{comma}  \"{name}\": \"{hex}\"").unwrap();
    }

    fn written(&mut self, name: &str, size: usize, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut buffer = vec![0; size];
        let mut writer = Writer::new(&mut buffer);
        write(&mut writer);
        let length = writer.finish().unwrap();
        buffer.truncate(length);
        self.add(name, &buffer);
        buffer
    }

    fn frames(&mut self, name: &str, write: impl FnOnce(&mut FrameWriter<'_>)) -> Vec<u8> {
        let mut buffer = [0; 1200];
        let mut writer = FrameWriter::new(&mut buffer);
        write(&mut writer);
        let length = writer.finish();
        self.add(name, &buffer[..length]);
        buffer[..length].to_vec()
    }
}

fn head(channel: u8, delivery: Delivery, sequence: u16, fragment: Option<(u32, u32)>) -> MessageHead {
    let fragment = fragment.map(|(total, offset)| Fragment { total, offset });
    MessageHead { channel, delivery, id: 0x1234, sequence, fragment }
}

fn vectors() -> String {
    let mut vectors = Vectors(String::new());
    let v = &mut vectors;

    // Section 4: the key pair of the secret 00 01 02 ...
    let seed = counting::<32>(0);
    let public = *Key::new(seed).derive(b"CUTE2 public key").as_bytes();
    let mut secret = [0; 64];
    secret[..32].copy_from_slice(&seed);
    secret[32..].copy_from_slice(&public);
    let token_key = TokenKey::new(&SecretKey(secret)).unwrap();
    v.add("secret_key", &secret);
    v.add("public_key", &public);
    v.add("token_key", token_key.key().as_bytes());

    // Section 3: application id 0x0807060504030201, creation 1700000000, expiration 1700000060, handshake
    // timeout 5, servers 203.0.113.7:5000 and [2001:db8::7]:5001, client id 0xfffefdfcfbfaf9f8.
    let keys = TokenKeys {
        client_to_server: Key::new(counting(0x40)),
        server_to_client: Key::new(counting(0x60)),
    };
    let servers = ["203.0.113.7:5000", "[2001:db8::7]:5001"].map(|text| endpoint::parse(text).unwrap());
    let user_data: [u8; USER_DATA_SIZE] = counting(0);
    let application_id = 0x0807_0605_0403_0201;
    let request = TokenRequest {
        application_id,
        creation: 1_700_000_000,
        expiration: 1_700_000_060,
        handshake_timeout: 5,
        keys: &keys,
        servers: &servers,
        client_id: 0xFFFE_FDFC_FBFA_F9F8,
        user_data: &user_data,
    };
    v.add("client_to_server_key", keys.client_to_server.as_bytes());
    v.add("server_to_client_key", keys.server_to_client.as_bytes());
    v.add("token_nonce", &counting::<24>(0x80));
    let packet = token::seal(&token_key, &request, counting(0x80));
    v.add("token_packet", &packet);
    assert!(TokenPacket::read(&packet).unwrap().open(&token_key).is_some());

    // Section 5.
    let (random, cookie) = (counting::<16>(0xA0), counting::<16>(0xB0));
    let session = SessionKeys::derive(&keys, &random, &cookie);
    let prefix = AssociatedPrefix::new(application_id);
    let shown = Request { token: &packet, random };
    v.add("client_random", &random);
    v.add("cookie", &cookie);
    v.add("session_client_to_server_key", session.client_to_server.as_bytes());
    v.add("session_server_to_client_key", session.server_to_client.as_bytes());
    v.written("request", 2000, |writer| shown.encode(writer));
    v.written("challenge", 2000, |writer| {
        handshake::seal_challenge(&prefix, &session.server_to_client, &cookie, writer)
    });
    v.written("response", 2000, |writer| {
        handshake::seal_response(&prefix, &session, &shown, &cookie, writer)
    });
    v.written("denied_7_counter_258", 2000, |writer| {
        handshake::seal_denied(
            &prefix,
            &session.server_to_client,
            &cookie,
            258,
            DenyReason::IN_USE,
            writer,
        );
    });

    // Section 7.
    let accept = Accept {
        connection_id: 0x0001_0002,
        client_index: 2,
        client_id: request.client_id,
        max_clients: 32,
        connection_timeout: 10,
        incoming_rate: 0,
    };
    let down = v.frames("frames_accept_credit_reliable", |w| {
        assert!(w.accept(&accept) && w.credit(1 << 20));
        assert!(w.message(&head(0, Delivery::ReliableOrdered, 0x0102, None), b"welcome"));
    });
    let up = v.frames("frames_ack_ping_unreliable", |w| {
        assert!(w.ack(Duration::from_millis(3), [7..=9, 2..=4, 0..=0].into_iter()).is_some());
        assert!(w.ping() && w.message(&head(0, Delivery::Unreliable, 0, None), b"input"));
    });
    v.frames("frames_of_every_other_kind", |w| {
        assert!(
            w.path_probe(&counting(1))
                && w.path_echo(&counting(9))
                && w.limit(1400)
                && w.blocked(70_000)
        );
        assert!(w.message(&head(1, Delivery::ReliableUnordered, 3, None), b""));
        assert!(w.message(&head(8, Delivery::UnreliableSequenced, 0, None), b"newest"));
        assert!(w.message(&head(0, Delivery::Unreliable, 4, Some((100, 0))), &counting::<64>(0)));
        assert!(w.message(&head(2, Delivery::ReliableOrdered, 5, Some((100, 0))), &counting::<64>(0)));
        assert!(w.message(&head(2, Delivery::ReliableOrdered, 5, Some((100, 64))), &counting::<36>(64)));
        assert!(w.close(16, b"bye"));
    });

    // Section 6.
    for (name, side, number, acked, frames) in [
        ("data_to_client_number_0", Side::Server, 0, None, &down),
        ("data_to_server_number_300_acked_100", Side::Client, 300, Some(100), &up),
        ("data_to_server_number_70000_acked_none", Side::Client, 70_000, None, &up),
    ] {
        let seal = PacketSeal::new(side, prefix, &session);
        let mut buffer = [0; 1200];
        let header = seal.write_header(number, acked, accept.connection_id, &mut buffer).unwrap();
        buffer[header..header + frames.len()].copy_from_slice(frames);
        let size = seal.seal(number, header, frames.len(), &mut buffer).unwrap();
        v.add(name, &buffer[..size]);
    }
    format!("{{\n{}\n}}\n", vectors.0)
}

#[test]
fn the_protocol_has_not_changed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/cute_2_00.json");
    let vectors = vectors();
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    for (ours, theirs) in vectors.lines().zip(committed.lines()) {
        assert_eq!(ours, theirs);
    }
    assert!(vectors == committed, "{path} differs; what this version makes is:\n{vectors}");
}
