//! A stateful Google that runs in-process: for tests of this suite and of its users, and for the demo.

mod mailbox;

pub use mailbox::{
    FILE_LIMIT, FILES_LIMIT, MESSAGE_LIMIT, MESSAGES_LIMIT, MailSource, Mailbox, MailboxReport, SkippedMail,
    StoredMessage,
};
