//! The ledger on a store: hold, settle, and what happens to holds that nobody settled.
//!
//! Each step is one commit. A hold is `held`, then either `final`, or `provisional` and later `final`; what is final has
//! no record any more, so nothing can change it. A hold whose owner died counts in full until its deadline and becomes
//! provisional then: it still counts, until evidence of the real bill arrives.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono_tz::Tz;
use nbhd_core::clock::rfc3339;
use nbhd_core::error::BudgetRefusal;
use nbhd_core::store::{Commit, Committed, Durability, Guard, Range, Store, Write};
use nbhd_core::{Code, Error, Host, Result, Timestamp};

use super::record::{
    BLOCKED, HeldWindow, HoldRecord, OPEN, PROVISIONAL, block_key, hold_key, spend_index, spend_key,
};
use super::refusal::{blocked, budget_exceeded, exceeded};
use super::{Bound, Budget, Hold, Overrun, Scope};
use crate::price::NanoUsd;

/// How often one process looks for holds past their deadline, at most. They count all the time; this only names them.
const RECOVERY_INTERVAL_MS: i64 = 1_000;

/// How many of them one look turns.
const RECOVERED_AT_ONCE: usize = 64;

/// How often a step is repeated when another process was faster; each repetition sees a newer state, and there are three.
const ROUNDS: usize = 8;

/// For how long the store's time, once told, is counted on by the host's clock. A store is on another thread or another
/// machine: it is asked once a second, not with every hold.
const COUNTED_ON: i64 = 1_000_000;

/// What one attempt wants to hold.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HoldRequest {
    /// Who pays: all of them, or none.
    pub scopes: Vec<Scope>,
    /// The provider, by the name of its price rows.
    pub provider: String,
    /// The model.
    pub model: String,
    /// What the call is for.
    pub purpose: String,
    /// The bound of the attempt.
    pub bound: Bound,
    /// The output cap that is sent.
    pub output_cap: u64,
    /// What earlier attempts of the same call count already.
    pub counted_in_call: NanoUsd,
    /// After this time without settlement its owner is thought dead.
    pub lifetime: Duration,
    /// The store's time as the attempt has read it already; it is asked once, not twice.
    pub(crate) at: Option<Timestamp>,
}

impl HoldRequest {
    /// A hold of `bound` at `output_cap`, for ten minutes at most.
    pub fn new(provider: impl Into<String>, model: impl Into<String>, bound: Bound, output_cap: u64) -> Self {
        Self {
            scopes: Vec::new(),
            provider: provider.into(),
            model: model.into(),
            purpose: "general".to_owned(),
            bound,
            output_cap,
            counted_in_call: NanoUsd::ZERO,
            lifetime: Duration::from_secs(600),
            at: None,
        }
    }

    /// Says who pays.
    pub fn with_scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.scopes = scopes.into_iter().collect();
        self
    }

    /// Says what it is for.
    pub fn with_purpose(mut self, purpose: impl Into<String>) -> Self {
        self.purpose = purpose.into();
        self
    }

    /// Says what earlier attempts of the call count.
    pub fn with_counted_in_call(mut self, amount: NanoUsd) -> Self {
        self.counted_in_call = amount;
        self
    }

    /// Says what the store's clock has just shown.
    pub(crate) fn with_time(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    /// Says when its owner is thought dead.
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }
}

/// What a hold becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settled {
    /// The bill is known: this amount, for ever.
    Final(NanoUsd),
    /// The bill is not known; this is the most that it can be.
    Provisional(NanoUsd),
}

/// Where a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It counts in full; its attempt runs, or its owner died.
    Held(NanoUsd),
    /// It counts at this bound until evidence arrives.
    Provisional(NanoUsd),
    /// It cannot change any more, or never was.
    Gone,
}

/// The ledger of all budgets, kept in the host's store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: Host,
    budgets: BTreeMap<String, (Budget, Tz)>,
    next_recovery: AtomicI64,
    /// When the store was last asked for its time, by the host's steady clock in microseconds, and how far ahead of that it was.
    asked_at: AtomicI64,
    ahead: AtomicI64,
}

/// A window with a cap, at one instant.
pub(super) struct Capped {
    pub(super) window: HeldWindow,
    pub(super) cap: NanoUsd,
    pub(super) ends: Option<Timestamp>,
}

