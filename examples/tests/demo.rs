//! The demo, as a user runs it: over the sample, over real mail and calendars, over everything that is wrong.

mod support;

use std::net::TcpListener;

use serde_json::{Value, json};
use support::{Folder, demo, document};

fn window<'d>(document: &'d Value, scope: &str) -> &'d Value {
    let windows = document["spend"].as_array().expect("windows");
    windows
        .iter()
        .find(|window| window["scope"] == scope)
        .expect("the scope")
}

fn amount(value: &Value) -> i64 {
    value.as_i64().expect("an amount")
}

#[test]
fn the_sample_becomes_a_brief_that_costs_what_was_billed() {
    let document = document(&demo(["--json"]));
    let written = &document["turns"][0]["written"];
    let brief = &written["brief"];

    // What stands in the sample: read, sorted, checked.
    let subjects: Vec<&str> = brief["inbox"]["unread"]
        .as_array()
        .expect("messages")
        .iter()
        .filter_map(|message| message["subject"].as_str())
        .collect();
    assert!(subjects.contains(&"見本の発送について"), "{subjects:?}");
    assert!(
        subjects.contains(&"Re: Offer for the harbour office"),
        "{subjects:?}"
    );
    let conflict = &brief["calendar"]["conflicts"][0];
    assert_eq!(conflict["refs"].as_array().map(Vec::len), Some(2));
    for action in brief["actions"].as_array().expect("actions") {
        let reference = action["source_ref"].as_str().expect("a reference");
        assert!(
            reference.starts_with("gmail:") || reference.starts_with("gcal:"),
            "{reference}"
        );
    }
    assert!(!brief["actions"].as_array().expect("actions").is_empty());
    assert_eq!(written["author"]["by"], "model");
    assert_eq!(written["found"]["gaps"], json!([]));

    // One refresh, in the receipt of the call that needed it first.
    let receipts = document["receipts"].as_array().expect("receipts");
    let refreshes = |receipt: &&Value| {
        let attempts = receipt["attempts"].as_array().into_iter().flatten();
        attempts
            .filter(|attempt| attempt["label"] == "google.token")
            .count()
            > 0
            && receipt["operation"] != "google.connect"
    };
    assert_eq!(receipts.iter().filter(refreshes).count(), 1);
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt["operation"] != "google.refresh_token")
    );

    assert_eq!(document["token_refreshes"], 1);

    // The first model throttled, the other one answered as a stream.
    let attempts = &written["author"]["answer"]["attempts"];
    assert_eq!(
        (&attempts[0]["provider"], &attempts[0]["status"]),
        (&json!("openai"), &json!(429))
    );
    assert_eq!(
        (&attempts[1]["provider"], &attempts[1]["outcome"]),
        (&json!("mistral"), &json!("ok"))
    );
    assert_eq!(attempts[0]["settled"], 0);
    assert!(amount(&attempts[1]["held"]) >= amount(&attempts[1]["settled"]));

    // Settled is what the stand-in billed, by its own count; nothing is left held.
    let bill = amount(&document["bill"]["nano_usd"]);
    assert!(bill > 0);
    for scope in ["tenant:42", "global"] {
        let window = window(&document, scope);
        assert_eq!(amount(&window["settled"]), bill);
        assert_eq!((&window["held"], &window["provisional"]), (&json!(0), &json!(0)));
        assert_eq!(amount(&window["remaining"]), amount(&window["cap"]) - bill);
    }

    // The second delivery of the update runs nothing; the answer names its message.
    let webhook = document["webhook"].as_array().expect("calls");
    let told: Vec<(&Value, &Value)> = webhook
        .iter()
        .map(|call| (&call["status"], &call["turns"]))
        .collect();
    assert_eq!(told, [(&json!(200), &json!(1)), (&json!(200), &json!(0))]);
    let sent = &document["turns"][0]["sent"];
    assert_eq!(sent["outcome"], "sent");
    assert!(sent["delivery"]["parts"][0]["message_id"].is_string());
    assert_eq!(document["conversation"][0]["from"], "you");
    let said = document["conversation"][1]["text"].as_str().expect("an answer");
    assert!(
        said.contains("Inbox") && said.contains("Calendar") && said.contains("stand-in"),
        "{said}"
    );
}

