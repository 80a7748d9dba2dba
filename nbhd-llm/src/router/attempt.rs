//! One attempt: bound, hold, request, settlement. Whatever happens to it, its money is accounted for.

use std::sync::Arc;
use std::time::Duration;

use nbhd_core::http::{Request, Timeouts};
use nbhd_core::{Code, Error, Operation, Outcome, Result};

use super::billing::{Charge, Terms, at_bound, of_answer};
use super::classify::{self, Lane};
use super::gateway::Inner;
use super::plan::{Candidate, Plan};
use crate::budget::{Bound, Hold, HoldRequest, Shape};
use crate::chat::{CostBasis, ModelAttempt, OutputCap, Usage};
use crate::price::NanoUsd;
use crate::provider::{MaxPrice, ProviderAnswer, RequestOptions};

/// To connect, TLS included; a healthy handshake takes three round trips.
const CONNECT: Duration = Duration::from_secs(10);

/// A hold outlives the call's deadline by this: the drain of a dropped stream, and a margin for its settlement.
const AFTER_DEADLINE: Duration = Duration::from_secs(90);

/// How often a cap is shrunk to what is left, when others take it away meanwhile.
const SHRINKS: usize = 4;

/// What an attempt carries from its hold to its settlement.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) router: Arc<Inner>,
    pub(super) candidate: Arc<Candidate>,
    pub(super) cap: OutputCap,
    pub(super) terms: Terms,
    pub(super) record: ModelAttempt,
    hold: Option<Hold>,
    started: Duration,
}

/// An attempt that was made and failed, settled already.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) lane: Lane,
    pub(super) record: ModelAttempt,
    pub(super) charge: Charge,
}

/// Prepares an attempt: its money is held when this returns, durably, and nothing has left. `counted` is what earlier
/// attempts of the call count.
pub(super) async fn prepare(
    router: &Arc<Inner>,
    plan: &Plan<'_>,
    candidate: &Arc<Candidate>,
    operation: &Operation,
    counted: NanoUsd,
    stream: bool,
) -> Result<(Running, Request)> {
    let (wanted, smallest) = plan.output_cap(candidate);
    let at = router.ledger.now().await?;
    let mut options = widest(wanted.tokens, stream);
    let request = candidate
        .provider
        .request(&plan.chat, &candidate.model, &options)?;
    let bound = bound(router, plan, candidate, &request, at, operation.remaining())?;
    if let Some(bound) = &bound {
        options = options.with_max_price(MaxPrice {
            input: bound.rates.dearest_input().0,
            output: bound.rates.output.0,
        });
    }
    let (hold, cap) = match &bound {
        Some(bound) => {
            let held = hold(
                router, plan, candidate, operation, counted, bound, wanted, smallest, at,
            )
            .await?;
            (Some(held.0), held.1)
        }
        None => (None, wanted),
    };
    // Written again: a smaller cap and a smaller dearest price have no more digits, and so no more bytes, than what was bounded.
    let same = cap.tokens == options.output_cap && !candidate.provider.sends_max_price();
    let request = if same {
        request
    } else {
        options.output_cap = cap.tokens;
        candidate
            .provider
            .request(&plan.chat, &candidate.model, &options)?
    };
    let first = if stream {
        plan.first_content(candidate)
    } else {
        operation.remaining()
    };
    let request = request.with_timeouts(Timeouts {
        connect: CONNECT,
        first_byte: first,
        idle: plan.idle(),
    });
    let mut record = ModelAttempt::new(&candidate.name, &candidate.model);
    if let Some(hold) = &hold {
        record.hold = Some(hold.id().to_owned());
        record.held = hold.amount().0;
    }
    let running = Running {
        router: router.clone(),
        candidate: candidate.clone(),
        terms: Terms {
            bound,
            output_cap: cap.tokens,
            at,
        },
        cap,
        record,
        hold,
        started: router.host.clock().monotonic(),
    };
    Ok((running, request))
}

/// The bound of a request; `None` where the model has no price and nothing bounds the call.
pub(super) fn bound(
    router: &Inner,
    plan: &Plan<'_>,
    candidate: &Candidate,
    request: &Request,
    at: nbhd_core::Timestamp,
    remaining: Duration,
) -> Result<Option<Bound>> {
    let messages = &plan.chat.messages;
    let shape = Shape {
        bytes: request.body.len() as u64,
        messages: messages.len() as u64,
        tool_calls: messages
            .iter()
            .map(|message| message.tool_calls.len() as u64)
            .sum(),
        preamble: !plan.chat.tools.is_empty() || plan.chat.schema.is_some(),
        reasons: plan.reasons(),
    };
    let until = at + chrono::Duration::from_std(remaining).unwrap_or(chrono::Duration::days(1));
    match Bound::new(
        &router.catalog,
        &candidate.price_name,
        &candidate.model,
        &shape,
        at,
        until,
    ) {
        Ok(bound) => Ok(Some(bound)),
        Err(error) if error.code() == Code::UnpricedModel && !plan.bounded => Ok(None),
        Err(error) => Err(error),
    }
}

