//! Calendar v3, reading. <https://developers.google.com/workspace/calendar/api/v3/reference>

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Answered, page_start, page_token};
use super::oauth::field;
use super::route::Route;
use super::state::State;
use crate::testkit::ics::{Calendar, Occurrence, Window, Zone};
use crate::testkit::mailbox::fnv;

/// The most calendars of one free/busy question (`calendarExpansionMax`).
const CALENDARS_LIMIT: usize = 50;

impl State {
    pub(super) fn calendar(&self, route: &Route, query: &[(String, String)], body: &[u8]) -> Answered {
        match route.call.label {
            "calendar.calendar_list.list" => Ok(self.calendar_list()),
            "calendar.events.list" => self.events(&route.path[0], query),
            "calendar.events.get" => self.event(&route.path[0], &route.path[1], query),
            _ => self.free_busy(body),
        }
    }

    fn find_calendar(&self, id: &str) -> Result<(&str, &Calendar), Answer> {
        let wanted = if id == "primary" {
            self.address.as_str()
        } else {
            id
        };
        self.calendars
            .iter()
            .find(|(id, _)| id.eq_ignore_ascii_case(wanted))
            .map(|(id, calendar)| (id.as_str(), calendar))
            .ok_or_else(|| Answer::error(404, "NOT_FOUND", "notFound", "Not Found"))
    }

    fn calendar_list(&self) -> Value {
        let items: Vec<Value> = self
            .calendars
            .iter()
            .map(|(id, calendar)| {
                let primary = id.eq_ignore_ascii_case(&self.address);
                let mut item = json!({
                    "kind": "calendar#calendarListEntry",
                    "etag": format!("\"{}\"", fnv(id.as_bytes())),
                    "id": id,
                    "summary": if primary { id } else { &calendar.name },
                    "timeZone": calendar.time_zone.name(),
                    "selected": true,
                    "accessRole": "owner",
                    "defaultReminders": [],
                });
                if primary {
                    item["primary"] = true.into();
                }
                item
            })
            .collect();
        json!({
            "kind": "calendar#calendarList",
            "etag": "\"1\"",
            "nextSyncToken": "standin",
            "items": items,
        })
    }

    fn events(&self, id: &str, query: &[(String, String)]) -> Answered {
        let (id, calendar) = self.find_calendar(id)?;
        if field(query, "syncToken").is_some() {
            return Self::since(calendar, query);
        }
        let window = window(field(query, "timeMin"), field(query, "timeMax"))?;
        let single = flag(query, "singleEvents");
        let deleted = flag(query, "showDeleted");
        let order = field(query, "orderBy");
        match order {
            None | Some("updated") => {}
            Some("startTime") if single => {}
            Some("startTime") => {
                let message = "The requested ordering is not available for the particular query.";
                return Err(Answer::bad_request("badRequest", message));
            }
            Some(_) => return Err(Answer::bad_request("invalid", "Invalid orderBy")),
        }
        let shown = shown(calendar, query)?;
        let default_type = query
            .iter()
            .filter(|(name, _)| name == "eventTypes")
            .all(|(_, kind)| kind == "default");
        let mut items = if !default_type {
            Vec::new()
        } else if single {
            calendar
                .occurrences(window, self.clock.now())
                .iter()
                .filter(|occurrence| deleted || !occurrence.event.cancelled)
                .map(|occurrence| calendar.occurrence_resource(occurrence, id, &shown))
                .collect()
        } else {
            self.series(calendar, id, window, deleted, &shown)
        };
        if let Some(uid) = field(query, "iCalUID") {
            items.retain(|item| item["iCalUID"] == uid);
        }
        if let Some(words) = field(query, "q").map(str::to_lowercase) {
            items.retain(|item| {
                ["summary", "description", "location", "attendees", "organizer"]
                    .iter()
                    .any(|name| item[*name].to_string().to_lowercase().contains(&words))
            });
        }
        if let Some(since) = time(field(query, "updatedMin"), "updatedMin")? {
            items.retain(|item| {
                let updated = item["updated"]
                    .as_str()
                    .and_then(|text| text.parse::<DateTime<Utc>>().ok());
                updated.is_none_or(|updated| updated >= since)
            });
        }
        if order == Some("updated") {
            items.sort_by_key(|item| item["updated"].as_str().unwrap_or_default().to_owned());
        }
        page(calendar, items, query)
    }

