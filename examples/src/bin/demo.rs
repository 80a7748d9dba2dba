//! `cargo demo`: one assistant turn on real input.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use nbhd_examples::assistant::Progress;
use nbhd_examples::demo::{self, Live, Options};
use nbhd_examples::report::Paint;

/// One assistant turn, end to end: a Telegram message comes in, mail and calendar are read, a model answers within a budget, a brief
/// goes out. Everything runs on this machine, on stand-ins, unless --live says otherwise.
#[derive(Parser)]
#[command(name = "cargo demo")]
struct Arguments {
    /// Mail: an mbox file, a Maildir, a message, or a folder of these [default: a sample].
    #[arg(long, value_name = "PATH")]
    mailbox: Option<PathBuf>,
    /// A calendar: an .ics file [default: a sample].
    #[arg(long, value_name = "PATH")]
    calendar: Option<PathBuf>,
    /// Prints one JSON document.
    #[arg(long)]
    json: bool,
    /// Keeps the state in this SQLite file, and goes on with it.
    #[arg(long, value_name = "PATH")]
    store: Option<PathBuf>,
    /// The port of the first stand-in; the other two have the next ones [default: free ones].
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Uses the real service, with the credentials in the environment. gmail: GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET,
    /// GOOGLE_REFRESH_TOKEN; telegram: TELEGRAM_BOT_TOKEN, TELEGRAM_CHAT_ID; openai: OPENAI_API_KEY; mistral: MISTRAL_API_KEY.
    #[arg(long, value_delimiter = ',', value_name = "SERVICES")]
    live: Vec<Live>,
    /// Asks this model alone, such as ollama/llama3.2 on this machine.
    #[arg(long, value_name = "PROVIDER/MODEL")]
    model: Option<String>,
    /// What is asked.
    #[arg(long, default_value = "What needs my attention today?", value_name = "TEXT")]
    question: String,
    /// The time zone in which it is today.
    #[arg(long, default_value = "Europe/Berlin", value_name = "NAME")]
    time_zone: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.json;
    let options = Options {
        mailbox: arguments.mailbox,
        calendar: arguments.calendar,
        store: arguments.store,
        port: arguments.port,
        live: arguments.live,
        model: arguments.model,
        question: arguments.question,
        time_zone: arguments.time_zone,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("the runtime does not start: {}", error.kind())),
    };
    let document = match runtime.block_on(demo::run(&options, progress(json))) {
        Ok(document) => document,
        Err(error) => {
            clear(json);
            return refuse(error.message());
        }
    };
    let text = if json {
        match serde_json::to_string_pretty(&document) {
            Ok(text) => text + "\n",
            Err(error) => return refuse(&format!("the result has no JSON form: {error}")),
        }
    } else {
        document.to_text(Paint::for_output())
    };
    // Whoever closed the pipe has read enough.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    if document.is_answered() {
        ExitCode::SUCCESS
    } else {
        refuse("the answer did not arrive: the table above says why")
    }
}

fn refuse(sentence: &str) -> ExitCode {
    eprintln!("{}", sentence.trim_end());
    ExitCode::FAILURE
}

/// One line that is written over and over, on a terminal only.
fn progress(json: bool) -> Progress {
    if json || !std::io::stderr().is_terminal() {
        return Arc::new(|_| {});
    }
    Arc::new(|doing| {
        let mut out = std::io::stderr().lock();
        let line = if doing.is_empty() {
            String::new()
        } else {
            format!("… {doing}")
        };
        // A progress line that cannot be written is no reason to stop.
        let _ = write!(out, "\r\u{1b}[2K{line}");
        let _ = out.flush();
    })
}

fn clear(json: bool) {
    progress(json)("");
}
