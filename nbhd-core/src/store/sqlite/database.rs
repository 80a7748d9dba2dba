//! The open file: how it is made, checked and written. Lives on the store's one thread.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::fork::Open;
use super::rows::Rows;
use super::{Settings, fork, upgrade};
use crate::clock::Timestamp;
use crate::id::{Random, SystemRandomness};
use crate::store::apply::{Micros, Tables, apply, micros, timestamp};
use crate::store::{Commit, Committed, Durability, Entry, Lease, Range, Record};
use crate::{Code, Error, Outcome, Result};

/// "nbhd" in ASCII: what `PRAGMA application_id` says of our files. <https://sqlite.org/pragma.html#pragma_application_id>
const APPLICATION_ID: i64 = 0x6e62_6864;

/// Prepared statements that are kept: there are about 35 in all.
const STATEMENTS: usize = 48;

/// How long to stand back before the journal mode is asked for again while another process opens the file too.
const STAND_BACK: Duration = Duration::from_millis(5);

/// An open store. The connection is closed before it is counted as closed: fields drop in order.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    settings: Settings,
    synchronous: Synchronous,
    last_seen: Micros,
    commits: u64,
    /// Which file the path named when it was opened.
    identity: Option<(u64, u64)>,
    _open: Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Synchronous {
    Normal,
    Full,
}

