//! The connection of one process: made at the first call, shared by all, replaced when it fails or falls silent.
//!
//! The `redis` crate speaks the protocol and matches answers to calls; connecting, deadlines and what may be sent again are
//! ours. Lives on the store's thread.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo, RedisResult, Value};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::address::Address;
use super::failure::{Failure, of, unavailable};
use super::script::misread;
use super::settings::RedisSettings;
use super::socket;
use crate::{Error, Outcome, Result};

/// How old the settings may be: somebody may change them while the server runs.
const SETTINGS_AGE: Duration = Duration::from_secs(30);

/// How many commands wait for their turn to be written before further ones wait outside.
const PIPELINE: usize = 1_024;

/// One script, ready to be sent.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) command: Cmd,
    /// The script itself, for a server that does not know it yet.
    pub(super) script: &'static str,
    pub(super) effect: Effect,
    pub(super) deadline: Instant,
}

/// What it means that an answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: it can be asked again.
    Reads,
    /// It may be done; doing it again is the same as once.
    Repeats,
    /// It may be done, and must not be done again.
    Once,
}

pub(super) struct Client {
    address: Address,
    /// The incarnation that this process met first, shared with the handle.
    incarnation: Arc<ArcSwapOption<String>>,
    live: Mutex<Option<Live>>,
}

#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    driver: Arc<Driver>,
    settings: Arc<RedisSettings>,
    read_at: Instant,
}

/// What reads and writes the socket; it ends with the last call that waits for it, and a flag says that it has.
struct Driver {
    task: JoinHandle<()>,
    silent: AtomicBool,
}

impl Driver {
    fn serves(&self) -> bool {
        !self.task.is_finished() && !self.silent.load(Ordering::Acquire)
    }

    /// Whoever waits on it still gets its answer, should it come; new calls connect anew.
    fn silence(&self) {
        self.silent.store(true, Ordering::Release);
    }
}

impl Client {
    pub(super) fn new(address: Address, incarnation: Arc<ArcSwapOption<String>>) -> Self {
        Self {
            address,
            incarnation,
            live: Mutex::default(),
        }
    }

    /// Runs the script within its deadline.
    pub(super) async fn call(&self, call: Call) -> Result<Vec<Value>> {
        let sent = Sent::default();
        let answer = self.within(call.deadline, &sent, self.repeat(&call, &sent)).await;
        answer.map_err(|error| match (call.effect, error.outcome()) {
            (Effect::Reads, Outcome::Unknown) => error.with_outcome(Outcome::NotSent),
            _ => error,
        })
    }

    /// What the server says of itself, not older than half a minute.
    pub(super) async fn settings(&self, deadline: Instant) -> Result<Arc<RedisSettings>> {
        let sent = Sent::default();
        let read = async {
            let live = self.live(&sent).await?;
            if live.read_at.elapsed() < SETTINGS_AGE {
                return Ok(live.settings);
            }
            let (settings, _) = self.look(&live.connection).await?;
            let settings = Arc::new(settings);
            if let Some(slot) = &mut *self.live.lock().await
                && Arc::ptr_eq(&slot.driver, &live.driver)
            {
                slot.settings = Arc::clone(&settings);
                slot.read_at = Instant::now();
            }
            Ok(settings)
        };
        let settings = self
            .within(deadline, &sent, read)
            .await
            .map_err(|error| error.with_outcome(Outcome::NotSent))?;
        settings.check()?;
        Ok(settings)
    }

    /// Sends, and sends again once where the connection was lost and that is safe. What then fails leaves unknown what
    /// became of the first.
    async fn repeat(&self, call: &Call, sent: &Sent) -> Result<Vec<Value>> {
        let mut lost = false;
        let answer = self.attempts(call, sent, &mut lost).await;
        answer.map_err(|error| {
            if lost {
                error.with_outcome(Outcome::Unknown)
            } else {
                error
            }
        })
    }

