//! Plays the `http` list of a conformance case: expected requests in order, and what is answered to each.
//!
//! ```json
//! [{"expect": {"method": "POST", "path": "/v1/items/*", "query": {"limit": "5"}, "json": {"name": "*"}},
//!   "reply": {"status": 200, "json": {"id": "i1"}}},
//!  {"expect": {"method": "GET", "path": "/v1/items/i1"}, "reply": "close"}]
//! ```
//!
//! `expect`: `method` and `path` always, where `*` in a path stands for any text; what else is given is compared too: `query` and `form` (all
//! fields, in any order), `json` (exactly), `text`, `contains` (pieces of the body), `headers` (these among others). The value `"*"` stands for
//! anything that is there. `reply`: `status` (200), `headers`, one of `json`, `text`, `sse` (a list: an object is sent as its JSON,
//! a string as it is, each after `data: `), `lines` (a list of JSON lines), `raw` (a list of pieces of text), `base64`; `cut` (bytes after which
//! the connection is closed); or the word `close`, `lost`, `cut`, `garbage` or `hang`. `{{server}}` in a reply is the address that was called.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::faults::{garbage, half};
use super::matching::{fields_match, glob, json_match, show};
use super::{Call, Handler, Reply};
use crate::{Code, Error, Result};

/// The status of the answer to a request that the script does not expect.
pub const UNEXPECTED: u16 = 599;

/// A handler that plays a list of exchanges once.
#[derive(Debug)]
pub struct Script {
    steps: Vec<Step>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: usize,
    problems: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    expect: Expect,
    reply: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    method: String,
    path: String,
    query: Option<BTreeMap<String, Value>>,
    json: Option<Value>,
    form: Option<BTreeMap<String, Value>>,
    text: Option<String>,
    contains: Option<Vec<String>>,
    headers: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Answer {
    status: Option<u16>,
    headers: BTreeMap<String, String>,
    json: Option<Value>,
    text: Option<String>,
    sse: Option<Vec<Value>>,
    lines: Option<Vec<Value>>,
    raw: Option<Vec<String>>,
    base64: Option<String>,
    cut: Option<usize>,
}

impl Script {
    /// Reads the list. `invalid_input` names the step that is none.
    pub fn new(http: &Value) -> Result<Self> {
        let list = http
            .as_array()
            .ok_or_else(|| refuse("the exchanges are not a list"))?;
        let mut steps = Vec::with_capacity(list.len());
        for (at, step) in list.iter().enumerate() {
            let step: Step = Step::deserialize(step)
                .map_err(|error| refuse(&format!("exchange {} is not valid: {error}", at + 1)))?;
            // Found out now, not in the middle of a test.
            reply(&step.reply, "http://127.0.0.1")
                .map_err(|why| refuse(&format!("the reply of exchange {} is not valid: {why}", at + 1)))?;
            steps.push(step);
        }
        Ok(Self {
            steps,
            state: Mutex::default(),
        })
    }

