//! The PostgreSQL store on real servers: the contract, random commits, hanging, dying, coming back empty, migration.

#![cfg(all(target_os = "linux", feature = "postgres"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod model;

use std::sync::Arc;
use std::time::{Duration, Instant};

use nbhd_core::store::{
    Commit, Committed, Durability, Guard, MemoryStore, PostgresStore, Range, Store, Write,
};
use nbhd_core::testkit::{PostgresServer, store_contract, work_contract};
use nbhd_core::{Code, Outcome};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_postgres_store_keeps_the_contract() {
    let server = PostgresServer::start();
    let report = store_contract(|name, clock| {
        let store = PostgresStore::new(&server.address(name)).unwrap();
        Arc::new(store.with_clock(clock))
    })
    .await;
    println!("postgres: {report}");
    assert!(report.failures.is_empty(), "{report}");
    assert_eq!((report.ran.len(), report.not_applicable.len()), (35, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn work_on_the_postgres_store_keeps_its_contract() {
    let server = PostgresServer::start();
    let report = work_contract(|name, clock| {
        let store = PostgresStore::new(&server.address(name)).unwrap();
        Arc::new(store.with_clock(clock))
    })
    .await;
    println!("postgres, work: {report}");
    assert!(report.failures.is_empty(), "{report}");
    assert!(
        !report.ran.is_empty() && report.not_applicable.is_empty(),
        "{report}"
    );
}

#[test]
fn it_answers_random_commits_as_the_store_in_memory_does() {
    let server = PostgresServer::start();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let config = ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let number = std::cell::Cell::new(0);
    TestRunner::new(config)
        .run(&model::steps(Some(i64::MAX)), |steps| {
            runtime.block_on(async {
                number.set(number.get() + 1);
                let address = server.address(&format!("model{}", number.get()));
                let clock = model::clock();
                let memory = MemoryStore::new().with_clock(clock.clone());
                let store = PostgresStore::new(&address).unwrap().with_clock(clock.clone());
                store.create().await.unwrap();
                model::same(&memory, &store, &clock, &steps).await
            })
        })
        .unwrap();
}

/// A store that was made on the server.
async fn made(server: &PostgresServer) -> PostgresStore {
    let store = PostgresStore::new(&server.address("nbhd")).unwrap();
    store.create().await.unwrap();
    store
}

fn put(key: &str, value: &str) -> Commit {
    Commit::new().write(Write::Put {
        key: key.to_owned(),
        value: value.to_owned(),
        ttl: None,
    })
}

fn add(key: &str, delta: i64) -> Commit {
    Commit::new().write(Write::Add {
        key: key.to_owned(),
        delta,
    })
}

async fn value(store: &PostgresStore, key: &str) -> Option<String> {
    store.get(key).await.unwrap().map(|record| record.value)
}

#[tokio::test]
async fn a_store_is_made_once_and_never_by_opening() {
    let server = PostgresServer::start();
    let store = PostgresStore::new(&server.address("nbhd")).unwrap();
    for error in [
        store.get("a").await.unwrap_err(),
        store.commit(put("a", "1")).await.unwrap_err(),
        store.claim("l", Duration::from_secs(1)).await.unwrap_err(),
        store.durability().await.unwrap_err(),
        store.now().await.unwrap_err(),
    ] {
        assert_eq!(
            (error.code(), error.outcome()),
            (Code::StoreUnavailable, Outcome::NotSent)
        );
        assert!(error.user_action().contains("create_store()"), "{error:?}");
    }
    store.create().await.unwrap();
    store.commit(put("a", "1")).await.unwrap();
    let born = store.incarnation().await.unwrap();
    let other = made(&server).await;
    assert_eq!(other.incarnation().await.unwrap(), born, "made once");
    assert_eq!(value(&other, "a").await.as_deref(), Some("1"));
    let elsewhere = PostgresStore::new(&server.address("elsewhere")).unwrap();
    elsewhere.create().await.unwrap();
    assert_eq!(value(&elsewhere, "a").await, None, "a schema is a store");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_that_make_the_store_at_once_make_one() {
    let server = PostgresServer::start();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = PostgresStore::new(&server.address("nbhd")).unwrap();
            tokio::spawn(async move {
                store.create().await?;
                store.incarnation().await
            })
        })
        .collect();
    let mut born = Vec::new();
    for task in tasks {
        born.push(task.await.unwrap().unwrap());
    }
    born.dedup();
    assert_eq!(born.len(), 1);
}

#[tokio::test]
async fn a_server_that_came_back_empty_is_no_fresh_store() {
    let server = PostgresServer::start();
    let store = made(&server).await;
    store.commit(put("a", "1")).await.unwrap();
    for ruin in ["DELETE FROM nbhd.state", "DROP SCHEMA nbhd CASCADE"] {
        server.sql(ruin);
        for error in [
            store.get("a").await.unwrap_err(),
            store.commit(put("a", "2")).await.unwrap_err(),
            store.claim("l", Duration::from_secs(1)).await.unwrap_err(),
        ] {
            assert_eq!(error.code(), Code::StoreUnavailable, "{ruin}: {error:?}");
        }
    }
    // Somebody makes another one: whoever knew the first must notice.
    made(&server).await.commit(put("a", "3")).await.unwrap();
    for error in [
        store.get("a").await.unwrap_err(),
        store.commit(put("a", "4")).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::StoreUnavailable);
        assert!(error.message().contains("another store"), "{error}");
    }
    assert_eq!(value(&made(&server).await, "a").await.as_deref(), Some("3"));
}

#[tokio::test]
async fn tables_of_somebody_else_are_left_alone() {
    let server = PostgresServer::start();
    server.sql("CREATE SCHEMA nbhd; CREATE TABLE nbhd.records (theirs int)");
    let store = PostgresStore::new(&server.address("nbhd")).unwrap();
    let error = store.create().await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidConfig, "{error}");
    assert_eq!(
        server.sql("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'nbhd'"),
        "1"
    );
}

