//! Where handles and packets come from: the process's allocator, or the program's own
//! (`CN_ALLOC` and `CN_FREE` of the original).

use super::BLOCK_MARK;
use crate::message::Message;
use std::ffi::c_void;
use std::sync::RwLock;

/// Gives `size` bytes, aligned as `malloc` aligns them, or NULL. `ctx` is the `user_allocator_context` of
/// the client or server that the memory is for.
pub type cnx_alloc_t = Option<unsafe extern "C" fn(size: usize, ctx: *mut c_void) -> *mut c_void>;

/// Takes back what a `cnx_alloc_t` gave, with the same `ctx`.
pub type cnx_free_t = Option<unsafe extern "C" fn(memory: *mut c_void, ctx: *mut c_void)>;

#[derive(Clone, Copy)]
struct Hook {
    alloc: unsafe extern "C" fn(usize, *mut c_void) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void, *mut c_void),
}

static REGISTERED: RwLock<Option<Hook>> = RwLock::new(None);

/// Makes every client and server created from now on, and every packet they give, come from `alloc`, to be
/// given back to `free`. NULL for either is the process's own allocator, the default. What the library needs
/// besides stays there. Clients and servers that exist keep what they were made with. Both functions are called
/// by whatever thread makes or frees something, during calls of the library.
///
/// A file that defines `CN_ALLOC`, `CN_FREE` and `CUTE_NET_IMPLEMENTATION` before it includes cute_net.h
/// calls this before `main`; of several such files one counts, and which is not said. If that file is in a static
/// library, link it as a whole or call this yourself.
#[unsafe(no_mangle)]
pub extern "C" fn cnx_set_allocator(alloc: cnx_alloc_t, free: cnx_free_t) {
    let hook = alloc.zip(free).map(|(alloc, free)| Hook { alloc, free });
    *REGISTERED.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = hook;
}

/// The allocator of one handle.
#[derive(Clone, Copy)]
pub(super) struct Allocator {
    hook: Option<Hook>,
    ctx: *mut c_void,
}

/// What lies before a packet that came from the program's allocator; `mark` is at the same distance from
/// the packet as in a packet of ours.
#[repr(C, align(16))]
struct HookHeader {
    hook: Hook,
    ctx: *mut c_void,
    mark: usize,
}

impl Allocator {
    /// What is registered now, for a handle whose allocator context is `ctx`.
    pub(super) fn current(ctx: *mut c_void) -> Allocator {
        let hook = *REGISTERED.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        Allocator { hook, ctx }
    }

    /// Puts what `make` makes into memory of its own; NULL if there is none, and then nothing is made.
    pub(super) fn place<T>(self, make: impl FnOnce() -> T) -> *mut T {
        let Some(hook) = self.hook else { return Box::into_raw(Box::new(make())) };
        // SAFETY: the program promises that its function gives memory of this size, or NULL.
        let place = unsafe { (hook.alloc)(size_of::<T>(), self.ctx) }.cast::<T>();
        if place.is_null() {
            return place;
        }
        if !place.is_aligned() {
            // SAFETY: it came from this allocator and nothing was put there.
            unsafe { (hook.free)(place.cast(), self.ctx) };
            return std::ptr::null_mut();
        }
        // SAFETY: the memory is of the right size and alignment.
        unsafe { place.write(make()) };
        place
    }

    /// Moves a value out of the memory that [`place`](Self::place) gave, and gives that back.
    ///
    /// # Safety
    /// `place` came from `place` of an equal allocator and was not taken back.
    pub(super) unsafe fn take_back<T>(self, place: *mut T) -> T {
        let Some(hook) = self.hook else {
            // SAFETY: as this function's.
            return *unsafe { Box::from_raw(place) };
        };
        // SAFETY: as this function's; the value is read before its memory goes.
        unsafe {
            let value = place.read();
            (hook.free)(place.cast(), self.ctx);
            value
        }
    }

    /// A packet in the program's memory; `None` if the program has no allocator, or no memory.
    pub(super) fn block(self, message: &Message) -> Option<*mut c_void> {
        let hook = self.hook?;
        let size = size_of::<HookHeader>().checked_add(message.len())?;
        // SAFETY: the program promises that its function gives memory of this size, or NULL.
        let start = unsafe { (hook.alloc)(size, self.ctx) }.cast::<HookHeader>();
        if start.is_null() {
            return None;
        }
        let header = HookHeader { hook, ctx: self.ctx, mark: HOOK_MARK ^ start as usize };
        // SAFETY: the memory has room for the header and for the payload behind it.
        unsafe {
            start.write_unaligned(header);
            let block = start.add(1).cast::<u8>();
            block.copy_from_nonoverlapping(message.payload().as_ptr(), message.len());
            Some(block.cast())
        }
    }
}

const HOOK_MARK: usize = !BLOCK_MARK;

/// Gives a packet back to the program's allocator, if it came from there.
///
/// # Safety
/// `block` is a packet of this library that was not freed; the word before it says of which kind.
pub(super) unsafe fn free_hook_block(block: *mut c_void) -> bool {
    // SAFETY: both kinds of packet have a word before them.
    unsafe {
        let mark = block.cast::<usize>().sub(1).read_unaligned();
        let start = block.cast::<HookHeader>().wrapping_sub(1);
        if mark != HOOK_MARK ^ start as usize {
            return false;
        }
        let header = start.read_unaligned();
        (&raw mut (*start).mark).write_unaligned(0);
        (header.hook.free)(start.cast(), header.ctx);
    }
    true
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An allocator of a program's, which gives `alloc`'s memory and takes all back.
    pub(in super::super) fn allocator(
        alloc: unsafe extern "C" fn(usize, *mut c_void) -> *mut c_void,
    ) -> Allocator {
        unsafe extern "C" fn free(_memory: *mut c_void, _ctx: *mut c_void) {}
        Allocator { hook: Some(Hook { alloc, free }), ctx: std::ptr::null_mut() }
    }

    pub(in super::super) unsafe extern "C" fn nothing(_size: usize, _ctx: *mut c_void) -> *mut c_void {
        std::ptr::null_mut()
    }

    pub(in super::super) unsafe extern "C" fn misaligned(
        _size: usize,
        _ctx: *mut c_void,
    ) -> *mut c_void {
        std::ptr::without_provenance_mut(1)
    }

    #[test]
    fn a_packet_that_no_memory_was_given_for_is_not_made() {
        let info = crate::message::MessageInfo { channel: 0, reliable: true, id: 0 };
        assert!(allocator(nothing).block(&Message::new(info, b"kept")).is_none());
    }
}
