//! What the stand-in saw: for proofs that count, and for tests that ask.

use nbhd_core::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One call that the stand-in handled, or one part of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SeenCall {
    /// The call in our words, such as `gmail.messages.get`; `unknown` when no path matched.
    pub label: String,
    /// When, by the stand-in's clock.
    pub at: Timestamp,
    /// The method.
    pub method: String,
    /// The path as it came.
    pub path: String,
    /// The query as it came.
    pub query: String,
    /// The status that it was answered with; absent when a fault left it without one.
    pub status: Option<u16>,
    /// The access token that came with it: so that a proof knows which tokens were really used.
    pub bearer: Option<String>,
    /// The refresh token that came with it.
    pub refresh_token: Option<String>,
    /// The client secret that came with it.
    pub client_secret: Option<String>,
    /// Whether it came inside a batch.
    pub in_batch: bool,
    /// The size of the request's body, in bytes.
    pub request_bytes: usize,
    /// The size of the answer's body, in bytes.
    pub answer_bytes: usize,
}
