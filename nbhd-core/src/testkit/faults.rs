//! Faults on top of a handler: the next calls of a label go wrong as told, and every call is counted.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Call, Handler, Reply};

/// How a call goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// Is refused with a status; nothing is done.
    Status {
        /// The status.
        status: u16,
        /// Seconds for the `Retry-After` header.
        #[serde(default)]
        retry_after: Option<f64>,
        /// The body; `{"error": {"code": …, "message": …}}` unless given.
        #[serde(default)]
        body: Option<serde_json::Value>,
    },
    /// The connection is closed without a byte; nothing is done.
    Close,
    /// It is done, then the connection is closed without a byte: the answer is lost.
    Lost,
    /// It is done, but the connection is closed in the middle of the answer.
    Cut,
    /// No answer ever; nothing is done.
    Hang,
    /// The answer is a web page that nobody asked for, with status 200; nothing is done.
    Garbage,
}

impl Fault {
    /// A refusal with a status.
    pub fn status(status: u16) -> Self {
        Self::Status {
            status,
            retry_after: None,
            body: None,
        }
    }

    /// A refusal that says when to come back, in seconds.
    pub fn status_after(status: u16, seconds: f64) -> Self {
        Self::Status {
            status,
            retry_after: Some(seconds),
            body: None,
        }
    }
}

/// A handler whose calls can be made to fail. Clones share the plan.
#[derive(Clone)]
pub struct Faults {
    handler: Arc<dyn Handler>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    planned: BTreeMap<String, VecDeque<Fault>>,
    calls: BTreeMap<String, usize>,
}

impl Faults {
    /// A handler that answers as `handler` does until told otherwise.
    pub fn new(handler: Arc<dyn Handler>) -> Self {
        Self {
            handler,
            state: Arc::default(),
        }
    }

    /// Makes the next `times` calls of `label` fail; `*` is every call that no label of its own makes fail. Plans queue up.
    pub fn fail(&self, label: &str, fault: Fault, times: usize) {
        self.lock()
            .planned
            .entry(label.to_owned())
            .or_default()
            .extend(std::iter::repeat_n(fault, times));
    }

    /// Forgets all faults that have not happened yet.
    pub fn clear(&self) {
        self.lock().planned.clear();
    }

    /// How often `label` was called, failed calls included; `*` counts all.
    pub fn calls(&self, label: &str) -> usize {
        let state = self.lock();
        if label == "*" {
            return state.calls.values().sum();
        }
        state.calls.get(label).copied().unwrap_or(0)
    }

    fn next(&self, label: &str) -> Option<Fault> {
        let mut state = self.lock();
        *state.calls.entry(label.to_owned()).or_default() += 1;
        for key in [label, "*"] {
            if let Some(fault) = state.planned.get_mut(key).and_then(VecDeque::pop_front) {
                return Some(fault);
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Faults")
            .field("planned", &state.planned)
            .field("calls", &state.calls)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Handler for Faults {
    async fn handle(&self, call: Call) -> Reply {
        let label = call
            .label
            .clone()
            .or_else(|| self.handler.label(&call).map(str::to_owned));
        match self.next(label.as_deref().unwrap_or("unknown")) {
            None => self.handler.handle(call).await,
            Some(Fault::Status {
                status,
                retry_after,
                body,
            }) => refusal(status, retry_after, body),
            Some(Fault::Close) => Reply::Close,
            Some(Fault::Lost) => {
                self.handler.handle(call).await;
                Reply::Close
            }
            Some(Fault::Cut) => half(self.handler.handle(call).await),
            Some(Fault::Hang) => Reply::Hang,
            Some(Fault::Garbage) => garbage(),
        }
    }

    fn label(&self, call: &Call) -> Option<&'static str> {
        self.handler.label(call)
    }
}

fn refusal(status: u16, retry_after: Option<f64>, body: Option<serde_json::Value>) -> Reply {
    let body = body.unwrap_or_else(
        || serde_json::json!({"error": {"code": status, "message": "a planned fault of the stand-in"}}),
    );
    let reply = Reply::json(status, &body);
    match retry_after {
        Some(seconds) => reply.with_header("retry-after", &seconds.to_string()),
        None => reply,
    }
}

/// The same answer, cut in the middle of its body.
pub(super) fn half(reply: Reply) -> Reply {
    let length = match &reply {
        Reply::Full { body, .. } => body.len(),
        Reply::Stream { chunks, .. } => chunks.iter().map(|(_, piece)| piece.len()).sum(),
        _ => 0,
    };
    // An answer without a body cannot be cut: it is not given at all.
    if length == 0 {
        Reply::Close
    } else {
        reply.cut(length / 2)
    }
}

/// What a captive portal or a broken proxy answers.
pub(super) fn garbage() -> Reply {
    Reply::full(
        200,
        "text/html",
        "<html><body>Welcome! Please sign in to use this network.</body></html>",
    )
}
