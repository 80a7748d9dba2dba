//! Server-sent events, byte-safe: however the bytes are cut, the same events come out.
//!
//! Line ends are LF, CRLF or CR; comments, a byte order mark and fields other than `data` mean nothing here; an event
//! whose closing empty line is missing counts when the body ends.
//! See <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>.

use nbhd_core::{Code, Error, Outcome, Result};

/// The longest line, and the longest event, in bytes: 1 MiB, a hundred times the largest event seen in recordings.
pub const SSE_LINE_LIMIT: usize = 1024 * 1024;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Cuts a body into the `data` of its events. Each byte is looked at once, so the work grows with the input alone.
#[derive(Debug, Default)]
pub struct SseParser {
    /// An unfinished line.
    line: Vec<u8>,
    /// The `data` of an event of several lines, or of one that was cut between its line and its empty line.
    data: Vec<u8>,
    has_data: bool,
    /// The last piece ended with CR: an LF that follows belongs to it.
    after_cr: bool,
    /// The first line has been seen.
    begun: bool,
    /// A line was seen that is no line of an event stream.
    foreign: bool,
}

impl SseParser {
    /// A parser at the beginning of a body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes and calls `event` with the `data` of each event that they complete. Stops at its first error.
    pub fn feed(&mut self, mut bytes: &[u8], mut event: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            if bytes[0] == b'\n' {
                bytes = &bytes[1..];
            }
        }
        while let Some(end) = line_end(bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            let cr = bytes[end] == b'\r';
            bytes = match (cr, rest.first()) {
                (true, Some(b'\n')) => &rest[1..],
                (true, None) => {
                    self.after_cr = true;
                    rest
                }
                _ => rest,
            };
            if self.line.is_empty() {
                within(line.len())?;
                self.take(line, &mut event)?;
            } else {
                within(self.line.len() + line.len())?;
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                let taken = self.take(&whole, &mut event);
                whole.clear();
                self.line = whole;
                taken?;
            }
        }
        within(self.line.len() + bytes.len())?;
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// Whether a line was seen that no event stream has: neither a comment nor one of the fields of the standard. Readers ignore
    /// such lines; a body of nothing else is another kind of answer. Call it after `finish`.
    pub fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// Takes the end of the body: an event without its closing empty line counts.
    pub fn finish(&mut self, mut event: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            // A line that was cut within the name of its field is a beginning, not a foreign one.
            let whole = !FIELDS
                .iter()
                .any(|name| name.len() > line.len() && name.starts_with(&line));
            if whole {
                self.take(&line, &mut event)?;
            }
        }
        self.take(b"", &mut event)
    }

    fn take(&mut self, line: &[u8], event: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let line = if self.begun {
            line
        } else {
            self.begun = true;
            line.strip_prefix(BOM).unwrap_or(line)
        };
        if line.is_empty() {
            if self.has_data {
                self.has_data = false;
                let data = std::mem::take(&mut self.data);
                let taken = event(&data);
                self.data = data;
                self.data.clear();
                return taken;
            }
            return Ok(());
        }
        let Some(value) = field(line) else {
            self.foreign |= line[0] != b':' && !FIELDS.contains(&name(line));
            return Ok(());
        };
        if self.has_data {
            within(self.data.len() + value.len() + 1)?;
            self.data.push(b'\n');
        }
        self.has_data = true;
        self.data.extend_from_slice(value);
        Ok(())
    }
}

/// The fields of the standard.
const FIELDS: [&[u8]; 4] = [b"data", b"event", b"id", b"retry"];

/// The name of a line's field: what stands before its colon.
fn name(line: &[u8]) -> &[u8] {
    memchr::memchr(b':', line).map_or(line, |colon| &line[..colon])
}

/// The value of a `data` line.
fn field(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"data")?;
    match rest.first() {
        None => Some(rest),
        Some(b':') => {
            let value = &rest[1..];
            Some(value.strip_prefix(b" ").unwrap_or(value))
        }
        Some(_) => None,
    }
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr2(b'\n', b'\r', bytes)
}

