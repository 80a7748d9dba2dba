//! The promises of the inbox, on a store whose clock the test moves.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::clock::FakeClock;
use crate::outbox::NewIntent;
use crate::store::{MemoryStore, ROOMS, Write};
use crate::testkit::FaultyStore;
use crate::{Code, Error, Host, Outcome};

fn world() -> (Host, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::at("2026-01-01T00:00:00.000250Z".parse().unwrap()));
    let store = MemoryStore::new().with_clock(clock.clone());
    (Host::builder(Arc::new(store)).build(), clock)
}

fn event(lane: &str, dedupe: &[&str]) -> NewEvent {
    NewEvent {
        provider: "pigeon".to_owned(),
        instance: "bot-1".to_owned(),
        dedupe: dedupe.iter().map(|key| (*key).to_owned()).collect(),
        lane: lane.to_owned(),
        data: json!({"text": dedupe[0]}).as_object().unwrap().clone(),
    }
}

fn trouble() -> Error {
    Error::new(Code::ProviderUnavailable, "the model was away")
}

async fn text(inbox: &Inbox) -> Option<(Work, String)> {
    let work = inbox.claim().await.unwrap()?;
    let text = work.event().data["text"].as_str().unwrap().to_owned();
    Some((work, text))
}

#[tokio::test]
async fn a_second_delivery_under_any_of_its_keys_is_the_first_event() {
    let (host, _) = world();
    let inbox = host.inbox();
    let first = inbox.accept(event("chat", &["u1", "m1"])).await.unwrap();
    assert!(!first.duplicate);
    for again in [&["u1"][..], &["m1"], &["u9", "m1"]] {
        let accepted = inbox.accept(event("chat", again)).await.unwrap();
        assert_eq!((accepted.duplicate, &accepted.id), (true, &first.id));
    }
    let mut elsewhere = event("chat", &["u1"]);
    elsewhere.instance = "bot-2".to_owned();
    assert!(
        !inbox.accept(elsewhere).await.unwrap().duplicate,
        "keys live within an instance"
    );
    assert_eq!(inbox.pending().await.unwrap(), 2);
    let (work, _) = text(&inbox).await.unwrap();
    work.done().await.unwrap();
    assert!(
        inbox.accept(event("chat", &["u1"])).await.unwrap().duplicate,
        "also when it is done"
    );
}

#[tokio::test]
async fn a_dedupe_key_is_forgotten_after_thirty_days_and_not_before() {
    let (host, clock) = world();
    let inbox = host.inbox();
    inbox.accept(event("chat", &["u1"])).await.unwrap();
    clock.advance(Duration::from_secs(30 * 86_400 - 1));
    assert!(inbox.accept(event("chat", &["u1"])).await.unwrap().duplicate);
    clock.advance(Duration::from_secs(1));
    assert!(!inbox.accept(event("chat", &["u1"])).await.unwrap().duplicate);
}

#[tokio::test]
async fn a_conversation_is_handled_in_order_and_others_beside_it() {
    let (host, _) = world();
    let inbox = host.inbox();
    for (lane, key) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")] {
        inbox.accept(event(lane, &[key])).await.unwrap();
    }
    let (a1, first) = text(&inbox).await.unwrap();
    let (b1, second) = text(&inbox).await.unwrap();
    assert_eq!((first.as_str(), second.as_str()), ("a1", "b1"));
    assert!(inbox.claim().await.unwrap().is_none(), "both lanes are taken");
    a1.done().await.unwrap();
    let (a2, third) = text(&inbox).await.unwrap();
    assert_eq!(third, "a2");
    b1.done().await.unwrap();
    a2.done().await.unwrap();
    let (a3, last) = text(&inbox).await.unwrap();
    assert_eq!(last, "a3");
    a3.done().await.unwrap();
    assert!(inbox.claim().await.unwrap().is_none());
    assert_eq!(inbox.pending().await.unwrap(), 0);
    inbox.accept(event("a", &["a4"])).await.unwrap();
    assert_eq!(text(&inbox).await.unwrap().1, "a4", "an emptied lane comes back");
}

