//! A worker: says that it is there, and takes the jobs of one target.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::activity::WORKER_SEEN;
use super::dead;
use super::job::{self, State, due_index, lease_name, set, unset, worker_index};
use super::{JobWork, Queue};
use crate::inbox::{iso, score};
use crate::store::{Commit, Committed, RENEWALS, Range, Tenure};
use crate::{Code, Error, Result};

/// How many due jobs a claim looks at: more than there are workers of one target.
const LOOK: usize = 64;

/// How many workers that are long gone one heartbeat removes.
const SWEEP: usize = 8;

/// When a worker that said nothing is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60 * 60);

impl Queue {
    /// A worker of `target` by the name of `name`, which is its own among the target's. `policy_denied` when there is no
    /// such target.
    pub fn worker(&self, target: &str, name: &str) -> Result<Worker> {
        self.rules.target(target)?;
        Ok(Worker {
            queue: self.clone(),
            target: target.to_owned(),
            name: name.to_owned(),
            told: Arc::default(),
        })
    }
}

/// One worker of one target. Cheap to clone; clones are the same worker.
#[derive(Debug, Clone)]
pub struct Worker {
    pub(super) queue: Queue,
    pub(super) target: String,
    pub(super) name: String,
    /// When it last said that it is there, by the host's steady clock.
    told: Arc<Mutex<Option<Duration>>>,
}

impl Worker {
    /// Says that the worker is there. Claiming and renewing say so as well, so only a worker that waits otherwise needs
    /// this, every 20 s.
    pub async fn heartbeat(&self) -> Result<()> {
        let store = self.queue.host.store();
        let now = score(store.now().await?);
        let index = worker_index(&self.target);
        let mut commit = Commit::new().write(set(&index, &self.name, now));
        let horizon = now - FORGOTTEN.as_micros() as i64;
        for gone in store.scan(&index, Range::up_to(horizon, SWEEP)).await? {
            if gone.member != self.name {
                commit = commit.write(unset(&index, &gone.member));
            }
        }
        store.commit(commit).await?;
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.queue.host.clock().steady());
        Ok(())
    }

    /// Says that the worker goes away: its target need not look idle for another minute.
    pub async fn stop(&self) -> Result<()> {
        let commit = Commit::new().write(unset(&worker_index(&self.target), &self.name));
        self.queue.host.store().commit(commit).await.map(drop)
    }

    /// Leases the job that has been due longest; `None` when none is. A job whose worker vanished is due when its lease
    /// ends, and is taken up again as often as the rules allow.
    pub async fn claim(&self) -> Result<Option<JobWork>> {
        self.say_so().await?;
        let now = score(self.queue.host.store().now().await?);
        let index = due_index(&self.target);
        for entry in self
            .queue
            .host
            .store()
            .scan(&index, Range::up_to(now, LOOK))
            .await?
        {
            if let Some(work) = self.take(&entry.member, now).await? {
                return Ok(Some(work));
            }
        }
        Ok(None)
    }

    /// Waits until there is a job, looking every `poll` by the host's clock.
    pub async fn next(&self, poll: Duration) -> Result<JobWork> {
        loop {
            if let Some(work) = self.claim().await? {
                return Ok(work);
            }
            self.queue.host.clock().sleep(poll).await;
        }
    }

    /// A heartbeat, unless the last one is recent.
    async fn say_so(&self) -> Result<()> {
        let told = *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.queue.host.clock().steady();
        if told.is_some_and(|told| now < told + WORKER_SEEN / RENEWALS) {
            return Ok(());
        }
        self.heartbeat().await
    }

    async fn take(&self, id: &str, now: i64) -> Result<Option<JobWork>> {
        let (queue, store) = (&self.queue, self.queue.host.store());
        let Some(tenure) = Tenure::take(&queue.host, &lease_name(id), queue.lease).await? else {
            return Ok(None);
        };
        let found = job::find(&queue.host, id).await?;
        let Some((mut kept, _)) =
            found.filter(|(kept, _)| matches!(kept.state, State::Queued | State::Active))
        else {
            // It ended since it was listed: whoever ended it took it off the list.
            return self.leave(&tenure).await;
        };
        if kept.state == State::Queued && kept.due > now {
            return self.leave(&tenure).await;
        }
        if kept.state == State::Active {
            // We have the lease, so its worker has lost it.
            kept.stalls += 1;
            if kept.stalls > queue.rules.max_stalled {
                dead::bury(queue, &mut kept, &tenure, &vanished()).await?;
                return Ok(None);
            }
        }
        let started = store.now().await?;
        kept.state = State::Active;
        kept.job.attempt += 1;
        kept.started_at = Some(iso(started));
        let until = score(tenure.lease.expires_at);
        let commit = Commit::new()
            .guard(tenure.guard())
            .write(kept.put(None)?)
            .write(kept.due_write(until))
            .write(kept.active_write(until));
        match store.commit(commit).await? {
            Committed::Done { .. } => Ok(Some(JobWork::new(self.clone(), kept, started, tenure))),
            Committed::Refused(_) => Ok(None),
        }
    }

    async fn leave(&self, tenure: &Tenure) -> Result<Option<JobWork>> {
        let commit = Commit::new().write(tenure.release());
        self.queue.host.store().commit(commit).await?;
        Ok(None)
    }
}

fn vanished() -> Error {
    Error::new(
        Code::Internal,
        "its worker vanished more often than the rules allow, as when the job kills it",
    )
}