impl Ledger {
    /// A ledger with a budget for each kind of scope.
    pub fn new(host: &Host, budgets: BTreeMap<String, Budget>) -> Result<Self> {
        let mut zoned = BTreeMap::new();
        for (kind, budget) in budgets {
            let zone = budget.time_zone()?;
            zoned.insert(kind, (budget, zone));
        }
        Ok(Self(Arc::new(Inner {
            host: host.clone(),
            budgets: zoned,
            next_recovery: AtomicI64::new(i64::MIN),
            asked_at: AtomicI64::new(i64::MIN),
            ahead: AtomicI64::new(0),
        })))
    }

    pub(super) fn store(&self) -> &dyn Store {
        &**self.0.host.store()
    }

    /// The store's time, asked at most once a second and counted on from there.
    pub(crate) async fn now(&self) -> Result<Timestamp> {
        let steady = || i64::try_from(self.0.host.clock().steady().as_micros()).unwrap_or(i64::MAX);
        let Inner { asked_at, ahead, .. } = &*self.0;
        let here = steady();
        if here.saturating_sub(asked_at.load(Ordering::Acquire)) < COUNTED_ON
            && let Some(now) =
                Timestamp::from_timestamp_micros(here.saturating_add(ahead.load(Ordering::Relaxed)))
        {
            return Ok(now);
        }
        let now = self.store().now().await?;
        let here = steady();
        ahead.store(now.timestamp_micros().saturating_sub(here), Ordering::Relaxed);
        asked_at.store(here, Ordering::Release);
        Ok(now)
    }

    /// Whether any of these scopes has a cap.
    pub fn bounds(&self, scopes: &[Scope]) -> bool {
        scopes.iter().any(|scope| {
            self.0
                .budgets
                .get(scope.kind())
                .is_some_and(|(budget, _)| !budget.is_empty())
        })
    }

    /// Holds what an attempt can cost, in every window of every scope or in none. It is durable when this returns, so the
    /// request may leave. `budget_exceeded` names the window that refused.
    pub async fn hold(&self, request: HoldRequest) -> Result<Hold> {
        let durability = self.durability().await?;
        let now = match request.at {
            Some(at) => at,
            None => self.now().await?,
        };
        self.recover_sometimes(now).await?;
        let amount = request.bound.amount(request.output_cap);
        let scopes = distinct(&request.scopes);
        self.within_call(&scopes, amount, &request)?;
        let windows = self.windows(&scopes, now)?;

        let bounded = self.bounds(&scopes);
        let id = self.0.host.random().id();
        let record = Arc::new(HoldRecord {
            v: 1,
            provisional: false,
            held: amount,
            counted: amount,
            block: block_of(&request),
            provider: request.provider,
            model: request.model,
            purpose: request.purpose,
            price: request.bound.price,
            scopes: scopes.into_iter().map(String::from).collect(),
            windows: windows.iter().map(|capped| capped.window.clone()).collect(),
            day: now.date_naive().to_string(),
        });
        let mut commit = Commit::new().write(Write::Put {
            key: hold_key(&id),
            value: record.write()?,
            ttl: None,
        });
        commit.durability = durability;
        let deadline =
            now + chrono::Duration::from_std(request.lifetime).unwrap_or(chrono::Duration::days(1));
        commit = commit.write(Write::Index {
            index: OPEN.to_owned(),
            member: id.clone(),
            score: deadline.timestamp_millis(),
            keep: false,
        });
        for capped in &windows {
            let key = capped.window.counted_key();
            commit = commit
                .guard(Guard::SumAtMost {
                    key: key.clone(),
                    delta: amount.0,
                    cap: capped.cap.0,
                })
                .write(Write::Add { key, delta: amount.0 });
        }
        if bounded {
            commit = commit.guard(Guard::Absent {
                key: block_key(&record.block),
            });
        }
        // In hand before the commit: a caller that goes away while it runs leaves nothing held.
        let hold = Hold::new(self.clone(), id, record.clone());
        match self.store().commit(commit).await? {
            Committed::Done { results, .. } => {
                Ok(hold.committed(results.first().map_or(1, |version| *version as u64)))
            }
            Committed::Refused(refusal) => {
                hold.refused();
                Err(match windows.get(refusal.guard) {
                    Some(capped) => exceeded(
                        capped,
                        NanoUsd(capped.cap.0.saturating_sub(refusal.found)),
                        amount,
                    ),
                    None => blocked(&record),
                })
            }
        }
    }

    /// Settles a hold by its id: the provider's late word, an invoice, or a person's decision. The same evidence twice
    /// changes nothing, and what is final stays as it is.
    pub async fn settle(&self, id: &str, settled: Settled) -> Result<()> {
        self.transition(id, None, settled).await
    }

