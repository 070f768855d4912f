//! Unreliable messages between the program's call and the next packet. They never wait for the
//! network, so the queue is empty after every flush; their bytes share one buffer, and queueing a
//! message allocates nothing once the buffer has grown.

use super::frame::Fragment;
use super::frame_writer::MessageHead;
use super::send_space::{Fill, Filling};
use crate::message::{Delivery, MESSAGE_COST};
use std::collections::VecDeque;

/// The unreliable messages of a channel.
#[derive(Debug, Default)]
pub struct UnreliableQueue {
    bytes: Vec<u8>,
    messages: VecDeque<Queued>,
    cost: usize,
    /// The sequence of the next message that is cut.
    next_sequence: u16,
}

#[derive(Clone, Copy, Debug)]
struct Queued {
    id: u32,
    sequenced: bool,
    start: usize,
    length: usize,
    /// Bytes sent already, of a message that is cut.
    sent: usize,
}

impl UnreliableQueue {
    /// Queues a message.
    pub fn push(&mut self, id: u32, sequenced: bool, bytes: &[u8]) {
        self.reclaim();
        let start = self.bytes.len();
        self.cost += bytes.len() + MESSAGE_COST;
        self.bytes.extend_from_slice(bytes);
        self.messages.push_back(Queued { id, sequenced, start, length: bytes.len(), sent: 0 });
    }

    /// True if nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Bytes of the messages queued, and what each costs besides.
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// Writes what fits, and forgets it: nobody sends it again.
    pub fn fill(&mut self, channel: u8, packet: &mut Filling<'_, '_>) -> Fill {
        while let Some(queued) = self.messages.front_mut() {
            let delivery =
                if queued.sequenced { Delivery::UnreliableSequenced } else { Delivery::Unreliable };
            let sequence = self.next_sequence;
            let mut head = MessageHead { channel, delivery, id: queued.id, sequence, fragment: None };
            let end = queued.start + queued.length;
            if queued.sent == 0 && packet.writer.fits(&head, queued.length) {
                packet.writer.message(&head, self.bytes.get(queued.start..end).unwrap_or_default());
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
                let from = queued.start + queued.sent;
                packet.writer.message(&head, self.bytes.get(from..from + length).unwrap_or_default());
                packet.first = false;
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
        if self.messages.front().is_some_and(|queued| queued.sent > 0) {
            // Fragments of it left: the next message that is cut must not look like the rest of it.
            self.next_sequence = self.next_sequence.wrapping_add(1);
        }
        self.messages.clear();
        self.bytes.clear();
        self.cost = 0;
    }

    /// Moves what is queued to the start of the buffer once most of the buffer was sent, where the queue
    /// never runs empty.
    fn reclaim(&mut self) {
        let sent = self.messages.front().map_or(0, |queued| queued.start);
        if sent > self.bytes.len() / 2 {
            self.bytes.drain(..sent);
            self.messages.iter_mut().for_each(|queued| queued.start -= sent);
        }
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

    /// Fills packets of `size` bytes until the queue is empty; returns each packet's frames.
    fn packets(queue: &mut UnreliableQueue, size: usize) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        while !queue.is_empty() {
            let mut buffer = vec![0; size];
            let mut writer = FrameWriter::new(&mut buffer);
            let mut sent = Vec::new();
            queue.fill(0, &mut Filling { writer: &mut writer, number: 0, sent: &mut sent, first: true });
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
        queue.fill(0, &mut Filling { writer: &mut writer, number: 0, sent: &mut sent, first: true });
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
        queue.push(0, false, &[1; 5000]);
        assert_eq!(fragments(&mut queue), [(0, 5000)]);
        queue.clear();
        queue.push(0, false, &[1; 4000]);
        assert_eq!(fragments(&mut queue), [(1, 4000)]);
    }

    #[test]
    fn a_queue_that_never_runs_empty_does_not_grow() {
        let mut queue = UnreliableQueue::default();
        queue.push(0, false, &[1; 1000]);
        for number in 0..2000 {
            queue.push(0, false, &[number as u8; 1000]);
            fragments(&mut queue);
        }
        assert!(queue.bytes.len() <= 4000, "{}", queue.bytes.len());
        assert_eq!(queue.cost(), 1000 + MESSAGE_COST);
    }

    #[test]
    fn messages_share_packets_and_are_cut_only_if_they_must() {
        let mut queue = UnreliableQueue::default();
        for length in [40, 40, 60, 100, 250, 1] {
            queue.push(0, false, &vec![length as u8; length]);
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
