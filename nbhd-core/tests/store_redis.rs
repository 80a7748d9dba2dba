//! The Redis store on real servers: the contract, the model, and what servers do to it.
#![cfg(all(unix, feature = "redis"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod model;

use std::sync::Arc;

use nbhd_core::store::{MemoryStore, RedisStore, Store};
use nbhd_core::testkit::{RedisFsync, RedisServer, store_contract, work_contract};
use proptest::prelude::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_redis_store_keeps_the_contract() {
    let server = RedisServer::start(RedisFsync::Always);
    let report = store_contract(|name, clock| {
        let store = RedisStore::new(&format!("{}?namespace={name}", server.address())).unwrap();
        Arc::new(store.with_clock(clock))
    })
    .await;
    println!("redis, appendfsync always: {report}");
    assert!(report.failures.is_empty(), "{report}");
    assert_eq!((report.ran.len(), report.not_applicable.len()), (35, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn work_on_the_redis_store() {
    let server = RedisServer::start(RedisFsync::Always);
    let report = work_contract(|name, clock| {
        let store = RedisStore::new(&format!("{}?namespace={name}", server.address())).unwrap();
        Arc::new(store.with_clock(clock))
    })
    .await;
    println!("redis, appendfsync always: {report}");
    assert!(report.failures.is_empty(), "{report}");
}

#[test]
fn redis_and_memory_answer_the_same() {
    let server = RedisServer::start(RedisFsync::None);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&model::steps(None), |steps| {
            runtime.block_on(async {
                server.command(&["FLUSHALL"]);
                let clock = model::clock();
                let memory = MemoryStore::new().with_clock(clock.clone());
                let redis = RedisStore::new(&server.address())
                    .unwrap()
                    .with_clock(clock.clone());
                redis.create().await.unwrap();
                model::same(&memory, &redis, &clock, &steps).await
            })
        })
        .unwrap();
}
