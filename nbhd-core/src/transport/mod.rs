//! How a request reaches the other side: one trait, one file a layer, one function for their order.
//!
//! Outermost first: `retry` → `permit` → `breaker` → `auth` → `guard` → `attempt` → `trace` → `socket`.

mod address;
mod attempt;
mod auth;
mod breaker;
mod conceal;
mod failure;
mod guard;
mod host_rule;
mod permit;
mod place;
mod progress;
mod redirect;
mod refusal;
mod resolve;
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
pub use breaker::{BreakerPolicy, BreakerPosition, BreakerState, Breakers};
pub(crate) use conceal::Concealed;
pub(crate) use guard::is_loopback;
pub use host_rule::HostRule;
pub use permit::{Payment, Permit, Permits};
pub use redirect::REDIRECTS;
pub use refusal::{Classify, Refusal, by_status};
pub use resolve::{Resolver, SystemResolver};
pub use retry::{RetryBudget, RetryPolicy};
pub use retry_after::{parse_retry_after, retry_after};
pub use socket::Socket;
pub use stack::{Layers, stack};

/// Sends one request within an operation. Every layer is a `Transport` around another `Transport`.
#[async_trait]
pub trait Transport: Send + Sync + Debug {
    /// Sends `request`; the reply's head is here when this returns, its body comes as it is read.
    async fn send(&self, operation: &Operation, request: Request) -> Result<Response>;
}
