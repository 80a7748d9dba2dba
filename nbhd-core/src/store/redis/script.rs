//! Our words as the arguments of a script, and its answers as our words.

use std::time::Duration;

use redis::Value;

use crate::clock::Timestamp;
use crate::store::apply::{Micros, micros, timestamp};
use crate::store::retention::{ANSWERS, PRUNED_PER_COMMIT};
use crate::store::{Commit, Committed, Entry, Guard, Lease, Range, Record, Refusal, Write};
use crate::{Code, Error, Outcome, Result};

/// The largest sum, cap, step and time: below 2^53, where doubles, and so Lua, count whole numbers exactly. As money it is
/// 9,000,000 USD. <https://www.lua.org/pil/2.3.html>
pub(super) const LARGEST: i64 = 9_000_000_000_000_000;

/// What a script is run with. The first arguments, which every script has, are set when it is sent.
#[derive(Debug)]
pub(super) struct Arguments(pub(super) Vec<Vec<u8>>);

impl Arguments {
    fn of<const N: usize>(words: [&[u8]; N]) -> Self {
        Self(words.into_iter().map(<[u8]>::to_vec).collect())
    }

    fn put(&mut self, word: impl AsRef<[u8]>) {
        self.0.push(word.as_ref().to_vec());
    }

    fn own(&mut self, word: String) {
        self.0.push(word.into_bytes());
    }

    fn number(&mut self, number: impl Into<i128>) {
        self.own(number.into().to_string());
    }

    /// A time to live, never longer than there are times.
    fn duration(&mut self, duration: Duration) {
        self.number(micros(duration).min(LARGEST));
    }

    /// Which kind of old rows goes this time, how many, and how old an answer must be.
    fn pruning(&mut self, turn: u64) {
        self.number(turn);
        self.number(4 * PRUNED_PER_COMMIT as u64);
    }

    pub(super) fn now() -> Self {
        Self::of([b"now"])
    }

    pub(super) fn get(key: &str) -> Self {
        Self::of([b"get", key.as_bytes()])
    }

    pub(super) fn sum(key: &str) -> Self {
        Self::of([b"sum", key.as_bytes()])
    }

    pub(super) fn count(index: &str) -> Self {
        Self::of([b"count", index.as_bytes()])
    }

    /// `None` where the range can hold nothing.
    pub(super) fn scan(index: &str, range: Range) -> Option<Self> {
        if range.from > range.to || range.limit == 0 {
            return None;
        }
        let mut arguments = Self::of([b"scan", index.as_bytes()]);
        arguments.put([b"[", &ordered(range.from)[..]].concat());
        match range.to.checked_add(1) {
            Some(beyond) => arguments.put([b"(", &ordered(beyond)[..]].concat()),
            None => arguments.put("+"),
        }
        // More than there can be is all; Redis writes that as -1.
        arguments.number(i64::try_from(range.limit).unwrap_or(-1));
        Some(arguments)
    }

    pub(super) fn claim(lane: &str, ttl: Duration, turn: u64) -> Self {
        Self::lease(b"claim", lane, 0, ttl, turn)
    }

    pub(super) fn renew(lease: &Lease, ttl: Duration, turn: u64) -> Self {
        Self::lease(b"renew", &lease.lane, lease.epoch, ttl, turn)
    }

    fn lease(verb: &[u8], lane: &str, epoch: u64, ttl: Duration, turn: u64) -> Self {
        let mut arguments = Self::of([verb, lane.as_bytes()]);
        arguments.number(epoch);
        arguments.duration(ttl);
        arguments.pruning(turn);
        arguments.duration(ANSWERS);
        arguments
    }

    /// Refuses numbers that a script cannot count.
    pub(super) fn commit(commit: Commit, turn: u64) -> Result<Self> {
        let mut arguments = Self(Vec::with_capacity(
            8 + 5 * (commit.guards.len() + commit.writes.len()),
        ));
        arguments.put(if commit.op_id.is_some() { "1" } else { "0" });
        arguments.own(commit.op_id.unwrap_or_default());
        arguments.duration(ANSWERS);
        arguments.pruning(turn);
        arguments.number(commit.guards.len() as u64);
        for guard in commit.guards {
            arguments.guard(guard)?;
        }
        arguments.number(commit.writes.len() as u64);
        for write in commit.writes {
            arguments.write(write)?;
        }
        Ok(arguments)
    }

    fn guard(&mut self, guard: Guard) -> Result<()> {
        match guard {
            Guard::Absent { key } => {
                self.put("absent");
                self.own(key);
            }
            Guard::Version { key, version } => {
                self.put("version");
                self.own(key);
                self.number(version);
            }
            Guard::Lease { lane, epoch } => {
                self.put("lease");
                self.own(lane);
                self.number(epoch);
            }
            Guard::SumAtMost { key, delta, cap } => {
                self.put("sum");
                self.own(key);
                self.number(countable(delta)?);
                self.number(countable(cap)?);
            }
            Guard::CountBelow { index, n } => {
                self.put("count");
                self.own(index);
                self.number(n.min(LARGEST.unsigned_abs()));
            }
            Guard::Bucket { key, n, bucket } => {
                let unit = micros(bucket.refill);
                let whole = i64::from(bucket.capacity).checked_mul(unit);
                let fits = whole.is_some_and(|whole| whole > 0 && whole <= i64::MAX / 4);
                if !fits || unit > LARGEST || n > bucket.capacity {
                    // An earlier guard may refuse first, and then this one is not looked at.
                    self.put("impossible");
                    return Ok(());
                }
                self.put("bucket");
                self.own(key);
                self.number(n);
                self.number(bucket.capacity);
                self.number(unit);
            }
        }
        Ok(())
    }

