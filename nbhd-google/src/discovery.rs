//! Every request that we build, against Google's own description of its APIs.

use std::collections::BTreeSet;

use nbhd_core::http::Request;
use serde_json::Value;

use crate::credentials::{Method, full};
use crate::{calendar, gmail};

#[test]
fn gmail_requests_are_what_the_discovery_document_describes() {
    let Some(document) = document("gmail.v1.json") else {
        return;
    };
    for (method, request) in gmail::samples() {
        check(&document, method, &request);
    }
}

#[test]
fn calendar_requests_are_what_the_discovery_document_describes() {
    let Some(document) = document("calendar.v3.json") else {
        return;
    };
    for (method, request) in calendar::samples() {
        check(&document, method, &request);
    }
}

#[test]
fn the_scope_table_is_that_of_the_discovery_documents() {
    for (name, methods) in [
        ("gmail.v1.json", gmail::METHODS),
        ("calendar.v3.json", calendar::METHODS),
    ] {
        let Some(document) = document(name) else { return };
        let mut complete = BTreeSet::new();
        for method in methods {
            let described = find(&document, method.id);
            let accepted: BTreeSet<&str> = described["scopes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|scope| scope.as_str().unwrap())
                .collect();
            // The scopes of add-ons hold while an add-on is open, never for a server.
            let accepted: BTreeSet<&str> = accepted
                .into_iter()
                .filter(|scope| !scope.contains("gmail.addons."))
                .collect();
            let ours: BTreeSet<String> = method.scopes.iter().map(|scope| full(scope)).collect();
            assert!(
                ours.iter().all(|scope| accepted.contains(scope.as_str())),
                "{}",
                method.id
            );
            assert!(
                ours.contains(method.ask),
                "{} asks for what does not help",
                method.id
            );
            if ours.len() == accepted.len() {
                complete.insert(method.id);
            } else {
                // A narrower row of the same method: metadata alone neither searches nor reads bodies.
                let left_out: Vec<_> = accepted.iter().filter(|scope| !ours.contains(**scope)).collect();
                assert_eq!(
                    left_out,
                    [&"https://www.googleapis.com/auth/gmail.metadata"],
                    "{}",
                    method.id
                );
            }
        }
        let all: BTreeSet<&str> = methods.iter().map(|method| method.id).collect();
        let never_complete: Vec<_> = all.difference(&complete).collect();
        assert!(never_complete.is_empty(), "{never_complete:?}");
    }
}

fn document(name: &str) -> Option<Value> {
    let Some(fixtures) = nbhd_core::testkit::shared_fixtures() else {
        println!("skipped: shared fixtures are not here");
        return None;
    };
    #[expect(clippy::disallowed_methods, reason = "a test reads a fixture in its place")]
    let text = std::fs::read_to_string(fixtures.join("google/discovery").join(name)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

fn find<'a>(node: &'a Value, id: &str) -> &'a Value {
    fn search<'a>(node: &'a Value, id: &str) -> Option<&'a Value> {
        let mut own = node["methods"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, method)| method);
        own.find(|method| method["id"] == id).or_else(|| {
            node["resources"]
                .as_object()?
                .values()
                .find_map(|resource| search(resource, id))
        })
    }
    search(node, id).unwrap_or_else(|| panic!("the document has no {id}"))
}

fn check(document: &Value, method: &Method, request: &Request) {
    let described = find(document, method.id);
    let id = method.id;
    assert_eq!(request.label, method.label);
    assert_eq!(request.method.as_str(), described["httpMethod"], "{id}");

    let template = format!(
        "/{}{}",
        document["servicePath"].as_str().unwrap(),
        described["path"].as_str().unwrap()
    );
    let (wanted, ours): (Vec<&str>, Vec<&str>) = (
        template.split('/').collect(),
        request.url.path().split('/').collect(),
    );
    assert_eq!(
        wanted.len(),
        ours.len(),
        "{id}: {} is not {template}",
        request.url.path()
    );
    for (wanted, ours) in wanted.iter().zip(&ours) {
        match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => assert_eq!(described["parameters"][name]["location"], "path", "{id} {name}"),
            None => assert_eq!(wanted, ours, "{id}"),
        }
    }

    let mut seen = BTreeSet::new();
    for (name, value) in request.url.query_pairs() {
        let parameter = &described["parameters"][&*name];
        assert_eq!(parameter["location"], "query", "{id} knows no {name}");
        assert!(
            seen.insert(name.to_string()) || parameter["repeated"] == true,
            "{id}: {name} twice"
        );
        scalar(
            parameter,
            &Value::String(value.to_string()),
            &format!("{id} {name}"),
        );
    }
    for (name, parameter) in described["parameters"].as_object().into_iter().flatten() {
        let given = seen.contains(name) || parameter["location"] == "path";
        assert!(given || parameter["required"] != true, "{id} needs {name}");
    }

    match described["request"]["$ref"].as_str() {
        None => assert!(request.body.is_empty(), "{id} takes no body"),
        Some(name) => {
            let body: Value = serde_json::from_slice(request.body.bytes()).unwrap();
            schema(
                document,
                &document["schemas"][name],
                &body,
                &format!("{id} {name}"),
            );
        }
    }
}

/// A value written as text, of the type that a parameter has.
fn scalar(parameter: &Value, value: &Value, place: &str) {
    let text = value.as_str().unwrap();
    match parameter["type"].as_str().unwrap() {
        "integer" => assert!(text.parse::<u32>().is_ok(), "{place}: {text}"),
        "boolean" => assert!(text == "true" || text == "false", "{place}: {text}"),
        "string" => {}
        other => panic!("{place}: a parameter of type {other}"),
    }
    if let Some(allowed) = parameter["enum"].as_array() {
        assert!(allowed.iter().any(|word| word == text), "{place}: {text}");
    }
    if parameter["format"] == "date-time" {
        assert!(
            chrono::DateTime::parse_from_rfc3339(text).is_ok(),
            "{place}: {text}"
        );
    }
}

fn schema(document: &Value, wanted: &Value, value: &Value, place: &str) {
    if let Some(name) = wanted["$ref"].as_str() {
        return schema(document, &document["schemas"][name], value, place);
    }
    match wanted["type"].as_str().unwrap() {
        "object" => {
            for (name, value) in value
                .as_object()
                .unwrap_or_else(|| panic!("{place} is an object"))
            {
                let property = &wanted["properties"][name];
                assert!(property.is_object(), "{place} knows no {name}");
                schema(document, property, value, &format!("{place}.{name}"));
            }
        }
        "array" => {
            for value in value.as_array().unwrap_or_else(|| panic!("{place} is an array")) {
                schema(document, &wanted["items"], value, place);
            }
        }
        "string" => scalar(wanted, value, place),
        "integer" => assert!(value.is_i64(), "{place}"),
        "boolean" => assert!(value.is_boolean(), "{place}"),
        other => panic!("{place}: a property of type {other}"),
    }
}
