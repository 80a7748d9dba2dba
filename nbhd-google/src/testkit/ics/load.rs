//! Reads an `.ics` file. A broken event is skipped and reported; a file that is no calendar is refused.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the named file in which the stand-in reads calendars from disk"
)]

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use calcard::icalendar::{ICalendar, ICalendarComponentType, ICalendarProperty, ICalendarValue};
use calcard::{Entry, Parser};
use chrono::{Duration, NaiveDate};
use nbhd_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::{self, Event, When, Zones};
use super::expand::rule_starts;
use super::zone::{self, Zone};
use crate::testkit::mailbox::fnv;

/// The largest calendar file: 64 MiB, ten times what a decade of a full calendar takes.
pub const CALENDAR_LIMIT: u64 = 64 * 1024 * 1024;
/// The most events of one calendar: thirty a day for ten years.
pub const EVENTS_LIMIT: usize = 100_000;

/// A calendar, read: what the stand-in serves.
#[derive(Debug, Clone, PartialEq)]
pub struct Calendar {
    pub(crate) name: String,
    pub(crate) time_zone: chrono_tz::Tz,
    pub(crate) zone: Zone,
    pub(crate) series: Vec<Series>,
    report: CalendarReport,
}

/// What was found, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CalendarReport {
    /// The path that was given.
    pub path: String,
    /// How many events were found: read and skipped ones.
    pub found: usize,
    /// How many were read; a series counts once, each of its exceptions too.
    pub parsed: usize,
    /// Events that are broken, each with its reason.
    pub skipped: Vec<SkippedEvent>,
}

/// An event that was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SkippedEvent {
    /// Which event of the file, from 1.
    pub number: usize,
    /// Why, in one sentence.
    pub reason: String,
}

/// An event with its exceptions, or exceptions of a series that is not here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    pub(crate) id: String,
    pub(crate) master: Option<Event>,
    pub(crate) exceptions: Vec<Event>,
}

impl Series {
    pub(crate) fn recurs(&self) -> bool {
        let rules = |event: &Event| !event.rules.is_empty() || !event.more.is_empty();
        !self.exceptions.is_empty() || self.master.as_ref().is_some_and(rules)
    }
}

