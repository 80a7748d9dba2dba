//! Whether this process may use SQLite at all: not when it was forked while its parent had a database open, because
//! SQLite's own locks and tables of open files came along in whatever state they were.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Code, Error, Result, generation};

/// The process in the high half, how many databases it has open in the low half. One word, no lock: it is read in
/// processes whose locks may be held by threads that do not exist there.
static OPEN: AtomicU64 = AtomicU64::new(0);

/// Stands for one open database of this process.
#[derive(Debug)]
pub(super) struct Open(());

impl Open {
    /// Counts one more; refuses in a process that was forked from one with open databases.
    pub(super) fn count() -> Result<Self> {
        let process = u64::from(generation::current());
        OPEN.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            let (owner, open) = (word >> 32, word & u64::from(u32::MAX));
            (open == 0 || owner == process).then_some(process << 32 | (open + 1))
        })
        .map(|_| Self(()))
        .map_err(|_| crossed())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let process = u64::from(generation::current());
        let _ = OPEN.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            (word >> 32 == process && word & u64::from(u32::MAX) > 0).then(|| word - 1)
        });
    }
}

/// Whether a database could be opened here.
pub(super) fn check() -> Result<()> {
    let word = OPEN.load(Ordering::Acquire);
    if word & u64::from(u32::MAX) == 0 || word >> 32 == u64::from(generation::current()) {
        Ok(())
    } else {
        Err(crossed())
    }
}

/// Why a call in such a process is refused.
pub(super) fn crossed() -> Error {
    Error::new(
        Code::InvalidState,
        "this process was forked while the SQLite store was open and no hook closed it before: SQLite cannot be used here",
    )
    .with_user_action("Close the store before the fork, or start the process with spawn or exec instead of fork.")
}
