//! A turn that is killed and begun again: `cargo prove` attacks every point, this some of them.
#![cfg(unix)]

mod support;

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use serde_json::{Value, json};
use support::{Folder, StandIns};

struct Stage {
    folder: Folder,
    stand_ins: StandIns,
}

impl Stage {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let mut stand_ins = StandIns::start(&folder.0.join("log.jsonl"));
        folder.file("world.json", &stand_ins.world);
        let said = stand_ins.ask(&json!({"say": {"chat": 42, "text": "What needs my attention today?"}}));
        folder.file("call.json", said["call"].to_string());
        Self { folder, stand_ins }
    }

    fn turn(&self, store: &str, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_turn"));
        for (name, file) in [
            ("--world", "world.json"),
            ("--call", "call.json"),
            ("--store", store),
        ] {
            command.arg(name).arg(self.folder.0.join(file));
        }
        command.args(more).output().expect("the turn runs")
    }

    fn messages(&mut self) -> usize {
        let told = self.stand_ins.ask(&json!({"messages": {"service": "telegram"}}));
        told["messages"].as_array().expect("messages").len()
    }

    fn logged(&self, kind: &str) -> Vec<Value> {
        let log = std::fs::read_to_string(self.folder.0.join("log.jsonl")).expect("the log");
        let lines = log.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        lines.filter(|line: &Value| line["kind"] == kind).collect()
    }
}

fn line(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("one line of JSON")
}

#[test]
fn killed_and_begun_again_it_says_one_thing_once() {
    let mut stage = Stage::new("turn");
    let whole = line(&stage.turn("whole.db", &["--count-points"]));
    assert_eq!((&whole["handled"], &whole["pending"]), (&json!(1), &json!(0)));
    assert_eq!(whole["deliveries"][0]["outcome"], "sent");
    assert_eq!((stage.messages(), stage.logged("message").len()), (1, 1));
    let bill: i64 = stage
        .logged("bill")
        .iter()
        .filter_map(|entry| entry["nano_usd"].as_i64())
        .sum();
    assert_eq!(whole["spend"][0]["settled"], bill);
    let passed: Vec<&str> = whole["passed"]
        .as_array()
        .expect("points")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    // The last request is the answer itself. A stream's end may or may not be read, so a point is not at the same place in every
    // run: those around the send are called by their names.
    let send = passed
        .iter()
        .rposition(|point| *point == "request.write.before")
        .expect("a request")
        + 1;
    let by_name = |at: usize| {
        let name = passed[at - 1];
        let times = passed[..at].iter().filter(|point| **point == name).count();
        ["--kill-point".to_owned(), format!("{name}:{times}")]
    };
    let mut plans = vec![["--kill-at".to_owned(), (send - 30).to_string()]];
    plans.extend([send - 3, send, send + 1, send + 2, send + 3, send + 5].map(by_name));
    let mut told = Vec::new();
    for plan in plans {
        let at = &plan[1];
        let store = format!("killed-{at}.db").replace(':', "-");
        let before = stage.messages();
        let killed = stage.turn(&store, &[&plan[0], at]);
        assert_eq!(killed.status.signal(), Some(9), "at {at}");
        let again = line(&stage.turn(&store, &["--clock-offset", "3600"]));
        assert_eq!(again["pending"], 0, "at {at}: {again}");
        let arrived = stage.messages() - before;
        match again["deliveries"][0]["outcome"].as_str() {
            Some("unknown") => assert!(arrived <= 1, "at {at}: {again}"),
            Some("sent") | None => assert_eq!(arrived, 1, "at {at}: {again}"),
            other => panic!("at {at}: {other:?}"),
        }
        told.push(
            again["deliveries"][0]["outcome"]
                .as_str()
                .unwrap_or("done")
                .to_owned(),
        );
        let third = line(&stage.turn(&store, &["--clock-offset", "7200"]));
        assert_eq!(
            (&third["handled"], stage.messages() - before),
            (&json!(0), arrived)
        );
    }
    assert!(
        told.iter().any(|told| told == "sent") && told.iter().any(|told| told == "unknown"),
        "{told:?}"
    );
}

#[test]
fn a_planted_defect_shows() {
    let mut stage = Stage::new("defect");
    line(&stage.turn("twice.db", &["--sabotage", "send-twice"]));
    assert_eq!(stage.messages(), 2);
}
