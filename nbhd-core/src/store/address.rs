//! A store by its address, as a person writes it.

use std::sync::Arc;

use super::{MemoryStore, Store};
use crate::{Clock, Code, Error, Result};

/// The store that `address` names: `memory:`, `sqlite:<path>`, `redis://…` or `postgres://…`. Opens nothing yet.
pub fn open(address: &str) -> Result<Arc<dyn Store>> {
    open_with(address, None)
}

/// The same on another clock than the machine's, for tests.
pub fn open_with(address: &str, clock: Option<Arc<dyn Clock>>) -> Result<Arc<dyn Store>> {
    match address.split_once(':') {
        Some(("memory", "")) => {
            let store = MemoryStore::new();
            Ok(Arc::new(match clock {
                Some(clock) => store.with_clock(clock),
                None => store,
            }))
        }
        Some(("sqlite", path)) => sqlite(path, clock),
        Some(("redis" | "rediss", _)) => redis(address, clock),
        Some(("postgres" | "postgresql", _)) => postgres(address, clock),
        // It may hold a password: it is not repeated.
        _ => Err(
            Error::new(Code::InvalidConfig, "the address of the store is not understood").with_user_action(
                "Use `sqlite:<path>`, such as `sqlite:nbhd.db`, `redis://…`, `postgres://…`, or `memory:`.",
            ),
        ),
    }
}

#[cfg(feature = "sqlite")]
fn sqlite(path: &str, clock: Option<Arc<dyn Clock>>) -> Result<Arc<dyn Store>> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path == ":memory:" {
        return Err(Error::new(Code::InvalidConfig, "a SQLite store needs a file")
            .with_user_action("Use `sqlite:<path>`, or `memory:` where nothing is to be kept."));
    }
    let store = super::SqliteStore::new(path)?;
    Ok(Arc::new(match clock {
        Some(clock) => store.with_clock(clock),
        None => store,
    }))
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(_path: &str, _clock: Option<Arc<dyn Clock>>) -> Result<Arc<dyn Store>> {
    Err(Error::new(
        Code::Unsupported,
        "this build has no SQLite store: it was built without the feature `sqlite`",
    ))
}

#[cfg(feature = "redis")]
fn redis(address: &str, clock: Option<Arc<dyn Clock>>) -> Result<Arc<dyn Store>> {
    let store = super::RedisStore::new(address)?;
    Ok(Arc::new(match clock {
        Some(clock) => store.with_clock(clock),
        None => store,
    }))
}

#[cfg(not(feature = "redis"))]
fn redis(_address: &str, _clock: Option<Arc<dyn Clock>>) -> Result<Arc<dyn Store>> {
    Err(Error::new(
        Code::Unsupported,
        "this build has no Redis store: it was built without the feature `redis`",
    ))
}

#[cfg(feature = "postgres")]
fn postgres(address: &str, clock: Option<Arc<dyn Clock>>) -> Result<Arc<dyn Store>> {
    let store = super::PostgresStore::new(address)?;
    Ok(Arc::new(match clock {
        Some(clock) => store.with_clock(clock),
        None => store,
    }))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_address: &str, _clock: Option<Arc<dyn Clock>>) -> Result<Arc<dyn Store>> {
    Err(Error::new(
        Code::Unsupported,
        "this build has no PostgreSQL store: it was built without the feature `postgres`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a wrong address of a store is told that not every build has.
    const REFUSED: Code = if cfg!(feature = "postgres") {
        Code::InvalidConfig
    } else {
        Code::Unsupported
    };

    #[test]
    fn an_address_is_a_short_form_and_nothing_of_it_is_repeated() {
        assert!(open("memory:").is_ok());
        for (address, code) in [
            ("", Code::InvalidConfig),
            ("memory", Code::InvalidConfig),
            ("memory:x", Code::InvalidConfig),
            ("sqlite:", Code::InvalidConfig),
            ("sqlite::memory:", Code::InvalidConfig),
            ("mysql://root:hunter2@db", Code::InvalidConfig),
            ("postgres://me:hunter2@db/x?sslmode=prefer", REFUSED),
        ] {
            let error = open(address).unwrap_err();
            assert_eq!(error.code(), code, "{address}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn naming_a_file_opens_nothing() {
        let path = std::env::temp_dir().join("nbhd-never-opened.db");
        let address = format!("sqlite:{}", path.display());
        assert!(open(&address).is_ok());
        assert!(!path.exists());
    }
}
