//! Sending: one part after another, each stored as `sending` before its first byte leaves.

use std::time::Duration;

use serde_json::Value;

use super::book::{Held, OPEN, Outbox, closed, fresh, name, open, same_parts};
use super::{Intent, NewIntent, Part, PartState, SendPart};
use crate::inbox::{TRIES, contended, iso, score};
use crate::store::retention::INTENTS;
use crate::store::{Commit, Committed, RENEWALS, Range, Tenure};
use crate::{Code, Error, Outcome, Result};

/// When to look again at an intent that could not be sent and names no time itself.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How many intents are looked through at a time.
const PAGE: usize = 100;

impl Outbox {
    /// Stores `new` unless its key is known, then sends the parts that are missing, in order. It stops at the first
    /// part that is not sent; the answer says what became of each. A part that was sent or refused is not sent again, an
    /// unknown one only as [`SendPart::dedupe_window`] says.
    ///
    /// Errors: `conflict` when the key was used for other parts, `store_conflict` while somebody else is sending,
    /// `store_unavailable` when nothing can be stored: then nothing more was sent either.
    pub async fn dispatch(&self, new: NewIntent, sender: &dyn SendPart) -> Result<Intent> {
        self.check_store().await?;
        let name = name(&new.channel, &new.account, &new.key);
        if let Some(held) = self.read(&name).await? {
            same_parts(&held.intent, &new)?;
            if !self.goes_on(&held.intent).await? {
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
        if !self.goes_on(&found.intent).await? {
            // It may stand on the list from when the platform still deduplicated it.
            let commit = Commit::new().guard(found.unchanged()).write(closed(&name));
            self.host.store().commit(commit).await?;
            return Ok(found.intent);
        }
        let tenure = self.take(&name).await?;
        let held = self.read(&name).await?.ok_or_else(unknown_key)?;
        self.run(held, tenure, sender).await
    }

    /// Makes unknown what somebody left `sending` whose lease has ended, of at most `limit` intents; those intents.
    /// [`resume`](Self::resume) does so as well: this is for whoever looks and does not send.
    pub async fn expire(&self, limit: usize) -> Result<Vec<Intent>> {
        let now = score(self.host.store().now().await?);
        let (mut from, mut page) = (i64::MIN, PAGE);
        let mut expired = Vec::new();
        while expired.len() < limit {
            let range = Range {
                from,
                to: now,
                limit: page,
            };
            let entries = self.host.store().scan(OPEN, range).await?;
            for entry in &entries {
                if expired.len() < limit {
                    expired.extend(self.expire_one(&entry.member).await?);
                }
            }
            match entries.last() {
                Some(last) if entries.len() == page => {
                    // Pages overlap in the score where one ends: more than a page of it needs a larger one.
                    page *= if last.score == from { 2 } else { 1 };
                    from = last.score;
                }
                _ => break,
            }
        }
        Ok(expired)
    }

    async fn expire_one(&self, name: &str) -> Result<Option<Intent>> {
        let is_sending = |held: &Held| held.intent.is_sending();
        if !self.read(name).await?.as_ref().is_some_and(is_sending) {
            return Ok(None);
        }
        let Some(tenure) = Tenure::take(&self.host, name, self.lease).await? else {
            return Ok(None);
        };
        // Its sender may have settled it before we had the lease, or before we have stored our word.
        let Some(held) = self.read(name).await?.filter(is_sending) else {
            let back = Commit::new().write(tenure.release());
            self.host.store().commit(back).await?;
            return Ok(None);
        };
        let mut sending = Sending::new(self, held, tenure);
        sending.bury_the_lost();
        let intent = sending.end().await?;
        Ok(Some(intent).filter(|intent| intent.has(PartState::Unknown)))
    }

    async fn take(&self, name: &str) -> Result<Tenure> {
        Tenure::take(&self.host, name, self.lease).await?.ok_or_else(|| {
            Error::new(Code::StoreConflict, "somebody else is sending under this key")
                .with_retry_after(LOOK_AGAIN)
        })
    }

    async fn run(&self, held: Held, tenure: Tenure, sender: &dyn SendPart) -> Result<Intent> {
        let mut sending = Sending::new(self, held, tenure);
        sending.bury_the_lost();
        match sending.send_all(sender).await {
            Ok(()) => sending.end().await,
            Err(error) => Err(sending.give_up(error).await),
        }
    }

    /// Until when a part that begins now may be sent again: an attempt that begins by then surely arrives within the
    /// platform's window.
    async fn resend_until(&self, sender: &dyn SendPart) -> Result<Option<String>> {
        let Some(window) = sender.dedupe_window() else {
            return Ok(None);
        };
        let sure = chrono::Duration::from_std(window.min(INTENTS).saturating_sub(self.lease));
        Ok(Some(iso(
            self.host.store().now().await? + sure.unwrap_or_default()
        )))
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
        if self.is_sent() {
            None
        } else if self.has(PartState::Unknown) || self.is_sending() {
            Some(Outcome::Unknown)
        } else if self.has(PartState::Refused) {
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

    pub(super) fn is_sending(&self) -> bool {
        self.has(PartState::Sending)
    }

    fn has(&self, state: PartState) -> bool {
        self.parts.iter().any(|part| part.state == state)
    }
}

/// One dispatch under way.
struct Sending<'a> {
    outbox: &'a Outbox,
    held: Held,
    tenure: Tenure,
    /// Whether we know of a part what the store does not yet.
    unsaved: bool,
    /// When to look at the intent again if it can go on.
    again: Duration,
}

impl<'a> Sending<'a> {
    fn new(outbox: &'a Outbox, held: Held, tenure: Tenure) -> Self {
        Self {
            outbox,
            held,
            tenure,
            unsaved: false,
            again: LOOK_AGAIN,
        }
    }

    /// Sends one part after another, until there is none or one that stops the rest.
    async fn send_all(&mut self, sender: &dyn SendPart) -> Result<()> {
        while let Some(index) = self.next(sender).await? {
            let Some(was) = self.begin(index, sender).await? else {
                continue;
            };
            let part = self.held.intent.parts[index].clone();
            let answer = self.send(&part, sender).await;
            if !self.note(index, was, answer) {
                break;
            }
        }
        Ok(())
    }

    /// We have the lease, so whoever left a part `sending` has lost it: nobody will ever say what became of it.
    fn bury_the_lost(&mut self) {
        for part in &mut self.held.intent.parts {
            if part.state == PartState::Sending {
                self.unsaved = true;
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

    /// The part to send now. Also within the window only a sender that deduplicates sends an unknown one again.
    async fn next(&self, sender: &dyn SendPart) -> Result<Option<usize>> {
        let Some(part) = self.held.intent.first_unsent() else {
            return Ok(None);
        };
        let now = match part.state {
            PartState::Pending => true,
            PartState::Unknown => {
                sender.dedupe_window().is_some() && self.outbox.is_deduplicated(part).await?
            }
            _ => false,
        };
        Ok(now.then_some(part.index))
    }

    /// Stores that `index` is being sent, and with it what is not stored yet; what the part was. `None` when somebody
    /// wrote the record meanwhile: it was read anew, so look again. After an error not a byte of the part has left.
    async fn begin(&mut self, index: usize, sender: &dyn SendPart) -> Result<Option<PartState>> {
        let host = &self.outbox.host;
        // The parts before have used up some of the lease.
        if self.unsaved && !self.tenure.renew(host, self.outbox.lease).await? {
            return Err(overtaken());
        }
        let before = self.held.intent.parts[index].clone();
        let resend_until = match before.state {
            // The window of the attempt that may have arrived goes on.
            PartState::Unknown => before.resend_until.clone(),
            _ => self.outbox.resend_until(sender).await?,
        };
        self.held.intent.parts[index] = Part {
            state: PartState::Sending,
            error: None,
            resend_until,
            epoch: self.tenure.lease.epoch,
            ..before.clone()
        };
        let commit = Commit::new()
            .with_durability(self.outbox.durability)
            .guard(self.tenure.guard())
            .guard(self.held.unchanged())
            .write(self.held.put()?)
            .write(open(&self.held.name, score(self.tenure.lease.expires_at)));
        match host.store().commit(commit).await {
            Ok(Committed::Done { results, .. }) => {
                self.held.version = results.first().copied().unwrap_or_default() as u64;
                self.unsaved = false;
                if self.tenure.is_sure(host) {
                    return Ok(Some(before.state));
                }
                // The store took so long that others may have the lease by now.
                self.put_back(before);
                Err(overtaken())
            }
            Ok(Committed::Refused(refusal)) => {
                self.held.intent.parts[index] = before;
                if refusal.guard == 0 {
                    return Err(overtaken());
                }
                self.read_anew().await?;
                Ok(None)
            }
            Err(error) => {
                self.put_back(before);
                Err(error)
            }
        }
    }

    /// The store has the part as sending, or may have it so, and it is what it was.
    fn put_back(&mut self, before: Part) {
        let part = &mut self.held.intent.parts[before.index];
        (part.state, part.error) = (before.state, before.error);
        self.unsaved = true;
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

    /// What the platform said of a part that was `was`; `false` when the rest has to wait.
    fn note(&mut self, index: usize, was: PartState, answer: Result<Value>) -> bool {
        let part = &mut self.held.intent.parts[index];
        self.unsaved = true;
        match answer {
            Ok(result) => {
                part.state = PartState::Sent;
                part.result = Some(result);
                part.error = None;
                true
            }
            Err(error) => {
                part.state = match error.outcome() {
                    // Whatever became of this attempt, the one before it may have arrived.
                    _ if was == PartState::Unknown => PartState::Unknown,
                    Outcome::NotSent => PartState::Pending,
                    Outcome::Refused => PartState::Refused,
                    Outcome::Unknown => PartState::Unknown,
                };
                if error.outcome() == Outcome::Refused && !error.retryable() {
                    part.resend_until = None;
                }
                // A wait that is longer than keys are remembered is not believed.
                let wait = error.retry_after().unwrap_or(LOOK_AGAIN);
                self.again = wait.clamp(LOOK_AGAIN, INTENTS);
                part.error = Some(error.to_data());
                false
            }
        }
    }

    /// Stores the last word and gives the lease back.
    async fn end(mut self) -> Result<Intent> {
        match self.save().await {
            Ok(()) => Ok(self.held.intent),
            // The platform has spoken, and only this process knows what it said.
            Err(error) => Err(self.outcome_of(error)),
        }
    }

    /// Stores what is known although the rest could not be sent; `error`, with the outcome of the whole.
    async fn give_up(mut self, error: Error) -> Error {
        if self.unsaved {
            // Where this fails too, a part that was begun will be unknown to whoever looks.
            let _ = self.save().await;
        }
        self.outcome_of(error)
    }

    fn outcome_of(&self, error: Error) -> Error {
        error.with_outcome(self.held.intent.outcome().unwrap_or(Outcome::Unknown))
    }

    /// Stores what we know, and gives the lease back if it is still ours. It needs none: a part's fate is a fact,
    /// whoever looks after the intent now.
    async fn save(&mut self) -> Result<()> {
        let mut failed = false;
        for _ in 0..TRIES {
            match self.try_to_save().await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                // Made or not: the version says so at the next try.
                Err(error) if error.retryable() && !failed => failed = true,
                Err(error) => return Err(error),
            }
        }
        Err(contended())
    }

    /// `false` when somebody wrote the record meanwhile: it was read anew.
    async fn try_to_save(&mut self) -> Result<bool> {
        let commit = Commit::new()
            .guard(self.held.unchanged())
            .write(self.held.put()?)
            .write(self.outbox.listed(&self.held, self.again).await?)
            .write(self.tenure.release());
        if let Committed::Done { .. } = self.outbox.host.store().commit(commit).await? {
            self.unsaved = false;
            return Ok(true);
        }
        self.read_anew().await?;
        Ok(false)
    }

    /// Takes what others wrote, and puts into it what only we know.
    async fn read_anew(&mut self) -> Result<()> {
        let fresh = self.outbox.read(&self.held.name).await?;
        let ours = std::mem::replace(&mut self.held, fresh.ok_or_else(unknown_key)?);
        for (theirs, ours) in self.held.intent.parts.iter_mut().zip(ours.intent.parts) {
            // Of our own attempt we know all; of another's that it ended without a word, unless there was one.
            let own = ours.epoch == self.tenure.lease.epoch;
            let settles = match theirs.state {
                PartState::Sending => own || ours.state == PartState::Unknown,
                PartState::Unknown => own,
                _ => false,
            };
            if ours.state == PartState::Sent || settles && ours.epoch == theirs.epoch {
                *theirs = ours;
            }
        }
        Ok(())
    }
}

/// Our lease ended while we were sending: the rest is somebody else's.
fn overtaken() -> Error {
    Error::new(
        Code::StoreConflict,
        "the sender's lease ended and somebody else may be sending the rest",
    )
    .with_retry_after(LOOK_AGAIN)
}

fn unknown_key() -> Error {
    Error::new(Code::NotFound, "no send intent has this key")
}
