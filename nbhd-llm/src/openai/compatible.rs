//! A row per provider that speaks this protocol: its quirks as data.

/// What one provider does its own way.
#[derive(Debug)]
#[non_exhaustive]
pub struct Row {
    /// Its name in chains and configurations.
    pub name: &'static str,
    /// Its address up to and including the version; empty where there is no usual one.
    pub base_url: &'static str,
    /// Whether it runs on this machine by nature.
    pub local: bool,
    pub(crate) cap: CapField,
    pub(crate) developer_role: bool,
    pub(crate) service_tier: Option<&'static str>,
    pub(crate) stream_usage: StreamUsage,
    pub(crate) no_obfuscation: bool,
    pub(crate) seed: SeedField,
    pub(crate) nine_character_ids: bool,
    pub(crate) tool_choice: bool,
    pub(crate) parallel_tool_calls: bool,
    pub(crate) schema: SchemaMode,
    pub(crate) media: MediaDialect,
    pub(crate) effort: EffortField,
    pub(crate) echo: Echo,
    /// Whether reasoning is counted beside `completion_tokens` where the total does not settle it.
    pub(crate) reasoning_outside: bool,
    pub(crate) max_price: bool,
    pub(crate) sampling_with_reasoning: bool,
    pub(crate) reasoning_models: Reasoning,
}

/// The field that carries the output cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CapField {
    MaxTokens,
    MaxCompletionTokens,
}

/// How a stream is made to tell its usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamUsage {
    /// `stream_options.include_usage`.
    Options,
    /// `usage.include`.
    Include,
    /// It always does.
    Always,
}

/// The field that carries the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeedField {
    Seed,
    RandomSeed,
    None,
}

/// How a shape for the answer is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SchemaMode {
    /// `response_format: json_schema`.
    Schema,
    /// `response_format: json_object`, with the schema in the words of the system.
    Object,
}

/// How pictures, files and sound are put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaDialect {
    /// `image_url`, `file`, `input_audio`.
    OpenAi,
    /// `image_url`, `document_url`, `input_audio` as a bare text.
    Mistral,
    /// `image_url` alone.
    Images,
    /// `image_url` with the bytes in it, never an address.
    InlineImages,
    /// Text alone.
    None,
}

/// How the effort is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EffortField {
    /// `reasoning_effort`.
    Effort,
    /// `reasoning.effort`.
    Reasoning,
    /// `thinking.type`: on or off.
    Thinking,
}

/// What of its own an assistant's message must carry back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Echo {
    Nothing,
    /// `reasoning_content`, on messages that call tools.
    ReasoningContent,
    /// `reasoning_details`.
    ReasoningDetails,
}

/// Which models reason.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reasoning {
    /// By OpenAI's names: `o<digit>…`, and `gpt-5` and later without `-chat`.
    OpenAi,
    /// Those whose names, after any `vendor/`, begin so.
    Prefixes(&'static [&'static str]),
}

const COMPATIBLE: Row = Row {
    name: "compatible",
    base_url: "",
    local: false,
    cap: CapField::MaxTokens,
    developer_role: false,
    service_tier: None,
    stream_usage: StreamUsage::Options,
    no_obfuscation: false,
    seed: SeedField::Seed,
    nine_character_ids: false,
    tool_choice: true,
    parallel_tool_calls: true,
    schema: SchemaMode::Schema,
    media: MediaDialect::Images,
    effort: EffortField::Effort,
    echo: Echo::Nothing,
    reasoning_outside: false,
    max_price: false,
    sampling_with_reasoning: true,
    reasoning_models: Reasoning::Prefixes(&[]),
};