/// The request that is bounded: no request of the attempt has more bytes.
pub(super) fn widest(output_cap: u64, stream: bool) -> RequestOptions {
    let price = MaxPrice {
        input: i64::MAX,
        output: i64::MAX,
    };
    RequestOptions::new(output_cap)
        .with_stream(stream)
        .with_max_price(price)
}

#[expect(
    clippy::too_many_arguments,
    reason = "one step of `prepare`, split off for its length"
)]
async fn hold(
    router: &Inner,
    plan: &Plan<'_>,
    candidate: &Candidate,
    operation: &Operation,
    counted: NanoUsd,
    bound: &Bound,
    wanted: OutputCap,
    smallest: u64,
    at: nbhd_core::Timestamp,
) -> Result<(Hold, OutputCap)> {
    let mut cap = wanted;
    let mut rounds = SHRINKS;
    loop {
        let request = HoldRequest::new(&candidate.price_name, &candidate.model, bound.clone(), cap.tokens)
            .with_scopes(plan.scopes.iter().cloned())
            .with_purpose(&plan.purpose)
            .with_time(at)
            .with_counted_in_call(counted)
            .with_lifetime(operation.remaining() + AFTER_DEADLINE);
        let error = match router.ledger.hold(request).await {
            Ok(hold) => return Ok((hold, cap)),
            Err(error) if error.code() == Code::BudgetExceeded => error,
            Err(error) => return Err(error),
        };
        let room = router.ledger.room(&plan.scopes, counted).await?;
        let affordable = room
            .as_ref()
            .and_then(|room| bound.affordable(room.remaining))
            .unwrap_or(0);
        rounds -= 1;
        if affordable < smallest || rounds == 0 {
            let Some(mut budget) = error.budget().cloned() else {
                return Err(error);
            };
            budget.affordable_output_tokens = affordable.min(cap.tokens);
            return Err(error.with_budget(budget).with_provider(&candidate.name));
        }
        if affordable < cap.tokens {
            cap = OutputCap::new(affordable, "affordable");
        }
    }
}

impl Running {
    /// Says that the request is about to leave.
    pub(super) fn mark_sent(&mut self) {
        if let Some(hold) = &mut self.hold {
            hold.mark_sent();
        }
    }

    pub(super) fn elapsed(&self) -> f64 {
        let now = self.router.host.clock().monotonic();
        now.saturating_sub(self.started).as_secs_f64()
    }

    /// Settles an answer.
    pub(super) async fn answered(&mut self, operation: &Operation, answer: &ProviderAnswer) -> Charge {
        let charge = of_answer(
            &self.router.catalog,
            &self.candidate,
            answer.model.as_deref(),
            answer.usage.as_ref(),
            &self.terms,
        );
        self.settle(operation, &charge).await;
        charge
    }

    /// Settles a failure. `said` is true when the provider itself said within a success that it failed.
    pub(super) async fn failed(
        mut self,
        operation: &Operation,
        error: Error,
        said: bool,
        usage: Option<&Usage>,
    ) -> Failure {
        let charge = match usage {
            _ if error.outcome() != Outcome::Unknown => Charge::nothing(),
            None if said => Charge::nothing(),
            Some(_) if said => of_answer(&self.router.catalog, &self.candidate, None, usage, &self.terms),
            usage => at_bound(usage, &self.terms),
        };
        let lane = classify::lane(&error);
        error.code().name().clone_into(&mut self.record.outcome);
        self.record.class = Some(lane.name().to_owned());
        self.record.status = error.provider_status().or(self.record.status);
        self.record.reason = error.provider_reason().map(str::to_owned);
        self.record.request_id = error.request_id().map(str::to_owned);
        self.settle(operation, &charge).await;
        let error = match error.provider() {
            Some(_) => error,
            None => error.with_provider(&self.candidate.name),
        };
        Failure {
            error,
            lane,
            record: self.record,
            charge,
        }
    }

    /// Books the charge. When the store fails, the hold goes on counting and becomes provisional by itself: too much is
    /// counted, never too little, so what was answered is given out.
    pub(super) async fn settle(&mut self, operation: &Operation, charge: &Charge) {
        self.record.seconds = self.elapsed();
        self.record.settled = charge.amount.0;
        if charge.basis != CostBasis::Unknown {
            operation.note_cost(charge.amount.0);
        }
        if let Some(hold) = self.hold.take() {
            let _ = hold.settle(charge.settled()).await;
        }
    }
}
