//! The tables as rows: every statement of the store stands here, prepared once and kept.

use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::database::failed;
use crate::store::apply::{Level, Micros, Tables, micros, timestamp};
use crate::store::retention::{ANSWERS, PRUNED_PER_COMMIT};
use crate::store::{Committed, Entry, Range, Record};
use crate::{Code, Error, Result};

/// The kinds of rows that end by time, in the order in which schemas brought them; each commit looks at one of them.
pub(super) const PRUNES: [&str; 4] = [
    "DELETE FROM records WHERE rowid IN (SELECT rowid FROM records WHERE expires_at <= ?1 LIMIT ?2)",
    "DELETE FROM ops WHERE op_id IN (SELECT op_id FROM ops WHERE at < ?1 LIMIT ?2)",
    "DELETE FROM leases WHERE lane IN (SELECT lane FROM leases WHERE expires_at <= ?1 LIMIT ?2)",
    "DELETE FROM buckets WHERE key IN (SELECT key FROM buckets WHERE full_at <= ?1 LIMIT ?2)",
];

/// What the whole store is.
pub(super) struct State {
    pub(super) last_seen: Micros,
    pub(super) schema: i64,
    pub(super) min_reader: i64,
    pub(super) min_writer: i64,
}

/// The rows as the open transaction of `connection` sees them.
pub(super) struct Rows<'a>(&'a Connection);

impl<'a> Rows<'a> {
    pub(super) fn of(connection: &'a Connection) -> Self {
        Self(connection)
    }

    pub(super) fn state(&self) -> Result<State> {
        self.one(
            "SELECT last_seen, schema, min_reader, min_writer FROM state",
            (),
            |row| {
                Ok(State {
                    last_seen: row.get(0)?,
                    schema: row.get(1)?,
                    min_reader: row.get(2)?,
                    min_writer: row.get(3)?,
                })
            },
        )?
        .ok_or_else(headless)
    }

    pub(super) fn incarnation(&self) -> Result<String> {
        self.one("SELECT incarnation FROM state", (), |row| row.get(0))?
            .ok_or_else(headless)
    }

    /// The record, whether or not it has ended.
    pub(super) fn record(&self, key: &str) -> Result<Option<Record>> {
        self.one(
            "SELECT value, version, expires_at FROM records WHERE key = ?1",
            [key],
            |row| {
                Ok(Record {
                    value: row.get(0)?,
                    version: row.get::<_, i64>(1)? as u64,
                    expires_at: row.get::<_, Option<Micros>>(2)?.map(timestamp),
                })
            },
        )
    }

    pub(super) fn see(&mut self, now: Micros) -> Result<()> {
        self.run("UPDATE state SET last_seen = ?1", [now]).map(drop)
    }

    /// Takes the lease unless it is live; answers its epoch.
    pub(super) fn claim(&mut self, lane: &str, now: Micros, expires_at: Micros) -> Result<Option<u64>> {
        if self.epoch(lane, now)? != 0 {
            return Ok(None);
        }
        let epoch: Option<i64> = self.one(
            "UPDATE state SET last_epoch = last_epoch + 1 RETURNING last_epoch",
            (),
            |row| row.get(0),
        )?;
        let epoch = epoch.unwrap_or_default();
        self.run(
            "INSERT INTO leases (lane, epoch, expires_at) VALUES (?1, ?2, ?3) \
             ON CONFLICT (lane) DO UPDATE SET epoch = excluded.epoch, expires_at = excluded.expires_at",
            (lane, epoch, expires_at),
        )?;
        Ok(Some(epoch as u64))
    }

    pub(super) fn renew(&mut self, lane: &str, epoch: u64, now: Micros, expires_at: Micros) -> Result<bool> {
        let renewed = self.run(
            "UPDATE leases SET expires_at = ?4 WHERE lane = ?1 AND epoch = ?2 AND expires_at > ?3",
            (lane, epoch as i64, now, expires_at),
        )?;
        Ok(renewed == 1)
    }

