//! Two at the same intent: one who is slow and loses its lease, one who takes over. Neither may undo what the other knows.

use std::future::Future;
use std::pin::Pin;

use futures::FutureExt;
use futures::channel::oneshot;

use super::*;

const HOUR: Option<Duration> = Some(Duration::from_secs(3_600));

type Running = Pin<Box<dyn Future<Output = Result<Intent>> + Send>>;
type Word = oneshot::Sender<Result<Value>>;

/// A platform that has the part and says what became of it when it is told.
struct Told(Mutex<Option<oneshot::Receiver<Result<Value>>>>, Option<Duration>);

#[async_trait]
impl SendPart for Told {
    async fn send(&self, _: &Intent, part: &Part) -> Result<Value> {
        assert_eq!(part.index, 0, "the rest is not sent by who lost the lease");
        let word = self.0.lock().unwrap().take().unwrap();
        word.await.unwrap()
    }

    fn dedupe_window(&self) -> Option<Duration> {
        self.1
    }
}

/// Somebody who has begun the first of two parts, and what the platform is to say.
async fn under_way(host: &Host, window: Option<Duration>) -> (Running, Word) {
    let (say, word) = oneshot::channel();
    let outbox = host.outbox();
    let sender = Told(Mutex::new(Some(word)), window);
    let mut running: Running = Box::pin(async move { outbox.dispatch(intent(&["1", "2"]), &sender).await });
    assert!(futures::poll!(&mut running).is_pending());
    (running, say)
}

/// The platform speaks, and who has waited for it stores that at once.
fn hears(running: Running, say: Word, word: Result<Value>) -> Result<Intent> {
    say.send(word).unwrap();
    running.now_or_never().unwrap()
}

/// Begins the first of two parts and is gone; its lease has ended.
async fn vanish(host: &Host, clock: &FakeClock, window: Option<Duration>) {
    drop(under_way(host, window).await);
    clock.advance(Duration::from_secs(60));
}

/// The same store, where something happens at the `n`-th pass of a point.
fn interrupted(
    world: &Host,
    point: &'static str,
    n: usize,
    act: impl FnOnce() -> Option<Error> + Send + 'static,
) -> Host {
    let state = Mutex::new((0, Some(act)));
    let store = FaultyStore::new(world.store().clone(), move |passed| {
        let mut state = state.lock().unwrap();
        state.0 += usize::from(passed == point);
        let act = if passed == point && state.0 == n {
            state.1.take()
        } else {
            None
        };
        drop(state);
        act.and_then(|act| act())
    });
    Host::builder(Arc::new(store)).build()
}

async fn stored(host: &Host) -> Intent {
    host.outbox().get("pigeon", "bot-1", "k").await.unwrap().unwrap()
}

#[tokio::test]
async fn who_buries_a_part_never_covers_what_its_sender_has_stored() {
    for way in ["dispatch", "resume", "expire", "again"] {
        let (host, clock) = world();
        let (running, say) = under_way(&host, HOUR).await;
        clock.advance(Duration::from_secs(60));
        let other = interrupted(&host, "store.commit.before", 1, move || {
            let error = hears(running, say, Ok(json!("first"))).unwrap_err();
            assert_eq!(error.code(), Code::StoreConflict);
            None
        });
        let (outbox, platform) = (other.outbox(), Deduplicating(Platform::default()));
        let seen = match way {
            "dispatch" => outbox.dispatch(intent(&["1", "2"]), &platform.0).await,
            "resume" => outbox.resume("pigeon", "bot-1", "k", &platform.0).await,
            "again" => outbox.dispatch(intent(&["1", "2"]), &platform).await,
            _ => {
                assert_eq!(outbox.expire(9).await.unwrap(), [], "it has not expired");
                Ok(stored(&host).await)
            }
        };
        let part = &seen.unwrap().parts[0];
        assert_eq!(
            (part.state, part.result.clone()),
            (Sent, Some(json!("first"))),
            "{way}"
        );
        assert_eq!(stored(&host).await.parts[0], *part, "{way}");
        clock.advance(Duration::from_secs(60));
        let then = host.outbox().dispatch(intent(&["1", "2"]), &platform).await;
        assert!(then.unwrap().is_sent(), "{way}");
        assert_eq!(platform.0.log(), ["2"], "{way}");
    }
}

#[tokio::test]
async fn the_word_on_an_earlier_attempt_says_nothing_of_a_later_one() {
    for outcome in [Outcome::NotSent, Outcome::Refused, Outcome::Unknown] {
        let (host, clock) = world();
        let (running, say) = under_way(&host, HOUR).await;
        clock.advance(Duration::from_secs(60));
        let platform = Deduplicating(Platform::default());
        let again = host.outbox().dispatch(intent(&["1", "2"]), &platform).await;
        assert!(again.unwrap().is_sent());
        let slow = hears(running, say, Err(failure(outcome))).unwrap();
        assert_eq!(states(&slow), [Sent, Sent], "{outcome:?}");
        assert_eq!(states(&stored(&host).await), [Sent, Sent], "{outcome:?}");

        let (host, clock) = world();
        let (running, say) = under_way(&host, HOUR).await;
        clock.advance(Duration::from_secs(60));
        let later = under_way(&host, HOUR).await;
        hears(running, say, Err(failure(outcome))).unwrap();
        assert_eq!(states(&stored(&host).await), [Sending, Pending], "{outcome:?}");
        drop(later);
        clock.advance(Duration::from_secs(60));
        let plain = Platform::default();
        let lost = host.outbox().dispatch(intent(&["1", "2"]), &plain).await.unwrap();
        assert_eq!(states(&lost), [Unknown, Pending], "{outcome:?}");
        assert!(plain.log().is_empty(), "the later one may have arrived");
    }
}

