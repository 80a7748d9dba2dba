//! What a parsed message is, in our words.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A message, read: its header card and its body.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ParsedMessage {
    /// The header fields that a list or a reply needs.
    pub header: MessageHeader,
    /// The readable body and what hangs on it.
    pub body: MessageText,
}

/// The header fields that a list or a reply needs, decoded. An absent or unreadable field is `None` or empty, never invented.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MessageHeader {
    /// `Subject`.
    pub subject: Option<String>,
    /// `From`; more than one only where the sender wrote several.
    pub from: Vec<Address>,
    /// `To`.
    pub to: Vec<Address>,
    /// `Cc`.
    pub cc: Vec<Address>,
    /// `Reply-To`.
    pub reply_to: Vec<Address>,
    /// `Date` as ISO 8601 with the sender's offset. `None` where it cannot be read: use the service's own date then.
    pub date: Option<String>,
    /// `Message-ID` without its angle brackets.
    pub message_id: Option<String>,
    /// The ids of `In-Reply-To`, without angle brackets.
    pub in_reply_to: Vec<String>,
    /// The ids of `References`, oldest first, without angle brackets.
    pub references: Vec<String>,
    /// `List-Unsubscribe` as it stands; its presence says that the message went to a list.
    pub list_unsubscribe: Option<String>,
}

/// A mailbox address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Address {
    /// The display name; empty where there is none.
    pub name: String,
    /// The address; empty where only a name was written.
    pub email: String,
}

impl Address {
    /// An address with its display name (which may be empty).
    pub fn new(name: impl Into<String>, email: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            email: email.into(),
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.name.is_empty(), self.email.is_empty()) {
            (true, _) => f.write_str(&self.email),
            (false, true) => f.write_str(&self.name),
            (false, false) => write!(f, "{} <{}>", self.name, self.email),
        }
    }
}

/// Who wrote a text. A prompt must never treat [`Trust::Untrusted`] text as instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Trust {
    /// Somebody outside wrote it.
    #[default]
    Untrusted,
}

/// Which part the text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TextSource {
    /// `text/plain`.
    Plain,
    /// `text/html`, rendered as readable text.
    Html,
    /// There is no readable text.
    #[default]
    None,
}

/// The readable body of a message.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MessageText {
    /// What the sender wrote: without the quoted replies and the signature, which stand below.
    pub text: String,
    /// Where the text comes from.
    pub source: TextSource,
    /// Who wrote it.
    pub trust: Trust,
    /// The quoted earlier messages, where they could be told apart.
    pub quoted: Option<String>,
    /// The signature, where it could be told apart.
    pub signature: Option<String>,
    /// Characters cut from `text` because of the limit; 0 when it is whole.
    pub truncated: u64,
    /// Characters cut from `quoted` because of the limit; 0 when it is whole.
    pub quoted_truncated: u64,
    /// Ids of the text parts whose content did not come with the message and has to be fetched as an attachment.
    pub not_inlined: Vec<String>,
    /// Everything that is not the body.
    pub attachments: Vec<Attachment>,
    /// Messages that hang on this one, such as a forwarded mail or a returned one.
    pub forwarded: Vec<Forwarded>,
    /// What the calendar part of an invitation says.
    pub invitation: Option<Invitation>,
}

/// A part that is not the body. Its handle is `(message id, part_id)`: the service's own attachment ids change from read to read.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MailAttachment")]
#[non_exhaustive]
pub struct Attachment {
    /// The place in the tree: `"1"`, `"0.2"`; empty when the whole message is this part.
    pub part_id: String,
    /// The file name; empty where there is none.
    pub filename: String,
    /// The media type in lower case, such as `application/pdf`.
    pub mime_type: String,
    /// Decoded bytes.
    pub size: u64,
    /// Whether it is meant to be shown within the text, such as an image of an HTML body.
    pub inline: bool,
}

/// A message within a message.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Forwarded {
    /// The place in the tree.
    pub part_id: String,
    /// Its header card.
    pub header: MessageHeader,
    /// Its readable text, quotes included.
    pub text: String,
    /// Characters cut from `text`.
    pub truncated: u64,
}

/// What a `text/calendar` part says; a hint for a list, not a parsed calendar.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Invitation {
    /// `REQUEST`, `REPLY`, `CANCEL` … in upper case; empty where none is stated.
    pub method: String,
    /// The event's `UID`.
    pub uid: Option<String>,
    /// The event's title.
    pub summary: Option<String>,
    /// Begin: an ISO 8601 date (all day), local time (with `time_zone`) or time with `Z`.
    pub start: Option<String>,
    /// End, in the same form; exclusive.
    pub end: Option<String>,
    /// The zone name that the begin was written with.
    pub time_zone: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// The organizer's address.
    pub organizer: Option<String>,
}

/// How much text is kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BodyOptions {
    /// Characters of `text`, and again of `quoted` and of each forwarded text. What is cut is counted.
    pub max_chars: usize,
    /// Whether quoted replies and the signature are split off the text.
    pub split: bool,
}

impl Default for BodyOptions {
    /// 30,000 characters (hosts of assistants report trouble from about 25,000 tokens in one answer), split.
    fn default() -> Self {
        Self {
            max_chars: 30_000,
            split: true,
        }
    }
}