    /// Series, exceptions and single events, each once: what `singleEvents=false` lists.
    fn series(
        &self,
        calendar: &Calendar,
        id: &str,
        window: Window,
        deleted: bool,
        shown: &Zone,
    ) -> Vec<Value> {
        let mut items = Vec::new();
        for series in &calendar.series {
            let occurrences = series.occurrences(window, &calendar.zone, self.clock.now());
            if let Some(master) = &series.master
                && occurrences
                    .iter()
                    .any(|occurrence| std::ptr::eq(occurrence.event, master))
                && (deleted || !master.cancelled)
            {
                items.push(calendar.series_resource(series, master, id, shown));
            }
            // A cancelled exception is listed in any case: without it the series would show what is gone.
            let exceptions = occurrences
                .iter()
                .filter(|occurrence| occurrence.event.replaces.is_some());
            items.extend(exceptions.map(|occurrence| calendar.occurrence_resource(occurrence, id, shown)));
        }
        items
    }

    /// What changed since a token: nothing, since nothing changes here. A token of somebody else has expired.
    fn since(calendar: &Calendar, query: &[(String, String)]) -> Answered {
        let refused = [
            "iCalUID",
            "orderBy",
            "privateExtendedProperty",
            "q",
            "sharedExtendedProperty",
            "timeMin",
            "timeMax",
            "updatedMin",
        ];
        if refused.iter().any(|name| field(query, name).is_some()) {
            let message = "Sync token cannot be used with this parameter.";
            return Err(Answer::bad_request("badRequest", message));
        }
        if field(query, "syncToken") != Some(&sync_token(calendar)) {
            let message = "Sync token is no longer valid, a full sync is required.";
            return Err(Answer::error(410, "GONE", "fullSyncRequired", message));
        }
        page(calendar, Vec::new(), query)
    }

    fn event(&self, id: &str, event: &str, query: &[(String, String)]) -> Answered {
        let (id, calendar) = self.find_calendar(id)?;
        let shown = shown(calendar, query)?;
        let missing = || Answer::error(404, "NOT_FOUND", "notFound", "Not Found");
        let series_id = event.split('_').next().unwrap_or_default();
        let series = calendar
            .series
            .iter()
            .find(|series| series.id == series_id)
            .ok_or_else(missing)?;
        if event == series.id {
            let master = series.master.as_ref().ok_or_else(missing)?;
            return Ok(calendar.series_resource(series, master, id, &shown));
        }
        series
            .occurrences(Window::default(), &calendar.zone, self.clock.now())
            .iter()
            .map(|occurrence| calendar.occurrence_resource(occurrence, id, &shown))
            .find(|resource| resource["id"] == event)
            .ok_or_else(missing)
    }

    fn free_busy(&self, body: &[u8]) -> Answered {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Question {
            time_min: Option<String>,
            time_max: Option<String>,
            time_zone: Option<String>,
            #[serde(default)]
            items: Vec<Item>,
        }
        #[derive(Deserialize)]
        struct Item {
            id: String,
        }
        let question: Question =
            serde_json::from_slice(body).map_err(|_| Answer::bad_request("parseError", "Parse Error"))?;
        let (Some(from), Some(to)) = (&question.time_min, &question.time_max) else {
            return Err(Answer::bad_request(
                "required",
                "Missing timeMin or timeMax parameter.",
            ));
        };
        let window = window(Some(from), Some(to))?;
        let zone = match question.time_zone.as_deref() {
            None => Zone::UTC,
            Some(name) => zone(name)?,
        };
        let mut calendars = Map::new();
        for Item { id } in &question.items {
            let error =
                |reason: &str| json!({"errors": [{"domain": "global", "reason": reason}], "busy": []});
            let answer = if question.items.len() > CALENDARS_LIMIT {
                error("tooManyCalendarsRequested")
            } else {
                match self.find_calendar(id) {
                    Err(_) => error("notFound"),
                    Ok((owner, calendar)) => json!({"busy": self.busy(calendar, owner, window, &zone)}),
                }
            };
            calendars.insert(id.clone(), answer);
        }
        Ok(json!({
            "kind": "calendar#freeBusy",
            "timeMin": window.from.map(instant),
            "timeMax": window.to.map(instant),
            "calendars": calendars,
        }))
    }

