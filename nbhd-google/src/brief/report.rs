//! The brief itself. A model is asked for exactly this shape; its JSON schema comes from these types.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// A whole brief.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Brief {
    /// Mail.
    pub inbox: InboxBrief,
    /// Appointments.
    pub calendar: CalendarBrief,
    /// What the user is asked to do, the most certain first.
    pub actions: Vec<ActionItem>,
    /// What could not be seen or decided, one sentence each. Empty means that nothing is known to be missing.
    pub uncertainty: Vec<String>,
}

/// Mail. One message may stand in several lists.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct InboxBrief {
    /// What came since the last look.
    pub new: Vec<InboxItem>,
    /// What is unread.
    pub unread: Vec<InboxItem>,
    /// What matters most, with the reason.
    pub high_priority: Vec<InboxItem>,
}

/// A message in the brief.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct InboxItem {
    /// `gmail:<message id>`.
    pub source_ref: String,
    /// Who it is from.
    #[serde(default)]
    pub from: String,
    /// Its subject.
    #[serde(default)]
    pub subject: String,
    /// When it came, ISO 8601.
    #[serde(default)]
    pub received: Option<String>,
    /// Why it stands here.
    #[serde(default)]
    pub why: Option<String>,
}

/// Appointments.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct CalendarBrief {
    /// What touches the current day, all-day events first.
    pub today: Vec<CalendarItem>,
    /// What touches the next 24 hours.
    pub next_24h: Vec<CalendarItem>,
    /// Timed events that overlap.
    pub conflicts: Vec<Conflict>,
}

/// An event in the brief.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CalendarItem {
    /// `gcal:<event id>`.
    pub source_ref: String,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// Begin: ISO 8601 time with the offset of the user's zone, or a date for an all-day event.
    #[serde(default)]
    pub start: String,
    /// End, exclusive, in the same form.
    #[serde(default)]
    pub end: String,
    /// Whether it is a matter of days, not of hours.
    #[serde(default)]
    pub all_day: bool,
    /// Where.
    #[serde(default)]
    pub location: Option<String>,
}

/// Two things at the same time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Conflict {
    /// The events, as `gcal:<event id>`; one alone where the other is only known as busy time.
    pub refs: Vec<String>,
    /// Begin of the overlap, ISO 8601.
    #[serde(default)]
    pub start: String,
    /// Its end.
    #[serde(default)]
    pub end: String,
    /// What overlaps, in words.
    #[serde(default)]
    pub note: String,
}

/// Something that the user is asked to do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ActionItem {
    /// What, as an open task.
    pub task: String,
    /// Until when: an ISO 8601 date, or a time with offset.
    #[serde(default)]
    pub due: Option<String>,
    /// How sure it is that this is asked of the user.
    #[serde(default)]
    pub confidence: Confidence,
    /// `gmail:<message id>` or `gcal:<event id>`.
    pub source_ref: String,
}

/// How sure a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Confidence {
    /// Likely not.
    Low,
    /// Likely.
    #[default]
    Medium,
    /// Stated in so many words.
    High,
}

impl<'de> Deserialize<'de> for Confidence {
    /// Takes the word, or, because models write it so, a number from 0 to 1.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Word(String),
            Number(f64),
        }
        match Form::deserialize(deserializer)? {
            Form::Word(word) if word.eq_ignore_ascii_case("low") => Ok(Self::Low),
            Form::Word(word) if word.eq_ignore_ascii_case("medium") => Ok(Self::Medium),
            Form::Word(word) if word.eq_ignore_ascii_case("high") => Ok(Self::High),
            Form::Number(number) if (0.0..0.4).contains(&number) => Ok(Self::Low),
            Form::Number(number) if (0.4..0.75).contains(&number) => Ok(Self::Medium),
            Form::Number(number) if (0.75..=1.0).contains(&number) => Ok(Self::High),
            _ => Err(serde::de::Error::custom(
                "confidence is low, medium, high or a number from 0 to 1",
            )),
        }
    }
}
