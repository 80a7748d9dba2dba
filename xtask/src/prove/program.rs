//! Programs that rows run: their output is kept, and one that hangs is ended and is a violation.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How often a running program is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// What a program left.
pub(super) struct Ended {
    /// Its status; absent when it had to be ended.
    pub(super) status: Option<ExitStatus>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ended {
    /// Whether it ended by itself with status 0.
    pub(super) fn ok(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// How it ended, in words, with the last line that it wrote about it.
    pub(super) fn how(&self) -> String {
        let status = self
            .status
            .map_or_else(|| "hung and was ended".to_owned(), |status| status.to_string());
        match self.stderr.lines().rfind(|line| !line.trim().is_empty()) {
            Some(last) => format!("{status} ({})", last.trim()),
            None => status,
        }
    }

    /// The last line of its output as JSON.
    pub(super) fn json(&self) -> Result<Value, String> {
        if !self.ok() {
            return Err(self.how());
        }
        let last = self.stdout.lines().next_back().unwrap_or_default();
        serde_json::from_str(last).map_err(|error| format!("its last line is no JSON: {error}"))
    }
}

/// Runs `command` to its end, at most `limit`.
pub(super) fn run(command: &mut Command, limit: Duration) -> Result<Ended, String> {
    start(command)?.wait(limit)
}

/// Starts `command`.
pub(super) fn start(command: &mut Command) -> Result<Running, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name} does not start: {error}"))?;
    let stdout = child.stdout.take().map(drain);
    let stderr = child.stderr.take().map(drain);
    Ok(Running {
        child,
        stdout,
        stderr,
        began: Instant::now(),
    })
}

/// A program that runs.
pub(super) struct Running {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
    began: Instant,
}

impl Running {
    /// Whether it has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Waits for its end, at most `limit` from its beginning.
    pub(super) fn wait(mut self, limit: Duration) -> Result<Ended, String> {
        let status = loop {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                break Some(status);
            }
            if self.began.elapsed() > limit {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break None;
            }
            std::thread::sleep(LOOK);
        };
        let text = |thread: Option<JoinHandle<String>>| {
            thread.and_then(|thread| thread.join().ok()).unwrap_or_default()
        };
        Ok(Ended {
            status,
            stdout: text(self.stdout),
            stderr: text(self.stderr),
        })
    }
}

fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
