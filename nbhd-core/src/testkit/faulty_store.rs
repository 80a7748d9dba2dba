//! A store with faults: a hook before and after every call, which may answer an error or end the process.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::KillPlan;
use crate::clock::Timestamp;
use crate::store::{Commit, Committed, Durability, Entry, Lease, Range, Record, Store};
use crate::{Error, Result};

/// Wraps a store. The hook is told `store.<call>.before` and `store.<call>.after` for the calls `commit`, `get`,
/// `sum`, `scan`, `claim` and `renew`. An error that it answers *before* stands for a call that was never made; one
/// that it answers *after*, for a call that was made and whose answer was lost.
#[derive(Clone)]
pub struct FaultyStore {
    store: Arc<dyn Store>,
    hook: Hook,
}

type Hook = Arc<dyn Fn(&str) -> Option<Error> + Send + Sync>;

impl FaultyStore {
    /// A store whose every call asks `hook`.
    pub fn new(store: Arc<dyn Store>, hook: impl Fn(&str) -> Option<Error> + Send + Sync + 'static) -> Self {
        Self {
            store,
            hook: Arc::new(hook),
        }
    }

    /// A store whose every write (commit, claim, renewal) passes two points of `plan`. Reads change nothing, so dying
    /// beside one is dying beside the write before it.
    pub fn killing(store: Arc<dyn Store>, plan: Arc<KillPlan>) -> Self {
        Self::new(store, move |point| {
            if !point.starts_with("store.get") && !point.starts_with("store.s") {
                plan.hit(point);
            }
            None
        })
    }

    fn ask(&self, point: &str) -> Result<()> {
        (self.hook)(point).map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn durability(&self) -> Result<Durability> {
        self.store.durability().await
    }

    async fn now(&self) -> Result<Timestamp> {
        self.store.now().await
    }

    async fn commit(&self, commit: Commit) -> Result<Committed> {
        self.ask("store.commit.before")?;
        let answer = self.store.commit(commit).await;
        self.ask("store.commit.after")?;
        answer
    }

    async fn get(&self, key: &str) -> Result<Option<Record>> {
        self.ask("store.get.before")?;
        let answer = self.store.get(key).await;
        self.ask("store.get.after")?;
        answer
    }

    async fn sum(&self, key: &str) -> Result<i64> {
        self.ask("store.sum.before")?;
        let answer = self.store.sum(key).await;
        self.ask("store.sum.after")?;
        answer
    }

    async fn scan(&self, index: &str, range: Range) -> Result<Vec<Entry>> {
        self.ask("store.scan.before")?;
        let answer = self.store.scan(index, range).await;
        self.ask("store.scan.after")?;
        answer
    }

    async fn count(&self, index: &str) -> Result<u64> {
        self.store.count(index).await
    }

    async fn claim(&self, lane: &str, ttl: Duration) -> Result<Option<Lease>> {
        self.ask("store.claim.before")?;
        let answer = self.store.claim(lane, ttl).await;
        self.ask("store.claim.after")?;
        answer
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Option<Lease>> {
        self.ask("store.renew.before")?;
        let answer = self.store.renew(lease, ttl).await;
        self.ask("store.renew.after")?;
        answer
    }

    fn largest_sum(&self) -> i64 {
        self.store.largest_sum()
    }

    fn clock_ahead(&self) -> Option<Duration> {
        self.store.clock_ahead()
    }

    fn confirm_clock(&self) {
        self.store.confirm_clock();
    }

    async fn create(&self) -> Result<()> {
        self.store.create().await
    }

    async fn close(&self) -> Result<()> {
        self.store.close().await
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
