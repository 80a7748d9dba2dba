//! One piece of work for all who wait for it.
//!
//! The work runs as a task of its own: a caller that goes away does not take it along, so that a token which Google has
//! already rotated is still stored.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use nbhd_core::error::ErrorData;
use nbhd_core::{Code, Error, Outcome, Result};

/// Work that is under way. Clones wait for the same.
#[derive(Clone)]
pub(super) struct Flight<T: Clone>(Shared<BoxFuture<'static, Result<T, Arc<ErrorData>>>>);

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// Starts `work` on the current runtime.
    pub(super) fn start(work: impl Future<Output = Result<T>> + Send + 'static) -> Self {
        let task = tokio::spawn(work);
        let ended = async move {
            match task.await {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(error)) => Err(Arc::new(error.to_data())),
                Err(_) => Err(Arc::new(
                    Error::new(
                        Code::Cancelled,
                        "the runtime ended while the token was being refreshed",
                    )
                    .with_outcome(Outcome::Unknown)
                    .to_data(),
                )),
            }
        };
        Self(ended.boxed().shared())
    }

    /// Waits for its end. Each who waits gets the same value or the same error.
    pub(super) async fn wait(self) -> Result<T> {
        self.0.await.map_err(|data| again(&data))
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.0.peek().is_some()
    }
}

/// The same error once more: an error has one owner, and a failed refresh has as many as were waiting.
fn again(data: &ErrorData) -> Error {
    let mut error = Error::new(data.code, &data.message)
        .with_outcome(data.outcome)
        .with_retryable(data.retryable)
        .with_user_action(&data.user_action);
    if let Some(wait) = data
        .retry_after
        .and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok())
    {
        error = error.with_retry_after(wait);
    }
    if let Some(provider) = &data.provider {
        error = error.with_provider(provider);
    }
    if let Some(status) = data.provider_status {
        error = error.with_provider_status(status);
    }
    if let Some(reason) = &data.provider_reason {
        error = error.with_provider_reason(reason);
    }
    if let Some(id) = &data.request_id {
        error = error.with_request_id(id);
    }
    if let Some(details) = &data.details {
        error = error.with_details(details.clone());
    }
    error
}
