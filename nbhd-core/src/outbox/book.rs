//! The book of intents: storing, reading, cancelling, and what is still to be delivered.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Intent, NewIntent, Part, PartState};
use crate::clock::Timestamp;
use crate::inbox::{TRIES, contended, iso, read, score};
use crate::store::{self, Commit, Committed, Durability, Guard, Range, Write, key};
use crate::{Code, Error, Host, Result};

/// Intents whose next part can be sent, scored by when to look at them.
pub(super) const OPEN: &str = "outbox/open";

/// A handle on the outbox in a host's store. Cheap to clone, does no I/O until a call is made.
#[derive(Debug, Clone)]
pub struct Outbox {
    pub(super) host: Host,
    pub(super) lease: Duration,
    pub(super) durability: Durability,
}

/// An intent as it lies in the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    v: u32,
    #[serde(flatten)]
    intent: Intent,
}

/// An intent with the version of its record; 0 while it is not stored.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) name: String,
    pub(super) intent: Intent,
    pub(super) version: u64,
}

impl Outbox {
    /// The outbox in the store of `host`.
    pub fn new(host: &Host) -> Self {
        Self {
            lease: host.lease(),
            host: host.clone(),
            durability: Durability::Power,
        }
    }

    /// Sets how long a sender's lease lasts: after it a part that is still `sending` is `unknown`.
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets the durability of planning and of `sending`; [`Durability::Power`] unless said otherwise.
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Stores an intent without sending it. The same key again returns the stored one; with other parts it is
    /// `conflict`.
    pub async fn plan(&self, new: NewIntent) -> Result<Intent> {
        self.check_store().await?;
        let now = self.host.store().now().await?;
        for _ in 0..TRIES {
            let commit = self.planned(Commit::new(), &new, now).await?;
            if !commit.writes.is_empty()
                && let Committed::Refused(_) = self
                    .host
                    .store()
                    .commit(commit.with_durability(self.durability))
                    .await?
            {
                continue;
            }
            if let Some(held) = self.find(&new.channel, &new.account, &new.key).await? {
                return Ok(held.intent);
            }
        }
        Err(contended())
    }

    /// The intent under a key; keys live within channel and account.
    pub async fn get(&self, channel: &str, account: &str, key: &str) -> Result<Option<Intent>> {
        Ok(self.find(channel, account, key).await?.map(|held| held.intent))
    }

    /// Cancels the parts that are not begun. What is being sent, or was, stays as it is. `not_found` without one.
    pub async fn cancel(&self, channel: &str, account: &str, key: &str) -> Result<Intent> {
        self.change(channel, account, key, |intent| {
            for part in &mut intent.parts {
                if part.state == PartState::Pending {
                    part.state = PartState::Cancelled;
                }
            }
            Ok(())
        })
        .await
    }

    /// Makes refused parts pending, for somebody who knows that the reason is gone. They go out at the next dispatch.
    pub async fn retry_refused(&self, channel: &str, account: &str, key: &str) -> Result<Intent> {
        self.change(channel, account, key, |intent| {
            for part in &mut intent.parts {
                if part.state == PartState::Refused {
                    part.state = PartState::Pending;
                }
            }
            Ok(())
        })
        .await
    }

    /// Settles an unknown part that the platform's own history shows to have arrived. There is no opposite: that a
    /// history lacks it proves nothing. `invalid_state` when the part is not unknown.
    pub async fn prove_sent(
        &self,
        channel: &str,
        account: &str,
        key: &str,
        index: usize,
        result: Value,
    ) -> Result<Intent> {
        self.change(channel, account, key, |intent| {
            match intent.parts.get_mut(index) {
                Some(part) if part.state == PartState::Unknown => {
                    part.state = PartState::Sent;
                    part.result = Some(result.clone());
                    part.error = None;
                    Ok(())
                }
                _ => Err(Error::new(
                    Code::InvalidState,
                    format!("part {index} is not unknown: there is nothing to prove"),
                )),
            }
        })
        .await
    }

    /// Intents whose next part can be sent now: planned and not begun, not sent when last tried, unknown where the
    /// platform deduplicates its key, or left `sending` by somebody whose lease has ended. A worker gives each to
    /// [`resume`](Self::resume).
    pub async fn undelivered(&self, limit: usize) -> Result<Vec<Intent>> {
        let now = score(self.host.store().now().await?);
        let mut intents = Vec::new();
        for entry in self.host.store().scan(OPEN, Range::up_to(now, limit)).await? {
            if let Some(held) = self.read(&entry.member).await? {
                intents.push(held.intent);
                continue;
            }
            // It was unknown, and is forgotten.
            let gone = Guard::Absent {
                key: entry.member.clone(),
            };
            let commit = Commit::new().guard(gone).write(closed(&entry.member));
            self.host.store().commit(commit).await?;
        }
        Ok(intents)
    }

    /// Adds to `commit` what stores `new` as planned; nothing when it is stored already with the same parts.
    pub(crate) async fn planned(&self, commit: Commit, new: &NewIntent, now: Timestamp) -> Result<Commit> {
        let name = name(&new.channel, &new.account, &new.key);
        if let Some(held) = self.read(&name).await? {
            same_parts(&held.intent, new)?;
            return Ok(commit);
        }
        let held = Held {
            name,
            intent: fresh(new, now)?,
            version: 0,
        };
        let open = open(&held.name, score(now));
        Ok(commit.guard(held.unchanged()).write(held.put()?).write(open))
    }

