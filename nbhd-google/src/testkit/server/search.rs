//! Gmail's search box, as much of it as assistants use. <https://support.google.com/mail/answer/7190>
//!
//! Words stand for `and`; `OR` joins two neighbours; `-` denies; `"…"` is a phrase. Operators: `from: to: cc: bcc: subject:
//! label: in: is: has:attachment newer_than: older_than: after: before: rfc822msgid: category:`. An operator that is not
//! among these counts as a word, as in Gmail.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use mail_parser::{MessageParser, MimeHeaders};

use crate::testkit::StoredMessage;

/// A question: every group must hold, of a group one term.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Search {
    groups: Vec<Vec<Term>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Term {
    denied: bool,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    From(String),
    To(String),
    Subject(String),
    Words(String),
    MessageId(String),
    Label(String),
    Read,
    Anywhere,
    Attachment,
    After(i64),
    Before(i64),
}

impl Search {
    /// Reads a question. `user_labels` are the names of the user's own labels.
    pub(super) fn parse(text: &str, now: DateTime<Utc>) -> Self {
        let mut groups: Vec<Vec<Term>> = Vec::new();
        let mut or = false;
        for word in words(text) {
            if word == "OR" && !groups.is_empty() {
                or = true;
                continue;
            }
            let denied = word.len() > 1 && word.starts_with('-');
            let term = Term {
                denied,
                test: test(word.strip_prefix('-').filter(|_| denied).unwrap_or(&word), now),
            };
            match groups.last_mut() {
                Some(group) if or => group.push(term),
                _ => groups.push(vec![term]),
            }
            or = false;
        }
        Self { groups }
    }

    /// Whether the question asks for spam and trash, which are left out otherwise.
    pub(super) fn asks_for(&self, label: &str) -> bool {
        self.groups.iter().flatten().any(|term| {
            !term.denied && (term.test == Test::Anywhere || term.test == Test::Label(label.to_lowercase()))
        })
    }

    pub(super) fn matches(&self, message: &StoredMessage) -> bool {
        self.groups
            .iter()
            .all(|group| group.iter().any(|term| term.test.holds(message) != term.denied))
    }
}

impl Test {
    fn holds(&self, message: &StoredMessage) -> bool {
        let seconds = message.internal_date_ms.div_euclid(1000);
        match self {
            Test::From(who) => message.index.from.contains(who),
            Test::To(who) => message.index.to.contains(who),
            Test::Subject(words) => message.index.subject.contains(words),
            Test::Words(words) => {
                let index = &message.index;
                [&index.subject, &index.from, &index.to]
                    .iter()
                    .any(|text| text.contains(words))
                    || message.words().contains(words)
            }
            Test::MessageId(id) => message.index.message_id.as_deref() == Some(id),
            Test::Label(label) => message.labels.iter().any(|have| label_word(have) == *label),
            Test::Read => !message.labels.iter().any(|label| label == "UNREAD"),
            Test::Anywhere => true,
            Test::Attachment => has_attachment(message),
            Test::After(second) => seconds >= *second,
            Test::Before(second) => seconds < *second,
        }
    }
}

fn has_attachment(message: &StoredMessage) -> bool {
    let parsed = MessageParser::default().parse(&message.raw[..]);
    parsed.is_some_and(|parsed| parsed.attachments().any(|part| part.attachment_name().is_some()))
}

/// A label's name as it is searched for: lower case, blanks and slashes as dashes.
fn label_word(label: &str) -> String {
    label.to_lowercase().replace([' ', '/'], "-")
}

/// Splits at blanks, except inside quotes.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            letter if letter.is_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
            // Groups are read as their words: of a group in braces that is too strict, never too wide.
            '(' | ')' | '{' | '}' if !quoted => {}
            letter => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

