//! The order of the layers, in one function.

use std::sync::Arc;

use super::attempt::Recorded;
use super::auth::Authorized;
use super::guard::Guard;
use super::permit::Paid;
use super::retry::Retry;
use super::trace::Traced;
use super::{Authorize, Classify, HostRule, Permits, RetryPolicy, Transport};
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
    /// The hosts that requests may go to; every public one unless set.
    pub allowed_hosts: Option<Vec<HostRule>>,
}

impl Default for Layers {
    fn default() -> Self {
        Self {
            retry: Some(RetryPolicy::default()),
            permits: None,
            authorize: None,
            classify: None,
            allowed_hosts: None,
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

    /// Sets the hosts that requests may go to.
    pub fn with_allowed_hosts(mut self, rules: impl IntoIterator<Item = HostRule>) -> Self {
        self.allowed_hosts = Some(rules.into_iter().collect());
        self
    }

    /// Sets what turns a refusal into an error.
    pub fn with_classify(mut self, classify: Arc<dyn Classify>) -> Self {
        self.classify = Some(classify);
        self
    }
}

/// The layers of a client around the host's socket. This function is the order.
///
/// `send` through a stack returns an error for every reply that is no success: not 2xx, with two exceptions that are answers (304
/// to a conditional request, 308 without a place to a piece of an upload). It fits behind one client: the retry budget is
/// per stack.
pub fn stack(host: &Host, layers: Layers) -> Arc<dyn Transport> {
    let Layers {
        retry,
        permits,
        authorize,
        classify,
        allowed_hosts,
    } = layers;
    let mut inner: Arc<dyn Transport> = host.socket().clone();
    inner = Arc::new(Traced { inner });
    inner = Arc::new(Recorded { inner });
    inner = Arc::new(Guard {
        allowed: allowed_hosts,
        inner,
    });
    if let Some(authorize) = authorize {
        let permits = permits.clone();
        inner = Arc::new(Authorized {
            authorize,
            permits,
            inner,
        });
    }
    // The breaker's place is here: inside the permit, so that what it refuses was not paid for in vain, outside auth,
    // so that a refresh is not counted against the provider.
    if let Some(permits) = permits {
        inner = Arc::new(Paid { permits, inner });
    }
    Arc::new(Retry::new(retry, classify, inner))
}
