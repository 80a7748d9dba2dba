//! The way in: verify → read → claim and store in the inbox → acknowledge, in that order.
//!
//! Nothing is read before it is verified: a reader takes only [`Verified`] bytes, and only a verifier makes those.

mod receive;
mod verify;
mod webhook;

pub use receive::{BODY_LIMIT, receive};
pub use verify::{Verified, shared_secret};
pub use webhook::{Reply, Webhook};