    pub(super) fn read_sum(&mut self, key: &str) -> Result<i64> {
        self.one("SELECT sum FROM sums WHERE key = ?1", [key], |row| row.get(0))
            .map(Option::unwrap_or_default)
    }

    pub(super) fn scan(&mut self, index: &str, range: Range) -> Result<Vec<Entry>> {
        let limit = i64::try_from(range.limit).unwrap_or(i64::MAX);
        self.0
            .prepare_cached(
                "SELECT member, score FROM entries WHERE name = ?1 AND score >= ?2 AND score <= ?3 \
                 ORDER BY score, member LIMIT ?4",
            )
            .and_then(|mut statement| {
                statement
                    .query_map((index, range.from, range.to, limit), |row| {
                        Ok(Entry {
                            member: row.get(0)?,
                            score: row.get(1)?,
                        })
                    })?
                    .collect()
            })
            .map_err(|e| failed(&e))
    }

    /// Removes what has ended: one of so many kinds a commit, so that four commits see to all.
    pub(super) fn prune(&mut self, now: Micros, commits: u64, kinds: usize) -> Result<()> {
        let kind = (commits % kinds as u64) as usize;
        let before = if kind == 1 {
            now.saturating_sub(micros(ANSWERS))
        } else {
            now
        };
        let most = (PRUNED_PER_COMMIT * PRUNES.len()) as i64;
        self.run(PRUNES[kind], (before, most)).map(drop)
    }

    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.0
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(params, read).optional())
            .map_err(|e| failed(&e))
    }

    fn run(&self, sql: &str, params: impl Params) -> Result<usize> {
        self.0
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .map_err(|e| failed(&e))
    }

    fn score(&self, index: &str, member: &str) -> Result<Option<i64>> {
        self.one(
            "SELECT score FROM entries WHERE name = ?1 AND member = ?2",
            (index, member),
            |row| row.get(0),
        )
    }

    /// Sets a score; `appended` also moves the sequence of the index to it.
    fn set_score(&self, index: &str, member: &str, score: i64, new: bool, appended: bool) -> Result<()> {
        self.run(
            "INSERT INTO entries (name, member, score) VALUES (?1, ?2, ?3) \
             ON CONFLICT (name, member) DO UPDATE SET score = excluded.score",
            (index, member, score),
        )?;
        if new || appended {
            let sequence = if appended { score } else { 0 };
            self.run(
                "INSERT INTO indexes (name, sequence, count) VALUES (?1, ?2, ?3) ON CONFLICT (name) \
                 DO UPDATE SET sequence = max(sequence, excluded.sequence), count = count + excluded.count",
                (index, sequence, i64::from(new)),
            )?;
        }
        Ok(())
    }
}

