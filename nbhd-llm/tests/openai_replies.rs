//! Every recorded reply of the chat completions protocol, read by the providers and by a reading that shares no code
//! with them: the same text, calls, usage and end must come out, whole and however the bytes are cut.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod recorded;

use std::collections::BTreeMap;

use nbhd_core::http::{HeaderMap, StatusCode};
use nbhd_core::{Code, Outcome};
use nbhd_llm::chat::FinishReason;
use nbhd_llm::provider::{Provider, ProviderAnswer, ProviderEvent};
use nbhd_llm::registry::{ProviderConfig, provider};
use serde_json::Value;

use recorded::{chat_exchanges, files, fixtures};

/// What a reply says, by the plainest reading.
#[derive(Debug, Default, PartialEq)]
struct Plain {
    text: String,
    reasoning: String,
    calls: Vec<(String, String, Value)>,
    finish: Option<String>,
    usage: Option<(u64, u64)>,
}

impl Plain {
    fn read(objects: &[Value]) -> Self {
        let mut plain = Self::default();
        let mut calls: BTreeMap<u64, (String, String, String)> = BTreeMap::new();
        for object in objects {
            if let Some(usage) = object.get("usage").filter(|usage| usage.is_object()) {
                plain.usage = Some(counts(usage));
            }
            // Some recordings asked for two answers: the first is the answer.
            let mut choices = object["choices"].as_array().into_iter().flatten();
            let Some(choice) = choices.find(|choice| choice["index"].as_u64().unwrap_or(0) == 0) else {
                continue;
            };
            let said = if choice["delta"].is_object() {
                &choice["delta"]
            } else {
                &choice["message"]
            };
            match &said["content"] {
                Value::String(text) => plain.text += text,
                Value::Array(parts) => {
                    for part in parts {
                        plain.text += part["text"].as_str().unwrap_or("");
                        for thought in part["thinking"].as_array().into_iter().flatten() {
                            plain.reasoning += thought["text"].as_str().unwrap();
                        }
                    }
                }
                _ => {}
            }
            plain.text += said["refusal"].as_str().unwrap_or("");
            let thought = said["reasoning_content"].as_str().or(said["reasoning"].as_str());
            plain.reasoning += thought.unwrap_or("");
            for (place, call) in said["tool_calls"].as_array().into_iter().flatten().enumerate() {
                let entry = calls
                    .entry(call["index"].as_u64().unwrap_or(place as u64))
                    .or_default();
                if entry.0.is_empty() {
                    call["id"].as_str().unwrap_or("").clone_into(&mut entry.0);
                }
                if entry.1.is_empty() {
                    call["function"]["name"]
                        .as_str()
                        .unwrap_or("")
                        .clone_into(&mut entry.1);
                }
                match &call["function"]["arguments"] {
                    Value::String(text) => entry.2 += text,
                    Value::Null => {}
                    object => entry.2 += &object.to_string(),
                }
            }
            if plain.finish.is_none() {
                plain.finish = choice["finish_reason"].as_str().map(str::to_owned);
            }
        }
        plain.calls = calls
            .into_values()
            .map(|(id, name, text)| {
                let text = if matches!(&text[..], "" | "null") {
                    "{}"
                } else {
                    &text
                };
                (id, name, serde_json::from_str(text).unwrap_or(Value::Null))
            })
            .collect();
        plain
    }
}

/// What was read and what was written. The total says whether reasoning stands beside the completion.
fn counts(usage: &Value) -> (u64, u64) {
    let count = |name: &str| usage[name].as_u64().unwrap();
    (
        count("prompt_tokens"),
        count("total_tokens") - count("prompt_tokens"),
    )
}