static ROWS: &[Row] = &[
    // https://platform.openai.com/docs/api-reference/chat, read 2026-08-21. An unset service tier means the project's own,
    // which may be dearer: the standard one is asked for by name. Padding against eavesdroppers only costs bytes here.
    Row {
        name: "openai",
        base_url: "https://api.openai.com/v1",
        cap: CapField::MaxCompletionTokens,
        developer_role: true,
        service_tier: Some("default"),
        no_obfuscation: true,
        media: MediaDialect::OpenAi,
        sampling_with_reasoning: false,
        reasoning_models: Reasoning::OpenAi,
        ..COMPATIBLE
    },
    // https://docs.mistral.ai/api, read 2026-08-21: no `stream_options`, ids of nine characters, usage on the last chunk.
    Row {
        name: "mistral",
        base_url: "https://api.mistral.ai/v1",
        stream_usage: StreamUsage::Always,
        seed: SeedField::RandomSeed,
        nine_character_ids: true,
        media: MediaDialect::Mistral,
        reasoning_models: Reasoning::Prefixes(&["magistral"]),
        ..COMPATIBLE
    },
    // https://platform.moonshot.ai/docs, read 2026-08-21: reasoning comes back with the calls or the turn is refused.
    Row {
        name: "moonshot",
        base_url: "https://api.moonshot.ai/v1",
        seed: SeedField::None,
        parallel_tool_calls: false,
        schema: SchemaMode::Object,
        effort: EffortField::Thinking,
        echo: Echo::ReasoningContent,
        media: MediaDialect::InlineImages,
        reasoning_models: Reasoning::Prefixes(&["kimi-k2-thinking", "kimi-k2.", "kimi-k3"]),
        ..COMPATIBLE
    },
    // https://openrouter.ai/docs/api-reference, recorded 2026-08-22: the finish chunk comes twice, the cost is told.
    Row {
        name: "openrouter",
        base_url: "https://openrouter.ai/api/v1",
        stream_usage: StreamUsage::Include,
        media: MediaDialect::OpenAi,
        effort: EffortField::Reasoning,
        echo: Echo::ReasoningDetails,
        max_price: true,
        reasoning_models: Reasoning::OpenAi,
        ..COMPATIBLE
    },
    // https://console.groq.com/docs/api-reference, recorded 2026-08-22.
    Row {
        name: "groq",
        base_url: "https://api.groq.com/openai/v1",
        cap: CapField::MaxCompletionTokens,
        reasoning_models: Reasoning::Prefixes(&["gpt-oss", "qwen3", "deepseek-r1"]),
        ..COMPATIBLE
    },
    // https://api-docs.deepseek.com, recorded 2026-08-22: text alone; shapes by `json_object` only.
    Row {
        name: "deepseek",
        base_url: "https://api.deepseek.com/v1",
        seed: SeedField::None,
        parallel_tool_calls: false,
        schema: SchemaMode::Object,
        media: MediaDialect::None,
        effort: EffortField::Thinking,
        echo: Echo::ReasoningContent,
        reasoning_models: Reasoning::Prefixes(&["deepseek-reasoner", "deepseek-v4"]),
        ..COMPATIBLE
    },
    // https://docs.x.ai/docs/api-reference, recorded 2026-02-11: reasoning stands beside `completion_tokens`, the cost is told.
    Row {
        name: "xai",
        base_url: "https://api.x.ai/v1",
        cap: CapField::MaxCompletionTokens,
        reasoning_outside: true,
        reasoning_models: Reasoning::Prefixes(&["grok-3-mini", "grok-4"]),
        ..COMPATIBLE
    },
    // https://docs.ollama.com/openai, read 2026-08-21: no `tool_choice`, no addresses of pictures.
    Row {
        name: "ollama",
        base_url: "http://localhost:11434/v1",
        local: true,
        tool_choice: false,
        parallel_tool_calls: false,
        media: MediaDialect::InlineImages,
        reasoning_models: Reasoning::Prefixes(&["deepseek-r1", "qwen3", "gpt-oss", "magistral"]),
        ..COMPATIBLE
    },
    COMPATIBLE,
];

/// All rows.
pub fn rows() -> &'static [Row] {
    ROWS
}

/// The row called `name`.
pub fn row(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

impl Row {
    /// Whether `model` reasons before it answers.
    pub(crate) fn reasons(&self, model: &str) -> bool {
        let name = model.rsplit('/').next().unwrap_or(model);
        match self.reasoning_models {
            Reasoning::OpenAi => openai_reasons(name),
            Reasoning::Prefixes(prefixes) => {
                !name.contains("non-reasoning") && prefixes.iter().any(|prefix| name.starts_with(prefix))
            }
        }
    }
}

fn openai_reasons(model: &str) -> bool {
    let model = model.strip_prefix("ft:").unwrap_or(model);
    if let Some(rest) = model.strip_prefix('o') {
        return rest.starts_with(|first: char| first.is_ascii_digit());
    }
    let Some(rest) = model.strip_prefix("gpt-") else {
        return false;
    };
    if rest.starts_with("oss") {
        return true;
    }
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u32>().is_ok_and(|generation| generation >= 5) && !rest.contains("-chat")
}

#[cfg(test)]
mod tests {
    use super::{row, rows};

    #[test]
    fn reasoning_models_are_told_by_their_names() {
        let openai = row("openai").unwrap();
        for model in [
            "o1",
            "o3-mini",
            "o4-mini-2025-04-16",
            "gpt-5",
            "gpt-5.1-codex",
            "gpt-6-luna",
            "gpt-12",
        ] {
            assert!(openai.reasons(model), "{model}");
        }
        for model in [
            "gpt-4o-mini",
            "gpt-4.1",
            "gpt-5-chat-latest",
            "omni-moderation",
            "gpt-4o",
        ] {
            assert!(!openai.reasons(model), "{model}");
        }
        assert!(row("openrouter").unwrap().reasons("openai/gpt-5-mini"));
        assert!(row("groq").unwrap().reasons("openai/gpt-oss-20b"));
        assert!(!row("xai").unwrap().reasons("grok-4-fast-non-reasoning"));
    }

    #[test]
    fn names_are_unique() {
        for row in rows() {
            assert_eq!(rows().iter().filter(|other| other.name == row.name).count(), 1);
        }
    }
}
