//! More than one process on one store. Each test starts its program again as the process that it needs: the one test
//! `role` plays whatever part the environment names, and is nothing without it.
#![allow(dead_code, reason = "each store's tests use a part of it")]

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nbhd_core::store::{Bucket, Commit, Committed, Durability, Guard, Lease, Store, Write};
use nbhd_core::{Code, Error};

const PART: &str = "NBHD_TEST_PART";
const PLACE: &str = "NBHD_TEST_PLACE";

/// Starts a process that plays `part` on the store at `place`.
pub(crate) fn start(part: &str, place: impl AsRef<OsStr>) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "role", "--nocapture", "--test-threads=1"])
        .env(PART, part)
        .env(PLACE, place)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The part that this process plays, and where; without one there is nothing to do.
pub(crate) fn part() -> Option<(String, OsString)> {
    let part = std::env::var_os(PART)?.into_string().unwrap();
    Some((part, std::env::var_os(PLACE)?))
}

pub(crate) fn ends_well(child: Child) {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "a process failed:\n{text}");
}

/// The last number that a process tells; at `kill` it calls `end` and reads on.
pub(crate) fn listen(process: &mut Child, kill: i64, end: impl FnOnce(&mut Child)) -> i64 {
    let out = process.stdout.take().unwrap();
    let (mut told, mut end) = (0, Some(end));
    for line in BufReader::new(out).lines() {
        // The test runner's own words may stand before the first.
        if let Some((_, n)) = line.unwrap().split_once("told ") {
            told = n.parse().unwrap();
        }
        if told >= kill
            && let Some(end) = end.take()
        {
            end(process);
        }
    }
    process.wait().unwrap();
    told
}

fn say(told: impl std::fmt::Display) {
    println!("told {told}");
    std::io::stdout().flush().unwrap();
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
}

pub(crate) fn put(key: &str, value: &str) -> Write {
    Write::Put {
        key: key.to_owned(),
        value: value.to_owned(),
        ttl: None,
    }
}

pub(crate) fn append(index: &str, member: &str) -> Write {
    Write::Append {
        index: index.to_owned(),
        member: member.to_owned(),
    }
}

pub(crate) fn add(key: &str) -> Write {
    Write::Add {
        key: key.to_owned(),
        delta: 1,
    }
}

/// Takes what it can get of a cap of 500 in 200 tries.
pub(crate) fn spend(store: &impl Store) {
    block_on(async {
        for n in 0..200 {
            let commit = Commit::new()
                .guard(Guard::SumAtMost {
                    key: "spent".to_owned(),
                    delta: 1,
                    cap: 500,
                })
                .write(add("spent"))
                .write(append("log", &format!("{}/{n}", std::process::id())));
            store.commit(commit).await.unwrap();
        }
    });
}

/// Four of them got all of it and no more.
pub(crate) fn all_is_spent(store: &impl Store) {
    assert_eq!(block_on(store.sum("spent")).unwrap(), 500);
    assert_eq!(block_on(store.count("log")).unwrap(), 500);
}

/// Commits and tells the new sum, until it or its server is killed.
pub(crate) fn tell(store: &impl Store) {
    block_on(async {
        for n in 1.. {
            let mut commit = Commit::new()
                .write(add("n"))
                .write(append("log", &format!("{}/{n}", std::process::id())))
                .write(put("last", &n.to_string()));
            if n % 10 == 0 {
                commit = commit.with_durability(Durability::Power);
            }
            let Ok(Committed::Done { results, .. }) = store.commit(commit).await else {
                return;
            };
            say(results[0]);
        }
    });
}

/// What the tellers were told is there, whole; nothing is there in half. The sum.
pub(crate) fn whole(store: &impl Store, told: i64) -> i64 {
    block_on(async {
        let sum = store.sum("n").await.unwrap();
        assert!(sum >= told, "told {told}, found {sum}");
        let log = store.count("log").await.unwrap();
        assert_eq!(log as i64, sum, "each commit is whole");
        let last = store.get("last").await.unwrap().unwrap();
        assert_eq!(last.version as i64, sum);
        sum
    })
}

/// Takes a lease, tells its epoch, and holds it until it is killed.
pub(crate) fn hold(store: &impl Store) {
    let lease = block_on(store.claim("lane", Duration::from_secs(60)));
    say(lease.unwrap().unwrap().epoch);
    loop {
        std::thread::park();
    }
}

/// How often each process of a migration takes its lane.
const ROUNDS: i64 = 200;

/// Stands when the store was brought up to date.
const UPGRADED: &str = "upgraded";

