//! Audit events and run records: one entry whichever way it ends, and nothing in it that was not to be there.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test reads what it wrote, and stops where it cannot"
)]

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nbhd_core::audit::{
    AuditEvent, Audited, CallbackJournal, FileJournal, Journal, MemoryJournal, Run, RunRecord, RunStatus,
};
use nbhd_core::clock::FakeClock;
use nbhd_core::{Code, Error, Host, Result};
use serde_json::json;

type Stage = (
    Host,
    Arc<FakeClock>,
    Arc<MemoryJournal<AuditEvent>>,
    Arc<MemoryJournal<RunRecord>>,
);

fn host() -> Stage {
    let clock = Arc::new(FakeClock::at("2026-11-21T08:00:00Z".parse().unwrap()));
    let (audit, runs) = (
        Arc::new(MemoryJournal::default()),
        Arc::new(MemoryJournal::default()),
    );
    let host = Host::builder_at("memory:", Some(clock.clone()))
        .unwrap()
        .with_audit(audit.clone())
        .with_runs(runs.clone())
        .build();
    (host, clock, audit, runs)
}

fn path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("nbhd-audit-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

fn lines(path: &std::path::Path) -> Vec<AuditEvent> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[test]
fn every_action_leaves_one_event_and_no_value() {
    let (host, clock, audit, _) = host();
    let parameters = json!({"to": "canary-parameter", "auth": {"token": "canary-secret"}});
    let begin = || Audited::begin(&host, "canary-actor", "mail.send", &parameters);

    let entry = begin();
    clock.advance(Duration::from_millis(1_500));
    entry.end(&Ok(())).unwrap();
    let refused: Result<()> = Err(Error::new(Code::AddressDenied, "canary-message"));
    begin().end(&refused).unwrap();
    drop(begin());

    let events = audit.all();
    let told: Vec<&str> = events.iter().map(|event| event.outcome.as_str()).collect();
    assert_eq!(told, ["ok", "address_denied", "cancelled"]);
    assert_eq!(events[0].at, "2026-11-21T08:00:00Z");
    assert!((events[0].seconds - 1.5).abs() < 1e-9);
    assert!(events.iter().all(|event| event.actor == events[0].actor));
    assert!(
        events
            .iter()
            .all(|event| event.parameters_hash == events[0].parameters_hash)
    );
    assert_ne!(events[0].id, events[1].id);
    assert!(!serde_json::to_string(&events).unwrap().contains("canary"));
}

#[test]
fn a_run_is_written_when_it_begins_and_however_it_ends() {
    let (host, clock, _, runs) = host();
    let mut run = Run::begin(&host, "brief", "nightly").unwrap();
    run.add_artifact("out/brief.md");
    clock.advance(Duration::from_secs(2));
    let record = run.end(&Ok(())).unwrap();
    assert_eq!(record.status, RunStatus::Succeeded);
    assert_eq!(record.finished_at.as_deref(), Some("2026-11-21T08:00:02Z"));
    assert_eq!(record.artifact_paths, ["out/brief.md"]);

    let mut run = Run::begin(&host, "brief", "nightly").unwrap();
    run.add_artifact("out/half.md");
    let failed: Result<()> = Err(Error::new(Code::Timeout, "too slow"));
    let record = run.end(&failed).unwrap();
    assert_eq!(
        (record.status, record.error_class.as_deref()),
        (RunStatus::Failed, Some("timeout"))
    );
    assert_eq!(record.artifact_paths, ["out/half.md"]);

    drop(Run::begin(&host, "brief", "nightly").unwrap());
    let all = runs.all();
    let told: Vec<RunStatus> = all.iter().map(|record| record.status).collect();
    use RunStatus::{Cancelled, Failed, Running, Succeeded};
    assert_eq!(told, [Running, Succeeded, Running, Failed, Running, Cancelled]);
    assert!(all.chunks(2).all(|pair| pair[0].id == pair[1].id));
}

#[test]
fn a_file_only_grows_and_is_its_owners() {
    let path = path("grows");
    let (host, ..) = host();
    for sync in [false, true] {
        let journal: Arc<FileJournal> = Arc::new(FileJournal::new(&path).with_sync(sync));
        let host = Host::builder(host.store().clone()).with_audit(journal).build();
        Audited::begin(&host, "a", "one", &json!({}))
            .end(&Ok(()))
            .unwrap();
        Audited::begin(&host, "a", "two\nlines", &json!({}))
            .end(&Ok(()))
            .unwrap();
    }
    let events = lines(&path);
    assert_eq!(events.len(), 4);
    assert_eq!(events[1].action, "two\nlines");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_torn_line_spoils_no_other() {
    let path = path("torn");
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(b"{\"id\":\"half of a li").unwrap();
    drop(file);
    let (host, ..) = host();
    let host = Host::builder(host.store().clone())
        .with_audit(Arc::new(FileJournal::new(&path)))
        .build();
    Audited::begin(&host, "a", "one", &json!({}))
        .end(&Ok(()))
        .unwrap();
    assert_eq!(lines(&path).len(), 1);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn many_threads_write_whole_lines() {
    let path = path("threads");
    let (host, ..) = host();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            // A journal of its own each: as several processes would have.
            let host = Host::builder(host.store().clone())
                .with_audit(Arc::new(FileJournal::new(&path)))
                .build();
            scope.spawn(move || {
                for at in 0..100 {
                    let action = format!("{thread}.{at}.{}", "x".repeat(at));
                    Audited::begin(&host, "a", &action, &json!({}))
                        .end(&Ok(()))
                        .unwrap();
                }
            });
        }
    });
    // A journal that opens the file while another is within a line begins with an empty line; every other line is whole.
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().filter(|line| !line.is_empty()).count(), 800);
    assert_eq!(lines(&path).len(), 800);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn what_cannot_be_written_is_told() {
    let (host, ..) = host();
    let nowhere = FileJournal::new("/nowhere/at/all/audit.jsonl");
    let with = |journal: Arc<dyn Journal<AuditEvent>>| {
        let host = Host::builder(host.store().clone()).with_audit(journal).build();
        let error = Audited::begin(&host, "a", "b", &json!({}))
            .end(&Ok(()))
            .unwrap_err();
        drop(Audited::begin(&host, "a", "b", &json!({})));
        error.code()
    };
    assert_eq!(with(Arc::new(nowhere)), Code::StoreUnavailable);
    let panics = CallbackJournal::new(|_: &AuditEvent| panic!("a careless callback"));
    assert_eq!(with(Arc::new(panics)), Code::StoreUnavailable);
    let refuses = CallbackJournal::new(|_: &AuditEvent| Err(Error::new(Code::PolicyDenied, "no")));
    assert_eq!(with(Arc::new(refuses)), Code::PolicyDenied);
}
