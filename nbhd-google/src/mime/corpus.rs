//! Our reading against four independent parsers, over public mail that nobody here wrote.
//!
//! `consensus.jsonl` holds, per message and field, what at least three of the four agree on. The bar per field is what the
//! best of the four reaches; the table is printed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::message::BodyOptions;
use super::{part, payload, raw, steps};

fn fixtures() -> Option<PathBuf> {
    let shared = std::env::var_os("NBHD_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
        PathBuf::from,
    );
    let found = Some(shared.join("fixtures")).filter(|path| path.is_dir());
    if found.is_none() {
        println!("skipped: shared fixtures are not here");
    }
    found
}

/// All mail of the corpus, by its path.
fn messages() -> Vec<(String, Vec<u8>)> {
    let Some(root) = fixtures().map(|path| path.join("mime")) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(&root)
                    .expect("below the root")
                    .to_string_lossy()
                    .into_owned();
                #[allow(clippy::disallowed_methods, reason = "a test reads its fixtures")]
                found.push((name, std::fs::read(&path).expect("a readable file")));
            }
        }
    }
    found.sort();
    found
}

struct Row {
    file: String,
    agree: serde_json::Map<String, Value>,
    dissent: BTreeMap<String, String>,
}

fn rows() -> Vec<Row> {
    let Some(root) = fixtures() else { return Vec::new() };
    #[allow(clippy::disallowed_methods, reason = "a test reads its fixtures")]
    let text = std::fs::read_to_string(root.join("mime/consensus.jsonl")).expect("the consensus");
    text.lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).expect("a JSON line");
            Row {
                file: row["file"].as_str().expect("a file").to_owned(),
                agree: row["agree"].as_object().expect("agreed values").clone(),
                dissent: row
                    .get("dissent")
                    .map(|value| serde_json::from_value(value.clone()).expect("names"))
                    .unwrap_or_default(),
            }
        })
        .collect()
}

/// Where we read more than three of the four do, on purpose: file, field, how ours begins.
const BETTER: &[(&str, &str, &str)] = &[
    // The container's header lacks a semicolon; the image in it is there all the same, and one of the four finds it too.
    (
        "stalwart-mail-parser/eml/malformed/017.eml",
        "att",
        r#"[["", "image/png"]]"#,
    ),
    // `Content-Type: text` without a subtype; the body says "I hope you can still read it".
    ("cpython/msg_14.txt", "text", "Some(\"Hi,"),
    // A container that holds plain prose and no delimiter.
    ("cpython/msg_17.txt", "text", "Some(\"Hi there,"),
];

fn normal(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
        .trim()
        .to_owned()
}

fn same_text(expected: &Value, ours: Option<&str>) -> bool {
    let ours = ours.map(normal).filter(|text| !text.is_empty());
    match expected {
        Value::Null => ours.is_none(),
        Value::String(text) => ours.as_deref().unwrap_or_default() == normal(text),
        long => {
            let prefix = normal(long["prefix"].as_str().expect("a prefix"));
            ours.is_some_and(|ours| ours.starts_with(&prefix))
        }
    }
}

fn judge(field: &str, expected: &Value, bytes: &[u8]) -> Result<bool, String> {
    raw::with_parsed(bytes, |message| judge_message(field, expected, message))
        .unwrap_or_else(|_| Err("not parsed".to_owned()))
}

