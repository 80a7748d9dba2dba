//! Header values to typed fields. Values may be decoded already (Gmail) or not (raw): both read the same.

use mail_parser::parsers::MessageStream;
use mail_parser::{Addr, Address as ParsedAddress, DateTime, HeaderValue};

use super::message::{Address, MessageHeader};

/// Builds the card from `(name, value)` pairs; the first field of a name counts.
pub(super) fn card<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> MessageHeader {
    let mut card = MessageHeader::default();
    let mut seen_from = false;
    for (name, value) in fields {
        match name.len() {
            2 if name.eq_ignore_ascii_case("to") => card.to.extend(addresses(value)),
            2 if name.eq_ignore_ascii_case("cc") => card.cc.extend(addresses(value)),
            4 if name.eq_ignore_ascii_case("from") && !seen_from => {
                seen_from = true;
                card.from = addresses(value);
            }
            4 if name.eq_ignore_ascii_case("date") && card.date.is_none() => card.date = date(value),
            7 if name.eq_ignore_ascii_case("subject") && card.subject.is_none() => {
                card.subject = Some(text(value));
            }
            8 if name.eq_ignore_ascii_case("reply-to") && card.reply_to.is_empty() => {
                card.reply_to = addresses(value);
            }
            10 if name.eq_ignore_ascii_case("message-id") && card.message_id.is_none() => {
                card.message_id = ids(value).into_iter().next();
            }
            10 if name.eq_ignore_ascii_case("references") && card.references.is_empty() => {
                card.references = ids(value);
            }
            11 if name.eq_ignore_ascii_case("in-reply-to") && card.in_reply_to.is_empty() => {
                card.in_reply_to = ids(value);
            }
            16 if name.eq_ignore_ascii_case("list-unsubscribe") && card.list_unsubscribe.is_none() => {
                card.list_unsubscribe = Some(text(value));
            }
            _ => {}
        }
    }
    card
}

/// One line of text: unfolded, encoded words decoded where any are left.
pub(super) fn text(value: &str) -> String {
    let value = value.trim();
    if !value.contains("=?") && !value.contains(['\r', '\n']) {
        return value.to_owned();
    }
    let line = terminated(value);
    match MessageStream::new(line.as_bytes()).parse_unstructured() {
        HeaderValue::Text(text) => text.trim().to_owned(),
        HeaderValue::TextList(list) => list.join(" "),
        _ => value.to_owned(),
    }
}

/// The addresses of a list, groups flattened.
pub(super) fn addresses(value: &str) -> Vec<Address> {
    // The common shape, `Name <local@host>` alone, needs no grammar.
    if let Some(address) = simple_address(value) {
        return vec![address];
    }
    let line = terminated(value);
    match MessageStream::new(line.as_bytes()).parse_address() {
        HeaderValue::Address(parsed) => flatten(&parsed),
        _ => Vec::new(),
    }
}

/// The addresses that the parser found.
pub(super) fn flatten(parsed: &ParsedAddress<'_>) -> Vec<Address> {
    let mut list: Vec<Address> = match parsed {
        ParsedAddress::List(list) => list.iter().map(address).collect(),
        ParsedAddress::Group(groups) => groups
            .iter()
            .flat_map(|group| group.addresses.iter().map(address))
            .collect(),
    };
    list.retain(|entry| !entry.name.is_empty() || !entry.email.is_empty());
    rejoin_names(list)
}

/// An ISO 8601 time with offset, when the field is readable and names a real moment.
pub(super) fn date(value: &str) -> Option<String> {
    let line = terminated(value.trim());
    match MessageStream::new(line.as_bytes()).parse_date() {
        HeaderValue::DateTime(date) => iso_date(&date),
        _ => None,
    }
}

/// The same from the parser's own form.
pub(super) fn iso_date(date: &DateTime) -> Option<String> {
    let local =
        chrono::NaiveDate::from_ymd_opt(i32::from(date.year), u32::from(date.month), u32::from(date.day))?
            .and_hms_opt(
                u32::from(date.hour),
                u32::from(date.minute),
                u32::from(date.second).min(59),
            )?;
    let seconds = i32::from(date.tz_hour) * 3600 + i32::from(date.tz_minute) * 60;
    let offset = chrono::FixedOffset::east_opt(if date.tz_before_gmt { -seconds } else { seconds })?;
    let moment = local.and_local_timezone(offset).single()?;
    Some(nbhd_core::clock::rfc3339(moment))
}

/// Message ids, without angle brackets. Text outside brackets counts only where there are no brackets at all.
pub(super) fn ids(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = value;
    while let Some(open) = rest.find('<') {
        let Some(close) = rest[open..].find('>') else {
            break;
        };
        let id: String = rest[open + 1..open + close].split_whitespace().collect();
        if !id.is_empty() {
            found.push(id);
        }
        rest = &rest[open + close + 1..];
    }
    if found.is_empty() && !value.contains('<') {
        found.extend(
            value
                .split_whitespace()
                .filter(|word| word.contains('@'))
                .map(str::to_owned),
        );
    }
    found
}

