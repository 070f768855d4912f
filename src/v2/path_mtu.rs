//! How large a datagram the path takes (RFC 8899): 1,200 bytes always, more once a probe of that size was
//! acknowledged. Probes carry nothing else, so that a path that swallows them loses no message, and none
//! leaves unless there is a transfer that gains by it.

use super::sent_packets::SentFrame;
use crate::datagram::{BASE_DATAGRAM, LARGEST_DATAGRAM};
use crate::duration::Duration;
use crate::time::Instant;
use std::net::IpAddr;

/// What IPv6's longer header takes of it.
const IPV6_MORE: usize = 20;
/// Sizes that are probed, largest first: Ethernet, that inside PPPoE or a tunnel, and common VPNs.
const CANDIDATES: [usize; 5] = [LARGEST_DATAGRAM, 1452, 1432, 1392, 1332];
/// Probes of a size before it counts as too large (RFC 8899, `MAX_PROBES`).
const PROBES: u8 = 3;
/// A probe that nobody spoke of again is forgotten after this long.
const PATIENCE: Duration = Duration::from_secs(3);
/// After losses among the large packets of this many moments, with none of them arriving since while small ones
/// do, the path counts as too narrow. Moments, not packets: of one burst a queue may drop all but the smallest.
const BLACK_HOLE: u8 = 3;
/// After this long larger sizes are tried again (RFC 8899, `PMTU_RAISE_TIMER`).
const AGAIN: Duration = Duration::from_secs(600);

/// What is known of a path.
#[derive(Debug)]
pub struct PathMtu {
    /// The largest size that arrived.
    confirmed: usize,
    /// The largest size that may be tried.
    ceiling: usize,
    /// Until when the fate of a probe is waited for.
    probing_until: Option<Instant>,
    /// Probes of the current size that were lost.
    lost_probes: u8,
    /// When larger sizes may be tried.
    next_at: Instant,
    /// The newest large packet that arrived.
    newest_large: u64,
    /// At how many moments later ones left that were lost, and the last of these moments.
    lost_large: u8,
    lost_large_from: Instant,
}

impl Default for PathMtu {
    fn default() -> Self {
        PathMtu {
            confirmed: BASE_DATAGRAM,
            ceiling: LARGEST_DATAGRAM,
            probing_until: None,
            lost_probes: 0,
            next_at: Instant::ZERO,
            newest_large: 0,
            lost_large: 0,
            lost_large_from: Instant::ZERO,
        }
    }
}

impl PathMtu {
    /// The largest datagram to send.
    pub fn datagram(&self) -> usize {
        self.confirmed
    }

    /// The size to probe, of at most `limit` bytes to this address, if it's time to.
    pub fn poll_probe(&self, now: Instant, to: IpAddr, limit: usize) -> Option<usize> {
        if now < self.next_at || self.probing_until.is_some_and(|until| now < until) {
            return None;
        }
        let header = if to.is_ipv6() { IPV6_MORE } else { 0 };
        let limit = limit.min(self.ceiling).min(LARGEST_DATAGRAM - header);
        CANDIDATES.into_iter().find(|&size| size <= limit).filter(|&size| size > self.confirmed)
    }

    /// Notes that a probe left; its packet carries this frame.
    pub fn on_probe_sent(&mut self, now: Instant, size: usize) -> SentFrame {
        self.probing_until = Some(now + PATIENCE);
        SentFrame::MtuProbe { size: size as u16 }
    }

    /// Notes that a probe arrived.
    pub fn on_probe_acked(&mut self, size: u16) {
        self.probing_until = None;
        self.lost_probes = 0;
        self.confirmed = self.confirmed.max(usize::from(size));
    }

    /// Notes that a probe was lost.
    pub fn on_probe_lost(&mut self, now: Instant, size: u16) {
        if self.probing_until.take().is_none() {
            return;
        }
        self.lost_probes += 1;
        if self.lost_probes >= PROBES {
            self.lost_probes = 0;
            self.ceiling = usize::from(size) - 1;
            if self.ceiling < BASE_DATAGRAM.max(self.confirmed) + 1
                || CANDIDATES.into_iter().all(|size| size > self.ceiling || size <= self.confirmed)
            {
                self.ceiling = LARGEST_DATAGRAM;
                self.next_at = now + AGAIN;
            }
        }
    }

