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
//! | inbox: dedupe key (tombstone) | [`TOMBSTONES`], 30 days | a redelivery would run again |
//! | inbox: dead letter | [`DEAD_LETTERS`], 30 days | removed when the next one is written |
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

/// Dead letters: time for a person to look.
pub const DEAD_LETTERS: Duration = Duration::from_secs(30 * DAY);

/// Send intents that ended: as long as the events that led to them.
pub const INTENTS: Duration = Duration::from_secs(30 * DAY);

/// The most rows of each kind that one commit removes, so that no commit is slow because others were idle.
pub const PRUNED_PER_COMMIT: usize = 8;
