//! What a list of events is asked for.

use chrono::{DateTime, FixedOffset};
use nbhd_core::window::{Span, Window, zone};
use nbhd_core::{Code, Error, Result, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most events of one page of Calendar.
const MOST: u32 = 2_500;

/// Which events to list, in the order of their beginning; of a series each occurrence stands by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListEvents {
    /// The calendar's id. `primary`.
    pub calendar: String,
    /// A window such as `today`, `tomorrow`, `next_24h` or `this_week`; every window but `next_24h` needs a time zone.
    pub window: Option<String>,
    /// The IANA name of the time zone in which the window lies and times are given, such as `Europe/Berlin`.
    pub time_zone: Option<String>,
    /// Events that end after this. Without it and without a window: now.
    pub time_min: Option<DateTime<FixedOffset>>,
    /// Events that begin before this.
    pub time_max: Option<DateTime<FixedOffset>>,
    /// Words to search for.
    pub query: Option<String>,
    /// The most events, 1 to 2,500. 100.
    pub limit: u32,
    /// The token of the page to go on with.
    pub page_token: Option<String>,
}

impl Default for ListEvents {
    fn default() -> Self {
        Self {
            calendar: "primary".to_owned(),
            window: None,
            time_zone: None,
            time_min: None,
            time_max: None,
            query: None,
            limit: 100,
            page_token: None,
        }
    }
}

impl ListEvents {
    /// The next 100 events of the primary calendar.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the calendar.
    pub fn with_calendar(mut self, id: impl Into<String>) -> Self {
        self.calendar = id.into();
        self
    }

    /// Sets the window, as text or as a [`Window`].
    pub fn with_window(mut self, window: impl Into<String>) -> Self {
        self.window = Some(window.into());
        self
    }

    /// Sets the time zone.
    pub fn with_time_zone(mut self, name: impl Into<String>) -> Self {
        self.time_zone = Some(name.into());
        self
    }

    /// Sets the time after which events end.
    pub fn with_time_min(mut self, time: DateTime<FixedOffset>) -> Self {
        self.time_min = Some(time);
        self
    }

    /// Sets the time before which events begin.
    pub fn with_time_max(mut self, time: DateTime<FixedOffset>) -> Self {
        self.time_max = Some(time);
        self
    }

    /// Sets the words to search for.
    pub fn with_query(mut self, query: impl Into<String>) -> Self {
        self.query = Some(query.into());
        self
    }

    /// Sets the most events.
    pub fn with_limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// Sets the page to go on with.
    pub fn with_page_token(mut self, token: impl Into<String>) -> Self {
        self.page_token = Some(token.into());
        self
    }

    /// The two bounds, seen from `now`; the second may be open.
    pub(super) fn bounds(
        &self,
        now: Timestamp,
    ) -> Result<(DateTime<FixedOffset>, Option<DateTime<FixedOffset>>)> {
        let refuse = |what: &str| Err(Error::new(Code::InvalidInput, what));
        if !(1..=MOST).contains(&self.limit) {
            return refuse(&format!("limit is {}, but must be 1 to {MOST}", self.limit));
        }
        if self.calendar.trim().is_empty() {
            return refuse("the calendar's id is empty");
        }
        let zone = self.time_zone.as_deref().map(zone).transpose()?;
        let Some(window) = &self.window else {
            let from = self.time_min.unwrap_or_else(|| now.fixed_offset());
            if self.time_max.is_some_and(|to| to <= from) {
                return refuse("time_max is not after time_min");
            }
            return Ok((from, self.time_max));
        };
        if self.time_min.is_some() || self.time_max.is_some() {
            return refuse("a window and time_min or time_max say the same twice: give one of them");
        }
        let window: Window = window.parse()?;
        let zone = match (zone, window) {
            (Some(zone), _) => zone,
            (None, Window::Next24h) => chrono_tz::UTC,
            (None, _) => {
                return refuse(&format!(
                    "the window {window} needs a time_zone, such as Europe/Berlin"
                ));
            }
        };
        let Span { start, end } = window.resolve(now, zone)?;
        Ok((start, Some(end)))
    }
}

#[cfg(test)]
mod tests {
    use nbhd_core::window::Window;
    use nbhd_core::{Code, Timestamp};

    use super::ListEvents;

    #[test]
    fn a_window_becomes_two_bounds() {
        let now: Timestamp = "2026-11-21T23:30:00Z".parse().unwrap();
        let (from, to) = ListEvents::new()
            .with_window("today")
            .with_time_zone("Europe/Berlin")
            .bounds(now)
            .unwrap();
        assert_eq!(from.to_rfc3339(), "2026-11-22T00:00:00+01:00");
        assert_eq!(to.unwrap().to_rfc3339(), "2026-11-22T23:59:59+01:00");
        let typed = ListEvents::new()
            .with_window(Window::Next24h)
            .bounds(now)
            .unwrap();
        assert_eq!(typed.0, now);
        assert_eq!(ListEvents::new().bounds(now).unwrap(), (now.fixed_offset(), None));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let now: Timestamp = "2026-11-21T23:30:00Z".parse().unwrap();
        let bad = [
            ListEvents::new().with_window("today"),
            ListEvents::new().with_window("someday").with_time_zone("UTC"),
            ListEvents::new().with_window("today").with_time_zone("Nowhere"),
            ListEvents::new()
                .with_window("next_24h")
                .with_time_min(now.fixed_offset()),
            ListEvents::new().with_time_max(now.fixed_offset()),
            ListEvents::new().with_limit(0),
            ListEvents::new().with_calendar(" "),
        ];
        for list in bad {
            assert_eq!(
                list.bounds(now).unwrap_err().code(),
                Code::InvalidInput,
                "{list:?}"
            );
        }
    }
}
