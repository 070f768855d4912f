//! Unreliable messages of which fragments are missing. Nobody sends those again, so the message is given up
//! soon: after a second, or when 32 newer ones of its channel were seen.

use super::frame::{Fragment, MessageFrame};
use super::inbox::Place;
use super::reassembly::{Added, Assembly};
use super::receive_space::Violation;
use crate::duration::Duration;
use crate::message::{Delivery, Message};
use crate::time::Instant;
use std::collections::VecDeque;

/// How long an unfinished message is kept.
const LIFETIME: Duration = Duration::from_secs(1);
/// An unfinished message is given up when this many newer ones of its channel were seen.
const NEWER: i16 = 32;

/// The unfinished unreliable messages of a channel, oldest first.
#[derive(Debug, Default)]
pub struct UnreliableAssemblies {
    partial: VecDeque<Partial>,
    newest: Option<u16>,
    held: usize,
}

#[derive(Debug)]
struct Partial {
    sequence: u16,
    delivery: Delivery,
    /// The highest place of its fragments.
    place: Place,
    since: Instant,
    assembly: Assembly,
}

impl UnreliableAssemblies {
    /// Takes in a fragment; returns the message, and the highest place of its fragments, once it is
    /// whole.
    pub fn receive(
        &mut self,
        frame: &MessageFrame<'_>,
        fragment: Fragment,
        place: Place,
        now: Instant,
    ) -> Result<Option<(Message, Place)>, Violation> {
        let behind = self.newest.map_or(0, |newest| newest.wrapping_sub(frame.sequence) as i16);
        if behind >= NEWER {
            return Ok(None);
        }
        if behind < 0 || self.newest.is_none() {
            self.newest = Some(frame.sequence);
            self.drop_outlived(frame.sequence);
        }
        let known = self.partial.iter().position(|partial| partial.sequence == frame.sequence);
        let at = known.unwrap_or_else(|| {
            let assembly = Assembly::new(fragment.total, frame.delivery);
            self.held += assembly.held();
            self.partial.push_back(Partial {
                sequence: frame.sequence,
                delivery: frame.delivery,
                place,
                since: now,
                assembly,
            });
            self.partial.len() - 1
        });
        let Some(partial) = self.partial.get_mut(at) else { return Ok(None) };
        if partial.assembly.total() != fragment.total || partial.delivery != frame.delivery {
            return Err(Violation);
        }
        let before = partial.assembly.held();
        let added = partial.assembly.add(fragment.offset, frame.bytes, frame.id);
        self.held = self.held + partial.assembly.held() - before;
        partial.place = partial.place.max(place);
        if added != Added::Complete {
            return Ok(None);
        }
        let Some(whole) = self.partial.remove(at) else { return Ok(None) };
        self.held -= whole.assembly.held();
        Ok(Some((whole.assembly.finish(frame.channel, frame.delivery), whole.place)))
    }

    fn drop_outlived(&mut self, newest: u16) {
        let Self { partial, held, .. } = self;
        partial.retain(|partial| {
            let keep = (newest.wrapping_sub(partial.sequence) as i16) < NEWER;
            if !keep {
                *held -= partial.assembly.held();
            }
            keep
        });
    }

    /// Bytes of memory held.
    pub fn held(&self) -> usize {
        self.held
    }

    /// When the oldest message was begun.
    pub fn oldest(&self) -> Option<Instant> {
        self.partial.front().map(|partial| partial.since)
    }

    /// Gives the oldest message up.
    pub fn drop_oldest(&mut self) {
        if let Some(partial) = self.partial.pop_front() {
            self.held -= partial.assembly.held();
        }
    }

    /// Gives up what has become too old.
    pub fn handle_timeout(&mut self, now: Instant) {
        while self.poll_timeout().is_some_and(|time| time <= now) {
            self.drop_oldest();
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.oldest().map(|since| since + LIFETIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(
        assemblies: &mut UnreliableAssemblies,
        sequence: u16,
        offset: u32,
        now: Instant,
    ) -> Result<Option<(Message, Place)>, Violation> {
        let fragment = Fragment { total: 64, offset };
        let frame = MessageFrame {
            channel: 0,
            delivery: Delivery::Unreliable,
            id: None,
            sequence,
            fragment: Some(fragment),
            bytes: &[sequence as u8; 32],
        };
        let place = Place { packet: u64::from(offset), frame: 0 };
        assemblies.receive(&frame, fragment, place, now)
    }

    #[test]
    fn fragments_of_several_messages_mix() {
        let mut assemblies = UnreliableAssemblies::default();
        let now = Instant::ZERO;
        for sequence in 0..5 {
            assert!(receive(&mut assemblies, sequence, 32, now).unwrap().is_none());
        }
        for sequence in [3, 0, 4, 1, 2] {
            let (message, place) = receive(&mut assemblies, sequence, 0, now).unwrap().unwrap();
            assert_eq!(message.payload(), [sequence as u8; 64]);
            assert_eq!(place.packet, 32);
        }
        assert_eq!(assemblies.held(), 0);
    }

    #[test]
    fn an_unfinished_message_is_outlived_by_32_newer_ones_across_the_wrap() {
        let mut assemblies = UnreliableAssemblies::default();
        let now = Instant::ZERO;
        let first = u16::MAX - 5;
        for newer in 0..32 {
            receive(&mut assemblies, first.wrapping_add(newer), 0, now).unwrap();
        }
        assert_eq!(assemblies.partial.len(), 32);
        receive(&mut assemblies, first.wrapping_add(32), 0, now).unwrap();
        assert_eq!(assemblies.partial.len(), 32);
        assert!(receive(&mut assemblies, first, 32, now).unwrap().is_none());
        assert_eq!(assemblies.partial.len(), 32);
        assert!(receive(&mut assemblies, first.wrapping_add(1), 32, now).unwrap().is_some());
    }

    #[test]
    fn an_unfinished_message_is_given_up_after_a_second() {
        let mut assemblies = UnreliableAssemblies::default();
        receive(&mut assemblies, 0, 0, Instant::ZERO).unwrap();
        let late = assemblies.poll_timeout().unwrap();
        assemblies.handle_timeout(late - Duration::from_nanos(1));
        assert!(assemblies.held() > 0);
        assemblies.handle_timeout(late);
        assert_eq!((assemblies.held(), assemblies.poll_timeout()), (0, None));
    }
}