/// The value of a parameter, such as `charset`, of a header value that Gmail has decoded.
pub(super) fn parameter(value: &str, name: &str) -> Option<String> {
    let mut rest = value.split_once(';')?.1;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(['=', ';'])?;
        let key = rest[..end].trim();
        if rest.as_bytes()[end] == b';' {
            rest = &rest[end + 1..];
            continue;
        }
        let (content, after) = parameter_value(rest[end + 1..].trim_start());
        if key.eq_ignore_ascii_case(name) {
            return Some(content);
        }
        rest = after;
    }
}

fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let mut content = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (content, &quoted[at + 1..]),
            '\\' => content.extend(chars.next().map(|(_, escaped)| escaped)),
            other => content.push(other),
        }
    }
    (content, "")
}

fn terminated(value: &str) -> String {
    let mut line = String::with_capacity(value.len() + 2);
    line.push_str(value.trim_end());
    line.push_str("\r\n");
    line
}

fn simple_address(value: &str) -> Option<Address> {
    let value = value.trim();
    let (name, email) = match value.strip_suffix('>') {
        Some(rest) => {
            let (name, email) = rest.split_once('<')?;
            (name.trim(), email)
        }
        None => ("", value),
    };
    let name = match name.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
        Some(inner) if !inner.contains(['"', '\\']) => inner.trim(),
        Some(_) => return None,
        None if name.contains(|c: char| "\",;:()<>@\\".contains(c)) => return None,
        None => name,
    };
    let plain = |c: char| c.is_alphanumeric() || "@.+-_=!#$%&'*/?^`{|}~".contains(c);
    if name.contains("=?")
        || name.contains(['\r', '\n', '\t'])
        || !email.chars().all(plain)
        || email.matches('@').count() != 1
    {
        return None;
    }
    Some(Address::new(name, email))
}

fn address(parsed: &Addr<'_>) -> Address {
    let clean =
        |value: &Option<std::borrow::Cow<'_, str>>| value.as_deref().unwrap_or_default().trim().to_owned();
    let (name, email) = (clean(&parsed.name), clean(&parsed.address));
    Address {
        name: if name.contains("=?") { text(&name) } else { name },
        email,
    }
}

/// A decoded name may hold a bare comma (`Doe, Jane <j@x>`): a word without an address belongs to the name that follows.
fn rejoin_names(list: Vec<Address>) -> Vec<Address> {
    let mut out: Vec<Address> = Vec::with_capacity(list.len());
    for entry in list {
        let joins = out.last().is_some_and(|last: &Address| {
            let word = if last.email.is_empty() {
                &last.name
            } else {
                &last.email
            };
            (last.email.is_empty() || last.name.is_empty())
                && !word.contains('@')
                && !entry.name.is_empty()
                && entry.email.contains('@')
        });
        match out.last_mut() {
            Some(last) if joins => {
                let word = if last.email.is_empty() {
                    std::mem::take(&mut last.name)
                } else {
                    std::mem::take(&mut last.email)
                };
                *last = Address {
                    name: format!("{word}, {}", entry.name),
                    email: entry.email,
                };
            }
            _ => out.push(entry),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{addresses, date, ids, parameter, text};
    use crate::mime::Address;

    #[test]
    fn addresses_in_their_shapes() {
        assert_eq!(addresses("Ada <a@x.org>"), [Address::new("Ada", "a@x.org")]);
        assert_eq!(
            addresses("a@x.org, \"B, C\" <b@x.org>"),
            [Address::new("", "a@x.org"), Address::new("B, C", "b@x.org")]
        );
        assert_eq!(
            addresses("Müller, Hans <h@x.de>"),
            [Address::new("Müller, Hans", "h@x.de")]
        );
        assert_eq!(
            addresses("=?utf-8?q?J=C3=B6rg?= <j@x.de>"),
            [Address::new("Jörg", "j@x.de")]
        );
        assert_eq!(addresses("Team: a@x.org, b@x.org;").len(), 2);
        assert!(addresses("").is_empty());
    }

    #[test]
    fn dates_keep_their_offset_and_are_never_invented() {
        assert_eq!(
            date("Thu, 11 Apr 2024 11:00:00 +0300").as_deref(),
            Some("2024-04-11T11:00:00+03:00")
        );
        assert_eq!(
            date("Thu, 11 Apr 2024 11:00:00 GMT").as_deref(),
            Some("2024-04-11T11:00:00Z")
        );
        assert_eq!(date("yesterday"), None);
        assert_eq!(date(""), None);
    }

    #[test]
    fn ids_and_parameters() {
        assert_eq!(ids("<a@x>\r\n <b@y>"), ["a@x", "b@y"]);
        assert_eq!(ids("a@x"), ["a@x"]);
        assert_eq!(
            parameter("text/plain; charset=\"utf-8\"; format=flowed", "format").as_deref(),
            Some("flowed")
        );
        assert_eq!(
            parameter("text/plain; x; Charset = big5 ", "charset").as_deref(),
            Some("big5")
        );
        assert_eq!(parameter("a/b; name=\"x;\\\"y\"; q=1", "q").as_deref(), Some("1"));
        assert_eq!(parameter("text/plain", "charset"), None);
    }

    #[test]
    fn text_is_unfolded_and_decoded() {
        assert_eq!(text("=?utf-8?q?caf=C3=A9?=\r\n =?utf-8?q?_bar?="), "café bar");
        assert_eq!(text(" plain "), "plain");
    }
}
