//! Rows `fork` and `exit`: a child that was forked keeps what it was told is done, and a process may end at any moment.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::control::StandIns;
use super::program::{self, Ended};
use super::row::{Defect, Need, Row, Seen};
use super::secrets::Canaries;
use super::stage::Stage;

/// How long one program may take. What hangs longer has hung.
const LIMIT: Duration = Duration::from_secs(60);

/// How many processes end at the same time: one for each core that the row counts on.
const AT_ONCE: usize = 2;

pub(super) const FORK: Row = Row {
    name: "fork",
    promise: "what a forked child was told is done is there",
    attack: "Python forks (gunicorn --preload) with calls made and in flight in another thread; the child calls sync and async, before and after the parent closed; a third process reads",
    needs: &[Need::Python],
    run: forks,
    defects: &[
        Defect {
            name: "unseen",
            plants: "a fork that no hook sees (libc.fork)",
            shows_as: "invalid_state",
        },
        Defect {
            name: "elsewhere",
            plants: "the child keeps what it accepts in its own memory",
            shows_as: "was told done and is not there",
        },
    ],
};

pub(super) const EXIT: Row = Row {
    name: "exit",
    promise: "a process may end at any moment, with status 0",
    attack: "Python and Node end with sync calls in daemon threads, async calls, streams and timers in flight, in every way to end",
    needs: &[Need::Python, Need::Node],
    run: exits,
    defects: &[
        Defect {
            name: "crash",
            plants: "Python: native code faults while the interpreter ends",
            shows_as: "python ended with",
        },
        Defect {
            name: "rejection",
            plants: "Node: a promise rejects and nobody listens",
            shows_as: "node ended with",
        },
        Defect {
            name: "idle",
            plants: "programs that end with nothing in flight",
            shows_as: "nothing was in flight",
        },
    ],
};

/// How a forking program is varied.
const KINDS: &[&str] = &["used", "unused", "used-thread", "unused-thread"];

fn forks(stage: &Stage, defect: Option<&'static str>) -> Result<Seen, String> {
    let stand_ins = StandIns::start(&Canaries::fresh())?;
    let rounds = if stage.long { 40 } else { 3 };
    let folder = stage.folder("fork")?;
    let kinds: Vec<&str> = match defect {
        Some(defect) => vec![defect],
        None => KINDS.iter().copied().cycle().take(rounds * KINDS.len()).collect(),
    };
    let (mut told, mut child_told, mut sends) = (0, 0, 0);
    let mut seen = Seen::default();
    for (round, kind) in kinds.iter().enumerate() {
        let store = folder.join(format!("{round}.db"));
        let mut python = stage.python("fork.py");
        let parent = program::run(with_world(python.arg(kind).arg(&store), &stand_ins), LIMIT)?;
        let answer = match parent.json() {
            Ok(answer) => answer,
            Err(how) => {
                seen.violation(format!("a fork ({kind}) ended with {how}"));
                continue;
            }
        };
        for problem in answer["problems"].as_array().into_iter().flatten() {
            seen.violation(format!("{kind}: {}", problem.as_str().unwrap_or_default()));
        }
        let there = read_back(stage, &store)?;
        let keys = strings(&answer["told"]);
        for key in keys.iter().filter(|key| !there.contains(*key)) {
            seen.violation(format!("{kind}: {key} was told done and is not there"));
        }
        told += keys.len();
        child_told += keys.iter().filter(|key| key.starts_with("child")).count();
        sends += answer["sent"].as_u64().unwrap_or(0);
    }
    seen.times = format!("{} forks", kinds.len());
    seen.fact(format!(
        "{told} inserts told done, {child_told} of them in the child: all read by a third process"
    ));
    seen.fact(format!("{sends} messages sent by parents and children"));
    let expected = kinds.len() * 4;
    seen.expect(defect.is_some() || child_told >= expected, || {
        format!("the children were told of {child_told} inserts, fewer than {expected}")
    });
    if !seen.violations.is_empty() {
        seen.facts.clear();
    }
    Ok(seen)
}

