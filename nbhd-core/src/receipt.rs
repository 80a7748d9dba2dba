//! The record of one operation. It carries no body, no secret and no URL beyond the host.

use std::fmt::Debug;
use std::sync::Mutex;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One request of an operation, as it stands in the receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Attempt {
    /// What was asked, such as `gmail.messages.get`.
    pub label: String,
    /// The host that was asked.
    pub host: String,
    /// The status of the reply; absent when there was none.
    pub status: Option<u16>,
    /// The error code, when it failed.
    pub error: Option<String>,
    /// The other side's id of the request.
    pub request_id: Option<String>,
    /// Bytes of the request body.
    pub bytes_sent: u64,
    /// Bytes of the reply body that were read.
    pub bytes_received: u64,
    /// Seconds from the first byte written to the end of the body.
    pub seconds: f64,
    /// Rate-limit and quota headers of the reply.
    pub limits: Vec<(String, String)>,
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
            limits: Vec::new(),
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
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }
}

impl ReceiptSink for MemoryReceipts {
    fn record(&self, receipt: &Receipt) {
        let mut kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if kept.len() == MEMORY_RECEIPTS {
            kept.pop_front();
        }
        kept.push_back(receipt.clone());
    }
}
