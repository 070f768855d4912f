//! 31 honest clients, and floods: whatever comes beside them, they keep their connections and the order of their
//! messages, in time; no address gets more bytes than it sent; memory stays where it was; every datagram is counted
//! once, for the reason that it deserves.

use crate::memory::live;
use crate::ms;
use crate::puppet::{Puppet, frames, head};
use crate::puppet_1_00::{self, fragment};
use crate::world::{Datagram, World, connect_1_00, pattern, secret_1_00, world_of_both};
use cute_net::client::ClientState::Connected;
use cute_net::crypto::random::Generator;
use cute_net::drop_reason::DropReason::{self, *};
use cute_net::message::Delivery::*;
use cute_net::simulator::SimulatorConfig;
use std::collections::HashMap;
use std::net::SocketAddr;

const HONEST: usize = 31;
const TICKS: usize = 20;
/// Datagrams of a flood in a tick, 15,000 a second, unless `CUTE_NET_FLOOD_A_TICK` says otherwise.
const A_TICK: usize = 250;
/// What engine and network may hold more than before a flood: room for replies, of which 4096 may wait.
const MEMORY: i64 = 2 << 20;

/// The honest clients and their server, which numbers of whom arrived, and what they sent at first.
struct Crowd {
    world: World,
    rounds: u64,
    up: Vec<u64>,
    down: Vec<u64>,
    recorded: Vec<Datagram>,
}

fn a_tick() -> usize {
    let told = std::env::var("CUTE_NET_FLOOD_A_TICK").ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(A_TICK)
}

impl Crowd {
    /// All connected to a server of both protocols, every fourth by CUTE 1.00.
    fn new(seed: u64) -> Crowd {
        let network = SimulatorConfig { latency: ms(10), ..Default::default() };
        let mut world = world_of_both(seed, network);
        world.recording = Some(Vec::new());
        for id in 0..HONEST as u64 {
            if id % 4 == 3 {
                connect_1_00(&mut world, id);
            } else {
                world.connect(id);
            }
            world.server_expects(id as usize + 1);
        }
        world.run(ms(300));
        let numbers = vec![0; HONEST];
        let mut crowd =
            Crowd { world, rounds: 0, up: numbers.clone(), down: numbers, recorded: Vec::new() };
        (0..5).for_each(|_| crowd.round());
        let server = crowd.world.servers[0].address;
        let recorded = crowd.world.recording.take().unwrap();
        crowd.recorded = recorded.into_iter().filter(|datagram| datagram.to == server).collect();
        crowd
    }

    /// What honest clients of CUTE 2.00 sent that begins with this type.
    fn recorded(&self, kind: u8) -> Vec<Datagram> {
        let with = |datagram: &&Datagram| {
            datagram.bytes[0] & 0xF0 == kind && (kind != 0 || datagram.bytes.len() == 1040)
        };
        self.recorded.iter().filter(with).cloned().collect()
    }

    /// What honest clients of CUTE 1.00 showed first.
    fn tokens_1_00(&self) -> Vec<Vec<u8>> {
        let tokens = self.recorded.iter().filter(|datagram| datagram.bytes.len() == 1024);
        tokens.map(|datagram| datagram.bytes.clone()).collect()
    }

    /// A tick in which everybody says the next number.
    fn round(&mut self) {
        let text = self.rounds.to_le_bytes();
        for client in 0..HONEST {
            self.world.client_sends(client, ReliableOrdered, &text);
            self.world.server_sends(client as u32, ReliableOrdered, &text);
        }
        self.rounds += 1;
        self.world.step();
        self.check();
        let slowest = self.up.iter().chain(&self.down).min();
        assert!(self.rounds - slowest.unwrap() <= 6, "{slowest:?} of {}", self.rounds);
    }

    /// What came is what is next.
    fn check(&mut self) {
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
        for (index, _, bytes) in std::mem::take(&mut self.world.servers[0].received) {
            if let Some(next) = self.up.get_mut(index as usize) {
                assert_eq!(number(&bytes), *next, "from client {index}");
                *next += 1;
            }
        }
        for (client, next) in self.world.clients.iter_mut().zip(&mut self.down) {
            for (_, bytes) in std::mem::take(&mut client.received) {
                assert_eq!(number(&bytes), *next);
                *next += 1;
            }
        }
    }

