//! What a commit means, once for all embedded stores: guards in order, then writes in order.
//!
//! A backend gives its rows as [`Tables`]. Everything that can refuse is checked before the first write, so that a
//! backend without rollback keeps all-or-nothing as well.

use std::time::Duration;

use super::words::{Bucket, Commit, Committed, Guard, Refusal, Write};
use crate::clock::Timestamp;
use crate::{Code, Error, Result};

/// Store time: microseconds since 1970, UTC.
pub(super) type Micros = i64;

/// How empty a bucket was when it was last looked at. One token is `refill` units; `capacity` units flow in each
/// microsecond: so all of it is exact in whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level {
    /// Units missing from full.
    pub(crate) missing: i64,
    /// Units of one token: the refill time of the bucket, in microseconds.
    pub(crate) unit: i64,
    /// When it was looked at.
    pub(crate) at: Micros,
    /// When it is full again, and so need not be kept.
    pub(crate) full_at: Micros,
}

/// The rows of a backend, within one transaction.
pub(super) trait Tables {
    /// The version of the live record under `key`, else 0.
    fn version(&mut self, key: &str, now: Micros) -> Result<u64>;
    fn put(&mut self, key: String, value: String, version: u64, expires_at: Option<Micros>) -> Result<()>;
    fn delete(&mut self, key: &str) -> Result<()>;
    fn sum(&mut self, key: &str) -> Result<i64>;
    /// A sum of 0 is removed: it and none are the same.
    fn set_sum(&mut self, key: String, sum: i64) -> Result<()>;
    fn count(&mut self, index: &str) -> Result<u64>;
    fn append(&mut self, index: String, member: String) -> Result<i64>;
    fn index(&mut self, index: String, member: String, score: i64, keep: bool) -> Result<()>;
    fn unindex(&mut self, index: &str, member: &str) -> Result<()>;
    /// The epoch of the live lease on `lane`, else 0.
    fn epoch(&mut self, lane: &str, now: Micros) -> Result<u64>;
    fn release(&mut self, lane: &str) -> Result<()>;
    fn level(&mut self, key: &str) -> Result<Option<Level>>;
    fn set_level(&mut self, key: &str, level: Level) -> Result<()>;
    /// The answer kept under `op_id`, if it was given at or after `since`.
    fn answer(&mut self, op_id: &str, since: Micros) -> Result<Option<Committed>>;
    fn keep_answer(&mut self, op_id: String, answer: &Committed, now: Micros) -> Result<()>;
}

/// Makes `commit` at `now`. The second value says whether anything was written.
pub(super) fn apply(tables: &mut impl Tables, commit: Commit, now: Micros) -> Result<(Committed, bool)> {
    let Commit {
        op_id,
        guards,
        writes,
        ..
    } = commit;
    if let Some(op_id) = &op_id {
        let since = now.saturating_sub(micros(super::retention::ANSWERS));
        if let Some(answer) = tables.answer(op_id, since)? {
            return Ok((answer, false));
        }
    }
    let mut levels = Vec::new();
    let mut sums = Vec::new();
    let mut refused = None;
    for (place, guard) in guards.iter().enumerate() {
        if let Some((found, wait)) = check(tables, guard, now, &mut levels, &mut sums)? {
            refused = Some(Refusal {
                guard: place,
                found,
                wait,
                at: timestamp(now),
            });
            break;
        }
    }
    if let Some(refusal) = refused {
        let answer = Committed::Refused(refusal);
        let kept = op_id.is_some();
        if let Some(op_id) = op_id {
            tables.keep_answer(op_id, &answer, now)?;
        }
        return Ok((answer, kept));
    }
    let sums = added(tables, &writes, sums)?;
    for (key, level) in levels {
        tables.set_level(key, level)?;
    }
    let mut results = Vec::with_capacity(writes.len());
    for (write, sum) in writes.into_iter().zip(sums) {
        results.push(make(tables, write, now, sum)?);
    }
    let answer = Committed::Done {
        results,
        at: timestamp(now),
    };
    if let Some(op_id) = op_id {
        tables.keep_answer(op_id, &answer, now)?;
    }
    Ok((answer, true))
}

