//! A secure request as data: whoever writes it, it holds no secret.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::http::{HeaderName, HeaderValue, Method, Repeat, Request, header};
use crate::secret::SafeUrl;
use crate::{Code, Error, Result};

/// The time of one secure request unless it says otherwise, in seconds: what an agent's tool call may reasonably take.
pub const TIMEOUT: f64 = 30.0;

/// The longest time of a secure request, in seconds: ten minutes, for reports that are made while we wait.
pub const LONGEST: f64 = 600.0;

/// The largest answer unless the request says otherwise, in bytes: 1 MiB, more than a model can read.
pub const BODY_LIMIT: u64 = 1024 * 1024;

/// One HTTP request. At most one of `json`, `text` and `form` is its body.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecureRequest {
    /// Where to: https, on an allowed host.
    pub url: String,
    /// `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE` or `OPTIONS`; `GET` unless given.
    #[serde(default = "get")]
    pub method: String,
    /// Query parameters, added to those of the URL.
    #[serde(default)]
    pub query: BTreeMap<String, Parameter>,
    /// Headers. None of the connection, and none that carries a credential: these are given apart.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A JSON body.
    #[serde(default)]
    pub json: Option<Value>,
    /// A text body, `text/plain` unless a header says otherwise.
    #[serde(default)]
    pub text: Option<String>,
    /// A form body.
    #[serde(default)]
    pub form: Option<BTreeMap<String, Parameter>>,
    /// A key by which the service recognises a repetition, sent as `Idempotency-Key`: the request may then be sent again after silence.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// Whether replies of any status are answers; else what is not 2xx raises.
    #[serde(default)]
    pub any_status: bool,
    /// Seconds for all of it, redirects and repetitions included; 30 unless given, at most 600.
    #[serde(default = "timeout")]
    pub timeout: f64,
    /// The largest answer, in bytes; 1 MiB unless given, at most 64 MiB.
    #[serde(default = "body_limit")]
    pub max_bytes: u64,
}

/// The value of a query parameter or of a form field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Parameter {
    /// A text.
    Text(String),
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// A number.
    Number(f64),
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Parameter::Text(text) => f.write_str(text),
            Parameter::Flag(flag) => flag.fmt(f),
            Parameter::Whole(number) => number.fmt(f),
            Parameter::Number(number) => number.fmt(f),
        }
    }
}

impl<T: Into<String>> From<T> for Parameter {
    fn from(text: T) -> Self {
        Parameter::Text(text.into())
    }
}

fn get() -> String {
    "GET".to_owned()
}

fn timeout() -> f64 {
    TIMEOUT
}

fn body_limit() -> u64 {
    BODY_LIMIT
}

