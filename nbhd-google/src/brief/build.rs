//! A brief without a model: sorts what was fetched, computes conflicts, extracts requests, and says what is missing.

use chrono::Duration;
use nbhd_core::Result;

use super::actions;
use super::conflicts::{self, MAX_OVERLAPS, blocks};
use super::input::{BriefBusy, BriefEvent, BriefInput, BriefMessage, EventSpan};
use super::moment::spoken;
use super::report::{ActionItem, Brief, CalendarBrief, CalendarItem, Conflict, InboxBrief, InboxItem};
use super::window::Window;

/// Subject words that raise a message. Lower case.
const URGENT: &[&str] = &[
    "urgent",
    "asap",
    "important:",
    "action required",
    "final reminder",
    "overdue",
    "deadline",
    "dringend",
    "eilt",
    "wichtig:",
    "mahnung",
    "frist",
    "urgente",
    "importante:",
];

/// The brief of what was fetched. The same input gives the same brief.
///
/// # Errors
/// `invalid_input` when the time zone is unknown.
pub fn build(input: &BriefInput) -> Result<Brief> {
    let window = Window::new(input.now, &input.time_zone)?;
    let mut brief = Brief::default();
    let mut messages: Vec<&BriefMessage> = input.messages.iter().collect();
    messages.sort_by(|a, b| (b.received, &a.id).cmp(&(a.received, &b.id)));
    let mut events: Vec<&BriefEvent> = input.events.iter().filter(|event| !event.cancelled).collect();
    events.sort_by_key(|event| {
        (
            matches!(event.when, EventSpan::Timed { .. }),
            window.instants(&event.when),
            event.id.clone(),
        )
    });

    for message in messages.iter().filter(|message| !is_own(message, input)) {
        brief.actions.extend(actions::of_message(message, &window));
    }
    brief.actions.extend(
        events
            .iter()
            .filter_map(|event| actions::of_event(event, &window)),
    );
    brief.inbox = inbox(&messages, &brief.actions, input, &window);
    brief.calendar = calendar(&events, input, &window);
    brief.actions.sort_by(|a, b| {
        let due = |item: &ActionItem| (item.due.is_none(), item.due.clone());
        b.confidence.cmp(&a.confidence).then_with(|| due(a).cmp(&due(b)))
    });
    brief.uncertainty = uncertainty(&messages, &brief, input);
    Ok(brief)
}

fn is_own(message: &BriefMessage, input: &BriefInput) -> bool {
    input
        .own_addresses
        .iter()
        .any(|own| own.eq_ignore_ascii_case(&message.from_email))
}

fn inbox(
    messages: &[&BriefMessage],
    actions: &[ActionItem],
    input: &BriefInput,
    window: &Window,
) -> InboxBrief {
    let since = input.since.unwrap_or_else(|| input.now - Duration::hours(24));
    let mut inbox = InboxBrief::default();
    for message in messages.iter().filter(|message| !is_own(message, input)) {
        let item = InboxItem {
            source_ref: message.source_ref(),
            from: message.from.clone(),
            subject: message.subject.clone(),
            received: message.received.map(|at| window.local(at.to_utc())),
            why: None,
        };
        if message.received.is_some_and(|at| at > since) {
            inbox.new.push(item.clone());
        }
        if message.unread {
            inbox.unread.push(item.clone());
        }
        if let Some(why) = priority(message, actions, window) {
            inbox.high_priority.push(InboxItem {
                why: Some(why),
                ..item
            });
        }
    }
    inbox
}

