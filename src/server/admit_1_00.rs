//! Who is let in with a token of CUTE 1.00: a valid one earns a challenge, and its echo a slot. Packets of this
//! protocol name no connection, so connections are found by address.

use super::depart::EndedBy;
use super::{Client, LEAST_HANDSHAKE, LONGEST_HANDSHAKE, Server, whole_seconds};
use crate::connection::{Arrival, Connection};
use crate::drop_reason::DropReason;
use crate::reason::DisconnectReason;
use crate::token_flood::Sender;
use crate::v1;
use crate::v1::admission::Judge;
use crate::v1::packet::{Accepted, PacketType};
use crate::v1::pending::Handshake;
use std::net::SocketAddr;

/// Seconds that stand for "never": clients of the original take 0 for "at once".
const NEVER: u32 = 1_000_000_000;

impl Server {
    /// Takes in a datagram whose first byte is a type of CUTE 1.00.
    pub(super) fn handle_1_00(&mut self, arrival: &Arrival, bytes: &mut [u8]) -> Result<(), DropReason> {
        let remote = arrival.path.remote;
        let is_token = bytes.first() == Some(&0);
        let is_echo = bytes.first() == Some(&(PacketType::ChallengeResponse as u8));
        // D53: a player that comes back may do so from the address of the connection that it lost.
        let enters = is_token || (is_echo && !self.admission_1_00.pending().at(remote).is_empty());
        if let Some(&id) = self.by_address.get(&remote).filter(|_| !enters) {
            return self.handle_connected(id, arrival, bytes);
        }
        if !self.admission_1_00.has_keys() {
            return Err(if is_token { DropReason::Version } else { DropReason::Type });
        }
        let kind = bytes.first().and_then(|&first| PacketType::of(first)).ok_or(DropReason::Type)?;
        match kind {
            PacketType::ConnectToken => {
                let packet = bytes.first_chunk().filter(|packet| packet.len() == bytes.len());
                self.handle_token(arrival, packet.ok_or(DropReason::Size)?)
            }
            PacketType::ChallengeResponse => self.handle_echo(arrival, bytes),
            PacketType::Accepted
            | PacketType::Denied
            | PacketType::Keepalive
            | PacketType::Disconnect
            | PacketType::ChallengeRequest
            | PacketType::Payload => Err(DropReason::UnknownAddress),
        }
    }

    fn handle_token(
        &mut self,
        arrival: &Arrival,
        packet: &[u8; crate::token::PACKET_SIZE],
    ) -> Result<(), DropReason> {
        let there = self.client_at(arrival.path.remote);
        let Server { context, admission_1_00, used_1_00, addresses, slots, by_client, unix, .. } = self;
        let token_flood = &mut self.token_flood;
        let holder = |client_id| by_client.get(&client_id).and_then(|&index| slots.get(index));
        let judge = Judge {
            used: used_1_00,
            unix: *unix,
            is_own: &|address| addresses.is_own(address, arrival.path.local),
            refuses: &|client_id, expiration| refusal(client_id, there, holder(client_id), expiration),
            is_full: &|client_id| holder(client_id).is_none() && slots.is_full(),
        };
        let now = context.tick.now;
        let may_open = || token_flood.admits(arrival.path.remote, Sender::Unproven);
        admission_1_00.handle_token(now, arrival, packet, &judge, may_open, &mut context.generator)
    }

    /// Who is connected at an address.
    fn client_at(&self, remote: SocketAddr) -> Option<u64> {
        let index = self.slots.find(*self.by_address.get(&remote)?)?;
        self.slots.get(index).map(|client| client.client_id)
    }

    fn handle_echo(&mut self, arrival: &Arrival, bytes: &mut [u8]) -> Result<(), DropReason> {
        let remote = arrival.path.remote;
        let now = self.context.tick.now;
        let unix = self.unix;
        let shown = self.admission_1_00.handle_response(remote, unix, bytes)?;
        let (client_id, token, expiration) = (shown.client_id, shown.token, shown.expiration);
        let holder = self.by_client.get(&client_id).copied();
        if self.used_1_00.contains(client_id, &token, expiration) {
            self.admission_1_00.take(remote, &token);
            return Err(DropReason::TokenUsed);
        }
        let there = self.client_at(remote);
        let holding = holder.and_then(|index| self.slots.get(index));
        if let Some(reason) = refusal(client_id, there, holding, expiration) {
            self.admission_1_00.take(remote, &token);
            return Err(reason);
        }
        let full = holder.is_none() && self.slots.is_full();
        if full || self.used_1_00.is_full(now, unix) {
            self.admission_1_00.deny(remote, &token, &mut self.context.generator);
            return Err(DropReason::Full);
        }
        if let Some(index) = holder {
            self.depart(index, DisconnectReason::REPLACED, b"", EndedBy::Server);
        }
        // The program may not have heard yet that an earlier client is gone: the response comes again.
        let Some((index, id)) = self.slots.vacant() else { return Err(DropReason::Full) };
        let Some(handshake) = self.admission_1_00.take(remote, &token) else {
            return Err(DropReason::Unexpected);
        };
        self.admit_1_00(index, id, arrival, handshake);
        Ok(())
    }

    fn admit_1_00(&mut self, index: u32, id: u32, arrival: &Arrival, handshake: Handshake) {
        let now = self.context.tick.now;
        let Handshake { client_id, user_data, token, expiration, timeout, seal, .. } = handshake;
        let accepted = Accepted {
            client_id,
            max_clients: self.slots.capacity() as u32,
            connection_timeout: self.setup.timeout.map_or(NEVER, whole_seconds),
        };
        let connection = v1::connection::Connection::new_server(
            &self.context,
            seal,
            arrival.path,
            accepted,
            self.setup,
        );
        self.used_1_00.insert(client_id, &token, expiration, expiration, now, self.unix);
        self.by_client.insert(client_id, index);
        self.by_address.insert(arrival.path.remote, id);
        self.events.on_connected(index, client_id, arrival.path.remote);
        let client = Client {
            connection: Connection::V1(Box::new(connection)),
            id,
            client_id,
            expiration,
            shown: None,
            user_data,
            heard_by: now + timeout.clamp(LEAST_HANDSHAKE, LONGEST_HANDSHAKE),
            active: false,
            heard: false,
            waits_for_loan: false,
        };
        self.slots.occupy(index, Box::new(client));
        self.activate(index);
    }
}

/// Why a token of CUTE 1.00 does not replace the connection that its client has, or who is connected `there`
/// where it comes from.
fn refusal(
    client_id: u64,
    there: Option<u64>,
    holder: Option<&Client>,
    expiration: u64,
) -> Option<DropReason> {
    if there.is_some_and(|there| there != client_id) {
        return Some(DropReason::TokenInUse);
    }
    let holder = holder?;
    match holder.connection {
        // Who has seen a token of the weaker protocol must not end a connection of the stronger one.
        Connection::V2(_) => Some(DropReason::TokenInUse),
        Connection::V1(_) => (expiration < holder.expiration).then_some(DropReason::TokenUsed),
    }
}
