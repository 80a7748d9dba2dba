//! The record of one run of a program's action: a nightly brief, a harvest, a migration.
//!
//! It is written twice, when the run begins and when it ends, whichever way. So the one whose last line says `running` and whose
//! process is gone was killed.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::redact_to;
use crate::{Host, Result};

/// The longest project, action or path, in characters.
const TEXT_LIMIT: usize = 1_000;

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunStatus {
    /// It has begun and not ended.
    Running,
    /// It did what it was to do.
    Succeeded,
    /// It failed; `error_class` says how.
    Failed,
    /// Whoever ran it went away.
    Cancelled,
}

/// One run of a program's action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct RunRecord {
    /// Its id.
    pub id: String,
    /// The project that it belongs to.
    pub project: String,
    /// What was run.
    pub action: String,
    /// How it stands.
    pub status: RunStatus,
    /// When it began, ISO 8601.
    pub started_at: String,
    /// When it ended, ISO 8601; absent while it runs.
    pub finished_at: Option<String>,
    /// How long it took, in seconds; absent while it runs.
    pub seconds: Option<f64>,
    /// The code of the error it failed with, such as `timeout`.
    pub error_class: Option<String>,
    /// The paths of what it made.
    pub artifact_paths: Vec<String>,
}

/// A run that is under way.
#[derive(Debug)]
#[must_use = "dropped at once, the run is written down as cancelled"]
pub struct Run {
    host: Host,
    started: Duration,
    record: Option<RunRecord>,
}

impl Run {
    /// A run of `action` in `project` begins: it is written down as `running`. `store_unavailable` where it cannot be.
    pub fn begin(host: &Host, project: &str, action: &str) -> Result<Self> {
        let record = RunRecord {
            id: host.random().id(),
            project: redact_to(project, TEXT_LIMIT),
            action: redact_to(action, TEXT_LIMIT),
            status: RunStatus::Running,
            started_at: crate::clock::rfc3339(host.clock().now()),
            finished_at: None,
            seconds: None,
            error_class: None,
            artifact_paths: Vec::new(),
        };
        host.runs().write(&record)?;
        Ok(Self {
            host: host.clone(),
            started: host.clock().monotonic(),
            record: Some(record),
        })
    }

    /// Its id.
    pub fn id(&self) -> &str {
        self.record.as_ref().map_or("", |record| &record.id)
    }

    /// It made something that is kept at `path`.
    pub fn add_artifact(&mut self, path: &str) {
        if let Some(record) = &mut self.record {
            record.artifact_paths.push(redact_to(path, TEXT_LIMIT));
        }
    }

    /// It has ended with `result`: the record is written and returned.
    pub fn end<T>(mut self, result: &Result<T>) -> Result<RunRecord> {
        let (status, class) = match result {
            Ok(_) => (RunStatus::Succeeded, None),
            Err(error) if error.code() == crate::Code::Cancelled => {
                (RunStatus::Cancelled, Some(error.code()))
            }
            Err(error) => (RunStatus::Failed, Some(error.code())),
        };
        match self.close(status, class.map(crate::Code::name)) {
            Some(record) => self.host.runs().write(&record).map(|()| record),
            None => Err(crate::Error::new(crate::Code::Internal, "a run ends once")),
        }
    }

    fn close(&mut self, status: RunStatus, class: Option<&str>) -> Option<RunRecord> {
        let mut record = self.record.take()?;
        let clock = self.host.clock();
        record.status = status;
        record.finished_at = Some(crate::clock::rfc3339(clock.now()));
        record.seconds = Some(clock.monotonic().saturating_sub(self.started).as_secs_f64());
        record.error_class = class.map(str::to_owned);
        Some(record)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(record) = self.close(RunStatus::Cancelled, Some("cancelled"))
            && let Err(error) = self.host.runs().write(&record)
        {
            tracing::warn!(target: "nbhd::audit", %error, "a run record was lost");
        }
    }
}
