//! One job in a worker's hands.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::job::{Kept, State, total_key, worker_index};
use super::{Job, JobEnd, Worker, dead, view};
use crate::clock::Timestamp;
use crate::inbox::{iso, score};
use crate::secret::redact_to;
use crate::store::{Commit, Committed, RENEWALS, Tenure, Write, retention};
use crate::{Code, Error, Result};

use super::job::set;

/// The longest result that is kept, in characters.
const RESULT: usize = 5_000;

/// A job with its lease. It ends with [`complete`](Self::complete), [`fail`](Self::fail) or
/// [`give_up`](Self::give_up); dropped without any of them, it is stalled when the lease ends, and taken up again.
#[derive(Debug)]
pub struct JobWork {
    worker: Worker,
    kept: Kept,
    started: Timestamp,
    tenure: Mutex<Tenure>,
}

impl JobWork {
    pub(super) fn new(worker: Worker, kept: Kept, started: Timestamp, tenure: Tenure) -> Self {
        Self {
            worker,
            kept,
            started,
            tenure: Mutex::new(tenure),
        }
    }

    /// The job.
    pub fn job(&self) -> &Job {
        &self.kept.job
    }

    /// Whether the lease can still be relied on, without asking the store. Look before doing something that cannot be
    /// taken back.
    pub fn is_held(&self) -> bool {
        self.lock().is_sure(&self.worker.queue.host)
    }

    /// Prolongs the lease; every 20 s is enough for one of 60 s. `store_conflict` when it was lost: then stop. `timeout`
    /// when the job has had all the time that it may take: then stop, and say so with [`fail`](Self::fail).
    pub async fn renew(&self) -> Result<()> {
        let queue = &self.worker.queue;
        let store = queue.host.store();
        let now = store.now().await?;
        if let Some(limit) = self.kept.job.timeout
            && (now - self.started).as_seconds_f64() >= limit
        {
            return Err(Error::new(
                Code::Timeout,
                format!("the job has had the {limit} s that one attempt may take"),
            ));
        }
        let mut tenure = self.lock().clone();
        let renewed = tenure.renew(&queue.host, queue.lease).await?;
        self.lock().clone_from(&tenure);
        if !renewed {
            return Err(lost());
        }
        let until = score(tenure.lease.expires_at);
        let commit = Commit::new()
            .guard(tenure.guard())
            .write(self.kept.due_write(until))
            .write(self.kept.active_write(until))
            .write(set(
                &worker_index(&self.worker.target),
                &self.worker.name,
                score(now),
            ));
        match store.commit(commit).await? {
            Committed::Done { .. } => Ok(()),
            Committed::Refused(_) => Err(lost()),
        }
    }

    /// Renews three times a lease until that is refused or the future is dropped: what runs beside long work. The answer is
    /// why. It waits on the machine's time, also where the host's clock is a fake one.
    pub async fn keep(&self) -> Error {
        loop {
            tokio::time::sleep(self.worker.queue.lease / RENEWALS).await;
            match self.renew().await {
                Err(error) if !error.retryable() || error.code() == Code::Timeout => return error,
                // The store was away: the lease says how long that may last.
                Err(error) if !self.is_held() => return error,
                _ => {}
            }
        }
    }

    /// The job was done; `result` is kept redacted. Safe to repeat after an error.
    pub async fn complete(&self, result: Option<&str>) -> Result<()> {
        let store = self.worker.queue.host.store();
        let now = store.now().await?;
        let mut kept = self.kept.clone();
        kept.end(State::Completed, now);
        kept.result = result.map(|result| redact_to(result, RESULT));
        let tenure = self.lock().clone();
        let mut commit = Commit::new()
            .with_op_id(self.op_id("done", &tenure))
            .guard(tenure.guard())
            .write(kept.put(Some(retention::JOBS_DONE))?)
            .write(kept.not_due())
            .write(kept.not_active())
            .write(Write::Add {
                key: total_key(&kept.job.target, "completed"),
                delta: 1,
            })
            .write(tenure.release());
        for gone in view::gone(&self.worker.queue, &kept.job.caller, now).await? {
            commit = commit.write(gone);
        }
        match store.commit(commit).await? {
            Committed::Done { .. } => Ok(()),
            Committed::Refused(_) => Err(lost()),
        }
    }

    /// The attempt failed: the job is tried again after a back-off, or becomes a dead letter after its last attempt.
    /// Safe to repeat after an error.
    pub async fn fail(&self, error: &Error) -> Result<JobEnd> {
        let queue = &self.worker.queue;
        let mut kept = self.kept.clone();
        kept.failures += 1;
        if kept.failures >= queue.rules.attempts.max(1) {
            return self.bury(kept, error).await;
        }
        let longest = Duration::try_from_secs_f64(queue.rules.backoff_longest).unwrap_or_default();
        let asked = error.retry_after().unwrap_or_default().min(longest);
        let backoff = queue.rules.backoff(kept.failures).max(asked);
        let now = queue.host.store().now().await?;
        let until = now + chrono::Duration::from_std(backoff).unwrap_or_default();
        kept.state = State::Queued;
        kept.due = score(until);
        dead::note(&mut kept, error);
        let tenure = self.lock().clone();
        let commit = Commit::new()
            .with_op_id(self.op_id("fail", &tenure))
            .guard(tenure.guard())
            .write(kept.put(None)?)
            .write(kept.due_write(kept.due))
            .write(kept.not_active())
            .write(tenure.release());
        match queue.host.store().commit(commit).await? {
            Committed::Done { .. } => Ok(JobEnd {
                retry_at: Some(iso(until)),
                dead: None,
            }),
            Committed::Refused(_) => Err(lost()),
        }
    }

    /// The job can never succeed: it becomes a dead letter at once. Safe to repeat after an error.
    pub async fn give_up(&self, error: &Error) -> Result<JobEnd> {
        let mut kept = self.kept.clone();
        kept.failures += 1;
        self.bury(kept, error).await
    }

    async fn bury(&self, mut kept: Kept, error: &Error) -> Result<JobEnd> {
        let tenure = self.lock().clone();
        let dead = dead::bury(&self.worker.queue, &mut kept, &tenure, error).await?;
        Ok(JobEnd {
            retry_at: None,
            dead: Some(dead.ok_or_else(lost)?),
        })
    }

    /// The same for a repeated call, another for each end and attempt.
    fn op_id(&self, end: &str, tenure: &Tenure) -> String {
        format!("queue/{}/{}/{end}", self.kept.job.id, tenure.lease.epoch)
    }

    fn lock(&self) -> MutexGuard<'_, Tenure> {
        self.tenure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lost() -> Error {
    Error::new(
        Code::StoreConflict,
        "the lease on the job was lost: another worker may have it",
    )
    .with_retryable(false)
    .with_user_action("Stop doing the job: it is, or will be, done by another worker.")
}
