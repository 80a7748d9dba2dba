//! One turn (accept, claim, answer, done) killed before and after every write of the store and every word to the
//! platform, then begun again on the same file: nothing is sent twice, nothing is lost without being called unknown.
//!
//! Time does not pass here: who begins again has a clock that is an hour ahead, so that every lease has ended.
#![cfg(all(unix, feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nbhd_core::clock::FakeClock;
use nbhd_core::inbox::NewEvent;
use nbhd_core::outbox::{Intent, NewIntent, Part, PartState, SendPart};
use nbhd_core::store::{SqliteStore, Store};
use nbhd_core::testkit::{FaultyStore, KillPlan};
use nbhd_core::{Host, Result, Timestamp};
use serde_json::{Map, Value, json};

const FOLDER: &str = "NBHD_TEST_FOLDER";
const KILL_AT: &str = "NBHD_TEST_KILL_AT";

/// What the platform has seen, one line a part. It outlives the process that wrote to it.
struct Platform {
    log: PathBuf,
    plan: Arc<KillPlan>,
}

#[async_trait]
impl SendPart for Platform {
    async fn send(&self, intent: &Intent, part: &Part) -> Result<Value> {
        self.plan.hit("request.write.before");
        let mut log = File::options().append(true).create(true).open(&self.log).unwrap();
        writeln!(log, "{}/{}", intent.key, part.index).unwrap();
        self.plan.hit("request.write.after");
        self.plan.hit("reply.read.after");
        Ok(json!({"message_id": 1}))
    }
}

fn seen(log: &Path) -> BTreeMap<String, u32> {
    let mut text = String::new();
    if let Ok(mut file) = File::open(log) {
        file.read_to_string(&mut text).unwrap();
    }
    let mut seen = BTreeMap::new();
    for line in text.lines() {
        *seen.entry(line.to_owned()).or_default() += 1;
    }
    seen
}

/// A host on the file in `folder`, `hours` after the beginning.
fn host(folder: &Path, hours: u64, plan: &Arc<KillPlan>) -> Host {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let clock = Arc::new(FakeClock::at(start));
    clock.advance(Duration::from_secs(hours * 3_600));
    let store = SqliteStore::new(folder.join("store.db"))
        .unwrap()
        .with_clock(clock);
    let store: Arc<dyn Store> = Arc::new(FaultyStore::killing(Arc::new(store), plan.clone()));
    Host::builder(store).build()
}

fn intent(key: &str) -> NewIntent {
    NewIntent {
        key: key.to_owned(),
        channel: "telegram".to_owned(),
        account: "bot-1".to_owned(),
        parts: vec![json!("first"), json!("second")],
    }
}

/// The whole turn; a webhook is delivered again as long as nobody has acknowledged it.
async fn turn(folder: &Path, hours: u64, plan: &Arc<KillPlan>) -> Result<()> {
    let host = host(folder, hours, plan);
    let platform = Platform {
        log: folder.join("platform.log"),
        plan: plan.clone(),
    };
    let inbox = host.inbox();
    inbox
        .accept(NewEvent {
            provider: "telegram".to_owned(),
            instance: "bot-1".to_owned(),
            dedupe: vec!["update-1".to_owned(), "message-1".to_owned()],
            lane: "chat-1".to_owned(),
            data: Map::new(),
        })
        .await?;
    while let Some(work) = inbox.claim().await? {
        host.outbox().dispatch(intent("within"), &platform).await?;
        work.commit(vec![intent("with-done")]).await?;
    }
    let outbox = host.outbox();
    for found in outbox.undelivered(10).await? {
        outbox
            .resume(&found.channel, &found.account, &found.key, &platform)
            .await?;
    }
    host.store().close().await
}

/// The turn in a process of its own; nothing unless the environment asks for it.
#[tokio::test]
async fn role() {
    let (Some(folder), Some(at)) = (std::env::var_os(FOLDER), std::env::var_os(KILL_AT)) else {
        return;
    };
    let plan = KillPlan::at(at.to_str().unwrap().parse().unwrap());
    turn(Path::new(&folder), 0, &plan).await.unwrap();
}

#[tokio::test]
async fn a_turn_that_is_killed_anywhere_doubles_nothing_and_loses_nothing_in_silence() {
    let base = std::env::temp_dir().join(format!("nbhd-kill-{}", std::process::id()));
    let folder = |name: &str| {
        let folder = base.join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    };
    let plan = KillPlan::counting();
    let whole = folder("whole");
    turn(&whole, 0, &plan).await.unwrap();
    let points = plan.passed();
    assert_eq!(seen(&whole.join("platform.log")).len(), 4);
    let mut unknown = 0;
    for (n, point) in points.iter().enumerate() {
        let folder = folder(&format!("at-{n}"));
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "role", "--test-threads=1"])
            .env(FOLDER, &folder)
            .env(KILL_AT, (n + 1).to_string())
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(9),
            "at {n}, {point}"
        );

        let quiet = KillPlan::counting();
        for hours in 1..=3 {
            turn(&folder, hours, &quiet).await.unwrap();
        }
        let host = host(&folder, 4, &quiet);
        assert_eq!(
            host.inbox().pending().await.unwrap(),
            0,
            "at {n}, {point}: the turn is not done"
        );
        assert!(host.outbox().undelivered(9).await.unwrap().is_empty());
        let log = seen(&folder.join("platform.log"));
        for key in ["within", "with-done"] {
            let intent = host
                .outbox()
                .get("telegram", "bot-1", key)
                .await
                .unwrap()
                .unwrap();
            for part in &intent.parts {
                let times = log.get(&format!("{key}/{}", part.index)).copied().unwrap_or(0);
                assert!(
                    times <= 1,
                    "at {n}, {point}: {key}/{} went out {times} times",
                    part.index
                );
                let after_unknown = intent.parts[..part.index]
                    .iter()
                    .any(|before| before.state == PartState::Unknown);
                match part.state {
                    PartState::Sent => assert_eq!(times, 1),
                    PartState::Unknown => unknown += 1,
                    PartState::Pending => {
                        assert!(after_unknown && times == 0, "at {n}, {point}: lost in silence");
                    }
                    other => panic!("at {n}, {point}: {other:?}"),
                }
            }
        }
    }
    println!("{} kill points, {} parts called unknown", points.len(), unknown);
    assert!(points.len() > 20 && unknown > 0, "{points:?}");
    let _ = std::fs::remove_dir_all(&base);
}
