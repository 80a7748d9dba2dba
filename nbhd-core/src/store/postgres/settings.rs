//! What the address of a PostgreSQL store says.
//!
//! `postgres://user:password@host:5432/database?schema=nbhd&deadline=5&connections=8&sslmode=verify-full`

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use url::Url;

use super::tls::Tls;
use crate::clock::{Clock, SystemClock};
use crate::store::Durability;
use crate::store::apply::Micros;
use crate::store::step::StepWatch;
use crate::{Code, Error, Result};

/// How long a call waits for the server, all in all, unless the address says `deadline=`.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// How many connections a store opens at most, unless the address says `connections=`.
pub(super) const CONNECTIONS: usize = 8;

/// The schema that this code writes.
pub(super) const SCHEMA: i32 = 1;

/// How long the class that was read from the settings is taken for granted.
const CLASS_KEPT: Duration = Duration::from_secs(5);

/// The PostgreSQL schema (namespace) unless the address says `schema=`.
const NAMESPACE: &str = "nbhd";

/// A parsed address, and what the handle learned so far.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) tls: Tls,
    pub(super) namespace: String,
    pub(super) deadline: Duration,
    pub(super) connections: usize,
    /// In place of the server's clock, for tests.
    pub(super) clock: Option<Arc<dyn Clock>>,
    /// Which schema this code pretends to know, for tests.
    pub(super) schema: i32,
    pub(super) known: Arc<Known>,
}

/// What a handle remembers from call to call.
#[derive(Debug)]
pub(super) struct Known {
    incarnation: Mutex<Option<String>>,
    seen: AtomicI64,
    class: Mutex<Option<(Instant, Durability)>>,
    watch: StepWatch,
}

impl Known {
    /// Nothing yet; the server's clock is judged by the steady one of `clock`.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            incarnation: Mutex::default(),
            seen: AtomicI64::default(),
            class: Mutex::default(),
            watch: StepWatch::new(clock),
        }
    }

    /// What judges the server's clock.
    pub(super) fn watch(&self) -> &StepWatch {
        &self.watch
    }

    /// The id of the store that was found first.
    pub(super) fn incarnation(&self) -> Option<String> {
        self.incarnation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Keeps the id of the store; answers whether it is the one that is known.
    pub(super) fn meet(&self, incarnation: &str) -> bool {
        let mut known = self.incarnation.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert_with(|| incarnation.to_owned()) == incarnation
    }

    /// Whoever creates a store says that this is the one.
    pub(super) fn adopt(&self, incarnation: String) {
        *self.incarnation.lock().unwrap_or_else(PoisonError::into_inner) = Some(incarnation);
    }

    /// The class that the server's settings allowed a moment ago: whoever writes asks for it each time.
    pub(super) fn class(&self) -> Option<Durability> {
        let class = self.class.lock().unwrap_or_else(PoisonError::into_inner);
        class
            .filter(|(read, _)| read.elapsed() < CLASS_KEPT)
            .map(|(_, class)| class)
    }

    /// Keeps the class that was read.
    pub(super) fn classify(&self, class: Durability) {
        *self.class.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), class));
    }

    /// The latest time that this handle saw.
    pub(super) fn seen(&self) -> Micros {
        self.seen.load(Ordering::Acquire)
    }

    /// Keeps a time that the store went by, and how far ahead its clock was where that was not believed.
    pub(super) fn see(&self, at: Micros, ahead: Option<Micros>) {
        self.seen.fetch_max(at, Ordering::AcqRel);
        self.watch.heard(at, ahead);
    }
}

impl Settings {
    /// Parses an address. Nothing of it is repeated in an error but the names of its parameters.
    pub(super) fn parse(address: &str) -> Result<Self> {
        let mut url = Url::parse(address).map_err(|_| invalid("it is not a URL"))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(invalid("it does not begin with postgres://"));
        }
        let mut namespace = NAMESPACE.to_owned();
        let mut deadline = DEADLINE;
        let mut connections = CONNECTIONS;
        let mut mode = None;
        let mut roots = None;
        let mut rest = Vec::new();
        for (name, value) in url.query_pairs() {
            match &*name {
                "schema" => namespace = schema_name(&value)?,
                "deadline" => deadline = seconds(&value)?,
                "connections" => connections = number(&value)?,
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => roots = Some(PathBuf::from(&*value)),
                "host" | "user" | "application_name" => rest.push((name.into_owned(), value.into_owned())),
                // A value may be a password: a name is not.
                other => return Err(invalid(&format!("it has a parameter that is not known: {other}"))),
            }
        }
        url.set_query(None);
        url.set_fragment(None);
        if !rest.is_empty() {
            url.query_pairs_mut().extend_pairs(rest);
        }
        let mut config: Config = url
            .as_str()
            .parse()
            .map_err(|_| invalid("its parts are not understood"))?;
        if config.get_hosts().len() != 1 || config.get_ports().len() > 1 {
            return Err(invalid("it must name one host"));
        }
        if config.get_user().is_none_or(str::is_empty) {
            return Err(invalid("it names no user"));
        }
        if config.get_application_name().is_none() {
            config.application_name("nbhd");
        }
        let tls = match mode.as_deref() {
            None if is_near(&config) => Tls::Off,
            Some("disable") => Tls::Off,
            None | Some("require" | "verify-full") => Tls::verified(roots.as_deref())?,
            Some(_) => return Err(invalid("sslmode is one of disable, require, verify-full")),
        };
        config.ssl_mode(if matches!(tls, Tls::Off) {
            SslMode::Disable
        } else {
            SslMode::Require
        });
        let settings = Self {
            config,
            tls,
            namespace,
            deadline,
            connections,
            clock: None,
            schema: SCHEMA,
            known: Arc::new(Known::new(Arc::new(SystemClock::default()))),
        };
        Ok(settings.with_deadline(deadline))
    }

    /// Sets how long a call waits; the system notices a server that went silent within the same time.
    pub(super) fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self.config
            .connect_timeout(deadline)
            .tcp_user_timeout(deadline)
            // The system counts whole seconds.
            .keepalives_idle(deadline.max(Duration::from_secs(1)))
            .keepalives_interval(Duration::from_secs(1))
            .keepalives_retries(3);
        self
    }

    /// A statement or script of ours with the schema of this store.
    pub(super) fn sql(&self, text: &str) -> String {
        text.replace("nbhd.", &format!("{}.", self.namespace))
    }

    /// The time by the clock that tests gave.
    pub(super) fn wall(&self) -> Option<Micros> {
        self.clock.as_ref().map(|clock| clock.now().timestamp_micros())
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("host", &self.config.get_hosts())
            .field("database", &self.config.get_dbname())
            .field("schema", &self.namespace)
            .field("deadline", &self.deadline)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

/// Whether the server is on this machine, where nobody listens between.
fn is_near(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    })
}

