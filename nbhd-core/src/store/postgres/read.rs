//! The reads: each requires the store to be there, to be the one that is known, and to be readable by this code.

use tokio_postgres::Row;

use super::client::Sql;
use super::failure;
use super::pool::{Again, Pool};
use crate::store::apply::{Micros, timestamp};
use crate::store::{Durability, Entry, Range, Record};
use crate::{Code, Error, Result, Timestamp};

pub(super) async fn now(pool: &Pool) -> Result<Timestamp> {
    let known = &pool.settings().known;
    let (wall, seen, ceiling) = (pool.settings().wall(), known.seen(), known.watch().ceiling());
    let rows = pool
        .query(Sql::Now, &[&wall, &seen, &ceiling], Again::Yes)
        .await?;
    let row = one(pool, &rows)?;
    let at = value(row, 3)?;
    known.see(at, value(row, 4)?);
    Ok(timestamp(at))
}

pub(super) async fn get(pool: &Pool, key: &str) -> Result<Option<Record>> {
    let known = &pool.settings().known;
    let (wall, seen, ceiling) = (pool.settings().wall(), known.seen(), known.watch().ceiling());
    let rows = pool
        .query(Sql::Get, &[&key.as_bytes(), &wall, &seen, &ceiling], Again::Yes)
        .await?;
    let row = one(pool, &rows)?;
    let now: Micros = value(row, 3)?;
    known.see(now, value(row, 4)?);
    let Some(text) = value::<Option<&[u8]>>(row, 5)? else {
        return Ok(None);
    };
    let expires_at: Option<Micros> = value(row, 7)?;
    if expires_at.is_some_and(|end| end <= now) {
        return Ok(None);
    }
    Ok(Some(Record {
        value: words(text)?,
        version: value::<i64>(row, 6)? as u64,
        expires_at: expires_at.map(timestamp),
    }))
}

pub(super) async fn sum(pool: &Pool, key: &str) -> Result<i64> {
    let rows = pool.query(Sql::Sum, &[&key.as_bytes()], Again::Yes).await?;
    Ok(value::<Option<i64>>(one(pool, &rows)?, 3)?.unwrap_or_default())
}

pub(super) async fn count(pool: &Pool, index: &str) -> Result<u64> {
    let rows = pool.query(Sql::Count, &[&index.as_bytes()], Again::Yes).await?;
    Ok(value::<Option<i64>>(one(pool, &rows)?, 3)?.unwrap_or_default() as u64)
}

pub(super) async fn scan(pool: &Pool, index: &str, range: Range) -> Result<Vec<Entry>> {
    let limit = i64::try_from(range.limit).unwrap_or(i64::MAX);
    let rows = pool
        .query(
            Sql::Scan,
            &[&index.as_bytes(), &range.from, &range.to, &limit],
            Again::Yes,
        )
        .await?;
    one(pool, &rows)?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in &rows {
        // Nothing in range is one row without a member.
        if let Some(member) = value::<Option<&[u8]>>(row, 3)? {
            entries.push(Entry {
                member: words(member)?,
                score: value(row, 4)?,
            });
        }
    }
    Ok(entries)
}

/// The best class that the server's settings allow. Each commit is synchronous whatever the server's default says.
pub(super) async fn durability(pool: &Pool) -> Result<Durability> {
    if let Some(class) = pool.settings().known.class() {
        return Ok(class);
    }
    let rows = pool.query(Sql::Durability, &[], Again::Yes).await?;
    let row = one(pool, &rows)?;
    let safe = value::<&str>(row, 3)? == "on" && value::<&str>(row, 4)? == "on";
    let class = if safe {
        Durability::Power
    } else {
        Durability::Process
    };
    pool.settings().known.classify(class);
    Ok(class)
}

/// The id of the store.
pub(super) async fn incarnation(pool: &Pool) -> Result<String> {
    let rows = pool.query(Sql::Durability, &[], Again::Yes).await?;
    value(one(pool, &rows)?, 0)
}

/// The first row, after looking whether the store is the right one.
fn one<'a>(pool: &Pool, rows: &'a [Row]) -> Result<&'a Row> {
    let row = rows.first().ok_or_else(failure::missing)?;
    let (incarnation, schema, min_reader): (&str, i32, i32) =
        (value(row, 0)?, value(row, 1)?, value(row, 2)?);
    let settings = pool.settings();
    if min_reader > settings.schema {
        return Err(failure::too_old("read", schema, settings.schema));
    }
    if schema < settings.schema {
        return Err(failure::too_new(schema, settings.schema));
    }
    if !settings.known.meet(incarnation) {
        return Err(failure::replaced());
    }
    Ok(row)
}

/// A column as what it must be.
pub(super) fn value<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, column: usize) -> Result<T> {
    row.try_get(column).map_err(|_| misread())
}

fn words(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| misread())
}

fn misread() -> Error {
    Error::new(
        Code::Internal,
        "the PostgreSQL store holds something that this program did not put there",
    )
}
