//! Calendar: the events of a window, and who is busy when.
//!
//! Wire: Calendar v3, <https://developers.google.com/workspace/calendar/api/v3/reference>. An event that lasts whole days and one
//! that has times are different types ([`EventTime`]); a calendar that could not be read is never taken for a free one.

mod client;
mod convert;
mod event;
mod freebusy;
mod list;
mod method;
mod request;
mod wire;

pub use client::Calendar;
pub use event::{Attendee, Event, EventStatus, EventTime, Person};
pub use freebusy::{Busy, CalendarBusy, CalendarProblem, FreeBusy, FreeBusyAnswer};
pub use list::ListEvents;

#[cfg(test)]
pub(crate) use method::ALL as METHODS;
#[cfg(test)]
pub(crate) use method::EVENTS;
#[cfg(test)]
pub(crate) use request::samples;
