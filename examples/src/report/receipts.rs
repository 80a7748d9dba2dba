//! Receipts as a table: what was called, how often it was tried, what it waited for, what it moved, how it ended.

use nbhd_core::Receipt;
use nbhd_core::receipt::{Attempt, Wait};

use super::{Align, Paint, Table};

/// The table; calls of the same kind that ended the same way stand in one row.
pub fn receipts(receipts: &[Receipt], paint: Paint) -> String {
    let mut groups: Vec<Vec<&Receipt>> = Vec::new();
    for receipt in receipts {
        let alike = groups.iter_mut().find(|group| {
            group[0].operation == receipt.operation
                && group[0].outcome == receipt.outcome
                && (story(&group[0].attempts).is_empty() && story(&receipt.attempts).is_empty())
        });
        match alike {
            Some(group) => group.push(receipt),
            None => groups.push(vec![receipt]),
        }
    }
    let mut table = Table::new([
        ("operation", Align::Left),
        ("calls", Align::Right),
        ("attempts", Align::Right),
        ("waited", Align::Right),
        ("sent", Align::Right),
        ("received", Align::Right),
        ("time", Align::Right),
        ("outcome", Align::Left),
    ]);
    for group in &groups {
        let sum = |each: fn(&Receipt) -> u64| bytes(group.iter().map(|receipt| each(receipt)).sum());
        let attempts: usize = group.iter().map(|receipt| receipt.attempts.len()).sum();
        let first = group[0];
        table.row([
            first.operation.clone(),
            group.len().to_string(),
            attempts.to_string(),
            waited(group.iter().flat_map(|receipt| &receipt.waits)),
            sum(|receipt| receipt.bytes_sent),
            sum(|receipt| receipt.bytes_received),
            seconds(group.iter().map(|receipt| receipt.seconds).sum()),
            format!("{}{}", first.outcome, story(&first.attempts)),
        ]);
    }
    table.render(paint)
}

/// The statuses of the attempts, where it took more than good ones: ` (401, then refreshed, then 200)`.
fn story(attempts: &[Attempt]) -> String {
    let good =
        |attempt: &Attempt| attempt.error.is_none() && attempt.status.is_some_and(|status| status < 400);
    if attempts.iter().all(good) {
        return String::new();
    }
    let mut statuses: Vec<String> = Vec::new();
    for attempt in attempts {
        let status = match (attempt.status, &attempt.error) {
            (Some(_), None) if attempt.label == "google.token" => "refreshed".to_owned(),
            (Some(status), _) => status.to_string(),
            (None, Some(error)) => error.clone(),
            (None, None) => "no reply".to_owned(),
        };
        if statuses.last() != Some(&status) {
            statuses.push(status);
        }
    }
    format!(" ({})", statuses.join(", then "))
}

fn waited<'w>(waits: impl Iterator<Item = &'w Wait>) -> String {
    let (mut sum, mut causes) = (0.0, Vec::<&str>::new());
    for wait in waits {
        sum += wait.seconds;
        if !causes.contains(&wait.cause.as_str()) {
            causes.push(&wait.cause);
        }
    }
    if causes.is_empty() {
        return "-".to_owned();
    }
    format!("{} {}", seconds(sum), causes.join(", "))
}

pub(super) fn seconds(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.1} s")
    }
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0 => "-".to_owned(),
        1..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
