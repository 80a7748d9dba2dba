//! Calendar's words become ours.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};
use nbhd_core::{Code, Error, Outcome, Result};

use super::event::{Attendee, Event, EventStatus, EventTime, Person};
use super::freebusy::{Busy, CalendarBusy, CalendarProblem, FreeBusy};
use super::wire;
use crate::mime::Trust;

pub(super) fn event(wire: wire::Event) -> Event {
    let own = wire.attendees.iter().find(|person| person.is_self);
    let response = own.and_then(|person| person.response_status.clone());
    Event {
        id: wire.id,
        series_id: wire.recurring_event_id,
        original_start: wire.original_start_time.and_then(time),
        trust: Trust::Untrusted,
        title: wire.summary,
        description: wire.description,
        location: wire.location,
        start: wire.start.and_then(time),
        end: wire.end.and_then(time),
        status: match wire.status.as_deref() {
            Some("cancelled") => EventStatus::Cancelled,
            Some("tentative") => EventStatus::Tentative,
            _ => EventStatus::Confirmed,
        },
        busy: wire.transparency.as_deref() != Some("transparent"),
        response,
        organizer: wire.organizer.map(person),
        attendees: wire.attendees.into_iter().map(attendee).collect(),
        attendees_omitted: wire.attendees_omitted,
        kind: wire.kind.unwrap_or_else(|| "default".to_owned()),
        link: wire.html_link,
        meeting_link: wire.hangout_link,
        ical_uid: wire.ical_uid,
        updated: wire.updated.and_then(|text| text.parse().ok()),
    }
}

/// A day or a time; what is neither is absent.
fn time(wire: wire::EventDateTime) -> Option<EventTime> {
    match (wire.date, wire.date_time) {
        (_, Some(at)) => instant(&at).map(|at| EventTime::Timed {
            at,
            zone: wire.time_zone,
        }),
        (Some(date), None) => date.parse().ok().map(|date| EventTime::AllDay { date }),
        (None, None) => None,
    }
}

fn instant(text: &str) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(text).ok()
}

fn person(wire: wire::Person) -> Person {
    Person {
        name: wire.display_name,
        email: wire.email,
        is_self: wire.is_self,
    }
}

fn attendee(wire: wire::Person) -> Attendee {
    Attendee {
        name: wire.display_name,
        email: wire.email,
        is_self: wire.is_self,
        response: wire.response_status,
        optional: wire.optional,
        resource: wire.resource,
    }
}

/// What every calendar that was asked for answered. One that is missing from the answer has a problem.
pub(super) fn calendars(ask: &FreeBusy, wire: &wire::FreeBusyResponse) -> BTreeMap<String, CalendarBusy> {
    let unanswered = || CalendarBusy {
        busy: Vec::new(),
        problems: vec![CalendarProblem::new("unanswered")],
    };
    ask.calendars
        .iter()
        .map(|id| {
            (
                id.clone(),
                wire.calendars.get(id).map_or_else(unanswered, calendar),
            )
        })
        .collect()
}

fn calendar(wire: &wire::FreeBusyCalendar) -> CalendarBusy {
    let mut problems: Vec<CalendarProblem> = wire
        .errors
        .iter()
        .map(|error| CalendarProblem::new(&error.reason))
        .collect();
    let mut busy = Vec::with_capacity(wire.busy.len());
    for period in &wire.busy {
        match (instant(&period.start), instant(&period.end)) {
            (Some(start), Some(end)) => busy.push(Busy { start, end }),
            // Leaving it out would call a busy time free.
            _ => problems.push(CalendarProblem::new("unreadable")),
        }
    }
    busy.sort_by_key(|busy| busy.start);
    CalendarBusy { busy, problems }
}

/// Reads what Calendar sent, and never repeats it.
pub(super) fn parse<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|error| {
        Error::new(
            Code::ProtocolError,
            format!(
                "Calendar's answer ({} bytes) is not what it documents, at line {}, column {}",
                json.len(),
                error.line(),
                error.column()
            ),
        )
        .with_outcome(Outcome::Unknown)
        .with_provider("google")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::event::{Event, EventStatus, EventTime};
    use super::super::freebusy::FreeBusy;
    use super::{calendars, event};

    fn read(wire: Value) -> Event {
        event(serde_json::from_value(wire).unwrap())
    }

    #[test]
    fn days_and_times_are_different_types() {
        let timed = read(json!({"id": "1", "status": "confirmed", "summary": "Standup",
            "start": {"dateTime": "2026-11-21T09:00:00+01:00", "timeZone": "Europe/Berlin"},
            "end": {"dateTime": "2026-11-21T08:15:00Z"},
            "attendees": [{"email": "me@example.com", "self": true, "responseStatus": "declined"}],
            "updated": "2026-11-01T00:00:00.000Z"}));
        let nine = "2026-11-21T09:00:00+01:00".parse().unwrap();
        assert_eq!(
            timed.start,
            Some(EventTime::Timed {
                at: nine,
                zone: Some("Europe/Berlin".to_owned())
            })
        );
        assert_eq!(timed.response.as_deref(), Some("declined"));
        assert!(timed.busy && timed.updated.is_some());
        let day = read(
            json!({"id": "2", "start": {"date": "2026-11-21"}, "end": {"date": "2026-11-22"},
            "transparency": "transparent"}),
        );
        assert_eq!(
            day.start,
            Some(EventTime::AllDay {
                date: "2026-11-21".parse().unwrap()
            })
        );
        assert!(!day.busy && day.title.is_none());
        assert_eq!(
            serde_json::to_value(&day.start).unwrap(),
            json!({"type": "all_day", "date": "2026-11-21"})
        );
    }

    #[test]
    fn a_cancelled_event_may_have_nothing_but_its_id() {
        let cancelled = read(json!({"id": "3", "status": "cancelled"}));
        assert_eq!(
            (cancelled.status, cancelled.start),
            (EventStatus::Cancelled, None)
        );
        let odd = read(
            json!({"id": "4", "status": "invented", "start": {"dateTime": "soon"}, "eventType": "newKind"}),
        );
        assert_eq!(
            (odd.status, odd.start, odd.kind.as_str()),
            (EventStatus::Confirmed, None, "newKind")
        );
    }

    #[test]
    fn a_calendar_that_gave_no_answer_is_not_free() {
        let at = |hour: u32| format!("2026-11-21T{hour:02}:00:00Z").parse().unwrap();
        let ask = FreeBusy::new(at(8), at(18)).with_calendars(["a", "b", "c", "d"]);
        let wire = serde_json::from_value(json!({"calendars": {
            "a": {"busy": [{"start": "2026-11-21T10:00:00Z", "end": "2026-11-21T11:00:00Z"}]},
            "b": {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []},
            "d": {"busy": [{"start": "10 o'clock", "end": "2026-11-21T11:00:00Z"}]}}}))
        .unwrap();
        let calendars = calendars(&ask, &wire);
        let reason = |id: &str| {
            calendars[id]
                .problems
                .first()
                .map(|problem| problem.reason.clone())
        };
        assert_eq!(reason("a"), None);
        assert_eq!(reason("b").as_deref(), Some("notFound"));
        assert_eq!(reason("c").as_deref(), Some("unanswered"));
        assert_eq!(reason("d").as_deref(), Some("unreadable"));
    }
}
