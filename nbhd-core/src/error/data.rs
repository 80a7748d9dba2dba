//! An error as plain data: what crosses the language border and what a web view answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Code, Outcome};

/// What a refusal for money says beyond its code. Money is integer nano-USD (1 USD = 10⁹).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct BudgetRefusal {
    /// The scope that refused, such as `tenant:42`.
    pub scope: String,
    /// Its window, such as `day`.
    pub window: String,
    /// What is left in that window, in nano-USD.
    pub remaining: i64,
    /// What the refused attempt would have held, in nano-USD.
    pub needed: i64,
    /// The largest output cap, in tokens, that would still fit; 0 when not even the input fits.
    pub affordable_output_tokens: u64,
    /// When the window resets, ISO 8601; absent when it never does.
    pub resets_at: Option<String>,
}

impl BudgetRefusal {
    /// A refusal by `window` of `scope`.
    pub fn new(scope: impl Into<String>, window: impl Into<String>, remaining: i64, needed: i64) -> Self {
        Self {
            scope: scope.into(),
            window: window.into(),
            remaining,
            needed,
            affordable_output_tokens: 0,
            resets_at: None,
        }
    }
}

/// Every field of an [`Error`](super::Error) that may leave the process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ErrorData {
    /// The stable code.
    pub code: Code,
    /// What happened, scrubbed of secrets, at most 300 characters.
    pub message: String,
    /// Whether it may have happened on the other side.
    pub outcome: Outcome,
    /// Whether the same call can succeed later.
    pub retryable: bool,
    /// Seconds to wait before calling again.
    pub retry_after: Option<f64>,
    /// The public call that failed, such as `gmail.list_messages`.
    pub operation: Option<String>,
    /// The provider, channel or service that answered.
    pub provider: Option<String>,
    /// Its status code.
    pub provider_status: Option<u16>,
    /// Its own reason, such as `userRateLimitExceeded`.
    pub provider_reason: Option<String>,
    /// Its id of the request.
    pub request_id: Option<String>,
    /// How many attempts were made.
    pub attempts: u32,
    /// What the person can do next.
    pub user_action: String,
    /// The HTTP status for a web view.
    pub http_status: u16,
    /// What a budget refusal adds.
    pub budget: Option<BudgetRefusal>,
    /// The delivery of a half-done send: an outcome and the ids of each part.
    pub delivery: Option<serde_json::Value>,
    /// Further machine-readable facts, such as the missing scopes.
    pub details: Option<serde_json::Value>,
    /// The messages of the causes, outermost first.
    pub causes: Vec<String>,
}
