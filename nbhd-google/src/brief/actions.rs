//! Action items from what people wrote: extractive and deterministic. A sentence asks, or names a deadline, or neither;
//! nothing is inferred beyond that. The words of the task are the sender's.

use chrono::{DateTime, Utc};

use super::claims::claims_a_write;
use super::due::{self, Due};
use super::input::{BriefEvent, BriefMessage, ResponseStatus};
use super::report::{ActionItem, Confidence};
use super::window::Window;

/// Items per message: a longer list is a document, not a request.
const PER_MESSAGE: usize = 3;
/// Characters of a task.
const TASK_CHARS: usize = 200;
/// Characters of a message that are looked at.
const TEXT_CHARS: usize = 20_000;

/// What asks. Lower case.
const REQUESTS: &[&str] = &[
    "please ",
    "can you ",
    "could you ",
    "would you ",
    "will you ",
    "need you to ",
    "want you to ",
    "let me know",
    "let us know",
    "don't forget",
    "remember to ",
    "make sure ",
    "action required",
    "your approval",
    "get back to me",
    "bitte ",
    "kannst du ",
    "können sie ",
    "könntest du ",
    "könnten sie ",
    "gib mir bescheid",
    "geben sie mir bescheid",
    "merci de ",
    "pouvez-vous ",
    "peux-tu ",
    "pourriez-vous ",
    "veuillez ",
    "por favor",
    "puedes ",
    "podrías ",
    "podría ",
];
/// Courtesies and machine talk that look like requests. Lower case.
const COURTESIES: &[&str] = &[
    "please find",
    "please see attached",
    "please see below",
    "please do not reply",
    "please don't reply",
    "please do not hesitate",
    "please don't hesitate",
    "please feel free",
    "please note",
    "please contact us",
    "please consider the environment",
    "please ignore this",
    "please disregard",
    "please visit",
    "can you believe",
    "if you have any questions",
    "bitte beachten",
    "bitte nicht antworten",
    "bitte antworten sie nicht",
    "anbei",
    "bitte zögern",
    "unsubscribe",
    "privacy policy",
    "confidential",
    "intended recipient",
    "merci de ne pas répondre",
];

/// What one message asks for.
pub(super) fn of_message(message: &BriefMessage, window: &Window) -> Vec<ActionItem> {
    let mut items = Vec::new();
    if let Some(invitation) = message
        .invitation
        .as_ref()
        .filter(|invitation| invitation.method == "REQUEST")
    {
        let title = invitation
            .summary
            .as_deref()
            .filter(|title| !title.trim().is_empty())
            .unwrap_or(&message.subject);
        items.push(ActionItem {
            task: answer_task(title),
            due: invitation.start.clone(),
            confidence: Confidence::High,
            source_ref: message.source_ref(),
        });
    }
    if message.bulk {
        return items;
    }
    let written = message
        .received
        .map_or(window.now, |received| received.with_timezone(&Utc));
    for sentence in sentences(&message.text)
        .into_iter()
        .chain(std::iter::once(message.subject.clone()))
    {
        if items.len() >= PER_MESSAGE {
            break;
        }
        if let Some(item) = of_sentence(&sentence, message, written, window)
            && !items.iter().any(|known| known.task == item.task)
        {
            items.push(item);
        }
    }
    items
}

/// The answer that an invited event still waits for.
pub(super) fn of_event(event: &BriefEvent, window: &Window) -> Option<ActionItem> {
    let (start, end) = window.instants(&event.when);
    (event.response == ResponseStatus::NeedsAction && !event.cancelled && end > window.now).then(|| {
        ActionItem {
            task: answer_task(&event.summary),
            due: Some(window.local(start)),
            confidence: Confidence::High,
            source_ref: event.source_ref(),
        }
    })
}

fn of_sentence(
    sentence: &str,
    message: &BriefMessage,
    written: DateTime<Utc>,
    window: &Window,
) -> Option<ActionItem> {
    let lower = sentence.to_lowercase();
    if COURTESIES.iter().any(|courtesy| lower.contains(courtesy)) {
        return None;
    }
    let request = REQUESTS
        .iter()
        .filter_map(|request| starts(&lower, request))
        .min();
    let due = due::find(sentence, written.with_timezone(&window.zone).date_naive());
    let confidence = match (request, &due) {
        (Some(_), Some(_)) => Confidence::High,
        (Some(_), None) => Confidence::Medium,
        (None, Some(due)) if due.marked => Confidence::Low,
        _ => return None,
    };
    // Lower-casing can change lengths in some scripts: cut only where it did not.
    let from = request.filter(|_| lower.len() == sentence.len()).unwrap_or(0);
    let task = capital(short(sentence.get(from..).unwrap_or(sentence)).trim());
    if task.chars().count() < 8 || !may_be_said(&task) {
        return None;
    }
    Some(ActionItem {
        task,
        due: due.map(|due| written_out(due, window)),
        confidence,
        source_ref: message.source_ref(),
    })
}

fn answer_task(title: &str) -> String {
    let title = short(title);
    if title.is_empty() || !may_be_said(&title) {
        "Answer the invitation".to_owned()
    } else {
        format!("Answer the invitation: {title}")
    }
}

/// Foreign words that would read as a claim or as a reference of our own are not repeated.
fn may_be_said(words: &str) -> bool {
    !claims_a_write(words) && !words.contains("gmail:") && !words.contains("gcal:")
}

/// Where the request begins, at the begin of a word.
fn starts(lower: &str, request: &str) -> Option<usize> {
    lower.match_indices(request).map(|(at, _)| at).find(|at| {
        lower[..*at]
            .chars()
            .next_back()
            .is_none_or(|before| !before.is_alphanumeric())
    })
}

fn written_out(due: Due, window: &Window) -> String {
    due.moment()
        .map_or_else(|| due.day.to_string(), |moment| window.at_local(moment))
}

/// Sentences of plain text: wrapped lines are joined, list items and paragraphs kept apart, quoted lines left out.
fn sentences(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current = String::new();
    let end = text
        .char_indices()
        .nth(TEXT_CHARS)
        .map_or(text.len(), |(at, _)| at);
    for line in text[..end].lines() {
        let line = line.trim();
        let item = line.starts_with(['-', '*', '•'])
            || line.split_once(['.', ')']).is_some_and(|(number, _)| {
                !number.is_empty() && number.len() <= 2 && number.bytes().all(|byte| byte.is_ascii_digit())
            });
        if line.is_empty() || line.starts_with('>') || item {
            flush(&mut current, &mut found);
        }
        if line.is_empty() || line.starts_with('>') {
            continue;
        }
        for word in line.trim_start_matches(['-', '*', '•', ' ']).split_whitespace() {
            if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(word);
            if ends_sentence(word) {
                flush(&mut current, &mut found);
            }
        }
    }
    flush(&mut current, &mut found);
    found
}

fn ends_sentence(word: &str) -> bool {
    if word.ends_with(['!', '?', '。', '？', '！']) {
        return true;
    }
    // "e.g.", "5 p.m.", "3." and "15.01." do not end a sentence.
    word.strip_suffix('.').is_some_and(|stem| {
        stem.chars().count() > 2 && !stem.contains('.') && !stem.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn flush(current: &mut String, found: &mut Vec<String>) {
    if !current.is_empty() {
        found.push(std::mem::take(current));
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(TASK_CHARS) {
        Some((at, _)) => format!("{}…", text[..at].trim_end()),
        None => text.trim().to_owned(),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}
