//! One attempt as it stands in the receipt: written when the reply's body has ended or was dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;

use super::Transport;
use crate::http::{HeaderMap, Request, Response};
use crate::receipt::Attempt;
use crate::secret::redact;
use crate::{Code, Operation, Result};

/// Writes attempts into the receipt.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) inner: Arc<dyn Transport>,
}

#[async_trait]
impl Transport for Recorded {
    async fn send(&self, operation: &Operation, request: Request) -> Result<Response> {
        let mut record = Record::begin(operation, &request);
        match self.inner.send(operation, request).await {
            Ok(reply) => {
                record.attempt.status = Some(reply.status.as_u16());
                record.attempt.request_id = request_id(&reply.headers);
                record.attempt.limits = limits(&reply.headers);
                let verdict = Verdict::default();
                record.verdict = Some(verdict.clone());
                Ok(reply.with_verdict(verdict).map_body(|mut body| {
                    Box::pin(futures::stream::poll_fn(move |context| {
                        let piece = body.poll_next_unpin(context);
                        if let std::task::Poll::Ready(piece) = &piece {
                            record.read(piece.as_ref());
                        }
                        piece
                    }))
                }))
            }
            Err(error) => {
                record.attempt.error = Some(error.code().name().to_owned());
                Err(error)
            }
        }
    }
}

/// What a refusal was found to mean by those who read its body. Set before the body is let go, it stands in the receipt.
pub(crate) type Verdict = Arc<OnceLock<Code>>;

/// An attempt that runs. Its end, however it comes, writes it down once.
struct Record {
    operation: Operation,
    turn: u64,
    started: Duration,
    attempt: Attempt,
    verdict: Option<Verdict>,
    /// The body has come to its end.
    ended: bool,
    written: bool,
}

impl Record {
    fn begin(operation: &Operation, request: &Request) -> Self {
        let host = request.url.host_str().unwrap_or_default();
        if let Some(payment) = &request.payment {
            payment.note_asked();
        }
        let mut attempt = Attempt::new(request.label, host);
        attempt.bytes_sent = request.body.len() as u64;
        Self {
            started: operation.host().clock().monotonic(),
            operation: operation.clone(),
            turn: operation.next_turn(),
            attempt,
            verdict: None,
            ended: false,
            written: false,
        }
    }

    fn read(&mut self, piece: Option<&Result<bytes::Bytes>>) {
        match piece {
            Some(Ok(bytes)) => self.attempt.bytes_received += bytes.len() as u64,
            Some(Err(error)) => self.attempt.error = Some(error.code().name().to_owned()),
            None => {
                self.end();
                // What a refusal means is not known until its body was read.
                if !self.refused() {
                    self.write();
                }
            }
        }
    }

    fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            let now = self.operation.host().clock().monotonic();
            self.attempt.seconds = now.saturating_sub(self.started).as_secs_f64();
        }
    }

    fn refused(&self) -> bool {
        self.attempt.status.is_some_and(|status| status >= 300)
    }

    fn write(&mut self) {
        if !self.written {
            self.written = true;
            self.end();
            let verdict = self.verdict.as_ref().and_then(|verdict| verdict.get());
            if let (None, Some(code)) = (&self.attempt.error, verdict) {
                self.attempt.error = Some(code.name().to_owned());
            }
            let attempt = std::mem::replace(&mut self.attempt, Attempt::new("", ""));
            self.operation.note_attempt_at(self.turn, attempt);
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.write();
    }
}

/// The longest header value that is kept.
const VALUE_LIMIT: usize = 128;

/// The other side's id of the request: `x-request-id`, `request-id`, or a vendor's header that ends alike.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    let exact = ["x-request-id", "request-id"]
        .into_iter()
        .find_map(|name| headers.get(name));
    let alike = || {
        headers
            .iter()
            .find(|(name, _)| name.as_str().ends_with("request-id") || name.as_str().ends_with("requestid"))
            .map(|(_, value)| value)
    };
    shown(exact.or_else(alike)?)
}

/// The headers that speak of rate limits and quotas.
fn limits(headers: &HeaderMap) -> BTreeMap<String, String> {
    const MANY: usize = 16;
    headers
        .iter()
        .filter(|(name, _)| {
            let name = name.as_str();
            ["ratelimit", "rate-limit", "quota", "retry-after"]
                .iter()
                .any(|part| name.contains(part))
        })
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), shown(value)?)))
        .take(MANY)
        .collect()
}

fn shown(value: &crate::http::HeaderValue) -> Option<String> {
    let mut text = redact(value.to_str().ok()?);
    if let Some((end, _)) = text.char_indices().nth(VALUE_LIMIT) {
        text.truncate(end);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_limits_are_found_by_their_names() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).parse().expect("a name"), value.parse().expect("a value")))
                .collect::<HeaderMap>()
        };
        let id = |pairs| request_id(&headers(pairs));
        assert_eq!(
            id(&[("x-vendor-requestid", "c"), ("request-id", "b")]).as_deref(),
            Some("b")
        );
        assert_eq!(id(&[("x-vendor-request-id", "c")]).as_deref(), Some("c"));
        assert_eq!(id(&[("set-cookie", "c")]), None);
        let kept = limits(&headers(&[
            ("x-ratelimit-remaining-requests", "59"),
            ("set-cookie", "session=secret"),
            ("retry-after", "2"),
        ]));
        let kept: Vec<(&str, &str)> = kept
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            kept,
            [("retry-after", "2"), ("x-ratelimit-remaining-requests", "59")]
        );
    }
}
