//! The scripted socket, and a router around it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use nbhd_core::clock::FakeClock;
use nbhd_core::http::{HeaderMap, Request, Response, StatusCode};
use nbhd_core::id::SeededRandomness;
use nbhd_core::receipt::MemoryReceipts;
use nbhd_core::store::MemoryStore;
use nbhd_core::transport::Transport;
use nbhd_core::{Code, Error, Host, Operation, Outcome, Result};
use serde_json::{Value, json};

use crate::chat::{Answer, Chat, StreamEvent};
use crate::router::Router;

pub(super) const CONFIG: &str = r#"
    [provider.openai]
    api_key = { env = "PATH" }
    [provider.mistral]
    api_key = { env = "PATH" }
    [purpose.general]
    chain = ["openai/gpt-4o-mini", "mistral/mistral-small-2603"]
    scopes = ["tenant", "global"]
    [purpose.alone]
    chain = ["openai/gpt-4o-mini"]
    scopes = ["tenant"]
    [budget.tenant]
    day = "0.01 USD"
    call = "0.009 USD"
    [budget.global]
    month = "5 USD"
"#;

/// What the other side does with one request.
pub(super) enum Planned {
    Status(u16, Vec<(&'static str, &'static str)>, Value),
    Body(Vec<Result<Bytes>>),
    Fails(Outcome),
}

impl Planned {
    pub(super) fn json(body: Value) -> Self {
        Planned::Body(vec![Ok(body.to_string().into())])
    }

    /// Events of a stream, each in a piece of its own, then a cut.
    pub(super) fn cut(events: &[Value], lost: bool) -> Self {
        let mut pieces = sse(events);
        if lost {
            let error = Error::new(Code::ConnectionFailed, "cut").with_outcome(Outcome::Unknown);
            pieces.push(Err(error));
        }
        Planned::Body(pieces)
    }
}

pub(super) fn sse(events: &[Value]) -> Vec<Result<Bytes>> {
    let piece = |event: &Value| match event {
        Value::String(text) => format!("data: {text}\n\n"),
        event => format!("data: {event}\n\n"),
    };
    events.iter().map(|event| Ok(piece(event).into())).collect()
}

pub(super) fn chunk(delta: Value, finish: Option<&str>) -> Value {
    json!({"id": "c1", "object": "chat.completion.chunk", "model": "gpt-4o-mini-2024-07-18",
           "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": null})
}

pub(super) fn usage(input: u64, cached: u64, output: u64) -> Value {
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
           "prompt_tokens_details": {"cached_tokens": cached}})
}

/// A whole stream of three words; 100 tokens in, 40 of them cached, 3 out.
pub(super) fn streamed() -> Vec<Value> {
    vec![
        chunk(json!({"role": "assistant", "content": ""}), None),
        chunk(json!({"content": "one "}), None),
        chunk(json!({"content": "two "}), None),
        chunk(json!({"content": "three"}), None),
        chunk(json!({}), Some("stop")),
        json!({"id": "c1", "model": "gpt-4o-mini-2024-07-18", "choices": [], "usage": usage(100, 40, 3)}),
        json!("[DONE]"),
    ]
}

/// 60 × 150 + 40 × 75 + 3 × 600
pub(super) const STREAMED: i64 = 13_800;

