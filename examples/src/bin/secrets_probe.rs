//! Shows everything that Rust can show of a program that holds secrets: the victim of the proof that none of them shows.
//!
//! It makes good and failing calls with secrets from the environment, and prints every handle, request, answer, error with its
//! sources, receipt and panic, and every event of every log at the finest level. The proof reads what was printed.

use std::error::Error as _;
use std::fmt::{Debug, Display, Write as _};
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::DateTime;
use nbhd_channels::{Message, Telegram, TelegramConfig};
use nbhd_core::receipt::MemoryReceipts;
use nbhd_core::testkit::{SabotagedTransport, TransportSabotage};
use nbhd_core::transport::{Socket, Transport};
use nbhd_core::vault::Vault;
use nbhd_core::{Error, Host, Result, Secret};
use nbhd_google::calendar::{FreeBusy, ListEvents};
use nbhd_google::gmail::ListMessages;
use nbhd_google::{Account, Connect, Endpoints, Google, OAuthClient};
use nbhd_llm::{Chat, Router, RouterConfig};
use serde_json::{Value, json};

/// What goes wrong, one after the other. The wait that a refusal asks for is longer than any call has.
const FAULTS: &str = r#"[{"status": {"status": 401}}, {"status": {"status": 403}}, {"status": {"status": 400}},
    {"status": {"status": 429, "retry_after": 3600}}, "garbage", "cut", "close"]"#;

fn main() -> ExitCode {
    let _ = tracing::subscriber::set_global_default(Everything::default());
    let _ = log::set_logger(&Lines);
    log::set_max_level(log::LevelFilter::Trace);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run()),
        Err(error) => Err(error.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("the probe failed: {reason}");
            ExitCode::FAILURE
        }
    }
}

struct Probe {
    world: Value,
    google: Google,
    account: Account,
    telegram: Telegram,
    router: Router,
}

async fn run() -> std::result::Result<(), String> {
    let variable = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let world: Value =
        serde_json::from_str(&variable("NBHD_PROVE_WORLD")?).map_err(|error| error.to_string())?;
    let store = PathBuf::from(variable("NBHD_PROVE_STORE")?);
    let mut socket: Arc<dyn Transport> = Arc::new(Socket::default());
    if std::env::args().any(|word| word == "log-credential") {
        socket = Arc::new(SabotagedTransport::new(socket, TransportSabotage::LogCredential));
    }
    let receipts = Arc::new(MemoryReceipts::default());
    let key = Vault::with_source(Secret::env("NBHD_PROVE_VAULT_KEY"));
    let host = nbhd_core::store::open(&format!("sqlite:{}", store.display()))
        .map(|store| {
            Host::builder(store)
                .with_socket(socket)
                .with_receipts(receipts.clone())
                .with_vault(key)
                .build()
        })
        .map_err(|error| error.to_string())?;
    let probe = Probe::new(&host, world).map_err(|error| error.to_string())?;
    probe
        .good()
        .await
        .map_err(|error| format!("a good call failed: {error}"))?;
    probe.failing().await;
    wrong_configurations(&host);
    probe.panics();
    show("host", &host);
    show("receipts", &receipts.all());
    println!("{}", json!(receipts.all()));
    // The proof reads the files of the database now, while they are open, and says when it has.
    let beside = |end: &str| PathBuf::from(format!("{}.{end}", store.display()));
    std::fs::write(beside("ready"), "").map_err(|error| error.to_string())?;
    while !beside("go").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    host.store().close().await.map_err(|error| error.to_string())
}

