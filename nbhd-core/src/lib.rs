//! What every nbhd client needs, once: transport, errors, secrets, store, inbox, outbox and limits.
//!
//! It names no vendor. Start at [`Host`]: what the program around us provides.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::panic, clippy::unreachable))]

pub mod audit;
pub mod clock;
pub mod error;
pub mod generation;
pub mod http;
pub mod id;
pub mod inbox;
pub mod limit;
pub mod listener;
pub mod outbox;
pub mod page;
pub mod queue;
pub mod receipt;
pub mod secret;
pub mod secure;
pub mod store;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod tokens;
pub mod transport;
pub mod vault;
pub mod window;

mod host;
mod operation;

pub use clock::{Clock, Timestamp};
pub use error::{Code, Error, Outcome, Result};
pub use host::{Host, HostBuilder};
pub use operation::{DEADLINE, Operation};
pub use page::Page;
pub use receipt::Receipt;
pub use secret::Secret;
