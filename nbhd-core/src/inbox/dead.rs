//! Dead letters: events that could not be handled, with the reason, until somebody looks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Event;
use super::queue::{Inbox, Stored, enter, iso, read, score};
use crate::clock::Timestamp;
use crate::secret::redact;
use crate::store::retention::DEAD_LETTERS;
use crate::store::{Commit, Committed, Guard, Range, Write, key};
use crate::{Code, Error, Result};

const DEAD: &str = "inbox/dead";

/// The longest reason, in characters: alerts are read on phones.
const REASON: usize = 200;

/// How many expired letters the writing of a new one removes.
const SWEEP: usize = 16;

/// An event that could not be handled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The event, as its last worker had it.
    pub event: Event,
    /// The code of the last error.
    pub code: Code,
    /// Its message, redacted, at most 200 characters.
    pub reason: String,
    /// When it was given up, ISO 8601, by the store's clock.
    pub dead_at: String,
}

impl DeadLetter {
    pub(super) fn new(event: &Event, error: &Error, now: Timestamp) -> Self {
        let reason = redact(error.message());
        let reason = if reason.chars().count() > REASON {
            reason.chars().take(REASON - 1).chain(['…']).collect()
        } else {
            reason
        };
        Self {
            event: event.clone(),
            code: error.code(),
            reason,
            dead_at: iso(now),
        }
    }
}

/// A letter as it lies in the store.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    v: u32,
    letter: DeadLetter,
}

impl Inbox {
    /// The dead letters, oldest first.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        let mut letters = Vec::new();
        for entry in self.host.store().scan(DEAD, Range::first(limit)).await? {
            if let Some(record) = self.host.store().get(&dead_key(&entry.member)).await? {
                letters.push(read::<Kept>(&record.value)?.letter);
            }
        }
        Ok(letters)
    }

    /// Puts a dead letter back at the end of its lane, with all its attempts. `not_found` when there is none.
    pub async fn revive(&self, id: &str) -> Result<()> {
        let store = self.host.store();
        let Some(record) = store.get(&dead_key(id)).await? else {
            return Err(Error::new(Code::NotFound, "no dead letter has this id"));
        };
        let event = read::<Kept>(&record.value)?.letter.event;
        let stored = Stored {
            v: 1,
            id: event.id,
            provider: event.provider,
            instance: event.instance,
            lane: event.lane,
            accepted_at: event.accepted_at,
            data: event.data,
        };
        let commit = enter(gone(id), &stored, store.now().await?)?.guard(Guard::Version {
            key: dead_key(id),
            version: record.version,
        });
        match store.commit(commit).await? {
            Committed::Done { .. } => Ok(()),
            Committed::Refused(_) => Err(Error::new(
                Code::NotFound,
                "the dead letter was taken by somebody else",
            )),
        }
    }

    /// Forgets a dead letter; forgetting one that is not there is fine.
    pub async fn forget_dead(&self, id: &str) -> Result<()> {
        self.host.store().commit(gone(id)).await.map(drop)
    }
}

/// The commit that keeps `letter`, and lets go of some that were kept long enough.
pub(super) async fn burial(inbox: &Inbox, letter: &DeadLetter, now: Timestamp) -> Result<Commit> {
    let kept = Kept {
        v: 1,
        letter: letter.clone(),
    };
    let value = serde_json::to_string(&kept)
        .map_err(|_| Error::new(Code::Internal, "the dead letter has no JSON form"))?;
    let horizon = score(now) - DEAD_LETTERS.as_micros() as i64;
    let mut commit = Commit::new();
    for entry in inbox
        .host
        .store()
        .scan(DEAD, Range::up_to(horizon, SWEEP))
        .await?
    {
        commit = commit.write(Write::Unindex {
            index: DEAD.to_owned(),
            member: entry.member,
        });
    }
    Ok(commit
        .write(Write::Put {
            key: dead_key(&letter.event.id),
            value,
            ttl: Some(DEAD_LETTERS),
        })
        .write(Write::Index {
            index: DEAD.to_owned(),
            member: letter.event.id.clone(),
            score: score(now),
            keep: false,
        }))
}

fn gone(id: &str) -> Commit {
    Commit::new()
        .write(Write::Delete { key: dead_key(id) })
        .write(Write::Unindex {
            index: DEAD.to_owned(),
            member: id.to_owned(),
        })
}

fn dead_key(id: &str) -> String {
    key(["inbox", "dead", id])
}
