//! A turn: one event of the inbox, from claim to done.

use nbhd_channels::{Delivery, Message};
use nbhd_core::inbox::{Event, Work};
use nbhd_core::{Error, Outcome, Result};
use nbhd_llm::chat::ModelAttempt;
use serde::Serialize;

use super::{Assistant, Written};

/// What became of one event.
#[derive(Debug, Clone, Serialize)]
pub struct Turn {
    /// The event.
    pub event: String,
    /// Which attempt at it this was.
    pub attempt: u32,
    /// What was asked.
    pub question: String,
    /// The answer, when it was written in this life; absent when an earlier one had planned it.
    pub written: Option<Written>,
    /// What became of the answer; absent when the event asks for none.
    pub sent: Option<Sent>,
    /// Whether the event is done. If not it stays in the inbox.
    pub done: bool,
}

/// What became of an answer.
#[derive(Debug, Clone, Serialize)]
pub struct Sent {
    /// Its key.
    pub key: String,
    /// `sent`, `refused`, `not_sent` or `unknown`.
    pub outcome: String,
    /// Why it is not `sent`.
    pub reason: Option<String>,
    /// The delivery, with an outcome and an id for each part.
    pub delivery: serde_json::Value,
}

impl Assistant {
    /// Handles what is in the inbox until nothing is ready.
    pub async fn work(&self) -> Result<Vec<Turn>> {
        let mut turns = Vec::new();
        while let Some(work) = self.host.inbox().claim().await? {
            let turn = tokio::select! {
                turn = Box::pin(self.turn(&work)) => turn?,
                // Somebody else has the event now, and finishes it.
                () = work.keep() => continue,
            };
            turns.push(turn);
        }
        Ok(turns)
    }

    async fn turn(&self, work: &Work) -> Result<Turn> {
        let event = work.event();
        let mut turn = Turn {
            event: event.id.clone(),
            attempt: event.attempt,
            question: field(event, "text").to_owned(),
            written: None,
            sent: None,
            done: true,
        };
        if turn.question.is_empty() || !matches!(field(event, "kind"), "message" | "command") {
            work.done().await?;
            return Ok(turn);
        }
        match self.answer(event, &mut turn).await {
            Ok(()) => work.done().await?,
            Err(error) => {
                work.fail(&error).await?;
                turn.done = false;
            }
        }
        Ok(turn)
    }

    /// Sends the answer under its key. An error is worth another attempt; that it may have arrived is not.
    async fn answer(&self, event: &Event, turn: &mut Turn) -> Result<()> {
        let key = format!("answer:{}", event.id);
        let known = self
            .host
            .outbox()
            .get(&event.provider, &event.instance, &key)
            .await?;
        let delivered = if known.is_some() {
            (self.progress)("going on with the planned answer");
            self.telegram.resume(&key).await
        } else {
            let written = self.write(&turn.question).await?;
            (self.progress)("sending the answer");
            let message = Message::markdown(field(event, "conversation"), &written.markdown).with_key(&key);
            turn.written = Some(written);
            self.telegram.send(message).await
        };
        let (sent, again) = match delivered {
            Ok(delivery) => (Sent::whole(key, &delivery), None),
            Err(error) => {
                let again = error.outcome() == Outcome::NotSent;
                (Sent::not_whole(key, &error), again.then_some(error))
            }
        };
        turn.sent = Some(sent);
        again.map_or(Ok(()), Err)
    }
}

impl Turn {
    /// Every model that was asked.
    pub fn attempts(&self) -> &[ModelAttempt] {
        let answer = self.written.as_ref().and_then(|written| written.author.answer());
        answer.map_or(&[], |answer| &answer.attempts)
    }
}

impl Sent {
    fn whole(key: String, delivery: &Delivery) -> Self {
        Self {
            key,
            outcome: "sent".to_owned(),
            reason: None,
            delivery: serde_json::to_value(delivery).unwrap_or_default(),
        }
    }

    fn not_whole(key: String, error: &Error) -> Self {
        Self {
            key,
            outcome: error.outcome().name().to_owned(),
            reason: Some(error.message().to_owned()),
            delivery: error.delivery().cloned().unwrap_or_default(),
        }
    }
}

fn field<'e>(event: &'e Event, name: &str) -> &'e str {
    event
        .data
        .get(name)
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default()
}
