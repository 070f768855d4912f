//! A thread that hands full batches to the operating system, which is most of what a busy server does
//! (docs/PERFORMANCE.md): what leaves is made and sealed on the program's thread, in order, and the system
//! calls are made here, one batch after the other, so that no datagram overtakes another.

use super::{Outbound, Socket, imp};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Batches that may wait: two thousand datagrams, three megabytes.
const LONGEST_QUEUE: usize = 64;
/// Empty batches kept for the program's thread.
const MOST_SPARE: usize = 8;
/// How long to wait for a system that takes no more now, and for a thread that is behind.
const PAUSE: Duration = Duration::from_millis(1);

/// The program's end of the thread. Dropping it sends what waits, unless the system takes no more, and ends
/// the thread.
pub struct SendThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    #[allow(clippy::vec_box, reason = "they are kilobytes, and go from hand to hand")]
    queue: VecDeque<Box<Outbound>>,
    #[allow(clippy::vec_box, reason = "the same")]
    spare: Vec<Box<Outbound>>,
    /// True while the system takes no more.
    is_stuck: bool,
    is_closing: bool,
}

impl Shared {
    /// Nobody leaves the state half changed, so that of a thread which panicked is as good.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SendThread {
    /// Starts a thread that sends by a copy of `socket`.
    pub fn start(socket: &Socket) -> io::Result<SendThread> {
        let socket = socket.try_clone()?;
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let builder = thread::Builder::new().name("cute_net send".to_owned()).stack_size(1 << 18);
        let thread = imp::without_signals(|| builder.spawn(move || run(socket, &of_thread)))?;
        Ok(SendThread { shared, thread: Some(thread) })
    }

    /// Hands a batch over. Waits for a thread that is behind; gives the batch back if the system takes no more.
    pub fn send(&self, batch: Box<Outbound>) -> Result<(), Box<Outbound>> {
        let mut state = self.shared.lock();
        while state.queue.len() >= LONGEST_QUEUE {
            let is_over = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
            if state.is_stuck || is_over {
                return Err(batch);
            }
            let waited = self.shared.changed.wait_timeout(state, PAUSE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.queue.push_back(batch);
        drop(state);
        self.shared.changed.notify_all();
        Ok(())
    }

    /// An empty batch that the thread is done with.
    pub fn take_spare(&self) -> Option<Box<Outbound>> {
        self.shared.lock().spare.pop()
    }

    /// Forgets the thread, in a copy of the process that made it: threads are not copied.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for SendThread {
    fn drop(&mut self) {
        self.shared.lock().is_closing = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut socket: Socket, shared: &Shared) {
    let mut state = shared.lock();
    loop {
        let Some(mut batch) = state.queue.pop_front() else {
            if state.is_closing {
                return;
            }
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        drop(state);
        shared.changed.notify_all();
        socket.send(&mut batch);
        while !batch.is_empty() {
            let mut state = shared.lock();
            state.is_stuck = true;
            if state.is_closing {
                return;
            }
            drop(state);
            thread::sleep(PAUSE);
            socket.send(&mut batch);
        }
        state = shared.lock();
        state.is_stuck = false;
        if state.spare.len() < MOST_SPARE {
            state.spare.push(batch);
        }
    }
}
