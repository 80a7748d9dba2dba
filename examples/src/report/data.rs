//! What was found in the data, what was read of it, and what was left out for which reason.

use std::fmt::Write as _;

use nbhd_google::testkit::{CalendarReport, MailboxReport};
use serde::Serialize;

use super::Paint;

/// How many reasons for skipping are shown, and how many names beside each; all of them stand in the JSON.
const REASONS: usize = 8;
const NAMES: usize = 4;

/// The reports of both.
#[derive(Debug, Clone, Serialize)]
pub struct DataReport {
    /// The mail; absent where the real mailbox is read.
    pub mailbox: Option<MailboxReport>,
    /// The calendar; absent where the real one is read.
    pub calendar: Option<CalendarReport>,
    /// Whether the mail is the sample.
    pub sample_mail: bool,
    /// Whether the calendar is the sample.
    pub sample_calendar: bool,
}

/// Two lines, and one for each thing that was skipped.
pub fn data(report: &DataReport, paint: Paint) -> String {
    let mut text = String::new();
    if let Some(mailbox) = &report.mailbox {
        let path = place(report.sample_mail, &mailbox.path);
        let formats = formats(mailbox);
        let rest = mailbox.found - mailbox.parsed;
        let counts = format!(
            "{} found, {} parsed, {rest} skipped{formats}",
            many(mailbox.found, "message"),
            mailbox.parsed
        );
        text.push_str(&line("Mailbox", path, &counts));
        let skipped = mailbox.skipped.iter().map(|skipped| {
            let name = within(&mailbox.path, &skipped.path);
            let name = match skipped.number {
                Some(number) => format!("message {number} of {name}"),
                None => name.to_owned(),
            };
            (name, skipped.reason.as_str())
        });
        text.push_str(&left_out(skipped, paint));
    }
    if let Some(calendar) = &report.calendar {
        let path = place(report.sample_calendar, &calendar.path);
        let counts = format!(
            "{} found, {} read, {} skipped",
            many(calendar.found, "event"),
            calendar.parsed,
            calendar.skipped.len()
        );
        text.push_str(&line("Calendar", path, &counts));
        let skipped = calendar
            .skipped
            .iter()
            .map(|skipped| (format!("event {}", skipped.number), skipped.reason.as_str()));
        text.push_str(&left_out(skipped, paint));
    }
    text
}

fn place(sample: bool, path: &str) -> &str {
    if sample { "sample" } else { path }
}

fn line(what: &str, path: &str, counts: &str) -> String {
    format!("{what:<10}{path}: {counts}\n")
}

/// ` in 3 files (2 mbox, 1 message)`, where there is more to say than one file.
fn formats(mailbox: &MailboxReport) -> String {
    if mailbox.files < 2 {
        return String::new();
    }
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for source in &mailbox.sources {
        match kinds.iter_mut().find(|(kind, _)| *kind == source.format) {
            Some((_, count)) => *count += 1,
            None => kinds.push((&source.format, 1)),
        }
    }
    let kinds: Vec<String> = kinds
        .into_iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    format!(
        "; {} of {} hold mail ({})",
        mailbox.sources.len(),
        many(mailbox.files, "file"),
        kinds.join(", ")
    )
}

fn many(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// The path as it is seen from the mailbox.
fn within<'p>(mailbox: &str, path: &'p str) -> &'p str {
    let rest = path.strip_prefix(mailbox).unwrap_or(path).trim_start_matches('/');
    if rest.is_empty() { path } else { rest }
}

/// One line a reason, the most frequent first.
fn left_out<'r>(skipped: impl Iterator<Item = (String, &'r str)>, paint: Paint) -> String {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for (name, reason) in skipped {
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(name),
            None => reasons.push((reason, vec![name])),
        }
    }
    reasons.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    let mut text = String::new();
    for (reason, names) in reasons.iter().take(REASONS) {
        let mut line = names.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", ");
        if names.len() > NAMES {
            let _ = write!(line, " and {} more", names.len() - NAMES);
        }
        text.push_str(&paint.dim(&format!("  skipped {line}: {reason}")));
        text.push('\n');
    }
    if reasons.len() > REASONS {
        let line = format!(
            "  … and {} more reasons: --json has all of them",
            reasons.len() - REASONS
        );
        text.push_str(&paint.dim(&line));
        text.push('\n');
    }
    text
}
