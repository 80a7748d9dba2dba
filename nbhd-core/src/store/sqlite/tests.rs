//! What only the file has: where it may stand, who may read it, what it refuses, how it closes.

use super::*;
use crate::clock::FakeClock;
use crate::store::{Guard, Write};

/// A folder of its own for one test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nbhd-sqlite-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("store.db")
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::new(self.file()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn put(key: &str, value: &str) -> Commit {
    Commit::new().write(Write::Put {
        key: key.to_owned(),
        value: value.to_owned(),
        ttl: None,
    })
}

async fn value(store: &SqliteStore, key: &str) -> Option<String> {
    store.get(key).await.unwrap().map(|record| record.value)
}

#[tokio::test]
async fn it_makes_itself_at_the_first_use_for_its_owner_only() {
    let folder = Folder::new("first");
    let store = folder.store();
    assert!(!folder.file().exists(), "a handle opens nothing");
    store.commit(put("a", "1")).await.unwrap();
    #[cfg(unix)]
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        use std::os::unix::fs::MetadataExt;
        let mode = folder.0.join(name).symlink_metadata().unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name} has mode {mode:o}");
    }
}

#[tokio::test]
async fn what_was_stored_is_there_after_closing_and_in_another_handle() {
    let folder = Folder::new("reopen");
    let store = folder.store();
    store.commit(put("a", "1")).await.unwrap();
    let born = store.incarnation().await.unwrap();
    store.close().await.unwrap();
    assert_eq!(value(&store, "a").await.as_deref(), Some("1"));
    let other = folder.store();
    assert_eq!(value(&other, "a").await.as_deref(), Some("1"));
    assert_eq!(other.incarnation().await.unwrap(), born);
}

#[tokio::test]
async fn places_that_cannot_be_are_refused_in_words() {
    let folder = Folder::new("places");
    let text = folder.0.join("text");
    let words = "this is no database, and long enough to be taken for one";
    std::io::Write::write_all(&mut std::fs::File::create(&text).unwrap(), words.as_bytes()).unwrap();
    let foreign = folder.0.join("foreign.db");
    rusqlite::Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (a)")
        .unwrap();
    for (path, word) in [
        (folder.0.join("no/such/folder.db"), "does not exist"),
        (folder.0.clone(), "is a folder"),
        (text, "not a SQLite database"),
        (foreign.clone(), "something else"),
    ] {
        let error = SqliteStore::new(&path).unwrap().get("a").await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfig, "{error}");
        assert!(error.message().contains(word), "{error}");
    }
    let tables: i64 = rusqlite::Connection::open(&foreign)
        .unwrap()
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1, "a foreign database is left as it was");
}

#[tokio::test]
async fn a_store_of_a_newer_program_is_refused() {
    for (column, reads) in [("min_reader", false), ("min_writer", true)] {
        let folder = Folder::new(column);
        let store = folder.store();
        store.commit(put("a", "1")).await.unwrap();
        store.close().await.unwrap();
        rusqlite::Connection::open(folder.file())
            .unwrap()
            .execute_batch(&format!("UPDATE state SET {column} = 2, schema = 2"))
            .unwrap();
        let error = store.commit(put("a", "2")).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidState);
        assert!(error.message().contains("schema 2"), "{error}");
        assert_eq!(store.get("a").await.is_ok(), reads);
    }
}

#[tokio::test]
async fn a_locked_file_is_an_error_in_bounded_time_and_nothing_is_written() {
    let folder = Folder::new("locked");
    let store = folder.store();
    store.commit(put("a", "1")).await.unwrap();
    let brief = folder.store().with_busy_wait(Duration::from_millis(50));
    let holder = rusqlite::Connection::open(folder.file()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = brief.commit(put("a", "2")).await.unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::StoreUnavailable, Outcome::NotSent)
    );
    assert!(error.retryable());
    assert_eq!(value(&store, "a").await.as_deref(), Some("1"), "reading goes on");
    holder.execute_batch("ROLLBACK").unwrap();
    while brief.commit(put("a", "3")).await.is_err() {}
    assert_eq!(value(&store, "a").await.as_deref(), Some("3"));
}

#[tokio::test]
async fn time_does_not_go_back_with_the_wall_clock_of_the_next_process() {
    let folder = Folder::new("time");
    let late: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
    let store = folder.store().with_clock(Arc::new(FakeClock::at(late)));
    store.commit(put("a", "1")).await.unwrap();
    store.close().await.unwrap();
    let early = "2026-01-01T00:00:00Z".parse().unwrap();
    let store = folder.store().with_clock(Arc::new(FakeClock::at(early)));
    assert_eq!(store.now().await.unwrap(), late);
    let Committed::Done { at, .. } = store.commit(put("a", "2")).await.unwrap() else {
        panic!("refused")
    };
    assert_eq!(at, late);
}

