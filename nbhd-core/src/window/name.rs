//! The names of windows: as one text (`last_7_days`), or as kind and value (`last_n_days`, `7`).

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

use crate::{Code, Error, Result};

/// The most days that `last_n_days` and `next_n_days` take: two years.
const MOST_DAYS: u16 = 730;

/// The most weeks: two years.
const MOST_WEEKS: u16 = 104;

/// The most months: two years.
const MOST_MONTHS: u16 = 24;

/// A window of time, named from the present. As text: `today`, `last_7_days`, `next_24h`, `since:2026-01-01`, …
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
    /// This many times seven days up to and with today, 1 to 104.
    LastWeeks(u16),
    /// Today and the days after it, this many times seven in all, 1 to 104.
    NextWeeks(u16),
    /// From the same day of the month, this many months ago (the month's last day where it is shorter), to today, 1 to 24.
    LastMonths(u16),
    /// From today to the same day of the month, this many months on (the month's last day where it is shorter), 1 to 24.
    NextMonths(u16),
    /// From this day to today.
    Since(NaiveDate),
    /// From the one day to the other, both within.
    Between(NaiveDate, NaiveDate),
}

/// The windows without a number or a day.
const PLAIN: &[(&str, Window)] = &[
    ("today", Window::Today),
    ("yesterday", Window::Yesterday),
    ("tomorrow", Window::Tomorrow),
    ("next_24h", Window::Next24h),
    ("this_week", Window::ThisWeek),
    ("last_week", Window::LastWeek),
    ("month_to_date", Window::MonthToDate),
    ("last_month", Window::LastMonth),
    ("year_to_date", Window::YearToDate),
    ("last_year", Window::LastYear),
];

/// A window with a number: its side and unit, the largest number, and the number when none is said.
type Counted = (&'static str, &'static str, u16, u16, fn(u16) -> Window);

const COUNTED: &[Counted] = &[
    ("last", "days", MOST_DAYS, 7, Window::LastDays),
    ("next", "days", MOST_DAYS, 7, Window::NextDays),
    ("last", "weeks", MOST_WEEKS, 1, Window::LastWeeks),
    ("next", "weeks", MOST_WEEKS, 1, Window::NextWeeks),
    ("last", "months", MOST_MONTHS, 1, Window::LastMonths),
    ("next", "months", MOST_MONTHS, 1, Window::NextMonths),
];

impl Window {
    /// A window as text, or by its kind and value, as tools of language models say it: `("last_n_days", Some("7"))`, `("since", Some("2026-01-01"))`,
    /// `("between", Some("2026-01-01,2026-01-31"))`, `("today", None)`. Without a value seven days, one week or one month are meant.
    /// A kind that takes no value ignores it. `invalid_input` for what is no window.
    pub fn from_kind(kind: &str, value: Option<&str>) -> Result<Self> {
        let value = value.map(str::trim).filter(|value| !value.is_empty());
        if value.is_none()
            && let Ok(window) = kind.parse()
        {
            return Ok(window);
        }
        if let Some(row) = COUNTED.iter().find(|(side, unit, ..)| {
            kind.strip_prefix(side).and_then(|rest| rest.strip_prefix("_n_")) == Some(unit)
        }) {
            let (.., usual, make) = *row;
            let Some(value) = value else {
                return Ok(make(usual));
            };
            return number(value, row)
                .map(make)
                .ok_or_else(|| unknown(&format!("{kind} {value}")));
        }
        match (kind, value) {
            ("since" | "between", Some(value)) => format!("{kind}:{value}").parse(),
            ("since" | "between", None) => Err(Error::new(
                Code::InvalidInput,
                format!(
                    "the window {kind} needs a value: a day such as 2026-01-01, two of them with a comma for `between`"
                ),
            )),
            _ => PLAIN
                .iter()
                .find(|(name, _)| *name == kind)
                .map(|(_, window)| *window)
                .ok_or_else(|| unknown(kind)),
        }
    }
}

impl Window {
    /// Whether its number is one that text may say.
    pub(super) fn in_range(self) -> bool {
        let (n, most) = match self {
            Window::LastDays(n) | Window::NextDays(n) => (n, MOST_DAYS),
            Window::LastWeeks(n) | Window::NextWeeks(n) => (n, MOST_WEEKS),
            Window::LastMonths(n) | Window::NextMonths(n) => (n, MOST_MONTHS),
            _ => return true,
        };
        (1..=most).contains(&n)
    }
}

impl FromStr for Window {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let plain = PLAIN
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, window)| *window);
        plain
            .or_else(|| counted(text))
            .or_else(|| days(text))
            .ok_or_else(|| unknown(text))
    }
}

fn counted(text: &str) -> Option<Window> {
    let mut words = text.split('_');
    let (side, n, unit) = (words.next()?, words.next()?, words.next()?);
    let row = COUNTED
        .iter()
        .find(|row| (row.0, row.1) == (side, unit) && words.clone().next().is_none())?;
    number(n, row).map(row.4)
}

/// Digits alone: `+7` and `07` are no way to write a number here.
fn number(text: &str, row: &Counted) -> Option<u16> {
    let n: u16 = text.parse().ok()?;
    ((1..=row.2).contains(&n) && n.to_string() == text).then_some(n)
}

fn days(text: &str) -> Option<Window> {
    if let Some(day) = text.strip_prefix("since:") {
        return self::day(day).map(Window::Since);
    }
    let (first, last) = text.strip_prefix("between:")?.split_once(',')?;
    let (first, last) = (day(first)?, day(last)?);
    (first <= last).then_some(Window::Between(first, last))
}

/// A day as `2026-01-31`, with all its digits.
fn day(text: &str) -> Option<NaiveDate> {
    let day: NaiveDate = text.trim().parse().ok()?;
    (day.to_string() == text.trim()).then_some(day)
}

fn unknown(text: &str) -> Error {
    Error::new(
        Code::InvalidInput,
        format!(
            "{text:?} is no window: today, yesterday, tomorrow, next_24h, this_week, last_week, month_to_date, \
             last_month, year_to_date, last_year, last_<n>_days|weeks|months, next_<n>_days|weeks|months, since:<day> or \
             between:<day>,<day>"
        ),
    )
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Window::LastDays(n) => write!(f, "last_{n}_days"),
            Window::NextDays(n) => write!(f, "next_{n}_days"),
            Window::LastWeeks(n) => write!(f, "last_{n}_weeks"),
            Window::NextWeeks(n) => write!(f, "next_{n}_weeks"),
            Window::LastMonths(n) => write!(f, "last_{n}_months"),
            Window::NextMonths(n) => write!(f, "next_{n}_months"),
            Window::Since(day) => write!(f, "since:{day}"),
            Window::Between(first, last) => write!(f, "between:{first},{last}"),
            plain => {
                let name = PLAIN
                    .iter()
                    .find(|(_, window)| window == plain)
                    .map(|(name, _)| *name);
                f.write_str(name.unwrap_or_default())
            }
        }
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.to_string()
    }
}
