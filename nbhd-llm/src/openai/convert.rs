//! Our words into the protocol's, and back.

use std::borrow::Cow;

use nbhd_core::{Code, Error, Outcome, Result};
use serde_json::Value;

use super::compatible::{CapField, Echo, EffortField, MediaDialect, Row, SchemaMode, SeedField, StreamUsage};
use super::toolid::NineCharacterIds;
use super::wire;
use crate::chat::{
    Chat, Content, FinishReason, ImageDetail, Media, Message, Part, ReasoningEffort, Role, ToolChoice,
};
use crate::provider::RequestOptions;

/// What must outlive a request that borrows from it.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    ids: NineCharacterIds,
    instruction: Option<String>,
}

impl Prepared {
    /// What `chat` needs at a provider of this row.
    pub(super) fn new(row: &Row, chat: &Chat) -> Self {
        let ids = if row.nine_character_ids {
            NineCharacterIds::new(chat.messages.iter().flat_map(|message| {
                let calls = message.tool_calls.iter().map(|call| call.id.as_str());
                calls.chain(message.tool_call_id.as_deref())
            }))
        } else {
            NineCharacterIds::default()
        };
        let instruction = match (&chat.schema, row.schema) {
            (Some(schema), SchemaMode::Object) => Some(format!(
                "Answer with one JSON object and nothing else. It must be valid against this JSON Schema: {}",
                schema.schema
            )),
            _ => None,
        };
        Self { ids, instruction }
    }
}

/// The request in the protocol's words.
pub(super) fn request<'a>(
    provider: &str,
    row: &Row,
    chat: &'a Chat,
    model: &'a str,
    options: &RequestOptions,
    prepared: &'a Prepared,
) -> Result<wire::Request<'a>> {
    if chat.messages.is_empty() {
        return Err(Error::new(
            Code::InvalidInput,
            "a chat needs at least one message",
        ));
    }
    let reasons = row.reasons(model);
    let sampling = row.sampling_with_reasoning || !reasons;
    let cap = Some(options.output_cap);
    let (max_tokens, max_completion_tokens) = match row.cap {
        CapField::MaxTokens => (cap, None),
        CapField::MaxCompletionTokens => (None, cap),
    };
    let mut messages = Vec::with_capacity(chat.messages.len() + 1);
    if let Some(instruction) = &prepared.instruction {
        messages.push(wire::Message {
            role: "system",
            content: Some(wire::OutContent::Text(Cow::Borrowed(instruction))),
            tool_calls: Vec::new(),
            tool_call_id: None,
            reasoning_content: None,
            reasoning_details: None,
        });
    }
    for given in &chat.messages {
        messages.push(message(provider, row, reasons, given, &prepared.ids)?);
    }
    let (tools, tool_choice) = tools(provider, row, chat)?;
    let effort = chat.reasoning;
    Ok(wire::Request {
        model,
        messages,
        max_tokens,
        max_completion_tokens,
        stream: options.stream.then_some(true),
        stream_options: (options.stream && row.stream_usage == StreamUsage::Options).then_some(
            wire::StreamOptions {
                include_usage: true,
                include_obfuscation: row.no_obfuscation.then_some(false),
            },
        ),
        usage: (row.stream_usage == StreamUsage::Include).then_some(wire::IncludeUsage { include: true }),
        temperature: chat.temperature.filter(|_| sampling),
        top_p: chat.top_p.filter(|_| sampling),
        stop: &chat.stop,
        seed: chat.seed.filter(|_| row.seed == SeedField::Seed),
        random_seed: chat.seed.filter(|_| row.seed == SeedField::RandomSeed),
        parallel_tool_calls: chat
            .parallel_tool_calls
            .filter(|_| row.parallel_tool_calls && !tools.is_empty()),
        tools,
        tool_choice,
        response_format: chat.schema.as_ref().map(|schema| match row.schema {
            SchemaMode::Object => wire::ResponseFormat::JsonObject,
            SchemaMode::Schema => wire::ResponseFormat::JsonSchema {
                json_schema: wire::JsonSchema {
                    name: &schema.name,
                    schema: &schema.schema,
                    strict: schema.strict,
                },
            },
        }),
        reasoning_effort: effort
            .filter(|_| row.effort == EffortField::Effort)
            .map(ReasoningEffort::name),
        reasoning: effort
            .filter(|_| row.effort == EffortField::Reasoning)
            .map(|effort| wire::ReasoningOptions {
                effort: effort.name(),
            }),
        thinking: effort
            .filter(|_| row.effort == EffortField::Thinking)
            .map(|effort| wire::Thinking {
                r#type: if effort == ReasoningEffort::None {
                    "disabled"
                } else {
                    "enabled"
                },
            }),
        service_tier: row.service_tier,
        provider: options
            .max_price
            .filter(|_| row.max_price)
            .map(|price| wire::ProviderPreferences {
                max_price: wire::MaxPrice {
                    prompt: price.input as f64 / 1e9,
                    completion: price.output as f64 / 1e9,
                },
            }),
    })
}

