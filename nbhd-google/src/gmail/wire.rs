//! Gmail's own words. int64 values are JSON strings; absent lists are absent, not empty.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use crate::mime::MessagePart;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct MessageList {
    pub(super) messages: Vec<MessageRef>,
    pub(super) next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MessageRef {
    pub(super) id: String,
}

/// A message, borrowed from the JSON that it came in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) thread_id: Cow<'a, str>,
    #[serde(default)]
    pub(super) label_ids: Vec<String>,
    #[serde(borrow, default)]
    pub(super) snippet: Cow<'a, str>,
    /// Milliseconds.
    #[serde(default, deserialize_with = "integer")]
    pub(super) internal_date: Option<i64>,
    #[serde(default)]
    pub(super) size_estimate: u64,
    #[serde(borrow, default)]
    pub(super) payload: MessagePart<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AttachmentBody {
    #[serde(default)]
    pub(super) data: String,
}

/// An integer that is written as a string, or as a number all the same; what is neither is absent.
fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written<'a> {
        Number(i64),
        #[serde(borrow)]
        Text(Cow<'a, str>),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::Number(number) => Some(number),
        Written::Text(text) => text.parse().ok(),
        Written::Other(_) => None,
    })
}
