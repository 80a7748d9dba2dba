//! The order of the layers, in one function.

use std::sync::Arc;

use super::attempt::Recorded;
use super::auth::Authorized;
use super::breaker::Broken;
use super::conceal::{Cleaned, Concealed};
use super::guard::{Guard, Reach};
use super::permit::Paid;
use super::retry::Retry;
use super::trace::Traced;
use super::{Authorize, Classify, HostRule, Permits, RetryBudget, RetryPolicy, Transport};
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
    /// Whether requests may go to this machine, over http too. True: base URLs are https or loopback.
    pub loopback: bool,
    /// How many redirects are followed. 0: one is refused.
    pub redirects: u32,
    /// Whether the host's breakers stand before the origins. True, except for who keeps the health of the other side in another way.
    pub breaker: bool,
    /// The retry budget, when several stacks share one; a new one of the policy's size unless set.
    pub budget: Option<RetryBudget>,
    /// Whether replies of any status are answers, and none of them is repeated.
    pub any_status: bool,
    /// What is taken out of replies before anybody sees them.
    pub(crate) conceal: Option<Arc<Concealed>>,
}

impl Default for Layers {
    fn default() -> Self {
        Self {
            retry: Some(RetryPolicy::default()),
            permits: None,
            authorize: None,
            classify: None,
            allowed_hosts: None,
            loopback: true,
            redirects: 0,
            breaker: true,
            budget: None,
            any_status: false,
            conceal: None,
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

    /// Sets whether requests may go to this machine.
    pub fn with_loopback(mut self, allowed: bool) -> Self {
        self.loopback = allowed;
        self
    }

    /// Sets how many redirects are followed, each checked like the request itself.
    pub fn with_redirects(mut self, hops: u32) -> Self {
        self.redirects = hops;
        self
    }

    /// Takes the breakers away: for callers that keep the health of the other side themselves.
    pub fn without_breaker(mut self) -> Self {
        self.breaker = false;
        self
    }

    /// Shares a retry budget with other stacks.
    pub fn with_budget(mut self, budget: RetryBudget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Takes replies of any status for answers.
    pub fn with_any_status(mut self, any: bool) -> Self {
        self.any_status = any;
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
/// per stack unless shared.
pub fn stack(host: &Host, layers: Layers) -> Arc<dyn Transport> {
    let mut inner: Arc<dyn Transport> = host.socket().clone();
    if let Some(concealed) = layers.conceal {
        inner = Arc::new(Cleaned { concealed, inner });
    }
    inner = Arc::new(Traced { inner });
    inner = Arc::new(Recorded { inner });
    let reach = Reach {
        allowed: layers.allowed_hosts,
        loopback: layers.loopback,
        private: host.private_hosts().clone(),
        redirects: layers.redirects,
    };
    let permits = layers.permits.clone();
    inner = Arc::new(Guard {
        reach,
        permits,
        inner,
    });
    if let Some(authorize) = layers.authorize {
        let permits = layers.permits.clone();
        inner = Arc::new(Authorized {
            authorize,
            permits,
            inner,
        });
    }
    // Inside the permit, so that who waits for one learns of a provider's return in turn, and whom it refuses gets the units back; outside
    // auth, whose own requests have a stack of their own: a refresh is not counted against the provider.
    if layers.breaker {
        let breakers = host.breakers().clone();
        inner = Arc::new(Broken { breakers, inner });
    }
    if let Some(permits) = layers.permits {
        inner = Arc::new(Paid { permits, inner });
    }
    let repetitions = layers.retry.as_ref().map_or(0, |policy| policy.budget);
    let budget = layers.budget.unwrap_or_else(|| RetryBudget::new(repetitions));
    Arc::new(Retry {
        policy: layers.retry,
        budget,
        classify: layers.classify,
        any_status: layers.any_status,
        inner,
    })
}
