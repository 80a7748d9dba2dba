//! The methods of Gmail that we call: the scopes that each accepts and what it costs.
//!
//! Units are those of the table for new projects (since 2026-05-01): 6,000 a minute and user.
//! <https://developers.google.com/workspace/gmail/api/reference/quota>

use crate::credentials::{GMAIL_READONLY, Method};

const READ: &[&str] = &["https://mail.google.com/", "gmail.modify", "gmail.readonly"];
const READ_METADATA: &[&str] = &[
    "https://mail.google.com/",
    "gmail.metadata",
    "gmail.modify",
    "gmail.readonly",
];

/// `messages.list` without a query.
pub(crate) const LIST: Method = Method {
    label: "gmail.messages.list",
    id: "gmail.users.messages.list",
    scopes: READ_METADATA,
    ask: GMAIL_READONLY,
    units: 5,
};

/// `messages.list` with a query, which a grant of `gmail.metadata` alone does not pass.
pub(crate) const SEARCH: Method = Method { scopes: READ, ..LIST };

/// `messages.get` with `format=metadata`.
pub(crate) const GET_METADATA: Method = Method {
    label: "gmail.messages.get",
    id: "gmail.users.messages.get",
    scopes: READ_METADATA,
    ask: GMAIL_READONLY,
    units: 20,
};

/// `messages.get` with `format=full`, which a grant of `gmail.metadata` alone does not pass.
pub(crate) const GET_FULL: Method = Method {
    scopes: READ,
    ..GET_METADATA
};

/// `messages.attachments.get`, for text that did not come with its message.
pub(crate) const ATTACHMENT: Method = Method {
    label: "gmail.attachments.get",
    id: "gmail.users.messages.attachments.get",
    scopes: READ,
    ask: GMAIL_READONLY,
    units: 20,
};

/// All of them, for the comparison with the discovery document.
#[cfg(test)]
pub(crate) const ALL: &[&Method] = &[&LIST, &SEARCH, &GET_METADATA, &GET_FULL, &ATTACHMENT];
