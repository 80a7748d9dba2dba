//! The clients that we compare with, and our own bindings beside them, installed under the target folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::worker;
use crate::shell;

/// Python's peers, each in an environment of its own: one of them pins an old version of the other.
const PYTHON_PEERS: [&str; 2] = ["openai", "litellm"];

/// The newest Node that `openai` 7 does not run on has this major version.
const OLD_NODE: u32 = 21;

/// One language's clients.
pub(super) struct Language {
    /// Each with the interpreter that finds it.
    pub(super) clients: Vec<(&'static str, PathBuf)>,
    /// The folder that our own package lies in.
    pub(super) packages: PathBuf,
}

impl Language {
    fn interpreter(&self, client: &str) -> Option<&Path> {
        let found = self.clients.iter().find(|(name, _)| *name == client);
        found.map(|(_, interpreter)| interpreter.as_path())
    }
}

/// What there is to compare with.
pub(super) struct Peers {
    pub(super) python: Option<Language>,
    pub(super) node: Option<Language>,
    /// What is missing, and why.
    pub(super) notes: Vec<String>,
}

impl Peers {
    /// Installs what is missing, unless `quick`: then what is missing is left out, and without any peer only Rust is measured.
    pub(super) fn prepare(products: &Path, quick: bool) -> Result<Self, String> {
        let home = shell::target().join("bench");
        std::fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
        let mut notes = Vec::new();
        let mut keep = |made: Result<Language, String>| made.map_err(|reason| notes.push(reason)).ok();
        let python = keep(python(&home, products, quick));
        let node = keep(node(&home, products, quick));
        Ok(Self { python, node, notes })
    }

