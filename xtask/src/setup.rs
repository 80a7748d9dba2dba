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

/// The database servers that tests start: the program, and the Debian package that brings it.
const SERVERS: [(&str, &str); 2] = [("redis-server", "redis-server"), ("postgres", "postgresql")];

/// Sees to it that the servers can be started; what is missing is installed with `apt-get`, as root or through `sudo`.
pub(crate) fn servers() -> Result<(), String> {
    let missing: Vec<&str> = SERVERS
        .iter()
        .filter(|(program, _)| !is_installed(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let advice = |reason: String| {
        format!(
            "the tests need {}, which could not be installed ({reason}): install it yourself, on Debian with `apt-get install {}`",
            missing.join(" and "),
            missing.join(" ")
        )
    };
    // A list of packages that is missing or old is fetched anew, then tried once more.
    apt(&[&["install", "-y", "--no-install-recommends"], &missing[..]].concat())
        .or_else(|_| {
            apt(&["update"])?;
            apt(&[&["install", "-y", "--no-install-recommends"], &missing[..]].concat())
        })
        .map_err(advice)?;
    match SERVERS.iter().find(|(program, _)| !is_installed(program)) {
        None => Ok(()),
        Some((program, _)) => Err(advice(format!("`{program}` is still not in the PATH"))),
    }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps PostgreSQL's programs by version, outside of the path.
    let kept = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"));
    std::env::split_paths(&path)
        .chain(kept)
        .any(|folder| folder.join(program).is_file())
}

fn apt(args: &[&str]) -> Result<(), String> {
    let root = shell::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let mut command = if root {
        Command::new("env")
    } else {
        let mut sudo = Command::new("sudo");
        // Never a question in the middle of a test run.
        sudo.args(["-n", "env"]);
        sudo
    };
    // The packages' own services are not wanted: the tests start servers of their own.
    command.args(["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get", "-q"]);
    shell::run(command.args(args))
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
