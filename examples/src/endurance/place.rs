//! Where a life works: the store, by its address, with what is planted into it, and what stands on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use clap::Args;
use nbhd_core::clock::{Clock, SystemClock};
use nbhd_core::inbox::Inbox;
use nbhd_core::outbox::Outbox;
use nbhd_core::store::{self, Bucket, Commit, Durability, Guard, SqliteStore, Store, Write};
use nbhd_core::testkit::{KillPlan, PointedStore, Sabotage, SabotagedStore};
use nbhd_core::{Code, Error, Host, Result, Timestamp};
use nbhd_llm::budget::{Budget, Ledger, Scope};
use nbhd_llm::price::NanoUsd;

/// More attempts than anybody is killed: what is looked for is loss, and a dead letter would be one.
const ATTEMPTS: u32 = 1_000;

/// How many tenants share the money.
pub(super) const TENANTS: u64 = 4;

/// How long the gate takes to refill: so long that what flows in during a proof is less than a token or two.
pub(super) const REFILL: Duration = Duration::from_secs(10_000_000);

/// The lanes' own indexes: what was written under their leases, in order.
pub(super) const WORKED: &str = "worked";
/// How many effects there are.
pub(super) const EFFECTS: &str = "effects";
/// Who passed the gate.
pub(super) const GATE_LOG: &str = "gate/log";
/// The gate's bucket.
pub(super) const GATE: &str = "gate/bucket";

/// A store and how it is to be used.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// The store's address.
    #[arg(long)]
    pub store: String,
    /// The durability that accepting and sending ask for: `process` or `power`.
    #[arg(long, default_value = "power")]
    pub class: String,
    /// Accepts a store that may lose what it acknowledged.
    #[arg(long)]
    pub lossy: bool,
    /// How many lanes there are.
    #[arg(long, default_value_t = 48)]
    pub lanes: u64,
    /// How long lanes are leased, in milliseconds.
    #[arg(long, default_value_t = 250)]
    pub lease: u64,
    /// What all tenants together may spend, in nano-USD. Each may spend a third.
    #[arg(long, default_value_t = 1_000_000)]
    pub cap: i64,
    /// How many may pass the gate.
    #[arg(long, default_value_t = 100)]
    pub gate: u32,
    /// How many seconds the clock of this process is off; a server's own is what counts.
    #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
    pub clock_offset: i64,
    /// How many seconds a call waits for a file; a server's address says it for itself.
    #[arg(long, default_value_t = store::BUSY.as_secs_f64())]
    pub deadline: f64,
    /// A defect of the store, for proofs that must find it.
    #[arg(long)]
    pub sabotage: Option<String>,
}

/// What stands on the store.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) host: Host,
    /// The clock of this process, and of a store in a file.
    pub(super) clock: Arc<Off>,
    /// The store without what is planted into it: what judges asks this one.
    pub(super) honest: Arc<dyn Store>,
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    pub(super) ledger: Ledger,
}

impl Place {
    /// Opens nothing yet. `plan` is passed by every write.
    pub(super) fn stand(&self, plan: Option<Arc<KillPlan>>) -> Result<Standing> {
        let clock = Arc::new(Off(
            SystemClock::default(),
            AtomicI64::new(self.clock_offset * 1_000_000),
        ));
        let honest = self.open(&clock)?;
        let mut store = honest.clone();
        if let Some(plan) = plan {
            store = Arc::new(PointedStore::new(store, plan, named_point));
        }
        if let Some(name) = &self.sabotage {
            let sabotage =
                Sabotage::named(name).ok_or_else(|| Error::new(Code::InvalidInput, "no such sabotage"))?;
            store = Arc::new(SabotagedStore::new(store, sabotage));
        }
        let lease = Duration::from_millis(self.lease);
        let mut host = Host::builder(store).with_lease(lease).with_clock(clock.clone());
        if self.lossy {
            host = host.with_lossy_store("a proof that shows what such a store loses");
        }
        let host = host.build();
        let class = match self.class.as_str() {
            "process" => Durability::Process,
            "power" => Durability::Power,
            _ => return Err(Error::new(Code::InvalidInput, "no such class")),
        };
        let inbox = host
            .inbox()
            .with_attempts(ATTEMPTS)
            // All events of a proof are of one instance and one day.
            .with_tombstones(10_000_000)
            .with_backoff(Duration::from_millis(20), Duration::from_millis(100))
            .with_durability(class);
        let outbox = host.outbox().with_durability(class);
        let ledger = Ledger::new(&host, self.budgets())?;
        Ok(Standing {
            host,
            clock,
            honest,
            inbox,
            outbox,
            ledger,
        })
    }