impl Tables for Rows<'_> {
    fn version(&mut self, key: &str, now: Micros) -> Result<u64> {
        let version: Option<i64> = self.one(
            "SELECT version FROM records WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?2)",
            (key, now),
            |row| row.get(0),
        )?;
        Ok(version.unwrap_or_default() as u64)
    }

    fn put(&mut self, key: String, value: String, version: u64, expires_at: Option<Micros>) -> Result<()> {
        self.run(
            "INSERT INTO records (key, value, version, expires_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version, \
             expires_at = excluded.expires_at",
            (key, value, version as i64, expires_at),
        )
        .map(drop)
    }

    fn delete(&mut self, key: &str) -> Result<()> {
        self.run("DELETE FROM records WHERE key = ?1", [key]).map(drop)
    }

    fn sum(&mut self, key: &str) -> Result<i64> {
        self.read_sum(key)
    }

    fn set_sum(&mut self, key: String, sum: i64) -> Result<()> {
        if sum == 0 {
            return self.run("DELETE FROM sums WHERE key = ?1", [key]).map(drop);
        }
        self.run(
            "INSERT INTO sums (key, sum) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET sum = excluded.sum",
            (key, sum),
        )
        .map(drop)
    }

    fn count(&mut self, index: &str) -> Result<u64> {
        let count: Option<i64> = self.one("SELECT count FROM indexes WHERE name = ?1", [index], |row| {
            row.get(0)
        })?;
        Ok(count.unwrap_or_default() as u64)
    }

    fn append(&mut self, index: String, member: String) -> Result<i64> {
        let last: Option<i64> =
            self.one("SELECT sequence FROM indexes WHERE name = ?1", [&index], |row| {
                row.get(0)
            })?;
        let sequence = last.unwrap_or_default() + 1;
        let new = self.score(&index, &member)?.is_none();
        self.set_score(&index, &member, sequence, new, true)?;
        Ok(sequence)
    }

    fn index(&mut self, index: String, member: String, score: i64, keep: bool) -> Result<()> {
        match self.score(&index, &member)? {
            Some(_) if keep => Ok(()),
            Some(known) if known == score => Ok(()),
            known => self.set_score(&index, &member, score, known.is_none(), false),
        }
    }

    fn unindex(&mut self, index: &str, member: &str) -> Result<()> {
        let removed = self.run(
            "DELETE FROM entries WHERE name = ?1 AND member = ?2",
            (index, member),
        )?;
        if removed == 1 {
            self.run("UPDATE indexes SET count = count - 1 WHERE name = ?1", [index])?;
        }
        Ok(())
    }

    fn epoch(&mut self, lane: &str, now: Micros) -> Result<u64> {
        let epoch: Option<i64> = self.one(
            "SELECT epoch FROM leases WHERE lane = ?1 AND expires_at > ?2",
            (lane, now),
            |row| row.get(0),
        )?;
        Ok(epoch.unwrap_or_default() as u64)
    }

    fn release(&mut self, lane: &str) -> Result<()> {
        self.run("DELETE FROM leases WHERE lane = ?1", [lane]).map(drop)
    }

    fn level(&mut self, key: &str) -> Result<Option<Level>> {
        self.one(
            "SELECT missing, unit, at, full_at FROM buckets WHERE key = ?1",
            [key],
            |row| {
                Ok(Level {
                    missing: row.get(0)?,
                    unit: row.get(1)?,
                    at: row.get(2)?,
                    full_at: row.get(3)?,
                })
            },
        )
    }

    fn set_level(&mut self, key: &str, level: Level) -> Result<()> {
        self.run(
            "INSERT INTO buckets (key, missing, unit, at, full_at) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (key) DO UPDATE SET missing = excluded.missing, unit = excluded.unit, \
             at = excluded.at, full_at = excluded.full_at",
            (key, level.missing, level.unit, level.at, level.full_at),
        )
        .map(drop)
    }

    fn answer(&mut self, op_id: &str, since: Micros) -> Result<Option<Committed>> {
        let answer: Option<String> = self.one(
            "SELECT answer FROM ops WHERE op_id = ?1 AND at >= ?2",
            (op_id, since),
            |row| row.get(0),
        )?;
        answer
            .map(|answer| {
                serde_json::from_str(&answer).map_err(|_| {
                    Error::new(Code::Internal, "the SQLite store misread an answer that it kept")
                })
            })
            .transpose()
    }

    fn keep_answer(&mut self, op_id: String, answer: &Committed, now: Micros) -> Result<()> {
        let text = serde_json::to_string(answer)
            .map_err(|_| Error::new(Code::Internal, "an answer of the store has no JSON form"))?;
        self.run(
            "INSERT INTO ops (op_id, answer, at) VALUES (?1, ?2, ?3) \
             ON CONFLICT (op_id) DO UPDATE SET answer = excluded.answer, at = excluded.at",
            (op_id, text, now),
        )
        .map(drop)
    }
}

fn headless() -> Error {
    Error::new(Code::StoreUnavailable, "the SQLite store has lost its own state")
}