#[tokio::test]
async fn failed_work_backs_off_doubling_then_is_a_dead_letter_and_its_lane_goes_on() {
    let (host, clock) = world();
    let inbox = host.inbox();
    inbox.accept(event("a", &["a1"])).await.unwrap();
    inbox.accept(event("a", &["a2"])).await.unwrap();
    let mut waited = Vec::new();
    for attempt in 1..=8 {
        let (work, which) = text(&inbox).await.unwrap();
        assert_eq!((which.as_str(), work.event().attempt), ("a1", attempt));
        work.fail(&trouble()).await.unwrap();
        if attempt < 8 {
            let mut seconds = 0;
            while inbox.claim_ready().await == 0 {
                clock.advance(Duration::from_secs(1));
                seconds += 1;
            }
            waited.push(seconds);
        }
    }
    assert_eq!(waited, [1, 2, 4, 8, 16, 32, 64]);
    let letters = inbox.dead_letters(10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].code, letters[0].reason.as_str()),
        (Code::ProviderUnavailable, "the model was away")
    );
    let (work, which) = text(&inbox).await.unwrap();
    assert_eq!((which.as_str(), work.event().attempt), ("a2", 1));
    work.done().await.unwrap();

    inbox.revive(&letters[0].event.id).await.unwrap();
    let (work, which) = text(&inbox).await.unwrap();
    assert_eq!((which.as_str(), work.event().attempt), ("a1", 1));
    work.done().await.unwrap();
    assert!(inbox.dead_letters(10).await.unwrap().is_empty());
    assert_eq!(inbox.revive("nobody").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn the_longest_back_off_is_180_seconds_and_a_retry_after_is_heeded() {
    let (host, clock) = world();
    let inbox = host.inbox().with_attempts(20);
    inbox.accept(event("a", &["a1"])).await.unwrap();
    let asked = Error::new(Code::RateLimited, "slow down").with_retry_after(Duration::from_secs(30));
    let (work, _) = text(&inbox).await.unwrap();
    work.fail(&asked).await.unwrap();
    clock.advance(Duration::from_secs(29));
    assert!(inbox.claim().await.unwrap().is_none());
    clock.advance(Duration::from_secs(1));
    for _ in 0..9 {
        let (work, _) = text(&inbox).await.unwrap();
        work.fail(&trouble()).await.unwrap();
        clock.advance(Duration::from_secs(180));
    }
    assert_eq!(text(&inbox).await.unwrap().0.event().attempt, 11);
}

#[tokio::test]
async fn a_worker_that_was_overtaken_changes_nothing() {
    let (host, clock) = world();
    let inbox = host.inbox();
    inbox.accept(event("a", &["a1"])).await.unwrap();
    let (slow, _) = text(&inbox).await.unwrap();
    clock.advance(Duration::from_secs(59));
    slow.renew().await.unwrap();
    clock.advance(Duration::from_secs(59));
    assert!(inbox.claim().await.unwrap().is_none(), "renewed");
    clock.advance(Duration::from_secs(2));
    let (quick, _) = text(&inbox).await.unwrap();
    assert_eq!(quick.event().attempt, 2);
    let send = intent("k");
    for error in [
        slow.renew().await.unwrap_err(),
        slow.done().await.unwrap_err(),
        slow.fail(&trouble()).await.unwrap_err(),
        slow.commit(vec![send.clone()]).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::StoreConflict);
    }
    assert!(host.outbox().get("pigeon", "bot-1", "k").await.unwrap().is_none());
    quick.commit(vec![send]).await.unwrap();
    assert!(host.outbox().get("pigeon", "bot-1", "k").await.unwrap().is_some());
    assert_eq!(inbox.pending().await.unwrap(), 0);
}

#[tokio::test]
async fn an_event_that_kills_its_workers_ends_as_a_dead_letter() {
    let (host, clock) = world();
    let inbox = host.inbox().with_attempts(3);
    inbox.accept(event("a", &["a1"])).await.unwrap();
    for attempt in 1..=3 {
        let (work, _) = text(&inbox).await.unwrap();
        assert_eq!(work.event().attempt, attempt);
        drop(work);
        clock.advance(Duration::from_secs(60));
    }
    assert!(inbox.claim().await.unwrap().is_none());
    assert!(
        inbox.dead_letters(1).await.unwrap()[0]
            .reason
            .contains("without a word")
    );
    assert_eq!(inbox.pending().await.unwrap(), 0);
}

#[tokio::test]
async fn a_full_inbox_refuses_and_forgets_nothing() {
    let (host, _) = world();
    let inbox = host.inbox().with_capacity(2);
    inbox.accept(event("a", &["1"])).await.unwrap();
    inbox.accept(event("a", &["2"])).await.unwrap();
    let error = inbox.accept(event("a", &["3"])).await.unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::QuotaExhausted, Outcome::NotSent)
    );
    assert!(
        inbox.accept(event("a", &["1"])).await.unwrap().duplicate,
        "duplicates are still known"
    );
    text(&inbox).await.unwrap().0.done().await.unwrap();
    assert!(!inbox.accept(event("a", &["3"])).await.unwrap().duplicate);
}

#[tokio::test]
async fn what_is_no_event_is_refused() {
    let (host, _) = world();
    let mut without = event("a", &["1"]);
    without.dedupe.clear();
    let mut clash = event("a", &["1"]);
    clash.data.insert("lane".to_owned(), json!("mine"));
    for bad in [without, clash] {
        assert_eq!(
            host.inbox().accept(bad).await.unwrap_err().code(),
            Code::InvalidInput
        );
    }
}

#[tokio::test]
async fn done_and_its_sends_are_one_step_and_repeating_it_after_a_lost_answer_is_safe() {
    let (world, _) = world();
    let lost = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let tell = lost.clone();
    let faulty = FaultyStore::new(world.store().clone(), move |point| {
        (point == "store.commit.after" && tell.swap(false, std::sync::atomic::Ordering::SeqCst))
            .then(|| Error::new(Code::StoreUnavailable, "lost").with_outcome(Outcome::Unknown))
    });
    let host = Host::builder(Arc::new(faulty)).build();
    let inbox = host.inbox();
    inbox.accept(event("a", &["a1"])).await.unwrap();
    inbox.accept(event("a", &["a2"])).await.unwrap();
    let (work, _) = text(&inbox).await.unwrap();
    lost.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(work.commit(vec![intent("k")]).await.is_err());
    work.commit(vec![intent("k")]).await.unwrap();
    assert_eq!(host.outbox().undelivered(9).await.unwrap().len(), 1);
    assert_eq!(text(&inbox).await.unwrap().1, "a2");
}

