//! `cargo xtask gen`: files of one language that follow from the types of another.

mod doc;
mod model;
mod node_index;
mod node_source;
mod python_errors;
mod python_source;
mod python_stub;
mod python_types;
mod shape;
mod source;
mod surface;
mod typescript_types;

use std::path::PathBuf;

use crate::shell::root;

/// One generated file: where it lies and what stands in it.
struct Generated {
    path: &'static str,
    text: String,
}

impl Generated {
    fn new(path: &'static str, text: String) -> Self {
        Self { path, text }
    }
}

pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let check = args.iter().any(|arg| arg == "--check");
    let mut stale = Vec::new();
    let model = surface::model()?;
    let files = [
        Generated::new("conformance/codes.json", codes()?),
        Generated::new(
            "bindings-python/python/nbhd/errors.py",
            python_errors::text(&model),
        ),
        Generated::new("bindings-python/python/nbhd/types.py", python_types::text(&model)),
        Generated::new(
            "bindings-python/python/nbhd/_native.pyi",
            python_stub::text(&python_source::module()?, &model)?,
        ),
        Generated::new(
            "bindings-node/index.d.ts",
            node_index::text(&node_source::addon()?, &model),
        ),
        Generated::new("bindings-node/types.d.ts", typescript_types::text(&model)),
    ];
    for file in &files {
        let path: PathBuf = root().join(file.path);
        if std::fs::read_to_string(&path).is_ok_and(|there| there == file.text) {
            continue;
        }
        if check {
            stale.push(file.path);
        } else {
            std::fs::write(&path, &file.text).map_err(|error| format!("{}: {error}", file.path))?;
            println!("wrote {}", file.path);
        }
    }
    println!("{} generated files, {} stale", files.len(), stale.len());
    if stale.is_empty() {
        Ok(())
    } else {
        Err(format!("run `cargo xtask gen`: {} differ", stale.join(", ")))
    }
}

/// The table of codes as JSON, for the three conformance runners.
fn codes() -> Result<String, String> {
    let rows: Vec<_> = nbhd_core::Code::ALL
        .iter()
        .map(|code| {
            serde_json::json!({
                "code": code.name(),
                "class": code.class(),
                "http_status": code.http_status(),
                "retryable": code.retryable(),
                "user_action": code.user_action(),
            })
        })
        .collect();
    let text = serde_json::to_string_pretty(&rows).map_err(|error| error.to_string())?;
    Ok(text + "\n")
}
