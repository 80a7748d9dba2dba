//! The words of the inbox: what is accepted, what a worker is handed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An event that a verified webhook or a poll brought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    /// The channel or service that it came from, such as `telegram`.
    pub provider: String,
    /// The account of ours that it came to; dedupe keys and lanes live within provider and instance.
    pub instance: String,
    /// The canonical dedupe key first, then its aliases. All are claimed in one step.
    pub dedupe: Vec<String>,
    /// The lane whose events are handled one after another: the conversation.
    pub lane: String,
    /// The event's own fields; they stand beside the inbox's own in [`Event`].
    pub data: Map<String, Value>,
}

/// What accepting answered. Only after it may the host acknowledge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Accepted {
    /// The id of the event: of the first one, when this is a duplicate.
    pub id: String,
    /// Whether it had been accepted before; then nothing runs.
    pub duplicate: bool,
}

/// An accepted event, as a worker gets it. The fields of [`NewEvent::data`] stand beside these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboxEvent")]
pub struct Event {
    /// Its id.
    pub id: String,
    /// The channel or service that it came from.
    pub provider: String,
    /// The account of ours that it came to.
    pub instance: String,
    /// Its lane.
    pub lane: String,
    /// When it was accepted, ISO 8601, by the store's clock.
    pub accepted_at: String,
    /// Which attempt at handling it this is, from 1.
    pub attempt: u32,
    /// The event's own fields.
    #[serde(flatten)]
    pub data: Map<String, Value>,
}
