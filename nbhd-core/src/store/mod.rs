//! The one place where state lives.
//!
//! A store has one write, [`Store::commit`]: all of it or nothing, and it names the guard that failed. Beside it there
//! are two reads and the leases. Everything durable in the suite (inbox, outbox, ledger, tokens, cooldowns, gates) is
//! built of these.

mod address;
mod apply;
mod contract;
mod key;
mod memory;
#[cfg(all(feature = "testkit", any(feature = "redis", feature = "sqlite")))]
mod older;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
pub mod retention;
#[cfg(feature = "sqlite")]
mod sqlite;
mod step;
mod tenure;
mod words;

pub use address::{open, open_with};
pub(crate) use apply::{Level, take};
pub use contract::Store;
pub use key::{ROOMS, key};
pub use memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "redis")]
pub use redis::{RedisSettings, RedisStore};
#[cfg(feature = "sqlite")]
pub use sqlite::{BUSY, SqliteStore};
pub use step::BELIEVED_STEP;
pub(crate) use tenure::{RENEWALS, Tenure};
pub use words::{Bucket, Commit, Committed, Durability, Entry, Guard, Lease, Range, Record, Refusal, Write};