fn assert_same(name: &str, plain: &Plain, answer: &ProviderAnswer) {
    assert_eq!(answer.text, plain.text, "{name}: text");
    assert_eq!(
        answer.reasoning.as_deref().unwrap_or(""),
        plain.reasoning,
        "{name}: reasoning"
    );
    let calls: Vec<_> = answer
        .tool_calls
        .iter()
        .map(|call| (call.id.clone(), call.name.clone(), call.arguments.clone()))
        .collect();
    assert_eq!(calls, plain.calls, "{name}: calls");
    let usage = answer
        .usage
        .map(|usage| (usage.input_tokens(), usage.output_tokens()));
    assert_eq!(usage, plain.usage, "{name}: usage");
    assert!(
        answer.usage.is_none_or(|usage| usage.adds_up()),
        "{name}: usage adds up"
    );
    assert_eq!(
        answer.finish_detail.is_some(),
        plain.finish.is_some(),
        "{name}: finish"
    );
    let expected = match plain.finish.as_deref() {
        _ if answer.finish_detail.as_deref() == Some("refusal") => FinishReason::Filtered,
        Some("stop") if plain.calls.is_empty() => FinishReason::Stop,
        Some("length") => FinishReason::Length,
        Some("stop" | "tool_calls") => FinishReason::ToolCalls,
        other => panic!("{name}: unexpected end {other:?}"),
    };
    assert_eq!(answer.finish_reason, Some(expected), "{name}: finish");
}

