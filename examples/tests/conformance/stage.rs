//! One program around a case: host, handles and the calls by their names.

use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use futures::TryStreamExt;
use nbhd_channels::{Message, Telegram, TelegramConfig};
use nbhd_core::clock::FakeClock;
use nbhd_core::limit::LocalLimits;
use nbhd_core::receipt::MemoryReceipts;
use nbhd_core::secure::{Access, Credential, SecureRequest};
use nbhd_core::store::{Range, Write};
use nbhd_core::transport::HostRule;
use nbhd_core::vault::Vault;
use nbhd_core::{Code, Error, Host, Result, Secret};
use nbhd_google::calendar::{FreeBusy, ListEvents};
use nbhd_google::gmail::ListMessages;
use nbhd_google::{Account, Connect, Endpoints, Google, OAuthClient, brief};
use nbhd_llm::chat::StreamEvent;
use nbhd_llm::{Chat, Router, RouterConfig};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::files::Case;
use super::queue::limit;

/// 32 bytes: 0 to 31.
const VAULT_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

pub(crate) struct Stage {
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) receipts: Arc<MemoryReceipts>,
    pub(crate) host: Host,
    pub(crate) local: LocalLimits,
    account: Account,
    telegram: Telegram,
    pub(crate) config: Value,
    server: String,
}

impl Stage {
    pub(crate) async fn new(case: &Case, server: &str, store: &str) -> Self {
        let server = server.trim_end_matches('/').to_owned();
        let clock = Arc::new(FakeClock::at(case.clock.parse().expect("a time")));
        let receipts = Arc::new(MemoryReceipts::default());
        let host = Host::builder_at(store, Some(clock.clone()))
            .expect("a store")
            .with_receipts(receipts.clone())
            .with_vault(Vault::with_key(Secret::new(VAULT_KEY)))
            .build();
        host.create_store().await.expect("a fresh store");
        let client = OAuthClient::new("conformance-client", Secret::new("GOCSPX-conformance-0123456789"));
        let google = Google::new(&host, client)
            .with_endpoints(Endpoints::at(&server))
            .expect("loopback");
        let telegram = TelegramConfig::new(Secret::new("123456:conformance-0123456789"))
            .with_webhook_secret(Secret::new("conformance-webhook"))
            .with_base_url(&server)
            .with_username("conformance_bot");
        Self {
            account: google.account("tenant-42"),
            telegram: Telegram::new(&host, telegram).expect("a bot"),
            config: case.config.clone(),
            clock,
            receipts,
            local: LocalLimits::new(&host),
            host,
            server,
        }
    }

    /// The value with the places of the server and of the key in it.
    pub(crate) fn fill(&self, value: &Value) -> Value {
        let text = value.to_string().replace("{{server}}", &self.server);
        let text = text.replace("{{key_file}}", &key_file().display().to_string());
        serde_json::from_str(&text).expect("paths and addresses need no escapes")
    }

