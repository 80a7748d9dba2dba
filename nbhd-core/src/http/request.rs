//! A request as data.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use super::{Authorization, Body, RESPONSE_LIMIT, Repeat};
use crate::secret::SafeUrl;
use crate::transport::Payment;
use crate::{Code, Error, Result};

/// The time limits of one attempt. The operation's deadline stands above all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect, TLS included. 10 s: a healthy handshake takes three round trips.
    pub connect: Duration,
    /// From the last byte written to the reply's head. 60 s.
    pub first_byte: Duration,
    /// Between two pieces of the body. 30 s.
    pub idle: Duration,
}

impl Timeouts {
    /// The three limits.
    pub const fn new(connect: Duration, first_byte: Duration, idle: Duration) -> Self {
        Self {
            connect,
            first_byte,
            idle,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(30),
        }
    }
}

/// One request, as data: it can be looked at, compared in tests, cloned for the next attempt.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The URL, without any secret: see [`Authorization::PathSegment`].
    pub url: Url,
    /// What is asked, in our words, such as `gmail.messages.get`: it stands in receipts and faults.
    pub label: &'static str,
    /// The headers, without any secret.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    /// The credential and its place.
    pub authorization: Authorization,
    /// Whether it may be sent twice.
    pub repeat: Repeat,
    /// The time limits of one attempt.
    pub timeouts: Timeouts,
    /// The largest reply that is read, in bytes.
    pub response_limit: usize,
    /// Whether an attempt has succeeded only when its whole body is here: a body that breaks off is then repeated like
    /// any other failure. For replies that are read as one piece, never for streams.
    pub whole: bool,
    /// What one attempt costs at the provider's rate gate, in its units.
    pub units: u32,
    /// Whether the connection has to be a new one: the retry layer says so when one that was used before died in silence.
    pub fresh: bool,
    /// What was paid for it at the rate gate: the permit layer says so.
    pub payment: Option<Payment>,
}

impl Request {
    /// A request; `GET` and `HEAD` are safe to repeat, everything else is [`Repeat::Never`] until said otherwise.
    pub fn new(method: Method, url: Url, label: &'static str) -> Self {
        let repeat = if method == Method::GET || method == Method::HEAD {
            Repeat::Safe
        } else {
            Repeat::Never
        };
        Self {
            method,
            url,
            label,
            headers: HeaderMap::new(),
            body: Body::default(),
            authorization: Authorization::None,
            repeat,
            timeouts: Timeouts::default(),
            response_limit: RESPONSE_LIMIT,
            whole: false,
            units: 1,
            fresh: false,
            payment: None,
        }
    }

    /// Adds a header that holds no secret.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sets a JSON body and its content type.
    pub fn with_json(mut self, body: &impl serde::Serialize) -> Result<Self> {
        let bytes = serde_json::to_vec(body).map_err(|error| {
            Error::new(
                Code::InvalidInput,
                format!("the request body cannot be written as JSON: {error}"),
            )
        })?;
        self.body = bytes.into();
        self.headers.insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        Ok(self)
    }

    /// Sets a form body and its content type.
    pub fn with_form<'a>(mut self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            form.append_pair(name, value);
        }
        self.body = form.finish().into_bytes().into();
        self.headers.insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        self
    }

    /// Sets the body.
    pub fn with_body(mut self, content_type: HeaderValue, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self.headers.insert(http::header::CONTENT_TYPE, content_type);
        self
    }

    /// Adds a query parameter.
    pub fn with_query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    /// Sets the credential and its place.
    pub fn with_authorization(mut self, authorization: Authorization) -> Self {
        self.authorization = authorization;
        self
    }

    /// Says whether it may be sent twice.
    pub fn with_repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    /// Sets the time limits of one attempt.
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets the largest reply that is read, in bytes.
    pub fn with_response_limit(mut self, bytes: usize) -> Self {
        self.response_limit = bytes;
        self
    }

    /// Counts an attempt as succeeded only when its whole body is here.
    pub fn with_whole_body(mut self) -> Self {
        self.whole = true;
        self
    }

    /// Sets what one attempt costs at the provider's rate gate.
    pub fn with_units(mut self, units: u32) -> Self {
        self.units = units;
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &SafeUrl(&self.url))
            .field("label", &self.label)
            .field("body", &self.body)
            .field("authorization", &self.authorization)
            .field("repeat", &self.repeat)
            .finish_non_exhaustive()
    }
}
