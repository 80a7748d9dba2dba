//! A process that makes one call at a time, as it is told, while this one breaks the store between two calls.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};

use super::faults::DEADLINE;
use super::site::Site;
use crate::prove::program;
use crate::prove::stage::Stage;

/// Nothing may take longer than this: whoever waits so long waits for ever.
pub(super) const FOR_EVER: Duration = Duration::from_secs(20);

/// For how long a call is tried that has to succeed: on a busy machine a healthy one may miss its deadline now and then.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long leases are, in milliseconds: longer than a proof takes, and shorter than a jump of a clock.
const LEASE: &str = "600000";

/// The process.
pub(super) struct Caller {
    child: Child,
    commands: ChildStdin,
    lines: Receiver<String>,
    /// What it sent, by the platform's log.
    pub(super) sent: Vec<String>,
}

/// What a call came to.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// What it returned.
    pub(super) ok: Option<Value>,
    /// The code and the outcome of its error.
    pub(super) code: String,
    pub(super) outcome: String,
    /// How long it took.
    pub(super) seconds: f64,
}

impl Caller {
    /// Starts one on the store at `address`.
    pub(super) fn start(
        stage: &Stage,
        site: &Site,
        address: &str,
        sabotage: Option<&str>,
    ) -> Result<Self, String> {
        let mut command = Command::new("sh");
        // A file that may not grow is an error to it, not its end.
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
        command.arg(stage.program("store_worker").get_program());
        let class = if site.class == "lossy" {
            "power"
        } else {
            site.class
        };
        command.args(["--store", address, "--class", class, "--lease", LEASE]);
        command.args(["--cap", "1000000000", "--gate", "100000"]);
        command.args(["--deadline", &DEADLINE.to_string()]);
        if let Some(sabotage) = sabotage {
            command.args(["--sabotage", sabotage]);
        }
        let mut child = command
            .arg("obey")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("a caller does not start: {error}"))?;
        let (Some(commands), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a caller has no input or output".to_owned());
        };
        let (said, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines() {
                let Ok(line) = line else { return };
                if said.send(line).is_err() {
                    return;
                }
            }
        });
        let mut caller = Self {
            child,
            commands,
            lines,
            sent: Vec::new(),
        };
        caller.line()?;
        Ok(caller)
    }

    fn order(&mut self, command: &Value) -> Result<(), String> {
        writeln!(self.commands, "{command}").map_err(|error| format!("a caller is gone: {error}"))
    }

    /// Begins a call and is killed `after` so long: nobody hears what became of it.
    pub(super) fn die_within(mut self, command: &Value, after: Duration) -> Result<(), String> {
        self.order(command)?;
        std::thread::sleep(after);
        Ok(())
    }

    /// Whether the system lets it make files longer than they are.
    pub(super) fn may_write(&self, may: bool) -> Result<(), String> {
        let limit = if may { "unlimited" } else { "0" };
        let mut command = Command::new("prlimit");
        command.args([
            "--pid",
            &self.child.id().to_string(),
            &format!("--fsize={limit}:"),
        ]);
        let ended = program::run(&mut command, FOR_EVER)?;
        if ended.ok() {
            Ok(())
        } else {
            Err(format!("prlimit: {}", ended.how()))
        }
    }

    /// Makes a call.
    pub(super) fn call(&mut self, command: &Value) -> Result<Answer, String> {
        self.order(command)?;
        let answer: Value = serde_json::from_str(&self.line()?).map_err(|error| error.to_string())?;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Ok(Answer {
            ok: answer.get("ok").cloned(),
            code: text("code"),
            outcome: text("outcome"),
            seconds: answer["seconds"].as_f64().unwrap_or(f64::INFINITY),
        })
    }

    /// Makes a call until it succeeds, and returns what it returned: the store is there, and the client finds it by itself. For calls
    /// that may be made twice.
    pub(super) fn until_it_succeeds(&mut self, command: &Value) -> Result<Value, String> {
        self.until(|| command.clone())
    }

    /// The same with a new command for each try.
    pub(super) fn until(&mut self, mut command: impl FnMut() -> Value) -> Result<Value, String> {
        let began = std::time::Instant::now();
        loop {
            let command = command();
            let answer = self.call(&command)?;
            if let Some(ok) = answer.ok {
                return Ok(ok);
            }
            if began.elapsed() > PATIENCE {
                return Err(format!(
                    "the store is there, and {command} still answers {} ({})",
                    answer.code, answer.outcome
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn line(&mut self) -> Result<String, String> {
        loop {
            match self.lines.recv_timeout(FOR_EVER) {
                Ok(line) => match line.strip_prefix("s ") {
                    Some(key) => self.sent.push(key.to_owned()),
                    None => return Ok(line),
                },
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("a call waited for more than {} s", FOR_EVER.as_secs()));
                }
                Err(RecvTimeoutError::Disconnected) => return Err("a caller ended".to_owned()),
            }
        }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A call, and what it is for.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) name: &'static str,
    /// Whether it changes nothing.
    pub(super) reads: bool,
    /// Whether it lets somebody do something: has a lease, money, a gate, a send.
    pub(super) allows: bool,
    pub(super) command: Value,
}

/// Every kind of call.
pub(super) fn every_call(number: u64) -> Vec<Call> {
    let name = format!("n{number}");
    let reads = [
        ("now", json!({"call": "now"})),
        ("get", json!({"call": "get", "key": "k"})),
        ("sum", json!({"call": "sum", "key": "counted"})),
    ];
    let writes = [("commit", json!({"call": "add", "key": "other", "op_id": name}))];
    let allows = [
        ("accept", json!({"call": "accept", "name": name})),
        ("claim", json!({"call": "claim", "lane": name})),
        ("hold", json!({"call": "hold"})),
        ("gate", json!({"call": "pass", "who": name})),
        ("send", json!({"call": "send", "key": name})),
    ];
    let calls = |reads, allows, all: &[(&'static str, Value)]| -> Vec<Call> {
        all.iter()
            .map(|(name, command)| Call {
                name,
                reads,
                allows,
                command: command.clone(),
            })
            .collect()
    };
    [
        calls(true, false, &reads),
        calls(false, false, &writes),
        calls(false, true, &allows),
    ]
    .concat()
}
