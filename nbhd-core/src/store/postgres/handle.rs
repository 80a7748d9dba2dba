//! The handle: parses its address, opens nothing until the first call, finds or starts the thread of this process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use tokio::sync::oneshot;

use super::pool::Pool;
use super::settings::{Known, Settings};
use super::worker::{Job, Worker};
use super::{commit, create, read};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::generation::{self, BeforeFork};
use crate::store::{Commit, Committed, Durability, Entry, Lease, Range, Record, Store};
use crate::{Code, Error, Outcome, Result};

/// A store in one schema of a PostgreSQL database, shared by any number of handles, processes and machines.
///
/// It is made once by [`Store::create`]; every other call requires it and answers `store_unavailable` where it is not.
#[derive(Debug)]
pub struct PostgresStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    worker: ArcSwapOption<Worker>,
    registered: AtomicBool,
}

impl PostgresStore {
    /// The store at `postgres://user:password@host:port/database`. Opens nothing yet. Parameters: `schema` (the
    /// namespace, `nbhd` unless said otherwise), `deadline` (seconds of a call, 5), `connections` (8), `sslmode`
    /// (`disable`, or `require` and `verify-full`, which both verify; `disable` on this machine alone, else
    /// `verify-full`), `sslrootcert` (a PEM file), `application_name`, and for a local socket `host` (its folder) and `user`.
    pub fn new(address: &str) -> Result<Self> {
        Settings::parse(address).map(Self::from_settings)
    }

    /// Sets the store's clock in place of the server's, for tests.
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self::from_settings(Settings {
            known: Arc::new(Known::new(clock.clone())),
            clock: Some(clock),
            ..self.0.settings.clone()
        })
    }

    /// Sets how long a call waits for the server, all in all; 5 s unless said otherwise.
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self::from_settings(self.0.settings.clone().with_deadline(deadline))
    }

    /// Behaves as code of the schema before the first, which no release has ever been: for tests of migration.
    #[cfg(feature = "testkit")]
    pub fn of_the_schema_before(self) -> Self {
        Self::from_settings(Settings {
            schema: super::settings::SCHEMA - 1,
            known: Arc::new(Known::new(Arc::new(SystemClock::default()))),
            ..self.0.settings.clone()
        })
    }

    /// The id that the store was given when it was made: another one at the same address is another store.
    pub async fn incarnation(&self) -> Result<String> {
        self.run(move |pool| async move { read::incarnation(&pool).await })
            .await
    }

    fn from_settings(settings: Settings) -> Self {
        Self(Arc::new(Inner {
            settings,
            worker: ArcSwapOption::empty(),
            registered: AtomicBool::new(false),
        }))
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn durability(&self) -> Result<Durability> {
        self.run(move |pool| async move { read::durability(&pool).await })
            .await
    }

    async fn now(&self) -> Result<Timestamp> {
        self.run(move |pool| async move { read::now(&pool).await }).await
    }

    async fn commit(&self, commit: Commit) -> Result<Committed> {
        self.run(move |pool| async move { commit::commit(&pool, &commit).await })
            .await
    }

    async fn get(&self, key: &str) -> Result<Option<Record>> {
        let key = key.to_owned();
        self.run(move |pool| async move { read::get(&pool, &key).await })
            .await
    }

    async fn sum(&self, key: &str) -> Result<i64> {
        let key = key.to_owned();
        self.run(move |pool| async move { read::sum(&pool, &key).await })
            .await
    }

    async fn scan(&self, index: &str, range: Range) -> Result<Vec<Entry>> {
        let index = index.to_owned();
        self.run(move |pool| async move { read::scan(&pool, &index, range).await })
            .await
    }

    async fn count(&self, index: &str) -> Result<u64> {
        let index = index.to_owned();
        self.run(move |pool| async move { read::count(&pool, &index).await })
            .await
    }

    async fn claim(&self, lane: &str, ttl: Duration) -> Result<Option<Lease>> {
        let lane = lane.to_owned();
        self.run(move |pool| async move { commit::claim(&pool, &lane, ttl).await })
            .await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Option<Lease>> {
        let lease = lease.clone();
        self.run(move |pool| async move { commit::renew(&pool, &lease, ttl).await })
            .await
    }

    async fn create(&self) -> Result<()> {
        self.run(move |pool| async move { create::create(&pool).await })
            .await
    }

    fn clock_ahead(&self) -> Option<Duration> {
        self.0.settings.known.watch().ahead()
    }

    fn confirm_clock(&self) {
        self.0.settings.known.watch().confirm();
    }

    async fn close(&self) -> Result<()> {
        if let Some(worker) = self.0.worker.load_full().filter(|worker| worker.is_ours()) {
            self.0.forget(&worker);
            worker.ask_to_close();
            worker.ended().await;
            worker.join();
        }
        Ok(())
    }
}

impl PostgresStore {
    /// Runs `work` on the store's thread and hands back what it answers.
    async fn run<T, F>(&self, work: impl FnOnce(Arc<Pool>) -> F + Send + 'static) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let mut job: Job = Box::new(move |pool| {
            Box::pin(async move {
                // A caller that went away does not need the answer.
                let _ = reply.send(work(pool).await);
            })
        });
        loop {
            let Some(worker) = self.0.worker()? else {
                // Another thread is forking this process: nothing is opened until it has.
                tokio::task::yield_now().await;
                continue;
            };
            match worker.send(job) {
                Ok(()) => break,
                // That thread is closing: what it did not take goes to the next.
                Err(back) => {
                    job = back;
                    self.0.forget(&worker);
                }
            }
        }
        answer.await.unwrap_or_else(|_| {
            Err(
                Error::new(Code::Internal, "the store's thread ended within a call")
                    .with_outcome(Outcome::Unknown),
            )
        })
    }
}

impl Inner {
    /// The worker of this process; starts one when there is none. None while the process forks.
    fn worker(self: &Arc<Self>) -> Result<Option<Arc<Worker>>> {
        let known = self.worker.load_full();
        if let Some(worker) = &known
            && worker.is_ours()
        {
            return Ok(known);
        }
        let Some(_opening) = generation::may_open() else {
            return Ok(None);
        };
        if !self.registered.swap(true, Ordering::AcqRel) {
            let weak: Weak<Self> = Arc::downgrade(self);
            generation::register(weak);
        }
        let started = Arc::new(Worker::start(self.settings.clone())?);
        // Two callers may start at once: the first one's stays, the other's never opens anything and ends.
        let before = self.worker.compare_and_swap(&known, Some(Arc::clone(&started)));
        Ok(match &*before {
            Some(first) if first.is_ours() => Some(Arc::clone(first)),
            _ => Some(started),
        })
    }

    /// Makes room for a new worker in the place of one that has closed.
    fn forget(&self, worker: &Arc<Worker>) {
        let old = Some(Arc::clone(worker));
        self.worker.compare_and_swap(&old, None);
    }
}

/// A child would hold its parent's sessions open on the server: so they are closed before a fork that a hook sees.
impl BeforeFork for Inner {
    fn close_before_fork(&self) {
        if let Some(worker) = self.worker.load_full().filter(|worker| worker.is_ours()) {
            self.forget(&worker);
            worker.ask_to_close();
            worker.join();
        }
    }
}
