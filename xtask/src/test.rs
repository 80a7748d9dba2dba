//! `cargo xtask test`: everything that must hold, in three languages, from a clean clone.

use std::process::Command;
use std::time::Instant;

use crate::counts::{Cases, Counts, STORES};
use crate::{generate, peers, setup, shell, tidy};

pub(crate) fn run() -> Result<(), String> {
    let mut report = Report::default();
    report.step("format", || {
        shell::run(shell::cargo().args(["fmt", "--all", "--check"]))
    })?;
    report.step("lints", || {
        shell::run(shell::cargo().args([
            "clippy",
            "-q",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    report.step("generated files", || generate::run(&["--check".to_owned()]))?;
    report.step("tidy", tidy::run)?;
    report.step("servers", setup::servers)?;
    report.tests("rust", Counts::of_cargo, || {
        shell::tee(shell::cargo().args(["test", "--no-fail-fast"]))
    })?;
    let python = setup::python()?;
    report.tests("python", Counts::of_pytest, || {
        let mut pytest = Command::new(&python);
        pytest
            .args(["-m", "pytest", "-q"])
            .current_dir(shell::root().join("bindings-python"));
        pytest.env("PYTHONPATH", setup::python_path());
        shell::tee(&mut pytest)
    })?;
    setup::node()?;
    report.step("node types", setup::node_types)?;
    report.tests("node", Counts::of_node, || {
        let mut node = Command::new("node");
        node.args(["--test", "tests/"])
            .current_dir(shell::root().join("bindings-node"));
        shell::tee(&mut node)
    })?;
    report.tests("peers", peers::count, peers::run)?;
    report.conformance()?;
    report.print();
    Ok(())
}

#[derive(Default)]
struct Report {
    rows: Vec<(String, String, f64)>,
    /// What the three conformance runners held.
    cases: Cases,
}

impl Report {
    fn step(&mut self, name: &str, work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
        let began = Instant::now();
        work().map_err(|reason| format!("{name}: {reason}"))?;
        self.rows
            .push((name.to_owned(), "ok".to_owned(), began.elapsed().as_secs_f64()));
        Ok(())
    }

    /// A runner that closed on no test at all has failed.
    fn tests(
        &mut self,
        name: &str,
        count: impl FnOnce(&str) -> Counts,
        work: impl FnOnce() -> Result<String, String>,
    ) -> Result<(), String> {
        let began = Instant::now();
        let text = work().map_err(|reason| format!("{name}: {reason}"))?;
        self.cases.read(&text);
        let counts = count(&text);
        if counts.passed == 0 || counts.failed > 0 {
            return Err(format!(
                "{name}: {} passed, {} failed",
                counts.passed, counts.failed
            ));
        }
        let line = format!(
            "{} passed, {} failed, {} skipped",
            counts.passed, counts.failed, counts.skipped
        );
        self.rows
            .push((name.to_owned(), line, began.elapsed().as_secs_f64()));
        Ok(())
    }

    /// The same cases ran and asserted in all three languages, and on all four stores.
    fn conformance(&mut self) -> Result<(), String> {
        let [all, on_stores] = self.cases.agreed(&STORES)?;
        self.rows.push(("conformance".to_owned(), all, 0.0));
        self.rows.push(("contract".to_owned(), on_stores, 0.0));
        Ok(())
    }

    fn print(&self) {
        println!("\n{:<18} {:<56} {:>8}", "step", "result", "seconds");
        for (name, result, seconds) in &self.rows {
            println!("{name:<18} {result:<56} {seconds:>8.1}");
        }
    }
}
