//! How a script compares what it expects with what came.

use std::collections::BTreeMap;

use serde_json::Value;

/// Whether `text` is as `pattern` says, where `*` stands for any text. Linear in both for each star.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    true
}

/// Compares JSON exactly, but for expected values `"*"`; writes each difference with its place.
pub(super) fn json_match(place: &str, expected: &Value, got: &Value, found: &mut Vec<String>) {
    match (expected, got) {
        (Value::String(any), _) if any == "*" => {}
        (Value::Object(expected), Value::Object(got)) => {
            for (name, value) in expected {
                match got.get(name) {
                    Some(got) => json_match(&format!("{place}.{name}"), value, got, found),
                    None => found.push(format!("{place}.{name}: it is missing")),
                }
            }
            for name in got.keys().filter(|name| !expected.contains_key(*name)) {
                found.push(format!("{place}.{name}: it was not expected"));
            }
        }
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
            for (at, (expected, got)) in expected.iter().zip(got).enumerate() {
                json_match(&format!("{place}[{at}]"), expected, got, found);
            }
        }
        (Value::Array(expected), Value::Array(got)) => {
            found.push(format!(
                "{place}: expected {} items, got {}",
                expected.len(),
                got.len()
            ));
        }
        _ if same(expected, got) => {}
        _ => found.push(format!(
            "{place}: expected {}, got {}",
            show(&expected.to_string()),
            show(&got.to_string())
        )),
    }
}

/// The same value; numbers by what they are worth, because one language writes 1 where another writes 1.0.
fn same(expected: &Value, got: &Value) -> bool {
    expected == got
        || match (expected, got) {
            (Value::Number(a), Value::Number(b)) => {
                a.as_i64().is_none_or(|_| b.as_i64().is_none())
                    && a.as_f64()
                        .zip(b.as_f64())
                        .is_some_and(|(a, b)| a.to_bits() == b.to_bits())
            }
            _ => false,
        }
}

/// Compares fields: every one, in any order; a list stands for a field that comes several times, in that order.
pub(super) fn fields_match(
    place: &str,
    expected: &BTreeMap<String, Value>,
    got: Vec<(String, String)>,
    found: &mut Vec<String>,
) {
    let mut grouped: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in got {
        grouped.entry(name).or_default().push(value);
    }
    for (name, value) in expected {
        let texts: Vec<String> = match value {
            Value::Array(list) => list.iter().map(text).collect(),
            one => vec![text(one)],
        };
        match grouped.get(name) {
            None => found.push(format!("{place}.{name}: it is missing")),
            Some(got)
                if got.len() == texts.len()
                    && texts
                        .iter()
                        .zip(got)
                        .all(|(expected, got)| expected == "*" || expected == got) => {}
            Some(got) => found.push(format!(
                "{place}.{name}: expected {}, got {}",
                show(&texts.join(", ")),
                show(&got.join(", "))
            )),
        }
    }
    for name in grouped.keys().filter(|name| !expected.contains_key(*name)) {
        found.push(format!("{place}.{name}: it was not expected"));
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The text in quotes, cut where it is long.
pub(super) fn show(text: &str) -> String {
    const LONG: usize = 120;
    if text.chars().count() <= LONG {
        return format!("{text:?}");
    }
    let beginning: String = text.chars().take(LONG).collect();
    format!("{beginning:?}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        let table = [
            ("/a/*", "/a/b/c", true),
            ("/a/*/c", "/a/b/c", true),
            ("/a/*/c", "/a/b/d", false),
            ("*", "", true),
            ("/a", "/a", true),
            ("/a", "/ab", false),
            ("a*a", "a", false),
            ("a*b*b", "ab", false),
            ("", "", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn differences_name_their_places() {
        let expected = serde_json::json!({"a": [1, {"b": "*"}], "c": 1, "d": null, "f": 1});
        let got = serde_json::json!({"a": [2, {"b": [7]}], "d": null, "e": true, "f": 1.0});
        let mut found = Vec::new();
        json_match("json", &expected, &got, &mut found);
        assert_eq!(
            found,
            [
                "json.a[0]: expected \"1\", got \"2\"",
                "json.c: it is missing",
                "json.e: it was not expected"
            ]
        );
    }
}
