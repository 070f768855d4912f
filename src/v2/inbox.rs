//! Everything that arrived for the program: messages ready to be taken, and those of which parts are
//! missing. Bounded whatever the peer does: reliable messages by the credit it was granted, unreliable
//! ones by a budget of their own, whose oldest give way to the newest.

use super::frame::MessageFrame;
use super::receive_credit::ReceiveCredit;
use super::receive_space::{ReceiveSpace, Violation};
use super::unreliable_assemblies::UnreliableAssemblies;
use crate::message::{Delivery, Message, MessageInfo};
use crate::prefetch::prefetch;
use crate::ready::{InboxBudget, Ready, Source};
use crate::sending::CHANNELS;
use crate::time::Instant;
use std::collections::VecDeque;

/// Where in the packets a message came: sequenced messages are compared by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The packet number.
    pub packet: u64,
    /// The place among the packet's frames.
    pub frame: u16,
}

/// The messages on their way in.
#[derive(Debug)]
pub struct Inbox {
    channels: [Option<Box<ReceiveChannel>>; CHANNELS],
    packets: Ready,
    channel_messages: Ready,
    /// What the peer may send reliably.
    pub credit: ReceiveCredit,
    /// When new bytes of a reliable message last came.
    progress_at: Instant,
    unreliable_budget: usize,
    /// Cost of the unreliable messages that are ready.
    unreliable_ready: usize,
}

#[derive(Debug)]
struct ReceiveChannel {
    ordered: ReceiveSpace,
    unordered: ReceiveSpace,
    assemblies: UnreliableAssemblies,
    /// The last sequenced message delivered.
    sequenced: Option<Place>,
}

impl Default for ReceiveChannel {
    fn default() -> Self {
        ReceiveChannel {
            ordered: ReceiveSpace::new(Delivery::ReliableOrdered),
            unordered: ReceiveSpace::new(Delivery::ReliableUnordered),
            assemblies: UnreliableAssemblies::default(),
            sequenced: None,
        }
    }
}

impl Inbox {
    /// Starts empty.
    pub fn new(budget: InboxBudget) -> Inbox {
        Inbox {
            channels: Default::default(),
            packets: Ready::default(),
            channel_messages: Ready::default(),
            credit: ReceiveCredit::new(budget.reliable),
            progress_at: Instant::ZERO,
            unreliable_budget: budget.unreliable,
            unreliable_ready: 0,
        }
    }

    /// Asks the processor for what is needed soon: by messages of channel 0, which all programs use.
    pub fn prefetch(&self) {
        self.channels.iter().take(1).flatten().for_each(|channel| prefetch(&**channel));
        let Ready { reliable, unreliable } = &self.packets;
        unreliable.front().or(reliable.front()).into_iter().for_each(prefetch);
    }

    /// Takes in a message frame that came at `place`.
    pub fn receive(
        &mut self,
        frame: &MessageFrame<'_>,
        place: Place,
        now: Instant,
    ) -> Result<(), Violation> {
        let Some(slot) = self.channels.get_mut(usize::from(frame.channel)) else {
            return Err(Violation);
        };
        let channel = slot.get_or_insert_default();
        let ready = if frame.channel == 0 { &mut self.packets } else { &mut self.channel_messages };
        let deliver = |message| ready.reliable.push_back(message);
        let new = match frame.delivery {
            Delivery::ReliableOrdered => channel.ordered.receive(frame, &mut self.credit, deliver)?,
            Delivery::ReliableUnordered => {
                channel.unordered.receive(frame, &mut self.credit, deliver)?
            }
            Delivery::Unreliable | Delivery::UnreliableSequenced => {
                if let Some(message) =
                    channel.receive_unreliable(frame, place, now, self.unreliable_budget)?
                {
                    self.unreliable_ready += message.cost();
                    ready.unreliable.push_back(message);
                }
                self.keep_budget();
                false
            }
        };
        if new {
            self.progress_at = now;
        }
        Ok(())
    }

