//! The parameters of a call: query, JSON, form or multipart, all as the server takes them.

use nbhd_core::testkit::Call;
use serde_json::{Map, Value};

/// The parameters of a call, by name.
pub(super) struct Parameters(Map<String, Value>);

impl Parameters {
    /// Reads them from the query and the body. `None` when the body is not what its content type says.
    pub(super) fn read(call: &Call) -> Option<Self> {
        let mut all: Map<String, Value> = call
            .query_pairs()
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect();
        let kind = call
            .header("content-type")
            .unwrap_or_default()
            .to_ascii_lowercase();
        if call.body.is_empty() {
            return Some(Self(all));
        }
        if kind.starts_with("application/json") {
            let Value::Object(body) = serde_json::from_slice(&call.body).ok()? else {
                return None;
            };
            all.extend(body);
        } else if kind.starts_with("multipart/form-data") {
            let kind = call.header("content-type").unwrap_or_default();
            let boundary = kind
                .split("boundary=")
                .nth(1)?
                .split(';')
                .next()?
                .trim()
                .trim_matches('"');
            all.extend(multipart(&call.body, boundary)?);
        } else {
            all.extend(call.form().into_iter().map(|(name, value)| (name, value.into())));
        }
        Some(Self(all))
    }

    /// A text; numbers count as their digits.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A whole number, also as text.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        match self.0.get(name)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A truth value, also as text.
    pub(super) fn flag(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "1"),
            Some(Value::Number(number)) => number.as_i64() == Some(1),
            _ => false,
        }
    }

    /// A list or an object, also as JSON text. `Err` when the text is no JSON.
    pub(super) fn json(&self, name: &str) -> Result<Option<Value>, ()> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text).map(Some).map_err(|_| ()),
            Some(value) => Ok(Some(value.clone())),
        }
    }
}

fn multipart(body: &[u8], boundary: &str) -> Option<Map<String, Value>> {
    let separator = format!("--{boundary}");
    let mut fields = Map::new();
    let mut rest = body.get(find(body, separator.as_bytes())? + separator.len()..)?;
    while !rest.starts_with(b"--") {
        let part = rest.strip_prefix(b"\r\n")?;
        let end = find(part, format!("\r\n{separator}").as_bytes())?;
        let head_end = find(part, b"\r\n\r\n")?;
        let head = std::str::from_utf8(part.get(..head_end)?).ok()?;
        let name = head.split("name=\"").nth(1)?.split('"').next()?;
        let content = part.get(head_end + 4..end.max(head_end + 4))?;
        fields.insert(
            name.to_owned(),
            String::from_utf8_lossy(content).into_owned().into(),
        );
        rest = part.get(end + 2 + separator.len()..)?;
    }
    Some(fields)
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}