    /// A flood of what `make` gives, from where it says; `reasons` are why it may be dropped.
    fn suffers(
        &mut self,
        reasons: &[DropReason],
        mut make: impl FnMut(&mut World, usize) -> (SocketAddr, Vec<u8>),
    ) {
        let honest: Vec<SocketAddr> = self.world.clients.iter().map(|client| client.address).collect();
        let to = self.world.servers[0].address;
        let before = live();
        let mut ledger: HashMap<SocketAddr, (usize, usize)> = HashMap::new();
        let (mut sent, mut dropped) = (0, 0);
        for _ in 0..TICKS {
            let counters = self.world.servers[0].server.counters().clone();
            let dropped_before = dropped;
            for _ in 0..a_tick() {
                let (from, bytes) = make(&mut self.world, sent);
                sent += 1;
                ledger.entry(from).or_default().0 += bytes.len();
                match self.world.deliver(&Datagram { from, to, bytes }) {
                    Ok(()) => {}
                    Err(reason) => {
                        // More than a network may ask, or than is answered, is a flood of any kind of token.
                        let flood = reason == Flood && a_tick() > A_TICK;
                        assert!(flood || reasons.contains(&reason), "{reason:?}");
                        dropped += 1;
                    }
                }
            }
            let now = self.world.servers[0].server.counters();
            assert_eq!(now.received() - counters.received(), a_tick() as u64);
            assert_eq!(now.dropped_total() - counters.dropped_total(), dropped - dropped_before);
            self.world.recording = Some(Vec::new());
            self.round();
            for datagram in self.world.recording.take().unwrap() {
                if datagram.from == to && !honest.contains(&datagram.to) {
                    ledger.entry(datagram.to).or_default().1 += datagram.bytes.len();
                }
            }
        }
        for (address, (received, answered)) in &ledger {
            assert!(answered <= received, "{address} got {answered} bytes for {received}");
        }
        drop(ledger);
        assert!(live() - before < MEMORY, "{} bytes more", live() - before);
        let moved = |reason: &DropReason| self.world.dropped(*reason) > 0;
        assert!(dropped > 0 && reasons.iter().any(moved), "{dropped} were dropped");
        self.world.run(ms(300));
        self.check();
        assert!(self.up.iter().chain(&self.down).all(|&next| next == self.rounds));
        assert!((0..HONEST).all(|client| self.world.state(client) == Connected));
        self.world.pop_events(0);
        assert!(!self.world.servers[0].events.iter().any(|event| event.starts_with('-')));
    }
}

/// Another address each time, in another network every 256.
fn stranger(number: usize) -> SocketAddr {
    SocketAddr::from(([203, (number >> 16) as u8, (number >> 8) as u8, number as u8], 53))
}

fn altered(mut bytes: Vec<u8>, at: usize, number: usize) -> Vec<u8> {
    let size = bytes.len();
    bytes[at..at + 4].copy_from_slice(&(number as u32 + 1).to_le_bytes());
    assert_eq!(bytes.len(), size);
    bytes
}

#[test]
fn d17_floods_of_nothing_and_of_noise_disturb_nobody() {
    let mut crowd = Crowd::new(1);
    crowd.suffers(&[Size], |_, number| (stranger(number), Vec::new()));
    let mut generator = Generator::new([1; 32]);
    let any = [Size, Type, Version, UnknownConnection, UnknownAddress, Cookie, Replayed, Forged];
    crowd.suffers(&any, |_, number| {
        let mut bytes = vec![0; generator.below(1300) as usize];
        for part in bytes.chunks_mut(32) {
            part.copy_from_slice(&generator.bytes::<32>()[..part.len()]);
        }
        (stranger(number), bytes)
    });
}

#[test]
fn d18_d19_floods_of_forged_tokens_cost_no_more_than_a_network_may_ask() {
    let mut crowd = Crowd::new(2);
    let request = crowd.recorded(0)[0].bytes.clone();
    // From everywhere: each costs an opening. From one network: most cost nothing.
    crowd.suffers(&[Forged], |_, number| (stranger(number), altered(request.clone(), 700, number)));
    assert!(a_tick() > A_TICK || crowd.world.dropped(Flood) == 0);
    let one = |number: usize| SocketAddr::from(([198, 51, 100, number as u8], 53));
    crowd.suffers(&[Forged, Flood], |_, number| (one(number), altered(request.clone(), 700, number)));
    assert!(crowd.world.dropped(Flood) > (TICKS * a_tick() - 1100) as u64);
    let token = crowd.tokens_1_00()[0].clone();
    let reasons = [Forged, Flood, UnknownKey, TokenUsed, TokenInUse];
    crowd.suffers(&reasons, |_, number| (stranger(number), altered(token.clone(), 970, number)));
    crowd.suffers(&reasons, |_, number| (one(number), altered(token.clone(), 970, number)));
}

#[test]
fn a_flood_of_a_valid_token_from_everywhere_gets_less_than_it_sends_and_nothing_is_kept() {
    let mut crowd = Crowd::new(3);
    let token = crowd.world.token(500);
    let request = [&token[90..], &[3; 16]].concat();
    crowd.suffers(&[Flood], |_, number| {
        let from = if number % 2 == 0 { stranger(number) } else { SocketAddr::from(([9, 9, 9, 9], 9)) };
        (from, request.clone())
    });
    assert_eq!(crowd.world.servers[0].server.connected(), HONEST);
    // Who has the token gets in all the same, from a network that is cut off too, a second later.
    let client = crowd.world.add_client();
    crowd.world.clients[client].address = SocketAddr::from(([9, 9, 9, 10], 9));
    crowd.world.connect_with(client, &token);
    crowd.world.run(ms(1500));
    assert_eq!(crowd.world.state(client), Connected);
}

