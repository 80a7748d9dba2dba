//! Who may dispatch what to whom. Nothing is allowed that is not written here: an empty list allows nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Code, Error, Result};

/// Stands for every target that exists, in [`CallerRules::targets`].
pub const EVERY_TARGET: &str = "*";

/// The rules of a queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueueRules {
    /// The targets that exist. A job for another is refused.
    pub targets: Vec<String>,
    /// The callers that exist, and what each may do.
    pub callers: BTreeMap<String, CallerRules>,
    /// How many jobs each caller may dispatch in a minute; 0 means as many as it likes.
    pub dispatches_per_minute: u32,
    /// How many jobs may wait or run for one target; 0 means any number.
    pub max_depth: u32,
    /// How often a job is tried before it is a dead letter; at least once.
    pub attempts: u32,
    /// The first wait after a failure, in seconds; each further one is twice as long.
    pub backoff_first: f64,
    /// The longest wait after a failure, in seconds.
    pub backoff_longest: f64,
    /// How often a job may stall (its worker vanished) and be taken up again.
    pub max_stalled: u32,
}

/// What one caller may do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CallerRules {
    /// The targets to which it may dispatch; `"*"` is every target that exists. Empty: none, not even itself.
    pub targets: Vec<String>,
    /// Whether it sees the jobs and dead letters of all callers, and may revive them.
    pub sees_all: bool,
}

impl Default for QueueRules {
    /// Nobody may do anything; 10 dispatches a minute, 50 jobs deep, 3 attempts, 5 s doubling to 300 s, stalled twice.
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            callers: BTreeMap::new(),
            dispatches_per_minute: 10,
            max_depth: 50,
            attempts: 3,
            backoff_first: 5.0,
            backoff_longest: 300.0,
            max_stalled: 2,
        }
    }
}

impl QueueRules {
    /// Rules under which nobody may do anything yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a target.
    pub fn with_target(mut self, target: impl Into<String>) -> Self {
        self.targets.push(target.into());
        self
    }

    /// Lets `caller` dispatch to `targets`.
    pub fn with_caller<T: Into<String>>(
        mut self,
        caller: impl Into<String>,
        targets: impl IntoIterator<Item = T>,
    ) -> Self {
        let rules = self.callers.entry(caller.into()).or_default();
        rules.targets.extend(targets.into_iter().map(Into::into));
        self
    }

    /// Lets `caller` see the jobs of all.
    pub fn with_overseer(mut self, caller: impl Into<String>) -> Self {
        self.callers.entry(caller.into()).or_default().sees_all = true;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).is_ok();
        if seconds(self.backoff_first) && seconds(self.backoff_longest) {
            return Ok(());
        }
        Err(Error::new(
            Code::InvalidConfig,
            "the waits after a failure are times in seconds, 0 or more",
        ))
    }

    pub(super) fn caller(&self, caller: &str) -> Result<&CallerRules> {
        self.callers
            .get(caller)
            .ok_or_else(|| denied(format!("`{caller}` is not a caller of this queue")))
    }

    pub(super) fn target(&self, target: &str) -> Result<()> {
        if self.targets.iter().any(|known| known == target) {
            return Ok(());
        }
        Err(denied(format!("`{target}` is not a target of this queue")))
    }

    pub(super) fn may_dispatch(&self, caller: &str, target: &str) -> Result<()> {
        let rules = self.caller(caller)?;
        self.target(target)?;
        if rules.reaches(target) {
            return Ok(());
        }
        Err(denied(format!("`{caller}` may not dispatch to `{target}`")))
    }

    /// The wait after the failure number `failures`, from 1.
    pub(super) fn backoff(&self, failures: u32) -> Duration {
        let seconds = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        seconds(self.backoff_first)
            .saturating_mul(doubled)
            .min(seconds(self.backoff_longest))
    }
}

impl CallerRules {
    pub(super) fn reaches(&self, target: &str) -> bool {
        self.targets
            .iter()
            .any(|allowed| allowed == target || allowed == EVERY_TARGET)
    }
}

fn denied(message: String) -> Error {
    Error::new(Code::PolicyDenied, message)
}
