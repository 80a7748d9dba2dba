//! Which call a path is: its label, the scopes of which one suffices, and the parameters that it takes. From the
//! discovery documents gmail.v1 (20261005) and calendar.v3 (20261030).

/// A call that the stand-in knows, with the variable parts of its path, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) call: &'static Call,
    pub(super) path: Vec<String>,
}

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// The words that requests, faults and counts use.
    pub(super) label: &'static str,
    method: &'static str,
    /// `{}` stands for one segment.
    path: &'static str,
    pub(super) service: &'static str,
    pub(super) scopes: &'static [&'static str],
    pub(super) parameters: &'static [&'static str],
}

/// Parameters that every method takes.
const EVERYWHERE: [&str; 10] = [
    "alt",
    "fields",
    "key",
    "prettyPrint",
    "quotaUser",
    "userIp",
    "callback",
    "uploadType",
    "upload_protocol",
    "$.xgafv",
];

const MAIL: &str = "https://mail.google.com/";
const MODIFY: &str = "https://www.googleapis.com/auth/gmail.modify";
const READ: &str = "https://www.googleapis.com/auth/gmail.readonly";
const METADATA: &str = "https://www.googleapis.com/auth/gmail.metadata";
const LABELS: &str = "https://www.googleapis.com/auth/gmail.labels";
const COMPOSE: &str = "https://www.googleapis.com/auth/gmail.compose";
const CALENDAR: &str = "https://www.googleapis.com/auth/calendar";
const CALENDAR_READ: &str = "https://www.googleapis.com/auth/calendar.readonly";
const EVENT_SCOPES: &[&str] = &[
    CALENDAR,
    CALENDAR_READ,
    "https://www.googleapis.com/auth/calendar.app.created",
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.events.freebusy",
    "https://www.googleapis.com/auth/calendar.events.owned",
    "https://www.googleapis.com/auth/calendar.events.owned.readonly",
    "https://www.googleapis.com/auth/calendar.events.public.readonly",
    "https://www.googleapis.com/auth/calendar.events.readonly",
];
const READING: &[&str] = &[MAIL, METADATA, MODIFY, READ];
const LISTING: &[&str] = &["q", "labelIds", "maxResults", "pageToken", "includeSpamTrash"];

const GMAIL: &str = "gmail.googleapis.com";
const CALENDARS: &str = "calendar-json.googleapis.com";
/// The OAuth endpoints: no bearer, no scopes.
pub(super) const OAUTH: &str = "oauth2.googleapis.com";

macro_rules! calls {
    ($($label:literal $method:literal $path:literal $service:ident $scopes:expr, $parameters:expr;)*) => {
        &[$(Call {
            label: $label,
            method: $method,
            path: $path,
            service: $service,
            scopes: $scopes,
            parameters: $parameters,
        }),*]
    };
}

