//! What is asked of the stand-in, and everything that a provider would refuse about it.

use nbhd_core::testkit::{Call, Reply};
use serde_json::{Value, json};

use super::catalog::{StandInCatalog, StandInModel};

/// A request that passed.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) request: Value,
    pub(super) model: StandInModel,
    /// The most tokens that the answer may have.
    pub(super) cap: u64,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
}

/// Fields that every provider of the protocol knows.
const COMMON: &[&str] = &[
    "model",
    "messages",
    "max_tokens",
    "stream",
    "temperature",
    "top_p",
    "stop",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "presence_penalty",
    "frequency_penalty",
    "n",
    "reasoning_effort",
];

/// Fields that some know besides.
fn own_fields(provider: &str) -> &'static [&'static str] {
    match provider {
        "mistral" => &["random_seed", "safe_prompt", "prompt_mode", "prompt_cache_key"],
        "moonshot" => &["thinking", "stream_options", "prompt_cache_key"],
        "openrouter" => &["provider", "usage", "reasoning", "seed", "stream_options"],
        "ollama" => &["seed", "stream_options"],
        _ => &[
            "max_completion_tokens",
            "stream_options",
            "seed",
            "user",
            "service_tier",
            "metadata",
            "store",
            "logprobs",
            "top_logprobs",
            "logit_bias",
            "safety_identifier",
            "prompt_cache_key",
            "verbosity",
        ],
    }
}

/// Answers of models have at most this many tokens where nothing says otherwise.
const USUAL_CAP: u64 = 16_384;

impl Ask {
    /// Reads a call; what a provider would refuse is refused in its words.
    pub(super) fn read(catalog: &StandInCatalog, provider: &str, call: &Call) -> Result<Self, Box<Reply>> {
        authorized(provider, call)?;
        let Ok(request) = serde_json::from_slice::<Value>(&call.body) else {
            return Err(invalid(
                provider,
                None,
                "invalid_json",
                "We could not parse the JSON body of your request.",
            ));
        };
        let Some(fields) = request.as_object() else {
            return Err(invalid(
                provider,
                None,
                "invalid_json",
                "The body must be a JSON object.",
            ));
        };
        let own = own_fields(provider);
        for name in fields.keys() {
            if !COMMON.contains(&name.as_str()) && !own.contains(&name.as_str()) {
                let message = format!("Unknown parameter: '{name}'.");
                return Err(invalid(provider, Some(name), "unknown_parameter", &message));
            }
        }
        let name = request["model"].as_str().unwrap_or_default();
        let model = find(catalog, provider, name)?;
        if model.reasons && provider == "openai" && fields.contains_key("max_tokens") {
            return Err(invalid(
                provider,
                Some("max_tokens"),
                "unsupported_parameter",
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            ));
        }
        values(provider, &request)?;
        messages(provider, &request)?;
        let cap = ["max_completion_tokens", "max_tokens"]
            .iter()
            .find_map(|name| request[*name].as_u64())
            .unwrap_or(USUAL_CAP);
        Ok(Self {
            stream: request["stream"] == true,
            include_usage: provider == "mistral"
                || request["stream_options"]["include_usage"] == true
                || request["usage"]["include"] == true,
            model,
            cap,
            request,
        })
    }
}

/// A missing key is refused; any other will do.
pub(super) fn authorized(provider: &str, call: &Call) -> Result<(), Box<Reply>> {
    let given = call
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .is_some_and(|key| !key.is_empty());
    if given || provider == "ollama" {
        return Ok(());
    }
    Err(Box::new(match provider {
        "mistral" => Reply::json(401, &json!({"detail": "Invalid API Key"})),
        "moonshot" => Reply::json(
            401,
            &json!({"error": {"message": "Invalid Authentication", "type": "invalid_authentication_error"}}),
        ),
        _ => refusal(
            401,
            None,
            "invalid_request_error",
            "invalid_api_key",
            "Incorrect API key provided.",
        ),
    }))
}

fn find(catalog: &StandInCatalog, provider: &str, name: &str) -> Result<StandInModel, Box<Reply>> {
    if let Some(model) = catalog.find(provider, name) {
        return Ok(model.clone());
    }
    Err(Box::new(match provider {
        "mistral" => Reply::json(
            400,
            &json!({"object": "error", "message": format!("Invalid model: {name}"), "type": "invalid_model",
                "param": null, "code": "1500", "raw_status_code": 400}),
        ),
        "moonshot" => Reply::json(
            404,
            &json!({"error": {"message": format!("Not found the model {name}"), "type": "resource_not_found_error"}}),
        ),
        _ => refusal(
            404,
            None,
            "invalid_request_error",
            "model_not_found",
            &format!("The model `{name}` does not exist or you do not have access to it."),
        ),
    }))
}

