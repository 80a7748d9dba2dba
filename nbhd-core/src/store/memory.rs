//! The store in memory: for tests and for programs that have nothing to keep. It is gone with the process.
//!
//! One mutex and hash maps: a commit is about a microsecond.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use async_trait::async_trait;

use super::apply::{Level, Micros, Tables, apply, micros, timestamp};
use super::retention::{ANSWERS, PRUNED_PER_COMMIT};
use super::step::StepWatch;
use super::{Commit, Committed, Durability, Entry, Lease, Range, Record, Store};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::{Code, Error, Result, generation};

/// A volatile store. Clones of the `Arc` around it share it; a forked child has a copy that goes its own way.
#[derive(Debug)]
pub struct MemoryStore {
    rows: Mutex<Rows>,
    watch: StepWatch,
    process: u32,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store on the machine's clock.
    pub fn new() -> Self {
        Self {
            rows: Mutex::default(),
            watch: StepWatch::new(Arc::new(SystemClock::default())),
            process: generation::current(),
        }
    }

    /// Sets the store's clock, for tests.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.watch = StepWatch::new(clock);
        self
    }

    fn lock(&self) -> Result<MutexGuard<'_, Rows>> {
        match self.rows.try_lock() {
            Ok(rows) => return Ok(rows),
            Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {}
        }
        // Held by a thread that a forked child does not have: waiting for it would be for ever.
        if generation::current() != self.process {
            return Err(Error::new(
                Code::InvalidState,
                "the memory store was in use while the process forked: make a new host in the child",
            ));
        }
        Ok(self.rows.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The rows and the time, which never goes back.
    fn at_now(&self) -> Result<(MutexGuard<'_, Rows>, Micros)> {
        let now = self.watch.now();
        let mut rows = self.lock()?;
        rows.last_seen = rows.last_seen.max(now);
        let now = rows.last_seen;
        Ok((rows, now))
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn durability(&self) -> Result<Durability> {
        Ok(Durability::Volatile)
    }

    async fn now(&self) -> Result<Timestamp> {
        Ok(timestamp(self.at_now()?.1))
    }

    async fn commit(&self, commit: Commit) -> Result<Committed> {
        let (mut rows, now) = self.at_now()?;
        let (answer, _) = apply(&mut *rows, commit, now)?;
        rows.prune(now);
        Ok(answer)
    }

    async fn get(&self, key: &str) -> Result<Option<Record>> {
        let (rows, now) = self.at_now()?;
        Ok(rows
            .records
            .get(key)
            .filter(|row| row.lives(now))
            .map(|row| Record {
                value: row.value.clone(),
                version: row.version,
                expires_at: row.expires_at.map(timestamp),
            }))
    }

    async fn sum(&self, key: &str) -> Result<i64> {
        self.lock()?.sum(key)
    }

    async fn scan(&self, index: &str, range: Range) -> Result<Vec<Entry>> {
        let rows = self.lock()?;
        let Some(index) = rows.indexes.get(index).filter(|_| range.from <= range.to) else {
            return Ok(Vec::new());
        };
        Ok(index
            .ordered
            .range((range.from, String::new())..)
            .take_while(|(score, _)| *score <= range.to)
            .take(range.limit)
            .map(|(score, member)| Entry {
                member: member.clone(),
                score: *score,
            })
            .collect())
    }

    async fn count(&self, index: &str) -> Result<u64> {
        Tables::count(&mut *self.lock()?, index)
    }

    async fn claim(&self, lane: &str, ttl: Duration) -> Result<Option<Lease>> {
        let (mut rows, now) = self.at_now()?;
        if rows.epoch(lane, now)? != 0 {
            return Ok(None);
        }
        rows.last_epoch += 1;
        let (epoch, expires_at) = (rows.last_epoch, now.saturating_add(micros(ttl)));
        rows.leases.insert(lane.to_owned(), (epoch, expires_at));
        rows.prune(now);
        Ok(Some(Lease {
            lane: lane.to_owned(),
            epoch,
            expires_at: timestamp(expires_at),
        }))
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Option<Lease>> {
        let (mut rows, now) = self.at_now()?;
        if lease.epoch == 0 || rows.epoch(&lease.lane, now)? != lease.epoch {
            return Ok(None);
        }
        let expires_at = now.saturating_add(micros(ttl));
        rows.leases.insert(lease.lane.clone(), (lease.epoch, expires_at));
        Ok(Some(Lease {
            expires_at: timestamp(expires_at),
            ..lease.clone()
        }))
    }

    fn clock_ahead(&self) -> Option<Duration> {
        self.watch.now();
        self.watch.ahead()
    }

    fn confirm_clock(&self) {
        self.watch.confirm();
    }
}

#[derive(Debug, Default)]
struct Rows {
    last_seen: Micros,
    last_epoch: u64,
    records: HashMap<String, Row>,
    /// Records by the end of their life; entries that a later put has outdated are skipped when met.
    ends: BTreeSet<(Micros, String)>,
    sums: HashMap<String, i64>,
    indexes: HashMap<String, Index>,
    leases: HashMap<String, (u64, Micros)>,
    levels: HashMap<String, Level>,
    answers: HashMap<String, Committed>,
    /// Kept answers, oldest first.
    answered: VecDeque<(Micros, String)>,
    sweep_leases_at: usize,
    sweep_levels_at: usize,
}

#[derive(Debug)]
struct Row {
    value: String,
    version: u64,
    expires_at: Option<Micros>,
}

impl Row {
    fn lives(&self, now: Micros) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

#[derive(Debug, Default)]
struct Index {
    sequence: i64,
    scores: BTreeMap<String, i64>,
    ordered: BTreeSet<(i64, String)>,
}

impl Index {
    fn set(&mut self, member: String, score: i64) {
        if let Some(before) = self.scores.insert(member.clone(), score) {
            self.ordered.remove(&(before, member.clone()));
        }
        self.ordered.insert((score, member));
    }
}

impl Rows {
    /// Removes what has ended, a few rows of each kind.
    fn prune(&mut self, now: Micros) {
        for _ in 0..PRUNED_PER_COMMIT {
            match self.ends.first() {
                Some((end, _)) if *end <= now => {}
                _ => break,
            }
            if let Some((_, key)) = self.ends.pop_first()
                && self.records.get(&key).is_some_and(|row| !row.lives(now))
            {
                self.records.remove(&key);
            }
        }
        let since = now.saturating_sub(micros(ANSWERS));
        for _ in 0..PRUNED_PER_COMMIT {
            match self.answered.front() {
                Some((at, _)) if *at < since => {}
                _ => break,
            }
            if let Some((at, op_id)) = self.answered.pop_front()
                && self
                    .answers
                    .get(&op_id)
                    .is_some_and(|answer| answered_at(answer) == at)
            {
                self.answers.remove(&op_id);
            }
        }
        // Swept when their number has doubled: a constant cost for each that was added.
        if self.leases.len() >= self.sweep_leases_at {
            self.leases.retain(|_, (_, end)| now < *end);
            self.sweep_leases_at = SWEEP.max(2 * self.leases.len());
        }
        if self.levels.len() >= self.sweep_levels_at {
            self.levels.retain(|_, level| now < level.full_at);
            self.sweep_levels_at = SWEEP.max(2 * self.levels.len());
        }
    }
}

/// Below this many leases or buckets nothing is swept.
const SWEEP: usize = 1_000;

impl Tables for Rows {
    fn version(&mut self, key: &str, now: Micros) -> Result<u64> {
        Ok(self
            .records
            .get(key)
            .filter(|row| row.lives(now))
            .map_or(0, |row| row.version))
    }

    fn put(&mut self, key: String, value: String, version: u64, expires_at: Option<Micros>) -> Result<()> {
        if let Some(end) = expires_at {
            self.ends.insert((end, key.clone()));
        }
        let row = Row {
            value,
            version,
            expires_at,
        };
        if let Some(Row {
            expires_at: Some(end),
            ..
        }) = self.records.get(&key)
            && Some(*end) != expires_at
        {
            self.ends.remove(&(*end, key.clone()));
        }
        self.records.insert(key, row);
        Ok(())
    }

    fn delete(&mut self, key: &str) -> Result<()> {
        if let Some(Row {
            expires_at: Some(end),
            ..
        }) = self.records.remove(key)
        {
            self.ends.remove(&(end, key.to_owned()));
        }
        Ok(())
    }

    fn sum(&mut self, key: &str) -> Result<i64> {
        Ok(self.sums.get(key).copied().unwrap_or(0))
    }

    fn set_sum(&mut self, key: String, sum: i64) -> Result<()> {
        if sum == 0 {
            self.sums.remove(&key);
        } else {
            self.sums.insert(key, sum);
        }
        Ok(())
    }

    fn count(&mut self, index: &str) -> Result<u64> {
        Ok(self
            .indexes
            .get(index)
            .map_or(0, |index| index.scores.len() as u64))
    }

    fn append(&mut self, index: String, member: String) -> Result<i64> {
        let index = self.indexes.entry(index).or_default();
        index.sequence += 1;
        let sequence = index.sequence;
        index.set(member, sequence);
        Ok(sequence)
    }

    fn index(&mut self, index: String, member: String, score: i64, keep: bool) -> Result<()> {
        let index = self.indexes.entry(index).or_default();
        if !keep || !index.scores.contains_key(&member) {
            index.set(member, score);
        }
        Ok(())
    }

    fn unindex(&mut self, index: &str, member: &str) -> Result<()> {
        if let Some(index) = self.indexes.get_mut(index)
            && let Some((member, score)) = index.scores.remove_entry(member)
        {
            index.ordered.remove(&(score, member));
        }
        Ok(())
    }

    fn epoch(&mut self, lane: &str, now: Micros) -> Result<u64> {
        Ok(self
            .leases
            .get(lane)
            .filter(|(_, end)| now < *end)
            .map_or(0, |(epoch, _)| *epoch))
    }

    fn release(&mut self, lane: &str) -> Result<()> {
        self.leases.remove(lane);
        Ok(())
    }

    fn level(&mut self, key: &str) -> Result<Option<Level>> {
        Ok(self.levels.get(key).copied())
    }

    fn set_level(&mut self, key: &str, level: Level) -> Result<()> {
        if let Some(known) = self.levels.get_mut(key) {
            *known = level;
        } else {
            self.levels.insert(key.to_owned(), level);
        }
        Ok(())
    }

    fn answer(&mut self, op_id: &str, since: Micros) -> Result<Option<Committed>> {
        let answer = self.answers.get(op_id);
        Ok(answer.filter(|answer| answered_at(answer) >= since).cloned())
    }

    fn keep_answer(&mut self, op_id: String, answer: &Committed, now: Micros) -> Result<()> {
        self.answered.push_back((now, op_id.clone()));
        self.answers.insert(op_id, answer.clone());
        Ok(())
    }
}

fn answered_at(answer: &Committed) -> Micros {
    match answer {
        Committed::Done { at, .. } => at.timestamp_micros(),
        Committed::Refused(refusal) => refusal.at.timestamp_micros(),
    }
}
