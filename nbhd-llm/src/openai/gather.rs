//! An answer from one whole reply or from its chunks: both take the same way, so both say the same.

use nbhd_core::{Code, Error, Outcome, Result};
use serde_json::Value;

use super::assemble::Calls;
use super::compatible::Row;
use super::error::within_success;
use super::lenient::Text;
use super::{convert, usage, wire};
use crate::chat::{FinishReason, ProviderBlocks, Usage};
use crate::provider::{ProviderAnswer, ProviderEvent};

/// What has been said so far.
#[derive(Debug)]
pub(super) struct Gather {
    row: &'static Row,
    text: String,
    reasoning: String,
    details: Vec<Value>,
    calls: Calls,
    finish: Option<FinishReason>,
    finish_detail: Option<String>,
    refused: bool,
    usage: Option<Usage>,
    model: Option<String>,
    id: Option<String>,
    service_tier: Option<String>,
    begun: bool,
}

impl Gather {
    pub(super) fn new(row: &'static Row) -> Self {
        Self {
            row,
            text: String::new(),
            reasoning: String::new(),
            details: Vec::new(),
            calls: Calls::default(),
            finish: None,
            finish_detail: None,
            refused: false,
            usage: None,
            model: None,
            id: None,
            service_tier: None,
            begun: false,
        }
    }

    /// The usage seen so far.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Whether the provider has said why it ended.
    pub(super) fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Takes a whole reply or a chunk; `bytes` are what it was read from. `events` is for who reads along.
    pub(super) fn take(
        &mut self,
        provider: &str,
        reply: wire::Reply<'_>,
        bytes: &[u8],
        mut events: Option<&mut Vec<ProviderEvent>>,
    ) -> Result<()> {
        // Usage first: it counts even if the rest of the chunk is a failure. The last one wins.
        let aside = reply.x_groq.as_ref().and_then(|aside| aside.usage.as_deref());
        if let Some(found) = reply.usage.as_deref().or(aside) {
            self.usage = Some(usage::usage(self.row, found));
        }
        if reply.error.as_ref().is_some_and(|error| !error.is_null()) || reply.object.some() == Some("error")
        {
            return Err(within_success(provider, bytes));
        }
        if !self.begun {
            self.begun = true;
            if let Some(events) = &mut events {
                events.push(ProviderEvent::Started);
            }
        }
        keep(&mut self.id, &reply.id);
        keep(&mut self.model, &reply.model);
        if let Some(tier) = reply.service_tier.some()
            && self.service_tier.as_deref() != Some(tier)
        {
            self.service_tier = Some(tier.to_owned());
        }
        for choice in reply.choices.into_iter().flatten() {
            // More answers than one are never asked for.
            if choice.index.unwrap_or(0) != 0 {
                continue;
            }
            if let Some(found) = &choice.usage {
                self.usage = Some(usage::usage(self.row, found));
            }
            if choice.error.as_ref().is_some_and(|error| !error.is_null()) {
                return Err(within_success(provider, bytes));
            }
            if let Some(said) = choice.delta.or_else(|| choice.message.map(|said| *said)) {
                self.said(said, events.as_deref_mut())?;
            }
            // Some send the end twice: the first word stands.
            if self.finish.is_none()
                && let Some(word) = choice.finish_reason.some()
            {
                self.finish = convert::finish_reason(word);
                self.finish_detail = Some(word.to_owned());
                if self.finish == Some(FinishReason::Error) {
                    return Err(within_success(provider, bytes));
                }
            }
        }
        Ok(())
    }

    fn said(&mut self, said: wire::Said<'_>, mut events: Option<&mut Vec<ProviderEvent>>) -> Result<()> {
        // `reasoning` and `reasoning_content` are two names for one thing where both are sent.
        let thought = said
            .reasoning_content
            .some()
            .or(said.reasoning.some())
            .or(said.content.thinking.as_deref());
        if let Some(thought) = thought {
            self.reasoning.push_str(thought);
            if let Some(events) = &mut events {
                events.push(ProviderEvent::Reasoning(thought.to_owned()));
            }
        }
        for piece in said.reasoning_details.into_iter().flatten() {
            merge(&mut self.details, piece);
        }
        self.refused |= said.refusal.some().is_some();
        for text in [said.content.text, said.refusal]
            .into_iter()
            .filter_map(Text::taken)
        {
            if let Some(events) = &mut events {
                events.push(ProviderEvent::Text(String::from(&*text)));
            }
            if self.text.is_empty() {
                self.text = text.into_owned();
            } else {
                self.text.push_str(&text);
            }
        }
        if let Some(calls) = said.tool_calls.filter(|calls| !calls.is_empty()) {
            for call in &calls {
                self.calls.take(call)?;
            }
            if let Some(events) = &mut events {
                events.push(ProviderEvent::ToolProgress);
            }
        }
        Ok(())
    }

    /// The whole answer. What was gathered is handed out: there is nothing left after it.
    pub(super) fn finish(&mut self, provider: &str) -> Result<ProviderAnswer> {
        let called = !self.calls.is_empty();
        let finish_reason = match self.finish {
            _ if self.refused => FinishReason::Filtered,
            None | Some(FinishReason::Stop) if called => FinishReason::ToolCalls,
            Some(reason) => reason,
            None => FinishReason::Other,
        };
        let tool_calls = self.calls.finish(self.id.as_deref().unwrap_or_default())?;
        let blocks = convert::blocks(self.row, &self.reasoning, std::mem::take(&mut self.details));
        Ok(ProviderAnswer {
            text: std::mem::take(&mut self.text),
            reasoning: Some(std::mem::take(&mut self.reasoning)).filter(|reasoning| !reasoning.is_empty()),
            tool_calls,
            finish_reason: Some(finish_reason),
            finish_detail: if self.refused {
                Some("refusal".to_owned())
            } else {
                self.finish_detail.take()
            },
            usage: self.usage,
            model: self.model.take(),
            id: self.id.take(),
            service_tier: self.service_tier.take(),
            provider_blocks: blocks.map(|blocks| ProviderBlocks {
                provider: provider.to_owned(),
                blocks,
            }),
        })
    }
}

/// A reply without any answer in it.
pub(super) fn empty(provider: &str) -> Error {
    Error::new(
        Code::ProtocolError,
        format!("{provider} answered without an answer"),
    )
    .with_provider(provider)
    .with_outcome(Outcome::Unknown)
}

fn keep(kept: &mut Option<String>, found: &Text<'_>) {
    if kept.is_none()
        && let Some(found) = found.some()
    {
        *kept = Some(found.to_owned());
    }
}

/// Adds a piece of the provider's own reasoning blocks: pieces of the same block grow its texts.
fn merge(details: &mut Vec<Value>, piece: Value) {
    let grows = details.last().is_some_and(|last| {
        last["type"] == piece["type"] && last["index"] == piece["index"] && !piece["index"].is_null()
    });
    let (true, Some(Value::Object(last)), Value::Object(piece)) = (grows, details.last_mut(), &piece) else {
        details.push(piece);
        return;
    };
    for (name, value) in piece {
        match (last.get_mut(name), value) {
            (Some(Value::String(whole)), Value::String(more))
                if matches!(name.as_str(), "text" | "summary" | "data") =>
            {
                whole.push_str(more);
            }
            (_, Value::Null) => {}
            _ => {
                last.insert(name.clone(), value.clone());
            }
        }
    }
}
