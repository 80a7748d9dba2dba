//! What became of a message: an outcome and an id for each of its parts.
//!
//! Invariant: a send returns only if every part was sent. Otherwise it is an error that carries the delivery: its code is that of
//! the first part that failed, its outcome the worst of all parts, `unknown` before `refused` before `not_sent`.

use async_trait::async_trait;
use nbhd_core::error::ErrorData;
use nbhd_core::outbox::{Intent, NewIntent, Part, PartState, SendPart};
use nbhd_core::{Code, Error, Operation, Outcome, Receipt, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Conversation, Message, MessageId, Plan, ThreadId};
use crate::channel::Channel;
use crate::pending::Pending as _;

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

/// Sends a message through a channel: rendered, stored, then dispatched part by part.
pub async fn deliver(channel: &dyn Channel, message: Message) -> Result<Delivery> {
    let host = channel.host();
    let name = channel.capabilities().channel.clone();
    let operation = Operation::begin(host, channel.operations().send).with_provider(&*name);
    let inside = operation.clone();
    let (done, receipt) = operation
        .run(async move {
            let Plan { conversation, parts } = channel.prepare(&message)?;
            let key = message.key.unwrap_or_else(|| host.random().id());
            let intent = NewIntent {
                key,
                channel: name,
                account: conversation.account.to_string(),
                parts,
            };
            let sender = Dispatch {
                channel,
                operation: &inside,
            };
            let intent = host.outbox().dispatch(intent, &sender).await?;
            finish(intent, conversation)
        })
        .await?;
    let (intent, conversation, parts) = done;
    Ok(Delivery {
        key: intent.key,
        channel: intent.channel,
        conversation,
        parts,
        receipt,
    })
}

struct Dispatch<'a> {
    channel: &'a dyn Channel,
    operation: &'a Operation,
}

#[async_trait]
impl SendPart for Dispatch<'_> {
    async fn send(&self, _intent: &Intent, part: &Part) -> Result<Value> {
        self.channel.dispatch(self.operation, &part.payload).await
    }
}

/// Every part was sent, or it is an error that says which ones were.
fn finish(intent: Intent, conversation: Conversation) -> Result<(Intent, Conversation, Vec<DeliveredPart>)> {
    let parts: Vec<DeliveredPart> = intent.parts.iter().map(delivered).collect();
    let Some(failed) = parts.iter().find(|part| part.outcome != PartOutcome::Sent) else {
        return Ok((intent, conversation, parts));
    };
    let worst = [
        (PartOutcome::Unknown, Outcome::Unknown),
        (PartOutcome::Refused, Outcome::Refused),
    ]
    .into_iter()
    .find(|(outcome, _)| parts.iter().any(|part| part.outcome == *outcome))
    .map_or(Outcome::NotSent, |(_, outcome)| outcome);
    let sent = parts
        .iter()
        .filter(|part| part.outcome == PartOutcome::Sent)
        .count();
    let error = failure(failed, sent, parts.len()).with_outcome(worst);
    let delivery = json!({
        "key": intent.key,
        "channel": intent.channel,
        "conversation": conversation,
        "parts": parts,
    });
    Err(error.with_delivery(delivery))
}

fn delivered(part: &Part) -> DeliveredPart {
    let sent: Option<Sent> = part
        .result
        .as_ref()
        .and_then(|result| serde_json::from_value(result.clone()).ok());
    let outcome = match part.state {
        PartState::Sent => PartOutcome::Sent,
        PartState::Refused => PartOutcome::Refused,
        PartState::Pending | PartState::Cancelled => PartOutcome::NotSent,
        // What somebody else is sending now may arrive.
        _ => PartOutcome::Unknown,
    };
    let (message_id, thread_id, at) = match sent {
        Some(sent) => (Some(sent.message_id), sent.thread_id, sent.at),
        None => (None, None, None),
    };
    DeliveredPart {
        index: part.index,
        message_id,
        thread_id,
        at,
        outcome,
        error: part.error.clone(),
    }
}

/// The error of the part that failed first.
fn failure(part: &DeliveredPart, sent: usize, all: usize) -> Error {
    let place = format!("part {} of {all} ({sent} were sent)", part.index + 1);
    let Some(data) = &part.error else {
        let (code, why) = match part.outcome {
            PartOutcome::Unknown => (Code::InvalidState, "may have arrived in an earlier attempt"),
            _ => (Code::InvalidState, "was not sent"),
        };
        return Error::new(code, format!("{place} {why}"));
    };
    let mut error = Error::new(data.code, format!("{place}: {}", data.message))
        .with_retryable(data.retryable)
        .with_user_action(&data.user_action);
    if let Some(seconds) = data.retry_after
        && let Ok(wait) = std::time::Duration::try_from_secs_f64(seconds)
    {
        error = error.with_retry_after(wait);
    }
    if let Some(status) = data.provider_status {
        error = error.with_provider_status(status);
    }
    if let Some(reason) = &data.provider_reason {
        error = error.with_provider_reason(reason);
    }
    if let Some(id) = &data.request_id {
        error = error.with_request_id(id);
    }
    error
}