    pub(super) async fn check_store(&self) -> Result<()> {
        self.host.durable_store("sends that were planned").await.map(drop)
    }

    pub(super) async fn find(&self, channel: &str, account: &str, key: &str) -> Result<Option<Held>> {
        self.read(&name(channel, account, key)).await
    }

    pub(super) async fn read(&self, name: &str) -> Result<Option<Held>> {
        let Some(record) = self.host.store().get(name).await? else {
            return Ok(None);
        };
        Ok(Some(Held {
            name: name.to_owned(),
            intent: read::<Stored>(&record.value)?.intent,
            version: record.version,
        }))
    }

    /// Puts the intent on the list, to be looked at after `wait`, or takes it off.
    pub(super) async fn listed(&self, held: &Held, wait: Duration) -> Result<Write> {
        if !self.goes_on(&held.intent).await? {
            return Ok(closed(&held.name));
        }
        let at = self.host.store().now().await? + chrono::Duration::from_std(wait).unwrap_or_default();
        Ok(Write::Index {
            index: OPEN.to_owned(),
            member: held.name.clone(),
            score: score(at),
            // Who is sending has set when to look at the intent again.
            keep: held.intent.is_sending(),
        })
    }

    /// Whether the first part that was not sent may be sent now or later, or is being sent.
    pub(super) async fn goes_on(&self, intent: &Intent) -> Result<bool> {
        Ok(match intent.first_unsent() {
            Some(part) if part.state == PartState::Unknown => self.is_deduplicated(part).await?,
            _ => intent.can_go_on(),
        })
    }

    /// Whether the platform surely deduplicates an attempt that begins now.
    pub(super) async fn is_deduplicated(&self, part: &Part) -> Result<bool> {
        let until = part.resend_until.as_deref().map(str::parse::<Timestamp>);
        match until {
            Some(Ok(until)) => Ok(self.host.store().now().await? < until),
            _ => Ok(false),
        }
    }

    async fn change(
        &self,
        channel: &str,
        account: &str,
        key: &str,
        change: impl Fn(&mut Intent) -> Result<()>,
    ) -> Result<Intent> {
        for _ in 0..TRIES {
            let Some(mut held) = self.find(channel, account, key).await? else {
                return Err(Error::new(Code::NotFound, "no send intent has this key"));
            };
            change(&mut held.intent)?;
            let listed = self.listed(&held, Duration::ZERO).await?;
            let commit = Commit::new()
                .with_durability(self.durability)
                .guard(held.unchanged())
                .write(held.put()?)
                .write(listed);
            if let Committed::Done { .. } = self.host.store().commit(commit).await? {
                return Ok(held.intent);
            }
        }
        Err(contended())
    }
}

impl Held {
    /// Holds as long as nobody else has written the record.
    pub(super) fn unchanged(&self) -> Guard {
        let key = self.name.clone();
        match self.version {
            0 => Guard::Absent { key },
            version => Guard::Version { key, version },
        }
    }

    /// Writes the intent; one that has ended is kept for a while, one that has not for ever.
    pub(super) fn put(&self) -> Result<Write> {
        let stored = Stored {
            v: 1,
            intent: self.intent.clone(),
        };
        Ok(Write::Put {
            key: self.name.clone(),
            value: serde_json::to_string(&stored)
                .map_err(|_| Error::new(Code::InvalidInput, "the send intent has no JSON form"))?,
            ttl: (!self.intent.can_go_on()).then_some(store::retention::INTENTS),
        })
    }
}

pub(super) fn name(channel: &str, account: &str, intent: &str) -> String {
    key(["outbox", "intent", channel, account, intent])
}

pub(super) fn open(name: &str, score: i64) -> Write {
    Write::Index {
        index: OPEN.to_owned(),
        member: name.to_owned(),
        score,
        keep: false,
    }
}

pub(super) fn closed(name: &str) -> Write {
    Write::Unindex {
        index: OPEN.to_owned(),
        member: name.to_owned(),
    }
}

/// An intent of nothing but pending parts.
pub(super) fn fresh(new: &NewIntent, now: Timestamp) -> Result<Intent> {
    if new.parts.is_empty() || new.key.is_empty() {
        return Err(Error::new(
            Code::InvalidInput,
            "a send intent needs a key and at least one part",
        ));
    }
    let parts = new.parts.iter().enumerate().map(|(index, payload)| Part {
        index,
        payload: payload.clone(),
        state: PartState::Pending,
        result: None,
        error: None,
        resend_until: None,
        epoch: 0,
    });
    Ok(Intent {
        key: new.key.clone(),
        channel: new.channel.clone(),
        account: new.account.clone(),
        parts: parts.collect(),
        created_at: iso(now),
    })
}

/// Refuses a key that is used again for something else.
pub(super) fn same_parts(known: &Intent, new: &NewIntent) -> Result<()> {
    let same = known.parts.len() == new.parts.len()
        && known
            .parts
            .iter()
            .zip(&new.parts)
            .all(|(part, payload)| part.payload == *payload || part.payload == as_stored(payload));
    if same {
        return Ok(());
    }
    Err(Error::new(
        Code::Conflict,
        "this idempotency key was used for a send with other parts",
    )
    .with_user_action("Use a key of its own for each thing that is to be sent."))
}

/// A value as it is after it was written and read: numbers with fractions may lose their last bit.
fn as_stored(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).unwrap_or(Value::Null)
}
