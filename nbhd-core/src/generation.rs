//! Which process this is: pools and handles made by another process, before a fork, are never used here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The number of this process. A handle keeps the number it was made under and is rebuilt when it changes.
pub fn current() -> u32 {
    std::process::id()
}

/// What must be closed before the process forks, because it cannot be carried across.
pub trait BeforeFork: Send + Sync {
    /// Finishes what runs and closes; it opens again by itself at the next use.
    fn close_before_fork(&self);
}

static REGISTERED: Mutex<Vec<Weak<dyn BeforeFork>>> = Mutex::new(Vec::new());

/// Asks to be closed before a fork that the language binding sees.
pub fn register(handle: Weak<dyn BeforeFork>) {
    let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    registered.retain(|known| known.strong_count() > 0);
    registered.push(handle);
}

/// The process in the high half, how many forks of it are between their hooks in the low half. A child finds its
/// parent's number there and does not wait.
static FORKING: AtomicU64 = AtomicU64::new(0);

/// How many threads are opening something at this moment.
static OPENING: AtomicU64 = AtomicU64::new(0);

/// How long a fork waits for threads that are opening: they start a thread, no more.
const OPENED_WITHIN: Duration = Duration::from_secs(1);

/// Held while something is opened that must not be open at a fork.
#[derive(Debug)]
pub struct Opening(());

impl Drop for Opening {
    fn drop(&mut self) {
        OPENING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Leave to open; none between the two hooks of a fork: ask again.
pub fn may_open() -> Option<Opening> {
    if is_forking() {
        return None;
    }
    OPENING.fetch_add(1, Ordering::SeqCst);
    let opening = Opening(());
    // A fork that has begun meanwhile waits for whoever it did not stop; whoever saw it, gives way.
    (!is_forking()).then_some(opening)
}

fn is_forking() -> bool {
    let word = FORKING.load(Ordering::SeqCst);
    word >> 32 == u64::from(current()) && word & u64::from(u32::MAX) > 0
}

/// Closes everything registered, and keeps it closed until [`after_fork`]: a thread that calls meanwhile waits. The
/// bindings call it from their before-fork hook.
pub fn before_fork() {
    let process = u64::from(current()) << 32;
    let _ = FORKING.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |word| {
        let forks = if word >> 32 << 32 == process {
            word & u64::from(u32::MAX)
        } else {
            0
        };
        Some(process | (forks + 1))
    });
    let began = Instant::now();
    while OPENING.load(Ordering::SeqCst) > 0 && began.elapsed() < OPENED_WITHIN {
        std::thread::yield_now();
    }
    close_all();
}

/// The fork is over, on the parent's side: what was closed may be opened again.
pub fn after_fork() {
    let process = u64::from(current());
    let _ = FORKING.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |word| {
        (word >> 32 == process && word & u64::from(u32::MAX) > 0).then(|| word - 1)
    });
}

/// Closes everything registered; it opens again at its next use. For the end of a process.
pub fn close_all() {
    let handles = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for handle in handles.iter().filter_map(Weak::upgrade) {
        handle.close_before_fork();
    }
}
