//! Packets out: what is owed and what waits, in as few datagrams as hold it.

use super::{CLOSE_COPIES, Connection, Context, LEAST_IN_FLIGHT, SKIP_ONE_IN, Scope, Transmit};
use crate::crypto::cipher::TAG_SIZE;
use crate::datagram::BASE_DATAGRAM;
use crate::duration::Duration;
use crate::time::{Instant, earliest};
use crate::v2::filling::Filling;
use crate::v2::frame_writer::FrameWriter;
use crate::v2::loss::PROBE_PACKETS;
use crate::v2::outbox::{Outbox, Turn};
use crate::v2::packet::Side;
use crate::v2::received::Company;
use crate::v2::sent_packets::SentFrame;

/// With less room than this no packet is begun: an acknowledgement and a probe would not fit.
const MIN_ROOM: usize = 64;

/// Room for a packet that holds a path probe alone. The smallest packet of a peer that moved, 26 bytes,
/// allows two.
const PROBE_ROOM: usize = 39;

/// With less to send than this, larger datagrams would save less than a probe costs.
const WORTH_PROBING: usize = 64 * 1024;

/// With update intervals above this no acknowledgement waits for messages that may follow.
const LONGEST_WAIT_FOR_COMPANY: Duration = Duration::from_millis(25);

/// Where a cap holds back what the window would not, one packet in this many offers its room to reliable
/// messages first: unreliable ones alone could always fill it.
const RELIABLE_SHARE: u64 = 4;

impl Connection {
    /// Makes the next packet that is due, in `buffer`; `None` when none is. Call it until then after
    /// every update, and after a send that should leave at once.
    pub fn poll_transmit(
        &mut self,
        context: &mut Context,
        scope: Scope,
        buffer: &mut [u8],
    ) -> Option<Transmit> {
        // A client that was not accepted has no connection id yet.
        self.accept?;
        match &mut self.closing {
            None => self.transmit_data(context, scope, buffer),
            Some(closing) if closing.flushing => {
                let data = self.transmit_data(context, Scope::Everything, buffer);
                if data.is_some() {
                    return data;
                }
                if let Some(closing) = &mut self.closing {
                    closing.flushing = false;
                }
                self.transmit_close(context, buffer)
            }
            Some(_) => self.transmit_close(context, buffer),
        }
    }

    /// True if [`poll_transmit`](Self::poll_transmit) may make a packet now.
    pub fn is_transmit_due(&mut self, context: &Context) -> bool {
        let now = context.tick.now;
        self.closing.is_some()
            || self.outbox.has_reliable(now)
            || self.outbox.reliable_cost() >= WORTH_PROBING
            || self.path.due_other_probe(now, PROBE_ROOM).is_some()
            || self.is_packet_due(context, Scope::Everything)
    }

    /// When something is due that only sends. What may not leave before the peer was heard is left out: its timer
    /// would be due again and again, and a program that sleeps until then would not sleep.
    pub(super) fn sending_due(&self, context: &Context) -> Option<Instant> {
        let now = context.tick.now;
        let is_too_far_ahead = self.loss.is_too_far_ahead();
        let (has_room, probe_leaves) = match self.path.allowance() {
            Some(room) if room < BASE_DATAGRAM as u64 => {
                (room >= (PROBE_ROOM + MIN_ROOM) as u64, room >= PROBE_ROOM as u64)
            }
            _ => (true, !is_too_far_ahead),
        };
        let waits = self.pacer.is_waiting();
        let owed = [
            self.received.deadline(),
            self.outbox.poll_timeout(now),
            waits.then(|| self.pacer.ready_at(self.loss.congestion.pace())).flatten(),
            self.repeats.poll_timeout(now),
        ];
        let owed = earliest(owed).filter(|_| has_room && !is_too_far_ahead);
        let keepalive = has_room.then(|| self.keepalive_at());
        let path = self.path.poll_timeout(probe_leaves, PROBE_ROOM, || self.probe_timeout(context));
        earliest([owed, keepalive, path])
    }

