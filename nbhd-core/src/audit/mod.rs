//! Who did what, with what, how it ended: audit events and run records, written on success and on failure alike.
//!
//! An [`AuditEvent`] names its actor by a fingerprint and its parameters by a canonical hash: it proves what was asked and holds
//! no value of it. A [`RunRecord`] tells of one run of a program's own action. Both are written to a [`Journal`]: a file of JSON
//! lines that only grows, memory, or a function of the program.
//!
//! ```
//! use nbhd_core::audit::Audited;
//! use nbhd_core::{Host, Result};
//!
//! # fn main() -> Result<()> {
//! let host = Host::new("memory:")?;
//! let entry = Audited::begin(&host, "user:42", "mail.send", &serde_json::json!({"to": "a@example.org"}));
//! let work: Result<()> = Ok(());
//! let event = entry.end(&work)?;
//! assert_eq!(event.outcome, "ok");
//! # Ok(())
//! # }
//! ```

mod canonical;
mod event;
mod file;
mod journal;
mod run;

pub use canonical::{actor_fingerprint, canonical_json, parameters_hash};
pub use event::{AuditEvent, Audited};
pub use file::FileJournal;
pub use journal::{CallbackJournal, Journal, MEMORY_ENTRIES, MemoryJournal};
pub use run::{Run, RunRecord, RunStatus};