impl Probe {
    fn new(host: &Host, world: Value) -> Result<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let client = OAuthClient::new(
            text(&world["google"]["client_id"]),
            Secret::env("NBHD_PROVE_CLIENT_SECRET"),
        );
        show("client", &client);
        let google =
            Google::new(host, client).with_endpoints(Endpoints::at(&text(&world["google"]["url"])))?;
        let config = TelegramConfig::new(Secret::env("NBHD_PROVE_BOT_TOKEN"))
            .with_webhook_secret(Secret::env("NBHD_PROVE_WEBHOOK_SECRET"))
            .with_base_url(text(&world["telegram"]["base_url"]));
        show("telegram config", &config);
        let router = RouterConfig::from_value(world["router"].clone())?;
        show("router config", &router);
        println!("{}", json!(router));
        Ok(Self {
            account: google.account("tenant-42"),
            google,
            telegram: Telegram::new(host, config)?,
            router: Router::new(host, router)?,
            world,
        })
    }

    async fn good(&self) -> Result<()> {
        let connect = Connect::new(Secret::env("NBHD_PROVE_REFRESH_TOKEN"));
        show("connect", &connect);
        shown("connection", self.account.connect(connect).await)?;
        shown("status", self.account.status().await)?;
        shown("access token", self.account.access_token().await)?;
        let cards = shown("messages", self.list().await)?;
        if let Some(card) = cards.first() {
            shown("message", self.account.gmail().get_message(&card.id).await)?;
        }
        shown("events", self.events().await)?;
        shown("free/busy", self.busy().await)?;
        for text in ["What needs my attention?", "And tomorrow?"] {
            let call = self.control("say", &json!({"text": text}));
            let reply = shown("received", self.receive(&call, None).await)?;
            self.control("answered", &json!({"status": reply.status}));
        }
        shown("probe", self.telegram.probe().await)?;
        shown("delivery", self.send("good").await)?;
        shown("answer", self.router.chat(chat()).await)?;
        shown("explained", self.router.explain(&chat()).await)?;
        shown("router status", self.router.status().await)?;
        self.stream().await?;
        show("google", &self.google);
        show("account", &self.account);
        show("gmail", &self.account.gmail());
        show("calendar", &self.account.calendar());
        show("telegram", &self.telegram);
        show("router", &self.router);
        Ok(())
    }

    /// Each call with each fault; what it answers is shown, whatever it is.
    async fn failing(&self) {
        let faults: Vec<Value> = serde_json::from_str(FAULTS).unwrap_or_default();
        for (number, fault) in faults.iter().enumerate() {
            self.fail("google", "gmail.messages.list", fault);
            let _ = shown("failing messages", self.list().await);
            self.fail("google", "calendar.events.list", fault);
            let _ = shown("failing events", self.events().await);
            self.control("expire", &json!({}));
            self.fail("google", "oauth.token", fault);
            let _ = shown("failing refresh", self.busy().await);
            self.fail("telegram", "telegram.sendMessage", fault);
            let _ = shown("failing delivery", self.send(&format!("failing-{number}")).await);
            self.fail("models", "llm.chat", fault);
            let _ = shown("failing answer", self.router.chat(chat()).await);
        }
        let call = self.control("say", &json!({"text": "forged"}));
        if let Ok(reply) = shown("forged", self.receive(&call, Some("not the secret")).await) {
            self.control("answered", &json!({"status": reply.status}));
        }
        let _ = shown("garbage", self.telegram.receive_pairs([("x", "y")], "{").await);
    }

    fn panics(&self) {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| -> bool {
            panic!(
                "{:?} {:?} {:?} {:?}",
                self.google, self.account, self.telegram, self.router
            )
        }));
        println!(
            "panicked: {:?}",
            caught.map_err(|payload| payload.downcast_ref::<String>().cloned())
        );
    }

    async fn list(&self) -> Result<nbhd_core::page::Page<nbhd_google::gmail::MessageCard>> {
        self.account
            .gmail()
            .list_messages(ListMessages::new().with_limit(3))
            .await
    }

    async fn events(&self) -> Result<impl Debug + use<>> {
        self.account
            .calendar()
            .list_events(ListEvents::new().with_limit(3))
            .await
    }

    async fn busy(&self) -> Result<impl Debug + use<>> {
        let at = DateTime::UNIX_EPOCH.fixed_offset();
        let ask = FreeBusy::new(at, at + chrono::Duration::days(1));
        self.account.calendar().free_busy(ask).await
    }

    async fn receive(&self, call: &Value, secret: Option<&str>) -> Result<nbhd_channels::Reply> {
        let headers: Vec<(String, String)> = call["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        let pairs = headers.iter().map(|(name, value)| {
            let is_secret = name.to_lowercase().contains("secret");
            (name.as_str(), secret.filter(|_| is_secret).unwrap_or(value))
        });
        self.telegram
            .receive_pairs(pairs, call["body"].as_str().unwrap_or_default())
            .await
    }

    async fn send(&self, key: &str) -> Result<nbhd_channels::Delivery> {
        let message = Message::markdown("4711", "**Done.**").with_key(key);
        show("message", &message);
        show("intent", &self.telegram.intent(&message));
        self.telegram.send(message).await
    }

    async fn stream(&self) -> Result<()> {
        let mut stream = self.router.stream(chat()).await?;
        while let Some(event) = stream.next().await {
            shown("event", event)?;
        }
        Ok(())
    }

    fn fail(&self, service: &str, label: &str, fault: &Value) {
        self.control(
            "fail",
            &json!({"service": service, "label": label, "fault": fault, "times": 2}),
        );
    }

    /// Orders something from the stand-ins, over plain HTTP.
    fn control(&self, command: &str, asked: &Value) -> Value {
        let url = self.world["control"].as_str().unwrap_or_default();
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        let body = asked.to_string();
        let answer = TcpStream::connect(address).and_then(|mut stream| {
            write!(
                stream,
                "POST /{command} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        });
        let answer = answer.unwrap_or_default();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_default()
    }
}

fn chat() -> Chat {
    Chat::user("What needs my attention?")
        .with_purpose("general")
        .with_output_cap(64)
}

/// Configurations in which a secret stands where none may stand.
fn wrong_configurations(host: &Host) {
    let secret = |name: &str| std::env::var(name).unwrap_or_default();
    let key = secret("NBHD_PROVE_API_KEY");
    for config in [
        json!({"provider": {"openai": {"api_key": key}}, "unbudgeted": true}),
        json!({"provider": {"openai": {"key": key}}}),
        json!({"provider": {"openai": {"base_url": format!("https://u:{key}@api.example/v1?key={key}")}},
            "purpose": {"general": {"chain": ["openai/gpt-4o-mini"]}}, "unbudgeted": true}),
    ] {
        let made = RouterConfig::from_value(config).and_then(|config| Router::new(host, config));
        let _ = shown("wrong router", made);
    }
    let token = secret("NBHD_PROVE_BOT_TOKEN");
    let config = TelegramConfig::new(Secret::new(format!("{token} ")))
        .with_base_url(format!("https://u:{token}@api.example/?token={token}"));
    let _ = shown("wrong telegram", Telegram::new(host, config));
    let vault = Vault::with_key(Secret::new(format!("{}x", secret("NBHD_PROVE_VAULT_KEY"))));
    let _ = shown("wrong vault", vault.status());
}

fn show(what: &str, value: &impl Debug) {
    println!("{what}: {value:?}\n{value:#?}");
}

/// Shows an answer, or an error with everything that it says and its sources.
fn shown<T: Debug>(what: &str, answer: Result<T>) -> Result<T> {
    match &answer {
        Ok(value) => show(what, value),
        Err(error) => show_error(what, error),
    }
    answer
}

fn show_error(what: &str, error: &Error) {
    show(what, error);
    println!("{what}: {error}\n{error:#}\n{}", json!(error.to_data()));
    let mut source = error.source();
    while let Some(cause) = source {
        println!("caused by {cause}: {cause:?}");
        source = cause.source();
    }
}

/// Writes every span and event of every target, with all fields.
#[derive(Default)]
struct Everything(AtomicU64);

struct Fields(String);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl Everything {
    fn write(what: impl Display, record: impl FnOnce(&mut Fields)) {
        let mut fields = Fields(String::new());
        record(&mut fields);
        eprintln!("trace {what}{}", fields.0);
    }
}

impl tracing::Subscriber for Everything {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        let place = format!("span {} {}", span.metadata().target(), span.metadata().name());
        Self::write(place, |fields| span.record(fields));
        tracing::span::Id::from_u64(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        Self::write("record", |fields| values.record(fields));
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        Self::write(event.metadata().target(), |fields| event.record(fields));
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// Writes every record of the `log` crate, which some dependencies use.
struct Lines;

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        eprintln!("log {} {}", record.target(), record.args());
    }

    fn flush(&self) {}
}
