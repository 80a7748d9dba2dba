//! A message as it arrives, Gmail's `full` payload or raw bytes, becomes text that an assistant can use.
//!
//! Pure functions: no I/O, no clock, no panic on any input, linear time. Both ways build the same tree of parts
//! (`part`) and pick the body from it by the same rules, so that a message reads the same either way.
//! Everything in the results was written by somebody outside: see [`Trust`].
//!
//! ```
//! let raw = b"From: Ada <ada@example.com>\r\nSubject: Lunch\r\n\r\nAt noon?\r\n\r\nOn Mon, Bob wrote:\r\n> When?\r\n";
//! let message = nbhd_google::mime::from_raw(raw)?;
//! assert_eq!(message.header.subject.as_deref(), Some("Lunch"));
//! assert_eq!(message.body.text, "At noon?");
//! assert_eq!(message.body.quoted.as_deref(), Some("On Mon, Bob wrote:\n> When?"));
//! # Ok::<(), nbhd_core::Error>(())
//! ```

mod charset;
mod flowed;
mod header;
mod html;
mod invitation;
mod message;
mod part;
mod payload;
mod quote;
mod raw;
mod steps;
mod transfer;

#[cfg(feature = "testkit")]
mod gmail_payload;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod hostile;

#[cfg(feature = "testkit")]
pub use gmail_payload::to_gmail_payload;
pub use html::html_to_text;
pub use message::{
    Address, Attachment, BodyOptions, Forwarded, Invitation, MessageHeader, MessageText, ParsedMessage,
    TextSource, Trust,
};
pub use payload::from_gmail_json;
#[allow(
    unused_imports,
    reason = "the Gmail client takes these as soon as it decodes bodies"
)]
pub(crate) use payload::{MessagePart, PartBody, PartHeader, from_payload, header_of};
pub use quote::{SplitText, split_reply};
pub use raw::{from_raw, from_raw_with, part_bytes};
