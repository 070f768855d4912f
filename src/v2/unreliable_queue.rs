//! Unreliable messages between the program's call and the next packet. Only a rate that was set holds them
//! back, and then the newest win. Their bytes share one buffer: once it has grown, queueing a message
//! allocates nothing.

use super::filling::{Fill, Filling};
use super::frame::Fragment;
use super::frame_writer::MessageHead;
use super::message_rate::Pace;
use crate::message::{Delivery, MESSAGE_COST, Payload};
use std::collections::VecDeque;
use std::sync::Arc;

/// About how many bytes of a packet a message takes besides its own.
const HEADER: usize = 4;

/// The unreliable messages of a channel.
#[derive(Debug, Default)]
pub struct UnreliableQueue {
    bytes: Vec<u8>,
    messages: VecDeque<Queued>,
    cost: usize,
    /// The sequence of the next message that is cut.
    next_sequence: u16,
}

#[derive(Debug)]
struct Queued {
    id: u32,
    delivery: Delivery,
    /// Its bytes, where other connections send them too.
    shared: Option<Arc<[u8]>>,
    /// Where they begin in the queue's buffer otherwise.
    start: usize,
    length: usize,
    /// Bytes sent already, of a message that is cut.
    sent: usize,
}

impl Queued {
    /// Its bytes, which may lie in `buffer`.
    fn bytes<'a>(&'a self, buffer: &'a [u8]) -> &'a [u8] {
        match &self.shared {
            Some(bytes) => bytes,
            None => buffer.get(self.start..self.start + self.length).unwrap_or_default(),
        }
    }
}

