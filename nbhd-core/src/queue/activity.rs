//! What the targets are doing: working, idle or offline.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Queue;
use super::job::{self, active_index, due_index, total_key, worker_index};
use super::view::shortened;
use crate::Result;
use crate::inbox::score;
use crate::store::Range;

/// How long a worker that said nothing more is taken to be there: three of its heartbeats.
pub const WORKER_SEEN: Duration = Duration::from_secs(60);

/// How many workers and running jobs of one target are counted.
const LOOK: usize = 1_000;

/// What the targets are doing that a caller may dispatch to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Activity {
    /// By target.
    pub targets: BTreeMap<String, TargetActivity>,
    /// All of them together.
    pub summary: ActivitySummary,
}

/// What one target is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct TargetActivity {
    /// `working` while a job of it is leased, `idle` while a worker is there, else `offline`.
    pub status: TargetStatus,
    /// How many workers said within the last minute that they are there.
    pub workers: u64,
    /// How many jobs wait.
    pub pending: u64,
    /// How many jobs are being done.
    pub active: u64,
    /// How many jobs were ever done.
    pub completed_total: i64,
    /// How many jobs were ever given up.
    pub failed_total: i64,
    /// The id of a job that is being done, if the caller may see it.
    pub job: Option<String>,
    /// What that job is about, at most 80 characters.
    pub task: Option<String>,
    /// Since when it is being done, ISO 8601.
    pub since: Option<String>,
}

/// Whether a target is there, and at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TargetStatus {
    /// A job is leased.
    Working,
    /// A worker is there and has nothing to do.
    Idle,
    /// Nobody is there.
    Offline,
}

/// Sums over targets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ActivitySummary {
    /// How many jobs wait.
    pub pending: u64,
    /// How many jobs are being done.
    pub active: u64,
    /// How many jobs were ever done.
    pub completed_total: i64,
    /// How many jobs were ever given up.
    pub failed_total: i64,
}

impl Queue {
    /// What the targets are doing that `caller` may dispatch to; all of them for one that sees all.
    pub async fn activity(&self, caller: &str) -> Result<Activity> {
        let rules = self.rules.caller(caller)?;
        let now = score(self.host.store().now().await?);
        let mut activity = Activity::default();
        for target in &self.rules.targets {
            if !rules.sees_all && !rules.reaches(target) {
                continue;
            }
            let doing = self.target_activity(caller, rules.sees_all, target, now).await?;
            activity.summary.pending += doing.pending;
            activity.summary.active += doing.active;
            activity.summary.completed_total += doing.completed_total;
            activity.summary.failed_total += doing.failed_total;
            activity.targets.insert(target.clone(), doing);
        }
        Ok(activity)
    }

    async fn target_activity(
        &self,
        caller: &str,
        sees_all: bool,
        target: &str,
        now: i64,
    ) -> Result<TargetActivity> {
        let store = self.host.store();
        let after = |score: i64| Range {
            from: score.saturating_add(1),
            to: i64::MAX,
            limit: LOOK,
        };
        let recent = after(now - WORKER_SEEN.as_micros() as i64);
        let workers = store.scan(&worker_index(target), recent).await?.len() as u64;
        // Stalled ones, whose lease has ended, wait.
        let running = store.scan(&active_index(target), after(now)).await?;
        let active = running.len() as u64;
        let open = store.count(&due_index(target)).await?;
        let mut doing = TargetActivity {
            status: match (active, workers) {
                (1.., _) => TargetStatus::Working,
                (0, 1..) => TargetStatus::Idle,
                (0, 0) => TargetStatus::Offline,
            },
            workers,
            pending: open.saturating_sub(active),
            active,
            completed_total: store.sum(&total_key(target, "completed")).await?,
            failed_total: store.sum(&total_key(target, "failed")).await?,
            job: None,
            task: None,
            since: None,
        };
        for entry in running {
            let Some((kept, _)) = job::find(&self.host, &entry.member).await? else {
                continue;
            };
            if sees_all || kept.job.caller == caller {
                doing.task = Some(shortened(&kept.job.task));
                doing.since = kept.started_at;
                doing.job = Some(entry.member);
                break;
            }
        }
        Ok(doing)
    }
}
