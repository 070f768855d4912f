//! The C facade: pointers in, one call of the host, a value out. Whatever a program passes, NULL, a
//! client that left, a size that makes no sense, comes back as a result or does nothing; a panic stays
//! inside, and the handle it happened in is dead from then on.
//!
//! One file for each section of the header, in its order. The comments on types and functions here are
//! the header's.

// What C callers must keep to is said once, at the top of the header.
#![allow(unsafe_code, non_camel_case_types, clippy::missing_safety_doc)]

pub mod addresses;
pub mod allocator;
pub mod capacity;
#[cfg(feature = "cf")]
pub mod cf;
pub mod channels;
pub mod client;
pub mod counters;
pub mod crypto;
pub mod disconnect;
pub mod endpoint;
pub mod error;
pub mod ipv4;
pub mod keys;
pub mod log_callback;
pub mod pointers;
pub mod sending;
pub mod server;
pub mod simulator;
pub mod statistics;
pub mod versioned;
pub mod wire;

use crate::log::{self, Level};
use crate::message::Message;
use allocator::Allocator;
use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::ffi::{CStr, c_char, c_void};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A host behind a C handle.
pub(crate) struct Handle<H> {
    /// Dropped by [`destroy`], unless it is dead.
    host: UnsafeCell<ManuallyDrop<H>>,
    state: Cell<HandleState>,
    allocator: Allocator,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum HandleState {
    Idle,
    /// In a call: a callback of the program must not use the handle.
    Busy,
    /// A panic has left the host in a state nobody knows.
    Dead,
}

impl<H> Handle<H> {
    /// Puts a host behind a handle; NULL if there is no memory.
    pub(crate) fn create<T>(host: H, ctx: *mut c_void, wrap: impl FnOnce(Handle<H>) -> T) -> *mut T {
        Handle::create_in(Allocator::current(ctx), host, wrap)
    }

    fn create_in<T>(allocator: Allocator, host: H, wrap: impl FnOnce(Handle<H>) -> T) -> *mut T {
        // Where there is no memory the host is dropped as any value is: no handle exists whose end would.
        allocator.place(|| {
            let host = UnsafeCell::new(ManuallyDrop::new(host));
            wrap(Handle { host, state: Cell::new(HandleState::Idle), allocator })
        })
    }
}

/// Runs `body` on the host of `handle`; `otherwise` if there is none, it is in a call already, it is dead,
/// or it dies of this.
pub(crate) fn with_host<H, T>(
    handle: Option<&Handle<H>>,
    otherwise: T,
    body: impl FnOnce(&mut H) -> T,
) -> T {
    let Some(handle) = handle else { return otherwise };
    if handle.state.get() != HandleState::Idle {
        refuse(handle.state.get());
        return otherwise;
    }
    handle.state.set(HandleState::Busy);
    // The host is never used again after a panic, so what the panic left of it does not matter.
    let result = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the handle was idle, so no other reference to the host is alive.
        body(unsafe { &mut **handle.host.get() })
    }));
    match result {
        Ok(value) => {
            handle.state.set(HandleState::Idle);
            value
        }
        Err(panic) => {
            handle.state.set(HandleState::Dead);
            on_death(panic);
            otherwise
        }
    }
}

/// Says why a handle in this state does nothing. Here and below: what a hundred functions have and none is
/// likely to need is not inlined into them.
#[cold]
#[inline(never)]
fn refuse(state: HandleState) {
    if state == HandleState::Busy {
        log::log(
            Level::Error,
            format_args!("a callback used the client or server that called it; nothing was done"),
        );
    }
}

#[cold]
#[inline(never)]
fn on_death(panic: Box<dyn Any + Send>) {
    drop(panic);
    log::log(Level::Error, format_args!("an internal error; the handle is dead from now on"));
}

/// Runs `body` outside any handle; `otherwise` if it panics.
pub(crate) fn guarded<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

/// Gives up a handle and its memory. `inner` finds the handle in what the program knows.
///
/// # Safety
/// `place` is NULL or came from [`Handle::create`], was not destroyed, and no other thread uses it.
pub(crate) unsafe fn destroy<T, H>(place: *mut T, inner: impl FnOnce(&T) -> &Handle<H>) {
    // SAFETY: as this function's.
    let Some(handle) = (unsafe { place.as_ref() }).map(inner) else { return };
    let (state, allocator) = (handle.state.get(), handle.allocator);
    if state == HandleState::Busy {
        log::log(
            Level::Error,
            format_args!("a callback destroyed the client or server that called it; nothing was done"),
        );
        return;
    }
    // Dropping a dead host would run code on a state nobody knows.
    if state == HandleState::Idle {
        // A last callback of the program must find a handle that it can't use.
        handle.state.set(HandleState::Busy);
        // SAFETY: the handle was idle, so nothing refers to the host, and it is dropped once.
        guarded((), || unsafe { ManuallyDrop::drop(&mut *handle.host.get()) });
    }
    // SAFETY: the handle came from this allocator, and nothing uses it any more.
    drop(unsafe { allocator.take_back(place) });
}

/// A C string as text; `None` for NULL and for what isn't UTF-8.
///
/// # Safety
/// `text` is NULL or points to a string that ends with a zero byte and does not change during the
/// caller's call.
pub(crate) unsafe fn text<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: as this function's.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}

