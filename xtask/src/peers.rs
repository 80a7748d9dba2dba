//! Clients that nobody here wrote drive our stand-ins, and another catalogue is compared with our prices.
//!
//! The scripts are in `conformance/peers`; they need an environment of their own, with pinned packages from PyPI.

use std::path::PathBuf;
use std::process::Command;

use crate::counts::Counts;
use crate::shell;

/// The clients, each with a folder in `conformance/peers`.
const CLIENTS: &[&str] = &["google", "openai", "telegram"];

/// Runs all of them and returns what they printed.
pub(crate) fn run() -> Result<String, String> {
    shell::run(shell::cargo().args(["build", "-q", "-p", "nbhd-examples", "--bin", "standins"]))?;
    let standins = shell::target().join("debug/standins");
    let python = environment()?;
    let mut printed = String::new();
    for client in CLIENTS {
        let script = format!("conformance/peers/{client}/run.py");
        printed += &shell::tee(
            Command::new(&python)
                .arg(script)
                .arg(&standins)
                .current_dir(shell::root()),
        )?;
    }
    printed += &shell::tee(
        Command::new(&python)
            .arg("conformance/peers/prices/compare.py")
            .current_dir(shell::root()),
    )?;
    let counts = count(&printed);
    println!("peers: {} passed, {} failed", counts.passed, counts.failed);
    Ok(printed)
}

/// Each check prints one line.
pub(crate) fn count(printed: &str) -> Counts {
    let lines = |word: &str| printed.lines().filter(|line| line.starts_with(word)).count() as u64;
    Counts {
        passed: lines("ok "),
        failed: lines("FAILED "),
        skipped: 0,
    }
}

/// A Python with the pinned clients, made again when the pins change.
fn environment() -> Result<PathBuf, String> {
    let requirements = shell::root().join("conformance/peers/requirements.txt");
    let wanted = std::fs::read_to_string(&requirements)
        .map_err(|error| format!("{}: {error}", requirements.display()))?;
    let folder = shell::target().join("peers");
    let (python, stamp) = (folder.join("bin/python"), folder.join("requirements.txt"));
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    shell::run(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    )?;
    let mut install = Command::new(&python);
    install
        .args(["-m", "pip", "install", "-q", "-r"])
        .arg(&requirements);
    shell::run(&mut install)?;
    std::fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn each_check_is_counted_once() {
        let counts = count("ok      a\nFAILED  b: AssertionError: ok \nok      c\n2 of 3 checks passed\n");
        assert_eq!((counts.passed, counts.failed), (2, 1));
    }
}
