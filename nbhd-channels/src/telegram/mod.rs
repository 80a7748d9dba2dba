//! Telegram bots, by the Bot API.
//!
//! Text goes out with entities, which the server cannot fail to parse; updates come in by webhook. A message has no
//! idempotency key on their side, so a part whose reply was lost stays `unknown`.
//! <https://core.telegram.org/bots/api>

mod bot;
mod config;
mod inbound;
mod outbound;
mod refusal;
mod render;
mod wire;

pub use bot::{Telegram, capabilities};
pub use config::TelegramConfig;
pub use render::{Entity, entities, html};
