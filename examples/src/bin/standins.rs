//! The stand-ins as a process of their own: for clients of other languages, and for proofs that kill the process which
//! uses them.
//!
//! It prints one line of JSON with addresses and tokens, then reads commands from its input, one line of JSON each, and
//! answers each with one line. It ends when its input ends.
//!
//! ```text
//! {"fail": {"service": "google", "label": "gmail.messages.get", "fault": {"status": {"status": 429}}, "times": 3}}
//! {"calls": {"service": "google", "label": "gmail.messages.get"}}
//! {"expire_access_tokens": {"service": "google"}}
//! {"revoke_grant": {"service": "google"}}
//! {"say": {"chat": 42, "text": "What needs my attention today?"}}
//! {"messages": {"service": "telegram"}}
//! {"bill": {"service": "models"}}
//! ```
//!
//! The log has a line for every call, every message that Telegram took, and every bill that a model wrote, each written before
//! the answer leaves. Its `kind` says which of these it is.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use nbhd_core::testkit::{Call, Fault};
use nbhd_examples::data::Data;
use nbhd_examples::world::{NARROW_TOKEN, SCOPES, Setup, StandIns};
use serde::Deserialize;
use serde_json::{Value, json};

/// How often a fault of `--fault` happens: as good as always.
const ALWAYS: usize = 100_000;

/// The stand-ins, each on a port of 127.0.0.1.
#[derive(Parser)]
struct Arguments {
    /// An mbox file, a Maildir, a message or a folder of these; the sample when absent.
    #[arg(long)]
    mailbox: Option<PathBuf>,
    /// An `.ics` file; the sample when absent and no mailbox is named.
    #[arg(long)]
    calendar: Option<PathBuf>,
    /// Where every handled call is appended as a line of JSON.
    #[arg(long)]
    log: Option<PathBuf>,
    /// What goes wrong from the beginning; may be given several times.
    #[arg(long, value_enum)]
    fault: Vec<Planned>,
    /// The port of the Google stand-in; 0 is a free one.
    #[arg(long, default_value_t = 0)]
    google_port: u16,
    /// The port of the stand-in for model providers; 0 is a free one.
    #[arg(long, default_value_t = 0)]
    models_port: u16,
    /// The port of the Telegram stand-in; 0 is a free one.
    #[arg(long, default_value_t = 0)]
    telegram_port: u16,
    /// The key that is told to who asks the models.
    #[arg(long, default_value = "sk-stand-in")]
    api_key: String,
    /// The bot token that the Telegram stand-in knows.
    #[arg(long, default_value = "123456:stand-in-bot-token-of-35-characters")]
    telegram_token: String,
    /// The secret that the Telegram stand-in's webhook calls carry.
    #[arg(long, default_value = "stand-in-webhook-secret")]
    telegram_secret: String,
    /// The refresh token that the Google stand-in knows.
    #[arg(long, default_value = "1//stand-in-refresh-token")]
    google_refresh_token: String,
    /// What the access tokens of the Google stand-in begin with.
    #[arg(long, default_value = "ya29.stand-in-")]
    google_token_prefix: String,
    /// How long the access tokens of the Google stand-in live, in seconds.
    #[arg(long, default_value_t = 3600)]
    google_token_lifetime: u64,
}

/// A fault that is there from the beginning.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Planned {
    /// The first model always says "too many requests".
    #[value(name = "primary-429")]
    Primary429,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let log = Log::open(arguments.log.as_ref())?;
    let data = Data::load(arguments.mailbox.as_deref(), arguments.calendar.as_deref())?;
    let setup = Setup {
        ports: [
            arguments.google_port,
            arguments.models_port,
            arguments.telegram_port,
        ],
        refresh_token: arguments.google_refresh_token.clone(),
        token_prefix: arguments.google_token_prefix.clone(),
        token_lifetime: Duration::from_secs(arguments.google_token_lifetime),
        bot_token: arguments.telegram_token.clone(),
        webhook_secret: arguments.telegram_secret.clone(),
        api_key: arguments.api_key.clone(),
    };
    let google_log = log.clone();
    let running = Arc::new(StandIns::start(data, &setup, |google| {
        google.with_observer(move |call| google_log.add("google", "call", json!(call)))
    })?);
    if arguments.fault.contains(&Planned::Primary429) {
        running.throttle_primary(ALWAYS);
    }
    watch(&running, &log);
    say(&addresses(&running)?)?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let answer = match serde_json::from_str(&line) {
            Ok(command) => obey(&running, command),
            Err(error) => json!({"error": format!("no command: {error}")}),
        };
        say(&answer)?;
    }
    Ok(())
}

