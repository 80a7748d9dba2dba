//! Durable work: accepted once, handled in order within a lane, tried again, never lost.
//!
//! [`Inbox::accept`] claims all dedupe keys of an event and stores it in one step; only then may the host acknowledge.
//! A worker [claims](Inbox::claim) the head of a lane, renews its lease while it works, and ends with
//! [`Work::done`], [`Work::commit`] or [`Work::fail`]. Each of them is guarded by the lease's epoch, so that a worker
//! that was overtaken changes nothing.
//!
//! How it lies in the store: `inbox/lane/<lane>` has the lane's events in order; `inbox/ready` has every lane that has
//! events, scored by when it may next be claimed (now, after a back-off, or when its lease ends).

mod dead;
mod envelope;
mod queue;
mod tombstone;
mod words;
mod work;

pub use dead::DeadLetter;
pub use envelope::{ENVELOPE, EnvelopeKind, Ingest, Ingested, LARGEST_ENVELOPE};
pub use queue::{BACKOFF_FIRST, BACKOFF_LONGEST, CAPACITY, Inbox, MAX_ATTEMPTS};
pub use words::{Accepted, Event, NewEvent};
pub use work::Work;

pub(crate) use queue::{TRIES, contended, iso, read, score};

#[cfg(test)]
mod tests;
