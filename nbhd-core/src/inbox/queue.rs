//! The inbox itself: accepting, claiming, counting.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::tombstone::Tombstone;
use super::work::{Work, ended_without_a_word};
use super::{Accepted, Event, NewEvent};
use crate::clock::Timestamp;
use crate::store::{self, Commit, Committed, Durability, Guard, Range, Tenure, Write, key};
use crate::{Code, Error, Host, Result};

/// How many events may wait until the inbox refuses more: as many as its tombstones were asked to be kept for.
pub const CAPACITY: u64 = 20_000;

/// How often an event is tried before it is a dead letter.
pub const MAX_ATTEMPTS: u32 = 8;

/// The first back-off; each further one is twice as long.
pub const BACKOFF_FIRST: Duration = Duration::from_secs(1);

/// The longest back-off.
pub const BACKOFF_LONGEST: Duration = Duration::from_secs(180);

/// The fields of [`Event`] that an event's own data may not have.
const OWN_FIELDS: [&str; 6] = ["id", "provider", "instance", "lane", "accepted_at", "attempt"];

/// How many ready lanes a claim looks at: more than there are workers at one store.
const LOOK: usize = 64;

/// How often a write is tried anew when others were faster.
pub(crate) const TRIES: usize = 8;

pub(super) const READY: &str = "inbox/ready";
pub(super) const PENDING: &str = "inbox/pending";

/// A handle on the inbox in a host's store. Cheap to clone, does no I/O until a call is made.
#[derive(Debug, Clone)]
pub struct Inbox {
    pub(super) host: Host,
    pub(super) lease: Duration,
    pub(super) attempts: u32,
    pub(super) backoff: (Duration, Duration),
    capacity: u64,
    pub(super) tombstones: u64,
    pub(super) redelivery: Duration,
    durability: Durability,
}

/// An event as it lies in the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) v: u32,
    pub(super) id: String,
    pub(super) provider: String,
    pub(super) instance: String,
    pub(super) lane: String,
    pub(super) accepted_at: String,
    pub(super) data: Map<String, Value>,
}

impl Inbox {
    /// The inbox in the store of `host`, with the defaults named in this module.
    pub fn new(host: &Host) -> Self {
        Self {
            lease: host.lease(),
            host: host.clone(),
            attempts: MAX_ATTEMPTS,
            backoff: (BACKOFF_FIRST, BACKOFF_LONGEST),
            capacity: CAPACITY,
            tombstones: store::retention::TOMBSTONES_PER_INSTANCE,
            redelivery: store::retention::REDELIVERY,
            durability: Durability::Power,
        }
    }

