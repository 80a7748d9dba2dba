//! What a ledger that refuses says.

use nbhd_core::clock::rfc3339;
use nbhd_core::error::BudgetRefusal;
use nbhd_core::{Code, Error};

use super::ledger::Capped;
use super::record::HoldRecord;
use crate::price::NanoUsd;

/// A window that has too little left.
pub(super) fn exceeded(capped: &Capped, remaining: NanoUsd, needed: NanoUsd) -> Error {
    let mut refused = BudgetRefusal::new(
        capped.window.scope.as_str(),
        capped.window.kind.name(),
        remaining.0.max(0),
        needed.0,
    );
    refused.resets_at = capped.ends.map(rfc3339);
    budget_exceeded(refused)
}

/// The refusal of a budget, in words and in numbers.
pub(super) fn budget_exceeded(refused: BudgetRefusal) -> Error {
    Error::new(
        Code::BudgetExceeded,
        format!(
            "the {} budget of {} has {} left, and this would hold {}",
            refused.window,
            refused.scope,
            NanoUsd(refused.remaining),
            NanoUsd(refused.needed)
        ),
    )
    .with_budget(refused)
}

/// A model that was billed above its bound.
pub(super) fn blocked(record: &HoldRecord) -> Error {
    Error::new(
        Code::UnpricedModel,
        format!(
            "{}/{} was billed above its bound at its current price row: it is blocked under a cap until the row is raised",
            record.provider, record.model
        ),
    )
    .with_provider(&record.provider)
    .with_user_action("Raise the price row or the ceiling of the model, or unblock it.")
}
