//! A peer that holds the keys seals any frames: made-up bytes, and those of the real writer, whole and
//! damaged. The parser reads what the writer wrote; a live connection panics never, holds no more than its
//! budget, and on a server another player is served as before.
#![no_main]

use arbitrary::Arbitrary;
use cute_net::bytes::VARINT_MAX;
use cute_net::client::{Client, ClientState};
use cute_net::duration::Duration;
use cute_net::message::Delivery;
use cute_net::token::Version;
use cute_net::v2::frame::{Accept, Fragment, Frame, Frames, MAX_ACK_RANGES};
use cute_net::v2::frame_writer::{FrameWriter, MessageHead};
use cute_net_fuzz::damage::{Edit, damage};
use cute_net_fuzz::hostile::{HOST, Hostile};
use cute_net_fuzz::memory::Budget;
use cute_net_fuzz::{DELIVERIES, SERVER, UNIX, World, arrival, sent_by_client};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    to_client: bool,
    acts: Vec<Act>,
}

#[derive(Arbitrary, Debug)]
enum Act {
    MadeUp {
        frames: Vec<u8>,
    },
    Written {
        frames: Vec<Written>,
        edits: Vec<Edit>,
    },
    /// Leaves packet numbers out.
    Skip {
        numbers: u16,
    },
    /// The end under attack sends a message, which the peer may acknowledge.
    Send {
        channel: u8,
        delivery: u8,
        size: u16,
    },
    Update {
        ms: u8,
        takes: bool,
    },
}

#[derive(Arbitrary, Debug)]
enum Written {
    Ping,
    Ack {
        newest: u16,
        delay_ms: u8,
        ranges: Vec<(u8, u8)>,
    },
    Accept {
        rate: u32,
        timeout: u8,
    },
    Close {
        reason: u8,
        text: Vec<u8>,
    },
    Probe([u8; 8]),
    Echo([u8; 8]),
    Credit(u64),
    Limit(u64),
    Blocked(u64),
    Message {
        channel: u8,
        delivery: u8,
        id: u32,
        sequence: u16,
        fragment: Option<(u32, u32)>,
        size: u16,
    },
}

/// Room for frames in a packet.
const ROOM: usize = 1150;

impl Written {
    fn write(&self, writer: &mut FrameWriter<'_>) -> bool {
        match self {
            Written::Ping => writer.ping(),
            Written::Ack { newest, delay_ms, ranges } => {
                let mut next = Some(u64::from(*newest));
                let ranges = ranges.iter().map_while(|(length, gap)| {
                    let high = next?;
                    let low = high.saturating_sub(u64::from(*length));
                    next = low.checked_sub(u64::from(*gap) + 2);
                    Some(low..=high)
                });
                writer.ack(Duration::from_millis(u64::from(*delay_ms)), ranges).is_some()
            }
            Written::Accept { rate, timeout } => writer.accept(&Accept {
                connection_id: 1,
                client_index: 2,
                client_id: 3,
                max_clients: 4,
                connection_timeout: u32::from(*timeout),
                incoming_rate: *rate,
            }),
            Written::Close { reason, text } => writer.close(*reason, text),
            Written::Probe(data) => writer.path_probe(data),
            Written::Echo(data) => writer.path_echo(data),
            Written::Credit(total) => writer.credit(total & VARINT_MAX),
            Written::Limit(bytes) => writer.limit(bytes & VARINT_MAX),
            Written::Blocked(total) => writer.blocked(total & VARINT_MAX),
            Written::Message { channel, delivery, id, sequence, fragment, size } => {
                let mut size = usize::from(*size) % ROOM;
                let fragment = fragment.map(|(total, offset)| {
                    // Mostly where a real writer would put it.
                    let total = total % (22 << 20) + 1;
                    let offset = offset % total / 32 * 32;
                    let left = (total - offset) as usize;
                    size = if size.max(32) >= left { left } else { size.max(32) / 32 * 32 };
                    Fragment { total, offset }
                });
                let delivery = DELIVERIES[usize::from(delivery % 4)];
                let (channel, id, sequence) = (channel % 9, *id, *sequence);
                let size = if channel == 0 { size.max(1) } else { size };
                let head = MessageHead { channel, delivery, id, sequence, fragment };
                writer.message(&head, &[sequence as u8; ROOM][..size])
            }
        }
    }
}

