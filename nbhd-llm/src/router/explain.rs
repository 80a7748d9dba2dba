//! What would happen, and how things are: without calling anybody and without holding anything.

use nbhd_core::clock::rfc3339;
use nbhd_core::error::ErrorData;
use nbhd_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attempt::{bound, widest};
use super::classify::Lane;
use super::gateway::Inner;
use super::plan::{Candidate, Plan};
use crate::budget::{Overrun, Remaining};
use crate::chat::OutputCap;
use crate::price::NanoUsd;

/// The most attempts of a call, and of one candidate in it: see the chain.
const ATTEMPTS: usize = 4;
const ATTEMPTS_EACH: usize = 2;

/// What would happen to a chat now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Explanation {
    /// The purpose.
    pub purpose: String,
    /// Who pays, such as `tenant:42`.
    pub scopes: Vec<String>,
    /// The candidates in the order of the chain.
    pub candidates: Vec<CandidateExplanation>,
    /// The most that the whole call can cost, all attempts together, before any cap of a call; absent where a price is not known.
    pub most: Option<NanoUsd>,
    /// What is left in every window that bounds it, the tightest first.
    pub remaining: Vec<Remaining>,
}

/// One candidate of an explanation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CandidateExplanation {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Whether it would be asked, if those before it failed.
    pub usable: bool,
    /// Why it would not be asked.
    pub skipped: Option<ErrorData>,
    /// Until when it rests, ISO 8601, and after what.
    pub rests_until: Option<String>,
    /// The lane of the failure after which it rests.
    pub rests_after: Option<Lane>,
    /// The output cap that it would get.
    pub output_cap: OutputCap,
    /// The most input tokens that it could be billed for.
    pub input_tokens: Option<u64>,
    /// The most that one attempt can cost, in nano-USD; absent where its price is not known.
    pub bound: Option<NanoUsd>,
    /// The version of its price row.
    pub price: Option<String>,
}

/// How the router is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RouterStatus")]
#[non_exhaustive]
pub struct Status {
    /// The verdict.
    pub verdict: Verdict,
    /// Every candidate of every chain, once.
    pub providers: Vec<ProviderStatus>,
    /// Models that were billed above their bound: blocked under a cap until their row is raised.
    pub overruns: Vec<Overrun>,
}

/// One candidate of a status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ProviderStatus {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The failure after which it rests, if it does.
    pub rests_after: Option<Lane>,
    /// Until when, ISO 8601.
    pub rests_until: Option<String>,
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// Every candidate can be asked.
    Ok,
    /// Some cannot, but every purpose has one that can.
    Degraded,
    /// A purpose has nobody to ask.
    Down,
}

pub(super) async fn explain(router: &Inner, plan: &Plan<'_>) -> Result<Explanation> {
    let mut candidates = Vec::with_capacity(plan.chain.len());
    for candidate in plan.chain {
        candidates.push(one(router, plan, candidate).await?);
    }
    let usable = candidates.iter().filter(|one| one.skipped.is_none());
    let bounds: Option<Vec<i64>> = usable.map(|one| one.bound.map(|bound| bound.0)).collect();
    let most = bounds.map(|mut bounds| {
        bounds.sort_unstable_by(|a, b| b.cmp(a));
        let each = bounds
            .iter()
            .flat_map(|bound| std::iter::repeat_n(*bound, ATTEMPTS_EACH));
        NanoUsd(each.take(ATTEMPTS).fold(0, i64::saturating_add))
    });
    Ok(Explanation {
        purpose: plan.purpose.clone(),
        scopes: plan.scopes.iter().map(ToString::to_string).collect(),
        candidates,
        most,
        remaining: router.ledger.remaining(&plan.scopes).await?,
    })
}

async fn one(router: &Inner, plan: &Plan<'_>, candidate: &Candidate) -> Result<CandidateExplanation> {
    let (wanted, smallest) = plan.output_cap(candidate);
    let resting = router.health.resting(&candidate.name, &candidate.model).await?;
    let mut explained = CandidateExplanation {
        provider: candidate.name.clone(),
        model: candidate.model.clone(),
        usable: resting.is_none(),
        skipped: None,
        rests_until: resting.map(|resting| rfc3339(resting.until)),
        rests_after: resting.map(|resting| resting.lane),
        output_cap: wanted.clone(),
        input_tokens: None,
        bound: None,
        price: None,
    };
    let skip = |mut explained: CandidateExplanation, error: &Error| {
        explained.usable = false;
        explained.skipped = Some(error.to_data());
        explained
    };
    let at = router.host.store().now().await?;
    let options = widest(wanted.tokens, true);
    let request = match candidate.provider.request(&plan.chat, &candidate.model, &options) {
        Ok(request) => request,
        Err(error) => return Ok(skip(explained, &error)),
    };
    let bound = match bound(router, plan, candidate, &request, at, plan.total()) {
        Ok(Some(bound)) => bound,
        Ok(None) => return Ok(explained),
        Err(error) => return Ok(skip(explained, &error)),
    };
    explained.input_tokens = Some(bound.input_tokens);
    explained.price = Some(bound.price.clone());
    explained.bound = Some(bound.amount(wanted.tokens));
    let Some(room) = router.ledger.room(&plan.scopes, NanoUsd::ZERO).await? else {
        return Ok(explained);
    };
    let affordable = bound.affordable(room.remaining).unwrap_or(0);
    if affordable < smallest {
        let mut refusal = room.refusal;
        refusal.needed = bound.amount(wanted.tokens).0;
        refusal.affordable_output_tokens = affordable;
        let error = Error::new(
            nbhd_core::Code::BudgetExceeded,
            format!(
                "the {} budget of {} has too little left",
                refusal.window, refusal.scope
            ),
        )
        .with_budget(refusal);
        return Ok(skip(explained, &error));
    }
    if affordable < wanted.tokens {
        explained.output_cap = OutputCap::new(affordable, "affordable");
        explained.bound = Some(bound.amount(affordable));
    }
    Ok(explained)
}

pub(super) async fn status(router: &Inner) -> Result<Status> {
    let mut providers: Vec<ProviderStatus> = Vec::new();
    let (mut any_rests, mut any_down) = (false, false);
    for purpose in router.config.purpose.values() {
        let mut up = false;
        for entry in &purpose.chain {
            let Some((provider, model)) = super::config::split(entry) else {
                continue;
            };
            let resting = router.health.resting(provider, model).await?;
            up |= resting.is_none();
            any_rests |= resting.is_some();
            if providers
                .iter()
                .any(|known| known.provider == provider && known.model == model)
            {
                continue;
            }
            providers.push(ProviderStatus {
                provider: provider.to_owned(),
                model: model.to_owned(),
                rests_after: resting.map(|resting| resting.lane),
                rests_until: resting.map(|resting| rfc3339(resting.until)),
            });
        }
        any_down |= !up;
    }
    let overruns = router.ledger.overruns().await?;
    let verdict = if any_down {
        Verdict::Down
    } else if any_rests || !overruns.is_empty() {
        Verdict::Degraded
    } else {
        Verdict::Ok
    };
    Ok(Status {
        verdict,
        providers,
        overruns,
    })
}
