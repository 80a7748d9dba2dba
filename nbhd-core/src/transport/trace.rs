//! Events for whoever listens with `tracing`: what was asked, of whom, and what came. Never a URL, a body or a header's value.

use std::sync::Arc;

use async_trait::async_trait;

use super::Transport;
use crate::http::{Request, Response};
use crate::{Operation, Result};

/// Tells of each attempt, at level `debug` under the target `nbhd::http`.
#[derive(Debug)]
pub(super) struct Traced {
    pub(super) inner: Arc<dyn Transport>,
}

#[async_trait]
impl Transport for Traced {
    async fn send(&self, operation: &Operation, request: Request) -> Result<Response> {
        if !tracing::enabled!(target: "nbhd::http", tracing::Level::DEBUG) {
            return self.inner.send(operation, request).await;
        }
        let label = request.label;
        let host = request.url.host_str().unwrap_or_default().to_owned();
        let clock = operation.host().clock();
        let started = clock.monotonic();
        let result = self.inner.send(operation, request).await;
        let seconds = clock.monotonic().saturating_sub(started).as_secs_f64();
        match &result {
            Ok(reply) => tracing::debug!(
                target: "nbhd::http",
                operation = operation.name(),
                label,
                host,
                status = reply.status.as_u16(),
                seconds,
                "reply"
            ),
            Err(error) => tracing::debug!(
                target: "nbhd::http",
                operation = operation.name(),
                label,
                host,
                code = error.code().name(),
                outcome = error.outcome().name(),
                seconds,
                "no reply"
            ),
        }
        result
    }
}
