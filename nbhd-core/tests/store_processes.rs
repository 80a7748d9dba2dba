//! The SQLite store and more than one process: sharing a file, being killed, being forked.
//!
//! Each test starts this program again as the process that it needs: the one test `role` plays whatever part the
//! environment names, and is nothing without it.
#![cfg(all(unix, feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use nbhd_core::store::{Commit, Durability, Guard, SqliteStore, Store, Write};
use nbhd_core::{Code, generation};

const PART: &str = "NBHD_TEST_PART";
const FILE: &str = "NBHD_TEST_FILE";

/// A file in a folder of its own, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("nbhd-processes-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("store.db")
    }

    fn start(&self, part: &str) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "role", "--nocapture", "--test-threads=1"])
            .env(PART, part)
            .env(FILE, self.file())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn run(&self, part: &str) {
        let output = self.start(part).wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{part} failed:\n{text}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The part that the environment names; without one there is nothing to do.
#[test]
fn role() {
    let (Some(part), Some(file)) = (std::env::var_os(PART), std::env::var_os(FILE)) else {
        return;
    };
    let file = Path::new(&file);
    match part.to_str().unwrap() {
        "spender" => spend(file),
        "teller" => tell(file),
        "forked_with_hook" => fork::seen(file),
        "forked_without_hook" => fork::unseen(file),
        "forked_while_writing" => fork::while_writing(file),
        other => panic!("no such part: {other}"),
    }
}

#[test]
fn processes_that_share_a_file_share_its_cap() {
    let place = Place::new("cap");
    let spenders: Vec<Child> = (0..4).map(|_| place.start("spender")).collect();
    for spender in spenders {
        assert!(spender.wait_with_output().unwrap().status.success());
    }
    let store = SqliteStore::new(place.file()).unwrap();
    block_on(async {
        assert_eq!(store.sum("spent").await.unwrap(), 500);
        assert_eq!(store.count("log").await.unwrap(), 500);
    });
}

/// Takes what it can get of a cap of 500 in 200 tries; the file may not be there yet, for several at once.
fn spend(file: &Path) {
    let store = SqliteStore::new(file).unwrap();
    block_on(async {
        for n in 0..200 {
            let commit = Commit::new()
                .guard(Guard::SumAtMost {
                    key: "spent".to_owned(),
                    delta: 1,
                    cap: 500,
                })
                .write(Write::Add {
                    key: "spent".to_owned(),
                    delta: 1,
                })
                .write(append("log", &format!("{}/{n}", std::process::id())));
            store.commit(commit).await.unwrap();
        }
    });
}

#[test]
fn what_a_killed_process_was_told_is_there_whole_and_nothing_is_there_in_half() {
    for round in 0..3 {
        let place = Place::new(&format!("kill{round}"));
        let mut teller = place.start("teller");
        let mut told = 0;
        for line in BufReader::new(teller.stdout.take().unwrap()).lines() {
            if let Some(n) = line.unwrap().strip_prefix("told ") {
                told = n.parse::<i64>().unwrap();
            }
            if told == 100 + 37 * round {
                teller.kill().unwrap();
            }
        }
        teller.wait().unwrap();
        let store = SqliteStore::new(place.file()).unwrap();
        block_on(async {
            let sum = store.sum("n").await.unwrap();
            assert!(sum >= told, "told {told}, found {sum}");
            assert_eq!(
                store.count("log").await.unwrap() as i64,
                sum,
                "each commit is whole"
            );
            let last = store.get("last").await.unwrap().unwrap();
            assert_eq!((last.value, last.version), (sum.to_string(), sum as u64));
        });
    }
}

/// Commits and tells, until it is killed.
fn tell(file: &Path) {
    let store = SqliteStore::new(file).unwrap();
    block_on(async {
        for n in 1.. {
            let mut commit = Commit::new()
                .write(Write::Add {
                    key: "n".to_owned(),
                    delta: 1,
                })
                .write(append("log", &n.to_string()))
                .write(put("last", &n.to_string()));
            if n % 10 == 0 {
                commit = commit.with_durability(Durability::Power);
            }
            store.commit(commit).await.unwrap();
            println!("told {n}");
            std::io::stdout().flush().unwrap();
        }
    });
}

#[test]
fn a_fork_that_the_hook_sees_leaves_both_sides_a_working_store() {
    let place = Place::new("fork-seen");
    place.run("forked_with_hook");
    let store = SqliteStore::new(place.file()).unwrap();
    block_on(async {
        for key in ["before", "child", "parent", "after"] {
            assert!(store.get(key).await.unwrap().is_some(), "{key} is lost");
        }
    });
}

#[test]
fn after_a_fork_that_nobody_saw_the_child_refuses_and_the_parent_goes_on() {
    let place = Place::new("fork-unseen");
    place.run("forked_without_hook");
    let place = Place::new("fork-writing");
    place.run("forked_while_writing");
}

mod fork {
    use super::{Arc, Code, Path, SqliteStore, Store, append, block_on, generation, put};
    use crate::Commit;

    unsafe extern "C" {
        fn fork() -> i32;
        fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
        fn alarm(seconds: u32) -> u32;
        fn _exit(status: i32) -> !;
    }

    /// Forks; the child does `work` within 10 seconds and nothing else. Answers whether it said yes.
    fn child(work: impl FnOnce() -> bool) -> impl FnOnce() -> bool {
        // SAFETY: plain calls of the C library. The child runs `work` alone and leaves without unwinding; that it may
        // call into code whose threads are gone is what is tested, and the alarm ends it if it hangs.
        unsafe {
            let process = fork();
            if process == 0 {
                alarm(10);
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

    pub(super) fn seen(file: &Path) {
        let store = SqliteStore::new(file).unwrap();
        let insert = |key: &str| block_on(store.commit(Commit::new().write(put(key, "1")))).is_ok();
        assert!(insert("before"));
        generation::before_fork();
        let ended = child(|| insert("child"));
        generation::after_fork();
        assert!(insert("parent"));
        generation::before_fork();
        // Whoever calls between the hooks of a fork waits: otherwise the child would find an open database.
        let meanwhile = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| insert("meanwhile"));
            let child = child(|| block_on(store.get("parent")).is_ok_and(|found| found.is_some()));
            generation::after_fork();
            (waiting.join().unwrap(), child)
        });
        let (waited, second) = meanwhile;
        assert!(waited);
        assert!(ended() && second());
        assert!(insert("after"));
    }

    pub(super) fn unseen(file: &Path) {
        let store = SqliteStore::new(file).unwrap();
        let insert = |key: &str| block_on(store.commit(Commit::new().write(put(key, "1")))).is_ok();
        assert!(insert("before"));
        let ended = child(|| refuses(&store) && refuses(&SqliteStore::new(file).unwrap()));
        assert!(ended(), "the child must answer invalid_state");
        assert!(insert("after"));
        block_on(store.close()).unwrap();
        let ended = child(|| insert("child"));
        assert!(ended(), "a closed store may be carried across");
    }

    pub(super) fn while_writing(file: &Path) {
        let store = Arc::new(SqliteStore::new(file).unwrap());
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let store = store.clone();
                std::thread::spawn(move || {
                    for n in 0..2_000 {
                        let commit = Commit::new().write(append("log", &format!("{writer}/{n}")));
                        block_on(store.commit(commit)).unwrap();
                    }
                })
            })
            .collect();
        while block_on(store.count("log")).unwrap() == 0 {}
        for _ in 0..20 {
            assert!(child(|| refuses(&store))(), "a child hung or wrote");
        }
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(block_on(store.count("log")).unwrap(), 6_000);
    }

    fn refuses(store: &SqliteStore) -> bool {
        let errors = [
            block_on(store.get("before")).err(),
            block_on(store.commit(Commit::new().write(put("child", "1")))).err(),
            block_on(store.close()).err(),
            block_on(store.now()).err(),
        ];
        let refused = |error: &Option<nbhd_core::Error>| {
            error
                .as_ref()
                .is_some_and(|error| error.code() == Code::InvalidState)
        };
        // Closing a handle that opened nothing has nothing to refuse.
        refused(&errors[0]) && refused(&errors[1]) && refused(&errors[3])
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
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