impl Database {
    /// Opens the file, makes it when it is not there, brings it up to date when it is older; by `deadline`.
    pub(super) fn open(settings: &Settings, deadline: Instant) -> Result<Self> {
        fork::check()?;
        if settings.known.get().is_some() && !settings.path.exists() {
            return Err(gone(&settings.path));
        }
        prepare_file(&settings.path)?;
        let open = Open::count()?;
        // No URI: a path is a path. One thread has the connection: no mutex.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let connection = Connection::open_with_flags(&settings.path, flags).map_err(|e| failed(&e))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let mut database = Self {
            connection,
            settings: settings.clone(),
            synchronous: Synchronous::Full,
            last_seen: Micros::MIN,
            commits: 0,
            identity: identity(&settings.path),
            _open: open,
        };
        database.wait_until(deadline)?;
        database.set_up(deadline)?;
        Ok(database)
    }

    /// What is done next waits for other processes until then and no longer.
    pub(super) fn wait_until(&self, deadline: Instant) -> Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.connection.busy_timeout(left).map_err(|e| failed(&e))
    }

    fn set_up(&mut self, deadline: Instant) -> Result<()> {
        let ours = self.is_ours()?;
        if !ours && self.settings.known.get().is_some() {
            return Err(gone(&self.settings.path));
        }
        self.use_wal(deadline)?;
        self.connection
            .execute_batch(
                "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; \
                 PRAGMA cell_size_check = ON;",
            )
            .map_err(|e| failed(&e))?;
        if !ours {
            self.create()?;
        }
        let incarnation = self.incarnation()?;
        if *self.settings.known.get_or_init(|| incarnation.clone()) != incarnation {
            return Err(gone(&self.settings.path));
        }
        upgrade::bring_up_to_date(&mut self.connection, self.settings.schema)
    }

    /// Whether the file is a store of ours; an empty one is not yet, a database of something else never.
    fn is_ours(&mut self) -> Result<bool> {
        // In one transaction: another process may be making the store between the two looks.
        let look = self.connection.transaction().map_err(|e| failed(&e))?;
        let number =
            |sql: &str| -> Result<i64> { look.query_row(sql, [], |row| row.get(0)).map_err(|e| failed(&e)) };
        let tables = number("SELECT count(*) FROM sqlite_schema")?;
        let id = number("PRAGMA application_id")?;
        drop(look);
        if id == APPLICATION_ID {
            return Ok(true);
        }
        if id == 0 && tables == 0 {
            return Ok(false);
        }
        Err(Error::new(
            Code::InvalidConfig,
            format!(
                "{} is a SQLite database of something else, not a store",
                self.settings.path.display()
            ),
        ))
    }

    fn use_wal(&self, deadline: Instant) -> Result<()> {
        loop {
            let mode = self
                .connection
                .query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
            match mode {
                Ok(mode) if mode == "wal" => return Ok(()),
                Ok(mode) => {
                    return Err(Error::new(
                        Code::StoreUnavailable,
                        format!("this file system gives SQLite no write-ahead log, only `{mode}`"),
                    ));
                }
                // SQLite does not wait here by itself when several processes change the mode at once.
                Err(error) if is_busy(&error) && Instant::now() < deadline => {
                    std::thread::park_timeout(STAND_BACK);
                }
                Err(error) => return Err(failed(&error)),
            }
        }
    }

    fn create(&mut self) -> Result<()> {
        let now = self.settings.clock.now();
        let transaction = begin(&mut self.connection)?;
        let id: i64 = transaction
            .query_row("PRAGMA application_id", [], |row| row.get(0))
            .map_err(|e| failed(&e))?;
        if id == APPLICATION_ID {
            // Another process was first.
            return Ok(());
        }
        upgrade::make(&transaction, self.settings.schema)
            .and_then(|()| {
                transaction.execute(
                    "INSERT INTO state (id, schema, min_reader, min_writer, incarnation, last_seen, last_epoch) \
                     VALUES (1, ?1, ?1, ?1, ?2, ?3, 0)",
                    (self.settings.schema, SystemRandomness.id(), now),
                )
            })
            .and_then(|_| transaction.pragma_update(None, "application_id", APPLICATION_ID))
            .map_err(|e| failed(&e))?;
        finish(transaction)
    }

    pub(super) fn incarnation(&mut self) -> Result<String> {
        self.read(|rows| rows.incarnation())
            .map(|(incarnation, _)| incarnation)
    }

    /// What SQLite itself says of `PRAGMA synchronous`: 1 is NORMAL, 2 is FULL.
    #[cfg(test)]
    pub(super) fn synchronous(&mut self) -> Result<i64> {
        self.connection
            .query_row("PRAGMA synchronous", [], |row| row.get(0))
            .map_err(|e| failed(&e))
    }

    pub(super) fn now(&mut self) -> Result<Timestamp> {
        self.read(|_| Ok(())).map(|((), now)| timestamp(now))
    }

    pub(super) fn commit(&mut self, commit: Commit) -> Result<Committed> {
        #[cfg(feature = "testkit")]
        crate::store::older::refuse(&commit, self.settings.schema < upgrade::SCHEMA)?;
        let synchronous = match commit.durability {
            Some(Durability::Power) => Synchronous::Full,
            _ => Synchronous::Normal,
        };
        self.write(synchronous, |rows, now| apply(rows, commit, now))
    }

    pub(super) fn claim(&mut self, lane: String, ttl: Duration) -> Result<Option<Lease>> {
        self.write(Synchronous::Normal, |rows, now| {
            let Some(epoch) = rows.claim(&lane, now, now.saturating_add(micros(ttl)))? else {
                return Ok((None, false));
            };
            let expires_at = timestamp(now.saturating_add(micros(ttl)));
            let lease = Lease {
                lane,
                epoch,
                expires_at,
            };
            Ok((Some(lease), true))
        })
    }

    pub(super) fn renew(&mut self, lease: Lease, ttl: Duration) -> Result<Option<Lease>> {
        self.write(Synchronous::Normal, |rows, now| {
            let expires_at = now.saturating_add(micros(ttl));
            if !rows.renew(&lease.lane, lease.epoch, now, expires_at)? {
                return Ok((None, false));
            }
            let lease = Lease {
                expires_at: timestamp(expires_at),
                ..lease
            };
            Ok((Some(lease), true))
        })
    }

    pub(super) fn get(&mut self, key: &str) -> Result<Option<Record>> {
        let (record, now) = self.read(|rows| rows.record(key))?;
        let now = timestamp(now);
        Ok(record.filter(|record| record.expires_at.is_none_or(|end| now < end)))
    }

    pub(super) fn sum(&mut self, key: &str) -> Result<i64> {
        self.read(|rows| rows.read_sum(key)).map(|(sum, _)| sum)
    }

    pub(super) fn scan(&mut self, index: &str, range: Range) -> Result<Vec<Entry>> {
        self.read(|rows| rows.scan(index, range))
            .map(|(entries, _)| entries)
    }

    pub(super) fn count(&mut self, index: &str) -> Result<u64> {
        self.read(|rows| rows.count(index)).map(|(count, _)| count)
    }

    /// The time by the wall clock, held at the last time seen by anybody.
    fn see(&mut self, last_seen: Micros) -> Micros {
        self.last_seen = self.last_seen.max(last_seen).max(self.settings.clock.now());
        self.settings.clock.settle(self.last_seen);
        self.last_seen
    }

    /// Runs `work` on one view of the file; what it read, and the time.
    fn read<T>(&mut self, work: impl FnOnce(&mut Rows<'_>) -> Result<T>) -> Result<(T, Micros)> {
        self.check_place()?;
        let view = self.connection.transaction().map_err(|e| failed(&e))?;
        let mut rows = Rows::of(&view);
        let state = rows.state()?;
        if state.min_reader > self.settings.schema {
            return Err(upgrade::too_old("read", state.schema, self.settings.schema));
        }
        let found = work(&mut rows)?;
        drop(view);
        Ok((found, self.see(state.last_seen)))
    }

    /// Runs `work` in one transaction, which is kept when it says that it wrote something.
    fn write<T>(
        &mut self,
        synchronous: Synchronous,
        work: impl FnOnce(&mut Rows<'_>, Micros) -> Result<(T, bool)>,
    ) -> Result<T> {
        self.check_place()?;
        self.set_synchronous(synchronous)?;
        self.commits = self.commits.wrapping_add(1);
        let commits = self.commits;
        let wall = self.settings.clock.now();
        let transaction = begin(&mut self.connection)?;
        let mut rows = Rows::of(&transaction);
        let state = rows.state()?;
        if state.min_writer > self.settings.schema {
            return Err(upgrade::too_old("write", state.schema, self.settings.schema));
        }
        let now = self.last_seen.max(state.last_seen).max(wall);
        self.settings.clock.settle(now);
        let (answer, wrote) = work(&mut rows, now)?;
        if wrote {
            rows.see(now)?;
            rows.prune(now, commits, upgrade::kinds_of_rows(self.settings.schema))?;
            finish(transaction)?;
        }
        self.last_seen = now;
        Ok(answer)
    }

    /// What is written into a file that was removed or replaced is seen by nobody, and nobody writes what is read there.
    fn check_place(&self) -> Result<()> {
        if self.identity == identity(&self.settings.path) {
            Ok(())
        } else {
            Err(gone(&self.settings.path))
        }
    }

    /// Only outside of a transaction, where SQLite heeds it, and only when it changes.
    fn set_synchronous(&mut self, wanted: Synchronous) -> Result<()> {
        if self.synchronous != wanted {
            let pragma = match wanted {
                Synchronous::Normal => "PRAGMA synchronous = NORMAL",
                Synchronous::Full => "PRAGMA synchronous = FULL",
            };
            self.connection.execute_batch(pragma).map_err(|e| failed(&e))?;
            self.synchronous = wanted;
        }
        Ok(())
    }
}

pub(super) fn begin(connection: &mut Connection) -> Result<Transaction<'_>> {
    connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|e| failed(&e))
}

