//! The Redis store and more than one process: sharing a cap, being killed, being forked, being of two versions; and its
//! server, killed.
#![cfg(all(unix, feature = "redis"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod processes;

use std::process::Child;
use std::time::Duration;

use nbhd_core::Code;
use nbhd_core::store::{Commit, Committed, Guard, RedisStore, Store};
use nbhd_core::testkit::{RedisFsync, RedisServer};
use processes::{add, block_on, ends_well, listen, start, whole};

fn made(server: &RedisServer) -> RedisStore {
    let store = RedisStore::new(&server.address()).unwrap();
    block_on(store.create()).unwrap();
    store
}

#[test]
fn role() {
    let Some((part, address)) = processes::part() else {
        return;
    };
    let store = RedisStore::new(address.to_str().unwrap()).unwrap();
    match part.as_str() {
        "spender" => processes::spend(&store),
        "teller" => processes::tell(&store),
        "holder" => processes::hold(&store),
        "old" => processes::work(&store.of_the_schema_before(), None),
        "new" => processes::work(&store, Some(processes::gate())),
        "forked" => fork::forked(&store),
        "forked_while_writing" => fork::while_writing(&store),
        other => panic!("no such part: {other}"),
    }
}

#[test]
fn processes_that_share_a_server_share_its_cap() {
    let server = RedisServer::start(RedisFsync::Always);
    let store = made(&server);
    let spenders: Vec<Child> = (0..4).map(|_| start("spender", server.address())).collect();
    spenders.into_iter().for_each(ends_well);
    processes::all_is_spent(&store);
}

#[test]
fn what_a_killed_process_was_told_is_there_whole_and_nothing_is_there_in_half() {
    for round in 0..3 {
        let server = RedisServer::start(RedisFsync::Always);
        let store = made(&server);
        let mut teller = start("teller", server.address());
        let told = listen(&mut teller, 100 + 37 * round, |teller| teller.kill().unwrap());
        whole(&store, told);
    }
}

#[test]
fn a_killed_server_that_syncs_always_has_all_that_it_acknowledged() {
    let mut server = RedisServer::start(RedisFsync::Always);
    let store = made(&server);
    let mut told = 0;
    for round in 0..5 {
        let mut teller = start("teller", server.address());
        told = listen(&mut teller, told + 60 + 17 * round, |_| server.kill9());
        server.restart();
        told = whole(&store, told);
    }
    println!("5 servers killed, {told} commits told, none lost");
}

#[test]
fn a_killed_server_without_a_file_has_lost_what_it_acknowledged_and_says_so() {
    let mut server = RedisServer::start(RedisFsync::None);
    let store = made(&server);
    let mut teller = start("teller", server.address());
    let told = listen(&mut teller, 100, |_| server.kill9());
    assert!(told >= 100);
    server.restart();
    let error = block_on(store.sum("n")).unwrap_err();
    assert_eq!(error.code(), nbhd_core::Code::StoreUnavailable, "not 0: {error}");
}

#[test]
fn the_lease_of_a_killed_process_ends_and_its_epoch_never_comes_back() {
    let server = RedisServer::start(RedisFsync::Always);
    let store = made(&server);
    let mut holder = start("holder", server.address());
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
    assert!(matches!(answer, Committed::Refused(_)));
}

#[test]
fn old_and_new_processes_work_together_while_the_store_is_brought_up_to_date() {
    let server = RedisServer::start(RedisFsync::Always);
    let older = RedisStore::new(&server.address()).unwrap().of_the_schema_before();
    let newer = RedisStore::new(&server.address()).unwrap();
    let schema = || {
        server
            .command(&["HGET", "nbhd:state", "schema"])
            .trim()
            .to_owned()
    };
    block_on(async {
        older.create().await.unwrap();
        assert_eq!(schema(), "0");
        for error in [
            newer.get("a").await.unwrap_err(),
            newer.commit(Commit::new().write(add("n"))).await.unwrap_err(),
        ] {
            assert_eq!(error.code(), Code::InvalidState, "{error}");
            assert!(error.user_action().contains("create_store()"), "{error:?}");
        }
    });
    let born = block_on(older.incarnation()).unwrap();
    processes::old_and_new(server.address(), &older, &newer, || {
        block_on(newer.create()).unwrap();
        assert_eq!(
            block_on(newer.incarnation()).unwrap(),
            born,
            "it is the same store"
        );
        // An old process that makes the store sure to be there takes nothing back.
        block_on(older.create()).unwrap();
        assert_eq!(schema(), "1");
    });
    processes::gate_is_empty(&older, &newer);
    // The next release no longer needs what the old ones wrote: it shuts them out.
    server.command(&["HSET", "nbhd:state", "min_reader", "1", "min_writer", "1"]);
    processes::shut_out(&older, &newer);
    let error = block_on(older.create()).unwrap_err();
    assert_eq!(error.code(), Code::InvalidState, "{error}");
}

#[test]
fn a_forked_child_has_a_connection_of_its_own() {
    for part in ["forked", "forked_while_writing"] {
        let server = RedisServer::start(RedisFsync::Always);
        let store = made(&server);
        ends_well(start(part, server.address()));
        let sum = block_on(store.sum("n")).unwrap();
        assert_eq!(sum, if part == "forked" { 4 } else { 620 }, "{part}");
    }
}

mod fork {
    use super::processes::fork::child;
    use super::{Commit, RedisStore, Store, add, block_on};

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
