//! Row `secrets`: what is secret shows in no sink of any language, though it was really used.
//!
//! A sink is whatever a program's words can end up in: its output and logs at the finest level, with errors and their sources,
//! `repr`, `inspect`, `Debug`, pickles, receipts and panics; and the files of the database, read by another process.

mod canaries;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use memchr::memmem;
use serde_json::json;

pub(super) use canaries::Canaries;

use super::control::{StandIns, Webhook};
use super::program::{self, Running};
use super::row::{Defect, Need, Row, Seen};
use super::stage::Stage;

const LIMIT: Duration = Duration::from_secs(120);

pub(super) const ROW: Row = Row {
    name: "secrets",
    promise: "no token, key or secret leaves the core",
    attack: "seven canaries are used in good and failing calls of three languages; output, logs, errors, reprs, pickles, receipts, panics, database with -wal and -shm are searched",
    needs: &[Need::Python, Need::Node, Need::Programs],
    run,
    defects: &[
        Defect {
            name: "log-credential",
            plants: "the transport logs a request's credential",
            shows_as: "access_token (plain) is in rust: log",
        },
        Defect {
            name: "python-logs-token",
            plants: "the Python program logs an access token that it was given",
            shows_as: "access_token (plain) is in python: log",
        },
        Defect {
            name: "node-pickles-token",
            plants: "the Node program serialises an access token that it was given and prints it in base64",
            shows_as: "access_token (base64) is in node: output",
        },
        Defect {
            name: "planted",
            plants: "a file holds a refresh token, in base64 inside of other text",
            shows_as: "refresh_token (base64) is in planted",
        },
        Defect {
            name: "unused",
            plants: "a secret that no program uses",
            shows_as: "never reached the stand-ins",
        },
    ],
};

/// Where a program's words ended up.
struct Sink {
    name: String,
    bytes: Vec<u8>,
}

fn run(stage: &Stage, defect: Option<&'static str>) -> Result<Seen, String> {
    let canaries = Canaries::fresh();
    let folder = stage.folder("secrets")?;
    let mut seen = Seen::default();
    let mut sinks = Vec::new();
    let mut calls = 0;
    for language in ["rust", "python", "node"] {
        // A defect is planted in one language, and the others are left alone.
        let planted_in = match defect {
            Some("python-logs-token") => Some("python"),
            Some("node-pickles-token") => Some("node"),
            Some(_) => Some("rust"),
            None => None,
        };
        if planted_in.is_some_and(|planted| planted != language) {
            continue;
        }
        // Each has stand-ins of its own: what they saw is what this language used.
        let stand_ins = StandIns::start(&canaries)?;
        let store = folder.join(format!("{language}.db"));
        let mut command = match language {
            "rust" => stage.program("secrets_probe"),
            "python" => stage.python("secrets.py"),
            _ => stage.node("secrets.js"),
        };
        if let Some(leak @ ("log-credential" | "python-logs-token" | "node-pickles-token")) = defect {
            command.arg(leak);
        }
        let found = probe(&mut command, language, &stand_ins, &canaries, &store)?;
        seen.expect(found.len() >= 5, || {
            format!("{language}: the files of the open database were not read")
        });
        sinks.extend(found);
        calls += used(&stand_ins, &canaries, language, defect, &mut seen);
    }
    if defect == Some("planted") {
        use base64::Engine;
        let text = format!("{{\"a\": 1, \"token\": \"{}\"}}", canaries.refresh_token);
        sinks.push(Sink {
            name: "planted".to_owned(),
            bytes: base64::engine::general_purpose::STANDARD
                .encode(text)
                .into_bytes(),
        });
    }
    let needles = canaries.needles();
    let mut searched = 0;
    for sink in &sinks {
        searched += sink.bytes.len();
        for needle in &needles {
            if memmem::find(&sink.bytes, &needle.bytes).is_some() {
                let at = line_with(&sink.bytes, &needle.bytes);
                seen.violation(format!(
                    "{} ({}) is in {}{at}",
                    needle.secret, needle.form, sink.name
                ));
            }
        }
    }
    seen.times = format!("{} sinks", sinks.len());
    seen.fact(format!(
        "{} canaries in {} forms, {} kB searched",
        canaries.named().len(),
        needles.len(),
        searched / 1_000
    ));
    seen.fact(format!("{calls} calls reached the stand-ins with the canaries"));
    Ok(seen)
}

