//! How a request reaches the other side: one trait, one file a layer, one function for their order.
//!
//! Outermost first: `retry` → `permit` → `breaker` → `auth` → `guard` → `attempt` → `trace` → `socket`.

mod auth;
mod classify;
mod failure;
mod permit;
mod retry;
mod socket;
mod stack;

use std::fmt::Debug;

use async_trait::async_trait;

use crate::http::{Request, Response};
use crate::{Operation, Result};

pub use auth::Authorize;
pub use classify::{Classify, Refusal, by_status};
pub use permit::{Permit, Permits};
pub use retry::RetryPolicy;
pub use socket::Socket;
pub use stack::{Layers, stack};

/// Sends one request within an operation. Every layer is a `Transport` around another `Transport`.
#[async_trait]
pub trait Transport: Send + Sync + Debug {
    /// Sends `request`; the reply's head is here when this returns, its body comes as it is read.
    async fn send(&self, operation: &Operation, request: Request) -> Result<Response>;
}
