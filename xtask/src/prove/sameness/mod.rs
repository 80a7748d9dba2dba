//! Row `sameness`: every public name in all three languages, error classes equal to codes, conformance counts equal.

mod counts;
mod holes;
mod rust;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::program;
use super::row::{Defect, Need, Row, Seen};
use super::stage::Stage;
use crate::shell;

/// How long a look at a package may take.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) const ROW: Row = Row {
    name: "sameness",
    promise: "the same names, codes and cases in Rust, Python and Node",
    attack: "names read from the Rust sources, from Python classes and from Node prototypes are compared; the three conformance runners are run, in memory and on SQLite (--long: on all four stores)",
    needs: &[Need::Python, Need::Node, Need::Servers],
    run,
    defects: &[
        Defect {
            name: "hidden",
            plants: "a method is missing in Python",
            shows_as: "Gmail.list_messages is not in python",
        },
        Defect {
            name: "twin",
            plants: "an awaitable twin is missing in Python",
            shows_as: "Gmail.list_messages has no awaitable twin",
        },
        Defect {
            name: "count",
            plants: "a runner leaves out one case",
            shows_as: "conformance counts differ",
        },
    ],
};

/// The public names of one language, each with what is known of it.
type Names = BTreeMap<String, String>;

fn run(stage: &Stage, defect: Option<&'static str>) -> Result<Seen, String> {
    let mut seen = Seen::default();
    let hide = match defect {
        Some("hidden") => "Gmail.list_messages",
        Some("twin") => "Gmail.alist_messages",
        _ => "",
    };
    let rust = rust::names()?;
    let python = program::run(stage.python("names.py").arg(hide), LIMIT)?
        .json()
        .map_err(|error| format!("names.py: {error}"))?;
    let node = program::run(&mut stage.node("names.js"), LIMIT)?
        .json()
        .map_err(|error| format!("names.js: {error}"))?;
    let (python_names, node_names) = (read(&python["names"]), read(&node["names"]));
    compare(&rust, &python_names, &node_names, &mut seen);
    errors(&python, &mut seen)?;
    if matches!(defect, None | Some("count")) {
        counts::check(stage, defect.is_some(), &mut seen);
    }
    Ok(seen)
}

fn read(names: &Value) -> Names {
    names
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, kind)| (name.clone(), kind.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// Each name is in all three, or is a hole with a reason; a reason whose hole is gone is stale.
fn compare(rust: &Names, python: &Names, node: &Names, seen: &mut Seen) {
    let all: BTreeSet<&String> = rust.keys().chain(python.keys()).chain(node.keys()).collect();
    let languages = [("rust", rust), ("python", python), ("node", node)];
    let (mut whole, mut used) = (0, BTreeSet::new());
    for name in &all {
        let missing: Vec<&str> = languages
            .iter()
            .filter(|(_, names)| !names.contains_key(*name))
            .map(|(language, _)| *language)
            .collect();
        if missing.is_empty() {
            whole += 1;
            continue;
        }
        // What hangs on a class that is missing altogether is told with the class.
        let told_by_class = |language: &&str| {
            let names = languages.iter().find(|(known, _)| known == language);
            name.rsplit_once('.').is_some_and(|(class, _)| {
                class != "testkit" && names.is_some_and(|(_, names)| !names.contains_key(class))
            })
        };
        if missing.iter().all(told_by_class) {
            continue;
        }
        let missing = missing.join(" and ");
        match holes::HOLES
            .iter()
            .find(|hole| hole.name == name.as_str() && hole.missing == missing)
        {
            Some(hole) => {
                used.insert(hole.name);
                seen.notes
                    .push(format!("hole: {name} is not in {missing}: {}", hole.reason));
            }
            None => seen.violation(format!("{name} is not in {missing}")),
        }
    }
    for hole in holes::HOLES.iter().filter(|hole| !used.contains(hole.name)) {
        seen.violation(format!(
            "the hole {} ({}) is closed: take it off the list",
            hole.name, hole.missing
        ));
    }
    let mut waits = 0;
    for (name, kind) in rust.iter().filter(|(_, kind)| *kind == "async") {
        let Some(found) = python.get(name) else { continue };
        if name == "Inbox.work" {
            // One object for `for` and `async for`: the waiting is in its steps.
            continue;
        }
        waits += 1;
        seen.expect(found == "twin", || {
            format!("{name} has no awaitable twin in python ({kind} in rust, {found})")
        });
    }
    seen.times = format!("{} names", all.len());
    seen.fact(format!("{whole} names in all three, {} holes", seen.notes.len()));
    seen.fact(format!(
        "{waits} verbs that wait, each with its awaitable twin in Python"
    ));
    seen.expect(whole > 20 && waits > 10, || {
        "too few names were found to compare anything".to_owned()
    });
}

/// One class for each code in Python, one member of the union in TypeScript.
fn errors(python: &Value, seen: &mut Seen) -> Result<(), String> {
    let path = shell::root().join("conformance/codes.json");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let codes: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let codes: BTreeSet<String> = codes
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|row| row["code"].as_str().map(str::to_owned))
        .collect();
    let classes: BTreeSet<String> = read(&python["errors"])
        .into_keys()
        .map(|name| snake(&name))
        .collect();
    let types = shell::root().join("bindings-node/types.d.ts");
    let types = std::fs::read_to_string(&types).map_err(|error| format!("{}: {error}", types.display()))?;
    let union: BTreeSet<String> = types
        .lines()
        .find_map(|line| line.strip_prefix("export type Code = "))
        .map(|line| line.split('"').skip(1).step_by(2).map(str::to_owned).collect())
        .unwrap_or_default();
    for (what, found) in [("classes of Python", &classes), ("types of Node", &union)] {
        for code in codes.symmetric_difference(found) {
            if code == "cancelled" && what == "classes of Python" {
                seen.notes.push(
                    "hole: cancelled is no class of Python: asyncio raises its own CancelledError, Ctrl-C KeyboardInterrupt"
                        .to_owned(),
                );
                continue;
            }
            seen.violation(format!("the code {code} and the {what} do not agree"));
        }
    }
    seen.expect(!codes.is_empty(), || "there are no codes".to_owned());
    seen.fact(format!(
        "{} error codes, each with its class and type",
        codes.len()
    ));
    Ok(())
}

/// `InvalidInput` as `invalid_input`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}
