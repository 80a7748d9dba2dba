//! What is asked of Calendar, as requests: pure functions of what the caller wants.

use chrono::{DateTime, FixedOffset};
use nbhd_core::clock::rfc3339;
use nbhd_core::http::{Method, Repeat, Request, Url};
use nbhd_core::{Code, Error, Result};

use super::freebusy::FreeBusy;
use super::list::ListEvents;
use super::method::{EVENTS, FREE_BUSY};
use super::wire;

type Bounds = (DateTime<FixedOffset>, Option<DateTime<FixedOffset>>);

pub(super) fn events(
    root: &Url,
    list: &ListEvents,
    (from, to): Bounds,
    limit: u32,
    page_token: Option<&str>,
) -> Result<Request> {
    let mut url = join(root, "calendar/v3/calendars")?;
    // The id of a calendar is an address or holds `#`: it is one segment, encoded.
    url.path_segments_mut()
        .map_err(|()| refused())?
        .push(&list.calendar)
        .push("events");
    let mut request = Request::new(Method::GET, url, EVENTS.label)
        .with_units(EVENTS.units)
        .with_query("singleEvents", "true")
        .with_query("orderBy", "startTime")
        .with_query("maxResults", &limit.to_string())
        .with_query("timeMin", &rfc3339(from));
    if let Some(to) = to {
        request = request.with_query("timeMax", &rfc3339(to));
    }
    if let Some(zone) = &list.time_zone {
        request = request.with_query("timeZone", zone);
    }
    if let Some(query) = list
        .query
        .as_deref()
        .map(str::trim)
        .filter(|query| !query.is_empty())
    {
        request = request.with_query("q", query);
    }
    if let Some(token) = page_token {
        request = request.with_query("pageToken", token);
    }
    Ok(request)
}

/// A `POST`, but it changes nothing.
pub(super) fn free_busy(root: &Url, ask: &FreeBusy) -> Result<Request> {
    let body = wire::FreeBusyRequest {
        time_min: rfc3339(ask.time_min),
        time_max: rfc3339(ask.time_max),
        time_zone: ask.time_zone.as_deref(),
        items: ask.calendars.iter().map(|id| wire::FreeBusyItem { id }).collect(),
    };
    Request::new(Method::POST, join(root, "calendar/v3/freeBusy")?, FREE_BUSY.label)
        .with_units(FREE_BUSY.units)
        .with_repeat(Repeat::Safe)
        .with_json(&body)
}

fn join(root: &Url, path: &str) -> Result<Url> {
    root.join(path).map_err(|_| refused())
}

fn refused() -> Error {
    Error::new(Code::InvalidConfig, "the Calendar endpoint takes no path")
}

/// One of each, for the comparison with the discovery document.
#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static crate::credentials::Method, Request)> {
    let root = Url::parse("https://www.googleapis.com/").unwrap();
    let from: DateTime<FixedOffset> = "2026-11-21T00:00:00+01:00".parse().unwrap();
    let to = from + chrono::Duration::days(1);
    let list = ListEvents::new()
        .with_calendar("a#b@example.com")
        .with_time_zone("Europe/Berlin")
        .with_query("x");
    let ask = FreeBusy::new(from, to)
        .with_calendars(["primary", "b@example.com"])
        .with_time_zone("UTC");
    vec![
        (
            &EVENTS,
            events(&root, &list, (from, Some(to)), 5, Some("token")).unwrap(),
        ),
        (&FREE_BUSY, free_busy(&root, &ask).unwrap()),
    ]
}

#[cfg(test)]
mod tests {
    use nbhd_core::http::Url;

    use super::{ListEvents, events};

    #[test]
    fn the_id_of_a_calendar_is_one_segment() {
        let root = Url::parse("http://127.0.0.1:1/").unwrap();
        let from = "2026-11-21T00:00:00+01:00".parse().unwrap();
        let cases = [
            (
                "de.german#holiday@group.v.calendar.google.com",
                "/calendar/v3/calendars/de.german%23holiday@group.v.calendar.google.com/events",
            ),
            ("../../x?y", "/calendar/v3/calendars/..%2F..%2Fx%3Fy/events"),
        ];
        for (id, path) in cases {
            let request = events(&root, &ListEvents::new().with_calendar(id), (from, None), 1, None).unwrap();
            assert_eq!(request.url.path(), path);
        }
        let request = events(&root, &ListEvents::new(), (from, None), 7, None).unwrap();
        assert_eq!(
            request.url.query(),
            Some(
                "singleEvents=true&orderBy=startTime&maxResults=7&timeMin=2026-11-21T00%3A00%3A00%2B01%3A00"
            )
        );
    }
}
