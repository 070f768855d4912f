//! The sans-IO server: datagrams, time and messages in; datagrams and events out. One server serves any
//! number of clients; an update touches those that have something to do.
//!
//! The order of calls in an update is [`advance`](Server::advance), then
//! [`handle_datagram`](Server::handle_datagram) for each datagram, with
//! [`end_batch`](Server::end_batch) after some of them if there are many, then
//! [`handle_timeout`](Server::handle_timeout), then [`poll_transmit`](Server::poll_transmit) and
//! [`poll_event`](Server::poll_event) until both give `None`.

mod admit;
mod admit_1_00;
mod depart;
mod events;
mod lending;
mod slots;
mod transmit;
mod turns;

pub use events::Event;
pub use lending::{DEFAULT_MEMORY, LEAST_MEMORY};
pub use slots::MAX_CLIENTS;

use crate::connection::{Arrival, Connection, Context, Needed, Setup};
use crate::crypto::key_pair::PublicKey;
use crate::crypto::random::Generator;
use crate::drop_reason::{DropCounters, DropReason};
use crate::duration::Duration;
use crate::endpoint::{self, Path};
use crate::keyed_map::{KeyedHash, KeyedMap};
use crate::message::{Delivery, Message, Payload};
use crate::reason::DisconnectReason;
use crate::sending::{Priorities, SendError, Shaping};
use crate::time::{Instant, earliest};
use crate::timer_queue::TimerQueue;
use crate::token::{PairKey, USER_DATA_SIZE};
use crate::token_flood::TokenFlood;
use crate::used_tokens::UsedTokens;
use crate::v1;
use crate::v2::admission::{Admission, Reply};
use crate::v2::handshake::{REQUEST_SIZE, RESPONSE_SIZE};
use crate::v2::keys::{ClientRandom, CookieBytes};
use crate::v2::packet::{self, PacketType};
use crate::v2::token::TokenId;
use depart::EndedBy;
use events::EventQueue;
use lending::Lending;
use slots::Slots;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use turns::Turns;

/// The time a client that was let in has to be heard, at least and at most.
const LEAST_HANDSHAKE: Duration = Duration::from_secs(1);
const LONGEST_HANDSHAKE: Duration = Duration::from_secs(60);
/// The highest type of a packet of CUTE 1.00; those of CUTE 2.00 but requests begin with 0x80 or more.
const LAST_TYPE_OF_1_00: u8 = 7;
/// How many clients ahead one comes soon whose memory is asked for.
const SOON: u32 = 3;
/// Replies that wait for the network. Further requests get none, count as a flood, and are repeated.
pub const MAX_REPLIES: usize = 4096;

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The game; the same number in tokens and clients.
    pub application_id: u64,
    /// The key pairs whose tokens are accepted.
    pub keys: Vec<PairKey>,
    /// Clients at most, 1 to [`MAX_CLIENTS`].
    pub max_clients: usize,
    /// Silence after which a client counts as gone; `None` is never.
    pub connection_timeout: Option<Duration>,
    /// The longest a lost message waits to be sent again, where the round trip allows it.
    pub resend_ceiling: Duration,
    /// Bytes for what all clients send, before the program takes it.
    pub memory: u64,
    /// Bytes a second that leave for each client at most, UDP payload; `None` is any number. Less than
    /// 1,000 count as 1,000. Reliable messages wait; of unreliable ones the newest win, and those that
    /// would not leave within 100 ms are dropped.
    pub max_outgoing_rate: Option<u32>,
    /// Bytes a second that are taken from each client at most, UDP payload; `None` is any number. Less
    /// than 1,000 count as 1,000. Clients are told, and keep to it; what one sends beyond it is dropped.
    pub max_incoming_rate: Option<u32>,
    /// The largest datagram the server's socket receives, UDP payload, 1,200 at least. Clients are told, and
    /// may find out whether the path takes as much.
    pub largest_datagram: usize,
}

