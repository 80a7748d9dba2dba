//! What the services of one account share: the keeper of its tokens, and the ways to Google with their rate gates.

use std::sync::Arc;
use std::time::Duration;

use nbhd_core::http::{Request, Response};
use nbhd_core::limit::Gate;
use nbhd_core::transport::{Layers, RetryPolicy, Transport, stack};
use nbhd_core::{Code, Host, Operation, Result};

use crate::broker::Keeper;
use crate::classify::GoogleErrors;
use crate::credentials::Method;
use crate::endpoints::Places;

/// Gmail allows 6,000 units a minute and user. Of these at most 95 % are spent in any 60 s: a burst, which is what a list of
/// 100 cards costs, and the pace after it.
const GMAIL_BURST: u32 = 2_100;
const GMAIL_PACE: u32 = 3_600;

/// Calendar allows 600 requests a minute and user; the same 95 %.
const CALENDAR_BURST: u32 = 100;
const CALENDAR_PACE: u32 = 470;

/// The first pause before a repetition and the longest, as Google's guides advise.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(32));

/// One account, with everything that a call needs.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) host: Host,
    pub(crate) keeper: Keeper,
    pub(crate) places: Places,
    pub(crate) gmail: Way,
    pub(crate) calendar: Way,
}

/// The way to one API.
#[derive(Debug)]
pub(crate) struct Way {
    transport: Arc<dyn Transport>,
    gate: Gate,
}

impl Service {
    pub(crate) fn new(host: Host, keeper: Keeper, places: Places) -> Self {
        let gmail = Way::new(&host, &keeper, GMAIL_PACE, GMAIL_BURST);
        let calendar = Way::new(&host, &keeper, CALENDAR_PACE, CALENDAR_BURST);
        Self {
            host,
            keeper,
            places,
            gmail,
            calendar,
        }
    }

    /// Opens the operation of a public call.
    pub(crate) fn begin(&self, name: &'static str) -> Operation {
        Operation::begin(&self.host, name)
            .with_provider("google")
            .with_account(self.keeper.account())
    }

    /// Refuses what the grant does not cover, before anything is sent.
    pub(crate) async fn admit(&self, operation: &Operation, method: &Method) -> Result<()> {
        self.keeper.admit(operation, method).await.map(|_| ())
    }

    /// Replaces an access token that was refused inside an answer, where the transport cannot see it.
    pub(crate) async fn renew(&self, operation: &Operation) -> Result<()> {
        let refused = self.keeper.access(operation, None).await?.token;
        self.keeper.access(operation, Some(&refused)).await.map(|_| ())
    }
}

impl Way {
    #[expect(clippy::expect_used, reason = "the paces are constants above 0")]
    fn new(host: &Host, keeper: &Keeper, pace: u32, burst: u32) -> Self {
        let gate = Gate::per_minute(pace)
            .expect("the paces above are not 0")
            .with_burst(burst);
        let layers = Layers::default()
            .with_retry(RetryPolicy::default().with_pauses(PAUSES.0, PAUSES.1))
            .with_permits(Arc::new(gate.clone()))
            .with_authorize(Arc::new(keeper.clone()))
            .with_classify(Arc::new(GoogleErrors));
        Self {
            transport: stack(host, layers),
            gate,
        }
    }

    /// Sends a request; a reply that is no success is an error.
    pub(crate) async fn send(&self, operation: &Operation, request: Request) -> Result<Response> {
        let sent = self.transport.send(operation, request.with_whole_body()).await;
        if let Err(error) = &sent
            && error.code() == Code::RateLimited
            && error.provider_status() == Some(403)
        {
            // The gate knows a 429 by itself; the other form of the same refusal it is told.
            self.slow_down(operation, error.retry_after().unwrap_or(PAUSES.0));
        }
        sent
    }

    /// Slows down every call of the account to this API.
    pub(crate) fn slow_down(&self, operation: &Operation, pause: Duration) {
        self.gate.slow_down(operation, pause);
    }
}
