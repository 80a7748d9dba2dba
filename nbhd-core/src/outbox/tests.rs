//! The promises of the outbox, on a store whose clock the test moves and a platform that answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::*;
use crate::clock::FakeClock;
use crate::store::MemoryStore;
use crate::testkit::FaultyStore;
use crate::{Code, Error, Host, Outcome, Result};

/// Takes every part down, then answers the next of what it was told; when that is used up, a message id.
#[derive(Default)]
struct Platform {
    log: Mutex<Vec<String>>,
    answers: Mutex<VecDeque<Result<Value>>>,
}

impl Platform {
    fn answering(answers: impl IntoIterator<Item = Result<Value>>) -> Self {
        Self {
            answers: Mutex::new(answers.into_iter().collect()),
            ..Self::default()
        }
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

#[async_trait]
impl SendPart for Platform {
    async fn send(&self, intent: &Intent, part: &Part) -> Result<Value> {
        assert_eq!(intent.parts[part.index].state, PartState::Sending);
        let text = part.payload["text"].as_str().unwrap().to_owned();
        self.log.lock().unwrap().push(text);
        match self.answers.lock().unwrap().pop_front() {
            Some(answer) => answer,
            None => Ok(json!({"message_id": self.log().len()})),
        }
    }
}

fn world() -> (Host, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::at("2026-01-01T00:00:00.000250Z".parse().unwrap()));
    let store = MemoryStore::new().with_clock(clock.clone());
    (Host::builder(Arc::new(store)).build(), clock)
}

fn intent(texts: &[&str]) -> NewIntent {
    NewIntent {
        key: "k".to_owned(),
        channel: "pigeon".to_owned(),
        account: "bot-1".to_owned(),
        parts: texts.iter().map(|text| json!({"text": text})).collect(),
    }
}

fn failure(outcome: Outcome) -> Error {
    Error::new(Code::ProviderUnavailable, "no").with_outcome(outcome)
}

fn states(intent: &Intent) -> Vec<PartState> {
    intent.parts.iter().map(|part| part.state).collect()
}

use PartState::{Cancelled, Pending, Refused, Sending, Sent, Unknown};

mod again;
mod overtaken;

#[tokio::test]
async fn parts_go_out_in_order_once_and_the_key_again_sends_nothing() {
    let (host, _) = world();
    let platform = Platform::default();
    let outbox = host.outbox();
    let sent = outbox
        .dispatch(intent(&["1", "2", "3"]), &platform)
        .await
        .unwrap();
    assert!(sent.is_sent());
    assert_eq!(
        (sent.outcome(), sent.parts[2].result.clone()),
        (None, Some(json!({"message_id": 3})))
    );
    let again = outbox
        .dispatch(intent(&["1", "2", "3"]), &platform)
        .await
        .unwrap();
    assert_eq!(again, sent);
    assert_eq!(platform.log(), ["1", "2", "3"]);
    assert!(outbox.undelivered(9).await.unwrap().is_empty());
    let error = outbox.dispatch(intent(&["1", "2"]), &platform).await.unwrap_err();
    assert_eq!(error.code(), Code::Conflict);
    let elsewhere = NewIntent {
        account: "bot-2".to_owned(),
        ..intent(&["other"])
    };
    assert!(outbox.dispatch(elsewhere, &platform).await.unwrap().is_sent());
}

#[tokio::test]
async fn what_was_not_sent_is_tried_again_at_that_part() {
    let (host, clock) = world();
    let late = failure(Outcome::NotSent).with_retry_after(Duration::from_secs(7));
    let platform = Platform::answering([Ok(json!(1)), Err(late)]);
    let outbox = host.outbox();
    let half = outbox
        .dispatch(intent(&["1", "2", "3"]), &platform)
        .await
        .unwrap();
    assert_eq!(states(&half), [Sent, Pending, Pending]);
    assert_eq!(half.outcome(), Some(Outcome::NotSent));
    assert_eq!(half.parts[1].error.as_ref().unwrap().message, "no");
    clock.advance(Duration::from_micros(6_999_999));
    assert!(
        outbox.undelivered(9).await.unwrap().is_empty(),
        "not before retry_after"
    );
    clock.advance(Duration::from_micros(1));
    assert_eq!(outbox.undelivered(9).await.unwrap(), [half]);
    let sent = outbox.resume("pigeon", "bot-1", "k", &platform).await.unwrap();
    assert!(sent.is_sent() && sent.parts[1].error.is_none());
    assert_eq!(platform.log(), ["1", "2", "2", "3"]);
}

#[tokio::test]
async fn a_refusal_stops_and_stays_until_somebody_says_otherwise() {
    let (host, _) = world();
    let platform = Platform::answering([Err(failure(Outcome::Refused))]);
    let outbox = host.outbox();
    for _ in 0..2 {
        let refused = outbox.dispatch(intent(&["1", "2"]), &platform).await.unwrap();
        assert_eq!(states(&refused), [Refused, Pending]);
        assert_eq!(refused.outcome(), Some(Outcome::Refused));
    }
    assert!(outbox.undelivered(9).await.unwrap().is_empty());
    outbox.retry_refused("pigeon", "bot-1", "k").await.unwrap();
    assert_eq!(outbox.undelivered(9).await.unwrap().len(), 1);
    assert!(
        outbox
            .dispatch(intent(&["1", "2"]), &platform)
            .await
            .unwrap()
            .is_sent()
    );
    assert_eq!(platform.log(), ["1", "1", "2"]);
}

#[tokio::test]
async fn unknown_is_never_sent_again_and_only_proof_lets_the_rest_go_on() {
    let (host, clock) = world();
    let platform = Platform::answering([Err(failure(Outcome::Unknown))]);
    let outbox = host.outbox();
    for _ in 0..3 {
        let unknown = outbox.dispatch(intent(&["1", "2"]), &platform).await.unwrap();
        assert_eq!(states(&unknown), [Unknown, Pending]);
        clock.advance(Duration::from_secs(600));
    }
    outbox.retry_refused("pigeon", "bot-1", "k").await.unwrap();
    assert_eq!(platform.log(), ["1"]);
    let error = outbox
        .prove_sent("pigeon", "bot-1", "k", 1, json!(2))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidState);
    outbox
        .prove_sent("pigeon", "bot-1", "k", 0, json!(1))
        .await
        .unwrap();
    assert!(
        outbox
            .resume("pigeon", "bot-1", "k", &platform)
            .await
            .unwrap()
            .is_sent()
    );
    assert_eq!(platform.log(), ["1", "2"]);
}