#[tokio::test]
async fn a_send_that_its_own_earlier_attempt_stored_is_not_stored_twice() {
    let (host, _) = world();
    let inbox = host.inbox();
    inbox.accept(event("a", &["a1"])).await.unwrap();
    host.outbox().plan(intent("k")).await.unwrap();
    let (work, _) = text(&inbox).await.unwrap();
    let mut other = intent("k");
    other.parts = vec![json!("something else")];
    assert_eq!(work.commit(vec![other]).await.unwrap_err().code(), Code::Conflict);
    work.commit(vec![intent("k")]).await.unwrap();
    assert_eq!(host.outbox().undelivered(9).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_workers_handle_each_event_once_and_each_lane_in_order() {
    let host = Host::builder(Arc::new(MemoryStore::new())).build();
    let inbox = host.inbox();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (inbox, seen) = (inbox.clone(), seen.clone());
            tokio::spawn(async move {
                while seen.lock().unwrap().len() < 200 {
                    let Some((work, text)) = text(&inbox).await else {
                        tokio::task::yield_now().await;
                        continue;
                    };
                    seen.lock().unwrap().push((work.event().lane.clone(), text));
                    work.done().await.unwrap();
                }
            })
        })
        .collect();
    for n in 0..200 {
        let lane = format!("lane{}", n % 7);
        inbox.accept(event(&lane, &[&format!("{n:03}")])).await.unwrap();
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let seen = seen.lock().unwrap().clone();
    for lane in 0..7 {
        let texts: Vec<_> = seen
            .iter()
            .filter(|(of, _)| *of == format!("lane{lane}"))
            .collect();
        assert!(texts.is_sorted(), "lane {lane} out of order");
    }
    let mut all: Vec<_> = seen.iter().map(|(_, text)| text).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 200);
    assert_eq!(inbox.pending().await.unwrap(), 0);
}

fn intent(key: &str) -> NewIntent {
    NewIntent {
        key: key.to_owned(),
        channel: "pigeon".to_owned(),
        account: "bot-1".to_owned(),
        parts: vec![json!({"text": "hello"})],
    }
}

impl Inbox {
    /// How many lanes are due.
    async fn claim_ready(&self) -> usize {
        let now = queue::now_score(self).await;
        let due = crate::store::Range::up_to(now, 10);
        self.host.store().scan(queue::READY, due).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_holder_counts_from_before_it_asked_also_while_suspended_less_a_margin() {
    let clock = Arc::new(FakeClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let store = Arc::new(MemoryStore::new().with_clock(clock.clone()));
    let slow = clock.clone();
    let faulty = FaultyStore::new(store, move |point| {
        if point == "store.claim.after" {
            slow.advance(Duration::from_secs(4));
        }
        None
    });
    let host = Host::builder(Arc::new(faulty)).with_clock(clock.clone()).build();
    let inbox = host.inbox();
    inbox.accept(event("a", &["a1"])).await.unwrap();
    let (work, _) = text(&inbox).await.unwrap();
    clock.suspend(Duration::from_secs(50));
    assert!(work.is_held(), "54 s since it asked");
    clock.advance(Duration::from_secs(1));
    assert!(!work.is_held(), "55 s since it asked: the margin begins");
    work.renew().await.unwrap();
    assert!(work.is_held(), "the store still had it");
    clock.advance(Duration::from_secs(61));
    assert!(!work.is_held());
    assert_eq!(work.renew().await.unwrap_err().code(), Code::StoreConflict);
    assert!(!work.is_held());
}

#[tokio::test]
async fn a_programs_own_writes_are_made_with_the_end_and_in_rooms_of_its_own() {
    let (host, _) = world();
    let inbox = host.inbox();
    inbox.accept(event("chat", &["u1"])).await.unwrap();
    let (work, _) = text(&inbox).await.unwrap();
    let put = |key: &str| Write::Put {
        key: key.to_owned(),
        value: "1".to_owned(),
        ttl: None,
    };
    for room in ROOMS {
        let key = format!("{room}/1");
        let refused = work.commit_with(Vec::new(), &[put("orders/1"), put(&key)]).await;
        assert_eq!(refused.unwrap_err().code(), Code::InvalidInput, "{room}");
    }
    assert_eq!(inbox.pending().await.unwrap(), 1);
    assert_eq!(host.store().get("orders/1").await.unwrap(), None);
    work.commit_with(Vec::new(), &[put("orders/1"), put("inboxes")])
        .await
        .unwrap();
    assert_eq!(inbox.pending().await.unwrap(), 0);
    assert_eq!(host.store().get("orders/1").await.unwrap().unwrap().value, "1");
}
