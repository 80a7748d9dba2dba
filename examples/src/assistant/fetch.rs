//! What is read for one brief: the newest mail with bodies, today's events and the next day's, when the user is busy.
//!
//! What cannot be read is said in the brief; a brief without its calendar is still worth having.

use chrono::{DateTime, Duration, FixedOffset};
use futures::StreamExt;
use nbhd_core::window::{Window, zone};
use nbhd_core::{Error, Result};
use nbhd_google::brief::{BriefInput, BriefMessage};
use nbhd_google::calendar::{Event, FreeBusy, FreeBusyAnswer, ListEvents};
use nbhd_google::gmail::{ListMessages, Message, MessageCard};
use serde::Serialize;

use super::Assistant;

/// How many messages are listed, the newest ones.
const LISTED: u32 = 25;

/// How many of them are read with their bodies.
const READ: usize = 12;

/// How many are read at the same time.
const AT_ONCE: usize = 4;

/// What was read.
pub struct Fetch {
    /// What a brief is made from.
    pub input: BriefInput,
    /// How much it was.
    pub found: Found,
}

/// How much was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Found {
    /// Messages listed.
    pub messages: usize,
    /// Messages read with their bodies.
    pub bodies: usize,
    /// Events of today and the next 24 hours.
    pub events: usize,
    /// Minutes of the next 24 hours in which the user is busy; absent when that could not be read.
    pub busy_minutes: Option<i64>,
    /// What could not be read.
    pub gaps: Vec<String>,
}

impl Assistant {
    /// Reads everything, at the same time where it can be.
    pub(super) async fn fetch(&self) -> Result<Fetch> {
        (self.progress)("reading mail and calendar");
        let zone = zone(&self.time_zone)?;
        let now = self.host.clock().now().with_timezone(&zone).fixed_offset();
        let mut found = Found::default();
        let (mail, agenda, busy) = tokio::join!(self.mail(), self.agenda(), self.busy(now));
        let mut input =
            BriefInput::new(now, &self.time_zone).with_own_addresses(self.own_addresses.iter().cloned());
        match mail {
            Ok((messages, bodies)) => {
                (found.messages, found.bodies) = (messages.len(), bodies);
                input = input.with_messages(messages);
            }
            Err(error) => found.gaps.push(gap("The mail", &error)),
        }
        match agenda {
            Ok(events) => {
                found.events = events.len();
                input = input.with_calendar(&events);
            }
            Err(error) => found.gaps.push(gap("The calendar", &error)),
        }
        match busy {
            Ok(answer) => {
                found.busy_minutes = minutes(&answer, now);
                // The busy times of the user's own calendar are the events above: only what is unknown is news.
                if found.busy_minutes.is_none() {
                    input = input.with_free_busy(&answer);
                }
            }
            Err(error) => found.gaps.push(gap("The busy times", &error)),
        }
        for gap in &found.gaps {
            input = input.with_gap(gap);
        }
        Ok(Fetch { input, found })
    }

    /// The newest messages, and how many of them came with their bodies.
    async fn mail(&self) -> Result<(Vec<BriefMessage>, usize)> {
        let gmail = self.account.gmail();
        let cards = gmail
            .list_messages(ListMessages::new().with_limit(LISTED))
            .await?;
        let cards: Vec<MessageCard> = cards.items.into_iter().filter(|card| !is_own(card)).collect();
        (self.progress)("reading messages");
        let whole: Vec<Result<Message>> = futures::stream::iter(
            cards
                .iter()
                .take(READ)
                .map(|card| gmail.get_message(card.id.clone())),
        )
        .buffered(AT_ONCE)
        .collect()
        .await;
        let bodies = whole.iter().filter(|message| message.is_ok()).count();
        // A message whose body cannot be had is known by its card.
        let read = whole.iter().zip(&cards).map(|(message, card)| match message {
            Ok(message) => BriefMessage::from(message),
            Err(_) => BriefMessage::from(card),
        });
        let rest = cards.iter().skip(READ).map(BriefMessage::from);
        Ok((read.chain(rest).collect(), bodies))
    }

    /// The events of today and of the next 24 hours, each once.
    async fn agenda(&self) -> Result<Vec<Event>> {
        let calendar = self.account.calendar();
        let list = |window: Window| {
            calendar.list_events(
                ListEvents::new()
                    .with_window(window)
                    .with_time_zone(&self.time_zone),
            )
        };
        let (today, next) = tokio::try_join!(list(Window::Today), list(Window::Next24h))?;
        let mut events: Vec<Event> = today.items;
        for event in next.items {
            if !events.iter().any(|known| known.id == event.id) {
                events.push(event);
            }
        }
        Ok(events)
    }

    async fn busy(&self, now: DateTime<FixedOffset>) -> Result<FreeBusyAnswer> {
        let ask = FreeBusy::new(now, now + Duration::hours(24)).with_time_zone(&self.time_zone);
        self.account.calendar().free_busy(ask).await
    }
}

/// What the user wrote is not what needs their attention.
fn is_own(card: &MessageCard) -> bool {
    card.labels
        .iter()
        .any(|label| label == "SENT" || label == "DRAFT")
}

/// The busy minutes of all calendars within the next 24 hours; `None` unless every calendar could be read.
fn minutes(answer: &FreeBusyAnswer, now: DateTime<FixedOffset>) -> Option<i64> {
    let mut times = Vec::new();
    for calendar in answer.calendars.values() {
        if !calendar.problems.is_empty() {
            return None;
        }
        times.extend(calendar.busy.iter().map(|busy| (busy.start.max(now), busy.end)));
    }
    times.sort();
    let (mut sum, mut until) = (0, now);
    for (start, end) in times {
        let start = start.max(until);
        if end > start {
            sum += (end - start).num_minutes();
            until = end;
        }
    }
    Some(sum)
}

fn gap(what: &str, error: &Error) -> String {
    format!(
        "{what} could not be read: {}.",
        error.message().trim_end_matches('.')
    )
}
