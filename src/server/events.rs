//! What a server tells its program, in the original's order: connections and disconnections first, as
//! they happened, then messages by client index, reliable ones before unreliable ones. The messages of
//! a client that is gone come before the news that it is gone.

use super::slots::Slots;
use crate::message::Message;
use crate::reason::DisconnectReason;
use crate::slot_set::SlotSet;
use crate::v2::inbox::{Inbox, Ready, Source};
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
    },
    /// A message of a client, sent on wire channel 0.
    Message {
        /// Its slot.
        index: u32,
        /// The message.
        message: Message,
    },
}

/// Channel messages of gone clients are kept for this many of them: programs that use no channels
/// never take them.
const DEPARTED_KEPT: usize = 64;

/// News an empty queue may keep room for.
const IDLE_CAPACITY: usize = 16;

#[derive(Debug)]
enum News {
    Connected { index: u32, client_id: u64, address: SocketAddr },
    Disconnected { index: u32, reason: DisconnectReason, left: Ready },
}

/// Events on their way to the program.
#[derive(Debug, Default)]
pub struct EventQueue {
    news: VecDeque<News>,
    /// What calls of the program caused: it learns of it after the next update.
    held: Vec<News>,
    /// Clients with packets, and with channel messages, to take.
    packets: ReadySlots,
    channels: ReadySlots,
    /// Channel messages of clients that are gone.
    departed: VecDeque<(u32, Ready)>,
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
            match slots.get_mut(slot).and_then(|client| client.connection.inbox().pop(source)) {
                Some(message) => return Some((slot, message)),
                None => self.set.remove(slot),
            }
        }
    }
}

impl EventQueue {
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
        self.news.push_back(News::Connected { index, client_id, address });
    }

    /// Notes that a client is gone, and keeps what it had sent. `by_program` holds the news back
    /// until the next update.
    pub fn on_disconnected(
        &mut self,
        index: u32,
        reason: DisconnectReason,
        inbox: Inbox,
        by_program: bool,
    ) {
        self.packets.set.remove(index);
        self.channels.set.remove(index);
        let (left, channel_messages) = inbox.into_ready();
        if !channel_messages.is_empty() {
            if self.departed.len() >= DEPARTED_KEPT {
                self.departed.pop_front();
            }
            self.departed.push_back((index, channel_messages));
        }
        let news = News::Disconnected { index, reason, left };
        if by_program { self.held.push(news) } else { self.news.push_back(news) }
    }

    /// Notes that a client may have messages to take.
    pub fn on_received(&mut self, index: u32, inbox: &Inbox) {
        if inbox.is_ready(Source::Packets) {
            self.packets.set.insert(index);
        }
        if inbox.is_ready(Source::Channels) {
            self.channels.set.insert(index);
        }
    }

    /// The next event.
    pub fn pop(&mut self, slots: &mut Slots) -> Option<Event> {
        match self.news.front_mut() {
            Some(News::Disconnected { index, left, .. }) if !left.is_empty() => {
                let index = *index;
                left.pop().map(|message| Event::Message { index, message })
            }
            Some(_) => self.news.pop_front().map(|news| match news {
                News::Connected { index, client_id, address } => {
                    Event::Connected { index, client_id, address }
                }
                News::Disconnected { index, reason, .. } => Event::Disconnected { index, reason },
            }),
            None => {
                let (index, message) =
                    self.pop_held().or_else(|| self.packets.pop(slots, Source::Packets))?;
                Some(Event::Message { index, message })
            }
        }
    }

    /// What a client had sent that the program has just sent away; the news of it waits, this need not.
    fn pop_held(&mut self) -> Option<(u32, Message)> {
        self.held.iter_mut().find_map(|news| match news {
            News::Disconnected { index, left, .. } => left.pop().map(|message| (*index, message)),
            News::Connected { .. } => None,
        })
    }

    /// The next channel message.
    pub fn pop_channel_message(&mut self, slots: &mut Slots) -> Option<(u32, Message)> {
        while let Some((index, ready)) = self.departed.front_mut() {
            if let Some(message) = ready.pop() {
                return Some((*index, message));
            }
            self.departed.pop_front();
        }
        self.channels.pop(slots, Source::Channels)
    }
}
