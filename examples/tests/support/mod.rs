//! Programs of this package, run as a user runs them.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

/// A folder of the test's own.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nbhd-examples-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn demo<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    for name in [
        "GOOGLE_CLIENT_ID",
        "TELEGRAM_BOT_TOKEN",
        "OPENAI_API_KEY",
        "MISTRAL_API_KEY",
    ] {
        command.env_remove(name);
    }
    command.args(arguments).output().expect("the demo runs")
}

pub(crate) fn document(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

/// The stand-ins in a process of their own.
pub(crate) struct StandIns {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub(crate) world: String,
}

impl StandIns {
    pub(crate) fn start(log: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_standins"))
            .args(["--fault", "primary-429", "--log"])
            .arg(log)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the stand-ins run");
        let input = child.stdin.take().expect("an input");
        let mut output = BufReader::new(child.stdout.take().expect("an output"));
        let mut world = String::new();
        output.read_line(&mut world).expect("a line");
        Self {
            child,
            input,
            output,
            world,
        }
    }

    pub(crate) fn ask(&mut self, command: &Value) -> Value {
        writeln!(self.input, "{command}").expect("a command");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("an answer");
        serde_json::from_str(&line).expect("an answer in JSON")
    }
}

impl Drop for StandIns {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
