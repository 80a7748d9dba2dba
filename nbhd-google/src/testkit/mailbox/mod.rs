//! A mailbox from files: an mbox (a Google Takeout export), a Maildir, a single message, or a folder of these.

#[cfg(test)]
mod corpus;
mod format;
mod labels;
mod load;
mod mbox;
mod message;
mod shift;
mod thread;

pub use load::{
    FILE_LIMIT, FILES_LIMIT, MESSAGE_LIMIT, MESSAGES_LIMIT, MailSource, Mailbox, MailboxReport, SkippedMail,
};
pub use message::StoredMessage;
pub(crate) use message::{content_id, fnv};