/// The addresses a token may list for this server.
#[derive(Clone, Debug, Default)]
struct Addresses {
    bound: Vec<SocketAddr>,
    public: Vec<SocketAddr>,
}

impl Addresses {
    /// True if `address` is this server's. `local` is where the datagram was really sent to, which a
    /// socket bound to a wildcard address goes by.
    fn is_own(&self, address: SocketAddr, local: Option<IpAddr>) -> bool {
        let by_socket = |bound: &SocketAddr| {
            // Where the system does not say, any address of this machine has to do.
            let reached = local
                .is_none_or(|local| endpoint::canonical(SocketAddr::new(local, 0)).ip() == address.ip());
            let by_wildcard = bound.ip().is_unspecified() && bound.port() == address.port() && reached;
            address == *bound || (by_wildcard && bound.is_ipv4() == address.is_ipv4())
        };
        self.bound.iter().any(by_socket) || self.public.contains(&address)
    }
}

/// A client in its slot.
struct Client {
    connection: Connection,
    client_id: u64,
    /// Its slot, and which of the slot's clients it is; packets of CUTE 2.00 carry it.
    id: u32,
    /// When its token expires, in unix seconds.
    expiration: u64,
    /// What it showed, on CUTE 2.00.
    shown: Option<Shown>,
    user_data: Box<[u8; USER_DATA_SIZE]>,
    /// When a client that was let in must have been heard.
    heard_by: Instant,
    /// True while it is in the list of those with something to send.
    active: bool,
    /// True while it is in the list of those just heard.
    heard: bool,
    /// True while it is in the list of those that wait for credit on loan.
    waits_for_loan: bool,
}

impl Client {
    /// When a client that was let in must have been heard: what it said may have waited while the program paused.
    fn heard_by(&self, context: &Context) -> Instant {
        self.heard_by.max(context.silence_starts + LEAST_HANDSHAKE)
    }
}

/// What a client showed in its handshake.
struct Shown {
    token: TokenId,
    creation: u64,
    random: ClientRandom,
    /// Cookies its responses showed, the last the one in use.
    cookies: Vec<CookieBytes>,
}

/// A timeout as clients are told it: rounded up, because 0 is never.
fn whole_seconds(timeout: Duration) -> u32 {
    let seconds = timeout.as_nanos().div_ceil(Duration::from_secs(1).as_nanos());
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}

/// A server without a socket.
pub struct Server {
    context: Context,
    unix: u64,
    setup: Setup,
    addresses: Addresses,
    admission: Admission,
    used: UsedTokens,
    token_flood: TokenFlood,
    admission_1_00: v1::admission::Admission,
    /// Of CUTE 1.00, whose tokens say not when they were made: the expiration stands for that.
    used_1_00: UsedTokens,
    slots: Slots,
    by_client: KeyedMap<u64, u32>,
    by_token: KeyedMap<TokenId, u32>,
    /// Connections of CUTE 1.00, whose packets do not name them, ended ones too.
    by_address: KeyedMap<SocketAddr, u32>,
    timers: TimerQueue,
    /// Slots with something to send.
    active: Turns,
    /// True if everything had left at the end of the last update.
    is_drained: bool,
    /// Slots that were heard since the last [`end_batch`](Self::end_batch), and are not among the active ones.
    heard: Vec<u32>,
    /// Replies to addresses that have not proven themselves.
    replies: VecDeque<(Path, Reply)>,
    /// Clients that are gone and may not have heard so, by connection id, oldest first. They stay where they
    /// are: what a connection is moved out of would not be wiped.
    closed: KeyedMap<u32, Box<Client>>,
    closed_order: VecDeque<u32>,
    /// Of these, the ones with something to say.
    closed_active: Turns,
    events: EventQueue,
    lending: Lending,
    counters: DropCounters,
    running: bool,
}

