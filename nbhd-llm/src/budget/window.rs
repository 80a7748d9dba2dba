//! The windows of a budget, and which instance of each an instant belongs to.

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeZone, Utc};
use chrono_tz::Tz;
use nbhd_core::window::{first_instant, zone};
use nbhd_core::{Code, Error, Result, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::price::NanoUsd;

/// The caps of one kind of scope. A window without a cap is not bounded. Rolling windows are not offered yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// For one call, all its attempts together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<NanoUsd>,
    /// For the whole life of the scope's name: meant for scopes such as `run:<id>` or `session:<id>`. It never resets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<NanoUsd>,
    /// For each hour of the clock in `zone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour: Option<NanoUsd>,
    /// For each calendar day in `zone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<NanoUsd>,
    /// For each calendar month in `zone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<NanoUsd>,
    /// The IANA time zone of the calendar windows, such as `Europe/Berlin`; UTC unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

impl Budget {
    /// The caps of the windows that the store sums, in the order of [`WindowKind`]; `call` is counted by the call itself.
    pub(crate) fn stored(&self) -> impl Iterator<Item = (WindowKind, NanoUsd)> {
        [
            (WindowKind::Run, self.run),
            (WindowKind::Hour, self.hour),
            (WindowKind::Day, self.day),
            (WindowKind::Month, self.month),
        ]
        .into_iter()
        .filter_map(|(kind, cap)| Some((kind, cap?)))
    }

    /// Whether it bounds anything.
    pub fn is_empty(&self) -> bool {
        self.call.is_none() && self.stored().next().is_none()
    }

    /// The zone of its calendar windows.
    pub fn time_zone(&self) -> Result<Tz> {
        self.zone.as_deref().map_or(Ok(Tz::UTC), zone)
    }
}

/// A kind of window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WindowKind {
    /// One call, all its attempts.
    Call,
    /// The life of the scope's name.
    Run,
    /// An hour of the clock.
    Hour,
    /// A calendar day.
    Day,
    /// A calendar month.
    Month,
}

impl WindowKind {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            WindowKind::Call => "call",
            WindowKind::Run => "run",
            WindowKind::Hour => "hour",
            WindowKind::Day => "day",
            WindowKind::Month => "month",
        }
    }

    /// The instance that `at` belongs to: its first instant, and the first instant after it, if it ends.
    pub(crate) fn instance(self, at: Timestamp, zone: Tz) -> Result<(Timestamp, Option<Timestamp>)> {
        let local = at.with_timezone(&zone);
        let (start, end) = match self {
            WindowKind::Call | WindowKind::Run => return Ok((DateTime::UNIX_EPOCH, None)),
            WindowKind::Hour => {
                // By the offset in force, so that the hour that the clocks repeat counts twice.
                let offset = i64::from(chrono::Offset::fix(local.offset()).local_minus_utc());
                let start = (at.timestamp() + offset).div_euclid(3600) * 3600 - offset;
                (instant(start)?, instant(start + 3600)?)
            }
            WindowKind::Day => {
                let day = local.date_naive();
                (midnight(Some(day), zone)?, midnight(day.succ_opt(), zone)?)
            }
            WindowKind::Month => {
                let first = local.date_naive().with_day(1);
                let next = first.and_then(|first| first.checked_add_months(Months::new(1)));
                (midnight(first, zone)?, midnight(next, zone)?)
            }
        };
        Ok((start, Some(end)))
    }
}

fn midnight(day: Option<NaiveDate>, zone: Tz) -> Result<Timestamp> {
    let day = day.ok_or_else(calendar_ends)?;
    Ok(first_instant(day, zone)?.to_utc())
}

fn instant(seconds: i64) -> Result<Timestamp> {
    Utc.timestamp_opt(seconds, 0).single().ok_or_else(calendar_ends)
}

fn calendar_ends() -> Error {
    Error::new(Code::InvalidInput, "the calendar ends there")
}

#[cfg(test)]
mod tests {
    use super::WindowKind;
    use nbhd_core::window::zone;

    fn instance(kind: WindowKind, at: &str, zone_name: &str) -> (String, String) {
        let (start, end) = kind
            .instance(at.parse().unwrap(), zone(zone_name).unwrap())
            .unwrap();
        let show = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%dT%H:%MZ").to_string();
        (show(start), show(end.unwrap()))
    }

    #[test]
    fn instances_follow_the_zone() {
        // Offsets of the IANA database; Berlin goes back on 2026-10-25 at 01:00 UTC.
        let cases = [
            (
                WindowKind::Day,
                "2026-11-21T23:30:00Z",
                "UTC",
                "2026-11-21T00:00Z",
                "2026-11-22T00:00Z",
            ),
            (
                WindowKind::Day,
                "2026-11-21T23:30:00Z",
                "Europe/Berlin",
                "2026-11-21T23:00Z",
                "2026-11-22T23:00Z",
            ),
            (
                WindowKind::Day,
                "2026-10-25T12:00:00Z",
                "Europe/Berlin",
                "2026-10-24T22:00Z",
                "2026-10-25T23:00Z",
            ),
            (
                WindowKind::Month,
                "2026-10-31T23:30:00Z",
                "Europe/Berlin",
                "2026-10-31T23:00Z",
                "2026-11-30T23:00Z",
            ),
            (
                WindowKind::Month,
                "2026-12-05T00:00:00Z",
                "UTC",
                "2026-12-01T00:00Z",
                "2027-01-01T00:00Z",
            ),
            (
                WindowKind::Hour,
                "2026-10-25T00:30:00Z",
                "Europe/Berlin",
                "2026-10-25T00:00Z",
                "2026-10-25T01:00Z",
            ),
            (
                WindowKind::Hour,
                "2026-10-25T01:30:00Z",
                "Europe/Berlin",
                "2026-10-25T01:00Z",
                "2026-10-25T02:00Z",
            ),
            (
                WindowKind::Hour,
                "2026-11-21T06:10:00Z",
                "Asia/Kolkata",
                "2026-11-21T05:30Z",
                "2026-11-21T06:30Z",
            ),
            (
                WindowKind::Day,
                "2026-03-08T12:00:00Z",
                "America/Havana",
                "2026-03-08T05:00Z",
                "2026-03-09T04:00Z",
            ),
        ];
        for (kind, at, zone, start, end) in cases {
            assert_eq!(
                instance(kind, at, zone),
                (start.to_owned(), end.to_owned()),
                "{kind:?} {at} {zone}"
            );
        }
    }
}
