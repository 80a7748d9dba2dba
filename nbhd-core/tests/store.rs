//! The store contract on both stores, against planted defects, and on random commits.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::PathBuf;
use std::sync::Arc;

use nbhd_core::store::{MemoryStore, SqliteStore};
use nbhd_core::testkit::{Sabotage, SabotagedStore, store_contract};

/// A folder of its own for one test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nbhd-store-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_memory_store_keeps_the_contract() {
    let report = store_contract(|_, clock| Arc::new(MemoryStore::new().with_clock(clock))).await;
    println!("memory: {report}");
    assert!(report.failures.is_empty(), "{report}");
    assert_eq!((report.ran.len(), report.not_applicable.len()), (33, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_sqlite_store_keeps_the_contract() {
    let folder = Folder::new("contract");
    let report = store_contract(|name, clock| {
        let store = SqliteStore::new(folder.0.join(format!("{name}.db"))).unwrap();
        Arc::new(store.with_clock(clock))
    })
    .await;
    println!("sqlite: {report}");
    assert!(report.failures.is_empty(), "{report}");
    assert_eq!((report.ran.len(), report.not_applicable.len()), (35, 0));
}

#[tokio::test]
async fn every_planted_defect_breaks_the_contract() {
    for sabotage in [
        Sabotage::ForgetSumAtMost,
        Sabotage::IgnoreAbsent,
        Sabotage::SkipLease,
        Sabotage::IgnoreVersion,
        Sabotage::ForgetAdd,
        Sabotage::ForgetOpId,
    ] {
        let report = store_contract(|_, clock| {
            let store = Arc::new(MemoryStore::new().with_clock(clock));
            Arc::new(SabotagedStore::new(store, sabotage))
        })
        .await;
        assert!(!report.failures.is_empty(), "{sabotage:?} was not noticed");
    }
}

/// Random commits, the same on both stores: the same answers and the same state.
mod model {
    use std::fmt::Write as _;
    use std::time::Duration;

    use nbhd_core::clock::FakeClock;
    use nbhd_core::store::{Bucket, Commit, Guard, Lease, Range, Store, Write};
    use proptest::prelude::*;

    use super::{Arc, Folder, MemoryStore, SqliteStore};

    const NAMES: [&str; 3] = ["a", "b", "c"];

    #[derive(Debug, Clone)]
    enum Step {
        Commit(Commit),
        Claim(&'static str, u64),
        Renew(usize, u64),
        Wait(u64),
    }

    fn name() -> impl Strategy<Value = String> {
        prop::sample::select(&NAMES[..]).prop_map(str::to_owned)
    }

    fn ttl() -> impl Strategy<Value = Option<Duration>> {
        prop::option::of((0..40_u64).prop_map(Duration::from_secs))
    }

    fn delta() -> impl Strategy<Value = i64> {
        prop_oneof![8 => -20..20_i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN)]
    }

    fn guard() -> impl Strategy<Value = Guard> {
        prop_oneof![
            name().prop_map(|key| Guard::Absent { key }),
            (name(), 0..4_u64).prop_map(|(key, version)| Guard::Version { key, version }),
            (name(), 0..6_u64).prop_map(|(lane, epoch)| Guard::Lease { lane, epoch }),
            (name(), delta(), -20..40_i64).prop_map(|(key, delta, cap)| Guard::SumAtMost { key, delta, cap }),
            (name(), 0..4_u64).prop_map(|(index, n)| Guard::CountBelow { index, n }),
            (name(), 0..4_u32, 1..5_u32, 1..20_u64).prop_map(|(key, n, capacity, seconds)| {
                let refill = Duration::from_secs(seconds);
                Guard::Bucket {
                    key,
                    n,
                    bucket: Bucket { capacity, refill },
                }
            }),
        ]
    }

    fn write() -> impl Strategy<Value = Write> {
        prop_oneof![
            (name(), name(), ttl()).prop_map(|(key, value, ttl)| Write::Put { key, value, ttl }),
            (name(), delta()).prop_map(|(key, delta)| Write::Add { key, delta }),
            (name(), name()).prop_map(|(index, member)| Write::Append { index, member }),
            (name(), name(), -3..3_i64, any::<bool>()).prop_map(|(index, member, score, keep)| {
                Write::Index {
                    index,
                    member,
                    score,
                    keep,
                }
            }),
            (name(), name()).prop_map(|(index, member)| Write::Unindex { index, member }),
            name().prop_map(|key| Write::Delete { key }),
            (name(), 0..6_u64).prop_map(|(lane, epoch)| Write::Release { lane, epoch }),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        let commit = (
            prop::option::weighted(0.2, 0..9_u8),
            prop::collection::vec(guard(), 0..3),
            prop::collection::vec(write(), 0..5),
        );
        prop_oneof![
            8 => commit.prop_map(|(op_id, guards, writes)| {
                let mut commit = Commit::new();
                commit.op_id = op_id.map(|n| format!("op{n}"));
                commit.guards = guards;
                commit.writes = writes;
                Step::Commit(commit)
            }),
            2 => (prop::sample::select(&NAMES[..]), 0..40_u64).prop_map(|(lane, ttl)| Step::Claim(lane, ttl)),
            1 => (0..9_usize, 0..40_u64).prop_map(|(which, ttl)| Step::Renew(which, ttl)),
            2 => prop_oneof![0..60_u64, Just(86_400_u64)].prop_map(Step::Wait),
        ]
    }

    /// What a store answers to a step, as text that can be compared.
    async fn answer(store: &dyn Store, step: &Step, leases: &[Lease]) -> (String, Option<Lease>) {
        match step {
            Step::Commit(commit) => {
                let answer = store.commit(commit.clone()).await;
                (format!("{:?}", answer.map_err(|error| error.code())), None)
            }
            Step::Claim(lane, ttl) => {
                let lease = store.claim(lane, Duration::from_secs(*ttl)).await.unwrap();
                (format!("{lease:?}"), lease)
            }
            Step::Renew(which, ttl) => {
                let Some(lease) = leases.get(*which) else {
                    return (String::new(), None);
                };
                let renewed = store.renew(lease, Duration::from_secs(*ttl)).await.unwrap();
                (format!("{renewed:?}"), None)
            }
            Step::Wait(_) => (String::new(), None),
        }
    }

    async fn state(store: &dyn Store) -> String {
        let mut state = String::new();
        for name in NAMES {
            let record = store.get(name).await.unwrap();
            let sum = store.sum(name).await.unwrap();
            let entries = store.scan(name, Range::first(99)).await.unwrap();
            let count = store.count(name).await.unwrap();
            let _ = writeln!(state, "{name}: {record:?} {sum} {entries:?} {count}");
        }
        state
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn both_stores_answer_the_same(steps in prop::collection::vec(step(), 1..60)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let folder = Folder::new("model");
                let clock = Arc::new(FakeClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
                let memory = MemoryStore::new().with_clock(clock.clone());
                let sqlite = SqliteStore::new(folder.0.join("store.db")).unwrap().with_clock(clock.clone());
                let mut leases = Vec::new();
                for (n, step) in steps.iter().enumerate() {
                    if let Step::Wait(seconds) = step {
                        clock.advance(Duration::from_secs(*seconds));
                    }
                    let (ours, lease) = answer(&memory, step, &leases).await;
                    let (theirs, _) = answer(&sqlite, step, &leases).await;
                    prop_assert_eq!(ours, theirs, "step {}: {:?}", n, step);
                    prop_assert_eq!(state(&memory).await, state(&sqlite).await, "after step {}", n);
                    leases.extend(lease);
                }
                sqlite.close().await.unwrap();
                Ok(())
            })?;
        }
    }
}
