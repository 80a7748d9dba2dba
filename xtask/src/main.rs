//! The logic behind `cargo demo`, `cargo prove` and `cargo xtask …`.

mod bench;
mod counts;
mod demo;
mod generate;
mod peers;
mod prove;
mod setup;
mod shell;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask demo [ARGS]     one assistant turn on real input (also: cargo demo)
cargo xtask prove [ARGS]    attacks the promises and says what was seen (also: cargo prove)
cargo xtask test            sets up and passes all tests in three languages
cargo xtask peers           other people's clients drive our stand-ins
cargo xtask tidy            the rules of the house that no compiler checks
cargo xtask gen [--check]   writes the generated files, or fails when they are stale
cargo xtask bench [ARGS]    what we promise about speed, measured beside floors and peers";

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
        "prove" => prove::run(&args),
        "test" => test::run(),
        "peers" => peers::run().map(drop),
        "tidy" => tidy::run(),
        "bench" => bench::run(&args),
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
