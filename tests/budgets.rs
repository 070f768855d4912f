//! Memory, counted by the allocator: what a server costs before anybody comes, and what an idle client
//! costs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "attacks/memory.rs"]
mod memory;
#[path = "engine/world.rs"]
#[allow(dead_code)]
mod world;

use cute_net::client::ClientState;
use cute_net::crypto::key_pair;
use cute_net::crypto::random::Generator;
use cute_net::duration::Duration;
use cute_net::host::{ServerHost, ServerHostConfig};
use cute_net::message::Delivery;
use cute_net::time::Instant;
use cute_net::token::{PairKey, Version};
use cute_net::used_tokens::UsedTokens;
use cute_net::v1;
use memory::live;
use world::{World, pattern};

/// A used token has 24 bytes; its client, with no other one, the rest of these.
const USED_TOKEN: u64 = 128;

/// Bytes that `world`'s server holds more than a server without clients: everything of the clients and
/// the network is dropped first.
fn server_side(mut world: World) -> (i64, usize) {
    world.clients = Vec::new();
    world.network = cute_net::simulator::Simulator::new(Default::default(), 0);
    world.recording = None;
    let connected = world.servers[0].server.connected();
    let with_clients = live();
    drop(world);
    (with_clients - live(), connected)
}

#[test]
fn a_server_without_clients_costs_a_mebibyte() {
    let (public_key, secret_key) = key_pair::generate().unwrap();
    let before = live();
    let mut host = ServerHost::new(ServerHostConfig::new(1, public_key, secret_key), 32);
    host.start(&["127.0.0.1:0".parse().unwrap()]).unwrap();
    host.update(0.1, 1);
    let cost = live() - before;
    assert!(cost <= 1 << 20, "a server costs {cost} bytes");
}

/// One token each of as many clients as fit into the memory, which is the most that it can hold.
#[test]
fn the_memory_of_used_tokens_has_an_end() {
    for max_clients in [1, 32, 1000] {
        let before = live();
        let mut tokens = UsedTokens::new(max_clients, &mut Generator::new([1; 32]));
        let mut entries = 0u64;
        while !tokens.is_full(Instant::ZERO, 0) {
            tokens.insert(entries, &entries.to_le_bytes(), entries, u64::MAX, Instant::ZERO, 0);
            entries += 1;
        }
        let each = (live() - before) as u64 / entries;
        println!("{entries} used tokens cost {each} bytes each");
        assert_eq!(entries, 64 * max_clients as u64 + 16_384);
        assert!(each <= USED_TOKEN, "{each} bytes for each of {entries}");
    }
}

/// 4 KiB, also after it has been busy; 8 KiB on CUTE 1.00.
#[test]
fn an_idle_client_stays_within_its_budget() {
    let world_of = |version: Version, clients: u64, busy: bool| {
        let mut world = World::new(1);
        if version == Version::V1 {
            world.secret = v1::signature::from_seed(&[1; 32]).1;
            world.config.keys = vec![PairKey::new(&world.secret).unwrap()];
        }
        world.config.max_clients = 1000;
        world.restart_server(0);
        for id in 0..clients {
            world.connect(id);
        }
        world.run(Duration::from_secs(2));
        if busy {
            for client in 0..clients as usize {
                assert_eq!(world.state(client), ClientState::Connected);
                for number in 0..20 {
                    world.client_sends(client, Delivery::ReliableOrdered, &pattern(3000, number));
                    world.server_sends(client as u32, Delivery::ReliableOrdered, &pattern(3000, number));
                    world.server_sends(client as u32, Delivery::Unreliable, &pattern(300, number));
                }
            }
        }
        world.run(Duration::from_secs(20));
        for server in &mut world.servers {
            server.received = Vec::new();
            server.events = Vec::new();
        }
        server_side(world)
    };
    for (version, clients, budget) in [(Version::V2, 200, 4096), (Version::V1, 50, 8192)] {
        let (empty, _) = world_of(version, 0, false);
        for busy in [false, true] {
            let (full, connected) = world_of(version, clients, busy);
            assert_eq!(connected as u64, clients);
            let each = (full - empty) / clients as i64;
            println!("{version:?}: an idle client costs {each} bytes (busy before: {busy})");
            assert!(each <= budget, "{version:?}: an idle client costs {each} bytes (busy: {busy})");
        }
    }
}
