//! What the stand-in has to say: only what it was given. It finds references (`gmail:<id>`, `gcal:<id>`), the facts beside
//! them, and quotes.

use serde_json::Value;

/// One thing that was given, with the reference that stood beside it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Item {
    /// Such as `gmail:18c2`.
    pub(super) reference: String,
    pub(super) title: Option<String>,
    pub(super) from: Option<String>,
    pub(super) time: Option<String>,
    pub(super) end: Option<String>,
    pub(super) place: Option<String>,
    /// Everything that stood with it, in lower case, for words such as "unread".
    pub(super) words: String,
}

impl Item {
    pub(super) fn is_mail(&self) -> bool {
        self.reference.starts_with("gmail:")
    }

    /// The title, or else the reference: something is always said.
    pub(super) fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.reference)
    }

    /// Whether it asks somebody to do something.
    pub(super) fn is_task(&self) -> bool {
        const ASKS: &[&str] = &[
            "please",
            "can you",
            "could you",
            "by friday",
            "deadline",
            "due",
            "todo",
            "action",
            "review",
            "confirm",
            "reply by",
        ];
        ASKS.iter().any(|ask| self.words.contains(ask))
    }
}

/// All texts of a request, in order, one per line end.
pub(super) fn prompt(request: &Value) -> String {
    let mut text = String::new();
    for message in request["messages"].as_array().into_iter().flatten() {
        text.push_str(&said(message));
        text.push_str("\n\n");
    }
    text
}

