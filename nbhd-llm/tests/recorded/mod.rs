//! Recorded exchanges and streams, read where they are: nothing of them is kept here.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::path::{Path, PathBuf};

use nbhd_core::testkit::shared_fixtures;

/// One recorded exchange.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Where it was recorded: provider and case.
    pub(crate) name: String,
    /// The provider, by the name of its folder.
    pub(crate) provider: String,
    /// The request's body.
    pub(crate) request: String,
    /// The status of the reply.
    pub(crate) status: u16,
    /// The reply's body.
    pub(crate) body: String,
}

/// The folder of fixtures, or a word that it is not here.
pub(crate) fn fixtures() -> Option<PathBuf> {
    let found = shared_fixtures();
    if found.is_none() {
        println!("skipped: shared fixtures are not here");
    }
    found
}

/// All files below `folder` whose names end with `ending`, in order.
#[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

/// The chat completions among the recorded exchanges.
pub(crate) fn chat_exchanges(fixtures: &Path) -> Vec<Exchange> {
    let root = fixtures.join("llm/rig");
    let mut found = Vec::new();
    for (path, text) in files(&root, ".yaml") {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        let provider = name.split('/').next().unwrap().to_owned();
        for document in text.split("\n---\n") {
            let Some((when, then)) = document.split_once("\nthen:\n") else {
                continue;
            };
            let path = line_value(when, "  path: ");
            if !path.ends_with("/chat/completions") {
                continue;
            }
            found.push(Exchange {
                name: name.clone(),
                provider: provider.clone(),
                request: body(when),
                status: line_value(then, "  status: ").parse().unwrap(),
                body: body(then),
            });
        }
    }
    found
}

fn line_value(text: &str, start: &str) -> String {
    text.lines()
        .find_map(|line| line.strip_prefix(start))
        .unwrap_or_default()
        .to_owned()
}

/// The two forms of YAML scalars that the recordings use: quoted on one line, and a kept block.
fn body(part: &str) -> String {
    let Some(start) = part.find("\n  body: ").map(|place| place + 9) else {
        return String::new();
    };
    let rest = &part[start..];
    if let Some(quoted) = rest.strip_prefix('\'') {
        let line = quoted.lines().next().unwrap();
        return line.strip_suffix('\'').unwrap().replace("''", "'");
    }
    let block = rest
        .strip_prefix("|+\n")
        .unwrap_or_else(|| panic!("another form: {rest:.20}"));
    block
        .lines()
        .map(|line| line.strip_prefix("    ").unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect()
}
