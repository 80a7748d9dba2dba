//! What became of a message: an outcome and an id for each of its parts.
//!
//! Invariant: a send returns only if every part was sent. Otherwise it is an error that carries the delivery: its code is that of
//! the first part that failed, its outcome the worst of all parts, `unknown` before `refused` before `not_sent`.

use nbhd_core::Receipt;
use nbhd_core::error::ErrorData;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Conversation, MessageId, ThreadId};

/// What became of one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartOutcome {
    /// The platform has it.
    Sent,
    /// The platform said that it will not have it.
    Refused,
    /// It was not sent; the same key sends it.
    NotSent,
    /// It may have arrived. The same key does not send it again.
    Unknown,
}

/// One part of a delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct DeliveredPart {
    /// Its place, from 0.
    pub index: usize,
    /// The platform's id of it, once it is sent.
    pub message_id: Option<MessageId>,
    /// The thread that it stands in.
    pub thread_id: Option<ThreadId>,
    /// When the platform took it by its own clock, ISO 8601.
    pub at: Option<String>,
    /// What became of it.
    pub outcome: PartOutcome,
    /// Why it was not sent.
    pub error: Option<ErrorData>,
}

/// A message that was sent: every part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Delivery {
    /// Its idempotency key, the caller's or a fresh one.
    pub key: String,
    /// The channel.
    pub channel: String,
    /// Where it went.
    pub conversation: Conversation,
    /// Its parts in order.
    pub parts: Vec<DeliveredPart>,
    /// The record of the call.
    pub receipt: Receipt,
}

/// What a channel gives for a part that was sent: kept as the part's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// The platform's id.
    pub(crate) message_id: MessageId,
    /// The thread that it stands in.
    pub(crate) thread_id: Option<ThreadId>,
    /// When, ISO 8601.
    pub(crate) at: Option<String>,
}
