//! A Bot API on loopback. It speaks JSON, form and multipart, like the real one, so official clients drive it too.
//!
//! Stricter than the real one: more than 100 entities, overlapping ones and code within emphasis are refused here,
//! where the real one mends or ignores them. The old `Markdown` mode is not there. <https://core.telegram.org/bots/api>

mod entity;
mod html;
mod markdown;
mod methods;
mod parameters;
mod server;
mod state;
#[cfg(test)]
mod tests;

pub use server::{Call, Telegram};
pub use state::SentMessage;
