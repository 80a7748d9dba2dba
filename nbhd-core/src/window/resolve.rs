//! From a name to two instants.

use chrono::{DateTime, Datelike, Days, FixedOffset, Months, NaiveDate};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Window;
use super::day::{exists, first_instant, last_second, zone};
use crate::clock::Timestamp;
use crate::{Code, Error, Result};

/// The two ends of a window, both within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WindowSpan")]
pub struct Span {
    /// The first instant.
    pub start: DateTime<FixedOffset>,
    /// The last second.
    pub end: DateTime<FixedOffset>,
}

/// The two ends of a window, seen from `now` in the zone of this name. The window is a text (`last_7_days`), or a kind with its value
/// (`last_n_days` and `7`).
pub fn resolve(window: &str, value: Option<&str>, now: Timestamp, time_zone: &str) -> Result<Span> {
    Window::from_kind(window, value)?.resolve(now, zone(time_zone)?)
}

impl Window {
    /// The two ends of the window, seen from `now` in `zone`.
    pub fn resolve(self, now: Timestamp, zone: Tz) -> Result<Span> {
        let outside = || {
            Error::new(
                Code::InvalidInput,
                format!("the window {self} leaves the calendar"),
            )
        };
        if !self.in_range() {
            return Err(outside());
        }
        if self == Window::Next24h {
            let later = now
                .checked_add_signed(chrono::Duration::hours(24))
                .ok_or_else(outside)?;
            return Ok(Span {
                start: now.with_timezone(&zone).fixed_offset(),
                end: later.with_timezone(&zone).fixed_offset(),
            });
        }
        let today = now.with_timezone(&zone).date_naive();
        let (first, last) = match self {
            Window::Tomorrow => same(beside(today, zone, NaiveDate::succ_opt)?),
            Window::Yesterday => same(beside(today, zone, NaiveDate::pred_opt)?),
            _ => self.days(today),
        }
        .ok_or_else(outside)?;
        if first > last {
            return Err(Error::new(
                Code::InvalidInput,
                format!("the window {self} begins after today, {today}"),
            ));
        }
        let span = Span {
            start: first_instant(first, zone)?,
            end: last_second(last, zone)?,
        };
        if span.start > span.end {
            return Err(Error::new(
                Code::InvalidInput,
                format!("the window {self} is empty: {zone} skipped its days"),
            ));
        }
        Ok(span)
    }

    /// The first and the last day; `None` where the calendar ends or the number is out of its range.
    fn days(self, today: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
        let monday = today.checked_sub_days(Days::new(u64::from(today.weekday().num_days_from_monday())))?;
        let month = today.with_day(1)?;
        let days = |n: u16, each: u64| (u64::from(n) * each).checked_sub(1).map(Days::new);
        Some(match self {
            Window::Today | Window::Next24h | Window::Yesterday | Window::Tomorrow => (today, today),
            Window::ThisWeek => (monday, monday.checked_add_days(Days::new(6))?),
            Window::LastWeek => (monday.checked_sub_days(Days::new(7))?, monday.pred_opt()?),
            Window::MonthToDate => (month, today),
            Window::LastMonth => (month.checked_sub_months(Months::new(1))?, month.pred_opt()?),
            Window::YearToDate => (NaiveDate::from_ymd_opt(today.year(), 1, 1)?, today),
            Window::LastYear => (
                NaiveDate::from_ymd_opt(today.year().checked_sub(1)?, 1, 1)?,
                NaiveDate::from_ymd_opt(today.year().checked_sub(1)?, 12, 31)?,
            ),
            Window::LastDays(n) => (today.checked_sub_days(days(n, 1)?)?, today),
            Window::NextDays(n) => (today, today.checked_add_days(days(n, 1)?)?),
            Window::LastWeeks(n) => (today.checked_sub_days(days(n, 7)?)?, today),
            Window::NextWeeks(n) => (today, today.checked_add_days(days(n, 7)?)?),
            Window::LastMonths(n) => (today.checked_sub_months(Months::new(u32::from(n)))?, today),
            Window::NextMonths(n) => (today, today.checked_add_months(Months::new(u32::from(n)))?),
            Window::Since(day) => (day, today),
            Window::Between(first, last) => (first, last),
        })
    }
}

fn same(day: Option<NaiveDate>) -> Option<(NaiveDate, NaiveDate)> {
    day.map(|day| (day, day))
}

/// The next day on one side that the zone has. No zone ever skipped two in a row.
fn beside(
    today: NaiveDate,
    zone: Tz,
    step: fn(&NaiveDate) -> Option<NaiveDate>,
) -> Result<Option<NaiveDate>> {
    let Some(day) = step(&today) else { return Ok(None) };
    if exists(day, zone)? {
        return Ok(Some(day));
    }
    Ok(step(&day))
}
