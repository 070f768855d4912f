//! One connection of CUTE 1.00 after the handshake: packets in, messages out, and the reverse. Client and
//! server hold the same thing; the server says "accepted" until it has heard the client (in the original
//! `cn_protocol_client_t` and the slots of `cn_protocol_server_t`).
//!
//! Type and path of a packet prove nothing here: what is not expected in a state is dropped.

use super::inbox::Inbox;
use super::packet::{Accepted, MAX_PAYLOAD_SIZE, MAX_SIZE, Packet, Side};
use super::packet_seal::PacketSeal;
use super::transport::Transport;
use crate::connection::{Arrival, Context, End, Queued, Scope, Setup, Transmit};
use crate::drop_reason::DropReason;
use crate::duration::Duration;
use crate::endpoint::Path;
use crate::message::{Delivery, Payload};
use crate::rate_limit::{self, OutgoingCap};
use crate::reason::DisconnectReason;
use crate::sending::{Priorities, SendError};
use crate::statistics::Statistics;
use crate::time::{Instant, earliest};
use crate::token_bucket::TokenBucket;

/// Keepalives, requests and what repeats leave at this interval (in the original `CN_PROTOCOL_SEND_RATE`).
pub const SEND_INTERVAL: Duration = Duration::from_millis(100);
/// Copies of a disconnect (in the original `CN_PROTOCOL_REDUNDANT_DISCONNECT_PACKET_COUNT`).
const DISCONNECT_COPIES: u8 = 10;
/// For this long a peer that did not hear of the end is told again.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
/// A connection without messages for this long gives back the room they took.
const IDLE: Duration = Duration::from_secs(3);
/// After a disconnect that nothing follows, and none other either, the peer counts as gone. One is no proof: the type of
/// a keepalive can be altered, but who only listens does not keep the keepalive itself from arriving, nor the next.
const PARTING: Duration = Duration::from_millis(500);
/// Where a cap holds packets back, one in this many goes to reliable messages first.
const RELIABLE_SHARE: u64 = 4;

/// The connection is closed here; the peer may not know.
#[derive(Debug)]
struct Closing {
    /// Copies of the disconnect still to send.
    copies: u8,
    /// True until what was queued before the close has been sent.
    flushing: bool,
    /// When a packet was last answered: at most one an update.
    answered_at: Option<Instant>,
    until: Instant,
}

/// One end of a connection.
#[derive(Debug)]
pub struct Connection {
    seal: PacketSeal,
    setup: Setup,
    path: Path,
    /// What the server tells the client.
    accepted: Accepted,
    /// True once the peer is known to be connected too.
    confirmed: bool,
    /// When an unconfirmed server says accepted again, whether it has, and whether it just did.
    accept_at: Instant,
    accept_sent: bool,
    prefaced: bool,
    /// True if a keepalive should leave whatever left before.
    keepalive: bool,
    transport: Transport,
    outgoing: Option<OutgoingCap>,
    incoming: Option<TokenBucket>,
    heard_at: Instant,
    sent_at: Instant,
    /// When silence is to be broken.
    keepalive_due: Instant,
    /// When a message was last sent or received, until the room that messages took was given back.
    busy_at: Option<Instant>,
    statistics: Statistics,
    /// When the peer, of which one disconnect came and nothing since, is gone.
    gone_at: Option<Instant>,
    end: Option<End>,
    closing: Option<Closing>,
}

impl Connection {
    /// The server's end, just accepted: `seal` has opened the client's response.
    pub fn new_server(
        context: &Context,
        seal: PacketSeal,
        path: Path,
        accepted: Accepted,
        setup: Setup,
    ) -> Connection {
        Connection::new(context, seal, path, accepted, setup)
    }

    /// The client's end: `seal` has opened what the server `accepted`. The timeout is the server's.
    pub fn new_client(
        context: &Context,
        seal: PacketSeal,
        path: Path,
        accepted: Accepted,
        mut setup: Setup,
    ) -> Connection {
        let seconds = u64::from(accepted.connection_timeout);
        setup.timeout = (seconds > 0).then(|| Duration::from_secs(seconds));
        let mut connection = Connection::new(context, seal, path, accepted, setup);
        connection.confirmed = true;
        connection.keepalive = true;
        connection
    }

