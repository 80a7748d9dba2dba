//! The one place that opens HTTP connections: reqwest over rustls.
//!
//! It follows no redirect, repeats nothing and sends no `Referer`; the layers above decide all that. Its pool belongs to one
//! process: after a fork the child makes its own and never touches the parent's.
//!
//! The environment's proxies (`HTTPS_PROXY`, `NO_PROXY`) are not read unless asked for by [`Socket::with_environment_proxy`]:
//! a variable that somebody set must not silently route credentials through another host.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use url::Url;

use super::progress::{ConnectWatch, Progress};
use super::{Transport, failure};
use crate::http::{Authorization, BodyStream, HeaderValue, Request, Response, header};
use crate::{Code, Error, Operation, Outcome, Result, generation};

/// HTTP/1.1 and HTTP/2 with a pool; built at first use and rebuilt after a fork.
pub struct Socket {
    environment_proxy: bool,
    client: ArcSwapOption<Pool>,
}

#[expect(
    clippy::disallowed_types,
    reason = "the one place that opens HTTP connections"
)]
struct Pool {
    generation: u32,
    client: reqwest::Client,
}

impl Default for Socket {
    fn default() -> Self {
        Self {
            environment_proxy: false,
            client: ArcSwapOption::const_empty(),
        }
    }
}

impl Socket {
    /// Routes requests through the proxies that the environment names (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`), except to the
    /// hosts of `NO_PROXY`.
    pub fn with_environment_proxy(mut self) -> Self {
        self.environment_proxy = true;
        self
    }

    /// The pool of this process.
    fn pool(&self) -> Result<Arc<Pool>> {
        self.pool_of(generation::current())
    }

    fn pool_of(&self, generation: u32) -> Result<Arc<Pool>> {
        if let Some(pool) = &*self.client.load()
            && pool.generation == generation
        {
            return Ok(pool.clone());
        }
        let pool = Arc::new(Pool {
            generation,
            client: build(self.environment_proxy)?,
        });
        let old = self.client.swap(Some(pool.clone()));
        if let Some(old) = old.filter(|old| old.generation != generation) {
            // The parent's connections: dropping them here would write to sockets that the parent still uses.
            std::mem::forget(old);
        }
        Ok(pool)
    }
}

#[async_trait]
impl Transport for Socket {
    async fn send(&self, operation: &Operation, request: Request) -> Result<Response> {
        let pool = self.pool()?;
        let timeouts = request.timeouts;
        let limit = request.response_limit;
        let progress = Progress::new(timeouts, request.body.len());
        let wire = write(request, &progress)?;
        let reply = tokio::select! {
            biased;
            () = operation.cancellation().cancelled() => return Err(cancelled().with_outcome(progress.outcome())),
            reply = progress.watch(pool.client.execute(wire)) => {
                reply.map_err(|error| failure::before_head(&error))?
            }
            what = progress.exhausted(operation.remaining()) => {
                return Err(Error::new(Code::Timeout, what).with_outcome(progress.outcome()));
            }
        };
        let status = reply.status();
        let headers = reply.headers().clone();
        let body = body(reply.bytes_stream(), operation.clone(), timeouts.idle);
        Ok(Response::new(status, headers, body, limit))
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("environment_proxy", &self.environment_proxy)
            .finish_non_exhaustive()
    }
}

/// Who we say we are unless a request says otherwise. Some servers compress only for agents that name gzip here.
const USER_AGENT: &str = concat!("nbhd/", env!("CARGO_PKG_VERSION"), " (gzip)");

