//! The inbox: accepted once, handled in order, tried again, remembered for as long as it may come again.

use std::time::Duration;

use serde_json::json;

use super::run::{World, refused, some};
use crate::inbox::{ENVELOPE, Inbox, Ingest, LARGEST_ENVELOPE, NewEvent, Work};
use crate::outbox::NewIntent;
use crate::testkit::contract::{Stop, Verdict, same};
use crate::{Code, Error};

const DAY: u64 = 86_400;

fn event(lane: &str, dedupe: &[&str]) -> NewEvent {
    NewEvent {
        provider: "pigeon".to_owned(),
        instance: "bot-1".to_owned(),
        dedupe: dedupe.iter().map(|key| (*key).to_owned()).collect(),
        lane: lane.to_owned(),
        data: json!({"text": dedupe[0]})
            .as_object()
            .cloned()
            .unwrap_or_default(),
    }
}

async fn claimed(inbox: &Inbox, text: &str) -> Result<Work, Stop> {
    let work = some(text, inbox.claim().await?)?;
    same("which", work.event().data.get("text"), Some(&json!(text)))?;
    Ok(work)
}

fn trouble() -> Error {
    Error::new(Code::ProviderUnavailable, "the model was away")
}

pub(super) async fn accepted_once_by_any_key(world: &World) -> Verdict {
    let inbox = world.host.inbox();
    let first = inbox.accept(event("a", &["u1", "m1"])).await?;
    for again in [&["u1"][..], &["m1"], &["u2", "m1"]] {
        let accepted = inbox.accept(event("a", again)).await?;
        same("the first", (accepted.duplicate, &accepted.id), (true, &first.id))?;
    }
    same("one waits", inbox.pending().await?, 1)?;
    claimed(&inbox, "u1").await?.done().await?;
    same(
        "also when done",
        inbox.accept(event("a", &["m1"])).await?.duplicate,
        true,
    )?;
    same("none waits", inbox.pending().await?, 0)
}

pub(super) async fn lanes_wait_for_their_head(world: &World) -> Verdict {
    let inbox = world.host.inbox().with_attempts(2);
    for (lane, key) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
        inbox.accept(event(lane, &[key])).await?;
        world.micros(1);
    }
    claimed(&inbox, "a1").await?.fail(&trouble()).await?;
    claimed(&inbox, "b1").await?.done().await?;
    same("a backs off", inbox.claim().await?.is_none(), true)?;
    world.seconds(1);
    let work = claimed(&inbox, "a1").await?;
    same("again", work.event().attempt, 2)?;
    work.fail(&trouble()).await?;
    // The dead letter frees the lane.
    claimed(&inbox, "a2").await?.done().await?;
    let letters = inbox.dead_letters(9).await?;
    same("one letter", letters.len(), 1)?;
    inbox.revive(&letters[0].event.id).await?;
    let work = claimed(&inbox, "a1").await?;
    same("all attempts again", work.event().attempt, 1)?;
    work.done().await?;
    same("no letter", inbox.dead_letters(9).await?.len(), 0)
}

pub(super) async fn overtaken_workers_change_nothing(world: &World) -> Verdict {
    let inbox = world.host.inbox();
    inbox.accept(event("a", &["a1"])).await?;
    let gone = claimed(&inbox, "a1").await?;
    world.seconds(40);
    gone.renew().await?;
    world.seconds(59);
    same("renewed", inbox.claim().await?.is_none(), true)?;
    world.seconds(1);
    let work = claimed(&inbox, "a1").await?;
    for late in [gone.done().await, gone.fail(&trouble()).await, gone.renew().await] {
        refused("late", late, Code::StoreConflict)?;
    }
    work.done().await.map_err(Stop::from)
}

