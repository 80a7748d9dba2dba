//! Partial responses: `fields=a,b(c,d/e),*`. <https://developers.google.com/workspace/gmail/api/guides/performance#partial>

use serde_json::{Map, Value};

/// How deep selections nest before they are refused: no resource here is deeper than a message of nested messages.
const DEPTH_LIMIT: usize = 32;

#[derive(Debug, Default)]
struct Selection(Vec<(String, Selection)>);

/// Keeps what `fields` selects. `None` when it cannot be read.
pub(super) fn select(value: Value, fields: &str) -> Option<Value> {
    let mut rest = fields;
    let selection = parse(&mut rest, 0)?;
    rest.is_empty().then(|| keep(value, &selection))
}

fn parse(rest: &mut &str, depth: usize) -> Option<Selection> {
    if depth > DEPTH_LIMIT {
        return None;
    }
    let mut all = Vec::new();
    loop {
        let end = rest.find([',', '(', ')', '/']).unwrap_or(rest.len());
        let name = rest[..end].trim();
        let whole = |byte: u8| byte.is_ascii_alphanumeric() || b"_-@*.".contains(&byte);
        if name.is_empty() || !name.bytes().all(whole) {
            return None;
        }
        *rest = &rest[end..];
        let inner = match rest.bytes().next() {
            Some(b'(') => {
                *rest = &rest[1..];
                let inner = parse(rest, depth + 1)?;
                *rest = rest.strip_prefix(')')?;
                inner
            }
            Some(b'/') => {
                *rest = &rest[1..];
                one(rest, depth + 1)?
            }
            _ => Selection::default(),
        };
        all.push((name.to_owned(), inner));
        match rest.strip_prefix(',') {
            Some(more) => *rest = more,
            None => return Some(Selection(all)),
        }
    }
}

/// `a/b/c`: one way down, up to the comma or the end of the group.
fn one(rest: &mut &str, depth: usize) -> Option<Selection> {
    let end = rest.find([',', ')', '(', '/']).unwrap_or(rest.len());
    let stop = match rest[end..].bytes().next() {
        Some(b'/') => {
            let name = rest[..end].trim().to_owned();
            *rest = &rest[end + 1..];
            if depth > DEPTH_LIMIT || name.is_empty() {
                return None;
            }
            return Some(Selection(vec![(name, one(rest, depth + 1)?)]));
        }
        Some(b'(') => {
            let name = rest[..end].trim().to_owned();
            *rest = &rest[end + 1..];
            let inner = parse(rest, depth + 1)?;
            *rest = rest.strip_prefix(')')?;
            return Some(Selection(vec![(name, inner)]));
        }
        _ => end,
    };
    let name = rest[..stop].trim().to_owned();
    *rest = &rest[stop..];
    (!name.is_empty()).then(|| Selection(vec![(name, Selection::default())]))
}

fn keep(value: Value, selection: &Selection) -> Value {
    if selection.0.is_empty() {
        return value;
    }
    match value {
        Value::Array(items) => items.into_iter().map(|item| keep(item, selection)).collect(),
        Value::Object(object) => {
            let mut kept = Map::new();
            for (name, value) in object {
                let wanted = selection
                    .0
                    .iter()
                    .find(|(field, _)| *field == name || field == "*");
                if let Some((_, inner)) = wanted {
                    kept.insert(name, keep(value, inner));
                }
            }
            Value::Object(kept)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::select;

    #[test]
    fn selects_as_documented() {
        let value =
            json!({"kind": "x", "items": [{"id": 1, "who": {"name": "a", "mail": "b"}}], "next": "t"});
        for (fields, kept) in [
            ("next", json!({"next": "t"})),
            ("items/id", json!({"items": [{"id": 1}]})),
            (
                "kind,items(id,who/mail)",
                json!({"kind": "x", "items": [{"id": 1, "who": {"mail": "b"}}]}),
            ),
            ("items/who(name)", json!({"items": [{"who": {"name": "a"}}]})),
            ("*", value.clone()),
        ] {
            assert_eq!(select(value.clone(), fields), Some(kept), "{fields}");
        }
        for broken in ["", "a(", "a)", "a,,b", "a/", &"a(".repeat(100)] {
            assert_eq!(select(value.clone(), broken), None, "{broken}");
        }
    }
}
