//! Counts what this thread holds of the heap, for targets that bound it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

/// Bytes that one connection may hold, in and out, with what the rest of the process needs.
const BUDGET: isize = 34 << 20;

/// What the thread holds more than when this was made.
pub struct Budget {
    before: isize,
}

impl Budget {
    pub fn from_now() -> Budget {
        Budget { before: HELD.get() }
    }

    /// One connection may hold as much.
    pub fn check(&self) {
        let held = HELD.get() - self.before;
        assert!(held < BUDGET, "{held} bytes are held");
    }
}

fn count(bytes: isize) {
    // A thread that ends frees what it held after its counter is gone.
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

struct Counting;

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's layout.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller gives back what it took.
        unsafe { System.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: the caller's block and layout.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
