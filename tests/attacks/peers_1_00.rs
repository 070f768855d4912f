//! CUTE 1.00: a player with a valid token and the patience to write its own packets. Its memory has a budget, its
//! packets a bounded price, and the honest client beside it notices nothing.

use crate::cost::{BUDGET, Cost};
use crate::memory::live;
use crate::puppet_1_00::{self, Puppet, fragment, packet_of};
use crate::watch::{within, world_with_honest_client};
use crate::world::{TokenOptions, World, pattern};
use crate::{ms, secs};
use cute_net::drop_reason::DropReason;
use cute_net::message::Delivery::*;
use cute_net::v1::packet::PacketType;
use std::net::SocketAddr;

/// The count of a fragment that only carries acknowledgements.
const ACKS_ALONE: (u16, u16) = (u16::MAX, 0);

struct Attack {
    world: World,
    puppet: Puppet,
    cost: Cost,
}

impl Attack {
    fn new() -> Attack {
        let mut world = within(BUDGET, puppet_1_00::world_with_honest_client(1));
        let puppet = Puppet::connect(&mut world, 9);
        Attack { world, puppet, cost: Cost::from_now() }
    }

    /// The server takes in a payload with this behind its acknowledgements.
    fn hands(&mut self, acks: (u16, u32), body: &[u8]) -> Result<(), DropReason> {
        self.cost.packets += 1;
        let packet = self.puppet.forge.payload_with(acks, body);
        self.puppet.hands(&mut self.world, packet)
    }

    /// It takes in a fragment that acknowledges nothing.
    fn throws(
        &mut self,
        reliable: bool,
        message: u16,
        part: (u16, u16),
        bytes: &[u8],
    ) -> Result<(), DropReason> {
        self.hands((u16::MAX, 0), &fragment(reliable, message, part, bytes))
    }

    fn step(&mut self) {
        self.world.step();
        self.world.servers[0].received.clear();
    }

    /// Bytes and datagrams that the server sends to it in an update.
    fn hears(&mut self) -> (usize, usize) {
        self.world.recording = Some(Vec::new());
        self.step();
        let recording = self.world.recording.take().unwrap();
        let to_it = recording.iter().filter(|datagram| datagram.to == self.puppet.address);
        to_it.fold((0, 0), |(bytes, count), datagram| (bytes + datagram.bytes.len(), count + 1))
    }

    fn is_connected(&self) -> bool {
        self.world.servers[0].server.is_connected(self.puppet.index)
    }

    /// The attack has cost little memory and time, and the honest client is well.
    fn finish(mut self, budget: i64) {
        self.cost.check(budget);
        self.world.check_honest_client();
    }
}

/// The last fragment, of a byte, of each message, which claims to have the most fragments that there are: the
/// original takes 20 MiB for each.
#[test]
fn d29_fragment_bombs_cost_what_they_carry() {
    let mut attack = Attack::new();
    for message in 1..=2048u16 {
        for reliable in [true, false] {
            let _ = attack.throws(reliable, message, (19_065, 19_064), &[7]);
        }
        if message % 200 == 0 {
            attack.step();
        }
    }
    assert!(attack.is_connected());
    attack.finish(1 << 20);
}

/// Every other fragment of messages, and every other message: what can't be delivered stays, within the budget.
#[test]
fn gap_bombs_cost_no_more_than_the_budget() {
    let mut attack = Attack::new();
    let mut refused = 0;
    for message in 0..400u16 {
        for index in (1..20).step_by(2) {
            let result = attack.throws(true, message, (20, index), &[7; 1100]);
            refused += u32::from(result == Err(DropReason::Memory));
        }
        if message % 50 == 0 {
            attack.step();
        }
    }
    assert!(refused > 2000 && attack.is_connected(), "{refused}");
    // A share of 3 MiB of the server's memory, of which a quarter is for what can't be delivered yet.
    attack.finish(2 << 20);
}