fn judge_message(field: &str, expected: &Value, message: &mail_parser::Message<'_>) -> Result<bool, String> {
    let card = raw::card(message, 0);
    let tree = raw::tree(message, 0, String::new(), 0);
    let body = part::read(
        &tree,
        BodyOptions {
            split: false,
            max_chars: usize::MAX,
        },
    );
    let (same, ours) = match field {
        "subject" => (
            normal(expected.as_str().unwrap_or_default())
                == normal(card.subject.as_deref().unwrap_or_default()),
            format!("{:?}", card.subject),
        ),
        "from" => {
            let ours: Vec<Vec<String>> = card
                .from
                .iter()
                .map(|from| vec![from.name.clone(), from.email.to_lowercase()])
                .collect();
            (
                serde_json::to_value(&ours).expect("strings") == *expected,
                format!("{ours:?}"),
            )
        }
        "date" => {
            let ours = card
                .date
                .as_deref()
                .and_then(|date| chrono::DateTime::parse_from_rfc3339(date).ok())
                .map(|date| date.timestamp());
            (ours == expected.as_i64(), format!("{ours:?}"))
        }
        "text" => {
            let text = Some(body.text).filter(|_| body.source == super::TextSource::Plain);
            (same_text(expected, text.as_deref()), format!("{text:.200?}"))
        }
        "html" => {
            let html = part::html_source(&tree);
            (same_text(expected, html.as_deref()), format!("{html:.200?}"))
        }
        "att" => {
            let mut ours: Vec<Vec<String>> = body
                .attachments
                .iter()
                .map(|att| vec![att.filename.clone(), att.mime_type.clone()])
                .collect();
            ours.sort();
            (
                serde_json::to_value(&ours).expect("strings") == *expected,
                format!("{ours:?}"),
            )
        }
        other => panic!("unknown field {other}"),
    };
    if same { Ok(true) } else { Err(ours) }
}

#[test]
#[allow(clippy::type_complexity, reason = "a table of one test")]
fn as_good_as_the_best_of_four_parsers() {
    let Some(root) = fixtures() else { return };
    let rows = rows();
    assert_eq!(rows.len(), 145, "the consensus has 145 messages");
    let peers = ["mailparser", "postal-mime", "python-email", "rust-mail-parser"];
    let mut table: BTreeMap<String, (usize, usize, BTreeMap<&str, usize>, usize)> = BTreeMap::new();
    for row in &rows {
        #[allow(clippy::disallowed_methods, reason = "a test reads its fixtures")]
        let bytes = std::fs::read(root.join("mime").join(&row.file)).expect("the message");
        for (field, expected) in &row.agree {
            let entry = table.entry(field.clone()).or_default();
            entry.0 += 1;
            match judge(field, expected, &bytes) {
                Ok(_) => entry.1 += 1,
                Err(ours)
                    if BETTER.iter().any(|(file, of, begin)| {
                        *file == row.file && of == field && ours.starts_with(begin)
                    }) =>
                {
                    entry.3 += 1;
                }
                Err(ours) => println!(
                    "{} {field}: expected {:.200}, ours {ours}; dissent {:?}",
                    row.file,
                    expected.to_string(),
                    row.dissent.get(field)
                ),
            }
            for peer in peers {
                *entry.2.entry(peer).or_default() +=
                    usize::from(row.dissent.get(field).map(String::as_str) != Some(peer));
            }
        }
    }
    println!(
        "{:<8} {:>6} {:>6} {:>6}  peers",
        "field", "cases", "ours", "better"
    );
    for (field, (cases, ours, peers, better)) in &table {
        println!("{field:<8} {cases:>6} {ours:>6} {better:>6}  {peers:?}");
    }
    for (field, (_, ours, peers, better)) in &table {
        let best = peers.values().max().expect("four peers");
        assert!(
            ours + better >= *best,
            "{field}: {ours} agree, the best of four reaches {best}"
        );
    }
}

