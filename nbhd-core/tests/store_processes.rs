//! The SQLite store and more than one process: sharing a file, being killed, being forked, being of two versions.
#![cfg(all(unix, feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod processes;

use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use nbhd_core::store::{Commit, SqliteStore, Store};
use nbhd_core::{Code, generation};
use processes::{append, block_on, put};

/// A store that waits long for the other processes: SQLite lets those who wait for its lock pass in no order.
fn store(file: &Path) -> SqliteStore {
    let store = SqliteStore::new(file).unwrap();
    store.with_busy_wait(Duration::from_secs(60))
}

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

    fn store(&self) -> SqliteStore {
        store(&self.file())
    }

    fn play(&self, part: &str) {
        processes::ends_well(processes::start(part, self.file()));
    }

    /// Looks at the file as it is.
    fn raw(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file()).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn role() {
    let Some((part, file)) = processes::part() else {
        return;
    };
    let file = Path::new(&file);
    let store = store(file);
    match part.as_str() {
        "spender" => processes::spend(&store),
        "teller" => processes::tell(&store),
        "old" => processes::work(&store.of_the_schema_before(), None),
        "new" => processes::work(&store, Some(processes::gate())),
        "forked_with_hook" => fork::seen(file),
        "forked_without_hook" => fork::unseen(file),
        "forked_while_writing" => fork::while_writing(file),
        other => panic!("no such part: {other}"),
    }
}

#[test]
fn processes_that_share_a_file_share_its_cap() {
    let place = Place::new("cap");
    // The file may not be there yet, for several at once.
    let spenders: Vec<Child> = (0..4)
        .map(|_| processes::start("spender", place.file()))
        .collect();
    spenders.into_iter().for_each(processes::ends_well);
    processes::all_is_spent(&place.store());
}

#[test]
fn what_a_killed_process_was_told_is_there_whole_and_nothing_is_there_in_half() {
    for round in 0..3 {
        let place = Place::new(&format!("kill{round}"));
        let mut teller = processes::start("teller", place.file());
        let told = processes::listen(&mut teller, 100 + 37 * round, |teller| teller.kill().unwrap());
        processes::whole(&place.store(), told);
    }
}

#[test]
fn old_and_new_processes_work_together_while_the_file_is_brought_up_to_date() {
    let place = Place::new("upgrade");
    let older = place.store().of_the_schema_before();
    let newer = place.store();
    let number = |sql: &str| -> i64 { place.raw().query_row(sql, [], |row| row.get(0)).unwrap() };
    let schema = || number("SELECT schema FROM state");
    let buckets = || number("SELECT count(*) FROM sqlite_schema WHERE name = 'buckets'");
    let born = block_on(older.incarnation()).unwrap();
    assert_eq!((schema(), buckets()), (0, 0));
    processes::old_and_new(place.file(), &older, &newer, || {
        assert_eq!(
            block_on(newer.incarnation()).unwrap(),
            born,
            "it is the same store"
        );
        assert_eq!((schema(), buckets()), (1, 1), "opening it was enough");
    });
    processes::gate_is_empty(&older, &newer);
    // The next release no longer needs what the old ones wrote: it shuts them out, also those who have the file open.
    place
        .raw()
        .execute_batch("UPDATE state SET min_reader = 1, min_writer = 1")
        .unwrap();
    processes::shut_out(&older, &newer);
}

#[test]
fn two_who_open_an_older_file_at_once_bring_it_up_to_date_once() {
    for round in 0..20 {
        let place = Place::new(&format!("twice{round}"));
        let older = place.store().of_the_schema_before();
        block_on(older.commit(Commit::new().write(put("a", "1")))).unwrap();
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let store = place.store();
                    start.wait();
                    assert!(block_on(store.get("a")).unwrap().is_some());
                });
            }
        });
    }
}

#[test]
fn a_fork_that_the_hook_sees_leaves_both_sides_a_working_store() {
    let place = Place::new("fork-seen");
    place.play("forked_with_hook");
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
    place.play("forked_without_hook");
    let place = Place::new("fork-writing");
    place.play("forked_while_writing");
}

mod fork {
    use super::processes::fork::child;
    use super::{Arc, Code, Commit, Path, SqliteStore, Store, append, block_on, generation, put};

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
