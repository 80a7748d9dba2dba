//! The stores under attack: where they are, what they declare, and how their servers are killed.

use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nbhd_core::testkit::{PostgresServer, RedisFsync, RedisServer};

use crate::prove::program;
use crate::prove::stage::Stage;

/// A store that survives a process, and what it promises.
pub(super) struct Site {
    /// What it is called.
    pub(super) name: &'static str,
    /// The durability that accepting and sending ask for.
    pub(super) class: &'static str,
    /// Its address.
    pub(super) address: String,
    /// The server's own settings that the class rests on.
    pub(super) settings: String,
    /// The server, where there is one.
    pub(super) server: Option<Box<dyn Server>>,
}

/// A server of our own that can be killed.
pub(super) trait Server: Send + Sync {
    /// Where it listens.
    fn socket(&self) -> SocketAddr;

    /// Ends it as `kill -9` does.
    fn kill(&self) -> Result<(), String>;

    /// Starts it again on what it left, and waits until it answers.
    fn restart(&self) -> Result<(), String>;

    /// It stands still: it listens, and answers nothing.
    fn pause(&self);

    /// It goes on.
    fn resume(&self);

    /// Everything in it is gone, as after a restart without its files.
    fn empty(&self) -> Result<(), String>;

    /// Its clock is off by so much from now on, for everybody.
    fn shift_clock(&self, micros: i64) -> Result<(), String>;
}

impl Site {
    /// The address of the store when it is reached through `socket`, where a proxy listens or the server itself.
    pub(super) fn through(&self, socket: SocketAddr, deadline: Option<f64>) -> String {
        let mut address = self.address.clone();
        if let Some(server) = &self.server {
            address = address.replacen(&server.socket().to_string(), &socket.to_string(), 1);
        }
        if let Some(deadline) = deadline {
            let sign = if address.contains('?') { '&' } else { '?' };
            address.push_str(&format!("{sign}deadline={deadline}"));
        }
        address
    }
}

/// A SQLite file in `folder`.
pub(super) fn sqlite(folder: &Path, class: &'static str) -> Site {
    let settings = match class {
        "power" => "WAL, accept and send synchronous=FULL",
        _ => "WAL, synchronous=NORMAL",
    };
    Site {
        name: "SQLite",
        class,
        address: format!("sqlite:{}", folder.join(format!("{class}.db")).display()),
        settings: settings.to_owned(),
        server: None,
    }
}

/// Creates the store.
pub(super) fn create(stage: &Stage, site: &Site) -> Result<(), String> {
    let mut command = stage.program("store_worker");
    command.args(["--store", &site.address, "create"]);
    let ended = program::run(&mut command, Duration::from_secs(30))?;
    if ended.ok() {
        Ok(())
    } else {
        Err(format!("the store is not created: {}", ended.how()))
    }
}

/// The stores on servers.
pub(super) fn servers() -> Result<Vec<Site>, String> {
    Ok(vec![redis(RedisFsync::Always)?, postgres()?])
}

/// Does the same to all of them at the same time.
pub(super) fn at_once<T: Send>(
    sites: &[Site],
    work: impl Fn(&Site) -> Result<T, String> + Sync,
) -> Vec<Result<T, String>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = sites
            .iter()
            .map(|site| scope.spawn(|| work(site).map_err(|reason| format!("{}: {reason}", site.name))))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a thread panicked".to_owned())?)
            .collect()
    })
}

/// A Redis of our own that does this with its append-only file.
pub(super) fn redis(fsync: RedisFsync) -> Result<Site, String> {
    let server = started(|| RedisServer::start(fsync))?;
    let (class, settings) = match fsync {
        RedisFsync::None => ("lossy", "no append-only file (the default)"),
        RedisFsync::EverySecond => ("lossy", "appendfsync everysec"),
        RedisFsync::Always => ("power", "appendonly yes, appendfsync always"),
    };
    let version = server.command(&["INFO", "server"]);
    let version = version
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"))
        .unwrap_or("?")
        .trim()
        .to_owned();
    Ok(Site {
        name: "Redis",
        class,
        address: server.address(),
        settings: format!("{version}, {settings}"),
        server: Some(Box::new(Mutex::new(server))),
    })
}

/// A PostgreSQL of our own as it comes.
pub(super) fn postgres() -> Result<Site, String> {
    let server = started(PostgresServer::start)?;
    let settings = server.sql(
        "SELECT current_setting('server_version') || ', fsync ' || current_setting('fsync') || ', synchronous_commit ' \
         || current_setting('synchronous_commit')",
    );
    Ok(Site {
        name: "PostgreSQL",
        class: "power",
        address: server.address("nbhd"),
        settings: settings.trim().to_owned(),
        server: Some(Box::new(Mutex::new(server))),
    })
}

/// Servers of the testkit panic where there is none to start: here that is a sentence.
fn started<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|reason| {
        reason
            .downcast_ref::<String>()
            .cloned()
            .unwrap_or_else(|| "a server does not start".to_owned())
    })
}

fn lock<T>(server: &Mutex<T>) -> MutexGuard<'_, T> {
    server.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server for Mutex<RedisServer> {
    fn socket(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, lock(self).port()).into()
    }

    fn kill(&self) -> Result<(), String> {
        started(|| lock(self).kill9())
    }

    fn restart(&self) -> Result<(), String> {
        started(|| lock(self).restart())
    }

    fn pause(&self) {
        lock(self).pause();
    }

    fn resume(&self) {
        lock(self).resume();
    }

    fn empty(&self) -> Result<(), String> {
        let mut server = lock(self);
        started(|| {
            server.kill9();
            let _ = std::fs::remove_dir_all(server.folder().join("appendonlydir"));
            let _ = std::fs::remove_file(server.folder().join("dump.rdb"));
            server.restart();
        })
    }

    fn shift_clock(&self, micros: i64) -> Result<(), String> {
        started(|| drop(lock(self).command(&["HSET", "nbhd:state", "shift", &micros.to_string()])))
    }
}

impl Server for Mutex<PostgresServer> {
    fn socket(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, lock(self).port()).into()
    }

    fn kill(&self) -> Result<(), String> {
        started(|| lock(self).kill9())
    }

    fn restart(&self) -> Result<(), String> {
        started(|| lock(self).restart())
    }

    fn pause(&self) {
        lock(self).pause();
    }

    fn resume(&self) {
        lock(self).resume();
    }

    fn empty(&self) -> Result<(), String> {
        started(|| drop(lock(self).sql("DROP SCHEMA nbhd CASCADE")))
    }

    fn shift_clock(&self, micros: i64) -> Result<(), String> {
        started(|| drop(lock(self).sql(&format!("UPDATE nbhd.state SET clock_shift = {micros}"))))
    }
}
