//! Why a connection ended, and why none began. The numbers travel in CLOSE frames (PROTOCOL section 9) and in
//! denials (PROTOCOL section 5.8).

use std::fmt;

/// Why a connection ended; 16 to 255 are the program's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DisconnectReason(pub u8);

impl DisconnectReason {
    /// The client left.
    pub const LEFT: DisconnectReason = DisconnectReason(0);
    /// The server sent the client away.
    pub const KICKED: DisconnectReason = DisconnectReason(1);
    /// Nothing was heard for the connection timeout.
    pub const TIMED_OUT: DisconnectReason = DisconnectReason(2);
    /// The server stopped.
    pub const SERVER_STOPPED: DisconnectReason = DisconnectReason(3);
    /// A newer connection of the same client id took the place.
    pub const REPLACED: DisconnectReason = DisconnectReason(4);
    /// The peer broke the protocol.
    pub const PROTOCOL_ERROR: DisconnectReason = DisconnectReason(5);
    /// The first of the program's own; the last is 255.
    pub const FIRST_OF_PROGRAM: DisconnectReason = DisconnectReason(16);
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            DisconnectReason::LEFT => f.write_str("left"),
            DisconnectReason::KICKED => f.write_str("kicked"),
            DisconnectReason::TIMED_OUT => f.write_str("timed out"),
            DisconnectReason::SERVER_STOPPED => f.write_str("server stopped"),
            DisconnectReason::REPLACED => f.write_str("replaced by a newer connection"),
            DisconnectReason::PROTOCOL_ERROR => f.write_str("protocol error"),
            DisconnectReason(reason) => write!(f, "reason {reason}"),
        }
    }
}

/// Why a server does not let a client in; 16 to 255 are the program's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DenyReason(pub u8);

impl DenyReason {
    /// Every slot is taken.
    pub const FULL: DenyReason = DenyReason(0);
    /// The token has made a connection before.
    pub const TOKEN_USED: DenyReason = DenyReason(1);
    /// The server is shutting down.
    pub const SHUTTING_DOWN: DenyReason = DenyReason(2);
    /// The token has expired.
    pub const EXPIRED: DenyReason = DenyReason(5);
    /// The token lists no address of this server.
    pub const NOT_LISTED: DenyReason = DenyReason(6);
    /// The token belongs to a live connection.
    pub const IN_USE: DenyReason = DenyReason(7);
}
