//! Real database servers for tests and proofs: each on a free port of loopback, in a folder of its own, stopped when dropped.
//! They are started, killed and stopped in earnest, so everything here blocks its thread.

#[cfg(all(target_os = "linux", feature = "postgres"))]
#[expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a server that does not start ends the test that asked for it"
)]
mod postgres;
#[cfg(all(unix, feature = "redis"))]
#[expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a server that does not start ends the test that asked for it"
)]
mod redis;

#[cfg(all(target_os = "linux", feature = "postgres"))]
pub use postgres::PostgresServer;
#[cfg(all(unix, feature = "redis"))]
pub use redis::{RedisFsync, RedisServer};
