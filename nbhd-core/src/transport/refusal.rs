//! What a refusal means: turns a reply that is no success into an error.

use std::fmt::Debug;

use super::attempt::request_id;
use super::retry_after::retry_after;
use crate::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use crate::{Code, Error, Outcome, Timestamp};

/// How much of a refusal's body is read: providers' error bodies are a few KiB.
const BODY_PREFIX: usize = 64 * 1024;

/// The head of a refusal and the first 64 KiB of its body.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Refusal<'a> {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, at most 64 KiB of it.
    pub body: &'a [u8],
    /// When it came, for refusals that name a point in time.
    pub now: Timestamp,
}

impl<'a> Refusal<'a> {
    /// A refusal that came at `now`.
    pub fn new(status: StatusCode, headers: &'a HeaderMap, body: &'a [u8], now: Timestamp) -> Self {
        Self {
            status,
            headers,
            body,
            now,
        }
    }
}

/// A provider's own reading of refusals.
pub trait Classify: Send + Sync + Debug {
    /// The error that a refusal is; `None` leaves it to [`by_status`].
    ///
    /// What it does not set is set by the layer: provider status, request id, retry-after from the headers, and the outcome. An
    /// outcome of `NotSent` counts as not set, because a reply came.
    fn classify(&self, request: &Request, refusal: Refusal<'_>) -> Option<Error>;
}

/// The error of a refusal by its status alone.
///
/// A 5xx leaves the outcome unknown, 503 too: a proxy answers so as well when it lost the connection to a server that had
/// the whole request.
pub fn by_status(status: StatusCode) -> Error {
    let code = match status.as_u16() {
        401 => Code::Unauthenticated,
        402 => Code::BillingRequired,
        403 => Code::PermissionDenied,
        404 | 410 => Code::NotFound,
        408 | 504 => Code::Timeout,
        409 | 412 => Code::Conflict,
        429 => Code::RateLimited,
        400..=499 => Code::InvalidInput,
        501 | 505 => Code::Unsupported,
        503 | 529 => Code::ProviderOverloaded,
        500..=599 => Code::ProviderUnavailable,
        _ => Code::ProtocolError,
    };
    let outcome = match status.as_u16() {
        408 => Outcome::Unknown,
        300..=499 | 501 | 505 => Outcome::Refused,
        _ => Outcome::Unknown,
    };
    Error::new(code, format!("the other side answered {}", status.as_u16()))
        .with_outcome(outcome)
        .with_provider_status(status.as_u16())
}

/// Whether the reply is what was asked for: 2xx, "not modified" to a conditional request, and "resume incomplete" to a
/// piece of an upload (308 without a place to go).
pub(crate) fn is_answer(request: &Request, reply: &Response) -> bool {
    match reply.status {
        StatusCode::NOT_MODIFIED => {
            request.headers.contains_key(header::IF_NONE_MATCH)
                || request.headers.contains_key(header::IF_MODIFIED_SINCE)
        }
        StatusCode::PERMANENT_REDIRECT => {
            request.method == Method::PUT
                && request.headers.contains_key(header::CONTENT_RANGE)
                && !reply.headers.contains_key(header::LOCATION)
        }
        status => status.is_success(),
    }
}

/// The error that a reply is. Reads the beginning of its body, which ends the attempt.
pub(crate) async fn into_error(
    classify: Option<&dyn Classify>,
    request: &Request,
    mut reply: Response,
    now: Timestamp,
) -> Error {
    let body = beginning(&mut reply).await;
    let (status, headers) = (reply.status, std::mem::take(&mut reply.headers));
    let after_effect = reply.is_after_effect();
    let plain = by_status(status);
    let outcome = plain.outcome();
    let mut error = classify
        .and_then(|classify| classify.classify(request, Refusal::new(status, &headers, &body, now)))
        .unwrap_or(plain);
    if error.outcome() == Outcome::NotSent {
        error = error.with_outcome(outcome);
    }
    if after_effect {
        error = error.with_outcome(Outcome::Unknown);
    }
    if error.provider_status().is_none() {
        error = error.with_provider_status(status.as_u16());
    }
    if error.request_id().is_none()
        && let Some(id) = request_id(&headers)
    {
        error = error.with_request_id(id);
    }
    if error.retry_after().is_none()
        && let Some(wait) = retry_after(&headers, now)
    {
        error = error.with_retry_after(wait);
    }
    reply.found(error.code());
    error
}

async fn beginning(reply: &mut Response) -> Vec<u8> {
    let mut read = Vec::new();
    // A refusal whose body breaks off is still a refusal: what came of it serves.
    while let Some(Ok(piece)) = reply.piece().await {
        let room = BODY_PREFIX - read.len();
        read.extend_from_slice(&piece[..piece.len().min(room)]);
        if read.len() == BODY_PREFIX {
            break;
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_status_says_of_the_outcome() {
        let table = [
            (400, Code::InvalidInput, Outcome::Refused),
            (401, Code::Unauthenticated, Outcome::Refused),
            (404, Code::NotFound, Outcome::Refused),
            (408, Code::Timeout, Outcome::Unknown),
            (418, Code::InvalidInput, Outcome::Refused),
            (429, Code::RateLimited, Outcome::Refused),
            (500, Code::ProviderUnavailable, Outcome::Unknown),
            (501, Code::Unsupported, Outcome::Refused),
            (502, Code::ProviderUnavailable, Outcome::Unknown),
            (503, Code::ProviderOverloaded, Outcome::Unknown),
            (504, Code::Timeout, Outcome::Unknown),
            (599, Code::ProviderUnavailable, Outcome::Unknown),
            (302, Code::ProtocolError, Outcome::Refused),
        ];
        for (status, code, outcome) in table {
            let error = by_status(StatusCode::from_u16(status).expect("a status"));
            assert_eq!((error.code(), error.outcome()), (code, outcome), "{status}");
        }
    }
}
