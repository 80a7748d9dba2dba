//! What is to be said.

use nbhd_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Conversation, ThreadId};
use crate::text::{Mentions, Text};

/// One message, of any length: what does not fit into one part goes in several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "OutboundMessage")]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Message {
    /// Where it goes: the `conversation` of an event, or the channel's own chat id.
    pub conversation: String,
    /// What it says, as Markdown. Either this or `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub markdown: Option<String>,
    /// What it says, as plain text in which nothing is markup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The idempotency key: the same key again never sends a part twice. Without one, each call is a message of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The id of the message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Whether it arrives without a sound.
    #[serde(default)]
    pub silent: bool,
    /// Whether `@name` in it reaches the people it names. Off, because what an assistant says quotes what others wrote.
    #[serde(default)]
    pub mentions: bool,
}

impl Message {
    /// A message in Markdown.
    pub fn markdown(conversation: impl Into<String>, markdown: impl Into<String>) -> Self {
        Self {
            markdown: Some(markdown.into()),
            ..Self::empty(conversation.into())
        }
    }

    /// A message in which nothing is markup.
    pub fn text(conversation: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::empty(conversation.into())
        }
    }

    fn empty(conversation: String) -> Self {
        Self {
            conversation,
            markdown: None,
            text: None,
            key: None,
            reply_to: None,
            silent: false,
            mentions: false,
        }
    }

    /// Sets the idempotency key.
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Names the message that it answers.
    pub fn with_reply_to(mut self, message_id: impl Into<String>) -> Self {
        self.reply_to = Some(message_id.into());
        self
    }

    /// Puts it into a thread of the conversation, which must be in its full form.
    pub fn with_thread(mut self, thread: ThreadId) -> Result<Self> {
        let conversation: Conversation = self.conversation.parse()?;
        self.conversation = conversation.with_thread(thread).to_string();
        Ok(self)
    }

    /// Lets it arrive without a sound.
    pub fn with_silent(mut self, silent: bool) -> Self {
        self.silent = silent;
        self
    }

    /// Lets `@name` in it reach the people it names.
    pub fn with_mentions(mut self, mentions: bool) -> Self {
        self.mentions = mentions;
        self
    }

    /// What it says as a span tree. `invalid_input` unless exactly one of `markdown` and `text` says something.
    pub fn to_text(&self) -> Result<Text> {
        let mentions = if self.mentions {
            Mentions::Live
        } else {
            Mentions::Disarmed
        };
        let text = match (&self.markdown, &self.text) {
            (Some(markdown), None) => Text::from_markdown_with(markdown, mentions),
            (None, Some(text)) => Text::from_plain(text, mentions),
            _ => {
                return Err(Error::new(
                    Code::InvalidInput,
                    "a message has either `markdown` or `text`",
                ));
            }
        };
        if text.is_blank() {
            return Err(Error::new(
                Code::InvalidInput,
                "the message has nothing that a reader would see",
            ));
        }
        Ok(text)
    }
}

/// A message that was rendered, split and checked, before anything is stored or sent.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// Where it goes.
    pub conversation: Conversation,
    /// Its parts in order, as JSON of the channel's own.
    pub parts: Vec<Value>,
}

impl Plan {
    /// The parts of a message for a conversation.
    pub fn new(conversation: Conversation, parts: Vec<Value>) -> Self {
        Self { conversation, parts }
    }
}
