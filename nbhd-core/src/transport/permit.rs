//! The rate gate: each attempt pays before it goes out.

use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;

use super::Transport;
use crate::http::{HeaderMap, Request, Response, StatusCode};
use crate::{Operation, Result};

/// A rate gate. Several clients may share one; see [`Gate`](crate::limit::Gate).
#[async_trait]
pub trait Permits: Send + Sync + Debug {
    /// Waits, within the operation's deadline, until `units` may be spent.
    async fn acquire(&self, operation: &Operation, units: u32) -> Result<Permit>;
}

type Complete = dyn FnOnce(StatusCode, &HeaderMap) + Send;

/// What an attempt paid. It lives until the reply's body has ended or was dropped; without a reply it stays paid in full.
pub struct Permit {
    complete: Option<Box<Complete>>,
    held: Option<Box<dyn Send>>,
}

impl Permit {
    /// A permit that tells `complete` what the reply's head said.
    pub fn new(complete: impl FnOnce(StatusCode, &HeaderMap) + Send + 'static) -> Self {
        Self {
            complete: Some(Box::new(complete)),
            held: None,
        }
    }

    /// Adds what is given back when the permit ends, such as a place among a number of concurrent requests.
    pub fn holding(mut self, held: impl Send + 'static) -> Self {
        self.held = Some(Box::new(held));
        self
    }

    /// Tells the gate what the other side said of its limits.
    pub fn complete(&mut self, status: StatusCode, headers: &HeaderMap) {
        if let Some(complete) = self.complete.take() {
            complete(status, headers);
        }
    }
}

impl Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

/// Pays for each attempt.
#[derive(Debug)]
pub(super) struct Paid {
    pub(super) permits: Arc<dyn Permits>,
    pub(super) inner: Arc<dyn Transport>,
}

#[async_trait]
impl Transport for Paid {
    async fn send(&self, operation: &Operation, request: Request) -> Result<Response> {
        pay(&*self.permits, &*self.inner, operation, request).await
    }
}

/// Sends `request` with a permit of its own. A gate that gave up has waited already: nobody repeats it.
pub(super) async fn pay(
    permits: &dyn Permits,
    inner: &dyn Transport,
    operation: &Operation,
    request: Request,
) -> Result<Response> {
    let mut permit = permits
        .acquire(operation, request.units)
        .await
        .map_err(crate::Error::settled)?;
    let reply = inner.send(operation, request).await?;
    permit.complete(reply.status, &reply.headers);
    Ok(reply.map_body(|mut body| {
        Box::pin(futures::stream::poll_fn(move |context| {
            let _ = &permit; // it ends with the body
            body.poll_next_unpin(context)
        }))
    }))
}
