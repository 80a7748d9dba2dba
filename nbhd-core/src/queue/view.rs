//! What a caller may see: its own jobs, without sessions and origins.

use std::collections::{HashMap, HashSet};

use super::job::{self, Kept, State, active_index, caller_index, unset, without_sessions};
use super::{JobStatus, JobView, ListJobs, Queue};
use crate::clock::Timestamp;
use crate::inbox::{iso, score};
use crate::store::{Commit, Entry, Range, Write, retention};
use crate::{Code, Error, Result};

/// How many of a caller's jobs a list looks through.
const LOOK: usize = 1_000;

/// How many expired entries the end of a job removes from its caller's list.
const SWEEP: usize = 8;

/// The longest task in a list, in characters.
const TASK: usize = 80;

/// Jobs whose lease ended without a word, by target.
type Stalled = HashMap<String, HashSet<String>>;

impl Queue {
    /// One job of the caller's own. `not_found` when there is none, also when it is somebody else's.
    pub async fn status(&self, caller: &str, id: &str) -> Result<JobView> {
        let (kept, _) = self.visible(caller, id).await?;
        let mut stalled = Stalled::new();
        self.view(&kept, &mut stalled).await
    }

    /// The caller's own jobs, newest first, of its newest 1,000; for one that sees all, everybody's.
    pub async fn list(&self, caller: &str, options: ListJobs) -> Result<Vec<JobView>> {
        let rules = self.rules.caller(caller)?;
        let limit = options.limit.unwrap_or(20);
        if !(1..=100).contains(&limit) {
            return Err(Error::new(Code::InvalidInput, "`limit` of a list is 1 to 100"));
        }
        let mut entries: Vec<(String, Entry)> = Vec::new();
        let callers = if rules.sees_all {
            self.rules.callers.keys().map(String::as_str).collect()
        } else {
            vec![caller]
        };
        for caller in callers {
            let index = caller_index(caller);
            let found = self.host.store().scan(&index, Range::first(LOOK)).await?;
            entries.extend(found.into_iter().map(|entry| (index.clone(), entry)));
        }
        entries.sort_by(|(_, a), (_, b)| (a.score, &a.member).cmp(&(b.score, &b.member)));
        let (mut views, mut gone, mut stalled) = (Vec::new(), Commit::new(), Stalled::new());
        for (index, entry) in entries.into_iter().take(LOOK) {
            if views.len() == limit as usize {
                break;
            }
            let Some((kept, _)) = job::find(&self.host, &entry.member).await? else {
                gone = gone.write(unset(&index, &entry.member));
                continue;
            };
            let mut view = self.view(&kept, &mut stalled).await?;
            if options.shows(&view) {
                view.task = shortened(&view.task);
                views.push(view);
            }
        }
        if !gone.writes.is_empty() {
            self.host.store().commit(gone).await?;
        }
        Ok(views)
    }

    async fn view(&self, kept: &Kept, stalled: &mut Stalled) -> Result<JobView> {
        let status = match kept.state {
            State::Queued if kept.failures == 0 => JobStatus::Queued,
            State::Queued => JobStatus::Retrying,
            State::Active if self.is_stalled(kept, stalled).await? => JobStatus::Stalled,
            State::Active => JobStatus::Active,
            State::Completed => JobStatus::Completed,
            State::Failed => JobStatus::Failed,
        };
        let job = &kept.job;
        let due = Timestamp::from_timestamp_micros(kept.due);
        Ok(JobView {
            id: job.id.clone(),
            target: job.target.clone(),
            caller: job.caller.clone(),
            status,
            task: job.task.clone(),
            label: job.label.clone(),
            project: job.project.clone(),
            metadata: without_sessions(&job.metadata),
            created_at: job.created_at.clone(),
            started_at: kept.started_at.clone(),
            ended_at: kept.ended_at.clone(),
            retry_at: due.filter(|_| status == JobStatus::Retrying).map(iso),
            attempts: job.attempt,
            stalls: kept.stalls,
            result: kept.result.clone(),
            error_code: kept.error_code,
            error: kept.error.clone(),
        })
    }

    async fn is_stalled(&self, kept: &Kept, stalled: &mut Stalled) -> Result<bool> {
        let target = &kept.job.target;
        if !stalled.contains_key(target) {
            let now = score(self.host.store().now().await?);
            let ended = Range::up_to(now, LOOK);
            let entries = self.host.store().scan(&active_index(target), ended).await?;
            let members = entries.into_iter().map(|entry| entry.member).collect();
            stalled.insert(target.clone(), members);
        }
        Ok(stalled[target].contains(&kept.job.id))
    }
}

impl ListJobs {
    fn shows(&self, view: &JobView) -> bool {
        self.target.as_ref().is_none_or(|target| *target == view.target)
            && self.status.is_none_or(|status| status == view.status)
            && (self.project.is_none() || self.project == view.project)
    }
}

/// What takes a caller's expired jobs off its list.
pub(super) async fn gone(queue: &Queue, caller: &str, now: Timestamp) -> Result<Vec<Write>> {
    let horizon = score(now) - retention::JOBS_FAILED.as_micros() as i64;
    let old = Range {
        from: -horizon,
        to: i64::MAX,
        limit: SWEEP,
    };
    let index = caller_index(caller);
    let mut writes = Vec::new();
    for entry in queue.host.store().scan(&index, old).await? {
        // One that is so old may still wait.
        if job::find(&queue.host, &entry.member).await?.is_none() {
            writes.push(unset(&index, &entry.member));
        }
    }
    Ok(writes)
}

pub(super) fn shortened(task: &str) -> String {
    if task.chars().count() <= TASK {
        return task.to_owned();
    }
    task.chars().take(TASK - 1).chain(['…']).collect()
}
