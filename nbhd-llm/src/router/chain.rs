//! The order of attempts: at most four a call, two a candidate; who rests is passed over; nothing is tried without its hold.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use nbhd_core::http::{Request, Response};
use nbhd_core::{Code, Error, Operation, Outcome, Receipt, Result};

use super::attempt::{Failure, Running, prepare};
use super::billing::Charge;
use super::classify::{Lane, Next};
use super::gateway::Inner;
use super::plan::{Candidate, Plan};
use super::stream::{ChatStream, Flow};
use crate::chat::{Answer, Cost, CostBasis, FinishReason, ModelAttempt, OutputCap, StreamEvent};
use crate::price::NanoUsd;
use crate::provider::{ProviderAnswer, ProviderEvent};

/// The most attempts of one call.
const ATTEMPTS: usize = 4;

/// The most attempts of one call with one candidate.
const ATTEMPTS_EACH: usize = 2;

/// The longest pause before the same candidate is asked again; a random part of it is waited.
const BACKOFF: Duration = Duration::from_millis(500);

/// What the attempts so far came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    pub(super) attempts: Vec<ModelAttempt>,
    pub(super) counted: NanoUsd,
    pub(super) provisional: bool,
}

impl Progress {
    pub(super) fn add(&mut self, record: ModelAttempt, charge: &Charge) {
        self.attempts.push(record);
        self.counted = NanoUsd(self.counted.0.saturating_add(charge.amount.0));
        self.provisional |= charge.basis == CostBasis::Provisional;
    }

    /// The cost of the whole call, once the last attempt has been added.
    pub(super) fn cost(&self, last: &Charge) -> Cost {
        let mut cost = Charge {
            amount: self.counted,
            ..last.clone()
        };
        if self.provisional {
            cost.basis = CostBasis::Provisional;
        }
        cost.cost()
    }
}

/// An answer before its receipt.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) answer: ProviderAnswer,
    pub(super) candidate: Arc<Candidate>,
    pub(super) cap: OutputCap,
    pub(super) progress: Progress,
    pub(super) cost: Cost,
}

impl Finished {
    pub(super) fn into_answer(self, receipt: Receipt) -> Answer {
        let ends = self.answer.finish_reason;
        Answer {
            text: self.answer.text,
            reasoning: self.answer.reasoning,
            tool_calls: self.answer.tool_calls,
            finish_reason: ends.unwrap_or(FinishReason::Other),
            finish_detail: self.answer.finish_detail,
            usage: self.answer.usage,
            cost: self.cost,
            provider: self.candidate.name.clone(),
            model: (self.answer.model).unwrap_or_else(|| self.candidate.model.clone()),
            id: self.answer.id,
            attempts: self.progress.attempts,
            output_cap: self.cap,
            provider_blocks: self.answer.provider_blocks,
            receipt,
        }
    }
}

enum Won {
    Whole(Box<Finished>),
    Stream(ChatStream),
}

enum Lost {
    /// Nothing left: the candidate cannot be asked.
    Before(Error),
    /// It was tried, and settled.
    After(Box<Failure>),
}

pub(super) async fn whole(router: &Arc<Inner>, plan: &Plan<'_>, operation: &Operation) -> Result<Finished> {
    match drive(router, plan, operation, false).await? {
        Won::Whole(finished) => Ok(*finished),
        Won::Stream(_) => Err(Error::new(
            Code::Internal,
            "a stream came where none was asked for",
        )),
    }
}

pub(super) async fn streamed(
    router: &Arc<Inner>,
    plan: &Plan<'_>,
    operation: &Operation,
) -> Result<ChatStream> {
    match drive(router, plan, operation, true).await? {
        Won::Stream(stream) => Ok(stream),
        Won::Whole(_) => Err(Error::new(
            Code::Internal,
            "no stream came where one was asked for",
        )),
    }
}

/// What is known of one candidate within this call.
#[derive(Default)]
struct Standing {
    tried: usize,
    out: bool,
}

