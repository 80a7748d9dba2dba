//! The writes: a commit as the arrays that the server's function takes, its answer, and the leases.

use std::time::Duration;

use ring::digest::{SHA256, digest};
use tokio_postgres::Row;

use super::client::Sql;
use super::failure;
use super::pool::{Again, Pool};
use super::read::value;
use crate::store::apply::{Micros, micros, timestamp};
use crate::store::retention::{ANSWERS, PRUNED_PER_COMMIT};
use crate::store::{Commit, Committed, Durability, Guard, Lease, Refusal, Write};
use crate::{Result, Timestamp};

/// A commit of more keys than this takes the whole store for itself: the server's table of locks has an end.
const LOCKS: usize = 128;

/// How many kinds of rows end by time: each write looks at one of them.
const PRUNES: u64 = 4;

/// What a lock stands for.
#[derive(Clone, Copy)]
enum Kind {
    Store = b's' as isize,
    Record = b'r' as isize,
    Sum = b'+' as isize,
    Index = b'i' as isize,
    Lane = b'l' as isize,
    Bucket = b'b' as isize,
    Op = b'o' as isize,
}

/// Makes a commit.
pub(super) async fn commit(pool: &Pool, commit: &Commit) -> Result<Committed> {
    let locks = locks(&pool.settings().namespace, commit);
    let guards = Guards::of(&commit.guards);
    let writes = Writes::of(&commit.writes);
    let op_id = commit.op_id.as_ref().map(String::as_bytes);
    let relaxed = matches!(commit.durability, Some(Durability::Lossy | Durability::Volatile));
    let frame = Frame::new(pool);
    let again = if op_id.is_some() { Again::Yes } else { Again::No };
    let rows = pool
        .query(
            Sql::Commit,
            &[
                &frame.incarnation,
                &frame.schema,
                &frame.wall,
                &frame.seen,
                &frame.ceiling,
                &frame.store,
                &locks,
                &relaxed,
                &frame.prune,
                &frame.most,
                &frame.answers,
                &op_id,
                &guards.kinds,
                &guards.keys,
                &guards.a,
                &guards.b,
                &guards.c,
                &writes.kinds,
                &writes.keys,
                &writes.members,
                &writes.values,
                &writes.a,
            ],
            again,
        )
        .await?;
    let (row, made) = verdict(pool, &rows)?;
    let at = seen(pool, row)?;
    if made {
        return Ok(Committed::Done {
            results: value(row, 8)?,
            at,
        });
    }
    let wait: Option<Micros> = value(row, 7)?;
    Ok(Committed::Refused(Refusal {
        guard: value::<i32>(row, 5)? as usize,
        found: value(row, 6)?,
        wait: wait.map(|wait| Duration::from_micros(wait.unsigned_abs())),
        at,
    }))
}

/// Takes a lease.
pub(super) async fn claim(pool: &Pool, lane: &str, ttl: Duration) -> Result<Option<Lease>> {
    let frame = Frame::new(pool);
    let locks = vec![lock(&pool.settings().namespace, Kind::Lane, lane)];
    let rows = pool
        .query(
            Sql::Claim,
            &[
                &frame.incarnation,
                &frame.schema,
                &frame.wall,
                &frame.seen,
                &frame.ceiling,
                &frame.store,
                &locks,
                &frame.prune,
                &frame.most,
                &frame.answers,
                &lane.as_bytes(),
                &micros(ttl),
            ],
            Again::No,
        )
        .await?;
    lease(pool, &rows, lane)
}

/// Prolongs a lease.
pub(super) async fn renew(pool: &Pool, held: &Lease, ttl: Duration) -> Result<Option<Lease>> {
    let frame = Frame::new(pool);
    let locks = vec![lock(&pool.settings().namespace, Kind::Lane, &held.lane)];
    let rows = pool
        .query(
            Sql::Renew,
            &[
                &frame.incarnation,
                &frame.schema,
                &frame.wall,
                &frame.seen,
                &frame.ceiling,
                &frame.store,
                &locks,
                &frame.prune,
                &frame.most,
                &frame.answers,
                &held.lane.as_bytes(),
                &(held.epoch as i64),
                &micros(ttl),
            ],
            Again::Yes,
        )
        .await?;
    lease(pool, &rows, &held.lane)
}

