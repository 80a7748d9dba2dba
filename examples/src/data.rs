//! The data that the stand-ins serve: the user's own, or a sample that is moved to today.

use std::path::Path;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use chrono_tz::Europe::Berlin;
use nbhd_core::Result;
use nbhd_google::testkit::{Calendar, Mailbox};

const SAMPLE_MAIL: &[u8] = include_bytes!("../data/sample.mbox");
const SAMPLE_CALENDAR: &str = include_str!("../data/sample.ics");

/// A mailbox and a calendar.
pub struct Data {
    /// The mail.
    pub mailbox: Mailbox,
    /// The calendar.
    pub calendar: Calendar,
}

impl Data {
    /// Reads both, blocking. The sample stands in for what is not named.
    pub fn load(mailbox: Option<&Path>, calendar: Option<&Path>) -> Result<Self> {
        let now = Utc::now();
        Ok(Self {
            mailbox: match mailbox {
                Some(path) => Mailbox::load(path)?,
                None => Mailbox::from_bytes(SAMPLE_MAIL.to_vec())?.with_time_shift(now),
            },
            calendar: match calendar {
                Some(path) => Calendar::load(path)?,
                None => Calendar::from_text(SAMPLE_CALENDAR)?.with_time_shift(first_day(now)),
            },
        })
    }
}

/// The day that the sample's first one is moved to: today until its two meetings that overlap are over, then tomorrow. So they are
/// always among what touches today or the next 24 hours, at whatever time of the day the demo runs.
fn first_day(now: DateTime<Utc>) -> NaiveDate {
    let local = now.with_timezone(&Berlin);
    let over = NaiveTime::from_hms_opt(10, 15, 0).is_some_and(|time| local.time() >= time);
    let today = local.date_naive();
    if over {
        today.checked_add_days(Days::new(1)).unwrap_or(today)
    } else {
        today
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Duration, NaiveDate, TimeZone, Utc};
    use chrono_tz::Europe::Berlin;

    use super::first_day;

    #[test]
    fn the_overlap_of_the_sample_is_always_ahead() {
        let at = |day: NaiveDate, hour, minute| {
            let local = day.and_hms_opt(hour, minute, 0).expect("a time");
            let time = Berlin.from_local_datetime(&local).earliest();
            time.expect("a time that was").to_utc()
        };
        let midnight: DateTime<Utc> = "2026-11-20T23:00:00Z".parse().expect("a time");
        for minute in 0..24 * 60 {
            let now = midnight + Duration::minutes(minute);
            let day = first_day(now);
            // The first meeting goes on, or comes; the second begins within 24 hours.
            assert!(at(day, 10, 30) > now, "{now}");
            assert!(at(day, 10, 0) < now + Duration::hours(24), "{now}");
        }
    }
}
