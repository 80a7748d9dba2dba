//! Which Rust types are handles, and every name that is on purpose not in all three languages, with its reason.

use super::rust::Handle;

/// The handles, and where Rust has them. A class of Python or Node that is not here is a violation.
pub(super) const HANDLES: &[Handle] = &[
    handle("Host", "Host", "nbhd-core/src/host.rs"),
    handle("Secret", "Secret", "nbhd-core/src/secret"),
    handle("Inbox", "Inbox", "nbhd-core/src/inbox"),
    handle("Work", "Work", "nbhd-core/src/inbox"),
    handle("Google", "Google", "nbhd-google/src/google.rs"),
    handle("Account", "Account", "nbhd-google/src/account.rs"),
    handle("AccessToken", "AccessToken", "nbhd-google/src/broker"),
    handle("Gmail", "Gmail", "nbhd-google/src/gmail"),
    handle("Calendar", "Calendar", "nbhd-google/src/calendar"),
    handle("Router", "Router", "nbhd-llm/src/router"),
    handle("Stream", "ChatStream", "nbhd-llm/src/router"),
    handle("Telegram", "Telegram", "nbhd-channels/src/telegram"),
    handle("testkit.Clock", "FakeClock", "nbhd-core/src/clock.rs"),
    handle("testkit.Script", "Script", "nbhd-core/src/testkit/script.rs"),
    handle("testkit.Google", "GoogleStandIn", "nbhd-google/src/testkit"),
    handle("testkit.Models", "ModelStandIn", "nbhd-llm/src/testkit"),
    handle("testkit.Telegram", "Telegram", "nbhd-channels/src/testkit"),
    handle("", "brief", "nbhd-google/src/brief"),
];

const fn handle(name: &'static str, rust: &'static str, room: &'static str) -> Handle {
    Handle { name, rust, room }
}

/// What another language calls by another word.
pub(super) const RENAMED: &[(&str, &str)] = &[
    ("brief::build", "build_brief"),
    ("brief::validate", "validate_brief"),
    ("Inbox.next", "Inbox.work"),
];

/// A name that is on purpose not everywhere.
pub(super) struct Hole {
    pub(super) name: &'static str,
    /// The languages that lack it, joined by " and ".
    pub(super) missing: &'static str,
    pub(super) reason: &'static str,
}

pub(super) const HOLES: &[Hole] = &[];
