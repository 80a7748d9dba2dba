//! The chat completions protocol of OpenAI, and every provider that speaks it with quirks of its own.
//!
//! One row of [`compatible`] says what a provider does differently; the code has no other place for that.
//! See <https://platform.openai.com/docs/api-reference/chat>.

mod assemble;
mod compatible;
mod config;
mod convert;
mod error;
mod gather;
mod lenient;
mod stream;
mod toolid;
mod usage;
mod wire;

pub use compatible::{Row, row, rows};
pub use config::OpenAi;
