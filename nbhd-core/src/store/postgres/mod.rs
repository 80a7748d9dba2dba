//! The store in PostgreSQL: for many workers and many machines, on a server that people already run.
//!
//! One call is one statement is one transaction: the functions of the schema wait for the locks of all keys in sorted
//! order, read the server's clock, check, and write. So a commit costs one round trip, and a client that hangs or dies
//! holds no lock. The server's `clock_timestamp()` is the store's clock, held at the latest time seen.
//!
//! Durability: every commit is synchronous ([`Durability::Power`](super::Durability::Power)), whatever the server's
//! default says; with `fsync` or `full_page_writes` off a power cut may take it
//! ([`Durability::Process`](super::Durability::Process)). Only one that asks for
//! [`Durability::Lossy`](super::Durability::Lossy) is asynchronous. Whoever fails over to an asynchronous standby
//! loses what that had not yet: name it in `synchronous_standby_names`.
//! <https://www.postgresql.org/docs/15/runtime-config-wal.html>
//!
//! The connections live on a thread of their own, so that calls may come from any runtime; a forked child starts its
//! own and never touches its parent's.

mod client;
mod commit;
mod create;
mod failure;
mod handle;
mod pool;
mod read;
mod settings;
mod tls;
mod worker;

pub use handle::PostgresStore;
