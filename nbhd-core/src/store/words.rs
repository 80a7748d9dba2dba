//! The words of the store contract: guards, writes, records, entries, leases.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::key::ROOMS;
use crate::clock::Timestamp;

/// What a commit survives. Later in the list survives more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: it is gone with the process.
    Volatile,
    /// The server may lose acknowledged commits by itself (Redis `everysec`, asynchronous replicas).
    Lossy,
    /// A killed process.
    Process,
    /// A power cut.
    Power,
}

/// A condition that must hold for a commit to be made.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Guard {
    /// No live record has this key.
    Absent {
        /// The key.
        key: String,
    },
    /// The record under this key is live and has this version.
    Version {
        /// The key.
        key: String,
        /// The version that was read.
        version: u64,
    },
    /// The lease on this lane is live and has this epoch.
    Lease {
        /// The lane.
        lane: String,
        /// The epoch of the lease that the writer holds.
        epoch: u64,
    },
    /// `sum + delta ≤ cap` for the sum under this key, as it stands before the commit's writes.
    SumAtMost {
        /// The key of the sum.
        key: String,
        /// What the commit's writes are about to add.
        delta: i64,
        /// The cap.
        cap: i64,
    },
    /// The index has fewer than `n` entries, before the commit's writes.
    CountBelow {
        /// The index.
        index: String,
        /// The bound.
        n: u64,
    },
    /// The bucket has at least `n` tokens, which the commit takes.
    Bucket {
        /// The bucket's key.
        key: String,
        /// Tokens to take.
        n: u32,
        /// Its shape.
        bucket: Bucket,
    },
}

/// The shape of a token bucket: it begins full and refills evenly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The most tokens it holds.
    pub capacity: u32,
    /// How long it takes to refill from empty.
    pub refill: Duration,
}

/// One change of a commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "StoreWrite")]
#[non_exhaustive]
pub enum Write {
    /// Sets the record under `key`; its version rises by one (a new record begins at 1, also after one that was
    /// deleted or has ended).
    Put {
        /// The key.
        key: String,
        /// The value, as JSON text of the writer's own versioned type.
        value: String,
        /// How long it lives, in seconds; for ever unless it is given.
        #[serde(default, with = "seconds")]
        #[schemars(with = "Option<f64>")]
        ttl: Option<Duration>,
    },
    /// Adds `delta` to the sum under `key`; `invalid_input` when it would leave 64 bits. A sum that comes to 0 takes no
    /// room.
    Add {
        /// The key of the sum.
        key: String,
        /// What is added.
        delta: i64,
    },
    /// Appends `member` to `index` with the next sequence number of that index as its score; a member that is there
    /// moves to the end. A number is never given twice, also when its entry is gone.
    Append {
        /// The index.
        index: String,
        /// The member.
        member: String,
    },
    /// Sets the score of `member` in `index`.
    Index {
        /// The index.
        index: String,
        /// The member.
        member: String,
        /// The score.
        score: i64,
        /// Leaves the score of a member that is there already.
        #[serde(default)]
        keep: bool,
    },
    /// Removes `member` from `index`.
    Unindex {
        /// The index.
        index: String,
        /// The member.
        member: String,
    },
    /// Removes the record under `key`.
    Delete {
        /// The key.
        key: String,
    },
    /// Gives the lease on `lane` back if it still has this epoch.
    #[serde(skip)]
    Release {
        /// The lane.
        lane: String,
        /// The epoch of the lease.
        epoch: u64,
    },
}

impl Write {
    /// The room of the suite's own ([`ROOMS`]) that it writes to, if it does.
    pub(crate) fn room_of_ours(&self) -> Option<&'static str> {
        let (Self::Put { key: place, .. }
        | Self::Add { key: place, .. }
        | Self::Delete { key: place }
        | Self::Append { index: place, .. }
        | Self::Index { index: place, .. }
        | Self::Unindex { index: place, .. }
        | Self::Release { lane: place, .. }) = self;
        let first = place.split('/').next();
        ROOMS.into_iter().find(|room| first == Some(*room))
    }
}

