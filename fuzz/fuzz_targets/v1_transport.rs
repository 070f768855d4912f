//! A peer of CUTE 1.00 that holds a key seals any packets and payloads: made-up bytes, and fragments and
//! acknowledgements as the original writes them, whole and damaged. A live connection panics never, holds no more
//! than its budget, and on a server another player is served as before.
#![no_main]

use arbitrary::Arbitrary;
use cute_net::duration::Duration;
use cute_net::token::Version;
use cute_net_fuzz::damage::{Edit, damage};
use cute_net_fuzz::hostile_1_00::{HOST, Hostile};
use cute_net_fuzz::memory::Budget;
use cute_net_fuzz::{DELIVERIES, SERVER, World};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    to_client: bool,
    acts: Vec<Act>,
}

#[derive(Arbitrary, Debug)]
enum Act {
    /// A packet of any type.
    MadeUp {
        kind: u8,
        content: Vec<u8>,
    },
    /// A payload of any bytes.
    Payload {
        payload: Vec<u8>,
    },
    /// A payload as the original writes it.
    Written {
        ack: u16,
        bits: u32,
        fragment: Fragment,
        edits: Vec<Edit>,
    },
    /// Many fragments of the kind that the last one began.
    Flood {
        fragment: Fragment,
        count: u8,
    },
    /// Leaves numbers out.
    Skip {
        sequence: u16,
        number: u16,
    },
    /// The end under attack sends a message.
    Send {
        delivery: u8,
        size: u16,
    },
    Update {
        ms: u8,
        takes: bool,
    },
}

#[derive(Arbitrary, Debug)]
struct Fragment {
    reliable: bool,
    message: u16,
    count: u16,
    index: u16,
    size: u16,
}

impl Fragment {
    /// Mostly what a real writer would make of it.
    fn body(&self, further: u16) -> Vec<u8> {
        let message = self.message.wrapping_add(further);
        let count = self.count % 19_067;
        let index = if self.index % 8 == 0 { self.index } else { self.index % count.max(1) };
        let size = if index + 1 < count { 1100 } else { self.size % 1101 };
        let head = [message, count, index, size].map(u16::to_le_bytes).concat();
        [&[u8::from(self.reliable)][..], &head, &vec![self.message as u8; usize::from(size)]].concat()
    }
}

/// Packets of all floods: they take long to seal.
const MOST_FLOODED: u32 = 1500;

fn deliver(world: &mut World, to_client: bool, packet: &[u8]) {
    let _ = if to_client {
        world.deliver_to_player(1, SERVER, packet)
    } else {
        world.deliver_to_server(HOST, packet)
    };
}

fuzz_target!(|input: Input| {
    let budget = Budget::from_now();
    let mut world = World::new(Version::V1, &[2, HOST]);
    world.run_until("connected", |world| world.is_connected(0) && world.is_connected(1));
    let slot = world.server.clients().find(|&slot| world.server.user_data(slot).unwrap()[0] == HOST);
    let slot = slot.expect("the server has the client");
    let mut hostile = Hostile::new(!input.to_client);
    let mut flooded = 0;
    for act in input.acts.iter().take(256) {
        if !world.is_connected(1) || !world.server.is_connected(slot) {
            break;
        }
        match act {
            Act::MadeUp { kind, content } => {
                let packet = hostile.packet(kind % 9, content);
                deliver(&mut world, input.to_client, &packet);
            }
            Act::Payload { payload } => {
                let packet = hostile.payload(payload);
                deliver(&mut world, input.to_client, &packet);
            }
            Act::Written { ack, bits, fragment, edits } => {
                let head = [hostile.number.to_le_bytes(), ack.to_le_bytes()].concat();
                hostile.number = hostile.number.wrapping_add(1);
                let mut payload = [&head[..], &bits.to_le_bytes(), &fragment.body(0)].concat();
                damage(&mut payload, edits);
                let packet = hostile.payload(&payload);
                deliver(&mut world, input.to_client, &packet);
            }
            Act::Flood { fragment, count } => {
                flooded += u32::from(*count);
                for further in 0..u16::from(*count).min(MOST_FLOODED.saturating_sub(flooded) as u16) {
                    let head = [hostile.number, u16::MAX, 0, 0].map(u16::to_le_bytes).concat();
                    hostile.number = hostile.number.wrapping_add(1);
                    let packet = hostile.payload(&[&head[..], &fragment.body(further)].concat());
                    deliver(&mut world, input.to_client, &packet);
                }
            }
            Act::Skip { sequence, number } => {
                hostile.sequence += u64::from(*sequence);
                hostile.number = hostile.number.wrapping_add(*number);
            }
            Act::Send { delivery, size } => {
                let (delivery, bytes) =
                    (DELIVERIES[usize::from(delivery % 4)], vec![1; usize::from(*size)]);
                let _ = if input.to_client {
                    world.players[1].client.send(0, delivery, 0, &bytes)
                } else {
                    world.server.send(slot, 0, delivery, 0, &bytes)
                };
            }
            Act::Update { ms, takes } => {
                world.exchange(Duration::from_millis(u64::from(*ms)));
                if *takes {
                    world.take();
                }
            }
        }
        budget.check();
    }
    world.step(Duration::from_millis(100));
    if !input.to_client {
        world.check_player(0);
    }
});
