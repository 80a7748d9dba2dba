//! Making the tables, and bringing those of an older file up to date while processes of before have it open and write.
//!
//! `0001.sql` is the schema of every file that there is: one that the very first version made is opened as it stands. A
//! step from one schema to the next only adds, in one transaction, so that code of the one before goes on beside it.

use rusqlite::{Connection, Transaction};

use super::database::{begin, failed, finish};
use super::rows::{PRUNES, Rows};
use crate::{Code, Error, Result};

/// The schema that this code writes.
pub(super) const SCHEMA: i64 = 1;

/// The step to each schema from the one before.
#[cfg(not(feature = "testkit"))]
const STEPS: [(i64, &str); 0] = [];
#[cfg(feature = "testkit")]
const STEPS: [(i64, &str); 1] = [(1, include_str!("../schema/sqlite/0000_0001.sql"))];

/// Makes fresh tables.
pub(super) fn make(transaction: &Transaction<'_>, schema: i64) -> rusqlite::Result<()> {
    transaction.execute_batch(include_str!("../schema/sqlite/0001.sql"))?;
    if schema < SCHEMA {
        // For tests: the schema before, which no release ever had, knew no buckets.
        transaction.execute_batch("DROP TABLE buckets")?;
    }
    Ok(())
}

/// How many kinds of rows that end by time the schema has.
pub(super) fn kinds_of_rows(schema: i64) -> usize {
    if schema < SCHEMA {
        PRUNES.len() - 1
    } else {
        PRUNES.len()
    }
}

/// Whoever opens an older file gives it what it lacks; two who open it at once give it once.
pub(super) fn bring_up_to_date(connection: &mut Connection, ours: i64) -> Result<()> {
    if Rows::of(connection).state()?.schema >= ours {
        return Ok(());
    }
    let transaction = begin(connection)?;
    let state = Rows::of(&transaction).state()?;
    if state.min_writer > ours {
        return Err(too_old("write", state.schema, ours));
    }
    for (to, step) in STEPS {
        if state.schema < to && to <= ours {
            transaction
                .execute_batch(step)
                .and_then(|()| transaction.execute("UPDATE state SET schema = ?1", [to]))
                .map_err(|e| failed(&e))?;
        }
    }
    finish(transaction)
}

/// The file is newer than this code.
pub(super) fn too_old(verb: &str, schema: i64, ours: i64) -> Error {
    Error::new(
        Code::InvalidState,
        format!("the SQLite store has schema {schema}, which this version (schema {ours}) may not {verb}"),
    )
    .with_user_action("Update this program: a newer one has changed the store.")
}
