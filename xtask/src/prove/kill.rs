//! Row `kill`: a turn that is killed at every point and begun again doubles nothing, loses nothing in silence, overspends nothing.
//!
//! The stand-ins are a process of their own that survives, and what is judged is their log: messages that the platform took,
//! bills that the providers wrote. The turn's own words count only where they have to: which outcome it called unknown, and
//! what its ledger says.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::program;
use super::row::{Defect, Need, Row, Seen};
use super::stage::Stage;

const LIMIT: Duration = Duration::from_secs(60);

/// How far ahead the clock of each further life is: longer than every lease and every call's deadline.
const AHEAD: u64 = 600;

/// How many lives a turn gets before it counts as stuck.
const LIVES: u64 = 6;

/// How many turns are tormented at the same time, each with stand-ins of its own.
const AT_ONCE: usize = 2;

/// How much more than one attempt's bound the tight cap leaves, in nano-USD: less than what an attempt really costs.
const SLACK: i64 = 50_000;

/// A planted defect is looked for at every so many points only.
const SAMPLE: usize = 3;

pub(super) const ROW: Row = Row {
    name: "kill",
    promise: "no message doubled, none lost in silence, no cap passed, across kill -9",
    attack: "a turn is killed before and after every store commit, request write and reply read, then begun again on the same store; stand-ins in a surviving process keep the log",
    needs: &[Need::Programs],
    run,
    defects: &[
        Defect {
            name: "ignore-absent",
            plants: "the store makes records twice (dedupe keys and intents do not hold)",
            shows_as: "was doubled",
        },
        Defect {
            name: "send-twice",
            plants: "the transport sends every request twice",
            shows_as: "was doubled",
        },
        Defect {
            name: "forget-sum-at-most",
            plants: "the store does not look at caps",
            shows_as: "more than the cap",
        },
        Defect {
            name: "forget-add",
            plants: "the store loses what is added to a sum",
            shows_as: "less than the bill",
        },
    ],
};

/// What all lives of one turn came to.
#[derive(Default)]
struct Lives {
    restarts: u64,
    killed: bool,
    unknown: u64,
    /// What the ledger counts, and its cap.
    counted: i64,
    cap: i64,
    /// The most that was provisional: the bound of one attempt.
    provisional: i64,
}

fn run(stage: &Stage, defect: Option<&'static str>) -> Result<Seen, String> {
    let folder = stage.folder("kill")?;
    let mut first = StandIns::start(stage, &folder.join("first"))?;
    let whole = first.turn(stage, &folder.join("whole"), None, None, None)?;
    let points = whole["points"].as_u64().unwrap_or(0);
    let parts = first.messages()?.len();
    if points < 20 || parts == 0 {
        return Err(format!(
            "a whole turn passed {points} points and sent {parts} parts"
        ));
    }
    drop(first);
    let step = if defect.is_some() { SAMPLE } else { 1 };
    let points_tried: Vec<u64> = (1..=points).step_by(step).collect();
    let total = Mutex::new((Seen::default(), Total::default()));
    every(stage, &folder, &points_tried, None, defect, parts, &total);
    let bound = total.lock().expect("no thread of this row panics").1.bound;
    if bound > 0 {
        // Once more, with a cap that one attempt fits into and two do not.
        let cap = format!("{:.9} USD", (bound + SLACK) as f64 / 1e9);
        every(stage, &folder, &points_tried, Some(&cap), defect, parts, &total);
    }
    let plans = 2 * points_tried.len() as u64;
    let (mut seen, total) = total.into_inner().expect("no thread of this row panics");
    total.tell(&mut seen, plans, points, defect.is_some());
    Ok(seen)
}

/// A turn for each point, several at the same time.
fn every(
    stage: &Stage,
    folder: &Path,
    points: &[u64],
    cap: Option<&str>,
    defect: Option<&str>,
    parts: usize,
    total: &Mutex<(Seen, Total)>,
) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for worker in 0..AT_ONCE {
            let next = &next;
            scope.spawn(move || {
                let kind = if cap.is_some() { "tight" } else { "usual" };
                let mut stand_ins = StandIns::start(stage, &folder.join(format!("{kind}-{worker}")));
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let seen = match &mut stand_ins {
                        Ok(stand_ins) => {
                            let folder = folder.join(format!("{kind}-{point}"));
                            torment(stage, stand_ins, &folder, *point, cap, defect, parts)
                        }
                        Err(reason) => Err(reason.clone()),
                    };
                    let mut total = total.lock().expect("no thread of this row panics");
                    let place = format!("killed at {point} ({kind} cap)");
                    match seen {
                        Ok((one, violations)) => {
                            total.1.add(&one);
                            for violation in violations {
                                total.0.violation(format!("{place}: {violation}"));
                            }
                        }
                        Err(reason) => total.0.violation(format!("{place}: did not run: {reason}")),
                    }
                }
            });
        }
    });
}

