//! A job as it lies in the store, and the names under which it lies there.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Job;
use crate::clock::Timestamp;
use crate::inbox::{iso, read};
use crate::store::{Write, key};
use crate::{Code, Error, Host, Result};

/// A job with what became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) v: u32,
    pub(super) job: Job,
    pub(super) state: State,
    /// When it may next be claimed, in microseconds of the store's clock, while it is queued.
    pub(super) due: i64,
    pub(super) failures: u32,
    pub(super) stalls: u32,
    pub(super) started_at: Option<String>,
    pub(super) ended_at: Option<String>,
    pub(super) result: Option<String>,
    pub(super) error_code: Option<Code>,
    pub(super) error: Option<String>,
}

/// What the record itself knows; that a job stalled is seen from its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Queued,
    Active,
    Completed,
    Failed,
}

impl Kept {
    pub(super) fn put(&self, ttl: Option<std::time::Duration>) -> Result<Write> {
        Ok(Write::Put {
            key: job_key(&self.job.id),
            value: serde_json::to_string(self)
                .map_err(|_| Error::new(Code::InvalidInput, "the job has no JSON form"))?,
            ttl,
        })
    }

    pub(super) fn due_write(&self, score: i64) -> Write {
        set(&due_index(&self.job.target), &self.job.id, score)
    }

    pub(super) fn active_write(&self, lease_end: i64) -> Write {
        set(&active_index(&self.job.target), &self.job.id, lease_end)
    }

    /// It has ended, or its record is gone.
    pub(super) fn not_due(&self) -> Write {
        unset(&due_index(&self.job.target), &self.job.id)
    }

    pub(super) fn not_active(&self) -> Write {
        unset(&active_index(&self.job.target), &self.job.id)
    }

    pub(super) fn end(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.ended_at = Some(iso(now));
    }
}

/// The job under an id with the version of its record.
pub(super) async fn find(host: &Host, id: &str) -> Result<Option<(Kept, u64)>> {
    let Some(record) = host.store().get(&job_key(id)).await? else {
        return Ok(None);
    };
    Ok(Some((read::<Kept>(&record.value)?, record.version)))
}

/// `fields` without those whose names say that they are a session's, however deep.
pub(super) fn without_sessions(fields: &Map<String, Value>) -> Map<String, Value> {
    fields
        .iter()
        .filter(|(name, _)| !is_session(name))
        .map(|(name, value)| (name.clone(), stripped(value)))
        .collect()
}

fn stripped(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(without_sessions(fields)),
        Value::Array(items) => items.iter().map(stripped).collect(),
        plain => plain.clone(),
    }
}

fn is_session(name: &str) -> bool {
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    plain.ends_with("sessionkey")
}

pub(super) fn job_key(id: &str) -> String {
    key(["queue", "job", id])
}

pub(super) fn lease_name(id: &str) -> String {
    key(["queue", "lease", id])
}

pub(super) fn claim_key(caller: &str, name: &str) -> String {
    key(["queue", "key", caller, name])
}

pub(super) fn due_index(target: &str) -> String {
    key(["queue", "due", target])
}

pub(super) fn active_index(target: &str) -> String {
    key(["queue", "active", target])
}

pub(super) fn caller_index(caller: &str) -> String {
    key(["queue", "by", caller])
}

pub(super) fn worker_index(target: &str) -> String {
    key(["queue", "workers", target])
}

pub(super) fn total_key(target: &str, what: &str) -> String {
    key(["queue", "total", target, what])
}

pub(super) const DEAD: &str = "queue/dead";

pub(super) fn set(index: &str, member: &str, score: i64) -> Write {
    Write::Index {
        index: index.to_owned(),
        member: member.to_owned(),
        score,
        keep: false,
    }
}

pub(super) fn unset(index: &str, member: &str) -> Write {
    Write::Unindex {
        index: index.to_owned(),
        member: member.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sessions_are_stripped_however_they_are_spelled_and_however_deep() {
        let fields = json!({
            "session_key": 1, "sessionKey": 1, "openclawSessionKey": 1, "SESSION-KEY": 1,
            "kept": {"dispatcherSessionKey": 1, "list": [{"session_key": 1, "x": 2}]},
            "session_keys_allowed": true,
        });
        let stripped = without_sessions(fields.as_object().expect("fields"));
        assert_eq!(
            Value::Object(stripped),
            json!({"kept": {"list": [{"x": 2}]}, "session_keys_allowed": true})
        );
    }
}
