//! One audited action: begun, ended, written; written as `cancelled` where it ends by being dropped.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::canonical::{actor_fingerprint, parameters_hash};
use crate::secret::redact_to;
use crate::{Host, Result};

/// The longest name of an action, in characters.
const ACTION_LIMIT: usize = 200;

/// What was done, by whom, with what, and how it ended. It holds no secret and no parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct AuditEvent {
    /// Its id.
    pub id: String,
    /// When the action began, ISO 8601.
    pub at: String,
    /// The fingerprint of who acted, such as `actor_0123456789abcdef`.
    pub actor: String,
    /// What was done, such as `secure_request`.
    pub action: String,
    /// SHA-256 of the parameters' canonical JSON, 64 hexadecimal digits.
    pub parameters_hash: String,
    /// `ok`, or the code of the error; `cancelled` when whoever acted went away.
    pub outcome: String,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// An action that is under way. It leaves exactly one [`AuditEvent`] in the host's journal.
#[derive(Debug)]
#[must_use = "dropped at once, the action is written down as cancelled"]
pub struct Audited {
    host: Host,
    started: Duration,
    event: Option<AuditEvent>,
}

impl Audited {
    /// `actor` begins `action` with `parameters`. Only the fingerprint of the one and the hash of the other are kept.
    pub fn begin(host: &Host, actor: &str, action: &str, parameters: &Value) -> Self {
        Self {
            host: host.clone(),
            started: host.clock().monotonic(),
            event: Some(AuditEvent {
                id: host.random().id(),
                at: crate::clock::rfc3339(host.clock().now()),
                actor: actor_fingerprint(actor),
                action: redact_to(action, ACTION_LIMIT),
                parameters_hash: parameters_hash(parameters),
                outcome: "cancelled".to_owned(),
                seconds: 0.0,
            }),
        }
    }

    /// The action has ended with `result`: the event is written and returned. `store_unavailable` when it cannot be written; the
    /// action itself has happened all the same.
    pub fn end<T>(mut self, result: &Result<T>) -> Result<AuditEvent> {
        let outcome = match result {
            Ok(_) => "ok",
            Err(error) => error.code().name(),
        };
        match self.close(outcome) {
            Some(event) => self.host.audit().write(&event).map(|()| event),
            None => Err(crate::Error::new(crate::Code::Internal, "an action ends once")),
        }
    }

    fn close(&mut self, outcome: &str) -> Option<AuditEvent> {
        let mut event = self.event.take()?;
        outcome.clone_into(&mut event.outcome);
        event.seconds = self
            .host
            .clock()
            .monotonic()
            .saturating_sub(self.started)
            .as_secs_f64();
        Some(event)
    }
}

impl Drop for Audited {
    fn drop(&mut self) {
        if let Some(event) = self.close("cancelled")
            && let Err(error) = self.host.audit().write(&event)
        {
            tracing::warn!(target: "nbhd::audit", %error, "an audit event was lost");
        }
    }
}