/// What was seen of one turn.
struct One {
    lives: Lives,
    refused: bool,
    doubled: u64,
    missing: u64,
    bill: i64,
}

#[derive(Default)]
struct Total {
    turns: u64,
    killed: u64,
    restarts: u64,
    doubled: u64,
    missing: u64,
    unknown: u64,
    refused: u64,
    bill: i64,
    counted: i64,
    bound: i64,
}

impl Total {
    fn add(&mut self, one: &One) {
        self.turns += 1;
        self.killed += u64::from(one.lives.killed);
        self.restarts += one.lives.restarts;
        self.doubled += one.doubled;
        self.missing += one.missing;
        self.unknown += one.lives.unknown;
        self.refused += u64::from(one.refused);
        self.bill += one.bill;
        self.counted += one.lives.counted;
        self.bound = self.bound.max(one.lives.provisional);
    }

    fn tell(&self, seen: &mut Seen, plans: u64, points: u64, sabotaged: bool) {
        seen.times = format!("{} kills at {points} points, twice", self.killed);
        seen.fact(format!(
            "{} restarts, {} of {plans} turns completed",
            self.restarts, self.turns
        ));
        seen.fact(format!(
            "messages by the stand-in's log: {} doubled, {} missing ({} were called unknown)",
            self.doubled, self.missing, self.unknown
        ));
        seen.fact(format!(
            "bill {:.6} USD ≤ ledger {:.6} USD ≤ cap, in every turn; {} turns were refused more money under the tight cap",
            self.bill as f64 / 1e9,
            self.counted as f64 / 1e9,
            self.refused
        ));
        if !sabotaged {
            // The number of points differs by a few from turn to turn: the last may be passed over.
            seen.expect(self.killed * 100 >= plans * 95, || {
                format!("only {} of {plans} turns were really killed", self.killed)
            });
            seen.expect(self.bill > 0, || "nobody was billed".to_owned());
            seen.expect(self.refused > 0, || "no turn met its tight cap".to_owned());
        }
    }
}

/// One turn, killed at `point` and begun again until it is done.
fn torment(
    stage: &Stage,
    stand_ins: &mut StandIns,
    folder: &Path,
    point: u64,
    cap: Option<&str>,
    defect: Option<&str>,
    parts: usize,
) -> Result<(One, Vec<String>), String> {
    let (messages, bills) = (stand_ins.messages()?.len(), stand_ins.bills()?.len());
    let lives = stand_ins.live(stage, folder, point, cap, defect)?;
    let sent = stand_ins.messages()?.split_off(messages);
    let refused = sent.iter().any(|message| {
        let text = message["text"].as_str().unwrap_or_default();
        text.contains("without a model") && text.contains("budget")
    });
    let bill: i64 = stand_ins
        .bills()?
        .iter()
        .skip(bills)
        .filter_map(|entry| entry["nano_usd"].as_i64())
        .sum();
    let doubled = (sent.len() as u64).saturating_sub(parts as u64);
    let missing = (parts as u64).saturating_sub(sent.len() as u64);
    let mut violations = Vec::new();
    if doubled > 0 {
        violations.push(format!(
            "a message was doubled: {} of {parts} parts came",
            sent.len()
        ));
    }
    if missing > lives.unknown {
        violations.push(format!("{missing} parts are missing and were not called unknown"));
    }
    if lives.counted < bill {
        violations.push(format!(
            "the ledger says {} nano-USD, less than the bill of {bill}",
            lives.counted
        ));
    }
    if bill > lives.cap || lives.counted > lives.cap {
        violations.push(format!(
            "the ledger says {} and the bill {bill} nano-USD, more than the cap of {}",
            lives.counted, lives.cap
        ));
    }
    let one = One {
        lives,
        refused,
        doubled,
        missing,
        bill,
    };
    Ok((one, violations))
}

/// The process of the stand-ins, and what it wrote down.
struct StandIns {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    world: PathBuf,
    log: PathBuf,
    chat: u64,
}

impl StandIns {
    fn start(stage: &Stage, folder: &Path) -> Result<Self, String> {
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
    fn turn(
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
    fn live(
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

    fn messages(&self) -> Result<Vec<Value>, String> {
        self.lines("message")
    }

    fn bills(&self) -> Result<Vec<Value>, String> {
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