type Tools<'a> = (Vec<wire::Tool<'a>>, Option<wire::ToolChoice<'a>>);

fn tools<'a>(provider: &str, row: &Row, chat: &'a Chat) -> Result<Tools<'a>> {
    if let Some(ToolChoice::Tool(name)) = &chat.tool_choice
        && chat.tools.iter().all(|tool| tool.name != *name)
    {
        return Err(Error::new(
            Code::InvalidInput,
            "the tool choice names a tool that is not offered",
        ));
    }
    if chat.tools.is_empty() {
        return match &chat.tool_choice {
            Some(ToolChoice::Required) => Err(Error::new(
                Code::InvalidInput,
                "a tool is required, but none is offered",
            )),
            _ => Ok((Vec::new(), None)),
        };
    }
    if !row.tool_choice {
        match &chat.tool_choice {
            // Not offered is the one way to say "none" there.
            Some(ToolChoice::None) => return Ok((Vec::new(), None)),
            Some(ToolChoice::Required | ToolChoice::Tool(_)) => {
                return Err(unsupported(provider, "being told to call a tool"));
            }
            _ => {}
        }
    }
    let tools = chat.tools.iter().map(|tool| wire::Tool {
        r#type: "function",
        function: wire::ToolFunction {
            name: &tool.name,
            description: &tool.description,
            parameters: &tool.parameters,
            strict: tool.strict,
        },
    });
    let choice = chat
        .tool_choice
        .as_ref()
        .filter(|_| row.tool_choice)
        .map(|choice| match choice {
            ToolChoice::Auto => wire::ToolChoice::Mode("auto"),
            ToolChoice::None => wire::ToolChoice::Mode("none"),
            ToolChoice::Required => wire::ToolChoice::Mode("required"),
            ToolChoice::Tool(name) => wire::ToolChoice::Function {
                r#type: "function",
                function: wire::FunctionName { name },
            },
        });
    Ok((tools.collect(), choice))
}

fn message<'a>(
    provider: &str,
    row: &Row,
    reasons: bool,
    given: &'a Message,
    ids: &'a NineCharacterIds,
) -> Result<wire::Message<'a>> {
    let role = match given.role {
        Role::System | Role::Developer if row.developer_role && reasons => "developer",
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    if given.role == Role::Tool && given.tool_call_id.is_none() {
        return Err(Error::new(
            Code::InvalidInput,
            "a tool's message needs the `tool_call_id` that it answers",
        ));
    }
    if given.role != Role::Assistant && !given.tool_calls.is_empty() {
        return Err(Error::new(
            Code::InvalidInput,
            "only an assistant's message can have `tool_calls`",
        ));
    }
    let content = match &given.content {
        content if content.is_empty() && !given.tool_calls.is_empty() => None,
        Content::Text(text) => Some(wire::OutContent::Text(Cow::Borrowed(text))),
        Content::Parts(_) if given.role != Role::User => Some(wire::OutContent::Text(given.text())),
        Content::Parts(parts) => Some(wire::OutContent::Parts(
            parts
                .iter()
                .map(|part| out_part(provider, row.media, part))
                .collect::<Result<_>>()?,
        )),
    };
    // What a provider alone understands goes back to it and to no other.
    let blocks = given
        .provider_blocks
        .as_ref()
        .filter(|blocks| blocks.provider == provider)
        .map(|blocks| &blocks.blocks);
    let block = |name: &str| blocks.and_then(|blocks| blocks.get(name));
    Ok(wire::Message {
        role,
        content,
        tool_calls: given
            .tool_calls
            .iter()
            .map(|call| wire::OutCall {
                id: ids.get(&call.id),
                r#type: "function",
                function: wire::OutFunction {
                    name: &call.name,
                    arguments: call.arguments_text(),
                },
            })
            .collect(),
        tool_call_id: given.tool_call_id.as_deref().map(|id| ids.get(id)),
        reasoning_content: match row.echo {
            Echo::ReasoningContent if !given.tool_calls.is_empty() => block("reasoning_content"),
            _ => None,
        },
        reasoning_details: match row.echo {
            Echo::ReasoningDetails => block("reasoning_details"),
            _ => None,
        },
    })
}

