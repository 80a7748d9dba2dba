//! What comes back: bodies without end, and secrets however they are spelled.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use nbhd_core::Secret;
use nbhd_core::secure::{Access, Credential, SecureRequest};
use nbhd_core::testkit::{Call, Reply, Server};
use nbhd_core::transport::Socket;

use super::super::row::Seen;
use super::stage::{KEY, code_of, host_over};

/// What an answer may have, in bytes.
const LIMIT: u64 = 10_000;

/// Bodies that are too large or too slow.
pub(super) async fn bodies(seen: &mut Seen) -> Result<usize, String> {
    let server = Server::start(Arc::new(body)).map_err(|error| error.to_string())?;
    let host = host_over(Socket::default());
    let access = bearer(&server)?;
    let table = [
        ("/declared", "response_too_large"),
        ("/chunked", "response_too_large"),
        ("/unpacked", "response_too_large"),
        ("/error", "invalid_input"),
        ("/packed-otherwise", "protocol_error"),
        ("/drip", "timeout"),
        ("/never", "timeout"),
        ("/just", "ok"),
    ];
    for (path, code) in table {
        let url = server.url().join(path).map_err(|error| error.to_string())?;
        let slow = code == "timeout";
        let request = SecureRequest::get(url.as_str())
            .with_max_bytes(LIMIT)
            .with_timeout(if slow { 0.3 } else { 20.0 });
        let came = code_of(host.secure_request(&request, &access).await);
        seen.expect(came == code, || {
            let what = if code == "response_too_large" {
                "a body beyond its limit"
            } else {
                "a body"
            };
            format!("{what} came to {came}, not to {code}: {path}")
        });
    }
    Ok(table.len() - 1)
}

fn body(call: Call) -> Reply {
    let large = vec![b'x'; LIMIT as usize + 1];
    match call.path.as_str() {
        "/declared" => Reply::text(200, large),
        "/chunked" => Reply::stream(200, (0..200).map(|_| (Duration::ZERO, vec![b'x'; 100]))),
        "/unpacked" => Reply::text(200, bomb()).with_header("content-encoding", "gzip"),
        "/error" => Reply::text(400, vec![b'x'; 1_000_000]),
        "/packed-otherwise" => Reply::text(200, "x").with_header("content-encoding", "br"),
        "/drip" => Reply::stream(200, (0..10_000).map(|_| (Duration::from_millis(10), vec![b'x']))),
        "/just" => Reply::text(200, vec![b'x'; LIMIT as usize]),
        _ => Reply::Hang,
    }
}

/// A kilobyte of gzip that unpacks to far more than the limit: one letter, and "the same again, 258 times" over and over, in the fixed
/// codes of RFC 1951, 3.2.6.
fn bomb() -> Vec<u8> {
    let mut bits = vec![true, true, false]; // the last block, with fixed codes
    let mut code = |value: u32, length: u32| bits.extend((0..length).rev().map(|bit| value >> bit & 1 == 1));
    code(0x30 + u32::from(b'x'), 8);
    for _ in 0..600 {
        code(0xC5, 8); // a length of 258
        code(0, 5); // a distance of 1
    }
    code(0, 7); // the end
    let packed = bits.chunks(8).map(|byte| {
        byte.iter()
            .enumerate()
            .fold(0, |sum, (place, bit)| sum | u8::from(*bit) << place)
    });
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    head.into_iter().chain(packed).chain([0; 8]).collect()
}

fn bearer(server: &Server) -> Result<Access, String> {
    let origin = server.url().origin().ascii_serialization();
    let key = Credential::bearer(&origin, Secret::new(KEY)).map_err(|error| error.to_string())?;
    Ok(Access::new().with_credential(key).with_loopback())
}

/// Secrets that would be more than a value if they were not written as one.
const HOSTILE: [&str; 6] = [
    "a\",\"admin\":true,\"x\":\"",
    "a\\\",\"admin\":true",
    "a&admin=1#x",
    "a\r\nx-admin: 1",
    "a}{'<\u{2028}>%22%5c é😀",
    KEY,
];

