//! How many conformance cases ran and asserted, as each language's runner says: `conformance <language> <count>`.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use crate::prove::program;
use crate::prove::row::Seen;
use crate::prove::stage::Stage;
use crate::{setup, shell};

/// A first run also builds.
const LIMIT: Duration = Duration::from_secs(600);

/// Runs the three runners; `leave_out` takes one case from one of them.
pub(super) fn check(stage: &Stage, leave_out: bool, seen: &mut Seen) {
    let mut rust = shell::cargo();
    rust.args([
        "test",
        "-q",
        "-p",
        "nbhd-examples",
        "--test",
        "conformance",
        "--",
        "--nocapture",
    ]);
    let mut python = Command::new(stage.interpreter());
    python
        .args(["-m", "pytest", "-q", "-s", "tests/test_conformance.py"])
        .current_dir(shell::root().join("bindings-python"))
        .env("PYTHONPATH", setup::python_path());
    let mut node = Command::new("node");
    node.args(["--test", "tests/conformance.test.js"])
        .current_dir(shell::root().join("bindings-node"));
    let mut counts = Vec::new();
    for (language, command) in [("rust", &mut rust), ("python", &mut python), ("node", &mut node)] {
        match count(language, command) {
            Ok(count) => counts.push((language, count - u64::from(leave_out && language == "python"))),
            Err(reason) => seen.violation(format!(
                "the conformance cases did not run in {language}: {reason}"
            )),
        }
    }
    let told: Vec<String> = counts
        .iter()
        .map(|(language, count)| format!("{language} {count}"))
        .collect();
    let told = told.join(", ");
    let different: BTreeSet<u64> = counts.iter().map(|(_, count)| *count).collect();
    seen.expect(different.len() <= 1, || {
        format!("conformance counts differ: {told}")
    });
    if !counts.is_empty() {
        seen.fact(format!("conformance cases: {told}"));
    }
}

fn count(language: &str, command: &mut Command) -> Result<u64, String> {
    let ended = program::run(command, LIMIT)?;
    if !ended.ok() {
        return Err(ended.how());
    }
    let wanted = format!("conformance {language} ");
    // A runner may put its own marks before what a test prints.
    let line = ended
        .stdout
        .lines()
        .chain(ended.stderr.lines())
        .find_map(|line| line.split_once(&wanted));
    let (_, count) = line.ok_or_else(|| format!("it does not print \"{wanted}<count>\""))?;
    let digits: String = count.chars().take_while(char::is_ascii_digit).collect();
    match digits.parse() {
        Ok(0) | Err(_) => Err("it ran no case".to_owned()),
        Ok(count) => Ok(count),
    }
}
