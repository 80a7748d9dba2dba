//! Raw bytes of a message, through `mail-parser`, to the same tree that Gmail's payload becomes.
//!
//! Before it: leading blank lines and an mbox `From ` line are skipped, as other parsers do. After it: the
//! header card is always that of the outer message, and text that came out broken is decoded again by our charset rule.

use std::borrow::Cow;
use std::sync::LazyLock;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, HeaderName, HeaderValue, Message, MessageParser, MimeHeaders, PartType};
use nbhd_core::{Code, Error, Outcome, Result};

use super::message::{BodyOptions, MessageHeader, ParsedMessage};
use super::part::{self, Content, Part};
use super::{charset, header, steps};

/// Reads a raw message with the default options.
///
/// # Errors
/// [`Code::InvalidInput`] when the bytes hold no header field at all.
pub fn from_raw(bytes: &[u8]) -> Result<ParsedMessage> {
    from_raw_with(bytes, BodyOptions::default())
}

/// Reads a raw message.
///
/// # Errors
/// [`Code::InvalidInput`] when the bytes hold no header field at all.
pub fn from_raw_with(bytes: &[u8], options: BodyOptions) -> Result<ParsedMessage> {
    with_parsed(bytes, |message| ParsedMessage {
        header: card(message, 0),
        body: part::read(&tree(message, 0, String::new(), 0), options),
    })
}

/// The decoded bytes of one part of a raw message, by the id that its [`Attachment`](super::Attachment) carries.
pub fn part_bytes(raw: &[u8], part_id: &str) -> Option<Vec<u8>> {
    with_parsed(raw, |message| find(message, 0, "", part_id, 0))
        .ok()
        .flatten()
}

/// Parses and hands the message on; parses a second time where a part states two types.
pub(super) fn with_parsed<R>(bytes: &[u8], read: impl FnOnce(&Message<'_>) -> R) -> Result<R> {
    let bytes = skip_preamble(bytes);
    let message = parse(bytes)?;
    match without_second_types(&message, bytes) {
        Some(repaired) => Ok(read(&parse(&repaired)?)),
        None => Ok(read(&message)),
    }
}

fn parse(bytes: &[u8]) -> Result<Message<'_>> {
    // Its table of header fields is made once.
    static PARSER: LazyLock<MessageParser> = LazyLock::new(MessageParser::default);
    PARSER
        .parse(bytes)
        .filter(|message| !message.parts.is_empty())
        .ok_or_else(|| {
            Error::new(Code::InvalidInput, "the bytes hold no mail header").with_outcome(Outcome::NotSent)
        })
}

/// A part with two `Content-Type` fields is what the first one says, for most readers; the parser takes the last. Where the
/// first one names a container, the whole structure depends on it: the later fields are taken out.
fn without_second_types(message: &Message<'_>, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut cuts: Vec<(usize, usize)> = Vec::new();
    for part in message
        .parts
        .iter()
        .filter(|part| !matches!(part.body, PartType::Multipart(_)))
        .inspect(|part| steps::look(part.headers.len()))
    {
        let mut types = part
            .headers
            .iter()
            .filter(|field| field.name == HeaderName::ContentType);
        let container = types
            .next()
            .and_then(|field| field.value.as_content_type())
            .is_some_and(|value| value.ctype().eq_ignore_ascii_case("multipart"));
        if container {
            cuts.extend(types.map(|field| (field.offset_field as usize, field.offset_end as usize)));
        }
    }
    if cuts.is_empty() {
        return None;
    }
    let mut repaired = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for (start, end) in cuts {
        repaired.extend_from_slice(bytes.get(at..start)?);
        at = end;
    }
    repaired.extend_from_slice(bytes.get(at..)?);
    Some(repaired)
}

/// What mail programs write before the first header field.
fn skip_preamble(mut bytes: &[u8]) -> &[u8] {
    loop {
        match bytes {
            [b'\r' | b'\n', rest @ ..] => bytes = rest,
            [b'F', b'r', b'o', b'm', b' ', ..] | [b'>', b'F', b'r', b'o', b'm', b' ', ..] => {
                match bytes.iter().position(|byte| *byte == b'\n') {
                    Some(end) => bytes = &bytes[end + 1..],
                    None => return bytes,
                }
            }
            _ => return bytes,
        }
    }
}