/// What every write tells the server.
struct Frame {
    incarnation: Option<String>,
    schema: i32,
    wall: Option<Micros>,
    seen: Micros,
    ceiling: Option<Micros>,
    store: i64,
    prune: i32,
    most: i32,
    answers: Micros,
}

impl Frame {
    fn new(pool: &Pool) -> Self {
        let settings = pool.settings();
        Self {
            incarnation: settings.known.incarnation(),
            schema: settings.schema,
            wall: settings.wall(),
            seen: settings.known.seen(),
            ceiling: settings.known.watch().ceiling(),
            store: store_lock(&settings.namespace),
            prune: (pool.turn() % PRUNES) as i32,
            most: (PRUNED_PER_COMMIT as u64 * PRUNES) as i32,
            answers: micros(ANSWERS),
        }
    }
}

/// The row of the answer, and whether the write was made; an error where the server found it may not be.
fn verdict<'a>(pool: &Pool, rows: &'a [Row]) -> Result<(&'a Row, bool)> {
    let row = rows.first().ok_or_else(failure::missing)?;
    let settings = pool.settings();
    let schema: Option<i32> = value(row, 2)?;
    match value::<i32>(row, 0)? {
        2 => return Err(failure::missing()),
        3 => return Err(failure::replaced()),
        4 => {
            return Err(failure::too_old(
                "write",
                schema.unwrap_or_default(),
                settings.schema,
            ));
        }
        _ => {}
    }
    if !settings.known.meet(value(row, 1)?) {
        return Err(failure::replaced());
    }
    Ok((row, value::<i32>(row, 0)? == 0))
}

/// The lock of the whole store, which every write takes first.
pub(super) fn store_lock(namespace: &str) -> i64 {
    lock(namespace, Kind::Store, "")
}

fn seen(pool: &Pool, row: &Row) -> Result<Timestamp> {
    let at: Micros = value(row, 3)?;
    pool.settings().known.see(at, value(row, 4)?);
    Ok(timestamp(at))
}

fn lease(pool: &Pool, rows: &[Row], lane: &str) -> Result<Option<Lease>> {
    let (row, _) = verdict(pool, rows)?;
    seen(pool, row)?;
    let (Some(epoch), Some(expires_at)) = (value::<Option<i64>>(row, 5)?, value::<Option<Micros>>(row, 6)?)
    else {
        return Ok(None);
    };
    Ok(Some(Lease {
        lane: lane.to_owned(),
        epoch: epoch as u64,
        expires_at: timestamp(expires_at),
    }))
}

/// The locks of all keys that a commit touches, each once and in one order for everybody: so nobody waits in a circle.
/// Two keys that share a number only wait for each other.
fn locks(namespace: &str, commit: &Commit) -> Option<Vec<i64>> {
    let guards = commit.guards.iter().map(|guard| match guard {
        Guard::Absent { key } | Guard::Version { key, .. } => (Kind::Record, key),
        Guard::Lease { lane, .. } => (Kind::Lane, lane),
        Guard::SumAtMost { key, .. } => (Kind::Sum, key),
        Guard::CountBelow { index, .. } => (Kind::Index, index),
        Guard::Bucket { key, .. } => (Kind::Bucket, key),
    });
    let writes = commit.writes.iter().map(|write| match write {
        Write::Put { key, .. } | Write::Delete { key } => (Kind::Record, key),
        Write::Add { key, .. } => (Kind::Sum, key),
        Write::Append { index, .. } | Write::Index { index, .. } | Write::Unindex { index, .. } => {
            (Kind::Index, index)
        }
        Write::Release { lane, .. } => (Kind::Lane, lane),
    });
    let op_id = commit.op_id.iter().map(|op_id| (Kind::Op, op_id));
    let mut locks: Vec<i64> = guards
        .chain(writes)
        .chain(op_id)
        .map(|(kind, key)| lock(namespace, kind, key))
        .collect();
    locks.sort_unstable();
    locks.dedup();
    (locks.len() <= LOCKS).then_some(locks)
}

/// The number of a key among the server's advisory locks, which all of a database share: so the name of the store is in it.
fn lock(namespace: &str, kind: Kind, key: &str) -> i64 {
    let mut text = Vec::with_capacity(8 + namespace.len() + key.len());
    text.extend_from_slice(b"nbhd\0");
    text.extend_from_slice(namespace.as_bytes());
    text.extend_from_slice(&[0, kind as u8]);
    text.extend_from_slice(key.as_bytes());
    // The first eight bytes of the hash, as one number.
    let hash = digest(&SHA256, &text);
    let first = hash.as_ref().iter().take(8);
    first.fold(0, |number, byte| number << 8 | i64::from(*byte))
}

