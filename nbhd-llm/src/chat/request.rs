//! The chat request.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Message, Tool, ToolChoice};

/// One chat request, the same for all providers. Unknown fields are refused: under a budget nothing is sent that is
/// not understood.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Chat {
    /// The conversation. A bare text stands for one message of the user.
    #[serde(deserialize_with = "text_or_messages")]
    #[schemars(with = "TextOrMessages")]
    pub messages: Vec<Message>,
    /// What it is for: names the chain, caps, scopes and timeouts in the router's configuration. `general` unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Who pays, such as `tenant:42`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Tools that the model may call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// Whether it calls one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// The most tokens that the answer may have, reasoning included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_cap: Option<u64>,
    /// How adventurous it is, 0 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// How much of the probable it considers, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Texts before which it stops; at most 4.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// Asks for the same answer to the same question, where the provider can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// The shape that the answer must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<OutputSchema>,
    /// How hard it thinks, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<ReasoningEffort>,
    /// The conversation that this belongs to: keeps to one key and model, so that the provider's cache stays warm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Words for the receipts and the spend report; never sent to a provider.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl Chat {
    /// A conversation.
    pub fn new(messages: impl IntoIterator<Item = Message>) -> Self {
        Self {
            messages: messages.into_iter().collect(),
            ..Self::default()
        }
    }

    /// One message of the user.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new([Message::user(text.into())])
    }

    /// Puts the rules of the conversation before all messages.
    pub fn with_system(mut self, text: impl Into<String>) -> Self {
        self.messages.insert(0, Message::system(text.into()));
        self
    }

    /// Adds a message.
    pub fn with_message(mut self, message: Message) -> Self {
        self.messages.push(message);
        self
    }

    /// Says what it is for.
    pub fn with_purpose(mut self, purpose: impl Into<String>) -> Self {
        self.purpose = Some(purpose.into());
        self
    }

    /// Says who pays.
    pub fn with_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Offers tools.
    pub fn with_tools(mut self, tools: impl IntoIterator<Item = Tool>) -> Self {
        self.tools = tools.into_iter().collect();
        self
    }

    /// Says whether a tool is to be called.
    pub fn with_tool_choice(mut self, choice: ToolChoice) -> Self {
        self.tool_choice = Some(choice);
        self
    }

    /// Says whether several tools may be called at once.
    pub fn with_parallel_tool_calls(mut self, allowed: bool) -> Self {
        self.parallel_tool_calls = Some(allowed);
        self
    }

    /// Bounds the answer, in tokens, reasoning included.
    pub fn with_output_cap(mut self, tokens: u64) -> Self {
        self.output_cap = Some(tokens);
        self
    }

    /// Sets the temperature.
    pub fn with_temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Sets the probability mass considered.
    pub fn with_top_p(mut self, top_p: f64) -> Self {
        self.top_p = Some(top_p);
        self
    }

    /// Sets the texts before which it stops.
    pub fn with_stop<S: Into<String>>(mut self, stop: impl IntoIterator<Item = S>) -> Self {
        self.stop = stop.into_iter().map(Into::into).collect();
        self
    }

    /// Asks for repeatable answers.
    pub fn with_seed(mut self, seed: i64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Asks for an answer that keeps to a JSON Schema.
    pub fn with_schema(mut self, name: impl Into<String>, schema: Value) -> Self {
        self.schema = Some(OutputSchema::new(name, schema));
        self
    }

    /// Says how hard to think.
    pub fn with_reasoning(mut self, effort: ReasoningEffort) -> Self {
        self.reasoning = Some(effort);
        self
    }

    /// Names the conversation.
    pub fn with_session(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// Adds a word for the receipts.
    pub fn with_metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }
}

impl From<&str> for Chat {
    fn from(text: &str) -> Self {
        Chat::user(text)
    }
}

impl From<Vec<Message>> for Chat {
    fn from(messages: Vec<Message>) -> Self {
        Chat::new(messages)
    }
}

/// The shape that an answer must have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputSchema {
    /// A name for the shape, letters, digits, `_` and `-`.
    #[serde(default = "answer")]
    pub name: String,
    /// The JSON Schema.
    pub schema: Value,
    /// Whether the provider must keep to it exactly, where it can; it is checked here in any case.
    #[serde(default = "yes")]
    pub strict: bool,
}

impl OutputSchema {
    /// A strict shape.
    pub fn new(name: impl Into<String>, schema: Value) -> Self {
        Self {
            name: name.into(),
            schema,
            strict: true,
        }
    }
}

fn answer() -> String {
    "answer".to_owned()
}

fn yes() -> bool {
    true
}

/// How hard a reasoning model thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasoningEffort {
    /// Not at all, where the model allows it.
    None,
    /// Hardly.
    Minimal,
    /// A little.
    Low,
    /// As usual.
    Medium,
    /// Hard.
    High,
}

impl ReasoningEffort {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            ReasoningEffort::None => "none",
            ReasoningEffort::Minimal => "minimal",
            ReasoningEffort::Low => "low",
            ReasoningEffort::Medium => "medium",
            ReasoningEffort::High => "high",
        }
    }
}

/// What may stand for the conversation, for the schema alone.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it only describes what may be given")]
enum TextOrMessages {
    /// One message of the user.
    Text(String),
    /// The conversation.
    Messages(Vec<Message>),
}

fn text_or_messages<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Message>, D::Error> {
    struct Either;
    impl<'de> Visitor<'de> for Either {
        type Value = Vec<Message>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a list of messages")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![Message::user(text)])
        }
        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(de::value::SeqAccessDeserializer::new(seq))
        }
    }
    deserializer.deserialize_any(Either)
}

#[cfg(test)]
mod tests {
    use super::Chat;
    use serde_json::json;

    #[test]
    fn a_text_stands_for_one_message_of_the_user() {
        let chat: Chat =
            serde_json::from_value(json!({"messages": "hello", "scopes": ["tenant:42"]})).unwrap();
        assert_eq!(chat, Chat::user("hello").with_scopes(["tenant:42"]));
        assert_eq!(
            serde_json::from_value::<Chat>(serde_json::to_value(&chat).unwrap()).unwrap(),
            chat
        );
    }

    #[test]
    fn the_schema_takes_a_text_too() {
        let schema = serde_json::to_value(schemars::schema_for!(Chat)).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        assert!(validator.is_valid(&json!({"messages": "hello"})));
        assert!(validator.is_valid(&json!({"messages": [{"role": "user", "content": "hello"}]})));
        assert!(!validator.is_valid(&json!({"messages": 1})));
        assert!(!validator.is_valid(&json!({"messages": "hello", "n": 3})));
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let error = serde_json::from_value::<Chat>(json!({"messages": "hello", "n": 3})).unwrap_err();
        assert!(error.to_string().contains("`n`"), "{error}");
    }
}
