//! The brief as Markdown, for channels. What others wrote is escaped, so that it cannot make links or headings.

use std::fmt::Write as _;

use super::moment::{day, spoken, spoken_words};
use super::report::{Brief, CalendarItem, Confidence, InboxItem};

impl Brief {
    /// Four sections: Inbox, Calendar, Action items, Not certain. Every line ends with its reference; empty sections say so.
    pub fn to_markdown(&self) -> String {
        let mut out = String::new();
        self.inbox_section(&mut out);
        self.calendar_section(&mut out);
        self.actions_section(&mut out);
        if !self.uncertainty.is_empty() {
            out.push_str("\n## Not certain\n\n");
            for note in &self.uncertainty {
                line(&mut out, &escaped(note), None);
            }
        }
        out
    }

    fn inbox_section(&self, out: &mut String) {
        let inbox = &self.inbox;
        let _ = writeln!(
            out,
            "## Inbox\n\n{} new, {} unread, {} of high priority\n",
            inbox.new.len(),
            inbox.unread.len(),
            inbox.high_priority.len()
        );
        let mut shown: Vec<&str> = Vec::new();
        for (marked, items) in [
            (true, &inbox.high_priority),
            (false, &inbox.new),
            (false, &inbox.unread),
        ] {
            for item in items {
                if !shown.contains(&item.source_ref.as_str()) {
                    shown.push(&item.source_ref);
                    line(out, &message(item, marked), Some(&item.source_ref));
                }
            }
        }
    }

    fn calendar_section(&self, out: &mut String) {
        out.push_str("\n## Calendar\n\n");
        let calendar = &self.calendar;
        if calendar.today.is_empty() && calendar.next_24h.is_empty() {
            out.push_str("Nothing today and in the next 24 hours.\n");
        }
        for item in &calendar.today {
            line(out, &event(item, false), Some(&item.source_ref));
        }
        for item in calendar.next_24h.iter().filter(|item| {
            !calendar
                .today
                .iter()
                .any(|known| known.source_ref == item.source_ref)
        }) {
            line(out, &event(item, true), Some(&item.source_ref));
        }
        for conflict in &calendar.conflicts {
            let title = |source_ref: &&String| {
                let mut items = calendar.today.iter().chain(&calendar.next_24h);
                items
                    .find(|item| item.source_ref == **source_ref)
                    .map(|item| escaped(&item.title))
            };
            let titles: Vec<String> = conflict
                .refs
                .iter()
                .filter_map(|source_ref| title(&source_ref))
                .collect();
            let today = conflict.refs.iter().any(|source_ref| {
                let mut items = calendar.today.iter();
                items.any(|item| item.source_ref == *source_ref)
            });
            let mut when = span(&conflict.start, &conflict.end);
            if !today {
                when = format!("{} {when}", escaped(&day(&conflict.start)));
            }
            let text = format!(
                "**Conflict** {when}: {}: {}",
                titles.join(" / "),
                escaped(&conflict.note)
            );
            line(out, &text, Some(&conflict.refs.join(", ")));
        }
    }

    fn actions_section(&self, out: &mut String) {
        out.push_str("\n## Action items\n\n");
        if self.actions.is_empty() {
            out.push_str("None found.\n");
        }
        for action in &self.actions {
            let mut text = escaped(&action.task);
            if let Some(due) = &action.due {
                let _ = write!(text, " — due {}", escaped(&spoken(due)));
            }
            if action.confidence == Confidence::Low {
                text.push_str(" (perhaps)");
            }
            line(out, &text, Some(&action.source_ref));
        }
    }
}

fn message(item: &InboxItem, marked: bool) -> String {
    let subject = if item.subject.trim().is_empty() {
        "(no subject)".to_owned()
    } else {
        escaped(&item.subject)
    };
    let subject = if marked { format!("**{subject}**") } else { subject };
    let mut text = if item.from.is_empty() {
        subject
    } else {
        format!("{subject} — {}", escaped(&item.from))
    };
    if let Some(why) = item.why.as_deref().filter(|_| marked) {
        let _ = write!(text, ": {}", escaped(&spoken_words(why)));
    }
    text
}

fn event(item: &CalendarItem, with_day: bool) -> String {
    let title = if item.title.trim().is_empty() {
        "(no title)".to_owned()
    } else {
        escaped(&item.title)
    };
    let when = match (item.all_day, with_day) {
        (true, false) => "all day".to_owned(),
        (true, true) => format!("{}, all day", escaped(&day(&item.start))),
        (false, false) => span(&item.start, &item.end),
        (false, true) => format!("{} {}", escaped(&day(&item.start)), span(&item.start, &item.end)),
    };
    match item.location.as_deref().filter(|place| !place.trim().is_empty()) {
        Some(place) => format!("{when} {title} ({})", escaped(place)),
        None => format!("{when} {title}"),
    }
}

/// `09:00–10:00`, or `09:00–Tue 6 Jan 10:00` where it ends on another day.
fn span(start: &str, end: &str) -> String {
    let clock = |time: &str| time.get(11..16).map(escaped);
    match (clock(start), clock(end)) {
        (Some(from), Some(to)) if start.get(..10) == end.get(..10) => format!("{from}–{to}"),
        (Some(from), Some(to)) => format!("{from}–{} {to}", escaped(&day(end))),
        _ => escaped(&day(start)),
    }
}

fn line(out: &mut String, text: &str, source_ref: Option<&str>) {
    let _ = match source_ref {
        Some(source_ref) => writeln!(out, "- {text} `{}`", source_ref.replace('`', "")),
        None => writeln!(out, "- {text}"),
    };
}

/// One line of text in which no character means anything to Markdown.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        let numbered = word
            .strip_suffix(['.', ')'])
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
        for (at, c) in word.char_indices() {
            let starts_block = at == 0 && out.is_empty() && matches!(c, '#' | '+' | '-' | '>' | '=');
            let ends_number = numbered && out.len() + 1 == word.len() && matches!(c, '.' | ')');
            if starts_block
                || ends_number
                || matches!(
                    c,
                    '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '|' | '!'
                )
            {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}