fn out_part<'a>(provider: &str, dialect: MediaDialect, part: &'a Part) -> Result<wire::OutPart<'a>> {
    match (part, dialect) {
        (Part::Text { text }, _) => Ok(wire::OutPart::Text { text }),
        (Part::Image { .. }, MediaDialect::None) => Err(unsupported(provider, "pictures")),
        (
            Part::Image {
                media: Media::Url(_), ..
            },
            MediaDialect::InlineImages,
        ) => Err(unsupported(provider, "addresses of pictures")),
        (Part::Image { media, detail }, _) => Ok(wire::OutPart::ImageUrl {
            image_url: wire::ImageUrl {
                url: address(media),
                detail: detail.map(|detail| match detail {
                    ImageDetail::Auto => "auto",
                    ImageDetail::Low => "low",
                    ImageDetail::High => "high",
                }),
            },
        }),
        (Part::File { media, name }, MediaDialect::OpenAi) => match media {
            Media::Url(_) => Err(unsupported(provider, "addresses of files")),
            Media::Data { .. } => Ok(wire::OutPart::File {
                file: wire::FileData {
                    filename: name.as_deref().unwrap_or("file"),
                    file_data: address(media),
                },
            }),
        },
        (Part::File { media, name }, MediaDialect::Mistral) => Ok(wire::OutPart::DocumentUrl {
            document_url: address(media),
            document_name: name.as_deref(),
        }),
        (Part::File { .. }, _) => Err(unsupported(provider, "files")),
        (Part::Audio { media: Media::Url(_) }, MediaDialect::OpenAi) => {
            Err(unsupported(provider, "addresses of sound"))
        }
        (
            Part::Audio {
                media: Media::Data { media_type, base64 },
            },
            MediaDialect::OpenAi,
        ) => {
            let format = match media_type.as_str() {
                "audio/wav" | "audio/x-wav" | "audio/wave" => "wav",
                "audio/mpeg" | "audio/mp3" => "mp3",
                _ => return Err(unsupported(provider, "sound other than WAV and MP3")),
            };
            Ok(wire::OutPart::InputAudio {
                input_audio: wire::OutAudio::Format { data: base64, format },
            })
        }
        (Part::Audio { media }, MediaDialect::Mistral) => Ok(wire::OutPart::InputAudio {
            input_audio: wire::OutAudio::Bare(match media {
                Media::Url(url) => url,
                Media::Data { base64, .. } => base64,
            }),
        }),
        (Part::Audio { .. }, _) => Err(unsupported(provider, "sound")),
    }
}

fn address(media: &Media) -> Cow<'_, str> {
    match media {
        Media::Url(url) => Cow::Borrowed(url),
        Media::Data { media_type, base64 } => Cow::Owned(format!("data:{media_type};base64,{base64}")),
    }
}

fn unsupported(provider: &str, what: &str) -> Error {
    Error::new(Code::Unsupported, format!("{provider} does not take {what}")).with_provider(provider)
}

/// The unified word for why an answer ended. An empty word says nothing.
pub(super) fn finish_reason(word: &str) -> Option<FinishReason> {
    match word {
        "" => None,
        "stop" | "eos_token" | "eos" | "end_turn" | "stop_sequence" => Some(FinishReason::Stop),
        "length" | "model_length" | "max_tokens" => Some(FinishReason::Length),
        "tool_calls" | "function_call" | "tool_use" => Some(FinishReason::ToolCalls),
        "content_filter" => Some(FinishReason::Filtered),
        "error" => Some(FinishReason::Error),
        _ => Some(FinishReason::Other),
    }
}

/// The provider's own blocks of an assistant's message, if it must have any back.
pub(super) fn blocks(row: &Row, reasoning: &str, details: Vec<Value>) -> Option<Value> {
    match row.echo {
        Echo::ReasoningContent if !reasoning.is_empty() => {
            Some(serde_json::json!({"reasoning_content": reasoning}))
        }
        Echo::ReasoningDetails if !details.is_empty() => {
            Some(serde_json::json!({"reasoning_details": details}))
        }
        _ => None,
    }
}

/// A success status with something else in it.
pub(super) fn unreadable(provider: &str, error: &serde_json::Error) -> Error {
    Error::new(
        Code::ProtocolError,
        format!(
            "{provider} answered with something other than its protocol: {:?} at line {}, column {}",
            error.classify(),
            error.line(),
            error.column()
        ),
    )
    .with_provider(provider)
    .with_outcome(Outcome::Unknown)
}