impl Server {
    /// Starts a server that is reached at the addresses of `bound`. `seed` must be fresh random bytes at every start:
    /// what is drawn from it keeps recordings of earlier runs worthless.
    pub fn new(
        config: ServerConfig,
        bound: &[SocketAddr],
        public: &[SocketAddr],
        seed: [u8; 32],
    ) -> Server {
        let mut context = Context::new(seed);
        let generator = &mut context.generator;
        let slots = Slots::new(config.max_clients);
        // Cloned, and into room that does not move: what a key is moved out of is not wiped.
        let mut keys = Vec::with_capacity(config.keys.len());
        let mut keys_1_00 = Vec::with_capacity(config.keys.len());
        for key in &config.keys {
            match key {
                PairKey::V1(key) => keys_1_00.push((**key).clone()),
                PairKey::V2(key) => keys.push((**key).clone()),
            }
        }
        let application_id = config.application_id;
        let admission = Admission::new(application_id, keys, Instant::ZERO, generator);
        let used = UsedTokens::new(slots.capacity(), generator);
        let admission_1_00 =
            v1::admission::Admission::new(application_id, keys_1_00, slots.capacity(), generator);
        let used_1_00 = UsedTokens::new(slots.capacity(), generator);
        let token_flood = TokenFlood::new(slots.capacity(), generator);
        let by_client = KeyedMap::with_hasher(KeyedHash::new(generator));
        let by_token = KeyedMap::with_hasher(KeyedHash::new(generator));
        let by_address = KeyedMap::with_hasher(KeyedHash::new(generator));
        let closed = KeyedMap::with_hasher(KeyedHash::new(generator));
        // Both maps are by numbers that the server gives.
        let hash = KeyedHash::clone(closed.hasher());
        let (lending, inbox) = Lending::new(config.memory, slots.capacity(), hash);
        let mut server = Server {
            context,
            unix: 0,
            setup: Setup {
                timeout: config.connection_timeout,
                resend_ceiling: config.resend_ceiling,
                inbox,
                outgoing_rate: config.max_outgoing_rate,
                incoming_rate: config.max_incoming_rate,
                shaping: Shaping::default(),
                largest_datagram: config.largest_datagram,
            },
            addresses: Addresses {
                bound: bound.iter().map(|&bound| endpoint::canonical(bound)).collect(),
                public: Vec::new(),
            },
            admission,
            used,
            token_flood,
            admission_1_00,
            used_1_00,
            slots,
            by_client,
            by_token,
            by_address,
            timers: TimerQueue::default(),
            active: Turns::default(),
            is_drained: true,
            heard: Vec::new(),
            replies: VecDeque::new(),
            closed,
            closed_order: VecDeque::new(),
            closed_active: Turns::default(),
            events: EventQueue::new(Lending::left_behind(config.memory)),
            lending,
            counters: DropCounters::default(),
            running: true,
        };
        public.iter().for_each(|&address| server.add_public_address(address));
        server
    }

    /// Remembers the tokens that an earlier run of this server has seen used.
    pub fn inherit(&mut self, earlier: Server) {
        self.used.inherit(earlier.used);
        self.used_1_00.inherit(earlier.used_1_00);
    }

    /// Also accepts tokens that list `address`: where players reach the server from outside.
    pub fn add_public_address(&mut self, address: SocketAddr) {
        let address = endpoint::canonical(address);
        if !self.addresses.public.contains(&address) {
            self.addresses.public.push(address);
        }
    }

    /// Also accepts tokens made with `key`: of new pairs, or of pairs of the other protocol.
    pub fn add_key(&mut self, key: &PairKey) {
        match key {
            PairKey::V1(key) => self.admission_1_00.add_key(key),
            PairKey::V2(key) => self.admission.add_key(key),
        }
    }

    /// Accepts tokens of the pair with this public half no more. Connections made with them live on.
    pub fn remove_key(&mut self, public: &PublicKey) {
        self.admission_1_00.remove_key(public);
        self.admission.remove_key(public);
    }