    fn write(&mut self, write: Write) -> Result<()> {
        match write {
            Write::Put { key, value, ttl } => {
                self.put("put");
                self.own(key);
                self.own(value);
                match ttl {
                    Some(ttl) => self.duration(ttl),
                    None => self.put(""),
                }
            }
            Write::Add { key, delta } => {
                self.put("add");
                self.own(key);
                self.number(countable(delta)?);
            }
            Write::Append { index, member } => {
                self.put("append");
                self.own(index);
                self.own(member);
            }
            Write::Index {
                index,
                member,
                score,
                keep,
            } => {
                self.put("index");
                self.own(index);
                self.own(member);
                self.put(ordered(score));
                self.put(if keep { "1" } else { "0" });
            }
            Write::Unindex { index, member } => {
                self.put("unindex");
                self.own(index);
                self.own(member);
            }
            Write::Delete { key } => {
                self.put("delete");
                self.own(key);
            }
            Write::Release { lane, epoch } => {
                self.put("release");
                self.own(lane);
                self.number(epoch);
            }
        }
        Ok(())
    }
}

/// A score as eight bytes whose order is that of the numbers: exact over all 64 bits, unlike the doubles of a sorted set.
fn ordered(score: i64) -> [u8; 8] {
    (score.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

fn countable(number: i64) -> Result<i64> {
    if (-LARGEST..=LARGEST).contains(&number) {
        return Ok(number);
    }
    Err(Error::new(
        Code::InvalidInput,
        "a sum, a cap or a step of one is beyond 9,000,000,000,000,000: scripts of Redis do not count further",
    )
    .with_user_action("Use a smaller cap or, for larger ones, a store on SQLite or PostgreSQL."))
}

/// What a script answered, behind its first word and the time.
#[derive(Debug)]
pub(super) struct Answer(pub(super) Vec<Value>);

impl Answer {
    pub(super) fn number(&self, place: usize) -> Result<i64> {
        std::str::from_utf8(self.bytes(place)?)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(misread)
    }

    pub(super) fn bytes(&self, place: usize) -> Result<&[u8]> {
        match self.0.get(place) {
            Some(Value::BulkString(bytes)) => Ok(bytes),
            _ => Err(misread()),
        }
    }

    pub(super) fn record(mut self) -> Result<Option<Record>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let version = self.number(0)? as u64;
        let expires_at = match self.bytes(1)? {
            b"" => None,
            _ => Some(timestamp(self.number(1)?)),
        };
        match self.0.pop() {
            Some(Value::BulkString(value)) => Ok(Some(Record {
                value: String::from_utf8(value).map_err(|_| misread())?,
                version,
                expires_at,
            })),
            _ => Err(misread()),
        }
    }

    pub(super) fn entries(mut self) -> Result<Vec<Entry>> {
        let Some(Value::Array(entries)) = self.0.pop() else {
            return Err(misread());
        };
        let entry = |value| {
            let Value::BulkString(mut bytes) = value else {
                return None;
            };
            let score = u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?) ^ (1 << 63);
            Some(Entry {
                member: String::from_utf8(bytes.split_off(8)).ok()?,
                score: score.cast_signed(),
            })
        };
        entries
            .into_iter()
            .map(|value| entry(value).ok_or_else(misread))
            .collect()
    }

    pub(super) fn lease(&self, lane: &str) -> Result<Option<Lease>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        Ok(Some(Lease {
            lane: lane.to_owned(),
            epoch: self.number(0)? as u64,
            expires_at: timestamp(self.number(1)?),
        }))
    }

    /// `time done results…` or `time refused guard found wait`.
    pub(super) fn committed(&self) -> Result<Committed> {
        let text = std::str::from_utf8(self.bytes(0)?).map_err(|_| misread())?;
        read_committed(text).ok_or_else(misread)
    }
}

fn read_committed(text: &str) -> Option<Committed> {
    let mut words = text.split(' ');
    let at: Timestamp = timestamp(words.next()?.parse::<Micros>().ok()?);
    match words.next()? {
        "done" => Some(Committed::Done {
            results: words.map(str::parse).collect::<Result<_, _>>().ok()?,
            at,
        }),
        "refused" => Some(Committed::Refused(Refusal {
            guard: words.next()?.parse().ok()?,
            found: words.next()?.parse().ok()?,
            wait: match words.next()? {
                "-" => None,
                wait => Some(Duration::from_micros(wait.parse().ok()?)),
            },
            at,
        })),
        _ => None,
    }
}

/// The server did what it was asked; only its answer makes no sense to us.
pub(super) fn misread() -> Error {
    Error::new(Code::Internal, "an answer of the Redis store was not understood")
        .with_outcome(Outcome::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_keep_their_order_as_bytes() {
        let scores = [i64::MIN, -(1 << 53) - 1, -2, -1, 0, 1, (1 << 53) + 1, i64::MAX];
        for pair in scores.windows(2) {
            assert!(ordered(pair[0]) < ordered(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn kept_answers_are_read_again() {
        assert_eq!(
            read_committed("1767268800000250 done 1 -7 0"),
            Some(Committed::Done {
                results: vec![1, -7, 0],
                at: timestamp(1_767_268_800_000_250),
            })
        );
        assert_eq!(
            read_committed("5 refused 2 9 333334"),
            Some(Committed::Refused(Refusal {
                guard: 2,
                found: 9,
                wait: Some(Duration::from_micros(333_334)),
                at: timestamp(5),
            }))
        );
        for text in ["", "5", "5 done x", "5 refused 1 2", "x done"] {
            assert_eq!(read_committed(text), None, "{text}");
        }
    }
}
