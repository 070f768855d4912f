//! One connection after the handshake: packets in, messages out, and the reverse. Client and server
//! hold the same thing; what differs is who tells ACCEPT and who can move.
//!
//! `receive.rs` takes packets in, `transmit.rs` makes them.

mod receive;
mod transmit;

use super::frame::Accept;
use super::inbox::Inbox;
use super::keys::{AssociatedPrefix, SessionKeys};
use super::loss::{Fate, LossDetector, PROBE_PACKETS};
use super::outbox::Outbox;
use super::pacer::Pacer;
use super::packet::{PacketSeal, Side};
use super::path::{PathState, ProbeBytes};
use super::received::ReceivedPackets;
use super::repeats::Repeats;
use super::sent_packets::SentFrame;
use crate::connection::{Arrival, Context, End, Needed, Queued, Scope, Setup, Transmit};
use crate::datagram::BASE_DATAGRAM;
use crate::duration::Duration;
use crate::endpoint::Path;
use crate::message::{Delivery, Payload};
use crate::prefetch::prefetch;
use crate::rate_limit::{self, OutgoingCap};
use crate::ready::InboxBudget;
use crate::reason::DisconnectReason;
use crate::replay::ReplayWindow;
use crate::sending::{Priorities, SendError};
use crate::statistics::Statistics;
use crate::time::{Instant, earliest};
use crate::token_bucket::TokenBucket;

/// Keepalives go out when nothing else did for this long, or a quarter of the timeout.
const KEEPALIVE: Duration = Duration::from_secs(1);
/// A connection without messages for this long gives back the room they took.
const IDLE: Duration = Duration::from_secs(3);
/// About one packet number in this many is left out.
const SKIP_ONE_IN: u64 = 256;
/// Copies of a CLOSE.
const CLOSE_COPIES: u8 = 3;
/// Probe timeouts for which a CLOSE is said again to a peer that did not hear it.
const CLOSE_PATIENCE: u32 = 3;
/// Probes that are echoed at once: one for each address a peer may think this end is at.
const ECHOES: usize = 2;
/// Packets with reliable data that may be on the way however full the window is.
const LEAST_IN_FLIGHT: usize = 4;

/// Small frames that wait for the next packet.
#[derive(Debug, Default)]
struct Due {
    ping: bool,
    accept: bool,
    credit: bool,
    blocked: bool,
    /// Told once, where it's more than any end receives.
    limit: bool,
    /// Probes to echo, at most [`ECHOES`].
    echoes: Vec<ProbeBytes>,
    /// A probe timeout passed: this many packets may go even where the window is full, and at least one
    /// must.
    probes: usize,
}

/// The connection is closed here; the peer may not know.
#[derive(Debug)]
struct Closing {
    reason: DisconnectReason,
    text: Box<[u8]>,
    /// Copies of CLOSE still to send.
    copies: u8,
    /// True until what was queued before the close has been sent.
    flushing: bool,
    /// When the last packet was answered: at most once an update.
    answered_at: Option<Instant>,
    until: Instant,
}

/// One end of a connection.
pub struct Connection {
    side: Side,
    seal: PacketSeal,
    /// Silence after which the peer counts as gone; `None` is never.
    timeout: Option<Duration>,
    /// The largest datagram this end receives.
    largest_datagram: usize,
    /// What the server told the client, or is to tell it.
    accept: Option<Accept>,
    /// True once a packet of the peer opened.
    confirmed: bool,
    path: PathState,

    replay: ReplayWindow,
    received: ReceivedPackets,
    /// The newest packet that carried an ACK: older ones say nothing new.
    newest_ack_packet: Option<u64>,
    failed_opens: u64,
    inbox: Inbox,

    loss: LossDetector,
    pacer: Pacer,
    repeats: Repeats,
    /// The next packet number to leave out.
    skip_at: u64,
    outbox: Outbox,
    outgoing: Option<OutgoingCap>,
    incoming: Option<TokenBucket>,
    /// The largest datagram the peer receives.
    peer_limit: usize,
    /// The last BLOCKED sent.
    blocked_sent: Option<u64>,
    due: Due,

