//! The multipart form in which several requests travel as one, and several answers come back.
//!
//! Answers may come in any order: they are matched by `Content-ID` (`item-3` comes back as `response-item-3`).
//! <https://developers.google.com/workspace/gmail/api/guides/batch>

use std::fmt::Write;

use nbhd_core::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use nbhd_core::{Code, Error, Outcome, Result};

/// A request inside a batch.
pub(super) struct Part {
    /// Its number, by which its answer is found.
    pub(super) number: usize,
    /// Its path and query.
    pub(super) target: String,
}

/// An answer inside a batch.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) number: usize,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: &'a [u8],
}

/// The body of a batch.
pub(super) fn encode(parts: &[Part], boundary: &str) -> String {
    let mut body = String::with_capacity(parts.len() * 400);
    for Part { number, target } in parts {
        // Writing into a String cannot fail.
        let _ = write!(
            body,
            "--{boundary}\r\nContent-Type: application/http\r\nContent-ID: <item-{number}>\r\n\r\n\
             GET {target} HTTP/1.1\r\nAccept: application/json\r\n\r\n\r\n"
        );
    }
    let _ = write!(body, "--{boundary}--\r\n");
    body
}

/// The answers of a batch. A part that cannot be read is left out: whoever asked for it misses it and asks again.
pub(super) fn decode<'a>(content_type: &str, body: &'a [u8]) -> Result<Vec<Answer<'a>>> {
    let boundary = boundary(content_type).ok_or_else(|| {
        Error::new(Code::ProtocolError, "the answer to a batch is not multipart")
            .with_outcome(Outcome::Unknown)
            .with_provider("google")
    })?;
    Ok(pieces(body, boundary).filter_map(answer).collect())
}

fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty()).then_some(value)
    })
}

/// What stands between the boundary lines, in one pass over the lines.
fn pieces<'a, 'b>(body: &'a [u8], boundary: &'b str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'b> {
    let mut rest = body;
    let mut ended = false;
    let mut next = move || {
        if ended {
            return None;
        }
        let (piece, after) = until_boundary(rest, boundary)?;
        ended = after.starts_with(b"--");
        rest = after;
        Some(piece)
    };
    // What stands before the first boundary is no part.
    let _ = next();
    std::iter::from_fn(next)
}

/// The bytes up to the next line that begins with the boundary, and the bytes after the boundary.
fn until_boundary<'a>(bytes: &'a [u8], boundary: &str) -> Option<(&'a [u8], &'a [u8])> {
    let mut start = 0;
    loop {
        let line = &bytes[start..];
        if let Some(after) = line
            .strip_prefix(b"--")
            .and_then(|line| line.strip_prefix(boundary.as_bytes()))
        {
            return Some((&bytes[..start], after));
        }
        start += line.iter().position(|byte| *byte == b'\n')? + 1;
    }
}

fn answer(piece: &[u8]) -> Option<Answer<'_>> {
    // The rest of the boundary line, then the part's own header, then the answer with its header.
    let (_, piece) = line(piece)?;
    let (outer, piece) = headers(piece)?;
    let id = outer.get("content-id")?.to_str().ok()?;
    let number = id.trim_matches(['<', '>']).rsplit_once("item-")?.1.parse().ok()?;
    let (status_line, piece) = line(piece)?;
    let status = std::str::from_utf8(status_line)
        .ok()?
        .strip_prefix("HTTP/")?
        .split_ascii_whitespace()
        .nth(1)?;
    let status = StatusCode::from_bytes(status.as_bytes()).ok()?;
    let (headers, body) = headers(piece)?;
    Some(Answer {
        number,
        status,
        headers,
        body: body.trim_ascii(),
    })
}

/// The header lines up to the blank line, and what follows it.
fn headers(mut bytes: &[u8]) -> Option<(HeaderMap, &[u8])> {
    let mut map = HeaderMap::new();
    loop {
        let (field, rest) = line(bytes)?;
        bytes = rest;
        if field.is_empty() {
            return Some((map, bytes));
        }
        let Some(colon) = field.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(field[..colon].trim_ascii());
        let value = HeaderValue::from_bytes(field[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            map.insert(name, value);
        }
    }
}

/// One line without its end, and what follows it.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
    Some((line, &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use nbhd_core::Code;
    use proptest::prelude::*;

    use super::{Part, decode, encode};

    #[test]
    fn the_form_that_the_guide_shows() {
        let parts = [Part {
            number: 0,
            target: "/gmail/v1/users/me/messages/1?format=metadata".to_owned(),
        }];
        assert_eq!(
            encode(&parts, "B"),
            "--B\r\nContent-Type: application/http\r\nContent-ID: <item-0>\r\n\r\n\
             GET /gmail/v1/users/me/messages/1?format=metadata HTTP/1.1\r\nAccept: application/json\r\n\r\n\r\n--B--\r\n"
        );
    }

    #[test]
    fn answers_are_matched_by_id_and_broken_ones_left_out() {
        // Line ends of both kinds, another order, a preamble, a part without an id, an empty body, a cut part.
        let body = "preamble\r\n--batch_x\r\nContent-Type: application/http\r\nContent-ID: <response-item-1>\r\n\r\n\
            HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nContent-Type: application/json\r\n\r\n{\"error\":{}}\r\n\
            --batch_x\nContent-ID: <response-item-0>\n\nHTTP/1.1 200 OK\n\n{\"id\":\"a\",\n\"x\":\"--batch_x\"}\n\
            --batch_x\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}\r\n\
            --batch_x\r\nContent-ID: <response-item-2>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n\r\n\
            --batch_x\r\nContent-ID: <response-item-3>\r\n\r\nHTTP/1.1 OK\r\n\r\n{}\r\n--batch_x--\r\nepilogue";
        let answers = decode(
            "multipart/mixed; charset=utf-8; boundary=\"batch_x\"",
            body.as_bytes(),
        )
        .unwrap();
        let seen: Vec<_> = answers
            .iter()
            .map(|answer| {
                (
                    answer.number,
                    answer.status.as_u16(),
                    std::str::from_utf8(answer.body).unwrap(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (1, 429, "{\"error\":{}}"),
                (0, 200, "{\"id\":\"a\",\n\"x\":\"--batch_x\"}"),
                (2, 204, "")
            ]
        );
        assert_eq!(answers[0].headers["retry-after"], "2");
    }

    #[test]
    fn what_is_not_multipart_is_said_to_be_so() {
        for kind in [
            "text/html",
            "application/json; charset=UTF-8",
            "multipart/mixed",
            "multipart/mixed; boundary=",
        ] {
            assert_eq!(
                decode(kind, b"{}").unwrap_err().code(),
                Code::ProtocolError,
                "{kind}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(body in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode("multipart/mixed; boundary=b", &body);
            let _ = decode("multipart/mixed; boundary=b", &[b"--b\r\nContent-ID: <item-1>\r\n\r\n".as_slice(), &body].concat());
        }
    }
}
