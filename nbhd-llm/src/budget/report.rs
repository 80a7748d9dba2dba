//! What the ledger tells: what is left, what was spent, what broke its bound.

use nbhd_core::clock::rfc3339;
use nbhd_core::error::BudgetRefusal;
use nbhd_core::store::{Commit, Range, Write};
use nbhd_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ledger::distinct;
use super::record::{BLOCKED, HoldRecord, OPEN, block_key, hold_key, spend_index, spend_key};
use super::{Ledger, Scope, WindowKind};
use crate::price::NanoUsd;

/// The most entries that a report reads of one index.
const REPORTED: usize = 100_000;

/// One window of one scope. `settled + provisional + held ≤ cap`, unless the cap was lowered or a bill broke its bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Remaining {
    /// The scope, such as `tenant:42`.
    pub scope: String,
    /// The window.
    pub window: WindowKind,
    /// The cap, in nano-USD.
    pub cap: NanoUsd,
    /// What is certain, in nano-USD.
    pub settled: NanoUsd,
    /// What counts at its bound until it is known, in nano-USD.
    pub provisional: NanoUsd,
    /// What attempts in flight hold, in nano-USD.
    pub held: NanoUsd,
    /// What is left, in nano-USD; never below 0.
    pub remaining: NanoUsd,
    /// When the window resets, ISO 8601; absent when it never does.
    pub resets_at: Option<String>,
}

/// What one scope spent on one day (UTC) with one model for one purpose, provisional amounts included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Spend {
    /// The scope, such as `tenant:42`.
    pub scope: String,
    /// The day on which the attempts began, UTC, such as `2026-11-21`.
    pub day: String,
    /// The provider that was asked.
    pub provider: String,
    /// The model that was asked.
    pub model: String,
    /// The purpose of the calls.
    pub purpose: String,
    /// The amount, in nano-USD.
    pub nano_usd: NanoUsd,
}

/// A bill that came out above its hold: its model is blocked for capped scopes until its row is raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Overrun {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The version of the price row that was too low.
    pub price: String,
    /// What was held, in nano-USD.
    pub held: NanoUsd,
    /// What was billed, in nano-USD.
    pub billed: NanoUsd,
    /// When it was booked, ISO 8601.
    pub at: String,
}

/// The tightest room among the windows of a call.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Room {
    /// What is left there.
    pub remaining: NanoUsd,
    /// The window, as a refusal names it; what is needed is not filled in.
    pub refusal: BudgetRefusal,
}

impl Ledger {
    /// What is left in every window with a cap of these scopes, the tightest first. Attempts in flight may change it at
    /// any time: only a hold decides.
    pub async fn remaining(&self, scopes: &[Scope]) -> Result<Vec<Remaining>> {
        let scopes = distinct(scopes);
        let now = self.store().now().await?;
        let windows = self.windows(&scopes, now)?;
        let open = self.open_holds().await?;
        let mut report = Vec::with_capacity(windows.len());
        for capped in windows {
            let counted = self.store().sum(&capped.window.counted_key()).await?;
            let provisional = self.store().sum(&capped.window.provisional_key()).await?;
            let held: i64 = open
                .iter()
                .filter(|record| record.windows.contains(&capped.window))
                .map(|record| record.counted.0)
                .sum();
            report.push(Remaining {
                scope: capped.window.scope.clone(),
                window: capped.window.kind,
                cap: capped.cap,
                settled: NanoUsd(counted - provisional - held),
                provisional: NanoUsd(provisional),
                held: NanoUsd(held),
                remaining: NanoUsd((capped.cap.0 - counted).max(0)),
                resets_at: capped.ends.map(rfc3339),
            });
        }
        report.sort_by_key(|window| window.remaining);
        Ok(report)
    }

    /// What these scopes spent, by day, model and purpose; oldest first.
    pub async fn spend(&self, scopes: &[Scope]) -> Result<Vec<Spend>> {
        let mut report = Vec::new();
        for scope in distinct(scopes) {
            for entry in self
                .store()
                .scan(&spend_index(scope.as_str()), Range::first(REPORTED))
                .await?
            {
                let mut parts = entry.member.split('\u{1f}').map(str::to_owned);
                let (Some(day), Some(provider), Some(model), Some(purpose)) =
                    (parts.next(), parts.next(), parts.next(), parts.next())
                else {
                    continue;
                };
                let nano_usd = self
                    .store()
                    .sum(&spend_key(scope.as_str(), &entry.member))
                    .await?;
                report.push(Spend {
                    scope: scope.to_string(),
                    day,
                    provider,
                    model,
                    purpose,
                    nano_usd: NanoUsd(nano_usd),
                });
            }
        }
        Ok(report)
    }

    /// The models that a bill above its hold has blocked.
    pub async fn overruns(&self) -> Result<Vec<Overrun>> {
        let mut report = Vec::new();
        for entry in self.store().scan(BLOCKED, Range::first(REPORTED)).await? {
            if let Some(record) = self.store().get(&block_key(&entry.member)).await? {
                let overrun = serde_json::from_str(&record.value)
                    .map_err(|_| Error::new(Code::Internal, "an overrun in the store cannot be read"))?;
                report.push(overrun);
            }
        }
        Ok(report)
    }

    /// Lifts every block of a model by hand. A raised price row lifts it by itself.
    pub async fn unblock(&self, provider: &str, model: &str) -> Result<()> {
        let prefix = format!("{provider}/{model}/");
        for entry in self.store().scan(BLOCKED, Range::first(REPORTED)).await? {
            if !entry.member.starts_with(&prefix) {
                continue;
            }
            let mut commit = Commit::new()
                .write(Write::Delete {
                    key: block_key(&entry.member),
                })
                .write(Write::Unindex {
                    index: BLOCKED.to_owned(),
                    member: entry.member,
                });
            commit.durability = self.durability().await?;
            self.store().commit(commit).await?;
        }
        Ok(())
    }

    /// The window with the least room for the next attempt of a call; `None` when nothing bounds it.
    pub async fn room(&self, scopes: &[Scope], counted_in_call: NanoUsd) -> Result<Option<Room>> {
        let scopes = distinct(scopes);
        let now = self.store().now().await?;
        let mut tightest: Option<Room> = None;
        let mut consider = |room: Room| {
            if tightest
                .as_ref()
                .is_none_or(|tightest| room.remaining < tightest.remaining)
            {
                tightest = Some(room);
            }
        };
        for (scope, cap) in self.call_caps(&scopes) {
            let remaining = NanoUsd((cap.0 - counted_in_call.0).max(0));
            let refusal = BudgetRefusal::new(scope.as_str(), "call", remaining.0, 0);
            consider(Room { remaining, refusal });
        }
        for capped in self.windows(&scopes, now)? {
            let counted = self.store().sum(&capped.window.counted_key()).await?;
            let remaining = NanoUsd(capped.cap.0.saturating_sub(counted).max(0));
            let mut refusal = BudgetRefusal::new(
                capped.window.scope.as_str(),
                capped.window.kind.name(),
                remaining.0,
                0,
            );
            refusal.resets_at = capped.ends.map(rfc3339);
            consider(Room { remaining, refusal });
        }
        Ok(tightest)
    }

    async fn open_holds(&self) -> Result<Vec<HoldRecord>> {
        let mut open = Vec::new();
        for entry in self.store().scan(OPEN, Range::first(REPORTED)).await? {
            if let Some(record) = self.store().get(&hold_key(&entry.member)).await? {
                open.push(HoldRecord::read(&record.value)?);
            }
        }
        Ok(open)
    }
}
