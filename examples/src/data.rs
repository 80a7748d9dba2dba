//! The data that the stand-ins serve: the user's own, or a sample that is moved to today.

use std::path::Path;

use chrono::Utc;
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
    /// Whether the mail is the sample.
    pub sample_mail: bool,
    /// Whether the calendar is the sample.
    pub sample_calendar: bool,
}

impl Data {
    /// Reads both, blocking. Where one is not named the sample stands in for it; beside a mailbox of the user's own, whose mail
    /// has nothing to do with the sample's week, the calendar is empty.
    pub fn load(mailbox: Option<&Path>, calendar: Option<&Path>) -> Result<Self> {
        let now = Utc::now();
        let sample_calendar = calendar.is_none() && mailbox.is_none();
        Ok(Self {
            mailbox: match mailbox {
                Some(path) => Mailbox::load(path)?,
                None => Mailbox::from_bytes(SAMPLE_MAIL.to_vec())?.with_time_shift(now),
            },
            calendar: match calendar {
                Some(path) => Calendar::load(path)?,
                None if sample_calendar => {
                    Calendar::from_text(SAMPLE_CALENDAR)?.with_time_shift(now.date_naive())
                }
                None => Calendar::empty(),
            },
            sample_mail: mailbox.is_none(),
            sample_calendar,
        })
    }
}