async fn drive(router: &Arc<Inner>, plan: &Plan<'_>, operation: &Operation, stream: bool) -> Result<Won> {
    let mut standing: Vec<Standing> = plan.chain.iter().map(|_| Standing::default()).collect();
    let mut progress = Progress::default();
    let mut errors: Vec<Error> = Vec::new();
    let mut waited = 0.0;
    let mut smallest_window = 0;
    while progress.attempts.len() < ATTEMPTS {
        let place = match pick(router, plan, &standing).await? {
            Pick::Candidate(place) => place,
            Pick::AllRest { left, lane, unasked } => {
                if left > operation.remaining() {
                    errors = rested(errors, left, lane, unasked);
                    break;
                }
                operation.wait("cooldown", left).await?;
                waited += left.as_secs_f64();
                continue;
            }
            Pick::Nobody => break,
        };
        let candidate = &plan.chain[place];
        if candidate.window < smallest_window {
            standing[place].out = true;
            continue;
        }
        let lost = match attempt(router, plan, candidate, operation, &progress, stream, waited).await {
            Ok(won) => return Ok(won),
            Err(lost) => lost,
        };
        waited = 0.0;
        match lost {
            Lost::Before(error) => {
                // Who cannot be asked gives way; a wrong call, a broken store and a pinned purpose do not.
                let gives_way = matches!(
                    error.code(),
                    Code::BudgetExceeded | Code::UnpricedModel | Code::Unsupported | Code::SecretMissing
                );
                if !gives_way || (plan.config.pinned && error.code() == Code::SecretMissing) {
                    return Err(error);
                }
                standing[place].out = true;
                errors.push(error);
            }
            Lost::After(failure) => {
                let Failure {
                    error,
                    lane,
                    record,
                    charge,
                } = *failure;
                progress.add(record, &charge);
                standing[place].tried += 1;
                router
                    .health
                    .failed(&candidate.name, &candidate.model, lane, error.retry_after())
                    .await?;
                match lane.policy().0 {
                    Next::Surface => return Err(error),
                    Next::RetrySame if standing[place].tried < ATTEMPTS_EACH => {
                        let pause = BACKOFF.mul_f64(router.host.random().fraction());
                        if pause < operation.remaining() {
                            operation.wait("backoff", pause).await?;
                            waited = pause.as_secs_f64();
                        }
                    }
                    Next::RetrySame => standing[place].out = true,
                    Next::FallBack => standing[place].out = lane == Lane::UnknownAfterSend,
                    Next::LargerWindow => {
                        standing[place].out = true;
                        smallest_window = candidate.window.saturating_add(1);
                    }
                }
                errors.push(error);
            }
        }
    }
    Err(exhausted(errors, progress))
}

enum Pick {
    Candidate(usize),
    /// Everybody who could be asked rests; the first is back after this time. `unasked`: one of them rests after an earlier call.
    AllRest {
        left: Duration,
        lane: Lane,
        unasked: bool,
    },
    Nobody,
}

async fn pick(router: &Inner, plan: &Plan<'_>, standing: &[Standing]) -> Result<Pick> {
    let mut soonest: Option<(Duration, Lane)> = None;
    let mut unasked = false;
    for (place, (candidate, standing)) in plan.chain.iter().zip(standing).enumerate() {
        if standing.out || standing.tried >= ATTEMPTS_EACH {
            continue;
        }
        match router.health.resting(&candidate.name, &candidate.model).await? {
            None => return Ok(Pick::Candidate(place)),
            Some(resting) => {
                unasked |= standing.tried == 0;
                if soonest.is_none_or(|(left, _)| resting.left < left) {
                    soonest = Some((resting.left, resting.lane));
                }
            }
        }
    }
    Ok(soonest.map_or(Pick::Nobody, |(left, lane)| Pick::AllRest { left, lane, unasked }))
}

async fn attempt(
    router: &Arc<Inner>,
    plan: &Plan<'_>,
    candidate: &Arc<Candidate>,
    operation: &Operation,
    progress: &Progress,
    stream: bool,
    waited: f64,
) -> Result<Won, Lost> {
    let (mut running, request) = prepare(router, plan, candidate, operation, progress.counted, stream)
        .await
        .map_err(Lost::Before)?;
    running.record.waited = waited;
    running.mark_sent();
    if stream {
        open(running, request, plan, operation, progress).await
    } else {
        ask(running, request, operation, progress).await
    }
}

async fn ask(
    mut running: Running,
    request: Request,
    operation: &Operation,
    progress: &Progress,
) -> Result<Won, Lost> {
    let transport = running.candidate.transport.clone();
    let body = match transport.send(operation, request).await {
        Ok(reply) => {
            running.record.status = Some(reply.status.as_u16());
            Response::bytes(reply).await
        }
        Err(error) => Err(error),
    };
    let answer = match body {
        Ok(body) => running.candidate.provider.answer(&body).map_err(|error| {
            let said = is_said(&error);
            (error, said)
        }),
        Err(error) => Err((error, false)),
    };
    match answer {
        Ok(answer) => {
            let charge = running.answered(operation, &answer).await;
            let mut progress = progress.clone();
            progress.add(running.record, &charge);
            let cost = progress.cost(&charge);
            let _ = operation.clone().with_provider(&running.candidate.name);
            Ok(Won::Whole(Box::new(Finished {
                answer,
                candidate: running.candidate,
                cap: running.cap,
                progress,
                cost,
            })))
        }
        Err((error, said)) => Err(lost(running, operation, error, said, None).await),
    }
}

