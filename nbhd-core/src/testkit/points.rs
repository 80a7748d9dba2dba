//! A store whose writes pass named points, so that a process can be killed beside one kind of write.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::KillPlan;
use crate::Result;
use crate::clock::Timestamp;
use crate::store::{Commit, Committed, Durability, Entry, Lease, Range, Record, Store};

/// Wraps a store. Each commit passes `<name>.before` and `<name>.after` of the plan, where the name is what the caller
/// calls such a commit; claims are called `claim` and renewals `renew`. Reads pass nothing: they change nothing.
#[derive(Clone)]
pub struct PointedStore {
    store: Arc<dyn Store>,
    plan: Arc<KillPlan>,
    name: fn(&Commit) -> &'static str,
}

impl PointedStore {
    /// A store whose writes pass the points of `plan` under the names that `name` gives.
    pub fn new(store: Arc<dyn Store>, plan: Arc<KillPlan>, name: fn(&Commit) -> &'static str) -> Self {
        Self { store, plan, name }
    }

    fn before(&self, name: &str) {
        self.plan.hit(&format!("{name}.before"));
    }

    fn after(&self, name: &str) {
        self.plan.hit(&format!("{name}.after"));
    }
}

#[async_trait]
impl Store for PointedStore {
    async fn durability(&self) -> Result<Durability> {
        self.store.durability().await
    }

    async fn now(&self) -> Result<Timestamp> {
        self.store.now().await
    }

    async fn commit(&self, commit: Commit) -> Result<Committed> {
        let name = (self.name)(&commit);
        self.before(name);
        let answer = self.store.commit(commit).await;
        self.after(name);
        answer
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
        self.before("claim");
        let answer = self.store.claim(lane, ttl).await;
        self.after("claim");
        answer
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Option<Lease>> {
        self.before("renew");
        let answer = self.store.renew(lease, ttl).await;
        self.after("renew");
        answer
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

impl fmt::Debug for PointedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PointedStore")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{MemoryStore, Write};

    #[tokio::test]
    async fn writes_pass_their_points_and_reads_pass_none() {
        let plan = KillPlan::counting();
        let store = PointedStore::new(Arc::new(MemoryStore::new()), plan.clone(), |commit| {
            if commit.writes.is_empty() {
                "nothing"
            } else {
                "add"
            }
        });
        let add = Write::Add {
            key: "n".to_owned(),
            delta: 1,
        };
        store.commit(Commit::new().write(add)).await.unwrap();
        store.commit(Commit::new()).await.unwrap();
        let lease = store
            .claim("lane", Duration::from_secs(1))
            .await
            .unwrap()
            .unwrap();
        store.renew(&lease, Duration::from_secs(1)).await.unwrap();
        assert_eq!(store.sum("n").await.unwrap(), 1);
        let passed = plan.passed();
        let names: Vec<&str> = passed.iter().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "add.before",
                "add.after",
                "nothing.before",
                "nothing.after",
                "claim.before",
                "claim.after",
                "renew.before",
                "renew.after",
            ]
        );
    }
}
