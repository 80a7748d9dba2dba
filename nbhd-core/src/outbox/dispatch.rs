//! Sending: one part after another, each stored as `sending` before its first byte leaves.

use std::time::Duration;

use serde_json::Value;

use super::book::{Held, Outbox, closed, fresh, name, open, same_parts};
use super::{Intent, NewIntent, Part, PartState, SendPart};
use crate::clock::Timestamp;
use crate::error::ErrorData;
use crate::inbox::{TRIES, contended, iso, score};
use crate::store::{Commit, Committed, RENEWALS, Tenure};
use crate::{Code, Error, Outcome, Result};

/// When to look again at an intent that could not be sent and names no time itself.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Outbox {
    /// Stores `new` unless its key is known, then sends the parts that are missing, in order. It stops at the first
    /// part that is not sent; the answer says what became of each. A part that was sent, refused or is unknown is not
    /// sent again.
    ///
    /// Errors: `conflict` when the key was used for other parts, `store_conflict` while somebody else is sending,
    /// `store_unavailable` when nothing can be stored: then nothing more was sent either.
    pub async fn dispatch(&self, new: NewIntent, sender: &dyn SendPart) -> Result<Intent> {
        self.check_store().await?;
        let name = name(&new.channel, &new.account, &new.key);
        if let Some(held) = self.read(&name).await? {
            same_parts(&held.intent, &new)?;
            if !self.goes_on(&held.intent, sender.dedupe_window()).await? {
                return Ok(held.intent);
            }
        }
        let tenure = self.take(&name).await?;
        let held = match self.read(&name).await? {
            Some(held) => {
                same_parts(&held.intent, &new)?;
                held
            }
            None => Held {
                intent: fresh(&new, self.host.store().now().await?)?,
                name,
                version: 0,
            },
        };
        self.run(held, tenure, sender).await
    }

    /// Sends what is missing of a stored intent, as [`dispatch`](Self::dispatch) does. `not_found` without one.
    pub async fn resume(
        &self,
        channel: &str,
        account: &str,
        key: &str,
        sender: &dyn SendPart,
    ) -> Result<Intent> {
        self.check_store().await?;
        let name = name(channel, account, key);
        let found = self.read(&name).await?.ok_or_else(unknown_key)?;
        let window = sender.dedupe_window();
        if !self.goes_on(&found.intent, window).await? {
            if window.is_some() {
                // It may stand on the list from when the platform still deduplicated it.
                let commit = Commit::new().guard(found.unchanged()).write(closed(&name));
                self.host.store().commit(commit).await?;
            }
            return Ok(found.intent);
        }
        let tenure = self.take(&name).await?;
        let held = self.read(&name).await?.ok_or_else(unknown_key)?;
        self.run(held, tenure, sender).await
    }

    /// Makes unknown what somebody left `sending` whose lease has ended, of at most `limit` intents; those intents.
    /// [`resume`](Self::resume) does so as well: this is for whoever looks and does not send.
    pub async fn expire(&self, limit: usize) -> Result<Vec<Intent>> {
        let mut expired = Vec::new();
        for intent in self.undelivered(limit).await? {
            let is_sending =
                |intent: &Intent| intent.parts.iter().any(|part| part.state == PartState::Sending);
            if !is_sending(&intent) {
                continue;
            }
            let name = name(&intent.channel, &intent.account, &intent.key);
            let Some(tenure) = Tenure::take(&self.host, &name, self.lease).await? else {
                continue;
            };
            let held = self.read(&name).await?.ok_or_else(unknown_key)?;
            let mut sending = Sending::new(self, held, tenure, None);
            sending.bury_the_lost();
            expired.push(sending.end().await?);
        }
        Ok(expired)
    }

    /// Whether the first part that was not sent may be sent now, or is being sent.
    async fn goes_on(&self, intent: &Intent, window: Option<Duration>) -> Result<bool> {
        Ok(intent.can_go_on() || self.is_deduplicated(intent, window).await?)
    }

    /// Whether the first part that was not sent is unknown, and the platform still deduplicates its key: so long that
    /// one more attempt surely arrives within the window.
    async fn is_deduplicated(&self, intent: &Intent, window: Option<Duration>) -> Result<bool> {
        let (Some(window), Some(part)) = (window, intent.first_unsent()) else {
            return Ok(false);
        };
        let began = part
            .began_at
            .as_deref()
            .and_then(|at| at.parse::<Timestamp>().ok());
        let Some(began) = began.filter(|_| part.state == PartState::Unknown) else {
            return Ok(false);
        };
        let sure = chrono::Duration::from_std(window.saturating_sub(self.lease)).unwrap_or_default();
        Ok(self.host.store().now().await? < began + sure)
    }

    async fn take(&self, name: &str) -> Result<Tenure> {
        Tenure::take(&self.host, name, self.lease).await?.ok_or_else(|| {
            Error::new(Code::StoreConflict, "somebody else is sending under this key")
                .with_retry_after(LOOK_AGAIN)
        })
    }

    async fn run(&self, held: Held, tenure: Tenure, sender: &dyn SendPart) -> Result<Intent> {
        let mut sending = Sending::new(self, held, tenure, sender.dedupe_window());
        sending.bury_the_lost();
        while let Some(index) = sending.next().await? {
            if !sending.begin(index).await? {
                continue;
            }
            let part = sending.held.intent.parts[index].clone();
            let answer = sending.send(&part, sender).await;
            if !sending.note(index, answer) {
                break;
            }
        }
        sending.end().await
    }
}