    /// One public call by its name.
    pub(crate) async fn call(&self, operation: &str, input: &Value) -> Result<Value> {
        let text = |name: &str| input[name].as_str().unwrap_or_default();
        match operation {
            "google.connect" => {
                let mut connect = Connect::new(Secret::new(text("refresh_token")));
                if let Some(scopes) = input.get("scopes") {
                    connect = connect.with_scopes(read::<Vec<String>>(scopes)?);
                }
                show(self.account.connect(connect).await)
            }
            "google.disconnect" => show(self.account.disconnect().await),
            "google.status" => show(self.account.status().await),
            "google.access_token" => {
                let access = self.account.access_token().await?;
                Ok(
                    json!({"token": access.token.expose(), "scopes": access.scopes, "expires_at": nbhd_core::clock::rfc3339(access.expires_at),
                        "receipt": access.receipt}),
                )
            }
            "gmail.list_messages" => show(
                self.account
                    .gmail()
                    .list_messages(read::<ListMessages>(input)?)
                    .await,
            ),
            "gmail.get_message" => show(self.account.gmail().get_message(text("id")).await),
            "calendar.list_events" => show(
                self.account
                    .calendar()
                    .list_events(read::<ListEvents>(input)?)
                    .await,
            ),
            "calendar.free_busy" => show(self.account.calendar().free_busy(read::<FreeBusy>(input)?).await),
            "router.chat" => show(self.router()?.chat(read::<Chat>(input)?).await),
            "router.explain" => show(self.router()?.explain(&read::<Chat>(input)?).await),
            "router.stream" => {
                let mut stream = self.router()?.stream(read::<Chat>(input)?).await?;
                let mut events = Vec::new();
                while let Some(event) = stream.try_next().await? {
                    events.push(event);
                }
                Ok(told(&events))
            }
            "telegram.send" => show(self.telegram.send(read::<Message>(input)?).await),
            "telegram.edit" => {
                let mut message = input.clone();
                let fields = message.as_object_mut().expect("an object");
                fields.remove("message_id");
                let message = read::<Message>(&message)?;
                show(self.telegram.edit(text("message_id"), message).await)
            }
            "telegram.typing" => show(self.telegram.typing(text("conversation")).await),
            "telegram.receive" => {
                let headers = input["headers"].as_object().into_iter().flatten();
                let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
                show(self.telegram.receive_pairs(headers, body(input)).await)
            }
            "inbox.accept" => show(self.host.inbox().accept(read(input)?).await),
            "inbox.pending" => show(self.host.inbox().pending().await),
            "inbox.claim" => Ok(json!(
                self.host.inbox().claim().await?.map(|work| work.event().clone())
            )),
            "inbox.done" | "inbox.fail" | "inbox.commit_with" => {
                let work = self
                    .host
                    .inbox()
                    .claim()
                    .await?
                    .ok_or_else(|| Error::new(Code::NotFound, "no work"))?;
                let ended = match operation {
                    "inbox.done" => work.done().await,
                    "inbox.fail" => work.fail(&Error::new(Code::Internal, text("reason"))).await,
                    _ => {
                        let writes: Vec<Write> = read(&input["writes"])?;
                        work.commit_with(read(&input["sends"])?, &writes).await
                    }
                };
                show(ended)
            }
            "store.get" => show(self.host.store().get(text("key")).await),
            "store.sum" => show(self.host.store().sum(text("key")).await),
            "store.scan" => {
                let to = input["up_to"].as_i64().unwrap_or(i64::MAX);
                let range = Range::up_to(to, limit(input));
                show(self.host.store().scan(text("index"), range).await)
            }
            "inbox.dead_letters" => show(self.host.inbox().dead_letters(100).await),
            "inbox.revive" => show(self.host.inbox().revive(&self.dead(text("id")).await?).await),
            "inbox.forget_dead" => show(self.host.inbox().forget_dead(&self.dead(text("id")).await?).await),
            "host.secure_request" => {
                let request = read::<SecureRequest>(&input["request"])?;
                let access = access(input)?;
                show(self.host.secure_request(&request, &access).await)
            }
            "host.force_open" => show(self.host.breakers().force_open_at(text("url"), text("reason"))),
            "host.breakers" => Ok(json!(self.host.breakers().states())),
            "brief.validate" => {
                let references = read::<Vec<String>>(&input["references"])?;
                let fetched = references
                    .into_iter()
                    .fold(brief::Fetched::new(), brief::Fetched::with_ref);
                show(brief::validate(text("answer"), &fetched).map_err(Error::from))
            }
            "window.resolve" => {
                let now = text("now").parse().expect("a time");
                show(nbhd_core::window::resolve(
                    text("window"),
                    input["value"].as_str(),
                    now,
                    text("time_zone"),
                ))
            }
            "secret.redact" => Ok(json!(match input["limit"].as_u64() {
                Some(limit) => nbhd_core::secret::redact_to(text("text"), limit as usize),
                None => nbhd_core::secret::redact(text("text")),
            })),
            "vault.open" => {
                let mut place = input.clone();
                place.as_object_mut().expect("an object").remove("sealed");
                let program = self.host.vault().program();
                let plain = program.open(text("sealed"), &read(&place)?)?;
                Ok(json!(plain.expose()))
            }
            "listener.exposure" => show(nbhd_core::listener::listener_exposure(text("address"))),
            "audit.parameters_hash" => Ok(json!(nbhd_core::audit::parameters_hash(&input["parameters"]))),
            _ => self.call_queue(operation, input).await,
        }
    }

