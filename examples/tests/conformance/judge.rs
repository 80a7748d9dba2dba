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
