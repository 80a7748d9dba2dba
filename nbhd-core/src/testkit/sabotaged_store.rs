//! A store with one planted defect: a proof that does not notice it proves nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::Result;
use crate::clock::Timestamp;
use crate::store::{Commit, Committed, Durability, Entry, Guard, Lease, Range, Record, Store, Write};

/// What a [`SabotagedStore`] gets wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sabotage {
    /// Caps are not looked at.
    ForgetSumAtMost,
    /// A record may be made twice: dedupe keys and intents do not hold.
    IgnoreAbsent,
    /// Whoever lost a lease may still write.
    SkipLease,
    /// A record may be overwritten by somebody who read an older one.
    IgnoreVersion,
    /// What is added to a sum is lost.
    ForgetAdd,
    /// The same `op_id` again is done again.
    ForgetOpId,
}

/// A store that is right but for one thing.
#[derive(Debug, Clone)]
pub struct SabotagedStore {
    store: Arc<dyn Store>,
    sabotage: Sabotage,
}

impl SabotagedStore {
    /// Plants `sabotage` into `store`.
    pub fn new(store: Arc<dyn Store>, sabotage: Sabotage) -> Self {
        Self { store, sabotage }
    }

    fn drops(&self, guard: &Guard) -> bool {
        matches!(
            (self.sabotage, guard),
            (Sabotage::ForgetSumAtMost, Guard::SumAtMost { .. })
                | (Sabotage::IgnoreAbsent, Guard::Absent { .. })
                | (Sabotage::SkipLease, Guard::Lease { .. })
                | (Sabotage::IgnoreVersion, Guard::Version { .. })
        )
    }
}

#[async_trait]
impl Store for SabotagedStore {
    async fn durability(&self) -> Result<Durability> {
        self.store.durability().await
    }

    async fn now(&self) -> Result<Timestamp> {
        self.store.now().await
    }

    async fn commit(&self, mut commit: Commit) -> Result<Committed> {
        let (kept, guards): (Vec<usize>, Vec<Guard>) = commit
            .guards
            .drain(..)
            .enumerate()
            .filter(|(_, guard)| !self.drops(guard))
            .unzip();
        commit.guards = guards;
        match self.sabotage {
            Sabotage::ForgetAdd => {
                for write in &mut commit.writes {
                    if let Write::Add { delta, .. } = write {
                        *delta = 0;
                    }
                }
            }
            Sabotage::ForgetOpId => commit.op_id = None,
            _ => {}
        }
        Ok(match self.store.commit(commit).await? {
            Committed::Refused(mut refusal) => {
                refusal.guard = kept.get(refusal.guard).copied().unwrap_or(refusal.guard);
                Committed::Refused(refusal)
            }
            done @ Committed::Done { .. } => done,
        })
    }

    async fn get(&self, key: &str) -> Result<Option<Record>> {
        self.store.get(key).await
    }

    async fn sum(&self, key: &str) -> Result<i64> {
        self.store.sum(key).await
    }

    async fn scan(&self, index: &str, range: Range) -> Result<Vec<Entry>> {
        self.store.scan(index, range).await
    }

    async fn count(&self, index: &str) -> Result<u64> {
        self.store.count(index).await
    }

    async fn claim(&self, lane: &str, ttl: Duration) -> Result<Option<Lease>> {
        self.store.claim(lane, ttl).await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Option<Lease>> {
        self.store.renew(lease, ttl).await
    }

    fn largest_sum(&self) -> i64 {
        self.store.largest_sum()
    }

    async fn create(&self) -> Result<()> {
        self.store.create().await
    }

    async fn close(&self) -> Result<()> {
        self.store.close().await
    }
}
