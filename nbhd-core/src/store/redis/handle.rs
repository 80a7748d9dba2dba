//! The handle: [`Store`] in terms of scripts.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwapOption, Guard};
use async_trait::async_trait;
use redis::Value;

use super::address::Address;
use super::client::{Call, Effect};
use super::engine::{Engine, Job};
use super::script::{Answer, Arguments, LARGEST, misread};
use super::settings::RedisSettings;
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::id::{Random, SystemRandomness};
use crate::store::apply::timestamp;
use crate::store::step::StepWatch;
use crate::store::{Commit, Committed, Durability, Entry, Lease, Range, Record, Store};
use crate::{Code, Error, Outcome, Result};

/// The schema that this code writes.
const SCHEMA: i64 = 1;

/// A store on a Redis server, shared by any number of handles, processes and machines. It must be made once, with
/// [`Store::create`]; nothing else makes it.
#[derive(Clone)]
pub struct RedisStore(Arc<Inner>);

struct Inner {
    address: Address,
    clock: Option<Arc<dyn Clock>>,
    /// Which schema this code knows: today's, except in tests.
    schema: i64,
    watch: StepWatch,
    engine: ArcSwapOption<Engine>,
    /// The store that this handle met first: another one in its place is refused.
    incarnation: Arc<ArcSwapOption<String>>,
    /// The latest time that this handle saw, in microseconds since 1970.
    last_seen: AtomicI64,
    turn: AtomicU64,
}

/// A script: its text, its name on the server, whether it writes.
struct Script {
    text: &'static str,
    digest: std::sync::LazyLock<String>,
}

macro_rules! script {
    ($($file:literal),+) => {
        Script {
            text: concat!($(include_str!(concat!("../schema/redis/", $file))),+),
            digest: std::sync::LazyLock::new(|| {
                digest(concat!($(include_str!(concat!("../schema/redis/", $file))),+))
            }),
        }
    };
}

static COMMIT: Script = script!("prelude.lua", "commit.lua");
static LEASE: Script = script!("prelude.lua", "lease.lua");
static READ: Script = script!("prelude.lua", "read.lua");
static CREATE: Script = script!("create.lua");

impl RedisStore {
    /// How long a call may take unless the address or [`RedisStore::with_deadline`] says otherwise.
    pub const DEADLINE: Duration = super::address::DEADLINE;

    /// The store at `address`: `redis://user:password@host:port/database`, or `rediss://…` with TLS. Connects to nothing yet.
    ///
    /// Options stand behind a `?`: `namespace` (what all keys begin with; `nbhd`), `deadline` (seconds a call may take; 5),
    /// `durability` (`power`, `process` or `lossy`: what the user knows of a server that does not tell).
    pub fn new(address: &str) -> Result<Self> {
        Ok(Self::at(Address::parse(address)?, None, SCHEMA))
    }

