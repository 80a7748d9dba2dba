//! The case files, and the cases in them with their beginnings written out.

use std::path::PathBuf;

use serde_json::Value;

/// One case.
pub(crate) struct Case {
    pub(crate) operation: String,
    pub(crate) name: String,
    pub(crate) clock: String,
    pub(crate) config: Value,
    pub(crate) setup: Vec<Value>,
    pub(crate) input: Value,
    pub(crate) http: Value,
    pub(crate) expect: Value,
    pub(crate) receipt: Option<Value>,
}

impl Case {
    /// How it is called in reports.
    pub(crate) fn title(&self) -> String {
        format!("{}: {}", self.operation, self.name)
    }
}

/// Every case of every file.
pub(crate) fn cases() -> Vec<Case> {
    files().iter().flat_map(|(_, file)| of(file)).collect()
}

/// Every case file by its name, in order.
pub(crate) fn files() -> Vec<(String, Value)> {
    let mut names: Vec<String> = std::fs::read_dir(folder().join("cases"))
        .expect("the cases")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .filter(|name| name.rsplit_once('.').is_some_and(|(_, kind)| kind == "json"))
        .collect();
    names.sort();
    let read = |name: String| (name.clone(), read(&format!("cases/{name}")));
    names.into_iter().map(read).collect()
}

/// A file of the suite.
pub(crate) fn read(name: &str) -> Value {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../conformance")
}

fn of(file: &Value) -> Vec<Case> {
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let one = |case: &Value| {
        let begin = match &case["given"] {
            Value::String(name) => file["given"]
                .get(name)
                .unwrap_or_else(|| panic!("nothing is given as {name}")),
            _ => &Value::Null,
        };
        Case {
            operation: text(&file["operation"]).expect("an operation"),
            name: text(&case["name"]).expect("a name"),
            clock: text(&case["clock"]).unwrap_or_else(|| "2026-11-21T08:00:00Z".to_owned()),
            config: case.get("config").unwrap_or(&file["config"]).clone(),
            setup: [list(begin, "setup"), list(case, "setup")].concat(),
            input: case["input"].clone(),
            http: [list(begin, "http"), list(case, "http")].concat().into(),
            expect: case["expect"].clone(),
            receipt: case.get("receipt").cloned(),
        }
    };
    file["cases"].as_array().expect("cases").iter().map(one).collect()
}