pub(super) async fn done_and_its_sends_are_one_step(world: &World) -> Verdict {
    let inbox = world.host.inbox();
    inbox.accept(event("a", &["a1"])).await?;
    let work = claimed(&inbox, "a1").await?;
    let intent = |text: &str| NewIntent {
        key: "k".to_owned(),
        channel: "pigeon".to_owned(),
        account: "bot-1".to_owned(),
        parts: vec![json!({"text": text})],
    };
    work.commit(vec![intent("hello")]).await?;
    work.commit(vec![intent("hello")]).await?;
    let open = world.host.outbox().undelivered(9).await?;
    same("stored", open.len(), 1)?;
    inbox.accept(event("a", &["a2"])).await?;
    let work = claimed(&inbox, "a2").await?;
    refused(
        "another",
        work.commit(vec![intent("other")]).await,
        Code::Conflict,
    )?;
    same("still there", work.is_held(), true)?;
    work.commit(vec![intent("hello")]).await?;
    same("none waits", inbox.pending().await?, 0)
}

pub(super) async fn tombstones_are_counted_by_instance(world: &World) -> Verdict {
    let inbox = world.host.inbox().with_tombstones(3);
    for key in ["1", "2", "3"] {
        inbox.accept(event("a", &[key, &format!("{key}/alias")])).await?;
        claimed(&inbox, key).await?.done().await?;
        world.seconds(DAY);
    }
    // The oldest is 3 days old: it may come again for 4 more.
    let error = refused(
        "full",
        inbox.accept(event("a", &["4"])).await,
        Code::QuotaExhausted,
    )?;
    same("when", error.retry_after(), Some(Duration::from_secs(4 * DAY)))?;
    same("it may pass", error.retryable(), true)?;
    for key in ["1", "2/alias", "3"] {
        same("known", inbox.accept(event("a", &[key])).await?.duplicate, true)?;
    }
    let mut elsewhere = event("a", &["4"]);
    "bot-2".clone_into(&mut elsewhere.instance);
    inbox.accept(elsewhere).await?;
    world.seconds(4 * DAY - 1);
    refused(
        "not yet",
        inbox.accept(event("a", &["4"])).await,
        Code::QuotaExhausted,
    )?;
    world.seconds(1);
    same("room", inbox.accept(event("a", &["4"])).await?.duplicate, false)?;
    for key in ["2", "3/alias"] {
        same("kept", inbox.accept(event("a", &[key])).await?.duplicate, true)?;
    }
    let short = inbox.clone().with_redelivery(Duration::from_secs(DAY));
    same(
        "known to be short",
        short.accept(event("a", &["5"])).await?.duplicate,
        false,
    )?;
    same(
        "made room",
        short.accept(event("a", &["3/alias"])).await?.duplicate,
        false,
    )
}

pub(super) async fn tombstones_end_after_thirty_days(world: &World) -> Verdict {
    let inbox = world.host.inbox().with_tombstones(2);
    inbox.accept(event("a", &["1", "x"])).await?;
    world.seconds(30 * DAY - 1);
    same("known", inbox.accept(event("b", &["x"])).await?.duplicate, true)?;
    world.seconds(1);
    same(
        "forgotten",
        inbox.accept(event("b", &["x"])).await?.duplicate,
        false,
    )?;
    // What made room for others is not what was accepted anew under one of its keys.
    same(
        "another",
        inbox.accept(event("c", &["2"])).await?.duplicate,
        false,
    )?;
    same(
        "anew is known",
        inbox.accept(event("b", &["x"])).await?.duplicate,
        true,
    )
}

