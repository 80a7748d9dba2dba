//! What the stand-in answers, and how it goes over the wire.

use nbhd_core::testkit::Reply;
use serde_json::{Value, json};

use super::ask::Ask;
use super::bill::{BillEntry, input_tokens, price, tokens};
use super::{extract, fill};

/// An answer before it is put on the wire.
#[derive(Debug)]
pub(super) struct Answer {
    text: String,
    calls: Vec<(String, String, String)>,
    finish: &'static str,
    reasoning: u64,
    output: u64,
}

impl Answer {
    /// What the stand-in has to say to `ask`; `number` makes ids.
    pub(super) fn to(ask: &Ask, provider: &str, number: u64) -> Self {
        // A third of the cap is thought away unseen, at most 64 tokens.
        let reasoning = if ask.model.reasons {
            (ask.cap / 3).min(64)
        } else {
            0
        };
        let room = ask.cap - reasoning;
        let calls = calls(ask, provider, number);
        if !calls.is_empty() {
            return Self::calling(calls, room, reasoning);
        }
        let format = &ask.request["response_format"];
        let text = match format["type"].as_str() {
            Some("json_schema") => fill::answer(&format["json_schema"]["schema"], &ask.request).to_string(),
            Some("json_object") => json!({"answer": extract::text(&ask.request)}).to_string(),
            _ => extract::text(&ask.request),
        };
        let text = stopped(text, &ask.request["stop"]);
        let whole = tokens(&text) <= room;
        let text: String = text.chars().take((room as usize).saturating_mul(4)).collect();
        Self {
            output: tokens(&text) + reasoning,
            text,
            calls: Vec::new(),
            finish: if whole { "stop" } else { "length" },
            reasoning,
        }
    }

    fn calling(mut calls: Vec<(String, String, String)>, room: u64, reasoning: u64) -> Self {
        let mut left = room;
        let mut finish = "tool_calls";
        let mut written = 0;
        calls.retain_mut(|(_, name, arguments)| {
            let head = tokens(name) + 4;
            if left < head {
                finish = "length";
                return false;
            }
            left -= head;
            let body = tokens(arguments).min(left);
            if body < tokens(arguments) {
                finish = "length";
                *arguments = arguments.chars().take((body * 4) as usize).collect();
            }
            left -= body;
            written += head + body;
            true
        });
        Self {
            text: String::new(),
            calls,
            finish,
            reasoning,
            output: written + reasoning,
        }
    }

    /// What it is billed at.
    pub(super) fn bill(
        &self,
        ask: &Ask,
        provider: &str,
        number: u64,
        bytes: usize,
        cached: bool,
    ) -> BillEntry {
        let input = input_tokens(&ask.request, bytes);
        // A prompt seen before comes from the cache in whole blocks of 128, from 1,024 tokens on.
        let cached = if cached && input >= 1_024 {
            input / 128 * 128
        } else {
            0
        };
        BillEntry {
            id: id(number),
            provider: provider.to_owned(),
            model: ask.model.name.clone(),
            stream: ask.stream,
            input_tokens: input,
            cached_tokens: cached,
            output_tokens: self.output,
            reasoning_tokens: self.reasoning,
            nano_usd: price(&ask.model, input, cached, self.output),
        }
    }