    fn open(&self, clock: &Arc<Off>) -> Result<Arc<dyn Store>> {
        let Some(path) = self.store.strip_prefix("sqlite:") else {
            return store::open(&self.store);
        };
        let store = SqliteStore::new(path)?
            .with_clock(clock.clone())
            .with_busy_wait(Duration::from_secs_f64(self.deadline));
        Ok(Arc::new(store))
    }

    /// The whole life of the scopes' names: no window that ends while a proof runs.
    fn budgets(&self) -> BTreeMap<String, Budget> {
        let run = |cap| Budget {
            run: Some(NanoUsd(cap)),
            ..Budget::default()
        };
        BTreeMap::from([
            ("global".to_owned(), run(self.cap)),
            ("tenant".to_owned(), run(self.cap / 3)),
        ])
    }

    /// All who pay.
    pub(super) fn scopes() -> Result<Vec<Scope>> {
        let mut scopes = vec!["global".parse()?];
        for tenant in 0..TENANTS {
            scopes.push(format!("tenant:{tenant}").parse()?);
        }
        Ok(scopes)
    }

    /// A token of the gate, and who has it, in one commit.
    pub(super) fn pass(&self, who: String) -> Commit {
        Commit::new()
            .guard(Guard::Bucket {
                key: GATE.to_owned(),
                n: 1,
                bucket: Bucket {
                    capacity: self.gate,
                    refill: REFILL,
                },
            })
            .write(Write::Append {
                index: GATE_LOG.to_owned(),
                member: who,
            })
    }
}

/// The machine's clock, so many microseconds off.
#[derive(Debug)]
pub(super) struct Off(SystemClock, AtomicI64);

impl Off {
    /// From now on it is off by so much.
    pub(super) fn set(&self, micros: i64) {
        self.1.store(micros, Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for Off {
    fn now(&self) -> Timestamp {
        self.0.now() + chrono::Duration::microseconds(self.1.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn steady(&self) -> Duration {
        self.0.steady()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}

/// What a commit is called among the points at which a process is killed.
pub fn named_point(commit: &Commit) -> &'static str {
    let leased = |begin: &str| {
        commit
            .guards
            .iter()
            .any(|guard| matches!(guard, Guard::Lease { lane, .. } if lane.starts_with(begin)))
    };
    let any = |has: &dyn Fn(&Write) -> bool| commit.writes.iter().any(has);
    let deletes =
        |begin: &str| any(&|write| matches!(write, Write::Delete { key } if key.starts_with(begin)));
    let puts = |begin: &str| any(&|write| matches!(write, Write::Put { key, .. } if key.starts_with(begin)));
    let appends =
        |begin: &str| any(&|write| matches!(write, Write::Append { index, .. } if index.starts_with(begin)));
    if deletes("inbox/event/") {
        "effect"
    } else if puts("inbox/dedupe/") || appends("inbox/lane/") {
        "accept"
    } else if deletes("llm/hold/") {
        "settle"
    } else if puts("llm/hold/") {
        let known = commit
            .guards
            .iter()
            .any(|guard| matches!(guard, Guard::Version { .. }));
        if known { "settle" } else { "hold" }
    } else if puts("outbox/intent/") {
        if leased("outbox/") { "sending" } else { "sent" }
    } else if appends(WORKED) {
        "begun"
    } else if appends(GATE_LOG) {
        "gate"
    } else if any(&|write| matches!(write, Write::Add { key, .. } if key.starts_with("inbox/attempts/"))) {
        "attempt"
    } else {
        "other"
    }
}
