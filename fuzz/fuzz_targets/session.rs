//! A client and a server whose programs do anything, over both protocols and with or without caps on the rates, on
//! a network that does anything, against a model of what must be delivered: reliable messages once and whole, in
//! order where ordered; unreliable ones at most once and whole. When the network is good again, everything reliable
//! arrives or both ends know the end.
#![no_main]

use arbitrary::Arbitrary;
use cute_net::client::{Client, ClientState};
use cute_net::connection::Transmit;
use cute_net::crypto::random::Generator;
use cute_net::datagram::{BASE_DATAGRAM, LARGEST_DATAGRAM};
use cute_net::endpoint::Families;
use cute_net::message::Message;
use cute_net::reason::DisconnectReason;
use cute_net::server::{Event, Server};
use cute_net::time::{Clock, Instant};
use cute_net::token::Version;
use cute_net::v2::packet::PacketType;
use cute_net_fuzz::damage::{Edit, damage};
use cute_net_fuzz::{APPLICATION, DELIVERIES, Datagram, SERVER, UNIX};
use cute_net_fuzz::{arrival, sent_by_client, sent_by_server, server_with_rates, token};
use libfuzzer_sys::fuzz_target;
use std::collections::{HashMap, VecDeque};
use std::sync::LazyLock;

#[derive(Arbitrary, Debug)]
struct Input {
    setup: Setup,
    acts: Vec<Act>,
}

#[derive(Arbitrary, Debug)]
struct Setup {
    /// The first connection is of CUTE 1.00.
    old: bool,
    /// Unreliable messages leave inside the call.
    immediate: bool,
    incoming: u8,
    outgoing: u8,
}

/// A cap in bytes a second. The least lets all that a connection may carry through before a session must be settled.
fn rate(choice: u8) -> Option<u32> {
    [None, Some(20_000), Some(50_000), Some(200_000)][usize::from(choice % 4)]
}

#[derive(Arbitrary, Debug)]
enum Act {
    Send {
        down: bool,
        channel: u8,
        delivery: u8,
        size: u16,
        count: u8,
    },
    /// What is queued leaves now: all of it, or the unreliable messages.
    Flush {
        server: bool,
        everything: bool,
    },
    /// Caps the messages that may begin on channels.
    Rate {
        server: bool,
        choice: u8,
    },
    /// An end updates: it takes in the first of what is under way, and sends.
    Update {
        server: bool,
        step: Step,
        arrive: u8,
    },
    /// Some updates of both ends, in which everything arrives.
    Play {
        updates: u8,
        ms: u8,
    },
    Lose {
        down: bool,
        which: u8,
    },
    Delay {
        down: bool,
        which: u8,
    },
    Duplicate {
        down: bool,
        which: u8,
    },
    Corrupt {
        down: bool,
        which: u8,
        edits: Vec<Edit>,
    },
    /// A program takes its messages.
    Take {
        server: bool,
    },
    /// The path takes datagrams of up to 1,200 bytes and these.
    Narrow {
        more: u8,
    },
    /// The client has another address.
    Move {
        host: u8,
    },
    Connect {
        old: bool,
    },
    /// The player comes from another device, with a newer token; the old one says nothing.
    TakeOver {
        old: bool,
    },
    /// It tries once more with its token.
    Again,
    Leave,
    Crash,
    Kick {
        told: bool,
    },
    RestartServer {
        seed: u8,
    },
}

#[derive(Arbitrary, Debug)]
enum Step {
    Milliseconds(u8),
    Seconds(f64),
}

impl Step {
    fn seconds(&self) -> f64 {
        match self {
            Step::Milliseconds(ms) => f64::from(*ms) / 1000.0,
            Step::Seconds(seconds) => *seconds,
        }
    }
}

struct Sent {
    channel: u8,
    delivery: u8,
    bytes: Vec<u8>,
    delivered: bool,
    /// False for a message of a server that is gone, sent before its client had connected.
    owed: bool,
}

impl Sent {
    fn is_done(&self) -> bool {
        self.delivered || !self.owed
    }
}

