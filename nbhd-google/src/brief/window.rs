//! The user's day and the next 24 hours, as instants: right on days of 23 and 25 hours.

use chrono::{
    DateTime, Duration, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound, TimeZone,
    Utc,
};
use chrono_tz::Tz;
use nbhd_core::clock::rfc3339;
use nbhd_core::{Code, Error, Outcome, Result};

use super::input::EventSpan;

/// Instants and days of one brief.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) zone: Tz,
    pub(super) now: DateTime<Utc>,
    pub(super) today: NaiveDate,
    day: (DateTime<Utc>, DateTime<Utc>),
    next: (DateTime<Utc>, DateTime<Utc>),
}

impl Window {
    pub(super) fn new(now: DateTime<FixedOffset>, zone: &str) -> Result<Self> {
        let zone: Tz = zone.parse().map_err(|_| {
            Error::new(
                Code::InvalidInput,
                format!("{zone:?} is not the name of a time zone"),
            )
            .with_outcome(Outcome::NotSent)
        })?;
        let now = now.with_timezone(&Utc);
        let today = now.with_timezone(&zone).date_naive();
        let tomorrow = today.succ_opt().unwrap_or(today);
        Ok(Self {
            zone,
            now,
            today,
            day: (first_moment(zone, today), first_moment(zone, tomorrow)),
            next: (now, now.checked_add_signed(Duration::hours(24)).unwrap_or(now)),
        })
    }

    pub(super) fn touches_today(&self, when: &EventSpan) -> bool {
        match when {
            EventSpan::AllDay { start, end } => *start <= self.today && self.today < last_day(*start, *end),
            EventSpan::Timed { .. } => self.touches(when, self.day),
        }
    }

    pub(super) fn touches_next_24h(&self, when: &EventSpan) -> bool {
        self.touches(when, self.next)
    }

    /// Begin and end as instants; whole days begin where the user is.
    pub(super) fn instants(&self, when: &EventSpan) -> (DateTime<Utc>, DateTime<Utc>) {
        match when {
            EventSpan::AllDay { start, end } => (
                first_moment(self.zone, *start),
                first_moment(self.zone, last_day(*start, *end)),
            ),
            EventSpan::Timed { start, end } => (start.with_timezone(&Utc), end.with_timezone(&Utc)),
        }
    }

    /// An instant in the user's zone, ISO 8601 with offset.
    pub(super) fn local(&self, at: DateTime<Utc>) -> String {
        rfc3339(at.with_timezone(&self.zone).trunc_subsecs(0))
    }

    /// A local wall-clock time as ISO 8601 with the offset that holds then.
    pub(super) fn at_local(&self, time: NaiveDateTime) -> String {
        self.local(resolve(self.zone, time))
    }

    fn touches(&self, when: &EventSpan, (from, to): (DateTime<Utc>, DateTime<Utc>)) -> bool {
        let (start, end) = self.instants(when);
        // An event without length is at its moment.
        start < to && (end > from || (start == end && start >= from))
    }
}

/// An all-day event has at least its first day, whatever its end says.
fn last_day(start: NaiveDate, end: NaiveDate) -> NaiveDate {
    end.max(start.succ_opt().unwrap_or(start))
}

fn first_moment(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    resolve(zone, day.and_time(NaiveTime::MIN))
}

/// The first of two moments where clocks go back; the first after the gap where they go forward.
fn resolve(zone: Tz, time: NaiveDateTime) -> DateTime<Utc> {
    let mut probe = time;
    // No gap is longer than a day; steps of 15 minutes meet the end of every one.
    for _ in 0..100 {
        match zone.from_local_datetime(&probe) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => return at.with_timezone(&Utc),
            LocalResult::None => match probe.checked_add_signed(Duration::minutes(15)) {
                Some(later) => probe = later,
                None => break,
            },
        }
    }
    Utc.from_utc_datetime(&time)
}

#[cfg(test)]
mod tests {
    use super::Window;
    use crate::brief::EventSpan;
    use chrono::{DateTime, Duration};

    fn timed(start: &str, end: &str) -> EventSpan {
        EventSpan::Timed {
            start: start.parse().expect("a time"),
            end: end.parse().expect("a time"),
        }
    }

    #[test]
    fn a_day_is_as_long_as_its_clocks_say() {
        // Berlin 2026: forward on 29 March (23 hours), back on 25 October (25 hours). Santiago has no midnight on 6 September.
        for (now, zone, hours) in [
            ("2026-03-29T12:00:00+02:00", "Europe/Berlin", 23),
            ("2026-10-25T12:00:00+01:00", "Europe/Berlin", 25),
            ("2026-09-06T12:00:00-03:00", "America/Santiago", 23),
            ("2026-06-01T12:00:00Z", "Asia/Kathmandu", 24),
        ] {
            let window = Window::new(now.parse::<DateTime<_>>().expect("a time"), zone).expect("a zone");
            assert_eq!(window.day.1 - window.day.0, Duration::hours(hours), "{zone}");
        }
    }

    #[test]
    fn edges_are_exclusive_and_days_are_the_users() {
        let window = Window::new(
            "2026-01-05T23:30:00+01:00".parse().expect("a time"),
            "Europe/Berlin",
        )
        .expect("a zone");
        assert!(window.touches_today(&timed("2026-01-05T22:30:00Z", "2026-01-05T23:30:00Z")));
        assert!(
            !window.touches_today(&timed("2026-01-05T23:00:00Z", "2026-01-05T23:30:00Z")),
            "that is tomorrow in Berlin"
        );
        assert!(
            !window.touches_next_24h(&timed("2026-01-05T21:00:00Z", "2026-01-05T22:30:00Z")),
            "it ends now"
        );
        assert!(window.touches_next_24h(&timed("2026-01-06T00:00:00Z", "2026-01-06T00:00:00Z")));
        let day = EventSpan::AllDay {
            start: "2026-01-05".parse().expect("a day"),
            end: "2026-01-05".parse().expect("a day"),
        };
        assert!(
            window.touches_today(&day),
            "an end that is not after its start still means one day"
        );
        assert!(Window::new("2026-01-05T23:30:00+01:00".parse().expect("a time"), "Berlin").is_err());
    }
}