    /// Sets how long a claim leases a lane.
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how often an event is tried; at least once.
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Sets the first and the longest back-off.
    pub fn with_backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = (first, longest);
        self
    }

    /// Sets how many events may wait.
    pub fn with_capacity(mut self, capacity: u64) -> Self {
        self.capacity = capacity;
        self
    }

    /// Sets how many events of one instance are remembered for 30 days; 20,000 unless said otherwise. Beyond it the
    /// oldest make room, but none that the provider may still deliver again: then the inbox refuses.
    pub fn with_tombstones(mut self, events: u64) -> Self {
        self.tombstones = events.max(1);
        self
    }

    /// Sets how long the provider may deliver an event again, where that is known; 7 days unless said otherwise.
    pub fn with_redelivery(mut self, horizon: Duration) -> Self {
        self.redelivery = horizon;
        self
    }

    /// Sets the durability of accepting; [`Durability::Power`] unless said otherwise.
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Stores an event unless one of its dedupe keys is known. Errors: `invalid_input` without a dedupe key,
    /// `quota_exhausted` when the inbox, or the memory of its dedupe keys, is full.
    pub async fn accept(&self, event: NewEvent) -> Result<Accepted> {
        self.host.durable_store("accepted events").await?;
        let tombstone = Tombstone::of(&event);
        let claims = tombstone.claims();
        if claims.is_empty() {
            return Err(Error::new(Code::InvalidInput, "an event needs a dedupe key"));
        }
        if let Some(taken) = OWN_FIELDS.iter().find(|field| event.data.contains_key(**field)) {
            return Err(Error::new(
                Code::InvalidInput,
                format!("`{taken}` is a field of the inbox's own: name the event's field differently"),
            ));
        }
        let now = self.host.store().now().await?;
        let stored = Stored {
            v: 1,
            id: self.host.random().id(),
            accepted_at: iso(now),
            lane: event.lane,
            provider: event.provider,
            instance: event.instance,
            data: event.data,
        };
        for _ in 0..TRIES {
            match self
                .host
                .store()
                .commit(self.acceptance(&tombstone, &claims, &stored, now)?)
                .await?
            {
                Committed::Done { .. } => {
                    return Ok(Accepted {
                        id: stored.id,
                        duplicate: false,
                    });
                }
                Committed::Refused(refusal) => match claims.get(refusal.guard) {
                    Some(claim) => {
                        if let Some(first) = self.host.store().get(claim).await? {
                            return Ok(Accepted {
                                id: first.value,
                                duplicate: true,
                            });
                        }
                        // It ended between the two looks: claim it anew.
                    }
                    None if refusal.guard == claims.len() => return Err(self.full(refusal.found)),
                    None => self.make_room(&tombstone).await?,
                },
            }
        }
        Err(contended())
    }

    /// Leases the first lane that is ready and hands out its oldest event; `None` when no lane is ready.
    pub async fn claim(&self) -> Result<Option<Work>> {
        let now = score(self.host.store().now().await?);
        for entry in self.host.store().scan(READY, Range::up_to(now, LOOK)).await? {
            if let Some(work) = self.take(&entry.member).await? {
                return Ok(Some(work));
            }
        }
        Ok(None)
    }

    /// Waits until there is work, looking every `poll` by the host's clock.
    pub async fn next(&self, poll: Duration) -> Result<Work> {
        loop {
            if let Some(work) = self.claim().await? {
                return Ok(work);
            }
            self.host.clock().sleep(poll).await;
        }
    }

    /// How many events wait or are being handled.
    pub async fn pending(&self) -> Result<u64> {
        self.host.store().count(PENDING).await
    }

    fn acceptance(
        &self,
        tombstone: &Tombstone,
        claims: &[String],
        stored: &Stored,
        now: Timestamp,
    ) -> Result<Commit> {
        let mut commit = Commit::new().with_durability(self.durability);
        for claim in claims {
            commit = commit.guard(Guard::Absent { key: claim.clone() });
        }
        commit = commit
            .guard(Guard::CountBelow {
                index: PENDING.to_owned(),
                n: self.capacity,
            })
            .guard(Guard::CountBelow {
                index: tombstone.index(),
                n: self.tombstones,
            })
            .write(tombstone.write(score(now)));
        for claim in claims {
            commit = commit.write(Write::Put {
                key: claim.clone(),
                value: stored.id.clone(),
                ttl: Some(store::retention::TOMBSTONES),
            });
        }
        enter(commit, stored, now)
    }

    fn full(&self, waiting: i64) -> Error {
        Error::new(
            Code::QuotaExhausted,
            format!("the inbox is full: {waiting} events wait, {} may", self.capacity),
        )
        .with_retryable(true)
        .with_user_action("Start more workers, look at the dead letters, or raise the inbox's capacity.")
    }

    /// Claims `lane` and its head, unless somebody has it, it backs off or it is empty.
    async fn take(&self, lane: &str) -> Result<Option<Work>> {
        let store = self.host.store();
        let Some(tenure) = Tenure::take(&self.host, &lease_name(lane), self.lease).await? else {
            return Ok(None);
        };
        let (guard, release) = (tenure.guard(), tenure.release());
        let head = store.scan(&lane_index(lane), Range::first(1)).await?.pop();
        let Some(head) = head else {
            // Emptied since it was listed. It leaves the list only if nothing was accepted meanwhile.
            let empty = Guard::CountBelow {
                index: lane_index(lane),
                n: 1,
            };
            let tidy = Commit::new()
                .guard(guard)
                .guard(empty)
                .write(unready(lane))
                .write(release.clone());
            if let Committed::Refused(_) = store.commit(tidy).await? {
                store.commit(Commit::new().write(release)).await?;
            }
            return Ok(None);
        };
        let Some(record) = store.get(&event_key(&head.member)).await? else {
            return Err(Error::new(
                Code::Internal,
                format!("the inbox lists the event {} but does not have it", head.member),
            ));
        };
        let stored: Stored = read(&record.value)?;
        let commit = Commit::new()
            .guard(guard)
            .guard(Guard::Absent {
                key: backoff_key(lane),
            })
            .write(ready(lane, score(tenure.lease.expires_at), false))
            .write(Write::Add {
                key: attempts_key(&stored.id),
                delta: 1,
            });
        let attempt = match store.commit(commit).await? {
            Committed::Done { results, .. } => results.last().copied().unwrap_or(1) as u32,
            Committed::Refused(_) => {
                store.commit(Commit::new().write(release)).await?;
                return Ok(None);
            }
        };
        let event = Event {
            id: stored.id,
            provider: stored.provider,
            instance: stored.instance,
            lane: stored.lane,
            accepted_at: stored.accepted_at,
            attempt,
            data: stored.data,
        };
        let work = Work::new(self.clone(), lane.to_owned(), tenure, event);
        if attempt > self.attempts {
            // Every attempt ended without a word, as when the event kills its worker.
            work.bury(&ended_without_a_word()).await?;
            return Ok(None);
        }
        Ok(Some(work))
    }
}

