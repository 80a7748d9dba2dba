//! What the program around us provides: a store, secrets, a clock, a receipt sink, a transport.
//!
//! ```
//! use nbhd_core::Host;
//!
//! # fn main() -> Result<(), nbhd_core::Error> {
//! let host = Host::new("memory:")?; // only parses; the store opens at the first call
//! let other = host.clone(); // cheap: both are the same host
//! # drop(other);
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::audit::{AuditEvent, Audited, Journal, MemoryJournal, Run, RunRecord};
use crate::clock::{Clock, SystemClock};
use crate::id::{Random, SystemRandomness};
use crate::inbox::Inbox;
use crate::outbox::Outbox;
use crate::receipt::{MemoryReceipts, ReceiptSink};
use crate::store::{Durability, Store};
use crate::tokens::TokenStore;
use crate::transport::{BreakerPolicy, Breakers, HostRule, RetryBudget, RetryPolicy, Socket, Transport};
use crate::vault::Vault;
use crate::{Code, Error, Result, Secret};

/// How long a lane is leased: long enough for one attempt of a slow request, short enough to wait for after a crash.
const LEASE: Duration = Duration::from_secs(60);

/// The program around us. Cheap to clone; knows nothing global: two hosts in one process do not see each other.
#[derive(Clone, Debug)]
pub struct Host(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    receipts: Arc<dyn ReceiptSink>,
    audit: Arc<dyn Journal<AuditEvent>>,
    runs: Arc<dyn Journal<RunRecord>>,
    tokens: Option<Arc<dyn TokenStore>>,
    socket: Arc<dyn Transport>,
    private_hosts: Arc<[HostRule]>,
    breakers: Breakers,
    secure_budget: RetryBudget,
    vault: Arc<Vault>,
    lease: Duration,
    lossy: Option<String>,
}

impl Host {
    /// A host with the store that `address` names: `memory:`, `sqlite:<path>`, `redis://…`. Opens nothing yet.
    pub fn new(address: &str) -> Result<Self> {
        Ok(Self::builder_at(address, None)?.build())
    }

    /// A host with the store that `address` names, everything else as it is by default until said otherwise. `clock` is
    /// another one than the machine's, for tests: the store's too.
    ///
    /// What a store in memory keeps ends with the process, so its vault has a key that does the same.
    pub fn builder_at(address: &str, clock: Option<Arc<dyn Clock>>) -> Result<HostBuilder> {
        let mut builder = Self::builder(crate::store::open_with(address, clock.clone())?);
        if let Some(clock) = clock {
            builder = builder.with_clock(clock);
        }
        if address == "memory:" {
            let mut key = [0_u8; 32];
            SystemRandomness.fill(&mut key);
            builder = builder.with_vault(Vault::with_key(Secret::new(STANDARD.encode(key))));
        }
        Ok(builder)
    }

    /// A host around a store, everything else as it is by default until said otherwise.
    pub fn builder(store: Arc<dyn Store>) -> HostBuilder {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        HostBuilder(Inner {
            store,
            breakers: Breakers::new(BreakerPolicy::default(), clock.clone()),
            clock,
            random: Arc::new(SystemRandomness),
            receipts: Arc::new(MemoryReceipts::default()),
            audit: Arc::new(MemoryJournal::default()),
            runs: Arc::new(MemoryJournal::default()),
            tokens: None,
            socket: Arc::new(Socket::default()),
            private_hosts: Arc::default(),
            secure_budget: RetryBudget::new(RetryPolicy::default().budget),
            vault: Arc::new(Vault::default()),
            lease: LEASE,
            lossy: None,
        })
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// Creates the store where that is a step of its own (Redis, PostgreSQL): once, before its first use. Where it stands
    /// already, and for stores that make themselves, nothing happens.
    pub async fn create_store(&self) -> Result<()> {
        self.0.store.create().await
    }

    /// The store's durability class, or `invalid_config` where it may lose what it acknowledged and nobody has accepted
    /// that by [`HostBuilder::with_lossy_store`]. Ledger, inbox and outbox ask this before they promise anything; `what`
    /// names in the refusal what would be lost.
    pub async fn durable_store(&self, what: &str) -> Result<Durability> {
        let durability = self.0.store.durability().await?;
        if durability == Durability::Lossy && self.0.lossy.is_none() {
            return Err(Error::new(
                Code::InvalidConfig,
                format!("this store may lose by itself what it acknowledged, and with it {what}"),
            )
            .with_user_action(
                "Make the store durable (Redis: appendonly yes, appendfsync always, no replica that may be promoted), \
                 or accept a lossy store by name, with the reason, when the host is made.",
            ));
        }
        Ok(durability)
    }

    /// Why a store that may lose what it acknowledged was accepted, if it was.
    pub fn lossy_store_reason(&self) -> Option<&str> {
        self.0.lossy.as_deref()
    }

    /// The inbox: accepted events and the workers that handle them.
    pub fn inbox(&self) -> Inbox {
        Inbox::new(self)
    }

    /// The outbox: what is to be sent, and what became of it.
    pub fn outbox(&self) -> Outbox {
        Outbox::new(self)
    }

    /// How long inbox and outbox lease a lane.
    pub fn lease(&self) -> Duration {
        self.0.lease
    }

    /// The clock.
    pub fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    /// The source of random bytes.
    pub fn random(&self) -> &dyn Random {
        &*self.0.random
    }

    /// Where receipts go.
    pub fn receipts(&self) -> &dyn ReceiptSink {
        &*self.0.receipts
    }

    /// Where audit events go: memory, unless said otherwise.
    pub fn audit(&self) -> &dyn Journal<AuditEvent> {
        &*self.0.audit
    }

    /// `actor` begins `action` with `parameters`; it leaves one audit event, however it ends.
    pub fn audited(&self, actor: &str, action: &str, parameters: &serde_json::Value) -> Audited {
        Audited::begin(self, actor, action, parameters)
    }

    /// A run of `action` in `project` begins; it leaves a record, however it ends.
    pub fn run(&self, project: &str, action: &str) -> Result<Run> {
        Run::begin(self, project, action)
    }

    /// What keeps tokens, where the program does so itself; else they are in the store.
    pub fn tokens(&self) -> Option<&Arc<dyn TokenStore>> {
        self.0.tokens.as_ref()
    }

    /// Where run records go: memory, unless said otherwise.
    pub fn runs(&self) -> &dyn Journal<RunRecord> {
        &*self.0.runs
    }

    /// How far ahead the store's clock is, when it stepped ahead of more than an hour while this process runs. Then the
    /// store's time goes on as it did: nothing is pruned and no window rolls over until [`confirm_clock`](Self::confirm_clock).
    pub fn clock_ahead(&self) -> Option<Duration> {
        self.0.store.clock_ahead()
    }

    /// Believes a clock that stepped ahead: for somebody who has looked.
    pub fn confirm_clock(&self) {
        self.0.store.confirm_clock();
    }

    /// What opens HTTP connections: the innermost layer of every stack.
    pub fn socket(&self) -> &Arc<dyn Transport> {
        &self.0.socket
    }

    /// The breakers before the origins that this host's clients call.
    pub fn breakers(&self) -> &Breakers {
        &self.0.breakers
    }

    /// The names and addresses that the program trusts in its private network.
    pub fn private_hosts(&self) -> &Arc<[HostRule]> {
        &self.0.private_hosts
    }

    /// The retry budget of all secure requests.
    pub(crate) fn secure_budget(&self) -> &RetryBudget {
        &self.0.secure_budget
    }

    /// What seals secrets at rest.
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }
}