/// Nobody takes what it sends: what is reliable is not acknowledged any more, what is not gives way to newer.
#[test]
fn what_no_program_takes_is_kept_within_the_budget() {
    let mut attack = Attack::new();
    attack.world.servers[0].pops = false;
    let (mut message, mut refused) = (0, 0);
    while refused < 100 && attack.cost.packets < 20_000 {
        match attack.throws(true, message, (1, 0), &[3; 1100]) {
            Ok(()) => message += 1,
            result => {
                assert_eq!(result, Err(DropReason::Memory));
                refused += 1;
            }
        }
        attack.throws(false, message, (1, 0), &[3; 1100]).unwrap();
    }
    assert!(message > 1000 && refused == 100, "{message} taken");
    assert!(attack.cost.bytes() < 8 << 20, "{}", attack.cost.bytes());
    // When it is taken there is room again.
    attack.world.servers[0].pops = true;
    attack.world.pop_events(0);
    assert_eq!(attack.throws(true, message, (1, 0), &[3; 1100]), Ok(()));
    attack.world.servers[0].received.clear();
    attack.step();
    attack.finish(1 << 20);
}

/// All places but one are taken by players who send what nobody takes.
#[test]
fn a_whole_server_of_hostile_players_has_one_budget() {
    let memory: u64 = 24 << 20;
    let mut world = within(memory as i64 + (2 << 20), puppet_1_00::world_with_honest_client(1));
    world.config.memory = memory;
    world.config.max_clients = 8;
    world.restart_server(0);
    world.unix += 1;
    let token = world.token(1);
    world.connect_with(0, &token);
    world.server_expects(1);
    world.run(ms(200));
    let mut puppets: Vec<Puppet> = (2..9).map(|id| Puppet::connect(&mut world, id)).collect();
    world.pop_events(0);
    let before = live();
    world.servers[0].pops = false;
    let mut most = 0;
    for message in 0..1200u16 {
        for puppet in &mut puppets {
            for reliable in [true, false] {
                let packet = puppet.forge.payload(&fragment(reliable, message, (1, 0), &[3; 1100]));
                let _ = puppet.hands(&mut world, packet);
            }
        }
        if message % 100 == 0 {
            world.step();
        }
        most = most.max(live() - before);
    }
    assert!(most < memory as i64, "{most} bytes");
    assert!(most > memory as i64 / 2, "{most} bytes are hardly an attack");
    world.servers[0].pops = true;
    world.check_honest_client();
}

/// Packets, messages and packet sequences far ahead of what was expected, up to the end of their bits and around it.
#[test]
fn d25_jumps_and_wraps_of_every_number_are_borne() {
    let mut attack = Attack::new();
    for round in 0..3000u32 {
        attack.puppet.forge.sequence += u64::from(round % 2) * ((1 << 50) - 1000);
        attack.puppet.forge.number = round.wrapping_mul(10_007) as u16;
        let message = round.wrapping_mul(21_841) as u16;
        let _ =
            attack.hands((message, u32::MAX), &fragment(round % 3 == 0, message, (3, 1), &[1; 1100]));
        if round % 50 == 0 {
            attack.step();
        }
    }
    assert!(attack.is_connected());
    // A server whose peer has such numbers still talks to it, and takes what comes next.
    attack.world.server_sends(attack.puppet.index, ReliableOrdered, b"hello");
    assert!(attack.hears().1 > 0);
    attack.puppet.forge.sequence = u64::MAX - 1;
    assert_eq!(attack.hands((0, 0), &fragment(false, 0, (1, 0), b"last")), Ok(()));
    attack.finish(1 << 20);
}

/// Acknowledgements of everything and of nothing, other ones each time, while the server has much in flight.
#[test]
fn storms_of_acknowledgements_cost_a_bounded_amount() {
    let mut attack = Attack::new();
    for round in 0..100u64 {
        let server = &mut attack.world.servers[0].server;
        let _ = server.send(attack.puppet.index, 0, ReliableOrdered, 0, &pattern(90_000, round));
        attack.step();
        for number in 0..50u32 {
            let ack = (round as u16).wrapping_mul(61).wrapping_add(number as u16);
            let bits = number.wrapping_mul(0x9E37_79B9);
            attack.hands((ack, bits), &fragment(false, 0, ACKS_ALONE, b"")).unwrap();
        }
    }
    assert!(attack.is_connected());
    attack.finish(BUDGET);
}

