//! A client of either protocol, connected or on the way, takes datagrams that are made up, damaged, diverted and replayed. It
//! panics never, and its connection works afterwards.
#![no_main]

use arbitrary::Arbitrary;
use cute_net::client::ClientState;
use cute_net::duration::Duration;
use cute_net::token::Version;
use cute_net_fuzz::damage::{Edit, damage};
use cute_net_fuzz::{SERVER, World};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Act {
    MadeUp {
        by_server: bool,
        bytes: Vec<u8>,
    },
    /// The first that the server sends in an update in which the client sends too.
    Next {
        by_server: bool,
        edits: Vec<Edit>,
    },
    /// Something that the server sent before.
    Again {
        which: u8,
        by_server: bool,
        edits: Vec<Edit>,
    },
    /// The server sends a message.
    Send {
        delivery: u8,
        size: u16,
    },
    Update {
        ms: u8,
    },
}

fn deliver(world: &mut World, by_server: bool, bytes: &[u8]) {
    let _ = world.deliver_to_player(0, if by_server { SERVER } else { 99 }, bytes);
}

fuzz_target!(|input: (bool, bool, Vec<Act>)| {
    let (old, connected, acts) = input;
    let mut world = World::new(if old { Version::V1 } else { Version::V2 }, &[2]);
    if connected {
        world.run_until("connected", |world| world.is_connected(0));
    }
    let mut sent: Vec<Vec<u8>> = Vec::new();
    for act in acts.iter().take(64) {
        match act {
            Act::MadeUp { by_server, bytes } => deliver(&mut world, *by_server, bytes),
            Act::Next { by_server, edits } => {
                world.advance(Duration::from_millis(10));
                for bytes in world.player_sends(0) {
                    let _ = world.deliver_to_server(2, &bytes);
                }
                for (place, mut datagram) in world.server_sends().into_iter().enumerate() {
                    sent.push(datagram.bytes.clone());
                    damage(&mut datagram.bytes, if place == 0 { edits } else { &[] });
                    deliver(&mut world, place > 0 || *by_server, &datagram.bytes);
                }
            }
            Act::Again { which, by_server, edits } => {
                let Some(mut bytes) = sent.get(usize::from(*which)).cloned() else { continue };
                damage(&mut bytes, edits);
                deliver(&mut world, *by_server, &bytes);
            }
            Act::Send { delivery, size } => {
                let delivery = cute_net_fuzz::DELIVERIES[usize::from(delivery % 4)];
                let _ = world.server.send(0, 0, delivery, 0, &vec![7; usize::from(size % 5000)]);
            }
            Act::Update { ms } => world.step(Duration::from_millis(u64::from(*ms))),
        }
    }
    // Of CUTE 1.00 whoever is on the way can end a connection, by the type of a packet (D30).
    let ended = world.players[0].client.state() <= ClientState::Disconnected;
    if !(old && ended) {
        world.check_player(0);
    }
});
