//! The stand-in's handle and its door: paths, token, long polls, and what people say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nbhd_core::testkit::{Call as HttpCall, Fault, Faults, Handler, Reply, Server};
use nbhd_core::{Host, Result, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::methods::{self, Refused};
use super::parameters::Parameters;
use super::state::{SentMessage, State};
use crate::{Telegram as Client, TelegramConfig};

/// The bot's id: the first half of its token.
const BOT_ID: i64 = 123_456;

/// The most seconds that a long poll lasts, as with the real one.
const POLL_LIMIT: i64 = 50;

/// A webhook call that the platform would make: hand it to the web view, or to `receive`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Call {
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: String,
    /// The id of the update in it.
    pub update_id: i64,
    /// The id of the message in it, when it is one.
    pub message_id: Option<i64>,
}

impl Call {
    /// The headers as pairs.
    pub fn header_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A running stand-in; it stops when dropped.
#[derive(Debug)]
pub struct Telegram {
    server: Server,
    later: Arc<Later>,
    bot: Arc<Bot>,
}

impl Telegram {
    /// Starts on a free port, with a token and a webhook secret that no two stand-ins share.
    pub fn start() -> Result<Self> {
        Self::start_on(0)
    }

    /// Starts on this port of 127.0.0.1; `invalid_config` when it is taken.
    pub fn start_on(port: u16) -> Result<Self> {
        let random = nbhd_core::id::SystemRandomness;
        let id = || nbhd_core::id::Random::id(&random);
        Self::start_as(port, format!("{BOT_ID}:{}-{}", id(), &id()[..12]), id())
    }

    /// Starts on this port with this token and this webhook secret: for a stand-in that outlives a process.
    pub fn start_as(port: u16, token: impl Into<String>, webhook_secret: impl Into<String>) -> Result<Self> {
        let token = token.into();
        let id = token
            .split(':')
            .next()
            .and_then(|id| id.parse().ok())
            .unwrap_or(BOT_ID);
        let bot = Arc::new(Bot {
            token,
            state: Mutex::new(State::new(id, webhook_secret.into())),
            changed: Notify::new(),
        });
        let faults = Faults::new(bot.clone());
        let later = Arc::new(Later {
            faults,
            planned: Mutex::default(),
        });
        let server = Server::start_on(port, later.clone())?;
        Ok(Self { server, later, bot })
    }

    /// Its base URL.
    pub fn base_url(&self) -> String {
        self.server.url().to_string()
    }

    /// The token that it knows.
    pub fn token(&self) -> &str {
        &self.bot.token
    }

    /// The secret that its webhook calls carry.
    pub fn webhook_secret(&self) -> String {
        self.bot.lock().secret.clone()
    }

    /// A client of this stand-in within a host.
    pub fn client(&self, host: &Host) -> Result<Client> {
        let config = TelegramConfig::new(Secret::new(self.token()))
            .with_webhook_secret(Secret::new(self.webhook_secret()))
            .with_base_url(self.base_url());
        Client::new(host, config)
    }

    /// Lets the bot know a chat. Positive ids are people, negative ones groups; below -10¹² supergroups.
    pub fn add_chat(&self, id: i64) {
        self.bot.lock().chats.insert(id);
    }

    /// Somebody says something: the webhook call that it makes; it is also queued for `getUpdates`.
    pub fn say(&self, chat: i64, text: &str) -> Call {
        let mut state = self.bot.lock();
        state.chats.insert(chat);
        let message_id = state.message_id();
        state.said.entry(chat).or_default().insert(message_id);
        let person = chat.unsigned_abs();
        let mut message = json!({
            "message_id": message_id,
            "from": { "id": person, "is_bot": false, "first_name": format!("Person {person}"), "language_code": "en" },
            "chat": State::chat(chat),
            "date": now(),
            "text": text,
        });
        let command = text
            .split_whitespace()
            .next()
            .filter(|word| word.starts_with('/') && word.len() > 1);
        if let Some(command) = command {
            let length = command.encode_utf16().count();
            message["entities"] = json!([{ "type": "bot_command", "offset": 0, "length": length }]);
        }
        let update = state.queue(json!({ "message": message }));
        drop(state);
        self.bot.changed.notify_waiters();
        self.call(&update)
    }

