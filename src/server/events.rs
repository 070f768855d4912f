//! What a server tells its program, in the original's order: connections and disconnections first, as
//! they happened, then messages by client index, reliable ones before unreliable ones. The messages of
//! a client that is gone come before the news that it is gone.

use super::depart::EndedBy;
use super::slots::Slots;
use crate::connection::{Connection, Needed};
use crate::message::Message;
use crate::ready::{Ready, Source};
use crate::reason::DisconnectReason;
use crate::slot_set::SlotSet;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// Something happened to a client.
#[derive(Debug)]
pub enum Event {
    /// A client connected.
    Connected {
        /// Its slot; messages to it can be sent from now on.
        index: u32,
        /// The client id of its token.
        client_id: u64,
        /// Where it is.
        address: SocketAddr,
    },
    /// A client is gone. Its slot may have another client already.
    Disconnected {
        /// The slot it had.
        index: u32,
        /// Why.
        reason: DisconnectReason,
        /// What the program at the end that closed it said with that, at most 255 bytes.
        text: Box<[u8]>,
    },
    /// A message of a client, sent on wire channel 0.
    Message {
        /// Its slot.
        index: u32,
        /// The message.
        message: Message,
    },
}

/// News an empty queue may keep room for.
const IDLE_CAPACITY: usize = 16;

#[derive(Debug)]
enum News {
    Connected { index: u32, client_id: u64, address: SocketAddr },
    Disconnected { index: u32, reason: DisconnectReason, text: Box<[u8]>, left: Ready },
}

/// Events on their way to the program.
#[derive(Debug, Default)]
pub struct EventQueue {
    news: VecDeque<News>,
    /// What calls of the program caused: it learns of it after the next update.
    held: Vec<News>,
    /// With so many of `news` and then of `held` no messages are left.
    emptied: usize,
    /// Clients with packets, and with channel messages, to take.
    packets: ReadySlots,
    channels: ReadySlots,
    /// Channel messages of clients that are gone.
    departed: VecDeque<(u32, Ready)>,
    /// Bytes that clients left behind, and how many are kept: a program may never take some of them.
    left: usize,
    left_most: usize,
}

#[derive(Debug, Default)]
struct ReadySlots {
    set: SlotSet,
    cursor: u32,
}

impl ReadySlots {
    /// The next message, client by client in the order of their indices.
    fn pop(&mut self, slots: &mut Slots, source: Source) -> Option<(u32, Message)> {
        loop {
            let next = self.set.next_from(self.cursor).or_else(|| self.set.next_from(0));
            let Some(slot) = next else {
                self.cursor = 0;
                return None;
            };
            self.cursor = slot;
            match slots.get_mut(slot).and_then(|client| client.connection.pop(source)) {
                Some(message) => {
                    // Not the very next but one: it could be here too late.
                    let next = self.set.next_from(slot + 1);
                    let soon = next.and_then(|next| self.set.next_from(next + 2));
                    slots.prefetch(Needed::Inbox, soon, next);
                    return Some((slot, message));
                }
                None => self.set.remove(slot),
            }
        }
    }
}

impl EventQueue {
    /// Keeps at most `left_most` bytes that clients left behind, those of the last one always.
    pub fn new(left_most: usize) -> EventQueue {
        EventQueue { left_most, ..EventQueue::default() }
    }

    /// An update begins: what the program caused since the last one becomes news.
    pub fn begin_update(&mut self) {
        self.news.extend(self.held.drain(..));
        self.packets.cursor = 0;
        self.channels.cursor = 0;
        if self.news.is_empty() {
            self.news.shrink_to(IDLE_CAPACITY);
        }
    }

    /// Notes a new client.
    pub fn on_connected(&mut self, index: u32, client_id: u64, address: SocketAddr) {
        self.push_news(News::Connected { index, client_id, address });
    }

    fn push_news(&mut self, news: News) {
        // It comes before what is held.
        self.emptied = self.emptied.min(self.news.len());
        self.news.push_back(news);
    }

    /// Notes that a client is gone, and keeps what it had sent.
    pub fn on_disconnected(
        &mut self,
        index: u32,
        (reason, text): (DisconnectReason, Box<[u8]>),
        (left, channel_messages): (Ready, Ready),
        by: EndedBy,
    ) {
        self.packets.set.remove(index);
        self.channels.set.remove(index);
        let more = left.cost() + channel_messages.cost();
        while self.left > 0 && self.left + more > self.left_most {
            self.drop_oldest_left();
        }
        self.left += more;
        if !channel_messages.is_empty() {
            self.departed.push_back((index, channel_messages));
        }
        let news = News::Disconnected { index, reason, text, left };
        match by {
            EndedBy::Program { .. } => self.held.push(news),
            EndedBy::Client | EndedBy::Server => self.push_news(news),
        }
    }

    /// Drops what the first of the gone clients left: channel messages first, which programs without
    /// channels never take.
    fn drop_oldest_left(&mut self) {
        if let Some((_, ready)) = self.departed.pop_front() {
            self.left -= ready.cost();
            return;
        }
        if let Some((_, left)) = self.first_left() {
            let cost = std::mem::take(left).cost();
            self.left -= cost;
        }
    }

    /// The first of the gone clients whose packets are not all taken, and those.
    fn first_left(&mut self) -> Option<(u32, &mut Ready)> {
        let EventQueue { news, held, emptied, .. } = self;
        let passed = emptied.saturating_sub(news.len());
        let news = news.iter_mut().skip(*emptied).chain(held.iter_mut().skip(passed));
        for news in news {
            match news {
                News::Disconnected { index, left, .. } if !left.is_empty() => {
                    return Some((*index, left));
                }
                News::Disconnected { .. } | News::Connected { .. } => *emptied += 1,
            }
        }
        None
    }