impl Calendar {
    /// Reads an `.ics` file; what it is called does not matter.
    ///
    /// Errors, all `invalid_input`: it cannot be read; it is no calendar; it has broken events and no sound one;
    /// it is beyond a limit. A calendar without events is valid, also one whose events have no date (an export of
    /// tasks and notes): these are skipped and reported.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let shown = path.display();
        let kind = fs::metadata(path)
            .map_err(|error| refuse(format!("cannot read the calendar {shown}: {}", error.kind())))?;
        if kind.is_dir() {
            return Err(refuse(format!(
                "cannot read the calendar {shown}: it is a folder, give an .ics file"
            )));
        }
        if kind.len() > CALENDAR_LIMIT {
            return Err(refuse(format!(
                "the calendar {shown} is too large: {} bytes, the limit is {CALENDAR_LIMIT}",
                kind.len()
            )));
        }
        let content = fs::read(path)
            .map_err(|error| refuse(format!("cannot read the calendar {shown}: {}", error.kind())))?;
        Self::read(&String::from_utf8_lossy(&content), &shown.to_string())
    }

    /// Reads iCalendar text.
    pub fn from_text(text: &str) -> Result<Self> {
        Self::read(text, "text")
    }

    /// A calendar without events.
    pub fn empty() -> Self {
        Self {
            name: "Calendar".to_owned(),
            time_zone: chrono_tz::Tz::UTC,
            zone: Zone::UTC,
            series: Vec::new(),
            report: CalendarReport::default(),
        }
    }

    /// Sets the calendar's name and the zone that its days and floating times mean. Default: what the file says
    /// (`X-WR-CALNAME`, `X-WR-TIMEZONE`), else `Calendar` in the zone of its first event, else UTC.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Moves every event by the same number of days, so that the first one falls on `day`: for samples. Times of day
    /// stay, also across a change of offset.
    pub fn with_time_shift(mut self, day: NaiveDate) -> Self {
        let events = |series: &Series| {
            series
                .master
                .iter()
                .chain(&series.exceptions)
                .cloned()
                .collect::<Vec<_>>()
        };
        let first = self
            .series
            .iter()
            .flat_map(events)
            .map(|event| event.start.local().date())
            .min();
        let Some(days) = first.map(|first| day - first) else {
            return self;
        };
        for series in &mut self.series {
            for event in series.master.iter_mut().chain(&mut series.exceptions) {
                shift(event, days);
            }
        }
        self
    }

    /// What was found, read and skipped.
    pub fn report(&self) -> &CalendarReport {
        &self.report
    }

    /// How many events there are; a series counts once, each of its exceptions too.
    pub fn len(&self) -> usize {
        self.report.parsed
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    fn read(text: &str, path: &str) -> Result<Self> {
        let parts =
            parse(text).map_err(|reason| refuse(format!("the calendar {path} is broken: {reason}")))?;
        let mut calendar = Self {
            report: CalendarReport {
                path: path.to_owned(),
                ..CalendarReport::default()
            },
            ..Self::empty()
        };
        let mut found: Vec<Event> = Vec::new();
        let mut zone_of_events = None;
        // Zones are looked up in the whole file: some programs write them in a calendar of their own.
        let defined: Vec<(String, Zone)> = parts.iter().flat_map(zone::defined).collect();
        let named = parts.iter().find_map(|part| property(part, "X-WR-TIMEZONE"));
        let named = named.as_deref().and_then(|name| match Zone::by_name(name) {
            Some(Zone::Iana(zone)) => Some(zone),
            _ => None,
        });
        let floating = Zone::Iana(named.unwrap_or(chrono_tz::Tz::UTC));
        for part in &parts {
            if let Some(name) = property(part, "X-WR-CALNAME").or_else(|| named_by_rfc7986(part)) {
                calendar.name = name;
            }
            let zones = Zones {
                defined: &defined,
                floating: &floating,
            };
            for component in &part.components {
                if component.component_type != ICalendarComponentType::VEvent {
                    continue;
                }
                calendar.report.found += 1;
                let number = calendar.report.found;
                if number > EVENTS_LIMIT {
                    return Err(refuse(format!(
                        "the calendar {path} holds more than {EVENTS_LIMIT} events"
                    )));
                }
                match event::read(component, &zones, number).and_then(with_sound_rules) {
                    Ok(event) => {
                        if let When::Time(_, Zone::Iana(zone)) = &event.start {
                            zone_of_events = zone_of_events.or(Some(*zone));
                        }
                        found.push(event);
                    }
                    Err(reason) => calendar.report.skipped.push(SkippedEvent { number, reason }),
                }
            }
        }
        let mut broken = calendar
            .report
            .skipped
            .iter()
            .filter(|skipped| skipped.reason != event::UNDATED);
        if let (true, Some(first)) = (found.is_empty(), broken.next()) {
            return Err(refuse(format!(
                "the calendar {path} is broken: none of its {} events can be read; of event {} {}",
                calendar.report.found, first.number, first.reason
            )));
        }
        calendar.report.parsed = found.len();
        calendar.time_zone = named.or(zone_of_events).unwrap_or(chrono_tz::Tz::UTC);
        calendar.zone = Zone::Iana(calendar.time_zone);
        calendar.series = series(found);
        Ok(calendar)
    }
}

fn parse(text: &str) -> std::result::Result<Vec<ICalendar>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let mut parser = Parser::new(text);
    let mut parts = Vec::new();
    loop {
        match parser.entry() {
            Entry::ICalendar(part) => parts.push(part),
            Entry::Eof => break,
            // Text between calendars is nobody's.
            Entry::InvalidLine(_) | Entry::VCard(_) => {}
            Entry::UnexpectedComponentEnd { expected, found } => {
                return Err(format!(
                    "END:{} stands where END:{} belongs",
                    found.as_str(),
                    expected.as_str()
                ));
            }
            Entry::UnterminatedComponent(name) => return Err(format!("a BEGIN:{name} has no END")),
            Entry::TooManyComponents => return Err("it has too many components".to_owned()),
            _ => return Err("it cannot be read".to_owned()),
        }
    }
    if parts.is_empty() {
        return Err("it holds no BEGIN:VCALENDAR".to_owned());
    }
    // The parser forgives an early end of file; half a calendar taken for a whole one would hide events.
    let marks = |mark: &str| {
        let lines = text.lines().filter(|line| {
            line.get(..mark.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(mark))
        });
        lines.count()
    };
    if marks("BEGIN:") > marks("END:") {
        return Err("it ends too early: a BEGIN has no END".to_owned());
    }
    Ok(parts)
}