/// The messages of one connection in one direction; a message names its place among them, by its id or, on
/// channel 0, by its first two bytes.
#[derive(Default)]
struct Flow(Vec<Sent>);

/// Bytes of messages in one direction of a connection, at most.
const VOLUME: usize = 300_000;

/// What messages are cut from: in a fuzz target every step of a loop that made them up would be traced.
static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut generator = Generator::new([0; 32]);
    (0..(65_536 + VOLUME) / 1024 + 1).flat_map(|_| generator.bytes::<1024>()).collect()
});

impl Flow {
    fn has_room(&self, size: usize) -> bool {
        self.0.iter().map(|sent| sent.bytes.len()).sum::<usize>() + size <= VOLUME && self.0.len() < 500
    }

    /// The next message: its id and its bytes, which differ from those of every other.
    fn next(&self, channel: u8, size: usize, salt: usize) -> (u32, Vec<u8>) {
        let id = self.0.len();
        let start = (id * 31 + salt * 101) % 65_536;
        let mut bytes = NOISE[start..start + size].to_vec();
        if channel == 0 {
            bytes.splice(..size.min(2), (id as u16).to_le_bytes());
        }
        (id as u32, bytes)
    }

    fn on_delivered(&mut self, message: &Message) {
        let info = message.info();
        let id = match info.channel {
            0 => usize::from(u16::from_le_bytes(*message.payload().first_chunk().expect("an id"))),
            _ => info.id as usize,
        };
        let sent = self.0.get(id).expect("a message that was sent");
        let (channel, delivery) = (sent.channel, sent.delivery);
        assert_eq!((info.channel, info.reliable), (channel, delivery < 2));
        assert!(sent.bytes == message.payload(), "message {id} is not what was sent");
        assert!(!sent.delivered, "message {id} came twice");
        let same = |sent: &&Sent| (sent.channel, sent.delivery) == (channel, delivery);
        match delivery {
            0 => assert!(self.0[..id].iter().filter(same).all(Sent::is_done), "{id} overtook"),
            3 => assert!(!self.0[id..].iter().filter(same).any(|sent| sent.delivered), "{id} is late"),
            _ => {}
        }
        self.0[id].delivered = true;
    }

    fn is_complete(&self) -> bool {
        self.0.iter().all(|sent| sent.is_done() || sent.delivery >= 2)
    }
}

/// Every datagram that `poll` writes.
fn all_of(mut poll: impl FnMut(&mut [u8]) -> Option<Transmit>) -> Vec<(Transmit, Vec<u8>)> {
    let mut buffer = [0; LARGEST_DATAGRAM];
    let mut all = Vec::new();
    while let Some(transmit) = poll(&mut buffer) {
        let bytes = buffer[..transmit.size].to_vec();
        all.push((transmit, bytes));
        assert!(all.len() < 10_000, "unreliable messages leave without end");
    }
    all
}

const UP: usize = 0;
const DOWN: usize = 1;

struct Session {
    server: Server,
    client: Client,
    clocks: [Clock; 2],
    host: u8,
    /// What the path takes.
    largest: usize,
    /// What is under way, each way.
    wires: [VecDeque<Datagram>; 2],
    /// The flows of each connection; the client has the last.
    connections: Vec<[Flow; 2]>,
    /// The token of each.
    tokens: Vec<(Version, u8, u8)>,
    /// The connection in each slot, as events told, and as the server has it.
    slots: HashMap<u32, usize>,
    occupants: HashMap<u32, usize>,
    setup: Setup,
    seed: u8,
}

impl Session {
    fn new(setup: Setup) -> Session {
        let mut client = Client::new(APPLICATION);
        client.set_largest_datagram(LARGEST_DATAGRAM);
        Session {
            server: server_with_rates(7, rate(setup.incoming), rate(setup.outgoing)),
            client,
            clocks: Default::default(),
            host: 2,
            largest: LARGEST_DATAGRAM,
            wires: Default::default(),
            connections: Vec::new(),
            tokens: Vec::new(),
            slots: HashMap::new(),
            occupants: HashMap::new(),
            setup,
            seed: 0,
        }
    }