#[test]
fn in_a_pipe_it_is_plain_text() {
    let output = demo(Vec::<String>::new());
    assert!(output.status.success());
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.contains('\u{1b}'));
    for part in [
        "7 messages found, 7 parsed",
        "nothing ran",
        "Conversation",
        "Receipts",
        "gmail.list_messages",
        "401, then", // of the calls at once, one refreshes; whether others meet the 401 too is a matter of moments
        "Spend (USD)",
        "tenant:42",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn a_store_that_stays_goes_on() {
    let folder = Folder::new("store");
    let store = folder.0.join("state.db");
    let run = || document(&demo(["--json".as_ref(), "--store".as_ref(), store.as_os_str()]));
    let (first, second) = (run(), run());
    let spent = |document: &Value| amount(&window(document, "tenant:42")["settled"]);
    assert_eq!(spent(&first), amount(&first["bill"]["nano_usd"]));
    assert_eq!(
        spent(&second),
        spent(&first) + amount(&second["bill"]["nano_usd"])
    );
    assert_eq!(second["turns"][0]["sent"]["outcome"], "sent");
}

#[test]
fn what_is_wrong_is_said_in_one_sentence() {
    let folder = Folder::new("bad");
    let path = |path: std::path::PathBuf| path.to_str().expect("a path in UTF-8").to_owned();
    let absent = path(folder.0.join("absent"));
    let notes = path(folder.file("notes.txt", "no mail\n"));
    let text = path(folder.file("text.ics", "no calendar\n"));
    let half = path(folder.file("half.ics", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n"));
    let here = path(folder.0.clone());
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let cases: &[(&[&str], &str)] = &[
        (&["--mailbox", &absent], "cannot read the mailbox"),
        (&["--mailbox", &notes], "is no mailbox"),
        (&["--mailbox", &here], "holds no mail"),
        (&["--calendar", &absent], "cannot read the calendar"),
        (&["--calendar", &here], "it is a folder"),
        (&["--calendar", &text], "is broken"),
        (&["--calendar", &half], "is broken"),
        (&["--live", "gmail"], "GOOGLE_CLIENT_ID, which is not set"),
        (&["--live", "openai"], "OPENAI_API_KEY, which is not set"),
        (&["--live", "telegram"], "TELEGRAM_BOT_TOKEN, which is not set"),
        (&["--port", &port], "another program uses it"),
        (&["--model", "nobody"], "--model takes"),
        (&["--store", &notes], "cannot use the store"),
        (&["--time-zone", "Nowhere/Land"], "Nowhere/Land"),
        (&["--question", " "], "--question is empty"),
    ];
    for (arguments, sentence) in cases {
        let output = demo(*arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        assert!(said.contains(sentence), "{arguments:?}: {said}");
    }
}

#[test]
fn a_broken_message_is_skipped_and_an_empty_calendar_is_one() {
    let folder = Folder::new("half");
    let mail = Folder::new("half-mail");
    mail.file(
        "1.eml",
        "From: A <a@example.com>\nSubject: Good\nDate: Mon, 16 Nov 2026 09:00:00 +0000\n\nPlease answer.\n",
    );
    mail.file("2.eml", "this is no header field\n\nat all\n");
    let calendar = folder.file(
        "empty.ics",
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nEND:VCALENDAR\r\n",
    );
    let arguments = [
        "--json".as_ref(),
        "--mailbox".as_ref(),
        mail.0.as_os_str(),
        "--calendar".as_ref(),
        calendar.as_os_str(),
    ];
    let document = document(&demo(arguments));
    let mailbox = &document["data"]["mailbox"];
    assert_eq!(mailbox["parsed"], 1, "{mailbox}");
    let skipped = mailbox["skipped"][0].as_object().expect("a skipped message");
    assert!(
        skipped["path"]
            .as_str()
            .is_some_and(|path| path.ends_with("2.eml"))
    );
    assert!(
        skipped["reason"]
            .as_str()
            .is_some_and(|reason| !reason.is_empty())
    );
    assert_eq!(document["data"]["calendar"]["found"], 0);
    assert_eq!(document["turns"][0]["written"]["found"]["busy_minutes"], 0);
}

#[test]
fn real_mail_that_nobody_here_wrote() {
    let Some(fixtures) = nbhd_core::testkit::shared_fixtures() else {
        println!("skipped: shared fixtures are not here");
        return;
    };
    let folder = fixtures.join("mime");
    let document = document(&demo([
        "--json".as_ref(),
        "--mailbox".as_ref(),
        folder.as_os_str(),
    ]));
    let mailbox = &document["data"]["mailbox"];
    let named = |list: &str| -> Vec<String> {
        let paths = mailbox[list].as_array().expect("a list").iter();
        paths
            .filter_map(|entry| entry["path"].as_str().map(str::to_owned))
            .collect()
    };
    let (sources, skipped) = (named("sources"), named("skipped"));
    let consensus = std::fs::read_to_string(folder.join("consensus.jsonl")).expect("the list of messages");
    let mut found = 0;
    for line in consensus.lines() {
        let entry: Value = serde_json::from_str(line).expect("JSON");
        let path = folder.join(entry["file"].as_str().expect("a file"));
        let path = path.to_str().expect("a path in UTF-8").to_owned();
        assert!(sources.contains(&path) || skipped.contains(&path), "{path}");
        found += 1;
    }
    assert_eq!(found, 145);
    assert_eq!(document["turns"][0]["sent"]["outcome"], "sent");
    println!("{found} messages found, {} files hold mail", sources.len());
}

#[test]
fn the_quickstart_says_what_it_did() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_quickstart"))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success());
    assert!(
        said.contains("The offer (gmail:") && said.contains(" USD)"),
        "{said}"
    );
}
