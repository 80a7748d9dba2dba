//! The store on a Redis server: for many workers on many machines.
//!
//! Each commit is one script, which runs alone on the server and checks everything before its first write, because Redis
//! rolls nothing back. The server's `TIME` is the clock. <https://redis.io/docs/latest/develop/programmability/eval-intro/>
//!
//! What it needs: Redis 6.2 or newer, or Valkey; one server, no cluster; `maxmemory-policy noeviction`. What it survives is
//! read from the server ([`RedisSettings`]): `power` only with `appendonly yes`, `appendfsync always` and no replica that
//! an asynchronous failover could promote; everything else is `lossy`.
//!
//! Limits: sums, caps and steps beyond 9·10¹⁵ are refused (scripts count in doubles); times end in the year 2255.
//!
//! Calls run on a thread of the store's own, so that any number of runtimes may share one connection, and each ends within
//! its deadline. Nothing whose answer was lost is sent again unless that is safe: reads, renewals, and commits with an
//! `op_id`. After a fork the child makes a thread and a connection of its own.

mod address;
mod client;
mod engine;
mod failure;
mod handle;
mod script;
mod settings;
mod socket;

pub use handle::RedisStore;
pub use settings::RedisSettings;
