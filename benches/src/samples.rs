//! The bytes that everybody sends and gets. Written for the purpose, the same at every run.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};

/// A model that every peer knows the price of.
pub(crate) const MODEL: &str = "gpt-4o-mini";

/// The content chunks of a streamed answer.
pub(crate) const CHUNKS: usize = 1_000;

const WORDS: &str = "The quarterly figures are in the shared folder, the review moved to Thursday, and Ada asks whether \
    the invoice of last month was paid. Nothing else needs an answer before the weekend. ";

/// `bytes` of prose.
pub(crate) fn prose(bytes: usize) -> String {
    WORDS.chars().cycle().take(bytes).collect()
}

/// A whole answer whose text has `bytes`.
pub(crate) fn answer(bytes: usize) -> String {
    json!({
        "id": "chatcmpl-bench", "object": "chat.completion", "created": 1_763_700_000, "model": "gpt-4o-mini-2024-07-18",
        "choices": [{ "index": 0, "logprobs": null, "finish_reason": "stop",
            "message": { "role": "assistant", "content": prose(bytes), "refusal": null, "annotations": [] } }],
        "usage": { "prompt_tokens": 42, "completion_tokens": 120, "total_tokens": 162,
            "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
            "completion_tokens_details": { "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0 } },
        "service_tier": "default", "system_fingerprint": "fp_bench"
    })
    .to_string()
}

/// The events of a streamed answer of [`CHUNKS`] words.
pub(crate) fn stream() -> Vec<String> {
    let chunk = |delta: Value, finish: Value| {
        let event = json!({
            "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_763_700_000,
            "model": "gpt-4o-mini-2024-07-18", "service_tier": "default", "system_fingerprint": "fp_bench",
            "choices": [{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }], "usage": null
        });
        format!("data: {event}\n\n")
    };
    let mut events = vec![chunk(
        json!({ "role": "assistant", "content": "", "refusal": null }),
        Value::Null,
    )];
    let words = WORDS.split_inclusive(' ').cycle().take(CHUNKS);
    events.extend(words.map(|word| chunk(json!({ "content": word }), Value::Null)));
    events.push(chunk(json!({}), json!("stop")));
    let usage = json!({
        "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_763_700_000,
        "model": "gpt-4o-mini-2024-07-18", "choices": [],
        "usage": { "prompt_tokens": 42, "completion_tokens": CHUNKS, "total_tokens": CHUNKS + 42 }
    });
    events.push(format!("data: {usage}\n\n"));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// A Gmail message as `format=full` gives it, about 45 KB of JSON: a plain text, the same as HTML, and a quoted reply.
pub(crate) fn mail() -> String {
    let mut plain = String::new();
    let mut html = String::from(
        "<!doctype html><html><head><style>p{margin:0 0 12px;font:14px/20px sans-serif}</style></head><body>",
    );
    for number in 1..=41 {
        let text = format!("{number}. Grüße aus Zürich. {}", prose(190));
        plain.push_str(&text);
        plain.push_str("\r\n\r\n");
        html.push_str("<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" style=\"border-collapse:collapse\"><tr><td \
            style=\"padding:8px 16px;color:#202124;font-family:Arial,sans-serif\"><p class=\"text\" style=\"margin:0\">");
        html.push_str(&text.replace('ü', "&uuml;"));
        html.push_str("</p><p><a href=\"https://example.com/track?id=");
        html.push_str(&number.to_string());
        html.push_str("&amp;source=mail\" style=\"color:#1a73e8;text-decoration:none\">Read on</a></p></td></tr></table>\r\n");
    }
    plain.push_str(
        "On Fri, 20 Nov 2026 at 09:12, Bob <bob@example.com> wrote:\r\n> When do we meet?\r\n> Bob\r\n",
    );
    html.push_str("</body></html>");
    message(&[("text/plain", &plain), ("text/html", &html)])
}

/// The same mail with nothing but its HTML.
pub(crate) fn html_mail() -> String {
    let whole: Value = serde_json::from_str(&mail()).unwrap_or_default();
    let mut only = whole.clone();
    only["payload"]["parts"] = json!([whole["payload"]["parts"][1]]);
    only.to_string()
}

/// A message of one line: what is left of a call when there is nothing to read.
pub(crate) fn note() -> String {
    message(&[("text/plain", "At noon?")])
}

fn message(parts: &[(&str, &str)]) -> String {
    let part = |(number, (kind, text)): (usize, &(&str, &str))| {
        json!({
            "partId": number.to_string(), "mimeType": kind, "filename": "",
            "headers": [
                { "name": "Content-Type", "value": format!("{kind}; charset=\"UTF-8\"") },
                { "name": "Content-Transfer-Encoding", "value": "quoted-printable" }
            ],
            "body": { "size": text.len(), "data": URL_SAFE.encode(text) }
        })
    };
    let received = "by mx.example.com with SMTPS id a1-20020a170902b4c1 for <ada@example.com> (version=TLS1_3 \
        cipher=TLS_AES_128_GCM_SHA256 bits=128/128); Sat, 21 Nov 2026 01:02:03 -0800 (PST)";
    let headers: Vec<Value> = [
        ("Delivered-To", "ada@example.com"),
        ("Received", received),
        ("Received", received),
        (
            "Authentication-Results",
            "mx.example.com; dkim=pass header.i=@example.com; spf=pass; dmarc=pass",
        ),
        ("From", "Bob Example <bob@example.com>"),
        (
            "To",
            "Ada Lovelace <ada@example.com>, \"Team, all\" <team@example.com>",
        ),
        ("Cc", "carol@example.com"),
        ("Subject", "Weekly summary – what needs your attention"),
        ("Date", "Sat, 21 Nov 2026 09:02:03 +0000"),
        ("Message-ID", "<weekly-47@example.com>"),
        ("MIME-Version", "1.0"),
        ("Content-Type", "multipart/alternative; boundary=\"b1\""),
    ]
    .iter()
    .map(|(name, value)| json!({ "name": name, "value": value }))
    .collect();
    json!({
        "id": "18c0ffee18c0ffee", "threadId": "18c0ffee18c0ffee", "labelIds": ["INBOX", "UNREAD", "CATEGORY_UPDATES"],
        "snippet": "1. Gr&uuml;&szlig;e aus Z&uuml;rich. The quarterly figures are in the shared folder",
        "sizeEstimate": 46_000, "historyId": "123456", "internalDate": "1795251723000",
        "payload": {
            "partId": "", "mimeType": "multipart/alternative", "filename": "", "headers": headers, "body": { "size": 0 },
            "parts": parts.iter().enumerate().map(part).collect::<Vec<_>>()
        }
    })
    .to_string()
}
