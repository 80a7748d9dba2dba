//! `parse_mode=HTML`, as strict as the server: every tag known, closed, in order.

use serde_json::{Map, Value, json};

struct Open {
    tag: String,
    kind: &'static str,
    offset: usize,
    extra: Map<String, Value>,
}

/// The text and its entities, or the server's complaint.
pub(super) fn parse(html: &str) -> Result<(String, Vec<Value>), String> {
    let mut text = String::new();
    let mut units = 0;
    let mut open: Vec<Open> = Vec::new();
    let mut entities: Vec<Value> = Vec::new();
    let mut at = 0;
    while at < html.len() {
        let rest = &html[at..];
        if let Some(inside) = rest.strip_prefix("</") {
            let end = inside
                .find('>')
                .ok_or(format!("Unclosed end tag at byte offset {at}"))?;
            let name = inside[..end].trim().to_ascii_lowercase();
            let Some(tag) = open.pop() else {
                return Err(format!("Unexpected end tag at byte offset {at}"));
            };
            if tag.tag != name {
                return Err(format!(
                    "Unmatched end tag at byte offset {at}, expected \"</{}>\", found \"</{name}>\"",
                    tag.tag
                ));
            }
            close(tag, units, &mut entities);
            at += 2 + end + 1;
        } else if let Some(inside) = rest.strip_prefix('<') {
            let end = inside
                .find('>')
                .ok_or(format!("Unclosed start tag at byte offset {at}"))?;
            open.push(begin(&inside[..end], units, &open, at)?);
            at += 1 + end + 1;
        } else {
            let (c, length) = character(rest);
            text.push(c);
            units += c.len_utf16();
            at += length;
        }
    }
    if let Some(tag) = open.last() {
        return Err(format!(
            "Can't find end tag corresponding to start tag \"{}\"",
            tag.tag
        ));
    }
    entities.sort_by_key(|entity| {
        (
            entity["offset"].as_u64(),
            std::cmp::Reverse(entity["length"].as_u64()),
        )
    });
    Ok((text, entities))
}

fn begin(inside: &str, offset: usize, open: &[Open], at: usize) -> Result<Open, String> {
    let (name, attributes) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
    let name = name.to_ascii_lowercase();
    let mut extra = Map::new();
    let kind = match name.as_str() {
        "b" | "strong" => "bold",
        "i" | "em" => "italic",
        "u" | "ins" => "underline",
        "s" | "strike" | "del" => "strikethrough",
        "tg-spoiler" => "spoiler",
        "span" if attribute(attributes, "class").as_deref() == Some("tg-spoiler") => "spoiler",
        "span" => {
            return Err(format!(
                "Tag \"span\" must have class \"tg-spoiler\" at byte offset {at}"
            ));
        }
        "a" => {
            let url = attribute(attributes, "href").filter(|url| super::entity::is_url(url));
            extra.insert("url".to_owned(), url.unwrap_or_default().into());
            "text_link"
        }
        "code" => {
            // The language of a block stands in the code tag right within it.
            if open
                .last()
                .is_some_and(|outer| outer.tag == "pre" && outer.offset == offset)
            {
                let class = attribute(attributes, "class").unwrap_or_default();
                let language = class.strip_prefix("language-").unwrap_or_default().to_owned();
                extra.insert("language".to_owned(), language.into());
            }
            "code"
        }
        "pre" => "pre",
        "blockquote" if attributes.contains("expandable") => "expandable_blockquote",
        "blockquote" => "blockquote",
        _ => return Err(format!("Unsupported start tag \"{name}\" at byte offset {at}")),
    };
    Ok(Open {
        tag: name,
        kind,
        offset,
        extra,
    })
}

fn close(tag: Open, end: usize, entities: &mut Vec<Value>) {
    let length = end - tag.offset;
    let no_url = tag.extra.get("url").is_some_and(|url| url == "");
    if length == 0 || no_url {
        return;
    }
    let mut entity = Map::new();
    if tag.kind == "pre" {
        // `<pre><code class="language-x">` is one entity.
        let inner = entities.iter().position(|inner| {
            inner["type"] == "code" && inner["offset"] == tag.offset && inner["length"] == length
        });
        if let Some(index) = inner {
            let language = entities.remove(index)["language"].clone();
            if language.as_str().is_some_and(|language| !language.is_empty()) {
                entity.insert("language".to_owned(), language);
            }
        }
    }
    entity.insert("type".to_owned(), tag.kind.into());
    entity.insert("offset".to_owned(), tag.offset.into());
    entity.insert("length".to_owned(), length.into());
    entity.extend(tag.extra);
    entities.push(json!(entity));
}

fn attribute(attributes: &str, name: &str) -> Option<String> {
    let value = attributes.split(&format!("{name}=")).nth(1)?;
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let value = match quote {
        Some(quote) => value[1..].split(quote).next()?,
        None => value.split(char::is_whitespace).next()?,
    };
    let mut out = String::new();
    let mut at = 0;
    while at < value.len() {
        let (c, length) = character(&value[at..]);
        out.push(c);
        at += length;
    }
    Some(out)
}

/// The next character, entity references taken for what they mean.
fn character(rest: &str) -> (char, usize) {
    for (reference, c) in [("&lt;", '<'), ("&gt;", '>'), ("&amp;", '&'), ("&quot;", '"')] {
        if rest.starts_with(reference) {
            return (c, reference.len());
        }
    }
    if let Some(digits) = rest.strip_prefix("&#")
        && let Some(end) = digits.find(';').filter(|end| *end <= 8)
    {
        let code = match digits[..end].strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => digits[..end].parse().ok(),
        };
        if let Some(c) = code.and_then(char::from_u32) {
            return (c, 2 + end + 1);
        }
    }
    let c = rest.chars().next().unwrap_or(' ');
    (c, c.len_utf8())
}
