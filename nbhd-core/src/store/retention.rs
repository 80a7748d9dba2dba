//! How long everything is kept, in one table. Nothing else in the suite forgets by time.
//!
//! | kind | kept | after that |
//! |---|---|---|
//! | answer of a commit that had an `op_id` | [`ANSWERS`], 24 h | removed, at most [`PRUNED_PER_COMMIT`] a commit |
//! | record with a time to live | until it ends by the store's clock | not seen at once, removed as above |
//! | lease | until released or ended; epochs never go back | removed as above |
//! | token bucket | until it is full again | removed as above: a full bucket and none are the same |
//! | sum | while it is not 0 | removed at once: 0 and none are the same |
//! | sequence of an index | for ever, one row per index | |
//! | inbox: event | until it is done or dead | removed by the commit that ends it |
//! | inbox: dedupe keys (tombstone) of an event | [`TOMBSTONES`], 30 days, or until [`TOMBSTONES_PER_INSTANCE`] are there, but never less than [`REDELIVERY`] | a redelivery would run again; full of younger ones, the inbox refuses |
//! | inbox: dead letter | [`DEAD_LETTERS`], 30 days | removed when the next one is written |
//! | queue: job that has not ended | for ever | |
//! | queue: job that was done | [`JOBS_DONE`], 7 days | its status is not found |
//! | queue: job that was given up (dead letter) | [`JOBS_FAILED`], 30 days | its entry is removed when the next one is written |
//! | queue: idempotency key | [`JOB_KEYS`], 30 days | the same key would dispatch again |
//! | queue: entry in a caller's list | as long as its job, at most [`JOBS_FAILED`] more | removed when it is met |
//! | queue: worker's heartbeat | an hour after it | removed by the next worker's |
//! | queue: totals of a target | for ever, two rows per target | |
//! | limit: mark of an alert | the gate's interval, 30 minutes | the alert passes again |
//! | limit: last state that was told | for ever, one row per name | |
//! | outbox: intent with parts that can still be sent | for ever | |
//! | outbox: intent that ended, and so its key | [`INTENTS`], 30 days | the same key would send again |
//!
//! The ledger of the model router names its own kinds beside these.

use std::time::Duration;

const DAY: u64 = 24 * 60 * 60;

/// Answers of commits with an `op_id`: long after any caller has given up repeating one.
pub const ANSWERS: Duration = Duration::from_secs(DAY);

/// Dedupe keys: four times the longest redelivery horizon that we know of (7 days).
pub const TOMBSTONES: Duration = Duration::from_secs(30 * DAY);

/// How many events of one instance are remembered; older ones make room.
pub const TOMBSTONES_PER_INSTANCE: u64 = 20_000;

/// How long a provider may deliver an event again, unless it is known: the longest that we know of. No number of events
/// makes a tombstone younger than this make room.
pub const REDELIVERY: Duration = Duration::from_secs(7 * DAY);

/// Dead letters: time for a person to look.
pub const DEAD_LETTERS: Duration = Duration::from_secs(30 * DAY);

/// Send intents that ended: as long as the events that led to them.
pub const INTENTS: Duration = Duration::from_secs(30 * DAY);

/// Jobs that were done: time to ask what came of them.
pub const JOBS_DONE: Duration = Duration::from_secs(7 * DAY);

/// Jobs that were given up: time for a person to look.
pub const JOBS_FAILED: Duration = Duration::from_secs(30 * DAY);

/// Idempotency keys of jobs: as long as the longest that a job is kept after its end.
pub const JOB_KEYS: Duration = Duration::from_secs(30 * DAY);

/// The most rows of each kind that one commit removes, so that no commit is slow because others were idle.
pub const PRUNED_PER_COMMIT: usize = 8;
