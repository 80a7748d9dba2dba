//! The credential: put on the request in the last moment, refreshed once when the other side says 401.
//!
//! The replay after a refresh is not a retry, but it is an attempt: it pays at the gate like every other.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::Transport;
use super::permit::{Permits, pay};
use crate::http::{Authorization, Request, Response, StatusCode};
use crate::{Code, Error, Operation, Result};

/// What knows the credential of a client.
#[async_trait]
pub trait Authorize: Send + Sync + Debug {
    /// The credential for the next request.
    async fn authorization(&self, operation: &Operation) -> Result<Authorization>;

    /// The other side said 401 to `used`: a fresh credential to replay the request with once, or `None` when there is none.
    async fn rejected(&self, operation: &Operation, used: &Authorization) -> Result<Option<Authorization>>;
}

/// Puts the credential on requests that carry none. What it asks for has attempts of its own, so its failures are final.
#[derive(Debug)]
pub(super) struct Authorized {
    pub(super) authorize: Arc<dyn Authorize>,
    pub(super) permits: Option<Arc<dyn Permits>>,
    pub(super) inner: Arc<dyn Transport>,
}

#[async_trait]
impl Transport for Authorized {
    async fn send(&self, operation: &Operation, request: Request) -> Result<Response> {
        if !matches!(request.authorization, Authorization::None) {
            return self.inner.send(operation, request).await;
        }
        let used = self
            .authorize
            .authorization(operation)
            .await
            .map_err(Error::settled)?;
        let authorized = request.clone().with_authorization(used.clone());
        let mut reply = self.inner.send(operation, authorized).await?;
        if reply.status != StatusCode::UNAUTHORIZED {
            return Ok(reply);
        }
        let fresh = match self.authorize.rejected(operation, &used).await {
            Ok(Some(fresh)) => fresh,
            Ok(None) => return Ok(reply),
            Err(error) => {
                reply.found(Code::Unauthenticated);
                return Err(error.settled());
            }
        };
        reply.found(Code::Unauthenticated);
        let headers = std::mem::take(&mut reply.headers);
        drop(reply); // ends the first attempt before the second begins
        if let Some(payment) = &request.payment {
            payment.end(StatusCode::UNAUTHORIZED, &headers);
        }
        let replay = request.with_authorization(fresh);
        match &self.permits {
            Some(permits) => pay(&**permits, &*self.inner, operation, replay).await,
            None => self.inner.send(operation, replay).await,
        }
    }
}
