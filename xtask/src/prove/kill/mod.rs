//! Row `kill`: a turn that is killed at every point and begun again doubles nothing, loses nothing in silence, overspends nothing.
//!
//! The stand-ins are a process of their own that survives, and what is judged is their log: messages that the platform took,
//! bills that the providers wrote. The turn's own words count only where they have to: which outcome it called unknown, and
//! what its ledger says.

mod stand_ins;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use self::stand_ins::StandIns;
use super::row::{Defect, Need, Row, Seen};
use super::stage::Stage;

/// How many turns are tormented at the same time, each with stand-ins of its own.
const AT_ONCE: usize = 2;

/// How much more than one attempt's bound the tight cap leaves, in nano-USD: less than what an attempt really costs.
const SLACK: i64 = 50_000;

/// How often a kill is planned again because its turn ended before its point.
const PLANS: u32 = 8;

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
    /// How many points a first life passed that nobody killed.
    passed: u64,
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
                    let planned = match &mut stand_ins {
                        Ok(stand_ins) => until_killed(*point, |at, plan| {
                            let folder = folder.join(format!("{kind}-{point}-{plan}"));
                            let (one, violations) =
                                torment(stage, stand_ins, &folder, at, cap, defect, parts)?;
                            let ended = if one.lives.killed {
                                Ended::Killed
                            } else {
                                Ended::Passed(one.lives.passed)
                            };
                            let mut total = total.lock().expect("no thread of this row panics");
                            total.1.add(&one);
                            for violation in violations {
                                let place = format!("killed at {at} ({kind} cap)");
                                total.0.violation(format!("{place}: {violation}"));
                            }
                            Ok(ended)
                        }),
                        Err(reason) => Err(reason.clone()),
                    };
                    let mut total = total.lock().expect("no thread of this row panics");
                    match planned {
                        Ok(again) => total.1.replanned += u64::from(again > 0),
                        Err(reason) => total
                            .0
                            .violation(format!("planned at {point} ({kind} cap): {reason}")),
                    }
                }
            });
        }
    });
}

/// How the first life of a turn ended.
enum Ended {
    Killed,
    /// Its point never came: it passed so many.
    Passed(u64),
}

/// Kills a turn at `point`. The number of points differs by a few from turn to turn, because they run side by side: where a
/// turn ends before its point, the kill is planned anew at the last point that this turn is known to have. Says how often
/// that was; an error when the kill never came.
fn until_killed(point: u64, mut turn: impl FnMut(u64, u32) -> Result<Ended, String>) -> Result<u32, String> {
    let mut at = point;
    for plan in 0..PLANS {
        match turn(at, plan).map_err(|reason| format!("did not run: {reason}"))? {
            Ended::Killed => return Ok(plan),
            Ended::Passed(points) if points > 0 => at = points.min(at),
            Ended::Passed(_) => return Err("a turn that was not killed passed no point".to_owned()),
        }
    }
    Err(format!("never killed, though planned {PLANS} times"))
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
    replanned: u64,
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
        seen.times = format!(
            "{} of {plans} planned kills, at {points} points, twice",
            self.killed
        );
        seen.fact(format!(
            "{} restarts, {} turns completed, {} kills planned anew because their turn ended before their point",
            self.restarts, self.turns, self.replanned
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
            seen.expect(self.killed == plans, || {
                format!("only {} of {plans} planned kills were made", self.killed)
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

#[cfg(test)]
mod tests {
    use super::{Ended, PLANS, until_killed};

    /// Turns that pass so many points, one after the other; which points they were to be killed at.
    fn plans(point: u64, turns: &[u64]) -> (Result<u32, String>, Vec<u64>) {
        let (mut turns, mut planned) = (turns.iter().copied().cycle(), Vec::new());
        let ended = until_killed(point, |at, _| {
            planned.push(at);
            let points = turns.next().ok_or("no turn")?;
            Ok(if at <= points {
                Ended::Killed
            } else {
                Ended::Passed(points)
            })
        });
        (ended, planned)
    }

    #[test]
    fn a_kill_is_planned_until_it_is_made() {
        assert_eq!(plans(5, &[60]), (Ok(0), vec![5]));
        assert_eq!(plans(60, &[60]), (Ok(0), vec![60]));
        assert_eq!(plans(60, &[58, 57, 60]), (Ok(2), vec![60, 58, 57]));
        let shrinking: Vec<u64> = (1..60).rev().collect();
        let (never, planned) = plans(60, &shrinking);
        assert!(never.is_err() && planned.len() == PLANS as usize);
        assert!(plans(3, &[0]).0.is_err());
    }
}
