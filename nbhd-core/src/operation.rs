//! One public call between us and another side: one receipt, one deadline, one cancellation. All its requests join it.
//!
//! A call that reaches the host's own store and nobody else (inbox, outbox, queue, limits) is none, and leaves no receipt.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::rfc3339;
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
    deadline: Duration,
    cancellation: CancellationToken,
    record: Arc<Record>,
    /// What a branch asked after the call that it belongs to had ended; `None` in the call itself.
    late: Option<Mutex<Receipt>>,
}

/// The receipt of a call, shared by all that works for it. `None` when the call has ended.
struct Record {
    host: Host,
    started: Duration,
    /// The place of the next request: those that run side by side stand in the order in which they began.
    turn: AtomicU64,
    receipt: Mutex<Option<Open>>,
}

/// A receipt that is being written.
struct Open {
    receipt: Receipt,
    /// The places of its attempts.
    turns: Vec<u64>,
}

impl Operation {
    /// Opens an operation with the default [`DEADLINE`].
    pub fn begin(host: &Host, name: &'static str) -> Self {
        Self::begin_within(host, name, DEADLINE)
    }

    /// Opens an operation that must end within `limit`.
    pub fn begin_within(host: &Host, name: &'static str, limit: Duration) -> Self {
        let started = host.clock().monotonic();
        Self(Arc::new(Inner {
            name,
            host: host.clone(),
            deadline: started + limit,
            cancellation: CancellationToken::new(),
            record: Arc::new(Record {
                host: host.clone(),
                started,
                turn: AtomicU64::new(0),
                receipt: Mutex::new(Some(Open {
                    receipt: blank(host, name),
                    turns: Vec::new(),
                })),
            }),
            late: None,
        }))
    }

