//! A server and its clients on real sockets, over loopback.

use cute_net::client::ClientState;
use cute_net::crypto::Key;
use cute_net::crypto::key_pair::{self, SecretKey};
use cute_net::drop_reason::DropReason;
use cute_net::host::{ClientHost, ServerHost, ServerHostConfig};
use cute_net::server::Event;
use cute_net::token::{self, TOKEN_SIZE, TokenKeys, TokenRequest, USER_DATA_SIZE};
use std::net::SocketAddr;

pub const APPLICATION: u64 = 5;
pub const UNIX: u64 = 1000;
pub const DT: f64 = 1.0 / 60.0;

pub struct Pair {
    pub server: ServerHost,
    pub secret: SecretKey,
    tokens: u64,
}

impl Pair {
    pub fn at(address: &str) -> Pair {
        Pair::with_clients(address, 32)
    }

    pub fn with_clients(address: &str, max_clients: usize) -> Pair {
        #[cfg(debug_assertions)]
        cute_net::crypto::nonce_ledger::open();
        let (public, secret) = key_pair::generate().unwrap();
        let mut server =
            ServerHost::new(ServerHostConfig::new(APPLICATION, public, secret.clone()), max_clients);
        server.start(&[address.parse().unwrap()]).unwrap();
        Pair { server, secret, tokens: 0 }
    }

    pub fn token(&mut self, client_id: u64, servers: &[SocketAddr]) -> [u8; TOKEN_SIZE] {
        let creation = UNIX + self.tokens + 1;
        self.token_of(client_id, servers, creation, UNIX + 1_000_000)
    }

    pub fn token_of(
        &mut self,
        client_id: u64,
        servers: &[SocketAddr],
        creation: u64,
        expiration: u64,
    ) -> [u8; TOKEN_SIZE] {
        self.tokens += 1;
        let key = |n: u64| {
            let mut key = [n as u8; 32];
            key[..8].copy_from_slice(&self.tokens.to_le_bytes());
            Key::new(key)
        };
        let keys = TokenKeys { client_to_server: key(1), server_to_client: key(2) };
        let request = TokenRequest {
            application_id: APPLICATION,
            creation,
            expiration,
            handshake_timeout: 5,
            keys: &keys,
            servers,
            client_id,
            user_data: &[0; USER_DATA_SIZE],
        };
        token::generate(&request, &self.secret).unwrap()
    }

    pub fn client(&mut self, client_id: u64) -> ClientHost {
        let address = self.server.bound_addresses().next().unwrap();
        let token = self.token(client_id, &[address]);
        self.client_with(&token, 50)
    }

    /// A client that the token gets in within so many updates.
    pub fn client_with(&mut self, token: &[u8; TOKEN_SIZE], updates: usize) -> ClientHost {
        let mut client = ClientHost::new(0, APPLICATION);
        client.connect(token).unwrap();
        for _ in 0..updates {
            if client.state() == ClientState::Connected {
                break;
            }
            client.update(DT, UNIX);
            self.server.update(DT, UNIX);
        }
        assert_eq!(client.state(), ClientState::Connected);
        client.update(DT, UNIX);
        self.server.update(DT, UNIX);
        client
    }

    pub fn messages(&mut self) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        while let Some(event) = self.server.pop_event() {
            if let Event::Message { message, .. } = event {
                messages.push(message.payload().to_vec());
            }
        }
        messages
    }

    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.server.counters().unwrap().dropped(reason)
    }
}
