//! The methods of Calendar that we call: the scopes that each accepts and what it costs.
//!
//! Calendar counts requests, 600 a minute and user: <https://developers.google.com/workspace/calendar/api/guides/quota>

use crate::credentials::{CALENDAR_READONLY, Method};

/// `events.list`.
pub(crate) const EVENTS: Method = Method {
    label: "calendar.events.list",
    id: "calendar.events.list",
    scopes: &[
        "calendar",
        "calendar.app.created",
        "calendar.events",
        "calendar.events.freebusy",
        "calendar.events.owned",
        "calendar.events.owned.readonly",
        "calendar.events.public.readonly",
        "calendar.events.readonly",
        "calendar.readonly",
    ],
    ask: CALENDAR_READONLY,
    units: 1,
};

/// `freebusy.query`.
pub(crate) const FREE_BUSY: Method = Method {
    label: "calendar.freebusy.query",
    id: "calendar.freebusy.query",
    scopes: &[
        "calendar",
        "calendar.events.freebusy",
        "calendar.freebusy",
        "calendar.readonly",
    ],
    ask: CALENDAR_READONLY,
    units: 1,
};

/// All of them, for the comparison with the discovery document.
#[cfg(test)]
pub(crate) const ALL: &[&Method] = &[&EVENTS, &FREE_BUSY];
