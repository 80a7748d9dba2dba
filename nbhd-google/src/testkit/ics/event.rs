//! One `VEVENT` in our words: its times as they are meant, everything else as Calendar v3 fields.

use calcard::common::PartialDateTime;
use calcard::icalendar::{
    ICalendarComponent, ICalendarEntry, ICalendarParameterName, ICalendarPeriod, ICalendarProperty,
    ICalendarRecurrenceRule, ICalendarValue,
};
use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, Utc};
use serde_json::{Map, Value, json};

use super::zone::Zone;

/// Why an event without a date is left out: it stands on no day of the calendar, which is no defect of the file.
pub(super) const UNDATED: &str = "it has no DTSTART, so it stands on no day";

/// A start or an end: a day without a zone, or a time in one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum When {
    Day(NaiveDate),
    Time(NaiveDateTime, Zone),
}

impl When {
    /// The instant; a day begins at the first instant of it in `zone`.
    pub(crate) fn instant(&self, zone: &Zone) -> DateTime<Utc> {
        match self {
            When::Day(day) => zone.instant(day.and_hms_opt(0, 0, 0).unwrap_or_default()),
            When::Time(local, own) => own.instant(*local),
        }
    }

    pub(crate) fn local(&self) -> NaiveDateTime {
        match self {
            When::Day(day) => day.and_hms_opt(0, 0, 0).unwrap_or_default(),
            When::Time(local, _) => *local,
        }
    }

    /// The same kind of time at another local time.
    pub(crate) fn at(&self, local: NaiveDateTime) -> When {
        match self {
            When::Day(_) => When::Day(local.date()),
            When::Time(_, zone) => When::Time(local, zone.clone()),
        }
    }
}

/// How long an event lasts: days and weeks keep the time of day across a change of offset, hours do not.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Length {
    Local(Duration),
    Exact(Duration),
}

/// An event of the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) uid: String,
    pub(crate) start: When,
    pub(crate) length: Length,
    pub(crate) end: When,
    pub(crate) rules: Vec<ICalendarRecurrenceRule>,
    pub(crate) more: Vec<(When, Option<When>)>,
    pub(crate) without: Vec<When>,
    /// Which occurrence of its series it replaces.
    pub(crate) replaces: Option<When>,
    pub(crate) cancelled: bool,
    pub(crate) opaque: bool,
    /// Calendar v3 fields, without times and ids.
    pub(crate) fields: Map<String, Value>,
}

/// How names of zones are understood.
pub(super) struct Zones<'a> {
    pub(super) defined: &'a [(String, Zone)],
    /// What a time without a zone means.
    pub(super) floating: &'a Zone,
}

impl Zones<'_> {
    fn of(&self, entry: &ICalendarEntry) -> &Zone {
        let Some(name) = entry.tz_id() else {
            return self.floating;
        };
        self.defined
            .iter()
            .find(|(id, _)| id == name)
            .map_or(self.floating, |(_, zone)| zone)
    }

    /// A value in its zone. A zone that nobody defines, and no name, is the calendar's own.
    fn when(&self, entry: &ICalendarEntry, value: &PartialDateTime) -> Option<When> {
        let (time, offset) = local(value)?;
        if !value.has_time() {
            return Some(When::Day(time.date()));
        }
        let zone = match offset {
            Some(0) => Zone::UTC,
            Some(seconds) => Zone::Fixed(chrono::FixedOffset::east_opt(seconds)?),
            None => match self.of(entry) {
                zone if entry.tz_id().is_none() => zone.clone(),
                zone if self
                    .defined
                    .iter()
                    .any(|(id, _)| Some(id.as_str()) == entry.tz_id()) =>
                {
                    zone.clone()
                }
                zone => entry
                    .tz_id()
                    .and_then(Zone::by_name)
                    .unwrap_or_else(|| zone.clone()),
            },
        };
        Some(When::Time(time, zone))
    }
}

/// The local time of a value, and its offset in seconds when it has one. `None` when no calendar has that day, or a
/// year that the wire format cannot write.
pub(super) fn local(value: &PartialDateTime) -> Option<(NaiveDateTime, Option<i32>)> {
    let result = value.to_date_time()?;
    if !(1..=9999).contains(&result.date_time.year()) {
        return None;
    }
    Some((
        result.date_time,
        result.offset.map(|offset| offset.local_minus_utc()),
    ))
}

