//! What came in: one verified event, in our words.
//!
//! Everything in it was written by others. Text is data for the assistant, never an instruction to it.

use bytes::Bytes;
use nbhd_core::inbox::NewEvent;
use nbhd_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AccountId, ChatId, Conversation, MessageId, SenderId};
use crate::text::Span;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// Something was said.
    Message,
    /// Something that was said was changed.
    Edit,
    /// Something that was said was taken back.
    Delete,
    /// Somebody reacted to a message.
    Reaction,
    /// A message that begins with a command.
    Command,
    /// A button was pressed.
    Callback,
    /// The platform says what became of a message of ours.
    DeliveryStatus,
    /// Somebody, or we ourselves, came, left, or got other rights.
    Membership,
}

/// What kind of place a chat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChatKind {
    /// One person and we.
    Direct,
    /// Several people.
    Group,
    /// A channel that few write and many read.
    Broadcast,
}

/// The chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundChat")]
#[non_exhaustive]
pub struct Chat {
    /// Its id.
    pub id: ChatId,
    /// What kind of place it is.
    pub kind: ChatKind,
    /// Its title, as its people chose it.
    pub title: Option<String>,
}

impl Chat {
    /// A chat without a title.
    pub fn new(id: ChatId, kind: ChatKind) -> Self {
        Self {
            id,
            kind,
            title: None,
        }
    }
}

/// Who said or did it. Only the id is a fact of the platform; names are what people chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Sender {
    /// The id.
    pub id: SenderId,
    /// The name that is shown.
    pub name: Option<String>,
    /// The handle, without `@`.
    pub username: Option<String>,
    /// The language of their app, as an IETF tag.
    pub language: Option<String>,
    /// Whether it is a program.
    pub bot: bool,
}

impl Sender {
    /// Somebody of whom only the id is known.
    pub fn new(id: SenderId) -> Self {
        Self {
            id,
            name: None,
            username: None,
            language: None,
            bot: false,
        }
    }
}

/// Whom the text names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Mention {
    /// Whether this account of ours is named by its platform id; a handle in the text alone is in `names`.
    pub us: bool,
    /// The handles and ids that are named, in order.
    pub names: Vec<String>,
}

/// A message that this one answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Reference {
    /// Its id.
    pub message_id: MessageId,
    /// Who said it.
    pub sender_id: Option<SenderId>,
    /// Whether it was this account of ours.
    pub ours: bool,
    /// What it said, or the part that was quoted.
    pub text: Option<String>,
}

impl Reference {
    /// A message of which only the id is known.
    pub fn new(message_id: MessageId) -> Self {
        Self {
            message_id,
            sender_id: None,
            ours: false,
            text: None,
        }
    }
}

/// A command and what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Command {
    /// Its name, without slash and without the account it is for.
    pub name: String,
    /// The account that it is addressed to, when it names one.
    pub target: Option<String>,
    /// The rest of the text.
    pub arguments: String,
}

/// A pressed button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Callback {
    /// What to answer the press with.
    pub id: String,
    /// What the button carries.
    pub data: Option<String>,
}

/// A reaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reaction {
    /// What is there now that was not there before: emoji, or the platform's id of one.
    pub added: Vec<String>,
    /// What was there before and is gone.
    pub removed: Vec<String>,
}

/// A change of who belongs to the chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Membership {
    /// Whom it is about.
    pub member_id: SenderId,
    /// Whether that is this account of ours.
    pub us: bool,
    /// The platform's word for what they were.
    pub before: String,
    /// The platform's word for what they are.
    pub after: String,
}

/// What an attachment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttachmentKind {
    /// A picture.
    Image,
    /// Moving pictures.
    Video,
    /// Sound.
    Audio,
    /// Somebody speaking.
    Voice,
    /// A sticker.
    Sticker,
    /// Any other file.
    File,
}

/// A file that can be fetched by its handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundAttachment")]
#[non_exhaustive]
pub struct Attachment {
    /// What it is.
    pub kind: AttachmentKind,
    /// The platform's handle, good for this account only.
    pub handle: String,
    /// Its name, as the sender chose it.
    pub name: Option<String>,
    /// Its media type, as the sender says.
    pub media_type: Option<String>,
    /// Its size in bytes, as the platform says.
    pub size: Option<u64>,
}

impl Attachment {
    /// A file of which only the handle is known.
    pub fn new(kind: AttachmentKind, handle: impl Into<String>) -> Self {
        Self {
            kind,
            handle: handle.into(),
            name: None,
            media_type: None,
            size: None,
        }
    }
}

/// One event, verified and read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct InboundEvent {
    /// What happened.
    pub kind: EventKind,
    /// The channel, such as `telegram`.
    pub channel: String,
    /// The account of ours that it came to.
    pub account: AccountId,
    /// Where it happened, and where the answer goes: also the lane in which such events are handled in order.
    pub conversation: Conversation,
    /// The platform's id of the event.
    pub event_id: String,
    /// The message that it is, or is about.
    pub message_id: Option<MessageId>,
    /// When it happened by the platform's clock, ISO 8601.
    pub sent_at: Option<String>,
    /// The chat.
    pub chat: Chat,
    /// Who did it.
    pub sender: Option<Sender>,
    /// Whom it names.
    pub mention: Mention,
    /// What it answers.
    pub reply_to: Option<Reference>,
    /// What was said, as it was written: untrusted.
    pub text: Option<String>,
    /// How stretches of the text are meant, in bytes of its UTF-8.
    pub spans: Vec<Span>,
    /// The command that the text is.
    pub command: Option<Command>,
    /// The button that was pressed.
    pub callback: Option<Callback>,
    /// The reaction.
    pub reaction: Option<Reaction>,
    /// The change of who belongs to the chat.
    pub membership: Option<Membership>,
    /// Files that came with it.
    pub attachments: Vec<Attachment>,
    /// What several events that form one album share.
    pub album: Option<String>,
    /// The canonical dedupe key first, then its aliases.
    pub dedupe: Vec<String>,
    #[serde(skip)]
    raw: Bytes,
}

impl InboundEvent {
    /// An event of a chat, everything else empty. `dedupe` is the canonical key.
    pub fn new(
        kind: EventKind,
        conversation: Conversation,
        chat: Chat,
        event_id: impl Into<String>,
        dedupe: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            channel: conversation.channel.clone(),
            account: conversation.account.clone(),
            conversation,
            event_id: event_id.into(),
            message_id: None,
            sent_at: None,
            chat,
            sender: None,
            mention: Mention::default(),
            reply_to: None,
            text: None,
            spans: Vec::new(),
            command: None,
            callback: None,
            reaction: None,
            membership: None,
            attachments: Vec::new(),
            album: None,
            dedupe: vec![dedupe.into()],
            raw: Bytes::new(),
        }
    }

    /// Keeps the platform's own bytes.
    pub fn with_raw(mut self, raw: Bytes) -> Self {
        self.raw = raw;
        self
    }

    /// The platform's own bytes, while the event has not left the process; else empty.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The lane in which events are handled one after another: the conversation.
    pub fn lane(&self) -> String {
        self.conversation.to_string()
    }

    /// What the inbox takes.
    pub fn to_new_event(&self) -> Result<NewEvent> {
        match serde_json::to_value(self) {
            Ok(Value::Object(data)) => Ok(NewEvent {
                provider: self.channel.clone(),
                instance: self.account.to_string(),
                dedupe: self.dedupe.clone(),
                lane: self.lane(),
                data,
            }),
            _ => Err(Error::new(Code::Internal, "an event cannot be written as JSON")),
        }
    }
}