    fn transmit_data(
        &mut self,
        context: &mut Context,
        scope: Scope,
        buffer: &mut [u8],
    ) -> Option<Transmit> {
        let now = context.tick.now;
        if self.pacer.is_behind(now) {
            self.pacer.advance(now, context.tick.interval(), self.loss.congestion.pace());
        }
        if let Some(cap) = &self.outgoing
            && !cap.ready(now)
        {
            self.outbox.keep_newest(cap.patience(), cap.a_second());
            return None;
        }
        if scope == Scope::Everything
            && let Some((probe, path)) = self.path.due_other_probe(now, PROBE_ROOM)
        {
            let probe_timeout = self.probe_timeout(context);
            self.path.on_other_probe_sent(now, probe_timeout, PROBE_ROOM);
            let size = self.send_packet(context, buffer, |_, _, writer, _| writer.path_probe(&probe))?;
            return Some(Transmit { path, size });
        }
        let path = self.path.current();
        let datagram = if self.loss.is_in_the_dark() { BASE_DATAGRAM } else { self.loss.mtu.datagram() };
        let mut limit = datagram.min(self.peer_limit);
        if let Some(allowance) = self.path.allowance() {
            let allowance = usize::try_from(allowance).unwrap_or(usize::MAX);
            if let Some(probe) = self.path.due_probe(now).filter(|_| allowance < BASE_DATAGRAM)
                && let Some(room) = buffer.get_mut(..allowance.min(PROBE_ROOM))
                && let Some(size) =
                    self.send_packet(context, room, |_, _, writer, _| writer.path_probe(&probe))
            {
                let probe_timeout = self.probe_timeout(context);
                self.path.on_probe_sent(now, probe_timeout);
                self.path.on_sent(size);
                return Some(Transmit { path, size });
            }
            // The probe must be repeatable, or one that is lost leaves the peer unheard.
            limit = limit.min(allowance.saturating_sub(PROBE_ROOM));
        } else if scope == Scope::Everything
            && let Some(transmit) = self.transmit_mtu_probe(context, buffer)
        {
            return Some(transmit);
        }
        if !self.is_packet_due(context, scope) {
            return None;
        }
        let room = buffer.len().min(limit);
        if room < MIN_ROOM {
            // By the time the address has proven itself, what is unreliable would be stale.
            self.outbox.drop_unreliable();
            return None;
        }
        let size =
            self.send_packet(context, buffer.get_mut(..room)?, |connection, context, writer, sent| {
                connection.write_frames(context, writer, sent)
            });
        let Some(size) = size else {
            // What waits is held back by credit or a rate, not by the path.
            self.loss.congestion.on_app_limited(self.loss.sent.bytes_in_flight());
            return None;
        };
        self.path.on_sent(size);
        Some(Transmit { path, size })
    }

    /// Probes whether the path takes larger datagrams, where there is much to send.
    fn transmit_mtu_probe(&mut self, context: &mut Context, buffer: &mut [u8]) -> Option<Transmit> {
        if self.outbox.reliable_cost() < WORTH_PROBING || self.loss.is_in_the_dark() {
            return None;
        }
        let now = context.tick.now;
        let path = self.path.current();
        let limit = self.peer_limit.min(buffer.len());
        let size = self.loss.mtu.poll_probe(now, path.remote.ip(), limit)?;
        self.send_packet(context, buffer.get_mut(..size)?, |connection, _, writer, sent| {
            writer.ping();
            writer.pad();
            sent.push(connection.loss.mtu.on_probe_sent(now, size));
            // It is acknowledged, but neither its arrival nor its loss says anything of the path's rate.
            false
        })?;
        Some(Transmit { path, size })
    }

