//! From what the clients fetch to what a brief is made from.

use chrono::{DateTime, FixedOffset};
use nbhd_core::Timestamp;

use super::input::{BriefBusy, BriefEvent, BriefInput, BriefMessage, EventSpan, ResponseStatus};
use crate::calendar::{Event, EventStatus, EventTime, FreeBusyAnswer};
use crate::gmail::{Message, MessageCard};

impl From<&Message> for BriefMessage {
    fn from(message: &Message) -> Self {
        let mut brief = Self::from_mail(
            &message.id,
            &message.header,
            &message.body,
            message.internal_date.map(instant),
        );
        brief.unread = message.unread;
        brief.important = important(&message.labels);
        brief
    }
}

impl From<&MessageCard> for BriefMessage {
    /// Its text is the snippet, and so only a part.
    fn from(card: &MessageCard) -> Self {
        let from = card.from.clone().unwrap_or_default();
        let name = if from.name.is_empty() {
            from.email.clone()
        } else {
            from.name
        };
        let mut brief = Self::new(&card.id)
            .with_from(name, from.email)
            .with_text(&card.snippet);
        brief.subject = card.subject.clone().unwrap_or_default();
        brief.partial = true;
        brief.unread = card.unread;
        brief.important = important(&card.labels);
        brief.bulk = card.bulk;
        brief.received = card
            .internal_date
            .map(instant)
            .or_else(|| DateTime::parse_from_rfc3339(card.date.as_deref()?).ok());
        brief
    }
}

impl BriefEvent {
    /// From a fetched event; `None` for one that has no time, which is how Google tells of a cancelled one.
    pub fn from_event(event: &Event) -> Option<Self> {
        let when = match (event.start.as_ref()?, event.end.as_ref()?) {
            (EventTime::AllDay { date: start }, EventTime::AllDay { date: end }) => EventSpan::AllDay {
                start: *start,
                end: *end,
            },
            (EventTime::Timed { at: start, .. }, EventTime::Timed { at: end, .. }) => EventSpan::Timed {
                start: *start,
                end: *end,
            },
            _ => return None,
        };
        let mut brief = Self::new(&event.id, event.title.clone().unwrap_or_default(), when);
        brief.location.clone_from(&event.location);
        brief.attendees = event
            .attendees
            .iter()
            .filter_map(|attendee| attendee.email.clone())
            .collect();
        brief.response = match event.response.as_deref() {
            Some("accepted") => ResponseStatus::Accepted,
            Some("declined") => ResponseStatus::Declined,
            Some("tentative") => ResponseStatus::Tentative,
            Some("needsAction") => ResponseStatus::NeedsAction,
            _ => ResponseStatus::None,
        };
        brief.transparent = !event.busy;
        brief.cancelled = event.status == EventStatus::Cancelled;
        Some(brief)
    }
}

impl BriefInput {
    /// Adds fetched events.
    pub fn with_calendar<'e>(mut self, events: impl IntoIterator<Item = &'e Event>) -> Self {
        self.events
            .extend(events.into_iter().filter_map(BriefEvent::from_event));
        self
    }

    /// Adds the busy times of other calendars. Calendars that could not be read are named as unknown, never as free.
    pub fn with_free_busy(mut self, answer: &FreeBusyAnswer) -> Self {
        for (calendar, times) in &answer.calendars {
            if let Some(problem) = times.problems.first() {
                self.busy.push(BriefBusy::Unknown {
                    calendar: calendar.clone(),
                    reason: problem.reason.clone(),
                });
                continue;
            }
            self.busy
                .extend(times.busy.iter().map(|busy| BriefBusy::Interval {
                    calendar: calendar.clone(),
                    start: busy.start,
                    end: busy.end,
                }));
        }
        self
    }
}

fn important(labels: &[String]) -> bool {
    labels
        .iter()
        .any(|label| label == "IMPORTANT" || label == "STARRED")
}

fn instant(at: Timestamp) -> DateTime<FixedOffset> {
    at.fixed_offset()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::brief::{BriefEvent, BriefMessage, EventSpan, ResponseStatus};
    use crate::calendar::Event;
    use crate::gmail::MessageCard;

    fn event(start: &serde_json::Value, end: &serde_json::Value) -> Event {
        serde_json::from_value(json!({
            "id": "e", "trust": "untrusted", "title": "Plan", "status": "cancelled", "busy": false, "response": "needsAction",
            "start": start, "end": end, "attendees": [], "attendees_omitted": false, "kind": "default",
        }))
        .expect("an event")
    }

    #[test]
    fn events_keep_days_and_moments_apart() {
        let day = |date| json!({"type": "all_day", "date": date});
        let brief = BriefEvent::from_event(&event(&day("2026-01-05"), &day("2026-01-06"))).expect("a day");
        assert!(matches!(brief.when, EventSpan::AllDay { .. }));
        assert!(brief.transparent && brief.cancelled);
        assert_eq!(brief.response, ResponseStatus::NeedsAction);
        let moment = json!({"type": "timed", "at": "2026-01-05T09:00:00+01:00"});
        assert!(matches!(
            BriefEvent::from_event(&event(&moment, &moment))
                .expect("a time")
                .when,
            EventSpan::Timed { .. }
        ));
        assert!(BriefEvent::from_event(&event(&serde_json::Value::Null, &moment)).is_none());
    }

    #[test]
    fn a_card_is_only_a_part() {
        let card: MessageCard = serde_json::from_value(json!({
            "id": "m", "thread_id": "t", "trust": "untrusted", "subject": "Hi", "from": {"name": "", "email": "a@x.org"}, "to": [], "cc": [],
            "snippet": "please", "labels": ["STARRED", "UNREAD"], "unread": true, "size": 1, "bulk": true, "date": "2026-01-05T09:00:00+01:00",
        }))
        .expect("a card");
        let brief = BriefMessage::from(&card);
        assert_eq!(
            (brief.from.as_str(), brief.partial, brief.important, brief.bulk),
            ("a@x.org", true, true, true)
        );
        assert!(brief.received.is_some());
    }
}