/// Why a message matters most, if it does. Bulk mail never does.
fn priority(message: &BriefMessage, actions: &[ActionItem], window: &Window) -> Option<String> {
    if message.bulk {
        return None;
    }
    let soon = window.local(window.now + Duration::hours(48));
    let asked = actions
        .iter()
        .filter(|item| item.source_ref == message.source_ref())
        .filter_map(|item| item.due.as_deref())
        .min();
    if let Some(due) = asked.filter(|due| due.get(..10) <= soon.get(..10)) {
        return Some(format!("asks for something by {}", spoken(due)));
    }
    let subject = message.subject.to_lowercase();
    if let Some(word) = URGENT.iter().find(|word| subject.contains(*word)) {
        return Some(format!(
            "its subject says \u{201c}{}\u{201d}",
            word.trim_end_matches(':')
        ));
    }
    (message.important && message.unread).then(|| "marked as important and unread".to_owned())
}

fn calendar(events: &[&BriefEvent], input: &BriefInput, window: &Window) -> CalendarBrief {
    let mut calendar = CalendarBrief::default();
    let mut near: Vec<&BriefEvent> = Vec::new();
    for event in events {
        let (today, next) = (
            window.touches_today(&event.when),
            window.touches_next_24h(&event.when),
        );
        if today {
            calendar.today.push(item(event, window));
        }
        if next {
            calendar.next_24h.push(item(event, window));
        }
        if (today || next) && window.instants(&event.when).1 > window.now {
            near.push(event);
        }
    }
    for overlap in conflicts::overlaps(near.iter().copied()) {
        calendar.conflicts.push(Conflict {
            refs: vec![overlap.first.source_ref(), overlap.second.source_ref()],
            start: window.local(overlap.start),
            end: window.local(overlap.end),
            note: "two events overlap".to_owned(),
        });
    }
    for event in near
        .iter()
        .filter(|event| blocks(event) && matches!(event.when, EventSpan::Timed { .. }))
    {
        let (from, to) = window.instants(&event.when);
        for busy in &input.busy {
            let BriefBusy::Interval {
                calendar: name,
                start,
                end,
            } = busy
            else {
                continue;
            };
            let (start, end) = (start.to_utc(), end.to_utc());
            // The same times are most likely the same event, seen in the other calendar.
            if start < to
                && from < end
                && (start, end) != (from, to)
                && calendar.conflicts.len() < MAX_OVERLAPS
            {
                calendar.conflicts.push(Conflict {
                    refs: vec![event.source_ref()],
                    start: window.local(from.max(start)),
                    end: window.local(to.min(end)),
                    note: format!("falls into a busy time of {name}"),
                });
            }
        }
    }
    calendar
        .conflicts
        .sort_by(|a, b| (&a.start, &a.refs).cmp(&(&b.start, &b.refs)));
    calendar
}

fn item(event: &BriefEvent, window: &Window) -> CalendarItem {
    let (start, end, all_day) = match event.when {
        EventSpan::AllDay { start, end } => (start.to_string(), end.to_string(), true),
        EventSpan::Timed { start, end } => (window.local(start.to_utc()), window.local(end.to_utc()), false),
    };
    CalendarItem {
        source_ref: event.source_ref(),
        title: event.summary.clone(),
        start,
        end,
        all_day,
        location: event.location.clone(),
    }
}

fn uncertainty(messages: &[&BriefMessage], brief: &Brief, input: &BriefInput) -> Vec<String> {
    let mut notes = input.gaps.clone();
    let partial = messages.iter().filter(|message| message.partial).count();
    if partial > 0 {
        notes.push(format!(
            "Of {partial} of {} messages only a part was read: requests in the rest are not listed.",
            messages.len()
        ));
    }
    let undated = messages
        .iter()
        .filter(|message| message.received.is_none())
        .count();
    if undated > 0 {
        notes.push(format!(
            "{undated} of {} messages have no readable date: whether they are new is not known.",
            messages.len()
        ));
    }
    for busy in &input.busy {
        if let BriefBusy::Unknown { calendar, reason } = busy {
            notes.push(format!(
                "The busy times of {calendar} could not be read ({reason}): it is not known to be free."
            ));
        }
    }
    if brief.calendar.conflicts.len() >= MAX_OVERLAPS {
        notes.push(format!("Only the first {MAX_OVERLAPS} conflicts are listed."));
    }
    notes
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