    /// Ends the play: how many requests came, or everything that was not as expected.
    pub fn finish(&self) -> Result<usize, Vec<String>> {
        let state = self.lock();
        let mut problems = state.problems.clone();
        for (at, step) in self.steps.iter().enumerate().skip(state.next) {
            problems.push(format!(
                "request {} never came: {} {}",
                at + 1,
                step.expect.method,
                step.expect.path
            ));
        }
        if problems.is_empty() {
            Ok(state.next)
        } else {
            Err(problems)
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refuse(why: &str) -> Error {
    Error::new(Code::InvalidInput, why)
}

#[async_trait]
impl Handler for Script {
    async fn handle(&self, call: Call) -> Reply {
        let mut state = self.lock();
        let number = state.next + 1;
        let differs = match self.steps.get(state.next) {
            None => vec![format!(
                "nothing more is expected, but {} {} came",
                call.method, call.path
            )],
            Some(step) => differences(&step.expect, &call),
        };
        if differs.is_empty() {
            state.next += 1;
            let server = format!("http://{}", call.header("host").unwrap_or_default());
            return reply(&self.steps[number - 1].reply, &server)
                .unwrap_or_else(|error| Reply::text(UNEXPECTED, error));
        }
        let problems: Vec<String> = differs
            .into_iter()
            .map(|problem| format!("request {number}: {problem}"))
            .collect();
        let answer = serde_json::json!({"error": {"code": UNEXPECTED, "message": problems.join("; ")}});
        state.problems.extend(problems);
        Reply::json(UNEXPECTED, &answer)
    }
}

fn differences(expect: &Expect, call: &Call) -> Vec<String> {
    let mut found = Vec::new();
    if !expect.method.eq_ignore_ascii_case(call.method.as_str()) {
        found.push(format!("method: expected {}, got {}", expect.method, call.method));
    }
    if !glob(&expect.path, &call.path) {
        found.push(format!("path: expected {}, got {}", expect.path, call.path));
    }
    if let Some(query) = &expect.query {
        fields_match("query", query, call.query_pairs(), &mut found);
    }
    if let Some(form) = &expect.form {
        fields_match("form", form, call.form(), &mut found);
    }
    if let Some(json) = &expect.json {
        match serde_json::from_slice::<Value>(&call.body) {
            Ok(body) => json_match("json", json, &body, &mut found),
            Err(_) => found.push(format!("json: the body ({} bytes) is none", call.body.len())),
        }
    }
    let text = String::from_utf8_lossy(&call.body);
    if let Some(expected) = &expect.text
        && expected != "*"
        && *expected != text
    {
        found.push(format!("text: expected {}, got {}", show(expected), show(&text)));
    }
    for piece in expect.contains.iter().flatten() {
        if !text.contains(piece.as_str()) {
            found.push(format!("contains: {} is not in the body", show(piece)));
        }
    }
    for (name, expected) in expect.headers.iter().flatten() {
        match call.header(name) {
            Some(value) if glob(expected, value) => {}
            // A header may hold a credential: what came is not repeated.
            Some(_) => found.push(format!(
                "headers.{name}: expected {}, got another value",
                show(expected)
            )),
            None => found.push(format!("headers.{name}: it is missing")),
        }
    }
    found
}

fn reply(play: &Value, server: &str) -> Result<Reply, String> {
    if let Some(word) = play.as_str() {
        let whole = || Reply::json(200, &serde_json::json!({"this": "answer is cut in the middle"}));
        return match word {
            "close" | "lost" => Ok(Reply::Close),
            "cut" => Ok(half(whole())),
            "garbage" => Ok(garbage()),
            "hang" => Ok(Reply::Hang),
            _ => Err(format!("{word:?} is not one of close, lost, cut, garbage, hang")),
        };
    }
    let answer = Answer::deserialize(play).map_err(|error| error.to_string())?;
    let status = answer.status.unwrap_or(200);
    let here = |text: String| text.replace("{{server}}", server);
    let data = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut replies = Vec::new();
    if let Some(json) = answer.json {
        replies.push(Reply::full(status, "application/json", here(json.to_string())));
    }
    if let Some(text) = answer.text {
        replies.push(Reply::text(status, here(text)));
    }
    if let Some(events) = answer.sse {
        let pieces = events.iter().map(|event| format!("data: {}\n\n", data(event)));
        replies.push(pieces_of(status, "text/event-stream", pieces));
    }
    if let Some(lines) = answer.lines {
        let pieces = lines.iter().map(|line| format!("{}\n", data(line)));
        replies.push(pieces_of(status, "application/x-ndjson", pieces));
    }
    if let Some(raw) = answer.raw {
        replies.push(pieces_of(status, "text/event-stream", raw.into_iter()));
    }
    if let Some(text) = answer.base64 {
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(|error| error.to_string())?;
        replies.push(Reply::full(status, "application/octet-stream", bytes));
    }
    let mut reply = match replies.len() {
        0 => Reply::full(status, "text/plain", Bytes::new()),
        1 => replies.remove(0),
        _ => return Err("more than one body is given".to_owned()),
    };
    for (name, value) in answer.headers {
        reply = reply.with_header(&name, &here(value));
    }
    Ok(match answer.cut {
        Some(after) => reply.cut(after),
        None => reply,
    })
}

fn pieces_of(status: u16, kind: &str, pieces: impl Iterator<Item = String>) -> Reply {
    Reply::stream(status, pieces.map(|piece| (Duration::ZERO, piece))).with_header("content-type", kind)
}