#[expect(
    clippy::disallowed_types,
    reason = "the one place that opens HTTP connections"
)]
fn build(environment_proxy: bool) -> Result<reqwest::Client> {
    // Already installed by somebody else is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let base = || {
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(USER_AGENT)
            .connector_layer(ConnectWatch);
        if environment_proxy {
            builder
        } else {
            builder.no_proxy()
        }
    };
    let bundled = || {
        webpki_root_certs::TLS_SERVER_ROOT_CERTS
            .iter()
            .filter_map(|certificate| reqwest::Certificate::from_der(certificate.as_ref()).ok())
    };
    // With the bundled roots beside the system's, a machine without any roots still gets a client; and where even the
    // system's store cannot be opened, the bundled ones alone serve.
    base()
        .tls_certs_merge(bundled())
        .build()
        .or_else(|_| base().tls_certs_only(bundled()).build())
        .map_err(|_| Error::new(Code::TlsFailed, "no TLS client can be made on this machine"))
}

/// The request as reqwest takes it, with the credential in its place.
fn write(request: Request, progress: &Progress) -> Result<reqwest::Request> {
    let mut url = request.url;
    let mut headers = request.headers;
    match &request.authorization {
        Authorization::None => {}
        Authorization::Bearer(token) => {
            headers.insert(
                header::AUTHORIZATION,
                sensitive(&format!("Bearer {}", token.expose()))?,
            );
        }
        Authorization::Header(name, value) => {
            headers.insert(name.clone(), sensitive(value.expose())?);
        }
        Authorization::PathSegment(secret) => substitute(&mut url, secret.expose())?,
    }
    let mut wire = reqwest::Request::new(request.method, url);
    *wire.headers_mut() = headers;
    if !request.body.is_empty() {
        *wire.body_mut() = Some(progress.body(request.body.bytes().clone()));
    }
    Ok(wire)
}

fn sensitive(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Error::new(
            Code::Unauthenticated,
            "the credential holds characters that no header may hold",
        )
        .with_user_action("Check the credential for line breaks and other control characters.")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Puts `secret` in the place of `{secret}` in the path, which a parsed URL shows percent-encoded. Only the path, and only
/// characters that cannot end the segment.
fn substitute(url: &mut Url, secret: &str) -> Result<()> {
    const PLACE: &str = "%7Bsecret%7D";
    let fits = !secret.is_empty()
        && secret
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte));
    let path = url.path();
    if !fits || !path.contains(PLACE) {
        return Err(Error::new(
            Code::InvalidInput,
            if fits {
                "the URL has no place for the credential"
            } else {
                "the credential cannot stand in a URL path"
            },
        ));
    }
    let path = path.replacen(PLACE, secret, 1);
    url.set_path(&path);
    Ok(())
}

/// The body as it comes, within the idle limit, the operation's deadline and its cancellation.
fn body(
    stream: impl Stream<Item = reqwest::Result<Bytes>> + Send + 'static,
    operation: Operation,
    idle: Duration,
) -> BodyStream {
    Box::pin(futures::stream::unfold(
        Some((Box::pin(stream), operation)),
        move |state| async move {
            let (mut stream, operation) = state?;
            let patience = idle.min(operation.remaining());
            let piece = tokio::select! {
                biased;
                () = operation.cancellation().cancelled() => return Some((Err(cancelled()), None)),
                piece = tokio::time::timeout(patience, stream.next()) => piece,
            };
            match piece {
                Ok(Some(Ok(piece))) => Some((Ok(piece), Some((stream, operation)))),
                Ok(None) => None,
                Ok(Some(Err(error))) => Some((Err(failure::within_body(&error)), None)),
                Err(_) => Some((
                    Err(Error::new(Code::Timeout, "the reply stopped coming").with_outcome(Outcome::Unknown)),
                    None,
                )),
            }
        },
    ))
}

fn cancelled() -> Error {
    Error::new(Code::Cancelled, "the call was cancelled").with_outcome(Outcome::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_process_gets_a_new_pool_and_the_old_one_is_never_dropped() {
        let socket = Socket::default();
        let first = socket.pool_of(1).expect("a pool");
        assert!(Arc::ptr_eq(&first, &socket.pool_of(1).expect("a pool")));
        let second = socket.pool_of(2).expect("a pool");
        assert!(!Arc::ptr_eq(&first, &second));
        assert_eq!(Arc::strong_count(&first), 2, "one is ours, one is leaked");
    }
}
