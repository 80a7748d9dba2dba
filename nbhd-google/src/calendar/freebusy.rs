//! Who is busy when. A calendar that could not be read is neither busy nor free: asking it is an error.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};
use nbhd_core::{Code, Error, Outcome, Receipt, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most calendars of one question, by Google's limit.
const MOST: usize = 50;

/// Which calendars to ask for which time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FreeBusy {
    /// The beginning.
    pub time_min: DateTime<FixedOffset>,
    /// The end, after the beginning.
    pub time_max: DateTime<FixedOffset>,
    /// The ids of the calendars, 1 to 50. `primary`.
    #[serde(default = "primary")]
    pub calendars: Vec<String>,
    /// The IANA name of the time zone in which the answer gives its times. UTC.
    #[serde(default)]
    pub time_zone: Option<String>,
}

fn primary() -> Vec<String> {
    vec!["primary".to_owned()]
}

impl FreeBusy {
    /// The primary calendar, from `time_min` to `time_max`.
    pub fn new(time_min: DateTime<FixedOffset>, time_max: DateTime<FixedOffset>) -> Self {
        Self {
            time_min,
            time_max,
            calendars: primary(),
            time_zone: None,
        }
    }

    /// Sets the calendars.
    pub fn with_calendars(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.calendars = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the time zone of the answer.
    pub fn with_time_zone(mut self, name: impl Into<String>) -> Self {
        self.time_zone = Some(name.into());
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let refuse = |what: &str| Err(Error::new(Code::InvalidInput, what));
        if self.time_max <= self.time_min {
            return refuse("time_max is not after time_min");
        }
        if !(1..=MOST).contains(&self.calendars.len()) || self.calendars.iter().any(|id| id.trim().is_empty())
        {
            return refuse("free_busy takes the ids of 1 to 50 calendars");
        }
        if let Some(name) = &self.time_zone {
            nbhd_core::window::zone(name)?;
        }
        Ok(())
    }
}

/// What every calendar answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct FreeBusyAnswer {
    /// The beginning of the time that was asked for.
    pub time_min: DateTime<FixedOffset>,
    /// Its end.
    pub time_max: DateTime<FixedOffset>,
    /// Every calendar that was asked for, by its id: also those that gave no answer.
    pub calendars: BTreeMap<String, CalendarBusy>,
    /// The record of the call.
    pub receipt: Receipt,
}

/// What one calendar answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CalendarBusy {
    /// Its busy times, in order. They mean nothing where there are problems.
    pub busy: Vec<Busy>,
    /// Why it could not be read; empty when it was.
    pub problems: Vec<CalendarProblem>,
}

/// A busy time, without its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Busy {
    /// Its beginning.
    pub start: DateTime<FixedOffset>,
    /// Its end.
    pub end: DateTime<FixedOffset>,
}

/// Why a calendar could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CalendarProblem {
    /// Google's word, such as `notFound` or `internalError`; `unanswered` when Google left the calendar out, `unreadable` when
    /// it gave a time that is none.
    pub reason: String,
}

impl CalendarProblem {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

impl FreeBusyAnswer {
    /// Whether all calendars are free from `start` to `end` (which is not part of it). One that is busy decides; otherwise one
    /// that could not be read makes this an error, because nobody knows. So does a time beyond what was asked for.
    pub fn is_free(&self, start: DateTime<FixedOffset>, end: DateTime<FixedOffset>) -> Result<bool> {
        if start < self.time_min || end > self.time_max || end <= start {
            return Err(Error::new(
                Code::InvalidInput,
                "the time lies outside of what was asked for, or ends before it begins",
            ));
        }
        let busy = |calendar: &CalendarBusy| {
            calendar
                .busy
                .iter()
                .any(|busy| busy.start < end && start < busy.end)
        };
        if self
            .calendars
            .values()
            .filter(|calendar| calendar.problems.is_empty())
            .any(busy)
        {
            return Ok(false);
        }
        match self
            .calendars
            .iter()
            .find(|(_, calendar)| !calendar.problems.is_empty())
        {
            None => Ok(true),
            Some((id, calendar)) => Err(unknown(id, &calendar.problems[0].reason)),
        }
    }

    /// Whether every calendar could be read.
    pub fn is_complete(&self) -> bool {
        self.calendars
            .values()
            .all(|calendar| calendar.problems.is_empty())
    }
}

fn unknown(id: &str, reason: &str) -> Error {
    let code = if reason == "notFound" {
        Code::NotFound
    } else {
        Code::ProviderUnavailable
    };
    Error::new(
        code,
        format!("nobody knows whether the calendar {id} is free: it could not be read ({reason})"),
    )
    .with_outcome(Outcome::Refused)
    .with_provider("google")
    .with_provider_reason(reason)
}