/// Never answers: as a process that is killed within a send.
struct Silence;

#[async_trait]
impl SendPart for Silence {
    async fn send(&self, _: &Intent, _: &Part) -> Result<Value> {
        std::future::pending().await
    }
}

/// Begins to send and is dropped within the first part.
async fn begin_and_vanish(host: &Host) {
    let outbox = host.outbox();
    let sending = outbox.dispatch(intent(&["1", "2"]), &Silence);
    assert!(futures::poll!(Box::pin(sending)).is_pending());
}

#[tokio::test]
async fn a_part_whose_sender_vanished_is_nobody_elses_then_unknown() {
    let (host, clock) = world();
    let outbox = host.outbox();
    begin_and_vanish(&host).await;
    let stored = outbox.get("pigeon", "bot-1", "k").await.unwrap().unwrap();
    assert_eq!(states(&stored), [Sending, Pending]);
    assert_eq!(stored.outcome(), Some(Outcome::Unknown));
    let platform = Platform::default();
    let error = outbox.dispatch(intent(&["1", "2"]), &platform).await.unwrap_err();
    assert_eq!((error.code(), error.retryable()), (Code::StoreConflict, true));
    assert!(outbox.undelivered(9).await.unwrap().is_empty());
    clock.advance(Duration::from_secs(60));
    assert_eq!(outbox.undelivered(9).await.unwrap().len(), 1);
    let unknown = outbox.dispatch(intent(&["1", "2"]), &platform).await.unwrap();
    assert_eq!(states(&unknown), [Unknown, Pending]);
    assert!(platform.log().is_empty());
    assert!(outbox.undelivered(9).await.unwrap().is_empty());
}

