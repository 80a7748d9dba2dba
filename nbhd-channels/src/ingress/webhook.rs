//! A webhook call as it came, and the acknowledgement as data.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use nbhd_core::inbox::Accepted;
use nbhd_core::{Code, Receipt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

/// A webhook call as it came: raw bytes, never written anew.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Webhook {
    /// The method.
    pub method: Method,
    /// The public URL, for schemes that sign it.
    pub url: Option<Url>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Webhook {
    /// A `POST` of these headers and this body.
    pub fn new(headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        Self {
            method: Method::POST,
            url: None,
            headers,
            body: body.into(),
        }
    }

    /// A `POST` whose headers are pairs of text. What is no header (a web framework's own entries) is left out.
    pub fn from_pairs<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: impl Into<Bytes>,
    ) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                map.append(name, value);
            }
        }
        Self::new(map, body)
    }

    /// Sets the method.
    pub fn with_method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Sets the public URL.
    pub fn with_url(mut self, url: Url) -> Self {
        self.url = Some(url);
        self
    }
}

/// What the web view answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// What the inbox said of each event; empty when nothing was stored.
    pub accepted: Vec<Accepted>,
    /// Why nothing was stored.
    pub code: Option<Code>,
    /// The record of the call.
    pub receipt: Option<Receipt>,
}

impl Reply {
    /// An empty answer.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: BTreeMap::new(),
            body: String::new(),
            accepted: Vec::new(),
            code: None,
            receipt: None,
        }
    }

    /// Adds a header.
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    /// Sets the body.
    pub fn with_body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }
}
