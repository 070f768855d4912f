//! A player and a server of CUTE 1.00 that hold keys and write their own packets, and the honest client beside
//! them.

use crate::ms;
use crate::world::{APPLICATION, Datagram, Reply, World, world_1_00};
use cute_net::client::ClientState::Connected;
use cute_net::crypto::Key;
use cute_net::drop_reason::DropReason;
use cute_net::simulator::SimulatorConfig;
use cute_net::token::{ConnectToken, PACKET_SIZE, TOKEN_SIZE};
use cute_net::v1::packet::{Packet, PacketType, Side};
use cute_net::v1::packet_seal::PacketSeal;
use cute_net::v1::secretbox::Secretbox;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

/// The packet that a player shows of a token.
pub fn packet_of(token: &[u8; TOKEN_SIZE]) -> [u8; PACKET_SIZE] {
    *token.last_chunk().unwrap()
}

static PACKETS: AtomicU64 = AtomicU64::new(0);

/// Packets of one direction, whatever they say.
pub struct Forge {
    secretbox: Secretbox,
    pub sequence: u64,
    /// The number of the next payload.
    pub number: u16,
}

impl Forge {
    pub fn new(key: &Key) -> Forge {
        Forge { secretbox: Secretbox::new(key), sequence: 0, number: 0 }
    }

    /// A packet that opens.
    pub fn packet(&mut self, kind: PacketType, content: &[u8]) -> Vec<u8> {
        let mut sealed = content.to_vec();
        // Another for each packet: two players of a test may hold one token, and begin at 0 both.
        let mut iv = [0; 20];
        iv[..8].copy_from_slice(&PACKETS.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        let front = self.secretbox.seal(self.sequence, &iv, &mut sealed);
        let sequence = self.sequence.to_le_bytes();
        self.sequence += 1;
        [&[kind as u8][..], &sequence, &[0; 28], &front, &sealed].concat()
    }

    /// A payload packet that claims `length` bytes of payload.
    pub fn lie(&mut self, length: u16, payload: &[u8]) -> Vec<u8> {
        self.packet(PacketType::Payload, &[&length.to_le_bytes()[..], payload].concat())
    }

    /// A payload packet with this behind the acknowledgements, which say nothing unless given.
    pub fn payload_with(&mut self, (ack, bits): (u16, u32), body: &[u8]) -> Vec<u8> {
        let header = [self.number.to_le_bytes(), ack.to_le_bytes()].concat();
        self.number = self.number.wrapping_add(1);
        let payload = [&header[..], &bits.to_le_bytes(), body].concat();
        self.lie(payload.len() as u16, &payload)
    }

    pub fn payload(&mut self, body: &[u8]) -> Vec<u8> {
        self.payload_with((u16::MAX, 0), body)
    }
}

/// A fragment that claims `size` bytes.
pub fn sized(
    reliable: bool,
    message: u16,
    (count, index): (u16, u16),
    size: u16,
    bytes: &[u8],
) -> Vec<u8> {
    let head = [message, count, index, size].map(u16::to_le_bytes).concat();
    [&[u8::from(reliable)][..], &head, bytes].concat()
}

pub fn fragment(reliable: bool, message: u16, part: (u16, u16), bytes: &[u8]) -> Vec<u8> {
    sized(reliable, message, part, bytes.len() as u16, bytes)
}

/// A player that holds a valid token and writes its own packets.
pub struct Puppet {
    pub address: SocketAddr,
    pub token: [u8; PACKET_SIZE],
    pub forge: Forge,
    pub seal: PacketSeal,
    /// Its slot, once connected.
    pub index: u32,
}

impl Puppet {
    /// Has a token, and sent nothing yet.
    pub fn new(world: &mut World, client_id: u64) -> Puppet {
        let token = world.token(client_id);
        Puppet::with_token(&token, client_id)
    }

    pub fn with_token(token: &[u8; TOKEN_SIZE], number: u64) -> Puppet {
        let [.., high, low] = number.to_be_bytes();
        let address = SocketAddr::from(([10, 66, high, low], 666));
        let read = ConnectToken::read(token, APPLICATION, 0).unwrap();
        let forge = Forge::new(&read.keys.client_to_server);
        let seal = PacketSeal::new(Side::Client, &read.keys);
        Puppet { address, token: packet_of(token), forge, seal, index: u32::MAX }
    }

