//! The credential: put on the request in the last moment, refreshed once when the other side says 401.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::http::Authorization;
use crate::{Operation, Result};

/// What knows the credential of a client.
#[async_trait]
pub trait Authorize: Send + Sync + Debug {
    /// The credential for the next request.
    async fn authorization(&self, operation: &Operation) -> Result<Authorization>;

    /// The other side said 401 to `used`: a fresh credential to replay the request with once, or `None` when there is none.
    async fn rejected(&self, operation: &Operation, used: &Authorization) -> Result<Option<Authorization>>;
}