static CALLS: &[Call] = calls! {
    "oauth.authorize" "GET" "/o/oauth2/v2/auth" OAUTH &[], &[];
    "oauth.token" "POST" "/token" OAUTH &[], &[];
    "oauth.revoke" "POST" "/revoke" OAUTH &[], &[];
    "gmail.batch" "POST" "/batch/gmail/v1" GMAIL &[], &[];
    "gmail.batch" "POST" "/batch" GMAIL &[], &[];
    "calendar.batch" "POST" "/batch/calendar/v3" CALENDARS &[], &[];
    "gmail.profile.get" "GET" "/gmail/v1/users/{}/profile" GMAIL &[MAIL, COMPOSE, METADATA, MODIFY, READ], &[];
    "gmail.labels.list" "GET" "/gmail/v1/users/{}/labels" GMAIL &[MAIL, LABELS, METADATA, MODIFY, READ], &[];
    "gmail.labels.get" "GET" "/gmail/v1/users/{}/labels/{}" GMAIL &[MAIL, LABELS, METADATA, MODIFY, READ], &[];
    "gmail.messages.list" "GET" "/gmail/v1/users/{}/messages" GMAIL READING, LISTING;
    "gmail.messages.get" "GET" "/gmail/v1/users/{}/messages/{}" GMAIL READING, &["format", "metadataHeaders"];
    "gmail.attachments.get" "GET" "/gmail/v1/users/{}/messages/{}/attachments/{}" GMAIL &[MAIL, MODIFY, READ], &[];
    "gmail.threads.list" "GET" "/gmail/v1/users/{}/threads" GMAIL READING, LISTING;
    "gmail.threads.get" "GET" "/gmail/v1/users/{}/threads/{}" GMAIL READING, &["format", "metadataHeaders"];
    "gmail.history.list" "GET" "/gmail/v1/users/{}/history" GMAIL READING,
        &["startHistoryId", "historyTypes", "labelId", "maxResults", "pageToken"];
    "calendar.calendar_list.list" "GET" "/calendar/v3/users/me/calendarList" CALENDARS
        &[
            CALENDAR,
            CALENDAR_READ,
            "https://www.googleapis.com/auth/calendar.calendarlist",
            "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
        ],
        &[
            "maxResults", "minAccessRole", "pageToken", "showDeleted", "showHidden", "showOwnOrganizationOnly", "syncToken",
        ];
    "calendar.events.list" "GET" "/calendar/v3/calendars/{}/events" CALENDARS EVENT_SCOPES,
        &[
            "alwaysIncludeEmail", "eventTypes", "iCalUID", "maxAttendees", "maxResults", "orderBy", "pageToken",
            "privateExtendedProperty", "q", "sharedExtendedProperty", "showDeleted", "showHiddenInvitations", "singleEvents",
            "syncToken", "timeMax", "timeMin", "timeZone", "updatedMin",
        ];
    "calendar.events.get" "GET" "/calendar/v3/calendars/{}/events/{}" CALENDARS EVENT_SCOPES,
        &["alwaysIncludeEmail", "maxAttendees", "timeZone"];
    "calendar.freebusy.query" "POST" "/calendar/v3/freeBusy" CALENDARS
        &[
            CALENDAR,
            CALENDAR_READ,
            "https://www.googleapis.com/auth/calendar.events.freebusy",
            "https://www.googleapis.com/auth/calendar.freebusy",
        ],
        &[];
};

/// Finds the call of a path.
pub(super) fn find(method: &str, path: &str) -> Option<Route> {
    CALLS.iter().find_map(|call| {
        if call.method != method {
            return None;
        }
        let mut found = Vec::new();
        let mut given = path.split('/');
        for wanted in call.path.split('/') {
            let given = given.next()?;
            if wanted == "{}" {
                let given = percent_decoded(given);
                if given.is_empty() {
                    return None;
                }
                found.push(given);
            } else if wanted != given {
                return None;
            }
        }
        given.next().is_none().then_some(Route { call, path: found })
    })
}

/// Every label, once.
pub(super) fn labels() -> impl Iterator<Item = &'static str> {
    CALLS.iter().map(|call| call.label)
}

impl Call {
    /// The first parameter that it does not take.
    pub(super) fn unknown<'a>(&self, query: &'a [(String, String)]) -> Option<&'a str> {
        query
            .iter()
            .map(|(name, _)| name.as_str())
            .find(|name| !self.parameters.contains(name) && !EVERYWHERE.contains(name))
    }
}

/// A path segment with its `%XX` decoded; `+` is a plus in a path.
fn percent_decoded(segment: &str) -> String {
    let form = segment.replace('+', "%2B");
    url::form_urlencoded::parse(form.as_bytes())
        .next()
        .map_or_else(String::new, |(name, value)| {
            if segment.contains('=') {
                format!("{name}={value}")
            } else {
                name.into_owned()
            }
        })
}

#[cfg(test)]
mod tests {
    use super::{find, labels};

    #[test]
    fn paths_are_found_and_decoded() {
        let route = find("GET", "/calendar/v3/calendars/team%40example.com/events").unwrap();
        assert_eq!(
            (route.call.label, route.path),
            ("calendar.events.list", vec!["team@example.com".to_owned()])
        );
        let route = find("GET", "/gmail/v1/users/me/messages/18c0/attachments/a%3D%3D").unwrap();
        assert_eq!(route.path, ["me", "18c0", "a=="]);
        for (method, path) in [
            ("DELETE", "/gmail/v1/users/me/messages/18c0"),
            ("GET", "/gmail/v1/users/me/messages//attachments/1"),
            ("GET", "/gmail/v2/users/me/messages"),
        ] {
            assert!(find(method, path).is_none(), "{method} {path}");
        }
        assert!(labels().count() >= 15);
    }
}
