//! D55: the original leaves its keys in memory that it has freed. Here an allocator looks for them in every
//! block that is given back.
#![allow(unsafe_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use cute_net::client::{Client, ClientState};
use cute_net::connection::Arrival;
use cute_net::crypto::Key;
use cute_net::crypto::cipher::{Cipher, PacketCipher};
use cute_net::crypto::key_pair;
use cute_net::duration::Duration;
use cute_net::endpoint::{self, Path};
use cute_net::message::Delivery;
use cute_net::server::{DEFAULT_MEMORY, Server, ServerConfig};
use cute_net::time::Instant;
use cute_net::token::{self, PairKey, TOKEN_SIZE, TokenKeys, TokenRequest, USER_DATA_SIZE};
use cute_net::v1::secretbox::Secretbox;
use cute_net::v1::{self, signature};
use cute_net::v2::handshake::{RESPONSE_SIZE, Response};
use cute_net::v2::keys::SessionKeys;
use std::alloc::{GlobalAlloc, Layout, System};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

/// The secrets that must not be found.
static SECRETS: [[AtomicU8; 32]; 16] = [const { [const { AtomicU8::new(0) }; 32] }; 16];
static COUNT: AtomicUsize = AtomicUsize::new(0);
static FOUND: AtomicBool = AtomicBool::new(false);
static LOOKED_AT: AtomicUsize = AtomicUsize::new(0);

struct Searching;

