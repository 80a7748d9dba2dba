//! The PostgreSQL store and more than one process: sharing a cap, being killed, being forked, being of two versions.
//!
//! Each test starts this program again as the process that it needs: the one test `role` plays whatever part the
//! environment names, and is nothing without it.
#![cfg(all(target_os = "linux", feature = "postgres"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nbhd_core::store::{Commit, Committed, Guard, PostgresStore, Store, Write};
use nbhd_core::testkit::PostgresServer;
use nbhd_core::{Code, generation};

const PART: &str = "NBHD_TEST_PART";
const ADDRESS: &str = "NBHD_TEST_ADDRESS";

fn start(part: &str, server: &PostgresServer) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "role", "--nocapture", "--test-threads=1"])
        .env(PART, part)
        .env(ADDRESS, server.address("nbhd"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn ends_well(child: Child) {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "a process failed:\n{text}");
}

/// The part that the environment names; without one there is nothing to do.
#[test]
fn role() {
    let (Some(part), Some(address)) = (std::env::var_os(PART), std::env::var_os(ADDRESS)) else {
        return;
    };
    let store = PostgresStore::new(address.to_str().unwrap()).unwrap();
    match part.to_str().unwrap() {
        "spender" => spend(&store),
        "teller" => tell(&store),
        "forked_with_hook" => fork::seen(&store),
        "forked_without_hook" => fork::unseen(&store),
        "old" => work(&store.of_the_schema_before()),
        "new" => work(&store),
        other => panic!("no such part: {other}"),
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
}

fn served() -> (PostgresServer, PostgresStore) {
    let server = PostgresServer::start();
    let store = PostgresStore::new(&server.address("nbhd")).unwrap();
    block_on(store.create()).unwrap();
    (server, store)
}

fn put(key: &str, value: &str) -> Write {
    Write::Put {
        key: key.to_owned(),
        value: value.to_owned(),
        ttl: None,
    }
}

fn append(index: &str, member: &str) -> Write {
    Write::Append {
        index: index.to_owned(),
        member: member.to_owned(),
    }
}

fn add(key: &str) -> Write {
    Write::Add {
        key: key.to_owned(),
        delta: 1,
    }
}

#[test]
fn processes_that_share_a_store_share_its_cap() {
    let (server, store) = served();
    let spenders: Vec<Child> = (0..4).map(|_| start("spender", &server)).collect();
    spenders.into_iter().for_each(ends_well);
    block_on(async {
        assert_eq!(store.sum("spent").await.unwrap(), 300);
        assert_eq!(store.count("log").await.unwrap(), 300);
    });
}

/// Takes what it can get of a cap of 300 in 120 tries.
fn spend(store: &PostgresStore) {
    block_on(async {
        for n in 0..120 {
            let commit = Commit::new()
                .guard(Guard::SumAtMost {
                    key: "spent".to_owned(),
                    delta: 1,
                    cap: 300,
                })
                .write(add("spent"))
                .write(append("log", &format!("{}/{n}", std::process::id())));
            store.commit(commit).await.unwrap();
        }
    });
}

#[test]
fn what_a_killed_process_was_told_is_there_whole_and_nothing_is_there_in_half() {
    let (server, store) = served();
    let mut told = 0;
    for _ in 0..3 {
        let mut teller = start("teller", &server);
        let mut heard = 0;
        for line in BufReader::new(teller.stdout.take().unwrap()).lines() {
            if line.unwrap().starts_with("told ") {
                heard += 1;
            }
            if heard == 40 {
                teller.kill().unwrap();
            }
        }
        teller.wait().unwrap();
        told += heard;
        block_on(async {
            let sum = store.sum("n").await.unwrap();
            assert!(sum >= told, "told {told}, found {sum}");
            assert_eq!(
                store.count("log").await.unwrap() as i64,
                sum,
                "each commit is whole"
            );
            let last = store.get("last").await.unwrap().unwrap();
            assert_eq!(last.version, sum as u64);
        });
    }
}

/// Commits and tells, until it is killed.
fn tell(store: &PostgresStore) {
    block_on(async {
        for n in 1.. {
            let commit = Commit::new()
                .write(add("n"))
                .write(append("log", &format!("{}/{n}", std::process::id())))
                .write(put("last", &n.to_string()));
            store.commit(commit).await.unwrap();
            println!("told {n}");
            std::io::stdout().flush().unwrap();
        }
    });
}

#[test]
fn both_sides_of_a_fork_have_a_working_store() {
    for part in ["forked_with_hook", "forked_without_hook"] {
        let (server, store) = served();
        ends_well(start(part, &server));
        block_on(async {
            for key in ["before", "child", "parent", "after"] {
                assert!(store.get(key).await.unwrap().is_some(), "{part}: {key} is lost");
            }
        });
    }
}

mod fork {
    use super::{Commit, PostgresStore, Store, block_on, generation, put};

    unsafe extern "C" {
        fn fork() -> i32;
        fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
        fn alarm(seconds: u32) -> u32;
        fn _exit(status: i32) -> !;
    }

    /// Forks; the child does `work` within 20 seconds and nothing else. Answers whether it said yes.
    fn child(work: impl FnOnce() -> bool) -> impl FnOnce() -> bool {
        // SAFETY: plain calls of the C library. The child runs `work` alone and leaves without unwinding; that it may
        // call into code whose threads are gone is what is tested, and the alarm ends it if it hangs.
        unsafe {
            let process = fork();
            if process == 0 {
                alarm(20);
                let yes = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(false);
                _exit(i32::from(!yes));
            }
            assert!(process > 0, "fork failed");
            move || {
                let mut status = -1;
                waitpid(process, &raw mut status, 0) == process && status == 0
            }
        }
    }

    fn insert(store: &PostgresStore, key: &str) -> bool {
        block_on(store.commit(Commit::new().write(put(key, "1")))).is_ok()
    }

    pub(super) fn seen(store: &PostgresStore) {
        assert!(insert(store, "before"));
        generation::before_fork();
        let ended = child(|| insert(store, "child"));
        generation::after_fork();
        assert!(insert(store, "parent"));
        assert!(ended(), "the child could not write");
        assert!(insert(store, "after"));
    }

    pub(super) fn unseen(store: &PostgresStore) {
        assert!(insert(store, "before"));
        for _ in 0..3 {
            let ended = child(|| {
                let wrote = (0..20).all(|_| insert(store, "child"));
                wrote && block_on(store.close()).is_ok()
            });
            // The two talk to the server at once, each on connections of its own.
            assert!((0..20).all(|_| insert(store, "parent")));
            assert!(ended(), "the child could not write");
        }
        assert!(insert(store, "after"));
    }
}

#[test]
fn old_and_new_processes_work_together_while_the_store_is_brought_up_to_date() {
    let server = PostgresServer::start();
    let older = PostgresStore::new(&server.address("nbhd"))
        .unwrap()
        .of_the_schema_before();
    let newer = PostgresStore::new(&server.address("nbhd")).unwrap();
    let lacks = "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'nbhd' AND column_name = 'taken_at'";
    block_on(async {
        older.create().await.unwrap();
        assert_eq!(server.sql(lacks), "0");
        let error = newer.get("a").await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidState, "{error}");
        assert!(error.user_action().contains("create_store()"), "{error:?}");
    });
    let born = block_on(older.incarnation()).unwrap();
    let mut olds: Vec<Child> = (0..2).map(|_| start("old", &server)).collect();
    // Under load: they work, the store changes, more come, all end well.
    block_on(async {
        while older.sum("n").await.unwrap() < 20 {}
        newer.create().await.unwrap();
        assert_eq!(newer.incarnation().await.unwrap(), born, "it is the same store");
    });
    assert_eq!(server.sql(lacks), "1");
    assert!(block_on(older.sum("n")).unwrap() < 2 * ROUNDS, "there was load");
    olds.extend((0..2).map(|_| start("new", &server)));
    olds.into_iter().for_each(ends_well);
    block_on(async {
        assert_eq!(newer.sum("n").await.unwrap(), 4 * ROUNDS);
        assert_eq!(newer.count("log").await.unwrap() as i64, 4 * ROUNDS);
        // The next release no longer needs what the old ones wrote: it shuts them out.
        server.sql("UPDATE nbhd.state SET min_reader = 1, min_writer = 1");
        for error in [
            older.get("a").await.unwrap_err(),
            older.commit(Commit::new().write(add("n"))).await.unwrap_err(),
            older.claim("l", Duration::from_secs(1)).await.unwrap_err(),
        ] {
            assert_eq!(error.code(), Code::InvalidState, "{error}");
        }
        newer.commit(Commit::new().write(add("n"))).await.unwrap();
    });
}

const ROUNDS: i64 = 150;

/// Takes a lane, writes under its lease, gives it back: 150 times.
fn work(store: &PostgresStore) {
    block_on(async {
        let mut made = 0;
        while made < ROUNDS {
            let Some(lease) = store.claim("lane", Duration::from_secs(30)).await.unwrap() else {
                tokio::task::yield_now().await;
                continue;
            };
            let guard = Guard::Lease {
                lane: lease.lane.clone(),
                epoch: lease.epoch,
            };
            let commit = Commit::new()
                .guard(guard)
                .write(add("n"))
                .write(append("log", &format!("{}/{made}", std::process::id())))
                .write(Write::Release {
                    lane: lease.lane,
                    epoch: lease.epoch,
                });
            let answer = store.commit(commit).await.unwrap();
            assert!(matches!(answer, Committed::Done { .. }), "{answer:?}");
            made += 1;
        }
    });
}
