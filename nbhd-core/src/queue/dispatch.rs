//! The queue itself: dispatching.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::job::{self, Kept, State, caller_index, claim_key, due_index, set};
use super::{Dispatched, Job, NewJob, QueueRules};
use crate::audit::parameters_hash;
use crate::inbox::{TRIES, contended, iso, read, score};
use crate::store::{Bucket, Commit, Committed, Durability, Guard, Write, key, retention};
use crate::{Code, Error, Host, Result};

/// The longest task, in characters.
const TASK: usize = 50_000;
/// The longest label.
const LABEL: usize = 500;
/// The longest project and key.
const NAME: usize = 200;

/// A queue in a host's store, under rules. Cheap to clone, does no I/O until a call is made.
#[derive(Debug, Clone)]
pub struct Queue {
    pub(super) host: Host,
    pub(super) rules: Arc<QueueRules>,
    pub(super) lease: Duration,
    durability: Durability,
}

/// What stands under an idempotency key.
#[derive(Debug, Serialize, Deserialize)]
struct Claim {
    v: u32,
    id: String,
    hash: String,
}

/// What a guard of dispatching is about, in the order of the guards.
enum Check {
    Key,
    Rate,
    Depth,
}

impl Queue {
    /// The queue in the store of `host`. `invalid_config` when a time in the rules is none.
    pub fn new(host: &Host, rules: QueueRules) -> Result<Self> {
        rules.check()?;
        Ok(Self {
            host: host.clone(),
            rules: Arc::new(rules),
            lease: host.lease(),
            durability: Durability::Power,
        })
    }

    /// Sets how long a worker leases a job; it renews three times as often.
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets the durability of dispatching; [`Durability::Power`] unless said otherwise.
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// The rules.
    pub fn rules(&self) -> &QueueRules {
        &self.rules
    }

    /// Dispatches a job. Rate, depth and the job are one commit: a refused one takes nothing of the rate.
    ///
    /// Errors: `policy_denied` when the rules do not let `caller` do that, before anything else; `invalid_input`;
    /// `conflict` when the key was used for another job; `rate_limited` with `retry_after`; `quota_exhausted` when too
    /// many jobs wait for the target.
    pub async fn dispatch(&self, caller: &str, new: NewJob) -> Result<Dispatched> {
        self.rules.may_dispatch(caller, &new.target)?;
        check(&new)?;
        self.host.durable_store("dispatched jobs").await?;
        let hash = parameters_hash(&json!(new));
        let now = self.host.store().now().await?;
        let claim = new.key.as_deref().map(|name| claim_key(caller, name));
        let kept = Kept {
            v: 1,
            job: self.job(caller, new, iso(now)),
            state: State::Queued,
            due: score(now),
            failures: 0,
            stalls: 0,
            started_at: None,
            ended_at: None,
            result: None,
            error_code: None,
            error: None,
        };
        for _ in 0..TRIES {
            let (commit, checks) = self.dispatching(&kept, claim.as_deref(), &hash)?;
            let refusal = match self.host.store().commit(commit).await? {
                Committed::Done { .. } => return Ok(answer(&kept.job, None)),
                Committed::Refused(refusal) => refusal,
            };
            match (checks.get(refusal.guard), &claim) {
                (Some(Check::Rate), _) => {
                    return Err(self.too_fast(caller, refusal.wait.unwrap_or_default()));
                }
                (Some(Check::Depth), _) => return Err(self.too_deep(&kept.job.target, refusal.found)),
                (_, Some(claim)) => {
                    // Where there is none, it ended between the two looks, and is claimed anew.
                    if let Some(record) = self.host.store().get(claim).await? {
                        let first = read::<Claim>(&record.value)?;
                        if first.hash != hash {
                            return Err(used_otherwise());
                        }
                        return Ok(answer(&kept.job, Some(first.id)));
                    }
                }
                (_, None) => return Err(contended()),
            }
        }
        Err(contended())
    }

    fn job(&self, caller: &str, new: NewJob, created_at: String) -> Job {
        Job {
            id: self.host.random().id(),
            target: new.target,
            caller: caller.to_owned(),
            task: new.task,
            label: new.label,
            project: new.project,
            session_key: new.session_key,
            origin: new.origin,
            metadata: new.metadata,
            timeout: new.timeout,
            created_at,
            attempt: 0,
        }
    }