    /// Work of this call that others wait for too, such as a refresh: it stands in this call's receipt, but has a deadline of
    /// its own and goes on when the caller goes away. What it asks after the call has ended leaves a receipt named `name`.
    ///
    /// A branch is not ended by `run` or `end`: it ends with its last handle.
    pub fn branch(&self, name: &'static str, limit: Duration) -> Self {
        let host = &self.0.host;
        let mut late = blank(host, name);
        if let Some(open) = self.lock().as_ref() {
            late.provider.clone_from(&open.receipt.provider);
            late.account.clone_from(&open.receipt.account);
        }
        Self(Arc::new(Inner {
            name,
            host: host.clone(),
            deadline: host.clock().monotonic() + limit,
            cancellation: CancellationToken::new(),
            record: self.0.record.clone(),
            late: Some(Mutex::new(late)),
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
        self.note_attempt_at(self.next_turn(), attempt);
    }

    /// The place of a request that begins now.
    pub(crate) fn next_turn(&self) -> u64 {
        self.0.record.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// Writes a request into the receipt at the place that it got when it began.
    pub(crate) fn note_attempt_at(&self, turn: u64, attempt: Attempt) {
        let count = |receipt: &mut Receipt| {
            receipt.bytes_sent += attempt.bytes_sent;
            receipt.bytes_received += attempt.bytes_received;
        };
        if let Some(Open { receipt, turns }) = self.lock().as_mut() {
            count(receipt);
            let place = turns.partition_point(|before| *before < turn);
            turns.insert(place, turn);
            receipt.attempts.insert(place, attempt);
            return;
        }
        self.after_end(|receipt| {
            count(receipt);
            receipt.attempts.push(attempt.clone());
        });
    }

    /// How many requests stand in the receipt.
    pub fn attempts(&self) -> u32 {
        self.lock()
            .as_ref()
            .map_or(0, |open| open.receipt.attempts.len() as u32)
    }

    /// Writes what it cost into the receipt.
    pub fn note_cost(&self, nano_usd: i64) {
        self.change(|receipt| receipt.cost_nano_usd = Some(receipt.cost_nano_usd.unwrap_or(0) + nano_usd));
    }

    /// Writes into the receipt that the call waited, and for what.
    pub fn note_wait(&self, cause: &str, duration: Duration) {
        self.change(|receipt| {
            receipt.waits.push(Wait {
                cause: cause.to_owned(),
                seconds: duration.as_secs_f64(),
            });
        });
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
        self.note_wait(cause, duration);
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

    /// Ends the operation with its result. Streams, which end later than the call that opened them, use this. A second end is
    /// `invalid_state`, or the error that it was given.
    pub fn end<T>(&self, result: Result<T>) -> Result<(T, Receipt)> {
        let outcome = match &result {
            Ok(_) => "ok",
            Err(error) => error.code().name(),
        };
        let Some(receipt) = self.close(outcome) else {
            return Err(result.err().unwrap_or_else(ended_before));
        };
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

    /// The receipt, written; `None` where it was written before: an operation ends once.
    fn close(&self, outcome: &str) -> Option<Receipt> {
        let mut receipt = self.lock().take()?.receipt;
        outcome.clone_into(&mut receipt.outcome);
        self.0.record.write(&mut receipt);
        Some(receipt)
    }

    fn change(&self, change: impl FnOnce(&mut Receipt)) {
        if let Some(open) = self.lock().as_mut() {
            change(&mut open.receipt);
            return;
        }
        self.after_end(change);
    }

    /// What is still told to a branch when its call has ended; a call itself has nothing to tell any more.
    fn after_end(&self, change: impl FnOnce(&mut Receipt)) {
        if let Some(late) = &self.0.late {
            change(&mut late.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.0
            .record
            .receipt
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn write(&self, receipt: &mut Receipt) {
        let now = self.host.clock().monotonic();
        receipt.seconds = now.saturating_sub(self.started).as_secs_f64();
        self.host.receipts().record(receipt);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // The caller went away before the end: the receipt says so, because every call leaves exactly one.
        let taken = self.receipt.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Open { mut receipt, .. }) = taken {
            self.write(&mut receipt);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(late) = self.late.take() else { return };
        let mut late = late.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = late.attempts.last() {
            late.outcome = last.error.clone().unwrap_or_else(|| "ok".to_owned());
            late.seconds = late.attempts.iter().map(|attempt| attempt.seconds).sum();
            self.host.receipts().record(&late);
        }
    }
}

/// A receipt that has just begun.
fn blank(host: &Host, name: &str) -> Receipt {
    Receipt {
        id: host.random().id(),
        operation: name.to_owned(),
        provider: None,
        account: None,
        started_at: rfc3339(host.clock().now()),
        seconds: 0.0,
        outcome: "cancelled".to_owned(),
        attempts: Vec::new(),
        waits: Vec::new(),
        bytes_sent: 0,
        bytes_received: 0,
        cost_nano_usd: None,
    }
}

fn ended_before() -> Error {
    Error::new(Code::InvalidState, "the operation has ended already")
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

#[cfg(all(test, feature = "testkit"))]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::Operation;
    use crate::receipt::{Attempt, MemoryReceipts};
    use crate::testkit::Storeless;
    use crate::{Code, Error};

    fn told(receipts: &MemoryReceipts) -> Vec<(String, String, usize)> {
        let all = receipts.all().into_iter();
        all.map(|receipt| (receipt.operation, receipt.outcome, receipt.attempts.len()))
            .collect()
    }

    fn row(operation: &str, outcome: &str, attempts: usize) -> (String, String, usize) {
        (operation.to_owned(), outcome.to_owned(), attempts)
    }

    #[test]
    fn a_second_end_is_an_error_and_no_second_receipt() {
        let receipts = Arc::new(MemoryReceipts::default());
        let host = Storeless::host().with_receipts(receipts.clone()).build();
        let call = Operation::begin(&host, "test.call");
        assert!(call.end(Ok(())).is_ok());
        let again = |result: crate::Result<()>| call.end(result).unwrap_err().code();
        assert_eq!(again(Ok(())), Code::InvalidState);
        assert_eq!(again(Err(Error::new(Code::Timeout, "late"))), Code::Timeout);
        assert_eq!(told(&receipts), [row("test.call", "ok", 0)]);
    }

    #[test]
    fn a_branch_stands_in_the_receipt_of_its_call() {
        let receipts = Arc::new(MemoryReceipts::default());
        let host = Storeless::host().with_receipts(receipts.clone()).build();
        let ask = |operation: &Operation| operation.note_attempt(Attempt::new("test.ask", "localhost"));

        let call = Operation::begin(&host, "test.call");
        let branch = call.branch("test.branch", Duration::from_secs(1));
        ask(&branch);
        drop(branch);
        assert!(call.end(Ok(())).is_ok());
        assert_eq!(told(&receipts), [row("test.call", "ok", 1)]);

        // The caller goes away: its receipt waits for what works for it.
        let call = Operation::begin(&host, "test.dropped");
        let branch = call.branch("test.branch", Duration::from_secs(1));
        drop(call);
        ask(&branch);
        drop(branch);
        assert_eq!(told(&receipts)[1..], [row("test.dropped", "cancelled", 1)]);

        // The call ends first: what is asked after that stands by itself, and nothing is lost.
        let call = Operation::begin(&host, "test.ended").with_account("tenant-42");
        let branch = call.branch("test.branch", Duration::from_secs(1));
        assert!(call.end(Ok(())).is_ok());
        ask(&branch);
        drop((call, branch));
        assert_eq!(
            told(&receipts)[2..],
            [row("test.ended", "ok", 0), row("test.branch", "ok", 1)]
        );
        let late = &receipts.all()[3];
        assert_eq!(late.account.as_deref(), Some("tenant-42"));
    }
}
