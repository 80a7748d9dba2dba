//! The stores that cases are played on: memory, and where the store does the work, each of the others.

use std::sync::atomic::{AtomicU32, Ordering};

use nbhd_core::testkit::{PostgresServer, RedisFsync, RedisServer};

use super::files::Case;

/// The kinds of stores, by the words that their addresses begin with.
const STORES: [&str; 4] = ["memory", "sqlite", "redis", "postgres"];

/// Those that are played on; `NBHD_STORES` names fewer. What is no work of the store is played on the first.
pub(crate) fn kinds() -> Vec<&'static str> {
    let Ok(named) = std::env::var("NBHD_STORES") else {
        return STORES.to_vec();
    };
    let kinds = named.split_whitespace().map(|name| {
        let known = STORES.into_iter().find(|kind| *kind == name);
        known.unwrap_or_else(|| panic!("NBHD_STORES names {name}; there are {}", STORES.join(", ")))
    });
    let kinds: Vec<&str> = kinds.collect();
    assert!(
        !kinds.is_empty(),
        "NBHD_STORES names no store; there are {}",
        STORES.join(", ")
    );
    kinds
}

/// The rooms whose operations work on the store.
const ROOMS: [&str; 8] = [
    "alert", "google", "inbox", "limit", "outbox", "queue", "state", "store",
];

/// A server for each kind that has one, and a folder for files.
pub(crate) struct Stores {
    redis: Option<RedisServer>,
    postgres: Option<PostgresServer>,
    folder: std::path::PathBuf,
    made: AtomicU32,
}

impl Stores {
    /// Starts the servers of these kinds.
    pub(crate) fn start(kinds: &[&str]) -> Self {
        let folder = format!(
            "{}/conformance-{}",
            env!("CARGO_TARGET_TMPDIR"),
            std::process::id()
        );
        std::fs::create_dir_all(&folder).expect("a folder");
        Self {
            redis: kinds
                .contains(&"redis")
                .then(|| RedisServer::start(RedisFsync::Always)),
            postgres: kinds.contains(&"postgres").then(PostgresServer::start),
            folder: folder.into(),
            made: AtomicU32::default(),
        }
    }

    /// The address of a fresh store of one of the kinds that were started.
    pub(crate) fn fresh(&self, kind: &str) -> String {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        match (kind, &self.redis, &self.postgres) {
            ("memory", ..) => "memory:".to_owned(),
            ("sqlite", ..) => format!("sqlite:{}/case-{number}.db", self.folder.display()),
            ("redis", Some(redis), _) => format!("{}?namespace=case{number}", redis.address()),
            ("postgres", _, Some(postgres)) => postgres.address(&format!("case{number}")),
            _ => panic!("no store of the kind {kind} was started"),
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
