//! The call: rules first, then the credential, then the request through the layers that every request passes.

use std::sync::Arc;

use super::answer::Came;
use super::{Access, SecureAnswer, SecureRequest};
use crate::audit::Audited;
use crate::http::{Authorization, HeaderValue, Place, Placed, Request, header};
use crate::secret::Concealer;
use crate::transport::{Concealed, Layers, stack};
use crate::{Code, Error, Host, Operation, Outcome, Result};

impl Host {
    /// Makes one HTTP request under the rules of `access`, and returns what came, without the secrets.
    ///
    /// Refused before anything is sent: `address_denied` for what is not https, not allowed or not public; `policy_denied` for a credential
    /// where it does not belong, and where nothing is allowed; `invalid_input` for what is no request. Redirects are checked like the request
    /// itself, and no credential goes along to another origin. A reply that is not 2xx raises unless the request takes any status.
    /// Every call leaves an audit event, refused or not; one that cannot be written is an error, because nobody could tell.
    pub async fn secure_request(&self, request: &SecureRequest, access: &Access) -> Result<SecureAnswer> {
        let limit = request.limit().unwrap_or(crate::DEADLINE);
        let operation = Operation::begin_within(self, "host.secure_request", limit);
        let inside = operation.clone();
        let audited = Audited::begin(self, &access.actor, "secure_request", &parameters(request));
        let work = async move { send(&inside, request, access).await };
        let result = operation.run(work).await;
        let written = audited.end(&result);
        let (came, receipt) = result?;
        // What was asked for has happened, but nobody could tell: that is no success.
        written.map_err(|error| error.with_outcome(Outcome::Unknown).with_retryable(false))?;
        Ok(came.answer(receipt))
    }
}

/// What the audit event hashes: the whole request, which holds no secret.
fn parameters(request: &SecureRequest) -> serde_json::Value {
    serde_json::to_value(request).unwrap_or_default()
}

async fn send(operation: &Operation, request: &SecureRequest, access: &Access) -> Result<Came> {
    request.limit()?;
    if access.hosts.is_empty() {
        return Err(Error::new(Code::PolicyDenied, "no host is allowed")
            .with_user_action("Allow the hosts that the request may go to."));
    }
    let plain = request.to_http()?;
    let (wire, concealer) = authorized(plain, access)?;
    let concealed = Arc::new(Concealed::new(concealer));
    let host = operation.host();
    let mut layers = Layers::default()
        .with_allowed_hosts(access.hosts.iter().cloned())
        .with_loopback(access.loopback)
        .with_redirects(access.redirects)
        .with_budget(host.secure_budget().clone())
        .with_any_status(request.any_status);
    layers.conceal = Some(concealed.clone());
    let reply = stack(host, layers).send(operation, wire).await?;
    let (status, headers) = (reply.status, reply.headers.clone());
    let body = reply.bytes().await?.to_vec();
    Ok(Came {
        status,
        headers,
        body,
        concealed: concealed.count(),
    })
}

/// The request with the credentials of its origin, and what finds them again.
fn authorized(mut request: Request, access: &Access) -> Result<(Request, Concealer)> {
    let bound: Vec<_> = access
        .credentials
        .iter()
        .filter(|credential| credential.origin.origin() == request.url.origin())
        .collect();
    if bound.is_empty() && !access.credentials.is_empty() {
        return Err(Error::new(
            Code::PolicyDenied,
            "no credential is bound to the origin of the request",
        )
        .with_user_action("Call the origin that the credential is bound to, or give none."));
    }
    let mut placed = Vec::with_capacity(bound.len());
    for credential in bound {
        let secret = Arc::new(credential.reveal()?);
        let place = credential.place.clone();
        prepare(&mut request, &place)?;
        placed.push(Placed { place, secret });
    }
    let secrets = placed.iter().map(|placed| placed.secret.expose().as_str());
    let concealer = Concealer::new(secrets);
    if !placed.is_empty() {
        request.authorization = Authorization::Placed(placed.into());
    }
    Ok((request, concealer))
}

/// Makes sure that the place is free, and there.
fn prepare(request: &mut Request, place: &Place) -> Result<()> {
    let kind = request
        .headers
        .get(header::CONTENT_TYPE)
        .map(|kind| kind.as_bytes().to_ascii_lowercase());
    match place {
        Place::Header { name, .. } if request.headers.contains_key(name) => Err(Error::new(
            Code::PolicyDenied,
            format!("the request sets the header {name}, which is the credential's"),
        )),
        Place::Query { name } if request.url.query_pairs().any(|(own, _)| own == *name) => Err(Error::new(
            Code::PolicyDenied,
            "the request sets the query parameter that is the credential's",
        )),
        Place::Json { .. } if request.body.is_empty() => {
            request.body = "{}".into();
            request
                .headers
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok(())
        }
        Place::Form { .. } if request.body.is_empty() => {
            let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers.insert(header::CONTENT_TYPE, kind);
            Ok(())
        }
        Place::Form { .. }
            if !kind.is_some_and(|kind| kind.starts_with(b"application/x-www-form-urlencoded")) =>
        {
            Err(Error::new(
                Code::InvalidInput,
                "the body that the credential belongs into is no form",
            ))
        }
        _ => Ok(()),
    }
}
