//! Windows of time as people say them (`today`, `next_7_days`), resolved in their zone.
//!
//! A day runs from its first instant to 23:59:59, each end with the offset that holds there, so that a day of 23 or 25
//! hours is still one day. Where midnight does not exist (clocks go forward at midnight in Havana, Cairo, Santiago) the
//! day begins at its first instant. The present is given, never read: the same input gives the same window.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, FixedOffset, LocalResult, Months, NaiveDate, NaiveTime, TimeZone};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::{Code, Error, Result};

/// The most days that `last_n_days` and `next_n_days` take: two years.
const MOST_DAYS: u16 = 730;

/// A window of time, named from the present. As text: `today`, `last_7_days`, `next_24h`, …
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Window {
    /// The current day.
    Today,
    /// The day before.
    Yesterday,
    /// The day after.
    Tomorrow,
    /// From now on, for 24 hours of elapsed time.
    Next24h,
    /// Monday to Sunday.
    ThisWeek,
    /// Monday to Sunday before this week.
    LastWeek,
    /// From the first of the month to today.
    MonthToDate,
    /// The whole month before.
    LastMonth,
    /// From the first of January to today.
    YearToDate,
    /// The whole year before.
    LastYear,
    /// This many days up to and with today, 1 to 730.
    LastDays(u16),
    /// Today and the days after it, this many in all, 1 to 730.
    NextDays(u16),
}

/// The two ends of a window, both within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// The first instant.
    pub start: DateTime<FixedOffset>,
    /// The last second.
    pub end: DateTime<FixedOffset>,
}

impl Window {
    /// The two ends of the window, seen from `now` in `zone`.
    pub fn resolve(self, now: Timestamp, zone: Tz) -> Result<Span> {
        if self == Window::Next24h {
            let start = now.with_timezone(&zone).fixed_offset();
            let end = (now + chrono::Duration::hours(24))
                .with_timezone(&zone)
                .fixed_offset();
            return Ok(Span { start, end });
        }
        let today = now.with_timezone(&zone).date_naive();
        let (first, last) = self.days(today).ok_or_else(|| {
            Error::new(
                Code::InvalidInput,
                format!("the window {self} leaves the calendar"),
            )
        })?;
        Ok(Span {
            start: first_instant(first, zone)?,
            end: last_second(last, zone)?,
        })
    }

    /// The first and the last day; `None` where the calendar ends or the number is out of its range.
    fn days(self, today: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
        let monday = today.checked_sub_days(Days::new(u64::from(today.weekday().num_days_from_monday())))?;
        let month = today.with_day(1)?;
        Some(match self {
            Window::Today | Window::Next24h => (today, today),
            Window::Yesterday => (today.pred_opt()?, today.pred_opt()?),
            Window::Tomorrow => (today.succ_opt()?, today.succ_opt()?),
            Window::ThisWeek => (monday, monday.checked_add_days(Days::new(6))?),
            Window::LastWeek => (monday.checked_sub_days(Days::new(7))?, monday.pred_opt()?),
            Window::MonthToDate => (month, today),
            Window::LastMonth => (month.checked_sub_months(Months::new(1))?, month.pred_opt()?),
            Window::YearToDate => (NaiveDate::from_ymd_opt(today.year(), 1, 1)?, today),
            Window::LastYear => (
                NaiveDate::from_ymd_opt(today.year() - 1, 1, 1)?,
                NaiveDate::from_ymd_opt(today.year() - 1, 12, 31)?,
            ),
            Window::LastDays(n) if (1..=MOST_DAYS).contains(&n) => {
                (today.checked_sub_days(Days::new(u64::from(n) - 1))?, today)
            }
            Window::NextDays(n) if (1..=MOST_DAYS).contains(&n) => {
                (today, today.checked_add_days(Days::new(u64::from(n) - 1))?)
            }
            Window::LastDays(_) | Window::NextDays(_) => return None,
        })
    }
}

/// The IANA zone of this name. Unknown names are `invalid_input`.
pub fn zone(name: &str) -> Result<Tz> {
    name.parse().map_err(|_| {
        Error::new(
            Code::InvalidInput,
            format!("{name:?} is not the name of a time zone, such as Europe/Berlin"),
        )
    })
}

/// The first instant of a local day: midnight, or where the clocks skip it the instant after the gap.
pub fn first_instant(day: NaiveDate, zone: Tz) -> Result<DateTime<FixedOffset>> {
    // 26 hours, minute by minute: gaps end on whole minutes, and one day was skipped as a whole (Samoa 2011-12-30).
    (0..26 * 60)
        .find_map(|minute| {
            let local = day.and_time(NaiveTime::MIN) + chrono::Duration::minutes(minute);
            zone.from_local_datetime(&local).earliest()
        })
        .map(|instant| instant.fixed_offset())
        .ok_or_else(|| Error::new(Code::InvalidInput, format!("{day} does not exist in {zone}")))
}

/// The last second of a local day.
pub fn last_second(day: NaiveDate, zone: Tz) -> Result<DateTime<FixedOffset>> {
    let local = day.and_hms_opt(23, 59, 59).expect("23:59:59 is a time of day");
    match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(_, instant) => Ok(instant.fixed_offset()),
        LocalResult::None => {
            let next = day
                .succ_opt()
                .ok_or_else(|| Error::new(Code::InvalidInput, "the calendar ends there"))?;
            let end = first_instant(next, zone)? - chrono::Duration::seconds(1);
            Ok(end.with_timezone(&zone).fixed_offset())
        }
    }
}

