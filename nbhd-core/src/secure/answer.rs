//! What came back, without the secrets.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Receipt;
use crate::http::{HeaderMap, StatusCode, header};

/// The answer to a secure request. Of its body, one of `json`, `text` and `base64` is there, or none when it is empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SecureAnswer {
    /// The status.
    pub status: u16,
    /// The headers, by their names in small letters; those of one name joined with commas. Cookies are left out: they are credentials too.
    pub headers: BTreeMap<String, String>,
    /// A body that is JSON by its type and in fact.
    pub json: Option<Value>,
    /// Any other body of text.
    pub text: Option<String>,
    /// A body that is no text.
    pub base64: Option<String>,
    /// How often a secret stood in the answer. In its place stands `***`.
    pub concealed: u32,
    /// The record of the call.
    pub receipt: Receipt,
}

/// What an answer is made of, before the receipt is there.
pub(super) struct Came {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) concealed: usize,
}

impl Came {
    pub(super) fn answer(self, receipt: Receipt) -> SecureAnswer {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &self.headers {
            if *name == header::SET_COOKIE {
                continue;
            }
            let value = String::from_utf8_lossy(value.as_bytes());
            headers
                .entry(name.as_str().to_owned())
                .and_modify(|joined| *joined = format!("{joined}, {value}"))
                .or_insert_with(|| value.into_owned());
        }
        let (mut json, mut text, mut base64) = (None, None, None);
        match String::from_utf8(self.body) {
            Ok(body) if body.is_empty() => {}
            Ok(body) => match is_json(&headers)
                .then(|| serde_json::from_str(&body).ok())
                .flatten()
            {
                Some(value) => json = Some(value),
                None => text = Some(body),
            },
            Err(error) => base64 = Some(STANDARD.encode(error.as_bytes())),
        }
        SecureAnswer {
            status: self.status.as_u16(),
            headers,
            json,
            text,
            base64,
            concealed: self.concealed as u32,
            receipt,
        }
    }
}

fn is_json(headers: &BTreeMap<String, String>) -> bool {
    headers.get("content-type").is_some_and(|kind| {
        let kind = kind
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        kind == "application/json" || kind.ends_with("+json")
    })
}