#[cfg(feature = "testkit")]
#[test]
fn a_payload_reads_like_the_raw_message() {
    let mut compared = 0;
    for row in rows() {
        let path = fixtures().expect("there").join("mime").join(&row.file);
        #[allow(clippy::disallowed_methods, reason = "a test reads its fixtures")]
        let bytes = std::fs::read(path).expect("the message");
        let Ok(direct) = super::from_raw(&bytes) else {
            continue;
        };
        let json = serde_json::to_vec(&super::to_gmail_payload(&bytes).expect("a payload")).expect("JSON");
        let through = super::from_gmail_json(&json, BodyOptions::default()).expect("a message");
        assert_eq!(through.body.text, direct.body.text, "{}", row.file);
        assert_eq!(through.body.quoted, direct.body.quoted, "{}", row.file);
        assert_eq!(through.body.attachments, direct.body.attachments, "{}", row.file);
        assert_eq!(through.body.invitation, direct.body.invitation, "{}", row.file);
        assert_eq!(
            through.header.subject.as_deref().map(normal),
            direct.header.subject.as_deref().map(normal),
            "{}",
            row.file
        );
        assert_eq!(through.header.date, direct.header.date, "{}", row.file);
        for attachment in &direct.body.attachments {
            assert!(
                super::part_bytes(&bytes, &attachment.part_id).is_some(),
                "{} {}",
                row.file,
                attachment.part_id
            );
        }
        compared += 1;
    }
    println!("{compared} messages compared");
    assert!(compared == 0 || compared >= 140, "{compared}");
}

#[test]
fn no_input_of_the_corpus_is_hard_work() {
    let mut hardest = (0.0, String::new());
    for (name, bytes) in messages() {
        let is_html = std::path::Path::new(&name)
            .extension()
            .is_some_and(|end| end == "html");
        let ((), steps) = steps::of(|| {
            let _ = super::from_raw(&bytes);
            if is_html {
                let _ = super::html_to_text(&String::from_utf8_lossy(&bytes));
            }
        });
        assert!(
            steps <= steps::most(bytes.len()),
            "{name}: {steps} steps for {} bytes",
            bytes.len()
        );
        let each = steps as f64 / bytes.len().max(1) as f64;
        if bytes.len() > 1_000 && each > hardest.0 {
            hardest = (each, name);
        }
    }
    println!("at most {:.1} looks at a byte, {}", hardest.0, hardest.1);
}

#[test]
fn replies_are_split_as_other_projects_expect() {
    let Some(root) = fixtures().map(|path| path.join("reply")) else {
        return;
    };
    #[allow(clippy::disallowed_methods, reason = "a test reads its fixtures")]
    let cases = std::fs::read_to_string(root.join("cases.jsonl")).expect("the cases");
    let (mut passed, mut all) = (0, 0);
    for line in cases.lines() {
        let case: Value = serde_json::from_str(line).expect("a JSON line");
        let file = case["file"].as_str().expect("a file");
        #[allow(clippy::disallowed_methods, reason = "a test reads its fixtures")]
        let text = std::fs::read_to_string(root.join(file)).expect("the text");
        let (split, steps) = steps::of(|| super::split_reply(&text));
        all += 1;
        let good = match &case["expected"] {
            Value::String(expected) => split.text.trim() == expected.trim(),
            // The other project gives it a second: here nobody looks at the watch.
            _ => steps <= steps::most(text.len()),
        };
        if good {
            passed += 1;
        } else {
            println!(
                "{file}: {:?} instead of {}, in {steps} steps",
                split.text, case["expected"]
            );
        }
    }
    println!("{passed} of {all} reply cases");
    assert_eq!((passed, all), (13, 13));
}

#[test]
fn payload_text_without_a_body_is_reported() {
    let json = br#"{"payload":{"partId":"","mimeType":"multipart/mixed","parts":[
        {"partId":"0","mimeType":"text/plain","body":{"attachmentId":"x","size":900000}},
        {"partId":"1","mimeType":"application/pdf","filename":"a.pdf","body":{"attachmentId":"y","size":7}}]}}"#;
    let message = payload::from_gmail_json(json, BodyOptions::default()).expect("a message");
    assert_eq!(message.body.not_inlined, ["0"]);
    assert_eq!(message.body.attachments.len(), 1);
    assert_eq!(
        (
            message.body.attachments[0].filename.as_str(),
            message.body.attachments[0].size
        ),
        ("a.pdf", 7)
    );
    assert!(payload::from_gmail_json(b"[1", BodyOptions::default()).is_err());
}
