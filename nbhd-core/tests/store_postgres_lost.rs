//! The PostgreSQL store behind a proxy that loses requests, answers and the whole way; and behind somebody's lock.

#![cfg(all(target_os = "linux", feature = "postgres"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nbhd_core::store::{Commit, Committed, PostgresStore, Store, Write};
use nbhd_core::testkit::PostgresServer;
use nbhd_core::{Code, Outcome};

/// What becomes of the next bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// The next request is not delivered, and its connection closed. Then the way is open.
    LoseRequest,
    /// The next answer is not delivered, and its connection closed. Then the way is open.
    LoseAnswer,
    /// Nothing is delivered, and nobody is told.
    Nowhere,
}

/// A way to the server that can be closed.
struct Proxy {
    port: u16,
    way: Arc<Mutex<Way>>,
}

impl Proxy {
    fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let way = Arc::new(Mutex::new(Way::Open));
        let plan = way.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
                for (from, to, lost) in [
                    (&client, &server, Way::LoseRequest),
                    (&server, &client, Way::LoseAnswer),
                ] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let plan = plan.clone();
                    thread::spawn(move || carry(from, to, lost, &plan));
                }
            }
        });
        Self { port, way }
    }

    fn set(&self, way: Way) {
        *self.way.lock().unwrap() = way;
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, lost: Way, way: &Mutex<Way>) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        let now = {
            let mut way = way.lock().unwrap();
            let now = *way;
            if now == lost {
                *way = Way::Open;
            }
            now
        };
        if now == Way::Nowhere {
            continue;
        }
        if now == lost || to.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

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
    let proxy = Proxy::to(server.port());
    let far = PostgresStore::new(&server.address_at(proxy.port, "nbhd")).unwrap();
    assert_eq!(far.sum("n").await.unwrap(), 0);
    (server, near, proxy, far)
}

#[tokio::test]
async fn a_commit_without_a_name_is_never_run_again() {
    let (_server, near, proxy, far) = stage().await;
    for (way, made) in [(Way::LoseAnswer, 1), (Way::LoseRequest, 0)] {
        let before = near.sum("n").await.unwrap();
        proxy.set(way);
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
    for (n, way) in [Way::LoseAnswer, Way::LoseRequest].into_iter().enumerate() {
        proxy.set(way);
        let commit = add().with_op_id(format!("op{n}"));
        let answer = far.commit(commit.clone()).await.unwrap();
        assert!(matches!(&answer, Committed::Done { results, .. } if *results == [n as i64 + 1]));
        assert_eq!(near.sum("n").await.unwrap(), n as i64 + 1, "{way:?}");
        assert_eq!(near.commit(commit).await.unwrap(), answer, "the first answer");
    }
}

#[tokio::test]
async fn a_read_is_repeated() {
    let (_server, near, proxy, far) = stage().await;
    near.commit(add()).await.unwrap();
    for way in [Way::LoseAnswer, Way::LoseRequest] {
        proxy.set(way);
        assert_eq!(far.sum("n").await.unwrap(), 1, "{way:?}");
    }
}

#[tokio::test]
async fn a_lease_whose_answer_was_lost_is_held_by_nobody_who_knows() {
    let (_server, near, proxy, far) = stage().await;
    proxy.set(Way::LoseAnswer);
    let minute = Duration::from_secs(60);
    let error = far.claim("l", minute).await.unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::StoreUnavailable, Outcome::Unknown)
    );
    assert_eq!(near.claim("l", minute).await.unwrap(), None);
}

#[tokio::test]
async fn whoever_is_cut_off_holds_up_nobody() {
    let (_server, near, proxy, far) = stage().await;
    let deadline = Duration::from_millis(800);
    let far = far.with_deadline(deadline);
    far.commit(add()).await.unwrap();
    proxy.set(Way::Nowhere);
    let began = Instant::now();
    let (cut, free) = futures::future::join(far.commit(add()), async {
        for _ in 0..5 {
            near.commit(add()).await.unwrap();
        }
        began.elapsed()
    })
    .await;
    let error = cut.unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::StoreUnavailable, Outcome::Unknown)
    );
    assert!(began.elapsed() < deadline * 4);
    assert!(free < deadline, "the same key, {free:?}");
    proxy.set(Way::Open);
    assert_eq!(far.sum("n").await.unwrap(), 6);
}

#[tokio::test]
async fn whoever_waits_for_a_lock_is_told_and_certain() {
    let (server, near, _proxy, _far) = stage().await;
    let server = Arc::new(server);
    let near = near.with_deadline(Duration::from_millis(700));
    near.commit(add()).await.unwrap();
    let holder = {
        let server = server.clone();
        thread::spawn(move || {
            server.sql("BEGIN; LOCK TABLE nbhd.sums IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3); COMMIT")
        })
    };
    let held = "SELECT count(*) FROM pg_locks WHERE relation = 'nbhd.sums'::regclass AND mode = 'AccessExclusiveLock'";
    while server.sql(held) != "1" {}
    let error = near.commit(add()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::StoreUnavailable, Outcome::NotSent),
        "{error}"
    );
    holder.join().unwrap();
    assert_eq!(near.sum("n").await.unwrap(), 1);
}