    /// The id that is given, or that of the first dead letter.
    async fn dead(&self, id: &str) -> Result<String> {
        if !id.is_empty() {
            return Ok(id.to_owned());
        }
        let first = self.host.inbox().dead_letters(1).await?;
        Ok(first.first().expect("a dead letter").event.id.clone())
    }

    fn router(&self) -> Result<Router> {
        Router::new(&self.host, RouterConfig::from_value(self.fill(&self.config))?)
    }
}

/// What a stream told: the kinds of its events, its whole text and its end.
fn told(events: &[StreamEvent]) -> Value {
    let events: Vec<Value> = events.iter().map(|event| json!(event)).collect();
    let mut kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    kinds.dedup();
    let of = |kind: &str| {
        events
            .iter()
            .filter(move |event| event["type"] == *kind)
            .collect::<Vec<_>>()
    };
    let text: String = of("text")
        .iter()
        .filter_map(|event| event["text"].as_str())
        .collect();
    let answer = of("finished").first().map(|event| event["answer"].clone());
    json!({"events": kinds, "text": text, "tool_calls": of("tool_call"), "answer": answer,
        "receipt": answer.as_ref().map(|answer| answer["receipt"].clone())})
}

/// What a secure request is allowed.
fn access(input: &Value) -> Result<Access> {
    let mut access = Access::new();
    for credential in input["credentials"].as_array().into_iter().flatten() {
        let text = |name: &str| credential[name].as_str().unwrap_or_default();
        let (origin, secret) = (text("origin"), Secret::new(text("secret")));
        access = access.with_credential(match text("in") {
            "bearer" => Credential::bearer(origin, secret),
            "basic" => Credential::basic(origin, text("user"), secret),
            "header" => Credential::header_after(origin, text("name"), text("prefix"), secret),
            "query" => Credential::query(origin, text("name"), secret),
            "json" => Credential::json(origin, text("pointer"), secret),
            "form" => Credential::form(origin, text("name"), secret),
            other => panic!("{other} is no place"),
        }?);
    }
    for host in input["hosts"].as_array().into_iter().flatten() {
        access = access.with_host(HostRule::new(host.as_str().unwrap_or_default())?);
    }
    if input["loopback"] == true {
        access = access.with_loopback();
    }
    if let Some(redirects) = input["redirects"].as_u64() {
        access = access.with_redirects(redirects as u32);
    }
    Ok(access)
}

/// The body of a webhook call, as often as `times` says.
pub(crate) fn body(input: &Value) -> Vec<u8> {
    let once = match &input["body"] {
        Value::String(text) => text.clone(),
        json => json.to_string(),
    };
    let times = input["times"].as_u64().unwrap_or(1);
    once.repeat(usize::try_from(times).expect("a small number"))
        .into_bytes()
}

pub(crate) fn read<T: DeserializeOwned>(input: &Value) -> Result<T> {
    T::deserialize(input).map_err(|error| Error::new(Code::InvalidInput, error.to_string()))
}

pub(crate) fn show<T: Serialize>(result: Result<T>) -> Result<Value> {
    result.map(|value| serde_json::to_value(value).expect("plain data"))
}

/// A file that only its owner may read, with a key in it.
fn key_file() -> PathBuf {
    use std::io::Write;

    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("conformance.key");
    if !path.exists() {
        let fresh = path.with_extension(format!("{:?}", std::thread::current().id()));
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .expect("a file");
        file.write_all(b"sk-conformance-0123456789")
            .expect("a written file");
        std::fs::rename(fresh, &path).expect("a name");
    }
    path
}
