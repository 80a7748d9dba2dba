//! `cargo prove`: attacks the promises on this machine and prints one table; `--sabotage` proves that each attack can fail.
//!
//! A row that could not run is a violation, never a skip. A planted defect counts as caught only when the row says so in
//! the words that this defect must lead to: a row that is red for another reason has caught nothing.

mod control;
mod endurance;
mod fork;
mod guard;
mod kill;
mod program;
mod row;
mod sameness;
mod secrets;
mod stage;
mod table;

use std::time::Instant;

use row::{Row, Seen};
use stage::Stage;
use table::{Line, Table};

const USAGE: &str = "\
cargo prove [--long] [--json] [--row NAME]…     attacks every promise (or these rows); not 0 on any violation
cargo prove --sabotage [--json] [--row NAME]…   plants each row's defects; 0 only if every one was caught
rows: ";

/// All rows, in the order in which they are printed.
const ROWS: &[Row] = &[
    sameness::ROW,
    fork::FORK,
    fork::EXIT,
    secrets::ROW,
    guard::ROW,
    kill::ROW,
    endurance::CRASH,
    endurance::FAULTS,
    endurance::MANY,
];

/// What the command line asks for.
struct Options {
    long: bool,
    json: bool,
    sabotage: bool,
    rows: Vec<&'static Row>,
}

pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let options = read(args)?;
    let began = Instant::now();
    let stage = Stage::build(options.long, &options.rows)?;
    let mut table = Table::new(options.sabotage, options.json);
    for row in &options.rows {
        if options.sabotage {
            for defect in row.defects {
                let line = measure(row, &stage, Some(defect));
                table.add(line);
            }
        } else {
            table.add(measure(row, &stage, None));
        }
    }
    stage.clear(table.faults() == 0);
    table.close(began.elapsed());
    match table.faults() {
        0 => Ok(()),
        1 => Err("1 row is red".to_owned()),
        n => Err(format!("{n} rows are red")),
    }
}

fn measure(row: &Row, stage: &Stage, defect: Option<&'static row::Defect>) -> Line {
    eprintln!(
        "… {}{}",
        row.name,
        defect.map_or_else(String::new, |defect| format!(": {}", defect.plants))
    );
    let began = Instant::now();
    let seen = (row.run)(stage, defect.map(|defect| defect.name)).unwrap_or_else(|reason| Seen {
        violations: vec![format!("did not run: {reason}")],
        ..Seen::default()
    });
    Line {
        row: row.name,
        promise: row.promise,
        attack: row.attack,
        defect,
        seen,
        seconds: began.elapsed().as_secs_f64(),
    }
}

fn read(args: &[String]) -> Result<Options, String> {
    let known = || ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
    let mut options = Options {
        long: false,
        json: false,
        sabotage: false,
        rows: Vec::new(),
    };
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--long" => options.long = true,
            "--json" => options.json = true,
            "--sabotage" => options.sabotage = true,
            "--row" => {
                let name = words.next().map_or("", String::as_str);
                let row = ROWS.iter().find(|row| row.name == name);
                options
                    .rows
                    .push(row.ok_or_else(|| format!("no row is called \"{name}\"; there are {}", known()))?);
            }
            _ => return Err(format!("{USAGE}{}", known())),
        }
    }
    if options.rows.is_empty() {
        options.rows = ROWS.iter().collect();
    }
    Ok(options)
}
