//! Results (the header's section ERROR).

use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int};
use std::fmt::{self, Write};

/// What a call came to.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct cn_result_t {
    /// `CN_ERROR_SUCCESS` (0) or `CN_ERROR_FAILURE` (-1).
    pub code: c_int,
    /// On failure, a text that says what was wrong and what to do: never NULL, valid until the next
    /// call of this library that fails on the same thread. On success, NULL.
    pub details: *const c_char,
}

const _: () = assert!(size_of::<cn_result_t>() == 2 * size_of::<usize>());
const _: () = assert!(std::mem::offset_of!(cn_result_t, details) == size_of::<usize>());

const SUCCESS: c_int = 0;
const FAILURE: c_int = -1;

/// Bytes of the longest error text, its zero byte counted; longer ones are cut.
const TEXT_SIZE: usize = 512;

/// The thread's last error text.
struct Text {
    bytes: UnsafeCell<[u8; TEXT_SIZE]>,
}

thread_local! {
    static LAST: Text = const { Text { bytes: UnsafeCell::new([0; TEXT_SIZE]) } };
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

/// The result of a call that did not, with a text for people.
pub(crate) fn failure(text: impl fmt::Display) -> cn_result_t {
    let details = LAST.try_with(|last| {
        // SAFETY: the buffer is this thread's alone, and no reference to it outlives this closure.
        let buffer = unsafe { &mut *last.bytes.get() };
        let mut cut = Cut { buffer, written: 0 };
        let _ = write!(cut, "{text}");
        let end = cut.written;
        if let Some(byte) = buffer.get_mut(end) {
            *byte = 0;
        }
        last.bytes.get().cast_const().cast()
    });
    // A thread that is ending has no buffer any more.
    let details = details.unwrap_or(c"The call failed while its thread was ending.".as_ptr());
    cn_result_t { code: FAILURE, details }
}

/// The result of a call in which the library itself went wrong. It is at hand in every call, so it costs
/// nothing.
pub(crate) const fn internal_failure() -> cn_result_t {
    let text = c"An internal error of the library; the handle can't be used any more. Please report it.";
    cn_result_t { code: FAILURE, details: text.as_ptr() }
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
        assert_eq!(details(failure("short")), "short");
        assert_eq!(details(failure("a\0b")), "a");
        let long = "\u{e9}".repeat(1000);
        let cut = details(failure(&long));
        assert_eq!(cut.len(), TEXT_SIZE - 2);
        assert!(long.starts_with(&cut));
        assert_eq!(details(failure("short again")), "short again");
    }
}