/// A name that needs no quotes, so that it means the same wherever it stands.
fn schema_name(name: &str) -> Result<String> {
    let mut characters = name.chars();
    let first = characters
        .next()
        .is_some_and(|first| first.is_ascii_lowercase() || first == '_');
    let others = characters.all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_');
    if first && others && name.len() <= 63 && !name.starts_with("pg_") {
        Ok(name.to_owned())
    } else {
        Err(invalid(
            "schema is lowercase letters, digits and underscores, at most 63, and begins with no digit and no pg_",
        ))
    }
}

fn seconds(text: &str) -> Result<Duration> {
    text.parse::<f64>()
        .ok()
        .filter(|seconds| (0.05..=600.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| invalid("deadline is seconds, from 0.05 to 600"))
}

fn number(text: &str) -> Result<usize> {
    text.parse()
        .ok()
        .filter(|number| (1..=1_000).contains(number))
        .ok_or_else(|| invalid("connections is a number from 1 to 1000"))
}

fn invalid(why: &str) -> Error {
    Error::new(
        Code::InvalidConfig,
        format!("the address of the PostgreSQL store is not understood: {why}"),
    )
    .with_user_action(
        "Use `postgres://user:password@host:5432/database`, and `?schema=` for a schema of your own.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_where_and_how() {
        let settings = Settings::parse(
            "postgresql://me:p%40ss@localhost:6000/db?schema=mine&deadline=0.5&connections=3",
        )
        .unwrap();
        assert_eq!(settings.config.get_user(), Some("me"));
        assert_eq!(settings.config.get_password(), Some(&b"p@ss"[..]));
        assert_eq!(settings.config.get_ports(), [6000]);
        assert_eq!(settings.config.get_dbname(), Some("db"));
        assert_eq!(settings.namespace, "mine");
        assert_eq!(
            (settings.deadline, settings.connections),
            (Duration::from_millis(500), 3)
        );
        assert_eq!(settings.sql("SELECT nbhd.f()"), "SELECT mine.f()");
        assert!(!format!("{settings:?}").contains("p@ss"));
    }

    #[test]
    fn encryption_is_left_out_only_on_this_machine_or_by_name() {
        for (address, off) in [
            ("postgres://me@localhost/db", true),
            ("postgres://me@127.0.0.1/db", true),
            ("postgres:///db?host=/run/postgresql&user=me", true),
            ("postgres://me@db.example.com/db", false),
            ("postgres://me@db.example.com/db?sslmode=disable", true),
            ("postgres://me@localhost/db?sslmode=require", false),
            ("postgres://me@localhost/db?sslmode=verify-full", false),
        ] {
            let settings = Settings::parse(address).unwrap();
            assert_eq!(matches!(settings.tls, Tls::Off), off, "{address}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_and_nothing_of_it_repeated() {
        for address in [
            "postgres://me:hunter2@db/x?sslmode=prefer",
            "postgres://me:hunter2@db/x?sslmode=allow",
            "postgres://me:hunter2@db/x?schema=Mine",
            "postgres://me:hunter2@db/x?schema=pg_own",
            "postgres://me:hunter2@db/x?schema=a;b",
            "postgres://me:hunter2@db/x?schema=",
            "postgres://me:hunter2@db/x?deadline=0",
            "postgres://me:hunter2@db/x?deadline=NaN",
            "postgres://me:hunter2@db/x?connections=0",
            "postgres://db/x?password=hunter2",
            "postgres://me:hunter2@db,hunter2/x",
            "postgres://me:hunter2@db:hunter2/x",
            "postgres://:hunter2@db/x",
            "postgres://me@db/x?sslrootcert=/no/such/hunter2.pem",
        ] {
            let error = Settings::parse(address).err();
            let error = error.unwrap_or_else(|| panic!("{address} was taken"));
            assert_eq!(error.code(), Code::InvalidConfig, "{address}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn another_store_is_noticed_and_time_is_held() {
        let known = Known::new(Arc::new(SystemClock::default()));
        assert!(known.meet("a") && known.meet("a") && !known.meet("b"));
        known.adopt("b".to_owned());
        assert!(known.meet("b"));
        known.see(5, None);
        known.see(3, None);
        assert_eq!(known.seen(), 5);
    }
}
