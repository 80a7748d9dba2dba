//! A stateful Google that runs in-process: for tests of this suite and of its users, and for the demo.

mod ics;
mod mailbox;
mod server;

pub use ics::{
    CALENDAR_LIMIT, Calendar, CalendarReport, EVENTS_LIMIT, HORIZON_DAYS, OCCURRENCES_LIMIT, SkippedEvent,
};

pub use mailbox::{
    FILE_LIMIT, FILES_LIMIT, MESSAGE_LIMIT, MESSAGES_LIMIT, MailSource, Mailbox, MailboxReport, SkippedMail,
    StoredMessage,
};
pub use server::{GoogleSetup, GoogleStandIn, SeenCall};