#[tokio::test]
async fn the_class_is_read_from_the_settings() {
    let mut server = PostgresServer::start_with(&[("synchronous_commit", "off")]);
    assert_eq!(made(&server).await.durability().await.unwrap(), Durability::Power);
    for (name, value) in [("fsync", "off"), ("full_page_writes", "off")] {
        server.restart_with(name, value);
        let found = made(&server).await.durability().await.unwrap();
        assert_eq!(found, Durability::Process, "{name}");
        server.restart_with(name, "on");
    }
    assert_eq!(made(&server).await.durability().await.unwrap(), Durability::Power);
}

#[tokio::test]
async fn kill_9_of_the_server_loses_nothing_that_was_acknowledged() {
    // Even where the server's own default is to answer before it has written.
    let mut server = PostgresServer::start_with(&[("synchronous_commit", "off")]);
    let store = Arc::new(made(&server).await);
    let mut told = 0;
    let mut epoch = 0;
    for _ in 0..3 {
        for _ in 0..25 {
            store.commit(add("n", 1)).await.unwrap();
            told += 1;
        }
        let lease = store.claim("l", Duration::from_millis(1)).await.unwrap();
        let lease = lease.unwrap_or_else(|| panic!("the lane is free"));
        assert!(lease.epoch > epoch, "epochs never go back");
        epoch = lease.epoch;
        server.kill9();
        let error = store.commit(add("n", 1)).await.unwrap_err();
        assert_eq!(error.code(), Code::StoreUnavailable);
        server.restart();
        let found = store.sum("n").await.unwrap();
        assert_eq!(found, told, "nothing is lost, and what was refused is not there");
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_an_error_within_the_deadline() {
    let server = PostgresServer::start();
    let direct = made(&server).await;
    let deadline = Duration::from_millis(1_500);
    let brief = || {
        let store = PostgresStore::new(&server.address("nbhd")).unwrap();
        store.with_deadline(deadline)
    };
    let (warm, cold) = (brief(), brief());
    while warm.get("warm").await.is_err() {}
    server.pause();
    for (store, key, outcome) in [
        (&warm, "warm", Outcome::Unknown),
        (&cold, "cold", Outcome::NotSent),
    ] {
        let began = Instant::now();
        let error = store.commit(put(key, "1")).await.unwrap_err();
        assert_eq!((error.code(), error.outcome()), (Code::StoreUnavailable, outcome));
        assert!(began.elapsed() >= deadline, "{key}");
        let error = store.get(key).await.unwrap_err();
        assert_eq!(
            (error.code(), error.outcome()),
            (Code::StoreUnavailable, Outcome::NotSent)
        );
    }
    server.resume();
    for (store, key) in [(&warm, "a"), (&cold, "b")] {
        // Each connects again, as soon as the server manages within so short a deadline.
        while store.commit(put(key, "2")).await.is_err() {}
        assert_eq!(value(&direct, key).await.as_deref(), Some("2"));
    }
    assert_eq!(value(&direct, "cold").await, None, "not sent is not there");
}

#[tokio::test]
async fn nobody_there_is_an_error_at_once() {
    let mut server = PostgresServer::start();
    // Whoever waited would wait that long.
    let deadline = Duration::from_secs(60);
    let store = made(&server).await.with_deadline(deadline);
    store.commit(put("a", "0")).await.unwrap();
    server.stop();
    let began = Instant::now();
    let fresh = PostgresStore::new(&server.address("nbhd")).unwrap();
    let fresh = fresh.with_deadline(deadline);
    let error = fresh.commit(put("a", "1")).await.unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::StoreUnavailable, Outcome::NotSent)
    );
    assert_eq!(store.get("a").await.unwrap_err().code(), Code::StoreUnavailable);
    assert!(began.elapsed() < deadline, "{:?}", began.elapsed());
    server.restart();
    store.commit(put("a", "1")).await.unwrap();
    assert_eq!(
        value(&fresh, "a").await.as_deref(),
        Some("1"),
        "both connect again"
    );
}

