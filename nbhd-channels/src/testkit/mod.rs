//! Strict stand-ins for channels, in-process and on loopback: for tests of this suite and of its users.
//!
//! They refuse what the real platform refuses, and rather more than less; what they accepted can be read back, doubles visible.

mod telegram;

pub use telegram::{Call as TelegramCall, SentMessage, Telegram};
