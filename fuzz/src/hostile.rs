//! A peer that holds the keys of a live connection and writes its own packets.

use crate::{APPLICATION, SERVER, World, client, sent_by_client, sent_by_server, token};
use cute_net::bytes::Writer;
use cute_net::client::{Client, ClientState};
use cute_net::time::Instant;
use cute_net::token::{ConnectToken, PACKET_SIZE, Version};
use cute_net::v2::attempt::{Attempt, SEND_INTERVAL};
use cute_net::v2::frame::{Accept, Frame, Frames};
use cute_net::v2::frame_writer::FrameWriter;
use cute_net::v2::handshake::{self, CHALLENGE_SIZE, REQUEST_SIZE, Request};
use cute_net::v2::keys::{AssociatedPrefix, SessionKeys};
use cute_net::v2::packet::{PacketSeal, Side};

/// Where a hostile client is.
pub const HOST: u8 = 66;

pub struct Hostile {
    seal: PacketSeal,
    /// What a client writes into its packets.
    connection_id: u32,
    pub next_number: u64,
}

impl Hostile {
    fn token() -> ConnectToken {
        ConnectToken::read(&token(Version::V2, HOST, 0), APPLICATION, 0).unwrap()
    }

    /// Connects as a client to the server of `world`.
    pub fn client(world: &mut World) -> Hostile {
        let token = Hostile::token();
        let packet: &[u8; PACKET_SIZE] = &token.packet;
        let prefix = AssociatedPrefix::new(APPLICATION);
        let mut attempt = Attempt::new([3; 16], SEND_INTERVAL);
        let mut buffer = [0; 1200];
        let say = |world: &mut World, bytes: &[u8]| {
            world.deliver_to_server(HOST, bytes).unwrap();
            world.server.handle_timeout(false);
            let sent = sent_by_server(&mut world.server);
            sent.into_iter().find(|datagram| datagram.host == HOST).unwrap().bytes
        };
        let size = attempt.poll_transmit(world.now, &prefix, packet, &mut buffer).unwrap();
        let challenge = say(world, &buffer[..size]);
        let keys = attempt.handle_challenge(&prefix, &token.keys, &challenge).unwrap();
        let seal = PacketSeal::new(Side::Client, prefix, keys);
        let size = attempt.poll_transmit(world.now, &prefix, packet, &mut buffer).unwrap();
        let mut reply = say(world, &buffer[..size]);
        let opened = seal.open(seal.read_header(&mut reply, 0).unwrap()).unwrap();
        let accept = Frames::new(opened).find_map(|frame| match frame {
            Ok(Frame::Accept(accept)) => Some(accept),
            _ => None,
        });
        Hostile { seal, connection_id: accept.unwrap().connection_id, next_number: 0 }
    }

    /// Lets a client in as its server would.
    pub fn server() -> (Hostile, Client) {
        let mut client = client(Version::V2, HOST);
        client.advance(Instant::ZERO, crate::UNIX);
        client.handle_timeout(false);
        let request = sent_by_client(&mut client).remove(0);
        assert_eq!(request.len(), REQUEST_SIZE);
        let random = Request::decode(&request).unwrap().random;
        let cookie = [5; 16];
        let keys = SessionKeys::derive(&Hostile::token().keys, &random, &cookie);
        let prefix = AssociatedPrefix::new(APPLICATION);
        let mut challenge = [0; CHALLENGE_SIZE];
        handshake::seal_challenge(
            &prefix,
            &keys.server_to_client,
            &cookie,
            &mut Writer::new(&mut challenge),
        );
        let arrival = crate::arrival(SERVER, Instant::ZERO);
        client.handle_datagram(&arrival, &mut challenge).unwrap();
        let seal = PacketSeal::new(Side::Server, prefix, &keys);
        let mut hostile = Hostile { seal, connection_id: 0, next_number: 0 };
        let accept = Accept {
            connection_id: 1,
            client_index: 0,
            client_id: u64::from(HOST),
            max_clients: 4,
            connection_timeout: 10,
            incoming_rate: 0,
        };
        let mut frames = [0; 64];
        let mut writer = FrameWriter::new(&mut frames);
        writer.accept(&accept);
        let size = writer.finish();
        client.handle_datagram(&arrival, &mut hostile.packet(&frames[..size])).unwrap();
        assert_eq!(client.state(), ClientState::Connected);
        (hostile, client)
    }

    /// The next packet, with these frames.
    pub fn packet(&mut self, frames: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; frames.len() + 32];
        let number = self.next_number;
        self.next_number += 1;
        let header = self.seal.write_header(number, None, self.connection_id, &mut packet).unwrap();
        packet[header..header + frames.len()].copy_from_slice(frames);
        let size = self.seal.seal(number, header, frames.len(), &mut packet).unwrap();
        packet.truncate(size);
        packet
    }
}
