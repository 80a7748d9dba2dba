//! A store that refuses everything: proof that what is tested keeps no state.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::store::{Commit, Committed, Durability, Entry, Lease, Range, Record, Store};
use crate::{Code, Error, Host, HostBuilder, Result, Timestamp};

/// A store that answers every call with `store_unavailable`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Storeless;

impl Storeless {
    /// A host around it, for what needs no store.
    pub fn host() -> HostBuilder {
        Host::builder(Arc::new(Storeless))
    }
}

fn refuse<T>() -> Result<T> {
    Err(Error::new(Code::StoreUnavailable, "there is no store here"))
}

#[async_trait]
impl Store for Storeless {
    async fn durability(&self) -> Result<Durability> {
        refuse()
    }

    async fn now(&self) -> Result<Timestamp> {
        refuse()
    }

    async fn commit(&self, _commit: Commit) -> Result<Committed> {
        refuse()
    }

    async fn get(&self, _key: &str) -> Result<Option<Record>> {
        refuse()
    }

    async fn sum(&self, _key: &str) -> Result<i64> {
        refuse()
    }

    async fn scan(&self, _index: &str, _range: Range) -> Result<Vec<Entry>> {
        refuse()
    }

    async fn claim(&self, _lane: &str, _ttl: Duration) -> Result<Option<Lease>> {
        refuse()
    }

    async fn renew(&self, _lease: &Lease, _ttl: Duration) -> Result<Option<Lease>> {
        refuse()
    }
}