    /// Drops the oldest unreliable data until the budget holds: first what the program did not take,
    /// then what is not whole.
    fn keep_budget(&mut self) {
        loop {
            let assemblies = || self.channels.iter().flatten().map(|channel| &channel.assemblies);
            let held: usize = assemblies().map(UnreliableAssemblies::held).sum();
            if self.unreliable_ready + held <= self.unreliable_budget {
                return;
            }
            let queues = [&mut self.packets.unreliable, &mut self.channel_messages.unreliable];
            if let Some(message) = queues.into_iter().find_map(VecDeque::pop_front) {
                self.unreliable_ready = self.unreliable_ready.saturating_sub(message.cost());
                continue;
            }
            let assemblies = self.channels.iter_mut().flatten().map(|channel| &mut channel.assemblies);
            match assemblies.filter(|a| a.oldest().is_some()).min_by_key(|a| a.oldest()) {
                Some(oldest) => oldest.drop_oldest(),
                None => return,
            }
        }
    }

    /// The next message of `source`; its room is the peer's again.
    pub fn pop(&mut self, source: Source) -> Option<Message> {
        let message = self.ready_mut(source).pop()?;
        if message.info().reliable {
            self.credit.consume(message.len());
        } else {
            self.unreliable_ready = self.unreliable_ready.saturating_sub(message.cost());
        }
        Some(message)
    }

    /// True if a message of `source` can be taken.
    pub fn is_ready(&self, source: Source) -> bool {
        let ready = match source {
            Source::Packets => &self.packets,
            Source::Channels => &self.channel_messages,
        };
        !ready.is_empty()
    }

    fn ready_mut(&mut self, source: Source) -> &mut Ready {
        match source {
            Source::Packets => &mut self.packets,
            Source::Channels => &mut self.channel_messages,
        }
    }

    /// Gives room back that is not used.
    pub fn shrink(&mut self) {
        self.channels.iter_mut().flatten().for_each(|channel| channel.unordered.shrink());
        for ready in [&mut self.packets, &mut self.channel_messages] {
            ready.reliable.shrink_to_fit();
            ready.unreliable.shrink_to_fit();
        }
    }

    /// What is ready, when the connection is over: it can still be taken.
    pub fn into_ready(self) -> (Ready, Ready) {
        (self.packets, self.channel_messages)
    }

    /// When new bytes of a reliable message last came.
    pub fn progress_at(&self) -> Instant {
        self.progress_at
    }

