//! One public call: one receipt, one deadline, one cancellation. All its requests join it.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::receipt::{Attempt, Receipt, Wait};
use crate::{Code, Error, Host, Outcome, Result};

/// The deadline of an operation unless the caller sets one: 120 s, twice the first-byte limit of one attempt.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// A handle on a running public call; clones share it.
#[derive(Clone)]
pub struct Operation(Arc<Inner>);

struct Inner {
    name: &'static str,
    host: Host,
    started: Duration,
    deadline: Duration,
    cancellation: CancellationToken,
    receipt: Mutex<Option<Receipt>>,
}

impl Operation {
    /// Opens an operation with the default [`DEADLINE`].
    pub fn begin(host: &Host, name: &'static str) -> Self {
        Self::begin_within(host, name, DEADLINE)
    }

    /// Opens an operation that must end within `limit`.
    pub fn begin_within(host: &Host, name: &'static str, limit: Duration) -> Self {
        let started = host.clock().monotonic();
        let receipt = Receipt {
            id: host.random().id(),
            operation: name.to_owned(),
            provider: None,
            account: None,
            started_at: host.clock().now().to_rfc3339(),
            seconds: 0.0,
            outcome: "cancelled".to_owned(),
            attempts: Vec::new(),
            waits: Vec::new(),
            bytes_sent: 0,
            bytes_received: 0,
            cost_nano_usd: None,
        };
        Self(Arc::new(Inner {
            name,
            host: host.clone(),
            started,
            deadline: started + limit,
            cancellation: CancellationToken::new(),
            receipt: Mutex::new(Some(receipt)),
        }))
    }

    /// Names the provider, channel or service.
    pub fn with_provider(self, provider: impl Into<String>) -> Self {
        self.change(|receipt| receipt.provider = Some(provider.into()));
        self
    }

    /// Names the account, conversation or scope.
    pub fn with_account(self, account: impl Into<String>) -> Self {
        self.change(|receipt| receipt.account = Some(account.into()));
        self
    }

    /// The name of the public call.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The host it runs in.
    pub fn host(&self) -> &Host {
        &self.0.host
    }

    /// What is left until the deadline.
    pub fn remaining(&self) -> Duration {
        self.0.deadline.saturating_sub(self.0.host.clock().monotonic())
    }

    /// The cancellation that every wait and request of the operation listens to.
    pub fn cancellation(&self) -> &CancellationToken {
        &self.0.cancellation
    }

    /// Writes a request into the receipt.
    pub fn note_attempt(&self, attempt: Attempt) {
        self.change(|receipt| {
            receipt.bytes_sent += attempt.bytes_sent;
            receipt.bytes_received += attempt.bytes_received;
            receipt.attempts.push(attempt);
        });
    }

    /// How many requests stand in the receipt.
    pub fn attempts(&self) -> u32 {
        self.lock()
            .as_ref()
            .map_or(0, |receipt| receipt.attempts.len() as u32)
    }

    /// Writes what it cost into the receipt.
    pub fn note_cost(&self, nano_usd: i64) {
        self.change(|receipt| receipt.cost_nano_usd = Some(receipt.cost_nano_usd.unwrap_or(0) + nano_usd));
    }

    /// Waits for a stated cause, within the deadline: a wait that would pass it is `timeout` at once.
    pub async fn wait(&self, cause: &str, duration: Duration) -> Result<()> {
        if duration > self.remaining() {
            return Err(Error::new(
                Code::Timeout,
                format!(
                    "the deadline comes before the {:.1} s of {cause} are over",
                    duration.as_secs_f64()
                ),
            )
            .with_retry_after(duration));
        }
        self.change(|receipt| {
            receipt.waits.push(Wait {
                cause: cause.to_owned(),
                seconds: duration.as_secs_f64(),
            });
        });
        tokio::select! {
            () = self.0.host.clock().sleep(duration) => Ok(()),
            () = self.0.cancellation.cancelled() => Err(cancelled()),
        }
    }

    /// Runs the work of the call, ends the operation with its result, and hands out the receipt beside the value.
    pub async fn run<T>(self, work: impl Future<Output = Result<T>>) -> Result<(T, Receipt)> {
        let result = tokio::select! {
            biased;
            () = self.0.cancellation.cancelled() => Err(cancelled()),
            result = work => result,
        };
        self.end(result)
    }

    /// Ends the operation with its result. Streams, which end later than the call that opened them, use this.
    pub fn end<T>(&self, result: Result<T>) -> Result<(T, Receipt)> {
        let outcome = match &result {
            Ok(_) => "ok",
            Err(error) => error.code().name(),
        };
        let receipt = self.close(outcome);
        match result {
            Ok(value) => Ok((value, receipt)),
            Err(error) => {
                let error = if error.operation().is_some() {
                    error
                } else {
                    error.with_operation(self.0.name)
                };
                let error = match &receipt.provider {
                    Some(provider) if error.provider().is_none() => error.with_provider(provider),
                    _ => error,
                };
                let attempts = receipt.attempts.len() as u32;
                Err(error.with_attempts(attempts).with_receipt(receipt))
            }
        }
    }

    fn close(&self, outcome: &str) -> Receipt {
        let taken = self.lock().take();
        let mut receipt = taken.expect("an operation ends once: `run` and `end` are its only ends");
        outcome.clone_into(&mut receipt.outcome);
        receipt.seconds = self
            .0
            .host
            .clock()
            .monotonic()
            .saturating_sub(self.0.started)
            .as_secs_f64();
        self.0.host.receipts().record(&receipt);
        receipt
    }

    fn change(&self, change: impl FnOnce(&mut Receipt)) {
        if let Some(receipt) = self.lock().as_mut() {
            change(receipt);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Receipt>> {
        self.0.receipt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The caller went away before the end: the receipt says so, because every call leaves exactly one.
        if let Some(mut receipt) = self.receipt.lock().unwrap_or_else(PoisonError::into_inner).take() {
            receipt.seconds = self
                .host
                .clock()
                .monotonic()
                .saturating_sub(self.started)
                .as_secs_f64();
            self.host.receipts().record(&receipt);
        }
    }
}

fn cancelled() -> Error {
    Error::new(Code::Cancelled, "the call was cancelled").with_outcome(Outcome::Unknown)
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation")
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}
