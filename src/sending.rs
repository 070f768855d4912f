//! What a program may ask a connection to send, why it is refused, and in which order it leaves.

use std::cmp::Reverse;
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

/// Refuses a message of more than `most` bytes.
pub fn check_size(bytes: &[u8], most: usize) -> Result<(), SendError> {
    if bytes.len() > most { Err(SendError::TooLarge { bytes: bytes.len(), most }) } else { Ok(()) }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Empty => f.write_str("A message of channel 0 needs at least one byte."),
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
    /// In which order the wire channels leave.
    pub priorities: Priorities,
    /// Bytes of messages that may begin in a second on channels 1 to 8; `None` is any number.
    pub message_rate: Option<u32>,
}

/// The priorities of the wire channels: what has a higher one leaves first, of equal ones the lower channel.
#[derive(Clone, Copy, Debug)]
pub struct Priorities {
    of_channels: [i32; CHANNELS],
    /// The channels in the order in which they leave.
    order: [u8; CHANNELS],
}

impl Default for Priorities {
    fn default() -> Priorities {
        Priorities { of_channels: [0; CHANNELS], order: std::array::from_fn(|channel| channel as u8) }
    }
}

impl Priorities {
    /// Sets the priority of a wire channel, 0 to 8; unless set it is 0.
    // A sort, in three places that hardly ever come to it.
    #[inline(never)]
    pub fn set(&mut self, channel: u8, priority: i32) {
        let Some(known) = self.of_channels.get_mut(usize::from(channel)) else { return };
        *known = priority;
        let of_channels = self.of_channels;
        self.order.sort_by_key(|&channel| (Reverse(of_channels.get(usize::from(channel))), channel));
    }

    /// The wire channels in the order in which they leave.
    pub fn order(&self) -> &[u8; CHANNELS] {
        &self.order
    }

    /// The wire channels in the order in which they leave, those of equal priority together.
    pub fn equals(&self) -> impl Iterator<Item = &[u8]> {
        let priority = |channel: &u8| self.of_channels.get(usize::from(*channel));
        self.order.chunk_by(move |a, b| priority(a) == priority(b))
    }
}
