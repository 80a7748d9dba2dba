//! An in-process model router with budgets that cannot be overspent.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::panic, clippy::unreachable))]

pub mod budget;
pub mod chat;
pub mod openai;
pub mod price;
pub mod provider;
pub mod registry;
pub mod router;
#[cfg(feature = "testkit")]
pub mod testkit;

pub use chat::Chat;
pub use router::{ChatStream, Router, RouterConfig};
