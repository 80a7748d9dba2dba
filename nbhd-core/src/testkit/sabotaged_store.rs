//! A store with one planted defect: a proof that does not notice it proves nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::store::{Commit, Committed, Durability, Entry, Guard, Lease, Range, Record, Store, Write};
use crate::{Code, Result};

/// How far ahead the clock of a worker is that trusts it.
const AHEAD: Duration = Duration::from_secs(3_600);

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
    /// A commit is made in two steps: its guards with the first half of its writes, then the rest.
    SplitCommit,
    /// The worker's clock, which is an hour ahead, says what time it is and whose lease has ended.
    WorkerClock,
    /// A store that came back empty is created anew, and all is well.
    AcceptEmpty,
}

impl Sabotage {
    /// The sabotage of this name, such as `split-commit`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "forget-sum-at-most" => Self::ForgetSumAtMost,
            "ignore-absent" => Self::IgnoreAbsent,
            "skip-lease" => Self::SkipLease,
            "ignore-version" => Self::IgnoreVersion,
            "forget-add" => Self::ForgetAdd,
            "forget-op-id" => Self::ForgetOpId,
            "split-commit" => Self::SplitCommit,
            "worker-clock" => Self::WorkerClock,
            "accept-empty" => Self::AcceptEmpty,
            _ => return None,
        })
    }
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

    async fn commit_in_halves(&self, mut commit: Commit) -> Result<Committed> {
        let rest = commit.writes.split_off(commit.writes.len() / 2);
        let second = Commit {
            op_id: commit.op_id.as_ref().map(|op_id| format!("{op_id}/rest")),
            durability: commit.durability,
            guards: Vec::new(),
            writes: rest,
        };
        match self.store.commit(commit).await? {
            Committed::Done { mut results, at } => {
                if let Committed::Done { results: more, .. } = self.store.commit(second).await? {
                    results.extend(more);
                }
                Ok(Committed::Done { results, at })
            }
            refused @ Committed::Refused(_) => Ok(refused),
        }
    }

    /// Takes the lease of whoever has it: by a clock that is far ahead, it has ended long ago.
    async fn take_from_others(&self, lane: &str, ttl: Duration) -> Result<Option<Lease>> {
        let nobodys = Guard::Lease {
            lane: lane.to_owned(),
            epoch: u64::MAX,
        };
        if let Committed::Refused(refusal) = self.store.commit(Commit::new().guard(nobodys)).await? {
            let release = Write::Release {
                lane: lane.to_owned(),
                epoch: refusal.found.unsigned_abs(),
            };
            self.store.commit(Commit::new().write(release)).await?;
        }
        self.store.claim(lane, ttl).await
    }
}

/// A call, and once more on a new store where an empty one counts as fresh.
macro_rules! unless_empty {
    ($self:ident, $call:expr) => {
        match $call.await {
            Err(error)
                if $self.sabotage == Sabotage::AcceptEmpty && error.code() == Code::StoreUnavailable =>
            {
                $self.store.create().await?;
                $call.await
            }
            answer => answer,
        }
    };
}

#[async_trait]
impl Store for SabotagedStore {
    async fn durability(&self) -> Result<Durability> {
        unless_empty!(self, self.store.durability())
    }

    async fn now(&self) -> Result<Timestamp> {
        let now = unless_empty!(self, self.store.now())?;
        Ok(if self.sabotage == Sabotage::WorkerClock {
            now + AHEAD
        } else {
            now
        })
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
            Sabotage::SplitCommit if commit.writes.len() > 1 => return self.commit_in_halves(commit).await,
            _ => {}
        }
        Ok(match unless_empty!(self, self.store.commit(commit.clone()))? {
            Committed::Refused(mut refusal) => {
                refusal.guard = kept.get(refusal.guard).copied().unwrap_or(refusal.guard);
                Committed::Refused(refusal)
            }
            done @ Committed::Done { .. } => done,
        })
    }

    async fn get(&self, key: &str) -> Result<Option<Record>> {
        unless_empty!(self, self.store.get(key))
    }

    async fn sum(&self, key: &str) -> Result<i64> {
        unless_empty!(self, self.store.sum(key))
    }

    async fn scan(&self, index: &str, range: Range) -> Result<Vec<Entry>> {
        unless_empty!(self, self.store.scan(index, range))
    }

    async fn count(&self, index: &str) -> Result<u64> {
        self.store.count(index).await
    }

    async fn claim(&self, lane: &str, ttl: Duration) -> Result<Option<Lease>> {
        match unless_empty!(self, self.store.claim(lane, ttl))? {
            None if self.sabotage == Sabotage::WorkerClock => self.take_from_others(lane, ttl).await,
            lease => Ok(lease),
        }
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Option<Lease>> {
        self.store.renew(lease, ttl).await
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