/// It acknowledges nothing and never goes: the queue for it has an end, and what it is sent is a trickle.
#[test]
fn a_player_that_never_acknowledges_costs_one_queue() {
    let mut attack = Attack::new();
    let mut refused = 0;
    for round in 0..300u64 {
        let server = &mut attack.world.servers[0].server;
        let result = server.send(attack.puppet.index, 0, ReliableOrdered, 0, &pattern(200_000, round));
        refused += u32::from(result.is_err());
        attack.cost.packets += 10; // what it is sent
        attack.step();
    }
    assert!(refused > 100, "{refused}");
    let mut sent = 0;
    for _ in 0..300 {
        let keepalive = attack.puppet.forge.packet(PacketType::Keepalive, b"");
        attack.puppet.hands(&mut attack.world, keepalive).unwrap();
        sent += attack.hears().1;
    }
    // Five seconds in which 32 fragments at most wait, each of which leaves once a second.
    assert!((50..=250).contains(&sent), "{sent}");
    attack.finish(BUDGET);
}

/// Neither acknowledgements nor what is known already earn more than a word now and then.
#[test]
fn packets_in_bulk_earn_no_more_bytes_than_they_have() {
    type Body = fn(u32) -> Vec<u8>;
    let bodies: [(Body, usize); 4] = [
        (|_| fragment(false, 0, ACKS_ALONE, b""), 0),
        (|_| fragment(true, 0, (0, 0), b"no fragment"), 0),
        // The same reliable message, always in another packet: as if no acknowledgement had come.
        (|_| fragment(true, 0, (1, 0), b"again"), 1500 / 16),
        (|number| fragment(false, number as u16, (1, 0), b"x"), 1500 / 16),
    ];
    for (body, acknowledgements) in bodies {
        let mut attack = Attack::new();
        let (mut bytes, mut count) = (0, 0);
        for number in 0..1500u32 {
            let _ = attack.hands((u16::MAX, 0), &body(number));
            if number % 50 == 49 {
                let (more, datagrams) = attack.hears();
                bytes += more;
                count += datagrams;
            }
        }
        // Half a second has five keepalives.
        let most = acknowledgements + acknowledgements / 4 + 6;
        assert!(count <= most && bytes < 1500 * 90 / 8, "{count} datagrams, {bytes} bytes; {most}");
        attack.finish(1 << 20);
    }
}

/// However many tokens somebody has, and however long they say that a handshake may take: ten seconds, and so many.
#[test]
fn d20_handshakes_cost_a_bounded_amount_for_ten_seconds() {
    let mut world = world_with_honest_client(1);
    let before = live();
    let mut begun = 0;
    for number in 0..400u32 {
        let options = TokenOptions {
            handshake_timeout: 100_000,
            lifetime: 100_000,
            ..world.token_options(1000 + u64::from(number))
        };
        let token = packet_of(&world.token_with(&options));
        let [.., high, low] = number.to_be_bytes();
        let (result, replies) = world.say(SocketAddr::from(([11, 0, high, low], 1)), &token);
        assert!(
            result == Err(DropReason::Full) || (result == Ok(()) && replies.len() == 1),
            "{result:?}"
        );
        begun += usize::from(result.is_ok());
        if number % 20 == 0 {
            world.step();
        }
    }
    assert_eq!(begun, 2 * 32 + 64);
    let cost = live() - before;
    assert!(cost < 128 * 2048, "{cost} bytes");
    world.check_honest_client();
    world.run(ms(9_300));
    let token = packet_of(&world.token(5000));
    let asks = |world: &mut World| world.say(SocketAddr::from(([12, 0, 0, 1], 1)), &token).0;
    assert_eq!(asks(&mut world), Err(DropReason::Full));
    world.run(ms(700));
    assert_eq!(asks(&mut world), Ok(()));
    world.check_honest_client();
}

/// Connects, says nothing more, and comes again with the next token, many times: what is left of each ends.
#[test]
fn coming_and_going_leaves_nothing_behind() {
    let mut world = world_with_honest_client(1);
    let before = live();
    for round in 0..300 {
        world.unix += 1;
        let puppet = Puppet::connect(&mut world, 9);
        assert_eq!(world.servers[0].server.connected(), 2, "{round}");
        drop(puppet);
        world.run(ms(20));
    }
    world.run(secs(12));
    assert_eq!(world.servers[0].server.connected(), 1);
    world.servers[0].events = Vec::new();
    // 24 bytes for each used token, until it expires.
    assert!(live() - before < 100 << 10, "{}", live() - before);
    world.check_honest_client();
}
