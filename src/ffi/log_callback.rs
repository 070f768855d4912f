//! The library's messages, for the program's log (the section LOG of `cute_net_x.h`).

use super::guarded;
use crate::log::{self, Level};
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::Arc;

/// `cnx_log_level_t`: any int may come from C.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct cnx_log_level_t(pub c_int);

/// Receives a message of the library: `text` ends with a zero byte and is valid during the call. It may
/// come from any thread that uses a client or a server, during a call of the library.
pub type cnx_log_callback_t =
    Option<unsafe extern "C" fn(user: *mut c_void, level: cnx_log_level_t, text: *const c_char)>;

/// The program's pointer, which the library never looks at.
struct User(*mut c_void);

// SAFETY: the pointer is only handed back; that the callback may be called from any thread is in its
// contract.
unsafe impl Send for User {}
// SAFETY: as above.
unsafe impl Sync for User {}

/// Sends the library's messages up to a level (0 or less counts as `CNX_LOG_ERROR`) to a function of the program's,
/// for all clients and servers, with `user`; NULL, the default, sends them nowhere. It must return (no exception, no
/// longjmp) and must not use the handle that it is called for; what happens inside it is not logged. Another thread
/// may still be in the old function when this returns. What an attacker can cause is said at `CNX_LOG_DEBUG` only,
/// among it every datagram dropped and why.
#[unsafe(no_mangle)]
pub extern "C" fn cnx_set_log_callback(
    callback: cnx_log_callback_t,
    max_level: cnx_log_level_t,
    user: *mut c_void,
) {
    let most = match max_level.0 {
        ..=1 => Level::Error,
        2 => Level::Warning,
        3 => Level::Info,
        4.. => Level::Debug,
    };
    let user = User(user);
    guarded((), || {
        let callback = callback.map(|callback| {
            let forward = move |level: Level, text: &str| {
                let user = &user;
                let text = CString::new(text.replace('\0', " ")).unwrap_or_default();
                // SAFETY: the program promises that its function may be called with its pointer.
                unsafe { callback(user.0, cnx_log_level_t(level as c_int), text.as_ptr()) };
            };
            Arc::new(forward) as log::Callback
        });
        log::set_callback(callback, most);
    });
}
