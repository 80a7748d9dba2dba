//! What tests and proofs need in place: the compiled halves of both bindings, and a Python with the test requirements.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell;

/// Builds the Python module beside its package and makes an environment with what the tests need; its interpreter.
pub(crate) fn python() -> Result<PathBuf, String> {
    shell::run(shell::cargo().args(["build", "-q", "-p", "nbhd-python"]))?;
    let module = shell::root().join("bindings-python/python/nbhd/_native.abi3.so");
    put(&shell::target().join("debug/libnbhd_python.so"), &module)?;
    let venv = shell::target().join("venv");
    let python = venv.join("bin/python");
    let requirements = shell::root().join("bindings-python/tests/requirements.txt");
    let stamp = venv.join("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements)
        .map_err(|error| format!("{}: {error}", requirements.display()))?;
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    shell::run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    shell::run(
        Command::new(&python)
            .args(["-m", "pip", "install", "-q", "-r"])
            .arg(&requirements),
    )?;
    std::fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(python)
}

/// Where Python finds the package of this repository.
pub(crate) fn python_path() -> PathBuf {
    shell::root().join("bindings-python/python")
}

/// Builds the addon beside its package.
pub(crate) fn node() -> Result<(), String> {
    shell::run(
        Command::new("node")
            .arg("build.js")
            .env("NBHD_PROFILE", "dev")
            .current_dir(shell::root().join("bindings-node")),
    )
}

/// Compiles a program that uses the declarations, once with right and once with wrong uses.
pub(crate) fn node_types() -> Result<(), String> {
    let folder = shell::root().join("bindings-node");
    let failed = |error: std::io::Error| format!("bindings-node: {error}");
    let stamp = folder.join("node_modules/.installed-for.json");
    let wanted = std::fs::read_to_string(folder.join("package.json")).map_err(failed)?;
    if !std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        // Without scripts: `prepare` would build the addon once more.
        shell::run(
            Command::new("npm")
                .args([
                    "install",
                    "--ignore-scripts",
                    "--no-audit",
                    "--no-fund",
                    "--no-package-lock",
                ])
                .current_dir(&folder),
        )?;
        std::fs::write(&stamp, wanted).map_err(failed)?;
    }
    shell::run(
        Command::new("npx")
            .args(["--no-install", "tsc", "-p", "tests/types"])
            .current_dir(&folder),
    )
}

/// Puts a freshly built library in place; a process that has the old one loaded keeps it.
fn put(from: &Path, to: &Path) -> Result<(), String> {
    let fresh = to.with_extension("new");
    std::fs::copy(from, &fresh).map_err(|error| format!("{}: {error}", from.display()))?;
    std::fs::rename(&fresh, to).map_err(|error| format!("{}: {error}", to.display()))
}
