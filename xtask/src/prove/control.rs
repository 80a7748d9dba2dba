//! The stand-ins of the rows: they live in the process of `cargo prove`, so they survive whatever happens to the programs
//! that use them, and keep their own logs.
//!
//! A program reads where they are from `NBHD_PROVE_WORLD` and orders faults over HTTP: `POST <control>/fail`
//! `{service, label, fault, times}`, `/say {chat, text}` for a webhook call, `/answered {status}` for how it was answered, as the
//! platform would see it, `/expire` for all access tokens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nbhd_channels::testkit::Telegram;
use nbhd_core::testkit::{Call, Fault, Handler, Reply, Server};
use nbhd_google::testkit::{Calendar, GoogleSetup, GoogleStandIn, Mailbox};
use nbhd_llm::testkit::ModelStandIn;
use serde_json::{Value, json};

use super::secrets::Canaries;

/// The mail and the calendar that the stand-ins hold.
const MAIL: &[u8] = include_bytes!("../../../examples/data/sample.mbox");
const CALENDAR: &str = include_str!("../../../examples/data/sample.ics");

const SCOPES: [&str; 2] = [
    "https://www.googleapis.com/auth/gmail.readonly",
    "https://www.googleapis.com/auth/calendar.readonly",
];

/// Google, Telegram and model providers, and the way to order their faults.
pub(super) struct StandIns {
    inner: Arc<Inner>,
    control: Server,
    slow: Server,
}

pub(super) struct Inner {
    pub(super) google: GoogleStandIn,
    pub(super) telegram: Telegram,
    pub(super) models: ModelStandIn,
    webhooks: Mutex<Vec<Webhook>>,
}

/// A webhook call of the platform.
#[derive(Clone)]
pub(super) struct Webhook {
    /// Its secret, as the platform sends it.
    pub(super) secret: String,
    /// How the program answered.
    pub(super) statuses: Vec<u64>,
}

impl StandIns {
    /// Starts them with these secrets.
    pub(super) fn start(canaries: &Canaries) -> Result<Self, String> {
        let say = |error: nbhd_core::Error| error.to_string();
        let google = GoogleSetup::new()
            .with_mailbox(Mailbox::from_bytes(MAIL.to_vec()).map_err(say)?)
            .with_calendar(Calendar::from_text(CALENDAR).map_err(say)?)
            .with_client("prove.apps.googleusercontent.com", &canaries.client_secret)
            .with_refresh_token(&canaries.refresh_token, SCOPES)
            .with_token_prefix(&canaries.access_token)
            .start()
            .map_err(say)?;
        let inner = Arc::new(Inner {
            google,
            telegram: Telegram::start_as(0, &canaries.bot_token, &canaries.webhook_secret).map_err(say)?,
            models: ModelStandIn::start().map_err(say)?,
            webhooks: Mutex::default(),
        });
        inner.telegram.add_chat(4711);
        Ok(Self {
            control: Server::start(Arc::new(Control(inner.clone()))).map_err(say)?,
            slow: Server::start(Arc::new(Slow)).map_err(say)?,
            inner,
        })
    }

    /// The stand-ins themselves.
    pub(super) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// Where everything is, for `NBHD_PROVE_WORLD`. It holds no secret: these come in variables of their own.
    pub(super) fn world(&self) -> Value {
        json!({
            "google": {
                "url": self.inner.google.url(),
                "endpoints": self.inner.google.endpoints(),
                "client_id": self.inner.google.client_id(),
                "scopes": SCOPES,
            },
            "telegram": { "base_url": self.inner.telegram.base_url(), "chat": "4711" },
            "models": {
                "openai": self.inner.models.base_url("openai"),
                "mistral": self.inner.models.base_url("mistral"),
            },
            "slow": self.slow.url(),
            "control": self.control.url(),
        })
    }

    /// The webhook calls that were made, and how they were answered.
    pub(super) fn webhooks(&self) -> Vec<Webhook> {
        let webhooks = self.inner.webhooks.lock();
        webhooks.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many calls were left hanging or dripping.
    pub(super) fn slow_calls(&self) -> usize {
        self.slow.log().len()
    }
}

struct Control(Arc<Inner>);

#[async_trait]
impl Handler for Control {
    async fn handle(&self, call: Call) -> Reply {
        let asked = call.json();
        let answer = match call.path.as_str() {
            "/fail" => self.fail(&asked),
            "/say" => {
                let text = asked["text"].as_str().unwrap_or("What needs my attention?");
                let said = self.0.telegram.say(4711, text);
                let secret = said
                    .header_pairs()
                    .find(|(name, _)| name.to_lowercase().contains("secret"));
                self.webhooks().push(Webhook {
                    secret: secret.map_or_else(String::new, |(_, value)| value.to_owned()),
                    statuses: Vec::new(),
                });
                Ok(json!({"headers": said.headers, "body": said.body}))
            }
            "/answered" => {
                let status = asked["status"].as_u64().unwrap_or(0);
                if let Some(last) = self.webhooks().last_mut() {
                    last.statuses.push(status);
                }
                Ok(json!({}))
            }
            "/expire" => {
                self.0.google.expire_access_tokens();
                Ok(json!({}))
            }
            other => Err(format!("no command {other}")),
        };
        match answer {
            Ok(value) => Reply::json(200, &value),
            Err(reason) => Reply::json(400, &json!({"error": reason})),
        }
    }
}

impl Control {
    fn webhooks(&self) -> MutexGuard<'_, Vec<Webhook>> {
        self.0.webhooks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, asked: &Value) -> Result<Value, String> {
        let fault: Fault =
            serde_json::from_value(asked["fault"].clone()).map_err(|error| error.to_string())?;
        let label = asked["label"].as_str().unwrap_or("*");
        let times = asked["times"].as_u64().unwrap_or(1) as usize;
        match asked["service"].as_str() {
            Some("google") => self
                .0
                .google
                .fail(label, fault, times)
                .map_err(|error| error.to_string())?,
            Some("telegram") => self.0.telegram.fail(label, fault, times),
            Some("models") => self.0.models.fail(label, fault, times),
            other => return Err(format!("no service {other:?}")),
        }
        Ok(json!({}))
    }
}

/// Keeps calls in flight: a chat drips for minutes, what is below `/throttled` is to come back later, all else hangs.
struct Slow;

#[async_trait]
impl Handler for Slow {
    async fn handle(&self, call: Call) -> Reply {
        if call.path.ends_with("/chat/completions") {
            let piece = json!({
                "id": "chatcmpl-slow", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini",
                "choices": [{"index": 0, "delta": {"role": "assistant", "content": "and "}, "finish_reason": null}],
            });
            let chunks = (0..10_000).map(|_| (Duration::from_millis(2), format!("data: {piece}\n\n")));
            return Reply::stream(200, chunks).with_header("content-type", "text/event-stream");
        }
        if call.path.starts_with("/throttled") {
            let body = json!({"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 20",
                "parameters": {"retry_after": 20}});
            return Reply::json(429, &body).with_header("retry-after", "20");
        }
        Reply::Hang
    }
}
