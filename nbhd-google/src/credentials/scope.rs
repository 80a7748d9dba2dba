//! Which grant passes which call, decided before anything is sent.
//!
//! The accepted scopes of each method are those of Google's discovery documents (a test compares them). A grant passes
//! when one of its scopes is accepted or covers an accepted one.

use nbhd_core::http::Url;
use nbhd_core::{Code, Error, Outcome, Result};
use serde_json::json;

/// Read mail.
pub const GMAIL_READONLY: &str = "https://www.googleapis.com/auth/gmail.readonly";
/// Read calendars.
pub const CALENDAR_READONLY: &str = "https://www.googleapis.com/auth/calendar.readonly";
/// What an assistant that only reads asks for; the default of the consent page.
pub const READ_ONLY: &[&str] = &[GMAIL_READONLY, CALENDAR_READONLY];

/// The old scope of everything in Gmail.
const MAIL: &str = "https://mail.google.com/";
const PREFIX: &str = "https://www.googleapis.com/auth/";

/// A method of Google's, with what a call of it needs.
#[derive(Debug)]
pub(crate) struct Method {
    /// Our word for it, in receipts and faults.
    pub(crate) label: &'static str,
    /// Google's word for it, in its discovery documents.
    #[cfg_attr(
        not(test),
        allow(dead_code, reason = "it ties the table to the documents, in tests")
    )]
    pub(crate) id: &'static str,
    /// The scopes of which one is needed, without the common prefix.
    pub(crate) scopes: &'static [&'static str],
    /// The narrowest scope to ask for when none is granted.
    pub(crate) ask: &'static str,
    /// What one call costs, in quota units of its service.
    pub(crate) units: u32,
}

/// Where missing scopes are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Consent<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) page: &'a Url,
}

/// Refuses with `insufficient_scope` when nothing of `granted` passes `method`.
///
/// Nothing was sent then. The details name what is missing and the parameters of a consent page that grants it.
pub(crate) fn guard(granted: &[String], method: &Method, consent: Consent<'_>) -> Result<()> {
    let passes = granted.iter().any(|scope| {
        method
            .scopes
            .iter()
            .any(|accepted| covers(scope, &full(accepted)))
    });
    if passes {
        return Ok(());
    }
    let mut wanted: Vec<&str> = granted.iter().map(String::as_str).collect();
    wanted.push(method.ask);
    Err(Error::new(
        Code::InsufficientScope,
        format!(
            "the grant does not cover {}: {} is missing",
            method.label, method.ask
        ),
    )
    .with_outcome(Outcome::NotSent)
    .with_provider("google")
    .with_details(json!({
        "missing": [method.ask],
        "granted": granted,
        "consent": {
            "endpoint": consent.page.as_str(),
            "client_id": consent.client_id,
            "response_type": "code",
            "access_type": "offline",
            "prompt": "consent",
            // Old, wider grants must not come back silently with a read-only request, so the wanted ones are spelled out.
            "include_granted_scopes": "false",
            "scope": wanted.join(" "),
        },
    })))
}

/// A scope in full: the table leaves the common prefix out.
pub(crate) fn full(scope: &str) -> String {
    if scope.contains("://") {
        scope.to_owned()
    } else {
        format!("{PREFIX}{scope}")
    }
}