/// Takes longer than its lease; meanwhile somebody else looks, and makes the part unknown.
struct Slow(Host, Arc<FakeClock>, Result<Value, Outcome>);

#[async_trait]
impl SendPart for Slow {
    async fn send(&self, _: &Intent, part: &Part) -> Result<Value> {
        assert_eq!(part.index, 0, "the rest is not sent by who lost the lease");
        self.1.advance(Duration::from_secs(61));
        let seen = self
            .0
            .outbox()
            .dispatch(intent(&["1", "2"]), &Silence)
            .await
            .unwrap();
        assert_eq!(states(&seen), [Unknown, Pending]);
        self.2.clone().map_err(failure)
    }
}

#[tokio::test]
async fn who_was_slow_still_knows_what_became_of_its_part() {
    let (host, clock) = world();
    let slow = Slow(host.clone(), clock.clone(), Ok(json!(1)));
    let error = host
        .outbox()
        .dispatch(intent(&["1", "2"]), &slow)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::StoreConflict);
    let stored = host.outbox().get("pigeon", "bot-1", "k").await.unwrap().unwrap();
    assert_eq!(states(&stored), [Sent, Pending]);
    let platform = Platform::default();
    assert!(
        host.outbox()
            .dispatch(intent(&["1", "2"]), &platform)
            .await
            .unwrap()
            .is_sent()
    );
    assert_eq!(platform.log(), ["2"]);

    for (outcome, state) in [
        (Outcome::Refused, Refused),
        (Outcome::NotSent, Pending),
        (Outcome::Unknown, Unknown),
    ] {
        let (host, clock) = world();
        let slow = Slow(host.clone(), clock.clone(), Err(outcome));
        let stored = host.outbox().dispatch(intent(&["1", "2"]), &slow).await.unwrap();
        assert_eq!(states(&stored), [state, Pending]);
    }
}

#[tokio::test]
async fn planned_intents_are_found_and_sent_by_whoever_comes() {
    let (host, _) = world();
    let outbox = host.outbox();
    let planned = outbox.plan(intent(&["1"])).await.unwrap();
    assert_eq!(outbox.plan(intent(&["1"])).await.unwrap(), planned);
    assert_eq!(
        outbox.plan(intent(&["2"])).await.unwrap_err().code(),
        Code::Conflict
    );
    let platform = Platform::default();
    for intent in outbox.undelivered(9).await.unwrap() {
        outbox
            .resume(&intent.channel, &intent.account, &intent.key, &platform)
            .await
            .unwrap();
    }
    assert_eq!(platform.log(), ["1"]);
    assert!(outbox.undelivered(9).await.unwrap().is_empty());
    let nobody = outbox
        .resume("pigeon", "bot-1", "nobody", &platform)
        .await
        .unwrap_err();
    assert_eq!(nobody.code(), Code::NotFound);
}

/// Cancels the rest while it sends the first part.
struct Canceller(Host);

#[async_trait]
impl SendPart for Canceller {
    async fn send(&self, _: &Intent, part: &Part) -> Result<Value> {
        assert_eq!(part.index, 0);
        let seen = self.0.outbox().cancel("pigeon", "bot-1", "k").await?;
        assert_eq!(states(&seen), [Sending, Cancelled]);
        Ok(json!(1))
    }
}

#[tokio::test]
async fn cancelling_stops_what_is_not_begun_even_while_a_part_is_being_sent() {
    let (host, _) = world();
    let outbox = host.outbox();
    let stopped = outbox
        .dispatch(intent(&["1", "2"]), &Canceller(host.clone()))
        .await
        .unwrap();
    assert_eq!(states(&stopped), [Sent, Cancelled]);
    assert_eq!(
        outbox.get("pigeon", "bot-1", "k").await.unwrap().unwrap(),
        stopped
    );
    assert!(outbox.undelivered(9).await.unwrap().is_empty());
    let nobody = outbox.cancel("pigeon", "bot-1", "nobody").await.unwrap_err();
    assert_eq!(nobody.code(), Code::NotFound);
}

