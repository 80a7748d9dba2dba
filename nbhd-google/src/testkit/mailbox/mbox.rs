//! An mbox cut into its messages.
//!
//! A message begins at a `From ` line that mail headers follow, and that either stands after an empty line or tells a
//! sender or a date; `mboxo` and `mboxrd` quote such lines in bodies with `>` (<https://www.rfc-editor.org/rfc/rfc4155>, <https://doc.dovecot.org/main/core/config/mailbox/formats/mbox.html>).
//! Where nothing was quoted, a `Content-Length` that leads to the next `From ` line or the end is believed.

use super::format::{field_name, header_block, without_bom};
use memchr::memmem;

/// One message of an mbox.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Its `From ` line, without the word and the line's end.
    pub(super) envelope: &'a [u8],
    /// Its bytes as they stand in the file.
    pub(super) stored: &'a [u8],
    /// Whether `>From ` in it stands for `From `.
    pub(super) quoted: bool,
}

impl Entry<'_> {
    /// The message as it was before it was stored.
    pub(super) fn message(&self) -> Vec<u8> {
        if !self.quoted || memmem::find(self.stored, b">From ").is_none() {
            return self.stored.to_vec();
        }
        let mut message = Vec::with_capacity(self.stored.len());
        for line in self.stored.split_inclusive(|byte| *byte == b'\n') {
            let quotes = line.iter().take_while(|byte| **byte == b'>').count();
            let quoted = quotes > 0 && line[quotes..].starts_with(b"From ");
            message.extend_from_slice(if quoted { &line[1..] } else { line });
        }
        message
    }
}

/// Cuts, without copying.
pub(super) fn split(file: &[u8]) -> Vec<Entry<'_>> {
    let file = without_bom(file);
    let mut entries = Vec::new();
    let mut at = file
        .iter()
        .position(|byte| !byte.is_ascii_whitespace())
        .unwrap_or(file.len());
    while at < file.len() {
        let line_end = memchr::memchr(b'\n', &file[at..]).map_or(file.len(), |end| at + end + 1);
        let envelope = file[at..line_end].trim_ascii_end();
        let envelope = envelope.strip_prefix(b"From ").unwrap_or(envelope).trim_ascii();
        let (end, quoted) = match by_length(file, line_end) {
            Some(end) => (end, false),
            None => (by_separator(file, line_end), true),
        };
        entries.push(Entry {
            envelope,
            stored: without_separator_line(&file[line_end..end]),
            quoted,
        });
        at = end;
        while file.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
    }
    entries
}

/// The next `From ` line that begins a message, or the end.
fn by_separator(file: &[u8], from: usize) -> usize {
    memmem::find_iter(&file[from..], b"\nFrom ")
        .map(|found| from + found)
        .find(|newline| {
            let before = &file[..*newline];
            let blank = before.ends_with(b"\n") || before.ends_with(b"\n\r");
            is_separator(&file[newline + 1..], blank)
        })
        .map_or(file.len(), |newline| newline + 1)
}

/// Whether a `From ` line is one of the format's and not prose: mail headers follow it within 2 KiB (enough for any
/// first field, and a bound for hostile files), and without an empty line before it, it tells a sender or a date.
fn is_separator(text: &[u8], after_blank: bool) -> bool {
    let Some(end) = memchr::memchr(b'\n', text) else {
        return false;
    };
    let line = text[..end].trim_ascii_end();
    let digits = line.iter().filter(|byte| byte.is_ascii_digit()).count();
    // `From - …` is how Netscape and its children wrote it; a date has at least a day, an hour and a year.
    let strict = line.starts_with(b"From -") || line.contains(&b'@') || digits >= 8;
    let next = &text[end + 1..];
    (after_blank || strict) && header_block(&next[..next.len().min(2048)])
}

/// The end that `Content-Length` names, if a message really ends there.
fn by_length(file: &[u8], from: usize) -> Option<usize> {
    let text = &file[from..];
    // Found in one go: a search for each kind of line end would read the rest of the file for the kind that it has not.
    let (blank, width) = memchr::memchr_iter(b'\n', text).find_map(|end| match text[end + 1..] {
        [b'\n', ..] => Some((end, 2)),
        [b'\r', b'\n', ..] => Some((end, 3)),
        _ => None,
    })?;
    let length = text[..blank].split(|byte| *byte == b'\n').find_map(|line| {
        let name = field_name(line)?;
        if !name.eq_ignore_ascii_case(b"content-length") {
            return None;
        }
        let value = &line[memchr::memchr(b':', line)? + 1..];
        std::str::from_utf8(value).ok()?.trim().parse::<usize>().ok()
    })?;
    let end = from.checked_add(blank + width)?.checked_add(length)?;
    let rest = file.get(end..)?;
    let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let rest = &rest[blank..];
    (rest.is_empty() || (rest.starts_with(b"From ") && is_separator(rest, true))).then_some(end)
}

/// The format puts one empty line after each message; it is not the message's.
fn without_separator_line(stored: &[u8]) -> &[u8] {
    for end in [&b"\r\n\r\n"[..], b"\n\n"] {
        if stored.ends_with(end) {
            return &stored[..stored.len() - end.len() / 2];
        }
    }
    stored
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn quotes_lose_one_sign_and_prose_does_not_cut() {
        let file = b"From a@example.com Mon Jan  1 00:00:00 2024\nSubject: one\n\n>From the sea\n>>From deeper\n\nFrom here on, prose.\nNot a header\n\nFrom b@example.com Mon Jan  1 00:00:00 2024\nSubject: two\n\nlast\n";
        let entries = split(file);
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].envelope, b"a@example.com Mon Jan  1 00:00:00 2024");
        assert_eq!(
            entries[0].message(),
            b"Subject: one\n\nFrom the sea\n>From deeper\n\nFrom here on, prose.\nNot a header\n"
        );
        assert_eq!(entries[1].message(), b"Subject: two\n\nlast\n");
    }

    #[test]
    fn a_length_that_fits_is_believed_and_one_that_does_not_is_not() {
        let body = "One line\n\nFrom: a trap\n\nFrom x Mon Jan  1 00:00:00 2024\nSubject: inner\n\ntext\n";
        let tail = "\nFrom b Mon Jan  1 00:00:00 2024\nSubject: two\n\nlast\n";
        let file = |length: usize| {
            format!("From a Mon Jan  1 00:00:00 2024\nContent-Length: {length}\n\n{body}{tail}")
        };
        assert_eq!(split(file(body.len()).as_bytes()).len(), 2);
        assert_eq!(split(file(body.len() + 3).as_bytes()).len(), 3);
    }
}
