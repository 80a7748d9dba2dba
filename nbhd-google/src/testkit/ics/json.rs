//! Calendar v3 event resources. <https://developers.google.com/workspace/calendar/api/v3/reference/events>

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};

use super::event::{Event, When};
use super::expand::Occurrence;
use super::load::{Calendar, Series};
use super::zone::Zone;

impl Calendar {
    /// An event or a series as one resource, times shown in `shown`.
    pub(crate) fn series_resource(&self, series: &Series, event: &Event, owner: &str, shown: &Zone) -> Value {
        let mut resource = Self::common(event, owner);
        resource["id"] = series.id.clone().into();
        resource["start"] = self.time(&event.start, shown);
        resource["end"] = self.time(&event.end, shown);
        let lines = recurrence(event);
        if !lines.is_empty() {
            resource["recurrence"] = lines.into();
        }
        finish(resource)
    }

    /// One occurrence as a resource; of a series it is an instance.
    pub(crate) fn occurrence_resource(
        &self,
        occurrence: &Occurrence<'_>,
        owner: &str,
        shown: &Zone,
    ) -> Value {
        let mut resource = Self::common(occurrence.event, owner);
        resource["id"] = match &occurrence.original {
            Some(original) => {
                resource["recurringEventId"] = occurrence.series.id.clone().into();
                resource["originalStartTime"] = self.time(original, shown);
                format!("{}_{}", occurrence.series.id, stamp(original, &self.zone)).into()
            }
            None => occurrence.series.id.clone().into(),
        };
        resource["start"] = self.time(&occurrence.start, shown);
        resource["end"] = self.time(&occurrence.end, shown);
        finish(resource)
    }

    fn common(event: &Event, owner: &str) -> Value {
        let mut fields = event.fields.clone();
        fields.insert("kind".to_owned(), "calendar#event".into());
        fields.insert("iCalUID".to_owned(), event.uid.clone().into());
        fields.insert("eventType".to_owned(), "default".into());
        fields.insert("reminders".to_owned(), json!({"useDefault": true}));
        let me = |person: &mut Value| {
            if person["email"]
                .as_str()
                .is_some_and(|email| email.eq_ignore_ascii_case(owner))
            {
                person["self"] = true.into();
            }
        };
        let organizer = fields
            .entry("organizer")
            .or_insert_with(|| json!({"email": owner, "self": true}));
        me(organizer);
        let organizer = organizer.clone();
        if let Some(Value::Array(attendees)) = fields.get_mut("attendees") {
            for attendee in attendees {
                me(attendee);
                if attendee["email"] == organizer["email"] {
                    attendee["organizer"] = true.into();
                }
            }
        }
        fields.insert("creator".to_owned(), organizer);
        Value::Object(fields)
    }

    fn time(&self, when: &When, shown: &Zone) -> Value {
        match when {
            When::Day(day) => json!({"date": day.format("%Y-%m-%d").to_string()}),
            When::Time(local, zone) => {
                let instant = zone.instant(*local);
                let text = shown.local(instant).to_rfc3339_opts(SecondsFormat::Secs, true);
                json!({"dateTime": text, "timeZone": zone.name().unwrap_or(self.time_zone.name())})
            }
        }
    }
}

/// The end of an instance's id: the start that the series gave it.
fn stamp(original: &When, zone: &Zone) -> String {
    match original {
        When::Day(day) => day.format("%Y%m%d").to_string(),
        When::Time(..) => original.instant(zone).format("%Y%m%dT%H%M%SZ").to_string(),
    }
}

/// `RRULE`, `RDATE` and `EXDATE` lines; times as UTC, which the format allows for both.
fn recurrence(event: &Event) -> Vec<String> {
    let mut lines: Vec<String> = event.rules.iter().map(|rule| format!("RRULE:{rule}")).collect();
    let line = |name: &str, when: &When| match when {
        When::Day(day) => format!("{name};VALUE=DATE:{}", day.format("%Y%m%d")),
        When::Time(local, zone) => format!("{name}:{}", zone.instant(*local).format("%Y%m%dT%H%M%SZ")),
    };
    lines.extend(event.more.iter().map(|(start, _)| line("RDATE", start)));
    lines.extend(event.without.iter().map(|gone| line("EXDATE", gone)));
    lines
}

fn finish(mut resource: Value) -> Value {
    let id = resource["id"].as_str().unwrap_or_default().to_owned();
    let updated = resource["updated"]
        .as_str()
        .and_then(|updated| updated.parse::<chrono::DateTime<Utc>>().ok())
        .map_or(0, |updated| updated.timestamp_millis());
    resource["etag"] = format!("\"{}\"", updated * 2).into();
    resource["htmlLink"] = format!("https://www.google.com/calendar/event?eid={id}").into();
    resource
}