/// A commit that fails may have reached the disk all the same; one that found the file locked has not.
pub(super) fn finish(transaction: Transaction<'_>) -> Result<()> {
    transaction.commit().map_err(|error| {
        if is_busy(&error) {
            failed(&error)
        } else {
            failed(&error).with_outcome(Outcome::Unknown)
        }
    })
}

/// Sees to it that there is a file, owner-only when it is new: `-wal` and `-shm` take its mode.
fn prepare_file(path: &Path) -> Result<()> {
    let config = |message: String| Error::new(Code::InvalidConfig, message);
    if path.is_dir() {
        return Err(config(format!(
            "{} is a folder: name a file for the SQLite store",
            path.display()
        )));
    }
    let folder = path.parent().unwrap_or(path);
    if !folder.is_dir() {
        return Err(config(format!(
            "the folder {} for the SQLite store does not exist: create it, or name another",
            folder.display()
        )));
    }
    refuse_network(folder)?;
    // Opened only to be made: closing a file that SQLite has open here already would drop its locks.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::new(
            Code::StoreUnavailable,
            format!("{} cannot be made: {}", path.display(), error.kind()),
        )),
    }
}

/// WAL needs memory shared by all its users, which no network file system gives. <https://sqlite.org/wal.html> (overview)
#[cfg(target_os = "linux")]
fn refuse_network(folder: &Path) -> Result<()> {
    // Magic numbers of linux/magic.h, and of SMB 2 in fs/smb/client.
    const NETWORKS: [(u32, &str); 6] = [
        (0x6969, "NFS"),
        (0x517B, "SMB"),
        (0xFE53_4D42, "SMB"),
        (0xFF53_4D42, "CIFS"),
        (0x5346_414F, "AFS"),
        (0x00C3_6400, "Ceph"),
    ];
    // What cannot be asked is left to SQLite, which says what it lacks.
    let Ok(stat) = rustix::fs::statfs(folder) else {
        return Ok(());
    };
    let kind = stat.f_type as u32;
    match NETWORKS.iter().find(|(magic, _)| *magic == kind) {
        None => Ok(()),
        Some((_, name)) => Err(Error::new(
            Code::InvalidConfig,
            format!(
                "{} is on a network file system ({name}), where SQLite cannot keep its promises",
                folder.display()
            ),
        )),
    }
}