    /// Notes that a packet of this size arrived.
    pub fn on_acked(&mut self, number: u64, size: usize) {
        if size > BASE_DATAGRAM {
            self.newest_large = self.newest_large.max(number);
            self.lost_large = 0;
        }
    }

    /// Notes that a packet of this size, which left at `sent_at`, was found lost. Later ones have arrived: if
    /// none of them was large, the path may now lead through a narrower link.
    pub fn on_lost(&mut self, now: Instant, number: u64, size: usize, sent_at: Instant) {
        if size <= BASE_DATAGRAM || number < self.newest_large || sent_at == self.lost_large_from {
            return;
        }
        self.lost_large += 1;
        self.lost_large_from = sent_at;
        if self.lost_large >= BLACK_HOLE {
            *self = PathMtu { next_at: now + AGAIN, ..PathMtu::default() };
        }
    }

    /// Starts over, on another path.
    pub fn reset(&mut self) {
        *self = PathMtu::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
    const NOW: Instant = Instant::from_nanos(1_000_000_000);

    /// Probes until there is nothing to probe, over a path that takes `takes` bytes.
    fn search(mtu: &mut PathMtu, to: IpAddr, takes: usize) -> Vec<usize> {
        let mut probed = Vec::new();
        while let Some(size) = mtu.poll_probe(NOW, to, 9000) {
            probed.push(size);
            let frame = mtu.on_probe_sent(NOW, size);
            assert_eq!(frame, SentFrame::MtuProbe { size: size as u16 });
            assert_eq!(mtu.poll_probe(NOW, to, 9000), None);
            if size <= takes {
                mtu.on_probe_acked(size as u16);
            } else {
                mtu.on_probe_lost(NOW, size as u16);
            }
        }
        probed
    }

    #[test]
    fn the_largest_size_that_arrives_is_used() {
        let mut mtu = PathMtu::default();
        assert_eq!(search(&mut mtu, V4, 1500), [1472]);
        assert_eq!(mtu.datagram(), 1472);
        let mut mtu = PathMtu::default();
        assert_eq!(search(&mut mtu, V6, 1500), [1452]);
        let mut mtu = PathMtu::default();
        assert_eq!(search(&mut mtu, V4, 1440), [1472, 1472, 1472, 1452, 1452, 1452, 1432]);
        assert_eq!(mtu.datagram(), 1432);
        let mut mtu = PathMtu::default();
        assert_eq!(search(&mut mtu, V4, 1250).len(), 15);
        assert_eq!(mtu.datagram(), BASE_DATAGRAM);
        assert_eq!(mtu.poll_probe(NOW + AGAIN, V4, 9000), Some(1472));
    }

    #[test]
    fn a_peer_or_a_buffer_that_takes_less_is_not_probed_beyond() {
        let mtu = PathMtu::default();
        assert_eq!(mtu.poll_probe(NOW, V4, BASE_DATAGRAM), None);
        assert_eq!(mtu.poll_probe(NOW, V4, 1440), Some(1432));
    }

    #[test]
    fn large_losses_of_three_moments_after_the_last_large_arrival_end_it_and_others_do_not() {
        let at = |milliseconds| NOW + Duration::from_millis(milliseconds);
        let mut mtu = PathMtu::default();
        search(&mut mtu, V4, 1500);
        mtu.on_acked(100, 1472);
        for number in 0..100 {
            mtu.on_lost(NOW, number, 1472, at(number));
            mtu.on_lost(NOW, 200 + number, 1100, at(number));
        }
        assert_eq!(mtu.datagram(), 1472);
        mtu.on_lost(NOW, 101, 1472, at(101));
        mtu.on_lost(NOW, 102, 1472, at(102));
        mtu.on_acked(103, 1472);
        mtu.on_lost(NOW, 104, 1472, at(104));
        mtu.on_lost(NOW, 105, 1472, at(105));
        assert_eq!(mtu.datagram(), 1472);
        mtu.on_lost(NOW, 106, 1472, at(106));
        assert_eq!((mtu.datagram(), mtu.poll_probe(NOW, V4, 9000)), (BASE_DATAGRAM, None));
        mtu.reset();
        assert_eq!(mtu.poll_probe(NOW, V4, 9000), Some(1472));
        search(&mut mtu, V4, 1500);
        (1..100).for_each(|number| mtu.on_lost(NOW, number, 1472, at(1)));
        assert_eq!(mtu.datagram(), 1472, "one burst into a full queue says nothing");
    }
}