/// A host whose store fails at the `n`-th commit, before it or after it.
fn failing(world: &Host, point: &'static str, n: usize) -> Host {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let faulty = FaultyStore::new(world.store().clone(), move |passed| {
        let hit = passed == point && count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 == n;
        hit.then(|| Error::new(Code::StoreUnavailable, "away").with_outcome(Outcome::Unknown))
    });
    Host::builder(Arc::new(faulty)).build()
}

/// What a dispatch of two parts that cannot be done answers.
async fn refusal(host: &Host, sender: &dyn SendPart) -> (Code, Outcome) {
    let sent = host.outbox().dispatch(intent(&["1", "2"]), sender).await;
    let error = sent.unwrap_err();
    (error.code(), error.outcome())
}

#[tokio::test]
async fn a_store_that_fails_before_a_part_leaves_it_unsent_and_not_lost() {
    for point in ["store.commit.before", "store.commit.after"] {
        let (host, clock) = world();
        let platform = Platform::default();
        assert_eq!(
            refusal(&failing(&host, point, 1), &platform).await,
            (Code::StoreUnavailable, Outcome::NotSent)
        );
        assert!(platform.log().is_empty());
        clock.advance(Duration::from_secs(60));
        let sent = host
            .outbox()
            .dispatch(intent(&["1", "2"]), &platform)
            .await
            .unwrap();
        assert!(sent.is_sent(), "{point}: {:?}", states(&sent));
        assert_eq!(platform.log(), ["1", "2"]);
    }
}

#[tokio::test]
async fn a_store_that_fails_at_any_commit_never_makes_a_part_go_out_twice() {
    for point in ["store.commit.before", "store.commit.after"] {
        for n in 1..=4 {
            let (host, clock) = world();
            let platform = Platform::default();
            let first = failing(&host, point, n)
                .outbox()
                .dispatch(intent(&["1", "2", "3"]), &platform)
                .await;
            assert_eq!(first.is_err(), n < 4, "the last word is said twice: {point} {n}");
            clock.advance(Duration::from_secs(60));
            let then = host
                .outbox()
                .dispatch(intent(&["1", "2", "3"]), &platform)
                .await
                .unwrap();
            assert!(then.is_sent(), "{point} {n}: {:?}", states(&then));
            assert_eq!(platform.log(), ["1", "2", "3"], "{point} {n}");
        }
    }
}

#[tokio::test]
async fn an_intent_without_parts_or_key_is_refused() {
    let (host, _) = world();
    let nameless = NewIntent {
        key: String::new(),
        ..intent(&["1"])
    };
    for bad in [intent(&[]), nameless] {
        let error = host.outbox().plan(bad).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidInput);
    }
}

#[tokio::test]
async fn an_ended_intent_is_kept_thirty_days_an_open_one_for_ever() {
    let (host, clock) = world();
    let outbox = host.outbox();
    outbox
        .dispatch(intent(&["1"]), &Platform::default())
        .await
        .unwrap();
    let open = NewIntent {
        key: "open".to_owned(),
        ..intent(&["1"])
    };
    outbox.plan(open).await.unwrap();
    clock.advance(Duration::from_secs(30 * 86_400 - 1));
    assert!(outbox.get("pigeon", "bot-1", "k").await.unwrap().is_some());
    clock.advance(Duration::from_secs(1));
    assert!(outbox.get("pigeon", "bot-1", "k").await.unwrap().is_none());
    assert!(outbox.get("pigeon", "bot-1", "open").await.unwrap().is_some());
}

