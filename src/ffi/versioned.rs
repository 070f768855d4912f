//! Programs that were compiled with the header of another version. Structs begin with their size, which the program
//! sets: they can grow, and a program that was compiled with a shorter one gets as much as it has room for.

use super::error::{cn_result_t, failure_with, success};
use std::cmp::Ordering;
use std::ffi::c_char;

/// The library's version, such as "1.0.0-alpha.1": of what is linked, whatever header was compiled.
/// Never NULL, never freed.
#[unsafe(no_mangle)]
pub extern "C" fn cnx_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// How many bytes of `T` the struct at `place` has room for; `None` if it has less than `least`.
///
/// # Safety
/// `place` is NULL or points to a `T` of any version whose size is set.
pub(crate) unsafe fn room<T>(place: *const T, least: usize) -> Option<usize> {
    if place.is_null() {
        return None;
    }
    // SAFETY: every version of the struct begins with its size.
    let size = unsafe { place.cast::<u32>().read_unaligned() } as usize;
    (size >= least).then_some(size.min(size_of::<T>()))
}

/// Writes the first `length` bytes of `value`, and into their size how many they are.
///
/// # Safety
/// `out` has room for `length` bytes, which is at least 4 and at most the size of a `T`.
pub(crate) unsafe fn write<T: Copy>(value: &T, out: *mut T, length: usize) {
    // SAFETY: as this function's.
    unsafe {
        out.cast::<u8>().copy_from_nonoverlapping((&raw const *value).cast(), length);
        out.cast::<u32>().write_unaligned(length as u32);
    }
}

/// Reads a struct that says what is to be done. It must have all that this version has: what is asked beyond that
/// would not be done. `name` and `kind` are as for [`give`].
///
/// # Safety
/// `place` points to a `T` of any version whose size is set.
pub(crate) unsafe fn take<T: Copy>(place: *const T, name: &str, kind: &str) -> Result<T, cn_result_t> {
    // SAFETY: every version of the struct begins with its size.
    let size = unsafe { place.cast::<u32>().read_unaligned() } as usize;
    match size.cmp(&size_of::<T>()) {
        Ordering::Less => Err(size_not_set(size, name, kind)),
        Ordering::Greater => Err(failure_with(format_args!(
            "`{name}->size` is {size}, that of a later version of the library, or not set."
        ))),
        // SAFETY: the struct is as large as it says.
        Ordering::Equal => Ok(unsafe { place.read_unaligned() }),
    }
}

fn size_not_set(size: usize, name: &str, kind: &str) -> cn_result_t {
    failure_with(format_args!("`{name}->size` is not set, but {size}: set it to sizeof({kind})."))
}

/// Writes as much of `value` as the program has room for, if that is at least `least` bytes. `name` and
/// `kind` are what the header calls the parameter and its type.
///
/// # Safety
/// As [`room`].
pub(crate) unsafe fn give<T: Copy>(
    value: &T,
    out: *mut T,
    least: usize,
    name: &str,
    kind: &str,
) -> cn_result_t {
    if out.is_null() {
        return failure_with(format_args!("`{name}` is NULL."));
    }
    // SAFETY: as this function's; there is room for what is written.
    unsafe {
        let Some(length) = room(out, least) else {
            return size_not_set(out.cast::<u32>().read_unaligned() as usize, name, kind);
        };
        write(value, out, length);
    }
    success()
}