    /// True if a packet should leave now.
    fn is_packet_due(&mut self, context: &Context, scope: Scope) -> bool {
        if self.loss.is_too_far_ahead() {
            // The peer has acknowledged nothing for very long: only keepalives and probes still go, and
            // what would be stale when it does is not kept.
            self.outbox.drop_unreliable();
            return self.due.ping || self.due.probes == PROBE_PACKETS;
        }
        let now = context.tick.now;
        if self.outbox.has_unreliable(now) {
            return true;
        }
        if scope == Scope::Unreliable {
            return false;
        }
        if self.due.probes == PROBE_PACKETS || (self.due.probes > 0 && self.outbox.has_reliable(now)) {
            return true;
        }
        if !self.outbox.has_sendable_reliable(now) {
            self.loss.congestion.on_app_limited(self.loss.sent.bytes_in_flight());
            while let Some(sent) = self.repeats.poll(now) {
                self.outbox.on_lost(&sent);
            }
        }
        if self.outbox.has_reliable(now) && self.may_send_reliable(context) {
            return true;
        }
        let due = &self.due;
        due.ping
            || due.accept
            || due.credit
            || due.blocked
            || !due.echoes.is_empty()
            || self.inbox.credit.is_grant_due()
            || self.outbox.blocked_at() > self.blocked_sent
            || self.path.due_probe(now).is_some()
            || self.received.is_ack_due(&context.tick, self.company(context))
    }

    /// Where messages left in the tick that this update ended, but none in this one so far, the program
    /// probably sends something every tick, and what is owed can go with it.
    fn company(&self, context: &Context) -> Company {
        let (now, interval) = (context.tick.now, context.tick.interval());
        let sent_last_tick = self.messages_at.is_some_and(|at| at < now && at + interval >= now);
        if sent_last_tick && interval <= LONGEST_WAIT_FOR_COMPANY {
            Company::Expected
        } else {
            Company::None
        }
    }

    /// True if a packet may leave for reliable messages alone.
    fn may_send_reliable(&mut self, context: &Context) -> bool {
        self.loss.sent.resendable() < LEAST_IN_FLIGHT
            || (self.loss.has_window_for(BASE_DATAGRAM)
                && (context.tick.stands_still() || self.pacer.ready()))
    }

    /// Writes what the occasion and the room allow; true if the peer must acknowledge it.
    fn write_frames(
        &mut self,
        context: &mut Context,
        writer: &mut FrameWriter<'_>,
        sent: &mut Vec<SentFrame>,
    ) -> bool {
        let now = context.tick.now;
        if (self.received.wants_ack() || self.received.is_ack_due(&context.tick, Company::None))
            && let Some(told) = self.received.write_ack(now, writer)
        {
            sent.push(SentFrame::Ack { smallest: *told.start(), largest: *told.end() });
        }
        let acks_only = writer.written();

        if self.side == Side::Server
            && !self.confirmed
            && let Some(accept) = &self.accept
            && writer.accept(accept)
        {
            sent.push(SentFrame::Accept);
        }
        self.due.accept = false;
        if let Some(probe) = self.path.due_probe(now)
            && writer.path_probe(&probe)
        {
            let probe_timeout = self.probe_timeout(context);
            self.path.on_probe_sent(now, probe_timeout);
        }
        self.due.echoes.retain(|echo| !writer.path_echo(echo));
        if self.due.credit || self.inbox.credit.is_grant_due() {
            self.due.credit = !writer.credit(self.inbox.credit.grant());
            if !self.due.credit {
                sent.push(SentFrame::Credit);
            }
        }
        if std::mem::take(&mut self.due.blocked) {
            // The peer may not know of it, so that the next to wait has to say so, whenever it does and whatever it needs.
            self.blocked_sent = None;
        }
        if let Some(needed) = self.outbox.blocked_at()
            && self.blocked_sent < Some(needed)
            && writer.blocked(needed)
        {
            self.blocked_sent = Some(needed);
            sent.push(SentFrame::Blocked);
        }
        if self.due.limit && writer.limit(self.largest_datagram as u64) {
            self.due.limit = false;
            sent.push(SentFrame::Limit);
        }

        let number = self.loss.sent.next_number();
        // What leaves anyway takes along what the window holds back.
        let turn = if self.outbox.has_reliable(now) && !self.may_send_reliable(context) {
            Turn::Last
        } else if self.outgoing.is_some() && number.is_multiple_of(RELIABLE_SHARE) {
            Turn::BeforeUnreliable
        } else {
            Turn::ByPriority
        };
        let again = !self.repeats.is_copying(now);
        let mut filling = Filling { writer, number, sent, again, first: true };
        let before = filling.writer.written();
        self.outbox.fill(&mut filling, now, turn);
        let writer = filling.writer;
        if writer.written() > before {
            self.messages_at = Some(now);
        }

        let mut eliciting = writer.written() > acks_only;
        if !eliciting && (self.due.ping || self.due.probes == PROBE_PACKETS) {
            eliciting = writer.ping();
        }
        if !eliciting && writer.written() > 0 && self.received.on_acks_alone() {
            eliciting = writer.ping();
        }
        if eliciting {
            self.received.on_ack_eliciting();
        }
        self.due.ping = false;
        self.due.probes = self.due.probes.saturating_sub(1);
        eliciting
    }