    /// Notes that a client may have messages to take.
    pub fn on_received(&mut self, index: u32, connection: &mut Connection) {
        if connection.is_ready(Source::Packets) {
            self.packets.set.insert(index);
        }
        if connection.is_ready(Source::Channels) {
            self.channels.set.insert(index);
        }
    }

    /// The next event.
    pub fn pop(&mut self, slots: &mut Slots) -> Option<Event> {
        match self.news.front_mut() {
            Some(News::Disconnected { index, left, .. }) if !left.is_empty() => {
                let index = *index;
                let message = left.pop()?;
                self.left -= message.cost();
                Some(Event::Message { index, message })
            }
            Some(_) => {
                self.emptied = self.emptied.saturating_sub(1);
                self.news.pop_front().map(|news| match news {
                    News::Connected { index, client_id, address } => {
                        Event::Connected { index, client_id, address }
                    }
                    News::Disconnected { index, reason, text, .. } => {
                        Event::Disconnected { index, reason, text }
                    }
                })
            }
            None => {
                let (index, message) =
                    self.pop_held().or_else(|| self.packets.pop(slots, Source::Packets))?;
                Some(Event::Message { index, message })
            }
        }
    }

    /// What a client had sent that the program has just sent away; the news of it waits, this need not.
    fn pop_held(&mut self) -> Option<(u32, Message)> {
        let (index, left) = self.first_left()?;
        let message = left.pop()?;
        self.left -= message.cost();
        Some((index, message))
    }

    /// The next channel message.
    pub fn pop_channel_message(&mut self, slots: &mut Slots) -> Option<(u32, Message)> {
        while let Some((index, ready)) = self.departed.front_mut() {
            if let Some(message) = ready.pop() {
                self.left -= message.cost();
                return Some((*index, message));
            }
            self.departed.pop_front();
        }
        self.channels.pop(slots, Source::Channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::MessageInfo;

    fn left(messages: usize) -> Ready {
        let info = MessageInfo { channel: 0, reliable: true, id: 0 };
        let reliable = (0..messages).map(|_| Message::new(info, &[7; 100])).collect();
        Ready { reliable, ..Ready::default() }
    }

    fn departs(queue: &mut EventQueue, index: u32, messages: usize, by: EndedBy) {
        let news = (DisconnectReason::KICKED, Box::default());
        queue.on_disconnected(index, news, (left(messages), Ready::default()), by);
    }

    fn send_away(queue: &mut EventQueue, index: u32, messages: usize) {
        departs(queue, index, messages, EndedBy::Program { tell: false });
    }

    /// How long it takes to send `clients` away of which every one left something, more than is kept, and then to take
    /// what a last one had sent.
    fn time_to_send_away(clients: u32) -> std::time::Duration {
        let mut queue = EventQueue::new(1000 * left(1).cost());
        let begun = cpu_time::ThreadTime::now();
        (0..clients).for_each(|index| send_away(&mut queue, index, 1));
        send_away(&mut queue, clients, 1000);
        for _ in 0..1000 {
            assert_eq!(queue.pop_held().map(|(index, _)| index), Some(clients));
        }
        assert!(queue.pop_held().is_none() && queue.left == 0);
        begun.elapsed()
    }

    #[test]
    fn a_crowd_that_is_sent_away_costs_a_step_each_and_not_one_for_each_before() {
        let fastest = |clients| (0..4).map(|_| time_to_send_away(clients)).min().unwrap();
        let (few, many) = (fastest(4_000), fastest(32_000));
        let ratio = many.as_secs_f64() / few.as_secs_f64();
        assert!(ratio < 20.0, "{few:?} and {many:?}");
    }

    #[test]
    fn what_is_left_is_dropped_and_taken_in_the_order_of_the_departures() {
        let mut queue = EventQueue::new(8 * left(1).cost());
        let mut slots = Slots::new(8);
        for index in 0..4 {
            send_away(&mut queue, index, 2);
        }
        // What the first had left is dropped for this; the second's is taken before the news of any.
        send_away(&mut queue, 4, 2);
        let mut index = |queue: &mut EventQueue| match queue.pop(&mut slots) {
            Some(Event::Message { index, .. }) => Some((index, true)),
            Some(Event::Disconnected { index, .. }) => Some((index, false)),
            _ => None,
        };
        assert_eq!(
            [(); 3].map(|()| index(&mut queue)),
            [Some((1, true)), Some((1, true)), Some((2, true))]
        );
        queue.begin_update();
        send_away(&mut queue, 5, 2);
        let rest = std::iter::from_fn(|| index(&mut queue)).collect::<Vec<_>>();
        let news = [(0, false), (1, false), (2, true), (2, false), (3, true), (3, true), (3, false)];
        let more = [(4, true), (4, true), (4, false), (5, true), (5, true)];
        assert_eq!(rest, news.into_iter().chain(more).collect::<Vec<_>>());
        assert_eq!(queue.left, 0);
        // Who leaves after one was sent away is known of earlier.
        departs(&mut queue, 6, 1, EndedBy::Client);
        send_away(&mut queue, 7, 7);
        send_away(&mut queue, 0, 1);
        assert_eq!(queue.left, 8 * left(1).cost());
        assert_eq!([(); 2].map(|()| index(&mut queue)), [Some((6, false)), Some((7, true))]);
        queue.begin_update();
        let rest = std::iter::from_fn(|| index(&mut queue)).filter(|(_, message)| !message);
        assert_eq!(rest.map(|(index, _)| index).collect::<Vec<_>>(), [5, 7, 0]);
        assert_eq!((queue.left, queue.emptied), (0, 0));
    }
}
