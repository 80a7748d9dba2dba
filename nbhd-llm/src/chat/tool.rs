//! Tools that a model may call, and the calls it made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does, for the model to read.
    #[serde(default)]
    pub description: String,
    /// Its arguments: a JSON Schema of an object.
    #[serde(default = "no_arguments")]
    pub parameters: Value,
    /// Whether the provider must keep to the schema, where it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

impl Tool {
    /// A tool; `parameters` is the JSON Schema of its arguments.
    pub fn new(name: impl Into<String>, description: impl Into<String>, parameters: Value) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            parameters,
            strict: None,
        }
    }
}

fn no_arguments() -> Value {
    serde_json::json!({"type": "object", "properties": {}})
}

/// Whether the model calls a tool: `"auto"`, `"none"`, `"required"` or `{"tool": "<name>"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToolChoice {
    /// As the model sees fit.
    Auto,
    /// Never.
    None,
    /// At least one.
    Required,
    /// This one.
    Tool(String),
}

/// A call of a tool by the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// Its id, which the tool's message names; made here where the provider gave none.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments, an object; `null` when the model's text is no JSON object (see `unparsed`).
    #[serde(default)]
    pub arguments: Value,
    /// The model's text for the arguments where it is no JSON object, as after an answer cut for length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unparsed: Option<String>,
}

impl ToolCall {
    /// A call with its arguments as an object.
    pub fn new(id: impl Into<String>, name: impl Into<String>, arguments: Value) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            arguments,
            unparsed: None,
        }
    }

    /// A call with its arguments as the model wrote them. Nothing and `null` mean no arguments.
    pub fn from_text(id: impl Into<String>, name: impl Into<String>, arguments: &str) -> Self {
        let (arguments, unparsed) = match serde_json::from_str::<Value>(arguments) {
            Ok(Value::Object(object)) => (Value::Object(object), None),
            Ok(Value::Null) => (Value::Object(serde_json::Map::new()), None),
            _ if arguments.trim().is_empty() => (Value::Object(serde_json::Map::new()), None),
            _ => (Value::Null, Some(arguments.to_owned())),
        };
        Self {
            id: id.into(),
            name: name.into(),
            arguments,
            unparsed,
        }
    }

    /// The arguments as text, for the wire.
    pub fn arguments_text(&self) -> String {
        match &self.unparsed {
            Some(text) => text.clone(),
            None if self.arguments.is_null() => "{}".to_owned(),
            None => self.arguments.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Tool, ToolCall, ToolChoice};
    use serde_json::{Value, json};

    #[test]
    fn arguments_that_are_no_object_are_kept_as_text() {
        assert_eq!(ToolCall::from_text("1", "t", "").arguments, json!({}));
        assert_eq!(ToolCall::from_text("1", "t", "null").arguments, json!({}));
        assert_eq!(
            ToolCall::from_text("1", "t", r#"{"a":1}"#).arguments,
            json!({"a": 1})
        );
        let cut = ToolCall::from_text("1", "t", r#"{"a":"#);
        assert_eq!(
            (cut.arguments.clone(), cut.unparsed.as_deref()),
            (Value::Null, Some(r#"{"a":"#))
        );
        assert_eq!(cut.arguments_text(), r#"{"a":"#);
    }

    #[test]
    fn the_short_forms_read() {
        let choice: ToolChoice = serde_json::from_value(json!("auto")).unwrap();
        assert_eq!(choice, ToolChoice::Auto);
        let choice: ToolChoice = serde_json::from_value(json!({"tool": "weather"})).unwrap();
        assert_eq!(choice, ToolChoice::Tool("weather".to_owned()));
        let tool: Tool = serde_json::from_value(json!({"name": "now"})).unwrap();
        assert_eq!(tool.parameters["type"], "object");
    }
}
