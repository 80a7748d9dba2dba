//! How many conformance cases ran and asserted, as each language's runner says, and on which stores.

use std::process::Command;
use std::time::Duration;

use crate::counts::{Cases, LANGUAGES, STORES};
use crate::prove::program;
use crate::prove::row::Seen;
use crate::prove::stage::Stage;
use crate::{setup, shell};

/// Longer than every case on every store takes on a busy machine: whoever needs more hangs.
const LIMIT: Duration = Duration::from_secs(1_800);

/// The runner of Rust, among the arguments of cargo.
const RUST: [&str; 6] = ["test", "-q", "-p", "nbhd-examples", "--test", "conformance"];

/// Runs the three runners; `leave_out` takes one case from one of them.
pub(super) fn check(stage: &Stage, leave_out: bool, seen: &mut Seen) {
    // Built without a limit: how long that takes says nothing.
    if let Err(reason) = shell::run(shell::cargo().args(RUST).arg("--no-run")) {
        seen.violation(did_not_run("rust", &reason));
        return;
    }
    let mut rust = shell::cargo();
    rust.args(RUST).args(["--", "--nocapture"]);
    let mut python = Command::new(stage.interpreter());
    python
        .args(["-m", "pytest", "-q", "-s", "tests/test_conformance.py"])
        .current_dir(shell::root().join("bindings-python"))
        .env("PYTHONPATH", setup::python_path());
    let mut node = Command::new("node");
    node.args(["--test", "tests/conformance.test.js"])
        .current_dir(shell::root().join("bindings-node"));
    // `cargo xtask test` plays on all of them. Here memory and a file are enough, and memory for what is planted.
    let stores = match (leave_out, stage.long) {
        (true, _) => &STORES[..1],
        (false, false) => &STORES[..2],
        (false, true) => &STORES[..],
    };
    let mut cases = Cases::default();
    for (language, command) in LANGUAGES.into_iter().zip([&mut rust, &mut python, &mut node]) {
        command.env("NBHD_STORES", stores.join(" "));
        match program::run(command, LIMIT) {
            Ok(ended) if ended.ok() => cases.read(&[ended.stdout, ended.stderr].join("\n")),
            Ok(ended) => seen.violation(did_not_run(language, &ended.how())),
            Err(reason) => seen.violation(did_not_run(language, &reason)),
        }
    }
    if leave_out {
        cases.leave_one_out("python");
    }
    match cases.agreed(stores) {
        Ok([all, on_stores]) => {
            seen.fact(format!("conformance cases: {all}"));
            seen.fact(format!("of them on the store: {on_stores}"));
        }
        Err(reason) => seen.violation(reason),
    }
}

fn did_not_run(language: &str, reason: &str) -> String {
    format!("the conformance cases did not run in {language}: {reason}")
}
