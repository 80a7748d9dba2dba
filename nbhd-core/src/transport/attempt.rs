//! One attempt as it stands in the receipt: written when the reply's body has ended or was dropped.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;

use super::Transport;
use crate::http::{HeaderMap, Request, Response};
use crate::receipt::Attempt;
use crate::secret::redact;
use crate::{Operation, Result};

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
                Ok(reply.map_body(|mut body| {
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

/// An attempt that runs. Its end, however it comes, writes it down once.
struct Record {
    operation: Operation,
    started: Duration,
    attempt: Attempt,
    written: bool,
}

impl Record {
    fn begin(operation: &Operation, request: &Request) -> Self {
        let host = request.url.host_str().unwrap_or_default();
        let mut attempt = Attempt::new(request.label, host);
        attempt.bytes_sent = request.body.len() as u64;
        Self {
            started: operation.host().clock().monotonic(),
            operation: operation.clone(),
            attempt,
            written: false,
        }
    }

    fn read(&mut self, piece: Option<&Result<bytes::Bytes>>) {
        match piece {
            Some(Ok(bytes)) => self.attempt.bytes_received += bytes.len() as u64,
            Some(Err(error)) => self.attempt.error = Some(error.code().name().to_owned()),
            None => self.write(),
        }
    }

    fn write(&mut self) {
        if !self.written {
            self.written = true;
            let now = self.operation.host().clock().monotonic();
            self.attempt.seconds = now.saturating_sub(self.started).as_secs_f64();
            self.operation.note_attempt(self.attempt.clone());
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
fn limits(headers: &HeaderMap) -> Vec<(String, String)> {
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
    let text = value.to_str().ok()?;
    Some(redact(text).chars().take(VALUE_LIMIT).collect())
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
        let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-ratelimit-remaining-requests", "retry-after"]);
    }
}
