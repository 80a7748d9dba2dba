//! A reply: head first, body as it comes.

use std::fmt;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::{HeaderMap, StatusCode};

use super::BodyStream;
use crate::transport::Verdict;
use crate::{Code, Error, Outcome, Result};

/// The largest reply that is read unless the request says otherwise: 64 MiB, because a Gmail message of the largest
/// size (36 MB) arrives as base64 in JSON.
pub const RESPONSE_LIMIT: usize = 64 * 1024 * 1024;

/// The reply to one request. The layers end when its body has ended or was dropped.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    body: BodyStream,
    limit: usize,
    verdict: Option<Verdict>,
    after_effect: bool,
}

impl Response {
    /// A reply from its parts; reading more than `limit` bytes of the body is an error.
    pub fn new(status: StatusCode, headers: HeaderMap, body: BodyStream, limit: usize) -> Self {
        Self {
            status,
            headers,
            body,
            limit,
            verdict: None,
            after_effect: false,
        }
    }

    /// A reply whose body is here already.
    pub fn whole(status: StatusCode, headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        let bytes = body.into();
        let body = Box::pin(futures::stream::once(async move { Ok(bytes) }));
        Self {
            status,
            headers,
            body,
            limit: super::RESPONSE_LIMIT,
            verdict: None,
            after_effect: false,
        }
    }

    /// The same reply, come at the end of redirects from a request that was taken: as a refusal it says nothing about that request.
    pub(crate) fn after_effect(mut self) -> Self {
        self.after_effect = true;
        self
    }

    /// Whether it came at the end of redirects from a request that was taken.
    pub(crate) fn is_after_effect(&self) -> bool {
        self.after_effect
    }

    /// The value of a header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Reads the whole body.
    pub async fn bytes(self) -> Result<Bytes> {
        let mut body = self.body;
        let Some(first) = body.next().await.transpose()? else {
            return Ok(Bytes::new());
        };
        let mut second = body.next().await.transpose()?;
        if second.is_none() {
            within(first.len(), self.limit)?;
            return Ok(first);
        }
        let mut whole = BytesMut::from(first.as_ref());
        while let Some(piece) = second {
            whole.extend_from_slice(&piece);
            within(whole.len(), self.limit)?;
            second = body.next().await.transpose()?;
        }
        Ok(whole.freeze())
    }

    /// Reads the whole body as JSON. A body that is none is `protocol_error`; its text is not repeated.
    pub async fn json<T: serde::de::DeserializeOwned>(self) -> Result<T> {
        let status = self.status;
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Error::new(
                Code::ProtocolError,
                format!(
                    "the reply ({} bytes) is not the JSON that was expected: {}",
                    bytes.len(),
                    place(&error)
                ),
            )
            .with_provider_status(status.as_u16())
            .with_outcome(Outcome::Unknown)
        })
    }

    /// The body as it comes, with the size limit.
    pub fn into_stream(self) -> BodyStream {
        let limit = self.limit;
        let mut read = 0_usize;
        Box::pin(self.body.map(move |piece| {
            let piece = piece?;
            read += piece.len();
            within(read, limit)?;
            Ok(piece)
        }))
    }

    /// The same reply, with the place where the receipt looks up what it was found to mean.
    pub(crate) fn with_verdict(mut self, verdict: Verdict) -> Self {
        self.verdict = Some(verdict);
        self
    }

    /// What the reply, a refusal, was found to mean. Said before its body is let go.
    pub(crate) fn found(&self, code: Code) {
        if let Some(verdict) = &self.verdict {
            let _ = verdict.set(code);
        }
    }

    /// The next piece of the body, without the size limit.
    pub(crate) async fn piece(&mut self) -> Option<Result<Bytes>> {
        self.body.next().await
    }

    /// The same reply with its body wrapped: how a layer learns that the body has ended or was dropped.
    pub fn map_body(mut self, wrap: impl FnOnce(BodyStream) -> BodyStream) -> Self {
        self.body = wrap(self.body);
        self
    }
}

/// Where serde stopped, without the text that it met.
fn place(error: &serde_json::Error) -> String {
    format!(
        "{:?} at line {}, column {}",
        error.classify(),
        error.line(),
        error.column()
    )
}

fn within(read: usize, limit: usize) -> Result<()> {
    if read <= limit {
        return Ok(());
    }
    Err(too_large(limit))
}

/// What a reply beyond its limit is.
pub(crate) fn too_large(limit: usize) -> Error {
    Error::new(
        Code::ResponseTooLarge,
        format!("the reply is larger than {limit} bytes"),
    )
    .with_outcome(Outcome::Unknown)
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
