//! Limits in the store, for all processes that share it: one commit takes of all or of none.

use async_trait::async_trait;

use super::{Limit, Limits};
use crate::store::{Commit, Committed, Guard};
use crate::{Code, Error, Host, Result};

/// Limits in the store of a host, on the store's clock. Cheap to clone, keeps nothing itself.
#[derive(Debug, Clone)]
pub struct StoreLimits(Host);

impl StoreLimits {
    /// The limits in the store of `host`.
    pub fn new(host: &Host) -> Self {
        Self(host.clone())
    }
}

#[async_trait]
impl Limits for StoreLimits {
    async fn take(&self, limits: &[Limit]) -> Result<()> {
        if limits.is_empty() {
            return Ok(());
        }
        let mut commit = Commit::new();
        for limit in limits {
            commit = commit.guard(Guard::Bucket {
                key: limit.key(),
                n: limit.take,
                bucket: limit.bucket()?,
            });
        }
        match self.0.store().commit(commit).await? {
            Committed::Done { .. } => Ok(()),
            Committed::Refused(refusal) => {
                let limit = limits.get(refusal.guard).ok_or_else(|| {
                    Error::new(Code::Internal, "the store refused a limit that was not asked for")
                })?;
                Err(limit.refusal(refusal.found, refusal.wait.unwrap_or_default()))
            }
        }
    }
}
