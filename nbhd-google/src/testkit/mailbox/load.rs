//! Finds mail in files and says what became of each of them. Blocking: it reads files.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the named file in which the stand-in reads mail from disk"
)]

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use nbhd_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format::{Format, detect};
use super::message::{Place, StoredMessage, fnv, read};
use super::{labels, mbox, thread};

/// The largest message: Gmail's own upload limit, 36,700,160 bytes (discovery document gmail.v1, `maxSize`).
pub const MESSAGE_LIMIT: usize = 36_700_160;
/// The largest mbox file, and the most bytes of one mailbox: 2 GiB, since the stand-in keeps it in memory.
pub const FILE_LIMIT: u64 = 2 * 1024 * 1024 * 1024;
/// The most messages of one mailbox: what a heavy user gathers in ten years; beyond it a test is no test.
pub const MESSAGES_LIMIT: usize = 100_000;
/// The most files that are looked at: twice the messages, for the files beside them.
pub const FILES_LIMIT: usize = 200_000;
/// How deep folders are searched: deeper ones are links that bite their tail.
const DEPTH_LIMIT: usize = 64;

/// Mail, read and put in order: what the stand-in serves.
#[derive(Debug, Clone, PartialEq)]
pub struct Mailbox {
    pub(crate) messages: Vec<StoredMessage>,
    pub(crate) address: String,
    report: MailboxReport,
}

/// What was found where, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MailboxReport {
    /// The path that was given.
    pub path: String,
    /// How many files were looked at.
    pub files: usize,
    /// How many messages were found: parsed and skipped ones.
    pub found: usize,
    /// How many messages were parsed.
    pub parsed: usize,
    /// The files that hold mail.
    pub sources: Vec<MailSource>,
    /// Files that are no mail and messages that are broken, each with its reason.
    pub skipped: Vec<SkippedMail>,
}

/// A file that holds mail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MailSource {
    /// The file.
    pub path: String,
    /// `mbox`, `maildir` or `message`.
    pub format: String,
    /// How many messages of it were parsed.
    pub messages: usize,
}

/// A file or a message that was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SkippedMail {
    /// The file.
    pub path: String,
    /// Which message of an mbox, from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub number: Option<usize>,
    /// Why, in one sentence.
    pub reason: String,
}

impl Mailbox {
    /// Reads a mailbox: an mbox file, a Maildir, a single message, or a folder that is searched recursively.
    ///
    /// Content decides what a file is. Errors, all `invalid_input`: the path cannot be read; it holds no mail; it is
    /// beyond a limit. A broken message inside a mailbox is no error: see [`Mailbox::report`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut search = Search {
            report: MailboxReport {
                path: shown(path),
                ..MailboxReport::default()
            },
            ..Search::default()
        };
        let kind = fs::metadata(path).map_err(|error| {
            refuse(format!(
                "cannot read the mailbox {}: {}",
                shown(path),
                error.kind()
            ))
        })?;
        if kind.is_dir() {
            fs::read_dir(path).map_err(|error| {
                refuse(format!(
                    "cannot read the folder {}: {}",
                    shown(path),
                    error.kind()
                ))
            })?;
            search.folder(path, 0)?;
        } else {
            search.file(path, None)?;
        }
        if search.messages.is_empty() {
            return Err(search.nothing(path, kind.is_dir()));
        }
        Ok(search.finish())
    }

    /// Reads a mailbox that is here already: an mbox or a single message. Errors as [`Mailbox::load`].
    pub fn from_bytes(content: Vec<u8>) -> Result<Self> {
        let mut search = Search {
            report: MailboxReport {
                path: "memory".to_owned(),
                files: 1,
                ..MailboxReport::default()
            },
            ..Search::default()
        };
        search.read(content, Path::new("memory"), None)?;
        if search.messages.is_empty() {
            return Err(search.nothing(Path::new("memory"), false));
        }
        Ok(search.finish())
    }

    /// A mailbox of the given raw messages, in memory. Broken ones are skipped and reported.
    pub fn from_messages(messages: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut search = Search::default();
        for (index, raw) in messages.into_iter().enumerate() {
            let place = Place {
                source: "memory",
                number: index + 1,
                ..Place::default()
            };
            search.add(raw, place, true);
        }
        search.finish()
    }

    /// Sets the address of the mailbox's owner. Default: the one that most messages were delivered or sent to, else
    /// `owner@example.com`.
    pub fn with_address(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// The address of the mailbox's owner.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The messages, newest first.
    pub fn messages(&self) -> &[StoredMessage] {
        &self.messages
    }

    /// What was found, parsed and skipped.
    pub fn report(&self) -> &MailboxReport {
        &self.report
    }
}

