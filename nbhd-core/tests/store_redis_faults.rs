//! What happens to the Redis store when its server hangs, refuses, dies, forgets, loses answers, or was set up badly.
#![cfg(all(unix, feature = "redis"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use nbhd_core::inbox::NewEvent;
use nbhd_core::outbox::NewIntent;
use nbhd_core::store::{Commit, Committed, Durability, Guard, RedisStore, Store, Write};
use nbhd_core::testkit::{Cut, Direction, Proxy, RedisFsync, RedisServer};
use nbhd_core::{Code, Error, Host, Outcome};

/// For what is waited for in vain. What must succeed is not asked within it, or asked until it does.
const SHORT: Duration = Duration::from_millis(400);

fn add(key: &str) -> Commit {
    Commit::new().write(Write::Add {
        key: key.to_owned(),
        delta: 1,
    })
}

async fn made(server: &RedisServer) -> RedisStore {
    let store = RedisStore::new(&server.address()).unwrap();
    store.create().await.unwrap();
    store
}

fn behind(proxy: &Proxy) -> RedisStore {
    RedisStore::new(&format!("redis://{}/0", proxy.address())).unwrap()
}

/// The next byte that the server sends ends the connection instead.
fn lose_next_answer(proxy: &Proxy) {
    proxy.cut_after(Direction::ToClient, 0, Cut::Close);
}

fn is(error: &Error, code: Code, outcome: Outcome) {
    assert_eq!((error.code(), error.outcome()), (code, outcome), "{error}");
    assert!(!error.user_action().is_empty());
}

/// A handle that waits briefly and has a connection: what is asked of it next is sent, however slow the machine is.
async fn brief(store: RedisStore) -> RedisStore {
    let store = store.with_deadline(SHORT);
    while store.sum("n").await.is_err() {}
    store
}

