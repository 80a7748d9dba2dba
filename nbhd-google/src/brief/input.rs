//! What a brief is made from: facts that were fetched, and what is known to be missing.

use chrono::{DateTime, FixedOffset, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mime::{Invitation, MessageHeader, MessageText};

/// Everything that was fetched for one brief.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BriefInput {
    /// The moment that "today" and "the next 24 hours" are counted from, with offset.
    pub now: DateTime<FixedOffset>,
    /// The user's zone, an IANA name such as `Europe/Berlin`.
    pub time_zone: String,
    /// What came after this moment is new; absent: 24 hours before `now`.
    #[serde(default)]
    pub since: Option<DateTime<FixedOffset>>,
    /// The user's own addresses: their own messages ask nothing of them.
    #[serde(default)]
    pub own_addresses: Vec<String>,
    /// The messages.
    #[serde(default)]
    pub messages: Vec<BriefMessage>,
    /// The events.
    #[serde(default)]
    pub events: Vec<BriefEvent>,
    /// Busy times of further calendars.
    #[serde(default)]
    pub busy: Vec<BriefBusy>,
    /// What could not be fetched or is only a part, one sentence each; it is said in the brief.
    #[serde(default)]
    pub gaps: Vec<String>,
}

impl BriefInput {
    /// Nothing fetched yet.
    pub fn new(now: DateTime<FixedOffset>, time_zone: impl Into<String>) -> Self {
        Self {
            now,
            time_zone: time_zone.into(),
            since: None,
            own_addresses: Vec::new(),
            messages: Vec::new(),
            events: Vec::new(),
            busy: Vec::new(),
            gaps: Vec::new(),
        }
    }

    /// What came after `since` is new.
    pub fn with_since(mut self, since: DateTime<FixedOffset>) -> Self {
        self.since = Some(since);
        self
    }

    /// The user's own addresses.
    pub fn with_own_addresses<S: Into<String>>(mut self, own: impl IntoIterator<Item = S>) -> Self {
        self.own_addresses.extend(own.into_iter().map(Into::into));
        self
    }

    /// Adds messages.
    pub fn with_messages(mut self, messages: impl IntoIterator<Item = BriefMessage>) -> Self {
        self.messages.extend(messages);
        self
    }

    /// Adds events.
    pub fn with_events(mut self, events: impl IntoIterator<Item = BriefEvent>) -> Self {
        self.events.extend(events);
        self
    }

    /// Adds busy times.
    pub fn with_busy(mut self, busy: impl IntoIterator<Item = BriefBusy>) -> Self {
        self.busy.extend(busy);
        self
    }

    /// Says what is missing.
    pub fn with_gap(mut self, gap: impl Into<String>) -> Self {
        self.gaps.push(gap.into());
        self
    }
}

/// A message, as far as a brief needs it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BriefMessage {
    /// Gmail's id.
    pub id: String,
    /// The subject.
    #[serde(default)]
    pub subject: String,
    /// The sender's name or address, for reading.
    #[serde(default)]
    pub from: String,
    /// The sender's address.
    #[serde(default)]
    pub from_email: String,
    /// The readable text without quotes and signature, or the snippet where the body was not fetched.
    #[serde(default)]
    pub text: String,
    /// Whether `text` is less than the message: a snippet, or cut.
    #[serde(default)]
    pub partial: bool,
    /// Whether it is unread.
    #[serde(default)]
    pub unread: bool,
    /// Whether Gmail or the user marked it as important.
    #[serde(default)]
    pub important: bool,
    /// Whether it went to a list.
    #[serde(default)]
    pub bulk: bool,
    /// When it came.
    #[serde(default)]
    pub received: Option<DateTime<FixedOffset>>,
    /// What its calendar part says.
    #[serde(default)]
    pub invitation: Option<Invitation>,
}

impl BriefMessage {
    /// A message of which only the id is known.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }

