//! The store in a SQLite file: the embedded default. Nothing to install, nothing to run.
//!
//! The connection lives on one thread of its own; calls reach it through a bounded queue and are answered through a
//! one-shot channel, so no caller's thread waits on the disk. The file is made at the first use, owner-only.
//!
//! Durability: WAL. `synchronous=NORMAL` survives a killed process ([`Durability::Process`], the default here),
//! `FULL` a power cut ([`Durability::Power`]); each commit has the one it asks for. <https://sqlite.org/wal.html>
//!
//! Fork: before a fork that a hook sees the store drains and closes, and either side opens again by itself. After one
//! that nobody saw, the child's every call answers `invalid_state` without touching a lock, a queue or SQLite:
//! <https://sqlite.org/howtocorrupt.html> (2.6, carrying an open database across a fork).

mod database;
mod fork;
mod rows;
mod upgrade;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use self::database::Database;
use super::step::StepWatch;
use super::{Commit, Committed, Durability, Entry, Lease, Range, Record, Store};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::generation::{self, BeforeFork};
use crate::{Code, Error, Outcome, Result};

/// How long a call waits for other processes that write and for the calls before it.
pub const BUSY: Duration = Duration::from_secs(5);

/// How many calls may wait in the queue before further callers wait outside of it.
const QUEUE: usize = 1_024;

/// A store in one file, shared by any number of handles and processes on one machine.
#[derive(Debug)]
pub struct SqliteStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    worker: ArcSwapOption<Worker>,
    registered: AtomicBool,
}

/// What the thread needs to open the file.
#[derive(Debug, Clone)]
struct Settings {
    path: PathBuf,
    clock: Arc<StepWatch>,
    busy: Duration,
    /// Which schema this code knows: today's, except in tests.
    schema: i64,
    /// The store that was met first: another one under its name is refused, also by a file that is opened anew.
    known: Arc<OnceLock<String>>,
}

impl SqliteStore {
    /// The store in the file at `path`. Opens nothing yet; a relative path is fixed to the current folder now.
    pub fn new(path: impl AsRef<Path>) -> Result<Self> {
        let path = std::path::absolute(path.as_ref()).map_err(|error| {
            Error::new(
                Code::InvalidConfig,
                format!("the path of the SQLite store is not usable: {}", error.kind()),
            )
        })?;
        Ok(Self::from_settings(Settings {
            path,
            clock: Arc::new(StepWatch::new(Arc::new(SystemClock::default()))),
            busy: BUSY,
            schema: upgrade::SCHEMA,
            known: Arc::default(),
        }))
    }