    /// Another player, or the same by a newer token, begins to connect.
    fn connect(&mut self, old: bool, same: bool) {
        let serial = self.connections.len();
        if serial >= 100 {
            return;
        }
        if same {
            self.client.abandon();
        } else {
            self.client.disconnect();
            self.flush_client();
        }
        let version = if old { Version::V1 } else { Version::V2 };
        let last = self.tokens.last().filter(|_| same);
        // A connection is known by the serial number that its token carries.
        let token = (version, last.map_or(serial as u8, |last| last.1), serial as u8);
        self.connections.push(Default::default());
        self.tokens.push(token);
        self.show(token);
    }

    fn show(&mut self, (version, id, serial): (Version, u8, u8)) {
        self.seed = self.seed.wrapping_add(1);
        let mut seed = [id; 32];
        seed[0] = self.seed;
        self.client.connect(&token(version, id, serial), seed).unwrap();
    }

    /// Shows the last token again, with which no message has travelled.
    fn again(&mut self) {
        let Some(token) = self.tokens.last().copied() else { return };
        if self.connections.last().is_some_and(|flows| flows.iter().all(|flow| flow.0.is_empty())) {
            self.client.abandon();
            self.show(token);
        }
    }

    /// Notes who is in the server's slots. A slot has another client only after the program has heard that the last
    /// is gone.
    fn note_occupants(&mut self) {
        for slot in self.server.clients() {
            let connection = self.server.user_data(slot).map(|data| usize::from(data[1]));
            self.occupants.insert(slot, connection.expect("a client's user data"));
        }
    }

    /// The slot that the client's connection has on the server.
    fn slot(&self) -> Option<u32> {
        let current = self.connections.len().checked_sub(1)?;
        let known = self.slots.iter().find(|(_, at)| **at == current)?;
        Some(*known.0).filter(|slot| self.server.is_connected(*slot))
    }

    fn send(&mut self, down: bool, channel: u8, delivery: u8, size: usize) {
        let Some(salt) = self.connections.len().checked_sub(1) else { return };
        let flow = &self.connections[salt][usize::from(down)];
        if !flow.has_room(size.max(2)) {
            return;
        }
        // CUTE 1.00 has one channel, and reliable messages in order and unreliable ones.
        let is_old = self.tokens[salt].0 == Version::V1;
        let (channel, delivery) = if is_old { (0, delivery / 2 * 2) } else { (channel, delivery) };
        let size = if channel == 0 { size.max(2) } else { size };
        let (id, bytes) = flow.next(channel, size, salt * 2 + usize::from(down));
        let kind = DELIVERIES[usize::from(delivery)];
        let result = if down {
            let Some(slot) = self.slot() else { return };
            self.server.send(slot, channel, kind, id, &bytes)
        } else if self.client.state() == ClientState::Connected {
            self.client.send(channel, kind, id, &bytes)
        } else {
            return;
        };
        result.expect("there is room");
        let sent = Sent { channel, delivery, bytes, delivered: false, owed: true };
        self.connections[salt][usize::from(down)].0.push(sent);
        if self.setup.immediate && delivery >= 2 {
            self.flush(down, false);
        }
    }

    /// What is queued leaves between updates.
    fn flush(&mut self, server: bool, everything: bool) {
        let Session { server: engine, client, wires, host, largest, .. } = self;
        match (server, everything) {
            (true, true) => {
                let sent = sent_by_server(engine).into_iter();
                wires[DOWN].extend(sent.filter(|datagram| datagram.bytes.len() <= *largest));
            }
            (false, true) => self.flush_client(),
            (true, false) => {
                let Some(slot) = self.slot() else { return };
                let poll =
                    |room: &mut [u8]| self.server.poll_transmit_unreliable(Families::ALL, slot, room);
                for (transmit, bytes) in all_of(poll) {
                    let std::net::SocketAddr::V4(to) = transmit.path.remote else { continue };
                    if bytes.len() <= self.largest {
                        self.wires[DOWN].push_back(Datagram { host: to.ip().octets()[3], bytes });
                    }
                }
            }
            (false, false) => {
                for (_, bytes) in all_of(|room| client.poll_transmit_unreliable(room)) {
                    if bytes.len() <= *largest {
                        wires[UP].push_back(Datagram { host: *host, bytes });
                    }
                }
            }
        }
    }

