//! What the rows stand on: bindings and programs, built once, and a fresh folder for what they write.

use std::path::PathBuf;
use std::process::Command;

use super::row::{Need, Row};
use crate::{setup, shell};

/// Built bindings and programs, and a folder.
pub(super) struct Stage {
    /// Whether the full counts are asked for.
    pub(super) long: bool,
    /// An interpreter with the requirements of the tests.
    python: Option<PathBuf>,
    folder: PathBuf,
}

impl Stage {
    /// Builds what `rows` need.
    pub(super) fn build(long: bool, rows: &[&Row]) -> Result<Self, String> {
        let needed = |need: Need| rows.iter().any(|row| row.needs.contains(&need));
        let folder = shell::target().join(format!("prove/{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let python = if needed(Need::Python) {
            Some(setup::python()?)
        } else {
            None
        };
        if needed(Need::Node) {
            setup::node()?;
        }
        if needed(Need::Servers) {
            setup::servers()?;
        }
        if needed(Need::Programs) {
            shell::run(shell::cargo().args(["build", "-q", "-p", "nbhd-examples", "--bins"]))?;
        }
        Ok(Self { long, python, folder })
    }

    /// An empty folder of this name.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.folder.join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(folder)
    }

    /// A Python that imports this repository's package and runs `conformance/proofs/<script>`.
    pub(super) fn python(&self, script: &str) -> Command {
        let mut python = Command::new(self.interpreter());
        python
            .arg(proof(script))
            .env("PYTHONPATH", setup::python_path())
            .env("PYTHONDONTWRITEBYTECODE", "1");
        python
    }

    /// The interpreter with the requirements of the tests.
    pub(super) fn interpreter(&self) -> &std::path::Path {
        self.python.as_deref().unwrap_or("python3".as_ref())
    }

    /// A Node that runs `conformance/proofs/<script>`.
    pub(super) fn node(&self, script: &str) -> Command {
        let mut node = Command::new("node");
        node.arg(proof(script))
            .env("NBHD_NODE", shell::root().join("bindings-node"));
        node
    }

    /// A program of the examples.
    pub(super) fn program(&self, name: &str) -> Command {
        Command::new(shell::target().join("debug").join(name))
    }

    /// Removes what was written; after a violation it is kept, for whoever looks for its cause.
    pub(super) fn clear(&self, all_green: bool) {
        if all_green {
            let _ = std::fs::remove_dir_all(&self.folder);
        } else {
            eprintln!("kept: {}", self.folder.display());
        }
    }
}

fn proof(script: &str) -> PathBuf {
    shell::root().join("conformance/proofs").join(script)
}
