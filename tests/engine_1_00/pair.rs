//! A client and a server with one client, and a network between them.

use cute_net::connection::{Arrival, Context, End, Queued, Scope, Setup};
use cute_net::crypto::Key;
use cute_net::drop_reason::DropReason;
use cute_net::duration::Duration;
use cute_net::endpoint::Path;
use cute_net::message::Delivery;
use cute_net::ready::{InboxBudget, Source};
use cute_net::reason::DisconnectReason;
use cute_net::sending::Shaping;
use cute_net::simulator::{Simulator, SimulatorConfig};
use cute_net::statistics::Statistics;
use cute_net::time::Instant;
use cute_net::token::{TokenKeys, TokenRequest, USER_DATA_SIZE};
use cute_net::used_tokens::UsedTokens;
use cute_net::v1::admission::{Admission, Judge};
use cute_net::v1::attempt::{Answer, Attempt};
use cute_net::v1::connection::Connection;
use cute_net::v1::packet::Accepted;
use cute_net::v1::signature;
use cute_net::v1::token::{self, TokenKey};
use std::net::SocketAddr;

pub const CLIENT: usize = 0;
pub const SERVER: usize = 1;
const TICK: Duration = Duration::from_nanos(16_666_667);
const UNIX: u64 = 1_700_000_000;
const ACCEPTED: Accepted = Accepted { client_id: 77, max_clients: 32, connection_timeout: 10 };

fn address(end: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1 + end as u8], 5000))
}

pub fn setup() -> Setup {
    Setup {
        timeout: Some(Duration::from_secs(10)),
        resend_ceiling: Duration::MAX,
        inbox: InboxBudget::DEFAULT,
        outgoing_rate: None,
        incoming_rate: None,
        shaping: Shaping::default(),
        largest_datagram: 1200,
    }
}

/// Bytes that tell one message from another.
pub fn pattern(length: usize, number: u64) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        (0..length).map(|at| (at as u64 * 31 + at as u64 / 251 + number) as u8).collect();
    for (to, from) in bytes.iter_mut().zip(number.to_le_bytes()) {
        *to = from;
    }
    bytes
}

pub struct Pair {
    pub now: Instant,
    start: Instant,
    contexts: [Context; 2],
    token: Box<[u8; 1024]>,
    attempt: Option<Attempt>,
    admission: Admission,
    used: UsedTokens,
    ends_of: [Option<Connection>; 2],
    /// To the client, and to the server.
    network: [Simulator<()>; 2],
    pub received: [Vec<(bool, Vec<u8>)>; 2],
    pub ends: [Option<End>; 2],
    /// Datagrams that each end sent.
    pub sent: [u64; 2],
}

impl Pair {
    pub fn new(config: SimulatorConfig, seed: u64) -> Pair {
        #[cfg(debug_assertions)]
        cute_net::crypto::nonce_ledger::open();
        let mut contexts = [1, 2].map(|end| Context::new([seed as u8 ^ end; 32]));
        let keys =
            TokenKeys { client_to_server: Key::new([1; 32]), server_to_client: Key::new([2; 32]) };
        let request = TokenRequest {
            application_id: 9,
            creation: UNIX,
            expiration: UNIX + 1000,
            handshake_timeout: 10,
            keys: &keys,
            servers: &[address(SERVER)],
            client_id: 77,
            user_data: &[7; USER_DATA_SIZE],
        };
        let token_key = TokenKey::new(&signature::from_seed(&[3; 32]).1).unwrap();
        let token = Box::new(token::seal(&token_key, &request, [4; 20], [5; 32]));
        let generator = &mut contexts[SERVER].generator;
        let admission = Admission::new(9, vec![token_key], 32, generator);
        let used = UsedTokens::new(32, generator);
        Pair {
            now: Instant::ZERO,
            start: Instant::ZERO,
            contexts,
            token,
            attempt: Some(Attempt::new(&keys)),
            admission,
            used,
            ends_of: [None, None],
            network: [0, 1].map(|end| Simulator::new(config, seed * 2 + end)),
            received: [Vec::new(), Vec::new()],
            ends: [None, None],
            sent: [0, 0],
        }
    }

    /// A pair in which both ends know that they are connected.
    pub fn connected(config: SimulatorConfig, seed: u64) -> Pair {
        let mut pair = Pair::new(config, seed);
        pair.run_until(Duration::from_secs(10), |pair| {
            pair.ends_of.iter().all(|end| end.as_ref().is_some_and(Connection::is_confirmed))
        });
        pair.start = pair.now;
        pair
    }

    pub fn set_network(&mut self, config: SimulatorConfig) {
        self.network.iter_mut().for_each(|network| network.set_config(config));
    }

    pub fn send(&mut self, end: usize, delivery: Delivery, bytes: &[u8]) {
        self.ends_of[end].as_mut().unwrap().send(0, delivery, 0, bytes).unwrap();
        if !delivery.is_reliable() {
            self.transmit(end, Scope::Unreliable);
        }
    }

