//! Jobs that were given up, told so that they can be shown on a phone: redacted, short, without where they came from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Queue;
use super::job::{self, DEAD, Kept, State, set, total_key, unset};
use crate::clock::Timestamp;
use crate::inbox::{TRIES, contended, score};
use crate::secret::redact_to;
use crate::store::{Commit, Committed, Guard, Range, Tenure, Write, retention};
use crate::{Code, Error, Result};

/// The longest text of an alert, in characters.
const TEXT: usize = 200;

/// How many expired letters the writing of a new one removes.
const SWEEP: usize = 16;

/// How many letters are looked through for those of one caller.
const LOOK: usize = 1_000;

/// A job that was given up. Its texts are redacted and at most 200 characters; session and origin are not in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct DeadJob {
    /// The id of the job.
    pub id: String,
    /// Who was to do it.
    pub target: String,
    /// Who dispatched it.
    pub caller: String,
    /// A name for people.
    pub label: Option<String>,
    /// What it belongs to.
    pub project: Option<String>,
    /// What was to be done.
    pub task: String,
    /// How often it was begun.
    pub attempts: u32,
    /// The code of the last failure.
    pub code: Code,
    /// The last failure.
    pub error: String,
    /// When it was given up, ISO 8601, by the store's clock.
    pub dead_at: String,
    /// All of it in a few lines, for an alert.
    pub alert: String,
}

impl DeadJob {
    fn new(kept: &Kept) -> Self {
        let short = |text: &str| redact_to(text, TEXT);
        let job = &kept.job;
        let (label, project) = (job.label.as_deref().map(short), job.project.as_deref().map(short));
        let code = kept.error_code.unwrap_or(Code::Internal);
        let error = kept.error.clone().unwrap_or_default();
        let task = short(&job.task);
        let named = label
            .as_ref()
            .map_or_else(String::new, |label| format!(" ({label})"));
        let begun = if job.attempt == 1 { "attempt" } else { "attempts" };
        let alert = format!(
            "Job {}{named} for {} was given up after {} {begun}.\nFrom: {}\nTask: {task}\nError: {}: {error}",
            job.id,
            job.target,
            job.attempt,
            job.caller,
            code.name(),
        );
        Self {
            id: job.id.clone(),
            target: job.target.clone(),
            caller: job.caller.clone(),
            label,
            project,
            task,
            attempts: job.attempt,
            code,
            error,
            dead_at: kept.ended_at.clone().unwrap_or_default(),
            alert,
        }
    }
}

impl Queue {
    /// The dead letters that `caller` may see, newest first: its own, or all for one that sees all.
    pub async fn dead_letters(&self, caller: &str, limit: usize) -> Result<Vec<DeadJob>> {
        let sees_all = self.rules.caller(caller)?.sees_all;
        let mut letters = Vec::new();
        for entry in self.host.store().scan(DEAD, Range::first(LOOK)).await? {
            if letters.len() >= limit {
                break;
            }
            let found = job::find(&self.host, &entry.member).await?;
            letters.extend(
                found
                    .filter(|(kept, _)| kept.state == State::Failed)
                    .filter(|(kept, _)| sees_all || kept.job.caller == caller)
                    .map(|(kept, _)| DeadJob::new(&kept)),
            );
        }
        Ok(letters)
    }

    /// Gives a dead letter all its attempts again. Errors: `not_found` when `caller` may see none with this id,
    /// `invalid_state` when the job was not given up, `quota_exhausted` when too many jobs wait for its target.
    pub async fn revive(&self, caller: &str, id: &str) -> Result<()> {
        for _ in 0..TRIES {
            let (mut kept, version) = self.visible(caller, id).await?;
            if kept.state != State::Failed {
                return Err(Error::new(Code::InvalidState, "the job was not given up"));
            }
            let now = self.host.store().now().await?;
            kept.state = State::Queued;
            kept.due = score(now);
            (kept.failures, kept.stalls, kept.ended_at) = (0, 0, None);
            let mut commit = Commit::new()
                .guard(Guard::Version {
                    key: job::job_key(id),
                    version,
                })
                .write(kept.put(None)?)
                .write(kept.due_write(kept.due))
                .write(unset(DEAD, id));
            if let Some(depth) = self.depth_guard(&kept.job.target) {
                commit = commit.guard(depth);
            }
            match self.host.store().commit(commit).await? {
                Committed::Done { .. } => return Ok(()),
                Committed::Refused(refusal) if refusal.guard == 1 => {
                    return Err(self.too_deep(&kept.job.target, refusal.found));
                }
                Committed::Refused(_) => {}
            }
        }
        Err(contended())
    }
}

/// Writes down why an attempt failed.
pub(super) fn note(kept: &mut Kept, error: &Error) {
    kept.error_code = Some(error.code());
    kept.error = Some(redact_to(error.message(), TEXT));
}

/// Makes a dead letter of a job that is held under `tenure`; `None` when the lease was lost.
pub(super) async fn bury(
    queue: &Queue,
    kept: &mut Kept,
    tenure: &Tenure,
    error: &Error,
) -> Result<Option<DeadJob>> {
    let store = queue.host.store();
    let now = store.now().await?;
    note(kept, error);
    kept.end(State::Failed, now);
    let mut commit = Commit::new()
        .with_op_id(format!("queue/{}/{}/dead", kept.job.id, tenure.lease.epoch))
        .guard(tenure.guard())
        .write(kept.put(Some(retention::JOBS_FAILED))?)
        .write(kept.not_due())
        .write(kept.not_active())
        // Lower scores come first: the newest does.
        .write(set(DEAD, &kept.job.id, -score(now)))
        .write(Write::Add {
            key: total_key(&kept.job.target, "failed"),
            delta: 1,
        })
        .write(tenure.release());
    for member in expired(queue, now).await? {
        commit = commit.write(unset(DEAD, &member));
    }
    Ok(match store.commit(commit).await? {
        Committed::Done { .. } => Some(DeadJob::new(kept)),
        Committed::Refused(_) => None,
    })
}

async fn expired(queue: &Queue, now: Timestamp) -> Result<Vec<String>> {
    let horizon = score(now) - retention::JOBS_FAILED.as_micros() as i64;
    let old = Range {
        from: -horizon,
        to: i64::MAX,
        limit: SWEEP,
    };
    let entries = queue.host.store().scan(DEAD, old).await?;
    Ok(entries.into_iter().map(|entry| entry.member).collect())
}
