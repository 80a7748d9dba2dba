//! What a refusal means: turns a reply that is not 2xx into an error.

use std::fmt::Debug;

use crate::http::{HeaderMap, Request, StatusCode};
use crate::{Code, Error, Outcome};

/// The head of a refusal and the first 64 KiB of its body.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, at most 64 KiB of it.
    pub body: &'a [u8],
}

/// A provider's own reading of refusals.
pub trait Classify: Send + Sync + Debug {
    /// The error that a refusal is; `None` leaves it to [`by_status`]. What it does not set (provider status, request id,
    /// retry-after from the headers, outcome of a 5xx) is set by the layer.
    fn classify(&self, request: &Request, refusal: Refusal<'_>) -> Option<Error>;
}

/// The error of a refusal by its status alone. A 5xx leaves the outcome unknown: the other side may have done it before it failed.
pub fn by_status(status: StatusCode) -> Error {
    let code = match status.as_u16() {
        300..=399 => Code::AddressDenied,
        401 => Code::Unauthenticated,
        402 => Code::BillingRequired,
        403 => Code::PermissionDenied,
        404 | 410 => Code::NotFound,
        408 | 504 => Code::Timeout,
        409 | 412 => Code::Conflict,
        413 => Code::InvalidInput,
        429 => Code::RateLimited,
        501 => Code::Unsupported,
        503 | 529 => Code::ProviderOverloaded,
        500..=599 => Code::ProviderUnavailable,
        400..=499 => Code::InvalidInput,
        _ => Code::ProtocolError,
    };
    let outcome = match status.as_u16() {
        300..=407 | 409..=499 | 501 | 503 | 529 => Outcome::Refused,
        _ => Outcome::Unknown,
    };
    Error::new(code, format!("the other side answered {}", status.as_u16()))
        .with_outcome(outcome)
        .with_provider_status(status.as_u16())
}