fn values(provider: &str, request: &Value) -> Result<(), Box<Reply>> {
    let wrong = |name: &str, code: &str, message: &str| Err(invalid(provider, Some(name), code, message));
    if request["temperature"]
        .as_f64()
        .is_some_and(|value| !(0.0..=2.0).contains(&value))
    {
        return wrong(
            "temperature",
            "decimal_above_max_value",
            "Invalid 'temperature': expected a value from 0 to 2.",
        );
    }
    if request["n"].as_u64().is_some_and(|value| value != 1) {
        return wrong("n", "unsupported_value", "The stand-in gives one answer.");
    }
    for name in ["max_tokens", "max_completion_tokens"] {
        if !request[name].is_null() && request[name].as_u64().is_none_or(|value| value == 0) {
            return wrong(
                name,
                "integer_below_min_value",
                "Expected a whole number of at least 1.",
            );
        }
    }
    if !request["stream_options"].is_null() && request["stream"] != true {
        return wrong(
            "stream_options",
            "invalid_value",
            "'stream_options' is only allowed when 'stream' is true.",
        );
    }
    if request["stop"].as_array().is_some_and(|stop| stop.len() > 4) {
        return wrong(
            "stop",
            "array_above_max_length",
            "Invalid 'stop': at most 4 are allowed.",
        );
    }
    for tool in request["tools"].as_array().into_iter().flatten() {
        if tool["type"] != "function" || tool["function"]["name"].as_str().is_none_or(str::is_empty) {
            return wrong(
                "tools",
                "invalid_value",
                "A tool needs the type 'function' and a name.",
            );
        }
    }
    let format = &request["response_format"];
    if format["type"] == "json_schema"
        && !(format["json_schema"]["schema"].is_object() && format["json_schema"]["name"].is_string())
    {
        return wrong(
            "response_format",
            "missing_required_parameter",
            "A 'json_schema' needs 'name' and 'schema'.",
        );
    }
    Ok(())
}

fn messages(provider: &str, request: &Value) -> Result<(), Box<Reply>> {
    let wrong = |message: &str| Err(invalid(provider, Some("messages"), "invalid_value", message));
    let Some(messages) = request["messages"]
        .as_array()
        .filter(|messages| !messages.is_empty())
    else {
        return wrong("Invalid 'messages': at least one is needed.");
    };
    let mut called: Vec<&str> = Vec::new();
    for message in messages {
        let role = message["role"].as_str().unwrap_or_default();
        if !matches!(role, "system" | "developer" | "user" | "assistant" | "tool")
            || (role == "developer" && provider != "openai")
        {
            return wrong("Invalid 'messages': unknown role.");
        }
        let content = &message["content"];
        if !(content.is_string() || content.is_array() || (role == "assistant" && content.is_null())) {
            return wrong("Invalid 'messages': 'content' must be a text or a list of parts.");
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let id = call["id"].as_str().unwrap_or_default();
            if provider == "mistral"
                && !(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
            {
                return Err(Box::new(Reply::json(
                    400,
                    &json!({"object": "error", "type": "invalid_function_call", "param": null, "code": "3280",
                        "message": "Tool call id must be a-z, A-Z, 0-9, with a length of 9."}),
                )));
            }
            if call["function"]["arguments"].as_str().is_none() {
                return wrong("Invalid 'messages': a call's arguments must be a text.");
            }
            called.push(id);
        }
        if role == "tool"
            && !message["tool_call_id"]
                .as_str()
                .is_some_and(|id| called.contains(&id))
        {
            return wrong("Invalid 'messages': a tool's message must answer a call before it.");
        }
    }
    Ok(())
}

/// A refusal of the request itself, in the provider's shape.
fn invalid(provider: &str, param: Option<&str>, code: &str, message: &str) -> Box<Reply> {
    Box::new(match provider {
        "mistral" => Reply::json(
            422,
            &json!({"detail": [{"loc": ["body", param], "msg": message, "type": "extra_forbidden"}]}),
        ),
        _ => refusal(400, param, "invalid_request_error", code, message),
    })
}

fn refusal(status: u16, param: Option<&str>, kind: &str, code: &str, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({"error": {"message": message, "type": kind, "param": param, "code": code}}),
    )
}
