//! Gmail's words become ours.

use std::borrow::Cow;

use nbhd_core::{Code, Error, Outcome, Receipt, Result, Timestamp};

use super::message::{Message, MessageCard};
use super::wire;
use crate::mime::{self, BodyOptions, MessagePart, Trust};

/// The card of a message that came with `format=metadata` (or more).
pub(super) fn card(json: &[u8]) -> Result<MessageCard> {
    let wire: wire::Message<'_> = parse(json)?;
    let header = mime::header_of(&wire.payload);
    Ok(MessageCard {
        internal_date: instant(wire.internal_date),
        snippet: unescape(&wire.snippet),
        unread: unread(&wire.label_ids),
        id: wire.id.into_owned(),
        thread_id: wire.thread_id.into_owned(),
        trust: Trust::Untrusted,
        subject: header.subject,
        from: header.from.into_iter().next(),
        to: header.to,
        cc: header.cc,
        date: header.date,
        labels: wire.label_ids,
        size: wire.size_estimate,
        message_id: header.message_id,
        bulk: header.list_unsubscribe.is_some(),
    })
}

/// A message that came with `format=full`, once its receipt is there.
pub(super) fn message(wire: &wire::Message<'_>) -> impl FnOnce(Receipt) -> Message + use<> {
    let read = mime::from_payload(&wire.payload, BodyOptions::default());
    let (id, thread_id) = (wire.id.to_string(), wire.thread_id.to_string());
    let (snippet, labels) = (unescape(&wire.snippet), wire.label_ids.clone());
    let (internal_date, size) = (instant(wire.internal_date), wire.size_estimate);
    move |receipt| Message {
        id,
        thread_id,
        trust: Trust::Untrusted,
        header: read.header,
        body: read.body,
        internal_date,
        snippet,
        unread: unread(&labels),
        labels,
        size,
        receipt,
    }
}

/// A text part whose content did not come with its message: any large part may stand behind an attachment id.
pub(super) struct RemoteText {
    part: String,
    pub(super) attachment: String,
}

/// The text parts that have to be fetched before the body can be read.
pub(super) fn remote_text(wire: &wire::Message<'_>) -> Vec<RemoteText> {
    let read = mime::from_payload(&wire.payload, BodyOptions::default());
    let find = |part: String| {
        let attachment = find(&wire.payload, &part)?
            .body
            .attachment_id
            .as_ref()?
            .0
            .to_string();
        Some(RemoteText { part, attachment })
    };
    read.body.not_inlined.into_iter().filter_map(find).collect()
}

/// Puts the content of a part into its place.
pub(super) fn fill(wire: &mut wire::Message<'_>, part: &RemoteText, data: String) {
    if let Some(place) = find_mut(&mut wire.payload, &part.part) {
        place.body.data.get_or_insert_default().0 = Cow::Owned(data);
    }
}

fn find<'p, 'a>(part: &'p MessagePart<'a>, id: &str) -> Option<&'p MessagePart<'a>> {
    if part.part_id == id {
        return Some(part);
    }
    part.parts.iter().find_map(|child| find(child, id))
}

fn find_mut<'p, 'a>(part: &'p mut MessagePart<'a>, id: &str) -> Option<&'p mut MessagePart<'a>> {
    if part.part_id == id {
        return Some(part);
    }
    part.parts.iter_mut().find_map(|child| find_mut(child, id))
}

/// Reads what Gmail sent, and never repeats it.
pub(super) fn parse<'a, T: serde::Deserialize<'a>>(json: &'a [u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|error| {
        Error::new(
            Code::ProtocolError,
            format!(
                "Gmail's answer ({} bytes) is not what it documents, at line {}, column {}",
                json.len(),
                error.line(),
                error.column()
            ),
        )
        .with_outcome(Outcome::Unknown)
        .with_provider("google")
    })
}

fn instant(milliseconds: Option<i64>) -> Option<Timestamp> {
    Timestamp::from_timestamp_millis(milliseconds?)
}

fn unread(labels: &[String]) -> bool {
    labels.iter().any(|label| label == "UNREAD")
}

/// Snippets come HTML-escaped.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // The longest name that snippets use has eight characters; what is further away is no end of this one.
        let end = rest.bytes().take(10).position(|byte| byte == b';');
        if let Some((end, character)) = end.and_then(|end| Some((end, entity(&rest[1..end])?))) {
            out.push(character);
            rest = &rest[end + 1..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        _ => {
            let digits = name.strip_prefix('#')?;
            let number = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(number).filter(|c| !c.is_control() || c.is_whitespace())?
        }
    })
}

#[cfg(test)]
mod tests {
    use nbhd_core::Code;

    use super::{card, unescape};

    #[test]
    fn a_card_from_the_documented_form() {
        let json = br#"{"id":"18c0","threadId":"18bf","labelIds":["INBOX","UNREAD"],"snippet":"Tom &amp; &#39;Jerry&#39; &lt;3","historyId":"7",
            "internalDate":"1767225600123","sizeEstimate":4711,"payload":{"headers":[{"name":"Subject","value":"Lunch"},
            {"name":"From","value":"Ada <ada@example.com>"},{"name":"To","value":"bob@example.com"},{"name":"List-Unsubscribe","value":"<mailto:x@example.com>"}]}}"#;
        let card = card(json).unwrap();
        assert_eq!((card.id.as_str(), card.thread_id.as_str()), ("18c0", "18bf"));
        assert_eq!(card.snippet, "Tom & 'Jerry' <3");
        assert_eq!(card.from.unwrap().email, "ada@example.com");
        assert_eq!(card.subject.as_deref(), Some("Lunch"));
        assert!(card.unread && card.bulk && card.date.is_none());
        assert_eq!(
            card.internal_date.unwrap().to_rfc3339(),
            "2026-01-01T00:00:00.123+00:00"
        );
        assert_eq!(card.size, 4711);
    }

    #[test]
    fn missing_and_odd_fields_do_not_lose_the_message() {
        let bare = card(br#"{"id":"1"}"#).unwrap();
        assert_eq!(
            (bare.id.as_str(), bare.internal_date, bare.subject),
            ("1", None, None)
        );
        let odd = card(br#"{"id":"1","internalDate":[],"labelIds":[],"neverSeen":{"x":1}}"#).unwrap();
        assert_eq!(odd.internal_date, None);
        assert!(
            card(br#"{"id":"1","internalDate":1767225600000}"#)
                .unwrap()
                .internal_date
                .is_some()
        );
        assert_eq!(card(b"<html>").unwrap_err().code(), Code::ProtocolError);
    }

    #[test]
    fn entities_and_what_only_looks_like_them() {
        let cases = [
            ("a &amp;amp; b", "a &amp; b"),
            ("&#x1F600;&nbsp;x", "\u{1F600}\u{a0}x"),
            (
                "AT&T; &; & &unknown; &#0; &#xD800; end&",
                "AT&T; &; & &unknown; &#0; &#xD800; end&",
            ),
            ("ü&é;&quot;", "ü&é;\""),
        ];
        for (text, expected) in cases {
            assert_eq!(unescape(text), expected);
        }
    }
}
