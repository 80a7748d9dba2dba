//! The rate gate: each attempt pays before it goes out.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::http::{HeaderMap, StatusCode};
use crate::{Operation, Result};

/// A rate gate. Several clients may share one.
#[async_trait]
pub trait Permits: Send + Sync + Debug {
    /// Waits, within the operation's deadline, until `units` may be spent.
    async fn acquire(&self, operation: &Operation, units: u32) -> Result<Permit>;
}

/// What an attempt paid. Completed with the reply; dropped without one it stays paid in full.
pub struct Permit(Option<Box<dyn FnOnce(StatusCode, &HeaderMap) + Send>>);

impl Permit {
    /// A permit that tells `complete` what the reply said.
    pub fn new(complete: impl FnOnce(StatusCode, &HeaderMap) + Send + 'static) -> Self {
        Self(Some(Box::new(complete)))
    }

    /// Tells the gate what the other side said of its limits.
    pub fn complete(mut self, status: StatusCode, headers: &HeaderMap) {
        if let Some(complete) = self.0.take() {
            complete(status, headers);
        }
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Permit")
    }
}
