//! Which process this is: pools and handles made by another process, before a fork, are never used here.

use std::sync::{Mutex, PoisonError, Weak};

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

/// Closes everything registered. The bindings call it from their before-fork hook.
pub fn before_fork() {
    let handles = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for handle in handles.iter().filter_map(Weak::upgrade) {
        handle.close_before_fork();
    }
}
