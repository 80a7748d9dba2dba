//! What may be sent again, and for how long: an unknown part, where the platform deduplicates its key.

use super::*;

/// Deduplicates for as long as it says.
struct Window(Duration, Platform);

#[async_trait]
impl SendPart for Window {
    async fn send(&self, intent: &Intent, part: &Part) -> Result<Value> {
        self.1.send(intent, part).await
    }

    fn dedupe_window(&self) -> Option<Duration> {
        Some(self.0)
    }
}

fn refusal(code: Code) -> Error {
    Error::new(code, "no").with_outcome(Outcome::Refused)
}

/// The first of two parts is unknown; the platform deduplicates it for an hour, and then answers as told.
async fn unknown(host: &Host, then: impl IntoIterator<Item = Result<Value>>) -> Deduplicating {
    let first = [Err(failure(Outcome::Unknown))];
    let platform = Deduplicating(Platform::answering(first.into_iter().chain(then)));
    let seen = host.outbox().dispatch(intent(&["1", "2"]), &platform).await;
    assert_eq!(states(&seen.unwrap()), [Unknown, Pending]);
    platform
}

#[tokio::test]
async fn a_refusal_of_what_was_sent_again_proves_nothing_and_ends_the_resending() {
    let (host, clock) = world();
    let platform = unknown(&host, [Err(refusal(Code::PermissionDenied))]).await;
    let outbox = host.outbox();
    let again = outbox.dispatch(intent(&["1", "2"]), &platform).await.unwrap();
    assert_eq!(states(&again), [Unknown, Pending], "the first may have arrived");
    assert_eq!(
        again.parts[0].error.as_ref().unwrap().code,
        Code::PermissionDenied
    );
    clock.advance(Duration::from_secs(60));
    assert!(outbox.undelivered(9).await.unwrap().is_empty());
    let still = outbox.retry_refused("pigeon", "bot-1", "k").await.unwrap();
    assert_eq!(states(&still), [Unknown, Pending]);
    clock.advance(Duration::from_secs(3 * 86_400));
    let late = outbox.dispatch(intent(&["1", "2"]), &platform).await.unwrap();
    assert_eq!(states(&late), [Unknown, Pending]);
    assert_eq!(platform.0.log(), ["1", "1"]);
}

#[tokio::test]
async fn not_now_to_what_was_sent_again_is_waited_for_within_the_window() {
    let (host, clock) = world();
    let busy = refusal(Code::RateLimited).with_retry_after(Duration::from_secs(5));
    let platform = unknown(&host, [Err(busy)]).await;
    let outbox = host.outbox();
    let again = outbox.dispatch(intent(&["1", "2"]), &platform).await.unwrap();
    assert_eq!(states(&again), [Unknown, Pending]);
    clock.advance(Duration::from_secs(4));
    assert!(
        outbox.undelivered(9).await.unwrap().is_empty(),
        "not before retry_after"
    );
    clock.advance(Duration::from_secs(1));
    assert_eq!(outbox.undelivered(9).await.unwrap(), [again]);
    let sent = outbox.resume("pigeon", "bot-1", "k", &platform).await.unwrap();
    assert!(sent.is_sent());
    assert_eq!(platform.0.log(), ["1", "1", "1", "2"]);
}

#[tokio::test]
async fn who_looks_and_does_not_send_leaves_the_resending_to_who_does() {
    for way in ["expire", "cancel", "retry_refused"] {
        let (host, clock) = world();
        let outbox = host.outbox();
        let platform = Deduplicating(Platform::default());
        if way == "expire" {
            let lost = outbox.dispatch(intent(&["1", "2"]), &Lost);
            assert!(futures::poll!(Box::pin(lost)).is_pending());
            clock.advance(Duration::from_secs(60));
            assert_eq!(states(&outbox.expire(9).await.unwrap()[0]), [Unknown, Pending]);
        } else {
            unknown(&host, []).await;
            let seen = match way {
                "cancel" => outbox.cancel("pigeon", "bot-1", "k").await,
                _ => outbox.retry_refused("pigeon", "bot-1", "k").await,
            };
            assert_eq!(seen.unwrap().parts[0].state, Unknown);
        }
        clock.advance(Duration::from_secs(1));
        assert_eq!(outbox.undelivered(9).await.unwrap().len(), 1, "{way}");
        let sent = outbox.resume("pigeon", "bot-1", "k", &platform).await.unwrap();
        assert_eq!(sent.parts[0].state, Sent, "{way}");
        assert!(outbox.undelivered(9).await.unwrap().is_empty(), "{way}");
    }
}

