//! Calendar against a small API on loopback.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod stage;

use chrono::{DateTime, FixedOffset};
use nbhd_core::Code;
use nbhd_core::testkit::Reply;
use nbhd_google::calendar::{EventTime, FreeBusy, ListEvents};
use serde_json::json;
use stage::{Stage, refusal};

const EVENTS: &str = "/calendar/v3/calendars/primary/events";

fn at(text: &str) -> DateTime<FixedOffset> {
    text.parse().unwrap()
}

#[tokio::test]
async fn the_events_of_today_in_their_zone() {
    let stage = Stage::new(|call| match call.query.find("pageToken=two") {
        None => Reply::json(
            200,
            &json!({"kind": "calendar#events", "timeZone": "Europe/Berlin", "nextPageToken": "two",
            "items": [{"id": "a", "summary": "Holiday", "start": {"date": "2026-11-21"}, "end": {"date": "2026-11-22"}}]}),
        ),
        Some(_) => Reply::json(
            200,
            &json!({"items": [{"id": "b", "recurringEventId": "s",
            "start": {"dateTime": "2026-11-21T09:00:00+01:00", "timeZone": "Europe/Berlin"},
            "end": {"dateTime": "2026-11-21T09:15:00+01:00"}}]}),
        ),
    });
    let list = ListEvents::new()
        .with_window("today")
        .with_time_zone("Europe/Berlin");
    let page = stage.account().await.calendar().list_events(list).await.unwrap();
    assert_eq!(page.len(), 2);
    assert!(matches!(page[0].start, Some(EventTime::AllDay { .. })));
    assert!(matches!(page[1].start, Some(EventTime::Timed { .. })));
    assert_eq!(
        (page[1].series_id.as_deref(), page[1].title.as_deref()),
        (Some("s"), None)
    );
    let calls = stage.calls(EVENTS);
    let mut pairs = calls[0].query_pairs();
    pairs.sort();
    let wanted = [
        ("maxResults", "100"),
        ("orderBy", "startTime"),
        ("singleEvents", "true"),
        ("timeMax", "2026-11-21T23:59:59+01:00"),
        ("timeMin", "2026-11-21T00:00:00+01:00"),
        ("timeZone", "Europe/Berlin"),
    ];
    assert_eq!(
        pairs,
        wanted.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert_eq!(calls.len(), 2);
    assert_eq!(page.receipt.operation, "calendar.list_events");
}

#[tokio::test]
async fn refusals_of_calendar() {
    let cases = [
        (404, "notFound", Code::NotFound, 1),
        (403, "quotaExceeded", Code::QuotaExhausted, 1),
        (403, "insufficientPermissions", Code::InsufficientScope, 1),
        (403, "accessNotConfigured", Code::InvalidConfig, 1),
        (400, "timeRangeEmpty", Code::InvalidInput, 1),
        (429, "rateLimitExceeded", Code::RateLimited, 4),
        (500, "backendError", Code::ProviderUnavailable, 4),
    ];
    for (status, reason, code, attempts) in cases {
        let stage = Stage::new(move |_| refusal(status, reason));
        let error = stage
            .account()
            .await
            .calendar()
            .list_events(ListEvents::new())
            .await
            .unwrap_err();
        assert_eq!((error.code(), error.provider_reason()), (code, Some(reason)));
        assert_eq!(stage.calls(EVENTS).len(), attempts, "{reason}");
    }
    let stage = Stage::new(|_| Reply::text(200, "<html>"));
    let error = stage
        .account()
        .await
        .calendar()
        .list_events(ListEvents::new())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ProtocolError);
    let stage = Stage::new(|_| Reply::text(200, "<html>"));
    let error = stage
        .account()
        .await
        .calendar()
        .list_events(ListEvents::new().with_window("today"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidInput);
    assert!(stage.calls(EVENTS).is_empty());
}

#[tokio::test]
async fn a_calendar_that_could_not_be_read_is_never_free() {
    let stage = Stage::new(|call| {
        assert_eq!(
            (call.method.as_str(), call.path.as_str()),
            ("POST", "/calendar/v3/freeBusy")
        );
        assert_eq!(
            call.json(),
            json!({"timeMin": "2026-11-21T08:00:00+01:00", "timeMax": "2026-11-21T18:00:00+01:00",
                "items": [{"id": "primary"}, {"id": "b@example.com"}]})
        );
        Reply::json(
            200,
            &json!({"kind": "calendar#freeBusy", "calendars": {
            "primary": {"busy": [{"start": "2026-11-21T09:00:00Z", "end": "2026-11-21T10:00:00Z"}]},
            "b@example.com": {"errors": [{"domain": "global", "reason": "notFound"}]}}}),
        )
    });
    let ask = FreeBusy::new(at("2026-11-21T08:00:00+01:00"), at("2026-11-21T18:00:00+01:00"))
        .with_calendars(["primary", "b@example.com"]);
    let answer = stage.account().await.calendar().free_busy(ask).await.unwrap();
    assert!(!answer.is_complete());
    // 10:00 to 11:00 in Berlin is busy, whatever the other calendar says; its ends are exclusive.
    let is_free = |from: &str, to: &str| {
        answer.is_free(
            at(&format!("2026-11-21T{from}+01:00")),
            at(&format!("2026-11-21T{to}+01:00")),
        )
    };
    assert!(!is_free("10:30:00", "10:45:00").unwrap());
    let unknown = is_free("11:00:00", "12:00:00").unwrap_err();
    assert_eq!(
        (unknown.code(), unknown.provider_reason()),
        (Code::NotFound, Some("notFound"))
    );
    assert_eq!(
        is_free("07:00:00", "09:00:00").unwrap_err().code(),
        Code::InvalidInput
    );
}

#[tokio::test]
async fn a_calendar_that_was_read_is_free_or_busy() {
    let stage = Stage::new(|_| {
        Reply::json(
            200,
            &json!({"calendars": {"primary": {"busy": [
            {"start": "2026-11-21T12:00:00Z", "end": "2026-11-21T13:00:00Z"},
            {"start": "2026-11-21T09:00:00Z", "end": "2026-11-21T10:00:00Z"}]}}}),
        )
    });
    let ask = || FreeBusy::new(at("2026-11-21T08:00:00Z"), at("2026-11-21T18:00:00Z"));
    let account = stage.account().await;
    let answer = account.calendar().free_busy(ask()).await.unwrap();
    let is_free = |from: &str, to: &str| answer.is_free(at(from), at(to)).unwrap();
    assert!(answer.is_complete());
    assert!(is_free("2026-11-21T10:00:00Z", "2026-11-21T12:00:00Z"));
    assert!(!is_free("2026-11-21T11:00:00Z", "2026-11-21T12:00:01Z"));
    assert!(answer.calendars["primary"].busy[0].start < answer.calendars["primary"].busy[1].start);
    let error = account
        .calendar()
        .free_busy(ask().with_calendars([""; 0]))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidInput);
}

#[tokio::test]
async fn a_reply_that_is_no_answer_is_no_free_time() {
    let replies = std::sync::Mutex::new(vec![
        Reply::json(200, &json!({"calendars": {"primary": {"busy": []}}})),
        Reply::Close,
        Reply::json(200, &json!({})),
    ]);
    let stage = Stage::new(move |_| replies.lock().unwrap().pop().unwrap());
    let account = stage.account().await;
    let ask = || FreeBusy::new(at("2026-11-21T08:00:00Z"), at("2026-11-21T18:00:00Z"));
    assert_eq!(
        account.calendar().free_busy(ask()).await.unwrap_err().code(),
        Code::ProtocolError
    );
    // Asking who is busy changes nothing: a lost reply is asked for again.
    assert!(account.calendar().free_busy(ask()).await.unwrap().is_complete());
    assert_eq!(stage.calls("/calendar/v3/freeBusy").len(), 3);
}
