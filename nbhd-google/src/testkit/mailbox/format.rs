//! What a file is, decided by its content: an mbox, one message, or no mail at all. Names prove nothing: exports are
//! called `All mail Including Spam and Trash.mbox`, `msg_01.txt` or `1700000000.M1P2.host:2,S`.

use memchr::memmem;

/// How many bytes of a file are looked at: a header block longer than this is not read for its format.
const HEAD: usize = 64 * 1024;

/// Fields of which mail has at least one. A text that happens to begin with `Word: …` has none of them.
const MAIL_FIELDS: [&str; 18] = [
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "sender",
    "reply-to",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "received",
    "return-path",
    "delivered-to",
    "resent-from",
    "x-gmail-labels",
];

/// What the content of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Mbox,
    Message,
    Nothing(&'static str),
}

/// Decides by content alone.
pub(super) fn detect(content: &[u8]) -> Format {
    let content = without_bom(content);
    if content.iter().all(u8::is_ascii_whitespace) {
        return Format::Nothing("the file is empty");
    }
    let head = &content[..content.len().min(HEAD)];
    let start = first_line(head);
    if start.starts_with(b"From ") {
        let after = head[start.len()..].iter().position(|byte| *byte == b'\n');
        let rest = after.map_or(&head[..0], |end| &head[start.len() + end + 1..]);
        return if header_block(rest) {
            Format::Mbox
        } else {
            Format::Nothing("not a message: no mail headers after its `From ` line")
        };
    }
    if header_block(head) {
        return Format::Message;
    }
    if memchr::memchr(0, head).is_some() {
        return Format::Nothing("not a message: binary data");
    }
    Format::Nothing("not a message: it does not begin with mail headers")
}

/// The same bytes without a UTF-8 byte order mark.
pub(super) fn without_bom(content: &[u8]) -> &[u8] {
    content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content)
}

/// The first line, without its end.
fn first_line(text: &[u8]) -> &[u8] {
    let end = memchr::memchr2(b'\n', b'\r', text).unwrap_or(text.len());
    &text[..end]
}

/// Whether the text begins with header lines of which one is a mail field. Broken lines between them are tolerated,
/// as every mail program does; the first one must be whole.
pub(super) fn header_block(text: &[u8]) -> bool {
    let text = &text[text
        .iter()
        .position(|byte| !byte.is_ascii_whitespace())
        .unwrap_or(text.len())..];
    if field_name(first_line(text)).is_none() {
        return false;
    }
    let end = memmem::find(text, b"\n\n")
        .into_iter()
        .chain(memmem::find(text, b"\n\r\n"))
        .min()
        .unwrap_or(text.len());
    text[..end].split(|byte| *byte == b'\n').any(|line| {
        field_name(line).is_some_and(|name| {
            MAIL_FIELDS
                .iter()
                .any(|field| name.eq_ignore_ascii_case(field.as_bytes()))
        })
    })
}

/// The name of a header field, if the line is one. A blank before the colon is tolerated (an obsolete form).
pub(super) fn field_name(line: &[u8]) -> Option<&[u8]> {
    let colon = memchr::memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    let whole = !name.is_empty() && name.iter().all(|byte| (33..=126).contains(byte));
    whole.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::{Format, detect};

    #[test]
    fn content_decides() {
        assert_eq!(
            detect(b"From: a@b.example\nSubject: x\n\nhello\n"),
            Format::Message
        );
        assert_eq!(
            detect(b"\xef\xbb\xbfFrom a@b.example Fri Apr 06 16:46:09 2001\nFrom: a@b.example\n\nhello\n"),
            Format::Mbox
        );
        for prose in [
            &b"{\"subject\": \"x\"}"[..],
            b"Copyright (c) 2020\n\nPermission: granted\n",
            b"Note: this is prose\nand more of it\n\n",
            b"From here on it is prose\nand stays so\n",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            b" \r\n\n",
        ] {
            assert!(matches!(detect(prose), Format::Nothing(_)), "{prose:?}");
        }
    }
}
