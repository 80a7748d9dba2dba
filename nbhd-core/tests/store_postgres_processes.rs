//! The PostgreSQL store and more than one process: sharing a cap, being killed, being forked, being of two versions.
#![cfg(all(target_os = "linux", feature = "postgres"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod processes;

use std::process::Child;

use nbhd_core::store::{Commit, PostgresStore, Store};
use nbhd_core::testkit::PostgresServer;
use nbhd_core::{Code, generation};
use processes::{block_on, ends_well, listen, put, start, whole};

#[test]
fn role() {
    let Some((part, address)) = processes::part() else {
        return;
    };
    let store = PostgresStore::new(address.to_str().unwrap()).unwrap();
    match part.as_str() {
        "spender" => processes::spend(&store),
        "teller" => processes::tell(&store),
        "forked_with_hook" => fork::seen(&store),
        "forked_without_hook" => fork::unseen(&store),
        "old" => processes::work(&store.of_the_schema_before(), None),
        "new" => processes::work(&store, None),
        other => panic!("no such part: {other}"),
    }
}

fn served() -> (PostgresServer, PostgresStore) {
    let server = PostgresServer::start();
    let store = PostgresStore::new(&server.address("nbhd")).unwrap();
    block_on(store.create()).unwrap();
    (server, store)
}

#[test]
fn processes_that_share_a_store_share_its_cap() {
    let (server, store) = served();
    let spenders: Vec<Child> = (0..4).map(|_| start("spender", server.address("nbhd"))).collect();
    spenders.into_iter().for_each(ends_well);
    processes::all_is_spent(&store);
}

#[test]
fn what_a_killed_process_was_told_is_there_whole_and_nothing_is_there_in_half() {
    let (server, store) = served();
    let mut told = 0;
    for _ in 0..3 {
        let mut teller = start("teller", server.address("nbhd"));
        told = listen(&mut teller, told + 40, |teller| teller.kill().unwrap());
        told = whole(&store, told);
    }
}

#[test]
fn both_sides_of_a_fork_have_a_working_store() {
    for part in ["forked_with_hook", "forked_without_hook"] {
        let (server, store) = served();
        ends_well(start(part, server.address("nbhd")));
        block_on(async {
            for key in ["before", "child", "parent", "after"] {
                assert!(store.get(key).await.unwrap().is_some(), "{part}: {key} is lost");
            }
        });
    }
}

mod fork {
    use super::processes::fork::child;
    use super::{Commit, PostgresStore, Store, block_on, generation, put};

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
    processes::old_and_new(server.address("nbhd"), &older, &newer, || {
        block_on(newer.create()).unwrap();
        assert_eq!(
            block_on(newer.incarnation()).unwrap(),
            born,
            "it is the same store"
        );
        assert_eq!(server.sql(lacks), "1");
    });
    // The next release no longer needs what the old ones wrote: it shuts them out.
    server.sql("UPDATE nbhd.state SET min_reader = 1, min_writer = 1");
    processes::shut_out(&older, &newer);
}
