//! Where the record of an account is kept: in the host's store, or by the program itself.
//!
//! In both the record is the same sealed text, and is replaced only where it is still the one that was read. The store also checks the
//! lease in the same step. A program's storage cannot: there the comparison alone refuses whoever paused past its lease.

use std::sync::Arc;

use nbhd_core::store::{Commit, Committed, Guard, Lease, Write};
use nbhd_core::tokens::TokenStore;
use nbhd_core::{Code, Error, Operation, Outcome, Result};

use super::keeper::Inner;
use super::lease::{LIMIT, LOOK_AGAIN, TRIES};
use super::record::Record;

/// What accounts are called in a program's storage.
const PROVIDER: &str = "google";

tokio::task_local! {
    /// The program's storage, bound to whoever set off the work of this task.
    static BOUND: Arc<dyn TokenStore>;
}

/// A record as it was read.
pub(super) struct Stored {
    pub(super) text: String,
    pub(super) version: u64,
}

/// Runs `work` with the program's storage as it was bound when the work was set off.
pub(super) async fn carry<T>(bound: Option<Arc<dyn TokenStore>>, work: impl Future<Output = T>) -> T {
    match bound {
        Some(tokens) => BOUND.scope(tokens, work).await,
        None => work.await,
    }
}

impl Inner {
    /// The account's record as text, and its version.
    pub(super) async fn stored(&self) -> Result<Option<Stored>> {
        let Some(tokens) = self.tokens() else {
            let stored = self.host.store().get(&Record::key(&self.account)).await?;
            return Ok(stored.map(|stored| Stored {
                text: stored.value,
                version: stored.version,
            }));
        };
        let text = answered(tokens.load(PROVIDER, &self.account)).await?;
        Ok(text.map(|text| Stored {
            version: Record::parse(&text).map_or(0, |record| record.revision),
            text,
        }))
    }

    /// Puts `record` in the place of what was read `before`, under the lease where there is one; its version, or `None` when somebody
    /// else was first. A write whose answer was lost is repeated.
    pub(super) async fn put(
        &self,
        operation: &Operation,
        record: &mut Record,
        before: Option<&Stored>,
        lease: Option<&Lease>,
    ) -> Result<Option<u64>> {
        match self.tokens() {
            Some(tokens) => self.save(operation, &*tokens, record, before, lease).await,
            None => self.commit(operation, record, before, lease).await,
        }
    }

    async fn commit(
        &self,
        operation: &Operation,
        record: &Record,
        before: Option<&Stored>,
        lease: Option<&Lease>,
    ) -> Result<Option<u64>> {
        let key = Record::key(&self.account);
        let guard = match before {
            Some(before) => Guard::Version {
                key: key.clone(),
                version: before.version,
            },
            None => Guard::Absent { key: key.clone() },
        };
        let mut commit = Commit::new().with_op_id(self.host.random().id());
        if let Some(lease) = lease {
            commit = commit.guard(Guard::Lease {
                lane: lease.lane.clone(),
                epoch: lease.epoch,
            });
        }
        commit = commit.guard(guard).write(Write::Put {
            key,
            value: record.to_text()?,
            ttl: None,
        });
        if let Some(lease) = lease {
            commit = commit.write(release(lease));
        }
        let mut tries = 1;
        loop {
            match self.host.store().commit(commit.clone()).await {
                Ok(Committed::Done { results, .. }) => {
                    return Ok(results.first().map(|version| version.unsigned_abs()));
                }
                Ok(Committed::Refused(_)) => return Ok(None),
                Err(error) => again(operation, &mut tries, error).await?,
            }
        }
    }

    async fn save(
        &self,
        operation: &Operation,
        tokens: &dyn TokenStore,
        record: &mut Record,
        before: Option<&Stored>,
        lease: Option<&Lease>,
    ) -> Result<Option<u64>> {
        // Later than what was read, and than what stood there before the program deleted it.
        let now = self.host.clock().now().timestamp_millis().unsigned_abs();
        // What was read may claim to be the last there can be: then all are, and the comparison alone tells them apart.
        record.revision = now.max(before.map_or(0, |before| before.version.saturating_add(1)));
        let text = record.to_text()?;
        let previous = before.map(|before| before.text.as_str());
        let mut tries = 1;
        let saved = loop {
            match answered(tokens.save(PROVIDER, &self.account, &text, previous)).await {
                Ok(false) if tries > 1 => {
                    // The first one may have arrived after all.
                    let found = answered(tokens.load(PROVIDER, &self.account)).await?;
                    break found.as_deref() == Some(&text);
                }
                Ok(saved) => break saved,
                Err(error) => again(operation, &mut tries, error).await?,
            }
        };
        if saved && let Some(lease) = lease {
            self.release(lease).await;
        }
        Ok(saved.then_some(record.revision))
    }

    /// Gives the lease back; where that fails it ends by itself.
    pub(super) async fn release(&self, lease: &Lease) {
        let _ = self
            .host
            .store()
            .commit(Commit::new().write(release(lease)))
            .await;
    }

    fn tokens(&self) -> Option<Arc<dyn TokenStore>> {
        let own = self.host.tokens()?;
        Some(BOUND.try_with(Arc::clone).unwrap_or_else(|_| own.clone()))
    }
}

/// What the program's storage answers. Whoever waits for it waits no longer than for a refresh, by the machine's clock: one that hangs
/// would end the account for good, since all callers wait for the one who asks.
async fn answered<T>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(LIMIT, asked).await.unwrap_or_else(|_| {
        Err(Error::new(
            Code::StoreUnavailable,
            "the program's storage of tokens did not answer",
        )
        .with_outcome(Outcome::Unknown))
    })
}

/// Waits before a write is repeated; the error itself when it is not.
async fn again(operation: &Operation, tries: &mut u32, error: Error) -> Result<()> {
    if *tries >= TRIES || !error.retryable() {
        return Err(error);
    }
    operation.wait("store", LOOK_AGAIN * *tries).await?;
    *tries += 1;
    Ok(())
}

fn release(lease: &Lease) -> Write {
    Write::Release {
        lane: lease.lane.clone(),
        epoch: lease.epoch,
    }
}
