//! Checks a brief that a model wrote against what was fetched. Nothing is repaired: a brief passes, or every problem is named.

use std::collections::BTreeMap;
use std::fmt;

use nbhd_core::{Code, Error, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::claims::claims_a_write;
use super::input::BriefInput;
use super::report::{Brief, CalendarItem, InboxItem};

/// Longest reference, as the services that store them allow.
const MAX_REF: usize = 255;

/// What a brief may speak of: the references of one fetch and their titles.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Fetched {
    titles: BTreeMap<String, Option<String>>,
}

impl Fetched {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything in `input`.
    pub fn of(input: &BriefInput) -> Self {
        let messages = input
            .messages
            .iter()
            .map(|message| (message.source_ref(), Some(message.subject.clone())));
        let events = input
            .events
            .iter()
            .map(|event| (event.source_ref(), Some(event.summary.clone())));
        Self {
            titles: messages.chain(events).collect(),
        }
    }

    /// Adds a reference (`gmail:<id>` or `gcal:<id>`) whose title is not to be compared.
    pub fn with_ref(mut self, source_ref: impl Into<String>) -> Self {
        self.titles.insert(source_ref.into(), None);
        self
    }

    /// Whether the reference was fetched.
    pub fn contains(&self, source_ref: &str) -> bool {
        self.titles.contains_key(source_ref)
    }
}