/// Deduplicates for an hour and never answers.
struct Lost;

#[async_trait]
impl SendPart for Lost {
    async fn send(&self, _: &Intent, _: &Part) -> Result<Value> {
        std::future::pending().await
    }

    fn dedupe_window(&self) -> Option<Duration> {
        Some(Duration::from_secs(3_600))
    }
}

#[tokio::test]
async fn a_sender_that_does_not_deduplicate_never_sends_again_and_leaves_it_to_one_that_does() {
    let (host, clock) = world();
    unknown(&host, []).await;
    let outbox = host.outbox();
    let plain = Platform::default();
    let seen = outbox.resume("pigeon", "bot-1", "k", &plain).await.unwrap();
    assert_eq!(states(&seen), [Unknown, Pending]);
    assert!(plain.log().is_empty());
    clock.advance(Duration::from_secs(1));
    assert_eq!(outbox.undelivered(9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_record_of_the_older_shape_is_read_and_not_sent_again() {
    let (host, clock) = world();
    let platform = unknown(&host, []).await;
    let name = book::name("pigeon", "bot-1", "k");
    let record = host.store().get(&name).await.unwrap().unwrap();
    let mut older: Value = serde_json::from_str(&record.value).unwrap();
    for part in older["parts"].as_array_mut().unwrap() {
        let part = part.as_object_mut().unwrap();
        part.remove("resend_until");
        part.remove("epoch");
        part.insert("began_at".to_owned(), json!("2026-01-01T00:00:00Z"));
    }
    let put = crate::store::Write::Put {
        key: name,
        value: older.to_string(),
        ttl: None,
    };
    host.store()
        .commit(crate::store::Commit::new().write(put))
        .await
        .unwrap();
    clock.advance(Duration::from_secs(1));
    let outbox = host.outbox();
    assert_eq!(outbox.undelivered(9).await.unwrap().len(), 1);
    let seen = outbox.resume("pigeon", "bot-1", "k", &platform).await.unwrap();
    assert_eq!(states(&seen), [Unknown, Pending]);
    assert_eq!(platform.0.log(), ["1"]);
    assert!(outbox.undelivered(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn no_window_and_no_wait_is_too_long_to_reckon_with() {
    for seconds in [0, 60, 9_000_000_000_000, u64::MAX] {
        let (host, clock) = world();
        let long = Duration::from_secs(seconds);
        let lost = failure(Outcome::Unknown).with_retry_after(long);
        let platform = Window(long, Platform::answering([Err(lost)]));
        let outbox = host.outbox();
        let seen = outbox.dispatch(intent(&["1"]), &platform).await.unwrap();
        assert_eq!(states(&seen), [Unknown]);
        assert!(outbox.undelivered(9).await.unwrap().is_empty());
        let again = outbox.resume("pigeon", "bot-1", "k", &platform).await.unwrap();
        // A window of a lease or less is over before another attempt surely arrives.
        assert_eq!(again.is_sent(), seconds > 60, "{seconds}");

        // It is believed as long as keys are remembered, and then nothing of it is left.
        let busy = failure(Outcome::NotSent).with_retry_after(long);
        let other = NewIntent {
            key: "busy".to_owned(),
            ..intent(&["1"])
        };
        outbox
            .dispatch(other, &Platform::answering([Err(busy)]))
            .await
            .unwrap();
        clock.advance(Duration::from_secs(30 * 86_400));
        assert_eq!(outbox.undelivered(9).await.unwrap().len(), 1, "{seconds}");
    }
}

#[tokio::test]
async fn an_unknown_intent_that_nobody_took_up_leaves_the_list_when_it_is_forgotten() {
    let (host, clock) = world();
    unknown(&host, []).await;
    clock.advance(Duration::from_secs(30 * 86_400));
    assert!(host.outbox().undelivered(9).await.unwrap().is_empty());
    assert_eq!(host.store().count(book::OPEN).await.unwrap(), 0);
}
