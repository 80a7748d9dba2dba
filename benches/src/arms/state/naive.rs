//! What somebody writes who needs a table and no promise: one row, one statement, one connection for each writer.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use nbhd_core::store::Durability;

use super::place::{Kind, Place};
use super::{VALUE, per_second};
use crate::Failure;

/// Rows a second by so many writers.
pub(super) async fn rate(place: &Place, writers: usize, rows: usize) -> Result<f64, Failure> {
    let each = rows / writers;
    let took = match &place.kind {
        Kind::Sqlite(folder) => sqlite(&folder.file("naive.db"), place.class, writers, each)?,
        Kind::Redis(server) => redis(&server.address(), writers, each).await?,
        Kind::Postgres(server) => postgres(server.port(), writers, each).await?,
    };
    Ok(per_second(each * writers, took))
}

fn sqlite(file: &Path, class: Durability, writers: usize, each: usize) -> Result<Duration, Failure> {
    let open = || -> rusqlite::Result<rusqlite::Connection> {
        let connection = rusqlite::Connection::open(file)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let synchronous = if class == Durability::Power {
            "FULL"
        } else {
            "NORMAL"
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.execute_batch("CREATE TABLE IF NOT EXISTS naive (key TEXT PRIMARY KEY, value TEXT)")?;
        Ok(connection)
    };
    let connections = (0..writers)
        .map(|_| open())
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let value = "x".repeat(VALUE);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = connections
            .into_iter()
            .enumerate()
            .map(|(writer, connection)| {
                let value = &value;
                scope.spawn(move || -> rusqlite::Result<()> {
                    for number in 0..each {
                        connection
                            .prepare_cached("INSERT OR REPLACE INTO naive VALUES (?1, ?2)")?
                            .execute((format!("{writer}/{}", number % 100), value))?;
                    }
                    Ok(())
                })
            })
            .collect();
        for thread in threads {
            thread.join().map_err(|_| "a writer panicked")??;
        }
        Ok::<(), Failure>(())
    })?;
    Ok(began.elapsed())
}

async fn redis(address: &str, writers: usize, each: usize) -> Result<Duration, Failure> {
    let client = redis::Client::open(address)?;
    let mut connections = Vec::new();
    for _ in 0..writers {
        connections.push(client.get_multiplexed_async_connection().await?);
    }
    let value = "x".repeat(VALUE);
    let began = Instant::now();
    try_join_all(connections.iter_mut().enumerate().map(|(writer, connection)| {
        let value = &value;
        async move {
            for number in 0..each {
                redis::cmd("SET")
                    .arg(format!("naive/{writer}/{}", number % 100))
                    .arg(value)
                    .query_async::<()>(connection)
                    .await?;
            }
            Ok::<(), Failure>(())
        }
    }))
    .await?;
    Ok(began.elapsed())
}

async fn postgres(port: u16, writers: usize, each: usize) -> Result<Duration, Failure> {
    let address = format!("postgres://nbhd:nbhd@127.0.0.1:{port}/postgres");
    let mut clients = Vec::new();
    for _ in 0..writers {
        let (client, connection) = tokio_postgres::connect(&address, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        if clients.is_empty() {
            client
                .batch_execute("CREATE TABLE IF NOT EXISTS naive (key text PRIMARY KEY, value text)")
                .await?;
        }
        let insert = client
            .prepare(
                "INSERT INTO naive VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )
            .await?;
        clients.push((client, insert));
    }
    let value = "x".repeat(VALUE);
    let began = Instant::now();
    try_join_all(clients.iter().enumerate().map(|(writer, (client, insert))| {
        let value = &value;
        async move {
            for number in 0..each {
                client
                    .execute(insert, &[&format!("{writer}/{}", number % 100), value])
                    .await?;
            }
            Ok::<(), Failure>(())
        }
    }))
    .await?;
    Ok(began.elapsed())
}
