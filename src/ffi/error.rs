//! Results (the header's section ERROR).

use std::collections::VecDeque;
use std::ffi::{CStr, c_char, c_int};
use std::fmt::{self, Write};
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

/// What a call came to.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct cn_result_t {
    /// `CN_ERROR_SUCCESS` (0) or `CN_ERROR_FAILURE` (-1).
    pub code: c_int,
    /// On failure, a text that says what was wrong and what to do: never NULL, unchanged until the next
    /// call of this library that fails on the same thread. On success, NULL.
    pub details: *const c_char,
}

const _: () = assert!(size_of::<cn_result_t>() == 2 * size_of::<usize>());
const _: () = assert!(std::mem::offset_of!(cn_result_t, details) == size_of::<usize>());

const SUCCESS: c_int = 0;
const FAILURE: c_int = -1;

/// Bytes of the longest error text, its zero byte counted; longer ones are cut.
const TEXT_SIZE: usize = 512;

/// A buffer for an error text, never freed: the text must outlive the thread it belongs to.
#[derive(Clone, Copy)]
struct Buffer(NonNull<[u8; TEXT_SIZE]>);

// SAFETY: whoever has the buffer out of `UNUSED` is the only one to write it.
unsafe impl Send for Buffer {}

/// This many unused buffers rest before one is used again: a result may be looked at long after its thread
/// ended.
const RESTING: usize = 64;

/// Buffers of threads that have ended, the longest unused first.
static UNUSED: Mutex<VecDeque<Buffer>> = Mutex::new(VecDeque::new());

/// A thread's hold on its buffer.
struct Hold(Buffer);

impl Hold {
    fn new() -> Hold {
        let mut unused = UNUSED.lock().unwrap_or_else(PoisonError::into_inner);
        let buffer = if unused.len() > RESTING { unused.pop_front() } else { None };
        Hold(buffer.unwrap_or_else(|| Buffer(NonNull::from(Box::leak(Box::new([0; TEXT_SIZE]))))))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        UNUSED.lock().unwrap_or_else(PoisonError::into_inner).push_back(self.0);
    }
}

thread_local! {
    static LAST: Hold = Hold::new();
}

/// Writes into a buffer and leaves room for a zero byte; what does not fit is cut between characters.
struct Cut<'a> {
    buffer: &'a mut [u8; TEXT_SIZE],
    written: usize,
}

impl Write for Cut<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let mut encoded = [0; 4];
            let encoded = character.encode_utf8(&mut encoded).as_bytes();
            if character == '\0' || self.written + encoded.len() >= TEXT_SIZE {
                return Err(fmt::Error);
            }
            for byte in encoded {
                if let Some(to) = self.buffer.get_mut(self.written) {
                    *to = *byte;
                }
                self.written += 1;
            }
        }
        Ok(())
    }
}

/// The result of a call that did what it was asked.
pub(crate) const fn success() -> cn_result_t {
    cn_result_t { code: SUCCESS, details: std::ptr::null() }
}

/// The result of a call that did not, with a text for people that never changes.
pub(crate) const fn failure(text: &'static CStr) -> cn_result_t {
    cn_result_t { code: FAILURE, details: text.as_ptr() }
}

/// The result of a call that did not, with a text for people that says with which values.
pub(crate) fn failure_with(text: impl fmt::Display) -> cn_result_t {
    written(format_args!("{text}"))
}

// Once, and not for each kind of text.
#[cold]
#[inline(never)]
fn written(text: fmt::Arguments<'_>) -> cn_result_t {
    // What `text` shows may lie in the buffer of an earlier failure: it is written elsewhere first.
    let mut bytes = [0; TEXT_SIZE];
    let _ = Cut { buffer: &mut bytes, written: 0 }.write_fmt(text);
    let late;
    let buffer = match LAST.try_with(|last| last.0) {
        Ok(buffer) => buffer,
        // The thread is ending and has no buffer any more: one is borrowed for each text.
        Err(_) => {
            late = Hold::new();
            late.0
        }
    };
    // SAFETY: the buffer is this thread's alone, and nothing of the library refers to it.
    unsafe { buffer.0.write(bytes) };
    cn_result_t { code: FAILURE, details: buffer.0.as_ptr().cast_const().cast() }
}

/// The result of a call that may fail with an error for people.
pub(crate) fn outcome(result: Result<(), impl fmt::Display>) -> cn_result_t {
    match result {
        Ok(()) => success(),
        Err(error) => failure_with(error),
    }
}

/// The result of a call in which the library itself went wrong. It is at hand in every call, so it costs
/// nothing.
pub(crate) const fn internal_failure() -> cn_result_t {
    failure(c"An internal error of the library, or a callback used the handle that called it.")
}

/// True if `result` is a failure.
#[unsafe(no_mangle)]
pub extern "C" fn cn_is_error(result: cn_result_t) -> bool {
    result.code == FAILURE
}

/// A failure with a text of the program's own; `details` must outlive the result.
#[unsafe(no_mangle)]
pub extern "C" fn cn_error_failure(details: *const c_char) -> cn_result_t {
    cn_result_t { code: FAILURE, details }
}

/// A success.
#[unsafe(no_mangle)]
pub extern "C" fn cn_error_success() -> cn_result_t {
    success()
}

/// Does nothing and succeeds: the library needs no initialisation. Bindings to the original call it.
#[unsafe(no_mangle)]
pub extern "C" fn cn_init() -> cn_result_t {
    success()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn details(result: cn_result_t) -> String {
        // SAFETY: the details of a failure are a string of this thread.
        unsafe { CStr::from_ptr(result.details) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_text_of_any_length_and_content_becomes_a_c_string() {
        assert_eq!(details(failure_with("short")), "short");
        assert_eq!(details(failure_with("a\0b")), "a");
        let long = "\u{e9}".repeat(1000);
        let cut = details(failure_with(&long));
        assert_eq!(cut.len(), TEXT_SIZE - 2);
        assert!(long.starts_with(&cut));
        assert_eq!(details(failure_with("short again")), "short again");
    }

    #[test]
    fn a_text_outlives_its_thread_and_may_quote_the_one_before() {
        let first = failure_with("first");
        // SAFETY: the details of a failure are a string of this thread.
        let quoted = unsafe { CStr::from_ptr(first.details) }.to_str().unwrap();
        assert_eq!(details(failure_with(format_args!("\"{quoted}\" again"))), "\"first\" again");
        let elsewhere =
            std::thread::spawn(|| failure_with("elsewhere").details as usize).join().unwrap();
        let elsewhere = cn_result_t { code: FAILURE, details: elsewhere as *const c_char };
        assert_eq!(details(elsewhere), "elsewhere");
    }
}
