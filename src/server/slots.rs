//! The places of a server's clients: the lowest free one is taken first, and a connection id finds
//! its place at once and never that of a later client. A place is free again once the program has heard
//! that its client is gone: until then the place's number means that client, whatever the program does.

use super::Client;
use crate::connection::Needed;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The most clients one server can have: slot numbers have 16 bits.
pub const MAX_CLIENTS: usize = 65_535;
/// So many clients stay in the nearest caches by themselves.
const FEW: usize = 64;

/// Clients by slot number.
#[derive(Default)]
pub struct Slots {
    slots: Vec<Slot>,
    /// Free slots below the highest ever used.
    free: BinaryHeap<Reverse<u32>>,
    capacity: usize,
    connected: usize,
}

#[derive(Default)]
struct Slot {
    /// Counts the clients the slot has had.
    generation: u16,
    client: Option<Box<Client>>,
}

impl Slots {
    /// Room for `capacity` clients, 1 to [`MAX_CLIENTS`]; memory is taken as they come.
    pub fn new(capacity: usize) -> Slots {
        Slots { capacity: capacity.clamp(1, MAX_CLIENTS), ..Slots::default() }
    }

    /// How many clients fit.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many clients there are.
    pub fn connected(&self) -> usize {
        self.connected
    }

    /// True if every slot has a client. Without one a client may still have to wait for a slot to be
    /// released.
    pub fn is_full(&self) -> bool {
        self.connected >= self.capacity
    }

    /// The lowest free slot, and the connection id that its next client will have.
    pub fn vacant(&self) -> Option<(u32, u32)> {
        let fresh = (self.slots.len() < self.capacity).then_some(self.slots.len() as u32);
        let slot = self.free.peek().map(|slot| slot.0).or(fresh)?;
        let generation = self.slots.get(slot as usize).map_or(0, |slot| slot.generation);
        Some((slot, slot | u32::from(generation) << 16))
    }

    /// Puts a client into the slot that [`vacant`](Self::vacant) named.
    pub fn occupy(&mut self, slot: u32, client: Box<Client>) {
        if self.free.peek() == Some(&Reverse(slot)) {
            self.free.pop();
        } else if self.slots.len() == slot as usize {
            self.slots.push(Slot::default());
        }
        if let Some(place) = self.slots.get_mut(slot as usize) {
            debug_assert!(place.client.is_none());
            place.client = Some(client);
            self.connected += 1;
        }
    }

    /// Takes the client out of a slot, which stays taken until it is [released](Self::release).
    pub fn vacate(&mut self, slot: u32) -> Option<Box<Client>> {
        let place = self.slots.get_mut(slot as usize)?;
        let client = place.client.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.connected -= 1;
        Some(client)
    }

    /// Frees a slot that was [vacated](Self::vacate): the program knows that its client is gone.
    pub fn release(&mut self, slot: u32) {
        self.free.push(Reverse(slot));
    }

    /// The client in a slot.
    pub fn get(&self, slot: u32) -> Option<&Client> {
        self.slots.get(slot as usize)?.client.as_deref()
    }

    /// The client in a slot.
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut Client> {
        self.slots.get_mut(slot as usize)?.client.as_deref_mut()
    }

    /// Asks the processor for the client that is needed `soon`, and for what the one points to that is needed
    /// `next`, whose turn came to be asked for before.
    pub fn prefetch(&self, what: Needed, soon: Option<u32>, next: Option<u32>) {
        if self.connected <= FEW {
            return;
        }
        if let Some(client) = soon.and_then(|slot| self.get(slot)) {
            client.connection.prefetch(what);
        }
        if let Some(client) = next.and_then(|slot| self.get(slot)) {
            client.connection.prefetch_parts(what);
        }
    }

    /// The slot that a connection id names, if its client is still there.
    pub fn find(&self, connection_id: u32) -> Option<u32> {
        let slot = connection_id & 0xFFFF;
        let place = self.slots.get(slot as usize)?;
        (place.client.is_some() && connection_id >> 16 == u32::from(place.generation)).then_some(slot)
    }

    /// Does something to every client.
    pub fn for_each(&mut self, mut action: impl FnMut(u32, &mut Client)) {
        for (number, slot) in (0u32..).zip(&mut self.slots) {
            if let Some(client) = &mut slot.client {
                action(number, client);
            }
        }
    }

    /// The slots of all clients.
    pub fn occupied(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..).zip(&self.slots).filter(|(_, slot)| slot.client.is_some()).map(|(number, _)| number)
    }
}