/// Runs one language's probe; what it printed, and the files of its database while they were open.
fn probe(
    command: &mut Command,
    language: &str,
    stand_ins: &StandIns,
    canaries: &Canaries,
    store: &Path,
) -> Result<Vec<Sink>, String> {
    let mut world = stand_ins.world();
    let models = world["models"].clone();
    let provider = |name: &str| json!({"api_key": {"env": "NBHD_PROVE_API_KEY"}, "base_url": models[name]});
    world["router"] = json!({
        "provider": {"openai": provider("openai"), "mistral": provider("mistral")},
        "purpose": {"general": {"chain": ["openai/gpt-4o-mini", "mistral/mistral-small-2603"]}},
        "unbudgeted": true,
    });
    command
        .env("NBHD_PROVE_WORLD", world.to_string())
        .env("NBHD_PROVE_STORE", store);
    for (name, secret) in canaries
        .named()
        .into_iter()
        .filter(|(name, _)| *name != "access_token")
    {
        command.env(format!("NBHD_PROVE_{}", name.to_uppercase()), secret);
    }
    let mut running = program::start(command)?;
    let files = read_open(store, &mut running);
    let ended = running.wait(LIMIT)?;
    if !ended.ok() {
        return Err(format!("{language}: {}", ended.how()));
    }
    let mut sinks = vec![
        Sink {
            name: format!("{language}: output"),
            bytes: ended.stdout.into_bytes(),
        },
        Sink {
            name: format!("{language}: log"),
            bytes: ended.stderr.into_bytes(),
        },
    ];
    for (file, bytes) in files {
        sinks.push(Sink {
            name: format!("{language}: {file}"),
            bytes,
        });
    }
    Ok(sinks)
}

/// Reads database, log and index while the probe has them open, then lets it go on.
fn read_open(store: &Path, probe: &mut Running) -> Vec<(String, Vec<u8>)> {
    let beside = |end: &str| PathBuf::from(format!("{}{end}", store.display()));
    let began = Instant::now();
    while !beside(".ready").exists() && began.elapsed() < LIMIT && !probe.has_ended() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let files = ["", "-wal", "-shm"]
        .iter()
        .filter_map(|end| {
            let bytes = std::fs::read(beside(end))
                .ok()
                .filter(|bytes| !bytes.is_empty())?;
            Some((format!("database{end}"), bytes))
        })
        .collect();
    let _ = std::fs::write(beside(".go"), "");
    files
}

/// How many calls came with the canaries; one that never came is a violation: nothing was proved about it.
fn used(
    stand_ins: &StandIns,
    canaries: &Canaries,
    language: &str,
    defect: Option<&str>,
    seen: &mut Seen,
) -> usize {
    let inner = stand_ins.inner();
    let google = inner.google.log();
    let (models, telegram) = (inner.models.log().calls(), inner.telegram.server().log().calls());
    let api_key = if defect == Some("unused") {
        "sk-nobody"
    } else {
        &canaries.api_key
    };
    let bearer = format!("Bearer {api_key}");
    let webhooks = stand_ins.webhooks();
    let verified = |status: u64| {
        let of = |webhook: &&Webhook| {
            webhook.secret == canaries.webhook_secret && webhook.statuses.contains(&status)
        };
        webhooks.iter().filter(of).count()
    };
    seen.expect(verified(401) > 0, || {
        format!("{language}: a webhook call with another secret was not refused")
    });
    let counts = [
        (
            "refresh_token",
            google
                .iter()
                .filter(|call| call.refresh_token.as_deref() == Some(&canaries.refresh_token))
                .count(),
        ),
        (
            "client_secret",
            google
                .iter()
                .filter(|call| call.client_secret.as_deref() == Some(&canaries.client_secret))
                .count(),
        ),
        ("webhook_secret", verified(200)),
        (
            "access_token",
            google
                .iter()
                .filter(|call| {
                    let bearer = call.bearer.as_deref();
                    bearer.is_some_and(|bearer| bearer.starts_with(&canaries.access_token))
                })
                .count(),
        ),
        (
            "api_key",
            models
                .iter()
                .filter(|call| call.header("authorization") == Some(&bearer))
                .count(),
        ),
        (
            "bot_token",
            telegram
                .iter()
                .filter(|call| call.path.contains(&canaries.bot_token))
                .count(),
        ),
    ];
    for (name, count) in counts {
        seen.expect(count > 1, || {
            format!("{language}: {name} never reached the stand-ins")
        });
    }
    counts.iter().map(|(_, count)| count).sum()
}

/// The line in which it stands, shortened and without the needle: enough to find the place.
fn line_with(bytes: &[u8], needle: &[u8]) -> String {
    let Some(at) = memmem::find(bytes, needle) else {
        return String::new();
    };
    let from = bytes[..at]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let before = String::from_utf8_lossy(&bytes[from..at]);
    if before.contains('\0') {
        return String::new();
    }
    let short: String = before
        .chars()
        .rev()
        .take(60)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    format!(", after \"{short}\"")
}
