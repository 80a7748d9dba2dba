//! The PostgreSQL store behind a proxy that loses requests, answers and the whole way; and behind somebody's lock.

#![cfg(all(target_os = "linux", feature = "postgres"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::future::{Either, select};
use nbhd_core::store::{Commit, Committed, PostgresStore, Store, Write};
use nbhd_core::testkit::{Cut, Direction, PostgresServer, Proxy};
use nbhd_core::{Code, Outcome};

fn add() -> Commit {
    Commit::new().write(Write::Add {
        key: "n".to_owned(),
        delta: 1,
    })
}

/// A server, a store straight to it, a proxy, and a store through that which has one connection open.
async fn stage() -> (PostgresServer, PostgresStore, Proxy, PostgresStore) {
    let server = PostgresServer::start();
    let near = PostgresStore::new(&server.address("nbhd")).unwrap();
    near.create().await.unwrap();
    let proxy = Proxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()))).unwrap();
    let far = PostgresStore::new(&server.address_at(proxy.address().port(), "nbhd")).unwrap();
    assert_eq!(far.sum("n").await.unwrap(), 0);
    (server, near, proxy, far)
}

/// What is lost, and how many commits without a name are made then.
const LOSSES: [(Direction, i64); 2] = [(Direction::ToClient, 1), (Direction::ToServer, 0)];

#[tokio::test]
async fn a_commit_without_a_name_is_never_run_again() {
    let (_server, near, proxy, far) = stage().await;
    for (way, made) in LOSSES {
        let before = near.sum("n").await.unwrap();
        proxy.cut_after(way, 0, Cut::Close);
        let error = far.commit(add()).await.unwrap_err();
        assert_eq!(
            (error.code(), error.outcome()),
            (Code::StoreUnavailable, Outcome::Unknown),
            "{way:?}"
        );
        assert_eq!(near.sum("n").await.unwrap() - before, made, "{way:?}");
        // And the next one finds a connection.
        far.commit(add()).await.unwrap();
    }
}

#[tokio::test]
async fn a_commit_with_a_name_is_repeated_and_made_once() {
    let (_server, near, proxy, far) = stage().await;
    for (n, (way, _)) in LOSSES.into_iter().enumerate() {
        proxy.cut_after(way, 0, Cut::Close);
        let commit = add().with_op_id(format!("op{n}"));
        let answer = far.commit(commit.clone()).await.unwrap();
        assert!(matches!(&answer, Committed::Done { results, .. } if *results == [n as i64 + 1]));
        assert_eq!(near.sum("n").await.unwrap(), n as i64 + 1, "{way:?}");
        assert_eq!(near.commit(commit).await.unwrap(), answer, "the first answer");
    }
}

