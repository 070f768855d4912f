//! Notices that this process is a forked copy. A copy shares the keys and packet numbers of every
//! connection with its parent, so it must never seal a packet of them: two messages under one nonce
//! would give both away.

#![allow(unsafe_code)]

/// Belongs to the process that made it.
pub struct ForkGuard {
    #[cfg(target_os = "linux")]
    page: Option<linux::WipedPage>,
    process: u32,
}

impl ForkGuard {
    /// A guard of this process.
    pub fn new() -> ForkGuard {
        ForkGuard {
            #[cfg(target_os = "linux")]
            page: linux::WipedPage::new(),
            process: std::process::id(),
        }
    }

    /// True in a forked copy of the process that made the guard.
    pub fn is_in_child(&self) -> bool {
        // Reading a page that the kernel wipes in children costs nothing; asking for the process id is
        // a system call.
        #[cfg(target_os = "linux")]
        if let Some(page) = &self.page {
            return page.is_wiped();
        }
        std::process::id() != self.process
    }
}

impl Default for ForkGuard {
    fn default() -> Self {
        ForkGuard::new()
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ptr::{self, NonNull};
    use std::sync::atomic::{AtomicU8, Ordering};

    const SIZE: usize = 4096;

    /// A page that holds a 1 here and a 0 in every forked copy (`MADV_WIPEONFORK`, Linux 4.14).
    pub(super) struct WipedPage(NonNull<AtomicU8>);

    // SAFETY: the page is only read, atomically, until it is unmapped by its one owner.
    unsafe impl Send for WipedPage {}

    impl WipedPage {
        pub(super) fn new() -> Option<WipedPage> {
            let (protection, flags) =
                (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            // SAFETY: a fresh anonymous mapping; nothing else knows its address.
            let page = unsafe { libc::mmap(ptr::null_mut(), SIZE, protection, flags, -1, 0) };
            if page == libc::MAP_FAILED {
                return None;
            }
            let guard = WipedPage(NonNull::new(page.cast())?);
            // SAFETY: the range is the mapping made above.
            if unsafe { libc::madvise(page, SIZE, libc::MADV_WIPEONFORK) } != 0 {
                return None;
            }
            guard.byte().store(1, Ordering::Relaxed);
            Some(guard)
        }

        fn byte(&self) -> &AtomicU8 {
            // SAFETY: the mapping lives as long as `self`, is readable and writable, and anonymous
            // memory starts as zeros, a valid `AtomicU8`.
            unsafe { self.0.as_ref() }
        }

        pub(super) fn is_wiped(&self) -> bool {
            self.byte().load(Ordering::Relaxed) == 0
        }
    }

    impl Drop for WipedPage {
        fn drop(&mut self) {
            // SAFETY: the mapping was made by `new` with this size, and nobody uses it after this.
            unsafe { libc::munmap(self.0.as_ptr().cast(), SIZE) };
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_forked_copy_knows_that_it_is_one() {
        let guard = ForkGuard::new();
        assert!(!guard.is_in_child());
        // SAFETY: the child calls nothing but `_exit`.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let code = i32::from(!guard.is_in_child());
            // SAFETY: ends the child at once, without running the test harness's cleanup.
            unsafe { libc::_exit(code) };
        }
        let mut status = -1;
        // SAFETY: waits for the child made above.
        unsafe { libc::waitpid(child, &mut status, 0) };
        assert_eq!(status, 0);
        assert!(!guard.is_in_child());
    }
}