/// `None` when the guard holds, else what stood there. Levels that it takes from and sums that it reads are noted.
fn check<'a>(
    tables: &mut impl Tables,
    guard: &'a Guard,
    now: Micros,
    levels: &mut Vec<(&'a str, Level)>,
    sums: &mut Vec<(&'a str, i64)>,
) -> Result<Option<(i64, Option<Duration>)>> {
    let (holds, found) = match guard {
        Guard::Absent { key } => {
            let live = tables.version(key, now)?;
            (live == 0, live as i64)
        }
        Guard::Version { key, version } => {
            let live = tables.version(key, now)?;
            (live != 0 && live == *version, live as i64)
        }
        Guard::Lease { lane, epoch } => {
            let live = tables.epoch(lane, now)?;
            (live != 0 && live == *epoch, live as i64)
        }
        Guard::SumAtMost { key, delta, cap } => {
            let sum = tables.sum(key)?;
            sums.push((key, sum));
            (i128::from(sum) + i128::from(*delta) <= i128::from(*cap), sum)
        }
        Guard::CountBelow { index, n } => {
            let count = tables.count(index)?;
            (count < *n, count as i64)
        }
        Guard::Bucket { key, n, bucket } => {
            let known = match levels.iter().rev().find(|(taken, _)| taken == key) {
                Some((_, level)) => Some(*level),
                None => tables.level(key)?,
            };
            return Ok(match take(known, *n, *bucket, now)? {
                Ok(level) => {
                    levels.push((key, level));
                    None
                }
                Err((tokens, wait)) => Some((tokens, Some(wait))),
            });
        }
    };
    Ok((!holds).then_some((found, None)))
}

/// Takes `n` tokens, or says how many there are and how long until there are `n`.
pub(crate) fn take(
    known: Option<Level>,
    n: u32,
    bucket: Bucket,
    now: Micros,
) -> Result<std::result::Result<Level, (i64, Duration)>> {
    let capacity = i64::from(bucket.capacity);
    let unit = micros(bucket.refill);
    let whole = capacity
        .checked_mul(unit)
        .filter(|whole| *whole > 0 && *whole <= i64::MAX / 4)
        .ok_or_else(|| {
            invalid("a bucket needs a capacity, a refill time, and a product of both below 2^61 microseconds")
        })?;
    if n > bucket.capacity {
        return Err(invalid("more tokens are asked for than the bucket ever holds"));
    }
    // One that is full by its own shape is full, whether or not it was removed already.
    let missing = known.filter(|level| now < level.full_at).map_or(0, |level| {
        let flowed = i128::from(now.saturating_sub(level.at).max(0)) * i128::from(capacity);
        // A bucket whose shape was changed keeps its missing tokens, rounded up.
        let before = if level.unit == unit {
            i128::from(level.missing)
        } else {
            let unit_then = i128::from(level.unit.max(1));
            (i128::from(level.missing) + unit_then - 1) / unit_then * i128::from(unit)
        };
        (before.min(i128::from(whole)) - flowed).max(0) as i64
    });
    let after = missing + i64::from(n) * unit;
    if after > whole {
        let wait = (after - whole + capacity - 1) / capacity;
        return Ok(Err((
            (whole - missing) / unit,
            Duration::from_micros(wait.unsigned_abs()),
        )));
    }
    Ok(Ok(Level {
        missing: after,
        unit,
        at: now,
        full_at: now.saturating_add((after + capacity - 1) / capacity),
    }))
}

/// What each write adds up to: of an `Add` its sum, of any other 0. Refused before anything is written where a sum would leave
/// the range of `i64`. `known` are sums that were read already.
fn added<'a>(
    tables: &mut impl Tables,
    writes: &'a [Write],
    mut known: Vec<(&'a str, i64)>,
) -> Result<Vec<i64>> {
    let mut sums = Vec::with_capacity(writes.len());
    for write in writes {
        let Write::Add { key, delta } = write else {
            sums.push(0);
            continue;
        };
        let before = match known.iter().rev().find(|(same, _)| same == key) {
            Some((_, sum)) => *sum,
            None => tables.sum(key)?,
        };
        let sum = before
            .checked_add(*delta)
            .ok_or_else(|| invalid("a sum would leave the range of 64-bit numbers"))?;
        known.push((key, sum));
        sums.push(sum);
    }
    Ok(sums)
}

/// `sum` is what an `Add` comes to.
fn make(tables: &mut impl Tables, write: Write, now: Micros, sum: i64) -> Result<i64> {
    match write {
        Write::Put { key, value, ttl } => {
            let version = tables.version(&key, now)? + 1;
            let expires_at = ttl.map(|ttl| now.saturating_add(micros(ttl)));
            tables.put(key, value, version, expires_at)?;
            Ok(version as i64)
        }
        Write::Add { key, .. } => {
            tables.set_sum(key, sum)?;
            Ok(sum)
        }
        Write::Append { index, member } => tables.append(index, member),
        Write::Index {
            index,
            member,
            score,
            keep,
        } => tables.index(index, member, score, keep).map(|()| 0),
        Write::Unindex { index, member } => tables.unindex(&index, &member).map(|()| 0),
        Write::Delete { key } => tables.delete(&key).map(|()| 0),
        Write::Release { lane, epoch } => {
            if epoch != 0 && tables.epoch(&lane, now)? == epoch {
                tables.release(&lane)?;
            }
            Ok(0)
        }
    }
}

/// A duration in microseconds; what does not fit is the longest there is.
pub(super) fn micros(duration: Duration) -> Micros {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Store time as a timestamp; what chrono cannot hold is its last moment.
pub(super) fn timestamp(at: Micros) -> Timestamp {
    Timestamp::from_timestamp_micros(at).unwrap_or(Timestamp::MAX_UTC)
}

fn invalid(message: &str) -> Error {
    Error::new(Code::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE_A_SECOND: Bucket = Bucket {
        capacity: 3,
        refill: Duration::from_secs(1),
    };

    #[test]
    fn a_bucket_gives_exactly_its_capacity_at_once_and_no_more() {
        let mut level = None;
        for _ in 0..3 {
            level = Some(take(level, 1, THREE_A_SECOND, 0).unwrap().unwrap());
        }
        let (tokens, wait) = take(level, 1, THREE_A_SECOND, 0).unwrap().unwrap_err();
        assert_eq!((tokens, wait), (0, Duration::from_micros(333_334)));
        assert!(take(level, 1, THREE_A_SECOND, 333_333).unwrap().is_err());
        assert!(take(level, 1, THREE_A_SECOND, 333_334).unwrap().is_ok());
        assert!(take(level, 3, THREE_A_SECOND, 999_999).unwrap().is_err());
        assert!(take(level, 3, THREE_A_SECOND, 1_000_000).unwrap().is_ok());
    }

    #[test]
    fn a_bucket_that_changes_shape_keeps_what_is_missing() {
        let level = take(None, 3, THREE_A_SECOND, 0).unwrap().unwrap();
        let ten_a_minute = Bucket {
            capacity: 10,
            refill: Duration::from_secs(60),
        };
        assert!(take(Some(level), 7, ten_a_minute, 0).unwrap().is_ok());
        assert!(take(Some(level), 8, ten_a_minute, 0).unwrap().is_err());
    }

    #[test]
    fn shapes_that_cannot_be_are_refused() {
        for (capacity, refill, n) in [
            (0, Duration::from_secs(1), 0),
            (1, Duration::ZERO, 1),
            (u32::MAX, Duration::MAX, 1),
            (3, Duration::from_secs(1), 4),
        ] {
            let error = take(None, n, Bucket { capacity, refill }, 0).unwrap_err();
            assert_eq!(error.code(), Code::InvalidInput);
        }
    }
}