    heard_at: Instant,
    sent_at: Instant,
    /// When a packet with messages last left.
    messages_at: Option<Instant>,
    /// When a message was last sent or received, until the room that messages took was given back.
    busy_at: Option<Instant>,
    statistics: Statistics,
    /// What of the detector's counts the statistics know.
    counted: (u64, u64),
    end: Option<End>,
    closing: Option<Box<Closing>>,
}

impl Connection {
    /// The server's end, just accepted.
    pub fn new_server(
        context: &mut Context,
        prefix: AssociatedPrefix,
        keys: &SessionKeys,
        path: Path,
        accept: Accept,
        setup: Setup,
    ) -> Connection {
        let seal = PacketSeal::new(Side::Server, prefix, keys);
        let mut connection = Connection::new(Side::Server, seal, path, setup, context);
        connection.accept = Some(accept);
        connection.due.accept = true;
        connection
    }

    /// The client's end, waiting for the server's ACCEPT.
    pub fn new_client(
        context: &mut Context,
        prefix: AssociatedPrefix,
        keys: &SessionKeys,
        path: Path,
        setup: Setup,
    ) -> Connection {
        let seal = PacketSeal::new(Side::Client, prefix, keys);
        Connection::new(Side::Client, seal, path, setup, context)
    }

    fn new(side: Side, seal: PacketSeal, path: Path, setup: Setup, context: &mut Context) -> Connection {
        let now = context.tick.now;
        Connection {
            side,
            seal,
            timeout: setup.timeout,
            largest_datagram: setup.largest_datagram,
            accept: None,
            confirmed: false,
            path: PathState::new(path),
            replay: ReplayWindow::default(),
            received: ReceivedPackets::default(),
            newest_ack_packet: None,
            failed_opens: 0,
            inbox: Inbox::new(setup.inbox),
            loss: LossDetector::new(setup.resend_ceiling),
            pacer: Pacer::default(),
            repeats: Repeats::default(),
            skip_at: context.generator.below(2 * SKIP_ONE_IN),
            outbox: Outbox::new(&setup.shaping),
            outgoing: setup.outgoing_rate.map(OutgoingCap::new),
            incoming: setup.incoming_rate.map(rate_limit::incoming),
            peer_limit: BASE_DATAGRAM,
            blocked_sent: None,
            due: Due { limit: setup.largest_datagram > BASE_DATAGRAM, ..Due::default() },
            heard_at: now,
            sent_at: now,
            messages_at: None,
            busy_at: Some(now),
            statistics: Statistics::default(),
            counted: (0, 0),
            end: None,
            closing: None,
        }
    }

    /// Moves a connection of which the client has opened nothing yet to the keys and the address of
    /// another of its responses. Packet numbers start again, because the keys are new.
    pub fn restart(
        &mut self,
        context: &mut Context,
        prefix: AssociatedPrefix,
        keys: &SessionKeys,
        path: Path,
    ) {
        debug_assert!(!self.confirmed);
        let Connection { loss, outbox, received, due, .. } = self;
        loss.restart(|number, frame, fate| settle(outbox, received, due, number, frame, fate));
        self.seal = PacketSeal::new(self.side, prefix, keys);
        self.path = PathState::new(path);
        self.replay = ReplayWindow::default();
        self.received = ReceivedPackets::default();
        self.skip_at = context.generator.below(2 * SKIP_ONE_IN);
        self.due.accept = true;
        self.heard_at = context.tick.now;
    }

    /// Asks the processor for the connection, of which `what` is needed soon.
    pub fn prefetch(&self, what: Needed) {
        match what {
            Needed::Everything => prefetch(self),
            Needed::Inbox => prefetch(&self.inbox),
            Needed::Outbox => prefetch(&self.outbox),
        }
    }

    /// Asks the processor for what the connection points to and is needed next.
    pub fn prefetch_parts(&self, what: Needed) {
        if what != Needed::Outbox {
            self.inbox.prefetch();
        }
        if what != Needed::Inbox {
            self.outbox.prefetch();
        }
        if what == Needed::Everything {
            self.received.prefetch();
            self.loss.sent.prefetch();
        }
    }

