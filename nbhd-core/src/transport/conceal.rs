//! Takes known secrets out of replies before any other layer, receipt or error sees them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use super::Transport;
use crate::http::{BodyStream, HeaderMap, HeaderValue, Request, Response, header, too_large};
use crate::secret::Concealer;
use crate::{Code, Error, Operation, Outcome, Result};

/// What is taken out, and how often it was there.
pub(crate) struct Concealed {
    concealer: Concealer,
    found: AtomicUsize,
}

impl Concealed {
    pub(crate) fn new(concealer: Concealer) -> Self {
        Self {
            concealer,
            found: AtomicUsize::new(0),
        }
    }

    /// How often a secret stood in a reply.
    pub(crate) fn count(&self) -> usize {
        self.found.load(Ordering::Relaxed)
    }

    fn clean(&self, text: &[u8]) -> Vec<u8> {
        let (clean, found) = self.concealer.conceal(text);
        self.found.fetch_add(found, Ordering::Relaxed);
        clean
    }

    fn clean_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in headers.iter_mut() {
            // The guard reads where a redirect goes, and refuses a secret that would go elsewhere.
            if name != header::LOCATION && self.concealer.finds(value.as_bytes()) {
                let clean = self.clean(value.as_bytes());
                *value = HeaderValue::from_bytes(&clean).unwrap_or(HeaderValue::from_static("***"));
            }
        }
    }
}

impl fmt::Debug for Concealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Concealed")
    }
}

/// Cleans every reply. A body is given as one piece, because a secret may lie across two.
#[derive(Debug)]
pub(super) struct Cleaned {
    pub(super) concealed: Arc<Concealed>,
    pub(super) inner: Arc<dyn Transport>,
}

#[async_trait]
impl Transport for Cleaned {
    async fn send(&self, operation: &Operation, request: Request) -> Result<Response> {
        let limit = request.response_limit;
        let mut reply = self.inner.send(operation, request).await?;
        let plain = reply
            .header(header::CONTENT_ENCODING.as_str())
            .is_none_or(|encoding| encoding.trim().eq_ignore_ascii_case("identity"));
        if !plain {
            return Err(Error::new(
                Code::ProtocolError,
                "the reply is encoded in a way in which no secret can be found",
            )
            .with_outcome(Outcome::Unknown));
        }
        self.concealed.clean_headers(&mut reply.headers);
        let concealed = self.concealed.clone();
        Ok(reply.map_body(move |body| Box::pin(futures::stream::once(whole(body, limit, concealed)))))
    }
}

async fn whole(mut body: BodyStream, limit: usize, concealed: Arc<Concealed>) -> Result<Bytes> {
    let mut whole = BytesMut::new();
    while let Some(piece) = body.next().await {
        whole.extend_from_slice(&piece?);
        if whole.len() > limit {
            return Err(too_large(limit));
        }
    }
    Ok(concealed.clean(&whole).into())
}
