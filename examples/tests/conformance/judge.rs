//! How what came is compared with what a case expects.

use serde_json::Value;

/// Writes every difference with its place. Objects may have more than is expected, lists not; `"*"` is anything that is there,
/// null is nothing.
pub(crate) fn differences(place: &str, expected: &Value, got: &Value, found: &mut Vec<String>) {
    match (expected, got) {
        (Value::String(any), got) if any == "*" => {
            if got.is_null() {
                found.push(format!("{place}: nothing is there"));
            }
        }
        (Value::Object(expected), Value::Object(got)) => {
            for (name, value) in expected {
                let got = got.get(name).unwrap_or(&Value::Null);
                differences(&format!("{place}.{name}"), value, got, found);
            }
        }
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
            for (at, (expected, got)) in expected.iter().zip(got).enumerate() {
                differences(&format!("{place}[{at}]"), expected, got, found);
            }
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        _ if expected == got => {}
        _ => found.push(format!("{place}: expected {expected}, got {got}")),
    }
}

/// Writes every time that is not spelled as the others are: RFC 3339, `Z` for UTC, a fraction only where it is not zero.
pub(crate) fn misspelt_times(place: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                misspelt_times(&format!("{place}.{name}"), value, found);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                misspelt_times(&format!("{place}[{at}]"), value, found);
            }
        }
        Value::String(text) if is_misspelt(text) => {
            found.push(format!("{place}: {text} is not how times are spelled"));
        }
        _ => {}
    }
}

fn is_misspelt(text: &str) -> bool {
    if chrono::DateTime::parse_from_rfc3339(text).is_err() || text.len() < 20 {
        return false;
    }
    let (time, zone) = text.split_at(text.rfind(['Z', 'z', '+', '-']).unwrap_or(text.len()));
    let fraction = time.get(19..).unwrap_or_default();
    let zero = !fraction.is_empty() && fraction.trim_start_matches(['.', '0']).is_empty();
    zero || fraction.len() > 7
        || !time.contains('T')
        || !(zone == "Z" || zone.len() == 6 && !zone.ends_with("00:00"))
}

#[test]
fn one_spelling_of_times_passes() {
    for text in [
        "2026-11-21T08:00:00Z",
        "2026-11-21T08:00:00.250Z",
        "2026-11-21T08:00:00.000001Z",
        "2026-11-21T09:00:00+01:00",
        "2026-11-21T09:00:00-10:00",
        "2026-11-21",
        "2026-11-22T14:00:00",
        "at 2026-11-21T08:00:00+00:00",
    ] {
        assert!(!is_misspelt(text), "{text}");
    }
    for text in [
        "2026-11-21T08:00:00+00:00",
        "2026-11-21T08:00:00-00:00",
        "2026-11-21T08:00:00.000000Z",
        "2026-11-21T08:00:00.123456789Z",
        "2026-11-21t08:00:00Z",
        "2026-11-21T08:00:00z",
    ] {
        assert!(is_misspelt(text), "{text}");
    }
}

/// The same expectation with its first plain value altered; itself when it has none.
pub(crate) fn altered(expect: &Value) -> Value {
    let mut changed = expect.clone();
    alter(&mut changed);
    changed
}

fn alter(value: &mut Value) -> bool {
    match value {
        Value::String(any) if any == "*" => false,
        Value::Object(fields) if !fields.is_empty() => fields.values_mut().any(alter),
        Value::Array(items) if !items.is_empty() => items.iter_mut().any(alter),
        plain => {
            *plain = "altered".into();
            true
        }
    }
}