/// Every so many commits are repeated, as after a lost answer.
const REPEATED: i64 = 7;

/// Takes a lane, writes under its lease and gives it back, 200 times, at least half of them in a store that was brought up
/// to date; through the `gate` where there is one.
pub(crate) fn work(store: &impl Store, gate: Option<Guard>) {
    block_on(async {
        for round in 0..ROUNDS {
            while round == ROUNDS / 2 && store.get(UPGRADED).await.unwrap().is_none() {}
            let lease = lease(store).await;
            let mut commit = Commit::new()
                .with_op_id(format!("{}/{round}", std::process::id()))
                .guard(Guard::Lease {
                    lane: lease.lane.clone(),
                    epoch: lease.epoch,
                })
                .write(add("n"))
                .write(append("log", &format!("{}/{round}", std::process::id())))
                .write(Write::Release {
                    lane: lease.lane,
                    epoch: lease.epoch,
                });
            commit.guards.extend(gate.clone());
            let answer = store.commit(commit.clone()).await.unwrap();
            assert!(matches!(answer, Committed::Done { .. }), "{answer:?}");
            if round % REPEATED == 0 {
                assert_eq!(store.commit(commit).await.unwrap(), answer);
            }
        }
    });
}

async fn lease(store: &impl Store) -> Lease {
    loop {
        if let Some(lease) = store.claim("lane", Duration::from_secs(30)).await.unwrap() {
            return lease;
        }
        tokio::task::yield_now().await;
    }
}

/// A gate that lets each round of two processes through, once; nothing flows in meanwhile.
pub(crate) fn gate() -> Guard {
    Guard::Bucket {
        key: "gate".to_owned(),
        n: 1,
        bucket: Bucket {
            capacity: 2 * ROUNDS as u32,
            refill: Duration::from_secs(10_000_000),
        },
    }
}

/// Two processes of before work at `place`; under their hands the store is brought up to date by `upgrade`, and two new
/// ones join them. Nothing is lost, nothing is there twice.
pub(crate) fn old_and_new(
    place: impl AsRef<OsStr>,
    older: &impl Store,
    newer: &impl Store,
    upgrade: impl FnOnce(),
) {
    let mut all: Vec<Child> = (0..2).map(|_| start("old", &place)).collect();
    while block_on(older.sum("n")).unwrap() < 20 {}
    upgrade();
    assert!(block_on(older.sum("n")).unwrap() <= ROUNDS, "they still work");
    block_on(newer.commit(Commit::new().write(put(UPGRADED, "")))).unwrap();
    all.extend((0..2).map(|_| start("new", &place)));
    all.into_iter().for_each(ends_well);
    for sum in [block_on(older.sum("n")), block_on(newer.sum("n"))] {
        assert_eq!(sum.unwrap(), 4 * ROUNDS);
    }
    assert_eq!(block_on(newer.count("log")).unwrap() as i64, 4 * ROUNDS);
}

/// All that was in the gate was taken, by those who know gates.
pub(crate) fn gate_is_empty(older: &impl Store, newer: &impl Store) {
    let pass = || Commit::new().guard(gate());
    let answer = block_on(newer.commit(pass())).unwrap();
    assert!(
        matches!(&answer, Committed::Refused(refusal) if refusal.found == 0),
        "{answer:?}"
    );
    let error = block_on(older.commit(pass())).unwrap_err();
    assert_eq!(error.code(), Code::Unsupported, "{error}");
}

/// Once the oldest schema that may read and write was raised, those of before are refused, and nobody else.
pub(crate) fn shut_out(older: &impl Store, newer: &impl Store) {
    block_on(async {
        let errors: [Error; 4] = [
            older.get("last").await.unwrap_err(),
            older.sum("n").await.unwrap_err(),
            older.commit(Commit::new().write(add("n"))).await.unwrap_err(),
            older.claim("l", Duration::from_secs(1)).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.code(), Code::InvalidState, "{error}");
            assert!(error.user_action().contains("Update"), "{error:?}");
        }
        newer.commit(Commit::new().write(add("n"))).await.unwrap();
        assert_eq!(newer.sum("n").await.unwrap(), 4 * ROUNDS + 1);
    });
}

pub(crate) mod fork {
    unsafe extern "C" {
        fn fork() -> i32;
        fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
        fn alarm(seconds: u32) -> u32;
        fn _exit(status: i32) -> !;
    }

    /// Forks; the child does `work` within 20 seconds and nothing else. Answers whether it said yes.
    pub(crate) fn child(work: impl FnOnce() -> bool) -> impl FnOnce() -> bool {
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
}
