//! The rules of the house that no compiler checks. Each says how much it looked at: a rule that saw nothing fails.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell;

/// No file is longer, tests included.
const FILE_LINES: usize = 600;

/// A door is no room.
const DOOR_LINES: usize = 60;

/// Names of rooms that say nothing of what is in them.
const BANNED_NAMES: &[&str] = &[
    "utils.rs",
    "helpers.rs",
    "common.rs",
    "manager.rs",
    "types.rs",
    "misc.rs",
];

/// Vendors, and the only folders and files where their names may stand.
const VENDORS: &[(&str, &[&str])] = &[
    (
        "telegram",
        &[
            "nbhd-channels/src/telegram",
            "nbhd-channels/src/registry.rs",
            "nbhd-channels/src/lib.rs",
        ],
    ),
    // One folder speaks the protocol that many providers took over; their quirks are rows and dialects in it.
    (
        "mistral",
        &[
            "nbhd-llm/src/openai",
            "nbhd-llm/src/price",
            "nbhd-llm/src/registry.rs",
        ],
    ),
    (
        "openai",
        &[
            "nbhd-llm/src/openai",
            "nbhd-llm/src/price",
            "nbhd-llm/src/registry.rs",
            "nbhd-llm/src/lib.rs",
            // The families of keys that the redactor knows are named after those who give them out.
            "nbhd-core/src/secret/redact/families.rs",
        ],
    ),
    ("googleapis", &["nbhd-google/src"]),
];

/// Where each crate may look, innermost first.
const ALLOWED: &[(&str, &[&str])] = &[
    ("nbhd-core", &[]),
    ("nbhd-google", &["nbhd-core"]),
    ("nbhd-llm", &["nbhd-core"]),
    ("nbhd-channels", &["nbhd-core", "nbhd-google"]),
];

pub(crate) fn run() -> Result<(), String> {
    let mut faults = Vec::new();
    let files = tracked()?;
    let rust: Vec<&PathBuf> = files
        .iter()
        .filter(|file| file.extension().is_some_and(|end| end == "rs"))
        .collect();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();

    for file in &rust {
        let text = read(file)?;
        let lines = text.lines().count();
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        *seen.entry("files within their length").or_default() += 1;
        if lines > FILE_LINES {
            faults.push(format!(
                "{}: {lines} lines, more than {FILE_LINES}: split it",
                file.display()
            ));
        }
        if name == "mod.rs" && in_library(file) {
            *seen.entry("doors that are no rooms").or_default() += 1;
            if lines > DOOR_LINES {
                faults.push(format!(
                    "{}: {lines} lines: a door has at most {DOOR_LINES}",
                    file.display()
                ));
            }
        }
        if BANNED_NAMES.contains(&name.as_str()) {
            faults.push(format!(
                "{}: the name says nothing of what is in it",
                file.display()
            ));
        }
        if in_library(file) {
            *seen.entry("files that glob-export nothing").or_default() += 1;
            if text
                .lines()
                .any(|line| line.trim_start().starts_with("pub use") && line.contains("::*"))
            {
                faults.push(format!(
                    "{}: `pub use …::*` hides where a name lives",
                    file.display()
                ));
            }
            vendors(file, &text, &mut faults, &mut seen);
            times(file, &text, &mut faults, &mut seen);
        }
    }
    dependencies(&mut faults, &mut seen)?;
    documents(&files, &mut faults, &mut seen)?;

    for rule in [
        "files within their length",
        "doors that are no rooms",
        "files without a foreign vendor's name",
        "files that spell no time themselves",
        "dependency arrows inward",
    ] {
        let count = seen.get(rule).copied().unwrap_or(0);
        println!("tidy: {count:>4} {rule}");
        if count == 0 {
            faults.push(format!("the rule \"{rule}\" looked at nothing"));
        }
    }
    println!(
        "tidy: {:>4} paths in documents that exist",
        seen.get("paths in documents").copied().unwrap_or(0)
    );
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.join("\n"))
    }
}