impl FromStr for Window {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let window = match text {
            "today" => Window::Today,
            "yesterday" => Window::Yesterday,
            "tomorrow" => Window::Tomorrow,
            "next_24h" => Window::Next24h,
            "this_week" => Window::ThisWeek,
            "last_week" => Window::LastWeek,
            "month_to_date" => Window::MonthToDate,
            "last_month" => Window::LastMonth,
            "year_to_date" => Window::YearToDate,
            "last_year" => Window::LastYear,
            other => return counted(other).ok_or_else(|| unknown(other)),
        };
        Ok(window)
    }
}

fn counted(text: &str) -> Option<Window> {
    let days = text.strip_suffix("_days")?;
    let (side, n) = days.split_once('_')?;
    let n: u16 = n.parse().ok().filter(|n| (1..=MOST_DAYS).contains(n))?;
    match side {
        "last" => Some(Window::LastDays(n)),
        "next" => Some(Window::NextDays(n)),
        _ => None,
    }
}

fn unknown(text: &str) -> Error {
    Error::new(
        Code::InvalidInput,
        format!(
            "{text:?} is no window: today, yesterday, tomorrow, next_24h, this_week, last_week, month_to_date, \
             last_month, year_to_date, last_year, last_<n>_days or next_<n>_days"
        ),
    )
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Window::Today => f.write_str("today"),
            Window::Yesterday => f.write_str("yesterday"),
            Window::Tomorrow => f.write_str("tomorrow"),
            Window::Next24h => f.write_str("next_24h"),
            Window::ThisWeek => f.write_str("this_week"),
            Window::LastWeek => f.write_str("last_week"),
            Window::MonthToDate => f.write_str("month_to_date"),
            Window::LastMonth => f.write_str("last_month"),
            Window::YearToDate => f.write_str("year_to_date"),
            Window::LastYear => f.write_str("last_year"),
            Window::LastDays(n) => write!(f, "last_{n}_days"),
            Window::NextDays(n) => write!(f, "next_{n}_days"),
        }
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::{Window, zone};
    use crate::Code;

    fn ends(window: &str, now: &str, zone_name: &str) -> (String, String) {
        let window: Window = window.parse().unwrap();
        let span = window
            .resolve(now.parse().unwrap(), zone(zone_name).unwrap())
            .unwrap();
        (span.start.to_rfc3339(), span.end.to_rfc3339())
    }

    #[test]
    fn each_end_has_its_own_offset_and_midnight_may_be_missing() {
        // The days and offsets are those of the IANA database (`zdump -v`).
        let cases = [
            // Berlin goes back on 2026-10-25: a day of 25 hours.
            (
                "today",
                "2026-10-25T10:00:00Z",
                "Europe/Berlin",
                "2026-10-25T00:00:00+02:00",
                "2026-10-25T23:59:59+01:00",
            ),
            (
                "today",
                "2026-03-29T10:00:00Z",
                "Europe/Berlin",
                "2026-03-29T00:00:00+01:00",
                "2026-03-29T23:59:59+02:00",
            ),
            // Havana goes forward at midnight of 2026-03-08: the day begins at 01:00.
            (
                "today",
                "2026-03-08T12:00:00Z",
                "America/Havana",
                "2026-03-08T01:00:00-04:00",
                "2026-03-08T23:59:59-04:00",
            ),
            // The day is that of the zone, not of UTC.
            (
                "today",
                "2026-06-30T23:30:00Z",
                "Asia/Tokyo",
                "2026-07-01T00:00:00+09:00",
                "2026-07-01T23:59:59+09:00",
            ),
            (
                "tomorrow",
                "2026-12-31T12:00:00Z",
                "UTC",
                "2027-01-01T00:00:00+00:00",
                "2027-01-01T23:59:59+00:00",
            ),
            (
                "this_week",
                "2026-11-22T12:00:00Z",
                "UTC",
                "2026-11-16T00:00:00+00:00",
                "2026-11-22T23:59:59+00:00",
            ),
            (
                "last_month",
                "2024-03-31T12:00:00Z",
                "UTC",
                "2024-02-01T00:00:00+00:00",
                "2024-02-29T23:59:59+00:00",
            ),
            (
                "next_7_days",
                "2026-11-21T12:00:00Z",
                "UTC",
                "2026-11-21T00:00:00+00:00",
                "2026-11-27T23:59:59+00:00",
            ),
            // 24 hours pass, whatever the clocks say.
            (
                "next_24h",
                "2026-10-24T22:00:00Z",
                "Europe/Berlin",
                "2026-10-25T00:00:00+02:00",
                "2026-10-25T23:00:00+01:00",
            ),
        ];
        for (window, now, zone, start, end) in cases {
            assert_eq!(
                ends(window, now, zone),
                (start.to_owned(), end.to_owned()),
                "{window} {zone}"
            );
        }
    }

    #[test]
    fn a_day_that_the_zone_skipped_begins_at_the_next_instant() {
        // Samoa had no 2011-12-30.
        let (start, _) = ends("tomorrow", "2011-12-29T12:00:00Z", "Pacific/Apia");
        assert_eq!(start, "2011-12-31T00:00:00+14:00");
    }

    #[test]
    fn text_and_back_and_refusals() {
        for text in ["today", "next_24h", "last_30_days", "next_1_days", "year_to_date"] {
            assert_eq!(text.parse::<Window>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "last_0_days",
            "next_731_days",
            "last_x_days",
            "Today",
            "next_99999_days",
        ] {
            assert_eq!(
                text.parse::<Window>().unwrap_err().code(),
                Code::InvalidInput,
                "{text}"
            );
        }
        assert_eq!(zone("Mars/Olympus").unwrap_err().code(), Code::InvalidInput);
    }
}
