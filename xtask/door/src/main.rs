//! `cargo demo`, `cargo prove` and `cargo xtask` begin here. What they run takes minutes to build the first time, and a newcomer sees that it is
//! being built; from then on they are quiet. This program has no dependencies, so it is there within a second.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let tools = tools();
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.current_dir(root()).args(["build", "-p", "xtask"]);
    if tools.exists() {
        build.arg("-q");
    } else {
        eprintln!("nbhd is built for the first time: this takes a few minutes, once.");
    }
    match build.status() {
        Ok(status) if status.success() => start(Command::new(tools).args(args)),
        Ok(status) => ExitCode::from(status.code().and_then(|code| code.try_into().ok()).unwrap_or(1)),
        Err(error) => refuse(&format!("cargo does not start: {error}")),
    }
}

/// Where the tools are built to: beside this program.
fn tools() -> PathBuf {
    let name = format!("xtask{}", std::env::consts::EXE_SUFFIX);
    let here = std::env::current_exe().unwrap_or_default();
    here.with_file_name(name)
}

/// The root of the repository.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// Becomes the tools: signals and the exit status are theirs.
#[cfg(unix)]
fn start(tools: &mut Command) -> ExitCode {
    use std::os::unix::process::CommandExt;
    refuse(&format!("the tools do not start: {}", tools.exec()))
}

#[cfg(not(unix))]
fn start(tools: &mut Command) -> ExitCode {
    match tools.status() {
        Ok(status) => ExitCode::from(status.code().and_then(|code| code.try_into().ok()).unwrap_or(1)),
        Err(error) => refuse(&format!("the tools do not start: {error}")),
    }
}

fn refuse(reason: &str) -> ExitCode {
    eprintln!("{reason}");
    ExitCode::FAILURE
}