    /// Begins an update: `now` is the sum of all steps so far, `unix` what the program says the time
    /// is, in unix seconds.
    pub fn advance(&mut self, now: Instant, unix: u64) {
        self.context.advance(now);
        self.unix = unix;
        self.events.begin_update();
        let Context { tick, generator, .. } = &mut self.context;
        self.admission.handle_timeout(tick.now, generator);
        self.token_flood.advance(tick, generator);
        self.admission_1_00.begin_update();
        self.admission_1_00.handle_timeout(tick.now);
    }

    /// Prepares for a datagram that [`handle_datagram`](Self::handle_datagram) will soon be given, and for
    /// the next one. Nothing changes but how long that takes.
    pub fn expect_datagrams(&self, soon: &[u8], next: &[u8]) {
        let slot = |bytes: &[u8]| {
            let kind = bytes.first().copied().and_then(PacketType::of);
            let id = packet::connection_id(bytes).filter(|_| kind == Some(PacketType::Data));
            id.and_then(|id| self.slots.find(id))
        };
        self.slots.prefetch(Needed::Everything, slot(soon), slot(next));
    }

    /// Takes in a datagram, which is overwritten. The error says why it was dropped, and was counted.
    pub fn handle_datagram(&mut self, arrival: &Arrival, bytes: &mut [u8]) -> Result<(), DropReason> {
        let result = self.dispatch(arrival, bytes);
        self.counters.count(result);
        result
    }

    /// Drops and counts a datagram that is longer than any packet.
    pub fn handle_oversized(&mut self) -> Result<(), DropReason> {
        let result = Err(DropReason::Size);
        self.counters.count(result);
        result
    }

    fn dispatch(&mut self, arrival: &Arrival, bytes: &mut [u8]) -> Result<(), DropReason> {
        let &first = bytes.first().ok_or(DropReason::Size)?;
        if !self.running {
            return Err(DropReason::Unexpected);
        }
        if first == 0 {
            if bytes.len() == REQUEST_SIZE {
                return self.handle_request(arrival, bytes);
            }
            if bytes.len() != crate::token::PACKET_SIZE {
                return Err(DropReason::Size);
            }
        }
        if first <= LAST_TYPE_OF_1_00 {
            return self.handle_1_00(arrival, bytes);
        }
        match PacketType::of(first).ok_or(DropReason::Type)? {
            PacketType::Data => self.handle_data(arrival, bytes),
            PacketType::Response if bytes.len() == RESPONSE_SIZE => self.handle_response(arrival, bytes),
            PacketType::Response => Err(DropReason::Size),
            PacketType::Challenge | PacketType::Denied => Err(DropReason::Type),
        }
    }

    fn handle_data(&mut self, arrival: &Arrival, bytes: &mut [u8]) -> Result<(), DropReason> {
        let id = packet::connection_id(bytes).ok_or(DropReason::Size)?;
        self.handle_connected(id, arrival, bytes)
    }

    /// Takes in a packet for a connection, by its id.
    fn handle_connected(
        &mut self,
        id: u32,
        arrival: &Arrival,
        bytes: &mut [u8],
    ) -> Result<(), DropReason> {
        let Some(index) = self.slots.find(id) else {
            let closed = self.closed.get_mut(&id).ok_or(DropReason::UnknownConnection)?;
            let result = closed.connection.handle_packet(&mut self.context, arrival, bytes);
            if result == Err(DropReason::Ended) && !std::mem::replace(&mut closed.active, true) {
                self.closed_active.push(id);
            }
            return result;
        };
        let Some(client) = self.slots.get_mut(index) else { return Err(DropReason::UnknownConnection) };
        let result = client.connection.handle_packet(&mut self.context, arrival, bytes);
        if let Err(
            DropReason::Forged | DropReason::Replayed | DropReason::Size | DropReason::RateLimit,
        ) = result
        {
            return result;
        }
        self.events.on_received(index, &mut client.connection);
        self.note_loan_wanted(index);
        if !self.reap(index) {
            self.note_heard(index);
        }
        result
    }

