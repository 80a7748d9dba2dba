//! Making the store, once, and bringing an older one up to date beside the processes that use it.

use super::client::Connection;
use super::failure::{self, Failure, judge};
use super::pool::Pool;
use super::settings::Settings;
use crate::id::{Random, SystemRandomness};
use crate::{Code, Error, Outcome, Result};

/// Tables and functions of the schema that this code writes.
const TABLES: &str = include_str!("../schema/postgres/0001.sql");
const FUNCTIONS: &str = include_str!("../schema/postgres/0001_functions.sql");

/// The step to each schema from the one before: it only adds, so that code of the one before goes on.
#[cfg(not(feature = "testkit"))]
const STEPS: [(i32, &str); 0] = [];
#[cfg(feature = "testkit")]
const STEPS: [(i32, &str); 1] = [(1, include_str!("../schema/postgres/0000_0001.sql"))];

/// Turns fresh tables into those of the schema before the first, which no release has ever made: for tests.
#[cfg(feature = "testkit")]
const BEFORE: &str = include_str!("../schema/postgres/0000.sql");

/// Makes the store unless it is there; one that is older gets what it lacks.
pub(super) async fn create(pool: &Pool) -> Result<()> {
    let settings = pool.settings();
    let work = async {
        let connection = Connection::bare(settings).await.map_err(|(error, _)| error)?;
        let made = make(&connection, settings).await;
        connection.close().await;
        made
    };
    let incarnation = pool.within(work).await?;
    settings.known.adopt(incarnation);
    // Sessions from before may have looked for statements that were not there.
    pool.forget_idle();
    Ok(())
}

/// In one transaction, alone: two that create at once make one store.
async fn make(connection: &Connection, settings: &Settings) -> Result<String> {
    let client = &connection.client;
    let store = super::commit::store_lock(&settings.namespace);
    run(connection, "BEGIN").await?;
    client
        .execute("SELECT pg_advisory_xact_lock($1)", &[&store])
        .await
        .map_err(failed)?;
    let state = format!("{}.state", settings.namespace);
    let there: bool = client
        .query_one("SELECT to_regclass($1) IS NOT NULL", &[&state])
        .await
        .and_then(|row| row.try_get(0))
        .map_err(failed)?;
    let incarnation = if there {
        bring_up_to_date(connection, settings).await?
    } else {
        make_anew(connection, settings).await?
    };
    run(connection, "COMMIT")
        .await
        .map_err(|error| error.with_outcome(Outcome::Unknown))?;
    Ok(incarnation)
}

async fn make_anew(connection: &Connection, settings: &Settings) -> Result<String> {
    let client = &connection.client;
    let namespace = client
        .query_opt(
            "SELECT 1 FROM pg_namespace WHERE nspname = $1",
            &[&settings.namespace],
        )
        .await
        .map_err(failed)?;
    if namespace.is_none() {
        run(connection, &format!("CREATE SCHEMA {}", settings.namespace)).await?;
    }
    run(connection, &settings.sql(TABLES)).await?;
    run(connection, &settings.sql(FUNCTIONS)).await?;
    #[cfg(feature = "testkit")]
    if settings.schema < super::settings::SCHEMA {
        run(connection, &settings.sql(BEFORE)).await?;
    }
    let incarnation = SystemRandomness.id();
    let insert = settings.sql(
        "INSERT INTO nbhd.state (id, schema, min_reader, min_writer, incarnation) VALUES (1, $1, $1, $1, $2)",
    );
    client
        .execute(&insert, &[&settings.schema, &incarnation])
        .await
        .map_err(failed)?;
    Ok(incarnation)
}

async fn bring_up_to_date(connection: &Connection, settings: &Settings) -> Result<String> {
    let look = settings.sql("SELECT incarnation, schema, min_writer FROM nbhd.state");
    let row = connection.client.query_opt(&look, &[]).await.map_err(failed)?;
    // Tables without their state are what is left of a store: never a fresh one.
    let row = row.ok_or_else(failure::missing)?;
    let (incarnation, schema, min_writer): (String, i32, i32) = row
        .try_get(0)
        .and_then(|incarnation| Ok((incarnation, row.try_get(1)?, row.try_get(2)?)))
        .map_err(failed)?;
    if min_writer > settings.schema {
        return Err(failure::too_old("write", schema, settings.schema));
    }
    for (to, step) in STEPS {
        if schema < to && to <= settings.schema {
            run(connection, &settings.sql(step)).await?;
            run(connection, &settings.sql(FUNCTIONS)).await?;
            let raise = settings.sql("UPDATE nbhd.state SET schema = $1");
            connection.client.execute(&raise, &[&to]).await.map_err(failed)?;
        }
    }
    Ok(incarnation)
}

async fn run(connection: &Connection, script: &str) -> Result<()> {
    connection.client.batch_execute(script).await.map_err(failed)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn failed(error: tokio_postgres::Error) -> Error {
    match judge(&error) {
        Failure::Undone(error) | Failure::Said { error, .. } | Failure::Lost(error) => {
            // A store that is being made is not one that was lost.
            if error.code() == Code::Internal {
                return Error::new(Code::Internal, "the PostgreSQL store could not be made");
            }
            error
        }
    }
}