#[test]
fn floods_of_recorded_handshakes_and_cookies_disturb_nobody() {
    let mut crowd = Crowd::new(4);
    for kind in [0, 0xE0] {
        let recorded = crowd.recorded(kind);
        let reasons = [TokenInUse, Unexpected, Cookie, Flood];
        // From where they came, and from elsewhere.
        crowd.suffers(&reasons, |_, number| {
            let Datagram { from, bytes, .. } = recorded[number % recorded.len()].clone();
            (if number % 2 == 0 { from } else { stranger(number) }, bytes)
        });
        let response = recorded[0].bytes.clone();
        crowd.suffers(&[Cookie, TokenInUse], |_, number| {
            (stranger(number), altered(response.clone(), 1024, number))
        });
    }
    assert!(crowd.world.dropped(Cookie) > 0);
}

#[test]
fn floods_of_forged_and_replayed_packets_from_the_players_own_addresses_disturb_nobody() {
    let mut crowd = Crowd::new(5);
    let data = crowd.recorded(0x80);
    crowd.suffers(&[Forged, Replayed], |_, number| {
        let Datagram { from, bytes, .. } = data[number % data.len()].clone();
        (from, bytes)
    });
    crowd.suffers(&[Forged, Replayed], |_, number| {
        let Datagram { from, bytes, .. } = data[number % data.len()].clone();
        (from, altered(bytes, 5, number))
    });
    // Of CUTE 1.00 what is not a handshake has a number that is not looked at before it opens.
    let old: Vec<Datagram> =
        crowd.recorded.iter().filter(|datagram| (1..=7).contains(&datagram.bytes[0])).cloned().collect();
    crowd.suffers(&[Forged, Replayed, Unexpected, Ended], |_, number| {
        let Datagram { from, bytes, .. } = old[number % old.len()].clone();
        (from, if number % 2 == 0 { bytes } else { altered(bytes, 40, number) })
    });
    // By connection id, which is no secret; connections of CUTE 1.00 have one too, that none of its packets names.
    crowd.suffers(&[Forged, Replayed, UnknownConnection, Type], |_, number| {
        let mut bytes = pattern(100, number as u64);
        bytes[0] = 0x83;
        bytes[1..5].copy_from_slice(&(number as u32 % 64).to_le_bytes());
        (stranger(number), bytes)
    });
}

/// Who is connected sends as fast as it can, unreliable messages and reliable ones: it has its share of memory and no
/// more.
#[test]
fn a_player_that_sends_at_full_speed_disturbs_nobody() {
    let mut crowd = Crowd::new(6);
    let mut puppet = Puppet::connect(&mut crowd.world, 600);
    let index = puppet.accept.unwrap().client_index;
    let before = live();
    let mut sequence = 0u16;
    for tick in 0..TICKS {
        for number in 0..A_TICK {
            let unreliable = head(Unreliable, 0, None);
            let reliable = head(ReliableOrdered, sequence, None);
            let content = frames(|writer| {
                if number % 2 == 0 {
                    assert!(writer.message(&unreliable, &[tick as u8; 1000]));
                } else {
                    assert!(writer.message(&reliable, &[tick as u8; 100]));
                    sequence += 1;
                }
            });
            assert_eq!(puppet.hands(&mut crowd.world, &content), Ok(()));
        }
        crowd.round();
    }
    assert!(crowd.world.servers[0].server.is_connected(index), "it has broken nothing");
    assert!(live() - before < MEMORY, "{} bytes more", live() - before);
}

/// The same on CUTE 1.00.
#[test]
fn a_player_of_1_00_that_sends_at_full_speed_disturbs_nobody() {
    let mut crowd = Crowd::new(7);
    let other = std::mem::replace(&mut crowd.world.secret, secret_1_00(7));
    let mut puppet = puppet_1_00::Puppet::connect(&mut crowd.world, 600);
    crowd.world.secret = other;
    let before = live();
    let mut message = 0u16;
    for tick in 0..TICKS {
        for number in 0..A_TICK {
            let (reliable, size) = if number % 2 == 0 { (false, 1000) } else { (true, 100) };
            let body = fragment(reliable, message, (1, 0), &[tick as u8; 1000][..size]);
            message += u16::from(reliable);
            let packet = puppet.forge.payload(&body);
            assert_eq!(puppet.hands(&mut crowd.world, packet), Ok(()));
        }
        crowd.round();
    }
    assert!(crowd.world.servers[0].server.is_connected(puppet.index), "it has broken nothing");
    assert!(live() - before < MEMORY, "{} bytes more", live() - before);
}