/// The keys of all events in the store, as another process reads them.
fn read_back(stage: &Stage, store: &Path) -> Result<BTreeSet<String>, String> {
    let mut python = stage.python("fork.py");
    let ended = program::run(python.arg("read").arg(store), LIMIT)?;
    let answer = ended.json().map_err(|how| format!("the reader: {how}"))?;
    Ok(strings(&answer["keys"]).into_iter().collect())
}

fn strings(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

fn with_world<'a>(command: &'a mut Command, stand_ins: &StandIns) -> &'a mut Command {
    let canaries = Canaries::fresh();
    command
        .env("NBHD_PROVE_WORLD", stand_ins.world().to_string())
        .env("NBHD_PROVE_BOT_TOKEN", stand_ins.inner().telegram.token())
        .env("NBHD_PROVE_API_KEY", canaries.api_key)
}

/// In how many ways each program can end; the program takes the number of the way.
const PYTHON_WAYS: usize = 6;
const NODE_WAYS: usize = 4;

fn exits(stage: &Stage, defect: Option<&'static str>) -> Result<Seen, String> {
    let stand_ins = StandIns::start(&Canaries::fresh())?;
    let folder = stage.folder("exit")?;
    let (python, node) = match defect {
        Some("crash") => (2, 0),
        Some("rejection") => (0, 2),
        Some(_) => (2, 2),
        None if stage.long => (1_000, 1_000),
        None => (200, 200),
    };
    let next = AtomicUsize::new(0);
    let seen = Mutex::new((Seen::default(), 0_u64, BTreeSet::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= python + node {
                        return;
                    }
                    let language = if number < python { "python" } else { "node" };
                    let mut command = if language == "python" {
                        stage.python("exit.py")
                    } else {
                        stage.node("exit.js")
                    };
                    let way = number
                        % if language == "python" {
                            PYTHON_WAYS
                        } else {
                            NODE_WAYS
                        };
                    command
                        .arg(defect.map_or_else(|| way.to_string(), str::to_owned))
                        .arg(folder.join(format!("{number}.db")));
                    let ended = program::run(with_world(&mut command, &stand_ins), LIMIT);
                    let mut seen = seen.lock().expect("no thread of this row panics");
                    judge(&mut seen, language, way, ended);
                }
            });
        }
    });
    let (mut seen, in_flight, kinds) = seen.into_inner().expect("no thread of this row panics");
    seen.times = format!("{python} Python exits\n{node} Node exits");
    seen.fact(format!(
        "{in_flight} calls in flight at the end ({})",
        kinds.into_iter().collect::<Vec<_>>().join(", ")
    ));
    seen.fact(format!(
        "{} calls held open by the server",
        stand_ins.slow_calls()
    ));
    if seen.violations.is_empty() {
        seen.fact("every status 0, nothing on stderr");
    }
    Ok(seen)
}

fn judge(seen: &mut (Seen, u64, BTreeSet<String>), language: &str, way: usize, ended: Result<Ended, String>) {
    let ended = match ended {
        Ok(ended) => ended,
        Err(reason) => return seen.0.violation(format!("did not run: {reason}")),
    };
    if !ended.ok() {
        return seen
            .0
            .violation(format!("{language} ended with {} (way {way})", ended.how()));
    }
    if !ended.stderr.trim().is_empty() {
        let first = ended.stderr.lines().next().unwrap_or_default();
        seen.0
            .violation(format!("{language} wrote at its end (way {way}): {first}"));
    }
    let line = ended
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("in flight: "));
    let counts: Value = line
        .and_then(|line| serde_json::from_str(line).ok())
        .unwrap_or_default();
    let mut total = 0;
    for (kind, count) in counts.as_object().into_iter().flatten() {
        let count = count.as_u64().unwrap_or(0);
        if count > 0 {
            seen.2.insert(kind.clone());
        }
        total += count;
    }
    if total == 0 {
        seen.0
            .violation(format!("nothing was in flight when {language} ended (way {way})"));
    }
    seen.1 += total;
}
