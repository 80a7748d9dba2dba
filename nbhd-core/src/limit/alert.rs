//! Gates for messages to people: they close when the message was sent, not when it was tried.
//!
//! [`AlertGate`] lets one alert per check and recipient through in half an hour. [`StateGate`] lets a message through
//! when what it tells is not what was told last. Both hand out a [`Ticket`] to one sender at a time; only
//! [`Ticket::sent`] closes the gate, so that an alert that failed does not silence the next one.

use std::time::Duration;

use serde_json::Value;

use crate::audit::parameters_hash;
use crate::store::{Commit, Tenure, Write, key};
use crate::{Host, Result};

/// How long an alert that was sent silences its like.
pub const ALERT_INTERVAL: Duration = Duration::from_secs(30 * 60);

/// At most one alert per check and recipient in a while. Cheap to clone, does no I/O until a call is made.
#[derive(Debug, Clone)]
pub struct AlertGate {
    host: Host,
    interval: Duration,
}

impl AlertGate {
    /// The gate in the store of `host`, with [`ALERT_INTERVAL`].
    pub fn new(host: &Host) -> Self {
        Self {
            host: host.clone(),
            interval: ALERT_INTERVAL,
        }
    }

    /// Sets how long an alert silences its like. Tickets that were sent before keep the time that they had.
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// A ticket to send an alert of `check` to `recipient`; `None` when one was sent not long ago, or is being sent.
    pub async fn begin(&self, check: &str, recipient: &str) -> Result<Option<Ticket>> {
        let mark = Mark {
            key: key(["limit", "alert", check, recipient]),
            value: "1".to_owned(),
            ttl: Some(self.interval),
        };
        mark.ticket(&self.host, |_| true).await
    }
}

/// Tells a state only when it is another one than was told last. Cheap to clone, does no I/O until a call is made.
#[derive(Debug, Clone)]
pub struct StateGate(Host);

impl StateGate {
    /// The gate in the store of `host`.
    pub fn new(host: &Host) -> Self {
        Self(host.clone())
    }

    /// A ticket to tell `state` under `name` (such as `project:event`); `None` when the state that was told last has the
    /// same canonical hash, or somebody is telling just now.
    pub async fn begin(&self, name: &str, state: &Value) -> Result<Option<Ticket>> {
        let hash = parameters_hash(state);
        let mark = Mark {
            key: key(["limit", "state", name]),
            value: hash.clone(),
            ttl: None,
        };
        mark.ticket(&self.0, |told| told == hash).await
    }
}

/// What closes a gate.
#[derive(Debug)]
struct Mark {
    key: String,
    value: String,
    ttl: Option<Duration>,
}

impl Mark {
    async fn ticket(self, host: &Host, closes: impl Fn(&str) -> bool) -> Result<Option<Ticket>> {
        let closed = async || -> Result<bool> {
            let mark = host.store().get(&self.key).await?;
            Ok(mark.is_some_and(|mark| closes(&mark.value)))
        };
        if closed().await? {
            return Ok(None);
        }
        let Some(tenure) = Tenure::take(host, &self.key, host.lease()).await? else {
            return Ok(None);
        };
        // Whoever had the lease until now may have closed the gate.
        if closed().await? {
            host.store().commit(Commit::new().write(tenure.release())).await?;
            return Ok(None);
        }
        Ok(Some(Ticket {
            host: host.clone(),
            mark: self,
            tenure,
        }))
    }
}

/// The right to send one message. Dropped without a word, the gate opens again when its lease ends.
#[derive(Debug)]
pub struct Ticket {
    host: Host,
    mark: Mark,
    tenure: Tenure,
}

impl Ticket {
    /// The message was sent: the gate closes. Safe to repeat after an error.
    pub async fn sent(&self) -> Result<()> {
        // No guard: that it was sent is a fact, also when the lease has ended meanwhile.
        let commit = Commit::new()
            .write(Write::Put {
                key: self.mark.key.clone(),
                value: self.mark.value.clone(),
                ttl: self.mark.ttl,
            })
            .write(self.tenure.release());
        self.host.store().commit(commit).await.map(drop)
    }

    /// The message was not sent: the gate stays open for the next.
    pub async fn failed(&self) -> Result<()> {
        let commit = Commit::new().write(self.tenure.release());
        self.host.store().commit(commit).await.map(drop)
    }
}
