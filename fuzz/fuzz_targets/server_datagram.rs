//! A running server of both protocols with a connected player and one that connects, of either, takes datagrams that are made up,
//! damaged, diverted and replayed. Whoever sends them: it panics never, sends strangers no more than they
//! sent, and both players are served afterwards.
#![no_main]

use arbitrary::Arbitrary;
use cute_net::duration::Duration;
use cute_net::token::Version;
use cute_net::v2::packet::PacketType;
use cute_net_fuzz::damage::{Edit, damage};
use cute_net_fuzz::{Datagram, World};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Act {
    MadeUp {
        from: u8,
        bytes: Vec<u8>,
    },
    /// The first that a player sends in an update of its own, from another host if there is one.
    Next {
        player: bool,
        from: Option<u8>,
        edits: Vec<Edit>,
    },
    /// Something that a player sent before.
    Again {
        which: u8,
        from: u8,
        edits: Vec<Edit>,
    },
    /// The player sends a message.
    Send {
        player: bool,
        delivery: u8,
        size: u16,
    },
    Update {
        ms: u8,
    },
}

/// What arrives allows the server to answer: a packet of a connection that moved three times its bytes.
fn deliver(world: &mut World, from: u8, bytes: &[u8]) {
    let is_data = bytes.first().and_then(|first| PacketType::of(*first)) == Some(PacketType::Data);
    world.allowance[usize::from(from)] += bytes.len() as u64 * if is_data { 3 } else { 1 };
    let _ = world.deliver_to_server(from, bytes);
}

fuzz_target!(|input: (bool, bool, Vec<Act>)| {
    let (first, second, acts) = input;
    let [first, second] = [first, second].map(|old| if old { Version::V1 } else { Version::V2 });
    let mut world = World::new(first, &[2]);
    world.run_until("connected", |world| world.is_connected(0));
    world.players.extend(World::new(second, &[3]).players);
    let mut sent: Vec<Datagram> = Vec::new();
    let mut altered = false;
    for act in acts.iter().take(64) {
        match act {
            Act::MadeUp { from, bytes } => deliver(&mut world, *from, bytes),
            Act::Next { player, from, edits } => {
                world.advance(Duration::from_millis(10));
                let player = usize::from(*player);
                let host = world.players[player].host;
                for (place, mut bytes) in world.player_sends(player).into_iter().enumerate() {
                    sent.push(Datagram { host, bytes: bytes.clone() });
                    let from = if place == 0 { from.unwrap_or(host) } else { host };
                    damage(&mut bytes, if place == 0 { edits } else { &[] });
                    altered |= place == 0 && !edits.is_empty();
                    deliver(&mut world, from, &bytes);
                }
            }
            Act::Again { which, from, edits } => {
                let Some(Datagram { bytes, .. }) = sent.get(usize::from(*which)) else { continue };
                let mut bytes = bytes.clone();
                damage(&mut bytes, edits);
                altered |= !edits.is_empty();
                deliver(&mut world, *from, &bytes);
            }
            Act::Send { player, delivery, size } => {
                let delivery = cute_net_fuzz::DELIVERIES[usize::from(delivery % 4)];
                let size = usize::from(size % 5000);
                let client = &mut world.players[usize::from(*player)].client;
                let _ = client.send(0, delivery, 0, &vec![*player as u8; size]);
            }
            Act::Update { ms } => world.step(Duration::from_millis(u64::from(*ms))),
        }
        for Datagram { host, bytes } in world.server_sends() {
            if let Some(player) = world.players.iter().position(|player| player.host == host) {
                let _ = world.deliver_to_player(player, cute_net_fuzz::SERVER, &bytes);
            }
        }
    }
    for (player, version) in [first, second].into_iter().enumerate() {
        // Of CUTE 1.00 whoever alters the type of a packet on the way can end a connection (D30).
        let host = world.players[player].host;
        let has = |slot| world.server.user_data(slot).is_some_and(|data| data[0] == host);
        let lives = world.is_connected(player) && world.server.clients().any(has);
        if version == Version::V2 || !altered || lives {
            world.check_player(player);
        }
    }
});
