//! What the operator is told, through a callback of the program's; nobody until one is set. Whatever an
//! attacker can cause is said at debug level only: a flood must not fill a disk.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Something does not work.
    Error = 1,
    /// Something will not work as asked.
    Warning = 2,
    /// Something happened that happens rarely.
    Info = 3,
    /// Everything else, among it every datagram dropped.
    Debug = 4,
}

/// Receives messages; may be called from any thread that uses a client or a server.
pub type Callback = Arc<dyn Fn(Level, &str) + Send + Sync>;

static CALLBACK: RwLock<Option<Callback>> = RwLock::new(None);
/// Messages that matter less than this level are not even put together; 0 while nobody listens.
static MOST: AtomicU8 = AtomicU8::new(0);

/// Passes messages of level `most` and of those that matter more to `callback` from now on; to nobody with
/// `None`.
pub fn set_callback(callback: Option<Callback>, most: Level) {
    MOST.store(if callback.is_some() { most as u8 } else { 0 }, Ordering::Relaxed);
    *CALLBACK.write().unwrap_or_else(PoisonError::into_inner) = callback;
}

thread_local! {
    /// True while this thread is in a callback.
    static SAYING: Cell<bool> = const { Cell::new(false) };
}

/// Says something, if somebody listens at this level. What happens inside a callback is not said: it might
/// happen again at every word of it.
pub fn log(level: Level, message: fmt::Arguments<'_>) {
    if level as u8 > MOST.load(Ordering::Relaxed) || SAYING.get() {
        return;
    }
    // The lock is not held during the call: the callback may set another.
    let callback = CALLBACK.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(callback) = callback {
        SAYING.set(true);
        let _said = Said;
        callback(level, &message.to_string());
    }
}

/// Ends [`SAYING`], also if the callback panics.
struct Said;

impl Drop for Said {
    fn drop(&mut self) {
        SAYING.set(false);
    }
}