    /// A repeated key comes first: it is no second dispatch, so neither rate nor depth can refuse it.
    fn dispatching(&self, kept: &Kept, claim: Option<&str>, hash: &str) -> Result<(Commit, Vec<Check>)> {
        let mut checks = Vec::new();
        let mut commit = Commit::new().with_durability(self.durability);
        if let Some(claim) = claim {
            let value = Claim {
                v: 1,
                id: kept.job.id.clone(),
                hash: hash.to_owned(),
            };
            checks.push(Check::Key);
            commit = commit
                .guard(Guard::Absent {
                    key: claim.to_owned(),
                })
                .write(Write::Put {
                    key: claim.to_owned(),
                    value: json!(value).to_string(),
                    ttl: Some(retention::JOB_KEYS),
                });
        }
        if self.rules.dispatches_per_minute > 0 {
            checks.push(Check::Rate);
            commit = commit.guard(Guard::Bucket {
                key: key(["queue", "rate", &kept.job.caller]),
                n: 1,
                bucket: Bucket {
                    capacity: self.rules.dispatches_per_minute,
                    refill: Duration::from_secs(60),
                },
            });
        }
        if let Some(guard) = self.depth_guard(&kept.job.target) {
            checks.push(Check::Depth);
            commit = commit.guard(guard);
        }
        let commit = commit
            .write(kept.put(None)?)
            .write(kept.due_write(kept.due))
            // Lower scores come first: the newest does.
            .write(set(&caller_index(&kept.job.caller), &kept.job.id, -kept.due));
        Ok((commit, checks))
    }

    pub(super) fn depth_guard(&self, target: &str) -> Option<Guard> {
        (self.rules.max_depth > 0).then(|| Guard::CountBelow {
            index: due_index(target),
            n: self.rules.max_depth.into(),
        })
    }

    fn too_fast(&self, caller: &str, wait: Duration) -> Error {
        let most = self.rules.dispatches_per_minute;
        Error::new(
            Code::RateLimited,
            format!("`{caller}` may dispatch {most} jobs a minute, and has"),
        )
        .with_retry_after(wait)
    }

    pub(super) fn too_deep(&self, target: &str, found: i64) -> Error {
        let most = self.rules.max_depth;
        Error::new(
            Code::QuotaExhausted,
            format!("{found} jobs wait or run for `{target}`, {most} may"),
        )
        .with_retryable(true)
        .with_user_action("Start more workers for the target, or raise max_depth.")
    }

    /// The job under `id` if `caller` may see it, with the version of its record. `not_found` otherwise: that there is
    /// such a job is not told either.
    pub(super) async fn visible(&self, caller: &str, id: &str) -> Result<(Kept, u64)> {
        let rules = self.rules.caller(caller)?;
        let found = job::find(&self.host, id).await?;
        found
            .filter(|(kept, _)| rules.sees_all || kept.job.caller == caller)
            .ok_or_else(|| Error::new(Code::NotFound, "no job of this caller has this id"))
    }
}

fn answer(job: &Job, first: Option<String>) -> Dispatched {
    Dispatched {
        duplicate: first.is_some(),
        id: first.unwrap_or_else(|| job.id.clone()),
        target: job.target.clone(),
    }
}

fn check(new: &NewJob) -> Result<()> {
    let invalid = |message: String| Err(Error::new(Code::InvalidInput, message));
    if new.task.trim().is_empty() {
        return invalid("a job needs a task".to_owned());
    }
    let lengths = [
        ("task", Some(&new.task), TASK),
        ("label", new.label.as_ref(), LABEL),
        ("project", new.project.as_ref(), NAME),
        ("key", new.key.as_ref(), NAME),
        ("session_key", new.session_key.as_ref(), LABEL),
    ];
    for (name, text, most) in lengths {
        let length = text.map_or(0, |text| text.chars().count());
        if length > most {
            return invalid(format!(
                "`{name}` of a job has {length} characters, {most} may be"
            ));
        }
    }
    if new.key.as_deref() == Some("") {
        return invalid("an idempotency key is not empty".to_owned());
    }
    if let Some(seconds) = new.timeout
        && !(seconds > 0.0 && Duration::try_from_secs_f64(seconds).is_ok())
    {
        return invalid("`timeout` of a job is a time in seconds, above 0".to_owned());
    }
    Ok(())
}

fn used_otherwise() -> Error {
    Error::new(Code::Conflict, "this idempotency key was used for another job")
        .with_user_action("Use a key of its own for each job.")
}