    /// Any update, without its id, such as `{"callback_query": {…}}`: the webhook call that it makes.
    pub fn push(&self, update: Value) -> Call {
        let mut state = self.bot.lock();
        if let Some(id) = update["callback_query"]["id"].as_str() {
            state.callbacks.insert(id.to_owned());
        }
        let update = state.queue(update);
        drop(state);
        self.bot.changed.notify_waiters();
        self.call(&update)
    }

    /// What it took, in order: a double is there twice.
    pub fn messages(&self) -> Vec<SentMessage> {
        self.bot.lock().messages.clone()
    }

    /// Makes the next `times` calls of a label such as `telegram.sendMessage` go wrong. A refusal without a body gets the platform's
    /// own, `retry_after` in its `parameters`.
    pub fn fail(&self, label: &str, fault: Fault, times: usize) {
        self.fail_later(label, 0, fault, times);
    }

    /// The same after `skip` more calls of the label went as they should.
    pub fn fail_later(&self, label: &str, skip: usize, fault: Fault, times: usize) {
        let fault = match fault {
            Fault::Status {
                status,
                retry_after,
                body: None,
            } => Fault::Status {
                status,
                // The real one says it in the body alone.
                retry_after: None,
                body: Some(refusal(status, retry_after)),
            },
            other => other,
        };
        if skip == 0 {
            self.later.faults.fail(label, fault, times);
        } else {
            self.later.lock().push(Planned {
                label: label.to_owned(),
                skip,
                fault,
                times,
            });
        }
    }

    /// How often a label was called, failed calls included; `*` counts all.
    pub fn calls(&self, label: &str) -> usize {
        self.later.faults.calls(label)
    }

    /// The server, for its log.
    pub fn server(&self) -> &Server {
        &self.server
    }

    fn call(&self, update: &Value) -> Call {
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("x-telegram-bot-api-secret-token", self.webhook_secret()),
        ];
        Call {
            headers: headers
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            body: update.to_string(),
            update_id: update["update_id"].as_i64().unwrap_or_default(),
            message_id: update["message"]["message_id"].as_i64(),
        }
    }
}

/// The body of a planned refusal.
fn refusal(status: u16, retry_after: Option<f64>) -> Value {
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    let mut body = json!({ "ok": false, "error_code": status, "description": reason.unwrap_or("Error") });
    if let Some(seconds) = retry_after {
        // The platform speaks of whole seconds.
        let seconds = seconds.ceil() as u64;
        body["description"] = format!("Too Many Requests: retry after {seconds}").into();
        body["parameters"] = json!({ "retry_after": seconds });
    }
    body
}

fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

/// Faults that wait for their call.
#[derive(Debug)]
struct Later {
    faults: Faults,
    planned: Mutex<Vec<Planned>>,
}

#[derive(Debug)]
struct Planned {
    label: String,
    skip: usize,
    fault: Fault,
    times: usize,
}

impl Later {
    fn lock(&self) -> MutexGuard<'_, Vec<Planned>> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Handler for Later {
    async fn handle(&self, call: HttpCall) -> Reply {
        self.lock().retain_mut(|planned| {
            if call.label.as_deref() != Some(planned.label.as_str()) {
                return true;
            }
            if planned.skip > 0 {
                planned.skip -= 1;
                return true;
            }
            self.faults
                .fail(&planned.label, planned.fault.clone(), planned.times);
            false
        });
        self.faults.handle(call).await
    }

    fn label(&self, call: &HttpCall) -> Option<&'static str> {
        self.faults.label(call)
    }
}

#[derive(Debug)]
struct Bot {
    token: String,
    state: Mutex<State>,
    changed: Notify,
}