impl SecureRequest {
    /// A request of this method.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            method: method.into(),
            query: BTreeMap::new(),
            headers: BTreeMap::new(),
            json: None,
            text: None,
            form: None,
            idempotency_key: None,
            any_status: false,
            timeout: TIMEOUT,
            max_bytes: BODY_LIMIT,
        }
    }

    /// A `GET`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A `POST` of JSON.
    pub fn post(url: impl Into<String>, json: Value) -> Self {
        Self {
            json: Some(json),
            ..Self::new("POST", url)
        }
    }

    /// Adds a query parameter.
    pub fn with_query(mut self, name: impl Into<String>, value: impl Into<Parameter>) -> Self {
        self.query.insert(name.into(), value.into());
        self
    }

    /// Adds a header.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// Sets a text body.
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Adds a field to a form body.
    pub fn with_field(mut self, name: impl Into<String>, value: impl Into<Parameter>) -> Self {
        self.form
            .get_or_insert_default()
            .insert(name.into(), value.into());
        self
    }

    /// Sets the key by which the service recognises a repetition.
    pub fn with_idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Takes replies of any status for answers.
    pub fn with_any_status(mut self) -> Self {
        self.any_status = true;
        self
    }

    /// Sets the seconds for all of it.
    pub fn with_timeout(mut self, seconds: f64) -> Self {
        self.timeout = seconds;
        self
    }

    /// Sets the largest answer, in bytes.
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The time that it may take.
    pub(super) fn limit(&self) -> Result<Duration> {
        if !(self.timeout > 0.0 && self.timeout <= LONGEST) {
            return Err(invalid("the timeout is not between 0 and 600 seconds"));
        }
        Ok(Duration::from_secs_f64(self.timeout))
    }

    /// The request as the transport takes it, without any credential.
    pub(super) fn to_http(&self) -> Result<Request> {
        let url = self.whole_url()?;
        let method = match self.method.to_ascii_uppercase().as_str() {
            "GET" => Method::GET,
            "HEAD" => Method::HEAD,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            "DELETE" => Method::DELETE,
            "OPTIONS" => Method::OPTIONS,
            _ => return Err(invalid("the method is none that may be used here")),
        };
        let most = crate::http::RESPONSE_LIMIT as u64;
        if self.max_bytes > most {
            return Err(invalid("max_bytes is more than 64 MiB"));
        }
        let mut request = Request::new(method, url, "secure_request")
            .with_response_limit(self.max_bytes as usize)
            .with_whole_body();
        request = self.with_body(request)?;
        for (name, value) in &self.headers {
            let (name, value) = header_of(name, value)?;
            request.headers.insert(name, value);
        }
        if let Some(key) = &self.idempotency_key {
            let (name, value) = header_of("idempotency-key", key)?;
            request.headers.insert(name, value);
            request.repeat = Repeat::Keyed(key.clone());
        }
        Ok(request)
    }

    fn whole_url(&self) -> Result<Url> {
        let mut url: Url = self
            .url
            .parse()
            .map_err(|error: url::ParseError| invalid(&format!("the URL cannot be read: {error}")))?;
        if !self.query.is_empty() {
            let mut pairs = url.query_pairs_mut();
            for (name, value) in &self.query {
                pairs.append_pair(name, &value.to_string());
            }
        }
        url.set_fragment(None);
        Ok(url)
    }

    fn with_body(&self, request: Request) -> Result<Request> {
        match (&self.json, &self.text, &self.form) {
            (None, None, None) => Ok(request),
            (Some(json), None, None) => request.with_json(json),
            (None, Some(text), None) => {
                let kind = HeaderValue::from_static("text/plain; charset=utf-8");
                Ok(request.with_body(kind, text.clone()))
            }
            (None, None, Some(form)) => {
                let fields: Vec<_> = form
                    .iter()
                    .map(|(name, value)| (name, value.to_string()))
                    .collect();
                Ok(request.with_form(fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
            }
            _ => Err(invalid("a request has one body: json, text or form")),
        }
    }
}

fn header_of(name: &str, value: &str) -> Result<(HeaderName, HeaderValue)> {
    let name: HeaderName = name
        .parse()
        .map_err(|_| invalid("a header has a name that none can have"))?;
    if is_ours(&name) {
        return Err(invalid(&format!("the header {name} is set by the transport")));
    }
    if is_credential(&name) {
        return Err(Error::new(
            Code::PolicyDenied,
            format!("the header {name} carries a credential, which is no part of a request"),
        )
        .with_user_action("Give the secret as a credential, bound to its origin."));
    }
    let value = HeaderValue::from_str(value)
        .map_err(|_| invalid(&format!("the header {name} has a value that none can have")))?;
    Ok((name, value))
}

/// Whether the header belongs to the connection: whoever sets one could make two requests of one.
pub(super) fn is_ours(name: &HeaderName) -> bool {
    const OURS: [HeaderName; 9] = [
        header::HOST,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
        header::TE,
        header::TRAILER,
        header::UPGRADE,
        header::EXPECT,
        header::ACCEPT_ENCODING,
    ];
    OURS.contains(name) || ["keep-alive", "http2-settings"].contains(&name.as_str())
}

fn is_credential(name: &HeaderName) -> bool {
    *name == header::AUTHORIZATION || *name == header::COOKIE || name.as_str().starts_with("proxy-")
}

fn invalid(why: &str) -> Error {
    Error::new(Code::InvalidInput, why)
}

impl fmt::Debug for SecureRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url: Option<Url> = self.url.parse().ok();
        f.debug_struct("SecureRequest")
            .field("method", &self.method)
            .field("url", &url.as_ref().map(SafeUrl))
            .finish_non_exhaustive()
    }
}
