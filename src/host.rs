//! Client and server on real sockets: what the C facade and Rust programs use. The engine decides,
//! the host reads and writes, with the program's clock and within a budget of work for each update.
//!
//! ```
//! use cute_net::client::ClientState;
//! use cute_net::crypto::{Key, key_pair, random};
//! use cute_net::host::{ClientHost, ServerHost, ServerHostConfig};
//! use cute_net::message::Delivery;
//! use cute_net::server::Event;
//! use cute_net::token::{self, TokenKeys, TokenRequest};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! const GAME: u64 = 7;
//! let unix = 1_700_000_000; // a program asks its clock
//!
//! // Once: the key pair of the web service and the servers.
//! let (public_key, secret_key) = key_pair::generate()?;
//!
//! let config = ServerHostConfig::new(GAME, public_key, secret_key.clone());
//! let mut server = ServerHost::new(config, 32);
//! server.start(&["127.0.0.1:0".parse()?])?;
//! let address = server.bound_addresses().next().ok_or("not bound")?;
//!
//! // The web service, for a player who has logged in.
//! let keys = TokenKeys {
//!     client_to_server: Key::new(random::bytes()?),
//!     server_to_client: Key::new(random::bytes()?),
//! };
//! let request = TokenRequest {
//!     application_id: GAME,
//!     creation: unix,
//!     expiration: unix + 60,
//!     handshake_timeout: 5,
//!     keys: &keys,
//!     servers: &[address],
//!     client_id: 1001,
//!     user_data: &[0; 256],
//! };
//! let token = token::generate(&request, &secret_key)?;
//!
//! // The player's client, and the server: an update each tick.
//! let mut client = ClientHost::new(0, GAME);
//! client.connect(&token)?;
//! let greeting = loop {
//!     client.update(1.0 / 60.0, unix);
//!     if client.state() == ClientState::Connected {
//!         client.send(0, Delivery::ReliableOrdered, 0, b"hello")?;
//!     }
//!     server.update(1.0 / 60.0, unix);
//!     if let Some(Event::Message { message, .. }) = server.pop_event() {
//!         break message;
//!     }
//! };
//! assert_eq!(greeting.payload(), b"hello");
//! # Ok(())
//! # }
//! ```

mod client;
mod crowding;
mod networks;
mod ports;
mod server;

pub use client::{ClientHost, ConnectError, Wire};
pub use networks::simulator_config;
pub use server::{Departure, NotAllSent, ServerHost, ServerHostConfig, StartError};

use crate::duration::Duration;
use crate::message::Delivery;

/// When messages leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SendMode {
    /// An unreliable message inside the call, a reliable one at the next update: as in the original.
    #[default]
    Immediate,
    /// At the next flush or update: messages share datagrams, and one system call carries many.
    Batched,
    /// The same, and a thread of the library makes the system calls of a server; on a client as `Batched`.
    Threaded,
}

/// An update reads for a quarter of the time since the last, but at least for this long.
const LEAST_READING: Duration = Duration::from_millis(2);
const READING_SHARE: u32 = 4;

/// How much an update may read. What is left waits in the socket.
#[derive(Clone, Copy, Debug)]
struct ReadBudget {
    datagrams: usize,
    time: Duration,
}

impl ReadBudget {
    /// For `clients` clients, `step` after the last update.
    fn new(clients: usize, step: Duration) -> ReadBudget {
        ReadBudget { datagrams: 64 + 64 * clients, time: (step / READING_SHARE).max(LEAST_READING) }
    }
}

/// Which message channels are reliable: a bit for each wire channel.
#[derive(Clone, Copy, Debug, Default)]
struct ReliableChannels(u16);

impl ReliableChannels {
    fn set(&mut self, channel: u8, reliable: bool) {
        let bit = 1u16.checked_shl(channel.into()).unwrap_or(0);
        if reliable { self.0 |= bit } else { self.0 &= !bit }
    }

    fn delivery(self, channel: u8) -> Delivery {
        let reliable = self.0.checked_shr(channel.into()).is_some_and(|bits| bits & 1 == 1);
        if reliable { Delivery::ReliableOrdered } else { Delivery::UnreliableSequenced }
    }
}

/// What the system's clock says has passed since the last call, for programs that leave time to the library;
/// nothing at the first.
#[derive(Debug, Default)]
struct SystemClock {
    last: Option<std::time::Instant>,
}

impl SystemClock {
    fn since_last(&mut self) -> Duration {
        let now = std::time::Instant::now();
        self.last.replace(now).map_or(Duration::ZERO, |last| (now - last).into())
    }
}
