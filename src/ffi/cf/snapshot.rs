//! Snapshots (the header's section SNAPSHOT).

use crate::ffi::guarded;
use crate::snapshot;
use std::ffi::{c_int, c_void};

/// Compresses `current`, `size` bytes of game state, against `baseline`, an earlier state of as many bytes
/// that the receiver has; NULL is all zeroes. The less has changed, the smaller the result.
///
/// Returns the bytes written to `out`, at most `out_capacity`; -1 if they do not fit, `size` is negative, or
/// `current` or `out` is NULL. `size` + 2 bytes always suffice.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_snapshot_compress(
    baseline: *const c_void,
    current: *const c_void,
    size: c_int,
    out: *mut c_void,
    out_capacity: c_int,
) -> c_int {
    let (Ok(size), Ok(capacity)) = (usize::try_from(size), usize::try_from(out_capacity)) else {
        return -1;
    };
    if (current.is_null() && size > 0) || (out.is_null() && capacity > 0) {
        return -1;
    }
    // SAFETY: the caller's buffers have the sizes it names; `baseline` has that of `current`, or is NULL.
    let (baseline, current, out) =
        unsafe { (input(baseline, size), input(current, size), output(out, capacity)) };
    guarded(-1, || {
        let written = snapshot::compress(baseline, current.unwrap_or_default(), out);
        written.and_then(|written| c_int::try_from(written).ok()).unwrap_or(-1)
    })
}

/// Puts together again what `cf_snapshot_compress` made with the same `baseline` and `size`: writes `size`
/// bytes to `out`, which must not overlap the others.
///
/// Returns 0 on success. -1 if the bytes are damaged as far as that can be told, a size is negative, or a
/// pointer is NULL that must not be; `out` then holds anything. Bytes of any origin are safe to pass.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_snapshot_decompress(
    baseline: *const c_void,
    size: c_int,
    compressed: *const c_void,
    compressed_size: c_int,
    out: *mut c_void,
) -> c_int {
    let (Ok(size), Ok(length)) = (usize::try_from(size), usize::try_from(compressed_size)) else {
        return -1;
    };
    if (compressed.is_null() && length > 0) || (out.is_null() && size > 0) {
        return -1;
    }
    // SAFETY: the caller's buffers have the sizes it names.
    let (baseline, compressed, out) =
        unsafe { (input(baseline, size), input(compressed, length), output(out, size)) };
    guarded(-1, || match snapshot::decompress(baseline, compressed.unwrap_or_default(), out) {
        Ok(()) => 0,
        Err(_) => -1,
    })
}

/// # Safety
/// `data` is NULL or points to `size` readable bytes.
unsafe fn input<'a>(data: *const c_void, size: usize) -> Option<&'a [u8]> {
    // SAFETY: as this function's.
    (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data.cast(), size) })
}

/// # Safety
/// `data` is NULL or points to `size` bytes that nothing else refers to.
unsafe fn output<'a>(data: *mut c_void, size: usize) -> &'a mut [u8] {
    if data.is_null() {
        return &mut [];
    }
    // SAFETY: as this function's. Memory that C never wrote is given a value first.
    unsafe {
        data.cast::<u8>().write_bytes(0, size);
        std::slice::from_raw_parts_mut(data.cast(), size)
    }
}