/// The bytes of a message to send; `None` if there are none where there should be.
///
/// # Safety
/// `data` is NULL or points to `size` readable bytes.
pub(crate) unsafe fn bytes<'a>(data: *const c_void, size: i32) -> Option<&'a [u8]> {
    let size = usize::try_from(size).ok()?;
    // SAFETY: as this function's.
    (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data.cast(), size) })
}

/// What the end of the headroom of a block in the program's hands says.
#[repr(C)]
struct BlockHeader {
    capacity: usize,
    mark: usize,
}

/// Written into every block, mixed with its address: a pointer that isn't a block's is recognised.
const BLOCK_MARK: usize = 0x6375_7465;

const _: () = assert!(size_of::<BlockHeader>() <= Message::HEADROOM);

/// Hands a message of `handle` to the program, which frees it with [`free_block`].
pub(crate) fn into_block<H>(handle: &Handle<H>, message: Message) -> *mut c_void {
    // What was accepted is not lost because the program's allocator has nothing left.
    handle.allocator.block(&message).unwrap_or_else(|| into_own_block(message))
}

fn into_own_block(message: Message) -> *mut c_void {
    let mut buffer = ManuallyDrop::new(message.into_buffer());
    let start = buffer.as_mut_ptr();
    let header = BlockHeader { capacity: buffer.capacity(), mark: BLOCK_MARK ^ start as usize };
    // SAFETY: the buffer starts with `HEADROOM` bytes, which have room for a header, and the payload follows
    // them within the same allocation.
    unsafe {
        let block = start.add(Message::HEADROOM);
        block.cast::<BlockHeader>().sub(1).write_unaligned(header);
        block.cast()
    }
}

/// Frees a block. Any thread may do so, at any time: after its client left, after its handle is gone.
///
/// # Safety
/// `block` is NULL or came from [`into_block`] and was not freed.
pub(crate) unsafe fn free_block(block: *mut c_void) {
    if block.is_null() {
        return;
    }
    // SAFETY: a block lies behind a header of one of two kinds; the allocation of ours starts `HEADROOM`
    // bytes before it.
    unsafe {
        if allocator::free_hook_block(block) {
            return;
        }
        let start = block.cast::<u8>().sub(Message::HEADROOM);
        let place = block.cast::<BlockHeader>().sub(1);
        let header = place.read_unaligned();
        if header.mark != BLOCK_MARK ^ start as usize {
            log::log(
                Level::Error,
                format_args!("{block:?} is no packet of this library, or was freed before"),
            );
            return;
        }
        place.write_unaligned(BlockHeader { capacity: 0, mark: 0 });
        drop(Vec::from_raw_parts(start, 0, header.capacity));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::MessageInfo;

    #[test]
    fn a_block_holds_the_message_and_is_freed_whole() {
        for length in [1usize, 15, 16, 1200, 1 << 20] {
            let payload = vec![7; length];
            let info = MessageInfo { channel: 0, reliable: true, id: 0 };
            let block = into_own_block(Message::new(info, &payload));
            assert_eq!(block as usize % align_of::<u64>(), 0);
            // SAFETY: the block holds `length` bytes and is freed once.
            unsafe {
                assert_eq!(std::slice::from_raw_parts(block.cast::<u8>(), length), payload);
                free_block(block);
            }
        }
    }

    #[test]
    fn a_panic_kills_the_handle_and_nothing_else() {
        let place = Handle::create(5, std::ptr::null_mut(), |handle| handle);
        // SAFETY: the handle was just made and is destroyed below.
        let handle = unsafe { &*place };
        assert_eq!(with_host(Some(handle), -1, |host| *host), 5);
        assert_eq!(with_host(Some(handle), -1, |_| panic!("for the test")), -1);
        assert_eq!(with_host(Some(handle), -1, |host| *host), -1);
        assert_eq!(with_host(None::<&Handle<i32>>, -1, |host| *host), -1);
        // SAFETY: as above.
        unsafe { destroy(place, |handle| handle) };
    }

    #[test]
    fn a_host_that_no_memory_was_given_for_is_dropped() {
        let host = std::rc::Rc::new(());
        for give in [allocator::tests::nothing, allocator::tests::misaligned] {
            let place =
                Handle::create_in(allocator::tests::allocator(give), host.clone(), |handle| handle);
            assert!(place.is_null());
            assert_eq!(std::rc::Rc::strong_count(&host), 1);
        }
    }

    #[test]
    fn a_callback_cannot_use_the_handle_that_called_it() {
        let place = Handle::create(5, std::ptr::null_mut(), |handle| handle);
        // SAFETY: the handle was just made and is destroyed below.
        let handle = unsafe { &*place };
        let inside = with_host(Some(handle), -1, |_| {
            // SAFETY: as above; it is refused, because the handle is in a call.
            unsafe { destroy(place, |handle| handle) };
            with_host(Some(handle), -2, |host| *host)
        });
        assert_eq!(inside, -2);
        assert_eq!(with_host(Some(handle), -1, |host| *host), 5);
        // SAFETY: as above.
        unsafe { destroy(place, |handle| handle) };
    }
}
