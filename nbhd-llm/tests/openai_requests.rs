//! The requests that are built, against the published schema of the protocol and row by row.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod recorded;

use std::collections::BTreeSet;
use std::sync::Arc;

use nbhd_core::http::Authorization;
use nbhd_core::{Code, Secret};
use nbhd_llm::chat::{
    Chat, ImageDetail, Media, Message, Part, ProviderBlocks, ReasoningEffort, Tool, ToolCall, ToolChoice,
};
use nbhd_llm::provider::{MaxPrice, Provider, RequestOptions};
use nbhd_llm::registry::{ProviderConfig, provider};
use serde_json::{Value, json};

use recorded::fixtures;

fn of(name: &str) -> Arc<dyn Provider> {
    let config = ProviderConfig::new().with_api_key(Secret::new("sk-test"));
    provider(name, &config).unwrap()
}

fn body(name: &str, chat: &Chat, model: &str, options: &RequestOptions) -> Value {
    let request = of(name).request(chat, model, options).unwrap();
    serde_json::from_slice(request.body.bytes()).unwrap()
}

fn tool() -> Tool {
    Tool::new(
        "weather",
        "The weather of a city.",
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}),
    )
}

/// A conversation with everything in it that can be said without sound.
fn full() -> Chat {
    Chat::new([
        Message::system("Be brief."),
        Message::user(vec![
            Part::text("What is this?"),
            Part::Image {
                media: Media::bytes("image/png", b"png"),
                detail: Some(ImageDetail::Low),
            },
            Part::image(Media::Url("https://example.com/a.png".to_owned())),
            Part::file(Media::bytes("application/pdf", b"pdf"), "a.pdf"),
        ]),
        Message::assistant("").with_tool_calls([ToolCall::new("call_1", "weather", json!({"city": "Rome"}))]),
        Message::tool("call_1", "Sunny."),
        Message::user("And now?"),
    ])
    .with_tools([tool()])
    .with_tool_choice(ToolChoice::Tool("weather".to_owned()))
    .with_parallel_tool_calls(false)
    .with_temperature(0.5)
    .with_top_p(0.9)
    .with_stop(["END"])
    .with_seed(7)
    .with_schema(
        "verdict",
        json!({"type": "object", "properties": {"ok": {"type": "boolean"}}}),
    )
    .with_reasoning(ReasoningEffort::Low)
    .with_session("s1")
    .with_metadata("trace", "t1")
}

fn chats() -> Vec<Chat> {
    let audio = Part::audio(Media::bytes("audio/wav", b"wav"));
    vec![
        Chat::user("Hello"),
        full(),
        full().with_tool_choice(ToolChoice::Auto),
        full().with_tool_choice(ToolChoice::None),
        full().with_tool_choice(ToolChoice::Required),
        Chat::new([Message::user(vec![Part::text("Listen."), audio])]),
        Chat::user("Hello").with_system("Be kind.").with_tools([Tool::new(
            "now",
            "",
            json!({"type": "object"}),
        )]),
    ]
}

