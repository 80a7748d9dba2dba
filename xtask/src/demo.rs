//! `cargo demo`: builds and runs the demo of the examples.

use crate::shell;

pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let built = std::env::current_exe().is_ok_and(|program| program.with_file_name("demo").exists());
    if !built {
        eprintln!("The demo is built for the first time: this takes a minute, once.");
        let mut build = shell::cargo();
        build.args(["build", "-p", "nbhd-examples", "--bin", "demo"]);
        shell::run(&mut build)?;
    }
    let mut demo = shell::cargo();
    demo.args(["run", "-q", "-p", "nbhd-examples", "--bin", "demo", "--"])
        .args(args);
    let status = demo
        .status()
        .map_err(|error| format!("the demo does not start: {error}"))?;
    // The demo has said what is wrong: its status is passed on and nothing is added.
    std::process::exit(status.code().unwrap_or(1));
}