/// Decodes `body` in pieces of `size` bytes and checks that the events say what the answer says.
fn decode(
    name: &str,
    provider: &dyn Provider,
    body: &[u8],
    size: usize,
) -> (Vec<ProviderEvent>, ProviderAnswer) {
    let mut decoder = provider.stream();
    let mut events = Vec::new();
    for piece in body.chunks(size) {
        decoder
            .feed(piece, &mut events)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let answer = decoder
        .finish(&mut events)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let (mut text, mut reasoning) = (String::new(), String::new());
    for event in &events {
        match event {
            ProviderEvent::Text(more) => text += more,
            ProviderEvent::Reasoning(more) => reasoning += more,
            _ => {}
        }
    }
    assert_eq!(text, answer.text, "{name}: the events say the text");
    assert_eq!(
        reasoning,
        answer.reasoning.clone().unwrap_or_default(),
        "{name}: the events say the reasoning"
    );
    assert_eq!(events.first(), Some(&ProviderEvent::Started), "{name}");
    (events, answer)
}

fn check_stream(name: &str, provider: &dyn Provider, body: &str, objects: &[Value]) {
    let plain = Plain::read(objects);
    let (events, answer) = decode(name, provider, body.as_bytes(), usize::MAX);
    assert_same(name, &plain, &answer);
    for size in [1, 61] {
        let cut = decode(name, provider, body.as_bytes(), size);
        assert_eq!(
            cut,
            (events.clone(), answer.clone()),
            "{name}: in pieces of {size}"
        );
    }
    let crlf = body.replace('\n', "\r\n");
    assert_eq!(
        decode(name, provider, crlf.as_bytes(), 13).1,
        answer,
        "{name}: with CRLF"
    );
}

/// The provider that a folder of recordings belongs to.
fn by_folder(folder: &str) -> std::sync::Arc<dyn Provider> {
    let at = |like: &str| {
        ProviderConfig::new()
            .like(like)
            .with_base_url("http://127.0.0.1:1/v1")
    };
    match folder {
        "moonshotai" => provider("moonshot", &ProviderConfig::new()),
        "llamacpp" => provider("llamacpp", &at("compatible")),
        "openai-compatible" => provider("xai", &ProviderConfig::new()),
        known => provider(known, &ProviderConfig::new()),
    }
    .unwrap()
}

/// Recorded objects as they went over the wire.
fn frame(objects: &[&str]) -> String {
    objects
        .iter()
        .flat_map(|object| ["data: ", object, "\n\n"])
        .collect()
}

fn data_lines(body: &str) -> Vec<Value> {
    body.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

#[test]
fn recorded_exchanges_are_read_as_they_stand() {
    let Some(fixtures) = fixtures() else { return };
    let (mut streams, mut whole, mut refusals) = (0, 0, 0);
    for exchange in chat_exchanges(&fixtures) {
        let provider = by_folder(&exchange.provider);
        let name = &exchange.name;
        if exchange.status != 200 {
            let status = StatusCode::from_u16(exchange.status).unwrap();
            let now = "2026-11-21T06:00:00Z".parse().unwrap();
            let error = provider.error(status, &HeaderMap::new(), exchange.body.as_bytes(), now);
            assert_eq!(error.provider_status(), Some(exchange.status), "{name}");
            assert_eq!(error.outcome(), Outcome::Refused, "{name}: {error}");
            let expected = match (exchange.status, &exchange.body) {
                (401, _) => Code::Unauthenticated,
                (_, body) if body.contains("Invalid model") => Code::ModelNotFound,
                (_, body) if body.contains("exceed_context_size") => Code::ContextOverflow,
                (500, _) => Code::ProviderUnavailable,
                _ => Code::InvalidInput,
            };
            assert_eq!(error.code(), expected, "{name}: {error}");
            refusals += 1;
        } else if exchange.request.contains("\"stream\":true") {
            check_stream(name, &*provider, &exchange.body, &data_lines(&exchange.body));
            streams += 1;
        } else {
            let object: Value = serde_json::from_str(&exchange.body).unwrap();
            let answer = provider.answer(exchange.body.as_bytes()).unwrap();
            assert_same(name, &Plain::read(&[object]), &answer);
            whole += 1;
        }
    }
    println!("{streams} streams, {whole} whole replies, {refusals} refusals");
    // 341 as counted with a YAML parser of another language.
    assert_eq!((streams, whole, refusals), (137, 192, 12));
}

#[test]
fn recorded_chunks_are_read_as_they_stand() {
    let Some(fixtures) = fixtures() else { return };
    let (mut streams, mut whole) = (0, 0);
    for folder in ["openai/chat", "openai-compatible/chat", "mistral", "moonshotai"] {
        let provider = by_folder(folder.split('/').next().unwrap());
        let root = fixtures.join("llm/vercel-ai").join(folder);
        for (path, text) in files(&root, ".chunks.txt") {
            let name = path.display().to_string();
            let objects: Vec<Value> = text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            let framed = frame(&text.lines().collect::<Vec<_>>());
            check_stream(&name, &*provider, &format!("{framed}data: [DONE]\n\n"), &objects);
            // The end may be missing, and so may the last empty line.
            check_stream(&name, &*provider, framed.trim_end(), &objects);
            streams += 1;
        }
        for (path, text) in files(&root, ".sse") {
            check_stream(&path.display().to_string(), &*provider, &text, &data_lines(&text));
            streams += 1;
        }
        for (path, text) in files(&root, ".json") {
            let object: Value = serde_json::from_str(&text).unwrap();
            if object["choices"].is_array() {
                let answer = provider.answer(text.as_bytes()).unwrap();
                assert_same(&path.display().to_string(), &Plain::read(&[object]), &answer);
                whole += 1;
            }
        }
    }
    println!("{streams} streams, {whole} whole replies");
    assert_eq!((streams, whole), (10, 9));
}

#[test]
fn a_recorded_stream_cut_anywhere_is_never_a_whole_answer() {
    let Some(fixtures) = fixtures() else { return };
    let path = fixtures.join("llm/vercel-ai/openai/chat");
    let provider = by_folder("openai");
    let mut cuts = 0;
    for (path, text) in files(&path, ".chunks.txt") {
        let lines: Vec<&str> = text.lines().collect();
        let end = lines
            .iter()
            .position(|line| line.contains("\"finish_reason\":\"stop\""))
            .unwrap_or_else(|| panic!("{}", path.display()));
        let before = frame(&lines[..end]);
        for at in (0..before.len()).step_by(37) {
            let mut decoder = provider.stream();
            let mut events = Vec::new();
            decoder.feed(&before.as_bytes()[..at], &mut events).unwrap();
            let error = decoder.finish(&mut events).unwrap_err();
            assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
            assert_eq!(error.code(), Code::ProviderUnavailable, "at {at}: {error}");
            cuts += 1;
        }
    }
    println!("{cuts} cuts");
    assert!(cuts > 100);
}