pub(super) fn card(message: &Message<'_>, part: usize) -> MessageHeader {
    let mut card = MessageHeader::default();
    let Some(root) = message.parts.get(part) else {
        return card;
    };
    let mut seen_from = false;
    for field in &root.headers {
        match field.name {
            HeaderName::Subject if card.subject.is_none() => card.subject = text_of(&field.value),
            HeaderName::From if !seen_from => {
                seen_from = true;
                card.from = addresses_of(&field.value);
            }
            HeaderName::To => card.to.extend(addresses_of(&field.value)),
            HeaderName::Cc => card.cc.extend(addresses_of(&field.value)),
            HeaderName::ReplyTo if card.reply_to.is_empty() => card.reply_to = addresses_of(&field.value),
            HeaderName::Date if card.date.is_none() => {
                card.date = field.value.as_datetime().and_then(header::iso_date);
            }
            HeaderName::MessageId if card.message_id.is_none() => {
                card.message_id = ids_of(&field.value).into_iter().next();
            }
            HeaderName::InReplyTo if card.in_reply_to.is_empty() => card.in_reply_to = ids_of(&field.value),
            HeaderName::References if card.references.is_empty() => card.references = ids_of(&field.value),
            HeaderName::ListUnsubscribe if card.list_unsubscribe.is_none() => {
                let range = field.offset_start as usize..field.offset_end as usize;
                card.list_unsubscribe = message
                    .raw_message
                    .get(range)
                    .map(|raw| header::text(&String::from_utf8_lossy(raw)));
            }
            _ => {}
        }
    }
    card
}

fn text_of(value: &HeaderValue<'_>) -> Option<String> {
    match value {
        HeaderValue::Text(text) => Some(text.trim().to_owned()),
        HeaderValue::TextList(list) => Some(list.join(" ").trim().to_owned()),
        _ => None,
    }
}

fn ids_of(value: &HeaderValue<'_>) -> Vec<String> {
    match value {
        HeaderValue::Text(text) => vec![text.trim().to_owned()],
        HeaderValue::TextList(list) => list.iter().map(|id| id.trim().to_owned()).collect(),
        _ => Vec::new(),
    }
}

fn addresses_of(value: &HeaderValue<'_>) -> Vec<super::Address> {
    value.as_address().map(header::flatten).unwrap_or_default()
}

/// The part at `index` and all below it. `id` is empty for the root, then `0`, `0.1` and so on, as Gmail numbers them.
pub(super) fn tree<'m>(message: &'m Message<'_>, index: usize, id: String, depth: usize) -> Part<'m> {
    steps::look(id.len());
    let Some(source) = message.parts.get(index) else {
        return Part {
            id: id.into(),
            ..Part::default()
        };
    };
    let content_type = source.content_type();
    let disposition = source.content_disposition();
    let mut part = Part {
        mime_type: mime_type(message, index),
        filename: Cow::Borrowed(source.attachment_name().unwrap_or_default().trim()),
        attachment: disposition.is_some_and(|value| value.ctype().eq_ignore_ascii_case("attachment")),
        inline: disposition.is_some_and(|value| value.ctype().eq_ignore_ascii_case("inline")),
        content_id: source.content_id().is_some(),
        size: source.contents().len() as u64,
        ..Part::default()
    };
    match &source.body {
        PartType::Text(text) | PartType::Html(text) => {
            let attribute = |name: &str| content_type.and_then(|value| value.attribute(name));
            let is = |name: &str, wanted: &str| {
                attribute(name).is_some_and(|found| found.eq_ignore_ascii_case(wanted))
            };
            part.flowed = part.mime_type == "text/plain" && is("format", "flowed");
            part.delsp = part.flowed && is("delsp", "yes");
            // A container whose parts cannot be found: prose where it is the whole message, else debris.
            let broken_container = content_type
                .is_some_and(|value| value.ctype().eq_ignore_ascii_case("multipart"))
                && (index > 0 || text.trim_start().starts_with("--"));
            let text = if broken_container {
                Cow::Borrowed("")
            } else {
                repaired(message, index, text)
            };
            part.size = text.len() as u64;
            part.content = Content::Text(text);
        }
        PartType::Multipart(children) if depth < 100 => {
            part.children = children
                .iter()
                .enumerate()
                .filter(|(_, child)| **child as usize != index)
                .map(|(place, child)| tree(message, *child as usize, child_id(&id, place), depth + 1))
                .collect();
            part.size = 0;
        }
        PartType::Message(inner) => {
            part.header = Some(Box::new(card(inner, 0)));
            part.size = u64::from(source.offset_end.saturating_sub(source.offset_body));
            if depth < 100 {
                part.children = vec![tree(inner, 0, child_id(&id, 0), depth + 1)];
            }
        }
        _ => {}
    }
    part.id = id.into();
    part
}

