//! Calendar's own words. Nearly everything may be missing: private events have no title, cancelled ones no time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Events {
    pub(super) items: Vec<Event>,
    pub(super) next_page_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) status: Option<String>,
    pub(super) summary: Option<String>,
    pub(super) description: Option<String>,
    pub(super) location: Option<String>,
    pub(super) start: Option<EventDateTime>,
    pub(super) end: Option<EventDateTime>,
    pub(super) recurring_event_id: Option<String>,
    pub(super) original_start_time: Option<EventDateTime>,
    pub(super) transparency: Option<String>,
    pub(super) attendees: Vec<Person>,
    pub(super) attendees_omitted: bool,
    pub(super) organizer: Option<Person>,
    #[serde(rename = "eventType")]
    pub(super) kind: Option<String>,
    #[serde(rename = "iCalUID")]
    pub(super) ical_uid: Option<String>,
    pub(super) html_link: Option<String>,
    pub(super) hangout_link: Option<String>,
    pub(super) updated: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct EventDateTime {
    pub(super) date: Option<String>,
    pub(super) date_time: Option<String>,
    pub(super) time_zone: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Person {
    pub(super) email: Option<String>,
    pub(super) display_name: Option<String>,
    #[serde(rename = "self")]
    pub(super) is_self: bool,
    pub(super) response_status: Option<String>,
    pub(super) optional: bool,
    pub(super) resource: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FreeBusyRequest<'a> {
    pub(super) time_min: String,
    pub(super) time_max: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time_zone: Option<&'a str>,
    pub(super) items: Vec<FreeBusyItem<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct FreeBusyItem<'a> {
    pub(super) id: &'a str,
}

#[derive(Debug, Deserialize)]
pub(super) struct FreeBusyResponse {
    pub(super) calendars: BTreeMap<String, FreeBusyCalendar>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FreeBusyCalendar {
    pub(super) busy: Vec<TimePeriod>,
    pub(super) errors: Vec<CalendarError>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TimePeriod {
    pub(super) start: String,
    pub(super) end: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CalendarError {
    pub(super) reason: String,
}
