//! `parse_mode=MarkdownV2`, as strict as the server: what is reserved is escaped, what is opened is closed.

use serde_json::{Value, json};

/// Reserved outside code.
const RESERVED: &str = "_*[]()~`>#+-=|{}.!";

struct Open {
    mark: &'static str,
    kind: &'static str,
    offset: usize,
    at: usize,
}

/// The text and its entities, or the server's complaint.
pub(super) fn parse(markdown: &str) -> Result<(String, Vec<Value>), String> {
    let mut text = String::new();
    let mut units = 0;
    let mut open: Vec<Open> = Vec::new();
    let mut entities = Vec::new();
    let mut quote: Option<usize> = None;
    let mut at = 0;
    let put = |text: &mut String, units: &mut usize, c: char| {
        text.push(c);
        *units += c.len_utf16();
    };
    while at < markdown.len() {
        let rest = &markdown[at..];
        let line_start = at == 0 || markdown[..at].ends_with('\n');
        if line_start && let Some(begin) = quote.filter(|_| !rest.starts_with('>')) {
            // The line break before belongs to what follows.
            push(&mut entities, "blockquote", begin, units - 1, None);
            quote = None;
        }
        if line_start && rest.starts_with('>') {
            quote.get_or_insert(units);
            at += 1;
        } else if let Some(escaped) = rest.strip_prefix('\\') {
            let c = escaped.chars().next().filter(char::is_ascii).unwrap_or('\\');
            put(&mut text, &mut units, c);
            at += if escaped.starts_with(c) { 2 } else { 1 };
        } else if rest.starts_with('`') {
            let (mark, kind) = if rest.starts_with("```") {
                ("```", "pre")
            } else {
                ("`", "code")
            };
            let offset = units;
            let mut body = at + mark.len();
            let mut language = None;
            if kind == "pre" {
                let line = markdown[body..].find('\n').map(|end| &markdown[body..body + end]);
                if let Some(line) = line.filter(|line| !line.contains(['`', ' '])) {
                    language = Some(line.to_owned()).filter(|line| !line.is_empty());
                    body += line.len() + 1;
                }
            }
            loop {
                let inner = &markdown[body..];
                if inner.is_empty() {
                    return Err(format!("Can't find end of {kind} entity at byte offset {at}"));
                }
                if inner.starts_with(mark) {
                    body += mark.len();
                    break;
                }
                let inner = inner.strip_prefix('\\').inspect(|_| body += 1).unwrap_or(inner);
                let c = inner.chars().next().unwrap_or('\\');
                put(&mut text, &mut units, c);
                body += c.len_utf8();
            }
            push(
                &mut entities,
                kind,
                offset,
                units,
                language.map(|language| ("language", language)),
            );
            at = body;
        } else if let Some((mark, kind)) = mark(rest, &open) {
            at += mark.len();
            if open.last().is_some_and(|last| last.mark == mark) {
                if let Some(last) = open.pop() {
                    push(&mut entities, kind, last.offset, units, None);
                }
            } else {
                open.push(Open {
                    mark,
                    kind,
                    offset: units,
                    at,
                });
            }
        } else if rest.starts_with('[') {
            open.push(Open {
                mark: "[",
                kind: "text_link",
                offset: units,
                at,
            });
            at += 1;
        } else if rest.starts_with(']') && open.last().is_some_and(|last| last.mark == "[") {
            let target = rest.strip_prefix("](").ok_or_else(|| reserved(']'))?;
            let end = address_end(target).ok_or(format!("Can't find end of a URL at byte offset {at}"))?;
            if let Some(last) = open.pop() {
                let url = target[..end].replace("\\)", ")").replace("\\\\", "\\");
                push(&mut entities, "text_link", last.offset, units, Some(("url", url)));
            }
            at += 2 + end + 1;
        } else {
            let c = rest.chars().next().unwrap_or(' ');
            if RESERVED.contains(c) {
                return Err(reserved(c));
            }
            put(&mut text, &mut units, c);
            at += c.len_utf8();
        }
    }
    if let Some(last) = open.last() {
        return Err(format!(
            "Can't find end of {} entity at byte offset {}",
            last.kind, last.at
        ));
    }
    if let Some(begin) = quote {
        push(&mut entities, "blockquote", begin, units, None);
    }
    entities.sort_by_key(|entity| {
        (
            entity["offset"].as_u64(),
            std::cmp::Reverse(entity["length"].as_u64()),
        )
    });
    Ok((text, entities))
}

/// The mark that stands here; `__` closes what `__` opened, else two `_` would be meant.
fn mark(rest: &str, open: &[Open]) -> Option<(&'static str, &'static str)> {
    let marks = [
        ("__", "underline"),
        ("||", "spoiler"),
        ("*", "bold"),
        ("_", "italic"),
        ("~", "strikethrough"),
    ];
    let found = marks.into_iter().find(|(mark, _)| rest.starts_with(mark))?;
    let italic_ends = found.0 == "__" && open.last().is_some_and(|last| last.mark == "_");
    Some(if italic_ends { ("_", "italic") } else { found })
}

fn address_end(target: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in target.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ')' => return Some(at),
            _ => {}
        }
    }
    None
}

fn push(entities: &mut Vec<Value>, kind: &str, start: usize, end: usize, extra: Option<(&str, String)>) {
    if start >= end {
        return;
    }
    let mut entity = json!({ "type": kind, "offset": start, "length": end - start });
    if let Some((name, value)) = extra {
        entity[name] = value.into();
    }
    entities.push(entity);
}

fn reserved(c: char) -> String {
    format!("Character '{c}' is reserved and must be escaped with the preceding '\\'")
}