/// The guards, as columns.
#[derive(Default)]
struct Guards<'a> {
    kinds: Vec<i16>,
    keys: Vec<&'a [u8]>,
    a: Vec<i64>,
    b: Vec<i64>,
    c: Vec<i64>,
}

impl<'a> Guards<'a> {
    fn of(guards: &'a [Guard]) -> Self {
        let mut columns = Self::default();
        for guard in guards {
            let (kind, key, a, b, c) = match guard {
                Guard::Absent { key } => (1, key, 0, 0, 0),
                Guard::Version { key, version } => (2, key, bounded(*version), 0, 0),
                Guard::Lease { lane, epoch } => (3, lane, bounded(*epoch), 0, 0),
                Guard::SumAtMost { key, delta, cap } => (4, key, *delta, *cap, 0),
                Guard::CountBelow { index, n } => (5, index, bounded(*n), 0, 0),
                Guard::Bucket { key, n, bucket } => (
                    6,
                    key,
                    i64::from(bucket.capacity),
                    micros(bucket.refill),
                    i64::from(*n),
                ),
            };
            columns.kinds.push(kind);
            columns.keys.push(key.as_bytes());
            columns.a.push(a);
            columns.b.push(b);
            columns.c.push(c);
        }
        columns
    }
}

/// The writes, as columns.
#[derive(Default)]
struct Writes<'a> {
    kinds: Vec<i16>,
    keys: Vec<&'a [u8]>,
    members: Vec<Option<&'a [u8]>>,
    values: Vec<Option<&'a [u8]>>,
    a: Vec<Option<i64>>,
}

impl<'a> Writes<'a> {
    fn of(writes: &'a [Write]) -> Self {
        let mut columns = Self::default();
        for write in writes {
            let (kind, key, member, value, a) = match write {
                Write::Put { key, value, ttl } => (1, key, None, Some(value), ttl.map(micros)),
                Write::Add { key, delta } => (2, key, None, None, Some(*delta)),
                Write::Append { index, member } => (3, index, Some(member), None, None),
                Write::Index {
                    index,
                    member,
                    score,
                    keep,
                } => (if *keep { 5 } else { 4 }, index, Some(member), None, Some(*score)),
                Write::Unindex { index, member } => (6, index, Some(member), None, None),
                Write::Delete { key } => (7, key, None, None, None),
                Write::Release { lane, epoch } => (8, lane, None, None, Some(bounded(*epoch))),
            };
            columns.kinds.push(kind);
            columns.keys.push(key.as_bytes());
            columns.members.push(member.map(String::as_bytes));
            columns.values.push(value.map(String::as_bytes));
            columns.a.push(a);
        }
        columns
    }
}

/// A number of ours as the server's; what does not fit is larger than any that it has.
fn bounded(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str) -> Write {
        Write::Put {
            key: key.to_owned(),
            value: String::new(),
            ttl: None,
        }
    }

    #[test]
    fn locks_come_in_one_order_and_each_once() {
        let one = Commit::new().write(put("a")).write(put("b")).write(put("a"));
        let other = Commit::new()
            .write(put("b"))
            .guard(Guard::Absent { key: "a".to_owned() });
        assert_eq!(locks("x", &one), locks("x", &other));
        assert_eq!(locks("x", &one).unwrap().len(), 2);
        assert_ne!(locks("x", &one), locks("y", &one), "stores do not share locks");
        assert_ne!(
            lock("x", Kind::Record, "a"),
            lock("x", Kind::Sum, "a"),
            "nor do the kinds of keys"
        );
    }

    #[test]
    fn a_commit_of_very_many_keys_takes_the_whole_store() {
        let many = (0..=LOCKS).fold(Commit::new(), |commit, n| commit.write(put(&n.to_string())));
        assert_eq!(locks("x", &many), None);
    }

    #[test]
    fn a_lock_is_the_same_in_every_version() {
        // SHA-256 of "nbhd\0nbhd\0ra": old and new processes must wait for each other.
        let expected = digest(&SHA256, b"nbhd\0nbhd\0ra");
        let first: [u8; 8] = expected.as_ref()[..8].try_into().unwrap();
        assert_eq!(lock("nbhd", Kind::Record, "a"), i64::from_be_bytes(first));
    }
}
