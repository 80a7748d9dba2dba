//! What every store can do. One suite of tests holds all of them to it.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use super::{Commit, Committed, Durability, Entry, Lease, Range, Record};
use crate::Result;
use crate::clock::Timestamp;

/// Durable state behind one trait. Implementations: memory, SQLite, Redis (PostgreSQL follows).
#[async_trait]
pub trait Store: Send + Sync + Debug {
    /// The best class that a commit can have here, read from the real settings.
    async fn durability(&self) -> Result<Durability>;

    /// The store's own clock, which decides leases and expiry; it never goes back.
    async fn now(&self) -> Result<Timestamp>;

    /// Checks every guard, then makes every write, as one step. A refusal by a guard is an answer, not an error.
    /// The same `op_id` again returns the first answer and writes nothing.
    async fn commit(&self, commit: Commit) -> Result<Committed>;

    /// The live record under `key`.
    async fn get(&self, key: &str) -> Result<Option<Record>>;

    /// The sum under `key`; 0 when nothing was ever added.
    async fn sum(&self, key: &str) -> Result<i64>;

    /// The entries of `index` in `range`, lowest score first and, within a score, in the order of their members.
    async fn scan(&self, index: &str, range: Range) -> Result<Vec<Entry>>;

    /// How many entries `index` has.
    async fn count(&self, index: &str) -> Result<u64> {
        Ok(self.scan(index, Range::first(usize::MAX)).await?.len() as u64)
    }

    /// Takes the lease on `lane` for `ttl`, or `None` while somebody else holds it. Each taking has a higher epoch.
    async fn claim(&self, lane: &str, ttl: Duration) -> Result<Option<Lease>>;

    /// Prolongs a lease that is still held; `None` when it was lost.
    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Option<Lease>>;

    /// The largest sum that this store counts exactly, and the largest cap and step of one; the smallest is its negative
    /// (one less where it is that of `i64`). Beyond it, a commit is refused with `invalid_input`.
    fn largest_sum(&self) -> i64 {
        i64::MAX
    }

    /// How far ahead the clock is, when it stepped ahead of more than an hour while this process runs: then it is not
    /// believed, and the store's time goes on as it did, so that nothing ends before its time.
    fn clock_ahead(&self) -> Option<Duration> {
        None
    }

    /// Believes a clock that stepped ahead, because somebody has looked.
    fn confirm_clock(&self) {}

    /// Creates the store where that is a step of its own (Redis, PostgreSQL); does nothing where it makes itself.
    async fn create(&self) -> Result<()> {
        Ok(())
    }

    /// Finishes what runs and closes. The next call opens it again.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