    /// Ends the update's input: timers that are due, loans, connections that ended. `backlog` says
    /// that datagrams still wait to be read.
    pub fn handle_timeout(&mut self, backlog: bool) {
        self.end_batch();
        self.context.end_reading(backlog);
        let now = self.context.tick.now;
        self.active.restart();
        self.closed_active.restart();
        if !std::mem::replace(&mut self.is_drained, false) {
            // Their timers are set once everything has left, and the network may take nothing for long.
            for index in Vec::from_iter(self.active.iter()) {
                self.look_at(index);
            }
        }
        // What falls between two updates is due at the nearer, as acknowledgements count it.
        while let Some(index) = self.timers.pop_due(now + self.context.tick.interval() / 2) {
            if self.look_at(index) {
                self.activate(index);
            }
        }
        self.grant_loans();
        let active = self.active.iter().len();
        if active > 1 {
            // Who is first finds the queue of a shared uplink empty, and who is last finds it full: not always
            // the same.
            self.active.rotate(self.context.generator.below(active as u64) as usize);
        }
        self.forget_closed_that_are_over();
    }

    /// Tells a client that time has passed; false if that was too much for it.
    fn look_at(&mut self, index: u32) -> bool {
        let Some(client) = self.slots.get_mut(index) else { return false };
        client.connection.handle_timeout(&self.context);
        if !client.connection.is_confirmed() && client.heard_by(&self.context) <= self.context.tick.now {
            self.depart(index, DisconnectReason::TIMED_OUT, b"", EndedBy::Server);
            return false;
        }
        !self.reap(index)
    }

