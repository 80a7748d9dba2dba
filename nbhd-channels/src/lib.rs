//! Messaging channels behind one adapter: nothing accepted is lost, nothing is blindly sent twice.
//!
//! ```no_run
//! use nbhd_channels::{Message, Telegram, TelegramConfig};
//! use nbhd_core::{Host, Outcome, Secret};
//!
//! # async fn run(headers: http::HeaderMap, body: &[u8]) -> nbhd_core::Result<()> {
//! let host = Host::new("sqlite:nbhd.db")?;
//! let config = TelegramConfig::new(Secret::env("TELEGRAM_BOT_TOKEN")).with_webhook_secret(Secret::env("TELEGRAM_SECRET"));
//! let telegram = Telegram::new(&host, config)?;
//!
//! // A web view: verified, claimed and stored before the answer.
//! let reply = telegram.receive(&headers, body).await?;
//! println!("answer {} with {:?}", reply.status, reply.body);
//!
//! match telegram.send(Message::markdown("42", "**Done.**").with_key("answer:42")).await {
//!     Ok(delivery) => println!("{} parts", delivery.parts.len()),
//!     Err(error) if error.outcome() == Outcome::Unknown => println!("it may have arrived: {:?}", error.delivery()),
//!     Err(error) => return Err(error),
//! }
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::panic, clippy::unreachable))]

pub mod channel;
pub mod ingress;
pub mod message;
pub mod registry;
pub mod telegram;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod text;

pub use channel::{Capabilities, Channel, Probe};
pub use ingress::Reply;
pub use message::{Conversation, Delivery, InboundEvent, Message};
pub use telegram::{Telegram, TelegramConfig};
