//! Messages: who said what, in text, pictures, files and sound.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::ToolCall;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The program, as rules for the whole conversation.
    System,
    /// The program, in the words of providers that tell it apart from the system.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool, with the result of a call.
    Tool,
}

/// One message of the conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ChatMessage")]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said: a text, or a list of parts. May be missing where the assistant only calls tools.
    #[serde(default)]
    pub content: Content,
    /// The tools that the assistant called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// For a tool's message: the id of the call that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Blocks that only the provider who made them understands, such as thinking signatures: take them from the
    /// answer as they are. They go back to the same provider and to no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_blocks: Option<ProviderBlocks>,
}

impl Message {
    /// A message of `role`.
    pub fn new(role: Role, content: impl Into<Content>) -> Self {
        Self {
            role,
            content: content.into(),
            tool_calls: Vec::new(),
            tool_call_id: None,
            provider_blocks: None,
        }
    }

    /// Rules for the conversation.
    pub fn system(text: impl Into<Content>) -> Self {
        Self::new(Role::System, text)
    }

    /// What the person says.
    pub fn user(content: impl Into<Content>) -> Self {
        Self::new(Role::User, content)
    }

    /// What the model said earlier.
    pub fn assistant(content: impl Into<Content>) -> Self {
        Self::new(Role::Assistant, content)
    }

    /// The result of the call `tool_call_id`.
    pub fn tool(tool_call_id: impl Into<String>, content: impl Into<Content>) -> Self {
        let mut message = Self::new(Role::Tool, content);
        message.tool_call_id = Some(tool_call_id.into());
        message
    }

    /// The tools that the assistant called.
    pub fn with_tool_calls(mut self, calls: impl IntoIterator<Item = ToolCall>) -> Self {
        self.tool_calls = calls.into_iter().collect();
        self
    }

    /// All its text, parts joined.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.content {
            Content::Text(text) => Cow::Borrowed(text),
            Content::Parts(parts) => {
                let texts = parts.iter().filter_map(|part| match part {
                    Part::Text { text } => Some(text.as_str()),
                    _ => None,
                });
                Cow::Owned(texts.collect())
            }
        }
    }
}

/// What a message says: a text or a list of parts.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "ChatContent")]
#[serde(untagged)]
pub enum Content {
    /// Text alone.
    Text(String),
    /// Text, pictures, files and sound, in order.
    Parts(Vec<Part>),
}

impl Content {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        match self {
            Content::Text(text) => text.is_empty(),
            Content::Parts(parts) => parts.is_empty(),
        }
    }
}

impl Default for Content {
    fn default() -> Self {
        Content::Text(String::new())
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Content::Text(text.to_owned())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Content::Text(text)
    }
}

impl From<Vec<Part>> for Content {
    fn from(parts: Vec<Part>) -> Self {
        Content::Parts(parts)
    }
}

// By hand, so that a mistake inside a part is named instead of "matches no variant".
impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Content;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of parts")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }
            fn visit_string<E: de::Error>(self, text: String) -> Result<Content, E> {
                Ok(Content::Text(text))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Content, E> {
                Ok(Content::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Content, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(Content::Parts)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// One part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ChatPart")]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image {
        /// Where it is.
        media: Media,
        /// How closely the model should look.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<ImageDetail>,
    },
    /// A document such as a PDF.
    File {
        /// Where it is.
        media: Media,
        /// Its name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Sound.
    Audio {
        /// Where it is.
        media: Media,
    },
}

impl Part {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Part::Text { text: text.into() }
    }

    /// A picture.
    pub fn image(media: Media) -> Self {
        Part::Image { media, detail: None }
    }

    /// A document.
    pub fn file(media: Media, name: impl Into<String>) -> Self {
        Part::File {
            media,
            name: Some(name.into()),
        }
    }

    /// Sound.
    pub fn audio(media: Media) -> Self {
        Part::Audio { media }
    }
}

/// Where a picture, document or sound is: `{"url": "https://…"}` or `{"data": {"media_type": …, "base64": …}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// At an address that the provider itself fetches. Refused under a budget: nobody here knows its size.
    Url(String),
    /// Here.
    Data {
        /// Such as `image/png`.
        media_type: String,
        /// The bytes in base64.
        base64: String,
    },
}

impl Media {
    /// Bytes that are here.
    pub fn bytes(media_type: impl Into<String>, bytes: impl AsRef<[u8]>) -> Self {
        use base64::Engine;
        Media::Data {
            media_type: media_type.into(),
            base64: base64::engine::general_purpose::STANDARD.encode(bytes),
        }
    }
}

/// How closely a model looks at a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageDetail {
    /// As the provider sees fit.
    Auto,
    /// Coarsely.
    Low,
    /// Closely.
    High,
}

/// What only the provider who made it understands. Opaque: it is carried, never read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderBlocks {
    /// Whose blocks these are.
    pub provider: String,
    /// The blocks.
    pub blocks: serde_json::Value,
}

#[cfg(test)]
mod tests {
    use super::{Content, Message, Part, Role};

    #[test]
    fn content_is_a_text_or_a_list_of_parts() {
        let message: Message = serde_json::from_str(r#"{"role":"user","content":"hello"}"#).unwrap();
        assert_eq!(message, Message::user("hello"));
        let message: Message = serde_json::from_str(
            r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#,
        )
        .unwrap();
        assert_eq!(message.text(), "ab");
        assert_eq!(
            message.content,
            Content::Parts(vec![Part::text("a"), Part::text("b")])
        );
        let message: Message = serde_json::from_str(r#"{"role":"assistant","content":null}"#).unwrap();
        assert_eq!(message, Message::new(Role::Assistant, ""));
    }

    #[test]
    fn a_mistake_inside_a_part_is_named() {
        let error =
            serde_json::from_str::<Message>(r#"{"role":"user","content":[{"type":"text","txt":"a"}]}"#)
                .unwrap_err()
                .to_string();
        assert!(error.contains("txt"), "{error}");
        let error = serde_json::from_str::<Message>(r#"{"role":"user","contents":"a"}"#).unwrap_err();
        assert!(error.to_string().contains("contents"), "{error}");
    }
}
