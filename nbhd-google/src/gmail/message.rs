//! A message, in our words. What a sender wrote is marked untrusted.

use nbhd_core::{Receipt, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mime::{Address, MessageHeader, MessageText, Trust};

/// What a list shows of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MessageCard {
    /// Gmail's id of the message.
    pub id: String,
    /// Gmail's id of its thread.
    pub thread_id: String,
    /// Whose words subject, names and snippet are.
    pub trust: Trust,
    /// The subject.
    pub subject: Option<String>,
    /// Who it is from.
    pub from: Option<Address>,
    /// Whom it is to.
    pub to: Vec<Address>,
    /// Who has a copy.
    pub cc: Vec<Address>,
    /// When the sender says that it was written, ISO 8601; absent where that cannot be read.
    pub date: Option<String>,
    /// When Gmail accepted it: what the order of lists goes by.
    pub internal_date: Option<Timestamp>,
    /// Its first words, as plain text.
    pub snippet: String,
    /// The ids of its labels.
    pub labels: Vec<String>,
    /// Whether it is unread.
    pub unread: bool,
    /// Its size in bytes, by Gmail's estimate.
    pub size: u64,
    /// Its `Message-ID`, without angle brackets.
    pub message_id: Option<String>,
    /// Whether it went to a list: it says how to unsubscribe.
    pub bulk: bool,
}

/// A message with its body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MailMessage")]
#[non_exhaustive]
pub struct Message {
    /// Gmail's id of the message.
    pub id: String,
    /// Gmail's id of its thread.
    pub thread_id: String,
    /// Whose words header, snippet and body are.
    pub trust: Trust,
    /// Its header.
    pub header: MessageHeader,
    /// Its readable text, attachments and what else hangs on it.
    pub body: MessageText,
    /// When Gmail accepted it.
    pub internal_date: Option<Timestamp>,
    /// Its first words, as plain text.
    pub snippet: String,
    /// The ids of its labels.
    pub labels: Vec<String>,
    /// Whether it is unread.
    pub unread: bool,
    /// Its size in bytes, by Gmail's estimate.
    pub size: u64,
    /// The record of the call.
    pub receipt: Receipt,
}