#[tokio::test]
async fn wherever_an_exchange_is_cut_a_commit_is_made_once_or_not_at_all() {
    let (_server, near, proxy, far) = stage().await;
    far.commit(add().with_op_id("warm")).await.unwrap();
    let mut expected = near.sum("n").await.unwrap();
    for direction in [Direction::ToServer, Direction::ToClient] {
        // Every ninth byte, until the exchange is over before the cut.
        for bytes in (0..).step_by(9) {
            proxy.cut_after(direction, bytes, Cut::Close);
            let named = add().with_op_id(format!("{direction:?}/{bytes}"));
            far.commit(named).await.unwrap();
            expected += 1;
            assert_eq!(
                near.sum("n").await.unwrap(),
                expected,
                "{direction:?} after {bytes}"
            );
            let ended = proxy.is_planned();
            proxy.cut_after(direction, bytes, Cut::Close);
            match far.commit(add()).await {
                Ok(_) => expected += 1,
                Err(error) => {
                    assert_eq!(error.code(), Code::StoreUnavailable);
                    let made = near.sum("n").await.unwrap() - expected;
                    let most = i64::from(error.outcome() == Outcome::Unknown);
                    assert!((0..=most).contains(&made), "{direction:?} after {bytes}: {error}");
                    expected += made;
                }
            }
            proxy.heal();
            assert_eq!(
                near.sum("n").await.unwrap(),
                expected,
                "{direction:?} after {bytes}"
            );
            if ended {
                assert!(bytes > 50, "the exchange was cut in many places");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_read_is_repeated() {
    let (_server, near, proxy, far) = stage().await;
    near.commit(add()).await.unwrap();
    for (way, _) in LOSSES {
        proxy.cut_after(way, 0, Cut::Close);
        assert_eq!(far.sum("n").await.unwrap(), 1, "{way:?}");
    }
}

#[tokio::test]
async fn a_lease_whose_answer_was_lost_is_held_by_nobody_who_knows() {
    let (_server, near, proxy, far) = stage().await;
    proxy.cut_after(Direction::ToClient, 0, Cut::Close);
    let minute = Duration::from_secs(60);
    let error = far.claim("l", minute).await.unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::StoreUnavailable, Outcome::Unknown)
    );
    assert_eq!(near.claim("l", minute).await.unwrap(), None);
}

#[tokio::test]
async fn whoever_is_cut_off_is_told_within_the_deadline() {
    let (_server, near, proxy, far) = stage().await;
    let far = far.with_deadline(Duration::from_millis(800));
    // It has a connection, so that what follows is sent.
    while far.sum("n").await.is_err() {}
    proxy.partition();
    let error = far.commit(add()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::StoreUnavailable, Outcome::Unknown)
    );
    proxy.heal();
    // What was under way may arrive now: its outcome was unknown.
    assert!((0..=1).contains(&near.sum("n").await.unwrap()));
}

#[tokio::test]
async fn whoever_is_cut_off_holds_up_nobody() {
    let (_server, near, proxy, far) = stage().await;
    // Whoever waited for a key of the one that is cut off would fail before that one lets go of it.
    let near = near.with_deadline(Duration::from_secs(20));
    let far = far.with_deadline(Duration::from_secs(120));
    far.commit(add()).await.unwrap();
    // The request arrives, its answer does not.
    proxy.cut_after(Direction::ToClient, 0, Cut::Silence);
    let others = async {
        while proxy.is_planned() {
            tokio::task::yield_now().await;
        }
        for _ in 0..5 {
            near.commit(add()).await.unwrap();
        }
    };
    match select(pin!(far.commit(add())), pin!(others)).await {
        Either::Left((answer, _)) => panic!("nothing passes, and it was told {answer:?}"),
        Either::Right(_) => assert_eq!(near.sum("n").await.unwrap(), 7),
    }
}

#[tokio::test]
async fn whoever_waits_for_a_lock_is_told_and_certain() {
    let (server, near, _proxy, _far) = stage().await;
    let server = Arc::new(server);
    // The server gives up a tenth before we do: a second is enough for its word to come.
    let near = near.with_deadline(Duration::from_secs(10));
    near.commit(add()).await.unwrap();
    server.sql("CREATE TABLE public.done ()");
    let holder = {
        let server = server.clone();
        thread::spawn(move || {
            server.sql(
                "BEGIN; LOCK TABLE nbhd.sums IN ACCESS EXCLUSIVE MODE; \
                 DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM public.done) LOOP PERFORM pg_sleep(0.02); END LOOP; END $$; \
                 COMMIT",
            )
        })
    };
    let held = "SELECT count(*) FROM pg_locks WHERE granted AND relation = 'nbhd.sums'::regclass \
        AND mode = 'AccessExclusiveLock'";
    while server.sql(held) != "1" {}
    let answer = near.commit(add()).await;
    server.sql("INSERT INTO public.done DEFAULT VALUES");
    holder.join().unwrap();
    let error = answer.unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::StoreUnavailable, Outcome::NotSent),
        "{error}"
    );
    assert_eq!(near.sum("n").await.unwrap(), 1);
}