#[tokio::test]
async fn the_password_is_used_and_never_told() {
    let mut server = PostgresServer::start();
    made(&server).await;
    server.require_password();
    server.restart();
    made(&server).await.commit(put("a", "1")).await.unwrap();
    let wrong = server.address("nbhd").replace(":nbhd@", ":hunter2@");
    let error = PostgresStore::new(&wrong).unwrap().get("a").await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidConfig, "{error}");
    let store = PostgresStore::new(&wrong).unwrap();
    assert!(!format!("{error} {error:?} {store:?}").contains("hunter2"));
}

#[tokio::test]
async fn encryption_is_verified() {
    let mut server = PostgresServer::start();
    made(&server).await;
    let asked = format!("{}&sslmode=verify-full", server.address("nbhd"));
    let error = PostgresStore::new(&asked).unwrap().get("a").await.unwrap_err();
    assert_eq!(error.code(), Code::TlsFailed, "a server without TLS: {error}");
    let certificate = server.encrypt();
    let error = PostgresStore::new(&asked).unwrap().get("a").await.unwrap_err();
    assert_eq!(
        error.code(),
        Code::TlsFailed,
        "a certificate that nobody vouches for: {error}"
    );
    let known = format!("{asked}&sslrootcert={}", certificate.display());
    let store = PostgresStore::new(&known).unwrap();
    store.commit(put("a", "1")).await.unwrap();
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
        WHERE application_name = 'nbhd'";
    assert_eq!(server.sql(encrypted), "t");
    let elsewhere = known.replace("127.0.0.1", "localhost");
    let error = PostgresStore::new(&elsewhere)
        .unwrap()
        .get("a")
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        Code::TlsFailed,
        "a certificate of another name: {error}"
    );
}

#[tokio::test]
async fn a_standby_is_refused() {
    let mut server = PostgresServer::start();
    let store = made(&server).await;
    store.commit(put("a", "1")).await.unwrap();
    // A server with this file follows another one, here one that never comes. https://www.postgresql.org/docs/15/warm-standby.html
    server.stop();
    std::fs::File::create(server.folder().join("standby.signal")).unwrap();
    server.restart_with("primary_conninfo", "host=127.0.0.1 port=1");
    for error in [
        store.get("a").await.unwrap_err(),
        store.commit(put("a", "2")).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::StoreUnavailable);
        assert!(error.message().contains("standby"), "{error}");
    }
}

#[tokio::test]
async fn a_store_of_a_newer_program_is_refused() {
    let server = PostgresServer::start();
    let store = made(&server).await;
    store.commit(put("a", "1")).await.unwrap();
    server.sql("UPDATE nbhd.state SET schema = 2, min_writer = 2");
    let error = store.commit(put("a", "2")).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidState);
    assert!(error.message().contains("schema 2"), "{error}");
    assert_eq!(
        value(&store, "a").await.as_deref(),
        Some("1"),
        "it may still read"
    );
    assert_eq!(store.create().await.unwrap_err().code(), Code::InvalidState);
    server.sql("UPDATE nbhd.state SET min_reader = 2");
    for store in [&store, &PostgresStore::new(&server.address("nbhd")).unwrap()] {
        assert_eq!(store.get("a").await.unwrap_err().code(), Code::InvalidState);
    }
}