    // Once for each connection, in three places.
    #[inline(never)]
    fn new(
        context: &Context,
        seal: PacketSeal,
        path: Path,
        accepted: Accepted,
        setup: Setup,
    ) -> Connection {
        let now = context.tick.now;
        Connection {
            seal,
            setup,
            path,
            accepted,
            confirmed: false,
            accept_at: now,
            accept_sent: false,
            prefaced: false,
            keepalive: false,
            transport: Transport::new(setup.resend_ceiling, setup.inbox),
            outgoing: setup.outgoing_rate.map(OutgoingCap::new),
            incoming: setup.incoming_rate.map(rate_limit::incoming),
            heard_at: now,
            sent_at: now,
            keepalive_due: now + SEND_INTERVAL,
            busy_at: Some(now),
            statistics: Statistics::default(),
            gone_at: None,
            end: None,
            closing: None,
        }
    }

    /// True once the peer is known to be connected too.
    pub fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// Where the peer is. It does not move.
    pub fn path(&self) -> Path {
        self.path
    }

    /// When a packet of the peer last kept the connection alive.
    pub fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// Notes another sign of life than a packet.
    pub fn on_sign_of_life(&mut self, now: Instant) {
        self.heard_at = self.heard_at.max(now);
    }

    /// How long an answer may take.
    pub fn probe_timeout(&self, context: &Context) -> Duration {
        self.transport.rtt().patience() + SEND_INTERVAL + context.tick.interval()
    }