    fn flush_client(&mut self) {
        let sent =
            sent_by_client(&mut self.client).into_iter().filter(|bytes| bytes.len() <= self.largest);
        self.wires[UP].extend(sent.map(|bytes| Datagram { host: self.host, bytes }));
    }

    fn update_client(&mut self, step: f64, arrive: usize) {
        self.clocks[UP].advance(step);
        self.client.advance(self.clocks[UP].now(), UNIX);
        let arriving = arrive.min(self.wires[DOWN].len());
        for mut datagram in self.wires[DOWN].drain(..arriving) {
            if datagram.host == self.host {
                let _ = self
                    .client
                    .handle_datagram(&arrival(SERVER, self.clocks[UP].now()), &mut datagram.bytes);
            }
        }
        self.client.handle_timeout(false);
        self.flush_client();
    }

    fn update_server(&mut self, step: f64, arrive: usize) {
        self.clocks[DOWN].advance(step);
        self.server.advance(self.clocks[DOWN].now(), UNIX);
        let arriving = arrive.min(self.wires[UP].len());
        for mut datagram in self.wires[UP].drain(..arriving).collect::<Vec<_>>() {
            let arrival = arrival(datagram.host, self.clocks[DOWN].now());
            let _ = self.server.handle_datagram(&arrival, &mut datagram.bytes);
            self.note_occupants();
        }
        self.server.handle_timeout(false);
        let sent = sent_by_server(&mut self.server).into_iter();
        self.wires[DOWN].extend(sent.filter(|datagram| datagram.bytes.len() <= self.largest));
    }

    fn play(&mut self, step: f64) {
        self.update_client(step, usize::MAX);
        self.update_server(step, usize::MAX);
    }

    fn take_client_messages(&mut self) {
        let Some([_, flow]) = self.connections.last_mut() else { return };
        while let Some(message) =
            self.client.poll_message().or_else(|| self.client.poll_channel_message())
        {
            flow.on_delivered(&message);
        }
    }

    fn take_server_messages(&mut self) {
        let mut gone = HashMap::new();
        while let Some(event) = self.server.poll_event() {
            match event {
                Event::Connected { index, client_id, .. } => {
                    let connection = self.occupants[&index];
                    assert_eq!(u64::from(self.tokens[connection].1), client_id);
                    let before = self.slots.insert(index, connection);
                    assert_eq!(before, None, "slot {index} is not free");
                }
                Event::Disconnected { index, .. } => {
                    gone.insert(index, self.slots.remove(&index).expect("a client in the slot"));
                }
                Event::Message { index, message } => {
                    self.connections[self.slots[&index]][UP].on_delivered(&message);
                }
            }
        }
        while let Some((index, message)) = self.server.poll_channel_message() {
            let at = self.slots.get(&index).or(gone.get(&index)).expect("a client in the slot");
            self.connections[*at][UP].on_delivered(&message);
        }
    }