    /// From a parsed message; `received` is the service's own date where it has one.
    pub fn from_mail(
        id: impl Into<String>,
        header: &MessageHeader,
        body: &MessageText,
        received: Option<DateTime<FixedOffset>>,
    ) -> Self {
        let sender = header.from.first().cloned().unwrap_or_default();
        Self {
            id: id.into(),
            subject: header.subject.clone().unwrap_or_default(),
            from: if sender.name.is_empty() {
                sender.email.clone()
            } else {
                sender.name
            },
            from_email: sender.email,
            text: body.text.clone(),
            partial: body.truncated > 0 || !body.not_inlined.is_empty(),
            bulk: header.list_unsubscribe.is_some(),
            received: received.or_else(|| DateTime::parse_from_rfc3339(header.date.as_deref()?).ok()),
            invitation: body.invitation.clone(),
            ..Self::default()
        }
    }

    /// Its subject.
    pub fn with_subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Its readable text.
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// The sender: name for reading, and address.
    pub fn with_from(mut self, name: impl Into<String>, email: impl Into<String>) -> Self {
        self.from = name.into();
        self.from_email = email.into();
        self
    }

    /// When it came.
    pub fn with_received(mut self, received: DateTime<FixedOffset>) -> Self {
        self.received = Some(received);
        self
    }

    /// Marks it as unread.
    pub fn with_unread(mut self, unread: bool) -> Self {
        self.unread = unread;
        self
    }

    /// Marks it as important.
    pub fn with_important(mut self, important: bool) -> Self {
        self.important = important;
        self
    }

    /// `gmail:<id>`.
    pub fn source_ref(&self) -> String {
        format!("gmail:{}", self.id)
    }
}

/// An event, as far as a brief needs it. Recurring events come as their instances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BriefEvent {
    /// The calendar's id of the event or instance.
    pub id: String,
    /// Its title.
    #[serde(default)]
    pub summary: String,
    /// When.
    pub when: EventSpan,
    /// Where.
    #[serde(default)]
    pub location: Option<String>,
    /// The addresses of those who are invited.
    #[serde(default)]
    pub attendees: Vec<String>,
    /// What the user answered.
    #[serde(default)]
    pub response: ResponseStatus,
    /// Whether it leaves the time free.
    #[serde(default)]
    pub transparent: bool,
    /// Whether it was cancelled.
    #[serde(default)]
    pub cancelled: bool,
}

impl BriefEvent {
    /// An event that blocks its time.
    pub fn new(id: impl Into<String>, summary: impl Into<String>, when: EventSpan) -> Self {
        Self {
            id: id.into(),
            summary: summary.into(),
            when,
            location: None,
            attendees: Vec::new(),
            response: ResponseStatus::default(),
            transparent: false,
            cancelled: false,
        }
    }

    /// What the user answered.
    pub fn with_response(mut self, response: ResponseStatus) -> Self {
        self.response = response;
        self
    }

    /// Where it is.
    pub fn with_location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// Leaves the time free.
    pub fn with_transparent(mut self, transparent: bool) -> Self {
        self.transparent = transparent;
        self
    }

    /// `gcal:<id>`.
    pub fn source_ref(&self) -> String {
        format!("gcal:{}", self.id)
    }
}

/// When an event is. Days and moments are different things: days have no offset and begin where the user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventSpan {
    /// Whole days; the end is exclusive.
    AllDay {
        /// First day.
        start: NaiveDate,
        /// The day after the last.
        end: NaiveDate,
    },
    /// Moments.
    Timed {
        /// Begin.
        start: DateTime<FixedOffset>,
        /// End, exclusive.
        end: DateTime<FixedOffset>,
    },
}

/// What the user answered to an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResponseStatus {
    /// Nobody asked, or it is the user's own event.
    #[default]
    None,
    /// An answer is awaited.
    NeedsAction,
    /// Yes.
    Accepted,
    /// Perhaps.
    Tentative,
    /// No.
    Declined,
}

/// A busy time of a calendar whose events are not known, or the fact that its times could not be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BriefBusy {
    /// The calendar is busy.
    Interval {
        /// The calendar's id.
        calendar: String,
        /// Begin.
        start: DateTime<FixedOffset>,
        /// End, exclusive.
        end: DateTime<FixedOffset>,
    },
    /// Its times are unknown, which must never be read as free.
    Unknown {
        /// The calendar's id.
        calendar: String,
        /// Why.
        reason: String,
    },
}