/// The files git knows or would take.
fn tracked() -> Result<Vec<PathBuf>, String> {
    let mut list = Command::new("git");
    list.args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(shell::root());
    Ok(shell::output(&mut list)?
        .lines()
        .map(PathBuf::from)
        .filter(|file| shell::root().join(file).exists())
        .collect())
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(shell::root().join(file)).map_err(|error| format!("{}: {error}", file.display()))
}

fn in_library(file: &Path) -> bool {
    ALLOWED
        .iter()
        .any(|(name, _)| file.starts_with(format!("{name}/src")))
}

/// A vendor's name stands in its own folder only; comments may compare. How everybody's keys begin is one table, for redaction.
fn vendors(file: &Path, text: &str, faults: &mut Vec<String>, seen: &mut BTreeMap<&str, usize>) {
    if file.ends_with("nbhd-core/src/secret/redact/families.rs") {
        return;
    }
    *seen.entry("files without a foreign vendor's name").or_default() += 1;
    for (vendor, homes) in VENDORS {
        if homes.iter().any(|home| file.starts_with(home)) || is_test_room(file) {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default().to_lowercase();
            if line.contains(vendor) {
                faults.push(format!(
                    "{}:{}: names {vendor} outside its folder",
                    file.display(),
                    number + 1
                ));
            }
        }
    }
}

/// Times are spelled in one place, so that all that leave look the same. Stand-ins spell them as their vendors do.
fn times(file: &Path, text: &str, faults: &mut Vec<String>, seen: &mut BTreeMap<&str, usize>) {
    if is_test_room(file) || file.ends_with("nbhd-core/src/clock.rs") {
        return;
    }
    *seen.entry("files that spell no time themselves").or_default() += 1;
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let spells = |line: &str| {
        line.split("//")
            .next()
            .is_some_and(|code| code.contains("to_rfc3339"))
    };
    if code.lines().any(spells) {
        faults.push(format!(
            "{}: spells a time itself: `nbhd_core::clock::rfc3339` does",
            file.display()
        ));
    }
}

fn is_test_room(file: &Path) -> bool {
    file.components().any(|part| {
        part.as_os_str() == "testkit" || part.as_os_str() == "tests" || part.as_os_str() == "tests.rs"
    })
}

/// Dependencies point inward: core ← google, channels, llm.
fn dependencies(faults: &mut Vec<String>, seen: &mut BTreeMap<&str, usize>) -> Result<(), String> {
    let mut metadata = shell::cargo();
    metadata.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    let metadata: serde_json::Value =
        serde_json::from_str(&shell::output(&mut metadata)?).map_err(|error| error.to_string())?;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let target = dependency["name"].as_str().unwrap_or_default();
            if !target.starts_with("nbhd-") || target == name {
                continue;
            }
            *seen.entry("dependency arrows inward").or_default() += 1;
            if !allowed.contains(&target) {
                faults.push(format!("{name} must not depend on {target}"));
            }
        }
    }
    Ok(())
}

/// Every path that a document names is one that a clone has: a file git knows, or a folder of such files. What a build
/// leaves behind does not count, neither as what is named nor as what tells a path from another word: the answer is the
/// same in a fresh clone and in a used one.
fn documents(
    files: &[PathBuf],
    faults: &mut Vec<String>,
    seen: &mut BTreeMap<&str, usize>,
) -> Result<(), String> {
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"] {
        if !files.iter().any(|file| file == Path::new(document)) {
            continue;
        }
        for word in read(Path::new(document))?.split('`').skip(1).step_by(2) {
            let is_path = word.contains('/')
                && !word.contains([' ', '*', '<', '…', ':', '(', '{', '"', '$'])
                && !word.starts_with(['/', '.', '-']);
            if !is_path
                || word
                    .split('/')
                    .next()
                    .is_none_or(|top| !files.iter().any(|file| file.starts_with(top)))
            {
                continue;
            }
            *seen.entry("paths in documents").or_default() += 1;
            if !files.iter().any(|file| file.starts_with(word)) {
                faults.push(format!("{document} names {word}, which does not exist"));
            }
        }
    }
    Ok(())
}