#[tokio::test]
async fn the_time_of_all_is_the_servers_and_never_goes_back() {
    let server = PostgresServer::start();
    let (one, other) = (made(&server).await, made(&server).await);
    let half_an_hour = 1_800_000_000_i64;
    let before = one.now().await.unwrap();
    let lease = one.claim("l", Duration::from_secs(60)).await.unwrap().unwrap();
    server.sql(&format!("UPDATE nbhd.state SET clock_shift = {half_an_hour}"));
    let ahead = other.now().await.unwrap();
    assert!(
        ahead - before >= chrono::Duration::minutes(30),
        "every process sees the step"
    );
    assert_eq!(one.renew(&lease, Duration::from_secs(60)).await.unwrap(), None);
    let next = other.claim("l", Duration::from_secs(60)).await.unwrap().unwrap();
    assert!(next.epoch > lease.epoch);
    server.sql(&format!("UPDATE nbhd.state SET clock_shift = -{half_an_hour}"));
    // One who never saw the later time is held at it all the same, because it was kept.
    let third = made(&server).await;
    let Committed::Done { at, .. } = third.commit(put("a", "1")).await.unwrap() else {
        panic!("refused")
    };
    assert!(at >= ahead, "{at} is behind {ahead}");
    assert!(one.claim("l", Duration::from_secs(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_server_whose_clock_steps_far_ahead_is_not_believed_at_once() {
    let server = PostgresServer::start();
    let store = made(&server).await;
    let lease = store.claim("l", Duration::from_secs(60)).await.unwrap().unwrap();
    let brief = Write::Put {
        key: "a".to_owned(),
        value: "1".to_owned(),
        ttl: Some(Duration::from_secs(60)),
    };
    store.commit(Commit::new().write(brief)).await.unwrap();
    server.sql("UPDATE nbhd.state SET clock_shift = 10800000000");
    assert_eq!(
        value(&store, "a").await.as_deref(),
        Some("1"),
        "nothing ends before its time"
    );
    assert!(
        store
            .renew(&lease, Duration::from_secs(60))
            .await
            .unwrap()
            .is_some()
    );
    let ahead = store.clock_ahead().unwrap().as_secs_f64();
    assert!((ahead - 10_800.0).abs() < 60.0, "{ahead}");
    store.confirm_clock();
    assert_eq!(value(&store, "a").await, None, "somebody looked: it is right");
    assert_eq!(store.clock_ahead(), None);
}

#[tokio::test]
async fn calls_from_any_runtime_share_the_connections() {
    let server = PostgresServer::start();
    let store = Arc::new(made(&server).await);
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let store = store.clone();
            std::thread::spawn(move || {
                // Without timers or sockets of its own.
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    for _ in 0..10 {
                        store.commit(add("n", 1)).await.unwrap();
                    }
                    store.commit(put(&n.to_string(), "1")).await.unwrap();
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(store.sum("n").await.unwrap(), 40);
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'nbhd'";
    assert!(server.sql(sessions).parse::<u32>().unwrap() <= 8);
    store.close().await.unwrap();
    // Closed, nothing of it is left; the server takes a moment to notice.
    while server.sql(sessions) != "0" {}
    assert_eq!(store.sum("n").await.unwrap(), 40, "the next call opens it again");
}

#[tokio::test]
async fn what_has_ended_leaves_the_tables() {
    let server = PostgresServer::start();
    let store = made(&server).await;
    for n in 0..20 {
        let commit = Commit::new()
            .with_op_id(format!("op{n}"))
            .write(Write::Put {
                key: format!("k{n}"),
                value: "v".to_owned(),
                ttl: Some(Duration::from_secs(5)),
            })
            .guard(Guard::Bucket {
                key: format!("b{n}"),
                n: 1,
                bucket: nbhd_core::store::Bucket {
                    capacity: 2,
                    refill: Duration::from_secs(5),
                },
            });
        store.commit(commit).await.unwrap();
        store
            .claim(&format!("lane{n}"), Duration::from_secs(5))
            .await
            .unwrap();
    }
    server.sql("UPDATE nbhd.state SET clock_shift = 90000000000");
    // A process that saw the step would doubt it.
    let store = made(&server).await;
    for _ in 0..4 {
        store.commit(put("a", "1")).await.unwrap();
    }
    for (table, left) in [("records", "1"), ("ops", "0"), ("leases", "0"), ("buckets", "0")] {
        assert_eq!(
            server.sql(&format!("SELECT count(*) FROM nbhd.{table}")),
            left,
            "{table}"
        );
    }
}

#[tokio::test]
async fn a_commit_of_very_many_keys_works_beside_others() {
    let server = PostgresServer::start();
    let store = Arc::new(made(&server).await);
    let many = |from: usize| {
        (from..from + 300).fold(Commit::new(), |commit, n| {
            commit.write(Write::Append {
                index: format!("i{n}"),
                member: "m".to_owned(),
            })
        })
    };
    let others: Vec<_> = (0..20)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.commit(add(&format!("s{n}"), 1)).await })
        })
        .collect();
    for from in [0, 100, 200] {
        store.commit(many(from)).await.unwrap();
    }
    for other in others {
        other.await.unwrap().unwrap();
    }
    let entries = store.scan("i250", Range::first(9)).await.unwrap();
    assert_eq!((entries.len(), entries[0].score), (1, 3));
}
