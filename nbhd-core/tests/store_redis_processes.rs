//! The Redis store and more than one process: sharing a cap, being killed, being forked; and its server, killed.
//!
//! Each test starts this program again as the process that it needs: the one test `role` plays whatever part the
//! environment names, and is nothing without it.
#![cfg(all(unix, feature = "redis"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nbhd_core::store::{Commit, Guard, RedisStore, Store, Write};
use nbhd_core::testkit::{RedisFsync, RedisServer};

const PART: &str = "NBHD_TEST_PART";
const ADDRESS: &str = "NBHD_TEST_ADDRESS";

fn start(part: &str, server: &RedisServer) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "role", "--nocapture", "--test-threads=1"])
        .env(PART, part)
        .env(ADDRESS, server.address())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn made(server: &RedisServer) -> RedisStore {
    let store = RedisStore::new(&server.address()).unwrap();
    block_on(store.create()).unwrap();
    store
}

/// The part that the environment names; without one there is nothing to do.
#[test]
fn role() {
    let (Some(part), Ok(address)) = (std::env::var_os(PART), address()) else {
        return;
    };
    let store = RedisStore::new(&address).unwrap();
    match part.to_str().unwrap() {
        "spender" => spend(&store),
        "teller" => tell(&store),
        "holder" => hold(&store),
        "forked" => fork::forked(&store),
        "forked_while_writing" => fork::while_writing(&store),
        other => panic!("no such part: {other}"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program of its own reads its environment"
)]
fn address() -> Result<String, std::env::VarError> {
    std::env::var(ADDRESS)
}

#[test]
fn processes_that_share_a_server_share_its_cap() {
    let server = RedisServer::start(RedisFsync::Always);
    let store = made(&server);
    let spenders: Vec<Child> = (0..4).map(|_| start("spender", &server)).collect();
    for spender in spenders {
        assert!(spender.wait_with_output().unwrap().status.success());
    }
    assert_eq!(block_on(store.sum("spent")).unwrap(), 500);
    assert_eq!(block_on(store.count("log")).unwrap(), 500);
}

/// Takes what it can get of a cap of 500 in 200 tries.
fn spend(store: &RedisStore) {
    for n in 0..200 {
        let commit = Commit::new()
            .guard(Guard::SumAtMost {
                key: "spent".to_owned(),
                delta: 1,
                cap: 500,
            })
            .write(add("spent"))
            .write(append("log", &format!("{}/{n}", std::process::id())));
        block_on(store.commit(commit)).unwrap();
    }
}

#[test]
fn what_a_killed_process_was_told_is_there_whole_and_nothing_is_there_in_half() {
    for round in 0..3 {
        let server = RedisServer::start(RedisFsync::Always);
        let store = made(&server);
        let mut teller = start("teller", &server);
        let told = listen(&mut teller, 100 + 37 * round, |teller| teller.kill().unwrap());
        let sum = block_on(store.sum("n")).unwrap();
        assert!(sum >= told, "told {told}, found {sum}");
        whole(&store, sum);
    }
}

#[test]
fn a_killed_server_that_syncs_always_has_all_that_it_acknowledged() {
    let mut server = RedisServer::start(RedisFsync::Always);
    let store = made(&server);
    let mut told = 0;
    for round in 0..5 {
        let mut teller = start("teller", &server);
        told = listen(&mut teller, told + 60 + 17 * round, |_| server.kill9());
        server.restart();
        let sum = block_on(store.sum("n")).unwrap();
        assert!(sum >= told, "round {round}: told {told}, found {sum}");
        whole(&store, sum);
        told = sum;
    }
    println!("5 servers killed, {told} commits told, none lost");
}

#[test]
fn a_killed_server_without_a_file_has_lost_what_it_acknowledged_and_says_so() {
    let mut server = RedisServer::start(RedisFsync::None);
    let store = made(&server);
    let mut teller = start("teller", &server);
    let told = listen(&mut teller, 100, |_| server.kill9());
    assert!(told >= 100);
    server.restart();
    let error = block_on(store.sum("n")).unwrap_err();
    assert_eq!(error.code(), nbhd_core::Code::StoreUnavailable, "not 0: {error}");
}

/// Counts what the teller tells; at `kill` it calls `end` and reads on. The last number told.
fn listen(teller: &mut Child, kill: i64, end: impl FnOnce(&mut Child)) -> i64 {
    let out = teller.stdout.take().unwrap();
    let (mut told, mut end) = (0, Some(end));
    for line in BufReader::new(out).lines() {
        // The test runner's own words may stand before the first.
        if let Some((_, n)) = line.unwrap().split_once("told ") {
            told = n.parse().unwrap();
        }
        if told >= kill
            && let Some(end) = end.take()
        {
            end(teller);
        }
    }
    teller.wait().unwrap();
    told
}

fn whole(store: &RedisStore, sum: i64) {
    let log = block_on(store.count("log")).unwrap();
    assert_eq!(log as i64, sum, "each commit is whole");
    let last = block_on(store.get("last")).unwrap().unwrap();
    assert_eq!(last.version as i64, sum);
}

/// Commits and tells the new sum, until it or its server is killed.
fn tell(store: &RedisStore) {
    for n in 1.. {
        let commit = Commit::new()
            .write(add("n"))
            .write(append("log", &format!("{}/{n}", std::process::id())))
            .write(put("last", &n.to_string()));
        let Ok(nbhd_core::store::Committed::Done { results, .. }) = block_on(store.commit(commit)) else {
            return;
        };
        println!("told {}", results[0]);
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn the_lease_of_a_killed_process_ends_and_its_epoch_never_comes_back() {
    let server = RedisServer::start(RedisFsync::Always);
    let store = made(&server);
    let mut holder = start("holder", &server);
    let epoch = listen(&mut holder, 1, |holder| holder.kill().unwrap()) as u64;
    let minute = Duration::from_secs(60);
    assert_eq!(block_on(store.claim("lane", minute)).unwrap(), None, "still held");
    server.command(&["HSET", "nbhd:state", "shift", "60000000"]);
    let next = block_on(store.claim("lane", minute)).unwrap().unwrap();
    assert!(next.epoch > epoch);
    let late = Commit::new()
        .guard(Guard::Lease {
            lane: "lane".to_owned(),
            epoch,
        })
        .write(add("n"));
    let answer = block_on(store.commit(late)).unwrap();
    assert!(matches!(answer, nbhd_core::store::Committed::Refused(_)));
}

/// Takes a lease, tells its epoch, and holds it until it is killed.
fn hold(store: &RedisStore) {
    let lease = block_on(store.claim("lane", Duration::from_secs(60)))
        .unwrap()
        .unwrap();
    println!("told {}", lease.epoch);
    std::io::stdout().flush().unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn a_forked_child_has_a_connection_of_its_own() {
    for part in ["forked", "forked_while_writing"] {
        let server = RedisServer::start(RedisFsync::Always);
        let store = made(&server);
        let output = start(part, &server).wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{part} failed:\n{text}");
        let sum = block_on(store.sum("n")).unwrap();
        assert_eq!(sum, if part == "forked" { 4 } else { 620 }, "{part}");
    }
}

mod fork {
    use super::{Commit, RedisStore, Store, add, block_on};

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

    fn one(store: &RedisStore) -> bool {
        block_on(store.commit(Commit::new().write(add("n")))).is_ok()
    }

    pub(super) fn forked(store: &RedisStore) {
        assert!(one(store));
        // No hook is needed: the parent's connection goes on, the child's is new, also for a handle from before.
        let ended = child(|| one(store) && block_on(store.close()).is_ok() && one(store));
        assert!(one(store));
        assert!(ended());
    }

    pub(super) fn while_writing(store: &RedisStore) {
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        assert!(one(store));
                    }
                });
            }
            for _ in 0..20 {
                assert!(child(|| one(store))(), "a child hung or failed");
            }
        });
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
}

fn add(key: &str) -> Write {
    Write::Add {
        key: key.to_owned(),
        delta: 1,
    }
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
