//! What a redirect makes of a request: RFC 9110, 15.4, as browsers do it (the Fetch standard, "HTTP-redirect fetch").
//!
//! Where the origin changes, the credential stays behind, and of the headers only those go on that say nothing about us: a list of what may
//! leave, not of what may not, because any header can be somebody's key. A credential that was left behind is not taken up again.

use url::Url;

use crate::http::{Authorization, Body, HeaderName, Method, Repeat, Request, Response, StatusCode, header};
use crate::secret::Concealer;
use crate::{Code, Error, Result};

/// How many redirects are followed where they are: what RFC 2068, 10.3 recommended before the limit was left to clients; services that use
/// redirects at all (downloads, moved names) need one or two.
pub const REDIRECTS: u32 = 5;

/// Where the reply redirects to, as it says it.
pub(super) fn target(reply: &Response) -> Option<&str> {
    let redirects = matches!(reply.status.as_u16(), 300..=303 | 305..=308);
    if !redirects || !reply.headers.contains_key(header::LOCATION) {
        return None;
    }
    Some(reply.header(header::LOCATION.as_str()).unwrap_or(""))
}

/// Whether the status says that a request that changes something was taken, and its answer is elsewhere.
pub(super) fn is_effect(method: &Method, status: StatusCode) -> bool {
    !method.is_safe() && matches!(status.as_u16(), 300..=303)
}

/// The request to `location`. `protocol_error` for what is no address, `policy_denied` for what would carry a credential to another origin.
pub(super) fn next(request: Request, status: StatusCode, location: &str) -> Result<Request> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Err(Error::new(
            Code::ProtocolError,
            "the other side answered with a kind of redirect that is not followed",
        ));
    }
    let url = request.url.join(location).ok().filter(|_| !location.is_empty());
    let url =
        url.ok_or_else(|| Error::new(Code::ProtocolError, "the other side redirected to no address"))?;
    let mut next = request;
    let becomes_get = match status {
        StatusCode::SEE_OTHER => next.method != Method::GET && next.method != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => next.method == Method::POST,
        _ => false,
    };
    if becomes_get {
        next.method = Method::GET;
        next.body = Body::default();
        next.repeat = Repeat::Never; // the retry layer has the request that counts
        for name in CONTENT {
            next.headers.remove(name);
        }
        if let Authorization::Placed(placed) = &next.authorization {
            let kept = placed.iter().filter(|placed| !placed.place.is_in_body());
            next.authorization = Authorization::Placed(kept.cloned().collect());
        }
    }
    if url.origin() != next.url.origin() {
        leave_behind(&mut next, &url)?;
    }
    next.url = url;
    Ok(next)
}

/// Describes a body, which is gone when the method becomes GET.
const CONTENT: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
];

/// What says nothing about us.
const HARMLESS: [HeaderName; 8] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::RANGE,
    header::USER_AGENT,
    HeaderName::from_static("idempotency-key"),
];

fn leave_behind(next: &mut Request, url: &Url) -> Result<()> {
    let authorization = std::mem::take(&mut next.authorization);
    let in_body = matches!(&authorization, Authorization::Placed(placed) if placed.iter().any(|placed| placed.place.is_in_body()));
    if in_body {
        return Err(Error::new(
            Code::PolicyDenied,
            "the other side redirected a body that holds a credential to another origin",
        ));
    }
    let secrets = authorization.secrets();
    if Concealer::new(secrets.iter().map(|secret| secret.expose().as_str())).finds(url.as_str().as_bytes()) {
        return Err(Error::new(
            Code::PolicyDenied,
            "the other side redirected to another origin with the credential in the address",
        ));
    }
    let headers = std::mem::take(&mut next.headers);
    for name in HARMLESS {
        if let Some(value) = headers.get(&name) {
            next.headers.insert(name, value.clone());
        }
    }
    Ok(())
}