/// The writes that put an event at the end of its lane.
pub(super) fn enter(commit: Commit, stored: &Stored, now: Timestamp) -> Result<Commit> {
    let lane = key([
        stored.provider.as_str(),
        stored.instance.as_str(),
        stored.lane.as_str(),
    ]);
    let value = serde_json::to_string(stored)
        .map_err(|_| Error::new(Code::InvalidInput, "the event has no JSON form"))?;
    Ok(commit
        .write(Write::Put {
            key: event_key(&stored.id),
            value,
            ttl: None,
        })
        .write(Write::Append {
            index: lane_index(&lane),
            member: stored.id.clone(),
        })
        .write(Write::Index {
            index: PENDING.to_owned(),
            member: stored.id.clone(),
            score: score(now),
            keep: false,
        })
        .write(ready(&lane, score(now), true)))
}

pub(super) fn ready(lane: &str, score: i64, keep: bool) -> Write {
    Write::Index {
        index: READY.to_owned(),
        member: lane.to_owned(),
        score,
        keep,
    }
}

pub(super) fn unready(lane: &str) -> Write {
    Write::Unindex {
        index: READY.to_owned(),
        member: lane.to_owned(),
    }
}

/// Lanes come here as keys of their own (provider, instance, lane), and are joined as they are.
pub(super) fn lane_index(lane: &str) -> String {
    format!("inbox/lane/{lane}")
}

pub(super) fn backoff_key(lane: &str) -> String {
    format!("inbox/backoff/{lane}")
}

fn lease_name(lane: &str) -> String {
    format!("inbox/{lane}")
}

pub(super) fn event_key(id: &str) -> String {
    key(["inbox", "event", id])
}

pub(super) fn attempts_key(id: &str) -> String {
    key(["inbox", "attempts", id])
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(value: &str) -> Result<T> {
    serde_json::from_str(value).map_err(|_| {
        Error::new(
            Code::Internal,
            "a stored record is not in a form that this version reads",
        )
    })
}

pub(crate) fn contended() -> Error {
    Error::new(Code::StoreConflict, "others wrote here faster, time and again")
}

pub(crate) fn iso(at: Timestamp) -> String {
    crate::clock::rfc3339(at)
}

/// A time as the score of an index: microseconds, which a double of Redis holds exactly until the year 2255.
pub(crate) fn score(at: Timestamp) -> i64 {
    at.timestamp_micros()
}

#[cfg(test)]
pub(super) async fn now_score(inbox: &Inbox) -> i64 {
    score(inbox.host.store().now().await.expect("the test's store answers"))
}
