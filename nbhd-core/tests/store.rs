//! The store contract on both stores, against planted defects, and on random commits.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod model;

use std::path::PathBuf;
use std::sync::Arc;

use nbhd_core::store::{MemoryStore, SqliteStore, Store};
use nbhd_core::testkit::{Sabotage, SabotagedStore, store_contract, work_contract};
use proptest::prelude::*;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn work_on_the_memory_store() {
    let report = work_contract(|_, clock| Arc::new(MemoryStore::new().with_clock(clock))).await;
    println!("memory: {report}");
    assert!(report.failures.is_empty(), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn work_on_the_sqlite_store() {
    let folder = Folder::new("work");
    let report = work_contract(|name, clock| {
        let store = SqliteStore::new(folder.0.join(format!("{name}.db"))).unwrap();
        Arc::new(store.with_clock(clock))
    })
    .await;
    println!("sqlite: {report}");
    assert!(report.failures.is_empty(), "{report}");
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_answer_the_same(steps in model::steps(Some(i64::MAX))) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = Folder::new("model");
            let clock = model::clock();
            let memory = MemoryStore::new().with_clock(clock.clone());
            let sqlite = SqliteStore::new(folder.0.join("store.db")).unwrap().with_clock(clock.clone());
            model::same(&memory, &sqlite, &clock, &steps).await?;
            sqlite.close().await.unwrap();
            Ok::<(), TestCaseError>(())
        })?;
    }
}