pub(super) async fn envelopes(world: &World) -> Verdict {
    let inbox = world.host.inbox();
    let body = json!({
        "schema": ENVELOPE, "event_id": "e1", "occurred_at": "2026-11-21T08:00:00+01:00",
        "metadata": {"shop": "x"}, "payload": {"order": 7},
    })
    .to_string();
    let from = || Ingest::webhook("Shop").with_lane("orders").with_event_id("e1");
    let first = inbox.ingest(from(), body.as_bytes()).await?;
    same(
        "accepted",
        (first.duplicate, first.source.as_str()),
        (false, "shop"),
    )?;
    same("its id", first.event_id.as_deref(), Some("e1"))?;
    same("when", first.occurred_at.as_deref(), Some("2026-11-21T07:00:00Z"))?;
    let work = some("the event", inbox.claim().await?)?;
    let event = work.event();
    same(
        "where",
        (
            event.provider.as_str(),
            event.instance.as_str(),
            event.lane.as_str(),
        ),
        ("webhook", "shop", "orders"),
    )?;
    same("what", event.data.get("payload"), Some(&json!({"order": 7})))?;
    same(
        "metadata",
        event.data.get("metadata"),
        Some(&json!({"shop": "x"})),
    )?;
    work.done().await?;
    let again = inbox.ingest(from(), body.as_bytes()).await?;
    same("again", (again.id, again.duplicate), (first.id, true))?;
    same("the same", again.same_payload, Some(true))?;
    let other = json!({"schema": ENVELOPE, "event_id": "e1", "payload": {"order": 8}}).to_string();
    let again = inbox.ingest(from(), other.as_bytes()).await?;
    same(
        "another payload",
        (again.duplicate, again.same_payload),
        (true, Some(false)),
    )?;
    let poll = inbox
        .ingest(Ingest::poll("shop").with_event_id("e1"), b"[1, 2]")
        .await?;
    same("a poll is another", poll.duplicate, false)?;
    let work = some("raw JSON", inbox.claim().await?)?;
    same(
        "as it stands",
        work.event().data.get("payload"),
        Some(&json!([1, 2])),
    )?;
    work.done().await?;
    for _ in 0..2 {
        let raw = inbox.ingest(Ingest::webhook("bell"), b"{\"rang\": true}").await?;
        same(
            "without an id each is its own",
            (raw.duplicate, raw.event_id),
            (false, None),
        )?;
    }
    Ok(())
}

pub(super) async fn what_is_no_envelope(world: &World) -> Verdict {
    let inbox = world.host.inbox();
    let large = format!("\"{}\"", "x".repeat(LARGEST_ENVELOPE));
    let control = Ingest::webhook("shop").with_event_id("a\nb");
    for (what, from, body) in [
        ("no JSON", Ingest::webhook("shop"), "{hunter2"),
        ("too large", Ingest::webhook("shop"), &large),
        ("no source", Ingest::webhook(" "), "1"),
        ("a control", control, "1"),
        ("an empty id", Ingest::webhook("shop").with_event_id(""), "1"),
        (
            "no payload",
            Ingest::webhook("shop"),
            r#"{"schema":"nbhd_envelope_v1"}"#,
        ),
        (
            "a misspelled field",
            Ingest::webhook("shop"),
            r#"{"schema":"nbhd_envelope_v1","payload":1,"eventid":"x"}"#,
        ),
        (
            "an id that is a number",
            Ingest::webhook("shop"),
            r#"{"schema":"nbhd_envelope_v1","payload":1,"event_id":7}"#,
        ),
        (
            "no time",
            Ingest::webhook("shop"),
            r#"{"schema":"nbhd_envelope_v1","payload":1,"occurred_at":"yesterday"}"#,
        ),
        (
            "two ids",
            Ingest::webhook("shop").with_event_id("a"),
            r#"{"schema":"nbhd_envelope_v1","payload":1,"event_id":"b"}"#,
        ),
    ] {
        let error = refused(
            what,
            inbox.ingest(from, body.as_bytes()).await,
            Code::InvalidInput,
        )?;
        same(
            "nothing of the body",
            error.to_string().contains("hunter2"),
            false,
        )?;
    }
    let newer = br#"{"schema":"nbhd_envelope_v2","payload":1}"#;
    refused(
        "newer",
        inbox.ingest(Ingest::webhook("shop"), newer).await,
        Code::Unsupported,
    )?;
    same("nothing waits", inbox.pending().await?, 0)?;
    let others = br#"{"schema":{"type":"struct"},"payload":{"id":1}}"#;
    inbox.ingest(Ingest::webhook("shop"), others).await?;
    same("somebody else's schema is a payload", inbox.pending().await?, 1)
}
