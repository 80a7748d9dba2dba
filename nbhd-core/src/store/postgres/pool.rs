//! The connections of a store, and how one statement is run on one of them: within the deadline, and again only where
//! that cannot do it twice.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::client::{Connection, Sql};
use super::failure::{self, Failure, judge};
use super::settings::Settings;
use crate::{Code, Error, Outcome, Result};

/// The pause before a statement is run again, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));

/// The connections. They belong to the runtime that they were opened in.
#[derive(Debug)]
pub(super) struct Pool {
    settings: Settings,
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
    writes: AtomicU64,
}

/// A statement that can be run again although it may have been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Yes,
    No,
}

impl Pool {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            permits: Semaphore::new(settings.connections),
            settings,
            idle: Mutex::default(),
            writes: AtomicU64::new(0),
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many writes there were before this one: they take turns in removing what has ended.
    pub(super) fn turn(&self) -> u64 {
        self.writes.fetch_add(1, Ordering::Relaxed)
    }

    /// Runs a statement within the deadline.
    pub(super) async fn query(
        &self,
        sql: Sql,
        params: &[&(dyn ToSql + Sync)],
        again: Again,
    ) -> Result<Vec<Row>> {
        // Whether a write was sent whose end nobody knows.
        let open = AtomicBool::new(false);
        let work = self.attempts(sql, params, again, &open);
        let answer = self.within(work).await;
        answer.map_err(|error| {
            if open.load(Ordering::Acquire) {
                error.with_outcome(Outcome::Unknown)
            } else {
                error
            }
        })
    }

    /// Runs `work` within the deadline.
    pub(super) async fn within<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let answer = tokio::time::timeout(self.settings.deadline, work).await;
        answer.unwrap_or_else(|_| {
            // The others lead to the same silent server.
            self.forget_idle();
            Err(failure::silent(self.settings.deadline))
        })
    }

    async fn attempts(
        &self,
        sql: Sql,
        params: &[&(dyn ToSql + Sync)],
        again: Again,
        open: &AtomicBool,
    ) -> Result<Vec<Row>> {
        let mut pause = PAUSE.0;
        loop {
            let held = self.take().await?;
            let before = open.swap(sql.writes() || open.load(Ordering::Acquire), Ordering::AcqRel);
            let answer = held.query(sql, params).await;
            let error = match answer {
                Ok(rows) => {
                    held.give_back();
                    return Ok(rows);
                }
                Err(error) => error,
            };
            match judge(&error) {
                Failure::Undone(_) => {
                    open.store(before, Ordering::Release);
                    held.give_back();
                }
                Failure::Said { error, lives } => {
                    open.store(before, Ordering::Release);
                    if lives {
                        held.give_back();
                    }
                    return Err(error);
                }
                Failure::Lost(error) => {
                    self.forget_idle();
                    if again == Again::No {
                        return Err(error);
                    }
                }
            }
            tokio::time::sleep(pause).await;
            pause = PAUSE.1.min(pause * 2);
        }
    }

    /// A connection of one's own: an idle one that lives, else a new one.
    async fn take(&self) -> Result<Held<'_>> {
        let permit = self
            .permits
            .acquire()
            .await
            .map_err(|_| Error::new(Code::StoreUnavailable, "the PostgreSQL store was closed"))?;
        loop {
            let idle = self.idle().pop();
            let Some(connection) = idle else { break };
            if !connection.client.is_closed() {
                return Ok(Held {
                    pool: self,
                    connection,
                    _permit: permit,
                });
            }
        }
        let mut pause = PAUSE.0;
        loop {
            match Connection::open(&self.settings).await {
                Ok(connection) => {
                    return Ok(Held {
                        pool: self,
                        connection,
                        _permit: permit,
                    });
                }
                Err((_, true)) => {}
                Err((error, false)) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = PAUSE.1.min(pause * 2);
        }
    }

    /// Drops the connections that nobody uses.
    pub(super) fn forget_idle(&self) {
        let idle = std::mem::take(&mut *self.idle());
        drop(idle);
    }

    /// Says goodbye on all that nobody uses.
    pub(super) async fn close(&self) {
        let idle = std::mem::take(&mut *self.idle());
        for connection in idle {
            connection.close().await;
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use. Dropped, it is closed: only whoever knows that it is fit gives it back.
struct Held<'a> {
    pool: &'a Pool,
    connection: Connection,
    _permit: SemaphorePermit<'a>,
}

impl Held<'_> {
    async fn query(
        &self,
        sql: Sql,
        params: &[&(dyn ToSql + Sync)],
    ) -> std::result::Result<Vec<Row>, tokio_postgres::Error> {
        let Connection { client, .. } = &self.connection;
        client.query(self.connection.statement(sql), params).await
    }

    fn give_back(self) {
        if !self.connection.client.is_closed() {
            self.pool.idle().push(self.connection);
        }
    }
}
