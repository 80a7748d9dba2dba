//! The stores that are measured: a SQLite file in two classes, and servers of our own.

use nbhd_core::Host;
use nbhd_core::store::Durability;
use nbhd_core::testkit::{PostgresServer, RedisFsync, RedisServer};

use crate::Failure;
use crate::arms::Folder;

/// A store, its class and what its figures are called.
pub(crate) struct Place {
    pub(super) address: String,
    pub(super) class: Durability,
    pub(super) names: Names,
    pub(super) kind: Kind,
}

/// What stands behind it, for as long as it is measured.
pub(super) enum Kind {
    Sqlite(Folder),
    Redis(RedisServer),
    Postgres(PostgresServer),
}

/// What its figures are called.
pub(super) struct Names {
    pub(super) one: &'static str,
    pub(super) eight: &'static str,
    pub(super) naive_one: &'static str,
    pub(super) naive_eight: &'static str,
    pub(super) event: &'static str,
}

macro_rules! names {
    ($place:literal) => {
        Names {
            one: concat!("commit.", $place, ".one"),
            eight: concat!("commit.", $place, ".eight"),
            naive_one: concat!("commit.", $place, ".naive.one"),
            naive_eight: concat!("commit.", $place, ".naive.eight"),
            event: concat!("event.", $place),
        }
    };
}

impl Place {
    /// Creates the store where that is a step of its own.
    pub(super) async fn prepare(&self) -> Result<(), Failure> {
        Ok(Host::new(&self.address)?.create_store().await?)
    }
}

/// All of them.
pub(super) fn all() -> Result<Vec<Place>, Failure> {
    let (process, power) = (Folder::new("state-process")?, Folder::new("state-power")?);
    let redis = RedisServer::start(RedisFsync::Always);
    let postgres = PostgresServer::start();
    Ok(vec![
        Place {
            address: process.store(),
            class: Durability::Process,
            names: names!("sqlite.process"),
            kind: Kind::Sqlite(process),
        },
        Place {
            address: power.store(),
            class: Durability::Power,
            names: names!("sqlite.power"),
            kind: Kind::Sqlite(power),
        },
        Place {
            address: redis.address(),
            class: Durability::Power,
            names: names!("redis.power"),
            kind: Kind::Redis(redis),
        },
        Place {
            address: postgres.address("nbhd"),
            class: Durability::Power,
            names: names!("postgres.power"),
            kind: Kind::Postgres(postgres),
        },
    ])
}
