//! Time spans as people write them: `"60s"`, `"500ms"`, `"2m"`, or seconds as a number.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A span of time. As JSON it is float seconds; in a configuration `"60s"`, `"500ms"`, `"2m"`, `"1h"` are read as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub Duration);

impl Seconds {
    /// So many seconds.
    pub const fn new(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_secs_f64())
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a time span like \"60s\", or seconds as a number")]
        enum Form {
            Number(f64),
            Text(String),
        }
        let span = match Form::deserialize(deserializer)? {
            Form::Number(seconds) => Duration::try_from_secs_f64(seconds).ok(),
            Form::Text(text) => read(&text),
        };
        span.map(Self).ok_or_else(|| {
            serde::de::Error::custom("a time span is like \"60s\", \"500ms\", \"2m\" or \"1h\"")
        })
    }
}

fn read(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit);
    let number: f64 = number.trim().parse().ok()?;
    let factor = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * factor).ok()
}

impl JsonSchema for Seconds {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Seconds".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        if generator.contract().is_serialize() {
            return schemars::json_schema!({"description": "A time span in seconds.", "type": "number"});
        }
        schemars::json_schema!({
            "description": "A time span: seconds as a number, or text like \"60s\", \"500ms\", \"2m\", \"1h\".",
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? *(ms|s|m|h)$"},
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Seconds;

    #[test]
    fn both_forms_are_read() {
        let read = |text: &str| serde_json::from_str::<Seconds>(text).map(|span| span.0.as_millis());
        for (text, millis) in [
            ("60", 60_000),
            ("0.5", 500),
            ("\"60s\"", 60_000),
            ("\"500ms\"", 500),
            ("\"2m\"", 120_000),
        ] {
            assert_eq!(read(text).unwrap(), millis, "{text}");
        }
        for text in ["-1", "\"\"", "\"s\"", "\"60\"", "\"60x\"", "\"-1s\"", "null"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