/// Guards and writes that happen together or not at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Commit {
    /// The same id again returns the first answer, for 24 hours: so a commit whose answer was lost can be repeated.
    /// A refusal is an answer too: whoever decides anew takes a new id.
    pub op_id: Option<String>,
    /// The class asked for; `None` for the store's default. A volatile store makes the commit all the same:
    /// [`Store::durability`](super::Store::durability) says what it is worth.
    pub durability: Option<Durability>,
    /// The conditions.
    pub guards: Vec<Guard>,
    /// The changes, in order.
    pub writes: Vec<Write>,
}

impl Commit {
    /// A commit of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the commit, so that it can be repeated after a lost answer.
    pub fn with_op_id(mut self, op_id: impl Into<String>) -> Self {
        self.op_id = Some(op_id.into());
        self
    }

    /// Asks for a durability class.
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// Adds a condition.
    pub fn guard(mut self, guard: Guard) -> Self {
        self.guards.push(guard);
        self
    }

    /// Adds a change.
    pub fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }
}

/// What a commit answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Committed {
    /// All of it was made.
    Done {
        /// For each write: the version of a `Put`, the new sum of an `Add`, the sequence of an `Append`, else 0.
        results: Vec<i64>,
        /// The store's time of the commit.
        at: Timestamp,
    },
    /// Nothing was made: this guard did not hold.
    Refused(Refusal),
}

/// The guard that did not hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// Its place among the commit's guards.
    pub guard: usize,
    /// What stood there instead: the live version (0 for none), the sum, the count, or the tokens in the bucket.
    pub found: i64,
    /// For a bucket: how long until it has enough.
    pub wait: Option<Duration>,
    /// The store's time of the check.
    pub at: Timestamp,
}

/// A live record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "StoreRecord")]
pub struct Record {
    /// The value.
    pub value: String,
    /// Its version, for [`Guard::Version`].
    pub version: u64,
    /// When it stops living, ISO 8601 by the store's clock.
    pub expires_at: Option<Timestamp>,
}

/// One entry of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "StoreEntry")]
pub struct Entry {
    /// The member.
    pub member: String,
    /// Its score.
    pub score: i64,
}

/// Which entries of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The lowest score, inclusive.
    pub from: i64,
    /// The highest score, inclusive.
    pub to: i64,
    /// The most entries.
    pub limit: usize,
}

impl Range {
    /// The first `limit` entries of the whole index.
    pub fn first(limit: usize) -> Self {
        Self {
            from: i64::MIN,
            to: i64::MAX,
            limit,
        }
    }

    /// The first `limit` entries with a score of at most `to`.
    pub fn up_to(to: i64, limit: usize) -> Self {
        Self {
            from: i64::MIN,
            to,
            limit,
        }
    }
}

/// A lease that is held. It says nothing about the future: every write that relies on it carries [`Guard::Lease`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The lane.
    pub lane: String,
    /// Which taking of the lane this is; later takings have higher epochs.
    pub epoch: u64,
    /// When it ends by the store's clock.
    pub expires_at: Timestamp,
}

/// A time to live as seconds.
mod seconds {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "what serde hands over")]
    pub(super) fn serialize<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        time.map(|time| time.as_secs_f64()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let time = Option::<f64>::deserialize(from)?.map(Duration::try_from_secs_f64);
        time.transpose().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_write_is_plain_data() {
        let put: Write = serde_json::from_value(json!({"type": "put", "key": "a", "value": "1", "ttl": 0.5}))
            .expect("a write");
        let Write::Put { ttl, .. } = &put else {
            panic!("{put:?}")
        };
        assert_eq!(*ttl, Some(Duration::from_millis(500)));
        assert_eq!(
            serde_json::to_value(&put).expect("plain data"),
            json!({"type": "put", "key": "a", "value": "1", "ttl": 0.5})
        );
        for wrong in [
            json!({"type": "put", "key": "a", "value": "1", "ttl": -1.0}),
            json!({"type": "put", "key": "a", "value": "1", "tll": 1.0}),
            json!({"type": "release", "lane": "a", "epoch": 1}),
        ] {
            assert!(serde_json::from_value::<Write>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