/// The names of all properties of a component, through its references.
fn properties(document: &Value, component: &Value, found: &mut BTreeSet<String>) {
    if let Some(path) = component["$ref"].as_str() {
        properties(
            document,
            document.pointer(path.trim_start_matches('#')).unwrap(),
            found,
        );
    }
    for part in component["allOf"].as_array().into_iter().flatten() {
        properties(document, part, found);
    }
    for name in component["properties"]
        .as_object()
        .into_iter()
        .flat_map(|all| all.keys())
    {
        found.insert(name.clone());
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
fn requests_are_valid_by_the_published_schema() {
    let Some(fixtures) = fixtures() else { return };
    let text = std::fs::read_to_string(fixtures.join("schemas/openai.openapi.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let reference = json!({"$ref": "#/components/schemas/CreateChatCompletionRequest"});
    let mut known = BTreeSet::new();
    properties(&document, &reference, &mut known);
    assert!(
        known.contains("messages") && known.contains("stream"),
        "{known:?}"
    );
    let mut schema = reference;
    schema["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::options().build(&schema).unwrap();
    let mut checked = 0;
    for chat in chats() {
        for model in ["gpt-4o-mini", "gpt-5-mini"] {
            for stream in [false, true] {
                let request = body(
                    "openai",
                    &chat,
                    model,
                    &RequestOptions::new(600).with_stream(stream),
                );
                let errors: Vec<String> = validator
                    .iter_errors(&request)
                    .map(|error| error.to_string())
                    .collect();
                assert!(errors.is_empty(), "{request:#}\n{errors:#?}");
                for name in request.as_object().unwrap().keys() {
                    assert!(known.contains(name), "{name} is no field of the protocol");
                }
                checked += 1;
            }
        }
    }
    // The schema can refuse: otherwise the above would prove nothing.
    let broken = json!({"model": "gpt-4o-mini", "messages": [{"role": "nobody", "content": 1}]});
    assert!(!validator.is_valid(&broken));
    println!("{checked} requests");
}

#[test]
fn an_output_cap_is_always_sent_in_the_providers_own_field() {
    let options = RequestOptions::new(600);
    for name in nbhd_llm::registry::names().filter(|name| *name != "compatible") {
        let request = body(name, &Chat::user("Hello"), "m", &options);
        let field = match name {
            "openai" | "groq" | "xai" => "max_completion_tokens",
            _ => "max_tokens",
        };
        assert_eq!(request[field], 600, "{name}");
        assert_eq!(
            request
                .as_object()
                .unwrap()
                .keys()
                .filter(|key| key.starts_with("max_"))
                .count(),
            1
        );
    }
}

#[test]
fn what_could_raise_a_price_is_fixed() {
    let options = RequestOptions::new(600)
        .with_stream(true)
        .with_max_price(MaxPrice {
            input: 150_000_000,
            output: 600_000_000,
        });
    let openai = body("openai", &Chat::user("Hello"), "gpt-4o-mini", &options);
    assert_eq!(openai["service_tier"], "default");
    assert_eq!(
        openai["stream_options"],
        json!({"include_usage": true, "include_obfuscation": false})
    );
    assert!(openai.get("provider").is_none());
    let router = body("openrouter", &Chat::user("Hello"), "openai/gpt-4o-mini", &options);
    assert_eq!(
        router["provider"]["max_price"],
        json!({"prompt": 0.15, "completion": 0.6})
    );
    assert_eq!(router["usage"], json!({"include": true}));
    let mistral = body("mistral", &Chat::user("Hello"), "mistral-small-2603", &options);
    assert!(mistral.get("stream_options").is_none() && mistral.get("service_tier").is_none());
    // Words for the receipts stay here.
    assert!(
        body("openai", &full(), "gpt-4o-mini", &options)
            .get("metadata")
            .is_none()
    );
}

#[test]
fn reasoning_models_get_their_own_role_and_no_sampling() {
    let options = RequestOptions::new(600);
    let request = body("openai", &full(), "gpt-5-mini", &options);
    assert_eq!(request["messages"][0]["role"], "developer");
    assert!(request.get("temperature").is_none() && request.get("top_p").is_none());
    let request = body("openai", &full(), "gpt-4o-mini", &options);
    assert_eq!(request["messages"][0]["role"], "system");
    assert_eq!(request["temperature"], 0.5);
}

#[test]
fn ids_of_calls_fit_the_provider_and_answer_each_other() {
    let chat = Chat::new([
        Message::user("Weather?"),
        Message::assistant("").with_tool_calls([
            ToolCall::new("call_abcdefghijklmnop", "weather", json!({"city": "Rome"})),
            ToolCall::new("gSIMJiOkT", "weather", json!({"city": "Oslo"})),
        ]),
        Message::tool("call_abcdefghijklmnop", "Sunny."),
        Message::tool("gSIMJiOkT", "Rain."),
    ])
    .with_tools([tool()])
    .with_seed(7);
    let request = body("mistral", &chat, "mistral-small-2603", &RequestOptions::new(600));
    let id = request["messages"][1]["tool_calls"][0]["id"].as_str().unwrap();
    assert!(
        id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{id}"
    );
    assert_eq!(request["messages"][2]["tool_call_id"], id);
    assert_eq!(request["messages"][3]["tool_call_id"], "gSIMJiOkT");
    assert_eq!((&request["random_seed"], request.get("seed")), (&json!(7), None));
    let request = body("openai", &chat, "gpt-4o-mini", &RequestOptions::new(600));
    assert_eq!(request["messages"][2]["tool_call_id"], "call_abcdefghijklmnop");
}

#[test]
fn private_blocks_go_back_to_their_provider_alone() {
    let mut said = Message::assistant("").with_tool_calls([ToolCall::new("call_1", "weather", json!({}))]);
    said.provider_blocks = Some(ProviderBlocks {
        provider: "moonshot".to_owned(),
        blocks: json!({"reasoning_content": "Thinking."}),
    });
    let chat = Chat::new([Message::user("Weather?"), said, Message::tool("call_1", "Sunny.")]);
    let options = RequestOptions::new(600);
    let request = body("moonshot", &chat, "kimi-k3", &options);
    assert_eq!(request["messages"][1]["reasoning_content"], "Thinking.");
    for other in ["openai", "deepseek", "openrouter"] {
        assert!(
            !body(other, &chat, "m", &options)
                .to_string()
                .contains("Thinking."),
            "{other}"
        );
    }
}

#[test]
fn what_a_provider_cannot_do_is_refused_before_it_costs() {
    let options = RequestOptions::new(600);
    let refused = |name: &str, chat: &Chat| of(name).request(chat, "m", &options).unwrap_err().code();
    let picture = Chat::new([Message::user(vec![Part::image(Media::bytes(
        "image/png",
        b"png",
    ))])]);
    let address = Chat::new([Message::user(vec![Part::image(Media::Url(
        "https://example.com".to_owned(),
    ))])]);
    assert_eq!(refused("deepseek", &picture), Code::Unsupported);
    assert_eq!(refused("ollama", &address), Code::Unsupported);
    assert_eq!(
        refused(
            "ollama",
            &Chat::user("Hello")
                .with_tools([tool()])
                .with_tool_choice(ToolChoice::Required)
        ),
        Code::Unsupported
    );
    assert_eq!(refused("openai", &Chat::new([])), Code::InvalidInput);
    let hello = Chat::user("Hello");
    for (name, model, code) in [
        ("ollama", "gpt-oss:120b-cloud", Code::AddressDenied),
        ("ollama", "glm-4.6:cloud", Code::AddressDenied),
        ("openrouter", "openai/gpt-4o:online", Code::Unsupported),
    ] {
        let error = of(name).request(&hello, model, &options).unwrap_err();
        assert_eq!(error.code(), code, "{model}");
    }
    assert_eq!(
        refused(
            "openai",
            &Chat::user("Hello").with_tool_choice(ToolChoice::Tool("x".to_owned()))
        ),
        Code::InvalidInput
    );
    let mut stray = Message::tool("call_1", "Sunny.");
    stray.tool_call_id = None;
    assert_eq!(refused("openai", &Chat::new([stray])), Code::InvalidInput);
}

#[test]
fn the_key_is_a_credential_and_nowhere_else() {
    let request = of("openai")
        .request(&Chat::user("Hello"), "m", &RequestOptions::new(600))
        .unwrap();
    assert!(matches!(request.authorization, Authorization::Bearer(_)));
    assert_eq!(request.url.as_str(), "https://api.openai.com/v1/chat/completions");
    assert!(!format!("{request:?} {:?} {:?}", request.headers, of("openai")).contains("sk-test"));
    let without = provider("openai", &ProviderConfig::new()).unwrap();
    let error = without
        .request(&Chat::user("Hello"), "m", &RequestOptions::new(600))
        .unwrap_err();
    assert_eq!(error.code(), Code::SecretMissing);
    let local = provider("ollama", &ProviderConfig::new()).unwrap();
    let request = local.models_request(&RequestOptions::new(1)).unwrap();
    assert_eq!(request.url.as_str(), "http://localhost:11434/v1/models");
    assert!(matches!(request.authorization, Authorization::None));
}
