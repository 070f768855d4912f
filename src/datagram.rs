//! Sizes of datagrams, in bytes of UDP payload.

/// The largest datagram that goes over any path unprobed (RFC 9000 section 14).
pub const BASE_DATAGRAM: usize = 1200;
/// The largest that is ever sent or taken: an Ethernet frame's 1,500 bytes without the IPv4 and UDP
/// headers.
pub const LARGEST_DATAGRAM: usize = 1472;
