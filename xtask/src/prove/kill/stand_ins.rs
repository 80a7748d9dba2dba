//! The stand-ins as a process that survives, and the lives of a turn that it serves.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::Lives;
use crate::prove::program;
use crate::prove::stage::Stage;

const LIMIT: Duration = Duration::from_secs(60);

/// How far ahead the clock of each further life is: longer than every lease and every call's deadline.
const AHEAD: u64 = 600;

/// How many lives a turn gets before it counts as stuck.
const LIVES: u64 = 6;

/// The process of the stand-ins, and what it wrote down.
pub(super) struct StandIns {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    world: PathBuf,
    log: PathBuf,
    chat: u64,
}

impl StandIns {
    pub(super) fn start(stage: &Stage, folder: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let log = folder.join("log.jsonl");
        let mut child = stage
            .program("standins")
            .args(["--fault", "primary-429", "--log"])
            .arg(&log)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the stand-ins do not start: {error}"))?;
        let (Some(commands), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the stand-ins have no input or output".to_owned());
        };
        let mut stand_ins = Self {
            child,
            commands,
            answers: BufReader::new(out),
            world: folder.join("world.json"),
            log,
            chat: 1_000,
        };
        let world = stand_ins.answer()?;
        std::fs::write(&stand_ins.world, world).map_err(|error| error.to_string())?;
        Ok(stand_ins)
    }

    fn answer(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(0) => Err("the stand-ins ended".to_owned()),
            Ok(_) => Ok(line),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Somebody asks the bot in a chat of their own: the file with the webhook call.
    fn ask(&mut self, folder: &Path) -> Result<PathBuf, String> {
        self.chat += 1;
        let command = json!({"say": {"chat": self.chat, "text": "What needs my attention today?"}});
        writeln!(self.commands, "{command}").map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_str(&self.answer()?).map_err(|error| error.to_string())?;
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let file = folder.join("call.json");
        std::fs::write(&file, answer["call"].to_string()).map_err(|error| error.to_string())?;
        Ok(file)
    }

    fn command(&self, stage: &Stage, folder: &Path, call: &Path, life: u64) -> Command {
        let mut turn = stage.program("turn");
        turn.arg("--world").arg(&self.world);
        turn.arg("--store").arg(folder.join("store.db"));
        turn.arg("--call").arg(call);
        turn.args(["--clock-offset", &(life * AHEAD).to_string()]);
        turn
    }

    /// A whole turn that nobody kills.
    pub(super) fn turn(
        &mut self,
        stage: &Stage,
        folder: &Path,
        cap: Option<&str>,
        defect: Option<&str>,
        kill_at: Option<u64>,
    ) -> Result<Value, String> {
        let call = self.ask(folder)?;
        let mut turn = self.command(stage, folder, &call, 0);
        arguments(&mut turn, cap, defect, kill_at);
        program::run(&mut turn, LIMIT)?.json()
    }

    /// All lives of one turn.
    pub(super) fn live(
        &mut self,
        stage: &Stage,
        folder: &Path,
        point: u64,
        cap: Option<&str>,
        defect: Option<&str>,
    ) -> Result<Lives, String> {
        let call = self.ask(folder)?;
        let mut lives = Lives::default();
        for life in 0..LIVES {
            let mut turn = self.command(stage, folder, &call, life);
            arguments(&mut turn, cap, defect, (life == 0).then_some(point));
            let ended = program::run(&mut turn, LIMIT)?;
            if life == 0 && ended.status.and_then(|status| status.signal()) == Some(9) {
                lives.killed = true;
                continue;
            }
            lives.restarts += u64::from(life > 0);
            let line = ended.json()?;
            if life == 0 {
                lives.passed = line["points"].as_u64().unwrap_or(0);
            }
            for delivery in line["deliveries"].as_array().into_iter().flatten() {
                let parts = delivery["delivery"]["parts"].as_array();
                let unknown = parts
                    .into_iter()
                    .flatten()
                    .filter(|part| part["outcome"] == "unknown");
                lives.unknown += unknown.count() as u64;
            }
            let day = line["spend"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|window| window["window"] == "day")
                .ok_or("the turn does not say what it spent")?;
            let amount = |name: &str| day[name].as_i64().unwrap_or(0);
            // The clock of a later life may be in the next day, whose window is empty.
            lives.counted = lives
                .counted
                .max(amount("settled") + amount("provisional") + amount("held"));
            lives.provisional = lives.provisional.max(amount("provisional"));
            lives.cap = amount("cap");
            // One life more than needed: whoever is done does nothing when the webhook comes again.
            if line["pending"] == 0 && life > 1 {
                return Ok(lives);
            }
        }
        Err(format!("not done after {LIVES} lives"))
    }

    fn lines(&self, kind: &str) -> Result<Vec<Value>, String> {
        let text = std::fs::read_to_string(&self.log).map_err(|error| format!("the log: {error}"))?;
        Ok(text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["kind"] == kind)
            .collect())
    }

    pub(super) fn messages(&self) -> Result<Vec<Value>, String> {
        self.lines("message")
    }

    pub(super) fn bills(&self) -> Result<Vec<Value>, String> {
        self.lines("bill")
    }
}

impl Drop for StandIns {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn arguments(turn: &mut Command, cap: Option<&str>, defect: Option<&str>, kill_at: Option<u64>) {
    if let Some(cap) = cap {
        turn.args(["--day-cap", cap]);
    }
    if let Some(defect) = defect {
        turn.args(["--sabotage", defect]);
    }
    if let Some(point) = kill_at {
        turn.args(["--kill-at", &point.to_string()]);
    }
}
