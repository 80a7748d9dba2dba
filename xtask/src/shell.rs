//! Running other programs: what is run is printed, and its failure is a sentence.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}

/// The folder that cargo builds into.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cargo that runs us, in the root of the repository.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// Runs `command`; an exit status other than 0 is an error that names it.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let line = describe(command);
    eprintln!("$ {line}");
    let status = command.status().map_err(|error| format!("{line}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("failed ({status}): {line}"))
    }
}

/// Runs `command`, shows what it prints as it comes, and returns it.
pub(crate) fn tee(command: &mut Command) -> Result<String, String> {
    let line = describe(command);
    eprintln!("$ {line}");
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{line}: {error}"))?;
    let mut text = String::new();
    if let Some(out) = child.stdout.take() {
        for printed in BufReader::new(out).lines() {
            let printed = printed.map_err(|error| format!("{line}: {error}"))?;
            println!("{printed}");
            text.push_str(&printed);
            text.push('\n');
        }
    }
    let status = child.wait().map_err(|error| format!("{line}: {error}"))?;
    if status.success() {
        Ok(text)
    } else {
        Err(format!("failed ({status}): {line}"))
    }
}

/// Runs `command` and returns what it printed, silently.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let line = describe(command);
    let output = command.output().map_err(|error| format!("{line}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!(
        "failed ({}): {line}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}

fn describe(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}