    /// When the server next has something to do by itself; ask again after every other call.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let now = self.context.tick.now;
        let waiting = !self.active.is_empty()
            || !self.heard.is_empty()
            || !self.replies.is_empty()
            || !self.closed_active.is_empty();
        let closed = self.closed_order.front().and_then(|id| self.closed.get(id));
        let over = closed.and_then(|closed| closed.connection.poll_timeout(&self.context));
        let pending = self.admission_1_00.poll_timeout();
        let times = [self.timers.next(), over, pending];
        if waiting { Some(now) } else { earliest(times) }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop(&mut self.slots)?;
        match &event {
            Event::Message { index, message } if message.info().reliable => self.on_taken(*index),
            Event::Disconnected { index, .. } => self.slots.release(*index),
            Event::Message { .. } | Event::Connected { .. } => {}
        }
        Some(event)
    }

    /// The next message that a client sent on wire channels 1 to 8, and the client's slot.
    pub fn poll_channel_message(&mut self) -> Option<(u32, Message)> {
        let (index, message) = self.events.pop_channel_message(&mut self.slots)?;
        if message.info().reliable {
            self.on_taken(index);
        }
        Some((index, message))
    }

    /// The program took a reliable message: its room may be granted again.
    fn on_taken(&mut self, index: u32) {
        let Some(client) = self.slots.get_mut(index) else { return };
        if client.connection.is_grant_due() {
            self.activate(index);
        }
        self.note_loan_wanted(index);
    }

    /// Queues a message for a client, on wire channel 0 to 8.
    pub fn send<'a>(
        &mut self,
        index: u32,
        channel: u8,
        delivery: Delivery,
        id: u32,
        bytes: impl Into<Payload<'a>>,
    ) -> Result<(), SendError> {
        // Most programs go through their clients in the order of their places.
        let ahead = |count| index.checked_add(count);
        self.slots.prefetch(Needed::Outbox, ahead(SOON), ahead(1));
        let client = self.slots.get_mut(index).ok_or(SendError::NotConnected)?;
        client.connection.send(channel, delivery, id, bytes)?;
        self.activate(index);
        Ok(())
    }

    /// Sets the priority of a wire channel, 0 to 8, for every client there is and will be, and for what
    /// is queued too. Of what waits the higher leaves first, of equal ones the lower channel; unless set
    /// it is 0. It is strict: a lower one waits for as long as there is something of a higher one.
    pub fn set_channel_priority(&mut self, channel: u8, priority: i32) {
        let mut priorities = self.setup.shaping.priorities;
        priorities.set(channel, priority);
        self.set_priorities(priorities);
    }

    /// Sets the priorities of all wire channels; see [`set_channel_priority`](Self::set_channel_priority).
    pub fn set_priorities(&mut self, priorities: Priorities) {
        self.setup.shaping.priorities = priorities;
        self.slots.for_each(|_, client| client.connection.set_priorities(priorities));
    }

    /// Sets how many bytes of messages a second may begin on wire channels 1 to 8, for each client there
    /// is and will be; `None` is any number. The others wait, up to 4 MiB a channel.
    pub fn set_message_rate(&mut self, rate: Option<u32>) {
        self.setup.shaping.message_rate = rate;
        let now = self.context.tick.now;
        let active = &mut self.active;
        self.slots.for_each(|index, client| {
            client.connection.set_message_rate(now, rate);
            // What waited may be due at another time now.
            if !std::mem::replace(&mut client.active, true) {
                active.push(index);
            }
        });
    }

    /// Sends a client away. Its event comes with the next update; with `tell` what is queued for it
    /// still leaves, and then the reason with up to 255 bytes of `text`.
    pub fn disconnect(&mut self, index: u32, reason: DisconnectReason, text: &[u8], tell: bool) {
        self.depart(index, reason, text, EndedBy::Program { tell });
    }

    /// Sends all clients away and takes in nothing more. Datagrams and events can still be polled.
    pub fn stop(&mut self) {
        let all: Vec<u32> = self.slots.occupied().collect();
        for index in all {
            self.depart(index, DisconnectReason::SERVER_STOPPED, b"", EndedBy::Program { tell: true });
        }
        self.replies.clear();
        self.admission_1_00.restart(&mut self.context.generator);
        self.events.begin_update();
        self.running = false;
    }

    /// Forgets all clients without telling them, and everything that was drawn from the last seed: this
    /// is another process now. The clients' events come with the next update.
    pub fn restart(&mut self, seed: [u8; 32]) {
        let all: Vec<u32> = self.slots.occupied().collect();
        for index in all {
            self.depart(index, DisconnectReason::TIMED_OUT, b"", EndedBy::Program { tell: false });
        }
        self.closed.clear();
        self.closed_order.clear();
        self.by_address.clear();
        self.replies.clear();
        let now = self.context.tick.now;
        self.context.generator = Generator::new(seed);
        self.admission.restart(now, &mut self.context.generator);
        self.token_flood = TokenFlood::new(self.slots.capacity(), &mut self.context.generator);
        self.used = UsedTokens::new(self.slots.capacity(), &mut self.context.generator);
        self.admission_1_00.restart(&mut self.context.generator);
        self.used_1_00 = UsedTokens::new(self.slots.capacity(), &mut self.context.generator);
    }

    /// True if a client is in this slot.
    pub fn is_connected(&self, index: u32) -> bool {
        self.slots.get(index).is_some()
    }

    /// The slots of all clients.
    pub fn clients(&self) -> impl Iterator<Item = u32> + '_ {
        self.slots.occupied()
    }

    /// Where clients are.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.clients().filter_map(|index| Some(self.connection(index)?.path().remote))
    }

    /// How many clients there are.
    pub fn connected(&self) -> usize {
        self.slots.connected()
    }

    /// How many clients fit.
    pub fn max_clients(&self) -> usize {
        self.slots.capacity()
    }

    /// What a client's token carried for the program.
    pub fn user_data(&self, index: u32) -> Option<&[u8; USER_DATA_SIZE]> {
        self.slots.get(index).map(|client| &*client.user_data)
    }

    /// The connection in a slot, for its round trip and rates.
    pub fn connection(&self, index: u32) -> Option<&Connection> {
        self.slots.get(index).map(|client| &client.connection)
    }

    /// The current update's time.
    pub fn now(&self) -> Instant {
        self.context.tick.now
    }

    /// Datagrams received and dropped.
    pub fn counters(&self) -> &DropCounters {
        &self.counters
    }
}
