//! The store's thread: it has the runtime on which the connection lives, so that calls may come from any runtime or none.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwapOption;
use redis::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::address::Address;
use super::client::{Call, Client};
use super::failure::unavailable;
use super::settings::RedisSettings;
use crate::{Code, Error, Outcome, Result, generation};

pub(super) enum Job {
    Call(Call, oneshot::Sender<Result<Vec<Value>>>),
    Settings(Instant, oneshot::Sender<Result<Arc<RedisSettings>>>),
}

/// The thread of one process. Each job that it takes ends within its own deadline.
#[derive(Debug)]
pub(super) struct Engine {
    process: u32,
    /// `None` only while it is dropped. Nobody waits to get in: each job takes its place on the thread at once.
    jobs: Option<mpsc::UnboundedSender<Job>>,
    /// The same.
    ended: Option<watch::Receiver<()>>,
}

impl Engine {
    pub(super) fn start(address: Address, incarnation: Arc<ArcSwapOption<String>>) -> Result<Self> {
        let no_thread =
            |error: std::io::Error| unavailable(format!("no thread for the store: {}", error.kind()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(no_thread)?;
        let (jobs, queue) = mpsc::unbounded_channel();
        let (end, ended) = watch::channel(());
        std::thread::Builder::new()
            .name("nbhd-redis".to_owned())
            .spawn(move || {
                runtime.block_on(serve(Client::new(address, incarnation), queue));
                // A name that is still being looked up must not hold the thread.
                runtime.shutdown_background();
                drop(end);
            })
            .map_err(no_thread)?;
        Ok(Self {
            process: generation::current(),
            jobs: Some(jobs),
            ended: Some(ended),
        })
    }

    /// Whether it was made by this process: a forked child has the handle of a thread that it does not have.
    pub(super) fn is_ours(&self) -> bool {
        self.process == generation::current()
    }

    pub(super) async fn run<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T>>) -> Job) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let gone = || Error::new(Code::Internal, "the store's thread ended").with_outcome(Outcome::Unknown);
        self.jobs
            .as_ref()
            .and_then(|jobs| jobs.send(job(reply)).ok())
            .ok_or_else(gone)?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// What tells when the thread has ended; it ends when the last handle of the engine is gone.
    pub(super) fn end(&self) -> Option<watch::Receiver<()>> {
        self.ended.clone()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if !self.is_ours() {
            // Their other ends died with the parent's thread, perhaps while holding a lock of theirs.
            std::mem::forget(self.jobs.take());
            std::mem::forget(self.ended.take());
        }
    }
}

async fn serve(client: Client, mut queue: mpsc::UnboundedReceiver<Job>) {
    let client = Arc::new(client);
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            job = queue.recv() => match job {
                Some(job) => {
                    running.spawn(work(Arc::clone(&client), job));
                }
                None => break,
            },
            Some(_) = running.join_next() => {}
        }
    }
    while running.join_next().await.is_some() {}
}

async fn work(client: Arc<Client>, job: Job) {
    // A caller that went away does not need the answer.
    match job {
        Job::Call(call, reply) => {
            let _ = reply.send(client.call(call).await);
        }
        Job::Settings(deadline, reply) => {
            let _ = reply.send(client.settings(deadline).await);
        }
    }
}