fn within(length: usize) -> Result<()> {
    if length <= SSE_LINE_LIMIT {
        return Ok(());
    }
    Err(Error::new(
        Code::ResponseTooLarge,
        format!("an event of the stream is longer than {SSE_LINE_LIMIT} bytes"),
    )
    .with_outcome(Outcome::Unknown))
}

#[cfg(test)]
mod tests {
    use super::{SSE_LINE_LIMIT, SseParser};
    use nbhd_core::Code;
    use proptest::prelude::*;

    fn whole(pieces: &[&[u8]]) -> Vec<String> {
        let mut events = Vec::new();
        let mut parser = SseParser::new();
        let mut keep = |data: &[u8]| {
            events.push(String::from_utf8_lossy(data).into_owned());
            Ok(())
        };
        for piece in pieces {
            parser.feed(piece, &mut keep).unwrap();
        }
        parser.finish(&mut keep).unwrap();
        events
    }

    #[test]
    fn line_ends_comments_and_fields() {
        assert_eq!(whole(&[b"data: a\n\ndata: b\n\n"]), ["a", "b"]);
        assert_eq!(whole(&[b"data: a\r\n\r\ndata: b\r\n\r\n"]), ["a", "b"]);
        assert_eq!(whole(&[b"data: a\r\rdata: b\r\r"]), ["a", "b"]);
        assert_eq!(whole(&[b"\xEF\xBB\xBFdata: a\n\n"]), ["a"]);
        assert_eq!(
            whole(&[b": waiting\n\nevent: x\nid: 1\nretry: 5\ndata:a\ndata:  b\n\n"]),
            ["a\n b"]
        );
        assert_eq!(whole(&[b"data\n\ndatabase: x\n\n"]), [""]);
        assert_eq!(whole(&[b"event: ping\n\n"]), Vec::<String>::new());
    }

    #[test]
    fn a_missing_end_counts() {
        assert_eq!(whole(&[b"data: a\n\ndata: b"]), ["a", "b"]);
        assert_eq!(whole(&[b"data: a\n"]), ["a"]);
    }

    #[test]
    fn what_is_no_event_stream_is_told() {
        let foreign = |bytes: &[u8]| {
            let mut parser = SseParser::new();
            parser.feed(bytes, |_| Ok(())).unwrap();
            parser.finish(|_| Ok(())).unwrap();
            parser.is_foreign()
        };
        for stream in [
            &b""[..],
            b": waiting\n\nevent: x\nid: 1\nretry: 5\ndata: a\n\n",
            b"data: a\n\ndat",
            b"ev",
            b"data",
        ] {
            assert!(!foreign(stream), "{}", String::from_utf8_lossy(stream));
        }
        for other in [
            &b"<html><body>Welcome!</body></html>"[..],
            b"{\"error\": {}}\n",
            b"\x00\xff\x1b data: a",
            b"database: x\n",
        ] {
            assert!(foreign(other), "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn a_line_has_a_limit() {
        let mut parser = SseParser::new();
        let piece = vec![b'x'; SSE_LINE_LIMIT / 2 + 1];
        parser.feed(&piece, |_| Ok(())).unwrap();
        assert_eq!(
            parser.feed(&piece, |_| Ok(())).unwrap_err().code(),
            Code::ResponseTooLarge
        );
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_events(
            lines in prop::collection::vec("(data: ?|data|: |event: |)[aä€😀 ]{0,6}", 0..12),
            ends in prop::collection::vec(prop::sample::select(vec!["\n", "\r\n", "\r"]), 12),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
            bom in any::<bool>(),
        ) {
            let mut text = String::from(if bom { "\u{feff}" } else { "" });
            for (line, end) in lines.iter().zip(&ends) {
                text.push_str(line);
                text.push_str(end);
            }
            let bytes = text.as_bytes();
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            places.push(bytes.len());
            places.sort_unstable();
            let mut from = 0;
            let pieces: Vec<&[u8]> = places
                .into_iter()
                .map(|to| {
                    let piece = &bytes[from..to];
                    from = to;
                    piece
                })
                .collect();
            prop_assert_eq!(whole(&pieces), whole(&[bytes]));
        }
    }
}