fn test(word: &str, now: DateTime<Utc>) -> Test {
    let lower = word.to_lowercase();
    let Some((operator, value)) = lower.split_once(':').filter(|(_, value)| !value.is_empty()) else {
        return Test::Words(lower);
    };
    let value = value.to_owned();
    let label = |name: &str| Test::Label(name.to_owned());
    match (operator, value.as_str()) {
        ("from", _) => Test::From(value),
        ("to" | "cc" | "bcc" | "deliveredto", _) => Test::To(value),
        ("subject", _) => Test::Subject(value),
        ("category", "primary") => label("category_personal"),
        ("category", _) => Test::Label(format!("category_{value}")),
        ("in", "anywhere") => Test::Anywhere,
        ("in", "drafts") => label("draft"),
        ("label" | "in", _) => Test::Label(label_word(&value)),
        ("is", "read") => Test::Read,
        ("is", "unread" | "starred" | "important") => Test::Label(value),
        ("has", "attachment") => Test::Attachment,
        // Message ids are the one thing in which case counts.
        ("rfc822msgid", _) => {
            let id = word.split_once(':').map_or("", |(_, id)| id);
            Test::MessageId(id.trim_matches(['<', '>']).to_owned())
        }
        ("newer_than", _) => {
            span(&value).map_or(Test::Words(lower), |span| Test::After((now - span).timestamp()))
        }
        ("older_than", _) => {
            span(&value).map_or(Test::Words(lower), |span| Test::Before((now - span).timestamp()))
        }
        ("after" | "newer", _) => second(&value).map_or(Test::Words(lower), Test::After),
        ("before" | "older", _) => second(&value).map_or(Test::Words(lower), Test::Before),
        _ => Test::Words(lower),
    }
}

/// `3d`, `2m`, `1y`; a month counts 30 days.
fn span(value: &str) -> Option<Duration> {
    let unit = value.chars().last()?;
    let count: i64 = value
        .strip_suffix(unit)?
        .parse()
        .ok()
        .filter(|count| *count < 10_000)?;
    match unit {
        'd' => Some(Duration::days(count)),
        'm' => Some(Duration::days(count * 30)),
        'y' => Some(Duration::days(count * 365)),
        _ => None,
    }
}

/// `2026/11/21`, with dashes, or seconds since 1970. Days are UTC here.
fn second(value: &str) -> Option<i64> {
    if value.len() > 8 && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return value.parse().ok();
    }
    let date = NaiveDate::parse_from_str(&value.replace('/', "-"), "%Y-%m-%d").ok()?;
    Some(NaiveDateTime::new(date, NaiveTime::MIN).and_utc().timestamp())
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};

    use super::Search;
    use crate::testkit::Mailbox;

    #[test]
    fn questions_are_answered() {
        let mailbox = Mailbox::from_messages([
            b"From: Ada <ada@example.com>\nTo: me@example.com\nSubject: Budget plan\nMessage-ID: <Q1@x>\nDate: 20 Nov 2026 10:00:00 +0000\nX-Gmail-Labels: Inbox,Unread,Big Deals\n\nThe numbers are in.\n".to_vec(),
        ]);
        let now = Utc.with_ymd_and_hms(2026, 11, 21, 12, 0, 0).unwrap();
        for (question, found) in [
            ("", true),
            ("is:unread in:inbox", true),
            ("is:read", false),
            ("-is:starred", true),
            ("from:ADA subject:budget", true),
            ("from:bob OR from:ada", true),
            ("from:bob", false),
            ("\"numbers are\"", true),
            ("numbers -budget", false),
            ("label:big-deals", true),
            ("newer_than:2d", true),
            ("newer_than:1d", false),
            ("older_than:1d", true),
            ("after:2026/11/20 before:2026-11-21", true),
            ("rfc822msgid:<Q1@x>", true),
            ("rfc822msgid:q1@x", false),
            ("has:attachment", false),
            ("in:trash", false),
        ] {
            let search = Search::parse(question, now);
            assert_eq!(search.matches(&mailbox.messages()[0]), found, "{question}");
        }
        assert!(Search::parse("in:anywhere x", now).asks_for("TRASH"));
        assert!(Search::parse("in:spam", now).asks_for("SPAM"));
        assert!(!Search::parse("-in:spam", now).asks_for("SPAM"));
    }
}
