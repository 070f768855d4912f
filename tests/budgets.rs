//! Memory, counted by the allocator: what a server costs before anybody comes, and what an idle client
//! costs it.
#![allow(unsafe_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "engine/world.rs"]
#[allow(dead_code)]
mod world;

use cute_net::client::ClientState;
use cute_net::crypto::key_pair;
use cute_net::host::{ServerHost, ServerHostConfig};
use cute_net::message::Delivery;
use cute_net::token::{PairKey, Version};
use cute_net::v1;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use world::{World, pattern};

static LIVE: AtomicI64 = AtomicI64::new(0);

struct Counting;

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as i64, Ordering::SeqCst);
        // SAFETY: the caller's layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, Ordering::SeqCst);
        // SAFETY: the caller gives back what it took.
        unsafe { System.dealloc(block, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn live() -> i64 {
    LIVE.load(Ordering::SeqCst)
}

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

/// One test, because the counter is the process's.
#[test]
fn memory_stays_within_the_budget() {
    // A server on a socket, started, without clients: 1 MiB.
    let (public_key, secret_key) = key_pair::generate().unwrap();
    let before = live();
    let config = ServerHostConfig {
        application_id: 1,
        public_key,
        secret_key,
        connection_timeout: Some(Duration::from_secs(10)),
        resend_ceiling: Duration::from_millis(100),
        max_outgoing_rate: None,
        max_incoming_rate: None,
    };
    let mut host = ServerHost::new(config, 32);
    host.start(&["127.0.0.1:0".parse().unwrap()]).unwrap();
    host.update(0.1, 1);
    let cost = live() - before;
    assert!(cost <= 1 << 20, "a server costs {cost} bytes");
    drop(host);

    // An idle client on the server: 4 KiB, also after it has been busy; 8 KiB on CUTE 1.00.
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