/// Every frame that parses can be written and read again.
fn check_parser(bytes: &[u8]) {
    for frame in Frames::new(bytes) {
        let Ok(frame) = frame else { return };
        let mut buffer = [0; 2100];
        let mut writer = FrameWriter::new(&mut buffer);
        let written = match &frame {
            Frame::Ping => writer.ping(),
            Frame::Ack(ack) => {
                let ranges: Vec<_> = ack.ranges(u64::from(u16::MAX)).flatten().collect();
                assert!(ranges.len() <= MAX_ACK_RANGES);
                assert!(ranges.windows(2).all(|pair| pair[1].end() + 1 < *pair[0].start()));
                continue;
            }
            Frame::Accept(accept) => writer.accept(accept),
            Frame::Close { reason, text } => writer.close(*reason, text),
            Frame::PathProbe(data) => writer.path_probe(data),
            Frame::PathEcho(data) => writer.path_echo(data),
            Frame::Credit(total) => writer.credit(*total),
            Frame::Limit(bytes) => writer.limit(*bytes),
            Frame::Blocked(total) => writer.blocked(*total),
            Frame::Message(message) => {
                let head = MessageHead {
                    channel: message.channel,
                    delivery: message.delivery,
                    id: message.id.unwrap_or_default(),
                    sequence: message.sequence,
                    fragment: message.fragment,
                };
                writer.message(&head, message.bytes)
            }
            Frame::Unknown => continue,
        };
        assert!(written, "{frame:?}");
        let size = writer.finish();
        assert_eq!(Frames::new(&buffer[..size]).next(), Some(Ok(frame.clone())));
    }
}

/// The end under attack.
enum Victim {
    Client(Box<Client>),
    Server(Box<World>),
}

impl Victim {
    fn is_up(&self) -> bool {
        match self {
            Victim::Client(client) => client.state() == ClientState::Connected,
            Victim::Server(world) => world.server.connected() == 2,
        }
    }

    fn deliver(&mut self, mut packet: Vec<u8>) {
        match self {
            Victim::Client(client) => {
                let _ = client.handle_datagram(&arrival(SERVER, client.now()), &mut packet);
            }
            Victim::Server(world) => {
                let _ = world.deliver_to_server(HOST, &packet);
            }
        }
    }

    fn send(&mut self, channel: u8, delivery: Delivery, size: usize) {
        let bytes = vec![channel; size];
        let _ = match self {
            Victim::Client(client) => client.send(channel, delivery, 0, &bytes),
            Victim::Server(world) => world.server.send(1, channel, delivery, 0, &bytes),
        };
    }

    fn update(&mut self, step: Duration, takes: bool) {
        match self {
            Victim::Client(client) => {
                client.handle_timeout(false);
                sent_by_client(client);
                while takes
                    && (client.poll_message().or_else(|| client.poll_channel_message())).is_some()
                {
                }
                let now = client.now() + step;
                client.advance(now, UNIX);
            }
            Victim::Server(world) => {
                world.exchange(step);
                if takes {
                    world.take();
                }
            }
        }
    }
}

fuzz_target!(|input: Input| {
    let budget = Budget::from_now();
    let (mut hostile, mut victim) = if input.to_client {
        let (hostile, client) = Hostile::server();
        (hostile, Victim::Client(Box::new(client)))
    } else {
        let mut world = World::new(Version::V2, &[2]);
        world.run_until("connected", |world| world.is_connected(0));
        world.allowance[usize::from(HOST)] = u64::MAX;
        let hostile = Hostile::client(&mut world);
        (hostile, Victim::Server(Box::new(world)))
    };
    for act in input.acts.iter().take(256) {
        if !victim.is_up() {
            break;
        }
        match act {
            Act::MadeUp { frames } => {
                check_parser(frames);
                victim.deliver(hostile.packet(frames));
            }
            Act::Written { frames, edits } => {
                let mut buffer = [0; ROOM];
                let mut writer = FrameWriter::new(&mut buffer);
                let written = frames.iter().filter(|frame| frame.write(&mut writer)).count();
                let size = writer.finish();
                assert_eq!(Frames::new(&buffer[..size]).filter(Result::is_ok).count(), written);
                let mut bytes = buffer[..size].to_vec();
                damage(&mut bytes, edits);
                check_parser(&bytes);
                victim.deliver(hostile.packet(&bytes));
            }
            Act::Skip { numbers } => hostile.next_number += u64::from(*numbers),
            Act::Send { channel, delivery, size } => {
                victim.send(channel % 9, DELIVERIES[usize::from(delivery % 4)], usize::from(*size));
            }
            Act::Update { ms, takes } => victim.update(Duration::from_millis(u64::from(*ms)), *takes),
        }
        budget.check();
    }
    victim.update(Duration::from_millis(100), true);
    if let Victim::Server(mut world) = victim {
        world.check_player(0);
    }
});
