//! Whether entities are ones that the platform's documentation allows.

use serde_json::Value;

/// The most entities of one message.
const LIMIT: usize = 100;

const KINDS: &[&str] = &[
    "mention",
    "hashtag",
    "cashtag",
    "bot_command",
    "url",
    "email",
    "phone_number",
    "bold",
    "italic",
    "underline",
    "strikethrough",
    "spoiler",
    "blockquote",
    "expandable_blockquote",
    "code",
    "pre",
    "text_link",
    "text_mention",
    "custom_emoji",
];

/// The first fault of the entities of a text, in the server's words where it has some.
pub(super) fn fault(text: &str, entities: &[Value]) -> Option<String> {
    if entities.len() > LIMIT {
        return Some(format!("more than {LIMIT} entities"));
    }
    let units: Vec<u16> = text.encode_utf16().collect();
    let mut ranges = Vec::with_capacity(entities.len());
    for entity in entities {
        let number = |name: &str| {
            entity
                .get(name)
                .and_then(Value::as_i64)
                .and_then(|number| usize::try_from(number).ok())
        };
        let kind = entity.get("type").and_then(Value::as_str).unwrap_or_default();
        let (Some(offset), Some(length)) = (number("offset"), number("length")) else {
            return Some(
                "can't parse MessageEntity: offset and length must be non-negative numbers".to_owned(),
            );
        };
        if !KINDS.contains(&kind) {
            return Some("can't parse MessageEntity: unsupported type specified".to_owned());
        }
        if length == 0 {
            return Some("can't parse MessageEntity: length must be positive".to_owned());
        }
        let end = offset.saturating_add(length);
        if end > units.len() {
            return Some(format!(
                "entity beginning at UTF-16 offset {offset} ends after the end of the text at UTF-16 offset {end}"
            ));
        }
        let within_pair = |at: usize| units.get(at).is_some_and(|unit| (0xDC00..0xE000).contains(unit));
        if within_pair(offset) {
            return Some(format!(
                "entity begins in a middle of a UTF-16 symbol at UTF-16 offset {offset}"
            ));
        }
        if within_pair(end) {
            return Some(format!(
                "entity beginning at UTF-16 offset {offset} ends in a middle of a UTF-16 symbol at UTF-16 offset {end}"
            ));
        }
        if kind == "text_link" && !entity.get("url").and_then(Value::as_str).is_some_and(is_url) {
            return Some("can't parse MessageEntity: text_link has no valid URL".to_owned());
        }
        ranges.push((offset, end, kind));
    }
    ranges.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    overlap(&ranges)
}

fn overlap(ranges: &[(usize, usize, &str)]) -> Option<String> {
    let mut open: Vec<(usize, usize, &str)> = Vec::new();
    for inner in ranges {
        open.retain(|outer| outer.1 > inner.0);
        for outer in &open {
            let allowed = inner.1 <= outer.1 && nests(outer.2, inner.2);
            if !allowed {
                return Some(format!(
                    "entity {} at {} and entity {} overlap",
                    inner.2, inner.0, outer.2
                ));
            }
        }
        open.push(*inner);
    }
    None
}

/// "bold, italic, underline, strikethrough, and spoiler entities can contain and can be part of any other entities, except
/// pre and code. blockquote entities can't be nested. All other entities can't contain each other."
fn nests(outer: &str, inner: &str) -> bool {
    let emphasis = |kind: &str| {
        matches!(
            kind,
            "bold" | "italic" | "underline" | "strikethrough" | "spoiler"
        )
    };
    let code = |kind: &str| matches!(kind, "pre" | "code");
    let quote = |kind: &str| matches!(kind, "blockquote" | "expandable_blockquote");
    if quote(outer) {
        return !quote(inner);
    }
    if quote(inner) {
        return emphasis(outer);
    }
    if outer == inner || code(outer) || code(inner) {
        return false;
    }
    emphasis(outer) || emphasis(inner)
}

pub(super) fn is_url(url: &str) -> bool {
    url::Url::parse(url)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https" | "tg" | "ton" | "mailto" | "tel"))
}
