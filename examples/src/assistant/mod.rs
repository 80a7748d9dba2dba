//! One assistant: a question comes in by webhook, an answer made of mail and calendar goes out.
//!
//! A turn may be killed at any point and begun again: the event stays in the inbox until it is done, and the answer is decided
//! by its key. What was planned under that key in an earlier life is what goes out; nothing is asked or written twice.

mod fetch;
mod turn;
mod write;

pub use fetch::{Fetch, Found};
pub use turn::{Sent, Turn};
pub use write::{Author, Written};

use std::sync::Arc;

use http::HeaderMap;
use nbhd_channels::Telegram;
use nbhd_channels::ingress::Reply;
use nbhd_core::{Host, Result};
use nbhd_google::Account;
use nbhd_llm::Router;

/// How often the assistant says what it is doing; a terminal shows the last word.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// Everything that an assistant of one tenant needs.
#[derive(Clone)]
pub struct Assistant {
    host: Host,
    account: Account,
    router: Router,
    telegram: Telegram,
    tenant: String,
    time_zone: String,
    own_addresses: Vec<String>,
    progress: Progress,
}

impl Assistant {
    /// An assistant in a host; `tenant` pays, in `time_zone` (an IANA name) it is today.
    pub fn new(
        host: &Host,
        account: Account,
        router: Router,
        telegram: Telegram,
        tenant: impl Into<String>,
        time_zone: impl Into<String>,
    ) -> Self {
        Self {
            host: host.clone(),
            account,
            router,
            telegram,
            tenant: tenant.into(),
            time_zone: time_zone.into(),
            own_addresses: Vec::new(),
            progress: Arc::new(|_| {}),
        }
    }

    /// Names an address of the user: what they wrote themselves asks nothing of them.
    pub fn with_own_address(mut self, address: impl Into<String>) -> Self {
        self.own_addresses.push(address.into());
        self
    }

    /// Says what it is doing to `progress`.
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// The router, for what was spent.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// The scopes that pay.
    pub fn scopes(&self) -> [String; 2] {
        [format!("tenant:{}", self.tenant), "global".to_owned()]
    }

    /// Takes a webhook call: verified, claimed and stored before it is acknowledged.
    pub async fn receive(&self, headers: &HeaderMap, body: &[u8]) -> Result<Reply> {
        (self.progress)("taking the webhook call");
        self.telegram.receive(headers, body).await
    }
}
