//! A hold in the hands of its attempt.

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
    amount: NanoUsd,
    price: String,
    /// The record as it stands in the store, and its version; `None` when somebody else answers for it.
    record: Option<(HoldRecord, Option<u64>)>,
    sent: bool,
}

impl Hold {
    pub(super) fn new(ledger: Ledger, id: String, record: HoldRecord) -> Self {
        Self {
            ledger,
            id,
            amount: record.held,
            price: record.price.clone(),
            record: Some((record, None)),
            sent: false,
        }
    }

    pub(super) fn committed(mut self, version: u64) -> Self {
        if let Some((_, known)) = &mut self.record {
            *known = Some(version);
        }
        self
    }

    pub(super) fn refused(mut self) {
        self.record = None;
    }

    /// Its id, by which late evidence settles it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it holds.
    pub fn amount(&self) -> NanoUsd {
        self.amount
    }

    /// The version of the price row that its bound used.
    pub fn price(&self) -> &str {
        &self.price
    }

    /// Says that from now on the request may have left.
    pub fn mark_sent(&mut self) {
        self.sent = true;
    }

    /// Ends it. When the store fails, the hold goes on counting and becomes provisional later.
    pub async fn settle(mut self, settled: Settled) -> Result<()> {
        // Taken only when it is done: a caller that goes away meanwhile leaves the rest to `Drop`.
        let known = self
            .record
            .as_ref()
            .and_then(|(record, version)| Some((record.clone(), (*version)?)));
        self.ledger.transition(&self.id, known, settled).await?;
        self.record = None;
        Ok(())
    }

    /// Leaves it as a killed process would: held until its deadline. For tests.
    #[cfg(any(test, feature = "testkit"))]
    pub fn forget(mut self) {
        self.record = None;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Some((record, version)) = self.record.take() else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return; // recovery finds it after its deadline
        };
        let settled = if self.sent {
            Settled::Provisional(self.amount)
        } else {
            Settled::Final(NanoUsd::ZERO)
        };
        let (ledger, id) = (self.ledger.clone(), std::mem::take(&mut self.id));
        runtime.spawn(async move {
            let known = version.map(|version| (record, version));
            // A failure here leaves it held; recovery finds it after its deadline.
            let _ = ledger.transition(&id, known, settled).await;
        });
    }
}
