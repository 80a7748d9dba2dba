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

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;
use clap::Parser;
use nbhd_channels::testkit::Telegram;
use nbhd_core::testkit::Fault;
use nbhd_google::testkit::{Calendar, GoogleSetup, GoogleStandIn, Mailbox};
use nbhd_llm::testkit::{ModelStandIn, StandInCatalog};
use serde::Deserialize;
use serde_json::{Value, json};

/// The stand-ins, each on a port of 127.0.0.1.
#[derive(Parser)]
struct Arguments {
    /// An mbox file, a Maildir, a message or a folder of these; the sample when absent.
    #[arg(long)]
    mailbox: Option<PathBuf>,
    /// An `.ics` file; the sample when absent.
    #[arg(long)]
    calendar: Option<PathBuf>,
    /// Where every handled call is appended as a line of JSON.
    #[arg(long)]
    log: Option<PathBuf>,
    /// The port of the Google stand-in; 0 is a free one.
    #[arg(long, default_value_t = 0)]
    google_port: u16,
    /// The port of the stand-in for model providers; 0 is a free one.
    #[arg(long, default_value_t = 0)]
    models_port: u16,
    /// The port of the Telegram stand-in; 0 is a free one.
    #[arg(long, default_value_t = 0)]
    telegram_port: u16,
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

const SAMPLE_MAIL: &[u8] = include_bytes!("../../data/sample.mbox");
const SAMPLE_CALENDAR: &str = include_str!("../../data/sample.ics");
const READ_MAIL: &str = "https://www.googleapis.com/auth/gmail.readonly";
const READ_HEADERS: &str = "https://www.googleapis.com/auth/gmail.metadata";
const READ_CALENDAR: &str = "https://www.googleapis.com/auth/calendar.readonly";
/// A grant that does not suffice for bodies and events: how a client meets a refusal for scopes.
const NARROW_TOKEN: &str = "1//stand-in-headers-only";

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
    let running = Running {
        google: google(arguments, log)?,
        models: ModelStandIn::start_with(StandInCatalog::default(), arguments.models_port)?,
        telegram: Telegram::start_as(
            arguments.telegram_port,
            &arguments.telegram_token,
            &arguments.telegram_secret,
        )?,
    };
    say(&running.addresses()?)?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let answer = match serde_json::from_str(&line) {
            Ok(command) => running.obey(command),
            Err(error) => json!({"error": format!("no command: {error}")}),
        };
        say(&answer)?;
    }
    Ok(())
}

fn google(arguments: &Arguments, log: Log) -> Result<GoogleStandIn, Box<dyn Error>> {
    let now = Utc::now();
    let mailbox = match &arguments.mailbox {
        Some(path) => Mailbox::load(path)?,
        None => Mailbox::from_bytes(SAMPLE_MAIL.to_vec())?.with_time_shift(now),
    };
    let calendar = match &arguments.calendar {
        Some(path) => Calendar::load(path)?,
        None => Calendar::from_text(SAMPLE_CALENDAR)?.with_time_shift(now.date_naive()),
    };
    let setup = GoogleSetup::new()
        .with_mailbox(mailbox)
        .with_calendar(calendar)
        .with_port(arguments.google_port)
        .with_refresh_token(&arguments.google_refresh_token, [READ_MAIL, READ_CALENDAR])
        .with_refresh_token(NARROW_TOKEN, [READ_HEADERS])
        .with_token_prefix(&arguments.google_token_prefix)
        .with_token_lifetime(Duration::from_secs(arguments.google_token_lifetime))
        .with_observer(move |call| log.add("google", json!(call)));
    Ok(setup.start()?)
}

/// All stand-ins.
struct Running {
    google: GoogleStandIn,
    models: ModelStandIn,
    telegram: Telegram,
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

impl Running {
    fn addresses(&self) -> Result<Value, Box<dyn Error>> {
        let Self {
            google,
            models,
            telegram,
        } = self;
        Ok(json!({
            "google": {
                "url": google.url().as_str().trim_end_matches('/'),
                "token_uri": google.url().join("token")?,
                "client_id": google.client_id(),
                "client_secret": google.client_secret(),
                "refresh_token": google.refresh_token(),
                "narrow_refresh_token": NARROW_TOKEN,
                "address": google.address(),
                "scopes": [READ_MAIL, READ_CALENDAR],
            },
            "models": {
                "openai": models.base_url("openai"),
                "mistral": models.base_url("mistral"),
                "api_key": "sk-stand-in",
            },
            "telegram": {
                "url": telegram.base_url().trim_end_matches('/'),
                "token": telegram.token(),
                "webhook_secret": telegram.webhook_secret(),
            },
        }))
    }

    fn obey(&self, command: Command) -> Value {
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
                        if let Err(error) = self.google.fail(&label, fault, times) {
                            return json!({"error": error.to_string()});
                        }
                    }
                    "models" => self.models.fail(&label, fault, times),
                    "telegram" => self.telegram.fail(&label, fault, times),
                    _ => return unknown(&service),
                }
                done
            }
            Command::Calls { service, label } => match service.as_str() {
                "google" => json!({"calls": self.google.calls(&label)}),
                "models" => json!({"calls": self.models.calls(&label)}),
                "telegram" => json!({"calls": self.telegram.calls(&label)}),
                _ => unknown(&service),
            },
            Command::ExpireAccessTokens { service } if service == "google" => {
                self.google.expire_access_tokens();
                done
            }
            Command::RevokeGrant { service } if service == "google" => {
                self.google.revoke_grant();
                done
            }
            Command::Say { chat, text } => json!({"call": self.telegram.say(chat, &text)}),
            Command::Messages { service } if service == "telegram" => {
                json!({"messages": self.telegram.messages()})
            }
            Command::Bill { service } if service == "models" => json!({"bill": self.models.bill()}),
            Command::ExpireAccessTokens { service }
            | Command::RevokeGrant { service }
            | Command::Messages { service }
            | Command::Bill { service } => unknown(&service),
        }
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

    fn add(&self, service: &str, mut call: Value) {
        let Some(file) = &self.0 else { return };
        call["service"] = service.into();
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        // A proof without its log is none: better to stop than to go on unseen.
        if let Err(error) = writeln!(file, "{call}") {
            eprintln!("cannot write the log: {}", error.kind());
            std::process::exit(2);
        }
    }
}
