//! The measuring program behind `cargo xtask bench`.
//!
//! `nbhd-bench serve` answers canned bytes at once and prints its address. `nbhd-bench work <address> <scale>` measures the
//! Rust rows: each line on its input is one round, each line of its output that round's figures. The rounds of all workers
//! are interleaved by the caller, so that a busy moment of the machine meets everybody.

mod arms;
mod samples;
mod server;
mod timing;

use std::io::{BufRead, Write};
use std::process::ExitCode;

/// Any failure: a program that measures has nobody to recover for.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["serve"] => server::run(),
        ["work", address, scale] => work(address, scale),
        ["sample", "mail"] => {
            print!("{}", samples::mail());
            Ok(())
        }
        _ => Err("nbhd-bench serve | work <address> <full|quick> | sample mail".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn work(address: &str, scale: &str) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let arms = arms::Arms::new(address, scale == "quick")?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{}",
        serde_json::json!({ "ready": format!("nbhd {}", env!("CARGO_PKG_VERSION")) })
    )?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        line?;
        let figures = runtime.block_on(arms.round())?;
        writeln!(out, "{}", serde_json::to_string(&figures)?)?;
        out.flush()?;
    }
    Ok(())
}
