//! What a row is: a promise, an attack on it, and the defects that the attack must find.

use super::stage::Stage;

/// One promise under attack.
pub(super) struct Row {
    /// What `--row` calls it.
    pub(super) name: &'static str,
    /// What is promised.
    pub(super) promise: &'static str,
    /// What is done against it.
    pub(super) attack: &'static str,
    /// What it needs to be built.
    pub(super) needs: &'static [Need],
    /// Attacks, with a defect planted or without.
    pub(super) run: fn(&Stage, Option<&'static str>) -> Result<Seen, String>,
    /// What can be planted.
    pub(super) defects: &'static [Defect],
}

/// Something that is built before rows run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// The Python module and its interpreter.
    Python,
    /// The Node addon.
    Node,
    /// The programs of the examples.
    Programs,
    /// The database servers, installed where they are missing.
    Servers,
}

/// A planted defect.
pub(super) struct Defect {
    /// What the row is told.
    pub(super) name: &'static str,
    /// What is broken, for a reader.
    pub(super) plants: &'static str,
    /// A piece of the violation that it has to lead to.
    pub(super) shows_as: &'static str,
}

/// What an attack has seen.
#[derive(Default)]
pub(super) struct Seen {
    /// How often it was tried, in words: `200 exits`.
    pub(super) times: String,
    /// What was seen, in short pieces.
    pub(super) facts: Vec<String>,
    /// What broke the promise.
    pub(super) violations: Vec<String>,
    /// Where the defect was planted, if in several places: each has to show it, in violations that begin with its name.
    pub(super) planted_in: Vec<String>,
    /// What is printed below the table, such as accepted holes with their reasons.
    pub(super) notes: Vec<String>,
}

impl Seen {
    /// Adds a fact.
    pub(super) fn fact(&mut self, text: impl Into<String>) {
        self.facts.push(text.into());
    }

    /// Adds a violation.
    pub(super) fn violation(&mut self, text: impl Into<String>) {
        self.violations.push(text.into());
    }

    /// Adds what another attack has seen.
    pub(super) fn merge(&mut self, other: Self) {
        self.facts.extend(other.facts);
        self.violations.extend(other.violations);
        self.planted_in.extend(other.planted_in);
        self.notes.extend(other.notes);
    }

    /// Adds a violation unless `holds`.
    pub(super) fn expect(&mut self, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(text());
        }
    }
}