    /// How long importing takes and what is resident after it: one fresh interpreter each.
    pub(super) fn imports(&self, notes: &mut Vec<String>) -> Vec<(String, f64)> {
        let mut figures = Vec::new();
        if let Some(python) = &self.python {
            for (name, statement) in [
                ("plain", "import json, asyncio, ssl"),
                ("nbhd", "import nbhd"),
                ("openai", "import openai"),
                ("litellm", "from litellm import Router"),
            ] {
                let Some(interpreter) = python.interpreter(name) else {
                    continue;
                };
                let program = format!(
                    "import time; began = time.perf_counter()\n{statement}\n\
                     took = time.perf_counter() - began\n\
                     kib = [line.split()[1] for line in open('/proc/self/status') if line.startswith('VmRSS')][0]\n\
                     print(took * 1e3, int(kib) / 1024)"
                );
                let mut command = worker::pinned(interpreter, &["-c", &program]);
                command.env("PYTHONPATH", &python.packages);
                command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
                import(&format!("python.{name}"), &mut command, &mut figures, notes);
            }
        }
        if let Some(node) = &self.node {
            for (name, package) in [("plain", "node:http"), ("nbhd", "nbhd"), ("openai", "openai")] {
                let Some(interpreter) = node.interpreter(name) else {
                    continue;
                };
                let program = format!(
                    "const began = performance.now(); require({package:?}); const took = performance.now() - began; \
                     console.log(took, process.memoryUsage().rss / 1048576)"
                );
                let mut command = worker::pinned(interpreter, &["-e", &program]);
                command.env("NODE_PATH", &node.packages);
                import(&format!("node.{name}"), &mut command, &mut figures, notes);
            }
        }
        figures
    }
}

fn import(name: &str, command: &mut Command, figures: &mut Vec<(String, f64)>, notes: &mut Vec<String>) {
    let read = shell::output(command).and_then(|text| {
        let numbers: Vec<f64> = text
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        <[f64; 2]>::try_from(numbers).map_err(|_| format!("its import printed {text:?}"))
    });
    match read {
        Ok([milliseconds, mebibytes]) => {
            figures.push((format!("{name}.import"), milliseconds));
            figures.push((format!("{name}.rss"), mebibytes));
        }
        Err(reason) => notes.push(format!("{name}: {reason}")),
    }
}

fn python(home: &Path, products: &Path, quick: bool) -> Result<Language, String> {
    let mut clients = Vec::new();
    for peer in PYTHON_PEERS {
        let venv = home.join(format!("venv-{peer}"));
        let interpreter = venv.join("bin/python");
        let find = format!("import importlib.util as u, sys; sys.exit(u.find_spec({peer:?}) is None)");
        let has = || {
            let found = Command::new(&interpreter).args(["-c", &find]).status();
            found.is_ok_and(|status| status.success())
        };
        if !quick && !has() {
            shell::run(Command::new("python3").args(["-m", "venv"]).arg(&venv))
                .map_err(|error| format!("Python: {error}"))?;
            // Without it the rest is measured all the same.
            let _ = shell::run(Command::new(&interpreter).args(["-m", "pip", "install", "-q", peer]));
        }
        if has() {
            clients.push((peer, interpreter));
        }
    }
    let Some((_, own)) = clients.first().cloned() else {
        return Err("Python: no peers installed, a run without --quick installs them".to_owned());
    };
    clients.insert(0, ("nbhd", own.clone()));
    clients.push(("plain", own));
    let packages = home.join("python");
    let source = shell::root().join("bindings-python/python/nbhd");
    let package = packages.join("nbhd");
    copy(&source, &package, &["py", "typed"])?;
    place(
        &products.join(library("nbhd_python")),
        &package.join("_native.abi3.so"),
    )?;
    Ok(Language { clients, packages })
}

fn node(home: &Path, products: &Path, quick: bool) -> Result<Language, String> {
    let version =
        shell::output(Command::new("node").arg("--version")).map_err(|error| format!("Node: {error}"))?;
    let major: u32 = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .unwrap_or(0);
    let folder = home.join("node");
    let packages = folder.join("node_modules");
    let has = |package: &str| packages.join(package).join("package.json").exists();
    if !has("openai") {
        if quick {
            return Err("Node: no peers installed, a run without --quick installs them".to_owned());
        }
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let manifest = folder.join("package.json");
        std::fs::write(&manifest, "{\"private\":true}\n")
            .map_err(|error| format!("{}: {error}", manifest.display()))?;
        let wanted = if major > OLD_NODE {
            "openai@latest"
        } else {
            "openai@6"
        };
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", wanted])
            .current_dir(&folder);
        // Without it the rest is measured all the same.
        let _ = shell::run(&mut npm);
    }
    let package = packages.join("nbhd");
    copy(&shell::root().join("bindings-node"), &package, &["js", "json"])?;
    let name = shell::output(
        Command::new("node")
            .args(["-p", "require('./platform.js').addonName()"])
            .current_dir(&package),
    )?;
    place(&products.join(library("nbhd_node")), &package.join(name.trim()))?;
    let clients = ["nbhd", "fetch", "openai", "plain"].into_iter();
    Ok(Language {
        clients: clients
            .filter(|client| *client != "openai" || has("openai"))
            .map(|client| (client, PathBuf::from("node")))
            .collect(),
        packages,
    })
}

/// The file name of a library on this platform.
fn library(name: &str) -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}{name}{DLL_SUFFIX}")
}

/// Copies the files of a folder that have one of these endings.
fn copy(from: &Path, to: &Path, endings: &[&str]) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", to.display());
    std::fs::create_dir_all(to).map_err(failed)?;
    for entry in std::fs::read_dir(from).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let fits = file
            .extension()
            .is_some_and(|end| endings.iter().any(|ending| end == *ending));
        if let Some(name) = file.file_name().filter(|_| fits) {
            std::fs::copy(&file, to.join(name)).map_err(failed)?;
        }
    }
    Ok(())
}

/// Puts a freshly built library in place, stripped of what no user gets.
fn place(from: &Path, to: &Path) -> Result<(), String> {
    let fresh = to.with_extension("new");
    let failed = |error: std::io::Error| format!("{}: {error}", to.display());
    std::fs::copy(from, &fresh).map_err(failed)?;
    std::fs::rename(&fresh, to).map_err(failed)
}