    /// Queues a message. There is one channel, 0; reliable messages keep their order, whatever else `delivery`
    /// asks, and unreliable ones may lose it.
    pub fn send<'a>(
        &mut self,
        channel: u8,
        delivery: Delivery,
        _id: u32,
        bytes: impl Into<Payload<'a>>,
    ) -> Result<(), SendError> {
        if channel > 0 {
            return Err(SendError::NoChannels);
        }
        if delivery == Delivery::UnreliableSequenced {
            return Err(SendError::NoSequence);
        }
        self.busy_at = Some(self.sent_at.max(self.heard_at));
        self.transport.send(delivery, &bytes.into())
    }

    /// Does nothing: there is one channel.
    pub fn set_priorities(&mut self, _priorities: Priorities) {}

    /// Does nothing: the rate is that of channels that there are not.
    pub fn set_message_rate(&mut self, _now: Instant, _rate: Option<u32>) {}

    /// How many unreliable messages were given up before they left whole.
    pub fn dropped_unreliable(&self) -> u64 {
        self.transport.dropped_unreliable()
    }

    /// Bytes of the reliable messages that are not acknowledged yet.
    pub fn reliable_queued(&self) -> usize {
        self.transport.reliable_queued()
    }

    /// The largest datagram that leaves, UDP payload.
    pub fn largest_datagram(&self) -> usize {
        MAX_SIZE
    }

    /// What arrived.
    pub fn inbox(&mut self) -> &mut Inbox {
        self.transport.inbox()
    }

    /// Takes what arrived out of a connection that is over.
    pub fn take_inbox(&mut self) -> Inbox {
        self.transport.take_inbox()
    }

    /// The round trip, once measured.
    pub fn rtt(&self) -> Option<Duration> {
        self.transport.rtt().measured()
    }

    /// Rates and loss.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// How the connection ended, once it did without this end's doing.
    pub fn poll_end(&mut self) -> Option<End> {
        self.end.take()
    }

    /// Closes the connection with ten disconnects, which carry neither reason nor text. A peer that did not
    /// hear them is told again for a while.
    pub fn close(&mut self, context: &Context, _reason: DisconnectReason, _text: &[u8], queued: Queued) {
        self.closing = Some(Closing {
            copies: DISCONNECT_COPIES,
            flushing: queued == Queued::Flushed,
            answered_at: None,
            until: context.tick.now + CLOSE_PATIENCE,
        });
    }

    /// True once a closed connection has nothing more to say.
    pub fn is_over(&self, now: Instant) -> bool {
        self.closing.as_ref().is_some_and(|closing| closing.until <= now)
    }

    /// Takes in a packet. Follow with [`poll_end`](Self::poll_end) and
    /// [`poll_transmit`](Self::poll_transmit).
    pub fn handle_packet(
        &mut self,
        context: &mut Context,
        arrival: &Arrival,
        packet: &mut [u8],
    ) -> Result<(), DropReason> {
        let now = context.tick.now;
        let size = packet.len();
        if self.incoming.is_some_and(|bucket| !bucket.ready(arrival.at)) {
            return Err(DropReason::RateLimit);
        }
        let opened =
            if self.confirmed { self.seal.open_connected(packet) } else { self.seal.open(packet) };
        if self.gone_at.is_some() && !self.seal.is_disconnected() {
            self.gone_at = None;
            self.on_heard(now);
        }
        let packet = opened?;
        if let Some(bucket) = &mut self.incoming {
            // Only what the client itself sent: strangers must not use up what it may send.
            bucket.take(arrival.at, size);
        }
        if let Some(closing) = &mut self.closing {
            let lives = matches!(packet, Packet::Keepalive | Packet::Payload(_));
            if lives && closing.copies == 0 && closing.answered_at != Some(now) {
                closing.answered_at = Some(now);
                closing.copies = 1;
            }
            return Err(DropReason::Ended);
        }
        if self.end.is_some() {
            return Err(DropReason::Ended);
        }
        self.statistics.on_received(now, size);
        match packet {
            Packet::Keepalive => {
                self.on_heard(now);
                Ok(())
            }
            Packet::Payload(payload) => {
                self.on_heard(now);
                let samples = self.transport.rtt().samples();
                let packet = self.seal.opened();
                let (report, result) =
                    self.transport.handle_payload(packet, payload, arrival.at, &context.tick);
                if let Some(latest) = self.transport.rtt().latest()
                    && self.transport.rtt().samples() != samples
                {
                    self.statistics.on_round_trip(arrival.at, latest);
                }
                if (report.arrived, report.lost) != (0, 0) {
                    self.statistics.on_settled(now, report.arrived, report.lost);
                }
                self.busy_at = Some(now);
                result
            }
            Packet::Disconnect => {
                if self.gone_at.replace(now + PARTING).is_some() {
                    self.on_gone();
                }
                Ok(())
            }
            // The client has not heard that it was accepted, or the server not that the client has.
            Packet::ChallengeResponse(_) if !self.confirmed => Ok(()),
            Packet::Accepted(_) => Ok(()),
            Packet::Denied => {
                // Of a server that let the client in it is a keepalive whose type was altered: it is there.
                self.on_heard(now);
                Err(DropReason::Unexpected)
            }
            Packet::ChallengeRequest(_) | Packet::ChallengeResponse(_) => Err(DropReason::Unexpected),
        }
    }

    /// The peer is gone. Its packets say no more than that.
    fn on_gone(&mut self) {
        let reason = match self.seal.side() {
            Side::Server => DisconnectReason::LEFT,
            Side::Client => DisconnectReason::KICKED,
        };
        self.end.get_or_insert(End::Peer(reason, Box::default()));
    }

    fn on_heard(&mut self, now: Instant) {
        self.heard_at = now;
        self.confirmed = true;
    }

    /// Takes in that time has passed. Follow with [`poll_end`](Self::poll_end) and
    /// [`poll_transmit`](Self::poll_transmit).
    pub fn handle_timeout(&mut self, context: &Context) {
        if self.closing.is_some() || self.end.is_some() {
            return;
        }
        let now = context.tick.now;
        self.transport.handle_timeout(&context.tick);
        if self.silence_ends(context).is_some_and(|time| time <= now) {
            self.end = Some(End::TimedOut);
        }
        if self.parting_ends(context).is_some_and(|time| time <= now) {
            self.on_gone();
        }
        if self.busy_at.is_some_and(|at| now.since(at) >= IDLE) {
            self.busy_at = None;
            self.transport.shrink();
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) or [`poll_transmit`](Self::poll_transmit) is due; ask
    /// again after every other call.
    pub fn poll_timeout(&self, context: &Context) -> Option<Instant> {
        if let Some(closing) = &self.closing {
            return Some(closing.until);
        }
        let now = context.tick.now;
        let capped_until = self.outgoing.map(|cap| cap.ready_at()).filter(|&at| at > now);
        let accept = (!self.confirmed).then_some(self.accept_at);
        let sending = [Some(self.keepalive_at()), accept, self.transport.poll_timeout(&context.tick)];
        let times = [
            capped_until.or(earliest(sending)),
            self.silence_ends(context),
            self.parting_ends(context),
            self.busy_at.map(|at| at + IDLE),
        ];
        earliest(times)
    }

    fn silence_ends(&self, context: &Context) -> Option<Instant> {
        Some(self.heard_at.max(context.silence_starts) + self.setup.timeout?)
    }

    fn parting_ends(&self, context: &Context) -> Option<Instant> {
        Some(self.gone_at?.max(context.silence_starts + PARTING))
    }

    fn keepalive_at(&self) -> Instant {
        if self.keepalive { Instant::ZERO } else { self.keepalive_due }
    }

    /// Makes the next packet that is due, in `buffer`; `None` when none is. Call it until then after every
    /// update, and after a send that should leave at once.
    pub fn poll_transmit(
        &mut self,
        context: &mut Context,
        scope: Scope,
        buffer: &mut [u8],
    ) -> Option<Transmit> {
        let Some(closing) = &self.closing else { return self.transmit_data(context, scope, buffer) };
        if closing.flushing {
            let data = (!self.transport.is_flushed(&context.tick))
                .then(|| self.transmit_data(context, Scope::Everything, buffer))
                .flatten();
            if data.is_some() {
                return data;
            }
        }
        let closing = self.closing.as_mut()?;
        closing.flushing = false;
        closing.copies = closing.copies.checked_sub(1)?;
        self.transmit(context, &Packet::Disconnect, buffer)
    }

    fn transmit_data(
        &mut self,
        context: &mut Context,
        scope: Scope,
        buffer: &mut [u8],
    ) -> Option<Transmit> {
        let now = context.tick.now;
        if let Some(cap) = &self.outgoing
            && !cap.ready(now)
        {
            self.transport.keep_newest(cap.patience(), cap.a_second());
            return None;
        }
        let wants_to_send = self.transport.wants_to_send(&context.tick, scope);
        if !self.confirmed && self.seal.side() == Side::Server {
            let repeat = scope == Scope::Everything && self.accept_at <= now;
            if repeat || (wants_to_send && !self.prefaced) {
                if repeat {
                    // From the second on a keepalive follows, as from the original.
                    self.keepalive = std::mem::replace(&mut self.accept_sent, true);
                    self.accept_at = now + SEND_INTERVAL;
                }
                self.prefaced = true;
                let accepted = self.accepted;
                return self.transmit(context, &Packet::Accepted(accepted), buffer);
            }
        }
        if wants_to_send {
            self.prefaced = false;
            let first =
                self.outgoing.is_some() && self.transport.next_number().is_multiple_of(RELIABLE_SHARE);
            let mut payload = [0; MAX_PAYLOAD_SIZE];
            let size = self.transport.poll_payload(&context.tick, scope, first, &mut payload)?;
            self.keepalive &= self.seal.side() == Side::Server;
            return self.transmit(context, &Packet::Payload(payload.get(..size)?), buffer);
        }
        if scope == Scope::Everything && self.keepalive_at() <= now {
            // The original's timer starts again from zero and so loses what an update came late (D57).
            let late = now.since(self.keepalive_due).as_nanos() % SEND_INTERVAL.as_nanos();
            self.keepalive = false;
            self.prefaced = false;
            let transmit = self.transmit(context, &Packet::Keepalive, buffer);
            self.keepalive_due = self.keepalive_due - Duration::from_nanos(late);
            return transmit;
        }
        None
    }

    fn transmit(
        &mut self,
        context: &mut Context,
        packet: &Packet<'_>,
        buffer: &mut [u8],
    ) -> Option<Transmit> {
        let now = context.tick.now;
        let size = self.seal.seal(packet, &mut context.generator, buffer)?;
        self.sent_at = now;
        self.keepalive_due = now + SEND_INTERVAL;
        self.statistics.on_sent(now, size);
        if let Some(cap) = &mut self.outgoing {
            cap.on_sent(now, size);
        }
        Some(Transmit { path: self.path, size })
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::{CHALLENGE_DATA_SIZE, Challenge, MAX_SIZE, PacketType};
    use super::*;
    use crate::crypto::Key;
    use crate::ready::{InboxBudget, Source};
    use crate::sending::Shaping;
    use crate::token::TokenKeys;
    use std::net::SocketAddr;

    const ACCEPTED: Accepted = Accepted { client_id: 1, max_clients: 32, connection_timeout: 10 };

    fn setup() -> Setup {
        Setup {
            timeout: Some(Duration::from_secs(10)),
            resend_ceiling: Duration::MAX,
            inbox: InboxBudget { reliable: 100_000, unreliable: 100_000 },
            outgoing_rate: None,
            incoming_rate: None,
            shaping: Shaping::default(),
            largest_datagram: 1200,
        }
    }

    struct Fixture {
        context: Context,
        server: Connection,
        client: PacketSeal,
    }

    fn path() -> Path {
        Path { remote: SocketAddr::from(([10, 0, 0, 2], 5000)), local: None }
    }

    fn fixture(setup: Setup) -> Fixture {
        let keys =
            TokenKeys { client_to_server: Key::new([1; 32]), server_to_client: Key::new([2; 32]) };
        let mut context = Context::new([0; 32]);
        context.advance(Instant::ZERO);
        let seal = PacketSeal::new(Side::Server, &keys);
        let server = Connection::new_server(&context, seal, path(), ACCEPTED, setup);
        Fixture { context, server, client: PacketSeal::new(Side::Client, &keys) }
    }

    fn confirmed(setup: Setup) -> Fixture {
        let mut f = fixture(setup);
        f.receives(&Packet::Keepalive).unwrap();
        f
    }

    impl Fixture {
        fn at(&mut self, milliseconds: u64) -> Vec<PacketType> {
            self.context.advance(Instant::ZERO + Duration::from_millis(milliseconds));
            self.context.end_reading(false);
            self.server.handle_timeout(&self.context);
            self.sends(Scope::Everything)
        }

        /// The types of what leaves, as the client opens them.
        fn sends(&mut self, scope: Scope) -> Vec<PacketType> {
            let mut buffer = [0; MAX_SIZE];
            std::iter::from_fn(|| {
                let sent = self.server.poll_transmit(&mut self.context, scope, &mut buffer)?;
                assert_eq!(sent.path, path());
                Some(self.client.open(&mut buffer[..sent.size]).unwrap().kind())
            })
            .collect()
        }

        fn receives(&mut self, packet: &Packet<'_>) -> Result<(), DropReason> {
            let mut buffer = [0; MAX_SIZE];
            let size = self.client.seal(packet, &mut self.context.generator, &mut buffer).unwrap();
            let arrival = Arrival { path: path(), at: self.context.tick.now };
            self.server.handle_packet(&mut self.context, &arrival, &mut buffer[..size])
        }
    }

    use PacketType::{Accepted as Accept, Disconnect, Keepalive, Payload};

    #[test]
    fn a_server_says_accepted_until_it_hears_the_client() {
        let mut f = fixture(setup());
        assert_eq!(f.at(0), [Accept]);
        assert_eq!(f.at(99), []);
        assert_eq!(f.at(100), [Accept, Keepalive]);
        f.server.send(0, Delivery::Unreliable, 0, b"1").unwrap();
        f.server.send(0, Delivery::Unreliable, 0, b"2").unwrap();
        assert_eq!(f.sends(Scope::Unreliable), [Accept, Payload, Accept, Payload]);
        assert_eq!(f.at(200), [Accept, Keepalive]);
        let data = [0; CHALLENGE_DATA_SIZE];
        let response = Packet::ChallengeResponse(Challenge { nonce: 0, data: &data });
        assert_eq!(f.receives(&response), Ok(()));
        assert!(!f.server.is_confirmed());
        f.receives(&Packet::Keepalive).unwrap();
        assert!(f.server.is_confirmed());
        assert_eq!(f.receives(&response), Err(DropReason::Unexpected));
        f.server.send(0, Delivery::Unreliable, 0, b"3").unwrap();
        assert_eq!(f.at(299), [Payload]);
        assert_eq!(f.at(398), []);
        assert_eq!(f.server.poll_timeout(&f.context).unwrap(), Instant::from_nanos(399_000_000));
        assert_eq!(f.at(399), [Keepalive]);
    }

    #[test]
    fn ten_disconnects_end_it_and_a_peer_that_missed_them_is_told_again() {
        let mut f = confirmed(setup());
        f.at(0);
        f.server.send(0, Delivery::ReliableOrdered, 0, b"last words").unwrap();
        f.server.close(&f.context, DisconnectReason::KICKED, b"", Queued::Flushed);
        let sent = f.at(10);
        assert_eq!((sent[0], &sent[1..]), (Payload, &[Disconnect; 10][..]));
        assert_eq!(f.at(500), []);
        (0..3).for_each(|_| assert_eq!(f.receives(&Packet::Keepalive), Err(DropReason::Ended)));
        assert_eq!(f.at(500), [Disconnect]);
        assert_eq!(f.receives(&Packet::Disconnect), Err(DropReason::Ended));
        assert_eq!(f.at(501), []);
        assert!(!f.server.is_over(f.context.tick.now));
        f.at(1000);
        assert!(f.server.is_over(f.context.tick.now));
    }

    #[test]
    fn d30_one_disconnect_counts_once_nothing_follows_it() {
        let mut f = confirmed(setup());
        let over = |f: &mut Fixture| f.server.poll_end().is_some();
        f.at(100);
        f.receives(&Packet::Disconnect).unwrap();
        f.at(500);
        f.receives(&Packet::Keepalive).unwrap();
        f.at(1000);
        assert!(!over(&mut f));
        f.receives(&Packet::Disconnect).unwrap();
        f.at(1499);
        assert!(!over(&mut f));
        assert_eq!(f.server.poll_timeout(&f.context), Some(Instant::from_nanos(1_500_000_000)));
        f.at(1500);
        assert!(over(&mut f));
        // The second of the ten ends it at once.
        let mut f = confirmed(setup());
        f.receives(&Packet::Disconnect).unwrap();
        assert!(!over(&mut f));
        f.receives(&Packet::Disconnect).unwrap();
        assert!(over(&mut f));
    }

    #[test]
    fn a_cap_slows_reliable_messages_and_keeps_the_newest_unreliable_ones() {
        let mut f = confirmed(Setup { outgoing_rate: Some(20_000), ..setup() });
        let mut bytes = 0;
        let mut buffer = [0; MAX_SIZE];
        for step in 0..400 {
            f.context.advance(Instant::ZERO + Duration::from_millis(step * 10));
            f.server.handle_timeout(&f.context);
            (0..5).for_each(|_| f.server.send(0, Delivery::Unreliable, 0, &[1; 200]).unwrap());
            f.server.send(0, Delivery::ReliableOrdered, 0, &[2; 200]).unwrap();
            while let Some(sent) = f.server.poll_transmit(&mut f.context, Scope::Everything, &mut buffer)
            {
                bytes += sent.size;
            }
        }
        assert!((75_000..=84_000).contains(&bytes), "{bytes}");
        assert!(f.server.dropped_unreliable() > 1500);
    }

    #[test]
    fn what_exceeds_the_incoming_rate_is_dropped() {
        let mut f = confirmed(Setup { incoming_rate: Some(1000), ..setup() });
        let results: Vec<_> = (0..400).map(|_| f.receives(&Packet::Keepalive)).collect();
        let taken = results.iter().filter(|result| result.is_ok()).count();
        assert!((200..=230).contains(&taken), "{taken}");
        assert_eq!(results[399], Err(DropReason::RateLimit));
    }

    #[test]
    fn an_idle_connection_is_small_and_gives_back_what_messages_took() {
        assert!(size_of::<Connection>() < 2048, "{}", size_of::<Connection>());
        let mut f = confirmed(setup());
        for step in 0..100 {
            f.server.send(0, Delivery::Unreliable, 0, &[1; 3000]).unwrap();
            f.at(step * 10);
        }
        f.at(10_000);
        assert_eq!(f.server.transport.poll_timeout(&f.context.tick), None);
        assert_eq!(f.server.busy_at, None);
        assert!(!f.server.inbox().is_ready(Source::Packets));
    }

    #[test]
    fn there_is_one_channel_and_what_it_cannot_promise_is_refused() {
        let mut f = confirmed(setup());
        let refused = f.server.send(1, Delivery::ReliableOrdered, 0, b"x");
        assert_eq!(refused, Err(SendError::NoChannels));
        let refused = f.server.send(0, Delivery::UnreliableSequenced, 0, b"x");
        assert_eq!(refused, Err(SendError::NoSequence));
        assert_eq!(f.server.send(0, Delivery::ReliableUnordered, 0, b"x"), Ok(()));
        assert_eq!(f.server.send(0, Delivery::ReliableOrdered, 0, b""), Err(SendError::Empty));
    }
}