/// Reads an event, or says in a few words what is wrong with it.
pub(super) fn read(
    component: &ICalendarComponent,
    zones: &Zones<'_>,
    number: usize,
) -> Result<Event, String> {
    let first = |name: ICalendarProperty| {
        let entry = component.property(&name)?;
        let when = match entry.values.first() {
            Some(ICalendarValue::PartialDateTime(value)) => zones.when(entry, value),
            _ => None,
        };
        Some(when)
    };
    let replaces = match first(ICalendarProperty::RecurrenceId) {
        Some(None) => return Err("the RECURRENCE-ID is no date".to_owned()),
        other => other.flatten(),
    };
    let start = match (first(ICalendarProperty::Dtstart), &replaces) {
        (Some(Some(start)), _) => start,
        (Some(None), _) => return Err("the DTSTART is no date".to_owned()),
        (None, Some(replaces)) => replaces.clone(),
        (None, None) => return Err(UNDATED.to_owned()),
    };
    let (end, length) = end(
        component,
        &start,
        first(ICalendarProperty::Dtend).map(|end| end.ok_or("the DTEND is no date")),
    )?;
    let mut rules = Vec::new();
    for entry in component.properties(&ICalendarProperty::Rrule) {
        match entry.values.first() {
            Some(ICalendarValue::RecurrenceRule(rule)) => rules.push(rule.as_ref().clone()),
            _ => return Err("the RRULE cannot be read".to_owned()),
        }
    }
    let mut more = Vec::new();
    for entry in component.properties(&ICalendarProperty::Rdate) {
        for value in &entry.values {
            more.extend(match value {
                ICalendarValue::PartialDateTime(value) => zones.when(entry, value).map(|start| (start, None)),
                ICalendarValue::Period(period) => self::period(zones, entry, period),
                _ => None,
            });
        }
    }
    let mut without = Vec::new();
    for entry in component.properties(&ICalendarProperty::Exdate) {
        for value in &entry.values {
            if let ICalendarValue::PartialDateTime(value) = value {
                without.extend(zones.when(entry, value));
            }
        }
    }
    let text = |name: ICalendarProperty| text(component, &name);
    let status = text(ICalendarProperty::Status)
        .unwrap_or_default()
        .to_ascii_uppercase();
    let opaque =
        !text(ICalendarProperty::Transp).is_some_and(|word| word.eq_ignore_ascii_case("TRANSPARENT"));
    let cancelled = status == "CANCELLED";
    Ok(Event {
        uid: component
            .uid()
            .map_or_else(|| format!("event-{number}@nbhd.invalid"), str::to_owned),
        fields: fields(component, &status, opaque),
        start,
        length,
        end,
        rules,
        more,
        without,
        replaces,
        cancelled,
        opaque,
    })
}

/// The end: `DTEND`, else `DURATION`, else the day for a day and no time at all for a time (RFC 5545, section 3.6.1).
fn end(
    component: &ICalendarComponent,
    start: &When,
    given: Option<Result<When, &'static str>>,
) -> Result<(When, Length), String> {
    if let Some(end) = given {
        let end = end?;
        let mixed = matches!(start, When::Day(_)) != matches!(end, When::Day(_));
        if mixed {
            return Err("one of DTSTART and DTEND is a day, the other a time".to_owned());
        }
        let length = match (start, &end) {
            (When::Time(_, from), When::Time(_, to)) if from != to => {
                Length::Exact(end.instant(to) - start.instant(from))
            }
            _ => Length::Local(end.local() - start.local()),
        };
        // An end that is not after the start: nothing, or the one day.
        let backwards = match &length {
            Length::Local(length) | Length::Exact(length) => *length < Duration::zero(),
        };
        let no_day = matches!(start, When::Day(_)) && end == *start;
        if !(backwards || no_day) {
            return Ok((end, length));
        }
    } else if let Some(entry) = component.property(&ICalendarProperty::Duration) {
        let Some(ICalendarValue::Duration(duration)) = entry.values.first() else {
            return Err("the DURATION cannot be read".to_owned());
        };
        let days = i64::from(duration.weeks) * 7 + i64::from(duration.days);
        let seconds =
            i64::from(duration.hours) * 3600 + i64::from(duration.minutes) * 60 + i64::from(duration.seconds);
        if duration.neg {
            return Err("the DURATION is negative".to_owned());
        }
        let days = Duration::try_days(days).ok_or("the DURATION is too long")?;
        let whole = days + Duration::seconds(seconds);
        let end = start
            .local()
            .checked_add_signed(whole)
            .ok_or("the DURATION is too long")?;
        let length = if seconds == 0 {
            Length::Local(days)
        } else {
            Length::Exact(whole)
        };
        return Ok((start.at(end), length));
    }
    let length = match start {
        When::Day(_) => Duration::days(1),
        When::Time(..) => Duration::zero(),
    };
    let end = start
        .local()
        .checked_add_signed(length)
        .ok_or("the end is no date")?;
    Ok((start.at(end), Length::Local(length)))
}