    /// Sends CLOSE, as often as it is still to be sent.
    fn transmit_close(&mut self, context: &mut Context, buffer: &mut [u8]) -> Option<Transmit> {
        let closing = self.closing.as_mut()?;
        if closing.copies == CLOSE_COPIES {
            // Nothing but CLOSE leaves from here on.
            self.outbox = Outbox::default();
        }
        closing.copies = closing.copies.checked_sub(1)?;
        let path = self.path.last_valid();
        let size = self.send_packet(context, buffer, |connection, _, writer, _| {
            // A client that has heard nothing yet learns that it was let in, and that it is out again.
            if connection.side == Side::Server
                && !connection.confirmed
                && let Some(accept) = &connection.accept
            {
                writer.accept(accept);
            }
            if let Some(closing) = &connection.closing {
                writer.close(closing.reason.0, &closing.text);
            }
            false
        })?;
        Some(Transmit { path, size })
    }

    /// Makes a packet of what `write` writes; true from it if the peer must acknowledge the packet.
    fn send_packet(
        &mut self,
        context: &mut Context,
        buffer: &mut [u8],
        write: impl FnOnce(&mut Self, &mut Context, &mut FrameWriter<'_>, &mut Vec<SentFrame>) -> bool,
    ) -> Option<usize> {
        let now = context.tick.now;
        if self.loss.sent.next_number() >= self.skip_at {
            self.loss.sent.skip(now);
            self.skip_at = self.loss.sent.next_number() + 1 + context.generator.below(2 * SKIP_ONE_IN);
        }
        let number = self.loss.sent.next_number();
        let id = self.accept.map_or(0, |accept| accept.connection_id);
        let header = self.seal.write_header(number, self.loss.largest_acked(), id, buffer)?;
        let end = buffer.len().checked_sub(TAG_SIZE)?;
        let mut writer = FrameWriter::new(buffer.get_mut(header..end)?);
        let mut sent = std::mem::take(&mut context.sent_frames);
        let eliciting = write(self, context, &mut writer, &mut sent);
        let length = writer.finish();
        let size = if length > 0 { self.seal.seal(number, header, length, buffer) } else { None };
        if let Some(size) = size {
            self.loss.on_packet_sent(now, size, eliciting, &sent);
            self.sent_at = now;
            self.statistics.on_sent(now, size);
            self.pacer.on_sent(size);
            for frame in &sent {
                if let SentFrame::Message(message) = frame
                    && message.again
                {
                    let delay = self.repeat_delay(context);
                    self.repeats.on_sent_again(now, delay, message);
                }
            }
            if let Some(cap) = &mut self.outgoing {
                cap.on_sent(now, size);
            }
        }
        sent.clear();
        context.sent_frames = sent;
        size
    }
}