pub(super) fn child_id(id: &str, place: usize) -> String {
    if id.is_empty() {
        place.to_string()
    } else {
        format!("{id}.{place}")
    }
}

/// The stated type, unless the content turned out to be something else: a container without parts is read as text.
pub(super) fn mime_type<'m>(message: &'m Message<'_>, index: usize) -> Cow<'m, str> {
    let Some(source) = message.parts.get(index) else {
        return Cow::Borrowed("text/plain");
    };
    let stated = source.content_type().map(|value| {
        let (kind, sub) = (value.ctype(), value.subtype().unwrap_or(""));
        format!("{kind}/{sub}").to_ascii_lowercase()
    });
    match (&source.body, stated) {
        (PartType::Message(_), _) => Cow::Borrowed("message/rfc822"),
        (PartType::Multipart(_), Some(stated)) if stated.starts_with("multipart/") => Cow::Owned(stated),
        (PartType::Multipart(_), _) => Cow::Borrowed("multipart/mixed"),
        (PartType::Html(_), _) => Cow::Borrowed("text/html"),
        (PartType::Text(_), Some(stated)) if stated.starts_with("multipart/") => Cow::Borrowed("text/plain"),
        (PartType::Text(_), None) => Cow::Borrowed("text/plain"),
        (_, Some(stated)) if stated == "text/" || stated == "/" => Cow::Borrowed("text/plain"),
        (_, Some(stated)) => Cow::Owned(stated),
        (_, None) => Cow::Borrowed("application/octet-stream"),
    }
}

/// The text as parsed, or, where it has replacement characters, what our charset rule makes of the bytes.
fn repaired<'m>(message: &'m Message<'_>, index: usize, text: &'m str) -> Cow<'m, str> {
    if !text.contains('\u{fffd}') {
        return Cow::Borrowed(text);
    }
    let Some(source) = message.parts.get(index) else {
        return Cow::Borrowed(text);
    };
    let declared = source.content_type().and_then(|value| value.attribute("charset"));
    match decoded(message, index) {
        Some(bytes) => Cow::Owned(charset::decode(
            bytes,
            declared,
            matches!(source.body, PartType::Html(_)),
        )),
        None => Cow::Borrowed(text),
    }
}

/// The bytes of a part without their transfer encoding.
pub(super) fn decoded(message: &Message<'_>, index: usize) -> Option<Vec<u8>> {
    let source = message.parts.get(index)?;
    if let PartType::Binary(bytes) | PartType::InlineBinary(bytes) = &source.body {
        return Some(bytes.to_vec());
    }
    let bytes = message
        .raw_message
        .get(source.offset_body as usize..source.offset_end as usize)?;
    match source.encoding {
        Encoding::None => Some(bytes.to_vec()),
        Encoding::Base64 => base64_decode(bytes),
        Encoding::QuotedPrintable => quoted_printable_decode(bytes),
    }
}

fn find(message: &Message<'_>, index: usize, id: &str, wanted: &str, depth: usize) -> Option<Vec<u8>> {
    if id == wanted {
        return decoded(message, index);
    }
    if depth > 100 || !(id.is_empty() || wanted.starts_with(id)) {
        return None;
    }
    match &message.parts.get(index)?.body {
        PartType::Multipart(children) => children.iter().enumerate().find_map(|(place, child)| {
            find(message, *child as usize, &child_id(id, place), wanted, depth + 1)
        }),
        PartType::Message(inner) => find(inner, 0, &child_id(id, 0), wanted, depth + 1),
        _ => None,
    }
}