impl Intent {
    /// Whether every part was sent.
    pub fn is_sent(&self) -> bool {
        self.parts.iter().all(|part| part.state == PartState::Sent)
    }

    /// The first part that was not sent: what stopped the rest.
    pub fn first_unsent(&self) -> Option<&super::Part> {
        self.parts.iter().find(|part| part.state != PartState::Sent)
    }

    /// The outcome of the whole: `unknown` if any part is, else `refused`, else `not_sent`; `None` when all are sent.
    pub fn outcome(&self) -> Option<Outcome> {
        let any = |states: &[PartState]| self.parts.iter().any(|part| states.contains(&part.state));
        if self.is_sent() {
            None
        } else if any(&[PartState::Unknown, PartState::Sending]) {
            Some(Outcome::Unknown)
        } else if any(&[PartState::Refused]) {
            Some(Outcome::Refused)
        } else {
            Some(Outcome::NotSent)
        }
    }

    /// Whether the first part that was not sent may still be, or is being sent.
    pub(super) fn can_go_on(&self) -> bool {
        self.first_unsent()
            .is_some_and(|part| matches!(part.state, PartState::Pending | PartState::Sending))
    }
}

/// One dispatch under way.
struct Sending<'a> {
    outbox: &'a Outbox,
    held: Held,
    tenure: Tenure,
    /// Parts whose fate we know and the store does not yet.
    unsaved: Vec<usize>,
    /// When to look at the intent again if it can go on.
    again: Duration,
    /// For how long the platform deduplicates.
    window: Option<Duration>,
    /// The part that was unknown when it was begun.
    again_of: Option<usize>,
}

impl<'a> Sending<'a> {
    fn new(outbox: &'a Outbox, held: Held, tenure: Tenure, window: Option<Duration>) -> Self {
        Self {
            outbox,
            held,
            tenure,
            unsaved: Vec::new(),
            again: LOOK_AGAIN,
            window,
            again_of: None,
        }
    }

    /// We have the lease, so whoever left a part `sending` has lost it: nobody will ever say what became of it.
    fn bury_the_lost(&mut self) {
        for part in &mut self.held.intent.parts {
            if part.state == PartState::Sending {
                self.unsaved.push(part.index);
                part.state = PartState::Unknown;
                let error = Error::new(
                    Code::Timeout,
                    "whoever sent it ended without a word: it may have arrived",
                );
                part.error = Some(
                    error
                        .with_outcome(Outcome::Unknown)
                        .with_retryable(false)
                        .to_data(),
                );
            }
        }
    }

    /// The part to send now.
    async fn next(&self) -> Result<Option<usize>> {
        let intent = &self.held.intent;
        let Some(part) = intent.first_unsent() else {
            return Ok(None);
        };
        let now =
            part.state == PartState::Pending || self.outbox.is_deduplicated(intent, self.window).await?;
        Ok(now.then_some(part.index))
    }

    /// Stores that `index` is being sent, and with it what is not stored yet. `false` when somebody wrote the record
    /// meanwhile: it was read anew, so look again.
    async fn begin(&mut self, index: usize) -> Result<bool> {
        let store = self.outbox.host.store();
        if !self.unsaved.is_empty() {
            // The parts before have used up some of the lease.
            if !self.tenure.renew(&self.outbox.host, self.outbox.lease).await? {
                return Err(self.overtaken().await);
            }
        }
        let part = &mut self.held.intent.parts[index];
        // What it was: to be put back if not a byte of it leaves.
        let (was, error_was) = (part.state, part.error.take());
        part.state = PartState::Sending;
        if was == PartState::Unknown {
            self.again_of = Some(index);
        }
        if self.window.is_some() && part.began_at.is_none() {
            part.began_at = Some(iso(store.now().await?));
        }
        let commit = Commit::new()
            .with_durability(self.outbox.durability)
            .guard(self.tenure.guard())
            .guard(self.held.unchanged())
            .write(self.held.put()?)
            .write(open(&self.held.name, score(self.tenure.lease.expires_at)));
        match store.commit(commit).await {
            Ok(Committed::Done { results, .. }) => {
                self.held.version = results.first().copied().unwrap_or_default() as u64;
                self.unsaved.clear();
                if !self.tenure.is_sure(&self.outbox.host) {
                    // The store took so long that others may have the lease by now, and not a byte has left.
                    self.put_back(index, was, error_was);
                    return Err(self.overtaken().await);
                }
                Ok(true)
            }
            Ok(Committed::Refused(refusal)) if refusal.guard == 0 => Err(self.overtaken().await),
            Ok(Committed::Refused(_)) => {
                self.read_anew().await?;
                Ok(false)
            }
            Err(error) => {
                // Not a byte of this part has left, whether or not the store has it as sending: worth a word to it.
                self.put_back(index, was, error_was);
                let _ = self.save(true).await;
                Err(error.with_outcome(Outcome::NotSent))
            }
        }
    }