    /// What the server told the client, once it did.
    pub fn accept(&self) -> Option<&Accept> {
        self.accept.as_ref()
    }

    /// True once a packet of the peer opened.
    pub fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// Says ACCEPT again.
    pub fn repeat_accept(&mut self) {
        self.due.accept = true;
    }

    /// Where the peer is.
    pub fn path(&self) -> Path {
        self.path.current()
    }

    /// When a packet of the peer last opened.
    pub fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// The probe timeout.
    pub fn probe_timeout(&self, context: &Context) -> Duration {
        self.loss.probe_timeout(&context.tick)
    }

    /// Notes another sign of life than a packet. The peer has the connection and yet sends nothing that
    /// arrives: it may think this end elsewhere, which a packet mends.
    pub fn on_sign_of_life(&mut self, now: Instant) {
        self.heard_at = self.heard_at.max(now);
        self.due.ping = true;
    }

    /// Queues a message on a wire channel, 0 to 8.
    pub fn send<'a>(
        &mut self,
        channel: u8,
        delivery: Delivery,
        id: u32,
        bytes: impl Into<Payload<'a>>,
    ) -> Result<(), SendError> {
        self.busy_at = Some(self.sent_at.max(self.heard_at));
        self.outbox.push(channel, delivery, id, bytes)
    }

    /// Sets the priorities of the wire channels; see [`Outbox::set_priorities`].
    pub fn set_priorities(&mut self, priorities: Priorities) {
        self.outbox.set_priorities(priorities);
    }

    /// Sets how many bytes of messages a second may begin on channels 1 to 8; `None` is any number.
    pub fn set_message_rate(&mut self, now: Instant, rate: Option<u32>) {
        self.outbox.set_message_rate(now, rate);
    }

    /// How many unreliable messages were given up before they left whole, most of them because there
    /// were newer ones than the rate lets leave.
    pub fn dropped_unreliable(&self) -> u64 {
        self.outbox.dropped_unreliable()
    }

    /// Bytes of the reliable messages that are not acknowledged yet,
    /// [`MESSAGE_COST`](crate::message::MESSAGE_COST) for each counted.
    pub fn reliable_queued(&self) -> usize {
        self.outbox.reliable_cost()
    }

    /// The largest datagram that leaves, UDP payload: what the path is known to take and the peer receives.
    pub fn largest_datagram(&self) -> usize {
        self.loss.mtu.datagram().min(self.peer_limit)
    }

    /// What arrived.
    pub fn inbox(&mut self) -> &mut Inbox {
        &mut self.inbox
    }

    /// Takes what arrived out of a connection that is over.
    pub fn take_inbox(&mut self) -> Inbox {
        let nothing = InboxBudget { reliable: 0, unreliable: 0 };
        std::mem::replace(&mut self.inbox, Inbox::new(nothing))
    }

    /// The round trip, once measured.
    pub fn rtt(&self) -> Option<Duration> {
        self.loss.rtt.measured()
    }

    /// Rates, loss and jitter.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// How the connection ended, once it did without this end's doing.
    pub fn poll_end(&mut self) -> Option<End> {
        self.end.take()
    }

    /// Closes the connection with CLOSE, three times. A peer that did not hear it is told again for a while.
    pub fn close(&mut self, context: &Context, reason: DisconnectReason, text: &[u8], queued: Queued) {
        let until = context.tick.now + self.probe_timeout(context) * CLOSE_PATIENCE;
        self.closing = Some(Box::new(Closing {
            reason,
            text: text.into(),
            copies: CLOSE_COPIES,
            flushing: queued == Queued::Flushed,
            answered_at: None,
            until,
        }));
    }

    /// True once a closed connection has nothing more to say.
    pub fn is_over(&self, now: Instant) -> bool {
        self.closing.as_ref().is_some_and(|closing| closing.until <= now)
    }

    /// Takes in that time has passed. Follow with [`poll_end`](Self::poll_end) and
    /// [`poll_transmit`](Self::poll_transmit).
    pub fn handle_timeout(&mut self, context: &Context) {
        if self.closing.is_some() || self.end.is_some() {
            return;
        }
        let now = context.tick.now;
        let probe_timeout = self.probe_timeout(context);
        self.inbox.handle_timeout(now);
        self.path.handle_timeout(now, probe_timeout);
        let Connection { loss, outbox, received, due, .. } = self;
        if loss.handle_timeout(&context.tick, |number, frame, fate| {
            settle(outbox, received, due, number, frame, fate);
        }) {
            self.due.probes = PROBE_PACKETS;
        }
        self.count_settled(now);
        let silent = self.silence_ends(context).is_some_and(|time| time <= now);
        if silent || self.loss.is_out_of_numbers() {
            self.end = Some(End::TimedOut);
        }
        if self.keepalive_at() <= now {
            self.due.ping = true;
        }
        if self.busy_at.is_some_and(|at| now.since(at) >= IDLE) {
            self.busy_at = None;
            self.outbox.shrink();
            self.repeats.shrink();
            self.inbox.shrink();
            self.loss.sent.shrink();
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) or [`poll_transmit`](Self::poll_transmit) is
    /// due; ask again after every other call.
    pub fn poll_timeout(&self, context: &Context) -> Option<Instant> {
        if let Some(closing) = &self.closing {
            return Some(closing.until);
        }
        let now = context.tick.now;
        let capped_until = self.outgoing.map(|cap| cap.ready_at()).filter(|&at| at > now);
        // What would only send something is not due before something may leave.
        let sending = self.sending_due(context);
        let times = [
            capped_until.or(sending),
            self.loss.poll_timeout(&context.tick),
            self.inbox.poll_timeout(),
            self.silence_ends(context),
            self.busy_at.map(|at| at + IDLE),
        ];
        earliest(times)
    }

    /// How much later than what goes again its copy leaves, so that not one burst of loss takes both.
    fn repeat_delay(&self, context: &Context) -> Duration {
        context.tick.interval().max(self.loss.rtt.smoothed() / 8)
    }

    fn silence_ends(&self, context: &Context) -> Option<Instant> {
        Some(self.heard_at.max(context.silence_starts) + self.timeout?)
    }

    fn keepalive_at(&self) -> Instant {
        let interval = self.timeout.map_or(KEEPALIVE, |timeout| KEEPALIVE.min(timeout / 4));
        // The client leads and its keepalive counts for both: the server acknowledges it before its own
        // is due.
        let patience = if self.side == Side::Server { interval / 8 } else { Duration::ZERO };
        self.sent_at + interval + patience
    }

    fn count_settled(&mut self, now: Instant) {
        let (arrived, lost) = self.loss.counts();
        if (arrived, lost) != self.counted {
            let change = |new: u64, old: u64| new.wrapping_sub(old) as i64;
            self.statistics.on_settled(
                now,
                change(arrived, self.counted.0),
                change(lost, self.counted.1),
            );
            self.counted = (arrived, lost);
        }
    }
}

/// What becomes of a frame whose packet arrived or is lost.
fn settle(
    outbox: &mut Outbox,
    received: &mut ReceivedPackets,
    due: &mut Due,
    number: u64,
    frame: SentFrame,
    fate: Fate,
) {
    match (frame, fate) {
        (SentFrame::Message(message), Fate::Acked) => outbox.on_acked(&message),
        (SentFrame::Message(message), Fate::Lost) => outbox.on_lost(&message),
        (SentFrame::Ack { smallest, largest }, Fate::Acked) => {
            received.on_ack_acked(number, smallest..=largest);
        }
        (SentFrame::Accept, Fate::Lost) => due.accept = true,
        (SentFrame::Credit, Fate::Lost) => due.credit = true,
        (SentFrame::Blocked, Fate::Lost) => due.blocked = true,
        (SentFrame::Limit, Fate::Lost) => due.limit = true,
        (SentFrame::Ack { .. }, Fate::Lost) => {}
        (SentFrame::Accept | SentFrame::Credit, Fate::Acked) => {}
        (SentFrame::Blocked | SentFrame::Limit, Fate::Acked) => {}
        (SentFrame::MtuProbe { .. }, _) => {}
    }
}
