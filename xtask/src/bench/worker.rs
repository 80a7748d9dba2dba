//! The processes that answer and that measure, and the lines that go between.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// `program` on the cores that clients run on: all but the last, which is the server's.
pub(super) fn pinned(program: &Path, args: &[&str]) -> Command {
    let last = cores() - 1;
    let mut command = on(program, &format!("0-{}", last.saturating_sub(1)));
    command.args(args);
    command
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn on(program: &Path, cores: &str) -> Command {
    let pins = self::cores() > 1
        && Command::new("taskset")
            .args(["-c", cores, "true"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
    if !pins {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", cores]).arg(program);
    command
}

/// A process that ends with its owner.
struct Process {
    child: Child,
    name: String,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(mut command: Command) -> Result<Self, String> {
        let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
        let name = words
            .filter(|word| !word.starts_with("http"))
            .map(|word| word.rsplit('/').next().unwrap_or_default().to_owned())
            .filter(|word| !matches!(word.as_str(), "-c" | "full" | "quick") && word.parse::<f64>().is_err())
            .collect::<Vec<_>>()
            .join(" ");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name}: {error}"))?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or_else(|| format!("{name}: no output"))?;
        Ok(Self {
            child,
            name,
            input,
            output: BufReader::new(output),
        })
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(length) if length > 0 => Ok(line.trim().to_owned()),
            _ => Err(format!("{} ended without its figures", self.name)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its input is the end of its work.
        self.input = None;
        let _ = self.child.wait();
    }
}

/// The server that answers at once.
pub(super) struct Server {
    _process: Process,
    pub(super) address: String,
}

impl Server {
    pub(super) fn start(bench: &Path) -> Result<Self, String> {
        let mut command = on(bench, &(cores() - 1).to_string());
        command.arg("serve");
        let mut process = Process::start(command)?;
        let address = process.line()?;
        Ok(Self {
            _process: process,
            address,
        })
    }
}

/// One client, warm from round to round.
pub(super) struct Worker {
    process: Process,
    /// What it is, with its version.
    pub(super) version: String,
}

impl Worker {
    pub(super) fn start(command: Command) -> Result<Self, String> {
        let mut process = Process::start(command)?;
        let line = process.line()?;
        let ready: serde_json::Value =
            serde_json::from_str(&line).map_err(|_| format!("{} said {line:?}", process.name))?;
        let version = ready["ready"].as_str().unwrap_or_default().to_owned();
        Ok(Self { process, version })
    }

    /// One round: asks for it, and reads its figures.
    pub(super) fn round(&mut self) -> Result<Vec<(String, f64)>, String> {
        if let Some(input) = &mut self.process.input {
            writeln!(input).map_err(|error| format!("{}: {error}", self.process.name))?;
        }
        let line = self.process.line()?;
        let figures: std::collections::BTreeMap<String, f64> =
            serde_json::from_str(&line).map_err(|_| format!("{} said {line:?}", self.process.name))?;
        Ok(figures.into_iter().collect())
    }
}
