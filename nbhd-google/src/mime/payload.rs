//! Gmail's `format=full` (or `metadata`) payload, borrowed from the JSON it came in.
//!
//! Shape: `MessagePart` of the Gmail v1 discovery document. Text bodies are UTF-8 already whatever their header says; header
//! values and file names are decoded; any large part, text included, may be absent and stand behind an `attachmentId`.

use std::borrow::Cow;

use nbhd_core::{Code, Error, Outcome, Result};
use serde::Deserialize;

use super::header;
use super::message::{BodyOptions, MessageHeader, ParsedMessage};
use super::part::{self, Content, Part};
use super::transfer;

/// A part of the payload; the payload itself is the root part.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct MessagePart<'a> {
    #[serde(borrow)]
    pub(crate) part_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) mime_type: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) filename: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) headers: Vec<PartHeader<'a>>,
    #[serde(borrow)]
    pub(crate) body: PartBody<'a>,
    #[serde(borrow)]
    pub(crate) parts: Vec<MessagePart<'a>>,
}

/// One header field.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PartHeader<'a> {
    #[serde(borrow)]
    pub(crate) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) value: Cow<'a, str>,
}

/// The body of a part.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PartBody<'a> {
    #[serde(borrow)]
    pub(crate) attachment_id: Option<Borrowed<'a>>,
    pub(crate) size: u64,
    #[serde(borrow)]
    pub(crate) data: Option<Borrowed<'a>>,
}

/// A string that stays in the JSON where it can. (Within an `Option`, `Cow` alone would always be copied.)
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Borrowed<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    payload: Option<MessagePart<'a>>,
}

/// The message that `payload` describes.
pub(crate) fn from_payload(payload: &MessagePart<'_>, options: BodyOptions) -> ParsedMessage {
    ParsedMessage {
        header: header_of(payload),
        body: part::read(&tree(payload, 0), options),
    }
}

/// The header card alone, for `format=metadata`.
pub(crate) fn header_of(payload: &MessagePart<'_>) -> MessageHeader {
    header::card(payload.headers.iter().map(|field| (&*field.name, &*field.value)))
}

/// Reads the JSON of a Gmail `Message` (`format=full`), or of its `payload` alone.
///
/// # Errors
/// [`Code::InvalidInput`] when it is not such JSON.
pub fn from_gmail_json(json: &[u8], options: BodyOptions) -> Result<ParsedMessage> {
    let refused = |error: serde_json::Error| {
        Error::new(
            Code::InvalidInput,
            format!(
                "this is not a Gmail message: line {} column {}",
                error.line(),
                error.column()
            ),
        )
        .with_outcome(Outcome::NotSent)
    };
    let envelope: Envelope<'_> = serde_json::from_slice(json).map_err(refused)?;
    if let Some(payload) = &envelope.payload {
        return Ok(from_payload(payload, options));
    }
    let payload: MessagePart<'_> = serde_json::from_slice(json).map_err(refused)?;
    Ok(from_payload(&payload, options))
}

pub(super) fn tree<'a>(wire: &'a MessagePart<'_>, depth: usize) -> Part<'a> {
    let mime_type = lower(&wire.mime_type);
    let text = mime_type.starts_with("text/");
    let mut part = Part {
        id: Cow::Borrowed(&*wire.part_id),
        filename: Cow::Borrowed(&*wire.filename),
        size: wire.body.size,
        ..Part::default()
    };
    for field in &wire.headers {
        match field.name.len() {
            12 if text && field.name.eq_ignore_ascii_case("content-type") => {
                part.charset = header::parameter(&field.value, "charset");
                let is = |name: &str, value: &str| {
                    header::parameter(&field.value, name)
                        .is_some_and(|found| found.eq_ignore_ascii_case(value))
                };
                part.flowed = mime_type == "text/plain" && is("format", "flowed");
                part.delsp = part.flowed && is("delsp", "yes");
            }
            19 if field.name.eq_ignore_ascii_case("content-disposition") => {
                let kind = field.value.split(';').next().unwrap_or_default().trim();
                part.attachment = kind.eq_ignore_ascii_case("attachment");
                part.inline = kind.eq_ignore_ascii_case("inline");
            }
            10 if field.name.eq_ignore_ascii_case("content-id") => part.content_id = true,
            _ => {}
        }
    }
    part.content = match (&wire.body.data, &wire.body.attachment_id) {
        (Some(data), _) if !data.0.is_empty() => {
            if part.size == 0 {
                part.size = transfer::decoded_len(&data.0);
            }
            Content::Base64(&data.0)
        }
        (_, Some(_)) => Content::Remote,
        _ => Content::Empty,
    };
    part.mime_type = mime_type;
    if part.mime_type == "message/rfc822"
        && let Some(inner) = wire.parts.first()
    {
        part.header = Some(Box::new(header_of(inner)));
    }
    if depth < 100 {
        part.children = wire.parts.iter().map(|child| tree(child, depth + 1)).collect();
    }
    part
}

fn lower(mime_type: &str) -> Cow<'_, str> {
    if mime_type.is_empty() {
        Cow::Borrowed("text/plain")
    } else if mime_type.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(mime_type.to_ascii_lowercase())
    } else {
        Cow::Borrowed(mime_type)
    }
}