#[tokio::test]
async fn the_durability_asked_for_is_the_one_that_sqlite_has() {
    let folder = Folder::new("durability");
    let store = folder.store();
    for (durability, level) in [
        (None, 1),
        (Some(Durability::Power), 2),
        (Some(Durability::Process), 1),
        (Some(Durability::Power), 2),
    ] {
        let commit = Commit {
            durability,
            ..put("a", "1")
        };
        store.commit(commit).await.unwrap();
        let found = store.run(Database::synchronous).await.unwrap();
        assert_eq!(found, level);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closing_drains_and_whoever_calls_meanwhile_opens_again() {
    let folder = Folder::new("drain");
    let store = Arc::new(folder.store());
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                if n % 20 == 7 {
                    store.0.close_before_fork();
                }
                store.commit(put(&format!("k{n}"), "v")).await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    for n in 0..200 {
        assert!(value(&store, &format!("k{n}")).await.is_some());
    }
    store.close().await.unwrap();
    assert!(
        !folder.0.join("store.db-wal").exists(),
        "closed, SQLite removes its log"
    );
}

#[tokio::test]
async fn a_call_that_breaks_the_thread_is_told_so_and_the_next_one_works() {
    let folder = Folder::new("panic");
    let store = folder.store();
    store.commit(put("a", "1")).await.unwrap();
    let error = store.run::<()>(|_| panic!("on purpose")).await.unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::Internal, Outcome::Unknown)
    );
    assert_eq!(value(&store, "a").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn what_has_ended_leaves_the_file() {
    let folder = Folder::new("prune");
    let clock = Arc::new(FakeClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let store = folder.store().with_clock(clock.clone());
    for n in 0..20 {
        let commit = Commit::new().with_op_id(format!("op{n}")).write(Write::Put {
            key: format!("k{n}"),
            value: "v".to_owned(),
            ttl: Some(Duration::from_secs(5)),
        });
        store.commit(commit).await.unwrap();
        store
            .claim(&format!("lane{n}"), Duration::from_secs(5))
            .await
            .unwrap();
    }
    clock.advance(Duration::from_secs(25 * 60 * 60));
    for _ in 0..4 {
        store.commit(put("a", "1")).await.unwrap();
    }
    store.close().await.unwrap();
    let raw = rusqlite::Connection::open(folder.file()).unwrap();
    for (table, left) in [("records", 1), ("ops", 0), ("leases", 0)] {
        let count: i64 = raw
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, left, "{table}");
    }
}

#[tokio::test]
async fn a_commit_that_fails_half_way_leaves_nothing() {
    let folder = Folder::new("half");
    let store = folder.store();
    let commit = put("a", "1")
        .write(Write::Add {
            key: "s".to_owned(),
            delta: i64::MAX,
        })
        .write(Write::Add {
            key: "s".to_owned(),
            delta: 1,
        })
        .guard(Guard::Absent { key: "a".to_owned() });
    assert_eq!(store.commit(commit).await.unwrap_err().code(), Code::InvalidInput);
    assert_eq!(value(&store, "a").await, None);
    assert_eq!(store.sum("s").await.unwrap(), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_taken_away_acknowledges_nothing() {
    let folder = Folder::new("taken");
    let store = folder.store();
    store.commit(put("a", "1")).await.unwrap();
    let aside = folder.0.join("aside.db");
    std::fs::rename(folder.file(), &aside).unwrap();
    let error = store.commit(put("a", "2")).await.unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::StoreUnavailable, Outcome::NotSent)
    );
    std::fs::File::create(folder.file()).unwrap();
    assert!(
        store.commit(put("a", "2")).await.is_err(),
        "another file is another store"
    );
    std::fs::rename(aside, folder.file()).unwrap();
    store.commit(put("a", "3")).await.unwrap();
}

#[tokio::test]
async fn a_handle_that_opens_anew_takes_no_other_file_for_its_own() {
    let folder = Folder::new("anew");
    let store = folder.store();
    store.commit(put("a", "1")).await.unwrap();
    store.close().await.unwrap();
    let aside = folder.0.join("aside.db");
    std::fs::rename(folder.file(), &aside).unwrap();
    for found in ["nothing", "an empty file", "another store"] {
        for error in [
            store.get("a").await.unwrap_err(),
            store.commit(put("a", "2")).await.unwrap_err(),
        ] {
            assert_eq!(
                (error.code(), error.outcome()),
                (Code::StoreUnavailable, Outcome::NotSent),
                "{found}"
            );
        }
        match found {
            "nothing" => {
                assert!(!folder.file().exists(), "a lost store is not made anew");
                std::fs::File::create(folder.file()).unwrap();
            }
            "an empty file" => {
                let size = folder.file().metadata().unwrap().len();
                assert_eq!(size, 0, "nor in a file that somebody else made");
                let other = folder.store();
                other.commit(put("a", "3")).await.unwrap();
                other.close().await.unwrap();
            }
            _ => {}
        }
    }
    std::fs::rename(aside, folder.file()).unwrap();
    assert_eq!(value(&store, "a").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn those_who_wait_behind_others_wait_no_longer_than_they() {
    let busy = Duration::from_secs(1);
    let folder = Folder::new("queue");
    folder.store().commit(put("a", "1")).await.unwrap();
    let store = Arc::new(folder.store().with_busy_wait(busy));
    let holder = rusqlite::Connection::open(folder.file()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.commit(put("a", "2")).await })
        })
        .collect();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(
            (error.code(), error.outcome()),
            (Code::StoreUnavailable, Outcome::NotSent)
        );
    }
    // One after the other they would have waited twenty times.
    assert!(began.elapsed() < 20 * busy, "20 calls took {:?}", began.elapsed());
    holder.execute_batch("ROLLBACK").unwrap();
    while store.commit(put("a", "3")).await.is_err() {}
}

#[tokio::test]
async fn a_call_whose_time_was_taken_by_those_before_it_is_not_begun() {
    let folder = Folder::new("late");
    let store = folder.store();
    store.commit(put("a", "1")).await.unwrap();
    let late = folder.store().with_busy_wait(Duration::ZERO);
    let error = late.commit(put("a", "2")).await.unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::StoreUnavailable, Outcome::NotSent)
    );
    assert!(error.message().contains("calls before"), "{error}");
    assert_eq!(value(&store, "a").await.as_deref(), Some("1"));
}
