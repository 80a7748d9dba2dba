//! One event in a worker's hands.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Event;
use super::dead::{self, DeadLetter};
use super::queue::{
    Inbox, PENDING, TRIES, attempts_key, backoff_key, contended, event_key, lane_index, ready, score, unready,
};
use crate::outbox::{NewIntent, Outbox};
use crate::store::{Commit, Committed, Guard, Lease, RENEWALS, Range, Tenure, Write};
use crate::{Code, Error, Result};

/// An event with the lease of its lane. It ends with [`done`](Self::done), [`commit`](Self::commit) or
/// [`fail`](Self::fail); dropped without any of them, its lane is free again when the lease ends, and the attempt
/// counts.
#[derive(Debug)]
pub struct Work {
    inbox: Inbox,
    lane: String,
    tenure: Mutex<Tenure>,
    event: Event,
}

impl Work {
    pub(super) fn new(inbox: Inbox, lane: String, tenure: Tenure, event: Event) -> Self {
        Self {
            inbox,
            lane,
            tenure: Mutex::new(tenure),
            event,
        }
    }

    /// The event.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The lease, as it was when it was last taken or renewed.
    pub fn lease(&self) -> Lease {
        self.tenure().lease
    }

    /// Whether the lease can still be relied on, without asking the store: counted from before it was taken or renewed, on
    /// a clock that goes on while the machine is suspended, less a margin. Look before doing something that cannot be
    /// taken back.
    pub fn is_held(&self) -> bool {
        self.lock().is_sure(&self.inbox.host)
    }

    /// Prolongs the lease; every 20 s is enough for one of 60 s. `store_conflict` when it was lost: then stop.
    pub async fn renew(&self) -> Result<()> {
        let store = self.inbox.host.store();
        let mut tenure = self.tenure();
        let renewed = tenure.renew(&self.inbox.host, self.inbox.lease).await?;
        self.lock().clone_from(&tenure);
        if !renewed {
            return Err(lost());
        }
        let commit = Commit::new().guard(tenure.guard()).write(ready(
            &self.lane,
            score(tenure.lease.expires_at),
            false,
        ));
        match store.commit(commit).await? {
            Committed::Done { .. } => Ok(()),
            Committed::Refused(_) => Err(lost()),
        }
    }

    /// Renews the lease three times a lease until it is lost or the future is dropped: what runs beside long work.
    ///
    /// It waits on the machine's time, also where the host's clock is a fake one: that one moves when somebody sleeps,
    /// and this would move it without end.
    pub async fn keep(&self) {
        loop {
            tokio::time::sleep(self.inbox.lease / RENEWALS).await;
            match self.renew().await {
                // The store was away: the lease says how long that may last.
                Err(error) if error.retryable() && self.is_held() => {}
                Err(_) => return,
                Ok(()) => {}
            }
        }
    }

    /// The event is handled: it is removed and its lane goes on. Safe to repeat after an error.
    pub async fn done(&self) -> Result<()> {
        self.commit(Vec::new()).await
    }

    /// The event is handled and `sends` are to be sent: stored in one step, so that neither is there without the
    /// other. An intent that is there already with the same parts stays as it is; with others it is `conflict`.
    pub async fn commit(&self, sends: Vec<NewIntent>) -> Result<()> {
        self.commit_with(sends, &[]).await
    }

    /// The same with `writes` of the host's own in the same step: what handling the event changed is there exactly once,
    /// whoever was killed and whoever handled it again. `invalid_input` for a key or an index in a room of the suite's own
    /// ([`store::ROOMS`](crate::store::ROOMS)).
    pub async fn commit_with(&self, sends: Vec<NewIntent>, writes: &[Write]) -> Result<()> {
        if let Some(taken) = writes.iter().find_map(Write::room_of_ours) {
            let message = format!("what begins with `{taken}/` in the store is not the program's");
            return Err(Error::new(Code::InvalidInput, message));
        }
        let outbox = Outbox::new(&self.inbox.host);
        let now = self.inbox.host.store().now().await?;
        for round in 0..TRIES {
            let mut intents = Commit::new();
            for send in &sends {
                intents = outbox.planned(intents, send, now).await?;
            }
            let op_id = self.op_id("done", round);
            intents.writes.extend_from_slice(writes);
            if self.finish(intents.with_op_id(op_id)).await? {
                return Ok(());
            }
        }
        Err(contended())
    }