    /// Sets the store's clock, for tests.
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self::from_settings(Settings {
            clock: Arc::new(StepWatch::new(clock)),
            ..self.0.settings.clone()
        })
    }

    /// Sets how long a call waits for other processes that write and for the calls before it; [`BUSY`] unless said otherwise.
    pub fn with_busy_wait(self, busy: Duration) -> Self {
        Self::from_settings(Settings {
            busy,
            ..self.0.settings.clone()
        })
    }

    /// Behaves as code of the schema before the first, which no release has ever been: for tests of migration.
    #[cfg(feature = "testkit")]
    pub fn of_the_schema_before(self) -> Self {
        Self::from_settings(Settings {
            schema: upgrade::SCHEMA - 1,
            ..self.0.settings.clone()
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.settings.path
    }

    /// The id that the store was given when it was made: another one under the same path is another store.
    pub async fn incarnation(&self) -> Result<String> {
        self.run(Database::incarnation).await
    }

    fn from_settings(settings: Settings) -> Self {
        Self(Arc::new(Inner {
            settings,
            worker: ArcSwapOption::empty(),
            registered: AtomicBool::new(false),
        }))
    }

    /// Runs `work` on the store's thread and hands back what it answers.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let mut job = Some(Job {
            deadline: Instant::now() + self.0.settings.busy,
            work: Box::new(move |opened| {
                // A caller that went away does not need the answer.
                let _ = reply.send(opened.and_then(work));
            }),
        });
        loop {
            let Some(worker) = self.0.worker()? else {
                // Another thread is forking this process: nothing is opened until it has.
                tokio::task::yield_now().await;
                continue;
            };
            match worker.send(job).await {
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

#[async_trait]
impl Store for SqliteStore {
    async fn durability(&self) -> Result<Durability> {
        Ok(Durability::Power)
    }

    async fn now(&self) -> Result<Timestamp> {
        self.run(Database::now).await
    }

    async fn commit(&self, commit: Commit) -> Result<Committed> {
        self.run(move |database| database.commit(commit)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Record>> {
        let key = key.to_owned();
        self.run(move |database| database.get(&key)).await
    }

    async fn sum(&self, key: &str) -> Result<i64> {
        let key = key.to_owned();
        self.run(move |database| database.sum(&key)).await
    }

    async fn scan(&self, index: &str, range: Range) -> Result<Vec<Entry>> {
        let index = index.to_owned();
        self.run(move |database| database.scan(&index, range)).await
    }

    async fn count(&self, index: &str) -> Result<u64> {
        let index = index.to_owned();
        self.run(move |database| database.count(&index)).await
    }

    async fn claim(&self, lane: &str, ttl: Duration) -> Result<Option<Lease>> {
        let lane = lane.to_owned();
        self.run(move |database| database.claim(lane, ttl)).await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Option<Lease>> {
        let lease = lease.clone();
        self.run(move |database| database.renew(lease, ttl)).await
    }

    fn clock_ahead(&self) -> Option<Duration> {
        self.0.settings.clock.now();
        self.0.settings.clock.ahead()
    }

    fn confirm_clock(&self) {
        self.0.settings.clock.confirm();
    }

    async fn close(&self) -> Result<()> {
        let Some(worker) = self.0.worker.load_full() else {
            return Ok(());
        };
        worker.check_process()?;
        self.0.forget(&worker);
        worker.ask_to_close();
        let mut ended = worker.ended.clone();
        // The sender is dropped when the thread ends: that is the word we wait for.
        while ended.changed().await.is_ok() {}
        worker.join();
        Ok(())
    }
}

/// What the thread does: it is given the database, or why there is none.
type Work = Box<dyn FnOnce(Result<&mut Database>) + Send>;

/// One piece of work for the thread.
struct Job {
    deadline: Instant,
    work: Work,
}

/// The thread that has the connection.
#[derive(Debug)]
struct Worker {
    process: u32,
    /// `None` only while it is dropped.
    queue: Option<mpsc::Sender<Option<Job>>>,
    closing: Arc<AtomicBool>,
    ended: tokio::sync::watch::Receiver<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    fn start(settings: Settings) -> Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let (end, ended) = tokio::sync::watch::channel(());
        let closing = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&closing);
        let thread = std::thread::Builder::new()
            .name("nbhd-store".to_owned())
            .spawn(move || {
                serve(&settings, jobs, &told);
                drop(end);
            })
            .map_err(|error| {
                Error::new(
                    Code::StoreUnavailable,
                    format!("no thread for the store: {}", error.kind()),
                )
            })?;
        Ok(Self {
            process: generation::current(),
            queue: Some(queue),
            closing,
            ended,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Hands in a job; gives it back when the thread is closing.
    async fn send(&self, job: Option<Job>) -> std::result::Result<(), Option<Job>> {
        match &self.queue {
            Some(queue) => (queue.send(job).await).map_err(|mpsc::error::SendError(back)| back),
            None => Err(job),
        }
    }

    fn check_process(&self) -> Result<()> {
        if self.process == generation::current() {
            Ok(())
        } else {
            Err(fork::crossed())
        }
    }

    fn ask_to_close(&self) {
        self.closing.store(true, Ordering::Release);
        // Wakes the thread if it sleeps; when the queue is full it is awake and sees the flag.
        if let Some(queue) = &self.queue {
            let _ = queue.try_send(None);
        }
    }

    fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.process != generation::current() {
            // Its other end died with the parent's thread, perhaps while holding the queue's lock.
            std::mem::forget(self.queue.take());
        }
    }
}

/// The life of the thread: opens at the first job, works until told to close or forgotten, drains, closes.
fn serve(settings: &Settings, mut jobs: mpsc::Receiver<Option<Job>>, closing: &AtomicBool) {
    let mut database = None;
    while let Some(job) = jobs.blocking_recv() {
        if closing.load(Ordering::Acquire) {
            // Nobody can put in more; what is in is still done.
            jobs.close();
        }
        let Some(Job { deadline, work }) = job else {
            continue;
        };
        if Instant::now() >= deadline {
            work(Err(late()));
            continue;
        }
        if database.is_none() {
            match Database::open(settings, deadline) {
                Ok(opened) => database = Some(opened),
                Err(error) => {
                    work(Err(error));
                    continue;
                }
            }
        }
        let Some(open) = &mut database else { continue };
        if let Err(error) = open.wait_until(deadline) {
            work(Err(error));
            continue;
        }
        // A job that panics takes its own answer with it, not the thread: the next one finds a fresh connection.
        if catch_unwind(AssertUnwindSafe(|| work(Ok(open)))).is_err() {
            database = None;
        }
    }
}

/// Those before it took all the time that it had.
fn late() -> Error {
    Error::new(
        Code::StoreUnavailable,
        "the SQLite store was busy with the calls before this one for longer than the busy wait",
    )
}

impl Inner {
    /// The worker of this process; starts one when there is none. None while the process forks.
    fn worker(self: &Arc<Self>) -> Result<Option<Arc<Worker>>> {
        if let Some(worker) = self.worker.load_full() {
            worker.check_process()?;
            return Ok(Some(worker));
        }
        let Some(_opening) = generation::may_open() else {
            return Ok(None);
        };
        fork::check()?;
        if !self.registered.swap(true, Ordering::AcqRel) {
            let weak: Weak<Self> = Arc::downgrade(self);
            generation::register(weak);
        }
        let started = Arc::new(Worker::start(self.settings.clone())?);
        // Two callers may start at once: the first one's stays, the other's never opens anything and ends.
        let before = self
            .worker
            .compare_and_swap(&None::<Arc<Worker>>, Some(Arc::clone(&started)));
        Ok(Some(match &*before {
            Some(first) => Arc::clone(first),
            None => started,
        }))
    }

    /// Makes room for a new worker in the place of one that has closed.
    fn forget(&self, worker: &Arc<Worker>) {
        let old = Some(Arc::clone(worker));
        self.worker.compare_and_swap(&old, None);
    }
}

impl BeforeFork for Inner {
    fn close_before_fork(&self) {
        let Some(worker) = self.worker.load_full() else {
            return;
        };
        if worker.check_process().is_err() {
            return;
        }
        self.forget(&worker);
        worker.ask_to_close();
        worker.join();
    }
}

#[cfg(test)]
mod tests;