#[tokio::test]
async fn who_never_began_does_not_undo_what_another_sent_meanwhile() {
    let (host, clock) = world();
    let platform = Arc::new(Platform::default());
    let (sound, other) = (host.clone(), platform.clone());
    let stuck = interrupted(&host, "store.commit.before", 1, move || {
        // The store hangs beyond the lease and then fails; who looks next finds the intent planned.
        clock.advance(Duration::from_secs(61));
        let outbox = sound.outbox();
        let sent = outbox.dispatch(intent(&["1", "2"]), &*other).now_or_never();
        assert!(sent.unwrap().unwrap().is_sent());
        Some(Error::new(Code::StoreUnavailable, "away").with_outcome(Outcome::Unknown))
    });
    host.outbox().plan(intent(&["1", "2"])).await.unwrap();
    let late = Platform::default();
    let error = stuck
        .outbox()
        .dispatch(intent(&["1", "2"]), &late)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::StoreUnavailable);
    assert_eq!(states(&stored(&host).await), [Sent, Sent]);
    let again = host.outbox().dispatch(intent(&["1", "2"]), &late).await.unwrap();
    assert!(again.is_sent() && late.log().is_empty());
    assert_eq!(platform.log(), ["1", "2"]);
}

#[tokio::test]
async fn what_was_cancelled_stays_so_when_its_sender_says_twice_that_it_was_not_sent() {
    let (host, _) = world();
    let sound = host.clone();
    // The second commit says that it was not sent; its answer is lost, and before it is said again somebody cancels.
    let stuck = interrupted(&host, "store.commit.after", 2, move || {
        let outbox = sound.outbox();
        let cancelled = outbox.cancel("pigeon", "bot-1", "k").now_or_never();
        assert_eq!(states(&cancelled.unwrap().unwrap()), [Cancelled, Cancelled]);
        Some(Error::new(Code::StoreUnavailable, "away").with_outcome(Outcome::Unknown))
    });
    let platform = Platform::answering([Err(failure(Outcome::NotSent))]);
    let seen = stuck.outbox().dispatch(intent(&["1", "2"]), &platform).await;
    assert_eq!(states(&seen.unwrap()), [Cancelled, Cancelled]);
    assert_eq!(states(&stored(&host).await), [Cancelled, Cancelled]);
}

#[tokio::test]
async fn a_resend_whose_lease_ended_before_it_was_stored_leaves_the_part_unknown() {
    let (host, clock) = world();
    vanish(&host, &clock, HOUR).await;
    let later = clock.clone();
    let late = interrupted(&host, "store.renew.after", 1, move || {
        later.advance(Duration::from_secs(61));
        None
    });
    let platform = Deduplicating(Platform::default());
    assert_eq!(
        refusal(&late, &platform).await,
        (Code::StoreConflict, Outcome::Unknown)
    );
    assert_eq!(states(&stored(&host).await), [Unknown, Pending]);
    clock.advance(Duration::from_secs(3_600));
    let outbox = host.outbox();
    let seen = outbox.dispatch(intent(&["1", "2"]), &platform).await.unwrap();
    assert_eq!(states(&seen), [Unknown, Pending]);
    assert!(platform.0.log().is_empty(), "the first attempt may have arrived");
}

#[tokio::test]
async fn a_store_that_cannot_renew_still_learns_what_was_sent() {
    let (host, clock) = world();
    let away = || Some(Error::new(Code::StoreUnavailable, "away").with_outcome(Outcome::Unknown));
    let failing = interrupted(&host, "store.renew.before", 1, away);
    let platform = Platform::default();
    assert_eq!(
        refusal(&failing, &platform).await,
        (Code::StoreUnavailable, Outcome::NotSent)
    );
    assert_eq!(states(&stored(&host).await), [Sent, Pending]);
    clock.advance(Duration::from_secs(60));
    let sent = host.outbox().dispatch(intent(&["1", "2"]), &platform).await;
    assert!(sent.unwrap().is_sent());
    assert_eq!(platform.log(), ["1", "2"]);
}

#[tokio::test]
async fn planned_intents_do_not_hide_a_lost_one() {
    let (host, clock) = world();
    let outbox = host.outbox();
    for n in 0..250 {
        let other = NewIntent {
            key: format!("planned-{n}"),
            ..intent(&["1"])
        };
        outbox.plan(other).await.unwrap();
    }
    vanish(&host, &clock, None).await;
    assert_eq!(outbox.expire(0).await.unwrap(), []);
    let expired = outbox.expire(1).await.unwrap();
    assert_eq!((expired.len(), states(&expired[0])), (1, vec![Unknown, Pending]));
    assert_eq!(outbox.expire(1).await.unwrap(), []);
}

#[tokio::test]
async fn what_its_sender_settled_meanwhile_has_not_expired_and_is_nobodys() {
    let (host, clock) = world();
    let (running, say) = under_way(&host, None).await;
    clock.advance(Duration::from_secs(60));
    let looking = interrupted(&host, "store.claim.before", 1, move || {
        let slow = hears(running, say, Err(failure(Outcome::Refused)));
        assert_eq!(states(&slow.unwrap()), [Refused, Pending]);
        None
    });
    assert_eq!(looking.outbox().expire(9).await.unwrap(), []);
    let outbox = host.outbox();
    assert!(outbox.undelivered(9).await.unwrap().is_empty());
    outbox.retry_refused("pigeon", "bot-1", "k").await.unwrap();
    let sent = outbox.dispatch(intent(&["1", "2"]), &Platform::default()).await;
    assert!(sent.unwrap().is_sent(), "the lease was given back");
}