/// What one message says.
pub(super) fn said(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

/// The items of a prompt, each reference once, in the order in which they come. An item's facts stand in the lines around its
/// reference: from the empty line, or the line with the reference before, to the next.
pub(super) fn items(prompt: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for paragraph in prompt.split("\n\n") {
        let lines: Vec<&str> = paragraph.lines().map(str::trim).collect();
        let marks: Vec<(usize, String)> = lines
            .iter()
            .enumerate()
            .flat_map(|(place, line)| references(line).into_iter().map(move |found| (place, found)))
            .collect();
        for (number, (place, reference)) in marks.iter().enumerate() {
            // A paragraph with one reference is about it; with several, each has the lines up to the next.
            let from = if number == 0 { 0 } else { *place };
            let to = marks
                .get(number + 1)
                .map_or(lines.len(), |(next, _)| (*next).max(place + 1));
            let item = item(reference, &lines[from.min(*place)..to]);
            match items.iter_mut().find(|known| known.reference == *reference) {
                None => items.push(item),
                Some(known) if known.title.is_none() && item.title.is_some() => *known = item,
                Some(_) => {}
            }
        }
    }
    items
}

/// References in a line.
fn references(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for kind in ["gmail:", "gcal:"] {
        for (place, _) in line.match_indices(kind) {
            let begins = line[..place]
                .chars()
                .next_back()
                .is_none_or(|before| !before.is_alphanumeric());
            let id: String = line[place + kind.len()..]
                .chars()
                .take_while(|letter| letter.is_ascii_alphanumeric() || "_-.@".contains(*letter))
                .collect();
            let id = id.trim_end_matches(['.', '-']);
            if begins && !id.is_empty() {
                found.push((place, format!("{kind}{id}")));
            }
        }
    }
    found.sort();
    found.into_iter().map(|(_, reference)| reference).collect()
}

fn item(reference: &str, lines: &[&str]) -> Item {
    let mut item = Item {
        reference: reference.to_owned(),
        words: lines.join(" ").to_lowercase(),
        ..Item::default()
    };
    for line in lines {
        for (name, value) in fields(line) {
            let slot = match name.as_str() {
                "subject" | "title" | "summary" | "event" => &mut item.title,
                "from" | "sender" | "organizer" | "organiser" => &mut item.from,
                "date" | "time" | "start" | "starts" | "when" | "received" | "received_at" | "due" => {
                    &mut item.time
                }
                "end" | "ends" => &mut item.end,
                "location" | "place" | "where" => &mut item.place,
                _ => continue,
            };
            if slot.is_none() {
                *slot = Some(value);
            }
        }
    }
    if item.title.is_none() {
        // What stands in the reference's own line, without the reference.
        let own = lines
            .iter()
            .find(|line| line.contains(reference))
            .copied()
            .unwrap_or_default();
        let rest = own.replace(reference, "");
        let rest = rest.split(" | ").next().unwrap_or_default();
        let rest = rest.trim_matches(|letter: char| !letter.is_alphanumeric());
        item.title = Some(short(rest)).filter(|rest| !rest.is_empty() && !rest.eq_ignore_ascii_case("id"));
    }
    item
}

/// `Name: value` of a line, of a list item, of a table's cell after `|`, or of a line of JSON.
fn fields(line: &str) -> Vec<(String, String)> {
    line.split(" | ")
        .filter_map(|cell| {
            let (name, value) = cell.split_once(':')?;
            let name = name
                .trim_matches(|letter: char| !letter.is_alphanumeric())
                .to_lowercase();
            let value = value.trim().trim_end_matches(',').trim_matches(['"', '*']).trim();
            (!value.is_empty() && name.len() <= 20).then(|| (name, short(value)))
        })
        .collect()
}

/// The first 160 characters: a quote, not a copy.
fn short(text: &str) -> String {
    let text = text.trim();
    if text.chars().count() <= 160 {
        return text.to_owned();
    }
    text.chars().take(159).chain(['…']).collect()
}

/// What the stand-in says of itself at the end of each answer.
pub(super) const CONFESSION: &str = "Written by a stand-in model, which only quotes what it was given.";

/// The answer as text.
pub(super) fn text(request: &Value) -> String {
    let messages = request["messages"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let items = items(&prompt(request));
    let mut lines = Vec::new();
    section(&mut lines, "Inbox", items.iter().filter(|item| item.is_mail()));
    section(
        &mut lines,
        "Calendar",
        items.iter().filter(|item| !item.is_mail()),
    );
    section(
        &mut lines,
        "Action items",
        items.iter().filter(|item| item.is_task()),
    );
    if lines.is_empty() {
        let results: Vec<String> = messages
            .iter()
            .rev()
            .take_while(|message| message["role"] == "tool")
            .map(said)
            .collect();
        if results.is_empty() {
            let asked = messages
                .iter()
                .rev()
                .find(|message| message["role"] == "user")
                .map(said);
            lines.push(format!(
                "You wrote: {}",
                short(asked.unwrap_or_default().lines().next().unwrap_or_default())
            ));
        } else {
            lines.extend(
                results
                    .iter()
                    .rev()
                    .map(|result| format!("The tool says: {}", short(result))),
            );
        }
    }
    lines.push(String::new());
    lines.push(format!("_{CONFESSION}_"));
    lines.join("\n")
}

fn section<'a>(lines: &mut Vec<String>, title: &str, items: impl Iterator<Item = &'a Item>) {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return;
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines.push(format!("**{title}**"));
    for item in items {
        let mut line = format!("- {}", item.title());
        for fact in [&item.from, &item.time, &item.place].into_iter().flatten() {
            line.push_str(" · ");
            line.push_str(fact);
        }
        lines.push(format!("{line} ({})", item.reference));
    }
}

#[cfg(test)]
mod tests {
    use super::{items, text};
    use serde_json::json;

    const PROMPT: &str = "Mail:\n\n\
        - gmail:18c2\n  From: Ann <ann@example.com>\n  Subject: Please review the offer\n  Date: 2026-11-20\n\
        - gmail:18c3\n  From: Bob\n  Subject: Lunch\n\n\
        [gcal:ev_1] Team meeting | Start: 2026-11-21T09:00 | Location: Room 2\n";

    #[test]
    fn references_and_the_facts_beside_them_are_found() {
        let items = items(PROMPT);
        let found: Vec<_> = items
            .iter()
            .map(|item| (item.reference.as_str(), item.title()))
            .collect();
        assert_eq!(
            found,
            [
                ("gmail:18c2", "Please review the offer"),
                ("gmail:18c3", "Lunch"),
                ("gcal:ev_1", "Team meeting"),
            ]
        );
        assert_eq!(items[0].from.as_deref(), Some("Ann <ann@example.com>"));
        assert_eq!(items[2].time.as_deref(), Some("2026-11-21T09:00"));
    }

    #[test]
    fn the_answer_quotes_and_confesses() {
        let answer = text(&json!({"messages": [{"role": "user", "content": PROMPT}]}));
        assert!(
            answer.contains("Please review the offer · Ann <ann@example.com> · 2026-11-20 (gmail:18c2)"),
            "{answer}"
        );
        assert!(
            answer.contains("**Action items**") && answer.contains("stand-in"),
            "{answer}"
        );
        let answer = text(&json!({"messages": [{"role": "user", "content": "Hello there"}]}));
        assert!(answer.starts_with("You wrote: Hello there"), "{answer}");
    }
}
