//! Time zones of calendar files: an IANA name, a Windows name, an offset, or what a `VTIMEZONE` defines.

use std::str::FromStr;
use std::sync::Arc;

use calcard::common::timezone::Tz as Named;
use calcard::icalendar::{
    ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarProperty, ICalendarValue,
};
use chrono::{DateTime, Duration, FixedOffset, LocalResult, NaiveDateTime, Offset as _, TimeZone, Utc};

use super::event::local;
use super::expand::rule_starts;

/// How many changes of offset of a zone of its own are computed: two a year for two and a half centuries.
const CHANGES_LIMIT: usize = 500;

/// A zone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Zone {
    Iana(chrono_tz::Tz),
    Fixed(FixedOffset),
    /// From this local time on, this offset; in order.
    Defined(Arc<Vec<(NaiveDateTime, FixedOffset)>>),
}

impl Zone {
    pub(crate) const UTC: Zone = Zone::Iana(chrono_tz::Tz::UTC);

    /// The zone of a name: IANA, Windows, `GMT+0200` and the like.
    pub(super) fn by_name(name: &str) -> Option<Zone> {
        match Named::from_str(name).ok()? {
            Named::Tz(zone) => Some(Zone::Iana(zone)),
            Named::Fixed(offset) => Some(Zone::Fixed(offset)),
            Named::Floating => None,
        }
    }

    /// The instant of a local time. A time that does not exist counts with the offset before the gap, one that exists
    /// twice is the first (RFC 5545, section 3.3.5).
    pub(crate) fn instant(&self, local: NaiveDateTime) -> DateTime<Utc> {
        let offset = match self {
            Zone::Fixed(offset) => *offset,
            Zone::Iana(zone) => return iana_instant(*zone, local),
            Zone::Defined(changes) => changes
                .iter()
                .take_while(|(onset, _)| *onset <= local)
                .last()
                .or(changes.first())
                .map_or(Utc.fix(), |(_, offset)| *offset),
        };
        DateTime::from_naive_utc_and_offset(
            local
                .checked_sub_offset(offset)
                .unwrap_or(DateTime::UNIX_EPOCH.naive_utc()),
            Utc,
        )
    }

    /// The local time of an instant.
    pub(crate) fn local(&self, instant: DateTime<Utc>) -> DateTime<FixedOffset> {
        match self {
            Zone::Fixed(offset) => instant.with_timezone(offset),
            Zone::Iana(zone) => instant.with_timezone(zone).fixed_offset(),
            Zone::Defined(changes) => {
                let offset = changes
                    .iter()
                    .take_while(|(onset, offset)| {
                        onset
                            .checked_sub_offset(*offset)
                            .is_some_and(|onset| onset <= instant.naive_utc())
                    })
                    .last()
                    .or(changes.first())
                    .map_or(Utc.fix(), |(_, offset)| *offset);
                instant.with_timezone(&offset)
            }
        }
    }

    /// Its IANA name, if it has one.
    pub(crate) fn name(&self) -> Option<&'static str> {
        match self {
            Zone::Iana(zone) => Some(zone.name()),
            _ => None,
        }
    }
}

fn iana_instant(zone: chrono_tz::Tz, local: NaiveDateTime) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time.to_utc(),
        LocalResult::None => {
            // The longest gap ever was a day, when Samoa crossed the date line.
            let before = (1..=25).find_map(|hours| {
                zone.from_local_datetime(&(local - Duration::hours(hours)))
                    .latest()
            });
            before.map_or_else(
                || local.and_utc(),
                |before| {
                    let offset = before.fixed_offset().offset().to_owned();
                    DateTime::from_naive_utc_and_offset(
                        local.checked_sub_offset(offset).unwrap_or(local),
                        Utc,
                    )
                },
            )
        }
    }
}

/// The zones that a file defines, by their `TZID`. A known name stands above the definition, as calendar programs do.
pub(super) fn defined(calendar: &ICalendar) -> Vec<(String, Zone)> {
    let mut zones = Vec::new();
    for component in calendar.timezones() {
        let id = component
            .property(&ICalendarProperty::Tzid)
            .and_then(|entry| entry.values.first())
            .and_then(ICalendarValue::as_text);
        let named = component.timezone().and_then(|(_, zone)| match zone {
            Named::Tz(zone) => Some(Zone::Iana(zone)),
            Named::Fixed(offset) => Some(Zone::Fixed(offset)),
            Named::Floating => None,
        });
        if let (Some(id), Some(zone)) = (id, named.or_else(|| observances(calendar, component))) {
            zones.push((id.to_owned(), zone));
        }
    }
    zones
}

fn observances(calendar: &ICalendar, zone: &ICalendarComponent) -> Option<Zone> {
    let mut changes = Vec::new();
    for id in &zone.component_ids {
        let Some(part) = calendar.component_by_id(*id) else {
            continue;
        };
        if !matches!(
            part.component_type,
            ICalendarComponentType::Standard | ICalendarComponentType::Daylight
        ) {
            continue;
        }
        let value = |name: &ICalendarProperty| part.property(name).and_then(|entry| entry.values.first());
        let Some(ICalendarValue::PartialDateTime(offset)) = value(&ICalendarProperty::Tzoffsetto) else {
            continue;
        };
        let seconds = i32::from(offset.tz_hour?) * 3600 + i32::from(offset.tz_minute.unwrap_or(0)) * 60;
        let offset = FixedOffset::east_opt(if offset.tz_minus { -seconds } else { seconds })?;
        let Some(ICalendarValue::PartialDateTime(start)) = value(&ICalendarProperty::Dtstart) else {
            continue;
        };
        let Some((start, _)) = local(start) else { continue };
        changes.push((start, offset));
        if let Some(ICalendarValue::RecurrenceRule(rule)) = value(&ICalendarProperty::Rrule) {
            let starts = rule_starts(rule, start).ok()?;
            changes.extend(starts.take(CHANGES_LIMIT).map(|start| (start, offset)));
        }
        for entry in part.properties(&ICalendarProperty::Rdate) {
            for value in &entry.values {
                if let ICalendarValue::PartialDateTime(date) = value {
                    changes.extend(local(date).map(|(start, _)| (start, offset)));
                }
            }
        }
    }
    changes.sort_by_key(|(onset, _)| *onset);
    changes.dedup();
    (!changes.is_empty()).then(|| Zone::Defined(Arc::new(changes)))
}
