//! How a request reaches the other side: one trait, one file a layer, one function for their order.
//!
//! Outermost first: `retry` → `permit` → `breaker` → `auth` → `guard` → `attempt` → `trace` → `socket`.

mod attempt;
mod auth;
mod failure;
mod guard;
mod permit;
mod progress;
mod refusal;
mod retry;
mod retry_after;
mod socket;
mod stack;
mod trace;

use std::fmt::Debug;

use async_trait::async_trait;

use crate::http::{Request, Response};
use crate::{Operation, Result};

pub(crate) use attempt::Verdict;
pub use auth::Authorize;
pub use guard::HostRule;
pub use permit::{Permit, Permits};
pub use refusal::{Classify, Refusal, by_status};
pub use retry::RetryPolicy;
pub use retry_after::{parse_retry_after, retry_after};
pub use socket::Socket;
pub use stack::{Layers, stack};

/// Sends one request within an operation. Every layer is a `Transport` around another `Transport`.
#[async_trait]
pub trait Transport: Send + Sync + Debug {
    /// Sends `request`; the reply's head is here when this returns, its body comes as it is read.
    async fn send(&self, operation: &Operation, request: Request) -> Result<Response>;
}