/// Each in each place: it arrives as one value, and of what is echoed nothing comes back.
pub(super) async fn secrets(seen: &mut Seen) -> Result<usize, String> {
    let server = Server::start(Arc::new(echo)).map_err(|error| error.to_string())?;
    let host = host_over(Socket::default());
    let origin = server.url().origin().ascii_serialization();
    let mut count = 0;
    for secret in HOSTILE {
        let say = |error: nbhd_core::Error| error.to_string();
        let value = || Secret::new(secret);
        let places = [
            (
                "json",
                Credential::json(&origin, "/deep/key", value()).map_err(say)?,
            ),
            ("query", Credential::query(&origin, "key", value()).map_err(say)?),
            ("form", Credential::form(&origin, "key", value()).map_err(say)?),
        ];
        for (place, credential) in places {
            let request = SecureRequest::new("POST", format!("{origin}/{place}"));
            let request = match place {
                "json" => SecureRequest {
                    json: Some(serde_json::json!({"deep": {"other": 1}})),
                    ..request
                },
                "form" => request.with_field("other", "1"),
                _ => request,
            };
            let access = Access::new().with_credential(credential).with_loopback();
            let result = host.secure_request(&request, &access).await;
            let arrived = server.log().calls().last().and_then(|call| value_in(place, call));
            seen.expect(arrived.as_deref() == Some(secret), || {
                format!("{place}: {secret:?} did not arrive as one value")
            });
            match result {
                Err(error) => seen.violation(format!("{place}: an echoed secret came to {error}")),
                Ok(answer) => {
                    let spelled = spellings(secret).len();
                    seen.expect(answer.concealed as usize == spelled, || {
                        format!(
                            "{place}: of {spelled} spellings of {secret:?}, {} were concealed",
                            answer.concealed
                        )
                    });
                    let text = answer.text.unwrap_or_default();
                    let left = spellings(secret).into_iter().find(|form| text.contains(form));
                    seen.expect(left.is_none(), || format!("{place}: an answer holds {left:?}"));
                }
            }
            count += 1;
        }
    }
    Ok(count)
}

/// The secret as the other side reads it; nothing when it reads more than that.
fn value_in(place: &str, call: &Call) -> Option<String> {
    if place == "json" {
        let body = call.json();
        let only = body.as_object()?.len() == 1 && body["deep"].as_object()?.len() == 2;
        return body["deep"]["key"].as_str().filter(|_| only).map(str::to_owned);
    }
    let (pairs, many) = if place == "query" {
        (call.query_pairs(), 1)
    } else {
        (call.form(), 2)
    };
    let mut own = pairs.iter().filter(|(name, _)| name == "key");
    let value = own.next().map(|(_, value)| value.clone())?;
    (pairs.len() == many).then_some(value)
}

/// Says the secret back in every spelling, each on a line.
fn echo(call: Call) -> Reply {
    let secret = value_in(call.path.trim_start_matches('/'), &call).unwrap_or_default();
    Reply::text(200, spellings(&secret).join("\n--\n"))
}

fn spellings(secret: &str) -> Vec<String> {
    let percent = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("%{byte:02X}"))
            .collect::<Vec<_>>()
            .concat()
    };
    let json = serde_json::to_string(secret).unwrap_or_default();
    let json = json[1..json.len() - 1].to_owned();
    let twice = serde_json::to_string(&json).unwrap_or_default();
    let units = secret
        .encode_utf16()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect::<Vec<_>>()
        .concat();
    let entities = secret
        .chars()
        .map(|one| format!("&#x{:x};", one as u32))
        .collect::<Vec<_>>()
        .concat();
    let mut forms = vec![
        secret.to_owned(),
        percent(secret.as_bytes()),
        percent(secret.as_bytes()).to_lowercase(),
        percent(secret.as_bytes()).replace('%', "%25"),
        json.clone(),
        twice[1..twice.len() - 1].to_owned(),
        units,
        entities,
        secret
            .bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .concat(),
    ];
    for before in ["", "u", "u:"] {
        let pair = format!("{before}{secret}");
        forms.push(STANDARD.encode(&pair));
        forms.push(URL_SAFE_NO_PAD.encode(&pair));
    }
    forms
}