pub(super) fn whole(model: &str) -> Value {
    json!({"id": "c2", "model": model, "usage": usage(10, 0, 5),
           "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]})
}

/// 10 × 150 + 5 × 600
pub(super) const WHOLE: i64 = 4_500;

pub(super) struct Sent {
    pub(super) host: String,
    pub(super) body: Value,
    pub(super) bytes: usize,
    /// What the tenant's day counted at that moment.
    pub(super) counted: i64,
}

#[derive(Default)]
pub(super) struct Socket {
    plan: Mutex<VecDeque<Planned>>,
    pub(super) sent: Mutex<Vec<Sent>>,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Socket")
    }
}

#[async_trait]
impl Transport for Socket {
    async fn send(&self, operation: &Operation, request: Request) -> Result<Response> {
        let now = operation.host().clock().now();
        let midnight = now
            .date_naive()
            .and_time(chrono::NaiveTime::MIN)
            .and_utc()
            .timestamp();
        let key = format!("llm/counted/day/{midnight}/tenant:42");
        let counted = operation.host().store().sum(&key).await?;
        self.sent.lock().unwrap().push(Sent {
            host: request.url.host_str().unwrap().to_owned(),
            body: serde_json::from_slice(request.body.bytes()).unwrap(),
            bytes: request.body.len(),
            counted,
        });
        let planned = self
            .plan
            .lock()
            .unwrap()
            .pop_front()
            .expect("one more request than planned");
        let headers = |list: &[(&'static str, &'static str)]| {
            list.iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect::<HeaderMap>()
        };
        match planned {
            Planned::Status(status, list, body) => {
                let status = StatusCode::from_u16(status).unwrap();
                Ok(Response::whole(status, headers(&list), body.to_string()))
            }
            Planned::Body(pieces) => {
                let body = Box::pin(stream::iter(pieces));
                Ok(Response::new(StatusCode::OK, HeaderMap::new(), body, 1 << 20))
            }
            Planned::Fails(outcome) => {
                Err(Error::new(Code::ConnectionFailed, "closed").with_outcome(outcome))
            }
        }
    }
}

pub(super) struct Rig {
    pub(super) router: Router,
    pub(super) socket: Arc<Socket>,
    pub(super) clock: Arc<FakeClock>,
    pub(super) receipts: Arc<MemoryReceipts>,
}

impl Rig {
    pub(super) fn new(config: &str, plan: impl IntoIterator<Item = Planned>) -> Self {
        let clock = Arc::new(FakeClock::at("2026-11-21T12:00:00Z".parse().unwrap()));
        let receipts = Arc::new(MemoryReceipts::default());
        let socket = Arc::new(Socket {
            plan: Mutex::new(plan.into_iter().collect()),
            sent: Mutex::default(),
        });
        let host = Host::builder(Arc::new(MemoryStore::new().with_clock(clock.clone())))
            .with_clock(clock.clone())
            .with_random(Arc::new(SeededRandomness::new(7)))
            .with_socket(socket.clone())
            .with_receipts(receipts.clone())
            .build();
        Self {
            router: Router::from_toml(&host, config).unwrap(),
            socket,
            clock,
            receipts,
        }
    }

    pub(super) fn sent<T>(&self, read: impl Fn(&Sent) -> T) -> Vec<T> {
        self.socket.sent.lock().unwrap().iter().map(read).collect()
    }

    /// Settled, provisional and held of the tenant's day.
    pub(super) async fn day(&self) -> (i64, i64, i64) {
        let left = self.router.remaining(["tenant:42"]).await.unwrap();
        let day = &left[0];
        assert!(
            day.settled.0 + day.provisional.0 + day.held.0 <= day.cap.0,
            "{day:?}"
        );
        (day.settled.0, day.provisional.0, day.held.0)
    }

    /// The same, once nothing is held any more.
    pub(super) async fn day_at_rest(&self) -> (i64, i64, i64) {
        for _ in 0..1_000 {
            let day = self.day().await;
            if day.2 == 0 {
                return day;
            }
            tokio::task::yield_now().await;
        }
        panic!("something is still held");
    }
}

pub(super) fn chat() -> Chat {
    Chat::user("What needs my attention?")
        .with_scopes(["tenant:42"])
        .with_output_cap(1_000)
}

pub(super) fn alone() -> Chat {
    chat().with_purpose("alone")
}

pub(super) async fn read(router: &Router, chat: Chat) -> (Vec<StreamEvent>, Result<Answer>) {
    let mut stream = match router.stream(chat).await {
        Ok(stream) => stream,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(StreamEvent::Finished { answer }) => return (events, Ok(*answer)),
            Ok(event) => events.push(event),
            Err(error) => return (events, Err(error)),
        }
    }
    panic!("the stream ended without an end");
}

pub(super) fn text(events: &[StreamEvent]) -> String {
    events
        .iter()
        .filter_map(|event| match event {
            StreamEvent::Text { text } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

pub(super) fn rate_limited() -> Planned {
    Planned::Status(
        429,
        vec![("retry-after", "20")],
        json!({"error": {"message": "slow down", "type": "requests", "param": null, "code": "rate_limit_exceeded"}}),
    )
}
