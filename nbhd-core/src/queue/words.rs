//! The words of the queue: what is dispatched, what a worker is handed, what a caller may see of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::DeadJob;
use crate::Code;

/// A job that is to be dispatched.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewJob {
    /// Who is to do it.
    pub target: String,
    /// What is to be done, at most 50,000 characters.
    pub task: String,
    /// The idempotency key: the same key again from the same caller, with the same job, is the first job.
    #[serde(default)]
    pub key: Option<String>,
    /// A name for people, at most 500 characters.
    #[serde(default)]
    pub label: Option<String>,
    /// What it belongs to, at most 200 characters.
    #[serde(default)]
    pub project: Option<String>,
    /// The caller's own session, for the worker alone: no view shows it.
    #[serde(default)]
    pub session_key: Option<String>,
    /// Where the caller was asked (channel, account, thread), for the worker alone: no view and no alert shows it.
    #[serde(default)]
    pub origin: Option<Map<String, Value>>,
    /// The caller's own fields. Those whose names end in `session_key` are for the worker alone.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// How long one attempt may take, in seconds: after it the lease is renewed no more.
    #[serde(default)]
    pub timeout: Option<f64>,
}

impl NewJob {
    /// A job for `target`.
    pub fn new(target: impl Into<String>, task: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            task: task.into(),
            ..Self::default()
        }
    }

    /// Makes dispatching it repeatable.
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Names it for people.
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Says what it belongs to.
    pub fn with_project(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// Limits one attempt, in seconds.
    pub fn with_timeout(mut self, seconds: f64) -> Self {
        self.timeout = Some(seconds);
        self
    }
}

/// What dispatching answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Dispatched {
    /// The id of the job: of the first one, when this is a duplicate.
    pub id: String,
    /// Its target.
    pub target: String,
    /// Whether the key was used for this job before; then nothing was dispatched.
    pub duplicate: bool,
}

/// A job as its worker gets it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Who does it.
    pub target: String,
    /// Who dispatched it.
    pub caller: String,
    /// What is to be done.
    pub task: String,
    /// A name for people.
    pub label: Option<String>,
    /// What it belongs to.
    pub project: Option<String>,
    /// The caller's session.
    pub session_key: Option<String>,
    /// Where the caller was asked.
    pub origin: Option<Map<String, Value>>,
    /// The caller's own fields.
    pub metadata: Map<String, Value>,
    /// How long one attempt may take, in seconds.
    pub timeout: Option<f64>,
    /// When it was dispatched, ISO 8601, by the store's clock.
    pub created_at: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobStatus {
    /// It waits for its first attempt.
    Queued,
    /// A worker has it.
    Active,
    /// It failed and waits for its next attempt.
    Retrying,
    /// Its worker vanished; the next one takes it up.
    Stalled,
    /// It was done.
    Completed,
    /// It was given up: it is a dead letter.
    Failed,
}

/// What a caller may see of a job: no session, no origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct JobView {
    /// Its id.
    pub id: String,
    /// Who does it.
    pub target: String,
    /// Who dispatched it.
    pub caller: String,
    /// Where it is.
    pub status: JobStatus,
    /// What is to be done; in a list its first 80 characters.
    pub task: String,
    /// A name for people.
    pub label: Option<String>,
    /// What it belongs to.
    pub project: Option<String>,
    /// The caller's own fields, without sessions.
    pub metadata: Map<String, Value>,
    /// When it was dispatched, ISO 8601.
    pub created_at: String,
    /// When its last attempt began.
    pub started_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// When it may be tried again, while it waits after a failure.
    pub retry_at: Option<String>,
    /// How often it was begun.
    pub attempts: u32,
    /// How often its worker vanished.
    pub stalls: u32,
    /// What its worker said of it, redacted, at most 5,000 characters.
    pub result: Option<String>,
    /// The code of the last failure.
    pub error_code: Option<Code>,
    /// The last failure, redacted, at most 200 characters.
    pub error: Option<String>,
}

/// Which jobs are listed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListJobs {
    /// Only those of this target.
    pub target: Option<String>,
    /// Only those that are here.
    pub status: Option<JobStatus>,
    /// Only those of this project.
    pub project: Option<String>,
    /// At most so many, 1 to 100; 20 unless said otherwise.
    pub limit: Option<u32>,
}

/// How an attempt ended that did not succeed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct JobEnd {
    /// When it is tried again, ISO 8601; nothing when it was given up.
    pub retry_at: Option<String>,
    /// What it became when it was given up: tell somebody.
    pub dead: Option<DeadJob>,
}