    async fn attempts(&self, call: &Call, sent: &Sent, lost: &mut bool) -> Result<Vec<Value>> {
        let mut load = true;
        loop {
            let mut live = self.live(sent).await?;
            sent.mark();
            let error = match live.connection.send_packed_command(&call.command).await {
                Ok(Value::Array(answer)) => return Ok(answer),
                Ok(Value::ServerError(error)) => error.into(),
                Ok(_) => return Err(misread()),
                Err(error) => error,
            };
            match of(&error) {
                Failure::NoScript if load => {
                    load = false;
                    let mut command = redis::cmd("SCRIPT");
                    command.arg("LOAD").arg(call.script);
                    ask(&live.connection, &command).await?;
                }
                Failure::NoScript => return Err(unavailable("Redis forgets its scripts")),
                Failure::Lost(error) => {
                    live.driver.silence();
                    if *lost || call.effect == Effect::Once {
                        return Err(error);
                    }
                    *lost = true;
                }
                Failure::Answered(error, moved) => {
                    if moved {
                        live.driver.silence();
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Ends `work` at the deadline; a connection that was silent until then is not used again.
    async fn within<T>(
        &self,
        deadline: Instant,
        sent: &Sent,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        if let Ok(answer) = tokio::time::timeout_at(deadline.into(), work).await {
            return answer;
        }
        if let Some(driver) = sent.driver() {
            driver.silence();
        }
        let outcome = if sent.is() {
            Outcome::Unknown
        } else {
            Outcome::NotSent
        };
        Err(unavailable("Redis did not answer within the deadline").with_outcome(outcome))
    }

    async fn live(&self, sent: &Sent) -> Result<Live> {
        let mut slot = self.live.lock().await;
        if let Some(live) = &*slot
            && live.driver.serves()
        {
            sent.on(&live.driver);
            return Ok(live.clone());
        }
        *slot = None;
        let live = self.connect().await?;
        sent.on(&live.driver);
        *slot = Some(live.clone());
        Ok(live)
    }

    /// Connects, reads the settings and refuses a server that will not do.
    async fn connect(&self) -> Result<Live> {
        let stream = socket::connect(&self.address).await?;
        let mut info = RedisConnectionInfo::default().set_db(self.address.database);
        if let Some(user) = &self.address.user {
            info = info.set_username(user);
        }
        if let Some(password) = &self.address.password {
            info = info.set_password(password.expose());
        }
        let info = info.set_lib_name("nbhd", env!("CARGO_PKG_VERSION"));
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None)
            .set_pipeline_buffer_size(PIPELINE);
        let (connection, driver) = MultiplexedConnection::new_with_config(&info, stream, config)
            .await
            .map_err(|error| not_sent(&error))?;
        let driver = Arc::new(Driver {
            task: tokio::spawn(driver),
            silent: AtomicBool::new(false),
        });
        let (settings, incarnation) = self.look(&connection).await?;
        settings.check()?;
        if let Some(found) = incarnation {
            // The first one met stays: another one is another store.
            self.incarnation
                .compare_and_swap(&None::<Arc<String>>, Some(Arc::new(found)));
        }
        Ok(Live {
            connection,
            driver,
            settings: Arc::new(settings),
            read_at: Instant::now(),
        })
    }

    /// The settings, and the incarnation if the store stands.
    async fn look(&self, connection: &MultiplexedConnection) -> Result<(RedisSettings, Option<String>)> {
        let mut state = redis::cmd("HGET");
        state
            .arg(format!("{}state", self.address.prefix()))
            .arg("incarnation");
        let incarnation = text(ask(connection, &state).await?);
        // What this user may not ask, the server does not tell.
        let info = quiet(connection, &redis::cmd("INFO")).await?;
        let info = info.and_then(text).unwrap_or_default();
        let mut config = HashMap::new();
        for name in [
            "appendonly",
            "appendfsync",
            "no-appendfsync-on-rewrite",
            "maxmemory-policy",
        ] {
            let mut command = redis::cmd("CONFIG");
            command.arg("GET").arg(name);
            if let Some(Value::Array(pair)) = quiet(connection, &command).await?
                && let Some(value) = pair.into_iter().nth(1).and_then(text)
            {
                config.insert(name.to_owned(), value);
            }
        }
        let settings = RedisSettings::read(&info, &config, self.address.declared);
        Ok((settings, incarnation))
    }
}

/// Whether a command may have reached the server, and on which connection.
#[derive(Default)]
struct Sent {
    driver: std::sync::Mutex<Option<Arc<Driver>>>,
    sent: AtomicBool,
}

impl Sent {
    fn on(&self, driver: &Arc<Driver>) {
        *self
            .driver
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Arc::clone(driver));
    }

    fn driver(&self) -> Option<Arc<Driver>> {
        self.driver
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    fn mark(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }

    fn is(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }
}

/// A command that changes nothing that matters.
async fn ask(connection: &MultiplexedConnection, command: &Cmd) -> Result<Value> {
    send(connection, command).await.map_err(|error| not_sent(&error))
}

/// The same; `None` where the server refuses to answer.
async fn quiet(connection: &MultiplexedConnection, command: &Cmd) -> Result<Option<Value>> {
    match send(connection, command).await {
        Ok(value) => Ok(Some(value)),
        Err(error) => match of(&error) {
            Failure::Lost(error) => Err(error.with_outcome(Outcome::NotSent)),
            _ => Ok(None),
        },
    }
}

async fn send(connection: &MultiplexedConnection, command: &Cmd) -> RedisResult<Value> {
    match connection.clone().send_packed_command(command).await? {
        Value::ServerError(error) => Err(error.into()),
        value => Ok(value),
    }
}

fn not_sent(error: &redis::RedisError) -> Error {
    match of(error) {
        Failure::NoScript => misread(),
        Failure::Lost(error) | Failure::Answered(error, _) => error.with_outcome(Outcome::NotSent),
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => Some(text),
        _ => None,
    }
}