    /// The whole reply.
    pub(super) fn whole(&self, entry: &BillEntry) -> Reply {
        let calls: Vec<Value> = self
            .calls
            .iter()
            .map(|(id, name, arguments)| {
                json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
            })
            .collect();
        let mut message = json!({"role": "assistant", "content": self.text, "refusal": null});
        if !calls.is_empty() {
            message["content"] = Value::Null;
            message["tool_calls"] = calls.into();
        }
        Reply::json(
            200,
            &json!({
                "id": entry.id, "object": "chat.completion", "created": CREATED, "model": entry.model,
                "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": self.finish}],
                "usage": usage(entry), "service_tier": "default", "system_fingerprint": "fp_stand_in",
            }),
        )
    }

    /// The reply as a stream: a role, the words, the end, and the usage where it is wanted.
    pub(super) fn streamed(&self, ask: &Ask, entry: &BillEntry) -> Reply {
        let mut pieces = Vec::new();
        // Mistral's usage rides on the last chunk; others send a chunk of its own, and `null` before.
        let rides = entry.provider == "mistral";
        let mut push = |delta: Value, finish: Option<&str>| {
            let mut chunk = json!({
                "id": entry.id, "object": "chat.completion.chunk", "created": CREATED, "model": entry.model,
                "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}],
                "system_fingerprint": "fp_stand_in",
            });
            match (ask.include_usage, rides, finish) {
                (true, true, Some(_)) => chunk["usage"] = usage(entry),
                (true, false, _) => chunk["usage"] = Value::Null,
                _ => {}
            }
            pieces.push(format!("data: {chunk}\n\n"));
        };
        push(json!({"role": "assistant", "content": ""}), None);
        for word in self.text.split_inclusive(' ') {
            push(json!({"content": word}), None);
        }
        for (index, (id, name, arguments)) in self.calls.iter().enumerate() {
            let first = json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}});
            push(json!({"tool_calls": [first]}), None);
            for piece in halves(arguments) {
                push(
                    json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}),
                    None,
                );
            }
        }
        push(json!({}), Some(self.finish));
        if ask.include_usage && !rides {
            let chunk = json!({
                "id": entry.id, "object": "chat.completion.chunk", "created": CREATED, "model": entry.model,
                "choices": [], "usage": usage(entry), "system_fingerprint": "fp_stand_in",
            });
            pieces.push(format!("data: {chunk}\n\n"));
        }
        pieces.push("data: [DONE]\n\n".to_owned());
        Reply::events(pieces)
    }
}

/// The stand-in's answers were all made at one time.
const CREATED: u64 = 1_700_000_000;

fn id(number: u64) -> String {
    format!("chatcmpl-standin-{number}")
}

fn usage(entry: &BillEntry) -> Value {
    json!({
        "prompt_tokens": entry.input_tokens,
        "completion_tokens": entry.output_tokens,
        "total_tokens": entry.input_tokens + entry.output_tokens,
        "prompt_tokens_details": {"cached_tokens": entry.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": entry.reasoning_tokens, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
    })
}

fn halves(text: &str) -> Vec<&str> {
    let middle = text
        .char_indices()
        .map(|(place, _)| place)
        .find(|place| *place >= text.len() / 2)
        .unwrap_or(0);
    let (first, second) = text.split_at(middle);
    [first, second]
        .into_iter()
        .filter(|piece| !piece.is_empty())
        .collect()
}

fn stopped(text: String, stop: &Value) -> String {
    let stops = match stop {
        Value::String(stop) => vec![stop.as_str()],
        Value::Array(stops) => stops.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let end = stops
        .iter()
        .filter(|stop| !stop.is_empty())
        .filter_map(|stop| text.find(stop))
        .min();
    match end {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// The tools that it calls: the one it must, or those whose names, in words, stand in the user's last message. Once a tool has
/// answered it speaks.
fn calls(ask: &Ask, provider: &str, number: u64) -> Vec<(String, String, String)> {
    let request = &ask.request;
    let tools: Vec<&Value> = request["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tool| &tool["function"])
        .collect();
    let last = request["messages"]
        .as_array()
        .and_then(|messages| messages.last());
    let Some(last) = last.filter(|last| last["role"] == "user") else {
        return Vec::new();
    };
    let said = extract::said(last).to_lowercase();
    let named = |tool: &&Value| {
        let name = tool["name"].as_str().unwrap_or_default().to_lowercase();
        said.contains(&name) || name.split(['_', '-', '.']).all(|word| said.contains(word))
    };
    let choice = &request["tool_choice"];
    let mut chosen: Vec<&Value> = match choice {
        Value::String(mode) if mode == "none" => return Vec::new(),
        Value::String(mode) if mode == "required" || mode == "any" => {
            let asked: Vec<&Value> = tools.iter().copied().filter(named).collect();
            if asked.is_empty() {
                tools.into_iter().take(1).collect()
            } else {
                asked
            }
        }
        Value::Object(_) => {
            let name = &choice["function"]["name"];
            tools.into_iter().filter(|tool| tool["name"] == *name).collect()
        }
        _ => tools.into_iter().filter(named).collect(),
    };
    if request["parallel_tool_calls"] == false {
        chosen.truncate(1);
    }
    let call = |(place, tool): (usize, &Value)| {
        let id = if provider == "mistral" {
            format!("s{:04}{:04}", number % 10_000, place % 10_000)
        } else {
            format!("call_standin_{number}_{place}")
        };
        let name = tool["name"].as_str().unwrap_or_default().to_owned();
        (
            id,
            name,
            fill::arguments(&tool["parameters"], request).to_string(),
        )
    };
    chosen.into_iter().enumerate().map(call).collect()
}
