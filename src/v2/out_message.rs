//! One reliable message on its way out: which of its bytes never left, which are lost and go again, which arrived.

use super::filling::Filling;
use super::frame::Fragment;
use super::frame_writer::MessageHead;
use super::sent_packets::{SentFrame, SentMessage};
use crate::message::{Delivery, MESSAGE_COST};
use crate::range_set::RangeSet;
use std::ops::Range;
use std::sync::Arc;

/// A fragment shorter than this is not worth its header, unless it is the last.
const SMALLEST_FRAGMENT: usize = 256;
/// Messages up to this size wait for the next packet rather than be cut to fill the rest of one.
const LARGEST_UNCUT: usize = 1000;

/// What all frames of a channel's messages of one kind have in common.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Wire channel.
    pub channel: u8,
    /// One of the reliable ones.
    pub delivery: Delivery,
}

impl Label {
    fn head(self, id: u32, sequence: u64, fragment: Option<Fragment>) -> MessageHead {
        let Label { channel, delivery } = self;
        MessageHead { channel, delivery, id, sequence: sequence as u16, fragment }
    }

    fn sent(self, sequence: u64, range: Range<u64>, again: bool) -> SentFrame {
        SentFrame::Message(SentMessage {
            sequence,
            offset: range.start as u32,
            length: (range.end - range.start) as u32,
            channel: self.channel,
            delivery: self.delivery,
            again,
        })
    }
}

/// A reliable message that waits, or of which not everything was acknowledged.
#[derive(Debug)]
pub struct OutMessage {
    bytes: Arc<[u8]>,
    id: u32,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// Sent, or to be sent, in one frame.
    Whole { lost: bool },
    /// Sent in fragments.
    Parts(Box<Parts>),
}

#[derive(Debug, Default)]
struct Parts {
    /// The first byte never sent.
    unsent: u64,
    lost: RangeSet,
    acked: RangeSet,
}

impl OutMessage {
    /// Of this message nothing has left yet.
    pub fn new(id: u32, bytes: Arc<[u8]>) -> OutMessage {
        OutMessage { bytes, id, progress: Progress::Whole { lost: false } }
    }

    /// How many bytes it has.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// What it takes of credit and of the queue.
    pub fn cost(&self) -> usize {
        self.bytes.len() + MESSAGE_COST
    }

    /// True if it goes in fragments, and some never left.
    pub fn has_unsent_parts(&self) -> bool {
        matches!(&self.progress, Progress::Parts(parts) if parts.unsent < self.bytes.len() as u64)
    }

    /// True if the packet has room for the message in one frame.
    pub fn fits_whole(&self, label: Label, packet: &Filling<'_, '_>) -> bool {
        packet.writer.fits(&label.head(self.id, 0, None), self.bytes.len())
    }

    /// True if the message should be cut to fill what is left of a packet. One without bytes has no
    /// parts: it waits for a packet that has room.
    pub fn is_worth_cutting(&self, packet: &Filling<'_, '_>) -> bool {
        let fills =
            self.bytes.len() > LARGEST_UNCUT && packet.writer.remaining() > 2 * SMALLEST_FRAGMENT;
        !self.bytes.is_empty() && (packet.first || fills)
    }

    /// Writes the message in one frame for the first time; it must fit.
    pub fn begin_whole(&self, label: Label, sequence: u64, packet: &mut Filling<'_, '_>) {
        self.send_whole(label, sequence, false, packet);
    }

    /// From now on the message goes in fragments: [`send_unsent`](Self::send_unsent) writes them.
    pub fn begin_parts(&mut self) {
        self.progress = Progress::Parts(Box::default());
    }

    fn send_whole(&self, label: Label, sequence: u64, again: bool, packet: &mut Filling<'_, '_>) {
        packet.writer.message(&label.head(self.id, sequence, None), &self.bytes);
        packet.sent.push(label.sent(sequence, 0..self.bytes.len() as u64, again));
        packet.first = false;
    }

    /// Writes as much from the start of `range` as fits and is worth it; returns where that ended.
    fn send_part(
        &self,
        label: Label,
        sequence: u64,
        range: Range<u64>,
        again: bool,
        packet: &mut Filling<'_, '_>,
    ) -> Option<u64> {
        let fragment = Fragment { total: self.bytes.len() as u32, offset: range.start as u32 };
        let head = label.head(self.id, sequence, Some(fragment));
        let wanted = (range.end - range.start) as usize;
        let length = packet.writer.room_for(&head).min(wanted);
        if length == 0 || (length < wanted.min(SMALLEST_FRAGMENT) && !packet.first) {
            return None;
        }
        let start = range.start as usize;
        let end = range.start + length as u64;
        packet.writer.message(&head, self.bytes.get(start..start + length)?);
        packet.sent.push(label.sent(sequence, range.start..end, again));
        packet.first = false;
        Some(end)
    }

    /// Writes bytes that were never sent; true if none are left.
    pub fn send_unsent(&mut self, label: Label, sequence: u64, packet: &mut Filling<'_, '_>) -> bool {
        let total = self.bytes.len() as u64;
        loop {
            let Progress::Parts(parts) = &self.progress else { return true };
            if parts.unsent >= total {
                return true;
            }
            let Some(end) = self.send_part(label, sequence, parts.unsent..total, false, packet) else {
                return false;
            };
            if let Progress::Parts(parts) = &mut self.progress {
                parts.unsent = end;
            }
        }
    }

    /// Writes again what was lost; true if nothing lost is left.
    pub fn send_lost(&mut self, label: Label, sequence: u64, packet: &mut Filling<'_, '_>) -> bool {
        if let Progress::Whole { lost } = self.progress {
            let total = self.bytes.len() as u64;
            if !lost {
                return true;
            }
            if self.fits_whole(label, packet) {
                self.progress = Progress::Whole { lost: false };
                self.send_whole(label, sequence, packet.again, packet);
                return true;
            }
            if !packet.first || total == 0 {
                return false;
            }
            let mut parts = Parts { unsent: total, ..Parts::default() };
            parts.lost.insert(0..total);
            self.progress = Progress::Parts(Box::new(parts));
        }
        loop {
            let Progress::Parts(parts) = &self.progress else { return true };
            let Some(range) = parts.lost.first() else { return true };
            let start = range.start;
            let Some(end) = self.send_part(label, sequence, range, packet.again, packet) else {
                return false;
            };
            if let Progress::Parts(parts) = &mut self.progress {
                parts.lost.remove(start..end);
            }
        }
    }

    /// Notes that `range` arrived; true if that was all.
    pub fn on_acked(&mut self, range: Range<u64>) -> bool {
        let total = self.bytes.len() as u64;
        match &mut self.progress {
            Progress::Whole { .. } => true,
            Progress::Parts(parts) => {
                parts.lost.remove(range.clone());
                parts.acked.insert(range);
                parts.acked.covers(0..total)
            }
        }
    }

    /// Notes that `range` must be sent again, unless it arrived; true if nothing had to be before.
    pub fn on_lost(&mut self, range: Range<u64>) -> bool {
        match &mut self.progress {
            Progress::Whole { lost } => !std::mem::replace(lost, true),
            Progress::Parts(parts) => {
                let had_none = parts.lost.is_empty();
                parts.lost.insert(range.clone());
                for acked in parts.acked.overlapping(range) {
                    parts.lost.remove(acked);
                }
                had_none && !parts.lost.is_empty()
            }
        }
    }
}