#[tokio::test]
async fn a_sender_whose_store_answered_too_late_sends_nothing() {
    let clock = Arc::new(FakeClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let slow = clock.clone();
    let late = std::sync::atomic::AtomicBool::new(true);
    let store = FaultyStore::new(
        Arc::new(MemoryStore::new().with_clock(clock.clone())),
        move |point| {
            // The lease of 60 s less its margin is over when the commit of `sending` comes back.
            if point == "store.commit.after" && late.swap(false, std::sync::atomic::Ordering::SeqCst) {
                slow.suspend(Duration::from_secs(56));
            }
            None
        },
    );
    let host = Host::builder(Arc::new(store)).with_clock(clock.clone()).build();
    let platform = Platform::default();
    let error = host
        .outbox()
        .dispatch(intent(&["1"]), &platform)
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Code::StoreConflict, Outcome::NotSent)
    );
    assert_eq!(platform.log(), [""; 0]);
    clock.advance(Duration::from_secs(60));
    let sent = host.outbox().dispatch(intent(&["1"]), &platform).await.unwrap();
    assert!(
        sent.is_sent(),
        "it had not left, so it is sent: {:?}",
        states(&sent)
    );
}

/// A platform that deduplicates a part's key for an hour.
struct Deduplicating(Platform);

#[async_trait]
impl SendPart for Deduplicating {
    async fn send(&self, intent: &Intent, part: &Part) -> Result<Value> {
        self.0.send(intent, part).await
    }

    fn dedupe_window(&self) -> Option<Duration> {
        Some(Duration::from_secs(3_600))
    }
}

#[tokio::test]
async fn unknown_is_sent_again_only_where_the_platform_deduplicates_and_only_within_its_window() {
    let (host, clock) = world();
    let lost = || Err(failure(Outcome::Unknown));
    let platform = Deduplicating(Platform::answering([
        lost(),
        Err(failure(Outcome::NotSent)),
        Ok(json!(1)),
        lost(),
    ]));
    let outbox = host.outbox();
    let first = outbox.dispatch(intent(&["1", "2"]), &platform).await.unwrap();
    assert_eq!(states(&first), [Unknown, Pending]);
    clock.advance(Duration::from_secs(60));
    assert_eq!(
        outbox.undelivered(9).await.unwrap().len(),
        1,
        "a worker takes it up"
    );
    let again = outbox.resume("pigeon", "bot-1", "k", &platform).await.unwrap();
    assert_eq!(
        states(&again),
        [Unknown, Pending],
        "that the second was not sent says nothing of the first"
    );
    let again = outbox.dispatch(intent(&["1", "2"]), &platform).await.unwrap();
    assert_eq!(states(&again), [Sent, Unknown]);
    assert_eq!(platform.0.log(), ["1", "1", "1", "2"]);
    // An hour after it was first begun, less a lease, in which the request might be under way.
    clock.advance(Duration::from_secs(3_540));
    let late = outbox.resume("pigeon", "bot-1", "k", &platform).await.unwrap();
    assert_eq!(states(&late), [Sent, Unknown]);
    assert_eq!(platform.0.log().len(), 4);
    assert!(outbox.undelivered(9).await.unwrap().is_empty());
    let plain = Platform::answering([lost()]);
    let other = NewIntent {
        key: "other".to_owned(),
        ..intent(&["1"])
    };
    for _ in 0..3 {
        let sent = outbox.dispatch(other.clone(), &plain).await.unwrap();
        assert_eq!(states(&sent), [Unknown]);
    }
    assert_eq!(plain.log().len(), 1, "without a window, never");
}

#[tokio::test]
async fn what_is_left_sending_is_unknown_for_whoever_looks() {
    let (host, clock) = world();
    let outbox = host.outbox();
    begin_and_vanish(&host).await;
    assert_eq!(outbox.expire(9).await.unwrap(), []);
    clock.advance(Duration::from_secs(60));
    let expired = outbox.expire(9).await.unwrap();
    assert_eq!(states(&expired[0]), [Unknown, Pending]);
    assert_eq!(outbox.expire(9).await.unwrap(), []);
    let stored = outbox.get("pigeon", "bot-1", "k").await.unwrap().unwrap();
    assert_eq!(states(&stored), [Unknown, Pending]);
}