/// A host that is being put together.
#[derive(Debug)]
pub struct HostBuilder(Inner);

impl HostBuilder {
    /// Sets the clock.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.0.breakers = self.0.breakers.with_clock(clock.clone());
        self.0.clock = clock;
        self
    }

    /// Sets when breakers open and for how long; 5 failures in a row and 30 s unless said otherwise.
    pub fn with_breaker_policy(mut self, policy: BreakerPolicy) -> Self {
        self.0.breakers = Breakers::new(policy, self.0.clock.clone());
        self
    }

    /// Sets the hosts that the program trusts in its private network: requests may go to them although their addresses are not public. Never
    /// to link-local and metadata addresses. Takes the place of the socket: a socket of one's own is set after it.
    pub fn with_private_hosts(mut self, rules: impl IntoIterator<Item = HostRule>) -> Self {
        let rules: Arc<[HostRule]> = rules.into_iter().collect();
        self.0.socket = Arc::new(Socket::default().with_private_hosts(rules.clone()));
        self.0.private_hosts = rules;
        self
    }

    /// Sets the source of random bytes.
    pub fn with_random(mut self, random: Arc<dyn Random>) -> Self {
        self.0.random = random;
        self
    }

    /// Sets where receipts go.
    pub fn with_receipts(mut self, receipts: Arc<dyn ReceiptSink>) -> Self {
        self.0.receipts = receipts;
        self
    }

    /// Sets where audit events go.
    pub fn with_audit(mut self, audit: Arc<dyn Journal<AuditEvent>>) -> Self {
        self.0.audit = audit;
        self
    }

    /// Sets where run records go.
    pub fn with_runs(mut self, runs: Arc<dyn Journal<RunRecord>>) -> Self {
        self.0.runs = runs;
        self
    }

    /// Lets the program keep tokens itself, instead of in the store.
    pub fn with_tokens(mut self, tokens: Arc<dyn TokenStore>) -> Self {
        self.0.tokens = Some(tokens);
        self
    }

    /// Sets what opens HTTP connections.
    pub fn with_socket(mut self, socket: Arc<dyn Transport>) -> Self {
        self.0.socket = socket;
        self
    }

    /// Sets how long inbox and outbox lease a lane; 60 s unless said otherwise. After a crash its work waits this long.
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.0.lease = lease;
        self
    }

    /// Accepts a store that may lose what it acknowledged, and says why: without this, ledger, inbox and outbox refuse it.
    pub fn with_lossy_store(mut self, reason: impl Into<String>) -> Self {
        self.0.lossy = Some(reason.into());
        self
    }

    /// Sets what seals secrets at rest.
    pub fn with_vault(mut self, vault: Vault) -> Self {
        self.0.vault = Arc::new(vault);
        self
    }

    /// The host.
    pub fn build(self) -> Host {
        Host(Arc::new(self.0))
    }
}