/// A rule that cannot be counted is found when the file is read, not when somebody asks for the day.
fn with_sound_rules(event: Event) -> std::result::Result<Event, String> {
    for rule in &event.rules {
        drop(rule_starts(rule, event.start.local())?);
    }
    Ok(event)
}

fn series(events: Vec<Event>) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    let mut by_uid: HashMap<String, usize> = HashMap::new();
    for event in events {
        let at = by_uid.get(&event.uid).copied();
        match at {
            Some(at) if event.replaces.is_some() => all[at].exceptions.push(event),
            // A master after its exceptions.
            Some(at) if all[at].master.is_none() => all[at].master = Some(event),
            _ => {
                // Two events of one id, as broken exports have them, stay two.
                let seed = match at {
                    Some(_) => format!("{}#{}", event.uid, all.len()),
                    None => event.uid.clone(),
                };
                by_uid.entry(event.uid.clone()).or_insert(all.len());
                let (master, exceptions) = match event.replaces {
                    Some(_) => (None, vec![event]),
                    None => (Some(event), Vec::new()),
                };
                all.push(Series {
                    id: event_id(&seed),
                    master,
                    exceptions,
                });
            }
        }
    }
    all
}

/// An event id as Calendar v3 makes them: 26 characters of base32hex in lower case (`a-v0-9`, 5 to 1024 allowed).
fn event_id(seed: &str) -> String {
    let (left, right) = (fnv(seed.as_bytes()), fnv(format!("{seed}/").as_bytes()));
    let mut number = (u128::from(left) << 64) | u128::from(right);
    (0..26)
        .map(|_| {
            let digit = (number & 31) as u32;
            number >>= 5;
            char::from_digit(digit, 32).unwrap_or('0')
        })
        .collect()
}

fn shift(event: &mut Event, days: Duration) {
    let moved = |when: &When| when.at(when.local().checked_add_signed(days).unwrap_or(when.local()));
    event.start = moved(&event.start);
    event.end = moved(&event.end);
    event.replaces = event.replaces.as_ref().map(moved);
    event.without = event.without.iter().map(moved).collect();
    event.more = event
        .more
        .iter()
        .map(|(start, end)| (moved(start), end.as_ref().map(moved)))
        .collect();
    for rule in &mut event.rules {
        if let Some(until) = &mut rule.until
            && let Some((local, _)) = event::local(until)
            && let Some(local) = local.checked_add_signed(days)
        {
            use chrono::Datelike;
            until.year = Some(local.year() as u16);
            until.month = Some(local.month() as u8);
            until.day = Some(local.day() as u8);
        }
    }
}

/// A property of the calendar itself that the standard does not know.
fn property(part: &ICalendar, name: &str) -> Option<String> {
    let root = part.components.first()?;
    let entry = root.entries.iter().find(
        |entry| matches!(&entry.name, ICalendarProperty::Other(other) if other.eq_ignore_ascii_case(name)),
    )?;
    entry.values.first()?.as_text().map(str::to_owned)
}

fn named_by_rfc7986(part: &ICalendar) -> Option<String> {
    let root = part.components.first()?;
    if root.component_type != ICalendarComponentType::VCalendar {
        return None;
    }
    let entry = root.property(&ICalendarProperty::Name)?;
    entry
        .values
        .first()
        .and_then(ICalendarValue::as_text)
        .map(str::to_owned)
}

fn refuse(message: String) -> Error {
    Error::new(Code::InvalidInput, message)
}
