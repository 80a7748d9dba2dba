//! The only owner of repetition.
//!
//! It reads the error's code and outcome, and what the request says of being sent twice; nothing else. `Repeat::Never` forbids
//! repeating after [`Outcome::Unknown`] only. A budget per client keeps an outage from being answered by a storm, and the
//! operation's deadline stands above all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::Transport;
use super::refusal::{self, Classify};
use crate::http::{Repeat, Request, Response};
use crate::{Code, Error, Operation, Outcome, Result};

/// How failed attempts are repeated.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How many attempts there are at most, the first included. 4.
    pub attempts: u32,
    /// The longest first pause; it doubles with each attempt. 0.5 s.
    pub base: Duration,
    /// The longest pause that is chosen here. 32 s.
    pub cap: Duration,
    /// The longest pause that the other side may ask for; a longer one is surfaced as the error's `retry_after`. 60 s.
    pub longest_wait: Duration,
    /// How many repetitions a client has before it needs successes; see [`RetryBudget`]. 100.
    pub budget: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(32),
            longest_wait: Duration::from_secs(60),
            budget: 100,
        }
    }
}

impl RetryPolicy {
    /// Sets how many attempts there are at most.
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the first pause and the longest one.
    pub fn with_pauses(mut self, base: Duration, cap: Duration) -> Self {
        self.base = base;
        self.cap = cap;
        self
    }

    /// Sets the longest pause that the other side may ask for.
    pub fn with_longest_wait(mut self, wait: Duration) -> Self {
        self.longest_wait = wait;
        self
    }

    /// Sets how many repetitions a client has before it needs successes.
    pub fn with_budget(mut self, budget: u32) -> Self {
        self.budget = budget;
        self
    }

    /// The longest pause before the repetition number `repetition`, counted from 1.
    fn ceiling(&self, repetition: u32) -> Duration {
        let factor = 1_u32
            .checked_shl(repetition.saturating_sub(1))
            .unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }
}

/// The outermost layer.
#[derive(Debug)]
pub(super) struct Retry {
    pub(super) policy: Option<RetryPolicy>,
    pub(super) budget: RetryBudget,
    pub(super) classify: Option<Arc<dyn Classify>>,
    /// Whether replies of any status are answers.
    pub(super) any_status: bool,
    pub(super) inner: Arc<dyn Transport>,
}

impl Retry {
    /// How long to wait before the next attempt, and why; `None` when there is none.
    fn next(&self, operation: &Operation, request: &Request, error: &Error, attempt: u32) -> Option<Pause> {
        let cost = RetryBudget::cost(error);
        let policy = self.policy.as_ref()?;
        let repeatable = error.retryable()
            && !error.is_settled()
            && (error.outcome() != Outcome::Unknown || request.repeat != Repeat::Never);
        if !repeatable || attempt >= policy.attempts {
            return None;
        }
        if error.is_on_used_connection() && !request.fresh {
            // Nothing is wrong with the other side: the connection was too old. Once, at once, on a new one.
            return self.budget.take(cost).then_some(Pause {
                cause: "used_connection",
                length: Duration::ZERO,
                cost,
            });
        }
        let jitter = operation.host().random().fraction();
        let chosen = policy.ceiling(attempt).mul_f64(jitter);
        let pause = match error.retry_after() {
            Some(asked) if asked > policy.longest_wait => return None,
            Some(asked) => Pause {
                cause: "retry_after",
                length: asked.max(chosen),
                cost,
            },
            None => Pause {
                cause: "backoff",
                length: chosen,
                cost,
            },
        };
        (pause.length < operation.remaining() && self.budget.take(cost)).then_some(pause)
    }
}

struct Pause {
    cause: &'static str,
    length: Duration,
    cost: u32,
}