/// Whether a grant of `granted` does everything that `wanted` does.
fn covers(granted: &str, wanted: &str) -> bool {
    if granted == wanted {
        return true;
    }
    let Some(wanted) = wanted.strip_prefix(PREFIX) else {
        return false;
    };
    if granted == MAIL {
        return wanted.starts_with("gmail.");
    }
    // The feeds of the first Calendar API: the scope still stands in old grants and means all of Calendar.
    if matches!(
        granted,
        "https://www.google.com/calendar/feeds/" | "https://www.google.com/calendar/feeds"
    ) {
        return wanted == "calendar" || wanted.starts_with("calendar.");
    }
    match granted.strip_prefix(PREFIX) {
        Some("gmail.modify") => matches!(
            wanted,
            "gmail.readonly"
                | "gmail.metadata"
                | "gmail.compose"
                | "gmail.send"
                | "gmail.insert"
                | "gmail.labels"
        ),
        Some("gmail.readonly") => wanted == "gmail.metadata",
        Some("gmail.compose") => wanted == "gmail.send",
        Some("calendar") => wanted.starts_with("calendar."),
        Some("calendar.readonly") => matches!(
            wanted,
            "calendar.events.readonly"
                | "calendar.events.owned.readonly"
                | "calendar.events.public.readonly"
                | "calendar.events.freebusy"
                | "calendar.freebusy"
                | "calendar.calendarlist.readonly"
                | "calendar.settings.readonly"
        ),
        Some("calendar.events") => matches!(
            wanted,
            "calendar.events.readonly" | "calendar.events.owned" | "calendar.events.owned.readonly"
        ),
        Some("calendar.calendarlist") => wanted == "calendar.calendarlist.readonly",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use nbhd_core::Code;

    use nbhd_core::{Error, http::Url};

    use super::{CALENDAR_READONLY, Consent, GMAIL_READONLY, MAIL, Method, covers, full};
    use crate::{calendar, gmail};

    fn guard(granted: &[String], method: &Method, client_id: &str) -> Result<(), Error> {
        let page = Url::parse("https://accounts.google.com/o/oauth2/v2/auth").unwrap();
        super::guard(
            granted,
            method,
            Consent {
                client_id,
                page: &page,
            },
        )
    }

    fn granted(scopes: &[&str]) -> Vec<String> {
        scopes.iter().map(|scope| full(scope)).collect()
    }

    #[test]
    fn a_grant_passes_what_it_covers_and_nothing_else() {
        let list = &gmail::LIST;
        let events = &calendar::EVENTS;
        for scopes in [
            &["gmail.readonly"][..],
            &["gmail.modify"],
            &[MAIL],
            &["openid", "gmail.readonly"],
        ] {
            assert!(guard(&granted(scopes), list, "id").is_ok(), "{scopes:?}");
            assert_eq!(
                guard(&granted(scopes), events, "id").unwrap_err().code(),
                Code::InsufficientScope
            );
        }
        for scopes in [
            &["calendar.readonly"][..],
            &["calendar"],
            &["https://www.google.com/calendar/feeds/"],
        ] {
            assert!(guard(&granted(scopes), events, "id").is_ok(), "{scopes:?}");
        }
        // A grant of Tasks alone passes no Gmail call, nor does one that only sends.
        for scopes in [&["tasks"][..], &["gmail.send"], &[], &["gmail.readonlyx"]] {
            assert_eq!(
                guard(&granted(scopes), list, "id").unwrap_err().code(),
                Code::InsufficientScope,
                "{scopes:?}"
            );
        }
    }

    #[test]
    fn what_is_missing_can_be_asked_for() {
        let error = guard(&granted(&["calendar.readonly"]), &gmail::GET_FULL, "client").unwrap_err();
        let details = error.details().unwrap();
        assert_eq!(details["missing"], serde_json::json!([GMAIL_READONLY]));
        assert_eq!(
            details["consent"]["scope"],
            format!("{CALENDAR_READONLY} {GMAIL_READONLY}")
        );
        assert_eq!(details["consent"]["client_id"], "client");
    }

    #[test]
    fn metadata_alone_reads_no_body_and_searches_nothing() {
        let metadata = granted(&["gmail.metadata"]);
        assert!(guard(&metadata, &gmail::LIST, "id").is_ok());
        assert!(guard(&metadata, &gmail::SEARCH, "id").is_err());
        assert!(guard(&metadata, &gmail::GET_FULL, "id").is_err());
    }

    #[test]
    fn the_legacy_supersets() {
        assert!(covers(&full("gmail.modify"), GMAIL_READONLY));
        assert!(covers(MAIL, GMAIL_READONLY));
        assert!(covers(&full("calendar"), CALENDAR_READONLY));
        assert!(!covers(GMAIL_READONLY, &full("gmail.modify")));
        assert!(!covers(&full("calendar.readonly"), &full("calendar")));
    }
}
