//! The Rust runner of `conformance/cases`: every case through the public API, counted when it ran and asserted.
//!
//! The runners of Python and Node play the same files; the three counts are equal.

mod files;
mod judge;
mod queue;
mod stage;
mod stores;

use std::collections::BTreeMap;
use std::io::Write;

use nbhd_core::testkit::Script;
use serde_json::{Value, json};

use files::{Case, cases};
use judge::{altered, differences, misspelt_times};
use stage::Stage;
use stores::{Stores, is_stored, kinds};

/// What a case came to: its result or error as JSON, its receipt, and what was wrong on the way.
struct Played {
    expect: Value,
    receipt: Value,
    problems: Vec<String>,
}

async fn play(case: &Case, store: &str) -> Played {
    let script = std::sync::Arc::new(Script::new(&case.http).expect("a script"));
    let server = nbhd_core::testkit::Server::start(script.clone()).expect("a server");
    let stage = Stage::new(case, server.url().as_str(), store).await;
    let mut problems = Vec::new();
    for step in &case.setup {
        if let Some(seconds) = step["advance"].as_f64() {
            stage.clock.advance(std::time::Duration::from_secs_f64(seconds));
            continue;
        }
        let name = step["operation"].as_str().expect("an operation");
        let input = stage.fill(&step["input"]);
        let call = stage.call(name, &input);
        if step["abandoned"] == true {
            tokio::select! {
                _ = call => problems.push(format!("setup: {name} was not abandoned")),
                () = asked(&script) => {}
            }
            continue;
        }
        let code = match call.await {
            Ok(_) => None,
            Err(error) => Some(error.code().name()),
        };
        if code != step["error"].as_str() {
            problems.push(format!("setup: {name} came to {code:?}"));
        }
    }
    let came = stage.call(&case.operation, &stage.fill(&case.input)).await;
    let (expect, carried) = match came {
        Ok(value) => (json!({"ok": value}), value["receipt"].clone()),
        Err(error) => {
            let receipt = serde_json::to_value(error.receipt()).expect("a receipt");
            let data = serde_json::to_value(error.to_data()).expect("plain data");
            (json!({"error": data}), receipt)
        }
    };
    let receipt = match stage.receipts.all().last() {
        Some(last) => serde_json::to_value(last).expect("a receipt"),
        None => Value::Null,
    };
    if !carried.is_null() && carried != receipt {
        problems.push("the receipt of the call is not the one that the host got".to_owned());
    }
    problems.extend(script.finish().err().unwrap_or_default());
    misspelt_times("expect", &expect, &mut problems);
    let receipts = serde_json::to_value(stage.receipts.all()).expect("plain data");
    misspelt_times("receipts", &receipts, &mut problems);
    stage.host.store().close().await.expect("a store that closes");
    Played {
        expect,
        receipt,
        problems,
    }
}

/// Waits until every exchange was asked for.
async fn asked(script: &Script) {
    while script.finish().is_err() {
        tokio::task::yield_now().await;
    }
}

impl Played {
    /// Everything that is not as `expect` and `receipt` say.
    fn judge(&self, expect: &Value, receipt: Option<&Value>) -> Vec<String> {
        let mut found = self.problems.clone();
        differences("expect", expect, &self.expect, &mut found);
        if let Some(receipt) = receipt {
            differences("receipt", receipt, &self.receipt, &mut found);
        }
        found
    }
}

#[tokio::test]
async fn every_case_holds() {
    let kinds = kinds();
    let stores = Stores::start(&kinds);
    let mut count = 0;
    let mut stored: BTreeMap<&str, u32> = BTreeMap::new();
    let mut failed = Vec::new();
    for case in cases() {
        let played_on = if is_stored(&case) { &kinds[..] } else { &kinds[..1] };
        for kind in played_on {
            let played = play(&case, &stores.fresh(kind)).await;
            let mut problems = played.judge(&case.expect, case.receipt.as_ref());
            // A case that would pass whatever came asserts nothing, and is not counted.
            if played.judge(&altered(&case.expect), None).is_empty() {
                problems.push("it asserts nothing".to_owned());
            }
            if !problems.is_empty() {
                failed.push(format!(
                    "{} on {kind}:\n    {}",
                    case.title(),
                    problems.join("\n    ")
                ));
                continue;
            }
            count += u32::from(*kind == kinds[0]);
            *stored.entry(kind).or_default() += u32::from(is_stored(&case));
        }
    }
    assert!(
        failed.is_empty(),
        "{} cases failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
    // Past the harness, which keeps what a passing test prints.
    let mut lines = format!("\nconformance rust {count}\n");
    for (kind, count) in stored {
        lines.push_str(&format!("contract rust {kind} {count}\n"));
    }
    std::io::stdout()
        .write_all(lines.as_bytes())
        .expect("a standard output");
}

#[tokio::test]
async fn an_altered_expectation_fails() {
    let find = |wanted: &dyn Fn(&Case) -> bool| cases().into_iter().find(wanted).expect("a case");
    let good = find(&|case| case.expect.get("ok").is_some());
    let played = play(&good, "memory:").await;
    assert_eq!(played.judge(&good.expect, None), [""; 0]);
    assert_eq!(played.judge(&altered(&good.expect), None).len(), 1);

    let refused = find(&|case| case.expect.get("error").is_some());
    let played = play(&refused, "memory:").await;
    assert_eq!(played.judge(&refused.expect, None), [""; 0]);
    assert_eq!(played.judge(&altered(&refused.expect), None).len(), 1);

    let receipted = find(&|case| case.receipt.is_some());
    let played = play(&receipted, "memory:").await;
    let receipt = receipted.receipt.as_ref().expect("a receipt");
    assert_eq!(played.judge(&receipted.expect, Some(receipt)), [""; 0]);
    assert_eq!(played.judge(&receipted.expect, Some(&altered(receipt))).len(), 1);

    let mut unasked = good;
    unasked
        .http
        .as_array_mut()
        .expect("exchanges")
        .push(json!({"expect": {"method": "GET", "path": "/never"}, "reply": {}}));
    assert_eq!(
        play(&unasked, "memory:").await.judge(&unasked.expect, None).len(),
        1
    );
}

#[test]
fn every_file_is_as_the_schema_says() {
    let schema = files::read("schema.json");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let mut seen = 0;
    for (name, file) in files::files() {
        let problems: Vec<String> = schema
            .iter_errors(&file)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(problems, [""; 0], "{name}");
        assert_eq!(
            file["operation"]
                .as_str()
                .map(|operation| format!("{operation}.json")),
            Some(name)
        );
        seen += 1;
    }
    assert!(seen > 12, "{seen} files");
    assert!(
        schema
            .validate(&json!({"operation": "gmail.list_messages", "cases": []}))
            .is_err()
    );
}
