//! The server.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use nbhd_core::testkit::{Call, Fault, Faults, Handler, Log, Reply, Server};
use nbhd_core::{Result, Secret};
use serde_json::{Value, json};

use super::ask::{Ask, authorized};
use super::bill::Bill;
use super::catalog::StandInCatalog;
use super::reply::Answer;
use crate::registry::ProviderConfig;

/// A running stand-in for all providers of its catalogue; it stops when dropped.
///
/// Each provider is served below a prefix of its name (`/openai/v1/…`, `/mistral/v1/…`), OpenAI at the root as well, and
/// refuses what that provider would refuse. `GET /bill` tells the bill to other processes.
#[derive(Debug)]
pub struct ModelStandIn {
    server: Server,
    models: Arc<Models>,
    every: Faults,
    by_model: Faults,
}

impl ModelStandIn {
    /// Starts with the usual models on a free port.
    pub fn start() -> Result<Self> {
        Self::start_with(StandInCatalog::default(), 0)
    }

    /// Starts with the models of `catalog` on `port`; 0 is a free one.
    pub fn start_with(catalog: StandInCatalog, port: u16) -> Result<Self> {
        let models = Arc::new(Models {
            catalog,
            state: Mutex::default(),
        });
        let by_model = Faults::new(models.clone());
        let every = Faults::new(Arc::new(ByModel(by_model.clone())));
        let server = Server::start_on(port, Arc::new(every.clone()))?;
        Ok(Self {
            server,
            models,
            every,
            by_model,
        })
    }

    /// The address of a provider, up to and including the version.
    pub fn base_url(&self, provider: &str) -> String {
        format!("{}{provider}/v1", self.server.url())
    }

    /// The configuration of a provider that asks this stand-in.
    pub fn config(&self, provider: &str) -> ProviderConfig {
        let config = ProviderConfig::new().with_base_url(self.base_url(provider));
        if provider == "ollama" {
            return config;
        }
        config.with_api_key(Secret::new("sk-stand-in"))
    }

    /// Everything billed so far: each answer that was begun, read to its end or not.
    pub fn bill(&self) -> Bill {
        self.models.lock().bill.clone()
    }

    /// Makes the next `times` calls fail: of `llm.chat`, of `llm.models`, of `llm.chat:<model>` for one model alone, or of
    /// `*` for all.
    pub fn fail(&self, label: &str, fault: Fault, times: usize) {
        if label.contains(':') {
            self.by_model.fail(label, fault, times);
        } else {
            self.every.fail(label, fault, times);
        }
    }

    /// Forgets all faults that have not happened yet.
    pub fn clear_faults(&self) {
        self.every.clear();
        self.by_model.clear();
    }

    /// How often a label was called, failed calls included: `llm.chat`, `llm.models`, `llm.chat:<model>`, or `*` for all.
    pub fn calls(&self, label: &str) -> usize {
        if label.contains(':') {
            self.by_model.calls(label)
        } else {
            self.every.calls(label)
        }
    }

    /// Every request that came.
    pub fn log(&self) -> &Log {
        self.server.log()
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.server.address().port()
    }
}

/// Names a chat by its model, for faults that only one model has.
struct ByModel(Faults);

#[async_trait]
impl Handler for ByModel {
    async fn handle(&self, mut call: Call) -> Reply {
        if call.label.as_deref() == Some("llm.chat")
            && let Some(model) = call.json()["model"].as_str()
        {
            call.label = Some(format!("llm.chat:{model}"));
        }
        self.0.handle(call).await
    }

    fn label(&self, call: &Call) -> Option<&'static str> {
        self.0.label(call)
    }
}

#[derive(Debug)]
struct Models {
    catalog: StandInCatalog,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bill: Bill,
    answers: u64,
    requests: u64,
    seen: HashSet<u64>,
}

impl Models {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The provider that a path belongs to.
    fn provider<'a>(&self, path: &'a str) -> &'a str {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        if self.catalog.has(first) { first } else { "openai" }
    }

    fn chat(&self, provider: &str, call: &Call) -> Reply {
        let ask = match Ask::read(&self.catalog, provider, call) {
            Ok(ask) => ask,
            Err(refusal) => return *refusal,
        };
        let mut state = self.lock();
        state.answers += 1;
        let number = state.answers;
        let known = !state.seen.insert(fingerprint(&ask));
        let answer = Answer::to(&ask, provider, number);
        let entry = answer.bill(&ask, provider, number, call.body.len(), known);
        state.bill.add(entry.clone());
        drop(state);
        if ask.stream {
            answer.streamed(&ask, &entry)
        } else {
            answer.whole(&entry)
        }
    }

    fn list(&self, provider: &str, call: &Call) -> Reply {
        if let Err(refusal) = authorized(provider, call) {
            return *refusal;
        }
        let models: Vec<Value> = self
            .catalog
            .of(provider)
            .map(|model| json!({"id": model.name, "object": "model", "created": 1_700_000_000, "owned_by": "stand-in"}))
            .collect();
        Reply::json(200, &json!({"object": "list", "data": models}))
    }
}

fn fingerprint(ask: &Ask) -> u64 {
    let mut hasher = DefaultHasher::new();
    ask.model.name.hash(&mut hasher);
    ask.request["messages"].to_string().hash(&mut hasher);
    hasher.finish()
}

#[async_trait]
impl Handler for Models {
    async fn handle(&self, call: Call) -> Reply {
        let number = {
            let mut state = self.lock();
            state.requests += 1;
            state.requests
        };
        let provider = self.provider(&call.path);
        let id = if provider == "mistral" {
            "mistral-correlation-id"
        } else {
            "x-request-id"
        };
        let reply = match (call.method.as_str(), self.label(&call)) {
            ("POST", Some("llm.chat")) => self.chat(provider, &call),
            ("GET", Some("llm.models")) => self.list(provider, &call),
            ("GET", Some("llm.bill")) => {
                let bill = serde_json::to_value(&self.lock().bill).unwrap_or_default();
                Reply::json(200, &bill)
            }
            _ => Reply::json(
                404,
                &json!({"error": {"message": "Invalid URL", "type": "invalid_request_error", "param": null, "code": null}}),
            ),
        };
        reply.with_header(id, &format!("req_standin_{number}"))
    }

    fn label(&self, call: &Call) -> Option<&'static str> {
        let path = call.path.trim_end_matches('/');
        if path.ends_with("/chat/completions") {
            Some("llm.chat")
        } else if path.ends_with("/models") {
            Some("llm.models")
        } else if path == "/bill" {
            Some("llm.bill")
        } else {
            None
        }
    }
}
