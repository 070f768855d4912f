//! Packets in. A packet is opened, parsed to its end, and only then applied: one that does not parse
//! delivers nothing, is not acknowledged and ends the connection.

use super::{Arrival, Connection, Context, ECHOES, End, settle};
use crate::drop_reason::DropReason;
use crate::duration::Duration;
use crate::rate_limit::OutgoingCap;
use crate::reason::DisconnectReason;
use crate::v2::frame::{Frame, Frames};
use crate::v2::inbox::Place;
use crate::v2::packet::Side;
use crate::v2::path::PathChange;
use crate::v2::receive_space::Violation;
use crate::v2::received::Urgency;

/// The cipher's limit on forgeries under one key (RFC 9001 section 6.6).
const MAX_FAILED_OPENS: u64 = 1 << 36;
/// The smallest datagram limit a peer may set: its own response must fit.
const MIN_LIMIT: u64 = 1073;

impl Connection {
    /// Takes in a data packet. Follow with [`poll_end`](Self::poll_end) and
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
        let sealed = self.seal.read_header(packet, self.received.expected()).ok_or(DropReason::Size)?;
        let number = sealed.number;
        if !self.replay.is_fresh(number) {
            return Err(DropReason::Replayed);
        }
        let Some(frames) = self.seal.open(sealed) else {
            self.failed_opens += 1;
            if self.failed_opens >= MAX_FAILED_OPENS {
                self.end.get_or_insert(End::Violation);
            }
            return Err(DropReason::Forged);
        };
        if let Some(bucket) = &mut self.incoming {
            // Only what the client itself sent: strangers must not use up what it may send.
            bucket.take(arrival.at, size);
        }
        let newest = self.replay.highest().is_none_or(|highest| number > highest);
        if let Some(closing) = &mut self.closing {
            // The peer has not heard that this is over: tell it again, once an update.
            self.replay.insert(number);
            if closing.copies == 0 && closing.answered_at != Some(now) {
                closing.answered_at = Some(now);
                closing.copies = 1;
            }
            return Err(DropReason::Ended);
        }
        if self.end.is_some() {
            return Err(DropReason::Ended);
        }

        let mut urgency = Urgency::None;
        for frame in Frames::new(frames) {
            let Ok(frame) = frame else {
                self.end = Some(End::Violation);
                return Err(DropReason::Malformed);
            };
            urgency = urgency.max(urgency_of(&frame));
        }

        self.replay.insert(number);
        self.heard_at = now;
        self.confirmed |= self.side == Side::Server;
        self.statistics.on_received(now, size);
        self.received.insert(number, arrival.at, urgency, self.loss.sent.next_number());
        let before = self.path.current().remote;
        let change = self.path.on_packet(arrival.path, size, newest, now, &mut context.generator);
        if self.path.current().remote != before && self.path.allowance().is_none() {
            self.loss.on_moved(now);
        }
        self.on_path_change(change);

        for (frame, position) in Frames::new(frames).flatten().zip(0..) {
            let place = Place { packet: number, frame: position };
            if self.apply(context, arrival, frame, place).is_err() {
                self.end = Some(End::Violation);
                return Err(DropReason::Malformed);
            }
        }
        self.count_settled(now);
        Ok(())
    }

    fn apply(
        &mut self,
        context: &Context,
        arrival: &Arrival,
        frame: Frame<'_>,
        place: Place,
    ) -> Result<(), Violation> {
        match frame {
            Frame::Ping | Frame::Unknown => {}
            Frame::Ack(ack) => {
                if self.newest_ack_packet.is_some_and(|newest| place.packet < newest) {
                    return Ok(());
                }
                self.newest_ack_packet = Some(place.packet);
                let samples = self.loss.rtt.samples();
                let Connection { loss, outbox, received, due, .. } = self;
                loss.on_ack(&ack, arrival.at, &context.tick, |number, frame, fate| {
                    settle(outbox, received, due, number, frame, fate);
                })
                .map_err(|_| Violation)?;
                if let Some(latest) = loss.rtt.latest()
                    && loss.rtt.samples() != samples
                {
                    self.statistics.on_round_trip(arrival.at, latest);
                }
            }
            Frame::Accept(accept) => {
                if self.side == Side::Server {
                    return Err(Violation);
                }
                if self.accept.is_none() {
                    let seconds = u64::from(accept.connection_timeout);
                    self.timeout = (seconds > 0).then(|| Duration::from_secs(seconds));
                    if accept.incoming_rate > 0 {
                        self.outgoing = Some(OutgoingCap::below(accept.incoming_rate));
                    }
                    self.accept = Some(accept);
                    self.confirmed = true;
                }
            }
            Frame::Close { reason, text } => {
                self.end.get_or_insert(End::Peer(DisconnectReason(reason), text.into()));
            }
            Frame::PathProbe(probe) => {
                if !self.due.echoes.contains(&probe) {
                    self.due.echoes.truncate(ECHOES - 1);
                    self.due.echoes.insert(0, probe);
                }
            }
            Frame::PathEcho(echo) => {
                let was_moving = self.path.is_moving();
                let change = self.path.on_echo(&echo, context.tick.now);
                if was_moving && !self.path.is_moving() {
                    self.loss.on_moved(context.tick.now);
                }
                self.on_path_change(change);
            }
            Frame::Credit(total) => self.outbox.on_credit(total),
            Frame::Limit(bytes) if bytes < MIN_LIMIT => return Err(Violation),
            Frame::Limit(bytes) => self.peer_limit = bytes.min(u64::from(u16::MAX)) as usize,
            Frame::Blocked(total) => self.inbox.credit.on_blocked(total),
            Frame::Message(message) => {
                self.busy_at = Some(context.tick.now);
                self.inbox.receive(&message, place, context.tick.now)?;
            }
        }
        Ok(())
    }

    fn on_path_change(&mut self, change: PathChange) {
        if change == PathChange::OtherNetwork {
            self.loss.on_path_changed();
            self.statistics.on_path_changed();
        }
    }
}

/// How urgently a packet with this frame wants to be acknowledged.
fn urgency_of(frame: &Frame<'_>) -> Urgency {
    match frame {
        Frame::Ack(_) | Frame::Close { .. } => Urgency::None,
        Frame::Message(message) if !message.delivery.is_reliable() => Urgency::Lazy,
        Frame::Message(_)
        | Frame::Ping
        | Frame::Accept(_)
        | Frame::PathProbe(_)
        | Frame::PathEcho(_)
        | Frame::Credit(_)
        | Frame::Limit(_)
        | Frame::Blocked(_)
        | Frame::Unknown => Urgency::Strict,
    }
}
