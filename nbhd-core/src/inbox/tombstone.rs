//! What the inbox remembers of an event after it is gone: its dedupe keys, so that a redelivery is known.
//!
//! `inbox/tombstones/<provider>/<instance>` has one entry per event, scored by when it was accepted, whose member is the
//! names of its keys: enough to remove them when there are too many. One that the provider may still deliver again is
//! never removed for its number.

use std::time::Duration;

use super::NewEvent;
use super::queue::{Inbox, contended, score};
use crate::store::retention::TOMBSTONES;
use crate::store::{Commit, Committed, Range, Tenure, Write, key};
use crate::{Code, Error, Result};

/// How many tombstones make room at once: so that the next events need not ask again.
const ROOM: usize = 64;

/// The dedupe keys of one event.
pub(super) struct Tombstone {
    provider: String,
    instance: String,
    names: Vec<String>,
}

impl Tombstone {
    pub(super) fn of(event: &NewEvent) -> Self {
        let mut names: Vec<String> = Vec::with_capacity(event.dedupe.len());
        for name in &event.dedupe {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        Self {
            provider: event.provider.clone(),
            instance: event.instance.clone(),
            names,
        }
    }

    /// The keys under which the event is known.
    pub(super) fn claims(&self) -> Vec<String> {
        let claim = |name: &String| key(["inbox", "dedupe", &self.provider, &self.instance, name]);
        self.names.iter().map(claim).collect()
    }

    pub(super) fn index(&self) -> String {
        key(["inbox", "tombstones", &self.provider, &self.instance])
    }

    pub(super) fn write(&self, score: i64) -> Write {
        Write::Index {
            index: self.index(),
            member: key(self.names.iter().map(String::as_str)),
            score,
            keep: false,
        }
    }

    /// The keys of the event whose entry is `member`. A name stands in it as it stands in a key.
    fn claims_of(&self, member: &str) -> Vec<String> {
        let scope = key(["inbox", "dedupe", &self.provider, &self.instance]);
        member.split('/').map(|name| format!("{scope}/{name}")).collect()
    }
}

impl Inbox {
    /// Forgets the oldest events of an instance that may not be delivered again; `quota_exhausted` when there are none.
    /// One at a time, so that nobody removes what was accepted anew after he had looked.
    pub(super) async fn make_room(&self, tombstone: &Tombstone) -> Result<()> {
        let (host, index) = (&self.host, tombstone.index());
        let Some(tenure) = Tenure::take(host, &index, self.lease).await? else {
            return Err(contended());
        };
        let now = score(host.store().now().await?);
        let old = Range::up_to(now - micros(self.redelivery), ROOM);
        let mut commit = Commit::new().guard(tenure.guard());
        let entries = host.store().scan(&index, old).await?;
        let full = entries.is_empty();
        for entry in entries {
            // Older ones have ended by themselves, and their keys may be another event's by now.
            if entry.score > now - micros(TOMBSTONES) {
                for key in tombstone.claims_of(&entry.member) {
                    commit = commit.write(Write::Delete { key });
                }
            }
            commit = commit.write(Write::Unindex {
                index: index.clone(),
                member: entry.member,
            });
        }
        let made = host.store().commit(commit.write(tenure.release())).await?;
        if full {
            return Err(self.too_many(tombstone, now).await?);
        }
        match made {
            Committed::Done { .. } => Ok(()),
            Committed::Refused(_) => Err(contended()),
        }
    }

    async fn too_many(&self, tombstone: &Tombstone, now: i64) -> Result<Error> {
        let oldest = self
            .host
            .store()
            .scan(&tombstone.index(), Range::first(1))
            .await?
            .pop();
        let wait = oldest.map_or(0, |oldest| oldest.score + micros(self.redelivery) - now);
        Ok(Error::new(
            Code::QuotaExhausted,
            format!(
                "{} events of this instance are remembered, and any of them may still be delivered again",
                self.tombstones
            ),
        )
        .with_retryable(true)
        .with_retry_after(Duration::from_micros(wait.max(0).unsigned_abs()))
        .with_user_action(
            "Raise the number of tombstones (with_tombstones), or say how long the provider delivers again \
             (with_redelivery).",
        ))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