    /// The busy times, merged and cut to the window.
    fn busy(&self, calendar: &Calendar, owner: &str, window: Window, zone: &Zone) -> Vec<Value> {
        let mut times: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
        for occurrence in calendar.occurrences(window, self.clock.now()) {
            if !occurrence.event.opaque || occurrence.event.cancelled || declined(&occurrence, owner) {
                continue;
            }
            let from = window
                .from
                .map_or(occurrence.from, |from| from.max(occurrence.from));
            let to = window.to.map_or(occurrence.to, |to| to.min(occurrence.to));
            match times.last_mut() {
                _ if from >= to => {}
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => times.push((from, to)),
            }
        }
        let text = |time| zone.local(time).to_rfc3339_opts(SecondsFormat::Secs, true);
        times
            .into_iter()
            .map(|(from, to)| json!({"start": text(from), "end": text(to)}))
            .collect()
    }
}

fn declined(occurrence: &Occurrence<'_>, owner: &str) -> bool {
    let attendees = occurrence.event.fields.get("attendees").and_then(Value::as_array);
    attendees.into_iter().flatten().any(|attendee| {
        attendee["responseStatus"] == "declined"
            && attendee["email"]
                .as_str()
                .is_some_and(|email| email.eq_ignore_ascii_case(owner))
    })
}

fn page(calendar: &Calendar, items: Vec<Value>, query: &[(String, String)]) -> Answered {
    let size = match field(query, "maxResults") {
        None => 250,
        Some(text) => match text.parse::<usize>() {
            Ok(size) if size > 0 => size.min(2500),
            _ => return Err(Answer::bad_request("invalidParameter", "Invalid maxResults")),
        },
    };
    let mut question = query.to_vec();
    question.retain(|(name, _)| {
        !["pageToken", "maxResults", "fields", "prettyPrint", "alt"].contains(&name.as_str())
    });
    let of = fnv(format!("{question:?}").as_bytes());
    let start = page_start(field(query, "pageToken"), of)?;
    let mut body = json!({
        "kind": "calendar#events",
        "etag": format!("\"{of}\""),
        "summary": calendar.name,
        "updated": "2026-01-01T00:00:00.000Z",
        "timeZone": calendar.time_zone.name(),
        "accessRole": "owner",
        "defaultReminders": [],
    });
    if start + size < items.len() {
        body["nextPageToken"] = page_token(start + size, of).into();
    } else if field(query, "orderBy").is_none() {
        body["nextSyncToken"] = sync_token(calendar).into();
    }
    body["items"] = items.into_iter().skip(start).take(size).collect();
    Ok(body)
}

fn sync_token(calendar: &Calendar) -> String {
    page_token(calendar.len(), fnv(calendar.name.as_bytes()))
}

fn flag(query: &[(String, String)], name: &str) -> bool {
    field(query, name) == Some("true")
}

fn window(from: Option<&str>, to: Option<&str>) -> Result<Window, Answer> {
    let window = Window {
        from: time(from, "timeMin")?,
        to: time(to, "timeMax")?,
    };
    match (window.from, window.to) {
        (Some(from), Some(to)) if from >= to => Err(Answer::bad_request(
            "timeRangeEmpty",
            "The specified time range is empty.",
        )),
        _ => Ok(window),
    }
}

/// A time with its offset, which is mandatory.
fn time(text: Option<&str>, name: &str) -> Result<Option<DateTime<Utc>>, Answer> {
    let Some(text) = text else { return Ok(None) };
    DateTime::parse_from_rfc3339(text)
        .map(|time| Some(time.to_utc()))
        .map_err(|_| Answer::bad_request("badRequest", &format!("Bad Request: {name}")))
}

fn shown(calendar: &Calendar, query: &[(String, String)]) -> Result<Zone, Answer> {
    match field(query, "timeZone") {
        None => Ok(calendar.zone.clone()),
        Some(name) => zone(name),
    }
}

fn zone(name: &str) -> Result<Zone, Answer> {
    name.parse()
        .map(Zone::Iana)
        .map_err(|_| Answer::bad_request("invalid", "Invalid time zone definition."))
}

fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
