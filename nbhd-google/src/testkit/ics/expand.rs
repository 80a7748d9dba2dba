//! Occurrences of events within a window. A rule counts in local time; each occurrence then finds its instant in its
//! zone, so that nine o'clock stays nine o'clock across a change of offset.

use std::collections::BTreeMap;

use calcard::common::PartialDateTime;
use calcard::icalendar::ICalendarRecurrenceRule;
use chrono::{DateTime, Duration, NaiveDateTime, TimeZone, Utc};
use rrule::{RRule, RRuleSet, Tz, Unvalidated};

use super::event::{Event, Length, When, local};
use super::load::{Calendar, Series};
use super::zone::Zone;

/// How far ahead a series without an end is expanded when the caller names no end.
pub const HORIZON_DAYS: i64 = 730;
/// The most occurrences of one series that are walked, from its first: a daily one for more than fifty years. Beyond
/// it a series has no occurrences here.
pub const OCCURRENCES_LIMIT: usize = 20_000;

/// A window as Calendar v3 means it: an event is inside when it ends after `from` and starts before `to`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window {
    pub(crate) from: Option<DateTime<Utc>>,
    pub(crate) to: Option<DateTime<Utc>>,
}

impl Window {
    fn holds(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> bool {
        let after = self
            .from
            .is_none_or(|from| end > from || (start == end && start >= from));
        after && self.to.is_none_or(|to| start < to)
    }
}

/// One event at one time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Occurrence<'a> {
    pub(crate) event: &'a Event,
    pub(crate) series: &'a Series,
    pub(crate) start: When,
    pub(crate) end: When,
    pub(crate) from: DateTime<Utc>,
    pub(crate) to: DateTime<Utc>,
    /// The start that the series gave it, when it is one of a series.
    pub(crate) original: Option<When>,
}

impl Calendar {
    /// Every occurrence in the window, by start.
    pub(crate) fn occurrences(&self, window: Window, now: DateTime<Utc>) -> Vec<Occurrence<'_>> {
        let mut all: Vec<Occurrence<'_>> = self
            .series
            .iter()
            .flat_map(|series| series.occurrences(window, &self.zone, now))
            .collect();
        all.sort_by_key(|occurrence| occurrence.from);
        all
    }
}

impl Series {
    /// Its occurrences in the window, exceptions in the place of what they replace.
    pub(crate) fn occurrences(&self, window: Window, zone: &Zone, now: DateTime<Utc>) -> Vec<Occurrence<'_>> {
        let mut found = Vec::new();
        let mut add = |event, start: When, end: When, original| {
            let (from, to) = (start.instant(zone), end.instant(zone));
            if window.holds(from, to) {
                found.push(Occurrence {
                    event,
                    series: self,
                    start,
                    end,
                    from,
                    to,
                    original,
                });
            }
        };
        let Some(master) = &self.master else {
            for event in &self.exceptions {
                add(
                    event,
                    event.start.clone(),
                    event.end.clone(),
                    event.replaces.clone(),
                );
            }
            return found;
        };
        if !self.recurs() {
            add(master, master.start.clone(), master.end.clone(), None);
            return found;
        }
        let far = window.to.unwrap_or_else(|| {
            let later = window.from.map_or(now, |from| from.max(now));
            later + Duration::days(HORIZON_DAYS)
        });
        let mut starts: BTreeMap<DateTime<Utc>, (When, Option<When>)> = BTreeMap::new();
        starts.insert(master.start.instant(zone), (master.start.clone(), None));
        for rule in &master.rules {
            let Ok(rule_starts) = rule_starts(rule, master.start.local()) else {
                continue;
            };
            for start in rule_starts.take(OCCURRENCES_LIMIT) {
                let start = master.start.at(start);
                let instant = start.instant(zone);
                if instant >= far || beyond(rule.until.as_ref(), &start, instant) {
                    break;
                }
                starts.insert(instant, (start, None));
            }
        }
        for (start, end) in &master.more {
            starts.insert(start.instant(zone), (start.clone(), end.clone()));
        }
        for gone in &master.without {
            starts.remove(&gone.instant(zone));
            // A day among times takes the whole day.
            if let (When::Day(day), When::Time(..)) = (gone, &master.start) {
                starts.retain(|_, (start, _)| start.local().date() != *day);
            }
        }
        for event in &self.exceptions {
            let original = event.replaces.clone().unwrap_or_else(|| event.start.clone());
            starts.remove(&original.instant(zone));
            add(event, event.start.clone(), event.end.clone(), Some(original));
        }
        for (instant, (start, end)) in starts {
            let end = end.unwrap_or_else(|| end_of(master, &start, instant));
            add(master, start.clone(), end, Some(start));
        }
        found
    }
}

/// The end of an occurrence that starts then.
fn end_of(event: &Event, start: &When, instant: DateTime<Utc>) -> When {
    match (&event.length, start, &event.end) {
        (Length::Exact(length), When::Time(_, own), end) => {
            let zone = match end {
                When::Time(_, zone) => zone,
                When::Day(_) => own,
            };
            When::Time(zone.local(instant + *length).naive_local(), zone.clone())
        }
        (Length::Exact(length) | Length::Local(length), start, _) => {
            start.at(start.local().checked_add_signed(*length).unwrap_or(start.local()))
        }
    }
}

/// Whether a start lies beyond `UNTIL`: a day, a local time or an instant.
fn beyond(until: Option<&PartialDateTime>, start: &When, instant: DateTime<Utc>) -> bool {
    let Some(((until, offset), has_time)) = until.and_then(|until| Some((local(until)?, until.has_time())))
    else {
        return false;
    };
    match offset {
        _ if !has_time || matches!(start, When::Day(_)) => start.local().date() > until.date(),
        Some(seconds) => instant.naive_utc() > until - Duration::seconds(i64::from(seconds)),
        None => start.local() > until,
    }
}

/// The local starts that a rule gives, from `start` on, in order, without regard to `UNTIL`. They may never end.
pub(super) fn rule_starts(
    rule: &ICalendarRecurrenceRule,
    start: NaiveDateTime,
) -> Result<impl Iterator<Item = NaiveDateTime>, String> {
    let mut rule = rule.clone();
    rule.until = None;
    // Local time is counted as if it were UTC: a rule knows no offsets.
    let start = Tz::UTC.from_utc_datetime(&start);
    let parsed: RRule<Unvalidated> = rule
        .to_string()
        .parse()
        .map_err(|_| "the RRULE cannot be read".to_owned())?;
    let rule = parsed
        .validate(start)
        .map_err(|_| "the RRULE contradicts itself".to_owned())?;
    let set = RRuleSet::new(start).rrule(rule).limit();
    Ok((&set).into_iter().map(|start| start.naive_utc()))
}
