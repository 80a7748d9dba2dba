//! A hold in the hands of its attempt.

use std::sync::Arc;

use nbhd_core::Result;

use super::record::HoldRecord;
use super::{Ledger, Settled};
use crate::price::NanoUsd;

/// Money that one attempt holds. Settle it. Dropped without that it is given back if the request provably did not leave,
/// else it becomes provisional at its bound: at once where a runtime is there to do it, and when its deadline has passed
/// otherwise. It counts all the while.
#[derive(Debug)]
pub struct Hold {
    ledger: Ledger,
    id: String,
    record: Arc<HoldRecord>,
    /// The version of the record in the store, once that is known.
    version: Option<u64>,
    /// Whether nobody else answers for it.
    ours: bool,
    sent: bool,
}

impl Hold {
    pub(super) fn new(ledger: Ledger, id: String, record: Arc<HoldRecord>) -> Self {
        Self {
            ledger,
            id,
            record,
            version: None,
            ours: true,
            sent: false,
        }
    }

    pub(super) fn committed(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    pub(super) fn refused(mut self) {
        self.ours = false;
    }

    /// The record as it stands in the store, where that is known.
    fn known(&self) -> Option<(Arc<HoldRecord>, u64)> {
        Some((self.record.clone(), self.version?))
    }

    /// Its id, by which late evidence settles it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it holds.
    pub fn amount(&self) -> NanoUsd {
        self.record.held
    }

    /// The version of the price row that its bound used.
    pub fn price(&self) -> &str {
        &self.record.price
    }

    /// Says that from now on the request may have left.
    pub fn mark_sent(&mut self) {
        self.sent = true;
    }

    /// Ends it. When the store fails, the hold goes on counting and becomes provisional later.
    pub async fn settle(mut self, settled: Settled) -> Result<()> {
        self.ledger.transition(&self.id, self.known(), settled).await?;
        // Only when it is done: a caller that goes away meanwhile leaves the rest to `Drop`.
        self.ours = false;
        Ok(())
    }

    /// Leaves it as a killed process would: held until its deadline. For tests.
    #[cfg(any(test, feature = "testkit"))]
    pub fn forget(mut self) {
        self.ours = false;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.ours {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return; // recovery finds it after its deadline
        };
        let settled = if self.sent {
            Settled::Provisional(self.amount())
        } else {
            Settled::Final(NanoUsd::ZERO)
        };
        let (ledger, id, known) = (self.ledger.clone(), std::mem::take(&mut self.id), self.known());
        runtime.spawn(async move {
            // A failure here leaves it held; recovery finds it after its deadline.
            let _ = ledger.transition(&id, known, settled).await;
        });
    }
}
