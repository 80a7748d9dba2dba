//! How a hold stands in the store, and the names of everything that the ledger keeps there.
//!
//! | kind | kept |
//! |---|---|
//! | hold | until it is final; its entry in the index of open or provisional holds as well |
//! | sum of a window, and its provisional part | for ever, one number per scope and window that was used |
//! | spend by scope, day, model and purpose | for ever, one number and one index entry each |
//! | block of a model after a broken bound | until it is lifted |
//!
//! So a million calls of one scope and model leave as much behind as one call a day.

use nbhd_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use super::WindowKind;
use crate::price::NanoUsd;

/// Holds in flight, by their deadline in milliseconds since 1970.
pub(super) const OPEN: &str = "llm/open";

/// Holds whose bill is not known, by the time they became so.
pub(super) const PROVISIONAL: &str = "llm/provisional";

/// Models whose bill broke its bound.
pub(super) const BLOCKED: &str = "llm/blocked";

/// Version 1 of a hold's record. A final hold has none: it cannot change any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct HoldRecord {
    pub(super) v: u8,
    /// The bill is not known and will perhaps never be: counted at `counted`.
    pub(super) provisional: bool,
    /// What was held.
    pub(super) held: NanoUsd,
    /// What counts against every cap now.
    pub(super) counted: NanoUsd,
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) purpose: String,
    /// The version of the price row that the bound used, and what blocks the model when that was too low.
    pub(super) price: String,
    pub(super) block: String,
    /// Every scope that pays, with a cap or not.
    pub(super) scopes: Vec<String>,
    /// The windows that it counts in: those it began in, for ever.
    pub(super) windows: Vec<HeldWindow>,
    /// The UTC day on which it began.
    pub(super) day: String,
}

/// One window that a hold counts in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct HeldWindow {
    pub(super) scope: String,
    pub(super) kind: WindowKind,
    /// Its first instant, in seconds since 1970.
    pub(super) start: i64,
}

impl HoldRecord {
    pub(super) fn read(text: &str) -> Result<Self> {
        let record: Self = serde_json::from_str(text)
            .map_err(|_| Error::new(Code::Internal, "a hold in the store cannot be read"))?;
        if record.v != 1 {
            return Err(Error::new(
                Code::InvalidState,
                format!(
                    "a hold in the store has version {}, which this nbhd does not know",
                    record.v
                ),
            ));
        }
        Ok(record)
    }

    pub(super) fn write(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|_| Error::new(Code::Internal, "a hold cannot be written as JSON"))
    }

    /// The key under which what this scope spent in this way is summed.
    pub(super) fn spend_member(&self) -> String {
        [&self.day, &self.provider, &self.model, &self.purpose]
            .map(String::as_str)
            .join("\u{1f}")
    }
}

impl HeldWindow {
    /// The sum of everything that counts in the window.
    pub(super) fn counted_key(&self) -> String {
        self.key("counted")
    }

    /// The part of it that is provisional.
    pub(super) fn provisional_key(&self) -> String {
        self.key("provisional")
    }

    fn key(&self, what: &str) -> String {
        let start = self.start.to_string();
        ["llm/", what, "/", self.kind.name(), "/", &start, "/", &self.scope].concat()
    }
}

pub(super) fn hold_key(id: &str) -> String {
    ["llm/hold/", id].concat()
}

pub(super) fn block_key(block: &str) -> String {
    ["llm/block/", block].concat()
}

pub(super) fn spend_index(scope: &str) -> String {
    ["llm/spends/", scope].concat()
}

pub(super) fn spend_key(scope: &str, member: &str) -> String {
    ["llm/spend/", scope, "\u{1f}", member].concat()
}
