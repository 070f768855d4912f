//! Notices that this process is a forked copy. A copy shares the keys and packet numbers of every
//! connection with its parent, so it must never seal a packet of them: two messages under one nonce
//! would give both away.

#![allow(unsafe_code)]

/// Belongs to the process that made it.
#[derive(Clone, Copy, Debug)]
pub struct ForkGuard {
    /// Which of this process and its ancestors, where the system helps to tell them apart.
    #[cfg(target_os = "linux")]
    generation: Option<linux::Generation>,
    process: u32,
}

impl ForkGuard {
    /// A guard of this process.
    pub fn new() -> ForkGuard {
        ForkGuard {
            #[cfg(target_os = "linux")]
            generation: linux::Generation::current(),
            process: std::process::id(),
        }
    }

    /// True in a forked copy of the process that made the guard.
    pub fn is_in_child(&self) -> bool {
        // Reading a page that the kernel wipes in children costs nothing; asking for the process id is
        // a system call.
        #[cfg(target_os = "linux")]
        if let Some(generation) = self.generation {
            return !generation.is_current();
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
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    const SIZE: usize = 4096;

    /// Counts the processes that this memory was copied to. A process draws its number when it first makes a
    /// guard, and its copies go on counting where it stands.
    static LAST: AtomicU64 = AtomicU64::new(0);
    /// Holds the number of this process, 0 in a copy that drew none yet. One page for all guards: a program
    /// with a thousand clients would else read a thousand pages in every update.
    static PAGE: OnceLock<Option<WipedPage>> = OnceLock::new();

    /// The number of a process.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Generation(u64);

    impl Generation {
        /// That of this process; `None` where the kernel can't help.
        pub(super) fn current() -> Option<Generation> {
            let number = PAGE.get_or_init(WipedPage::new).as_ref()?.number();
            if number.load(Ordering::Relaxed) == 0 {
                let drawn = LAST.fetch_add(1, Ordering::Relaxed) + 1;
                // Of threads that draw at once, the first one's counts.
                let _ = number.compare_exchange(0, drawn, Ordering::Relaxed, Ordering::Relaxed);
            }
            Some(Generation(number.load(Ordering::Relaxed)))
        }

        /// True in the process that it is the number of.
        pub(super) fn is_current(self) -> bool {
            let page = PAGE.get().and_then(Option::as_ref);
            page.is_some_and(|page| page.number().load(Ordering::Relaxed) == self.0)
        }
    }

    /// A page that the kernel fills with zeros in every forked copy (`MADV_WIPEONFORK`, Linux 4.14). It is
    /// never unmapped.
    struct WipedPage(NonNull<AtomicU64>);

    // SAFETY: the page is only read and written atomically, and stays mapped.
    unsafe impl Send for WipedPage {}
    // SAFETY: as above.
    unsafe impl Sync for WipedPage {}

    impl WipedPage {
        fn new() -> Option<WipedPage> {
            let (protection, flags) =
                (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            // SAFETY: a fresh anonymous mapping; nothing else knows its address.
            let page = unsafe { libc::mmap(ptr::null_mut(), SIZE, protection, flags, -1, 0) };
            if page == libc::MAP_FAILED {
                return None;
            }
            // SAFETY: the range is the mapping made above.
            if unsafe { libc::madvise(page, SIZE, libc::MADV_WIPEONFORK) } != 0 {
                // SAFETY: as above, and nobody uses it after this.
                unsafe { libc::munmap(page, SIZE) };
                return None;
            }
            NonNull::new(page.cast()).map(WipedPage)
        }

        fn number(&self) -> &AtomicU64 {
            // SAFETY: the page stays mapped, is readable and writable, and anonymous memory starts as zeros, a
            // valid `AtomicU64`; a page is aligned for it.
            unsafe { self.0.as_ref() }
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
        // SAFETY: the child allocates nothing, and leaves by `_exit`.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let own = ForkGuard::new();
            let code = i32::from(!guard.is_in_child() || own.is_in_child());
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