#[derive(Default)]
struct Search {
    report: MailboxReport,
    messages: Vec<StoredMessage>,
    bytes: u64,
}

impl Search {
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<()> {
        if depth > DEPTH_LIMIT {
            self.skip(
                folder,
                None,
                format!("folders are searched {DEPTH_LIMIT} levels deep"),
            );
            return Ok(());
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.skip(folder, None, format!("cannot be read: {}", error.kind()));
                return Ok(());
            }
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        // The order of a file system is nobody's order.
        paths.sort();
        let maildir = folder.join("cur").is_dir() && folder.join("new").is_dir();
        for path in paths {
            let Ok(kind) = fs::symlink_metadata(&path) else {
                self.skip(&path, None, "cannot be read".to_owned());
                continue;
            };
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if kind.is_symlink() {
                self.skip(&path, None, "a link: not followed".to_owned());
            } else if kind.is_dir() {
                match (maildir, name.as_str()) {
                    (true, "cur" | "new") => self.maildir(&path, folder, name == "new")?,
                    (true, "tmp") => {} // deliveries that never ended: no mail by the format's own rule
                    _ => self.folder(&path, depth + 1)?,
                }
            } else if kind.is_file() {
                self.file(&path, None)?;
            }
        }
        Ok(())
    }

    fn maildir(&mut self, place: &Path, folder: &Path, new: bool) -> Result<()> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        // Maildir++: subfolders are called `.Sent`, the inbox has a name of its own.
        let folder = name.strip_prefix('.').map(str::to_owned);
        let entries = match fs::read_dir(place) {
            Ok(entries) => entries,
            Err(error) => {
                self.skip(place, None, format!("cannot be read: {}", error.kind()));
                return Ok(());
            }
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        for path in paths.into_iter().filter(|path| path.is_file()) {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            // `:2,` where file systems allow it, `;2,` or `!2,` where not.
            let flags = name.rsplit_once("2,").map_or("", |(_, flags)| flags);
            let labels = labels::from_maildir(new, flags, folder.as_deref());
            self.file(&path, Some(labels))?;
        }
        Ok(())
    }

    /// Looks at one file. `labels` are given for the files of a Maildir, which hold one message each.
    fn file(&mut self, path: &Path, labels: Option<Vec<String>>) -> Result<()> {
        self.report.files += 1;
        if self.report.files > FILES_LIMIT {
            return Err(refuse(format!(
                "{} holds more than {FILES_LIMIT} files: give a smaller folder",
                self.report.path
            )));
        }
        let content = match self.content(path) {
            Ok(content) => content,
            Err(reason) => {
                self.skip(path, None, reason);
                return Ok(());
            }
        };
        self.read(content, path, labels)
    }

    fn read(&mut self, content: Vec<u8>, path: &Path, labels: Option<Vec<String>>) -> Result<()> {
        let source = shown(path);
        let before = self.messages.len();
        let format = match detect(&content) {
            Format::Nothing(reason) => {
                self.skip(path, None, reason.to_owned());
                return Ok(());
            }
            Format::Mbox if labels.is_none() => {
                for (index, entry) in mbox::split(&content).into_iter().enumerate() {
                    let place = Place {
                        source: &source,
                        number: index + 1,
                        labels: None,
                        envelope: entry.envelope,
                    };
                    self.add(entry.message(), place, true);
                    self.within()?;
                }
                "mbox"
            }
            Format::Mbox | Format::Message => {
                let format = if labels.is_some() { "maildir" } else { "message" };
                let place = Place {
                    source: &source,
                    number: 1,
                    labels,
                    ..Place::default()
                };
                self.add(content, place, false);
                self.within()?;
                format
            }
        };
        let messages = self.messages.len() - before;
        if messages > 0 {
            self.report.sources.push(MailSource {
                path: source,
                format: format.to_owned(),
                messages,
            });
        }
        Ok(())
    }

