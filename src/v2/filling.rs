//! The packet that messages are being written to: what each of the queues that share it is handed, and what
//! each says when it is done.

use super::frame_writer::FrameWriter;
use super::sent_packets::SentFrame;

/// The packet being filled.
pub struct Filling<'p, 'b> {
    /// Where its frames go.
    pub writer: &'p mut FrameWriter<'b>,
    /// Its number.
    pub number: u64,
    /// What was written that matters once the packet is acknowledged or lost.
    pub sent: &'p mut Vec<SentFrame>,
    /// True if what was lost and is written now is to be known as sent again.
    pub again: bool,
    /// True while it holds no message: what does not fit whole is then cut, so that it ever leaves.
    pub first: bool,
}

/// What a packet can take of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// All there is to send was written.
    Everything,
    /// The packet is full.
    Full,
    /// The rest may not be begun yet.
    Held,
    /// The rest waits for credit.
    Blocked,
}
