//! A player of CUTE 2.00 that holds a valid token and writes its own packets, and the honest client beside it.

use crate::world::{APPLICATION, Datagram, World};
use cute_net::drop_reason::DropReason;
use cute_net::message::Delivery;
use cute_net::token::{ConnectToken, PACKET_SIZE, TOKEN_SIZE};
use cute_net::v2::attempt::{Attempt, SEND_INTERVAL};
use cute_net::v2::frame::{Accept, Fragment, Frame, Frames};
use cute_net::v2::frame_writer::{FrameWriter, MessageHead};
use cute_net::v2::keys::{AssociatedPrefix, SessionKeys};
use cute_net::v2::packet::{PacketSeal, PacketType, Side};
use std::net::SocketAddr;

/// A client that holds a valid token and writes its own packets.
pub struct Puppet {
    pub address: SocketAddr,
    server: SocketAddr,
    seal: PacketSeal,
    pub accept: Option<Accept>,
    /// The number of its next packet.
    pub next_number: u64,
    /// The number expected of the server's next packet.
    pub expected: u64,
    /// The numbers of all that it heard.
    pub heard: Vec<u64>,
}

impl Puppet {
    /// Connects to the first server, which takes some steps of the world.
    pub fn connect(world: &mut World, client_id: u64) -> Puppet {
        let token = world.token(client_id);
        Puppet::connect_with(world, client_id, &token)
    }

    /// Connects with a token.
    pub fn connect_with(world: &mut World, client_id: u64, token: &[u8; TOKEN_SIZE]) -> Puppet {
        let token = ConnectToken::read(token, APPLICATION, 0).unwrap();
        let packet: &[u8; PACKET_SIZE] = &token.packet;
        let prefix = AssociatedPrefix::new(APPLICATION);
        let mut attempt = Attempt::new([client_id as u8; 16], SEND_INTERVAL);
        let (address, server) =
            (SocketAddr::from(([10, 66, 6, client_id as u8], 666)), world.servers[0].address);
        let mut buffer = [0; 1200];
        let size = attempt.poll_transmit(world.now, &prefix, packet, &mut buffer).unwrap();
        let replies = world.say(address, &buffer[..size]).1;
        let keys: &SessionKeys = attempt.handle_challenge(&prefix, &token.keys, &replies[0]).unwrap();
        let seal = PacketSeal::new(Side::Client, prefix, keys);
        let size = attempt.poll_transmit(world.now, &prefix, packet, &mut buffer).unwrap();
        let replies = world.say(address, &buffer[..size]).1;
        let mut puppet = Puppet {
            address,
            server,
            seal,
            accept: None,
            next_number: 0,
            expected: 0,
            heard: Vec::new(),
        };
        puppet.hear(replies);
        assert!(puppet.accept.is_some());
        puppet
    }

    /// Opens what came; returns the reason of a CLOSE.
    pub fn hear(&mut self, datagrams: Vec<Vec<u8>>) -> Option<u8> {
        let mut closed = None;
        for mut datagram in datagrams {
            if PacketType::of(datagram[0]) != Some(PacketType::Data) {
                continue;
            }
            let sealed = self.seal.read_header(&mut datagram, self.expected).unwrap();
            self.expected = self.expected.max(sealed.number + 1);
            let number = sealed.number;
            let opened = self.seal.open(sealed);
            if opened.is_none() && self.accept.is_none() {
                // The last words of an earlier connection.
                continue;
            }
            let frames = opened.expect("the server's packets open");
            self.heard.push(number);
            for frame in Frames::new(frames) {
                match frame.unwrap() {
                    Frame::Accept(accept) => self.accept = Some(accept),
                    Frame::Close { reason, .. } => closed = Some(reason),
                    _ => {}
                }
            }
        }
        closed
    }

    /// A packet with these frames.
    pub fn packet(&mut self, frames: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; frames.len() + 100];
        let id = self.accept.unwrap().connection_id;
        let header = self.seal.write_header(self.next_number, None, id, &mut buffer).unwrap();
        buffer[header..header + frames.len()].copy_from_slice(frames);
        let size = self.seal.seal(self.next_number, header, frames.len(), &mut buffer).unwrap();
        self.next_number += 1;
        buffer.truncate(size);
        buffer
    }

    /// Hands the server a packet with these frames and leaves it at that.
    pub fn hands(&mut self, world: &mut World, frames: &[u8]) -> Result<(), DropReason> {
        let bytes = self.packet(frames);
        world.deliver(&Datagram { from: self.address, to: self.server, bytes })
    }

    /// Sends a packet with these frames; returns the reason of the CLOSE it earned, if it did.
    pub fn send(&mut self, world: &mut World, frames: &[u8]) -> Option<u8> {
        let packet = self.packet(frames);
        let replies = world.say(self.address, &packet).1;
        self.hear(replies)
    }
}

pub fn frames(write: impl FnOnce(&mut FrameWriter<'_>)) -> Vec<u8> {
    let mut buffer = [0; 1150];
    let mut writer = FrameWriter::new(&mut buffer);
    write(&mut writer);
    let length = writer.finish();
    buffer[..length].to_vec()
}

pub fn head(delivery: Delivery, sequence: u16, fragment: Option<(u32, u32)>) -> MessageHead {
    let fragment = fragment.map(|(total, offset)| Fragment { total, offset });
    MessageHead { channel: 0, delivery, id: 0, sequence, fragment }
}
