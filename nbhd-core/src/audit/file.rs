//! A file of JSON lines that only grows. Several processes may write to one: each line is one write at the end of the file.
//!
//! Invariant: a line is whole or is followed by an empty end, so that a full disk or a killed process spoils one line at most.

use std::fmt::{self, Debug};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::Journal;
use crate::{Code, Error, Result};

/// A journal in a file, made for its owner only when the first entry is written.
///
/// Readers skip empty lines: one stands wherever a writer that opened the file saw it end within a line, be that line torn for
/// good or only being written at that moment.
pub struct FileJournal {
    path: PathBuf,
    sync: bool,
    open: Mutex<Option<Open>>,
}

struct Open {
    file: File,
    /// The last line has no end.
    torn: bool,
}

impl FileJournal {
    /// A journal in the file at `path`, whose folder is there. Opens nothing yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            sync: false,
            open: Mutex::default(),
        }
    }

    /// Whether each entry is on the disk before the call goes on (`fdatasync`): it survives a power cut then, and takes as long as the
    /// disk takes. Off unless said.
    pub fn with_sync(mut self, sync: bool) -> Self {
        self.sync = sync;
        self
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn append(&self, line: &[u8]) -> std::io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let journal = match &mut *open {
            Some(journal) => journal,
            closed => closed.insert(Open::at(&self.path)?),
        };
        let mut whole = Vec::with_capacity(line.len() + 2);
        if journal.torn {
            whole.push(b'\n');
        }
        whole.extend_from_slice(line);
        whole.push(b'\n');
        // One write: a second one for the rest could land behind another process's line.
        let written = loop {
            match journal.file.write(&whole) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                written => break written?,
            }
        };
        if written < whole.len() {
            journal.torn = written > 0 || journal.torn;
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        journal.torn = false;
        if self.sync {
            journal.file.sync_data()?;
        }
        Ok(())
    }
}

impl Open {
    fn at(path: &Path) -> std::io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        let mut last = [b'\n'];
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        Ok(Self {
            file,
            torn: last != [b'\n'],
        })
    }
}

impl<T: Serialize> Journal<T> for FileJournal {
    fn write(&self, entry: &T) -> Result<()> {
        let line = serde_json::to_vec(entry)
            .map_err(|_| Error::new(Code::Internal, "a journal entry cannot be written as JSON"))?;
        self.append(&line).map_err(|error| {
            Error::new(
                Code::StoreUnavailable,
                format!("the journal {}: {}", self.path.display(), error.kind()),
            )
        })
    }
}

impl Debug for FileJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileJournal")
            .field("path", &self.path)
            .field("sync", &self.sync)
            .finish_non_exhaustive()
    }
}
