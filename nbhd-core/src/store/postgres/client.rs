//! One connection: how it is made, what it is told before its first use, which statements it has prepared.

use std::time::Duration;

use futures::future::{join, try_join_all};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage, Socket, Statement};
use tokio_util::task::AbortOnDropHandle;

use super::failure;
use super::settings::Settings;
use super::tls::{Handshake, Tls};
use crate::Error;

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What every read begins with: which store this is.
const STORE: &str = "SELECT s.incarnation, s.schema, s.min_reader";

/// The statements of the store. Each is one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sql {
    Commit,
    Claim,
    Renew,
    Get,
    Sum,
    Scan,
    Count,
    Now,
    Durability,
}

impl Sql {
    const ALL: [Self; 9] = [
        Self::Commit,
        Self::Claim,
        Self::Renew,
        Self::Get,
        Self::Sum,
        Self::Scan,
        Self::Count,
        Self::Now,
        Self::Durability,
    ];

    /// Whether it may change something.
    pub(super) fn writes(self) -> bool {
        matches!(self, Self::Commit | Self::Claim | Self::Renew)
    }

    /// The statement as code of schema `schema` has it.
    fn text(self, schema: i32) -> String {
        let read = |rest: &str| format!("{STORE}, {rest}");
        match self {
            Self::Commit => "SELECT verdict, incarnation, schema, at, ahead, guard, stood, wait, results \
                FROM nbhd.commit_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, \
                $19, $20, $21, $22)"
                .to_owned(),
            Self::Claim => format!(
                "SELECT verdict, incarnation, schema, at, ahead, epoch, expires_at \
                FROM nbhd.claim_{schema}($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
            ),
            Self::Renew => "SELECT verdict, incarnation, schema, at, ahead, epoch, expires_at \
                FROM nbhd.renew_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
                .to_owned(),
            Self::Get => read(
                "n.at, n.ahead, r.value, r.version, r.expires_at \
                FROM nbhd.state s CROSS JOIN nbhd.now_1($2, $3, $4) n LEFT JOIN nbhd.records r ON r.key = $1",
            ),
            Self::Sum => read("r.sum FROM nbhd.state s LEFT JOIN nbhd.sums r ON r.key = $1"),
            Self::Scan => read(
                "e.member, e.score FROM nbhd.state s LEFT JOIN LATERAL (SELECT e.member, e.score FROM nbhd.entries e \
                WHERE e.name = $1 AND e.score >= $2 AND e.score <= $3 ORDER BY e.score, e.member LIMIT $4) e ON true \
                ORDER BY e.score, e.member",
            ),
            Self::Count => read("x.count FROM nbhd.state s LEFT JOIN nbhd.indexes x ON x.name = $1"),
            Self::Now => read("n.at, n.ahead FROM nbhd.state s CROSS JOIN nbhd.now_1($1, $2, $3) n"),
            Self::Durability => read(
                "current_setting('fsync'), current_setting('full_page_writes') FROM nbhd.state s",
            ),
        }
    }
}

/// A session on the server. Its socket is served by a task of this runtime, which ends with it: otherwise it would wait
/// for the answers of a server that hangs.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: Client,
    task: AbortOnDropHandle<()>,
    statements: Vec<Statement>,
}

impl Connection {
    /// Connects and prepares the statements. The second value of an error says that trying again soon may help.
    pub(super) async fn open(settings: &Settings) -> Result<Self, (Error, bool)> {
        let mut connection = Self::bare(settings).await?;
        let texts = Sql::ALL.map(|sql| settings.sql(&sql.text(settings.schema)));
        let look = settings.sql("SELECT schema, min_reader FROM nbhd.state");
        let (state, prepared) = join(
            connection.client.simple_query(&look),
            try_join_all(texts.iter().map(|text| connection.client.prepare(text))),
        )
        .await;
        fits(
            &state.map_err(|error| failure::greeting(&error))?,
            settings.schema,
        )
        .map_err(|error| (error, false))?;
        connection.statements = prepared.map_err(|error| failure::greeting(&error))?;
        Ok(connection)
    }

    /// Connects only: for making a store where there is none.
    pub(super) async fn bare(settings: &Settings) -> Result<Self, (Error, bool)> {
        let connection = match &settings.tls {
            Tls::Off => Self::connect(settings, NoTls).await?,
            Tls::Verified(config) => Self::connect(settings, Handshake::new(config)).await?,
        };
        connection.settle(settings).await?;
        Ok(connection)
    }

    async fn connect<T>(settings: &Settings, tls: T) -> Result<Self, (Error, bool)>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let connecting = settings.config.connect(tls);
        let (client, connection) = connecting.await.map_err(|error| failure::connecting(&error))?;
        let task = tokio::spawn(async move {
            // What ends it, each statement in flight is told.
            let _ = connection.await;
        });
        Ok(Self {
            client,
            task: AbortOnDropHandle::new(task),
            statements: Vec::new(),
        })
    }

    /// Tells the session its limits, and refuses a server that takes no writes.
    ///
    /// Every limit is also the server's, so that nothing of a client that went away stays. All our statements go through
    /// an index: whatever the statistics say, and compiling them never pays.
    async fn settle(&self, settings: &Settings) -> Result<(), (Error, bool)> {
        // A little before ours, so that the server's word, which is certain, comes before our silence.
        let limit = settings.deadline.mul_f64(0.9).as_millis();
        let script = format!(
            "SET search_path = pg_catalog; SET statement_timeout = {limit}; SET lock_timeout = {limit}; \
             SET idle_in_transaction_session_timeout = {limit}; SET plan_cache_mode = force_generic_plan; \
             SET enable_seqscan = off; SET jit = off; SET client_min_messages = warning; \
             SET default_transaction_isolation = 'read committed'; \
             SELECT set_config('synchronous_commit', 'on', false) \
             WHERE current_setting('synchronous_commit') = 'off'; \
             SELECT pg_is_in_recovery()"
        );
        let answers = self.client.simple_query(&script).await;
        let answers = answers.map_err(|error| failure::greeting(&error))?;
        let last = answers.iter().rev().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        if last == Some("f") {
            Ok(())
        } else {
            Err((failure::standby(), false))
        }
    }

    pub(super) fn statement(&self, sql: Sql) -> &Statement {
        &self.statements[sql as usize]
    }

    /// Says goodbye to the server: nobody can ask for more, so the task sends the farewell and ends.
    pub(super) async fn close(self) {
        let Self { client, task, .. } = self;
        drop(client);
        let _ = tokio::time::timeout(FAREWELL, task).await;
    }
}

/// Whether there is a store, and one that this code may use.
fn fits(state: &[SimpleQueryMessage], ours: i32) -> Result<(), Error> {
    let row = state.iter().find_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let number = |column| row?.get(column)?.parse::<i32>().ok();
    match (number(0), number(1)) {
        (Some(schema), Some(min_reader)) if min_reader > ours => Err(failure::too_old("read", schema, ours)),
        (Some(schema), Some(_)) if schema < ours => Err(failure::too_new(schema, ours)),
        (Some(_), Some(_)) => Ok(()),
        _ => Err(failure::missing()),
    }
}
