//! The thread that has the connections, with a runtime of its own: calls reach it from any runtime, or none.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use futures::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio_util::task::TaskTracker;

use super::pool::Pool;
use super::settings::Settings;
use crate::{Code, Error, Result, generation};

/// What a call does on the thread; it sends its own answer.
pub(super) type Job = Box<dyn FnOnce(Arc<Pool>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// The thread. `None` in its queue tells it to close.
#[derive(Debug)]
pub(super) struct Worker {
    process: u32,
    /// `None` only while it is dropped.
    queue: Option<mpsc::UnboundedSender<Option<Job>>>,
    ended: watch::Receiver<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    pub(super) fn start(settings: Settings) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::new(
                Code::StoreUnavailable,
                format!("no thread for the store: {}", error.kind()),
            )
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let (queue, jobs) = mpsc::unbounded_channel();
        let (end, ended) = watch::channel(());
        let thread = std::thread::Builder::new()
            .name("nbhd-postgres".to_owned())
            .spawn(move || {
                runtime.block_on(serve(settings, jobs));
                drop(runtime);
                drop(end);
            })
            .map_err(failed)?;
        Ok(Self {
            process: generation::current(),
            queue: Some(queue),
            ended,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Whether it was started by this process: a forked child has its memory but not its thread.
    pub(super) fn is_ours(&self) -> bool {
        self.process == generation::current()
    }

    /// Hands in a job; gives it back when the thread is closing.
    pub(super) fn send(&self, job: Job) -> std::result::Result<(), Job> {
        let Some(queue) = &self.queue else {
            return Err(job);
        };
        match queue.send(Some(job)) {
            Err(mpsc::error::SendError(Some(job))) => Err(job),
            _ => Ok(()),
        }
    }

    /// Lets what was handed in finish, then ends the thread.
    pub(super) fn ask_to_close(&self) {
        if let Some(queue) = &self.queue {
            let _ = queue.send(None);
        }
    }

    /// Waits until the thread has ended.
    pub(super) async fn ended(&self) {
        let mut ended = self.ended.clone();
        // The sender is dropped when the thread ends: that is the word we wait for.
        while ended.changed().await.is_ok() {}
    }

    /// The same without a runtime.
    pub(super) fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.is_ours() {
            // Their other ends died with the parent's thread, perhaps while holding a lock.
            std::mem::forget(self.queue.take());
            if let Ok(mut thread) = self.thread.try_lock() {
                std::mem::forget(thread.take());
            }
        }
    }
}

/// The life of the thread: every job a task, until told to close or forgotten; then what runs ends within its deadline.
async fn serve(settings: Settings, mut jobs: mpsc::UnboundedReceiver<Option<Job>>) {
    let pool = Arc::new(Pool::new(settings));
    let tasks = TaskTracker::new();
    while let Some(job) = jobs.recv().await {
        match job {
            Some(job) => {
                let pool = Arc::clone(&pool);
                tasks.spawn(async move {
                    // A job that panics takes its own answer with it, not the thread.
                    let _ = std::panic::AssertUnwindSafe(job(pool)).catch_unwind().await;
                });
            }
            // Nobody can put in more; what is in is still done.
            None => jobs.close(),
        }
    }
    tasks.close();
    tasks.wait().await;
    pool.close().await;
}