    /// The event was not handled: it is tried again after a back-off, or becomes a dead letter after its last attempt.
    /// Its lane waits for it. Safe to repeat after an error.
    pub async fn fail(&self, error: &Error) -> Result<()> {
        if self.event.attempt >= self.inbox.attempts {
            return self.bury(error).await;
        }
        let (first, longest) = self.inbox.backoff;
        let doubled = first.saturating_mul(2_u32.saturating_pow(self.event.attempt.saturating_sub(1)));
        let backoff = doubled
            .min(longest)
            .max(error.retry_after().unwrap_or_default().min(longest));
        let now = self.inbox.host.store().now().await?;
        let tenure = self.tenure();
        let until = now + chrono::Duration::from_std(backoff).unwrap_or(chrono::Duration::MAX);
        let commit = Commit::new()
            .with_op_id(self.op_id("fail", 0))
            .guard(tenure.guard())
            .write(Write::Put {
                key: backoff_key(&self.lane),
                value: "1".to_owned(),
                ttl: Some(backoff),
            })
            .write(ready(&self.lane, score(until), false))
            .write(tenure.release());
        match self.inbox.host.store().commit(commit).await? {
            Committed::Done { .. } => Ok(()),
            Committed::Refused(_) => Err(lost()),
        }
    }

    /// Makes a dead letter of the event and frees its lane.
    pub(super) async fn bury(&self, error: &Error) -> Result<()> {
        let now = self.inbox.host.store().now().await?;
        let letter = DeadLetter::new(&self.event, error, now);
        for round in 0..TRIES {
            let commit = dead::burial(&self.inbox, &letter, now).await?;
            let op_id = self.op_id("dead", round);
            if self.finish(commit.with_op_id(op_id)).await? {
                return Ok(());
            }
        }
        Err(contended())
    }

    /// Removes the event within `commit`, sets its lane ready or idle and gives the lease back. `false` when a guard
    /// other than the lease did not hold: then look again.
    async fn finish(&self, commit: Commit) -> Result<bool> {
        let store = self.inbox.host.store();
        let tenure = self.tenure();
        let index = lane_index(&self.lane);
        let more = store
            .scan(&index, Range::first(2))
            .await?
            .iter()
            .any(|entry| entry.member != self.event.id);
        let lease_guard = commit.guards.len();
        let mut commit = commit.guard(tenure.guard());
        if more {
            let now = score(store.now().await?);
            commit = commit.write(ready(&self.lane, now, false));
        } else {
            // What is accepted from now on makes the lane ready by itself: this commit must not undo that.
            commit = commit
                .guard(Guard::CountBelow {
                    index: index.clone(),
                    n: 2,
                })
                .write(unready(&self.lane));
        }
        let id = &self.event.id;
        let commit = commit
            .write(Write::Delete { key: event_key(id) })
            .write(Write::Unindex {
                index,
                member: id.clone(),
            })
            .write(Write::Unindex {
                index: PENDING.to_owned(),
                member: id.clone(),
            })
            // A sum of 0 is not kept.
            .write(Write::Add {
                key: attempts_key(id),
                delta: -i64::from(self.event.attempt),
            })
            .write(tenure.release());
        match store.commit(commit).await? {
            Committed::Done { .. } => Ok(true),
            Committed::Refused(refusal) if refusal.guard == lease_guard => Err(lost()),
            Committed::Refused(_) => Ok(false),
        }
    }

    /// The same for a repeated call, another for each end, attempt and round.
    fn op_id(&self, end: &str, round: usize) -> String {
        let epoch = self.lock().lease.epoch;
        format!("inbox/{}/{epoch}/{end}/{round}", self.event.id)
    }

    fn tenure(&self) -> Tenure {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Tenure> {
        self.tenure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lost() -> Error {
    Error::new(
        Code::StoreConflict,
        "the lease on the lane was lost: another worker may have the event",
    )
    .with_retryable(false)
    .with_user_action("Stop handling the event: it is, or will be, handled by another worker.")
}

/// Why an event is dead whose workers all vanished.
pub(super) fn ended_without_a_word() -> Error {
    Error::new(
        Code::Internal,
        "every attempt at handling it ended without a word, as when the worker is killed",
    )
}