    /// Gives up unreliable messages that will not become whole.
    pub fn handle_timeout(&mut self, now: Instant) {
        for channel in self.channels.iter_mut().flatten() {
            channel.assemblies.handle_timeout(now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.channels.iter().flatten().filter_map(|channel| channel.assemblies.poll_timeout()).min()
    }
}

impl ReceiveChannel {
    /// The message that a frame completes, unless a later sequenced one was delivered before it.
    fn receive_unreliable(
        &mut self,
        frame: &MessageFrame<'_>,
        place: Place,
        now: Instant,
        budget: usize,
    ) -> Result<Option<Message>, Violation> {
        let (message, place) = match frame.fragment {
            None => {
                let info =
                    MessageInfo { channel: frame.channel, reliable: false, id: frame.id.unwrap_or(0) };
                (Message::new(info, frame.bytes), place)
            }
            // It would push everything out, and then itself.
            Some(fragment) if fragment.total as usize > budget - budget / 16 => return Ok(None),
            Some(fragment) => match self.assemblies.receive(frame, fragment, place, now)? {
                Some(whole) => whole,
                None => return Ok(None),
            },
        };
        if frame.delivery == Delivery::UnreliableSequenced {
            if self.sequenced.is_some_and(|last| place < last) {
                return Ok(None);
            }
            self.sequenced = Some(place);
        }
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::Fragment;
    use super::*;
    use crate::message::MESSAGE_COST;

    fn frame(channel: u8, delivery: Delivery, sequence: u16, bytes: &[u8]) -> MessageFrame<'_> {
        let id = (channel > 0).then_some(u32::from(sequence));
        MessageFrame { channel, delivery, id, sequence, fragment: None, bytes }
    }

    fn place(packet: u64, frame: u16) -> Place {
        Place { packet, frame }
    }

    fn taken(inbox: &mut Inbox, source: Source) -> Vec<(bool, Vec<u8>)> {
        std::iter::from_fn(|| inbox.pop(source))
            .map(|message| (message.info().reliable, message.payload().to_vec()))
            .collect()
    }

    #[test]
    fn reliable_messages_are_taken_first_and_channels_apart() {
        let mut inbox = Inbox::new(InboxBudget::DEFAULT);
        let mut receive = |channel, delivery, sequence, bytes: &[u8]| {
            inbox
                .receive(&frame(channel, delivery, sequence, bytes), place(0, 0), Instant::ZERO)
                .unwrap();
        };
        receive(0, Delivery::Unreliable, 0, b"u1");
        receive(0, Delivery::ReliableOrdered, 0, b"r1");
        receive(3, Delivery::ReliableUnordered, 5, b"c1");
        receive(0, Delivery::Unreliable, 0, b"u2");
        receive(0, Delivery::ReliableOrdered, 1, b"r2");
        let expected = [(true, b"r1"), (true, b"r2"), (false, b"u1"), (false, b"u2")];
        assert_eq!(taken(&mut inbox, Source::Packets), expected.map(|(r, b)| (r, b.to_vec())));
        let message = inbox.pop(Source::Channels).unwrap();
        assert_eq!(message.info(), MessageInfo { channel: 3, reliable: true, id: 5 });
        assert!(!inbox.is_ready(Source::Channels));
    }

    #[test]
    fn sequenced_messages_never_go_back() {
        let mut inbox = Inbox::new(InboxBudget::DEFAULT);
        for (packet, position) in [(5, 0), (5, 1), (4, 7), (5, 1), (6, 0), (1, 0)] {
            let bytes = [packet as u8, position as u8];
            let frame = frame(1, Delivery::UnreliableSequenced, 0, &bytes);
            inbox.receive(&frame, place(packet, position), Instant::ZERO).unwrap();
        }
        let taken: Vec<_> = taken(&mut inbox, Source::Channels).into_iter().map(|(_, b)| b).collect();
        assert_eq!(taken, [[5, 0], [5, 1], [5, 1], [6, 0]]);
    }

    #[test]
    fn unreliable_messages_nobody_takes_give_way_to_the_newest() {
        let budget = InboxBudget { unreliable: 10 * (100 + MESSAGE_COST), ..InboxBudget::DEFAULT };
        let mut inbox = Inbox::new(budget);
        for number in 0..100 {
            let bytes = [number; 100];
            let frame = frame(0, Delivery::Unreliable, 0, &bytes);
            inbox.receive(&frame, place(u64::from(number), 0), Instant::ZERO).unwrap();
        }
        let taken: Vec<_> = taken(&mut inbox, Source::Packets).into_iter().map(|(_, b)| b[0]).collect();
        assert_eq!(taken, (90..100).collect::<Vec<_>>());
        assert_eq!(inbox.unreliable_ready, 0);
    }

    #[test]
    fn a_bomb_of_unfinished_messages_stays_within_the_budget() {
        let budget = InboxBudget { unreliable: 100_000, ..InboxBudget::DEFAULT };
        let mut inbox = Inbox::new(budget);
        for sequence in 0..2000u16 {
            for channel in 0..9 {
                let fragment = Some(Fragment { total: 50_000, offset: 49_984 });
                let frame = MessageFrame {
                    fragment,
                    id: None,
                    ..frame(channel, Delivery::Unreliable, sequence, &[1; 16])
                };
                inbox.receive(&frame, place(u64::from(sequence), 0), Instant::ZERO).unwrap();
                let held: usize = inbox.channels.iter().flatten().map(|c| c.assemblies.held()).sum();
                assert!(held <= 100_000, "{held}");
            }
        }
        inbox.handle_timeout(inbox.poll_timeout().unwrap());
        assert_eq!(inbox.poll_timeout(), None);
    }
}
