//! The stores that cases are played on: memory, and where the store does the work, each of the others.

use std::sync::atomic::{AtomicU32, Ordering};

use nbhd_core::testkit::{PostgresServer, RedisFsync, RedisServer};

use super::files::Case;

/// The kinds of stores, by the words that their addresses begin with.
const STORES: [&str; 4] = ["memory", "sqlite", "redis", "postgres"];

/// Those that are played on, memory first; `NBHD_STORES` names fewer.
pub(crate) fn kinds() -> Vec<&'static str> {
    let named = std::env::var("NBHD_STORES").ok();
    STORES
        .into_iter()
        .filter(|kind| {
            named
                .as_ref()
                .is_none_or(|named| named.split(' ').any(|name| name == *kind))
        })
        .collect()
}

/// The rooms whose operations work on the store.
const ROOMS: [&str; 8] = [
    "alert", "google", "inbox", "limit", "outbox", "queue", "state", "store",
];

/// One server of each kind, and a folder for files.
pub(crate) struct Stores {
    redis: RedisServer,
    postgres: PostgresServer,
    folder: std::path::PathBuf,
    made: AtomicU32,
}

impl Stores {
    /// Starts the servers.
    pub(crate) fn start() -> Self {
        let folder = format!(
            "{}/conformance-{}",
            env!("CARGO_TARGET_TMPDIR"),
            std::process::id()
        );
        std::fs::create_dir_all(&folder).expect("a folder");
        Self {
            redis: RedisServer::start(RedisFsync::Always),
            postgres: PostgresServer::start(),
            folder: folder.into(),
            made: AtomicU32::default(),
        }
    }

    /// The address of a fresh store.
    pub(crate) fn fresh(&self, kind: &str) -> String {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        match kind {
            "sqlite" => format!("sqlite:{}/case-{number}.db", self.folder.display()),
            "redis" => format!("{}?namespace=case{number}", self.redis.address()),
            "postgres" => self.postgres.address(&format!("case{number}")),
            _ => "memory:".to_owned(),
        }
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Whether what the case asserts is the store's work.
pub(crate) fn is_stored(case: &Case) -> bool {
    let room = case.operation.split('.').next();
    ROOMS.into_iter().any(|name| room == Some(name))
}
