//! Why a datagram was dropped. Each has exactly one reason, and each reason a counter, so that "my
//! players can't connect" is answered by a number instead of by silence.

use std::fmt;

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a datagram was dropped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum DropReason {
            $($(#[$doc])* $name,)*
        }

        impl DropReason {
            /// Every reason, in the order of their numbers.
            pub const ALL: &'static [DropReason] = &[$(DropReason::$name,)*];

            /// A few words for people.
            pub const fn text(self) -> &'static str {
                match self {
                    $(DropReason::$name => $text,)*
                }
            }
        }
    };
}

drop_reasons! {
    /// It had no bytes, too few, or more than any datagram of the protocol.
    Size = "no packet has this size",
    /// Its first byte is that of no packet, or of none this end receives.
    Type = "no packet of this type comes here",
    /// It speaks another protocol version.
    Version = "it speaks another protocol version",
    /// It is for another application id.
    Application = "it is for another application id",
    /// It was made with a key pair this server doesn't have.
    UnknownKey = "its token was made with another key pair",
    /// A bit of it was altered, or its sender doesn't hold the keys.
    Forged = "it was altered or forged",
    /// Its token has expired.
    Expired = "its token has expired",
    /// Its token lists none of this server's addresses.
    NotListed = "its token lists none of this server's addresses",
    /// Its token has made a connection before, or an older one than its client's newest.
    TokenUsed = "its token was used before",
    /// Its token belongs to a live connection.
    TokenInUse = "its token belongs to a live connection",
    /// Every slot is taken, or the memory of used tokens is full.
    Full = "the server is full",
    /// Its cookie is too old, or was given to another address.
    Cookie = "its cookie is too old or for another address",
    /// It came before.
    Replayed = "it came before, or is too old to know",
    /// It opened and its content breaks the protocol.
    Malformed = "its content breaks the protocol",
    /// No connection has its connection id.
    UnknownConnection = "no connection has its id",
    /// It comes from an address that nothing is expected from.
    UnknownAddress = "nothing is expected from its address",
    /// It comes when nothing of its kind is expected.
    Unexpected = "nothing of its kind is expected now",
    /// Its connection has ended.
    Ended = "its connection has ended",
    /// Its connection sends more than the server allows.
    RateLimit = "its connection sends more than it may",
    /// More token packets come, from its network or at all, than are answered.
    Flood = "more token packets come than are answered",
    /// Its connection has used up its memory.
    Memory = "its connection has used up its memory",
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Datagrams received, and those dropped by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DropCounters {
    received: u64,
    dropped: [u64; DropReason::ALL.len()],
}

impl DropCounters {
    /// Counts a datagram and what became of it.
    pub fn count(&mut self, result: Result<(), DropReason>) {
        self.received += 1;
        if let Err(reason) = result
            && let Some(counter) = self.dropped.get_mut(reason as usize)
        {
            *counter += 1;
        }
    }

    /// Datagrams received.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Datagrams dropped for `reason`.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped.get(reason as usize).copied().unwrap_or(0)
    }

    /// Datagrams dropped for any reason.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_datagram_is_counted_once() {
        let mut counters = DropCounters::default();
        counters.count(Ok(()));
        for &reason in DropReason::ALL {
            counters.count(Err(reason));
            assert_eq!(counters.dropped(reason), 1);
        }
        assert_eq!(counters.received(), 1 + counters.dropped_total());
    }
}
