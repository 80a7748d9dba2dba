//! Gmail: cards of many messages, one message with its body.
//!
//! Wire: Gmail v1, <https://developers.google.com/workspace/gmail/api/reference/rest>. A list costs one request for the ids and
//! one batch for each 25 cards; parts of a batch that fail are fetched again by themselves.

mod batch;
mod cards;
mod client;
mod convert;
mod list;
mod message;
mod method;
mod request;
mod wire;

pub use client::Gmail;
pub use list::ListMessages;
pub use message::{Message, MessageCard};

#[cfg(test)]
pub(crate) use method::{ALL as METHODS, GET_FULL, LIST, SEARCH};
#[cfg(test)]
pub(crate) use request::samples;
