//! Where entries go: memory or a function of the program; the file is beside.

use std::collections::VecDeque;
use std::fmt::{self, Debug};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use crate::{Code, Error, Result};

/// Takes entries, in order, and never changes one. It is called on the thread that ended the action.
pub trait Journal<T>: Send + Sync + Debug {
    /// Writes an entry down. `store_unavailable` when it could not be.
    fn write(&self, entry: &T) -> Result<()>;
}

/// Each entry goes to all of them. The first that fails is told, after the others were asked.
impl<T> Journal<T> for Vec<std::sync::Arc<dyn Journal<T>>> {
    fn write(&self, entry: &T) -> Result<()> {
        self.iter()
            .map(|journal| journal.write(entry))
            .fold(Ok(()), Result::and)
    }
}

/// How many entries [`MemoryJournal`] keeps.
pub const MEMORY_ENTRIES: usize = 1_000;

/// Keeps the last entries in memory: 1,000, so that a program that never looks at them does not grow.
#[derive(Debug)]
pub struct MemoryJournal<T>(Mutex<VecDeque<T>>);

impl<T> Default for MemoryJournal<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> MemoryJournal<T> {
    /// The entries kept, oldest first.
    pub fn all(&self) -> Vec<T> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect()
    }
}

impl<T: Clone + Debug + Send> Journal<T> for MemoryJournal<T> {
    fn write(&self, entry: &T) -> Result<()> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == MEMORY_ENTRIES {
            kept.pop_front();
        }
        kept.push_back(entry.clone());
        Ok(())
    }
}

/// Gives each entry to a function. One that fails or panics loses the entry, and nothing else.
pub struct CallbackJournal<F>(F);

impl<F> CallbackJournal<F> {
    /// A journal that calls `function`, on the thread that ended the action.
    pub fn new(function: F) -> Self {
        Self(function)
    }
}

impl<T, F: Fn(&T) -> Result<()> + Send + Sync> Journal<T> for CallbackJournal<F> {
    fn write(&self, entry: &T) -> Result<()> {
        // An action also ends by being dropped, within a panic too: a second one would end the process.
        catch_unwind(AssertUnwindSafe(|| (self.0)(entry))).unwrap_or_else(|_| {
            Err(Error::new(
                Code::StoreUnavailable,
                "the function that takes journal entries panicked",
            ))
        })
    }
}

impl<F> Debug for CallbackJournal<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallbackJournal")
    }
}
