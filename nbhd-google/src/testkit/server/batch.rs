//! `multipart/mixed` batches. <https://developers.google.com/workspace/gmail/api/guides/batch>
//!
//! Parts are answered in the reverse order: Google promises none, and a client that relies on one fails here first.

use bytes::Bytes;
use memchr::memmem;

use nbhd_core::http::{HeaderValue, Method};
use nbhd_core::testkit::{Call, Reply};

use super::answer::Answer;
use super::door::Door;

/// Google's limit on the parts of one batch.
const PARTS_LIMIT: usize = 100;

pub(super) async fn answer(door: &Door, call: &Call) -> Answer {
    let parts = match read_all(call) {
        Ok(parts) => parts,
        Err(why) => return Answer::bad_request("badRequest", &why),
    };
    let out = format!("batch_{:016x}", crate::testkit::mailbox::fnv(&call.body));
    let mut body = Vec::new();
    for (id, part) in parts.into_iter().rev() {
        // A part passes the faults of its label, as a call of its own would.
        let reply = if part.path.starts_with("/batch") {
            Answer::bad_request("badRequest", "A batch cannot hold a batch.").into_reply()
        } else {
            Box::pin(door.answer(part, true)).await
        };
        write(&mut body, &out, id.as_deref(), reply);
    }
    body.extend_from_slice(format!("--{out}--\r\n").as_bytes());
    Answer {
        status: 200,
        headers: Vec::new(),
        content_type: format!("multipart/mixed; boundary={out}"),
        body: body.into(),
    }
}

fn read_all(call: &Call) -> Result<Vec<(Option<String>, Call)>, String> {
    let boundary = call
        .header("content-type")
        .and_then(boundary)
        .ok_or("A batch is multipart/mixed with a boundary.")?;
    let parts = split(&call.body, &boundary).ok_or("Failed to parse batch request.")?;
    if parts.is_empty() {
        return Err("The batch request could not be processed: it is empty.".to_owned());
    }
    if parts.len() > PARTS_LIMIT {
        return Err(format!(
            "Inner request count exceeds the limit. Received: {}, Limit: {PARTS_LIMIT}",
            parts.len()
        ));
    }
    parts
        .into_iter()
        .map(|part| {
            read(part, call).ok_or_else(|| "Failed to parse batch request: a part is no request.".to_owned())
        })
        .collect()
}

fn boundary(content_type: &str) -> Option<String> {
    let mut pieces = content_type.split(';');
    if !pieces.next()?.trim().eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let boundary = pieces.find_map(|piece| {
        let (name, value) = piece.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then_some(value)
    })?;
    let boundary = boundary.trim().trim_matches('"');
    (!boundary.is_empty() && boundary.len() <= 70).then(|| boundary.to_owned())
}

/// The parts between the boundaries; `None` when the last one is not closed.
fn split<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<&'a [u8]>> {
    let mark = format!("--{boundary}");
    let mut marks: Vec<usize> = memmem::find_iter(body, mark.as_bytes())
        .filter(|at| *at == 0 || body[at - 1] == b'\n')
        .collect();
    let last = marks.pop()?;
    if !body[last + mark.len()..].starts_with(b"--") {
        return None;
    }
    marks.push(last);
    let parts = marks.windows(2).map(|pair| {
        let part = &body[pair[0] + mark.len()..pair[1]];
        let start = memchr::memchr(b'\n', part).map_or(part.len(), |end| end + 1);
        &part[start..]
    });
    Some(parts.collect())
}

/// The request of a part, and its id.
fn read(part: &[u8], outer: &Call) -> Option<(Option<String>, Call)> {
    let (head, request) = cut(part)?;
    let kind = header(head, "content-type")?;
    if !kind.to_ascii_lowercase().starts_with("application/http") {
        return None;
    }
    let id = header(head, "content-id");
    let (head, body) = cut(request).unwrap_or((request, b""));
    let text = std::str::from_utf8(head).ok()?;
    let (line, headers) = text.split_once('\n').unwrap_or((text, ""));
    let mut words = line.split_ascii_whitespace();
    let (method, target) = (words.next()?, words.next()?);
    // Clients send the path alone; some the whole address.
    let target = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => target,
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if !path.starts_with('/') {
        return None;
    }
    let mut call = Call::new(Method::from_bytes(method.as_bytes()).ok()?, path);
    query.clone_into(&mut call.query);
    call.body = Bytes::copy_from_slice(body.trim_ascii_end());
    // The outer credential counts unless the part has its own.
    let own = header(headers.as_bytes(), "authorization");
    let credential = own.and_then(|own| HeaderValue::from_str(&own).ok());
    if let Some(credential) = credential.or_else(|| outer.headers.get("authorization").cloned()) {
        call.headers.insert("authorization", credential);
    }
    Some((id, call))
}

/// Head and body at the first empty line.
fn cut(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let dos = memmem::find(text, b"\r\n\r\n").map(|at| (at, 4));
    let unix = memmem::find(text, b"\n\n").map(|at| (at, 2));
    let (at, width) = [dos, unix].into_iter().flatten().min()?;
    Some((&text[..at], &text[at + width..]))
}

fn header(head: &[u8], wanted: &str) -> Option<String> {
    let head = std::str::from_utf8(head).ok()?;
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case(wanted)
            .then(|| value.trim().to_owned())
    })
}

fn write(out: &mut Vec<u8>, boundary: &str, id: Option<&str>, reply: Reply) {
    // Inside a batch a connection cannot break: what would break one is a failure of the part.
    let reply = match reply {
        Reply::Full { .. } => reply,
        _ => Answer::error(503, "UNAVAILABLE", "backendError", "Backend Error").into_reply(),
    };
    let Reply::Full {
        status,
        headers,
        body,
    } = reply
    else {
        return;
    };
    let id = id.map_or(String::new(), |id| {
        let id = id.trim_start_matches('<').trim_end_matches('>');
        format!("Content-ID: <response-{id}>\r\n")
    });
    let reason = status.canonical_reason().unwrap_or("Unknown");
    let fields: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap_or_default()))
        .collect();
    let head = format!(
        "--{boundary}\r\nContent-Type: application/http\r\n{id}\r\nHTTP/1.1 {} {reason}\r\n{}Content-Length: {}\r\n\r\n",
        status.as_u16(),
        fields.concat(),
        body.len()
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(&body);
    out.extend_from_slice(b"\r\n");
}