fn period(
    zones: &Zones<'_>,
    entry: &ICalendarEntry,
    period: &ICalendarPeriod,
) -> Option<(When, Option<When>)> {
    match period {
        ICalendarPeriod::Range { start, end } => Some((zones.when(entry, start)?, zones.when(entry, end))),
        ICalendarPeriod::Duration { start, duration } => {
            let start = zones.when(entry, start)?;
            let end = start.local().checked_add_signed(duration.to_time_delta()?)?;
            let end = start.at(end);
            Some((start, Some(end)))
        }
    }
}

fn text(component: &ICalendarComponent, name: &ICalendarProperty) -> Option<String> {
    let entry = component.property(name)?;
    let words: Vec<&str> = entry.values.iter().filter_map(ICalendarValue::as_text).collect();
    let text = words.join(",");
    (!text.trim().is_empty()).then_some(text)
}

fn fields(component: &ICalendarComponent, status: &str, opaque: bool) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    let text = |name: ICalendarProperty| text(component, &name).map(Value::from);
    put(
        "status",
        Some(
            match status {
                "TENTATIVE" => "tentative",
                "CANCELLED" => "cancelled",
                _ => "confirmed",
            }
            .into(),
        ),
    );
    put("summary", text(ICalendarProperty::Summary));
    put("description", text(ICalendarProperty::Description));
    put("location", text(ICalendarProperty::Location));
    put("transparency", (!opaque).then(|| "transparent".into()));
    let class = text(ICalendarProperty::Class);
    put(
        "visibility",
        class.and_then(|class| match class.as_str()?.to_ascii_uppercase().as_str() {
            "PRIVATE" => Some("private".into()),
            "CONFIDENTIAL" => Some("confidential".into()),
            _ => None,
        }),
    );
    let stamp = |name: ICalendarProperty| {
        let entry = component.property(&name)?;
        match entry.values.first() {
            Some(ICalendarValue::PartialDateTime(value)) => {
                let (local, offset) = local(value)?;
                let utc = local.checked_sub_signed(Duration::seconds(i64::from(offset.unwrap_or(0))))?;
                Some(Value::from(
                    utc.and_utc().format("%Y-%m-%dT%H:%M:%S.000Z").to_string(),
                ))
            }
            _ => None,
        }
    };
    let dtstamp = stamp(ICalendarProperty::Dtstamp);
    put(
        "created",
        stamp(ICalendarProperty::Created).or_else(|| dtstamp.clone()),
    );
    put("updated", stamp(ICalendarProperty::LastModified).or(dtstamp));
    let sequence = component.property(&ICalendarProperty::Sequence);
    let sequence = sequence.and_then(|entry| entry.values.first()?.as_integer());
    put("sequence", Some(sequence.unwrap_or(0).into()));
    put(
        "organizer",
        component
            .property(&ICalendarProperty::Organizer)
            .and_then(person)
            .map(Value::Object),
    );
    let attendees: Vec<Value> = component
        .properties(&ICalendarProperty::Attendee)
        .filter_map(attendee)
        .collect();
    put(
        "attendees",
        (!attendees.is_empty()).then_some(Value::Array(attendees)),
    );
    fields
}

fn person(entry: &ICalendarEntry) -> Option<Map<String, Value>> {
    let address = entry.values.first()?.as_text()?;
    let scheme = address
        .get(..7)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    let address = if scheme { &address[7..] } else { address };
    let mut person = Map::new();
    person.insert("email".to_owned(), address.into());
    if let Some(name) = entry
        .parameter(&ICalendarParameterName::Cn)
        .and_then(|name| name.as_text())
    {
        person.insert("displayName".to_owned(), name.into());
    }
    Some(person)
}

fn attendee(entry: &ICalendarEntry) -> Option<Value> {
    let mut attendee = person(entry)?;
    let parameter = |name: ICalendarParameterName| {
        let value = entry.parameter(&name)?.as_text()?;
        Some(value.to_ascii_uppercase())
    };
    let answer = match parameter(ICalendarParameterName::Partstat).as_deref() {
        Some("ACCEPTED") => "accepted",
        Some("DECLINED") => "declined",
        Some("TENTATIVE") => "tentative",
        _ => "needsAction",
    };
    attendee.insert("responseStatus".to_owned(), answer.into());
    if parameter(ICalendarParameterName::Role).as_deref() == Some("OPT-PARTICIPANT") {
        attendee.insert("optional".to_owned(), true.into());
    }
    if matches!(
        parameter(ICalendarParameterName::Cutype).as_deref(),
        Some("RESOURCE" | "ROOM")
    ) {
        attendee.insert("resource".to_owned(), true.into());
    }
    Some(json!(attendee))
}
