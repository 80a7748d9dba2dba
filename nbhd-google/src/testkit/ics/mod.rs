//! A calendar from an `.ics` file, as Calendar v3 events. RFC 5545 <https://www.rfc-editor.org/rfc/rfc5545>.

#[cfg(test)]
mod corpus;
mod event;
mod expand;
mod json;
mod load;
mod zone;

pub use expand::{HORIZON_DAYS, OCCURRENCES_LIMIT};
pub(crate) use expand::{Occurrence, Window};
pub use load::{CALENDAR_LIMIT, Calendar, CalendarReport, EVENTS_LIMIT, SkippedEvent};
pub(crate) use zone::Zone;
