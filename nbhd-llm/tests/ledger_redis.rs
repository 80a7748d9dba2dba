//! The ledger on Redis: no cap is passed by many writers, and a server that may lose what it acknowledged is refused.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use nbhd_core::testkit::{RedisFsync, RedisServer};
use nbhd_core::{Code, Host};
use nbhd_llm::budget::{Bound, Budget, HoldRequest, Ledger};
use nbhd_llm::price::NanoUsd;
use serde_json::json;

fn ledger(host: &Host, cap: i64) -> Ledger {
    let tenant = Budget {
        day: Some(NanoUsd(cap)),
        ..Budget::default()
    };
    Ledger::new(host, BTreeMap::from([("tenant".to_owned(), tenant)])).unwrap()
}

/// One nano-USD an output token, so that the output cap is the amount.
fn request(amount: u64) -> HoldRequest {
    let bound: Bound = serde_json::from_value(json!({
        "input_tokens": 0,
        "uncapped_output": 0,
        "rates": { "input": 0, "output": 1_000_000 },
        "price": "test/model@2026-01-01",
    }))
    .unwrap();
    HoldRequest::new("test", "model", bound, amount).with_scopes(["tenant:a".parse().unwrap()])
}

async fn host(server: &RedisServer) -> Host {
    let host = Host::new(&server.address()).unwrap();
    host.create_store().await.unwrap();
    host
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_and_handles_share_one_cap() {
    let server = RedisServer::start(RedisFsync::Always);
    host(&server).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let ledger = ledger(&Host::new(&server.address()).unwrap(), 1_000);
            tokio::spawn(async move {
                let mut held = 0;
                for _ in 0..30 {
                    match ledger.hold(request(7)).await {
                        Ok(hold) => {
                            held += 1;
                            hold.forget();
                        }
                        Err(error) => assert_eq!(error.code(), Code::BudgetExceeded, "{error}"),
                    }
                }
                held
            })
        })
        .collect();
    let mut held = 0;
    for task in tasks {
        held += task.await.unwrap();
    }
    assert_eq!(held, 142, "142 holds of 7 fit into 1,000, and not one more");
}

#[tokio::test]
async fn a_server_that_may_lose_holds_is_refused_unless_it_is_accepted_by_name() {
    for fsync in [RedisFsync::None, RedisFsync::EverySecond] {
        let server = RedisServer::start(fsync);
        let error = ledger(&host(&server).await, 1_000)
            .hold(request(7))
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfig, "{fsync:?}: {error}");
        assert!(error.user_action().contains("appendfsync always"));
        let accepted = Host::builder_at(&server.address(), None)
            .unwrap()
            .with_lossy_store("a test that has nothing to lose")
            .build();
        ledger(&accepted, 1_000).hold(request(7)).await.unwrap().forget();
    }
}

#[tokio::test]
async fn a_cap_beyond_what_redis_counts_is_refused_before_anything_is_held() {
    let server = RedisServer::start(RedisFsync::Always);
    let host = host(&server).await;
    let error = ledger(&host, 9_000_000_000_000_001)
        .hold(request(7))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidInput, "{error}");
    ledger(&host, 9_000_000_000_000_000)
        .hold(request(7))
        .await
        .unwrap()
        .forget();
}

#[tokio::test]
async fn without_its_store_the_ledger_refuses() {
    let mut server = RedisServer::start(RedisFsync::Always);
    let ledger = ledger(&host(&server).await, 1_000);
    ledger.hold(request(7)).await.unwrap().forget();
    server.kill9();
    for _ in 0..3 {
        let error = ledger.hold(request(7)).await.unwrap_err();
        assert_eq!(error.code(), Code::StoreUnavailable, "{error}");
    }
    server.restart();
    server.command(&["FLUSHALL"]);
    let error = ledger.hold(request(7)).await.unwrap_err();
    assert_eq!(
        error.code(),
        Code::StoreUnavailable,
        "empty is not fresh: {error}"
    );
}