    /// Where a hold stands.
    pub async fn state(&self, id: &str) -> Result<State> {
        let Some(record) = self.store().get(&hold_key(id)).await? else {
            return Ok(State::Gone);
        };
        let record = HoldRecord::read(&record.value)?;
        Ok(if record.provisional {
            State::Provisional(record.counted)
        } else {
            State::Held(record.counted)
        })
    }

    /// Turns holds past their deadline into provisional ones, at most 64, and says how many. Runs by itself with the next
    /// holds as well.
    pub async fn recover(&self) -> Result<usize> {
        let now = self.store().now().await?;
        self.recover_at(now).await
    }

    async fn recover_sometimes(&self, now: Timestamp) -> Result<()> {
        let now_ms = now.timestamp_millis();
        let next = self.0.next_recovery.load(Ordering::Relaxed);
        let due = now_ms >= next
            && self
                .0
                .next_recovery
                .compare_exchange(
                    next,
                    now_ms.saturating_add(RECOVERY_INTERVAL_MS),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok();
        if due {
            self.recover_at(now).await?;
        }
        Ok(())
    }

    async fn recover_at(&self, now: Timestamp) -> Result<usize> {
        let late = Range::up_to(now.timestamp_millis(), RECOVERED_AT_ONCE);
        let late = self.store().scan(OPEN, late).await?;
        for entry in &late {
            // Gone: settled between the two reads, which took it out of the index as well.
            let Some(record) = self.store().get(&hold_key(&entry.member)).await? else {
                continue;
            };
            // Of a later version: it goes on counting, and who wrote it will turn it.
            let Ok(held) = HoldRecord::read(&record.value) else {
                continue;
            };
            let settled = Settled::Provisional(held.counted);
            self.transition(&entry.member, Some((Arc::new(held), record.version)), settled)
                .await?;
        }
        Ok(late.len())
    }

    /// One step `held → provisional → final`. `known` is the record as the caller last saw it.
    pub(super) async fn transition(
        &self,
        id: &str,
        known: Option<(Arc<HoldRecord>, u64)>,
        settled: Settled,
    ) -> Result<()> {
        let durability = self.durability().await?;
        let mut known = known;
        for _ in 0..ROUNDS {
            let (record, version) = match known.take() {
                Some(known) => known,
                None => match self.store().get(&hold_key(id)).await? {
                    Some(stored) => (Arc::new(HoldRecord::read(&stored.value)?), stored.version),
                    None => return Ok(()), // final: nothing changes it
                },
            };
            if record.provisional && matches!(settled, Settled::Provisional(_)) {
                return Ok(()); // not knowing is no evidence
            }
            let now = match settled {
                // A known bill within what counted stamps nothing: the store is not asked for its time.
                Settled::Final(amount) if amount <= record.counted => Timestamp::UNIX_EPOCH,
                _ => self.now().await?,
            };
            let mut commit = step(id, &record, version, settled, now)?;
            commit.durability = durability;
            match self.store().commit(commit).await? {
                Committed::Done { .. } => return Ok(()),
                Committed::Refused(_) => {} // somebody was faster: look again
            }
        }
        Err(Error::new(
            Code::StoreConflict,
            "the hold changed under every attempt to settle it",
        ))
    }

    /// The class to ask for with each commit. A store that may lose what it acknowledged is refused.
    pub(super) async fn durability(&self) -> Result<Option<Durability>> {
        Ok(
            match self.0.host.durable_store("the money that was held").await? {
                Durability::Volatile | Durability::Lossy => None,
                _ => Some(Durability::Process),
            },
        )
    }

    fn within_call(&self, scopes: &[Scope], amount: NanoUsd, request: &HoldRequest) -> Result<()> {
        for scope in scopes {
            let Some(cap) = self
                .0
                .budgets
                .get(scope.kind())
                .and_then(|(budget, _)| budget.call)
            else {
                continue;
            };
            let remaining = NanoUsd(cap.0.saturating_sub(request.counted_in_call.0));
            if amount > remaining {
                let refused = BudgetRefusal::new(scope.as_str(), "call", remaining.0.max(0), amount.0);
                return Err(budget_exceeded(refused));
            }
        }
        Ok(())
    }

    /// The windows with a cap that these scopes have at `now`.
    pub(super) fn windows(&self, scopes: &[Scope], now: Timestamp) -> Result<Vec<Capped>> {
        let mut windows = Vec::new();
        for scope in scopes {
            let Some((budget, zone)) = self.0.budgets.get(scope.kind()) else {
                continue;
            };
            for (kind, cap) in budget.stored() {
                let (start, ends) = kind.instance(now, *zone)?;
                windows.push(Capped {
                    window: HeldWindow {
                        scope: scope.as_str().to_owned(),
                        kind,
                        start: start.timestamp(),
                    },
                    cap,
                    ends,
                });
            }
        }
        Ok(windows)
    }

    /// The smallest cap of a call among these scopes.
    pub(super) fn call_caps<'a>(&'a self, scopes: &'a [Scope]) -> impl Iterator<Item = (&'a Scope, NanoUsd)> {
        scopes.iter().filter_map(|scope| {
            let cap = self.0.budgets.get(scope.kind())?.0.call?;
            Some((scope, cap))
        })
    }
}