impl Bot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A long poll: at once when there is something, else when there is, or an empty list at its end.
    async fn get_updates(&self, parameters: &Parameters) -> Result<Value, Refused> {
        let limit = parameters.number("limit").unwrap_or(100).clamp(1, 100) as usize;
        let wait = parameters.number("timeout").unwrap_or(0).clamp(0, POLL_LIMIT) as u64;
        let turn = {
            let mut state = self.lock();
            if !state.webhook_url.is_empty() {
                return Err(conflict(
                    "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
                ));
            }
            // An offset confirms what came before it; a negative one keeps only the last ones.
            match parameters.number("offset") {
                Some(offset) if offset < 0 => {
                    let keep = offset.unsigned_abs() as usize;
                    while state.updates.len() > keep {
                        state.updates.pop_front();
                    }
                }
                Some(offset) => state
                    .updates
                    .retain(|update| update["update_id"].as_i64().is_some_and(|id| id >= offset)),
                None => {}
            }
            state.poll += 1;
            state.poll
        };
        self.changed.notify_waiters();
        let end = tokio::time::sleep(Duration::from_secs(wait));
        tokio::pin!(end);
        let mut over = wait == 0;
        loop {
            let changed = self.changed.notified();
            {
                let state = self.lock();
                if state.poll != turn {
                    return Err(conflict(
                        "terminated by other getUpdates request; make sure that only one bot instance is running",
                    ));
                }
                if over || !state.updates.is_empty() {
                    return Ok(state.updates.iter().take(limit).cloned().collect());
                }
            }
            tokio::select! {
                () = changed => {}
                () = &mut end => over = true,
            }
        }
    }
}

fn conflict(why: &str) -> Refused {
    Refused {
        status: 409,
        description: format!("Conflict: {why}"),
    }
}

fn error(status: u16, description: &str) -> Reply {
    Reply::json(
        status,
        &json!({ "ok": false, "error_code": status, "description": description }),
    )
}

#[async_trait]
impl Handler for Bot {
    async fn handle(&self, call: HttpCall) -> Reply {
        let Some((token, method)) = call
            .path
            .strip_prefix("/bot")
            .and_then(|rest| rest.split_once('/'))
        else {
            return error(404, "Not Found");
        };
        // A colon may come percent-encoded.
        let token = token.replace("%3A", ":").replace("%3a", ":");
        if token != self.token {
            let form = token
                .split_once(':')
                .is_some_and(|(id, rest)| id.parse::<i64>().is_ok() && !rest.is_empty());
            return if form {
                error(401, "Unauthorized")
            } else {
                error(404, "Not Found")
            };
        }
        let Some(parameters) = Parameters::read(&call) else {
            return error(400, "Bad Request: can't parse the request's parameters");
        };
        let method = method.to_ascii_lowercase();
        let answer = if method == "getupdates" {
            Some(self.get_updates(&parameters).await)
        } else {
            methods::run(&mut self.lock(), &method, &parameters, now())
        };
        match answer {
            Some(Ok(result)) => Reply::json(200, &json!({ "ok": true, "result": result })),
            Some(Err(Refused { status, description })) => error(status, &description),
            None => error(404, "Not Found: method not found"),
        }
    }

    fn label(&self, call: &HttpCall) -> Option<&'static str> {
        let method = call.path.rsplit('/').next()?;
        LABELS.iter().copied().find(|label| {
            label
                .split_once('.')
                .is_some_and(|(_, name)| name.eq_ignore_ascii_case(method))
        })
    }
}

/// What faults and counts call the methods.
const LABELS: &[&str] = &[
    "telegram.getMe",
    "telegram.sendMessage",
    "telegram.editMessageText",
    "telegram.deleteMessage",
    "telegram.getUpdates",
    "telegram.setWebhook",
    "telegram.deleteWebhook",
    "telegram.getWebhookInfo",
    "telegram.sendChatAction",
    "telegram.answerCallbackQuery",
];
