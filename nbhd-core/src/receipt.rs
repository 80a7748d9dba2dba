//! The record of one operation. It carries no body, no secret and no URL beyond the host.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One request of an operation, as it stands in the receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RequestAttempt")]
#[non_exhaustive]
pub struct Attempt {
    /// What was asked, such as `gmail.messages.get`.
    pub label: String,
    /// The host that was asked.
    pub host: String,
    /// The status of the reply; absent when there was none.
    pub status: Option<u16>,
    /// The error code, when it failed or was refused.
    pub error: Option<String>,
    /// The other side's id of the request.
    pub request_id: Option<String>,
    /// Bytes of the request body.
    pub bytes_sent: u64,
    /// Bytes of the reply body that were read.
    pub bytes_received: u64,
    /// Seconds from the first byte written to the end of the body.
    pub seconds: f64,
    /// Rate-limit and quota headers of the reply, by name.
    pub limits: BTreeMap<String, String>,
}

impl Attempt {
    /// An attempt that has just begun.
    pub fn new(label: impl Into<String>, host: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            host: host.into(),
            status: None,
            error: None,
            request_id: None,
            bytes_sent: 0,
            bytes_received: 0,
            seconds: 0.0,
            limits: BTreeMap::new(),
        }
    }
}

/// A pause within an operation, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Wait {
    /// Why, such as `retry_after`, `backoff`, `permit` or `single_flight`.
    pub cause: String,
    /// How long, in seconds.
    pub seconds: f64,
}

/// The record of one public call; every call leaves exactly one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Receipt {
    /// Its id.
    pub id: String,
    /// The public call, such as `gmail.list_messages`.
    pub operation: String,
    /// The provider, channel or service.
    pub provider: Option<String>,
    /// The account, conversation or scope it was for.
    pub account: Option<String>,
    /// When it began, ISO 8601.
    pub started_at: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// `ok`, or the code of the error; `cancelled` when the caller went away.
    pub outcome: String,
    /// Its requests, in order.
    pub attempts: Vec<Attempt>,
    /// Its pauses, in order.
    pub waits: Vec<Wait>,
    /// Bytes of all request bodies.
    pub bytes_sent: u64,
    /// Bytes of all reply bodies that were read.
    pub bytes_received: u64,
    /// What it cost in nano-USD, when it is a thing that costs.
    pub cost_nano_usd: Option<i64>,
}

/// Where receipts go. It must not block: it is called on the caller's thread.
pub trait ReceiptSink: Send + Sync + Debug {
    /// Takes a receipt.
    fn record(&self, receipt: &Receipt);
}

/// Keeps the last receipts in memory: 1,000, so that a program that never looks at them does not grow.
#[derive(Debug, Default)]
pub struct MemoryReceipts(Mutex<std::collections::VecDeque<Receipt>>);

/// How many receipts [`MemoryReceipts`] keeps.
pub const MEMORY_RECEIPTS: usize = 1_000;

impl MemoryReceipts {
    /// The receipts kept, oldest first.
    pub fn all(&self) -> Vec<Receipt> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }
}

impl ReceiptSink for MemoryReceipts {
    fn record(&self, receipt: &Receipt) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == MEMORY_RECEIPTS {
            kept.pop_front();
        }
        kept.push_back(receipt.clone());
    }
}

/// Writes each receipt as one line of JSON.
pub struct JsonLines<W> {
    to: Mutex<W>,
    lost: AtomicU64,
}

impl<W: Write + Send> JsonLines<W> {
    /// A sink that writes to `to`: an append-only file, a pipe, a buffer. Each line is flushed.
    pub fn new(to: W) -> Self {
        Self {
            to: Mutex::new(to),
            lost: AtomicU64::new(0),
        }
    }

    /// How many receipts could not be written. A call does not fail because its receipt is lost.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// What was written to, for a sink that is taken apart.
    pub fn into_inner(self) -> W {
        self.to.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Write + Send> ReceiptSink for JsonLines<W> {
    fn record(&self, receipt: &Receipt) {
        let written = serde_json::to_vec(receipt)
            .map_err(std::io::Error::other)
            .and_then(|mut line| {
                line.push(b'\n');
                let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
                // One write a line: lines of several processes on one append-only file do not mix.
                to.write_all(&line)?;
                to.flush()
            });
        if written.is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<W> Debug for JsonLines<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines")
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

/// Gives each receipt to a function. One that panics loses the receipt, and nothing else.
pub struct Callback<F>(F);

impl<F: Fn(&Receipt) + Send + Sync> Callback<F> {
    /// A sink that calls `function`, on the thread that ended the operation.
    pub fn new(function: F) -> Self {
        Self(function)
    }
}

impl<F: Fn(&Receipt) + Send + Sync> ReceiptSink for Callback<F> {
    fn record(&self, receipt: &Receipt) {
        // An operation also ends by being dropped, within a panic too: a second one would end the process.
        if catch_unwind(AssertUnwindSafe(|| (self.0)(receipt))).is_err() {
            tracing::warn!(target: "nbhd::receipt", "the receipt callback panicked");
        }
    }
}

impl<F> Debug for Callback<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

#[cfg(all(test, feature = "testkit"))]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Operation;
    use crate::testkit::Storeless;

    fn call(sink: Arc<dyn ReceiptSink>) {
        let host = Storeless::host().with_receipts(sink).build();
        drop(Operation::begin(&host, "test.call").end(Ok(())));
        drop(Operation::begin(&host, "test.dropped"));
    }

    #[test]
    fn every_sink_gets_one_receipt_a_call() {
        let memory = Arc::new(MemoryReceipts::default());
        call(memory.clone());
        let kept = memory.all();
        let told: Vec<(&str, &str)> = kept
            .iter()
            .map(|receipt| (receipt.operation.as_str(), receipt.outcome.as_str()))
            .collect();
        assert_eq!(told, [("test.call", "ok"), ("test.dropped", "cancelled")]);

        let lines = Arc::new(JsonLines::new(Vec::new()));
        call(lines.clone());
        let text = Arc::into_inner(lines).expect("the host is gone").into_inner();
        let read: Vec<Receipt> = text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).expect("a receipt"))
            .collect();
        assert_eq!(read.len(), 2);

        let (count, counted) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let inside = count.clone();
        call(Arc::new(Callback::new(move |_: &Receipt| {
            inside.fetch_add(1, Ordering::Relaxed);
        })));
        assert_eq!(count.load(Ordering::Relaxed), 2);
        let inside = counted.clone();
        call(Arc::new(Callback::new(move |_: &Receipt| {
            inside.fetch_add(1, Ordering::Relaxed);
            panic!("a careless callback");
        })));
        assert_eq!(counted.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn what_cannot_be_written_is_counted() {
        let full = JsonLines::new(std::io::Cursor::new([0_u8; 4]));
        let host = Storeless::host().build();
        let receipt = Operation::begin(&host, "test.call")
            .end(Ok(()))
            .expect("a receipt")
            .1;
        full.record(&receipt);
        assert_eq!(full.lost(), 1);
    }
}