// SAFETY: everything is left to the system's allocator; a block is only read before it is given back.
unsafe impl GlobalAlloc for Searching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let count = COUNT.load(Ordering::SeqCst);
        if count > 0 && layout.size() >= 32 {
            LOOKED_AT.fetch_add(1, Ordering::SeqCst);
            // SAFETY: the block is still the caller's, zeroed when it was taken, `layout.size()` bytes long.
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            let is_secret = |window: &[u8]| {
                SECRETS[..count].iter().any(|secret| {
                    secret.iter().zip(window).all(|(byte, found)| byte.load(Ordering::SeqCst) == *found)
                })
            };
            if bytes.windows(32).any(is_secret) {
                FOUND.store(true, Ordering::SeqCst);
            }
        }
        // SAFETY: the caller gives back what it took.
        unsafe { System.dealloc(block, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Searching = Searching;

/// Looks for `secret` in every block freed from now on. (This is the only test of its process.)
fn watch(secret: [u8; 32]) {
    let count = COUNT.load(Ordering::SeqCst);
    for (to, from) in SECRETS[count].iter().zip(secret) {
        to.store(from, Ordering::SeqCst);
    }
    COUNT.store(count + 1, Ordering::SeqCst);
}

fn found() -> bool {
    FOUND.swap(false, Ordering::SeqCst)
}

/// A client connects with the token, talks with a server that has the key, and leaves; then the server ends.
fn play(key: PairKey, mut token: Box<[u8; TOKEN_SIZE]>, keys: &TokenKeys, address: SocketAddr) {
    let token_is_2_00 = matches!(key, PairKey::V2(_));
    let config = ServerConfig {
        application_id: 1,
        keys: vec![key],
        max_clients: 4,
        connection_timeout: Some(Duration::from_secs(10)),
        resend_ceiling: Duration::from_millis(100),
        memory: DEFAULT_MEMORY,
        max_outgoing_rate: None,
        max_incoming_rate: None,
        largest_datagram: 1200,
    };
    let mut server = Box::new(Server::new(config, &[address], &[], [7; 32]));
    let mut client = Box::new(Client::new(1));
    client.connect(&token, [8; 32]).unwrap();
    token.fill(0); // the program's own copy is the program's to wipe
    drop(token);
    let client_path = Path { remote: endpoint::parse("10.0.0.2:1").unwrap(), local: None };
    let server_path = Path { remote: address, local: None };
    let mut now = Instant::ZERO;
    let mut buffer = [0; 1200];
    for round in 0..60 {
        now = now + Duration::from_millis(16);
        server.advance(now, 1);
        client.advance(now, 1);
        client.handle_timeout(false);
        while let Some(transmit) = client.poll_transmit(&mut buffer) {
            if transmit.size == RESPONSE_SIZE && token_is_2_00 {
                let response = Response::decode(&buffer[..transmit.size]).unwrap();
                let session = SessionKeys::derive(keys, &response.request.random, &response.cookie);
                watch(*session.client_to_server.as_bytes());
                watch(*session.server_to_client.as_bytes());
            }
            let arrival = Arrival { path: client_path, at: now };
            let _ = server.handle_datagram(&arrival, &mut buffer[..transmit.size]);
        }
        server.handle_timeout(false);
        while let Some(transmit) = server.poll_transmit(&mut buffer) {
            let arrival = Arrival { path: server_path, at: now };
            let _ = client.handle_datagram(&arrival, &mut buffer[..transmit.size]);
        }
        if client.state() == ClientState::Connected {
            client.send(0, Delivery::ReliableOrdered, 0, &[round; 20]).unwrap();
        }
        while server.poll_event().is_some() {}
    }
    assert_eq!(client.state(), ClientState::Connected);
    client.disconnect();
    while client.poll_transmit(&mut buffer).is_some() {}
    drop(client);
    server.stop();
    while server.poll_transmit(&mut buffer).is_some() {}
    drop(server);
}

#[test]
fn d55_no_key_is_left_in_freed_memory() {
    // The search works.
    watch([0xA5; 32]);
    drop(std::hint::black_box(vec![0xA5u8; 100]));
    assert!(found());

    // A cipher wipes its expanded key.
    watch([0x5A; 32]);
    let cipher = Box::new(Cipher::new(&Key::new([0x5A; 32])));
    std::hint::black_box(cipher.seal([0; 12], &[], &mut [1, 2, 3]));
    drop(cipher);
    assert!(!found());

    // So do session keys, and whatever holds them.
    let token_keys =
        TokenKeys { client_to_server: Key::new([0x11; 32]), server_to_client: Key::new([0x22; 32]) };
    watch([0x11; 32]);
    watch([0x22; 32]);
    let session = Box::new(SessionKeys::derive(&token_keys, &[3; 16], &[4; 16]));
    watch(*session.client_to_server.as_bytes());
    watch(*session.server_to_client.as_bytes());
    drop(session);
    assert!(!found());

    // So does a pair of CUTE 1.00, whatever it is used for.
    let (_, secret) = signature::from_seed(&[9; 32]);
    watch(secret.0[..32].try_into().unwrap());
    let token_key = Box::new(v1::token::TokenKey::new(&secret).unwrap());
    let boxed = Box::new(secret);
    let address = endpoint::parse("10.0.0.1:5000").unwrap();
    let request = TokenRequest {
        application_id: 1,
        creation: 0,
        expiration: 100,
        handshake_timeout: 5,
        keys: &token_keys,
        servers: &[address],
        client_id: 1,
        user_data: &[0; USER_DATA_SIZE],
    };
    let mut token = Box::new(v1::token::generate(&request, &token_key).unwrap());
    let packet = token.last_chunk().unwrap();
    let opened = Box::new(v1::token::TokenPacket::read(packet).unwrap().open(&token_key).unwrap());
    let secretbox = Box::new(Secretbox::new(&opened.keys.client_to_server));
    std::hint::black_box(secretbox.seal(0, &[0; 20], &mut [1, 2, 3]));
    token.fill(0); // the client's own copy of the keys
    drop((token_key, boxed, token, opened, secretbox));
    assert!(!found());

    // A server and a client that connect, talk and end, over either protocol.
    let pairs = [key_pair::generate().unwrap().1, signature::from_seed(&[10; 32]).1];
    for secret in pairs {
        watch(secret.0[..32].try_into().unwrap());
        let pair_key = PairKey::new(&secret).unwrap();
        if let PairKey::V2(key) = &pair_key {
            watch(*key.key().as_bytes());
        }
        let token = Box::new(token::generate(&request, &secret).unwrap());
        play(pair_key, token, &token_keys, address);
        drop(secret);
        assert!(!found());
    }
    drop(token_keys);
    assert!(!found());
    assert!(LOOKED_AT.load(Ordering::SeqCst) > 50);
}