    /// Shows the token and returns the content of the challenge that came.
    pub fn challenge(&mut self, world: &mut World) -> Vec<u8> {
        let (result, mut replies) = world.say(self.address, &self.token);
        assert_eq!((result, replies.len()), (Ok(()), 1));
        match self.seal.open(&mut replies[0]) {
            Ok(Packet::ChallengeRequest(challenge)) => {
                [&challenge.nonce.to_le_bytes()[..], challenge.data].concat()
            }
            other => panic!("no challenge: {other:?}"),
        }
    }

    /// Says what should be the echo of a challenge.
    pub fn echo(&mut self, world: &mut World, content: &[u8]) -> Reply {
        let response = self.forge.packet(PacketType::ChallengeResponse, content);
        world.say(self.address, &response)
    }

    /// Connects to the first server, and has it know.
    pub fn connect(world: &mut World, client_id: u64) -> Puppet {
        let mut puppet = Puppet::new(world, client_id);
        let challenge = puppet.challenge(world);
        let before: Vec<u32> = world.servers[0].server.clients().collect();
        let (result, mut replies) = puppet.echo(world, &challenge);
        assert_eq!(result, Ok(()));
        // A connection that this one replaces is told so under its own keys.
        let accepts = |reply: &mut Vec<u8>| matches!(puppet.seal.open(reply), Ok(Packet::Accepted(_)));
        assert!(replies.iter_mut().any(accepts));
        puppet.index = world.servers[0].server.clients().find(|index| !before.contains(index)).unwrap();
        let keepalive = puppet.forge.packet(PacketType::Keepalive, b"");
        assert_eq!(world.say(puppet.address, &keepalive).0, Ok(()));
        puppet
    }

    /// Says that it is gone, twice of the ten times for which an original does.
    pub fn leaves(&mut self, world: &mut World) {
        for _ in 0..2 {
            let disconnect = self.forge.packet(PacketType::Disconnect, b"");
            assert_eq!(world.say(self.address, &disconnect).0, Ok(()));
        }
    }

    /// Sends what a packet has behind its acknowledgements.
    pub fn sends(&mut self, world: &mut World, body: &[u8]) -> Result<(), DropReason> {
        let packet = self.forge.payload(body);
        world.say(self.address, &packet).0
    }

    /// Hands the server a packet and leaves it at that.
    pub fn hands(&mut self, world: &mut World, bytes: Vec<u8>) -> Result<(), DropReason> {
        let to = world.servers[0].address;
        world.deliver(&Datagram { from: self.address, to, bytes })
    }

    /// What the program at the server got from it, taken.
    pub fn received(&self, world: &mut World) -> Vec<Vec<u8>> {
        world.pop_events(0);
        let received = std::mem::take(&mut world.servers[0].received);
        received.into_iter().filter(|(from, ..)| *from == self.index).map(|(.., bytes)| bytes).collect()
    }
}

/// A world with an honest client, which is well.
pub fn world_with_honest_client(seed: u64) -> World {
    let mut world = world_1_00(seed, SimulatorConfig::default());
    world.connect(1);
    world.server_expects(1);
    world.run(ms(200));
    world.check_honest_client();
    world
}

/// A copy of a datagram under another sequence of its block of 256, which the cipher does not tell from its own
/// (`src/v1/replay.rs`).
pub fn moved_within_its_block(datagram: &Datagram, change: u8) -> Datagram {
    let mut moved = datagram.clone();
    moved.bytes[1] ^= change;
    moved.bytes[56] ^= change;
    moved
}

/// A client of ours whose server is hostile.
pub fn client_of_hostile_server(seed: u64) -> (World, Forge) {
    let mut world = world_1_00(seed, SimulatorConfig::default());
    world.servers[0].runs = false;
    let options = world.token_options(1);
    let token = world.token_with_keys(&options, [[1; 32], [2; 32]]);
    let client = world.add_client();
    world.connect_with(client, &token);
    world.step();
    let mut forge = Forge::new(&Key::new([2; 32]));
    let challenge = forge.packet(PacketType::ChallengeRequest, &[9; 264]);
    assert_eq!(client_hears(&mut world, challenge), Ok(()));
    let accepted = [&1u64.to_le_bytes()[..], &32u32.to_le_bytes(), &10u32.to_le_bytes()].concat();
    let accepted = forge.packet(PacketType::Accepted, &accepted);
    assert_eq!(client_hears(&mut world, accepted), Ok(()));
    assert_eq!(world.state(0), Connected);
    (world, forge)
}

/// Delivers a datagram to the first client, from its server.
pub fn client_hears(world: &mut World, bytes: Vec<u8>) -> Result<(), DropReason> {
    let (from, to) = (world.servers[0].address, world.clients[0].address);
    world.deliver(&Datagram { from, to, bytes })
}
