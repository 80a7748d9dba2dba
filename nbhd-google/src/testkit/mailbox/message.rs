//! One message of a mailbox: its bytes, and what the stand-in needs to find, list and thread it.

use bytes::Bytes;
use chrono::DateTime;
use mail_parser::{Address, HeaderForm, HeaderName, HeaderValue, MessageParser};

use super::labels;

/// A message as the stand-in keeps it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StoredMessage {
    /// Its id: sixteen hexadecimal digits, made from its content, so the same in every run.
    pub id: String,
    /// The id of its conversation.
    pub thread_id: String,
    /// System labels by id (`INBOX`), user labels by name.
    pub labels: Vec<String>,
    /// When it came, in milliseconds since 1970. 0 when nothing in it tells.
    pub internal_date_ms: i64,
    /// The file that it came from.
    pub source: String,
    /// Which message of that file, from 1.
    pub number: usize,
    /// The untouched message.
    pub raw: Bytes,
    pub(crate) index: Index,
}

/// Lower-cased words to search in, and the ids that make conversations.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Index {
    pub(crate) subject: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) message_id: Option<String>,
    pub(super) references: Vec<String>,
    pub(super) thread_hint: Option<u64>,
}

/// What the place of a message adds to what it says itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Place<'a> {
    pub(super) source: &'a str,
    pub(super) number: usize,
    /// The labels that the place implies; `X-Gmail-Labels` overrides them.
    pub(super) labels: Option<Vec<String>>,
    /// The `From ` line of an mbox.
    pub(super) envelope: &'a [u8],
}

/// Reads a message, or says why it is none.
pub(super) fn read(raw: Vec<u8>, place: Place<'_>) -> Result<StoredMessage, &'static str> {
    let parsed = MessageParser::default()
        .parse_headers(&raw)
        .ok_or("not a message: it has no headers")?;
    if parsed.headers().is_empty() {
        return Err("not a message: it has no headers");
    }
    let text = |name: &'static str| {
        parsed
            .header_as(HeaderName::Other(name.into()), HeaderForm::Text)
            .into_iter()
            .next()
            .and_then(HeaderValue::into_text)
    };
    let labels = match text("X-Gmail-Labels") {
        Some(field) => labels::from_takeout(&field),
        None => place
            .labels
            .unwrap_or_else(|| labels::from_status(text("Status").as_deref(), text("X-Status").as_deref())),
    };
    let mut references = ids(parsed.references());
    references.extend(ids(parsed.in_reply_to()));
    let date = parsed
        .date()
        .or_else(|| parsed.received().and_then(|received| received.date.as_ref()))
        .filter(|date| date.is_valid())
        .map(mail_parser::DateTime::to_timestamp)
        .or_else(|| envelope_date(place.envelope))
        .unwrap_or(0);
    let index = Index {
        subject: parsed.subject().unwrap_or_default().to_lowercase(),
        from: people(parsed.from()),
        to: [parsed.to(), parsed.cc(), parsed.bcc()].map(people).join(" "),
        message_id: parsed.message_id().map(str::to_owned),
        references,
        thread_hint: text("X-GM-THRID").and_then(|digits| digits.trim().parse().ok()),
    };
    let id = content_id(&raw);
    Ok(StoredMessage {
        thread_id: id.clone(),
        id,
        labels,
        internal_date_ms: date.saturating_mul(1000),
        source: place.source.to_owned(),
        number: place.number,
        raw: raw.into(),
        index,
    })
}

impl StoredMessage {
    /// The text of its bodies in lower case, to search in.
    pub(crate) fn words(&self) -> String {
        let Some(parsed) = MessageParser::default().parse(&self.raw[..]) else {
            return String::new();
        };
        let mut words = String::new();
        for index in 0..parsed.text_body_count() {
            words.push_str(&parsed.body_text(index).unwrap_or_default().to_lowercase());
            words.push(' ');
        }
        words
    }
}

impl StoredMessage {
    /// The conversation that it joins when it arrives among these.
    pub(crate) fn answered(&self, messages: &[StoredMessage]) -> Option<String> {
        let (subject, _) = super::thread::bare_subject(&self.index.subject);
        let known = messages.iter().find(|other| {
            let named = other
                .index
                .message_id
                .as_ref()
                .is_some_and(|id| self.index.references.contains(id));
            named && super::thread::bare_subject(&other.index.subject).0 == subject
        });
        known.map(|other| other.thread_id.clone())
    }
}

/// FNV-1a over the content: an id that is the same in every run. Not a proof of anything.
/// <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>
pub(crate) fn content_id(content: &[u8]) -> String {
    format!("{:016x}", fnv(content))
}

/// See [`content_id`].
pub(crate) fn fnv(content: &[u8]) -> u64 {
    content.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn ids(value: &HeaderValue<'_>) -> Vec<String> {
    match value {
        HeaderValue::Text(id) => vec![id.to_string()],
        HeaderValue::TextList(ids) => ids.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

/// Names and addresses in lower case, one blank between them.
fn people(address: Option<&Address<'_>>) -> String {
    let mut words = Vec::new();
    for person in address.into_iter().flat_map(Address::iter) {
        words.extend(person.name().map(str::to_lowercase));
        words.extend(person.address().map(str::to_lowercase));
    }
    words.join(" ")
}

/// The date of an mbox `From ` line: `Fri Apr 06 16:46:09 2001`, or with a zone before the year (Takeout).
fn envelope_date(envelope: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(envelope).ok()?;
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let tail = |count: usize| Some(words.get(words.len().checked_sub(count)?..)?.join(" "));
    tail(6)
        .and_then(|text| DateTime::parse_from_str(&text, "%a %b %d %H:%M:%S %z %Y").ok())
        .map(|date| date.timestamp())
        .or_else(|| {
            let text = tail(5)?;
            let date = chrono::NaiveDateTime::parse_from_str(&text, "%a %b %d %H:%M:%S %Y").ok()?;
            Some(date.and_utc().timestamp())
        })
}

#[cfg(test)]
mod tests {
    use super::{Place, content_id, envelope_date, read};

    #[test]
    fn the_hash_is_the_published_one() {
        // Test vectors of draft-eastlake-fnv, appendix C.
        assert_eq!(content_id(b""), "cbf29ce484222325");
        assert_eq!(content_id(b"foobar"), "85944171f73967e8");
    }

    #[test]
    fn an_envelope_tells_the_date() {
        assert_eq!(
            envelope_date(b"MAILER-DAEMON Fri Apr 06 16:46:09 2001"),
            Some(986_575_569)
        );
        assert_eq!(
            envelope_date(b"1844347792267117879@xxx Mon Sep 29 12:00:00 +0000 2025"),
            Some(1_759_147_200)
        );
        assert_eq!(envelope_date(b"-"), None);
    }

    #[test]
    fn fields_are_read_and_decoded() {
        let message = read(
            b"From: =?utf-8?q?J=C3=BCrgen?= <J@Example.com>\r\nX-Gmail-Labels: =?UTF-8?Q?Posteingang,Entw=C3=BCrfe?=\r\nX-GM-THRID: 1844347792267117879\r\nReferences: <a@x> <b@x>\r\n\r\nhi\r\n".to_vec(),
            Place::default(),
        )
        .unwrap();
        assert_eq!(message.labels, ["INBOX", "DRAFT"]);
        assert_eq!(message.index.from, "jürgen j@example.com");
        assert_eq!(message.index.references, ["a@x", "b@x"]);
        assert_eq!(message.index.thread_hint, Some(1_844_347_792_267_117_879));
        assert_eq!(message.internal_date_ms, 0);
    }
}
