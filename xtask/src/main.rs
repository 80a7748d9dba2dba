//! The logic behind `cargo demo`, `cargo prove` and `cargo xtask …`.

mod demo;
mod generate;
mod shell;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask gen [--check]   write the generated files, or fail when they are not what would be written
cargo xtask demo [ARGS]     one assistant turn on real input (also: cargo demo)";

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let command = if args.is_empty() {
        String::new()
    } else {
        args.remove(0)
    };
    // `cargo demo -- --json` and `cargo demo --json` mean the same.
    if args.first().is_some_and(|first| first == "--") {
        args.remove(0);
    }
    let result = match command.as_str() {
        "gen" => generate::run(&args),
        "demo" => demo::run(&args),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}
