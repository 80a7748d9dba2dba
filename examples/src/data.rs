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
                None => Calendar::from_text(SAMPLE_CALENDAR)?.with_time_shift(now.date_naive()),
            },
        })
    }
}
