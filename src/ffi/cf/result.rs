//! Results (the header's section RESULT): as symbols, for languages that see no inline functions.

use crate::ffi::error::{cn_error_failure, cn_error_success, cn_is_error, cn_result_t as CF_Result};
use std::ffi::c_char;

/// cbindgen:ignore
#[unsafe(no_mangle)]
pub extern "C" fn cf_is_error(result: CF_Result) -> bool {
    cn_is_error(result)
}

/// cbindgen:ignore
#[unsafe(no_mangle)]
pub extern "C" fn cf_result_error(details: *const c_char) -> CF_Result {
    cn_error_failure(details)
}

/// cbindgen:ignore
#[unsafe(no_mangle)]
pub extern "C" fn cf_result_success() -> CF_Result {
    cn_error_success()
}