    /// Ends the client's attempt.
    pub fn give_up(&mut self) {
        let path = Path { remote: address(SERVER), local: None };
        let attempt = self.attempt.take().unwrap();
        self.ends_of[CLIENT] = Some(attempt.into_closing(&self.contexts[CLIENT], path, setup()));
    }

    pub fn is_connected(&self, end: usize) -> bool {
        self.ends_of[end].is_some()
    }

    pub fn close(&mut self, end: usize) {
        let connection = self.ends_of[end].as_mut().unwrap();
        connection.close(&self.contexts[end], DisconnectReason::LEFT, b"", Queued::Flushed);
    }

    pub fn statistics(&self, end: usize) -> &Statistics {
        self.ends_of[end].as_ref().unwrap().statistics()
    }

    pub fn rtt(&self, end: usize) -> Option<Duration> {
        self.ends_of[end].as_ref().unwrap().rtt()
    }

    pub fn since_start(&self) -> Duration {
        self.now.since(self.start)
    }

    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    pub fn run_until(&mut self, longest: Duration, done: impl Fn(&Pair) -> bool) {
        let end = self.now + longest;
        while !done(self) {
            assert!(self.now < end, "not within {longest:?}");
            self.step();
        }
    }

    /// One update of both ends.
    pub fn step(&mut self) {
        self.now = self.now + TICK;
        self.admission.begin_update();
        for end in [CLIENT, SERVER] {
            self.contexts[end].advance(self.now);
            while let Some(((), mut bytes)) = self.network[end].pop(self.now) {
                let path = Path { remote: address(1 - end), local: None };
                let _ = self.deliver(end, &Arrival { path, at: self.now }, &mut bytes);
            }
            self.contexts[end].end_reading(false);
            self.admission.handle_timeout(self.now);
            if let Some(connection) = &mut self.ends_of[end] {
                connection.handle_timeout(&self.contexts[end]);
                let ended = connection.poll_end();
                self.ends[end] = self.ends[end].take().or(ended);
                while let Some(message) = connection.inbox().pop(Source::Packets) {
                    self.received[end].push((message.info().reliable, message.payload().to_vec()));
                }
            }
            if self.ends[end].is_none() {
                self.transmit(end, Scope::Everything);
            }
        }
    }

    fn transmit(&mut self, end: usize, scope: Scope) {
        let mut buffer = [0; 1280];
        loop {
            let context = &mut self.contexts[end];
            let size = match &mut self.ends_of[end] {
                Some(connection) => {
                    connection.poll_transmit(context, scope, &mut buffer).map(|transmit| transmit.size)
                }
                None if end == SERVER => self
                    .admission
                    .poll_transmit(&mut context.generator, &mut buffer)
                    .map(|transmit| transmit.size),
                None => self.attempt.as_mut().and_then(|attempt| {
                    attempt.poll_transmit(self.now, &self.token, &mut context.generator, &mut buffer)
                }),
            };
            let Some(size) = size else { return };
            self.sent[end] += 1;
            self.network[1 - end].push(self.now, (), &buffer[..size]);
        }
    }

    fn deliver(&mut self, end: usize, arrival: &Arrival, bytes: &mut [u8]) -> Result<(), DropReason> {
        let context = &mut self.contexts[end];
        if let Some(connection) = &mut self.ends_of[end] {
            return connection.handle_packet(context, arrival, bytes);
        }
        if end == CLIENT {
            let attempt = self.attempt.as_mut().ok_or(DropReason::Unexpected)?;
            if let Answer::Accepted(accepted) = attempt.handle_packet(bytes)? {
                assert_eq!(accepted, ACCEPTED);
                let attempt = self.attempt.take().unwrap();
                self.ends_of[CLIENT] =
                    Some(attempt.into_connection(context, arrival.path, accepted, setup()));
            }
            return Ok(());
        }
        if let Ok(packet) = <&[u8; 1024]>::try_from(&*bytes) {
            let judge = Judge {
                used: &self.used,
                unix: UNIX,
                is_own: &|own| own == address(SERVER),
                refuses: &|_, _| None,
                is_full: &|_| false,
            };
            let generator = &mut context.generator;
            return self.admission.handle_token(self.now, arrival, packet, &judge, || true, generator);
        }
        let remote = arrival.path.remote;
        let token = self.admission.handle_response(remote, UNIX, bytes)?.token;
        let handshake = self.admission.take(remote, &token).unwrap();
        let (id, expiration) = (handshake.client_id, handshake.expiration);
        assert_eq!((id, handshake.user_data[0]), (77, 7));
        self.used.insert(id, &handshake.token, expiration, expiration, self.now, UNIX);
        let connection =
            Connection::new_server(context, handshake.seal, handshake.path, ACCEPTED, setup());
        self.ends_of[SERVER] = Some(connection);
        Ok(())
    }
}
