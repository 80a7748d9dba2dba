//! From a message to its delivery: planned, stored, then dispatched part by part, and resumed where it stopped.

use std::time::Duration;

use async_trait::async_trait;
use nbhd_core::outbox::{Intent, NewIntent, Part, PartState, SendPart};
use nbhd_core::{Code, Error, Operation, Outcome, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::delivery::Sent;
use super::{Conversation, DeliveredPart, Delivery, Message, PartOutcome, Plan};
use crate::channel::Channel;

/// What the outbox stores for a part.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    /// Where it goes.
    conversation: Conversation,
    /// The request, as JSON of the channel's own.
    request: Value,
}

/// A message as a send intent, for writes that decide on a send: `work.commit(sends)`. Without a key it gets a random one.
pub fn intent(channel: &dyn Channel, message: &Message) -> Result<NewIntent> {
    let Plan { conversation, parts } = channel.prepare(message)?;
    let parts = parts
        .into_iter()
        .map(|request| {
            serde_json::to_value(Stored {
                conversation: conversation.clone(),
                request,
            })
            .map_err(|_| Error::new(Code::Internal, "a part cannot be written as JSON"))
        })
        .collect::<Result<Vec<Value>>>()?;
    Ok(NewIntent {
        key: message
            .key
            .clone()
            .unwrap_or_else(|| channel.host().random().id()),
        channel: channel.capabilities().channel.clone(),
        account: conversation.account.to_string(),
        parts,
    })
}

/// Sends a message through a channel. Returns only if every part was sent.
pub async fn deliver(channel: &dyn Channel, message: Message) -> Result<Delivery> {
    run(channel, async |sender| {
        let new = intent(channel, &message)?;
        let outbox = channel.host().outbox();
        let place = (new.channel.clone(), new.account.clone(), new.key.clone());
        match outbox.dispatch(new, sender).await {
            Ok(intent) => Ok(intent),
            Err(error) => {
                // What was sent before the store went away is worth a word, if the store still has it.
                let (channel, account, key) = place;
                match outbox.get(&channel, &account, &key).await {
                    Ok(Some(intent)) if error.class() != nbhd_core::error::Class::Caller => {
                        Err(error.with_delivery(shown(&intent)))
                    }
                    _ => Err(error),
                }
            }
        }
    })
    .await
}

/// Sends what is missing of a message that was stored under `key`. `not_found` when there is none.
pub async fn resume(channel: &dyn Channel, key: &str) -> Result<Delivery> {
    run(channel, async |sender| {
        let account = channel.account()?;
        let name = channel.capabilities().channel.as_str();
        channel
            .host()
            .outbox()
            .resume(name, account.as_str(), key, sender)
            .await
    })
    .await
}

async fn run(
    channel: &dyn Channel,
    work: impl AsyncFnOnce(&Dispatch<'_>) -> Result<Intent>,
) -> Result<Delivery> {
    let operation = Operation::begin(channel.host(), channel.operations().send)
        .with_provider(channel.capabilities().channel.as_str());
    let sender = Dispatch {
        channel,
        operation: operation.clone(),
    };
    let (intent, receipt) = operation.run(async { finish(work(&sender).await?) }).await?;
    let conversation =
        place(&intent).ok_or_else(|| Error::new(Code::Internal, "a stored part names no conversation"))?;
    Ok(Delivery {
        parts: intent.parts.iter().map(delivered).collect(),
        key: intent.key,
        channel: intent.channel,
        conversation,
        receipt,
    })
}

struct Dispatch<'a> {
    channel: &'a dyn Channel,
    operation: Operation,
}

#[async_trait]
impl SendPart for Dispatch<'_> {
    async fn send(&self, _intent: &Intent, part: &Part) -> Result<Value> {
        let answer = self
            .channel
            .dispatch(&self.operation, &part.payload["request"])
            .await;
        answer.map_err(|error| {
            // "Not now" is no refusal of the part: it was not taken, and the same key sends it later.
            if error.outcome() == Outcome::Refused && error.retryable() {
                error.with_outcome(Outcome::NotSent)
            } else {
                error
            }
        })
    }

    fn dedupe_window(&self) -> Option<Duration> {
        self.channel.capabilities().send_dedupe()
    }
}

/// Every part was sent, or it is an error that says which ones were.
fn finish(intent: Intent) -> Result<Intent> {
    let Some(outcome) = intent.outcome() else {
        return Ok(intent);
    };
    let parts: Vec<DeliveredPart> = intent.parts.iter().map(delivered).collect();
    let sent = parts
        .iter()
        .filter(|part| part.outcome == PartOutcome::Sent)
        .count();
    let Some(failed) = parts.iter().find(|part| part.outcome != PartOutcome::Sent) else {
        return Ok(intent);
    };
    let mut error = failure(failed, sent, parts.len()).with_outcome(outcome);
    if outcome == Outcome::Unknown {
        // The same call does not send again what may have arrived, so calling it again cannot succeed.
        error = error.with_retryable(false);
    }
    Err(error.with_delivery(shown(&intent)))
}

/// A delivery as an error carries it: the receipt stands beside it there.
fn shown(intent: &Intent) -> Value {
    let parts: Vec<DeliveredPart> = intent.parts.iter().map(delivered).collect();
    json!({
        "key": intent.key,
        "channel": intent.channel,
        "conversation": place(intent),
        "parts": parts,
    })
}

fn place(intent: &Intent) -> Option<Conversation> {
    let text = intent.parts.first()?.payload["conversation"].as_str()?;
    text.parse().ok()
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
        && let Ok(wait) = Duration::try_from_secs_f64(seconds)
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
