//! An event, in our words. What others wrote is marked untrusted.

use chrono::{DateTime, FixedOffset, NaiveDate};
use nbhd_core::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mime::Trust;

/// One occurrence of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CalendarEvent")]
#[non_exhaustive]
pub struct Event {
    /// Its id.
    pub id: String,
    /// The id of the series that it is an occurrence of.
    pub series_id: Option<String>,
    /// Where it stood in its series before it was moved.
    pub original_start: Option<EventTime>,
    /// Whose words title, description, place and names are.
    pub trust: Trust,
    /// Its title; absent where only the time may be seen.
    pub title: Option<String>,
    /// Its description; may be HTML.
    pub description: Option<String>,
    /// Its place.
    pub location: Option<String>,
    /// Its beginning; absent on a cancelled event of which Google tells the id alone.
    pub start: Option<EventTime>,
    /// Its end, which is not part of it: an all-day event of one day ends on the next.
    pub end: Option<EventTime>,
    /// Whether it takes place.
    pub status: EventStatus,
    /// Whether its time counts as busy.
    pub busy: bool,
    /// What the account's user answered, in Google's word: `accepted`, `declined`, `tentative` or `needsAction`.
    pub response: Option<String>,
    /// Who organises it.
    pub organizer: Option<Person>,
    /// Who was asked to come.
    pub attendees: Vec<Attendee>,
    /// Whether attendees were left out of the answer.
    pub attendees_omitted: bool,
    /// What kind it is, in Google's word: `default`, `outOfOffice`, `focusTime`, `workingLocation`, `birthday`, `fromGmail`.
    pub kind: String,
    /// Its page in Google Calendar.
    pub link: Option<String>,
    /// The link of its video meeting.
    pub meeting_link: Option<String>,
    /// The id that all occurrences and all copies share.
    pub ical_uid: Option<String>,
    /// When it was changed last.
    pub updated: Option<Timestamp>,
}

/// When an event begins or ends: a day, or a time. They are not comparable without a time zone, so they are different types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventTime {
    /// A whole day, wherever one is.
    AllDay {
        /// The day.
        date: NaiveDate,
    },
    /// A time.
    Timed {
        /// The instant, with the offset that holds there.
        at: DateTime<FixedOffset>,
        /// The name of the time zone, where the event says it.
        zone: Option<String>,
    },
}

/// Whether an event takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventStatus {
    /// It does.
    Confirmed,
    /// Perhaps.
    Tentative,
    /// It does not.
    Cancelled,
}

/// Somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Person {
    /// The name, where it is known.
    pub name: Option<String>,
    /// The address, where it is known.
    pub email: Option<String>,
    /// Whether it is the account's user.
    pub is_self: bool,
}

/// Somebody who was asked to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Attendee {
    /// The name, where it is known.
    pub name: Option<String>,
    /// The address, where it is known.
    pub email: Option<String>,
    /// Whether it is the account's user.
    pub is_self: bool,
    /// The answer, in Google's word: `accepted`, `declined`, `tentative` or `needsAction`.
    pub response: Option<String>,
    /// Whether the event takes place without.
    pub optional: bool,
    /// Whether it is a room or a thing.
    pub resource: bool,
}