/// Writes what the models and Telegram handled into the log.
fn watch(running: &Arc<StandIns>, log: &Log) {
    let (stand_ins, to, billed) = (Arc::downgrade(running), log.clone(), Mutex::new(0));
    running.models.log().observe(move |call| {
        let Some(stand_ins) = stand_ins.upgrade() else {
            return;
        };
        // Held for the whole: entries stand in the log in the order in which they were billed.
        let mut seen = billed.lock().unwrap_or_else(PoisonError::into_inner);
        to.add("models", "call", shown(call, &call.path));
        let bill = stand_ins.models.bill();
        for entry in bill.entries.iter().skip(*seen) {
            to.add("models", "bill", json!(entry));
        }
        *seen = bill.entries.len();
    });
    let (stand_ins, to, taken) = (Arc::downgrade(running), log.clone(), Mutex::new(0));
    running.telegram.server().log().observe(move |call| {
        let Some(stand_ins) = stand_ins.upgrade() else {
            return;
        };
        let mut seen = taken.lock().unwrap_or_else(PoisonError::into_inner);
        // The path begins with the token.
        let method = call.path.rsplit('/').next().unwrap_or_default();
        to.add("telegram", "call", shown(call, method));
        let messages = stand_ins.telegram.messages();
        for message in messages.iter().skip(*seen) {
            to.add("telegram", "message", json!(message));
        }
        *seen = messages.len();
    });
}

/// A call as it stands in the log, with the credential that came with it: so that a proof knows which were really used.
fn shown(call: &Call, path: &str) -> Value {
    let bearer = call
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "));
    let bot = call
        .path
        .strip_prefix("/bot")
        .and_then(|rest| rest.split('/').next());
    json!({
        "label": call.label,
        "method": call.method.as_str(),
        "path": path,
        "request_bytes": call.body.len(),
        "bearer": bearer.or(bot),
    })
}

/// What a line of the input asks for.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Command {
    Fail {
        service: String,
        label: String,
        fault: Fault,
        #[serde(default = "once")]
        times: usize,
    },
    Calls {
        service: String,
        label: String,
    },
    ExpireAccessTokens {
        service: String,
    },
    RevokeGrant {
        service: String,
    },
    /// Somebody says something to the bot: answered with the webhook call that it makes.
    Say {
        chat: i64,
        text: String,
    },
    /// What the bot sent.
    Messages {
        service: String,
    },
    /// What the model providers billed.
    Bill {
        service: String,
    },
}

fn once() -> usize {
    1
}

fn addresses(running: &StandIns) -> Result<Value, Box<dyn Error>> {
    let mut world = serde_json::to_value(running.world())?;
    world["google"]["token_uri"] = json!(running.google.url().join("token")?);
    world["google"]["narrow_refresh_token"] = json!(NARROW_TOKEN);
    world["google"]["scopes"] = json!(SCOPES);
    Ok(world)
}

fn obey(running: &StandIns, command: Command) -> Value {
    let done = json!({"ok": true});
    match command {
        Command::Fail {
            service,
            label,
            fault,
            times,
        } => {
            match service.as_str() {
                "google" => {
                    if let Err(error) = running.google.fail(&label, fault, times) {
                        return json!({"error": error.to_string()});
                    }
                }
                "models" => running.models.fail(&label, fault, times),
                "telegram" => running.telegram.fail(&label, fault, times),
                _ => return unknown(&service),
            }
            done
        }
        Command::Calls { service, label } => match service.as_str() {
            "google" => json!({"calls": running.google.calls(&label)}),
            "models" => json!({"calls": running.models.calls(&label)}),
            "telegram" => json!({"calls": running.telegram.calls(&label)}),
            _ => unknown(&service),
        },
        Command::ExpireAccessTokens { service } if service == "google" => {
            running.google.expire_access_tokens();
            done
        }
        Command::RevokeGrant { service } if service == "google" => {
            running.google.revoke_grant();
            done
        }
        Command::Say { chat, text } => json!({"call": running.telegram.say(chat, &text)}),
        Command::Messages { service } if service == "telegram" => {
            json!({"messages": running.telegram.messages()})
        }
        Command::Bill { service } if service == "models" => json!({"bill": running.models.bill()}),
        Command::ExpireAccessTokens { service }
        | Command::RevokeGrant { service }
        | Command::Messages { service }
        | Command::Bill { service } => unknown(&service),
    }
}

fn unknown(service: &str) -> Value {
    json!({"error": format!("no stand-in that could do it is called {service}")})
}

fn say(line: &Value) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// The log that survives whoever is killed: a line is written before the answer leaves.
#[derive(Clone)]
struct Log(Option<Arc<Mutex<File>>>);

impl Log {
    fn open(path: Option<&PathBuf>) -> Result<Self, Box<dyn Error>> {
        let Some(path) = path else { return Ok(Self(None)) };
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|error| format!("cannot open the log {}: {}", path.display(), error.kind()))?;
        Ok(Self(Some(Arc::new(Mutex::new(file)))))
    }

    fn add(&self, service: &str, kind: &str, mut line: Value) {
        let Some(file) = &self.0 else { return };
        line["service"] = service.into();
        line["kind"] = kind.into();
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        // A proof without its log is none: better to stop than to go on unseen.
        if let Err(error) = writeln!(file, "{line}") {
            eprintln!("cannot write the log: {}", error.kind());
            std::process::exit(2);
        }
    }
}