    /// The file's bytes. A file that is no mail is not read beyond its head.
    fn content(&mut self, path: &Path) -> std::result::Result<Vec<u8>, String> {
        let told = |error: std::io::Error| format!("cannot be read: {}", error.kind());
        let mut file = File::open(path).map_err(told)?;
        let size = file.metadata().map_err(told)?.len();
        let mut content = Vec::new();
        file.by_ref()
            .take(64 * 1024)
            .read_to_end(&mut content)
            .map_err(told)?;
        let limit = match detect(&content) {
            Format::Nothing(reason) => return Err(reason.to_owned()),
            Format::Message => MESSAGE_LIMIT as u64,
            Format::Mbox => FILE_LIMIT,
        };
        if size > limit {
            return Err(format!("too large: {size} bytes, the limit is {limit}"));
        }
        self.bytes += size;
        file.read_to_end(&mut content).map_err(told)?;
        Ok(content)
    }

    fn add(&mut self, raw: Vec<u8>, place: Place<'_>, many: bool) {
        self.report.found += 1;
        let number = many.then_some(place.number);
        let source = PathBuf::from(place.source);
        if raw.len() > MESSAGE_LIMIT {
            let reason = format!("too large: {} bytes, the limit is {MESSAGE_LIMIT}", raw.len());
            return self.skip(&source, number, reason);
        }
        match read(raw, place) {
            Ok(message) => {
                self.report.parsed += 1;
                self.messages.push(message);
            }
            Err(reason) => self.skip(&source, number, reason.to_owned()),
        }
    }

    fn within(&self) -> Result<()> {
        if self.messages.len() > MESSAGES_LIMIT {
            return Err(refuse(format!(
                "{} holds more than {MESSAGES_LIMIT} messages: give a smaller mailbox",
                self.report.path
            )));
        }
        if self.bytes > FILE_LIMIT {
            return Err(refuse(format!(
                "{} holds more than {FILE_LIMIT} bytes of mail: give a smaller mailbox",
                self.report.path
            )));
        }
        Ok(())
    }

    fn skip(&mut self, path: &Path, number: Option<usize>, reason: String) {
        self.report.skipped.push(SkippedMail {
            path: shown(path),
            number,
            reason,
        });
    }

    fn nothing(&self, path: &Path, folder: bool) -> Error {
        let first = self.report.skipped.first();
        refuse(match (folder, first) {
            (true, None) => format!("the folder {} holds no mail: it is empty", shown(path)),
            (true, Some(_)) => format!(
                "the folder {} holds no mail: none of its {} files is a message or an mbox",
                shown(path),
                self.report.files
            ),
            (false, Some(skipped)) => format!("{} is no mailbox: {}", shown(path), skipped.reason),
            (false, None) => format!("{} is no mailbox: it holds no message", shown(path)),
        })
    }

    fn finish(mut self) -> Mailbox {
        let mut ids = std::collections::HashSet::new();
        for message in &mut self.messages {
            // The same bytes twice are two messages, as in every mail store.
            let mut id = message.id.clone();
            while !ids.insert(id.clone()) {
                id = format!("{:016x}", fnv(id.as_bytes()));
            }
            message.id = id;
        }
        self.messages.sort_by_key(|message| message.internal_date_ms);
        thread::group(&mut self.messages);
        self.messages.reverse();
        Mailbox {
            address: owner(&self.messages),
            messages: self.messages,
            report: self.report,
        }
    }
}

/// The address that most messages were delivered or sent to.
fn owner(messages: &[StoredMessage]) -> String {
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    for message in messages {
        for word in message.index.to.split(' ').filter(|word| word.contains('@')) {
            *counts.entry(word).or_default() += 1;
        }
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or("owner@example.com".to_owned(), |(address, _)| address.to_owned())
}

fn refuse(message: String) -> Error {
    Error::new(Code::InvalidInput, message)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
