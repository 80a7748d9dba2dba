//! `cargo xtask bench`: one table of work, floor, named peers, ours, ratio and goal, from one run.
//!
//! Everything is built and installed by the run itself. Each client is a process of its own that stays warm; their rounds
//! are interleaved, the server is a process of its own, on a core of its own where there are two. Times are printed and
//! never asserted: what a machine is worth is not ours to judge.

mod peers;
mod plans;
mod rows;
mod table;
mod worker;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell;
use peers::Peers;
use worker::{Server, Worker};

const USAGE: &str = "\
cargo xtask bench [--quick] [--json] [--rounds N]
  --quick    few rounds and calls, no installation: what is not installed is left out
  --json     the table as JSON
  --rounds   5 unless said, 2 with --quick";

/// The figures of all rounds, by name.
pub(crate) type Figures = BTreeMap<String, Vec<f64>>;

struct Options {
    quick: bool,
    json: bool,
    rounds: usize,
}

impl Options {
    fn parse(args: &[String]) -> Result<Self, String> {
        let (mut quick, mut json, mut rounds) = (false, false, None);
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--quick" => quick = true,
                "--json" => json = true,
                "--rounds" => {
                    let number = args.next().and_then(|number| number.parse().ok());
                    rounds = Some(number.filter(|number| *number > 0).ok_or(USAGE)?);
                }
                _ => return Err(USAGE.to_owned()),
            }
        }
        let rounds = rounds.unwrap_or(if quick { 2 } else { 5 });
        Ok(Self { quick, json, rounds })
    }
}

pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let options = Options::parse(args)?;
    let products = build()?;
    let bench = products.join("nbhd-bench");
    let peers = Peers::prepare(&products, options.quick)?;
    let server = Server::start(&bench)?;
    let scale = if options.quick { "quick" } else { "full" };

    let mut notes = peers.notes.clone();
    let mut workers = Vec::new();
    for command in commands(&bench, &peers, &server.address, scale) {
        match Worker::start(command) {
            Ok(worker) => workers.push(worker),
            Err(reason) => notes.push(reason),
        }
    }
    let mut figures = Figures::new();
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        workers.retain_mut(|worker| match worker.round() {
            Ok(measured) => {
                add(&mut figures, measured);
                true
            }
            Err(reason) => {
                notes.push(reason);
                false
            }
        });
        add(&mut figures, peers.imports(&mut notes));
    }
    let versions: Vec<String> = workers.iter().map(|worker| worker.version.clone()).collect();
    drop(workers);
    drop(server);

    notes.sort();
    notes.dedup();
    let rows = rows::rows(&figures);
    if rows.is_empty() {
        return Err(format!("nothing was measured: {}", notes.join("; ")));
    }
    if options.json {
        println!(
            "{}",
            table::json(&rows, &figures, &versions, &notes, options.rounds)
        );
    } else {
        println!("{}", table::text(&rows, &versions, &notes, options.rounds));
    }
    Ok(())
}

fn add(figures: &mut Figures, measured: impl IntoIterator<Item = (String, f64)>) {
    for (name, figure) in measured {
        figures.entry(name).or_default().push(figure);
    }
}

/// Builds the measuring program and both bindings in one go, so that what they share is compiled once, and says where the
/// products are.
fn build() -> Result<PathBuf, String> {
    let mut cargo = shell::cargo();
    cargo.args(["build", "-q", "--profile", "fast"]);
    cargo.args(["-p", "nbhd-benches", "-p", "nbhd-python", "-p", "nbhd-node"]);
    shell::run(&mut cargo)?;
    Ok(shell::target().join("fast"))
}

fn commands(bench: &Path, peers: &Peers, address: &str, scale: &str) -> Vec<Command> {
    let mut commands = vec![worker::pinned(bench, &["work", address, scale])];
    let benches = shell::root().join("benches");
    if let Some(python) = &peers.python {
        let script = benches.join("python/worker.py");
        for (peer, interpreter) in &python.clients {
            let mut command = worker::pinned(interpreter, &[]);
            command.arg(&script).args([peer, address, scale]);
            command.env("PYTHONPATH", &python.packages);
            commands.push(command);
        }
    }
    if let Some(node) = &peers.node {
        let script = benches.join("node/worker.cjs");
        for (peer, interpreter) in &node.clients {
            let mut command = worker::pinned(interpreter, &[]);
            command.arg(&script).args([peer, address, scale]);
            command.env("NODE_PATH", &node.packages);
            commands.push(command);
        }
    }
    commands
}