/// Everything that is wrong with a brief.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct BriefProblems {
    /// One entry per problem, in the order of the brief.
    pub problems: Vec<BriefProblem>,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct BriefProblem {
    /// Where, such as `actions[0].source_ref`.
    pub path: String,
    /// What kind.
    pub kind: ProblemKind,
    /// In words that can be given back to the model.
    pub message: String,
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemKind {
    /// It is not JSON of the brief's shape.
    Shape,
    /// A reference is not `gmail:<id>` or `gcal:<id>`, or of the wrong kind for its place.
    MalformedRef,
    /// A reference was not fetched.
    UnknownRef,
    /// A title is not the one that was fetched.
    NotAsFetched,
    /// A text claims that a write was done.
    ClaimsWrite,
    /// A task is empty.
    Empty,
}

impl fmt::Display for BriefProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the brief has {} problems", self.problems.len())?;
        for problem in self.problems.iter().take(10) {
            write!(f, "; {}: {}", problem.path, problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for BriefProblems {}

impl From<BriefProblems> for Error {
    /// Names places and kinds only: a model's words do not belong into an error.
    fn from(problems: BriefProblems) -> Self {
        let places: Vec<&str> = problems
            .problems
            .iter()
            .take(10)
            .map(|problem| problem.path.as_str())
            .collect();
        let message = format!(
            "the brief has {} problems, at {}",
            problems.problems.len(),
            places.join(", ")
        );
        Error::new(Code::InvalidInput, message).with_outcome(Outcome::Refused)
    }
}

/// Reads and checks a model's answer: the JSON alone, or within a fenced code block.
///
/// # Errors
/// Every problem that was found.
pub fn validate(answer: &str, fetched: &Fetched) -> Result<Brief, BriefProblems> {
    match serde_json::from_str::<Value>(unfenced(answer)) {
        Ok(value) => validate_value(value, fetched),
        Err(error) => Err(shape(format!(
            "not JSON: line {} column {}",
            error.line(),
            error.column()
        ))),
    }
}

/// Checks a brief that is parsed already.
///
/// # Errors
/// Every problem that was found.
pub fn validate_value(answer: Value, fetched: &Fetched) -> Result<Brief, BriefProblems> {
    if !answer.is_object() {
        return Err(shape("a brief is a JSON object".to_owned()));
    }
    let brief: Brief = serde_json::from_value(answer).map_err(|error| shape(error.to_string()))?;
    let mut check = Check {
        fetched,
        problems: Vec::new(),
    };
    for (name, items) in [
        ("new", &brief.inbox.new),
        ("unread", &brief.inbox.unread),
        ("high_priority", &brief.inbox.high_priority),
    ] {
        for (place, item) in items.iter().enumerate() {
            check.message(&format!("inbox.{name}[{place}]"), item);
        }
    }
    for (name, items) in [
        ("today", &brief.calendar.today),
        ("next_24h", &brief.calendar.next_24h),
    ] {
        for (place, item) in items.iter().enumerate() {
            check.event(&format!("calendar.{name}[{place}]"), item);
        }
    }
    for (place, conflict) in brief.calendar.conflicts.iter().enumerate() {
        let path = format!("calendar.conflicts[{place}]");
        if conflict.refs.is_empty() {
            check.add(
                &format!("{path}.refs"),
                ProblemKind::MalformedRef,
                "a conflict names its events",
            );
        }
        for (at, source_ref) in conflict.refs.iter().enumerate() {
            check.reference(&format!("{path}.refs[{at}]"), source_ref, &["gcal:"]);
        }
        check.words(&format!("{path}.note"), &conflict.note);
    }
    for (place, action) in brief.actions.iter().enumerate() {
        let path = format!("actions[{place}]");
        check.reference(
            &format!("{path}.source_ref"),
            &action.source_ref,
            &["gmail:", "gcal:"],
        );
        if action.task.trim().is_empty() {
            check.add(
                &format!("{path}.task"),
                ProblemKind::Empty,
                "a task says what is to be done",
            );
        }
        check.words(&format!("{path}.task"), &action.task);
    }
    for (place, note) in brief.uncertainty.iter().enumerate() {
        check.words(&format!("uncertainty[{place}]"), note);
    }
    if check.problems.is_empty() {
        Ok(brief)
    } else {
        Err(BriefProblems {
            problems: check.problems,
        })
    }
}

struct Check<'f> {
    fetched: &'f Fetched,
    problems: Vec<BriefProblem>,
}

impl Check<'_> {
    fn add(&mut self, path: &str, kind: ProblemKind, message: &str) {
        self.problems.push(BriefProblem {
            path: path.to_owned(),
            kind,
            message: message.to_owned(),
        });
    }

    fn message(&mut self, path: &str, item: &InboxItem) {
        self.reference(&format!("{path}.source_ref"), &item.source_ref, &["gmail:"]);
        self.title(&format!("{path}.subject"), &item.source_ref, &item.subject);
        self.words(&format!("{path}.why"), item.why.as_deref().unwrap_or_default());
    }

    fn event(&mut self, path: &str, item: &CalendarItem) {
        self.reference(&format!("{path}.source_ref"), &item.source_ref, &["gcal:"]);
        self.title(&format!("{path}.title"), &item.source_ref, &item.title);
    }

    fn reference(&mut self, path: &str, source_ref: &str, kinds: &[&str]) {
        let formed = source_ref.len() <= MAX_REF
            && kinds.iter().any(|kind| {
                source_ref
                    .strip_prefix(kind)
                    .is_some_and(|id| !id.is_empty() && !id.contains(char::is_whitespace))
            });
        if !formed {
            self.add(
                path,
                ProblemKind::MalformedRef,
                &format!("a reference here is {}<id>", kinds.join("<id> or ")),
            );
        } else if !self.fetched.contains(source_ref) {
            self.add(
                path,
                ProblemKind::UnknownRef,
                "this was not fetched: speak only of what was given",
            );
        }
    }

    /// A title that is given must be the fetched one; it may be shortened with an ellipsis.
    fn title(&mut self, path: &str, source_ref: &str, given: &str) {
        let Some(Some(title)) = self.fetched.titles.get(source_ref) else {
            return;
        };
        let (given, title) = (plain(given), plain(title));
        let shortened = given.strip_suffix('…').or_else(|| given.strip_suffix("..."));
        let same = given.is_empty()
            || given == title
            || shortened.is_some_and(|begin| !begin.is_empty() && title.starts_with(begin.trim_end()));
        if !same {
            self.add(
                path,
                ProblemKind::NotAsFetched,
                "this is not the title that was fetched",
            );
        }
    }

    /// Free text: claims nothing as done, and every reference in it was fetched.
    fn words(&mut self, path: &str, text: &str) {
        if claims_a_write(text) {
            self.add(
                path,
                ProblemKind::ClaimsWrite,
                "nothing was sent, changed or deleted: state what is to be done",
            );
        }
        for kind in ["gmail:", "gcal:"] {
            for (at, _) in text.match_indices(kind) {
                let named: String = text[at..]
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-' | '@' | '.'))
                    .collect();
                let named = named.trim_end_matches(['.', ':', '-']);
                if named.len() > kind.len() && !self.fetched.contains(named) {
                    self.add(
                        path,
                        ProblemKind::UnknownRef,
                        "this text names a reference that was not fetched",
                    );
                }
            }
        }
    }
}

fn plain(title: &str) -> String {
    title
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

fn shape(message: String) -> BriefProblems {
    BriefProblems {
        problems: vec![BriefProblem {
            path: "$".to_owned(),
            kind: ProblemKind::Shape,
            message,
        }],
    }
}

/// The inside of the first fenced block, or the text itself.
fn unfenced(answer: &str) -> &str {
    let answer = answer.trim();
    let Some((_, rest)) = answer.split_once("```") else {
        return answer;
    };
    let rest = rest.split_once('\n').map_or(rest, |(_, body)| body);
    rest.split_once("```").map_or(rest, |(body, _)| body).trim()
}
