//! What a program may ask a connection to send, and why it is refused.

use std::fmt;

/// How many wire channels a connection has: 0 for packets, 1 to 8 for message channels 0 to 7.
pub const CHANNELS: usize = 9;
/// Bytes of the largest message (`CN_TRANSPORT_MAX_SIZE_SINGLE_SEND` of the original).
pub const MAX_MESSAGE_SIZE: usize = 20 << 20;
/// Bytes one connection may have queued, [`MESSAGE_COST`](crate::message::MESSAGE_COST) for each message counted.
pub const QUEUE_BUDGET: usize = 32 << 20;
/// Of these, what reliable messages may take: an unreliable one finds room when they fill the queue.
pub const RELIABLE_BUDGET: usize = 30 << 20;
/// Bytes each of the channels 1 to 8 may have queued, counted the same way; an empty one takes any message.
pub const CHANNEL_BUDGET: usize = 4 << 20;

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// It has no bytes.
    Empty,
    /// There is no such channel.
    NoSuchChannel(u8),
    /// The connection speaks CUTE 1.00, which has channel 0 alone.
    NoChannels,
    /// The connection speaks CUTE 1.00, whose unreliable messages may come in any order.
    NoSequence,
    /// It is larger than a message of the connection's protocol may be.
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest that there is.
        most: usize,
    },
    /// The queue holds all it may.
    QueueFull,
    /// The channel holds all it may, or would with this message.
    ChannelFull,
    /// The connection is not up.
    NotConnected,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Empty => f.write_str("A message needs at least one byte."),
            SendError::NoSuchChannel(channel) => {
                write!(f, "Wire channels are 0 to {}, not {channel}.", CHANNELS - 1)
            }
            SendError::NoChannels => f.write_str(
                "This connection speaks CUTE 1.00, which has no message channels: its key pair is the \
                 original's. Send packets, or use a pair of cn_crypto_sign_keygen.",
            ),
            SendError::NoSequence => f.write_str(
                "This connection speaks CUTE 1.00, where nothing says in which order unreliable messages \
                 were sent. Send them plainly unreliable, or reliable.",
            ),
            SendError::TooLarge { bytes, most } => {
                write!(f, "The message has {bytes} bytes; one message has at most {most}.")
            }
            SendError::QueueFull => write!(
                f,
                "More than {} MiB of reliable messages, or {} MiB of all, would wait for the peer: send less, or wait \
                 until it took some.",
                RELIABLE_BUDGET >> 20,
                QUEUE_BUDGET >> 20
            ),
            SendError::ChannelFull => {
                let mebibytes = CHANNEL_BUDGET >> 20;
                write!(
                    f,
                    "More than {mebibytes} MiB would wait on this channel: send less, or wait until the \
                     peer took some."
                )
            }
            SendError::NotConnected => f.write_str("There is no connection."),
        }
    }
}

impl std::error::Error for SendError {}

/// How a program orders and slows what it sends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shaping {
    /// Priorities of the wire channels; the higher leaves first, of equal ones the lower channel.
    pub priorities: [i32; CHANNELS],
    /// Bytes of messages that may begin in a second on channels 1 to 8; `None` is any number.
    pub message_rate: Option<u32>,
}

impl Shaping {
    /// Sets the priority of a wire channel, 0 to 8.
    pub fn set_priority(&mut self, channel: u8, priority: i32) {
        if let Some(known) = self.priorities.get_mut(usize::from(channel)) {
            *known = priority;
        }
    }
}