    /// Sets the store's clock instead of the server's, for tests.
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self::at(self.0.address.clone(), Some(clock), self.0.schema)
    }

    /// Sets how long a call may take, connecting included.
    pub fn with_deadline(self, deadline: Duration) -> Self {
        let address = Address {
            deadline,
            ..self.0.address.clone()
        };
        Self::at(address, self.0.clock.clone(), self.0.schema)
    }

    /// Behaves as code of the schema before the first, which no release has ever been: for tests of migration.
    #[cfg(feature = "testkit")]
    pub fn of_the_schema_before(self) -> Self {
        Self::at(self.0.address.clone(), self.0.clock.clone(), SCHEMA - 1)
    }

    /// The id that the store was given when it was made: another one under the same address is another store.
    pub async fn incarnation(&self) -> Result<String> {
        self.read(Arguments::now()).await?;
        self.0
            .incarnation
            .load_full()
            .map(|incarnation| (*incarnation).clone())
            .ok_or_else(misread)
    }

    /// What the server says of itself, not older than half a minute.
    pub async fn settings(&self) -> Result<RedisSettings> {
        let deadline = self.deadline();
        let settings = self
            .0
            .engine()?
            .run(|reply| Job::Settings(deadline, reply))
            .await?;
        Ok((*settings).clone())
    }

    fn at(address: Address, clock: Option<Arc<dyn Clock>>, schema: i64) -> Self {
        let steady = clock.clone().unwrap_or_else(|| Arc::new(SystemClock::default()));
        Self(Arc::new(Inner {
            address,
            clock,
            schema,
            watch: StepWatch::new(steady),
            engine: ArcSwapOption::empty(),
            incarnation: Arc::default(),
            last_seen: AtomicI64::new(0),
            turn: AtomicU64::new(0),
        }))
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.0.address.deadline
    }

    /// Which of the kinds of rows that end by time this write looks at; the last one came with schema 1.
    fn turn(&self) -> u64 {
        let kinds = if self.0.schema < 1 { 3 } else { 4 };
        self.0.turn.fetch_add(1, Ordering::Relaxed) % kinds
    }

    async fn read(&self, arguments: Arguments) -> Result<Answer> {
        self.run(&READ, arguments, Effect::Reads).await
    }

    /// Runs a script that begins with the prelude.
    async fn run(&self, script: &'static Script, arguments: Arguments, effect: Effect) -> Result<Answer> {
        let inner = &*self.0;
        let known = inner.incarnation.load();
        let known = known.as_deref().map_or("", String::as_str);
        let time = inner.clock.as_ref().map(|clock| clock.now().timestamp_micros());
        let mut command = inner.command(script);
        command
            .arg(inner.schema)
            .arg(if effect == Effect::Reads { "r" } else { "w" })
            .arg(known)
            .arg(time.map(|time| time.to_string()).unwrap_or_default())
            .arg(inner.last_seen.load(Ordering::Acquire))
            .arg(
                inner
                    .watch
                    .ceiling()
                    .map(|latest| latest.to_string())
                    .unwrap_or_default(),
            );
        for argument in &arguments.0 {
            command.arg(&argument[..]);
        }
        let answer = self.send(script, command, effect).await?;
        let (word, mut answer) = split(answer)?;
        let (word, ahead) = word.split_once(' ').unwrap_or((&word, ""));
        match word {
            "ok" | "ahead" => {
                let rest = answer.0.split_off(1.min(answer.0.len()));
                let now = answer.number(0)?;
                inner.last_seen.fetch_max(now, Ordering::AcqRel);
                inner.watch.heard(now, ahead.parse().ok());
                Ok(Answer(rest))
            }
            "invalid" => Err(invalid(answer.bytes(0)?)),
            "absent" => Err(absent(!known.is_empty())),
            "other" => Err(another()),
            "old" => Err(too_old(answer.number(0)?, inner.schema, effect)),
            "behind" => Err(behind(answer.number(0)?, inner.schema)),
            _ => Err(misread()),
        }
    }

    async fn send(&self, script: &'static Script, command: redis::Cmd, effect: Effect) -> Result<Vec<Value>> {
        let call = Call {
            command,
            script: script.text,
            effect,
            deadline: self.deadline(),
        };
        self.0.engine()?.run(|reply| Job::Call(call, reply)).await
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn durability(&self) -> Result<Durability> {
        Ok(self.settings().await?.durability())
    }

    async fn now(&self) -> Result<Timestamp> {
        self.read(Arguments::now()).await?;
        Ok(timestamp(self.0.last_seen.load(Ordering::Acquire)))
    }

    async fn commit(&self, commit: Commit) -> Result<Committed> {
        #[cfg(feature = "testkit")]
        crate::store::older::refuse(&commit, self.0.schema < SCHEMA)?;
        let effect = if commit.op_id.is_some() {
            Effect::Repeats
        } else {
            Effect::Once
        };
        let arguments = Arguments::commit(commit, self.turn())?;
        self.run(&COMMIT, arguments, effect).await?.committed()
    }

    async fn get(&self, key: &str) -> Result<Option<Record>> {
        self.read(Arguments::get(key)).await?.record()
    }

    async fn sum(&self, key: &str) -> Result<i64> {
        self.read(Arguments::sum(key)).await?.number(0)
    }

    async fn scan(&self, index: &str, range: Range) -> Result<Vec<Entry>> {
        match Arguments::scan(index, range) {
            Some(arguments) => self.read(arguments).await?.entries(),
            None => Ok(Vec::new()),
        }
    }

    async fn count(&self, index: &str) -> Result<u64> {
        Ok(self.read(Arguments::count(index)).await?.number(0)? as u64)
    }

    async fn claim(&self, lane: &str, ttl: Duration) -> Result<Option<Lease>> {
        let arguments = Arguments::claim(lane, ttl, self.turn());
        self.run(&LEASE, arguments, Effect::Once).await?.lease(lane)
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Option<Lease>> {
        let arguments = Arguments::renew(lease, ttl, self.turn());
        self.run(&LEASE, arguments, Effect::Repeats)
            .await?
            .lease(&lease.lane)
    }

    fn largest_sum(&self) -> i64 {
        LARGEST
    }

    fn clock_ahead(&self) -> Option<Duration> {
        self.0.watch.ahead()
    }

    fn confirm_clock(&self) {
        self.0.watch.confirm();
    }

    async fn create(&self) -> Result<()> {
        let mut command = self.0.command(&CREATE);
        command.arg(self.0.schema).arg(SystemRandomness.id());
        // Made twice, it is the first one's: it may be repeated.
        let answer = self.send(&CREATE, command, Effect::Repeats).await?;
        let (word, answer) = split(answer)?;
        match word.as_str() {
            "ok" => {
                let incarnation = std::str::from_utf8(answer.bytes(0)?).map_err(|_| misread())?;
                self.0.incarnation.store(Some(Arc::new(incarnation.to_owned())));
                Ok(())
            }
            "old" => Err(too_old(answer.number(0)?, self.0.schema, Effect::Once)),
            "headless" => Err(headless()),
            _ => Err(misread()),
        }
    }

    async fn close(&self) -> Result<()> {
        let Some(engine) = self.0.engine.swap(None) else {
            return Ok(());
        };
        if !engine.is_ours() {
            std::mem::forget(engine);
            return Ok(());
        }
        let ended = engine.end();
        drop(engine);
        if let Some(mut ended) = ended {
            // Whoever is within a call still has the engine; the thread ends with the last of them.
            while ended.changed().await.is_ok() {}
        }
        Ok(())
    }
}

impl Inner {
    /// The engine of this process; starts one when there is none.
    fn engine(&self) -> Result<Arc<Engine>> {
        let found: Guard<Option<Arc<Engine>>> = self.engine.load();
        if let Some(engine) = &*found
            && engine.is_ours()
        {
            return Ok(Arc::clone(engine));
        }
        let started = Arc::new(Engine::start(
            self.address.clone(),
            Arc::clone(&self.incarnation),
        )?);
        let before = self.engine.compare_and_swap(&found, Some(Arc::clone(&started)));
        let parents = Guard::into_inner(found);
        match Guard::into_inner(before) {
            // Another caller was first, in this process: the second engine ends unused.
            Some(first) if first.is_ours() => Ok(first),
            other => {
                // What the parent made is left as it is, down to its locks.
                std::mem::forget(other);
                std::mem::forget(parents);
                Ok(started)
            }
        }
    }

    /// A script's command with its key and prefix.
    fn command(&self, script: &'static Script) -> redis::Cmd {
        let prefix = self.address.prefix();
        let mut command = redis::cmd("EVALSHA");
        command
            .arg(script.digest.as_str())
            .arg(1)
            .arg(format!("{prefix}state"))
            .arg(prefix);
        command
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("host", &self.0.address.host)
            .field("port", &self.0.address.port)
            .field("namespace", &self.0.address.namespace)
            .finish_non_exhaustive()
    }
}

/// What Redis knows a script by: the SHA-1 of its text. It guards nothing.
fn digest(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    digest.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn split(mut answer: Vec<Value>) -> Result<(String, Answer)> {
    if answer.is_empty() {
        return Err(misread());
    }
    let rest = answer.split_off(1);
    match answer.pop() {
        Some(Value::BulkString(word)) => Ok((String::from_utf8_lossy(&word).into_owned(), Answer(rest))),
        _ => Err(misread()),
    }
}

fn invalid(why: &[u8]) -> Error {
    Error::new(
        Code::InvalidInput,
        match why {
            b"bucket" => {
                "a bucket needs a capacity, a refill time, and a product of both below 2^61 microseconds, and gives no more \
                 tokens than it ever holds"
            }
            _ => "a sum would leave the range that the store counts: ±9,000,000,000,000,000",
        },
    )
}

fn absent(met_before: bool) -> Error {
    let message = if met_before {
        "the Redis store is gone: its server came back empty, or somebody removed it"
    } else {
        "there is no store at this address of Redis"
    };
    Error::new(Code::StoreUnavailable, message)
        .with_retryable(false)
        .with_outcome(Outcome::NotSent)
        .with_user_action(
            "If there never was one, make it once with create_store(); else restore the server's data, and make a new one \
             only if what it knew may be forgotten.",
        )
}

fn another() -> Error {
    Error::new(
        Code::StoreUnavailable,
        "another store stands in the place of the one that this process began with",
    )
    .with_retryable(false)
    .with_user_action("Bring the first one back, or restart the program to begin with what is there now.")
}

fn headless() -> Error {
    Error::new(
        Code::InvalidState,
        "the namespace holds rows of a store, but the store's own state is missing",
    )
    .with_user_action("Restore the server's data, or use another namespace: `redis://…?namespace=name`.")
}

fn too_old(schema: i64, ours: i64, effect: Effect) -> Error {
    let verb = if effect == Effect::Reads { "read" } else { "write" };
    Error::new(
        Code::InvalidState,
        format!("the Redis store has schema {schema}, which this version (schema {ours}) may not {verb}"),
    )
    .with_user_action("Update this program: a newer one has changed the store.")
}

fn behind(schema: i64, ours: i64) -> Error {
    Error::new(
        Code::InvalidState,
        format!("the Redis store has schema {schema}, older than this version (schema {ours}) uses"),
    )
    .with_user_action(
        "Call create_store() of this version once: it brings the store up to date beside what runs.",
    )
}