#[tokio::test]
async fn a_server_that_hangs_is_an_error_within_the_deadline() {
    let server = RedisServer::start(RedisFsync::Always);
    let direct = made(&server).await;
    // The server knows the scripts, so that it is they that it is asked for.
    direct.commit(add("warm")).await.unwrap();
    direct.claim("warm", SHORT).await.unwrap();
    let to_server = || RedisStore::new(&server.address()).unwrap();
    // The first of them that is told closes its handle's connection to later ones: each has its own.
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(brief(to_server()).await);
    }
    let named = || add("named").with_op_id("op");
    server.pause();
    let (read, once, repeated, lease) = futures::future::join4(
        stores[0].get("a"),
        stores[1].commit(add("once")),
        stores[2].commit(named()),
        stores[3].claim("lane", Duration::from_secs(60)),
    )
    .await;
    is(&read.unwrap_err(), Code::StoreUnavailable, Outcome::NotSent);
    for error in [once.unwrap_err(), repeated.unwrap_err(), lease.unwrap_err()] {
        is(&error, Code::StoreUnavailable, Outcome::Unknown);
        assert!(error.retryable());
    }
    // A handle that has no connection yet did not send anything.
    let fresh = to_server().with_deadline(SHORT);
    is(
        &fresh.commit(add("fresh")).await.unwrap_err(),
        Code::StoreUnavailable,
        Outcome::NotSent,
    );
    server.resume();
    let answer = loop {
        if let Ok(answer) = stores[2].commit(named()).await {
            break answer;
        }
    };
    // What nobody heard of may have been made, once; the named one was, and only once.
    assert!(
        matches!(&answer, Committed::Done { results, .. } if *results == [1]),
        "{answer:?}"
    );
    assert_eq!(direct.sum("named").await.unwrap(), 1);
    assert!((0..=1).contains(&direct.sum("once").await.unwrap()));
    assert_eq!(direct.sum("fresh").await.unwrap(), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_and_used_again_when_it_is() {
    let mut server = RedisServer::start(RedisFsync::Always);
    let store = made(&server).await;
    store.commit(add("n")).await.unwrap();
    server.kill9();
    // The end of the connection may be seen before or after the next command is on its way.
    let error = store.commit(add("n").with_op_id("op")).await.unwrap_err();
    assert_eq!(error.code(), Code::StoreUnavailable, "{error}");
    is(
        &store.commit(add("n")).await.unwrap_err(),
        Code::StoreUnavailable,
        Outcome::NotSent,
    );
    is(
        &store.sum("n").await.unwrap_err(),
        Code::StoreUnavailable,
        Outcome::NotSent,
    );
    server.restart();
    assert_eq!(store.sum("n").await.unwrap(), 1, "always: nothing is lost");
    store.commit(add("n").with_op_id("op")).await.unwrap();
    assert_eq!(store.sum("n").await.unwrap(), 2);
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_made_once() {
    let server = RedisServer::start(RedisFsync::Always);
    let proxy = Proxy::start(([127, 0, 0, 1], server.port()).into()).unwrap();
    let direct = made(&server).await;
    // The server knows the scripts, so that what is lost is the answer to them.
    direct.commit(add("warm")).await.unwrap();
    direct.claim("warm", SHORT).await.unwrap();
    let store = behind(&proxy);
    assert_eq!(store.sum("n").await.unwrap(), 0);
    // Without a name nobody may repeat it: whether it was made is not known.
    lose_next_answer(&proxy);
    let error = store.commit(add("n")).await.unwrap_err();
    is(&error, Code::StoreUnavailable, Outcome::Unknown);
    assert_eq!(direct.sum("n").await.unwrap(), 1);
    // With one, the store repeats it by itself, and is told what was answered first.
    store.sum("n").await.unwrap();
    lose_next_answer(&proxy);
    let commit = || {
        add("n").with_op_id("op").guard(Guard::SumAtMost {
            key: "n".to_owned(),
            delta: 1,
            cap: 2,
        })
    };
    let Committed::Done { results, .. } = store.commit(commit()).await.unwrap() else {
        panic!("the repetition was refused by what the first one wrote")
    };
    assert_eq!(results, vec![2]);
    assert_eq!(direct.sum("n").await.unwrap(), 2);
    // A lease is not taken twice: the first taking holds.
    store.sum("n").await.unwrap();
    lose_next_answer(&proxy);
    let error = store.claim("lane", Duration::from_secs(60)).await.unwrap_err();
    is(&error, Code::StoreUnavailable, Outcome::Unknown);
    assert_eq!(direct.claim("lane", Duration::from_secs(60)).await.unwrap(), None);
    // Reading again is always safe.
    store.sum("n").await.unwrap();
    lose_next_answer(&proxy);
    assert_eq!(store.sum("n").await.unwrap(), 2);
}

#[tokio::test]
async fn a_connection_cut_at_any_byte_makes_a_commit_once_or_not_at_all() {
    let server = RedisServer::start(RedisFsync::Always);
    let proxy = Proxy::start(([127, 0, 0, 1], server.port()).into()).unwrap();
    let direct = made(&server).await;
    let store = behind(&proxy);
    store.commit(add("warm")).await.unwrap();
    let before = proxy.passed(Direction::ToClient);
    store.commit(add("warm")).await.unwrap();
    let answer = proxy.passed(Direction::ToClient) - before;
    let mut cuts = 0;
    for (direction, step, bytes) in [(Direction::ToClient, 1, answer), (Direction::ToServer, 29, 300)] {
        for at in (0..bytes).step_by(step) {
            for named in [false, true] {
                // There is a connection, so that it is the commit that is cut.
                store.sum("n").await.unwrap();
                let sum = direct.sum("n").await.unwrap();
                let mut commit = add("n");
                if named {
                    commit = commit.with_op_id(format!("{direction:?}{at}"));
                }
                proxy.cut_after(direction, at, Cut::Close);
                let made = store.commit(commit).await;
                cuts += u64::from(!proxy.is_planned());
                proxy.heal();
                let added = direct.sum("n").await.unwrap() - sum;
                match made {
                    Ok(_) => assert_eq!(added, 1, "{direction:?} {at} {named}"),
                    Err(error) => {
                        is(&error, Code::StoreUnavailable, Outcome::Unknown);
                        assert!(!named && added <= 1, "{direction:?} {at} {named}: {added}");
                        assert!(direction == Direction::ToServer || added == 1);
                    }
                }
            }
        }
    }
    println!("{cuts} cuts within commits");
    assert!(cuts > 2 * answer, "{cuts}");
}

#[tokio::test]
async fn a_network_that_falls_silent_is_an_error_within_the_deadline() {
    let server = RedisServer::start(RedisFsync::Always);
    let proxy = Proxy::start(([127, 0, 0, 1], server.port()).into()).unwrap();
    made(&server).await;
    let store = brief(behind(&proxy)).await;
    proxy.partition();
    is(
        &store.commit(add("n")).await.unwrap_err(),
        Code::StoreUnavailable,
        Outcome::Unknown,
    );
    is(
        &store.commit(add("n")).await.unwrap_err(),
        Code::StoreUnavailable,
        Outcome::NotSent,
    );
    proxy.heal();
    // It connects again, as soon as the server manages within so short a deadline.
    while store.commit(add("n")).await.is_err() {}
}

#[tokio::test]
async fn a_server_that_came_back_empty_is_not_a_fresh_store() {
    let server = RedisServer::start(RedisFsync::Always);
    let unmade = RedisStore::new(&server.address()).unwrap();
    let error = unmade.commit(add("n")).await.unwrap_err();
    is(&error, Code::StoreUnavailable, Outcome::NotSent);
    assert!(error.user_action().contains("create_store"));
    assert_eq!(server.command(&["DBSIZE"]), "0", "nothing was made by opening");

    let store = made(&server).await;
    store.commit(add("n")).await.unwrap();
    store.create().await.unwrap();
    assert_eq!(store.sum("n").await.unwrap(), 1, "made again, it stays as it is");
    server.command(&["FLUSHALL"]);
    for error in [
        store.commit(add("n")).await.unwrap_err(),
        store.claim("lane", Duration::from_secs(1)).await.unwrap_err(),
        store.sum("n").await.unwrap_err(),
        store.now().await.unwrap_err(),
    ] {
        is(&error, Code::StoreUnavailable, Outcome::NotSent);
        assert!(!error.retryable());
    }
    // Somebody makes a new one there: who began with the first does not go on with the second.
    let other = made(&server).await;
    other.commit(add("n")).await.unwrap();
    is(
        &store.commit(add("n")).await.unwrap_err(),
        Code::StoreUnavailable,
        Outcome::NotSent,
    );
    // Half of a store is none.
    server.command(&["DEL", "nbhd:state"]);
    is(
        &other.create().await.unwrap_err(),
        Code::InvalidState,
        Outcome::NotSent,
    );
}

#[tokio::test]
async fn what_a_server_survives_is_what_its_settings_say() {
    for (fsync, settings, class) in [
        (RedisFsync::None, &[][..], Durability::Lossy),
        (RedisFsync::EverySecond, &[][..], Durability::Lossy),
        (RedisFsync::Always, &[][..], Durability::Power),
        (
            RedisFsync::Always,
            &[("no-appendfsync-on-rewrite", "yes")][..],
            Durability::Lossy,
        ),
    ] {
        let server = RedisServer::start_with(fsync, settings);
        let store = made(&server).await;
        assert_eq!(
            store.durability().await.unwrap(),
            class,
            "{}",
            store.settings().await.unwrap()
        );
    }
}

#[tokio::test]
async fn inbox_and_outbox_refuse_a_server_that_loses_unless_it_is_accepted_by_name() {
    let server = RedisServer::start(RedisFsync::None);
    let address = server.address();
    let event = || NewEvent {
        provider: "test".to_owned(),
        instance: "one".to_owned(),
        lane: "lane".to_owned(),
        dedupe: vec!["1".to_owned()],
        data: serde_json::Map::new(),
    };
    let host = Host::new(&address).unwrap();
    host.create_store().await.unwrap();
    let refused = host.inbox().accept(event()).await.unwrap_err();
    is(&refused, Code::InvalidConfig, Outcome::NotSent);
    let intent = || NewIntent {
        key: "key".to_owned(),
        channel: "test".to_owned(),
        account: "one".to_owned(),
        parts: vec![serde_json::json!("hello")],
    };
    is(
        &host.outbox().plan(intent()).await.unwrap_err(),
        Code::InvalidConfig,
        Outcome::NotSent,
    );
    is(
        &host.durable_store("everything").await.unwrap_err(),
        Code::InvalidConfig,
        Outcome::NotSent,
    );
    let host = Host::builder_at(&address, None)
        .unwrap()
        .with_lossy_store("a test that has nothing to lose")
        .build();
    assert!(!host.inbox().accept(event()).await.unwrap().duplicate);
    host.outbox().plan(intent()).await.unwrap();
    assert_eq!(host.lossy_store_reason(), Some("a test that has nothing to lose"));
}

#[tokio::test]
async fn servers_on_which_no_store_may_stand() {
    for settings in [("maxmemory-policy", "allkeys-lru"), ("cluster-enabled", "yes")] {
        let server = RedisServer::start_with(RedisFsync::Always, &[settings]);
        let store = RedisStore::new(&server.address()).unwrap();
        is(
            &store.create().await.unwrap_err(),
            Code::InvalidConfig,
            Outcome::NotSent,
        );
    }
    let primary = RedisServer::start(RedisFsync::Always);
    made(&primary).await;
    let follows = format!("127.0.0.1 {}", primary.port());
    let replica = RedisServer::start_with(RedisFsync::Always, &[("replicaof", &follows)]);
    let store = RedisStore::new(&replica.address()).unwrap();
    is(
        &store.sum("n").await.unwrap_err(),
        Code::StoreUnavailable,
        Outcome::NotSent,
    );
    // Followed by a replica that may be promoted, even `always` is lossy; the user may know better.
    let until = Instant::now() + Duration::from_secs(20);
    while !primary
        .command(&["INFO", "replication"])
        .contains("connected_slaves:1")
    {
        assert!(Instant::now() < until, "the replica does not follow");
        tokio::task::yield_now().await;
    }
    let seen = RedisStore::new(&primary.address()).unwrap();
    assert_eq!(seen.durability().await.unwrap(), Durability::Lossy);
    let declared = RedisStore::new(&format!("{}?durability=power", primary.address())).unwrap();
    assert_eq!(declared.durability().await.unwrap(), Durability::Power);
}

#[tokio::test]
async fn users_who_may_not_ask_and_passwords_that_are_wrong() {
    let server = RedisServer::start(RedisFsync::Always);
    server.command(&[
        "ACL",
        "SETUSER",
        "app",
        "on",
        ">s3cret-word",
        "~nbhd:*",
        "+@all",
        "-config",
        "-info",
    ]);
    server.command(&[
        "ACL",
        "SETUSER",
        "weak",
        "on",
        ">s3cret-word",
        "~nbhd:*",
        "+@read",
        "+eval",
        "+evalsha",
        "+script|load",
        "+time",
    ]);
    let at = |user: &str, password: &str, rest: &str| {
        RedisStore::new(&format!(
            "redis://{user}:{password}@127.0.0.1:{}/0{rest}",
            server.port()
        ))
        .unwrap()
    };
    let store = at("app", "s3cret-word", "");
    store.create().await.unwrap();
    store.commit(add("n")).await.unwrap();
    assert_eq!(store.durability().await.unwrap(), Durability::Lossy, "not told");
    let declared = at("app", "s3cret-word", "?durability=power");
    assert_eq!(declared.durability().await.unwrap(), Durability::Power);
    assert!(!format!("{declared:?}").contains("s3cret"));

    for (user, password) in [
        ("app", "wrong-word"),
        ("weak", "s3cret-word"),
        ("nobody", "s3cret-word"),
    ] {
        let error = at(user, password, "").commit(add("n")).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfig, "{error}");
        let text = format!("{error} {error:?}");
        assert!(!text.contains("-word"), "{text}");
    }
    assert_eq!(store.sum("n").await.unwrap(), 1);
}

#[tokio::test]
async fn a_full_server_refuses_and_nothing_is_there_in_half() {
    let server = RedisServer::start(RedisFsync::Always);
    let store = made(&server).await;
    store.commit(add("n")).await.unwrap();
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let commit = add("n").write(Write::Put {
        key: "a".to_owned(),
        value: "x".repeat(1 << 16),
        ttl: None,
    });
    is(
        &store.commit(commit.clone()).await.unwrap_err(),
        Code::StoreUnavailable,
        Outcome::NotSent,
    );
    assert_eq!(store.sum("n").await.unwrap(), 1);
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    store.commit(commit).await.unwrap();
    assert_eq!(store.sum("n").await.unwrap(), 2);
}

#[tokio::test]
async fn the_clock_is_the_servers_and_never_goes_back() {
    let server = RedisServer::start(RedisFsync::Always);
    let store = made(&server).await;
    let minute = Duration::from_secs(60);
    let first = store.now().await.unwrap();
    let lease = store.claim("lane", minute).await.unwrap().unwrap();
    server.command(&["HSET", "nbhd:state", "shift", "-3600000000"]);
    assert!(store.now().await.unwrap() >= first, "held, for this handle");
    let other = RedisStore::new(&server.address()).unwrap();
    assert!(other.now().await.unwrap() >= first, "and for others");
    assert_eq!(other.claim("lane", minute).await.unwrap(), None);
    server.command(&["HSET", "nbhd:state", "shift", "3599000000"]);
    let next = other.claim("lane", minute).await.unwrap().unwrap();
    assert!(next.epoch > lease.epoch);
    assert_eq!(store.renew(&lease, minute).await.unwrap(), None);
}

#[tokio::test]
async fn a_store_of_a_newer_program_is_refused() {
    for (field, reads) in [("min_reader", false), ("min_writer", true)] {
        let server = RedisServer::start(RedisFsync::Always);
        let store = made(&server).await;
        store.commit(add("n")).await.unwrap();
        server.command(&["HSET", "nbhd:state", "schema", "2", field, "2"]);
        let error = store.commit(add("n")).await;
        if reads {
            let error = error.unwrap_err();
            is(&error, Code::InvalidState, Outcome::NotSent);
            assert!(error.message().contains("schema 2"), "{error}");
        }
        assert_eq!(store.sum("n").await.is_ok(), reads);
    }
}

#[tokio::test]
async fn what_has_ended_leaves_the_server() {
    let server = RedisServer::start(RedisFsync::Always);
    let store = made(&server).await;
    for n in 0..20 {
        let commit = Commit::new()
            .with_op_id(format!("op{n}"))
            .guard(Guard::Bucket {
                key: format!("b{n}"),
                n: 1,
                bucket: nbhd_core::store::Bucket {
                    capacity: 3,
                    refill: Duration::from_secs(1),
                },
            })
            .write(Write::Put {
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
    server.command(&["HSET", "nbhd:state", "shift", "90000000000"]);
    let before = store.now().await.unwrap();
    let ahead = store.clock_ahead().expect("a day and an hour within a moment");
    assert!(ahead > Duration::from_secs(89_990), "{ahead:?}");
    assert!(
        store.now().await.unwrap() - before < chrono::Duration::minutes(1),
        "not believed"
    );
    store.confirm_clock();
    for _ in 0..4 {
        store.commit(add("n")).await.unwrap();
    }
    let left = server.command(&["KEYS", "*"]);
    let mut left: Vec<&str> = left.lines().collect();
    left.sort_unstable();
    assert_eq!(left, ["nbhd:state", "nbhd:sums"]);
}

#[test]
fn any_number_of_runtimes_and_none_share_one_handle() {
    let server = RedisServer::start(RedisFsync::Always);
    let store = Arc::new(RedisStore::new(&server.address()).unwrap());
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime().block_on(store.create()).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                for _ in 0..10 {
                    runtime().block_on(store.commit(add("n"))).unwrap();
                    without_a_runtime(store.commit(add("n"))).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(runtime().block_on(store.sum("n")).unwrap(), 80);
    assert_eq!(clients(&server), 1, "one connection for all");
    runtime().block_on(store.close()).unwrap();
    assert_eq!(clients(&server), 0, "closed");
    assert_eq!(runtime().block_on(store.sum("n")).unwrap(), 80, "and open again");
}

/// Connections but the one that asks.
fn clients(server: &RedisServer) -> usize {
    server.command(&["CLIENT", "LIST"]).lines().count() - 1
}

/// Waits as a program without any runtime would.
fn without_a_runtime<T>(work: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut work = std::pin::pin!(work);
    loop {
        match work.as_mut().poll(&mut context) {
            std::task::Poll::Ready(answer) => return answer,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