#[cfg(not(target_os = "linux"))]
fn refuse_network(_folder: &Path) -> Result<()> {
    Ok(())
}

/// The device and number of the file at `path`.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let found = path.metadata().ok()?;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn identity(_path: &Path) -> Option<(u64, u64)> {
    None
}

/// The file is not the one that this program began with.
fn gone(path: &Path) -> Error {
    Error::new(
        Code::StoreUnavailable,
        format!(
            "{} was removed or replaced since this program began with it",
            path.display()
        ),
    )
    .with_user_action("Put the file back, or restart the program to begin with what is there now.")
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// What SQLite says, in our words. Nothing was written unless the caller knows otherwise.
pub(super) fn failed(error: &rusqlite::Error) -> Error {
    let unavailable = |message: String| Error::new(Code::StoreUnavailable, message);
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => unavailable(
            "the SQLite store was locked by another process for longer than the busy wait".to_owned(),
        ),
        Some(ErrorCode::NotADatabase) => Error::new(Code::InvalidConfig, "the file is not a SQLite database"),
        Some(ErrorCode::DatabaseCorrupt) => {
            unavailable("the SQLite store is damaged: restore it from a copy".to_owned())
                .with_retryable(false)
        }
        Some(ErrorCode::DiskFull) => unavailable("the disk of the SQLite store is full".to_owned()),
        Some(ErrorCode::ReadOnly) => unavailable(
            "the SQLite store may not be written: check the mode of the file and its folder".to_owned(),
        ),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => unavailable(
            "the SQLite store cannot be opened: check the mode of the file and its folder".to_owned(),
        ),
        Some(_) => unavailable(format!("SQLite failed: {error}")),
        None => Error::new(
            Code::Internal,
            format!("the SQLite store misread its own file: {error}"),
        ),
    }
}