impl UnreliableQueue {
    /// Queues a message. `delivery` is one of the unreliable ones.
    pub fn push<'a>(&mut self, id: u32, delivery: Delivery, bytes: impl Into<Payload<'a>>) {
        self.reclaim();
        let (start, bytes) = (self.bytes.len(), bytes.into());
        let length = bytes.len();
        let shared = match bytes {
            Payload::Shared(bytes) => Some(bytes.clone()),
            Payload::Borrowed(bytes) => {
                self.bytes.extend_from_slice(bytes);
                None
            }
        };
        self.cost += length + MESSAGE_COST;
        self.messages.push_back(Queued { id, delivery, shared, start, length, sent: 0 });
    }

    /// True if nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Bytes of the messages queued, and what each costs besides.
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// How many messages are queued.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// True if something could be written; messages begin only if `may_begin`.
    pub fn wants_to_send(&self, may_begin: bool) -> bool {
        !self.is_empty() && (may_begin || self.is_begun())
    }

    /// True if the oldest message was cut and part of it left.
    fn is_begun(&self) -> bool {
        self.messages.front().is_some_and(|queued| queued.sent > 0)
    }

    /// Writes what fits, and forgets it: nobody sends it again. No message begins that `pace` holds
    /// back.
    pub fn fill(&mut self, channel: u8, packet: &mut Filling<'_, '_>, pace: &mut Pace<'_>) -> Fill {
        while let Some(queued) = self.messages.front_mut() {
            if queued.sent == 0 && !pace.lets_begin() {
                return Fill::Held;
            }
            let Queued { id, delivery, .. } = *queued;
            let sequence = self.next_sequence;
            let mut head = MessageHead { channel, delivery, id, sequence, fragment: None };
            if queued.sent == 0 && packet.writer.fits(&head, queued.length) {
                packet.writer.message(&head, queued.bytes(&self.bytes));
                pace.on_begun(queued.length);
            } else {
                if queued.sent == 0 && !packet.first {
                    // A message that need not be cut isn't: every fragment is one more to lose.
                    return Fill::Full;
                }
                head.fragment =
                    Some(Fragment { total: queued.length as u32, offset: queued.sent as u32 });
                let length = packet.writer.room_for(&head);
                if length == 0 {
                    return Fill::Full;
                }
                let bytes = queued.bytes(&self.bytes).get(queued.sent..queued.sent + length);
                packet.writer.message(&head, bytes.unwrap_or_default());
                packet.first = false;
                if queued.sent == 0 {
                    pace.on_begun(queued.length);
                }
                queued.sent += length;
                if queued.sent < queued.length {
                    return Fill::Full;
                }
                self.next_sequence = self.next_sequence.wrapping_add(1);
            }
            packet.first = false;
            self.cost = self.cost.saturating_sub(queued.length + MESSAGE_COST);
            self.messages.pop_front();
        }
        self.clear();
        Fill::Everything
    }

    /// Forgets what is queued.
    pub fn clear(&mut self) {
        if self.is_begun() {
            // Fragments of it left: the next message that is cut must not look like the rest of it.
            self.next_sequence = self.next_sequence.wrapping_add(1);
        }
        self.messages.clear();
        self.bytes.clear();
        self.cost = 0;
    }

    /// Forgets the oldest messages until the others fit into `budget` bytes, which they use up; the newest
    /// always stays. One of which a part has left is finished first, unless more than `stale` bytes of it
    /// remain: its receiver would have given up its start when its end arrives. Returns how many were
    /// forgotten.
    pub fn keep_newest(&mut self, budget: &mut usize, stale: usize) -> usize {
        let before = self.messages.len();
        if self.is_begun()
            && self.messages.front().is_some_and(|queued| queued.length - queued.sent > stale)
            && let Some(queued) = self.messages.pop_front()
        {
            self.cost = self.cost.saturating_sub(queued.length + MESSAGE_COST);
            self.next_sequence = self.next_sequence.wrapping_add(1);
        }
        let begun = usize::from(self.is_begun());
        let mut keep_from = self.messages.len();
        for (place, queued) in self.messages.iter().enumerate().skip(begun).rev() {
            let size = queued.length + HEADER;
            if size > *budget && place + 1 < self.messages.len() {
                break;
            }
            *budget = budget.saturating_sub(size);
            keep_from = place;
        }
        for queued in self.messages.drain(begun..keep_from.max(begun)) {
            self.cost = self.cost.saturating_sub(queued.length + MESSAGE_COST);
        }
        before - self.messages.len()
    }

    /// Moves what is queued to the start of the buffer once most of the buffer was sent or given up,
    /// where the queue never runs empty.
    fn reclaim(&mut self) {
        let live = self.cost.saturating_sub(self.messages.len() * MESSAGE_COST);
        if self.bytes.len() <= 2 * live {
            return;
        }
        let mut end = 0;
        for queued in self.messages.iter_mut().filter(|queued| queued.shared.is_none()) {
            self.bytes.copy_within(queued.start..queued.start + queued.length, end);
            queued.start = end;
            end += queued.length;
        }
        self.bytes.truncate(end);
    }

    /// Gives room back that is not used.
    pub fn shrink(&mut self) {
        self.messages.shrink_to_fit();
        self.bytes.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Frame, Frames};
    use super::super::frame_writer::FrameWriter;
    use super::*;
    use Delivery::Unreliable;

    /// Fills packets of `size` bytes until the queue is empty; returns each packet's frames.
    fn packets(queue: &mut UnreliableQueue, size: usize) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        while !queue.is_empty() {
            let mut buffer = vec![0; size];
            let mut writer = FrameWriter::new(&mut buffer);
            let mut sent = Vec::new();
            let mut packet =
                Filling { writer: &mut writer, number: 0, sent: &mut sent, first: true, again: true };
            queue.fill(0, &mut packet, &mut Pace::free());
            assert!(sent.is_empty());
            let length = writer.finish();
            assert!(length > 0);
            buffer.truncate(length);
            packets.push(buffer);
        }
        packets
    }

    /// Fills one packet; returns the sequence and total of each fragment in it.
    fn fragments(queue: &mut UnreliableQueue) -> Vec<(u16, u32)> {
        let mut buffer = vec![0; 1200];
        let mut writer = FrameWriter::new(&mut buffer);
        let mut sent = Vec::new();
        let mut packet =
            Filling { writer: &mut writer, number: 0, sent: &mut sent, first: true, again: true };
        queue.fill(0, &mut packet, &mut Pace::free());
        let length = writer.finish();
        Frames::new(&buffer[..length])
            .filter_map(|frame| match frame.unwrap() {
                Frame::Message(message) => Some((message.sequence, message.fragment?.total)),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_cut_message_that_was_given_up_keeps_its_sequence() {
        let mut queue = UnreliableQueue::default();
        queue.push(0, Unreliable, &[1; 5000]);
        assert_eq!(fragments(&mut queue), [(0, 5000)]);
        queue.clear();
        queue.push(0, Unreliable, &[1; 4000]);
        assert_eq!(fragments(&mut queue), [(1, 4000)]);
    }

    #[test]
    fn the_newest_win_and_a_begun_message_is_finished_unless_it_is_stale() {
        let mut queue = UnreliableQueue::default();
        queue.push(0, Unreliable, &[1; 3000]);
        assert_eq!(fragments(&mut queue), [(0, 3000)]);
        for length in [400, 300, 200, 100] {
            queue.push(0, Unreliable, &vec![0; length]);
        }
        let mut budget = 300 + 2 * HEADER;
        assert_eq!(queue.keep_newest(&mut budget, 2000), 2);
        assert_eq!((queue.len(), budget), (3, 0));
        // The newest is kept whatever its size.
        assert_eq!(queue.keep_newest(&mut 50, 2000), 1);
        assert_eq!(queue.keep_newest(&mut 0, 2000), 0);
        assert_eq!(queue.cost(), 3000 + 100 + 2 * MESSAGE_COST);
        assert_eq!(queue.keep_newest(&mut 0, 1000), 1);
        assert_eq!(queue.cost(), 100 + MESSAGE_COST);
        queue.push(0, Unreliable, &[1; 5000]);
        assert_eq!(queue.bytes.len(), 5100, "the buffer was not compacted");
        assert_eq!(fragments(&mut queue), []);
        assert_eq!(fragments(&mut queue), [(1, 5000)]);
    }

    #[test]
    fn a_queue_that_never_runs_empty_does_not_grow() {
        let mut queue = UnreliableQueue::default();
        queue.push(0, Unreliable, &[1; 1000]);
        for number in 0..2000 {
            queue.push(0, Unreliable, &[number as u8; 1000]);
            fragments(&mut queue);
        }
        assert!(queue.bytes.len() <= 4000, "{}", queue.bytes.len());
        assert_eq!(queue.cost(), 1000 + MESSAGE_COST);
    }

    #[test]
    fn messages_share_packets_and_are_cut_only_if_they_must() {
        let mut queue = UnreliableQueue::default();
        for length in [40, 40, 60, 100, 250, 1] {
            queue.push(0, Unreliable, &vec![length as u8; length]);
        }
        assert_eq!(queue.cost(), 491 + 6 * MESSAGE_COST);
        let lengths: Vec<Vec<_>> = packets(&mut queue, 120)
            .iter()
            .map(|packet| {
                Frames::new(packet)
                    .map(|frame| match frame.unwrap() {
                        Frame::Message(message) => (message.bytes.len(), message.fragment.is_some()),
                        other => panic!("{other:?}"),
                    })
                    .collect()
            })
            .collect();
        assert_eq!(
            lengths,
            [
                vec![(40, false), (40, false)],
                vec![(60, false)],
                vec![(100, false)],
                vec![(96, true)],
                vec![(96, true)],
                vec![(58, true), (1, false)],
            ]
        );
        queue.shrink();
        assert_eq!((queue.bytes.capacity(), queue.cost()), (0, 0));
    }
}
