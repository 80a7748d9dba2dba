//! The one place that opens HTTP connections: reqwest over rustls.
//!
//! It follows no redirect, repeats nothing and sends no `Referer`; the layers above decide all that. Its pool belongs to one
//! process: after a fork the child makes its own and never touches the parent's.
//!
//! The environment's proxies (`HTTPS_PROXY`, `NO_PROXY`) are not read unless asked for by [`Socket::with_environment_proxy`]:
//! a variable that somebody set must not silently route credentials through another host.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;

use super::place::Parts;
use super::progress::{ConnectWatch, Progress};
use super::resolve::Checked;
use super::{HostRule, Resolver, SystemResolver, Transport, failure};
use crate::http::{BodyStream, Request, Response, too_large};
use crate::{Code, Error, Operation, Outcome, Result, generation};

/// HTTP/1.1 and HTTP/2 with a pool; built at first use and rebuilt after a fork.
pub struct Socket {
    settings: Settings,
    client: ArcSwapOption<Pool>,
}

#[derive(Debug, Clone)]
struct Settings {
    environment_proxy: bool,
    names: Checked,
}

#[expect(
    clippy::disallowed_types,
    reason = "the one place that opens HTTP connections"
)]
struct Pool {
    generation: u32,
    settings: Settings,
    client: reqwest::Client,
    /// Makes a connection for each request and keeps none: for when those that were kept have died in silence.
    fresh: OnceLock<reqwest::Client>,
}

#[expect(
    clippy::disallowed_types,
    reason = "the one place that opens HTTP connections"
)]
impl Pool {
    fn fresh(&self) -> Result<&reqwest::Client> {
        if let Some(client) = self.fresh.get() {
            return Ok(client);
        }
        let client = build(&self.settings, false)?;
        Ok(self.fresh.get_or_init(|| client))
    }
}

impl Default for Socket {
    fn default() -> Self {
        let names = Checked {
            resolver: Arc::new(SystemResolver),
            private_hosts: Arc::default(),
        };
        Self {
            settings: Settings {
                environment_proxy: false,
                names,
            },
            client: ArcSwapOption::const_empty(),
        }
    }
}

impl Socket {
    /// Routes requests through the proxies that the environment names (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`), except to the
    /// hosts of `NO_PROXY`. It is the proxy then that resolves names, and that has to refuse addresses which are not public.
    pub fn with_environment_proxy(mut self) -> Self {
        self.settings.environment_proxy = true;
        self
    }

    /// Sets what turns names into addresses. Whatever it answers is checked before a connection is made to it.
    pub fn with_resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.settings.names.resolver = resolver;
        self
    }

    /// Sets the names that may stand for addresses of a private network or of this machine. Ports of these rules do not count.
    pub fn with_private_hosts(mut self, rules: impl Into<Arc<[HostRule]>>) -> Self {
        self.settings.names.private_hosts = rules.into();
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
            settings: self.settings.clone(),
            client: build(&self.settings, true)?,
            fresh: OnceLock::new(),
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
        let fresh = request.fresh;
        let (wire, progress) = write(request, |length| Progress::new(timeouts, length))?;
        let client = if fresh { pool.fresh()? } else { &pool.client };
        let reply = tokio::select! {
            biased;
            () = operation.cancellation().cancelled() => return Err(cancelled().with_outcome(progress.outcome())),
            reply = progress.watch(client.execute(wire)) => {
                reply.map_err(|error| {
                    let failure = failure::before_head(&error);
                    // On a connection that was made for it, the other side closed on this very request; on one that was used before,
                    // it most likely was gone already.
                    let gone = failure.code() == Code::ConnectionFailed && !progress.connected();
                    if gone { failure.on_used_connection() } else { failure }
                })?
            }
            what = progress.exhausted(operation.remaining()) => {
                return Err(Error::new(Code::Timeout, what).with_outcome(progress.outcome()));
            }
        };
        let status = reply.status();
        let headers = reply.headers().clone();
        // A refusal is told by its status, however long its text is.
        let too_long = |length| length > limit as u64;
        if status.is_success() && reply.content_length().is_some_and(too_long) {
            return Err(too_large(limit));
        }
        let body = body(reply.bytes_stream(), operation.clone(), timeouts.idle);
        Ok(Response::new(status, headers, body, limit))
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Who we say we are unless a request says otherwise. Some servers compress only for agents that name gzip here.
const USER_AGENT: &str = concat!("nbhd/", env!("CARGO_PKG_VERSION"), " (gzip)");

#[expect(
    clippy::disallowed_types,
    reason = "the one place that opens HTTP connections"
)]
fn build(settings: &Settings, keep: bool) -> Result<reqwest::Client> {
    // Already installed by somebody else is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let base = || {
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(USER_AGENT)
            .connector_layer(ConnectWatch);
        let builder = if keep {
            builder
        } else {
            builder.pool_max_idle_per_host(0)
        };
        if settings.environment_proxy {
            builder
        } else {
            builder.no_proxy().dns_resolver(settings.names.clone())
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
fn write(request: Request, progress: impl FnOnce(usize) -> Progress) -> Result<(reqwest::Request, Progress)> {
    let parts = Parts {
        url: request.url,
        headers: request.headers,
        body: request.body.bytes().clone(),
    };
    let parts = parts.authorized(&request.authorization)?;
    let progress = progress(parts.body.len());
    let mut wire = reqwest::Request::new(request.method, parts.url);
    *wire.headers_mut() = parts.headers;
    if !parts.body.is_empty() {
        *wire.body_mut() = Some(progress.body(parts.body));
    }
    Ok((wire, progress))
}

/// The body as it comes, within the idle limit, the operation's deadline and its cancellation. Only who has to wait for a
/// piece makes a timer.
fn body(
    stream: impl Stream<Item = reqwest::Result<Bytes>> + Send + 'static,
    operation: Operation,
    idle: Duration,
) -> BodyStream {
    let mut stream = Box::pin(stream);
    let mut ended = false;
    let mut waiting = None;
    Box::pin(futures::stream::poll_fn(move |context| {
        if ended {
            return Poll::Ready(None);
        }
        let piece = if operation.cancellation().is_cancelled() {
            Some(Err(cancelled()))
        } else if let Poll::Ready(piece) = stream.as_mut().poll_next(context) {
            piece.map(|piece| piece.map_err(|error| failure::within_body(&error)))
        } else {
            let waiting = waiting.get_or_insert_with(|| Box::pin(stopped(operation.clone(), idle)));
            Some(Err(std::task::ready!(waiting.as_mut().poll(context))))
        };
        waiting = None;
        ended = !matches!(piece, Some(Ok(_)));
        Poll::Ready(piece)
    }))
}

/// Why no piece came: waits for the limit, the deadline or the cancellation.
async fn stopped(operation: Operation, idle: Duration) -> Error {
    tokio::select! {
        () = operation.cancellation().cancelled() => cancelled(),
        () = tokio::time::sleep(idle.min(operation.remaining())) => {
            Error::new(Code::Timeout, "the reply stopped coming").with_outcome(Outcome::Unknown)
        }
    }
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
