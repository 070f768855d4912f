//! Messages: how they are to be delivered, and what holds a received one on its way to the program. That buffer
//! starts with a few bytes of headroom, in which the engine keeps what it knows of the message and the C facade
//! later keeps how to free the block: from the wire to the program's hands a message is stored once.

use std::ops::Deref;
use std::sync::Arc;

/// What a sender asks of the network for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Once, complete, after every earlier such message of its channel.
    ReliableOrdered,
    /// Once, complete, as soon as it has arrived.
    ReliableUnordered,
    /// Complete or not at all, in any order.
    Unreliable,
    /// Complete or not at all, and never after a later such message of its channel.
    UnreliableSequenced,
}

impl Delivery {
    /// The delivery of a frame of this kind, with or without the flag "unordered or sequenced".
    pub fn new(reliable: bool, flagged: bool) -> Delivery {
        match (reliable, flagged) {
            (true, false) => Delivery::ReliableOrdered,
            (true, true) => Delivery::ReliableUnordered,
            (false, false) => Delivery::Unreliable,
            (false, true) => Delivery::UnreliableSequenced,
        }
    }

    /// True if the message is sent until it is acknowledged.
    pub fn is_reliable(self) -> bool {
        matches!(self, Delivery::ReliableOrdered | Delivery::ReliableUnordered)
    }

    /// True for unordered and for sequenced messages: what the flag in the frame says.
    pub fn is_flagged(self) -> bool {
        matches!(self, Delivery::ReliableUnordered | Delivery::UnreliableSequenced)
    }
}

/// The bytes of a message to be sent.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// The program's, which the connection copies.
    Borrowed(&'a [u8]),
    /// Shared by all connections they are sent on.
    Shared(&'a Arc<[u8]>),
}

impl Payload<'_> {
    /// The bytes, to be kept.
    pub fn share(self) -> Arc<[u8]> {
        match self {
            Payload::Borrowed(bytes) => bytes.into(),
            Payload::Shared(bytes) => bytes.clone(),
        }
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Payload::Borrowed(bytes) => bytes,
            Payload::Shared(bytes) => bytes,
        }
    }
}

impl<'a, B: AsRef<[u8]> + ?Sized> From<&'a B> for Payload<'a> {
    fn from(bytes: &'a B) -> Payload<'a> {
        Payload::Borrowed(bytes.as_ref())
    }
}

/// Bytes that a message takes of credit, of queues and of memory besides its own.
pub const MESSAGE_COST: usize = 64;

/// A message that arrived whole.
#[derive(Debug)]
pub struct Message {
    buffer: Vec<u8>,
}

/// What a message is besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageInfo {
    /// 0 for messages of `cn_*_send` and `cf_*_send`, 1 to 8 for message channels 0 to 7.
    pub channel: u8,
    /// True if it was sent reliably.
    pub reliable: bool,
    /// The program's tag of a channel message; 0 on channel 0.
    pub id: u32,
}

impl Message {
    /// Bytes before the payload in the buffer; keeps the payload as aligned as the buffer.
    pub const HEADROOM: usize = 16;

    /// Copies `payload`.
    pub fn new(info: MessageInfo, payload: &[u8]) -> Message {
        let mut buffer = Vec::with_capacity(Self::HEADROOM + payload.len());
        buffer.resize(Self::HEADROOM, 0);
        buffer.extend_from_slice(payload);
        Message::from_buffer(info, buffer)
    }

    /// Takes over a buffer whose payload starts after [`HEADROOM`](Self::HEADROOM) bytes.
    pub fn from_buffer(info: MessageInfo, mut buffer: Vec<u8>) -> Message {
        if buffer.len() < Self::HEADROOM {
            buffer.resize(Self::HEADROOM, 0);
        }
        let [i0, i1, i2, i3] = info.id.to_le_bytes();
        if let Some(head) = buffer.first_chunk_mut() {
            *head = [info.channel, u8::from(info.reliable), i0, i1, i2, i3];
        }
        Message { buffer }
    }

    /// What the message is besides its bytes.
    pub fn info(&self) -> MessageInfo {
        let [channel, reliable, id @ ..] = self.buffer.first_chunk::<6>().copied().unwrap_or_default();
        MessageInfo { channel, reliable: reliable != 0, id: u32::from_le_bytes(id) }
    }

    /// The bytes the peer sent.
    pub fn payload(&self) -> &[u8] {
        self.buffer.get(Self::HEADROOM..).unwrap_or_default()
    }

    /// The number of bytes the peer sent.
    pub fn len(&self) -> usize {
        self.payload().len()
    }

    /// What it costs while it waits for the program.
    pub fn cost(&self) -> usize {
        self.len() + MESSAGE_COST
    }

    /// True for a message without bytes, which only message channels carry.
    pub fn is_empty(&self) -> bool {
        self.payload().is_empty()
    }

    /// The buffer with its headroom, for code that hands it on.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_and_info_come_back() {
        let info = MessageInfo { channel: 8, reliable: true, id: 0xDEAD_BEEF };
        for payload in [&b""[..], b"x", &[7; 5000]] {
            let message = Message::new(info, payload);
            assert_eq!(
                (message.info(), message.payload(), message.len()),
                (info, payload, payload.len())
            );
            assert_eq!(&message.into_buffer()[Message::HEADROOM..], payload);
        }
    }
}
