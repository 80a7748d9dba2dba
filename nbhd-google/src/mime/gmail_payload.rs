//! A raw message as the payload that Gmail answers with for `format=full`, for the stand-in.
//!
//! As Gmail does it: header values and file names decoded, text bodies turned into UTF-8 while their headers keep the old
//! `charset=`, everything else behind an `attachmentId`. A nested message is a part with its root as its only child.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use mail_parser::{Message, MessagePart, PartType};
use nbhd_core::Result;
use serde_json::{Value, json};

use super::part::{Content, Part};
use super::{header, raw};

/// The `payload` of the message: a tree of `partId`, `mimeType`, `filename`, `headers`, `body`, `parts`.
///
/// `attachmentId` is `att_` and the part's id: the bytes are `part_bytes(raw, id)`. A stand-in may disguise it further.
///
/// # Errors
/// `invalid_input` when the bytes hold no header field at all.
pub fn to_gmail_payload(bytes: &[u8]) -> Result<Value> {
    raw::with_parsed(bytes, |message| {
        value(message, 0, &raw::tree(message, 0, String::new(), 0))
    })
}

fn value(message: &Message<'_>, index: usize, part: &Part<'_>) -> Value {
    let Some(source) = message.parts.get(index) else {
        return Value::Null;
    };
    let mut out = json!({
        "partId": part.id,
        "mimeType": part.mime_type,
        "filename": part.filename,
        "headers": headers(message, source),
        "body": body(part),
    });
    let children: Vec<Value> = match &source.body {
        PartType::Multipart(places) => places
            .iter()
            .filter(|place| **place as usize != index)
            .zip(&part.children)
            .map(|(place, child)| value(message, *place as usize, child))
            .collect(),
        PartType::Message(inner) => part.children.iter().map(|child| value(inner, 0, child)).collect(),
        _ => Vec::new(),
    };
    if !children.is_empty() {
        out["parts"] = Value::Array(children);
    }
    out
}

fn body(part: &Part<'_>) -> Value {
    match &part.content {
        Content::Text(text)
            if part.is_text_body() || (part.mime_type.starts_with("text/") && part.filename.is_empty()) =>
        {
            json!({ "size": text.len(), "data": URL_SAFE.encode(text.as_bytes()) })
        }
        _ if part.mime_type.starts_with("multipart/") => json!({ "size": 0 }),
        _ => json!({ "attachmentId": format!("att_{}", part.id), "size": part.size }),
    }
}

fn headers(message: &Message<'_>, source: &MessagePart<'_>) -> Vec<Value> {
    source
        .headers
        .iter()
        .filter_map(|field| {
            let bytes = message.raw_message.get(field.offset_start as usize..field.offset_end as usize)?;
            Some(json!({ "name": field.name.as_str(), "value": header::text(&String::from_utf8_lossy(bytes)) }))
        })
        .collect()
}