async fn open(
    mut running: Running,
    request: Request,
    plan: &Plan<'_>,
    operation: &Operation,
    progress: &Progress,
) -> Result<Won, Lost> {
    let transport = running.candidate.transport.clone();
    let mut decoder = running.candidate.provider.stream();
    let patience = plan.first_content(&running.candidate).min(operation.remaining());
    let mut events = Vec::new();
    let mut status = None;
    let until_content = async {
        let reply = transport
            .send(operation, request)
            .await
            .map_err(|error| (error, false))?;
        status = Some(reply.status.as_u16());
        let mut body = reply.into_stream();
        loop {
            let Some(piece) = body.next().await else {
                let answer = decoder.finish(&mut events).map_err(|error| (error, false))?;
                return Ok((body, Some(answer)));
            };
            let piece = piece.map_err(|error| (error, false))?;
            let fed = decoder.feed(&piece, &mut events);
            if events.iter().any(is_content) {
                // What came with the content but failed after it is raised when the stream is read.
                return Ok((Flow::resumed(fed, body), None));
            }
            fed.map_err(|error| {
                let said = is_said(&error);
                (error, said)
            })?;
            if decoder.ended() {
                let answer = decoder.finish(&mut events).map_err(|error| (error, false))?;
                return Ok((body, Some(answer)));
            }
        }
    };
    let opened = tokio::time::timeout(patience, until_content)
        .await
        .unwrap_or_else(|_| {
            let error = Error::new(Code::Timeout, "no content came in time").with_outcome(Outcome::Unknown);
            Err((error, false))
        });
    running.record.status = status;
    match opened {
        Ok((body, answer)) => {
            running.record.first_content = Some(running.elapsed());
            let _ = operation.clone().with_provider(&running.candidate.name);
            let begun = StreamEvent::Started {
                provider: running.candidate.name.clone(),
                model: running.candidate.model.clone(),
            };
            Ok(Won::Stream(ChatStream::new(
                Flow::new(running, operation.clone(), decoder, body, progress.clone()),
                begun,
                events,
                answer,
            )))
        }
        Err((error, said)) => {
            let usage = decoder.usage();
            Err(lost(running, operation, error, said, usage).await)
        }
    }
}

async fn lost(
    running: Running,
    operation: &Operation,
    error: Error,
    said: bool,
    usage: Option<crate::chat::Usage>,
) -> Lost {
    Lost::After(Box::new(
        running.failed(operation, error, said, usage.as_ref()).await,
    ))
}

/// Whether a decoder's error is the provider's own word that it failed, and not a reply that cannot be read.
pub(super) fn is_said(error: &Error) -> bool {
    !matches!(
        error.code(),
        Code::ProtocolError | Code::ResponseTooLarge | Code::Internal
    )
}

fn is_content(event: &ProviderEvent) -> bool {
    match event {
        ProviderEvent::Started => false,
        ProviderEvent::Text(text) | ProviderEvent::Reasoning(text) => !text.is_empty(),
        ProviderEvent::ToolProgress => true,
    }
}

/// The errors of a call that ends because everybody rests. Who was asked in this call has said why already: then its rest tells
/// only when to come again.
fn rested(mut errors: Vec<Error>, left: Duration, lane: Lane, unasked: bool) -> Vec<Error> {
    let last = match errors.pop() {
        Some(error) if !unasked => match error.retry_after() {
            None if error.retryable() => error.with_retry_after(left),
            _ => error,
        },
        before => {
            errors.extend(before);
            resting(left, lane)
        }
    };
    errors.push(last);
    errors
}

fn resting(left: Duration, lane: Lane) -> Error {
    let code = match lane {
        Lane::Money => Code::BillingRequired,
        Lane::Auth | Lane::AuthPermanent => Code::Unauthenticated,
        Lane::Overloaded => Code::ProviderOverloaded,
        Lane::Timeout => Code::Timeout,
        _ => Code::RateLimited,
    };
    Error::new(code, "every model of the chain rests after earlier failures").with_retry_after(left)
}

/// The error of a chain that is at its end: the one error that there was, or all attempts in one.
fn exhausted(mut errors: Vec<Error>, progress: Progress) -> Error {
    if errors.len() == 1 {
        return errors.remove(0);
    }
    // For money alone: the refusal of the first choice says best what is missing.
    if errors.iter().all(|error| error.code() == Code::BudgetExceeded) && !errors.is_empty() {
        return errors.remove(0);
    }
    let unknown = errors.iter().any(|error| error.outcome() == Outcome::Unknown);
    let refused = errors.iter().any(|error| error.outcome() == Outcome::Refused);
    let outcome = match (unknown, refused) {
        (true, _) => Outcome::Unknown,
        (false, true) => Outcome::Refused,
        (false, false) => Outcome::NotSent,
    };
    let soonest = errors.iter().filter_map(Error::retry_after).min();
    let retryable = errors.iter().any(Error::retryable);
    let budget = errors.iter().find_map(|error| error.budget().cloned());
    let reasons: Vec<String> = errors
        .iter()
        .map(|error| format!("{} {}", error.provider().unwrap_or("router"), error.code()))
        .collect();
    let mut error = Error::new(
        Code::ChainExhausted,
        format!(
            "every model of the chain refused or failed: {}",
            reasons.join(", ")
        ),
    )
    .with_outcome(outcome)
    .with_retryable(retryable)
    .with_details(serde_json::json!({
        "attempts": progress.attempts,
        "errors": errors.iter().map(Error::to_data).collect::<Vec<_>>(),
    }));
    if let Some(wait) = soonest {
        error = error.with_retry_after(wait);
    }
    if let Some(budget) = budget {
        error = error.with_budget(budget);
    }
    match errors.pop() {
        Some(last) => error.with_source(last),
        None => error,
    }
}
