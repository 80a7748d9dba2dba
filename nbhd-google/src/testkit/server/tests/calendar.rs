//! Events and busy times.

use nbhd_core::http::{HeaderValue, Method};
use nbhd_core::testkit::Call;
use serde_json::json;

use super::stand_in;

#[tokio::test]
async fn events_are_listed_singly_or_as_series() {
    let asked = stand_in();
    let token = asked.token("1//all").await;
    let list = "/calendar/v3/calendars/primary/events";
    let day = "timeMin=2026-11-21T00:00:00%2B01:00&timeMax=2026-11-22T00:00:00%2B01:00";
    let (_, body) = asked
        .get(
            &token,
            &format!("{list}?{day}&singleEvents=true&orderBy=startTime"),
        )
        .await;
    let names: Vec<&str> = body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["summary"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["fair", "stand-up", "review"]);
    let instance = &body["items"][1];
    assert_eq!(
        instance["start"],
        json!({"dateTime": "2026-11-21T09:00:00+01:00", "timeZone": "Europe/Berlin"})
    );
    assert_eq!(body["items"][0]["end"], json!({"date": "2026-11-22"}));
    let id = instance["id"].as_str().unwrap();
    assert!(id.ends_with("_20261121T080000Z"));
    let (_, event) = asked.get(&token, &format!("{list}/{id}?timeZone=UTC")).await;
    assert_eq!(event["start"]["dateTime"], "2026-11-21T08:00:00Z");
    let (_, series) = asked.get(&token, &format!("{list}?q=STAND")).await;
    assert_eq!(series["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        series["items"][0]["recurrence"],
        json!(["RRULE:FREQ=DAILY;COUNT=10"])
    );
    assert_eq!(series["items"][0]["id"], instance["recurringEventId"]);
    for (wrong, status) in [
        ("primary/events?orderBy=startTime", 400),
        ("primary/events?timeMin=2026-11-21", 400),
        (
            "primary/events?timeMin=2026-11-22T00:00:00Z&timeMax=2026-11-21T00:00:00Z",
            400,
        ),
        ("primary/events?timeZone=Mars/Base", 400),
        ("primary/events?syncToken=old", 410),
        ("nobody%40example.com/events", 404),
        ("primary/events/unknown", 404),
    ] {
        assert_eq!(
            asked
                .get(&token, &format!("/calendar/v3/calendars/{wrong}"))
                .await
                .0,
            status,
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn free_busy_merges_and_names_who_is_not_found() {
    let asked = stand_in();
    let token = asked.token("1//all").await;
    let mut call = Call::new(Method::POST, "/calendar/v3/freeBusy");
    call.headers.insert(
        "authorization",
        HeaderValue::from_str(&format!("Bearer {token}")).unwrap(),
    );
    call.body = json!({
        "timeMin": "2026-11-21T00:00:00Z",
        "timeMax": "2026-11-22T00:00:00Z",
        "timeZone": "Europe/Berlin",
        "items": [{"id": "me@example.com"}, {"id": "nobody@example.com"}],
    })
    .to_string()
    .into();
    let (status, body) = asked.call(call).await;
    assert_eq!(status, 200);
    assert_eq!(
        body["calendars"]["me@example.com"]["busy"],
        json!([{"start": "2026-11-21T09:00:00+01:00", "end": "2026-11-21T10:00:00+01:00"}])
    );
    assert_eq!(
        body["calendars"]["nobody@example.com"]["errors"],
        json!([{"domain": "global", "reason": "notFound"}])
    );
}