    fn put_back(&mut self, index: usize, was: PartState, error: Option<ErrorData>) {
        let part = &mut self.held.intent.parts[index];
        (part.state, part.error) = (was, error);
        self.unsaved.push(index);
    }

    /// Sends one part, and renews the lease while that takes time. It waits on the machine's time, also where the host's
    /// clock is a fake one, as the inbox does.
    async fn send(&mut self, part: &Part, sender: &dyn SendPart) -> Result<Value> {
        let (outbox, held) = (self.outbox, &self.held);
        let mut answer = sender.send(&held.intent, part);
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => return answer,
                () = tokio::time::sleep(outbox.lease / RENEWALS) => {}
            }
            // Without the lease the answer is still a fact: it is waited for, and stored.
            if let Ok(true) = self.tenure.renew(&outbox.host, outbox.lease).await {
                let until = score(self.tenure.lease.expires_at);
                let later = Commit::new()
                    .guard(self.tenure.guard())
                    .write(open(&held.name, until));
                let _ = outbox.host.store().commit(later).await;
            }
        }
    }

    /// What the platform said; `false` when the rest has to wait.
    fn note(&mut self, index: usize, answer: Result<Value>) -> bool {
        let part = &mut self.held.intent.parts[index];
        self.unsaved.push(index);
        match answer {
            Ok(result) => {
                part.state = PartState::Sent;
                part.result = Some(result);
                part.error = None;
                true
            }
            Err(error) => {
                // Of an attempt that followed an unknown one it proves nothing that this one was not sent.
                let first = self.again_of != Some(index);
                part.state = match error.outcome() {
                    Outcome::NotSent if first => PartState::Pending,
                    Outcome::Refused => PartState::Refused,
                    Outcome::NotSent | Outcome::Unknown => PartState::Unknown,
                };
                self.again = error.retry_after().unwrap_or(LOOK_AGAIN).max(LOOK_AGAIN);
                part.error = Some(error.to_data());
                false
            }
        }
    }

    /// Stores the last word and gives the lease back.
    async fn end(mut self) -> Result<Intent> {
        self.save(true).await.map_err(|error| {
            // The platform has spoken, and only this process knows what it said.
            error.with_outcome(self.held.intent.outcome().unwrap_or(Outcome::Unknown))
        })?;
        Ok(self.held.intent)
    }

    /// Stores what we know. It needs no lease: a part's fate is a fact, whoever looks after the intent now.
    async fn save(&mut self, last: bool) -> Result<()> {
        let store = self.outbox.host.store();
        let mut failed = false;
        for _ in 0..TRIES {
            let listed = if self.outbox.goes_on(&self.held.intent, self.window).await? {
                let again = store.now().await? + chrono::Duration::from_std(self.again).unwrap_or_default();
                open(&self.held.name, score(again))
            } else {
                closed(&self.held.name)
            };
            let mut commit = Commit::new()
                .guard(self.held.unchanged())
                .write(self.held.put()?)
                .write(listed);
            if last {
                commit = commit.write(self.tenure.release());
            }
            match store.commit(commit).await {
                Ok(Committed::Done { .. }) => {
                    self.unsaved.clear();
                    return Ok(());
                }
                Ok(Committed::Refused(_)) => self.read_anew().await?,
                // Made or not: the version says so at the next try.
                Err(error) if error.retryable() && !failed => failed = true,
                Err(error) => return Err(error),
            }
        }
        Err(contended())
    }

    /// Takes what others wrote, and puts the fate of our own parts into it.
    async fn read_anew(&mut self) -> Result<()> {
        let fresh = self.outbox.read(&self.held.name).await?;
        let ours = std::mem::replace(&mut self.held, fresh.ok_or_else(unknown_key)?);
        for index in &self.unsaved {
            self.held.intent.parts[*index] = ours.intent.parts[*index].clone();
        }
        Ok(())
    }

    /// Our lease ended while we were sending: our part's fate is stored, the rest is somebody else's.
    async fn overtaken(&mut self) -> Error {
        if !self.unsaved.is_empty() {
            for part in &mut self.held.intent.parts {
                if part.state == PartState::Sending {
                    part.state = PartState::Pending;
                }
            }
            if let Err(error) = self.save(false).await {
                return error.with_outcome(Outcome::Unknown);
            }
        }
        Error::new(
            Code::StoreConflict,
            "the sender's lease ended and somebody else may be sending the rest",
        )
        .with_retry_after(LOOK_AGAIN)
    }
}

fn unknown_key() -> Error {
    Error::new(Code::NotFound, "no send intent has this key")
}