    /// A datagram under way is altered: no engine takes it for what it was.
    fn corrupt(&mut self, down: bool, which: u8, edits: &[Edit]) {
        let wire = &mut self.wires[usize::from(down)];
        let Some(mut datagram) = wire.remove(usize::from(which)) else { return };
        let before = datagram.bytes.clone();
        damage(&mut datagram.bytes, edits);
        let is_data = PacketType::of(before[0]) == Some(PacketType::Data);
        let altered = datagram.bytes != before;
        let result = if down {
            let arrival = arrival(SERVER, self.clocks[UP].now());
            self.client.handle_datagram(&arrival, &mut datagram.bytes)
        } else {
            let arrival = arrival(datagram.host, self.clocks[DOWN].now());
            let result = self.server.handle_datagram(&arrival, &mut datagram.bytes);
            self.note_occupants();
            result
        };
        assert!(!(is_data && altered && result.is_ok()), "an altered packet opened");
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Send { down, channel, delivery, size, count } => {
                for _ in 0..=count % 8 {
                    self.send(*down, channel % 9, delivery % 4, usize::from(*size));
                }
            }
            Act::Update { server: true, step, arrive } => {
                self.update_server(step.seconds(), usize::from(*arrive));
            }
            Act::Update { server: false, step, arrive } => {
                self.update_client(step.seconds(), usize::from(*arrive));
            }
            Act::Play { updates, ms } => {
                for _ in 0..updates % 32 {
                    self.play(f64::from(*ms) / 1000.0);
                }
            }
            Act::Lose { down, which } => {
                self.wires[usize::from(*down)].remove(usize::from(*which));
            }
            Act::Delay { down, which } => {
                let wire = &mut self.wires[usize::from(*down)];
                let delayed = wire.remove(usize::from(*which));
                wire.extend(delayed);
            }
            Act::Duplicate { down, which } => {
                let wire = &mut self.wires[usize::from(*down)];
                let copy = wire.get(usize::from(*which)).cloned();
                wire.extend(copy);
            }
            Act::Corrupt { down, which, edits } => self.corrupt(*down, *which, edits),
            Act::Take { server: true } => self.take_server_messages(),
            Act::Take { server: false } => self.take_client_messages(),
            Act::Narrow { more } => self.largest = BASE_DATAGRAM + usize::from(*more),
            Act::Move { host } => self.host = 2 + host % 4,
            Act::Flush { server, everything } => self.flush(*server, *everything),
            Act::Rate { server: true, choice } => self.server.set_message_rate(rate(*choice)),
            Act::Rate { server: false, choice } => self.client.set_message_rate(rate(*choice)),
            Act::Connect { old } => self.connect(*old, false),
            Act::TakeOver { old } => self.connect(*old, true),
            Act::Again => self.again(),
            Act::Leave => {
                self.client.disconnect();
                self.flush_client();
            }
            Act::Crash => self.client.abandon(),
            Act::Kick { told } => {
                if let Some(slot) = self.slot() {
                    self.server.disconnect(slot, DisconnectReason::KICKED, b"text", *told);
                }
            }
            Act::RestartServer { seed } => {
                let Setup { incoming, outgoing, .. } = self.setup;
                self.server = server_with_rates(*seed, rate(incoming), rate(outgoing));
                self.server.advance(self.clocks[DOWN].now(), UNIX);
                self.slots.clear();
                self.occupants.clear();
                // A client that is connected finds out. One that is about to be gets in as if nothing had been sent.
                if self.client.state() != ClientState::Connected
                    && let Some(flows) = self.connections.last_mut()
                {
                    flows[DOWN].0.iter_mut().for_each(|sent| sent.owed = false);
                }
            }
        }
    }

    /// True when nothing more can come: all reliable messages are there, or both ends know of an end.
    fn is_settled(&self) -> bool {
        let Some(flows) = self.connections.last() else { return true };
        let lives = self.client.state() == ClientState::Connected && self.slot().is_some();
        let over = self.client.state() <= ClientState::Disconnected && self.slot().is_none();
        over || lives && flows.iter().all(Flow::is_complete)
    }

    fn settle(&mut self) {
        for _ in 0..6000 {
            self.take_client_messages();
            self.take_server_messages();
            if self.is_settled() {
                return;
            }
            self.play(0.02);
        }
        panic!("not settled after 120 s, the client is {:?}", self.client.state());
    }
}

/// The clock ends; what lies before is more than centuries.
const LATE: Instant = Instant::from_nanos(u64::MAX / 2);

fuzz_target!(|input: Input| {
    let old = input.setup.old;
    let mut session = Session::new(input.setup);
    session.connect(old, false);
    session.play(0.0);
    for act in input.acts.iter().take(200) {
        session.act(act);
        if session.clocks.iter().any(|clock| clock.now() > LATE) {
            return;
        }
    }
    session.settle();
});
