//! The words of the outbox: an intent, its parts, and what became of each.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Result;
use crate::error::ErrorData;

/// What is to be sent, before it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIntent {
    /// The idempotency key: the same key again resumes or returns, and never sends a part twice.
    pub key: String,
    /// The channel, such as `telegram`.
    pub channel: String,
    /// The account that sends; keys live within channel and account.
    pub account: String,
    /// The rendered parts in order, as JSON of the channel's own; the same key with other parts is `conflict`.
    pub parts: Vec<Value>,
}

/// What became of one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PartState {
    /// Not begun.
    Pending,
    /// Begun by somebody whose lease is live; when it ends without a word, the part is `Unknown`.
    Sending,
    /// The platform said that it has it.
    Sent,
    /// The platform said that it will not have it.
    Refused,
    /// It may have arrived. It is not sent again unless the platform deduplicates its key.
    Unknown,
    /// It will not be sent: somebody cancelled it.
    Cancelled,
}

/// One stored part of an intent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "IntentPart")]
pub struct Part {
    /// Its place, from 0.
    pub index: usize,
    /// What is sent, as JSON of the channel's own.
    pub payload: Value,
    /// What became of it.
    pub state: PartState,
    /// What the platform gave for it (message id, time …), as JSON of the channel's own.
    pub result: Option<Value>,
    /// Why it was refused, not sent or is unknown.
    pub error: Option<ErrorData>,
    /// Until when it is sent again while it is unknown, ISO 8601: so long the platform surely deduplicates its key.
    #[serde(default)]
    pub resend_until: Option<String>,
    /// The taking of the lease under which it was last begun, 0 before: what is said of an earlier one is out of date.
    #[serde(default)]
    pub epoch: u64,
}

/// A stored intent with all its parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Intent {
    /// The idempotency key.
    pub key: String,
    /// The channel.
    pub channel: String,
    /// The account that sends.
    pub account: String,
    /// Its parts in order.
    pub parts: Vec<Part>,
    /// When it was stored, ISO 8601.
    pub created_at: String,
}

/// Sends one part. An error's outcome decides its state: `not_sent` leaves it pending, `refused` and `unknown` stay.
///
/// A part that is sent again because it was unknown stays so until the platform says that it has it: that the later
/// attempt failed proves nothing of the earlier one. A refusal that is not retryable ends the resending, because the
/// platform would only repeat it; one that is retryable ("not now") is waited for within the window.
#[async_trait]
pub trait SendPart: Send + Sync {
    /// Sends `part` and returns what the platform gave for it.
    async fn send(&self, intent: &Intent, part: &Part) -> Result<Value>;

    /// For how long the platform itself deduplicates the key of a part, as it states; `None` when it does not. Within
    /// this time after it was begun an unknown part is sent again, under the same key; 30 days at most, which is how
    /// long the key is remembered here.
    fn dedupe_window(&self) -> Option<Duration> {
        None
    }
}