#[async_trait]
impl Transport for Retry {
    async fn send(&self, operation: &Operation, mut request: Request) -> Result<Response> {
        let mut attempt = 1;
        let mut paid = 0;
        loop {
            let error = match self.inner.send(operation, request.clone()).await {
                Ok(reply) if self.any_status || refusal::is_answer(&request, &reply) => {
                    match arrived(&request, reply).await {
                        Ok(reply) => {
                            self.budget.give(paid);
                            return Ok(reply);
                        }
                        Err(error) => error,
                    }
                }
                Ok(reply) => {
                    let now = operation.host().clock().now();
                    refusal::into_error(self.classify.as_deref(), &request, reply, now).await
                }
                Err(error) => error,
            };
            let Some(pause) = self.next(operation, &request, &error, attempt) else {
                return Err(error);
            };
            tracing::debug!(
                target: "nbhd::http",
                label = request.label,
                code = error.code().name(),
                cause = pause.cause,
                seconds = pause.length.as_secs_f64(),
                "waiting before the next attempt"
            );
            paid = pause.cost;
            request.fresh |= error.is_on_used_connection();
            operation.wait(pause.cause, pause.length).await?;
            attempt += 1;
        }
    }
}

/// The reply, with its whole body where the request asks for that: what breaks off there is a failed attempt.
async fn arrived(request: &Request, mut reply: Response) -> Result<Response> {
    if !request.whole {
        return Ok(reply);
    }
    let (status, headers) = (reply.status, std::mem::take(&mut reply.headers));
    let body = reply.bytes().await?;
    Ok(Response::whole(status, headers, body))
}

/// What repetitions a client still has. Clones share it.
///
/// A repetition costs 5 tokens, after a timeout 10, because that one held a connection all the while. The one that succeeds gives back what it
/// cost, and every success at the first attempt gives 1. So in an outage a client makes at most a fifth more requests than it is asked for once
/// the budget is spent. The prices are those of the AWS SDKs (`StandardRetryTokenBucket`: 500 tokens, 5, 10, 1); gRPC's throttling (proposal
/// A6) differs in cutting off at half of its tokens.
#[derive(Debug, Clone)]
pub struct RetryBudget(Arc<Tokens>);

#[derive(Debug)]
struct Tokens {
    left: AtomicU32,
    full: u32,
}

impl RetryBudget {
    const REPETITION: u32 = 5;
    const AFTER_TIMEOUT: u32 = 10;

    /// So many repetitions.
    pub fn new(repetitions: u32) -> Self {
        let full = repetitions.saturating_mul(Self::REPETITION);
        Self(Arc::new(Tokens {
            left: AtomicU32::new(full),
            full,
        }))
    }

    fn cost(error: &Error) -> u32 {
        if error.code() == Code::Timeout {
            Self::AFTER_TIMEOUT
        } else {
            Self::REPETITION
        }
    }

    fn take(&self, cost: u32) -> bool {
        self.0
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(cost)
            })
            .is_ok()
    }

    /// A success, whose last repetition cost `paid`.
    fn give(&self, paid: u32) {
        let Tokens { left, full } = &*self.0;
        // A full budget, the normal case, writes nothing: no cache line is fought over.
        if left.load(Ordering::Relaxed) < *full {
            let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some(left.saturating_add(paid.max(1)).min(*full))
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_cap() {
        let policy = RetryPolicy::default();
        let seconds: Vec<f64> = [1, 2, 3, 7, 8, 40, 400]
            .map(|repetition| policy.ceiling(repetition).as_secs_f64())
            .into();
        assert_eq!(seconds, [0.5, 1.0, 2.0, 32.0, 32.0, 32.0, 32.0]);
    }

    #[test]
    fn a_budget_ends_and_comes_back_with_successes() {
        let budget = RetryBudget::new(2);
        assert!(budget.take(5) && budget.take(5) && !budget.take(5));
        for _ in 0..4 {
            budget.give(0);
        }
        assert!(!budget.take(5));
        budget.give(0);
        assert!(budget.take(5) && !budget.take(5));
        budget.give(5);
        assert!(
            budget.take(5),
            "a repetition that succeeds gives back what it cost"
        );
        budget.give(10);
        let timeout = RetryBudget::cost(&Error::new(Code::Timeout, "late"));
        assert!(
            budget.take(timeout) && !budget.take(5),
            "a timeout costs twice as much"
        );
    }
}