/// The commit of one step of a hold.
fn step(id: &str, record: &HoldRecord, version: u64, settled: Settled, now: Timestamp) -> Result<Commit> {
    let (amount, known) = match settled {
        Settled::Final(amount) => (amount, true),
        Settled::Provisional(amount) => (amount, false),
    };
    let amount = amount.max(NanoUsd::ZERO);
    let key = hold_key(id);
    let mut commit = Commit::new().guard(Guard::Version {
        key: key.clone(),
        version,
    });
    if known {
        commit = commit.write(Write::Delete { key });
    } else {
        let mut next = record.clone();
        next.provisional = true;
        next.counted = amount;
        commit = commit
            .write(Write::Put {
                key,
                value: next.write()?,
                ttl: None,
            })
            .write(Write::Index {
                index: PROVISIONAL.to_owned(),
                member: id.to_owned(),
                score: now.timestamp_millis(),
                keep: false,
            });
    }
    let left = if record.provisional { PROVISIONAL } else { OPEN };
    commit = commit.write(Write::Unindex {
        index: left.to_owned(),
        member: id.to_owned(),
    });

    let counted = amount.0.saturating_sub(record.counted.0);
    let was_provisional = if record.provisional { record.counted.0 } else { 0 };
    let is_provisional = if known { 0 } else { amount.0 };
    let provisional = is_provisional.saturating_sub(was_provisional);
    for window in &record.windows {
        if counted != 0 {
            commit = commit.write(Write::Add {
                key: window.counted_key(),
                delta: counted,
            });
        }
        if provisional != 0 {
            commit = commit.write(Write::Add {
                key: window.provisional_key(),
                delta: provisional,
            });
        }
    }
    // What the scope spent so far through this hold: nothing while it was held, its bound while it is provisional.
    let spent = amount.0.saturating_sub(was_provisional);
    if spent != 0 || !record.provisional {
        let member = record.spend_member();
        let score = day_number(&record.day);
        for scope in &record.scopes {
            commit = commit
                .write(Write::Index {
                    index: spend_index(scope),
                    member: member.clone(),
                    score,
                    keep: true,
                })
                .write(Write::Add {
                    key: spend_key(scope, &member),
                    delta: spent,
                });
        }
    }
    // Above what counted: the bound was wrong, also where usage seen had tightened it.
    if amount > record.counted {
        commit = book_overrun(commit, record, amount, now)?;
    }
    Ok(commit)
}

fn book_overrun(commit: Commit, record: &HoldRecord, amount: NanoUsd, now: Timestamp) -> Result<Commit> {
    let overrun = Overrun {
        provider: record.provider.clone(),
        model: record.model.clone(),
        price: record.price.clone(),
        held: record.counted,
        billed: amount,
        at: rfc3339(now),
    };
    let value = serde_json::to_string(&overrun)
        .map_err(|_| Error::new(Code::Internal, "an overrun cannot be written as JSON"))?;
    Ok(commit
        .write(Write::Put {
            key: block_key(&record.block),
            value,
            ttl: None,
        })
        .write(Write::Index {
            index: BLOCKED.to_owned(),
            member: record.block.clone(),
            score: now.timestamp_millis(),
            keep: false,
        }))
}

pub(super) fn distinct(scopes: &[Scope]) -> Vec<Scope> {
    let mut distinct: Vec<Scope> = Vec::with_capacity(scopes.len());
    for scope in scopes {
        if !distinct.contains(scope) {
            distinct.push(scope.clone());
        }
    }
    distinct
}

/// What a broken bound blocks: the model at these rates. Raised rates are another block, and so lift it.
fn block_of(request: &HoldRequest) -> String {
    let rates = &request.bound.rates;
    let (input, output) = (rates.dearest_input().0.to_string(), rates.output.0.to_string());
    [&request.provider, &request.model, &input, &output]
        .map(String::as_str)
        .join("/")
}

fn day_number(day: &str) -> i64 {
    day.parse::<chrono::NaiveDate>()
        .map_or(0, |day| i64::from(chrono::Datelike::num_days_from_ce(&day)))
}
